/* SPDX-License-Identifier: Apache-2.0 */
/* A node on a large state: how long it takes to serve again after a stop and after it was killed
 * under load, and its private memory after the start and after a load at a fixed pace (bench memory
 * is the long one). */
#include "node/bench_contender.h"

#include "base/check.h"

enum {
    LOAD_COUNT = 20000,
    PACE = 5000,
    CONNECTIONS = 16,
    DEPTH = 16,
};
#define MIB (1024.0 * 1024.0)

/* Coin transfers at the pace; *out is the memory in use after them. */
static enum err load(struct bench_contender *c, size_t n, double *out, struct err_ctx *ec) {
    enum bench_work work = BENCH_ERC20;
    struct bench_round_options o = {.url = c->node.url,
                                    .method = "eth_sendRawTransaction",
                                    .count = n,
                                    .connections = CONNECTIONS,
                                    .depth = DEPTH,
                                    .rate = PACE,
                                    .sign = bench_sign_work,
                                    .ctx = &work};
    TRY(bench_round_run(NULL, &c->chain, &c->client, &o, ec));
    *out = bench_node_memory(&c->node).anonymous;
    return ERR_OK;
}

static enum err start(struct bench_contender *c, const struct bench_report *r, double *out_ms,
                      struct err_ctx *ec) {
    static const char *const plain[] = {NULL};
    double begun = bench_now_ns();
    TRY(bench_contender_serve(c, r, "callipter", plain, ec));
    *out_ms = (bench_now_ns() - begun) / 1e6;
    return ERR_OK;
}

/* All that was acknowledged before it was killed is there. */
static enum err check_crowd(struct bench_contender *c, uint64_t want, struct err_ctx *ec) {
    uint64_t have;
    TRY(bench_chain_crowd(&have, &c->client, ec));
    if (have != want)
        FAIL(ec, ERR_MISMATCH, "%llu accounts are left of %llu", (unsigned long long)have,
             (unsigned long long)want);
    return ERR_OK;
}

static enum err run(struct bench_report *r, struct bench_contender *c, struct err_ctx *ec) {
    struct bench_series stopped = {0}, killed = {0}, at_start = {0}, loaded = {0};
    size_t n = r->count != 0 ? r->count : LOAD_COUNT;
    uint64_t accounts;
    double ms;
    TRY(bench_contender_prepare(c, r, BENCH_SENDERS, ec));
    bench_contender_say(r, c);
    for (size_t run_no = 0; run_no < r->runs; run_no++) {
        double memory = 0;
        TRY(start(c, r, &ms, ec));
        bench_series_add(&stopped, ms, 0);
        bench_series_add(&at_start, bench_node_memory(&c->node).anonymous / MIB, 0);
        TRY(bench_chain_crowd(&accounts, &c->client, ec));
        TRY(load(c, n, &memory, ec));
        bench_series_add(&loaded, memory / MIB, 0);
        bench_client_close(&c->client);
        bench_node_kill(&c->node);
        TRY(start(c, r, &ms, ec));
        bench_series_add(&killed, ms, 0);
        TRY(check_crowd(c, accounts, ec));
        bench_contender_end(c);
    }
    bench_add_series(r, &(struct bench_row){.name = "start after a stop", .unit = "ms"}, &stopped);
    bench_add_series(
        r, &(struct bench_row){.name = "start after being killed under load", .unit = "ms"},
        &killed);
    bench_add_series(r, &(struct bench_row){.name = "private memory once it serves", .unit = "MiB"},
                     &at_start);
    bench_add_series(
        r, &(struct bench_row){.name = "private memory after load at 5,000/s", .unit = "MiB"},
        &loaded);
    return ERR_OK;
}

enum err bench_restart(struct bench_report *r, struct err_ctx *ec) {
    struct bench_contender c;
    bench_contender_init(&c);
    enum err e = run(r, &c, ec);
    bench_contender_stop(&c);
    return e;
}
