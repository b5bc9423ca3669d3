/* SPDX-License-Identifier: Apache-2.0 */
/* Random updates of existing accounts, branches in RAM: of one million of them in steps of ten, and
 * how that grows from 10^5 to 10^6 and, with --long, 10^7. */
#include "node/bench.h"

#include "base/check.h"
#include "base/cpu.h"
#include "base/keccak.h"
#include "node/bench_accounts.h"
#include "state/trie.h"

#include <stdio.h>
#include <stdlib.h>

enum { ACCOUNTS = 1000000, BUILD_STEP = 100000, ROUNDS = 40 };
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

static const struct trie_source_ops FLAT_OPS = {flat_branch, flat_leaf};

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

static double median_root(struct state_trie *t, const struct flat *f, size_t updates,
                          struct row_count *rows) {
    double ns[ROUNDS];
    uint64_t rng = updates;
    *rows = (struct row_count){0, 0};
    for (size_t i = 0; i < ROUNDS; i++)
        ns[i] = one_root(t, f, updates, &rng, rows);
    rows->rows /= ROUNDS;
    rows->bytes /= ROUNDS;
    return bench_median(ns, ROUNDS);
}

static void report(struct bench_report *r, struct state_trie *t, const struct flat *f,
                   size_t updates) {
    struct row_count rows;
    char name[64];
    cpu_choose(CPU_PORTABLE);
    double portable = median_root(t, f, updates, &rows);
    cpu_choose(CPU_BEST);
    double ns = median_root(t, f, updates, &rows);
    snprintf(name, sizeof name, "%zu updates of 1M accounts", updates);
    bench_add(r, &(struct bench_row){.name = name,
                                     .value = ns / 1e3,
                                     .unit = "us",
                                     .peer = "portable keccak",
                                     .peer_value = portable / 1e3,
                                     .smaller_is_better = true});
    snprintf(name, sizeof name, "%zu updates: hashes", updates);
    bench_add(
        r, &(struct bench_row){.name = name, .value = (double)(rows.rows + updates), .unit = ""});
    snprintf(name, sizeof name, "%zu updates: branch rows", updates);
    bench_add(r, &(struct bench_row){.name = name, .value = (double)rows.bytes, .unit = "bytes"});
}

/* One size; *out_us is the root of 2,000 updates. */
static void run_size(struct bench_report *r, uint64_t accounts, double *out_us) {
    char name[64];
    struct row_count rows;
    struct flat f;
    flat_init(&f, accounts);
    struct state_trie *t = state_trie_new((struct trie_source){&FLAT_OPS, &f}, SIZE_MAX);
    CHECK(t != NULL);
    build(t, &f);
    *out_us = median_root(t, &f, 2000, &rows) / 1e3;
    if (accounts == ACCOUNTS) {
        report(r, t, &f, 20);
        report(r, t, &f, 200);
        report(r, t, &f, 2000);
        report(r, t, &f, 20000);
    }
    snprintf(name, sizeof name, "memory of %llu accounts", (unsigned long long)accounts);
    bench_add(r, &(struct bench_row){
                     .name = name, .value = (double)state_trie_bytes(t) / 1e6, .unit = "MB"});
    state_trie_free(t);
    buf_clear(&f.body);
    free(f.rows);
}

enum err bench_root(struct bench_report *r, struct err_ctx *ec) {
    double us[ARRAY_LEN(sizes)];
    (void)ec;
    for (size_t i = 0; i < (r->large ? 3 : 2); i++)
        run_size(r, sizes[i], &us[i]);
    for (size_t i = 1; i < (r->large ? 3 : 2); i++) {
        char name[64];
        snprintf(name, sizeof name, "2000 updates of %llu accounts", (unsigned long long)sizes[i]);
        bench_add(r, &(struct bench_row){.name = name,
                                         .value = us[i],
                                         .unit = "us",
                                         .peer = "100000 accounts",
                                         .peer_value = us[0],
                                         .smaller_is_better = true});
    }
    return ERR_OK;
}
