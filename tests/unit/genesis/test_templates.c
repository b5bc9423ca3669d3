/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every template's creation code is what its hash says, its ABI is the one of that code, and
 * names lead to it. That the files are what the sources compile to: suite `templates`. */
#include "genesis/templates.h"

#include "base/keccak.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

/* An entry as "name(type,type)", tuples in parentheses two deep at most. */
static void signature_of(json_t *entry, char *out, size_t cap) {
    size_t at =
        (size_t)snprintf(out, cap, "%s(", json_string_value(json_object_get(entry, "name")));
    json_t *inputs = json_object_get(entry, "inputs"), *input, *part;
    size_t i, k;
    json_array_foreach(inputs, i, input) {
        const char *type = json_string_value(json_object_get(input, "type"));
        at += (size_t)snprintf(out + at, cap - at, i > 0 ? "," : "");
        if (strncmp(type, "tuple", 5) != 0) {
            at += (size_t)snprintf(out + at, cap - at, "%s", type);
            continue;
        }
        json_array_foreach(json_object_get(input, "components"), k, part) at +=
            (size_t)snprintf(out + at, cap - at, "%c%s", k > 0 ? ',' : '(',
                             json_string_value(json_object_get(part, "type")));
        at += (size_t)snprintf(out + at, cap - at, ")%s", type + 5);
    }
    snprintf(out + at, cap - at, ")");
}

/* Whether the code compares the selector of `signature` somewhere: the compiler drops its leading
 * zero bytes. */
static bool code_has(bytes code, const char *signature) {
    hash32 h;
    keccak256(&h, signature, strlen(signature));
    size_t skip = 0;
    while (skip < 3 && h.b[skip] == 0)
        skip++;
    return memmem(code.ptr, code.len, h.b + skip, 4 - skip) != NULL;
}

static json_t *abi_of(enum template_id id) {
    bytes text = template_abi(id);
    json_t *abi = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    cr_assert(json_is_array(abi), "%s", template_name(id));
    return abi;
}

/* Whether the ABI has an entry of that kind and signature. */
static bool abi_has(enum template_id id, const char *kind, const char *signature) {
    json_t *abi = abi_of(id), *entry;
    bool found = false;
    size_t i;
    json_array_foreach(abi, i, entry) {
        char s[256] = "";
        if (strcmp(json_string_value(json_object_get(entry, "type")), kind) != 0)
            continue;
        if (strcmp(kind, "constructor") == 0)
            json_object_set_new(entry, "name", json_string(""));
        signature_of(entry, s, sizeof s);
        found = found || strcmp(s, signature) == 0;
    }
    json_decref(abi);
    return found;
}

Test(templates, names) {
    enum template_id id;
    for (int i = 0; i < TEMPLATE_COUNT; i++) {
        const char *name = template_name((enum template_id)i);
        cr_assert(template_find(&id, name, strlen(name)) && id == (enum template_id)i);
        cr_assert(!template_find(&id, name, strlen(name) - 1));
    }
    cr_assert(!template_find(&id, "", 0));
    cr_assert(!template_find(&id, "erc2000", 7));
    cr_assert_str_eq(template_standard(TEMPLATE_ERC20), "ERC-20");
    cr_assert_str_eq(template_standard(TEMPLATE_ERC721), "ERC-721");
    cr_assert_str_eq(template_standard(TEMPLATE_ITEMS), "ERC-1155");
}

Test(templates, code_answers_its_abi) {
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 24);
    for (int i = 0; i < TEMPLATE_COUNT; i++) {
        bytes code = template_init_code((enum template_id)i, &a); /* checks the hash */
        cr_assert(code.len > 1000 && code.len <= 49152);          /* EIP-3860 */
        json_t *abi = abi_of((enum template_id)i), *entry;
        size_t k, functions = 0;
        json_array_foreach(abi, k, entry) {
            if (strcmp(json_string_value(json_object_get(entry, "type")), "function") != 0)
                continue;
            char s[256];
            signature_of(entry, s, sizeof s);
            cr_expect(code_has(code, s), "%s: %s", template_name((enum template_id)i), s);
            functions++;
        }
        cr_expect_gt(functions, 20);
        json_decref(abi);
    }
    arena_clear(&a);
}

Test(templates, what_the_api_calls) {
    for (int i = 0; i < TEMPLATE_COUNT; i++) {
        enum template_id id = (enum template_id)i;
        cr_expect(abi_has(id, "constructor",
                          id == TEMPLATE_ERC20 ? "(string,string,uint8,uint256,address,address)"
                                               : "(string,string,string,address,address)"));
        cr_expect(abi_has(id, "function", "mintBatch((bytes32,address,uint256,uint256)[])"));
        cr_expect(abi_has(id, "function", "referencesUsed(bytes32[])"));
        cr_expect(abi_has(id, "error", "ReferenceUsed(bytes32)"));
        if (id == TEMPLATE_ERC20)
            continue;
        cr_expect(abi_has(id, "function", "defineClass(uint256,uint256,bytes)"));
        cr_expect(abi_has(id, "function", "classOf(uint256)"));
        cr_expect(abi_has(id, "event", "ClassDefined(uint256,uint256,bytes)"));
        cr_expect(abi_has(id, "error", "UnknownClass(uint256)"));
        cr_expect(abi_has(id, "error", "ClassExists(uint256)"));
        cr_expect(abi_has(id, "error", "SupplyExceeded(uint256,uint256)"));
    }
}
