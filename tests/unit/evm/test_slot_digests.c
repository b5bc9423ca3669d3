/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/slot_digests.h"

#include "base/keccak.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void check(struct slot_digests *s, const uint8_t *input) {
    hash32 want;
    keccak256(&want, input, SLOT_DIGEST_INPUT);
    cr_assert(hash32_eq(slot_digest(s, input), &want));
}

/* The zero input is in no way special though the memory begins as zeros. */
Test(slot_digests, zero_input) {
    struct slot_digests *s = calloc(1, sizeof *s);
    uint8_t zero[SLOT_DIGEST_INPUT] = {0};
    check(s, zero);
    check(s, zero);
    free(s);
}

/* More inputs than places, asked for again and again, next to others that differ in one byte. */
Test(slot_digests, is_keccak_whatever_was_asked_before) {
    uint64_t seed = rng_seed(0x510);
    struct rng r = {seed};
    struct slot_digests *s = calloc(1, sizeof *s);
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t raw[SLOT_DIGEST_INPUT + 1] = {0}, *input = raw + 1; /* not aligned */
        input[30] = (uint8_t)rng_below(&r, 20);
        input[31] = (uint8_t)rng_below(&r, 256);
        input[rng_below(&r, SLOT_DIGEST_INPUT)] ^= (uint8_t)rng_below(&r, 2);
        check(s, input);
    }
    free(s);
}

/* A place that another input has taken is not believed. */
Test(slot_digests, one_place_for_many) {
    struct slot_digests *s = calloc(1, sizeof *s);
    uint8_t first[SLOT_DIGEST_INPUT] = {1}, other[SLOT_DIGEST_INPUT] = {1};
    check(s, first);
    for (unsigned i = 0; i < 4 * SLOT_DIGESTS; i++) {
        other[40] = (uint8_t)(i + 1);
        other[41] = (uint8_t)((i + 1) >> 8);
        check(s, other);
    }
    check(s, first);
    free(s);
}
