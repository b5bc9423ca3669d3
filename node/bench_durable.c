/* SPDX-License-Identifier: Apache-2.0 */
/* Durable transactions per second over JSON-RPC: this node twice, with both ways of recovering
 * senders, on a million accounts, and the peer in memory on two thousand; in turns, each on the
 * same core, the load on the other; each run begins on the same chain. The clock runs from the
 * first byte sent until every transaction is in a block: here that is its acknowledgement, which
 * is durable; the peer, in its fastest setting, mines when told to, and the time of that counts.
 * Afterwards every receipt and every balance is looked at, and the gas that both used is printed
 * side by side: the work is equal. */
#include "node/bench_contender.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    /* Of ours: over a second of load at our speed, so that checkpoints are among it. */
    COUNT_DEFAULT = 30000,
    COUNT_BOTH = 60000,
    MINT_BATCH_PART = 4, /* fewer of them: each is ten */
    PEER_PART = 3,       /* fewer for the peer, which gets slower with more: 10,000 */
    PEER_PART_BOTH = 6,
    PEER_STEP = 2500,    /* of its 1,000 senders: it mines many waiting ones of the same sender ever
                            more slowly, and each block costs it its whole state */
    PEER_WARM_UP = 1000, /* transfers */
    BATCH = 50,
    TRANSPORTS = 3,
    BODY_MAX = 1 << 20,
    NAME_MAX_BYTES = 160,
};
/* A run leaves a third of a million of items beside the million of accounts. */
#define CACHE_MIB "2048"
enum { LIBRARY, VECTORISED, OURS, CONTENDERS }; /* at OURS the peer, while it is measured */

/* In flight is enough for a block of each of them: what waits for a block's sync costs nothing, and
 * with less the time between blocks would be the figure. */
static const struct transport {
    const char *name;
    size_t batch, connections, depth;
    bool websocket;
} transports[TRANSPORTS] = {
    {"single, 32 x 16 pipelined", 1, 32, 16, false},
    {"batches of 50", BATCH, 16, 4, false},
    {"WebSocket, 32 x 16", 1, 32, 16, true},
};
static const enum bench_work works[] = {BENCH_TRANSFER, BENCH_ERC20, BENCH_MINT, BENCH_MINT_BATCH};

struct durable {
    struct bench_report *r;
    struct bench_contender c[CONTENDERS];
    size_t count;
    struct bench_series tx_s[OURS][ARRAY_LEN(works)][TRANSPORTS];
    struct bench_series cpu_us[OURS][ARRAY_LEN(works)], gas_s[OURS][ARRAY_LEN(works)];
    struct bench_series gas[ARRAY_LEN(works)], blocks_s[ARRAY_LEN(works)], syncs[ARRAY_LEN(works)];
    struct bench_series sync_p50, sync_p99;
};

/* One figure of one contender. */
struct shot {
    double tx_s, cpu_us, gas, blocks_s; /* gas: of each */
};

/* What is sent for a figure. */
struct list {
    struct bench_tx *txs;
    size_t n;
    struct arena arena;
};

static void fill(struct bench_load *l, const struct transport *t, const struct bench_tx *txs,
                 size_t n) {
    struct buf body;
    buf_init(&body, BODY_MAX);
    /* A connection has senders of its own, so that their nonces arrive in order. */
    for (size_t c = 0; c < t->connections; c++) {
        size_t in_batch = 0;
        for (size_t i = 0; i < n; i++) {
            if (txs[i].sender % t->connections != c)
                continue;
            buf_append_str(&body, t->batch == 1 ? "" : in_batch == 0 ? "[" : ",");
            bench_put_send(&body, "eth_sendRawTransaction", i, &txs[i]);
            if (++in_batch < t->batch)
                continue;
            buf_append_str(&body, t->batch == 1 ? "" : "]");
            bench_load_add(l, c, buf_bytes(&body));
            buf_reset(&body);
            in_batch = 0;
        }
        if (in_batch > 0) {
            buf_append_str(&body, "]");
            bench_load_add(l, c, buf_bytes(&body));
            buf_reset(&body);
        }
    }
    CHECK(!body.overflow);
    buf_clear(&body);
}

