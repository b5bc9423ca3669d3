/* SPDX-License-Identifier: Apache-2.0 */
/* Log queries as eth_getLogs makes them, for it and for the filters that are polled. Reader
 * threads. */
#ifndef RPC_LOGS_H
#define RPC_LOGS_H

#include "rpc/given.h"
#include "rpc/params.h"
#include "rpc/reader.h"

/* Numbers of the first and last block of a filter; false with the error set. */
bool rpc_logs_range(struct rpc_call *c, const struct filter_args *f, uint64_t *from, uint64_t *to);
/* Whether a filter has neither address nor topic. */
bool rpc_logs_bare(const struct index_filter *f);
/* What a filter's client knows: the logs of blocks above `void_above` are taken back before those
 * that are found, which are added to `now`. */
struct rpc_logs_told {
    const struct rpc_given *before;
    uint64_t void_above;
    struct rpc_given *now;
};
/* Writes the logs as an array; `told` NULL: to nobody in particular. ERR_BUSY when a limit was met:
 * the result then has the logs up to block *out_last, which is from - 1 when there are none. */
enum err rpc_logs_query(struct rpc_call *c, const struct index_filter *f,
                        const struct rpc_logs_told *told, uint64_t *out_last,
                        struct err_ctx *ec) MUST_USE;
/* The answer of eth_getLogs. */
void rpc_logs_answer(struct rpc_call *c, const struct filter_args *args);

#endif
