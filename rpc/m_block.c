/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks, their transactions and receipts. What is unknown is null, not an error. */
#include "rpc/handlers.h"

#include "rpc/format.h"
#include "rpc/reader.h"

static void null_result(struct rpc_call *c) {
    struct json_writer w;
    if (rpc_failed(c))
        return;
    jw_init(&w, &c->result);
    jw_null(&w);
}

/* The block that argument 0 names, by number and tag or by hash. False: unknown, or the error is
 * set. */
static bool find_block(struct rpc_call *c, bool by_hash, uint64_t *out_number) {
    struct block_ref ref = {0};
    if (by_hash) {
        ref.kind = BLOCK_REF_HASH;
        if (!param_hash(c, 0, &ref.hash))
            return false;
    } else if (!param_block(c, 0, &ref, false)) {
        return false;
    }
    return rpc_resolve(c, &ref, out_number);
}

static bool find_head(struct rpc_call *c, bool by_hash, struct index_head *out) {
    uint64_t number = 0;
    if (!find_block(c, by_hash, &number))
        return false;
    enum err e = index_head(out, rpc_head_view(c), number);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        rpc_fail_err(c, e, NULL);
    return e == ERR_OK;
}

static void block(struct rpc_call *c, bool by_hash) {
    uint64_t number = 0;
    bool full = false;
    struct index_block b;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!param_bool(c, 1, &full))
        return;
    if (find_block(c, by_hash, &number) && rpc_load_block(c, number, &b))
        format_block(&w, &b.head, &b, full);
    else
        null_result(c);
}

void rpc_eth_get_block_by_number(struct rpc_call *c) {
    block(c, false);
}

void rpc_eth_get_block_by_hash(struct rpc_call *c) {
    block(c, true);
}

static void header(struct rpc_call *c, bool by_hash) {
    struct index_head h;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (find_head(c, by_hash, &h))
        format_block(&w, &h, NULL, false);
    else
        null_result(c);
}

void rpc_eth_get_header_by_number(struct rpc_call *c) {
    header(c, false);
}

void rpc_eth_get_header_by_hash(struct rpc_call *c) {
    header(c, true);
}

static void tx_count(struct rpc_call *c, bool by_hash, bool uncles) {
    struct index_head h;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (find_head(c, by_hash, &h))
        jw_u64(&w, uncles ? 0 : h.tx_count);
    else
        null_result(c);
}

void rpc_eth_get_tx_count_by_number(struct rpc_call *c) {
    tx_count(c, false, false);
}

void rpc_eth_get_tx_count_by_hash(struct rpc_call *c) {
    tx_count(c, true, false);
}

void rpc_eth_get_uncle_count_by_number(struct rpc_call *c) {
    tx_count(c, false, true);
}

void rpc_eth_get_uncle_count_by_hash(struct rpc_call *c) {
    tx_count(c, true, true);
}

void rpc_eth_get_block_receipts(struct rpc_call *c) {
    struct block_ref ref;
    uint64_t number = 0;
    struct index_block b;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!param_block(c, 0, &ref, true))
        return;
    if (ref.kind == BLOCK_REF_PENDING) {
        rpc_fail(c, RPC_SERVER_ERROR, "pending receipts is not available");
        return;
    }
    if (!rpc_resolve(c, &ref, &number) || !rpc_load_block(c, number, &b)) {
        null_result(c);
        return;
    }
    jw_array(&w);
    for (size_t i = 0; i < b.tx_count; i++)
        format_receipt(&w, &b, i);
    jw_array_end(&w);
}

/* --- transactions -------------------------------------------------------------------------- */
static void tx_at(struct rpc_call *c, bool by_hash) {
    uint64_t number = 0, idx = 0;
    size_t at = 0;
    struct index_block b;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!param_u64(c, 1, &idx))
        return;
    if (find_block(c, by_hash, &number) && rpc_load_tx(c, number, idx, &b, &at))
        format_tx(&w, &b, at);
    else
        null_result(c);
}

