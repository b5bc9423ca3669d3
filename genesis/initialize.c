/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "genesis/genesis_internal.h"

enum { CHAIN_ID_BYTES = 32, VERSION_BYTES = 1, PRICE_BYTES = 32 };

/* The JSON in message 0's data: chain id u256 | version u8 | [initial price u256 unless version 0]
 * | text. */
static enum err split(const struct message *m, u256 *out_chain_id, bytes *out_json,
                      struct err_ctx *ec) {
    bytes d = m->data;
    if (m->kind != MESSAGE_INITIALIZE)
        FAIL(ec, ERR_MISMATCH, "message 0 is of kind %u, not Initialize (11)", m->kind);
    if (d.len < CHAIN_ID_BYTES + VERSION_BYTES)
        FAIL(ec, ERR_MISMATCH, "message 0 has %zu bytes, too few for an Initialize message", d.len);
    unsigned version = d.ptr[CHAIN_ID_BYTES];
    if (version > 1)
        FAIL(ec, ERR_MISMATCH, "message 0 has the unknown Initialize version %u", version);
    size_t skip = CHAIN_ID_BYTES + VERSION_BYTES + (version == 1 ? PRICE_BYTES : 0);
    if (d.len < skip)
        FAIL(ec, ERR_MISMATCH, "message 0 ends before its chain configuration");
    *out_chain_id = u256_from_be32(d.ptr);
    *out_json = bytes_of(d.ptr + skip, d.len - skip);
    return ERR_OK;
}

static enum err check_json(const json_t *doc, const hash32 *genesis_hash, struct err_ctx *ec) {
    const json_t *text = json_object_get(json_object_get(doc, "callipter"), "genesisBlockHash");
    hash32 h;
    if (!json_is_string(text) ||
        hex_decode_fixed(h.b, sizeof h.b, json_string_value(text)) != ERR_OK)
        FAIL(ec, ERR_MISMATCH,
             "message 0: its chain configuration has no callipter.genesisBlockHash of 32 bytes");
    if (!hash32_eq(&h, genesis_hash)) {
        char ours[65] = {0};
        hex_encode(ours, genesis_hash->b, sizeof genesis_hash->b);
        FAIL(ec, ERR_MISMATCH,
             "message 0 names genesis block %s, but this genesis file makes block 0x%s",
             json_string_value(text), ours);
    }
    return ERR_OK;
}

enum err genesis_check_initialize(const struct genesis *g, const hash32 *genesis_hash,
                                  const struct message *m, struct err_ctx *ec) {
    u256 chain_id, ours = u256_from_u64(g->config.chain_id);
    bytes text = {NULL, 0};
    TRY(split(m, &chain_id, &text, ec));
    if (!u256_eq(&chain_id, &ours)) {
        char dec[79];
        FAIL(ec, ERR_MISMATCH, "message 0 is for chain %s, but the genesis file is for chain %llu",
             u256_to_dec(dec, &chain_id), (unsigned long long)g->config.chain_id);
    }
    json_error_t je;
    json_t *doc = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &je);
    if (doc == NULL)
        FAIL(ec, ERR_MISMATCH, "message 0: its chain configuration is not JSON: %s", je.text);
    enum err e = check_json(doc, genesis_hash, ec);
    json_decref(doc);
    return e;
}
