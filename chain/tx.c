/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/tx.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

enum {
    TX_GAS = 21000,        /* YP appendix G */
    TX_CREATE_GAS = 32000, /* EIP-2 */
    TX_DATA_TOKEN_GAS = 4, /* EIP-2028: 4 a zero byte, 16 another */
    TX_DATA_NONZERO_TOKENS = 4,
    TX_FLOOR_TOKEN_GAS = 10,   /* EIP-7623 */
    INITCODE_WORD_GAS = 2,     /* EIP-3860 */
    ACCESS_ADDRESS_GAS = 2400, /* EIP-2930 */
    ACCESS_KEY_GAS = 1900,
    AUTH_EMPTY_ACCOUNT_GAS = 25000, /* EIP-7702 PER_EMPTY_ACCOUNT_COST */
    AUTH_MAGIC = 0x05,
};

/* Digest that an authority signs: keccak(0x05 | rlp([chain_id, address, nonce])), EIP-7702. */
static hash32 authorization_digest(const struct tx_authorization *u) {
    uint8_t storage[128];
    struct buf b = {.ptr = storage, .cap = sizeof storage, .max = sizeof storage};
    buf_append_byte(&b, AUTH_MAGIC);
    size_t mark = rlp_list_begin(&b);
    rlp_put_u256(&b, &u->chain_id);
    rlp_put_addr(&b, &u->address);
    rlp_put_u64(&b, u->nonce);
    rlp_list_end(&b, mark);
    CHECK(!b.overflow);
    return keccak256_bytes(buf_bytes(&b));
}

void tx_recover_authority(struct tx_authorization *u) {
    const u256 two = u256_from_u64(2);
    if (u->recovered)
        return;
    u->recovered = true;
    u->authority_ok = false;
    if (!u256_lt(&u->y_parity, &two) || u256_lt(&SECP_N_HALF, &u->sig.s))
        return;
    u->sig.recid = (uint8_t)u->y_parity.w[0];
    hash32 digest = authorization_digest(u);
    u->authority_ok = secp_recover(&u->authority, &digest, &u->sig) == ERR_OK;
}

void tx_recover_authorities(const struct tx *tx) {
    for (size_t i = 0; i < tx->auth_count; i++)
        tx_recover_authority(&tx->auths[i]);
}

enum err tx_recover_sender(struct tx *tx) {
    addr20 sender;
    TRY(secp_recover(&sender, &tx->sighash, &tx->sig));
    tx->sender = sender;
    tx->has_sender = true;
    return ERR_OK;
}

enum err tx_sign(struct tx *tx, struct arena *a, const uint8_t key[32]) {
    struct secp_sig sig;
    hash32 digest = tx_signing_hash(tx);
    TRY(secp_sign(&sig, &digest, key));
    tx->sighash = digest;
    tx->sig = sig;
    tx_finish(tx, a);
    tx_recover_authorities(tx);
    return tx_recover_sender(tx);
}

enum err tx_sign_authorization(struct tx_authorization *u, const uint8_t key[32]) {
    hash32 digest = authorization_digest(u);
    TRY(secp_sign(&u->sig, &digest, key));
    u->y_parity = u256_from_u64(u->sig.recid & 1);
    u->recovered = false;
    tx_recover_authority(u);
    return u->authority_ok ? ERR_OK : ERR_SIGNATURE;
}

static uint64_t count_nonzero(bytes data) {
    uint64_t n = 0;
    for (size_t i = 0; i < data.len; i++)
        n += data.ptr[i] != 0;
    return n;
}

/* Sums in 128 bits: each term is a product of an item count, itself bounded by memory, and a small
 * price. */
static uint64_t saturate(unsigned __int128 v) {
    return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

struct tx_intrinsic tx_intrinsic_gas(const struct tx *tx, enum evm_revision rev) {
    uint64_t nonzero = count_nonzero(tx->data);
    uint64_t tokens = tx->data.len - nonzero + nonzero * TX_DATA_NONZERO_TOKENS;
    unsigned __int128 gas = TX_GAS + (unsigned __int128)tokens * TX_DATA_TOKEN_GAS;
    if (tx->is_create)
        gas += TX_CREATE_GAS + (unsigned __int128)INITCODE_WORD_GAS *
                                   (tx->data.len / 32 + (tx->data.len % 32 != 0));
    for (size_t i = 0; i < tx->access_count; i++)
        gas += ACCESS_ADDRESS_GAS + (unsigned __int128)ACCESS_KEY_GAS * tx->access[i].key_count;
    gas += (unsigned __int128)AUTH_EMPTY_ACCOUNT_GAS * tx->auth_count;
    uint64_t floor = 0;
    if (rev >= EVM_PRAGUE)
        floor = saturate(TX_GAS + (unsigned __int128)tokens * TX_FLOOR_TOKEN_GAS);
    return (struct tx_intrinsic){.gas = saturate(gas), .floor_gas = floor};
}