/* *seconds is raised by the time until all of them are in blocks. */
static enum err send_part(double *seconds, struct bench_contender *c, const struct transport *t,
                          const struct bench_tx *txs, size_t n, struct err_ctx *ec) {
    struct bench_load_result res = {0};
    struct bench_load *l = NULL;
    double mined = 0;
    struct bench_load_options o = {.url = c->node.url,
                                   .websocket = t->websocket,
                                   .connections = t->connections,
                                   .depth = t->depth};
    TRY(bench_load_new(&l, &o, ec));
    fill(l, t, txs, n);
    enum err e = bench_load_run(l, &res, ec);
    if (e == ERR_OK && c->is_peer)
        e = bench_contender_mine(c, &mined, ec);
    bench_load_free(l);
    *seconds += res.seconds + mined;
    return e;
}

static enum err send_all(struct shot *out, struct bench_contender *c, enum bench_work w,
                         const struct transport *t, const struct list *all, struct err_ctx *ec) {
    size_t n = all->n, step = c->is_peer && n > PEER_STEP ? PEER_STEP : n;
    double seconds = 0;
    uint64_t before, after;
    TRY(bench_client_u64(&c->client, &before, "eth_blockNumber", "[]", ec));
    double cpu = bench_node_cpu_s(&c->node);
    for (size_t at = 0; at < n; at += step)
        TRY(send_part(&seconds, c, t, all->txs + at, n - at < step ? n - at : step, ec));
    cpu = bench_node_cpu_s(&c->node) - cpu;
    TRY(bench_client_u64(&c->client, &after, "eth_blockNumber", "[]", ec));
    c->made[w] = (struct bench_made){before + 1, after, n};
    *out = (struct shot){.tx_s = (double)n / seconds,
                         .cpu_us = cpu * 1e6 / (double)n,
                         .blocks_s = (double)(after - before) / seconds};
    return ERR_OK;
}

static enum err shoot(struct shot *out, struct bench_contender *c, enum bench_work w,
                      const struct transport *t, const struct list *all, struct err_ctx *ec) {
    uint64_t gas;
    TRY(send_all(out, c, w, t, all, ec));
    TRY(bench_chain_check_receipts(&c->chain, &c->client, all->txs, all->n, &gas, ec));
    out->gas = (double)gas / (double)all->n;
    return ERR_OK;
}

static enum err list_make(struct list *l, struct bench_chain *c, enum bench_work w, size_t n,
                          struct err_ctx *ec) {
    *l = (struct list){.txs = calloc(n, sizeof *l->txs), .n = n};
    CHECK(l->txs != NULL);
    arena_init(&l->arena, 1 << 20, SIZE_MAX);
    for (size_t i = 0; i < n; i++)
        TRY(bench_chain_sign(&l->txs[i], c, &l->arena, w, ec));
    return ERR_OK;
}

static void list_free(struct list *l) {
    arena_clear(&l->arena);
    free(l->txs);
}

/* So many of this kind are sent to ours, and to the peer. */
static size_t count_of(const struct durable *d, enum bench_work w, bool peer) {
    size_t of_peer = d->r->both_cores ? PEER_PART_BOTH : PEER_PART;
    size_t n = d->count / (w == BENCH_MINT_BATCH ? MINT_BATCH_PART : 1) / (peer ? of_peer : 1);
    return n > 0 ? n : 1;
}

/* Both of ours get the very same transactions. */
static enum err shoot_ours(struct shot shots[], struct durable *d, size_t w, size_t t,
                           struct err_ctx *ec) {
    struct list all;
    enum err e = list_make(&all, &d->c[0].chain, works[w], count_of(d, works[w], false), ec);
    for (size_t i = 0; e == ERR_OK && i < OURS; i++)
        e = shoot(&shots[i], &d->c[i], works[w], &transports[t], &all, ec);
    list_free(&all);
    return e;
}

static enum err shoot_new(struct shot *out, struct bench_contender *c, enum bench_work w,
                          const struct transport *t, size_t n, struct err_ctx *ec) {
    struct list all;
    enum err e = list_make(&all, &c->chain, w, n, ec);
    if (e == ERR_OK)
        e = shoot(out, c, w, t, &all, ec);
    list_free(&all);
    return e;
}

