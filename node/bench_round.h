/* SPDX-License-Identifier: Apache-2.0 */
/* A round of load: so many transactions, signed beforehand, sent over many connections as fast as
 * the answers come or at a pace, and looked at afterwards. */
#ifndef NODE_BENCH_ROUND_H
#define NODE_BENCH_ROUND_H

#include "base/arena.h"
#include "node/bench_chain.h"
#include "node/bench_client.h"
#include "node/bench_load.h"

/* Makes the next transaction of a round. */
typedef enum err (*bench_sign_fn)(struct bench_tx *out, struct bench_chain *chain, struct arena *a,
                                  void *ctx, struct err_ctx *ec);

struct bench_round_options {
    const char *url;
    const char *method; /* "eth_sendRawTransaction", "eth_sendRawTransactionSync" */
    size_t count, connections, depth;
    double rate;        /* requests per second; 0: as fast as the answers come */
    bool sleepy;        /* bench_load_options */
    bench_sign_fn sign; /* transactions go to the connections in turns */
    void *ctx;
};
struct bench_round {
    struct bench_tx *txs;
    size_t count;
    struct arena arena;
    struct bench_load *load;
};

/* Signs them and opens the connections. ERR_SIGNATURE, ERR_CONFIG, ERR_IO. */
enum err bench_round_make(struct bench_round *out, struct bench_chain *chain,
                          const struct bench_round_options *o, struct err_ctx *ec) MUST_USE;
/* Also of one that failed. */
void bench_round_free(struct bench_round *r);
/* Once. As bench_load_run. */
enum err bench_round_send(struct bench_round *r, struct bench_load_result *out,
                          struct err_ctx *ec) MUST_USE;

/* All of it, receipts looked at (bench_chain_check_receipts). us: NULL, or room for `count` times
 * in microseconds. */
enum err bench_round_run(double *us, struct bench_chain *chain, struct bench_client *client,
                         const struct bench_round_options *o, struct err_ctx *ec) MUST_USE;

/* Appends `{... "method": METHOD, "params": ["0x..."]}` with the transaction. */
void bench_put_send(struct buf *b, const char *method, size_t id, const struct bench_tx *tx);

/* Transactions of one kind: ctx is an enum bench_work. */
enum err bench_sign_work(struct bench_tx *out, struct bench_chain *chain, struct arena *a,
                         void *ctx, struct err_ctx *ec) MUST_USE;
/* The mix by count: of each hundred 60 transfers, 25 ERC-20, 14 ERC-1155 mints and a deployment,
 * always in the same order. ctx is a uint64_t that counts them. */
enum err bench_sign_mix(struct bench_tx *out, struct bench_chain *chain, struct arena *a, void *ctx,
                        struct err_ctx *ec) MUST_USE;

#endif
