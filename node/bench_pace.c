/* SPDX-License-Identifier: Apache-2.0 */
/* One transaction to its durable receipt (EIP-7966) while others come at a fixed pace, whatever the
 * node does: every one of them is measured, from when it was due. At two gaps between blocks, on an
 * all but idle node and at 5,000 transactions per second; for that, where the time goes by the
 * node's own stages. */
#include "node/bench_contender.h"

#include "base/check.h"

#include <stdlib.h>

enum {
    IDLE_RATE = 100,
    LOAD_RATE = 5000,
    IDLE_COUNT = 300,
    LOAD_COUNT = 15000,
    CONNECTIONS = 64,
    DEPTH = 16,
    NAME_MAX_BYTES = 96,
};
static const double quantiles[] = {0.5, 0.9, 0.99, 1};
static const char *const quantile_names[] = {"p50", "p90", "p99", "longest"};

static const struct {
    const char *metric, *text;
} stages[] = {
    {"node_intake_wait_us", "waiting for intake"},
    {"node_pool_wait_us", "recovered and waiting for execution"},
    {"node_executed_to_durable_us", "from execution to durable"},
    {"node_send_to_durable_us", "all of these"},
    {"node_seal_us", "sealing one block"},
    {"node_log_sync_us", "one sync of the log"},
    {"node_answer_us", "announcing one block"},
};

struct pace {
    struct bench_series us[ARRAY_LEN(quantiles)];
};
struct stage {
    struct bench_series p50, p99;
};

static enum err paced(double us[ARRAY_LEN(quantiles)], struct bench_contender *c, size_t n,
                      double rate, struct err_ctx *ec) {
    enum bench_work work = BENCH_TRANSFER;
    struct bench_round_options o = {.url = c->node.url,
                                    .method = "eth_sendRawTransactionSync",
                                    .count = n,
                                    .connections = CONNECTIONS,
                                    .depth = DEPTH,
                                    .rate = rate,
                                    .sign = bench_sign_work,
                                    .ctx = &work};
    double *each = calloc(n, sizeof *each);
    CHECK(each != NULL);
    enum err e = bench_round_run(each, &c->chain, &c->client, &o, ec);
    for (size_t q = 0; e == ERR_OK && q < ARRAY_LEN(quantiles); q++)
        us[q] = bench_quantile(each, n, quantiles[q]);
    free(each);
    return e;
}

static void report(struct bench_report *r, const struct pace *p, const char *gap, const char *load,
                   const char *peer) {
    for (size_t q = 0; q < ARRAY_LEN(quantiles); q++) {
        char name[NAME_MAX_BYTES];
        snprintf(name, sizeof name, "transaction to durable receipt, gap %s, %s, %s", gap, load,
                 quantile_names[q]);
        bench_add_series(r,
                         &(struct bench_row){
                             .name = name, .unit = "us", .peer = peer, .smaller_is_better = true},
                         &p->us[q]);
    }
}

static void report_stages(struct bench_report *r, const struct stage *s, const char *gap) {
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        char name[NAME_MAX_BYTES];
        struct bench_row row = {.name = name, .unit = "us"};
        snprintf(name, sizeof name, "of that, gap %s, 5,000/s, %s, p50 up to", gap, stages[i].text);
        bench_add_series(r, &row, &s[i].p50);
        snprintf(name, sizeof name, "of that, gap %s, 5,000/s, %s, p99 up to", gap, stages[i].text);
        bench_add_series(r, &row, &s[i].p99);
    }
}

static enum err read_stages(struct bench_times out[ARRAY_LEN(stages)], struct bench_contender *c,
                            struct err_ctx *ec) {
    for (size_t i = 0; i < ARRAY_LEN(stages); i++)
        TRY(bench_times_read(&out[i], c, stages[i].metric, ec));
    return ERR_OK;
}

/* The loaded part, with the node's stages over it. */
static enum err staged(double us[ARRAY_LEN(quantiles)], struct stage *s, struct bench_contender *c,
                       size_t n, struct err_ctx *ec) {
    struct bench_times before[ARRAY_LEN(stages)], after[ARRAY_LEN(stages)];
    TRY(read_stages(before, c, ec));
    TRY(paced(us, c, n, LOAD_RATE, ec));
    TRY(read_stages(after, c, ec));
    for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
        bench_series_add(&s[i].p50, bench_times_quantile(&before[i], &after[i], 0.5), 0);
        bench_series_add(&s[i].p99, bench_times_quantile(&before[i], &after[i], 0.99), 0);
    }
    return ERR_OK;
}

static enum err measure(struct bench_report *r, struct bench_contender *c,
                        struct bench_contender *peer, const char *gap, struct err_ctx *ec) {
    struct pace idle = {0}, loaded = {0};
    struct stage in[ARRAY_LEN(stages)] = {0};
    size_t n = r->count != 0 ? r->count : LOAD_COUNT;
    size_t idle_n = n < IDLE_COUNT ? n : IDLE_COUNT;
    for (size_t run = 0; run < r->runs; run++) {
        double us[ARRAY_LEN(quantiles)], peers[ARRAY_LEN(quantiles)] = {0};
        TRY(paced(us, c, idle_n, IDLE_RATE, ec));
        if (peer->is_peer)
            TRY(paced(peers, peer, idle_n, IDLE_RATE, ec));
        for (size_t q = 0; q < ARRAY_LEN(quantiles); q++)
            bench_series_add(&idle.us[q], us[q], peers[q]);
        TRY(staged(us, in, c, n, ec));
        for (size_t q = 0; q < ARRAY_LEN(quantiles); q++)
            bench_series_add(&loaded.us[q], us[q], 0);
    }
    report(r, &idle, gap, "100/s", peer->is_peer ? peer->name : NULL);
    report(r, &loaded, gap, "5,000/s", NULL);
    report_stages(r, in, gap);
    return bench_chain_check_balances(&c->chain, &c->client, ec);
}

enum err bench_pace(struct bench_report *r, struct err_ctx *ec) {
    static const struct {
        const char *name;
        const char *args[3];
    } gaps[] = {{"1 ms", {"--block-gap-ms", "1", NULL}}, {"default", {NULL}}};
    static const char *const mines_at_once[] = {NULL};
    struct bench_contender c, peer;
    bench_contender_init(&c);
    bench_contender_init(&peer);
    enum err e = bench_contender_prepare(&c, r, BENCH_SENDERS, ec);
    if (e == ERR_OK && r->peer != NULL)
        e = bench_contender_peer(&peer, r, mines_at_once, ec);
    if (e == ERR_OK)
        bench_contender_say(r, &c);
    for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(gaps); i++) {
        if (r->only != NULL && strstr(gaps[i].name, r->only) == NULL)
            continue;
        e = bench_contender_serve(&c, r, gaps[i].name, gaps[i].args, ec);
        if (e == ERR_OK)
            e = measure(r, &c, &peer, gaps[i].name, ec);
        bench_contender_end(&c);
    }
    bench_contender_stop(&c);
    bench_contender_stop(&peer);
    return e;
}
