/* SPDX-License-Identifier: Apache-2.0 */
/* Methods that need no view of the chain. */
#include "rpc/handlers.h"

#include "base/keccak.h"
#include "rpc/api.h"
#include "rpc/json_writer.h"
#include "rpc/params.h"

#include <inttypes.h>
#include <stdio.h>

static struct json_writer writer(struct rpc_call *c) {
    struct json_writer w;
    jw_init(&w, &c->result);
    return w;
}

void rpc_web3_client_version(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_text(&w, c->cx->client_version);
}

void rpc_web3_sha3(struct rpc_call *c) {
    struct json_writer w = writer(c);
    struct buf data;
    buf_init(&data, c->cx->reply_bytes_max);
    if (param_data(c, 0, &data)) {
        hash32 h = keccak256_bytes(buf_bytes(&data));
        jw_hash(&w, &h);
    }
    buf_clear(&data);
}

void rpc_net_version(struct rpc_call *c) {
    struct json_writer w = writer(c);
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, c->cx->chain.chain_id);
    jw_text(&w, text);
}

void rpc_net_listening(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_bool(&w, true);
}

void rpc_net_peer_count(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_u64(&w, 0);
}

void rpc_rpc_discover(struct rpc_call *c) {
    api_openrpc(&c->result, c->cx->client_version);
}

void rpc_rpc_modules(struct rpc_call *c) {
    struct json_writer w = writer(c);
    const char *last = "";
    size_t last_len = 0;
    jw_object(&w);
    for (size_t i = 0; i < rpc_method_count; i++) { /* the table is ordered by namespace */
        const char *name = rpc_methods[i].name;
        size_t len = strcspn(name, "_.");
        if (rpc_methods[i].dev_only && !c->cx->dev)
            continue;
        if (len == last_len && memcmp(name, last, len) == 0)
            continue;
        char key[16];
        snprintf(key, sizeof(key), "%.*s", (int)len, name);
        jw_m_text(&w, key, "1.0");
        last = name;
        last_len = len;
    }
    jw_object_end(&w);
}

void rpc_eth_chain_id(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_u64(&w, c->cx->chain.chain_id);
}

void rpc_eth_syncing(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_bool(&w, false);
}

void rpc_eth_block_number(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_u64(&w, store_durable(c->cx->store));
}

void rpc_eth_accounts(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_array(&w);
    for (size_t i = 0; i < c->cx->node->dev_account_count; i++)
        jw_addr(&w, &c->cx->node->dev_accounts[i].address);
    jw_array_end(&w);
}

void rpc_eth_get_uncle(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_null(&w);
}

void rpc_eth_max_priority_fee(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_u64(&w, 0);
}

void rpc_eth_blob_base_fee(struct rpc_call *c) {
    struct json_writer w = writer(c);
    jw_u64(&w, 1);
}
