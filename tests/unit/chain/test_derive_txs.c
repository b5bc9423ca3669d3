/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a block keeps of its transactions does not depend on the feed's memory; batches of one
 * message may be nested and hold garbage; random blocks of transactions that call, create, revert
 * and destroy give the same hash when sequenced and when derived, in either tier. */
#include "chain/system_state.h"
#include "tests/lib/chain/l3_fixture.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

static const struct fixture_options plain = {0};
static const addr20 BOB = {{0xb0, 0xb0}};

/* A feed that hands out one transaction from memory that it then overwrites. */
struct vanishing {
    const struct tx *original;
    uint8_t raw[512];
    struct tx tx;
    struct arena arena;
    int given, told;
};

static const struct tx *vanishing_next(void *ctx, uint64_t gas_left, size_t bytes_left) {
    struct vanishing *v = ctx;
    if (v->given++ > 0)
        return NULL;
    cr_assert(gas_left == FIXTURE_GAS_LIMIT && bytes_left == MESSAGE_SEQUENCED_MAX_BYTES - 1);
    memcpy(v->raw, v->original->raw.ptr, v->original->raw.len);
    enum err e = tx_decode(&v->tx, &v->arena, bytes_of(v->raw, v->original->raw.len), false, NULL);
    cr_assert_eq(e, ERR_OK);
    cr_assert_eq(tx_recover_sender(&v->tx), ERR_OK);
    return &v->tx;
}

static void vanishing_done(void *ctx, const struct tx *tx, enum tx_verdict verdict,
                           const struct derived_tx *d) {
    struct vanishing *v = ctx;
    cr_assert(tx == &v->tx && verdict == TX_OK && d->receipt.success);
    v->told++;
}

Test(derive_txs, feed_memory_is_not_kept) {
    struct fixture f;
    fixture_init(&f, &plain);
    hash32 key = {{1}};
    struct tx_access access = {.addr = BOB, .keys = &key, .key_count = 1};
    struct tx t = {.type = TX_ACCESS_LIST,
                   .to = BOB,
                   .gas_limit = 60000,
                   .data = bytes_of("calldata", 8),
                   .access = &access,
                   .access_count = 1};
    t.gas_price = t.max_fee = t.max_priority_fee = u256_from_u64(UINT64_C(1000000000));
    fixture_sign(&f, &t, 0);
    struct vanishing v = {.original = &t};
    arena_init(&v.arena, 4096, 1 << 20);
    const struct tx_feed feed = {.ctx = &v, .next = vanishing_next, .done = vanishing_done};
    struct derived_block b;
    cr_assert_eq(
        chain_sequence_block(&b, f.main.chain, &f.arena, &f.head, f.head.timestamp, 0, &feed, NULL),
        ERR_OK);
    cr_assert_eq(v.told, 1);
    arena_clear(&v.arena);
    memset(&v, 0xee, sizeof v);
    chain_seal_block(&b, f.main.chain, f.main.trie);
    const struct tx *kept = &b.txs[0].tx;
    cr_assert(kept->raw.len == t.raw.len && memcmp(kept->raw.ptr, t.raw.ptr, t.raw.len) == 0);
    cr_assert(kept->data.len == 8 && memcmp(kept->data.ptr, "calldata", 8) == 0);
    cr_assert(kept->data.ptr > kept->raw.ptr && kept->data.ptr < kept->raw.ptr + kept->raw.len);
    cr_assert(kept->access_count == 1 && addr20_eq(&kept->access[0].addr, &BOB));
    cr_assert(kept->access[0].keys[0].b[0] == 1);
    cr_assert_eq(b.txs[0].result.output.len, 0);
    fixture_clear(&f);
}

static void put_item(struct buf *b, uint8_t kind, bytes body) {
    uint8_t be[8];
    be64_store(be, 1 + body.len);
    buf_append(b, be, 8);
    buf_append_byte(b, kind);
    buf_append(b, body.ptr, body.len);
}

