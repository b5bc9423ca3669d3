/* SPDX-License-Identifier: Apache-2.0 */
/* `run --replay` of a log of the mix (bench_sign_mix), made for the purpose. Every block's hash is
 * compared on the way; roots, receipts, log and checkpoints are all made again. */
#include "node/bench_contender.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT_DEFAULT = 50000, STEP = 10000, CONNECTIONS = 16, DEPTH = 16 };

static enum err make_log(struct bench_contender *c, size_t count, struct err_ctx *ec) {
    uint64_t mixed = 0;
    for (size_t at = 0; at < count; at += STEP) {
        struct bench_round_options o = {.url = c->node.url,
                                        .method = "eth_sendRawTransaction",
                                        .count = count - at < STEP ? count - at : STEP,
                                        .connections = CONNECTIONS,
                                        .depth = DEPTH,
                                        .sign = bench_sign_mix,
                                        .ctx = &mixed};
        TRY(bench_round_run(NULL, &c->chain, &c->client, &o, ec));
    }
    return bench_chain_check_balances(&c->chain, &c->client, ec);
}

struct replayed {
    double tx_s, mgas_s;
    unsigned long long txs;
};

static enum err replay_once(struct replayed *out, const struct bench_contender *c,
                            struct err_ctx *ec) {
    struct bench_node fresh;
    char command[4 * DATADIR_PATH_MAX], line[512];
    bool found = false;
    TRY(bench_node_folder(&fresh, ec));
    snprintf(command, sizeof command,
             "exec /proc/%d/exe run --chain '%s/genesis.json' --datadir '%s/data' --replay "
             "'%s/data' --log-level error",
             (int)getpid(), c->node.dir, fresh.dir, c->node.dir);
    FILE *p = popen(command, "r");
    while (p != NULL && fgets(line, sizeof line, p) != NULL)
        if (sscanf(line,
                   "replayed blocks=%*u txs=%llu gas=%*u rewinds=%*u seconds=%*f txs_per_s=%lf "
                   "mgas_per_s=%lf",
                   &out->txs, &out->tx_s, &out->mgas_s) == 3)
            found = true;
    int status = p != NULL ? pclose(p) : -1;
    bench_node_stop(&fresh);
    if (status != 0 || !found)
        FAIL(ec, ERR_MISMATCH, "the replay did not end well");
    return ERR_OK;
}

static enum err run(struct bench_report *r, struct bench_contender *c, struct err_ctx *ec) {
    static const char *const plain[] = {NULL};
    struct bench_series tx_s = {0}, mgas_s = {0};
    struct bench_report small = *r;
    size_t count = r->count != 0 ? r->count : COUNT_DEFAULT;
    small.accounts = 2 * BENCH_SENDERS + 2; /* nothing but the mix is in the log */
    small.both_cores = true;
    enum err e = bench_contender_prepare(c, &small, BENCH_SENDERS, ec);
    r->folders = small.folders;
    TRY(e);
    TRY(bench_contender_serve(c, &small, "callipter", plain, ec));
    TRY(make_log(c, count, ec));
    bench_contender_end(c);
    for (size_t i = 0; i < r->runs; i++) {
        struct replayed one = {0};
        TRY(replay_once(&one, c, ec));
        if (one.txs < count)
            FAIL(ec, ERR_MISMATCH, "%llu transactions were replayed of %zu", one.txs, count);
        bench_series_add(&tx_s, one.tx_s, 0);
        bench_series_add(&mgas_s, one.mgas_s, 0);
    }
    bench_add_series(r, &(struct bench_row){.name = "transactions of the mix", .unit = "1/s"},
                     &tx_s);
    bench_add_series(r, &(struct bench_row){.name = "gas of the mix", .unit = "Mgas/s"}, &mgas_s);
    return ERR_OK;
}

enum err bench_replay(struct bench_report *r, struct err_ctx *ec) {
    struct bench_contender c;
    bench_contender_init(&c);
    bench_pin(BENCH_ALL_CORES);
    enum err e = run(r, &c, ec);
    bench_contender_stop(&c);
    return e;
}