void rpc_eth_get_tx_by_number_idx(struct rpc_call *c) {
    tx_at(c, false);
}

void rpc_eth_get_tx_by_hash_idx(struct rpc_call *c) {
    tx_at(c, true);
}

/* Finds a transaction in a block: out->txs[*out_at]. False: not there, or the error is set. */
static bool find_tx(struct rpc_call *c, const hash32 *hash, struct index_block *out,
                    size_t *out_at) {
    uint64_t number = 0;
    uint32_t idx = 0;
    enum err e = index_find_tx(&number, &idx, rpc_head_view(c), hash);
    if (e != ERR_OK) {
        if (e != ERR_NOT_FOUND)
            rpc_fail_err(c, e, NULL);
        return false;
    }
    return rpc_load_tx(c, number, idx, out, out_at);
}

/* Finds a transaction that waits in the pool, or was handed on to whose pool it is; it lives in the
 * call's arena. */
static bool find_pooled(struct rpc_call *c, const hash32 *hash, struct tx *out) {
    const struct node_commands *node = c->cx->node;
    struct buf envelope;
    addr20 sender;
    buf_init(&envelope, MESSAGE_TX_MAX_BYTES);
    bool ok =
        node->pooled(node->ctx, hash, &envelope, &sender) ||
        (node->forwarded != NULL && node->forwarded(node->forwarder, hash, &envelope, &sender));
    if (ok) {
        bytes copy = arena_copy(rpc_arena(c), buf_bytes(&envelope));
        ok = tx_decode(out, rpc_arena(c), copy, false, NULL) == ERR_OK;
        out->sender = sender;
        out->has_sender = true;
    }
    buf_clear(&envelope);
    return ok;
}

enum tx_place { TX_NOWHERE, TX_IN_BLOCK, TX_IN_POOL };

/* Finds a transaction wherever it is: its block and where it has it, or itself in *out_pooled. */
static enum tx_place locate_tx(struct rpc_call *c, const hash32 *hash, struct index_block *out,
                               size_t *out_at, struct tx *out_pooled) {
    if (find_tx(c, hash, out, out_at))
        return TX_IN_BLOCK;
    if (rpc_failed(c))
        return TX_NOWHERE;
    if (find_pooled(c, hash, out_pooled))
        return TX_IN_POOL;
    /* It may have left the pool for a block after the view of the first look was pinned. */
    return rpc_renew_head(c) && find_tx(c, hash, out, out_at) ? TX_IN_BLOCK : TX_NOWHERE;
}

void format_tx_of(struct rpc_call *c, struct json_writer *w, const hash32 *hash) {
    struct index_block b;
    size_t at = 0;
    struct tx pooled;
    switch (locate_tx(c, hash, &b, &at, &pooled)) {
    case TX_IN_BLOCK:
        format_tx(w, &b, at);
        break;
    case TX_IN_POOL:
        format_pending_tx(w, &pooled);
        break;
    case TX_NOWHERE:
        jw_null(w);
        break;
    }
}

void rpc_eth_get_tx_by_hash(struct rpc_call *c) {
    hash32 hash;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (param_hash(c, 0, &hash))
        format_tx_of(c, &w, &hash);
}

void rpc_eth_get_raw_tx_by_hash(struct rpc_call *c) {
    hash32 hash;
    struct index_block b;
    size_t at = 0;
    struct tx pooled;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!param_hash(c, 0, &hash))
        return;
    switch (locate_tx(c, &hash, &b, &at, &pooled)) {
    case TX_IN_BLOCK:
        jw_data(&w, b.txs[at].raw.ptr, b.txs[at].raw.len);
        break;
    case TX_IN_POOL:
        jw_data(&w, pooled.raw.ptr, pooled.raw.len);
        break;
    case TX_NOWHERE:
        null_result(c);
        break;
    }
}

void rpc_eth_get_tx_receipt(struct rpc_call *c) {
    hash32 hash;
    if (param_hash(c, 0, &hash))
        format_receipt_of(c, &hash);
}
