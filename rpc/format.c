/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/format.h"

#include "chain/system_state.h"
#include "rpc/reader.h"

static void format_header(struct json_writer *w, const struct index_head *h) {
    const struct header *d = &h->header;
    struct l3_header_info l3 = l3_header_info_get(d);
    jw_m_u64(w, "number", d->number);
    jw_m_hash(w, "hash", &h->hash);
    jw_m_hash(w, "parentHash", &d->parent_hash);
    jw_key(w, "nonce");
    jw_data(w, d->nonce, sizeof(d->nonce));
    jw_m_hash(w, "mixHash", &d->mix_hash);
    jw_m_hash(w, "sha3Uncles", &d->ommers_hash);
    jw_key(w, "logsBloom");
    jw_data(w, d->bloom, sizeof(d->bloom));
    jw_m_hash(w, "stateRoot", &d->state_root);
    jw_m_addr(w, "miner", &d->coinbase);
    jw_m_u256(w, "difficulty", &d->difficulty);
    jw_m_data(w, "extraData", bytes_of(d->extra, d->extra_len));
    jw_m_u64(w, "gasLimit", d->gas_limit);
    jw_m_u64(w, "gasUsed", d->gas_used);
    jw_m_u64(w, "timestamp", d->timestamp);
    jw_m_hash(w, "transactionsRoot", &d->tx_root);
    jw_m_hash(w, "receiptsRoot", &d->receipt_root);
    jw_m_u256(w, "baseFeePerGas", &d->base_fee);
    jw_m_hash(w, "sendRoot", &l3.send_root);
    jw_m_u64(w, "sendCount", l3.send_count);
    jw_m_u64(w, "l1BlockNumber", l3.l1_block_number);
}

void format_block(struct json_writer *w, const struct index_head *h, const struct index_block *txs,
                  bool full) {
    jw_object(w);
    format_header(w, h);
    if (txs != NULL) {
        jw_m_u64(w, "size", h->size);
        jw_key(w, "transactions");
        jw_array(w);
        for (size_t i = 0; i < txs->tx_count; i++) {
            if (full)
                format_tx(w, txs, i);
            else
                jw_hash(w, &txs->txs[i].hash);
        }
        jw_array_end(w);
        jw_key(w, "uncles");
        jw_array(w);
        jw_array_end(w);
    }
    jw_object_end(w);
}

