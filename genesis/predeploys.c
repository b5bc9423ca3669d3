/* SPDX-License-Identifier: Apache-2.0 */
#include "genesis/predeploys.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

/* The hexadecimal files, as they are, between two labels each. Paths are from the top folder, where
 * the build runs; genesis/rules.mk has the dependency. */
#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file)                             \
    __asm__(".section .rodata\n"                                                                   \
            ".hidden predeploy_" #id "_begin\n"                                                    \
            ".hidden predeploy_" #id "_end\n"                                                      \
            ".globl predeploy_" #id "_begin\n"                                                     \
            ".globl predeploy_" #id "_end\n"                                                       \
            "predeploy_" #id "_begin:\n"                                                           \
            ".incbin \"genesis/predeploys/" file "\"\n"                                            \
            "predeploy_" #id "_end:\n"                                                             \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char predeploy_##id##_begin[], predeploy_##id##_end[];
#define PREDEPLOY_SLOT(id, key, value)
#include "genesis/predeploys.def"
#undef PREDEPLOY
#undef PREDEPLOY_SLOT

struct row {
    const char *name, *address, *code_hash;
    const char *begin, *end;
    uint64_t nonce;
    bool optional;
};
static const struct row rows[] = {
#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file)                             \
    {name, address, code_hash, predeploy_##id##_begin, predeploy_##id##_end, nonce, optional},
#define PREDEPLOY_SLOT(id, key, value)
#include "genesis/predeploys.def"
#undef PREDEPLOY
#undef PREDEPLOY_SLOT
};

static const struct {
    enum predeploy_id id;
    uint64_t key, value;
} slots[] = {
#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file)
#define PREDEPLOY_SLOT(id, key, value) {PREDEPLOY_##id, key, value},
#include "genesis/predeploys.def"
#undef PREDEPLOY
#undef PREDEPLOY_SLOT
};

static const struct row *row_of(enum predeploy_id id) {
    CHECK(id < PREDEPLOY_COUNT);
    return &rows[id];
}

const char *predeploy_name(enum predeploy_id id) {
    return row_of(id)->name;
}

addr20 predeploy_address(enum predeploy_id id) {
    addr20 a;
    enum err e = hex_decode_fixed(a.b, sizeof a.b, row_of(id)->address);
    CHECK(e == ERR_OK);
    return a;
}

uint64_t predeploy_nonce(enum predeploy_id id) {
    return row_of(id)->nonce;
}

bool predeploy_optional(enum predeploy_id id) {
    return row_of(id)->optional;
}

bytes predeploy_code(enum predeploy_id id, struct arena *a) {
    const struct row *r = row_of(id);
    size_t len = (size_t)(r->end - r->begin);
    while (len > 0 && (r->begin[len - 1] == '\n' || r->begin[len - 1] == '\r'))
        len--;
    uint8_t *code = arena_alloc(a, len / 2 + 1);
    size_t code_len = 0;
    enum err e = hex_decode(code, len / 2 + 1, &code_len, r->begin, len);
    CHECK(e == ERR_OK);
    hash32 want, have;
    e = hex_decode_fixed(want.b, sizeof want.b, r->code_hash);
    CHECK(e == ERR_OK);
    keccak256(&have, code, code_len);
    CHECK(hash32_eq(&have, &want));
    return bytes_of(code, code_len);
}

bool predeploy_slot(enum predeploy_id id, size_t idx, u256 *out_key, u256 *out_value) {
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        if (slots[i].id != id || idx-- != 0)
            continue;
        *out_key = u256_from_u64(slots[i].key);
        *out_value = u256_from_u64(slots[i].value);
        return true;
    }
    return false;
}
