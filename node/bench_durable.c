/* SPDX-License-Identifier: Apache-2.0 */
/* Durable transactions per second over JSON-RPC: this node twice, with both ways of recovering
 * senders, on a million accounts, and the peer in memory on a thousand; in turns, each on the same
 * core, the load on the other. The clock runs from the first byte sent until every transaction is
 * in a block: here that is its acknowledgement, which is durable; the peer, in its fastest setting,
 * mines when told to, and the time of that counts. Afterwards every receipt and every balance is
 * looked at. */
#include "node/bench_contender.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    COUNT_DEFAULT = 10000,
    BATCH = 50,
    PEER_STEP = 1000, /* of a sender one: the peer mines many waiting ones of the same sender ever
                         more slowly, 10,000 of them in over half a minute */
    CONTENDERS = 3,
    TRANSPORTS = 3,
    BODY_MAX = 1 << 20,
    NAME_MAX_BYTES = 160,
};

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
    size_t contenders, count;
    struct bench_series tx_s[CONTENDERS][ARRAY_LEN(works)][TRANSPORTS];
    struct bench_series cpu_us[CONTENDERS][ARRAY_LEN(works)];
    struct bench_series gas_s[CONTENDERS][ARRAY_LEN(works)];
    struct bench_series blocks_s[ARRAY_LEN(works)], syncs[ARRAY_LEN(works)];
    struct bench_series sync_p50, sync_p99;
};

/* One figure of one contender. */
struct shot {
    double tx_s, cpu_us, mgas_s, blocks_s;
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
                         const struct transport *t, const struct bench_tx *txs, size_t n,
                         struct err_ctx *ec) {
    size_t step = c->is_peer && n > PEER_STEP ? PEER_STEP : n;
    double seconds = 0;
    uint64_t before, after;
    TRY(bench_client_u64(&c->client, &before, "eth_blockNumber", "[]", ec));
    double cpu = bench_node_cpu_s(&c->node);
    for (size_t at = 0; at < n; at += step)
        TRY(send_part(&seconds, c, t, txs + at, n - at < step ? n - at : step, ec));
    cpu = bench_node_cpu_s(&c->node) - cpu;
    TRY(bench_client_u64(&c->client, &after, "eth_blockNumber", "[]", ec));
    c->made[w] = (struct bench_made){before + 1, after, n};
    *out = (struct shot){.tx_s = (double)n / seconds,
                         .cpu_us = cpu * 1e6 / (double)n,
                         .blocks_s = (double)(after - before) / seconds};
    return ERR_OK;
}

static enum err shoot(struct shot *out, struct durable *d, struct bench_contender *c,
                      enum bench_work w, const struct transport *t, struct err_ctx *ec) {
    struct bench_tx *txs = calloc(d->count, sizeof *txs);
    struct arena arena;
    uint64_t gas = 0;
    enum err e = ERR_OK;
    CHECK(txs != NULL);
    arena_init(&arena, 1 << 20, SIZE_MAX);
    for (size_t i = 0; e == ERR_OK && i < d->count; i++)
        e = bench_chain_sign(&txs[i], &c->chain, &arena, w, ec);
    if (e == ERR_OK)
        e = send_all(out, c, w, t, txs, d->count, ec);
    if (e == ERR_OK)
        e = bench_chain_check_receipts(&c->chain, &c->client, txs, d->count, &gas, ec);
    out->mgas_s = (double)gas / 1e6 * out->tx_s / (double)d->count;
    arena_clear(&arena);
    free(txs);
    return e;
}