/* The peer begins anew each time: its blocks take longer the more accounts and slots there are, and
 * here these would be the ones that earlier loads left. What it does first is not counted. */
static enum err shoot_peer(struct shot *out, struct durable *d, size_t w, size_t t,
                           struct err_ctx *ec) {
    static const char *const mine_when_told[] = {"--no-mining", NULL};
    struct bench_contender *peer = &d->c[OURS];
    TRY(bench_contender_peer(peer, d->r, mine_when_told, ec));
    enum err e = shoot_new(out, peer, BENCH_TRANSFER, &transports[t], PEER_WARM_UP, ec);
    if (e == ERR_OK)
        e = shoot_new(out, peer, works[w], &transports[t], count_of(d, works[w], true), ec);
    if (e == ERR_OK)
        e = bench_chain_check_balances(&peer->chain, &peer->client, ec);
    bench_contender_stop(peer);
    return e;
}

/* One kind of work over one transport, by everyone in turns. */
static enum err round_of(struct durable *d, size_t w, size_t t, struct err_ctx *ec) {
    struct shot shots[CONTENDERS] = {0};
    const struct shot *peer = &shots[OURS];
    struct bench_times before, after;
    TRY(bench_times_read(&before, &d->c[VECTORISED], "node_log_sync_us", ec));
    TRY(shoot_ours(shots, d, w, t, ec));
    TRY(bench_times_read(&after, &d->c[VECTORISED], "node_log_sync_us", ec));
    if (d->r->peer != NULL)
        TRY(shoot_peer(&shots[OURS], d, w, t, ec));
    for (size_t i = 0; i < OURS; i++)
        bench_series_add(&d->tx_s[i][w][t], shots[i].tx_s, peer->tx_s);
    if (transports[t].batch != BATCH)
        return ERR_OK;
    for (size_t i = 0; i < OURS; i++) {
        bench_series_add(&d->cpu_us[i][w], shots[i].cpu_us, peer->cpu_us);
        bench_series_add(&d->gas_s[i][w], shots[i].gas * shots[i].tx_s / 1e6,
                         peer->gas * peer->tx_s / 1e6);
    }
    bench_series_add(&d->gas[w], shots[VECTORISED].gas, peer->gas);
    bench_series_add(&d->blocks_s[w], shots[VECTORISED].blocks_s, 0);
    bench_series_add(&d->syncs[w], (double)(after.count - before.count), 0);
    bench_series_add(&d->sync_p50, bench_times_quantile(&before, &after, 0.5), 0);
    bench_series_add(&d->sync_p99, bench_times_quantile(&before, &after, 0.99), 0);
    return ERR_OK;
}

/* One whose name is just that, or else those that have it in their name. */
static bool wanted(const struct durable *d, size_t w) {
    const char *only = d->r->only;
    for (size_t i = 0; only != NULL && i < ARRAY_LEN(works); i++)
        if (strcmp(bench_work_name(works[i]), only) == 0)
            return i == w;
    return only == NULL || strstr(bench_work_name(works[w]), only) != NULL;
}

/* contender: OURS for a figure that both of ours have alike. */
static void add(struct durable *d, size_t w, size_t contender, const char *what, const char *unit,
                bool smaller, const struct bench_series *s) {
    char name[NAME_MAX_BYTES];
    bool one = contender < OURS;
    snprintf(name, sizeof name, "%s, %s%s%s", bench_work_name(works[w]), what, one ? ", " : "",
             one ? d->c[contender].name : "");
    bench_add_series(d->r,
                     &(struct bench_row){.name = name,
                                         .unit = unit,
                                         .peer = d->r->peer != NULL ? "Anvil" : NULL,
                                         .smaller_is_better = smaller},
                     s);
}

static void report_work(struct durable *d, size_t w) {
    for (size_t t = 0; t < TRANSPORTS; t++)
        for (size_t i = 0; i < OURS; i++)
            add(d, w, i, transports[t].name, "1/s", false, &d->tx_s[i][w][t]);
    for (size_t i = 0; i < OURS; i++) {
        add(d, w, i, "processor time each", "us", true, &d->cpu_us[i][w]);
        add(d, w, i, "gas per second", "Mgas/s", false, &d->gas_s[i][w]);
    }
    add(d, w, OURS, "gas each", "gas", false, &d->gas[w]);
    add(d, w, VECTORISED, "blocks", "1/s", false, &d->blocks_s[w]);
    add(d, w, VECTORISED, "syncs of the log for all of them", "", false, &d->syncs[w]);
}

