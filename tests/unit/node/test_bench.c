/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: cmd_bench.c's series, bench_chain.c's block 0 and transactions, bench_round.c's mix. */
#include "chain/tx.h"
#include "genesis/genesis.h"
#include "node/bench.h"
#include "node/bench_chain.h"
#include "node/bench_round.h"
#include "node/datadir.h"

#include <criterion/criterion.h>

static json_t *row_of(const struct bench_series *s, bool smaller) {
    struct bench_report r = {.json = true, .bench = "x"};
    struct bench_row row = {
        .name = "n", .unit = "us", .peer = "other", .smaller_is_better = smaller};
    buf_init(&r.text, 1 << 16);
    bench_add_series(&r, &row, s);
    json_t *v = json_loadb((const char *)r.text.ptr, r.text.len, 0, NULL);
    buf_clear(&r.text);
    cr_assert_not_null(v);
    return v;
}

static double number(const json_t *row, const char *key) {
    return json_number_value(json_object_get(row, key));
}

/* Goal: the ratio is the median of the runs' ratios, not the ratio of medians of different runs. */
Test(bench, ratios_come_from_one_run) {
    struct bench_series s = {0};
    bench_series_add(&s, 10, 100); /* 10x */
    bench_series_add(&s, 20, 40);  /* 2x */
    bench_series_add(&s, 30, 90);  /* 3x */
    json_t *row = row_of(&s, true);
    cr_assert_float_eq(number(row, "value"), 20, 1e-9);
    cr_assert_float_eq(number(row, "peer_value"), 90, 1e-9);
    cr_assert_float_eq(number(row, "ratio"), 3, 1e-9);
    cr_assert_eq(number(row, "runs"), 3);
    const json_t *ratios = json_object_get(row, "ratios");
    cr_assert_eq(json_number_value(json_array_get(ratios, 0)), 2);
    cr_assert_eq(json_number_value(json_array_get(ratios, 1)), 10);
    json_decref(row);
    row = row_of(&s, false);
    cr_assert_float_eq(number(row, "ratio"), 1 / 3.0, 1e-3);
    json_decref(row);
}

/* Goal: a run without the peer leaves no ratio at all. */
Test(bench, no_ratio_without_the_peer_in_each_run) {
    struct bench_series s = {0};
    bench_series_add(&s, 10, 100);
    bench_series_add(&s, 20, 0);
    json_t *row = row_of(&s, true);
    cr_assert_float_eq(number(row, "value"), 15, 1e-9);
    cr_assert_null(json_object_get(row, "peer"));
    cr_assert_null(json_object_get(row, "ratio"));
    cr_assert_null(json_object_get(row, "ratios"));
    cr_assert_eq(json_number_value(json_array_get(json_object_get(row, "values"), 1)), 20);
    json_decref(row);
}

/* Goal: block 0 of a load is one that genesis/ takes, with every account and the contracts' code.
 */
