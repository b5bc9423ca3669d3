/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a search gives exactly what looking at every log of every block in range gives. */
#include "tests/lib/index/blocks.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct found {
    struct {
        uint64_t block;
        uint32_t tx, log;
    } at[4096];
    size_t count;
};

static enum err on_log(void *ctx, const struct index_log *l) {
    struct found *f = ctx;
    f->at[f->count].block = l->block->number;
    f->at[f->count].tx = l->tx_idx;
    f->at[f->count++].log = l->log_idx;
    return ERR_OK;
}

static struct index_cache *cache; /* of the searches; NULL: none */

static enum err search(struct blocks *b, const struct index_filter *filter, size_t logs_max,
                       struct found *out, uint64_t *last) {
    struct arena a;
    struct err_ctx ec;
    struct index_query q = {.source = &b->source,
                            .cache = cache,
                            .view = b->view,
                            .filter = *filter,
                            .logs_max = logs_max,
                            .blocks_max = 100000,
                            .fn = on_log,
                            .ctx = out};
    arena_init(&a, 65536, 1 << 26);
    out->count = 0;
    enum err e = index_logs(last, &a, &q, &ec);
    arena_clear(&a);
    return e;
}

static void brute(struct blocks *b, const struct index_filter *filter, struct found *out) {
    out->count = 0;
    for (uint64_t n = filter->from; n <= filter->to && n < b->count; n++) {
        uint32_t idx = 0;
        for (size_t i = 0; i < b->made[n].tx_count; i++)
            for (size_t k = 0; k < b->made[n].txs[i].receipt.log_count; k++, idx++) {
                if (!index_log_matches(filter, &b->made[n].txs[i].receipt.logs[k]))
                    continue;
                out->at[out->count].block = n;
                out->at[out->count].tx = (uint32_t)i;
                out->at[out->count++].log = idx;
            }
    }
}

static struct found got, want;

Test(logs, equal_to_looking_at_all, .timeout = 120) {
    struct blocks b;
    struct err_ctx ec;
    uint64_t last = 0;
    size_t hits = 0;
    struct index_cache *remembered = index_cache_new(1 << 20);
    cr_assert_not_null(remembered);
    blocks_open(&b, 77);
    blocks_add(&b, 150);
    cr_assert_eq(store_checkpoint(b.store, &ec), ERR_OK);
    blocks_add(&b, 150);
    for (int round = 0; round < 2000; round++) {
        addr20 addrs[3];
        hash32 topics[4][3];
        struct index_filter f = {.from = blocks_random(&b, 300)};
        f.to = f.from + blocks_random(&b, 300 - f.from);
        f.addresses = addrs;
        f.address_count = blocks_random(&b, 4);
        for (size_t i = 0; i < f.address_count; i++)
            addrs[i] = blocks_address(blocks_random(&b, BLOCKS_ADDRESSES + 1));
        f.topic_count = blocks_random(&b, 5);
        for (size_t t = 0; t < f.topic_count; t++) {
            f.topics[t] = (struct index_alternatives){topics[t], blocks_random(&b, 4)};
            for (size_t i = 0; i < f.topics[t].count; i++)
                topics[t][i] = blocks_topic(blocks_random(&b, BLOCKS_TOPICS + 1));
        }
        cache = round % 3 > 0 ? remembered : NULL;
        if (round % 500 == 499)
            index_cache_clear(remembered);
        cr_assert_eq(search(&b, &f, SIZE_MAX, &got, &last), ERR_OK);
        cr_assert_eq(last, f.to);
        brute(&b, &f, &want);
        cr_assert_eq(got.count, want.count, "round %d: %zu logs, want %zu", round, got.count,
                     want.count);
        cr_assert_arr_eq(got.at, want.at, got.count * sizeof(got.at[0]));
        hits += got.count;
    }
    cr_expect_gt(hits, 10000);
    cache = NULL;
    index_cache_free(remembered);
    blocks_close(&b);
}