/* --- transactions -------------------------------------------------------------------------- */
void format_access_list(struct json_writer *w, const struct tx *tx) {
    jw_key(w, "accessList");
    jw_array(w);
    for (size_t i = 0; i < tx->access_count; i++) {
        jw_object(w);
        jw_m_addr(w, "address", &tx->access[i].addr);
        jw_key(w, "storageKeys");
        jw_array(w);
        for (size_t k = 0; k < tx->access[i].key_count; k++)
            jw_hash(w, &tx->access[i].keys[k]);
        jw_array_end(w);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void authorization_list(struct json_writer *w, const struct tx *tx) {
    jw_key(w, "authorizationList");
    jw_array(w);
    for (size_t i = 0; i < tx->auth_count; i++) {
        const struct tx_authorization *a = &tx->auths[i];
        jw_object(w);
        jw_m_u256(w, "chainId", &a->chain_id);
        jw_m_addr(w, "address", &a->address);
        jw_m_u64(w, "nonce", a->nonce);
        jw_m_u256(w, "yParity", &a->y_parity);
        jw_m_u256(w, "r", &a->sig.r);
        jw_m_u256(w, "s", &a->sig.s);
        jw_object_end(w);
    }
    jw_array_end(w);
}

/* The signature's v: for a legacy transaction 27 or 28, or with the chain id in it (EIP-155); else
 * the parity. */
static u256 signature_v(const struct tx *tx) {
    u256 parity = u256_from_u64(tx->sig.recid & 1);
    if (tx->type != TX_LEGACY)
        return parity;
    u256 base = u256_from_u64(27);
    if (tx->has_chain_id) {
        u256 id = u256_from_u64(tx->chain_id), twice = u256_add(&id, &id),
             offset = u256_from_u64(35);
        base = u256_add(&twice, &offset);
    }
    return u256_add(&base, &parity);
}

static void signature(struct json_writer *w, const struct tx *tx) {
    u256 v = signature_v(tx);
    bool is_unsigned = u256_is_zero(&tx->sig.r) && u256_is_zero(&tx->sig.s);
    if (is_unsigned) /* zeros, which clients expect to be there */
        v = U256_ZERO;
    jw_m_u256(w, "v", &v);
    jw_m_u256(w, "r", &tx->sig.r);
    jw_m_u256(w, "s", &tx->sig.s);
    if (tx->type != TX_LEGACY && tx->type <= TX_SET_CODE)
        jw_m_u64(w, "yParity", tx->sig.recid & 1);
}

static void put_word(struct buf *b, const u256 *v) {
    uint8_t be[32];
    u256_to_be32(be, v);
    buf_append(b, be, sizeof(be));
}

static void put_addr_word(struct buf *b, const addr20 *a) {
    u256 v = u256_from_addr(a);
    put_word(b, &v);
}

/* A submission as clients expect to see it: the call ArbRetryableTx.submitRetryable(requestId,
 * l1BaseFee, deposit, callvalue, gasFeeCap, gasLimit, maxSubmissionFee, feeRefundAddress,
 * beneficiary, retryTo, retryData), which nobody makes. */
static void submit_input(struct json_writer *w, const struct tx *tx) {
    static const uint8_t selector[] = {0xc9, 0xf9, 0x5d, 0x32}, zeros[32];
    const struct tx_parent *p = &tx->parent;
    u256 gas = u256_from_u64(p->gas), offset = u256_from_u64(11 * 32),
         len = u256_from_u64(tx->data.len);
    struct buf b;
    buf_init(&b, sizeof(selector) + 12 * 32 + MESSAGE_STORED_DATA_MAX_BYTES + 32);
    buf_append(&b, selector, sizeof(selector));
    buf_append(&b, p->request_id.b, sizeof(p->request_id.b));
    put_word(&b, &p->l1_base_fee);
    put_word(&b, &p->deposit);
    put_word(&b, &tx->value);
    put_word(&b, &tx->max_fee);
    put_word(&b, &gas);
    put_word(&b, &p->max_submission);
    put_addr_word(&b, &p->refund_to);
    put_addr_word(&b, &p->beneficiary);
    put_addr_word(&b, &tx->to);
    put_word(&b, &offset);
    put_word(&b, &len);
    buf_append(&b, tx->data.ptr, tx->data.len);
    buf_append(&b, zeros, (32 - tx->data.len % 32) % 32);
    jw_m_data(w, "input", buf_bytes(&b));
    buf_clear(&b);
}

static void retry_to(struct json_writer *w, const struct tx *tx) {
    if (tx->is_create)
        jw_m_null(w, "retryTo");
    else
        jw_m_addr(w, "retryTo", &tx->to);
}

/* Nitro's names for what only the parent's transactions have. */
static void parent_members(struct json_writer *w, const struct tx *tx) {
    const struct tx_parent *p = &tx->parent;
    switch ((int)tx->type) {
    case TX_DEPOSIT:
        jw_m_hash(w, "requestId", &p->request_id);
        return;
    case TX_UNSIGNED:
        jw_m_u256(w, "maxFeePerGas", &tx->max_fee);
        return;
    case TX_CONTRACT:
        jw_m_hash(w, "requestId", &p->request_id);
        jw_m_u256(w, "maxFeePerGas", &tx->max_fee);
        return;
    case TX_RETRY:
        jw_m_hash(w, "ticketId", &p->ticket);
        jw_m_addr(w, "refundTo", &p->refund_to);
        jw_m_u256(w, "maxFeePerGas", &tx->max_fee);
        jw_m_u256(w, "maxRefund", &p->max_refund);
        jw_m_u256(w, "submissionFeeRefund", &p->submission_refund);
        return;
    case TX_SUBMIT_RETRYABLE:
        jw_m_hash(w, "requestId", &p->request_id);
        jw_m_u256(w, "l1BaseFee", &p->l1_base_fee);
        jw_m_u256(w, "depositValue", &p->deposit);
        retry_to(w, tx);
        jw_m_u256(w, "retryValue", &tx->value);
        jw_m_data(w, "retryData", tx->data);
        jw_m_addr(w, "beneficiary", &p->beneficiary);
        jw_m_addr(w, "refundTo", &p->refund_to);
        jw_m_u256(w, "maxFeePerGas", &tx->max_fee);
        jw_m_u256(w, "maxSubmissionFee", &p->max_submission);
        return;
    default:
        return;
    }
}

/* Whom it addresses: a submission addresses ArbRetryableTx, its retry somebody else. */
static void recipient(struct json_writer *w, const struct tx *tx) {
    if (tx->type == TX_SUBMIT_RETRYABLE) {
        addr20 a = system_address(SYSTEM_RETRYABLE);
        jw_m_addr(w, "to", &a);
    } else if (tx->is_create) {
        jw_m_null(w, "to");
    } else {
        jw_m_addr(w, "to", &tx->to);
    }
}

/* Members that do not depend on the block. `price`: what was paid per gas; gasPrice shows it unless
 * the signed envelope itself has a gas price, which is needed to compute the hash. */
static void tx_body(struct json_writer *w, const struct tx *tx, const u256 *price) {
    bool is_submit = tx->type == TX_SUBMIT_RETRYABLE;
    jw_m_addr(w, "from", &tx->sender);
    jw_m_u64(w, "gas", tx_is_unsigned(tx->type) ? tx->parent.gas : tx->gas_limit);
    bool priced = tx->type == TX_LEGACY || tx->type == TX_ACCESS_LIST;
    jw_m_u256(w, "gasPrice", priced ? &tx->max_fee : price);
    if (tx->type == TX_DYNAMIC_FEE || tx->type == TX_SET_CODE) {
        jw_m_u256(w, "maxFeePerGas", &tx->max_fee);
        jw_m_u256(w, "maxPriorityFeePerGas", &tx->max_priority_fee);
    }
    jw_m_hash(w, "hash", &tx->hash);
    if (is_submit)
        submit_input(w, tx);
    else
        jw_m_data(w, "input", tx->data);
    jw_m_u64(w, "nonce", tx->nonce);
    recipient(w, tx);
    jw_m_u256(w, "value", is_submit ? &U256_ZERO : &tx->value);
    jw_m_u64(w, "type", (uint64_t)tx->type);
    if (tx->type != TX_LEGACY && tx->type <= TX_SET_CODE)
        format_access_list(w, tx);
    if (tx->type == TX_SET_CODE)
        authorization_list(w, tx);
    parent_members(w, tx);
    if (tx->has_chain_id)
        jw_m_u64(w, "chainId", tx->chain_id);
    signature(w, tx);
}

/* Who paid for the gas, and what per unit: an address, which is the registry's when a universe
 * did, and that universe. */
static void payer_members(struct json_writer *w, const struct tx *tx, const struct receipt *r) {
    addr20 registry = system_address(SYSTEM_REGISTRY);
    jw_m_addr(w, "gasPayer", r->sponsored ? &registry : &tx->sender);
    jw_m_u256(w, "gasPriceCharged", &r->gas_price_charged);
    if (r->universe != 0)
        jw_m_u64(w, "universe", r->universe);
    else
        jw_m_null(w, "universe");
}

void format_tx(struct json_writer *w, const struct index_block *b, size_t idx) {
    jw_object(w);
    jw_m_hash(w, "blockHash", &b->head.hash);
    jw_m_u64(w, "blockNumber", b->head.header.number);
    jw_m_u64(w, "blockTimestamp", b->head.header.timestamp);
    jw_m_u64(w, "transactionIndex", index_tx_idx(b, idx));
    tx_body(w, &b->txs[idx], &b->receipts[idx].effective_gas_price);
    payer_members(w, &b->txs[idx], &b->receipts[idx]);
    jw_object_end(w);
}

void format_loose_tx(struct json_writer *w, const struct tx *tx) {
    jw_object(w);
    tx_body(w, tx, &tx->max_fee);
    jw_object_end(w);
}

void format_pending_tx(struct json_writer *w, const struct tx *tx) {
    jw_object(w);
    jw_m_null(w, "blockHash");
    jw_m_null(w, "blockNumber");
    jw_m_null(w, "blockTimestamp");
    jw_m_null(w, "transactionIndex");
    tx_body(w, tx, &tx->max_fee);
    jw_object_end(w);
}

/* --- receipts ------------------------------------------------------------------------------ */
static void receipt_logs(struct json_writer *w, const struct index_block *b, size_t idx) {
    const struct receipt *r = &b->receipts[idx];
    struct index_stamp stamp = {.number = b->head.header.number,
                                .timestamp = b->head.header.timestamp,
                                .hash = b->head.hash};
    struct index_log l = {.block = &stamp,
                          .tx_hash = &b->txs[idx].hash,
                          .tx_idx = index_tx_idx(b, idx),
                          .log_idx = index_first_log(b, idx)}; /* they run through the block */
    uint8_t bloom[256] = {0};
    jw_key(w, "logs");
    jw_array(w);
    for (size_t i = 0; i < r->log_count; i++) {
        l.log = &r->logs[i];
        format_log(w, &l);
        l.log_idx++;
        bloom_add_log(bloom, &r->logs[i].address, r->logs[i].topics, r->logs[i].topic_count);
    }
    jw_array_end(w);
    jw_key(w, "logsBloom");
    jw_data(w, bloom, sizeof(bloom));
}

void format_receipt(struct json_writer *w, const struct index_block *b, size_t idx) {
    const struct tx *tx = &b->txs[idx];
    const struct receipt *r = &b->receipts[idx];
    jw_object(w);
    jw_m_hash(w, "transactionHash", &tx->hash);
    jw_m_u64(w, "transactionIndex", index_tx_idx(b, idx));
    jw_m_hash(w, "blockHash", &b->head.hash);
    jw_m_u64(w, "blockNumber", b->head.header.number);
    jw_m_addr(w, "from", &tx->sender);
    recipient(w, tx);
    jw_m_u64(w, "cumulativeGasUsed", r->cumulative_gas_used);
    jw_m_u64(w, "gasUsed", r->gas_used);
    if (r->has_contract_addr)
        jw_m_addr(w, "contractAddress", &r->contract_addr);
    else
        jw_m_null(w, "contractAddress");
    receipt_logs(w, b, idx);
    jw_m_u64(w, "status", r->success);
    jw_m_u64(w, "type", (uint64_t)tx->type);
    jw_m_u256(w, "effectiveGasPrice", &r->effective_gas_price);
    payer_members(w, tx, r);
    jw_m_u64(w, "gasUsedForL1",
             0); /* parent data is paid through the price, never as gas (PROTOCOL §3) */
    jw_m_u64(w, "l1BlockNumber", l3_header_info_get(&b->head.header).l1_block_number);
    jw_object_end(w);
}

void format_receipt_of(struct rpc_call *c, const hash32 *tx_hash) {
    struct json_writer w;
    struct index_block b;
    uint64_t number = 0;
    uint32_t idx = 0;
    size_t at = 0;
    jw_init(&w, &c->result);
    enum err e = index_find_tx(&number, &idx, rpc_head_view(c), tx_hash);
    if (e != ERR_OK && e != ERR_NOT_FOUND) {
        rpc_fail_err(c, e, NULL);
    } else if (e == ERR_OK && rpc_load_tx(c, number, idx, &b, &at)) {
        format_receipt(&w, &b, at);
    } else if (!rpc_failed(c)) {
        jw_null(&w);
    }
}
