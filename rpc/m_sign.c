/* SPDX-License-Identifier: Apache-2.0 */
/* Filling in transactions, and signatures of the development accounts. */
#include "rpc/handlers.h"

#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/tx.h"
#include "rpc/fill.h"
#include "rpc/format.h"
#include "rpc/typed_data.h"

enum { ENVELOPE_MAX = 1 << 20, SIGNATURE_BYTES = 65 };

/* geth's raw form of what nobody has signed: zeros for the signature, for a legacy transaction
 * without a chain id. */
static void encode_unsigned(struct buf *b, const struct tx *tx) {
    if (tx->type != TX_LEGACY) {
        tx_encode(b, tx);
        return;
    }
    size_t mark = rlp_list_begin(b);
    rlp_put_u64(b, tx->nonce);
    rlp_put_u256(b, &tx->max_fee);
    rlp_put_u64(b, tx->gas_limit);
    rlp_put_bytes(b, tx->to.b, tx->is_create ? 0 : 20);
    rlp_put_u256(b, &tx->value);
    rlp_put_bytes(b, tx->data.ptr, tx->data.len);
    for (int i = 0; i < 3; i++)
        rlp_put_u64(b, 0);
    rlp_list_end(b, mark);
}

static void write_filled(struct rpc_call *c, const struct tx *tx) {
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_m_data(&w, "raw", tx->raw);
    jw_key(&w, "tx");
    format_loose_tx(&w, tx);
    jw_object_end(&w);
}

void rpc_eth_fill_tx(struct rpc_call *c) {
    struct tx_args t;
    struct block_ref latest = {.kind = BLOCK_REF_LATEST};
    struct index_head head;
    if (!param_tx(c, 0, &t, rpc_arena(c)) || !rpc_need_block(c, &latest, &head) ||
        !rpc_fill(c, &t, &head))
        return;
    struct buf raw;
    buf_init(&raw, ENVELOPE_MAX);
    t.tx.gas_price = t.tx.max_fee;
    encode_unsigned(&raw, &t.tx);
    t.tx.raw = buf_bytes(&raw);
    t.tx.hash = keccak256_bytes(t.tx.raw);
    if (raw.overflow)
        rpc_fail_err(c, ERR_TOO_LARGE, NULL);
    else
        write_filled(c, &t.tx);
    buf_clear(&raw);
}

void rpc_eth_sign_tx(struct rpc_call *c) {
    struct tx_args t;
    if (!param_tx(c, 0, &t, rpc_arena(c)))
        return;
    int account = rpc_dev_account(c, &t.tx.sender);
    if (!t.has_gas)
        rpc_fail(c, RPC_SERVER_ERROR, "gas not specified");
    else if (!t.has_gas_price && !(t.has_max_fee && t.has_max_priority_fee))
        rpc_fail(c, RPC_SERVER_ERROR, "missing gasPrice or maxFeePerGas/maxPriorityFeePerGas");
    else if (!t.has_nonce)
        rpc_fail(c, RPC_SERVER_ERROR, "nonce not specified");
    else if (!t.has_from || account < 0)
        rpc_fail(c, RPC_SERVER_ERROR, "unknown account");
    if (rpc_failed(c))
        return;
    enum err e = tx_sign(&t.tx, rpc_arena(c), c->cx->node->dev_accounts[account].key);
    if (e != ERR_OK)
        rpc_fail_err(c, e, NULL);
    else
        write_filled(c, &t.tx);
}

/* --- messages ------------------------------------------------------------------------------ */
/* r | s | 27 or 28, as all that is not a transaction has it. */
static void write_signature(struct rpc_call *c, int account, const hash32 *digest) {
    struct secp_sig sig;
    uint8_t out[SIGNATURE_BYTES];
    enum err e = secp_sign(&sig, digest, c->cx->node->dev_accounts[account].key);
    if (e != ERR_OK) {
        rpc_fail_err(c, e, NULL);
        return;
    }
    u256_to_be32(out, &sig.r);
    u256_to_be32(out + 32, &sig.s);
    out[64] = (uint8_t)(27 + (sig.recid & 1));
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_data(&w, out, sizeof(out));
}

/* EIP-191, version 0x45: the prefix keeps a message from being a transaction. */
static void sign_message(struct rpc_call *c, size_t account_idx, size_t data_idx) {
    struct buf data, text;
    int account = rpc_param_dev_account(c, account_idx);
    if (account < 0)
        return;
    buf_init(&data, c->cx->reply_bytes_max);
    buf_init(&text, c->cx->reply_bytes_max);
    if (param_data(c, data_idx, &data)) {
        buf_printf(&text,
                   "\x19"
                   "Ethereum Signed Message:\n%zu",
                   data.len);
        buf_append(&text, data.ptr, data.len);
        hash32 digest = keccak256_bytes(buf_bytes(&text));
        if (text.overflow)
            rpc_fail_err(c, ERR_TOO_LARGE, NULL);
        else
            write_signature(c, account, &digest);
    }
    buf_clear(&data);
    buf_clear(&text);
}

void rpc_eth_sign(struct rpc_call *c) {
    sign_message(c, 0, 1);
}

void rpc_personal_sign(struct rpc_call *c) {
    sign_message(c, 1, 0); /* a third argument, the password, opens nothing here */
}

void rpc_eth_sign_typed_data(struct rpc_call *c) {
    hash32 digest;
    char why[TYPED_DATA_TEXT_MAX];
    json_t *v = param_at(c, 1), *parsed = NULL;
    int account = rpc_param_dev_account(c, 0);
    if (account < 0)
        return;
    if (json_is_string(v)) /* as wallets send it */
        v = parsed = typed_data_parse(json_string_value(v), json_string_length(v));
    if (typed_data_digest(&digest, v, why))
        write_signature(c, account, &digest);
    else
        rpc_fail_arg(c, 1, "%s", why);
    json_decref(parsed);
}
