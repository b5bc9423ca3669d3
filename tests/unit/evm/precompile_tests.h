/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the precompile_<family>.c files share: run a contract on hex and compare. */
#ifndef TESTS_UNIT_EVM_PRECOMPILE_TESTS_H
#define TESTS_UNIT_EVM_PRECOMPILE_TESTS_H

#include "base/hex.h"
#include "evm/precompile.h"

#include <criterion/criterion.h>

struct answer {
    enum evm_status status;
    size_t len;
    uint8_t out[2048];
};

/* Runs in a fresh arena of 4 MiB; the result is copied. */
static inline struct answer run_bytes(enum evm_revision rev, enum precompile_id id, const void *in,
                                      size_t len) {
    struct arena a;
    struct answer r = {0};
    bytes out = {0};
    arena_init(&a, 1 << 16, 4 << 20);
    r.status = precompile_run(rev, id, &a, bytes_of(in, len), &out);
    if (r.status == EVM_SUCCESS) {
        cr_assert(out.len <= sizeof r.out);
        r.len = out.len;
        if (out.len > 0)
            memcpy(r.out, out.ptr, out.len);
    }
    arena_clear(&a);
    return r;
}

static inline size_t from_hex(uint8_t *out, size_t cap, const char *hex) {
    size_t len = 0;
    cr_assert(hex_decode(out, cap, &len, hex, strlen(hex)) == ERR_OK);
    return len;
}

static inline bool answer_is(const struct answer *r, const char *hex) {
    uint8_t want[2048];
    size_t len = from_hex(want, sizeof want, hex);
    return r->status == EVM_SUCCESS && r->len == len && memcmp(r->out, want, len) == 0;
}

/* Status SUCCESS and a word with the number v. */
static inline bool answer_is_word(const struct answer *r, uint64_t v) {
    uint8_t want[32] = {0};
    be64_store(want + 24, v);
    return r->status == EVM_SUCCESS && r->len == 32 && memcmp(r->out, want, 32) == 0;
}

#endif
