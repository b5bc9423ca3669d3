/* SPDX-License-Identifier: Apache-2.0 */
#include "state/store_internal.h"
#include "tests/lib/state/fixture.h"
#include "tests/lib/state/history.h"
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static char dir[FIXTURE_PATH_MAX];
static void setup(void) {
    fixture_dir_make(dir);
}
static void teardown(void) {
    fixture_dir_remove(dir);
}

static struct store *open_with(struct store_options o) {
    struct store *s = NULL;
    struct err_ctx ec = {0};
    o.no_sync = o.allow_wipe = true;
    o.map_bytes = o.map_bytes != 0 ? o.map_bytes : 1ULL << 32;
    cr_assert_eq(store_open(&s, &o, &ec), ERR_OK, "%s", ec.text);
    return s;
}

static struct store *open_store(const char *at, size_t history_rows) {
    return open_with((struct store_options){.dir = at, .history_rows = history_rows});
}

TestSuite(store_backlog, .init = setup, .fini = teardown, .timeout = 120);

/* --- the keys by themselves ----------------------------------------------------------------- */
enum { BATCHES = 200, BATCH = 40, KEYS = 50, LOOKUPS = 5000 };

struct change {
    uint8_t key[48]; /* block, then a key of ACCT (32 bytes) or STOR (40) */
    enum table_id table;
};

static void random_change(struct change *c, struct fixture_rng *r, uint64_t block) {
    struct fixture_rng of = fixture_rng_of(1 + fixture_rng_below(r, KEYS));
    c->table = fixture_rng_below(r, 2) == 0 ? TABLE_CSA : TABLE_CSS;
    be64_store(c->key, block);
    fixture_rng_fill(&of, c->key + 8, 40);
}

static size_t change_len(const struct change *c) {
    return c->table == TABLE_CSA ? 40 : 48;
}

static size_t count_runs(const struct backlog *b) {
    size_t most = 0;
    for (size_t i = 0; i < BACKLOG_SLICES; i++)
        most = b->slices[i].count > most ? b->slices[i].count : most;
    return most;
}

/* Goal: the lowest change of a key in a range of blocks is found among any number of batches, and
 * the batches become few runs. Method: against looking at all changes. */
Test(store_backlog, finds_the_lowest) {
    static struct change all[BATCHES * BATCH];
    struct fixture_rng r = fixture_rng_of(fixture_seed(1));
    struct backlog *b = calloc(1, sizeof *b);
    cr_assert_not_null(b);
    atomic_init(&b->refs, 1);
    size_t n = 0;
    for (uint64_t batch = 0; batch < BATCHES; batch++) {
        struct backlog_key keys[BATCH];
        struct backlog *more;
        size_t count = 1 + fixture_rng_below(&r, BATCH);
        for (size_t i = 0; i < count; i++) {
            random_change(&all[n], &r, batch * BATCH + i);
            backlog_key_of(&keys[i], all[n].table, bytes_of(all[n].key, change_len(&all[n])));
            n++;
        }
        cr_assert_eq(backlog_add(&more, b, keys, count), 0);
        backlog_drop(b);
        b = more;
        cr_assert_eq(backlog_rows(b), n);
        cr_assert_leq(count_runs(b), 12);
    }
    for (size_t look = 0; look < LOOKUPS; look++) {
        struct change c;
        uint64_t from = fixture_rng_below(&r, BATCHES * BATCH),
                 end = from + fixture_rng_below(&r, BATCHES * BATCH), want = UINT64_MAX, got = 0;
        random_change(&c, &r, 0);
        for (size_t i = 0; i < n; i++) {
            uint64_t block = be64_load(all[i].key);
            if (all[i].table == c.table && block >= from && block < end && block < want &&
                memcmp(all[i].key + 8, c.key + 8, change_len(&c) - 8) == 0)
                want = block;
        }
        bool found = backlog_find(&got, b, c.table == TABLE_CSA ? TABLE_ACCT : TABLE_STOR,
                                  bytes_of(c.key + 8, change_len(&c) - 8), from, end);
        cr_assert_eq(found, want != UINT64_MAX);
        cr_assert(!found || got == want);
    }
    backlog_drop(b);
}

