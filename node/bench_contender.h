/* SPDX-License-Identifier: Apache-2.0 */
/* A node under load, or the peer, with what the load knows of its chain. */
#ifndef NODE_BENCH_CONTENDER_H
#define NODE_BENCH_CONTENDER_H

#include "node/bench.h"
#include "node/bench_chain.h"
#include "node/bench_client.h"
#include "node/bench_load.h"
#include "node/bench_node.h"
#include "node/bench_round.h"

enum {
    BENCH_SENDERS = 10000,     /* and as many recipients */
    BENCH_PEER_SENDERS = 1000, /* the peer is given fewer accounts, which is to its advantage */
    BENCH_ACCOUNTS = 1000000,  /* in our state, unless --accounts says otherwise */
    BENCH_TIMES_BUCKETS_MAX = 20,
};

struct bench_contender {
    char name[48];
    bool is_peer;
    struct bench_node node;
    struct bench_chain chain;
    struct bench_client client;
    /* Blocks that the last load of each kind made, and its transactions. */
    struct bench_made {
        uint64_t first_block, last_block, txs;
    } made[BENCH_WORK_COUNT];
};

void bench_contender_init(struct bench_contender *c);
/* Also of one that was never started. */
void bench_contender_stop(struct bench_contender *c);
/* Ends the process; the folder stays, for bench_contender_serve. */
void bench_contender_end(struct bench_contender *c);

/* A folder with block 0 and, by transactions, all the accounts that are wanted, `senders` of them
 * ours to send from, at most BENCH_SENDERS; the node is not running afterwards. Such a folder is
 * made once per number of accounts and then copied: r->folders, the caller's of the benches to
 * free. */
enum err bench_contender_prepare(struct bench_contender *c, struct bench_report *r, size_t senders,
                                 struct err_ctx *ec) MUST_USE;
/* NULL is allowed. */
void bench_folders_free(struct bench_folders *f);
/* Another one from the same folder, copied. */
enum err bench_contender_fork(struct bench_contender *out, const struct bench_contender *c,
                              struct err_ctx *ec) MUST_USE;
/* Starts the node with these arguments (NULL at the end) beside its folder's. */
enum err bench_contender_serve(struct bench_contender *c, const struct bench_report *r,
                               const char *name, const char *const *args,
                               struct err_ctx *ec) MUST_USE;
/* Starts the peer on a chain of the same contracts; r->peer is its program. */
enum err bench_contender_peer(struct bench_contender *c, const struct bench_report *r,
                              const char *const *args, struct err_ctx *ec) MUST_USE;
/* Has the peer mine until nothing waits; *out_s is the time of that, not of asking whether. */
enum err bench_contender_mine(struct bench_contender *c, double *out_s,
                              struct err_ctx *ec) MUST_USE;

/* Notes what is measured on: file system, accounts, cores. */
void bench_contender_say(struct bench_report *r, const struct bench_contender *c);
/* Ends the node if it runs and adds what the blocks of the last load of this kind cost on the
 * parent chain: framed messages in brotli, as batches hold them. */
enum err bench_contender_parent_bytes(struct bench_report *r, struct bench_contender *c,
                                      enum bench_work w, struct err_ctx *ec) MUST_USE;

/* One of the node's own histograms of times, as /metrics has it. */
struct bench_times {
    uint64_t count;
    size_t buckets;
    double le[BENCH_TIMES_BUCKETS_MAX];
    uint64_t upto[BENCH_TIMES_BUCKETS_MAX]; /* values <= le */
};
enum err bench_times_read(struct bench_times *out, struct bench_contender *c, const char *name,
                          struct err_ctx *ec) MUST_USE;
/* The bound below which the part `q` of the values between the two readings lies, the last
 * finite one if it is above them all; 0 if there are none. */
double bench_times_quantile(const struct bench_times *before, const struct bench_times *after,
                            double q);

#endif
