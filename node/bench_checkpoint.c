/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of random updates of 10^5, 10^6 and with --long 10^7 plain accounts, and of as many slots
 * of one token, through the whole store: what it keeps of each, time of a block's rows in memory,
 * then of one checkpoint, and what the checkpoint wrote. On a folder of the file system that holds
 * $TMPDIR or /tmp. */
#include "node/bench.h"

#include "base/check.h"
#include "base/keccak.h"
#include "node/bench_accounts.h"
#include "node/bench_node.h"
#include "state/store.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    BUILD_STEP = 25000,
    BLOCKS = 100,
    UPDATES_PER_BLOCK = 200,
    PAGE_BYTES = 4096,  /* of struct store_stats */
    TOKEN_STORE_ID = 1, /* struct account: of block 0, the first there */
};

/* Values under test are the balances of accounts, or the slots of one account. */
enum subject { ACCOUNTS, SLOTS, SUBJECTS };
static const char *const subject_names[SUBJECTS] = {"accounts", "token slots"};
static const uint64_t sizes[] = {100000, 1000000, 10000000};

struct bench_store {
    struct store *store;
    struct store_view *view;
    struct state_trie *trie;
    uint64_t next_block;
    enum subject subject;
    uint64_t size;
    struct value {
        uint64_t now;   /* 0: it is not there yet */
        uint64_t block; /* the one that changed it last, from 1 */
    } * values;
    struct account token;
    struct world_account_change *accounts; /* of one block */
    struct world_slot_change *slots;
};

static struct account account_with(uint64_t balance) {
    u256 wide = u256_from_u64(balance);
    return bench_account(balance % 1000, &wide);
}

static int slot_cmp(const void *a, const void *b) {
    const struct world_slot_change *x = a, *y = b;
    return memcmp(x->slot_hash.b, y->slot_hash.b, 32);
}

/* Writes one block. */
static void write_block(struct bench_store *b, struct world_diff *diff) {
    struct store_applied at = {.epoch = 1, .seq = b->next_block + 1, .block = b->next_block};
    store_block_begin(b->store, b->next_block);
    state_trie_apply(b->trie, diff, &at.state_root);
    store_put_diff(b->store, diff);
    state_trie_take_rows(b->trie, store_put_trie_row, b->store);
    store_block_commit(b->store, &at);
    store_set_durable(b->store, b->next_block++);
}

static struct world_account_change account_change(uint64_t i, uint64_t old, uint64_t value) {
    return (struct world_account_change){.addr_hash = bench_account_hash(i),
                                         .existed = old != 0,
                                         .exists = true,
                                         .before = account_with(old),
                                         .after = account_with(value)};
}

static struct world_slot_change slot_change(uint64_t i, uint64_t old, uint64_t value) {
    struct world_slot_change c = {.slot = u256_from_u64(i),
                                  .old_value = u256_from_u64(old),
                                  .new_value = u256_from_u64(value)};
    uint8_t key[32];
    u256_to_be32(key, &c.slot);
    keccak256(&c.slot_hash, key, sizeof key);
    return c;
}

/* The number of the k-th value that this block changes: from `first` on, or at random, each once.
 */
static uint64_t next_value(struct bench_store *b, size_t k, uint64_t first, uint64_t *rng) {
    uint64_t i = first + k;
    while (rng != NULL) {
        i = bench_random(rng) % b->size;
        if (b->values[i].block != b->next_block + 1)
            break;
    }
    b->values[i].block = b->next_block + 1;
    return i;
}

static void change_values(struct bench_store *b, size_t n, uint64_t first, uint64_t *rng) {
    for (size_t k = 0; k < n; k++) {
        uint64_t i = next_value(b, k, first, rng), old = b->values[i].now;
        uint64_t value = b->next_block << 32 | (i + 1);
        b->values[i].now = value;
        if (b->subject == ACCOUNTS)
            b->accounts[k] = account_change(i, old, value);
        else
            b->slots[k] = slot_change(i, old, value);
    }
}

/* The block that these changes make. */
static struct world_diff diff_of(struct bench_store *b, size_t n) {
    struct world_account_change *c = b->accounts;
    if (b->subject == ACCOUNTS) {
        qsort(c, n, sizeof *c, bench_change_cmp);
        return (struct world_diff){c, n};
    }
    qsort(b->slots, n, sizeof *b->slots, slot_cmp);
    *c = account_change(0, b->next_block == 0 ? 0 : 1, 1);
    c->before = c->after = b->token;
    c->after.store_id = TOKEN_STORE_ID;
    c->slots = b->slots;
    c->slot_count = n;
    return (struct world_diff){c, 1};
}

/* One block of them; microseconds of its root and rows. */
static double change_block(struct bench_store *b, size_t n, uint64_t first, uint64_t *rng) {
    change_values(b, n, first, rng);
    struct world_diff diff = diff_of(b, n);
    double start = bench_now_ns();
    write_block(b, &diff);
    double us = (bench_now_ns() - start) / 1e3;
    if (b->subject == SLOTS)
        b->token = diff.accounts[0].after;
    return us;
}

