/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: envelopes decode exactly and encode back to the same bytes; every deviation of form has its
 * error. Method: the example of EIP-155, then transactions of each type built, signed, encoded,
 * decoded, and damaged byte by byte. */
#include "chain/tx.h"

#include "tests/lib/chain/exec_fixture.h"

#include "base/hex.h"
#include "base/rlp.h"

#include <criterion/criterion.h>

static struct arena arena;

static void set_up(void) {
    arena_init(&arena, 1 << 16, 1 << 26);
}
static void tear_down(void) {
    arena_clear(&arena);
}
TestSuite(tx_codec, .init = set_up, .fini = tear_down);

static const char eip155[] =
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0"
    "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb70330"
    "4b3800ccf555c9f3dc64214b297fb1966a3b6d83";

static void expect_hex(const void *got, size_t len, const char *want) {
    char text[129] = {0};
    cr_assert(len <= 64);
    hex_encode(text, got, len);
    cr_assert_str_eq(text, want);
}

Test(tx_codec, example_of_eip_155) {
    struct tx tx;
    bytes raw = fixture_hex(&arena, eip155);
    cr_assert_eq(tx_decode(&tx, &arena, raw, false, NULL), ERR_OK);
    cr_assert_eq(tx.type, TX_LEGACY);
    cr_assert_eq(tx.nonce, 9);
    cr_assert_eq(tx.gas_limit, 21000);
    cr_assert(tx.has_chain_id && tx.chain_id == 1);
    cr_assert(u256_eq(&tx.max_fee, &tx.gas_price) && u256_eq(&tx.max_priority_fee, &tx.gas_price));
    expect_hex(tx.sighash.b, 32,
               "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
    cr_assert_eq(tx_recover_sender(&tx), ERR_OK);
    expect_hex(tx.sender.b, 20, "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
}

/* A transaction of each type with something in every list. */
static struct tx sample(enum tx_type type, unsigned size) {
    struct tx tx;
    memset(&tx, 0, sizeof tx);
    tx.type = type;
    tx.has_chain_id = true;
    tx.chain_id = 41337;
    tx.nonce = 300;
    tx.gas_price = u256_from_u64(1000000007);
    tx.max_priority_fee = type <= TX_ACCESS_LIST ? tx.gas_price : u256_from_u64(3);
    tx.max_fee = type <= TX_ACCESS_LIST ? tx.gas_price : u256_from_u64(1u << 31);
    tx.gas_limit = 90000;
    tx.to = fixture_addr(7);
    tx.value = U256_MAX;
    uint8_t *data = arena_alloc(&arena, size + 1);
    memset(data, 0xd5, size + 1);
    tx.data = bytes_of(data, size);
    if (type >= TX_ACCESS_LIST) {
        tx.access = arena_zalloc(&arena, 2 * sizeof *tx.access);
        tx.access_count = 2;
        tx.access[0].addr = fixture_addr(1);
        tx.access[0].keys = arena_zalloc(&arena, 3 * sizeof(hash32));
        tx.access[0].key_count = 3;
        tx.access[0].keys[2].b[31] = 9;
    }
    if (type == TX_BLOB) {
        tx.max_fee_per_blob_gas = u256_from_u64(77);
        tx.blob_hashes = arena_zalloc(&arena, 2 * sizeof(hash32));
        tx.blob_hash_count = 2;
        tx.blob_hashes[1].b[0] = 1;
    }
    if (type == TX_SET_CODE) {
        uint8_t key[32];
        tx.auths = arena_zalloc(&arena, 2 * sizeof *tx.auths);
        tx.auth_count = 2;
        for (unsigned i = 0; i < 2; i++) {
            fixture_key(key, i + 2);
            tx.auths[i].chain_id = u256_from_u64(i * 41337);
            tx.auths[i].address = fixture_addr(9);
            tx.auths[i].nonce = i;
            cr_assert_eq(tx_sign_authorization(&tx.auths[i], key), ERR_OK);
        }
    }
    return tx;
}

static const enum tx_type types[] = {TX_LEGACY, TX_ACCESS_LIST, TX_DYNAMIC_FEE, TX_BLOB,
                                     TX_SET_CODE};

Test(tx_codec, every_type_round_trips) {
    static const unsigned sizes[] = {0, 1, 40, 56, 300, 70000};
    uint8_t key[32];
    fixture_key(key, 0);
    addr20 signer = fixture_addr(0);
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
            struct tx tx = sample(types[t], sizes[s]), back;
            cr_assert_eq(tx_sign(&tx, &arena, key), ERR_OK);
            cr_assert(addr20_eq(&tx.sender, &signer));
            cr_assert_eq(tx_decode(&back, &arena, tx.raw, true, NULL), ERR_OK, "type %d size %u",
                         types[t], sizes[s]);
            cr_assert(hash32_eq(&back.hash, &tx.hash));
            cr_assert(hash32_eq(&back.sighash, &tx.sighash));
            cr_assert_eq(tx_recover_sender(&back), ERR_OK);
            cr_assert(addr20_eq(&back.sender, &signer));
            struct buf b;
            buf_init(&b, SIZE_MAX);
            tx_encode(&b, &back);
            cr_assert_eq(b.len, tx.raw.len);
            cr_assert_eq(memcmp(b.ptr, tx.raw.ptr, b.len), 0);
            buf_clear(&b);
            tx_recover_authorities(&back);
            for (size_t i = 0; i < back.auth_count; i++) {
                addr20 authority = fixture_addr((unsigned)i + 2);
                cr_assert(back.auths[i].authority_ok);
                cr_assert(addr20_eq(&back.auths[i].authority, &authority));
            }
        }
    }
}

