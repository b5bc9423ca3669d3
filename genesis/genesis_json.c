/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/hex.h"
#include "genesis/genesis_internal.h"

#include <stdio.h>
#include <stdlib.h>

struct gvalue gvalue_root(const json_t *json, struct err_ctx *ec) {
    return (struct gvalue){.json = json, .ec = ec};
}

static struct gvalue child(const struct gvalue *v, const json_t *json, const char *sep,
                           const char *name) {
    struct gvalue c = {.json = json, .ec = v->ec};
    (void)snprintf(c.path, sizeof c.path, "%s%s%s", v->path, v->path[0] == '\0' ? "" : sep, name);
    return c;
}

struct gvalue gvalue_member(const struct gvalue *v, const char *key) {
    return child(v, json_object_get(v->json, key), ".", key);
}

struct gvalue gvalue_element(const struct gvalue *v, size_t idx) {
    char name[32];
    (void)snprintf(name, sizeof name, "[%zu]", idx);
    return child(v, json_array_get(v->json, idx), "", name);
}

const char *gvalue_text(const struct gvalue *v, char out[64]) {
    char *text = v->json == NULL ? NULL : json_dumps(v->json, JSON_ENCODE_ANY | JSON_COMPACT);
    (void)snprintf(out, 64, "%.60s", text == NULL ? "nothing" : text);
    free(text);
    return out;
}

/* The sentence of all wrong values. */
static enum err refuse(const struct gvalue *v, const char *wanted) {
    char text[64];
    FAIL(v->ec, ERR_CONFIG, "genesis: %s is %s, but must be %s", v->path, gvalue_text(v, text),
         wanted);
}

static enum err decimal_u256(const char *text, u256 *out) {
    const u256 ten = u256_from_u64(10);
    u256 v = U256_ZERO;
    if (*text == '\0')
        return ERR_INVALID;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return ERR_INVALID;
        u256 digit = u256_from_u64((uint64_t)(*text - '0'));
        if (u256_mul_overflow(&v, &v, &ten) || u256_add_overflow(&v, &v, &digit))
            return ERR_TOO_LARGE;
    }
    *out = v;
    return ERR_OK;
}

enum err gtext_u256(const char *text, u256 *out) {
    if (text[0] == '0' && text[1] == 'x')
        return hex_parse_u256(out, text, strlen(text), true);
    return decimal_u256(text, out);
}

enum err gtext_addr(const char *text, addr20 *out) {
    return hex_decode_fixed(out->b, sizeof out->b, text);
}

static enum err any_u256(const struct gvalue *v, u256 *out) {
    if (json_is_integer(v->json) && json_integer_value(v->json) >= 0) {
        *out = u256_from_u64((uint64_t)json_integer_value(v->json));
        return ERR_OK;
    }
    return json_is_string(v->json) ? gtext_u256(json_string_value(v->json), out) : ERR_INVALID;
}

enum err gvalue_u256(const struct gvalue *v, u256 *out, unsigned max_bits) {
    u256 r;
    if (any_u256(v, &r) == ERR_OK && u256_bit_len(&r) <= max_bits) {
        *out = r;
        return ERR_OK;
    }
    char wanted[96];
    (void)snprintf(wanted, sizeof wanted,
                   "an integer below 2^%u (a JSON integer, or decimal or 0x text)", max_bits);
    return refuse(v, wanted);
}

enum err gvalue_u64(const struct gvalue *v, uint64_t *out, uint64_t min, uint64_t max) {
    u256 r;
    if (any_u256(v, &r) == ERR_OK && u256_fits_u64(&r) && r.w[0] >= min && r.w[0] <= max) {
        *out = r.w[0];
        return ERR_OK;
    }
    char wanted[96];
    (void)snprintf(wanted, sizeof wanted, "an integer from %llu to %llu", (unsigned long long)min,
                   (unsigned long long)max);
    return refuse(v, wanted);
}

enum err gvalue_addr(const struct gvalue *v, addr20 *out) {
    if (json_is_string(v->json) && gtext_addr(json_string_value(v->json), out) == ERR_OK)
        return ERR_OK;
    return refuse(v, "an address: 20 bytes in hexadecimal");
}

enum err gvalue_bytes(const struct gvalue *v, struct arena *a, bytes *out, size_t max_bytes) {
    char wanted[96];
    (void)snprintf(wanted, sizeof wanted, "at most %zu bytes in hexadecimal", max_bytes);
    if (!json_is_string(v->json))
        return refuse(v, wanted);
    const char *text = json_string_value(v->json);
    size_t len = strlen(text), out_len = 0;
    if (len > 2 * max_bytes + 2)
        return refuse(v, wanted);
    uint8_t *p = arena_alloc(a, len / 2 + 1);
    if (hex_decode(p, max_bytes < len / 2 + 1 ? max_bytes : len / 2 + 1, &out_len, text, len) !=
        ERR_OK)
        return refuse(v, wanted);
    *out = bytes_of(p, out_len);
    return ERR_OK;
}

enum err gvalue_object(const struct gvalue *v, const char *const *known) {
    if (!json_is_object(v->json))
        return refuse(v, "an object");
    void *it = json_object_iter((json_t *)(uintptr_t)v->json);
    for (; known != NULL && it != NULL;
         it = json_object_iter_next((json_t *)(uintptr_t)v->json, it)) {
        const char *key = json_object_iter_key(it);
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] == NULL)
            FAIL(v->ec, ERR_CONFIG, "genesis: %s%s%.64s is not a key that this program knows",
                 v->path, v->path[0] == '\0' ? "" : ".", key);
    }
    return ERR_OK;
}

enum err gvalue_array(const struct gvalue *v, size_t max_count) {
    if (json_is_array(v->json) && json_array_size(v->json) <= max_count)
        return ERR_OK;
    char wanted[64];
    (void)snprintf(wanted, sizeof wanted, "a list of at most %zu entries", max_count);
    return refuse(v, wanted);
}