/* --- in a store ----------------------------------------------------------------------------- */
static struct store_stats stats_of(struct store *s) {
    struct store_stats st;
    cr_assert_eq(store_stat(s, &st), ERR_OK);
    return st;
}

/* Each change set row of LMDB has its history row, there or in memory. */
static void check_complete(struct store *s) {
    struct store_stats st = stats_of(s);
    cr_assert_eq(st.rows[TABLE_CSA] + st.rows[TABLE_CSS],
                 st.rows[TABLE_HIA] + st.rows[TABLE_HIS] + st.history_waiting);
}

static void check_same(struct store *a, struct store *b, uint64_t block) {
    static const enum table_id tables[] = {TABLE_ACCT, TABLE_STOR, TABLE_HIA, TABLE_HIS, TABLE_TXL};
    struct store_view *va, *vb;
    cr_assert_eq(store_view_open(&va, a, block), ERR_OK);
    cr_assert_eq(store_view_open(&vb, b, block), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        hash32 x, y;
        fixture_table_digest(va, tables[i], &x);
        fixture_table_digest(vb, tables[i], &y);
        cr_assert(hash32_eq(&x, &y), "table %s at block %llu", table_info[tables[i]].name,
                  (unsigned long long)block);
    }
    store_view_close(va);
    store_view_close(vb);
}

/* Goal: whether history rows go to LMDB at once, in slices, in transactions of one row or not at
 * all, views of any block read the same, also after restarts and unwinds below the checkpoint, and
 * none is missing or too much. Method: four stores with the same blocks. */
Test(store_backlog, same_answers) {
    enum { STORES = 4, ROUNDS = 30 };
    static const size_t limits[STORES] = {1, 300, SIZE_MAX, 200}, pages[STORES] = {0, 0, 0, 1};
    struct store *s[STORES];
    struct history h[STORES];
    char dirs[STORES][FIXTURE_PATH_MAX + 8];
    struct fixture_rng r = fixture_rng_of(fixture_seed(2));
    bool partly = false;
    for (size_t i = 0; i < STORES; i++) {
        (void)snprintf(dirs[i], sizeof dirs[i], "%s/%zu", dir, i);
        s[i] = open_with((struct store_options){
            .dir = dirs[i], .history_rows = limits[i], .checkpoint_pages = pages[i]});
        history_open(&h[i], s[i], 1 << 16, i == 0);
    }
    uint64_t head = 0, content = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t blocks = 1 + fixture_rng_below(&r, 12), back = fixture_rng_below(&r, 9);
        bool restart = fixture_rng_below(&r, 4) == 0, unwind = back < head && back > 4;
        for (size_t i = 0; i < STORES; i++) {
            for (uint64_t b = 0; b < blocks; b++)
                history_apply(&h[i], content + b, NULL);
            store_set_durable(s[i], h[i].count - 1);
            cr_assert_eq(store_checkpoint(s[i], NULL), ERR_OK);
            check_complete(s[i]);
            if (unwind)
                history_unwind(&h[i], h[i].count - 1 - back, 0, 0);
            check_complete(s[i]);
        }
        content += blocks;
        head = h[0].count - 1;
        struct store_stats st = stats_of(s[1]);
        partly = partly || (st.history_waiting > 0 && st.rows[TABLE_HIA] > 0);
        cr_assert_leq(stats_of(s[0]).history_waiting, 1);
        cr_assert_leq(st.history_waiting, 300);
        cr_assert_eq(stats_of(s[2]).rows[TABLE_HIA], 0);
        for (size_t i = 1; restart && i < STORES; i++) {
            history_close(&h[i]);
            store_close(s[i]);
            s[i] = open_with((struct store_options){
                .dir = dirs[i], .history_rows = limits[i], .checkpoint_pages = pages[i]});
            check_complete(s[i]);
            history_open(&h[i], s[i], 1 << 16, false);
        }
        for (uint64_t block = head > 12 ? head - 12 : 0; block <= head; block++)
            for (size_t i = 1; i < STORES; i++)
                check_same(s[0], s[i], block);
        struct store_view *v;
        uint64_t any = fixture_rng_below(&r, head + 1);
        for (size_t i = 1; i < STORES; i++)
            check_same(s[0], s[i], any);
        cr_assert_eq(store_view_open(&v, s[0], any), ERR_OK);
        cr_assert_eq(history_check_view(&h[0], v, &r, 0), 0);
        store_view_close(v);
    }
    cr_assert(partly);
    for (size_t i = 0; i < STORES; i++) {
        history_close(&h[i]);
        store_close(s[i]);
    }
}