Test(tx_codec, unprotected_legacy_has_no_chain_id) {
    struct tx tx = sample(TX_LEGACY, 3), back;
    uint8_t key[32];
    fixture_key(key, 0);
    tx.has_chain_id = false;
    tx.chain_id = 0;
    cr_assert_eq(tx_sign(&tx, &arena, key), ERR_OK);
    cr_assert_eq(tx_decode(&back, &arena, tx.raw, false, NULL), ERR_OK);
    cr_assert(!back.has_chain_id);
    cr_assert(back.sig.recid <= 1);
    tx.has_chain_id = true;
    tx.chain_id = UINT64_MAX; /* v then exceeds 64 bits */
    cr_assert_eq(tx_sign(&tx, &arena, key), ERR_OK);
    cr_assert_eq(tx_decode(&back, &arena, tx.raw, false, NULL), ERR_OK);
    cr_assert_eq(back.chain_id, UINT64_MAX);
}

Test(tx_codec, truncated_and_extended_envelopes_are_refused) {
    uint8_t key[32];
    fixture_key(key, 0);
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        struct tx tx = sample(types[t], 60), back;
        cr_assert_eq(tx_sign(&tx, &arena, key), ERR_OK);
        for (size_t len = 0; len < tx.raw.len; len++)
            cr_assert_neq(tx_decode(&back, &arena, bytes_of(tx.raw.ptr, len), true, NULL), ERR_OK);
        uint8_t *longer = arena_zalloc(&arena, tx.raw.len + 1);
        memcpy(longer, tx.raw.ptr, tx.raw.len);
        cr_assert_eq(tx_decode(&back, &arena, bytes_of(longer, tx.raw.len + 1), true, NULL),
                     ERR_RLP);
    }
}

Test(tx_codec, types_that_are_not_there) {
    struct tx tx = sample(TX_BLOB, 5), back;
    uint8_t key[32];
    fixture_key(key, 0);
    cr_assert_eq(tx_sign(&tx, &arena, key), ERR_OK);
    cr_assert_eq(tx_decode(&back, &arena, tx.raw, false, NULL), ERR_UNSUPPORTED);
    cr_assert_eq(tx_decode(&back, &arena, tx.raw, true, NULL), ERR_OK);
    static const uint8_t firsts[] = {0x00, 0x05, 0x64, 0x6a, 0x7f};
    for (size_t i = 0; i < sizeof firsts; i++) {
        uint8_t envelope[2] = {firsts[i], 0xc0};
        cr_assert_eq(tx_decode(&back, &arena, bytes_of(envelope, 2), true, NULL), ERR_UNSUPPORTED);
    }
    uint8_t string[2] = {0x81, 0x80};
    cr_assert_eq(tx_decode(&back, &arena, bytes_of(string, 2), true, NULL), ERR_RLP);
    cr_assert_eq(tx_decode(&back, &arena, bytes_of(NULL, 0), true, NULL), ERR_RLP);
}

/* Encodes without signing: the signature is what the caller put there. */
static enum err decode_with(struct tx *tx) {
    struct buf b;
    struct tx back;
    buf_init(&b, SIZE_MAX);
    tx_encode(&b, tx);
    struct err_ctx ec = {.err = ERR_OK};
    enum err e = tx_decode(&back, &arena, buf_bytes(&b), true, &ec);
    cr_assert(e == ERR_OK || (ec.err == e && ec.text[0] != '\0'));
    buf_clear(&b);
    return e;
}

Test(tx_codec, signature_ranges) {
    struct tx tx = sample(TX_DYNAMIC_FEE, 0);
    u256 one = U256_ONE, half_plus = u256_add(&SECP_N_HALF, &one),
         below_n = u256_sub(&SECP_N, &one);
    tx.sig = (struct secp_sig){.r = below_n, .s = SECP_N_HALF, .recid = 1};
    cr_assert_eq(decode_with(&tx), ERR_OK);
    tx.sig.s = half_plus;
    cr_assert_eq(decode_with(&tx), ERR_SIGNATURE);
    tx.sig.s = U256_ZERO;
    cr_assert_eq(decode_with(&tx), ERR_SIGNATURE);
    tx.sig = (struct secp_sig){.r = SECP_N, .s = one, .recid = 0};
    cr_assert_eq(decode_with(&tx), ERR_SIGNATURE);
    tx.sig = (struct secp_sig){.r = U256_ZERO, .s = one, .recid = 0};
    cr_assert_eq(decode_with(&tx), ERR_SIGNATURE);
    tx.sig = (struct secp_sig){.r = one, .s = one, .recid = 2};
    cr_assert_eq(decode_with(&tx), ERR_SIGNATURE);
}

Test(tx_codec, lists_cannot_ask_for_more_memory_than_their_bytes) {
    /* A list of many empty strings where addresses with keys should be. */
    enum { ITEMS = 60000 };
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_append_byte(&b, TX_ACCESS_LIST);
    size_t mark = rlp_list_begin(&b);
    for (int i = 0; i < 7; i++)
        rlp_put_u64(&b, 0);
    size_t list = rlp_list_begin(&b);
    for (int i = 0; i < ITEMS; i++)
        rlp_put_u64(&b, 0);
    rlp_list_end(&b, list);
    for (int i = 0; i < 3; i++)
        rlp_put_u64(&b, 1);
    rlp_list_end(&b, mark);
    struct tx back;
    size_t before = arena.total_bytes;
    cr_assert_eq(tx_decode(&back, &arena, buf_bytes(&b), true, NULL), ERR_RLP);
    cr_assert_eq(arena.total_bytes, before);
    buf_clear(&b);
}
