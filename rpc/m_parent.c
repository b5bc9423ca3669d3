/* SPDX-License-Identifier: Apache-2.0 */
/* Methods about the parent chain and for the chain's own nodes. */
#include "rpc/handlers.h"
#include "rpc/json_writer.h"
#include "rpc/params.h"
#include "rpc/reader.h"

static struct json_writer writer(struct rpc_call *c) {
    struct json_writer w;
    jw_init(&w, &c->result);
    return w;
}

void rpc_debug_get_raw_header(struct rpc_call *c) {
    struct block_ref ref;
    struct index_head head;
    struct buf b;
    if (!param_block(c, 0, &ref, true) || !rpc_need_block(c, &ref, &head))
        return;
    buf_init(&b, HEADER_ENCODED_MAX_BYTES);
    header_encode(&b, &head.header);
    struct json_writer w = writer(c);
    jw_data(&w, b.ptr, b.len);
    buf_clear(&b);
}

void rpc_sign_assertion(struct rpc_call *c) {
    const struct node_parent *p = c->cx->node->parent;
    const json_t *o = param_at(c, 0);
    uint64_t batch_count;
    hash32 block_hash, send_root, expected;
    addr20 signer;
    uint8_t sig[65];
    char reason[NODE_REASON_MAX];
    if (!json_is_object(o)) {
        rpc_fail_arg(c, 0, "an object is expected");
        return;
    }
    if (!param_value_u64(c, 0, json_object_get(o, "batchCount"), &batch_count) ||
        !param_value_hash(c, 0, json_object_get(o, "blockHash"), &block_hash) ||
        !param_value_hash(c, 0, json_object_get(o, "sendRoot"), &send_root) ||
        !param_value_hash(c, 0, json_object_get(o, "expectedHash"), &expected))
        return;
    if (p == NULL) {
        rpc_fail(c, RPC_SERVER_ERROR, "this node follows no parent chain");
        return;
    }
    if (!p->sign(p->ctx, batch_count, &block_hash, &send_root, &expected, &signer, sig, reason)) {
        rpc_fail(c, RPC_SERVER_ERROR, "%s", reason);
        return;
    }
    struct json_writer w = writer(c);
    jw_object(&w);
    jw_m_addr(&w, "signer", &signer);
    jw_m_data(&w, "signature", bytes_of(sig, sizeof(sig)));
    jw_object_end(&w);
}

void rpc_get_tombstone(struct rpc_call *c) {
    const struct node_parent *p = c->cx->node->parent;
    const char *reason = NULL;
    uint64_t block;
    uint32_t idx;
    hash32 hash;
    if (!param_hash(c, 0, &hash))
        return;
    struct json_writer w = writer(c);
    /* It may be back in a block. */
    if (p == NULL || !p->tombstone(p->ctx, &hash, &reason) ||
        index_find_tx(&block, &idx, rpc_head_view(c), &hash) == ERR_OK) {
        jw_null(&w);
        return;
    }
    jw_object(&w);
    jw_m_hash(&w, "transactionHash", &hash);
    jw_m_text(&w, "reason", reason);
    jw_object_end(&w);
}
