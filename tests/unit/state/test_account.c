/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak.h"
#include "state/store.h"
#include "tests/lib/state/fixture.h"

#include <criterion/criterion.h>

static struct account random_account(struct fixture_rng *r) {
    struct account a = {.code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE};
    a.nonce = fixture_rng_next(r) >> fixture_rng_below(r, 64);
    for (uint64_t i = fixture_rng_below(r, 5); i > 0; i--)
        a.balance.w[i - 1] = fixture_rng_next(r) >> fixture_rng_below(r, 64);
    if (fixture_rng_below(r, 2) == 0)
        fixture_rng_fill(r, a.code_hash.b, 32);
    if (fixture_rng_below(r, 2) == 0)
        fixture_rng_fill(r, a.storage_root.b, 32);
    if (fixture_rng_below(r, 2) == 0)
        a.store_id = fixture_rng_next(r) | 1;
    return a;
}

static bool same(const struct account *a, const struct account *b) {
    return a->nonce == b->nonce && u256_eq(&a->balance, &b->balance) &&
           hash32_eq(&a->code_hash, &b->code_hash) &&
           hash32_eq(&a->storage_root, &b->storage_root) && a->store_id == b->store_id;
}

/* Goal: every account comes back; no shorter form and no form with a byte more is taken. */
Test(account, round_trip) {
    struct fixture_rng r = fixture_rng_of(fixture_seed(11));
    for (int i = 0; i < 20000; i++) {
        struct account a = random_account(&r), back;
        uint8_t b[ACCOUNT_PACKED_MAX + 1] = {0};
        size_t len = account_pack(b, &a);
        cr_assert_eq(account_unpack(&back, bytes_of(b, len)), ERR_OK);
        cr_assert(same(&a, &back));
        cr_assert_eq(account_unpack(&back, bytes_of(b, len + 1)), ERR_CORRUPT);
        cr_assert_eq(account_unpack(&back, bytes_of(b, len - 1)), ERR_CORRUPT);
    }
}

/* Goal: one form per account: whatever unpacks packs to the same bytes. */
Test(account, canonical) {
    struct fixture_rng r = fixture_rng_of(fixture_seed(12));
    int taken = 0;
    for (int i = 0; i < 200000; i++) {
        struct account a = random_account(&r), back;
        uint8_t b[ACCOUNT_PACKED_MAX], again[ACCOUNT_PACKED_MAX];
        size_t len = account_pack(b, &a);
        b[fixture_rng_below(&r, len < 16 ? len : 16)] ^= (uint8_t)(1 << fixture_rng_below(&r, 8));
        if (account_unpack(&back, bytes_of(b, len)) != ERR_OK)
            continue;
        taken++;
        cr_assert_eq(account_pack(again, &back), len);
        cr_assert(memcmp(again, b, len) == 0);
    }
    cr_assert(taken > 1000);
}

/* Goal: known bytes. */
Test(account, vectors) {
    struct account a = {.nonce = 300,
                        .balance = {{0x1234, 0, 0, 0}},
                        .code_hash = KECCAK_EMPTY,
                        .storage_root = KECCAK_EMPTY_TRIE};
    uint8_t b[ACCOUNT_PACKED_MAX];
    cr_assert_eq(account_pack(b, &a), 6);
    cr_assert(memcmp(b, "\x00\xac\x02\x02\x12\x34", 6) == 0);
    a = (struct account){
        .code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE, .store_id = 5};
    cr_assert_eq(account_pack(b, &a), 11);
    cr_assert(memcmp(b, "\x04\x00\x00\0\0\0\0\0\0\0\x05", 11) == 0);
    struct account out;
    cr_assert_eq(account_unpack(&out, bytes_of("\x00\x80\x00\x00", 4)),
                 ERR_CORRUPT); /* nonce not minimal */
    cr_assert_eq(account_unpack(&out, bytes_of("\x00\x00\x01\x00", 4)),
                 ERR_CORRUPT); /* balance with a leading zero */
    cr_assert_eq(account_unpack(&out, bytes_of("\x08\x00\x00", 3)), ERR_CORRUPT); /* unknown flag */
    cr_assert_eq(account_unpack(&out, bytes_of(NULL, 0)), ERR_CORRUPT);
}