static void report(struct durable *d) {
    if (d->sync_p50.runs == 0)
        return;
    for (size_t w = 0; w < ARRAY_LEN(works); w++)
        if (wanted(d, w))
            report_work(d, w);
    bench_add_series(d->r,
                     &(struct bench_row){.name = "fdatasync of the log, p50 below", .unit = "us"},
                     &d->sync_p50);
    bench_add_series(d->r,
                     &(struct bench_row){.name = "fdatasync of the log, p99 below", .unit = "us"},
                     &d->sync_p99);
}

static enum err set_up(struct durable *d, struct err_ctx *ec) {
    static const char *const library[] = {"--recover", "libsecp256k1", "--cache", CACHE_MIB, NULL};
    static const char *const vectorised[] = {"--recover", "vectorised", "--cache", CACHE_MIB, NULL};
    TRY(bench_contender_prepare(&d->c[LIBRARY], d->r, BENCH_SENDERS, ec));
    TRY(bench_contender_fork(&d->c[VECTORISED], &d->c[LIBRARY], ec));
    TRY(bench_contender_serve(&d->c[LIBRARY], d->r, "libsecp256k1", library, ec));
    return bench_contender_serve(&d->c[VECTORISED], d->r, "vectorised", vectorised, ec);
}

static void say(const struct durable *d) {
    char text[160];
    bench_contender_say(d->r, &d->c[LIBRARY]);
    snprintf(text, sizeof text, "%zu of ours, %zu of the peer; of mintBatch %zu and %zu",
             count_of(d, BENCH_TRANSFER, false), count_of(d, BENCH_TRANSFER, true),
             count_of(d, BENCH_MINT_BATCH, false), count_of(d, BENCH_MINT_BATCH, true));
    bench_note(d->r, "transactions of a figure", text);
    bench_note(d->r, "our setting", "--cache " CACHE_MIB);
    snprintf(text, sizeof text,
             "Anvil --no-mining, evm_mine after each %d, a new chain for each figure", PEER_STEP);
    if (d->r->peer != NULL)
        bench_note(d->r, "peer", text);
}

/* One run, on nodes with the same chain as every other run has; they are stopped by the caller. */
static enum err run(struct durable *d, bool first, struct err_ctx *ec) {
    TRY(set_up(d, ec));
    if (first)
        say(d);
    for (size_t w = 0; w < ARRAY_LEN(works); w++)
        for (size_t t = 0; wanted(d, w) && t < TRANSPORTS; t++)
            TRY(round_of(d, w, t, ec));
    for (size_t i = 0; i < OURS; i++)
        TRY(bench_chain_check_balances(&d->c[i].chain, &d->c[i].client, ec));
    return ERR_OK;
}

static enum err measure(struct durable *d, struct err_ctx *ec) {
    for (size_t i = 0; i < d->r->runs; i++) {
        for (size_t c = 0; c < OURS; c++)
            bench_contender_stop(&d->c[c]);
        TRY(run(d, i == 0, ec));
    }
    return ERR_OK;
}

enum err bench_durable(struct bench_report *r, struct err_ctx *ec) {
    struct durable *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->r = r;
    d->count = r->count != 0 ? r->count : r->both_cores ? COUNT_BOTH : COUNT_DEFAULT;
    for (size_t i = 0; i < CONTENDERS; i++)
        bench_contender_init(&d->c[i]);
    enum err e = measure(d, ec);
    if (e == ERR_OK)
        report(d);
    for (size_t w = 0; e == ERR_OK && w < ARRAY_LEN(works); w++)
        e = wanted(d, w) ? bench_contender_parent_bytes(r, &d->c[VECTORISED], works[w], ec)
                         : ERR_OK;
    for (size_t i = 0; i < CONTENDERS; i++)
        bench_contender_stop(&d->c[i]);
    free(d);
    return e;
}