static uint64_t transactions(struct store *s) {
    MDB_envinfo info;
    cr_assert_eq(mdb_env_info(s->env, &info), 0);
    return info.me_last_txnid;
}

/* Goal: slices go in several transactions when one has too few pages for them, and none of these
 * writes more. */
Test(store_backlog, as_many_pages_as_allowed) {
    enum { PAGES = 8, BLOCKS = 400, META_PAGES = 4 };
    struct store *s = open_with(
        (struct store_options){.dir = dir, .history_rows = SIZE_MAX, .checkpoint_pages = PAGES});
    struct history h;
    history_open(&h, s, 1 << 16, true);
    for (uint64_t b = 0; b < BLOCKS; b++)
        history_apply(&h, b, NULL);
    store_set_durable(s, BLOCKS - 1);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    struct store_stats before = stats_of(s);
    cr_assert_eq(before.rows[TABLE_HIA], 0);
    history_apply(&h, BLOCKS, NULL);
    store_set_durable(s, BLOCKS);
    uint64_t first = transactions(s);
    s->backlog_max = 1;
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    struct store_stats st = stats_of(s);
    uint64_t count = transactions(s) - first;
    cr_assert_leq(st.history_waiting, 1);
    check_complete(s);
    cr_assert_gt(count, 2 * BACKLOG_SLICES, "%llu", (unsigned long long)count);
    cr_assert_lt(count, before.history_waiting / 4);
    /* The first, of one block, may have more. */
    cr_assert_leq(st.checkpoint_pages_written - before.checkpoint_pages_written,
                  count * (PAGES + META_PAGES) + 100);
    struct fixture_rng r = fixture_rng_of(4);
    for (uint64_t block = 0; block <= BLOCKS; block += 7) {
        struct store_view *v;
        cr_assert_eq(store_view_open(&v, s, block), ERR_OK);
        cr_assert_eq(history_check_view(&h, v, &r, 0), 0);
        store_view_close(v);
    }
    history_close(&h);
    store_close(s);
}

/* Blocks with a checkpoint every fifth, up to `end` or an error; the same ones in `other`. */
static enum err grow(struct history *h, struct history *other, uint64_t end) {
    enum err e = ERR_OK;
    while (h->count < end && e == ERR_OK) {
        uint64_t b = h->count;
        history_apply(h, b, NULL);
        if (other->count == b)
            history_apply(other, b, NULL);
        store_set_durable(h->store, b);
        store_set_durable(other->store, other->count - 1);
        e = b % 5 == 4 ? store_checkpoint(h->store, NULL) : ERR_OK;
    }
    return e;
}

