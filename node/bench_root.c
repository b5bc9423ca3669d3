/* SPDX-License-Identifier: Apache-2.0 */
/* Random updates of existing accounts, branches in RAM, on one core: of one million of them in
 * steps of ten, and how that grows from 10^5 to 10^6 and, with --long, 10^7; and on all cores. */
#include "node/bench.h"

#include "base/check.h"
#include "base/cpu.h"
#include "base/keccak.h"
#include "node/bench_accounts.h"
#include "node/bench_node.h"
#include "node/threads.h"
#include "state/trie.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS = 1000000, BUILD_STEP = 100000, ROUNDS = 40, ROUNDS_FEW = 8 };
static const uint64_t sizes[] = {ACCOUNTS / 10, ACCOUNTS, ACCOUNTS *UINT64_C(10)};

/* The flat accounts as the trie's source sees them: sorted by hash, those below `built` are in. */
struct flat {
    struct flat_row {
        hash32 hash;
        uint64_t account;
    } * rows;
    uint64_t accounts, built;
    struct buf body;
};

static struct account account_of(uint64_t account, uint64_t balance) {
    u256 wide = {{balance, balance % 65536, 0, 0}};
    return bench_account(account % 1000, &wide);
}

/* Records are never asked for: the budget keeps all branches in RAM. */
static bool flat_branch(void *ctx, uint64_t id, bytes prefix, bytes *out_path, bytes *out_record) {
    (void)ctx, (void)id, (void)prefix, (void)out_path, (void)out_record;
    return false;
}

static bool flat_leaf(void *ctx, uint64_t id, bytes prefix, hash32 *out_key, bytes *out_value) {
    struct flat *f = ctx;
    hash32 low = {{0}};
    for (size_t i = 0; i < prefix.len; i++)
        low.b[i / 2] = (uint8_t)(low.b[i / 2] | prefix.ptr[i] << (i % 2 == 0 ? 4 : 0));
    size_t lo = 0, hi = f->accounts;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (memcmp(f->rows[mid].hash.b, low.b, 32) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    while (lo < f->accounts && f->rows[lo].account >= f->built)
        lo++;
    if (id != 0 || f->built == 0 || lo == f->accounts)
        return false;
    struct account acc = account_of(f->rows[lo].account, f->rows[lo].account);
    buf_reset(&f->body);
    account_rlp(&f->body, &acc);
    *out_key = f->rows[lo].hash;
    *out_value = buf_bytes(&f->body);
    return true;
}

static bool flat_next_leaf(void *ctx, uint64_t id, bytes prefix, hash32 *out_key,
                           bytes *out_value) {
    (void)ctx, (void)id, (void)prefix, (void)out_key, (void)out_value;
    return false;
}

static const struct trie_source_ops FLAT_OPS = {
    .branch = flat_branch, .leaf = flat_leaf, .next_leaf = flat_next_leaf};

struct row_count {
    uint64_t rows, bytes;
};
static void count_row(void *ctx, uint64_t id, bytes path, bytes record) {
    struct row_count *c = ctx;
    (void)id;
    c->rows++;
    c->bytes += path.len + record.len;
}

/* A row begins with its hash. */
static int row_cmp(const void *a, const void *b) {
    return memcmp(a, b, 32);
}

static struct world_account_change change_of(uint64_t account, bool existed, uint64_t balance) {
    struct world_account_change c = {.existed = existed, .exists = true};
    c.addr_hash = bench_account_hash(account);
    c.before = account_of(account, account);
    c.after = account_of(account, balance);
    return c;
}

static void flat_init(struct flat *f, uint64_t accounts) {
    *f = (struct flat){.rows = malloc(accounts * sizeof *f->rows), .accounts = accounts};
    CHECK(f->rows != NULL);
    buf_init(&f->body, 256);
    for (uint64_t i = 0; i < accounts; i++)
        f->rows[i] = (struct flat_row){bench_account_hash(i), i};
    qsort(f->rows, accounts, sizeof *f->rows, row_cmp);
}

static void build(struct state_trie *t, struct flat *f) {
    struct world_account_change *c = malloc(BUILD_STEP * sizeof *c);
    CHECK(c != NULL);
    struct row_count rows = {0, 0};
    hash32 root;
    for (; f->built < f->accounts; f->built += BUILD_STEP) {
        for (uint64_t i = 0; i < BUILD_STEP; i++)
            c[i] = change_of(f->built + i, false, f->built + i);
        qsort(c, BUILD_STEP, sizeof *c, bench_change_cmp);
        struct world_diff diff = {c, BUILD_STEP};
        state_trie_apply(t, &diff, &root);
        state_trie_take_rows(t, count_row, &rows);
    }
    free(c);
}

/* Nanoseconds of one root after updates of distinct random accounts. */
static double one_root(struct state_trie *t, const struct flat *f, size_t updates, uint64_t *rng,
                       struct row_count *rows) {
    struct world_account_change *c = malloc(updates * sizeof *c);
    CHECK(c != NULL);
    for (size_t i = 0; i < updates; i++)
        c[i] = change_of(bench_random(rng) % f->accounts, true, bench_random(rng));
    qsort(c, updates, sizeof *c, bench_change_cmp);
    size_t n = 0;
    for (size_t i = 0; i < updates; i++)
        if (n == 0 || bench_change_cmp(&c[n - 1], &c[i]) != 0)
            c[n++] = c[i];
    struct world_diff diff = {c, n};
    hash32 root;
    double start = bench_now_ns();
    state_trie_apply(t, &diff, &root);
    double took = bench_now_ns() - start;
    state_trie_take_rows(t, count_row, rows);
    free(c);
    return took;
}

/* Microseconds, the median of `rounds`. */
static double median_root(struct state_trie *t, const struct flat *f, size_t updates, size_t rounds,
                          struct row_count *rows) {
    double ns[ROUNDS];
    uint64_t rng = updates;
    *rows = (struct row_count){0, 0};
    for (size_t i = 0; i < rounds; i++)
        ns[i] = one_root(t, f, updates, &rng, rows);
    rows->rows /= rounds;
    rows->bytes /= rounds;
    return bench_median(ns, rounds) / 1e3;
}

__attribute__((format(printf, 4, 5))) static void add(struct bench_report *r, const char *unit,
                                                      double value, const char *form, ...) {
    char name[96];
    va_list args;
    va_start(args, form);
    vsnprintf(name, sizeof name, form, args);
    va_end(args);
    bench_add(r, &(struct bench_row){.name = name, .value = value, .unit = unit});
}

/* One million accounts: this machine's variant of Keccak beside the portable one. */
static void by_variant(struct bench_report *r, struct state_trie *t, const struct flat *f,
                       size_t updates) {
    struct bench_series us = {0};
    struct row_count rows;
    char name[64];
    size_t rounds = updates > 2000 ? ROUNDS_FEW : ROUNDS;
    for (size_t run = 0; run < r->runs; run++) {
        cpu_choose(CPU_PORTABLE);
        double portable = median_root(t, f, updates, rounds, &rows);
        cpu_choose(CPU_BEST);
        bench_series_add(&us, median_root(t, f, updates, rounds, &rows), portable);
    }
    snprintf(name, sizeof name, "%zu updates of 1M accounts", updates);
    bench_add_series(
        r,
        &(struct bench_row){
            .name = name, .unit = "us", .peer = "portable keccak", .smaller_is_better = true},
        &us);
    add(r, "", (double)rows.rows, "%zu updates: branch records", updates);
    add(r, "bytes", (double)rows.bytes, "%zu updates: their bytes", updates);
}

/* How the same number of updates grows with the accounts. */
static void by_size(struct bench_report *r, struct state_trie *const *tries,
                    const struct flat *flats, size_t n, size_t updates) {
    struct bench_series us[ARRAY_LEN(sizes)] = {0};
    for (size_t run = 0; run < r->runs; run++) {
        double first = 0;
        for (size_t i = 0; i < n; i++) {
            struct row_count rows;
            double own = median_root(tries[i], &flats[i], updates, ROUNDS, &rows);
            first = i == 0 ? own : first;
            bench_series_add(&us[i], own, first);
        }
    }
    for (size_t i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%zu updates of %llu accounts", updates,
                 (unsigned long long)sizes[i]);
        bench_add_series(r,
                         &(struct bench_row){.name = name,
                                             .unit = "us",
                                             .peer = i > 0 ? "100000 accounts" : NULL,
                                             .smaller_is_better = true},
                         &us[i]);
    }
}

