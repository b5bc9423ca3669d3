/* SPDX-License-Identifier: Apache-2.0 */
/* Prices. Tips are ignored on this chain, so every reward is 0. */
#include "rpc/handlers.h"

#include "base/check.h"
#include "rpc/api.h"
#include "rpc/json_writer.h"
#include "rpc/reader.h"
#include "rpc/sponsor.h"

#include <inttypes.h>

enum { FEE_HISTORY_BLOCKS_MAX = 1024, FEE_HISTORY_PERCENTILES_MAX = 100 };

/* P of the block that would follow `head` now; on /u/<slug> what this universe's wallets offer. */
static bool next_price(struct rpc_call *c, const struct index_head *head, u256 *out) {
    if (c->origin->slug[0] != '\0')
        return rpc_universe_fee(c, head, c->origin->slug, out);
    struct chain *chain = rpc_executor(c, head->header.number);
    if (chain == NULL)
        return false;
    *out = chain_next_price(chain, &head->header, c->cx->node->now(c->cx->node->ctx));
    return true;
}

void rpc_eth_gas_price(struct rpc_call *c) {
    struct block_ref latest = {.kind = BLOCK_REF_LATEST};
    struct index_head h;
    struct json_writer w;
    u256 price;
    jw_init(&w, &c->result);
    if (rpc_need_block(c, &latest, &h) && next_price(c, &h, &price))
        jw_u256(&w, &price);
}

/* Number of percentiles asked for, checked as geth does. */
static bool percentiles(struct rpc_call *c, size_t *out_count) {
    json_t *list = param_at(c, 2);
    double last = 0;
    *out_count = json_array_size(list);
    if (list != NULL && !json_is_array(list)) {
        rpc_fail_arg(c, 2, "json: cannot unmarshal value into Go value of type []float64");
        return false;
    }
    if (*out_count > FEE_HISTORY_PERCENTILES_MAX) {
        rpc_fail(c, RPC_SERVER_ERROR, "invalid reward percentile: over the query limit %d",
                 FEE_HISTORY_PERCENTILES_MAX);
        return false;
    }
    for (size_t i = 0; i < *out_count; i++) {
        json_t *v = json_array_get(list, i);
        double p = json_number_value(v);
        if (!json_is_number(v) || p < 0 || p > 100) {
            rpc_fail(c, RPC_SERVER_ERROR, "invalid reward percentile: %f", p);
            return false;
        }
        if (i > 0 && p <= last) {
            rpc_fail(c, RPC_SERVER_ERROR, "invalid reward percentile: #%zu:%f >= #%zu:%f", i - 1,
                     last, i, p);
            return false;
        }
        last = p;
    }
    return true;
}

/* Headers of [from, from + n), and in prices[n] the price after them. */
static bool load_history(struct rpc_call *c, uint64_t from, size_t n, struct index_head *heads,
                         u256 *prices) {
    for (size_t i = 0; i < n; i++) {
        enum err e = index_head(&heads[i], rpc_head_view(c), from + i);
        if (e != ERR_OK) {
            rpc_fail_err(c, e, NULL);
            return false;
        }
        prices[i] = heads[i].header.base_fee;
    }
    struct index_head next;
    if (from + n > rpc_head_number(c))
        return next_price(c, &heads[n - 1], &prices[n]);
    enum err e = index_head(&next, rpc_head_view(c), from + n);
    if (e != ERR_OK)
        rpc_fail_err(c, e, NULL);
    else
        prices[n] = next.header.base_fee;
    return e == ERR_OK;
}

static void write_rewards(struct json_writer *w, size_t blocks, size_t percentile_count) {
    jw_key(w, "reward");
    jw_array(w);
    for (size_t i = 0; i < blocks; i++) {
        jw_array(w);
        for (size_t k = 0; k < percentile_count; k++)
            jw_u64(w, 0);
        jw_array_end(w);
    }
    jw_array_end(w);
}

/* Blocks [from, from + n), n > 0. */
static void write_history(struct rpc_call *c, struct json_writer *w, uint64_t from, size_t n,
                          size_t reward_count) {
    struct index_head *heads = arena_alloc(rpc_arena(c), n * sizeof(*heads));
    u256 *prices = arena_alloc(rpc_arena(c), (n + 1) * sizeof(*prices));
    if (!load_history(c, from, n, heads, prices))
        return;
    jw_object(w);
    jw_m_u64(w, "oldestBlock", from);
    jw_key(w, "baseFeePerGas");
    jw_array(w);
    for (size_t i = 0; i <= n; i++)
        jw_u256(w, &prices[i]);
    jw_array_end(w);
    jw_key(w, "gasUsedRatio");
    jw_array(w);
    for (size_t i = 0; i < n; i++)
        jw_double(w, (double)heads[i].header.gas_used / (double)heads[i].header.gas_limit);
    jw_array_end(w);
    jw_key(w, "baseFeePerBlobGas");
    jw_array(w);
    for (size_t i = 0; i <= n; i++)
        jw_u64(w, 1);
    jw_array_end(w);
    jw_key(w, "blobGasUsedRatio");
    jw_array(w);
    for (size_t i = 0; i < n; i++)
        jw_int(w, 0);
    jw_array_end(w);
    if (reward_count > 0)
        write_rewards(w, n, reward_count);
    jw_object_end(w);
}

void rpc_eth_fee_history(struct rpc_call *c) {
    uint64_t count = 0, newest = 0, head = rpc_head_number(c);
    struct block_ref ref;
    size_t reward_count = 0;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!param_u64(c, 0, &count) || !param_block(c, 1, &ref, false))
        return;
    if (count == 0) { /* nothing asked, nothing wrong */
        jw_object(&w);
        jw_m_u64(&w, "oldestBlock", 0);
        jw_key(&w, "gasUsedRatio");
        jw_null(&w);
        jw_object_end(&w);
        return;
    }
    if (!percentiles(c, &reward_count))
        return;
    if (!rpc_resolve(c, &ref, &newest)) {
        rpc_fail(c, RPC_SERVER_ERROR,
                 "request beyond head block: requested %" PRIu64 ", head %" PRIu64, ref.number,
                 head);
        return;
    }
    if (count > FEE_HISTORY_BLOCKS_MAX)
        count = FEE_HISTORY_BLOCKS_MAX;
    if (count > newest + 1)
        count = newest + 1;
    write_history(c, &w, newest + 1 - count, (size_t)count, reward_count);
}
