/* SPDX-License-Identifier: Apache-2.0 */
#include "index/universe_rows.h"

/* --- contracts ------------------------------------------------------------------------------ */

void row_contract_encode(uint8_t out[ROW_CONTRACT_BYTES], const struct index_contract *c) {
    be64_store(out, c->universe);
    be64_store(out + 8, c->block);
    be32_store(out + 16, c->tx_idx);
    be32_store(out + 20, c->place);
    out[24] = (uint8_t)c->standard;
    out[25] =
        (uint8_t)((c->has_logged ? ROW_CONTRACT_LOGGED : 0) | (c->odd ? ROW_CONTRACT_ODD : 0));
}

enum err row_contract_decode(struct index_contract *out, bytes value) {
    if (value.len != ROW_CONTRACT_BYTES || value.ptr[24] > INDEX_ERC1155)
        return ERR_CORRUPT;
    out->universe = be64_load(value.ptr);
    out->block = be64_load(value.ptr + 8);
    out->tx_idx = be32_load(value.ptr + 16);
    out->place = be32_load(value.ptr + 20);
    out->standard = (enum index_standard)value.ptr[24];
    out->has_logged = (value.ptr[25] & ROW_CONTRACT_LOGGED) != 0;
    out->odd = (value.ptr[25] & ROW_CONTRACT_ODD) != 0;
    return ERR_OK;
}

void row_contract_place_key(uint8_t out[ROW_CONTRACT_PLACE_BYTES], const struct index_contract *c) {
    be64_store(out, c->universe);
    be64_store(out + 8, c->block);
    be32_store(out + 16, c->place);
}

/* --- events and classes --------------------------------------------------------------------- */

void row_event_key(uint8_t out[ROW_EVENT_KEY_BYTES], uint64_t universe,
                   const struct index_cursor *at) {
    be64_store(out, universe);
    be64_store(out + 8, at->block);
    be32_store(out + 16, at->tx_idx);
    be32_store(out + 20, at->log_idx);
}

void row_class_key(uint8_t out[ROW_CLASS_KEY_BYTES], const addr20 *contract, const u256 *id,
                   uint8_t part) {
    row_token_key(out, contract, id);
    out[52] = part;
}

/* --- tokens --------------------------------------------------------------------------------- */

void row_balance_key(uint8_t out[ROW_BALANCE_KEY_BYTES], const addr20 *holder, uint64_t universe,
                     const addr20 *contract, const u256 *id) {
    memcpy(out, holder->b, 20);
    be64_store(out + 20, universe);
    row_token_key(out + 28, contract, id);
}

void row_holder_key(uint8_t out[ROW_HOLDER_KEY_BYTES], const addr20 *contract, const u256 *id,
                    const u256 *amount, const addr20 *holder) {
    const u256 max = U256_MAX, rank = u256_sub(&max, amount);
    row_token_key(out, contract, id);
    u256_to_be32(out + 52, &rank);
    memcpy(out + 84, holder->b, 20);
}

void row_token_key(uint8_t out[ROW_TOKEN_KEY_BYTES], const addr20 *contract, const u256 *id) {
    memcpy(out, contract->b, 20);
    u256_to_be32(out + 20, id);
}

bytes row_amount_encode(uint8_t out[32], const u256 *amount) {
    size_t skip = 0;
    u256_to_be32(out, amount);
    while (skip < 31 && out[skip] == 0)
        skip++;
    return bytes_of(out + skip, 32 - skip);
}

enum err row_amount_decode(u256 *out, bytes value) {
    uint8_t be[32] = {0};
    if (value.len == 0 || value.len > 32)
        return ERR_CORRUPT;
    memcpy(be + 32 - value.len, value.ptr, value.len);
    *out = u256_from_be32(be);
    return ERR_OK;
}

void row_supply_encode(uint8_t out[ROW_SUPPLY_BYTES], const struct index_supply *s) {
    out[0] = s->broken ? ROW_BROKEN : 0;
    be64_store(out + 1, s->holders);
    u256_to_be32(out + 9, &s->supply);
    u256_to_be32(out + 41, &s->minted);
}

enum err row_supply_decode(struct index_supply *out, bytes value) {
    if (value.len != ROW_SUPPLY_BYTES)
        return ERR_CORRUPT;
    out->broken = (value.ptr[0] & ROW_BROKEN) != 0;
    out->holders = be64_load(value.ptr + 1);
    out->supply = u256_from_be32(value.ptr + 9);
    out->minted = u256_from_be32(value.ptr + 41);
    return ERR_OK;
}
