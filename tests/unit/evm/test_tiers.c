/* SPDX-License-Identifier: Apache-2.0 */
/* The fast tier against the reference tier on random programs: {success, revert, failure}, gas,
 * refund, output, logs, state and warm marks must be equal, with a budget too if it is not used up.
 * SEED chooses another series, ROUNDS
 * another length. */
#include "tests/lib/evm/random_program.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static unsigned rounds(unsigned fallback) {
    const char *s = getenv("ROUNDS");
    return s != NULL ? (unsigned)strtoul(s, NULL, 0) : fallback;
}

static int64_t random_gas(struct rng *r) {
    switch (rng_below(r, 4)) {
    case 0:
        return (int64_t)rng_below(r, 3000);
    case 1:
        return (int64_t)rng_below(r, 60000);
    default:
        return 100000 + (int64_t)rng_below(r, 400000);
    }
}

Test(tiers, random_programs_agree, .timeout = 600) {
    uint64_t seed = rng_seed(0x7135);
    struct rng r = {seed};
    struct tier_pair *p = tier_pair_new();
    unsigned count[3] = {0}, stopped = 0;
    unsigned n = rounds(6000);
    for (unsigned i = 0; i < n; i++) {
        static uint8_t code[PROGRAM_CONTRACTS][PROGRAM_BYTES_MAX];
        uint8_t input[100];
        rng_fill(&r, input, sizeof input);
        struct program_case c = {
            .revision = (enum evm_revision)rng_below(&r, EVM_REVISION_COUNT),
            .input = bytes_of(input, rng_below(&r, sizeof input)),
            .gas = random_gas(&r),
            .create = rng_below(&r, 10) == 0,
        };
        if (rng_below(&r, 3) != 0)
            c.revision = EVM_OSAKA;
        for (unsigned k = 0; k < PROGRAM_CONTRACTS; k++)
            c.code[k] = bytes_of(code[k], random_program(&r, code[k]));
        /* Decoded at once, after a while, or hardly ever. */
        static const uint32_t heats[] = {0, 0, 1, 4, 100};
        struct program_verdict fast, ref;
        bool same = tier_pair_agree(p, &c, heats[rng_below(&r, ARRAY_LEN(heats))], &fast, &ref);
        cr_assert(same, "program %u, SEED=%llu\n fast %s\n ref  %s", i, (unsigned long long)seed,
                  fast.text, ref.text);
        stopped += fast.stopped + ref.stopped;
        count[ref.text[0] == ',' ? 0 : ref.text[0] == 'e' ? 1 : 2]++;
    }
    /* The generator is worth its name only if enough programs get through. */
    cr_expect_gt(count[0], n / 10, "%u of %u succeed", count[0], n);
    cr_expect_gt(count[1], n / 100, "%u of %u revert", count[1], n);
    cr_expect(stopped > n / 5 && stopped < 2 * n - n / 5, "a budget stops %u of %u runs", stopped,
              2 * n);
    cr_log_info("%u succeed, %u revert, %u fail", count[0], count[1], count[2]);
    tier_pair_free(p);
}