/* What the store holds of each value, with all that is kept about it: branch records, history. */
static void report_size(struct bench_report *r, const struct bench_store *b) {
    struct store_stats st;
    char name[96];
    enum err e = store_stat(b->store, &st);
    CHECK(e == ERR_OK);
    snprintf(name, sizeof name, "%llu %s, bytes of the store each, all tables",
             (unsigned long long)b->size, subject_names[b->subject]);
    bench_add(r, &(struct bench_row){.name = name,
                                     .value = (double)st.lmdb_bytes_live / (double)b->size,
                                     .unit = "bytes"});
}

static enum err build(struct bench_store *b, struct err_ctx *ec) {
    for (uint64_t first = 0; first < b->size; first += BUILD_STEP) {
        (void)change_block(b, BUILD_STEP, first, NULL);
        TRY(store_checkpoint(b->store, ec));
    }
    return ERR_OK;
}

struct figures {
    struct bench_series block_us, checkpoint_ms, rows, bytes;
};

/* BLOCKS blocks and their checkpoint. */
static enum err measure(struct figures *f, struct bench_store *b, uint64_t *rng,
                        struct err_ctx *ec) {
    struct store_stats before, after;
    double us[BLOCKS];
    TRY(store_stat(b->store, &before));
    for (size_t i = 0; i < BLOCKS; i++)
        us[i] = change_block(b, UPDATES_PER_BLOCK, 0, rng);
    bench_series_add(&f->block_us, bench_median(us, BLOCKS), 0);
    bench_series_add(&f->rows, (double)store_dirty_rows(b->store), 0);
    double start = bench_now_ns();
    TRY(store_checkpoint(b->store, ec));
    bench_series_add(&f->checkpoint_ms, (bench_now_ns() - start) / 1e6, 0);
    TRY(store_stat(b->store, &after));
    double pages = (double)(after.checkpoint_pages_written - before.checkpoint_pages_written);
    bench_series_add(&f->bytes, PAGE_BYTES * pages / (BLOCKS * UPDATES_PER_BLOCK), 0);
    return ERR_OK;
}

static void report(struct bench_report *r, const struct bench_store *b, const struct figures *f) {
    const struct {
        const char *what, *unit;
        const struct bench_series *series;
    } rows[] = {
        {"block of 200 updates: root and rows in memory", "us", &f->block_us},
        {"checkpoint of 100 such blocks", "ms", &f->checkpoint_ms},
        {"its rows in memory", "", &f->rows},
        {"bytes written per update", "bytes", &f->bytes},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char name[96];
        snprintf(name, sizeof name, "%llu %s, %s", (unsigned long long)b->size,
                 subject_names[b->subject], rows[i].what);
        bench_add_series(r, &(struct bench_row){.name = name, .unit = rows[i].unit},
                         rows[i].series);
    }
}

static enum err run_in(struct bench_report *r, const char *dir, enum subject subject, uint64_t size,
                       struct err_ctx *ec) {
    struct bench_store b = {.size = size, .subject = subject, .token = account_with(1)};
    struct figures f = {0};
    uint64_t rng = 1;
    TRY(store_open(&b.store, &(struct store_options){.dir = dir}, ec));
    b.values = calloc(size, sizeof *b.values);
    b.accounts = calloc(BUILD_STEP, sizeof *b.accounts);
    b.slots = calloc(BUILD_STEP, sizeof *b.slots);
    CHECK(b.values != NULL);
    CHECK(b.accounts != NULL);
    CHECK(b.slots != NULL);
    enum err e = store_view_open(&b.view, b.store, UINT64_MAX);
    CHECK(e == ERR_OK);
    b.trie = state_trie_new(store_trie_source(b.view), SIZE_MAX);
    CHECK(b.trie != NULL);
    e = build(&b, ec);
    if (e == ERR_OK)
        report_size(r, &b);
    for (size_t run = 0; e == ERR_OK && run < r->runs; run++)
        e = measure(&f, &b, &rng, ec);
    if (e == ERR_OK)
        report(r, &b, &f);
    state_trie_free(b.trie);
    store_view_close(b.view);
    store_close(b.store);
    free(b.values);
    free(b.accounts);
    free(b.slots);
    return e;
}

enum err bench_checkpoint(struct bench_report *r, struct err_ctx *ec) {
    size_t n = r->large ? ARRAY_LEN(sizes) : ARRAY_LEN(sizes) - 1;
    for (size_t i = 0; i < n * SUBJECTS; i++) {
        char dir[DATADIR_PATH_MAX];
        TRY(datadir_make_temp(dir, ec));
        enum err e = bench_need_disk(dir, ec);
        if (e == ERR_OK)
            e = run_in(r, dir, (enum subject)(i % SUBJECTS), sizes[i / SUBJECTS], ec);
        datadir_remove_temp(dir);
        TRY(e);
    }
    return ERR_OK;
}