Test(derive_txs, nested_batches_from_the_parent) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct tx *txs[3];
    for (int i = 0; i < 3; i++)
        txs[i] = fixture_tx(&f, i, &BOB, 1, bytes_of(NULL, 0), 21000);
    struct buf inner, outer;
    buf_init(&inner, 4096);
    buf_init(&outer, 4096);
    put_item(&inner, L2_SIGNED_TX, txs[1]->raw);
    put_item(&inner, 5, bytes_of("disabled", 8));
    buf_append_byte(&outer, L2_BATCH);
    put_item(&outer, L2_SIGNED_TX, txs[0]->raw);
    put_item(&outer, L2_SIGNED_TX, txs[0]->raw); /* its nonce is used now */
    put_item(&outer, L2_BATCH, buf_bytes(&inner));
    put_item(&outer, L2_SIGNED_TX, bytes_of(txs[2]->raw.ptr, txs[2]->raw.len - 1));
    put_item(&outer, L2_SIGNED_TX, txs[2]->raw);
    buf_append_str(&outer, "rest");
    struct message m = fixture_delayed_message(&f, MESSAGE_L2, buf_bytes(&outer));
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 3);
    for (size_t i = 0; i < 3; i++)
        cr_assert(hash32_eq(&b.txs[i].tx.hash, &txs[i]->hash));
    cr_assert(addr20_eq(&b.header.coinbase, &m.sender));
    buf_clear(&inner);
    buf_clear(&outer);
    fixture_clear(&f);
}

/* --- random blocks --------------------------------------------------------------------------- */

/* Runtime codes that change much with little: each is deployed, then called with random data and
 * value. */
static const struct {
    const char *code;
    size_t len;
} programs[] = {
    /* storage[calldata 0] = calldata 1 + TIMESTAMP */
    {"\x60\x20\x35\x42\x01\x5f\x35\x55", 8},
    /* revert when calldata 0 is odd, else LOG1 with it */
    {"\x5f\x35\x60\x01\x16\x60\x12\x57\x5f\x35\x5f\x52\x33\x60\x20\x5f\xa1\x00\x5b\x5f\x5f\xfd",
     22},
    /* CREATE2 of a child that destroys itself to the caller, with the value received; salt calldata
       0 */
    {"\x61\x33\xff\x5f\x52\x5f\x35\x60\x02\x60\x1e\x34\xf5\x5f\x55", 15},
    /* send half of its balance to BLOCKHASH(NUMBER - 1) & coinbase, i.e. some address */
    {"\x5f\x5f\x5f\x5f\x60\x02\x47\x04\x60\x01\x43\x03\x40\x5a\xf1\x5f\x55", 17},
    /* destroy itself (it stays: EIP-6780) to calldata 0 */
    {"\x5f\x35\xff", 3},
};

static addr20 deploy(struct fixture *f, const char *code, size_t len) {
    uint8_t init[64] = {0x60, (uint8_t)len, 0x60, 10, 0x5f, 0x39, 0x60, (uint8_t)len, 0x5f, 0xf3};
    memcpy(init + 10, code, len);
    struct derived_tx d =
        fixture_run(f, fixture_tx(f, 0, NULL, 0, bytes_of(init, 10 + len), 500000));
    cr_assert(d.receipt.success);
    return d.result.created;
}

Test(derive_txs, random_blocks, .timeout = 120) {
    struct fixture f;
    fixture_init(&f, &plain);
    uint64_t seed = rng_seed(0x5eed);
    cr_log_info("SEED=%llu", (unsigned long long)seed);
    struct rng r = {.state = seed};
    addr20 at[ARRAY_LEN(programs)];
    for (size_t i = 0; i < ARRAY_LEN(programs); i++)
        at[i] = deploy(&f, programs[i].code, programs[i].len);
    size_t executed = 0, failed = 0, logs = 0;
    for (int block = 0; block < 60; block++) {
        struct tx *txs[24];
        size_t n = 1 + rng_below(&r, ARRAY_LEN(txs));
        for (size_t i = 0; i < n; i++) {
            uint8_t data[64] = {0};
            data[31] = (uint8_t)rng_below(&r, 6);
            data[63] = (uint8_t)rng_below(&r, 3);
            size_t to = rng_below(&r, ARRAY_LEN(programs));
            uint64_t gas = 40000 + rng_below(&r, 100000);
            txs[i] = fixture_tx(&f, (int)rng_below(&r, FIXTURE_ACCOUNTS), &at[to], rng_below(&r, 3),
                                bytes_of(data, 64), gas);
        }
        struct derived_block b;
        cr_assert_eq(fixture_block(&f, &b, txs, n, rng_below(&r, 3), NULL), ERR_OK);
        cr_assert_eq(b.tx_count, n);
        executed += n;
        for (size_t i = 0; i < n; i++) {
            failed += !b.txs[i].receipt.success;
            logs += b.txs[i].receipt.log_count;
        }
    }
    cr_assert(executed > 400 && failed > 50 && logs > 20, "%zu %zu %zu", executed, failed, logs);
    fixture_clear(&f);
}
