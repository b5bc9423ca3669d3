/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of random account updates over 10^5, 10^6 and with --long 10^7 accounts, through the whole
 * store: time of a
 * block's rows in memory, then of one checkpoint, and what the checkpoint wrote. On a folder of the
 * file system that holds $TMPDIR or /tmp. */
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
};

struct bench_store {
    struct store *store;
    struct store_view *view;
    struct state_trie *trie;
    uint64_t next_block;
    uint64_t accounts;
};
static const uint64_t sizes[] = {100000, 1000000, 10000000};

static struct account account_with(uint64_t balance) {
    u256 wide = u256_from_u64(balance);
    return bench_account(balance % 1000, &wide);
}

/* Writes one block; `balances` is what each account has now. */
static void write_block(struct bench_store *b, struct world_account_change *c, size_t n) {
    struct world_diff diff = {c, n};
    struct store_applied at = {.epoch = 1, .seq = b->next_block + 1, .block = b->next_block};
    store_block_begin(b->store, b->next_block);
    state_trie_apply(b->trie, &diff, &at.state_root);
    store_put_diff(b->store, &diff);
    state_trie_take_rows(b->trie, store_put_trie_row, b->store);
    store_block_commit(b->store, &at);
    store_set_durable(b->store, b->next_block++);
}

static size_t make_changes(const struct bench_store *b, struct world_account_change *c, size_t n,
                           uint64_t *balances, uint64_t first, uint64_t *rng) {
    for (size_t i = 0; i < n; i++) {
        uint64_t account = rng == NULL ? first + i : bench_random(rng) % b->accounts;
        uint64_t balance = rng == NULL ? account + 1 : bench_random(rng);
        c[i] = (struct world_account_change){.existed = rng != NULL, .exists = true};
        c[i].addr_hash = bench_account_hash(account);
        c[i].before = account_with(balances[account]);
        c[i].after = account_with(balance);
        balances[account] = balance;
    }
    qsort(c, n, sizeof *c, bench_change_cmp);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || bench_change_cmp(&c[kept - 1], &c[i]) != 0)
            c[kept++] = c[i];
    return kept;
}

static enum err build(struct bench_store *b, uint64_t *balances, struct world_account_change *c,
                      struct err_ctx *ec) {
    for (uint64_t first = 0; first < b->accounts; first += BUILD_STEP) {
        size_t n = make_changes(b, c, BUILD_STEP, balances, first, NULL);
        write_block(b, c, n);
        TRY(store_checkpoint(b->store, ec));
    }
    return ERR_OK;
}

static enum err measure(struct bench_report *r, struct bench_store *b, uint64_t *balances,
                        struct world_account_change *c, struct err_ctx *ec) {
    struct store_stats before, after;
    double ns[BLOCKS];
    uint64_t rng = 1, updates = 0;
    TRY(store_stat(b->store, &before));
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t n = make_changes(b, c, UPDATES_PER_BLOCK, balances, 0, &rng);
        updates += n;
        double start = bench_now_ns();
        write_block(b, c, n);
        ns[i] = bench_now_ns() - start;
    }
    size_t rows = store_dirty_rows(b->store);
    double start = bench_now_ns();
    TRY(store_checkpoint(b->store, ec));
    double took = bench_now_ns() - start;
    TRY(store_stat(b->store, &after));
    double written =
        4096.0 * (double)(after.checkpoint_pages_written - before.checkpoint_pages_written);
    const struct {
        const char *what, *unit;
        double value;
    } figures[] = {
        {"block of 200 updates: root and rows in memory", "us", bench_median(ns, BLOCKS) / 1e3},
        {"checkpoint of 100 such blocks", "ms", took / 1e6},
        {"its rows in memory", "", (double)rows},
        {"bytes written per update", "bytes", written / (double)updates},
    };
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        char name[96];
        snprintf(name, sizeof name, "%llu accounts, %s", (unsigned long long)b->accounts,
                 figures[i].what);
        bench_add(r, &(struct bench_row){
                         .name = name, .value = figures[i].value, .unit = figures[i].unit});
    }
    return ERR_OK;
}

static enum err run_in(struct bench_report *r, const char *dir, uint64_t accounts,
                       struct err_ctx *ec) {
    struct bench_store b = {.accounts = accounts};
    TRY(store_open(&b.store, &(struct store_options){.dir = dir}, ec));
    uint64_t *balances = calloc(accounts, sizeof *balances);
    struct world_account_change *c = calloc(BUILD_STEP, sizeof *c);
    CHECK(balances != NULL);
    CHECK(c != NULL);
    enum err e = store_view_open(&b.view, b.store, UINT64_MAX);
    CHECK(e == ERR_OK);
    b.trie = state_trie_new(store_trie_source(b.view), SIZE_MAX);
    CHECK(b.trie != NULL);
    e = build(&b, balances, c, ec);
    if (e == ERR_OK)
        e = measure(r, &b, balances, c, ec);
    state_trie_free(b.trie);
    store_view_close(b.view);
    store_close(b.store);
    free(balances);
    free(c);
    return e;
}

enum err bench_checkpoint(struct bench_report *r, struct err_ctx *ec) {
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < (r->large ? 3 : 2); i++) {
        char dir[DATADIR_PATH_MAX];
        TRY(datadir_make_temp(dir, ec));
        e = bench_need_disk(dir, ec);
        if (e == ERR_OK)
            e = run_in(r, dir, sizes[i], ec);
        datadir_remove_temp(dir);
    }
    return e;
}