/* Hashing shared with threads on the other cores, beside one core alone. */
static void by_cores(struct bench_report *r, struct state_trie *t, const struct flat *f,
                     size_t updates) {
    struct bench_series us = {0};
    struct row_count rows;
    char name[64];
    bench_pin(BENCH_ALL_CORES);
    size_t cores = thread_cores();
    struct crew *crew = crew_start(cores < CREW_HANDS_MAX ? cores - 1 : CREW_HELPERS_MAX, "crew");
    CHECK(crew != NULL);
    for (size_t run = 0; run < r->runs; run++) {
        double alone = median_root(t, f, updates, ROUNDS_FEW, &rows);
        state_trie_share(t, crew);
        bench_series_add(&us, median_root(t, f, updates, ROUNDS_FEW, &rows), alone);
        state_trie_share(t, NULL);
    }
    crew_stop(crew);
    snprintf(name, sizeof name, "%zu updates of 1M accounts, %zu cores", updates, cores);
    bench_add_series(r,
                     &(struct bench_row){
                         .name = name, .unit = "us", .peer = "one core", .smaller_is_better = true},
                     &us);
}

enum err bench_root(struct bench_report *r, struct err_ctx *ec) {
    struct state_trie *tries[ARRAY_LEN(sizes)] = {NULL};
    struct flat flats[ARRAY_LEN(sizes)];
    size_t n = r->large ? ARRAY_LEN(sizes) : ARRAY_LEN(sizes) - 1;
    (void)ec;
    bench_pin(0);
    for (size_t i = 0; i < n; i++) {
        flat_init(&flats[i], sizes[i]);
        tries[i] = state_trie_new((struct trie_source){&FLAT_OPS, &flats[i]}, SIZE_MAX);
        CHECK(tries[i] != NULL);
        build(tries[i], &flats[i]);
        add(r, "MB", (double)state_trie_bytes(tries[i]) / 1e6, "memory of %llu accounts",
            (unsigned long long)sizes[i]);
    }
    for (size_t updates = 20; updates <= 20000; updates *= 10)
        by_variant(r, tries[1], &flats[1], updates);
    by_size(r, tries, flats, n, 200);
    by_size(r, tries, flats, n, 2000);
    for (size_t updates = 2000; updates <= 20000; updates *= 10)
        by_cores(r, tries[1], &flats[1], updates);
    for (size_t i = 0; i < n; i++) {
        state_trie_free(tries[i]);
        buf_clear(&flats[i].body);
        free(flats[i].rows);
    }
    bench_pin(BENCH_ALL_CORES);
    return ERR_OK;
}
