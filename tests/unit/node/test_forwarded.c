/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what was taken elsewhere is found by hash; nonces go on as far as they have no gap; the
 * oldest go when there are too many or too large ones, and nothing of them is left. */
#include "node/forwarded.h"

#include "base/arena.h"
#include "chain/tx.h"

#include <criterion/criterion.h>

static struct pool_tx *make(uint8_t sender, uint64_t nonce, uint64_t value, size_t data_len) {
    static const uint8_t zeros[80000];
    uint8_t key[32] = {[31] = sender};
    struct arena a;
    struct err_ctx ec;
    struct pool_tx *t = NULL;
    arena_init(&a, 4096, 1 << 20);
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = 1,
                    .nonce = nonce,
                    .value = u256_from_u64(value),
                    .gas_limit = 21000,
                    .data = bytes_of(zeros, data_len)};
    cr_assert_eq(tx_sign(&tx, &a, key), ERR_OK);
    cr_assert_eq(pool_tx_new(&t, tx.raw, &ec), ERR_OK);
    cr_assert_eq(tx_recover_sender(&t->tx), ERR_OK);
    arena_clear(&a);
    return t;
}

Test(forwarded, by_hash_and_by_nonce) {
    struct forwarded f;
    struct buf b;
    addr20 sender;
    forwarded_init(&f);
    buf_init(&b, 1 << 20);
    struct pool_tx *t = make(1, 5, 0, 10);
    hash32 hash = t->tx.hash, other = {{1}};
    addr20 who = t->tx.sender;
    cr_expect_eq(forwarded_nonce(&f, &who, 5), 5);
    forwarded_add(&f, t);
    forwarded_add(&f, make(1, 5, 0, 10)); /* the very same */
    forwarded_add(&f, make(1, 6, 0, 0));
    forwarded_add(&f, make(1, 9, 0, 0));
    forwarded_add(&f, make(2, 7, 0, 0));
    cr_expect_eq(f.count, 4);
    cr_expect_not(forwarded_get(&f, &other, &b, &sender));
    cr_assert(forwarded_get(&f, &hash, &b, &sender));
    cr_expect_arr_eq(sender.b, who.b, 20);
    cr_expect_eq(b.len, t->tx.raw.len);
    cr_expect_eq(memcmp(b.ptr, t->tx.raw.ptr, b.len), 0);
    cr_expect_eq(forwarded_nonce(&f, &who, 5), 7);
    cr_expect_eq(forwarded_nonce(&f, &who, 6), 7);
    cr_expect_eq(forwarded_nonce(&f, &who, 4), 4, "a gap");
    cr_expect_eq(forwarded_nonce(&f, &who, 8), 8);
    cr_expect_eq(forwarded_nonce(&f, &who, 9), 10);
    cr_expect_eq(forwarded_nonce(&f, &sender, UINT64_MAX), UINT64_MAX);
    buf_clear(&b);
    forwarded_clear(&f);
}

/* What went was replaced by one with its nonce: that one stays. */
Test(forwarded, the_oldest_go) {
    struct forwarded f;
    struct buf b;
    addr20 sender;
    forwarded_init(&f);
    buf_init(&b, 1 << 20);
    struct pool_tx *t = make(1, 0, 0, 80000);
    hash32 oldest = t->tx.hash;
    addr20 who = t->tx.sender;
    size_t size = pool_tx_bytes(t), fit = FORWARDED_BYTES_MAX / size;
    forwarded_add(&f, t);
    forwarded_add(&f, make(1, 0, 1, 80000));
    for (size_t i = 2; i < fit; i++)
        forwarded_add(&f, make(1, i, 0, 80000));
    cr_expect_eq(f.count, fit);
    cr_expect(forwarded_get(&f, &oldest, &b, &sender));
    forwarded_add(&f, make(1, fit, 0, 80000));
    cr_expect_eq(f.count, fit);
    cr_expect_leq(f.bytes, FORWARDED_BYTES_MAX);
    cr_expect_not(forwarded_get(&f, &oldest, &b, &sender));
    cr_expect_eq(f.by_hash.count, f.count);
    cr_expect_eq(f.by_nonce.count, f.count);
    cr_expect_eq(forwarded_nonce(&f, &who, 0), 1);
    cr_expect_eq(forwarded_nonce(&f, &who, 2), fit + 1);
    buf_clear(&b);
    forwarded_clear(&f);
    cr_expect_eq(f.count, 0);
    cr_expect_eq(f.bytes, 0);
}
