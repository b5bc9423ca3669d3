/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/parent_tx.h"

#include "base/check.h"

#define SELECTOR_BATCH_POSTING_REPORT_V2 UINT32_C(0x9998269e)

enum {
    WORD = 32,
    DEPOSIT_BYTES = 20 + WORD,
    REPORT_BYTES = WORD + 20 + WORD + WORD + WORD, /* then perhaps extra gas, u64 */
    REPORT_CALL_WORDS = 7,
};

static u256 alias_offset(void) {
    static const addr20 offset = {
        {0x11, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x11}};
    return u256_from_addr(&offset);
}

addr20 parent_alias(const addr20 *a) {
    u256 v = u256_from_addr(a), offset = alias_offset();
    v = u256_add(&v, &offset);
    return u256_to_addr(&v);
}

addr20 parent_unalias(const addr20 *a) {
    u256 v = u256_from_addr(a), offset = alias_offset();
    v = u256_sub(&v, &offset);
    return u256_to_addr(&v);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool take(bytes *in, size_t len, const uint8_t **out) {
    if (in->len < len)
        return false;
    *out = in->ptr;
    in->ptr += len;
    in->len -= len;
    return true;
}

static bool take_u256(bytes *in, u256 *out) {
    const uint8_t *p;
    if (!take(in, WORD, &p))
        return false;
    *out = u256_from_be32(p);
    return true;
}

/* A word that must fit 64 bits. */
static bool take_u64(bytes *in, uint64_t *out) {
    u256 v;
    if (!take_u256(in, &v) || !u256_fits_u64(&v))
        return false;
    *out = v.w[0];
    return true;
}

/* The low 20 bytes of a word. */
static bool take_addr(bytes *in, addr20 *out) {
    const uint8_t *p;
    if (!take(in, WORD, &p))
        return false;
    memcpy(out->b, p + 12, sizeof out->b);
    return true;
}

static bool take_gas(bytes *in, struct tx *tx) {
    if (!take_u64(in, &tx->parent.gas))
        return false;
    tx->gas_limit = tx->parent.gas < TX_PARENT_GAS_MAX ? tx->parent.gas : TX_PARENT_GAS_MAX;
    return true;
}

static bool take_to(bytes *in, struct tx *tx) {
    if (!take_addr(in, &tx->to))
        return false;
    tx->is_create = addr20_is_zero(&tx->to);
    return true;
}

static struct tx begin(enum tx_type type, uint64_t chain_id, const addr20 *sender) {
    struct tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = type;
    tx.has_chain_id = true;
    tx.chain_id = chain_id;
    tx.sender = *sender;
    tx.has_sender = true;
    return tx;
}

static void end(struct tx *out, struct arena *a, struct tx *tx) {
    tx_finish_unsigned(tx, a);
    *out = *tx;
}

/* --- the kinds ---------------------------------------------------------------------------------
 */

bool parent_tx_deposit(struct tx *out, struct arena *a, uint64_t chain_id,
                       const struct message *m) {
    if (!m->has_request_id || m->data.len < DEPOSIT_BYTES)
        return false;
    struct tx tx = begin(TX_DEPOSIT, chain_id, &m->sender);
    tx.parent.request_id = m->request_id;
    memcpy(tx.to.b, m->data.ptr, sizeof tx.to.b);
    tx.value = u256_from_be32(m->data.ptr + sizeof tx.to.b);
    end(out, a, &tx);
    return true;
}

bool parent_tx_unsigned(struct tx *out, struct arena *a, uint64_t chain_id, uint8_t l2_kind,
                        bytes body, const addr20 *sender, const hash32 *request_id) {
    bool is_contract = l2_kind == L2_CONTRACT_TX;
    if (!is_contract && l2_kind != L2_UNSIGNED_USER_TX)
        return false;
    if (is_contract && request_id == NULL)
        return false;
    struct tx tx = begin(is_contract ? TX_CONTRACT : TX_UNSIGNED, chain_id, sender);
    if (is_contract)
        tx.parent.request_id = *request_id;
    if (!take_gas(&body, &tx) || !take_u256(&body, &tx.max_fee) ||
        (!is_contract && !take_u64(&body, &tx.nonce)) || !take_to(&body, &tx) ||
        !take_u256(&body, &tx.value))
        return false;
    tx.data = body;
    end(out, a, &tx);
    return true;
}

bool parent_tx_funded(struct tx *out_deposit, struct tx *out_tx, struct arena *a, uint64_t chain_id,
                      const struct message *m) {
    if (!m->has_request_id || m->data.len == 0)
        return false;
    hash32 id = message_nested_id(&m->request_id, 1);
    bytes body = bytes_of(m->data.ptr + 1, m->data.len - 1);
    if (!parent_tx_unsigned(out_tx, a, chain_id, m->data.ptr[0], body, &m->sender, &id))
        return false;
    static const addr20 nobody;
    struct tx tx = begin(TX_DEPOSIT, chain_id, &nobody);
    tx.parent.request_id = message_nested_id(&m->request_id, 0);
    tx.to = m->sender;
    tx.value = out_tx->value;
    end(out_deposit, a, &tx);
    return true;
}

bool parent_tx_submit(struct tx *out, struct arena *a, uint64_t chain_id, const struct message *m) {
    if (!m->has_request_id)
        return false;
    struct tx tx = begin(TX_SUBMIT_RETRYABLE, chain_id, &m->sender);
    tx.parent.request_id = m->request_id;
    if (m->has_base_fee_l1)
        tx.parent.l1_base_fee = m->base_fee_l1;
    bytes in = m->data;
    uint64_t data_len;
    if (!take_to(&in, &tx) || !take_u256(&in, &tx.value) || !take_u256(&in, &tx.parent.deposit) ||
        !take_u256(&in, &tx.parent.max_submission) || !take_addr(&in, &tx.parent.refund_to) ||
        !take_addr(&in, &tx.parent.beneficiary) || !take_gas(&in, &tx) ||
        !take_u256(&in, &tx.max_fee) || !take_u64(&in, &data_len) || data_len > in.len)
        return false;
    tx.data = bytes_of(in.ptr, (size_t)data_len);
    end(out, a, &tx);
    return true;
}

static bool read_report(struct batch_report *out, const struct message *m) {
    bytes in = m->data;
    const uint8_t *p;
    if (m->data.len < REPORT_BYTES || !take_u256(&in, &out->timestamp) ||
        !take(&in, sizeof out->poster.b, &p))
        return false;
    memcpy(out->poster.b, p, sizeof out->poster.b);
    if (!take(&in, WORD, &p) /* data hash: whoever read the batch compared it */ ||
        !take_u64(&in, &out->batch) || !take_u256(&in, &out->gas_price))
        return false;
    out->length = m->batch_length;
    out->nonzeros = m->batch_nonzeros;
    out->extra_gas = in.len >= 8 ? be64_load(in.ptr) : 0;
    return true;
}

bool parent_tx_report(struct tx *out, struct batch_report *out_report, struct arena *a,
                      uint64_t chain_id, const struct message *m) {
    struct batch_report r;
    if (!m->has_batch_stats || !read_report(&r, m))
        return false;
    const u256 words[REPORT_CALL_WORDS] = {
        r.timestamp,
        u256_from_addr(&r.poster),
        u256_from_u64(r.batch),
        u256_from_u64(r.length),
        u256_from_u64(r.nonzeros),
        u256_from_u64(r.extra_gas),
        r.gas_price,
    };
    uint8_t call[4 + REPORT_CALL_WORDS * WORD];
    be32_store(call, SELECTOR_BATCH_POSTING_REPORT_V2);
    for (size_t i = 0; i < REPORT_CALL_WORDS; i++)
        u256_to_be32(call + 4 + i * WORD, &words[i]);
    struct tx tx = begin(TX_INTERNAL, chain_id, &TX_INTERNAL_ADDRESS);
    tx.to = TX_INTERNAL_ADDRESS;
    tx.data = arena_copy(a, bytes_of(call, sizeof call));
    end(out, a, &tx);
    *out_report = r;
    return true;
}