/* Files of this process may have so many bytes. */
static void limit_files(rlim_t most) {
    struct rlimit limit;
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Goal: when LMDB is full, which is known when a row is put, or the disk, which is known when the
 * transaction is to be committed, no row waits of what did not get there, and none is lost of a
 * slice that got there in part; with room again all goes on. */
Test(store_backlog, full_disk) {
    enum { RUNS = 6, BLOCKS = 1000, ROOM = 1 << 20 };
    static const size_t limits[RUNS] = {SIZE_MAX, 1, 1, SIZE_MAX, 1, 1},
                        pages[RUNS] = {0, 0, 1, 0, 0, 1};
    for (size_t run = 0; run < RUNS; run++) {
        char at[FIXTURE_PATH_MAX + 8], other_at[FIXTURE_PATH_MAX + 8];
        (void)snprintf(at, sizeof at, "%s/%zu", dir, run);
        (void)snprintf(other_at, sizeof other_at, "%s/%zu-other", dir, run);
        struct store_options o = {.dir = at,
                                  .map_bytes = run < 3 ? ROOM : 0,
                                  .history_rows = limits[run],
                                  .checkpoint_pages = pages[run]};
        struct store *s = open_with(o), *other = open_store(other_at, SIZE_MAX);
        struct history h, oh;
        history_open(&h, s, 1 << 16, false);
        history_open(&oh, other, 1 << 16, false);
        limit_files(run < 3 ? RLIM_INFINITY : ROOM);
        cr_assert_eq(grow(&h, &oh, BLOCKS), ERR_IO);
        limit_files(RLIM_INFINITY);
        struct store_stats st = stats_of(s);
        uint64_t changes = st.rows[TABLE_CSA] + st.rows[TABLE_CSS],
                 history = st.rows[TABLE_HIA] + st.rows[TABLE_HIS] + st.history_waiting;
        cr_assert(changes > 0 && (limits[run] > 1 ? changes == history : changes <= history));
        for (uint64_t block = 0; block < h.count; block++)
            check_same(other, s, block);
        history_close(&h);
        store_close(s);
        o.map_bytes = 0;
        s = open_with(o);
        history_open(&h, s, 1 << 16, false);
        cr_assert_eq(grow(&h, &oh, oh.count + 20), ERR_OK);
        cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        check_complete(s);
        for (uint64_t block = 0; block < h.count; block++)
            check_same(other, s, block);
        history_close(&h);
        history_close(&oh);
        store_close(s);
        store_close(other);
    }
}

/* Goal: a disk that is full in the middle of a slice leaves some of its rows both in LMDB and
 * waiting; also after a restart none is lost. */
Test(store_backlog, full_in_a_slice) {
    enum { BLOCKS = 800, ROOM = 5 * 4096 };
    char at[FIXTURE_PATH_MAX + 8], other_at[FIXTURE_PATH_MAX + 8];
    (void)snprintf(at, sizeof at, "%s/a", dir);
    (void)snprintf(other_at, sizeof other_at, "%s/b", dir);
    struct store_options o = {.dir = at, .history_rows = SIZE_MAX, .checkpoint_pages = 1};
    struct store *s = open_with(o), *other = open_store(other_at, SIZE_MAX);
    struct history h, oh;
    struct err_ctx ec = {0};
    history_open(&h, s, 1 << 16, false);
    history_open(&oh, other, 1 << 16, false);
    cr_assert_eq(grow(&h, &oh, BLOCKS), ERR_OK);
    struct store_stats before = stats_of(s);
    cr_assert_eq(before.history_waiting, before.rows[TABLE_CSA] + before.rows[TABLE_CSS]);
    cr_assert_eq(grow(&h, &oh, BLOCKS + 1), ERR_OK);
    s->backlog_max = 1;
    limit_files(before.lmdb_bytes_used + ROOM);
    cr_assert_eq(store_checkpoint(s, &ec), ERR_IO);
    limit_files(RLIM_INFINITY);
    cr_assert(strstr(ec.text, "history rows") != NULL, "%s", ec.text);
    for (int restarted = 0; restarted < 2; restarted++) {
        struct store_stats st = stats_of(s);
        uint64_t changes = st.rows[TABLE_CSA] + st.rows[TABLE_CSS],
                 there = st.rows[TABLE_HIA] + st.rows[TABLE_HIS];
        cr_assert(there > 0 && st.history_waiting > 0 && there + st.history_waiting > changes);
        for (uint64_t block = 0; block <= store_applied(s).block; block += 19)
            check_same(other, s, block);
        if (restarted == 0) {
            history_close(&h);
            store_close(s);
            s = open_with(o);
            history_open(&h, s, 1 << 16, false);
        }
    }
    s->backlog_max = 1;
    cr_assert_eq(grow(&h, &oh, BLOCKS + 20), ERR_OK);
    cr_assert_leq(stats_of(s).history_waiting, 1);
    check_complete(s);
    for (uint64_t block = 0; block < h.count; block += 19)
        check_same(other, s, block);
    history_close(&h);
    history_close(&oh);
    store_close(s);
    store_close(other);
}

/* Goal: rows of pruned blocks that waited are not left in LMDB. */
Test(store_backlog, pruned_while_waiting) {
    struct store *s = open_store(dir, SIZE_MAX);
    struct history h;
    history_open(&h, s, 1 << 16, true);
    for (uint64_t b = 0; b < 40; b++)
        history_apply(&h, b, NULL);
    store_set_durable(s, 39);
    cr_assert_eq(store_checkpoint_to(s, 30, NULL), ERR_OK);
    size_t waiting = stats_of(s).history_waiting;
    struct store_view *old;
    cr_assert_eq(store_view_open(&old, s, 5), ERR_OK);
    while (store_prune(s, 20, 50))
        continue;
    /* Whoever reads pruned blocks still gets answers, and then learns that they are void. */
    for (size_t i = 0; i < HISTORY_ACCOUNTS; i++) {
        bytes row;
        (void)store_get(old, TABLE_ACCT, bytes_of(history_addr_hash(i)->b, 32), &row);
    }
    cr_assert(store_view_stale(old));
    store_view_close(old);
    s->backlog_max = 1; /* all slices go with the next checkpoint */
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    struct store_stats st = stats_of(s);
    cr_assert_leq(st.history_waiting, 1);
    cr_assert_gt(waiting, st.rows[TABLE_HIA] + st.rows[TABLE_HIS]);
    check_complete(s);
    struct fixture_rng r = fixture_rng_of(3);
    for (uint64_t block = 20; block < 40; block++) {
        struct store_view *v;
        cr_assert_eq(store_view_open(&v, s, block), ERR_OK);
        cr_assert_eq(history_check_view(&h, v, &r, 0), 0);
        store_view_close(v);
    }
    history_close(&h);
    store_close(s);
}

/* --- rows of TXL ---------------------------------------------------------------------------- */
enum { TX_BLOCKS = 12, TXS = 40 };

static void tx_row(uint8_t hash[32], uint8_t row[12], uint64_t block, uint32_t i) {
    struct fixture_rng r = fixture_rng_of(1 + block * TXS + i);
    fixture_rng_fill(&r, hash, 32);
    be64_store(row, block);
    be32_store(row + 8, i);
}

static void tx_block(struct store *s, uint64_t block) {
    fixture_block_begin(s);
    for (uint32_t i = 0; i < TXS; i++) {
        uint8_t hash[32], row[12];
        tx_row(hash, row, block, i);
        store_put_new(s, TABLE_TXL, bytes_of(hash, 32), bytes_of(row, 12));
    }
    fixture_block_end(s);
}

/* A view of `at` has the rows of blocks up to there and no other, found by key and by walking. */
static void check_txs(struct store *s, uint64_t at, uint64_t head) {
    struct store_view *v;
    bytes key, value;
    size_t walked = 0;
    cr_assert_eq(store_view_open(&v, s, at), ERR_OK);
    for (uint64_t block = 0; block <= head; block++)
        for (uint32_t i = 0; i < TXS; i++) {
            uint8_t hash[32], row[12];
            tx_row(hash, row, block, i);
            bool found = store_get(v, TABLE_TXL, bytes_of(hash, 32), &value);
            cr_assert_eq(found, block <= at, "of block %llu at %llu", (unsigned long long)block,
                         (unsigned long long)at);
            cr_assert(!found || bytes_cmp(value, bytes_of(row, 12)) == 0);
        }
    struct store_cursor *c = store_cursor_open(v, TABLE_TXL);
    for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &value); more;
         more = store_cursor_next(c, &key, &value))
        walked++;
    store_cursor_close(c);
    store_view_close(v);
    cr_assert_eq(walked, (at + 1) * TXS);
}