/* One kind of work over one transport, by everyone in turns. */
static enum err round_of(struct durable *d, size_t w, size_t t, struct err_ctx *ec) {
    struct shot shots[CONTENDERS] = {0};
    struct bench_syncs before, after;
    TRY(bench_syncs_read(&before, &d->c[1], ec));
    for (size_t i = 0; i < d->contenders; i++)
        TRY(shoot(&shots[i], d, &d->c[i], works[w], &transports[t], ec));
    TRY(bench_syncs_read(&after, &d->c[1], ec));
    for (size_t i = 0; i < d->contenders; i++)
        bench_series_add(&d->tx_s[i][w][t], shots[i].tx_s, shots[CONTENDERS - 1].tx_s);
    if (transports[t].batch != BATCH)
        return ERR_OK;
    for (size_t i = 0; i < d->contenders; i++) {
        bench_series_add(&d->cpu_us[i][w], shots[i].cpu_us, shots[CONTENDERS - 1].cpu_us);
        bench_series_add(&d->gas_s[i][w], shots[i].mgas_s, shots[CONTENDERS - 1].mgas_s);
    }
    bench_series_add(&d->blocks_s[w], shots[1].blocks_s, 0);
    bench_series_add(&d->syncs[w], (double)(after.count - before.count), 0);
    bench_series_add(&d->sync_p50, bench_syncs_quantile(&before, &after, 0.5), 0);
    bench_series_add(&d->sync_p99, bench_syncs_quantile(&before, &after, 0.99), 0);
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

/* All transports for transfers; by the others, that of the most load stands for all. */
static bool measured(const struct durable *d, size_t w, size_t t) {
    return wanted(d, w) &&
           (works[w] == BENCH_TRANSFER || transports[t].batch == BATCH || d->r->large);
}

static enum err measure(struct durable *d, struct err_ctx *ec) {
    for (size_t run = 0; run < d->r->runs; run++)
        for (size_t w = 0; w < ARRAY_LEN(works); w++)
            for (size_t t = 0; t < TRANSPORTS; t++)
                if (measured(d, w, t))
                    TRY(round_of(d, w, t, ec));
    for (size_t i = 0; i < d->contenders; i++)
        TRY(bench_chain_check_balances(&d->c[i].chain, &d->c[i].client, ec));
    return ERR_OK;
}

static void add(struct durable *d, size_t w, size_t contender, const char *what, const char *unit,
                bool smaller, const struct bench_series *s) {
    char name[NAME_MAX_BYTES];
    bool is_peer = contender == CONTENDERS - 1, has_peer = d->contenders == CONTENDERS;
    if (is_peer)
        return; /* beside ours */
    snprintf(name, sizeof name, "%s, %s, %s", bench_work_name(works[w]), what,
             d->c[contender].name);
    bench_add_series(d->r,
                     &(struct bench_row){.name = name,
                                         .unit = unit,
                                         .peer = has_peer ? d->c[CONTENDERS - 1].name : NULL,
                                         .smaller_is_better = smaller},
                     s);
}

static void report(struct durable *d) {
    if (d->sync_p50.runs == 0)
        return;
    for (size_t w = 0; w < ARRAY_LEN(works); w++) {
        if (!wanted(d, w))
            continue;
        for (size_t t = 0; t < TRANSPORTS; t++)
            for (size_t i = 0; measured(d, w, t) && i < d->contenders; i++)
                add(d, w, i, transports[t].name, "1/s", false, &d->tx_s[i][w][t]);
        for (size_t i = 0; i < d->contenders; i++) {
            add(d, w, i, "processor time each", "us", true, &d->cpu_us[i][w]);
            add(d, w, i, "gas", "Mgas/s", false, &d->gas_s[i][w]);
        }
        add(d, w, 1, "blocks", "1/s", false, &d->blocks_s[w]);
        add(d, w, 1, "syncs of the log for all of them", "", false, &d->syncs[w]);
    }
    bench_add_series(d->r,
                     &(struct bench_row){.name = "fdatasync of the log, p50 below", .unit = "us"},
                     &d->sync_p50);
    bench_add_series(d->r,
                     &(struct bench_row){.name = "fdatasync of the log, p99 below", .unit = "us"},
                     &d->sync_p99);
}

static enum err set_up(struct durable *d, struct err_ctx *ec) {
    static const char *const library[] = {"--recover", "libsecp256k1", NULL};
    static const char *const vectorised[] = {"--recover", "vectorised", NULL};
    TRY(bench_contender_prepare(&d->c[0], d->r, BENCH_SENDERS, ec));
    TRY(bench_contender_fork(&d->c[1], &d->c[0], ec));
    TRY(bench_contender_serve(&d->c[0], d->r, "libsecp256k1", library, ec));
    TRY(bench_contender_serve(&d->c[1], d->r, "vectorised", vectorised, ec));
    d->contenders = 2;
    if (d->r->peer == NULL)
        return ERR_OK;
    static const char *const mine_when_told[] = {"--no-mining", NULL};
    TRY(bench_contender_peer(&d->c[2], d->r, mine_when_told, ec));
    d->contenders = CONTENDERS;
    return ERR_OK;
}

enum err bench_durable(struct bench_report *r, struct err_ctx *ec) {
    struct durable *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->r = r;
    d->count = r->count != 0 ? r->count : COUNT_DEFAULT;
    for (size_t i = 0; i < CONTENDERS; i++)
        bench_contender_init(&d->c[i]);
    enum err e = set_up(d, ec);
    if (e == ERR_OK)
        bench_contender_say(r, &d->c[0]);
    if (e == ERR_OK)
        e = measure(d, ec);
    if (e == ERR_OK)
        report(d);
    for (size_t w = 0; e == ERR_OK && w < ARRAY_LEN(works); w++)
        e = bench_contender_parent_bytes(r, &d->c[1], works[w], ec);
    for (size_t i = 0; i < CONTENDERS; i++)
        bench_contender_stop(&d->c[i]);
    free(d);
    return e;
}
