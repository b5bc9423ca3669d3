/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the committed artifact is of the committed source, and speaks the ABI that assertion.c
 * encodes. Method: the source hashed; the function's types in the artifact's ABI spelt out and
 * compared with the signature that the selector is of. */
#include "base/sha.h"
#include "bridge/abi.h"

#include "base/hex.h"

#include <criterion/criterion.h>
#include <jansson.h>

enum { TEXT_MAX = 1 << 20 };

static size_t read_text(const char *path, char *out) {
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    size_t n = fread(out, 1, TEXT_MAX - 1, f);
    (void)fclose(f);
    out[n] = '\0';
    return n;
}

static json_t *artifact(void) {
    json_t *doc = json_load_file("bridge/contracts/artifacts/Confirmer.json", 0, NULL);
    cr_assert_not_null(doc);
    return doc;
}

Test(confirmer_artifact, is_of_its_source) {
    static char source[TEXT_MAX];
    size_t len = read_text("bridge/contracts/src/Confirmer.sol", source);
    uint8_t digest[32];
    char hex[65] = "";
    sha256(digest, source, len);
    hex_encode(hex, digest, 32);
    json_t *doc = artifact();
    cr_expect_str_eq(json_string_value(json_object_get(doc, "sourceSha256")), hex);
    json_decref(doc);
}

/* Types of a parameter list as in a signature; structs by three levels. */
static void put_types(struct buf *b, const json_t *inputs, int depth) {
    cr_assert_leq(depth, 4);
    buf_append_byte(b, '(');
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *v = json_array_get(inputs, i);
        const char *type = json_string_value(json_object_get(v, "type"));
        if (i > 0)
            buf_append_byte(b, ',');
        if (strncmp(type, "tuple", 5) == 0) {
            put_types(b, json_object_get(v, "components"), depth + 1);
            type += 5;
        }
        buf_append_str(b, type);
    }
    buf_append_byte(b, ')');
}

Test(confirmer_artifact, has_the_function_that_we_call) {
    json_t *doc = artifact();
    const json_t *abi = json_object_get(doc, "abi");
    bool found = false;
    for (size_t i = 0; i < json_array_size(abi); i++) {
        const json_t *v = json_array_get(abi, i);
        const char *name = json_string_value(json_object_get(v, "name"));
        if (name == NULL || strcmp(name, "confirm") != 0)
            continue;
        struct buf b;
        buf_init(&b, 1 << 12);
        buf_append_str(&b, name);
        put_types(&b, json_object_get(v, "inputs"), 0);
        buf_append_byte(&b, '\0');
        cr_expect_str_eq((char *)b.ptr, abi_function_signature(ABI_CONFIRMER_CONFIRM));
        buf_clear(&b);
        found = true;
    }
    cr_expect(found);
    json_decref(doc);
}
