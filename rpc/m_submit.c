/* SPDX-License-Identifier: Apache-2.0 */
/* Sending transactions. The handlers leave an envelope in the call; rpc/engine.c submits it. */
#include "rpc/handlers.h"

#include "chain/tx.h"
#include "rpc/fill.h"
#include "rpc/json_writer.h"
#include "rpc/params.h"
#include "rpc/simulate.h"

enum {
    SYNC_TIMEOUT_DEFAULT_MS = 20000,
    SYNC_TIMEOUT_MAX_MS = 60000 /* EIP-7966's bounds, as geth has them */
};

static bool take_envelope(struct rpc_call *c) {
    if (!param_data(c, 0, &c->envelope))
        return false;
    if (c->envelope.len == 0) {
        rpc_fail(c, RPC_SERVER_ERROR, "typed transaction too short");
        return false;
    }
    return true;
}

void rpc_eth_send_raw(struct rpc_call *c) {
    (void)take_envelope(c);
}

void rpc_eth_send_raw_sync(struct rpc_call *c) {
    uint64_t timeout_ms = 0;
    if (!param_u64(c, 1, &timeout_ms) || !take_envelope(c))
        return;
    if (timeout_ms == 0)
        timeout_ms = SYNC_TIMEOUT_DEFAULT_MS;
    if (timeout_ms > SYNC_TIMEOUT_MAX_MS)
        timeout_ms = SYNC_TIMEOUT_MAX_MS;
    c->timeout_ms = (uint32_t)timeout_ms;
    c->wants_receipt = true;
    c->submit_flags = SUBMIT_NO_QUEUE;
}

/* --- development accounts ------------------------------------------------------------------ */
/* The next nonce of a development account, counting what was given out to requests that the pool
 * has not met yet. False with the error set. */
static bool next_nonce(struct rpc_call *c, int account, uint64_t *out) {
    struct rpc_dev_nonces *nonces = c->cx->dev_nonces;
    if (!rpc_pending_nonce(c, &c->cx->node->dev_accounts[account].address, out))
        return false;
    pthread_mutex_lock(&nonces->lock);
    if (nonces->next[account] > *out)
        *out = nonces->next[account];
    nonces->next[account] = *out + 1;
    pthread_mutex_unlock(&nonces->lock);
    return true;
}

void rpc_eth_send_tx(struct rpc_call *c) {
    struct tx_args t;
    struct block_ref latest = {.kind = BLOCK_REF_LATEST};
    struct index_head head;
    if (!param_tx(c, 0, &t, rpc_arena(c)) || !rpc_need_block(c, &latest, &head))
        return;
    int account = rpc_dev_account(c, &t.tx.sender);
    if (!t.has_from || account < 0) {
        rpc_fail(c, RPC_SERVER_ERROR, "unknown account");
        return;
    }
    if ((!t.has_gas && !rpc_estimate_latest(c, &t, &head)) || !rpc_fill_fees(c, &t, &head) ||
        (!t.has_nonce && !next_nonce(c, account, &t.tx.nonce)))
        return;
    c->dev_account = account;
    enum err e = tx_sign(&t.tx, rpc_arena(c), c->cx->node->dev_accounts[account].key);
    if (e != ERR_OK) {
        rpc_fail_err(c, e, NULL);
        return;
    }
    buf_append(&c->envelope, t.tx.raw.ptr, t.tx.raw.len);
    c->tx_hash = t.tx.hash;
}
