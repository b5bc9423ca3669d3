/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: senders.c */
#include "base/secp.h"
#include "node/senders.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { KEYS = 5, BAD_EVERY = 17 };

TestSuite(senders, .timeout = 60);

/* Transaction i: signed by key i % KEYS, or a signature that nobody has. */
static void make(struct pool_tx *t, size_t i, addr20 want[KEYS]) {
    uint8_t key[32] = {0};
    key[31] = (uint8_t)(i % KEYS + 1);
    memset(t->tx.sighash.b, (int)(i % 251 + 1), 32);
    cr_assert_eq(secp_sign(&t->tx.sig, &t->tx.sighash, key), ERR_OK);
    cr_assert_eq(secp_address_of_key(&want[i % KEYS], key), ERR_OK);
    if (i % BAD_EVERY == 0)
        t->tx.sig.r = u256_from_u64(0);
}

/* Goal: each gets its own sender, in batches of all sizes, with and without helpers. */
Test(senders, recover) {
    static const size_t sizes[] = {1, 2, 63, 64, 65, 127, 200, 255, 256, SENDERS_MAX};
    static const size_t helpers[] = {0, 1, 3, CREW_HELPERS_MAX};
    struct pool_tx *all = calloc(SENDERS_MAX, sizeof *all), *txs[SENDERS_MAX];
    addr20 want[KEYS];
    cr_assert_not_null(all);
    for (size_t i = 0; i < SENDERS_MAX; i++) {
        make(&all[i], i, want);
        txs[i] = &all[i];
    }
    for (size_t h = 0; h < ARRAY_LEN(helpers); h++) {
        struct crew *s = crew_start(helpers[h], "crew");
        cr_assert_not_null(s);
        cr_expect_eq(senders_batch(s), SENDERS_CHUNK * (helpers[h] + 1));
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            for (size_t i = 0; i < SENDERS_MAX; i++) {
                all[i].tx.has_sender = i % BAD_EVERY == 0; /* what is wrong */
                memset(&all[i].tx.sender, 0, sizeof(addr20));
            }
            senders_recover(s, txs, sizes[k]);
            for (size_t i = 0; i < sizes[k]; i++) {
                cr_assert_eq(all[i].tx.has_sender, i % BAD_EVERY != 0, "%zu of %zu", i, sizes[k]);
                if (all[i].tx.has_sender)
                    cr_assert(addr20_eq(&all[i].tx.sender, &want[i % KEYS]));
            }
            if (sizes[k] < SENDERS_MAX) /* nothing behind them */
                cr_assert_eq(all[sizes[k]].tx.has_sender, sizes[k] % BAD_EVERY == 0);
        }
        crew_stop(s);
    }
    free(all);
}