static void check_all_txs(struct store *s, uint64_t from, uint64_t head, size_t waiting) {
    cr_assert_eq(stats_of(s).lookups_waiting, waiting);
    for (uint64_t at = from; at <= head; at++)
        check_txs(s, at, head);
}

/* Goal: rows of TXL that wait are seen at every block as if they were in LMDB, also beside the
 * deltas, after a restart, an unwind below the checkpoint and when some went to LMDB; pruning,
 * which takes what they would be found by, writes them first. Method: rows whose every bit is
 * known. */
Test(store_backlog, lookups_wait) {
    enum { APPLIED = 8, BACK = 5, PRUNED = 7 };
    struct store *s = open_store(dir, SIZE_MAX);
    struct store_applied at = {.block = BACK};
    for (uint64_t b = 0; b < TX_BLOCKS; b++)
        tx_block(s, b);
    store_set_durable(s, TX_BLOCKS - 1);
    cr_assert_eq(store_checkpoint_to(s, APPLIED, NULL), ERR_OK);
    cr_assert_eq(stats_of(s).rows[TABLE_TXL], TXS); /* of block 0, which has no undo data */
    check_all_txs(s, 0, TX_BLOCKS - 1, APPLIED * TXS);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    store_close(s);
    s = open_store(dir, SIZE_MAX);
    check_all_txs(s, 0, TX_BLOCKS - 1, (TX_BLOCKS - 1) * TXS);
    cr_assert_eq(store_unwind(s, BACK, &at, NULL), ERR_OK);
    check_all_txs(s, 0, BACK, BACK * TXS);
    for (uint64_t b = BACK + 1; b < TX_BLOCKS; b++)
        tx_block(s, b);
    store_set_durable(s, TX_BLOCKS - 1);
    s->backlog_max = BACK * TXS;
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    struct store_stats st = stats_of(s);
    cr_assert(st.lookups_waiting > 0 && st.lookups_waiting <= BACK * TXS);
    cr_assert_eq(st.lookups_waiting + st.rows[TABLE_TXL], TX_BLOCKS * TXS);
    check_all_txs(s, 0, TX_BLOCKS - 1, st.lookups_waiting);
    while (store_prune(s, PRUNED, 10))
        continue;
    check_all_txs(s, PRUNED, TX_BLOCKS - 1, 0);
    store_close(s);
    s = open_store(dir, SIZE_MAX);
    check_all_txs(s, PRUNED, TX_BLOCKS - 1, 0);
    store_close(s);
}