/* Twenty transactions in each block, all of one contract, each with a topic of its own. */
static void crowd(void *ctx, struct derived_block *d) {
    enum { CROWD = 20 };
    struct blocks *b = ctx;
    if (d->tx_count == 0)
        return;
    struct derived_tx *txs = arena_zalloc(&b->arena, CROWD * sizeof(*txs));
    for (size_t i = 0; i < CROWD; i++) {
        struct log_entry *l = arena_zalloc(&b->arena, sizeof(*l));
        *l = (struct log_entry){.address = blocks_address(0), .topic_count = 1};
        memset(l->topics[0].b, (int)(0x80 + i), sizeof(hash32));
        txs[i] = d->txs[0];
        be32_store(txs[i].tx.hash.b, (uint32_t)i);
        txs[i].receipt.logs = l;
        txs[i].receipt.log_count = 1;
    }
    d->txs = txs;
    d->tx_count = CROWD;
}

/* Rows name no more places than they may, and then say nothing; what is found is the same. */
Test(logs, rows_of_more_than_they_name) {
    struct blocks b;
    uint64_t last = 0;
    addr20 address = blocks_address(0);
    hash32 topic;
    bytes key, value;
    blocks_open(&b, 9);
    b.alter = crowd;
    b.alter_ctx = &b;
    blocks_add(&b, 30);
    size_t named = 0, silent = 0;
    struct store_cursor *c = store_cursor_open(b.view, TABLE_LOGA);
    for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &value); more;
         more = store_cursor_next(c, &key, &value)) {
        cr_expect_eq(value.len, key.len == 28 ? 0 : 4);
        ++*(value.len > 0 ? &named : &silent);
    }
    store_cursor_close(c);
    cr_expect_eq(named, 20 * silent);
    cr_assert_gt(silent, 10);
    memset(topic.b, 0x85, sizeof(topic.b));
    struct index_filter f = {.from = 1, .to = 29, .addresses = &address, .address_count = 1};
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(search(&b, &f, SIZE_MAX, &got, &last), ERR_OK);
        brute(&b, &f, &want);
        cr_assert_eq(got.count, want.count);
        cr_assert_eq(want.count, (round == 0 ? 20 : 1) * silent);
        cr_assert_arr_eq(got.at, want.at, got.count * sizeof(got.at[0]));
        f.topic_count = 1;
        f.topics[0] = (struct index_alternatives){&topic, 1};
    }
    blocks_close(&b);
}

Test(logs, a_limit_names_the_last_whole_block) {
    struct blocks b;
    uint64_t last = 0;
    struct index_filter f = {.from = 1, .to = 99};
    blocks_open(&b, 5);
    blocks_add(&b, 100);
    brute(&b, &f, &want);
    cr_assert_gt(want.count, 40);
    cr_assert_eq(search(&b, &f, 30, &got, &last), ERR_BUSY);
    cr_expect_eq(got.count, 30);
    cr_expect_eq(last, want.at[30].block - 1);
    f.to = last;
    cr_expect_eq(search(&b, &f, 30, &got, &last), ERR_OK);
    blocks_close(&b);
}

static bool at_once(void *ctx) {
    (void)ctx;
    return true;
}

/* Criteria that meet in no block: nothing is opened, and yet there is an end to the patience. */
Test(logs, a_search_that_opens_no_block_expires, .timeout = 120) {
    enum { ABSENT = 200 };
    struct blocks b;
    struct arena a;
    struct err_ctx ec;
    uint64_t last = 0;
    hash32 absent[ABSENT];
    blocks_open(&b, 5);
    blocks_add(&b, 100);
    for (size_t i = 0; i < ABSENT; i++) {
        memset(absent[i].b, 0x77, sizeof(absent[i].b));
        be64_store(absent[i].b, i);
    }
    struct index_query q = {.source = &b.source,
                            .view = b.view,
                            .filter = {.from = 3, .to = 99, .topic_count = 1},
                            .logs_max = 1000,
                            .blocks_max = 1000,
                            .fn = on_log,
                            .ctx = &got};
    q.filter.topics[0] = (struct index_alternatives){absent, ABSENT};
    arena_init(&a, 65536, 1 << 26);
    got.count = 0;
    cr_expect_eq(index_logs(&last, &a, &q, &ec), ERR_OK);
    cr_expect_eq(last, 99);
    q.expired = at_once;
    cr_expect_eq(index_logs(&last, &a, &q, &ec), ERR_BUSY);
    cr_expect_eq(last, 2);
    cr_expect_eq(got.count, 0);
    arena_clear(&a);
    blocks_close(&b);
}