Test(bench, block_0_is_a_genesis_file) {
    enum { COUNT = 5 };
    struct bench_chain c;
    struct genesis g;
    struct err_ctx ec = {.text = ""};
    char dir[DATADIR_PATH_MAX], path[DATADIR_PATH_MAX];
    size_t with_code = 0, found = 0;
    bench_chain_new(&c, COUNT);
    cr_assert_eq(datadir_make_temp(dir, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(datadir_path(path, dir, "genesis.json", &ec), ERR_OK);
    cr_assert_eq(bench_chain_write_genesis(&c, path, false, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(genesis_load(&g, path, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(g.config.chain_id, BENCH_CHAIN_ID);
    for (size_t i = 0; i < g.alloc_count; i++) {
        const struct genesis_account *a = &g.alloc[i];
        with_code += a->slot_count == 2 * COUNT && a->code.len > 0;
        for (size_t k = 0; k < COUNT; k++)
            found += (memcmp(a->addr.b, c.senders[k].addr.b, 20) == 0 &&
                      u256_eq(&a->balance, &c.senders[k].balance)) ||
                     memcmp(a->addr.b, c.recipients[k].addr.b, 20) == 0;
    }
    cr_assert_eq(with_code, 1, "the coin");
    cr_assert_eq(found, 2 * COUNT);
    genesis_clear(&g);
    bench_chain_free(&c);
    datadir_remove_temp(dir);
}

/* Goal: every kind of transaction decodes, is its sender's and has that sender's next nonce. */
Test(bench, transactions_are_their_senders) {
    struct bench_chain c;
    struct arena a;
    struct err_ctx ec = {.text = ""};
    bench_chain_new(&c, 2);
    arena_init(&a, 1 << 16, 1 << 20);
    for (size_t i = 0; i < 2 * BENCH_WORK_COUNT; i++) {
        struct bench_tx t;
        struct tx tx;
        enum bench_work w = (enum bench_work)(i / 2);
        cr_assert_eq(bench_chain_sign(&t, &c, &a, w, &ec), ERR_OK, "%s", ec.text);
        cr_assert_eq(tx_decode(&tx, &a, t.raw, false, &ec), ERR_OK, "%s", ec.text);
        cr_assert_eq(tx_recover_sender(&tx), ERR_OK);
        cr_assert_eq(memcmp(tx.sender.b, c.senders[t.sender].addr.b, 20), 0);
        cr_assert_eq(memcmp(tx.hash.b, t.hash.b, 32), 0);
        cr_assert_eq(tx.nonce, i / 2);
        cr_assert_eq(tx.is_create, w == BENCH_DEPLOY);
    }
    arena_clear(&a);
    bench_chain_free(&c);
}

/* Ids that a mint's calldata names, first and last. */
static void ids_of(uint64_t *first, uint64_t *last, const struct tx *tx, enum bench_work w) {
    size_t at = 4 + 32; /* selector, recipient */
    if (w == BENCH_MINT) {
        *first = *last = be64_load(tx->data.ptr + at + 24);
        return;
    }
    at = 4 + (size_t)be64_load(tx->data.ptr + at + 24); /* of the array: its length, then ids */
    uint64_t n = be64_load(tx->data.ptr + at + 24);
    *first = be64_load(tx->data.ptr + at + 32 + 24);
    *last = be64_load(tx->data.ptr + at + 32 * (size_t)n + 24);
}

/* Goal: no id is minted twice, so that a mint costs the same with few recipients as with many. */
Test(bench, mints_are_of_new_ids) {
    struct bench_chain c;
    struct arena a;
    struct err_ctx ec = {.text = ""};
    uint64_t next = 0;
    bench_chain_new(&c, 2);
    arena_init(&a, 1 << 16, 1 << 20);
    for (size_t i = 0; i < 20; i++) {
        static const enum bench_work works[] = {BENCH_MINT, BENCH_ERC20, BENCH_MINT_BATCH};
        enum bench_work w = works[i % 3];
        struct bench_tx t;
        struct tx tx;
        uint64_t first = 0, last = 0;
        cr_assert_eq(bench_chain_sign(&t, &c, &a, w, &ec), ERR_OK, "%s", ec.text);
        cr_assert_eq(tx_decode(&tx, &a, t.raw, false, &ec), ERR_OK, "%s", ec.text);
        if (w == BENCH_ERC20)
            continue;
        ids_of(&first, &last, &tx, w);
        cr_assert_eq(first, next);
        cr_assert_eq(last - first + 1, bench_work_items(w));
        cr_assert_eq(t.item, first);
        next = last + 1;
    }
    arena_clear(&a);
    bench_chain_free(&c);
}

/* Goal: each hundred of the mix holds exactly its parts, wherever it begins. */
Test(bench, the_mix_is_by_count) {
    struct bench_chain c;
    struct arena a;
    struct err_ctx ec = {.text = ""};
    bench_chain_new(&c, 3);
    arena_init(&a, 1 << 16, 1 << 22);
    for (uint64_t begin = 0; begin < 50; begin += 31) {
        size_t made[BENCH_WORK_COUNT] = {0};
        uint64_t count = begin;
        for (size_t i = 0; i < 100; i++) {
            struct bench_tx t;
            cr_assert_eq(bench_sign_mix(&t, &c, &a, &count, &ec), ERR_OK, "%s", ec.text);
            made[t.work]++;
        }
        cr_assert_eq(made[BENCH_TRANSFER], 60);
        cr_assert_eq(made[BENCH_ERC20], 25);
        cr_assert_eq(made[BENCH_MINT], 14);
        cr_assert_eq(made[BENCH_DEPLOY], 1);
    }
    arena_clear(&a);
    bench_chain_free(&c);
}