/* Goal: a row that may wait cannot be changed by a later block, which LMDB would learn first. */
Test(store_backlog, lookups_stay, .signal = SIGABRT) {
    struct store *s = open_store(dir, SIZE_MAX);
    uint8_t hash[32], row[12];
    tx_block(s, 0);
    tx_block(s, 1);
    fixture_block_begin(s);
    tx_row(hash, row, 1, 0);
    store_del(s, TABLE_TXL, bytes_of(hash, 32));
}

/* Goal: a store without META's word on what waits is refused, not guessed. */
Test(store_backlog, no_meta) {
    struct store *s = open_store(dir, 1), *again = NULL;
    struct err_ctx ec = {0};
    store_close(s);
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta;
    char path[FIXTURE_PATH_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/state.mdb", dir);
    MDB_val k = {.mv_size = 7, .mv_data = "history"};
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, TABLE_COUNT), 0);
    cr_assert_eq(mdb_env_open(env, path, MDB_NOSUBDIR, 0644), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    cr_assert_eq(mdb_del(txn, meta, &k, NULL), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    struct store_options o = {.dir = dir};
    cr_assert_eq(store_open(&again, &o, &ec), ERR_CORRUPT);
    cr_assert(strstr(ec.text, "history") != NULL, "%s", ec.text);
}
