/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: headers of every number of fields encode and decode exactly; mainnet's genesis block has
 * its known hash. */
#include "chain/header.h"

#include "base/hex.h"
#include "base/keccak.h"

#include <criterion/criterion.h>

Test(header, hash_of_the_mainnet_genesis_block) {
    struct header h;
    memset(&h, 0, sizeof h);
    h.field_count = 15;
    h.ommers_hash = KECCAK_EMPTY_LIST;
    h.tx_root = h.receipt_root = KECCAK_EMPTY_TRIE;
    cr_assert_eq(
        hex_decode_fixed(h.state_root.b, 32,
                         "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"),
        ERR_OK);
    h.difficulty = u256_from_u64(0x400000000);
    h.gas_limit = 5000;
    cr_assert_eq(
        hex_decode_fixed(h.extra, 32,
                         "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa"),
        ERR_OK);
    h.extra_len = 32;
    h.nonce[7] = 0x42;
    hash32 hash = header_hash(&h);
    char text[65] = {0};
    hex_encode(text, hash.b, 32);
    cr_assert_str_eq(text, "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3");
}

static struct header sample(uint8_t fields) {
    struct header h;
    memset(&h, 0, sizeof h);
    h.field_count = fields;
    h.parent_hash.b[0] = 1;
    h.coinbase.b[1] = 2;
    h.bloom[9] = 3;
    h.number = 1u << 20;
    h.gas_limit = UINT64_MAX;
    h.timestamp = 0x7f;
    memset(h.extra, 0xee, 60);
    h.extra_len = 60;
    h.base_fee = fields > 15 ? U256_MAX : U256_ZERO;
    h.withdrawals_root.b[31] = fields > 16;
    h.blob_gas_used = fields > 17 ? 131072 : 0;
    h.excess_blob_gas = fields > 18;
    h.parent_beacon_root.b[0] = fields > 19;
    h.requests_hash.b[0] = fields > 20;
    return h;
}

Test(header, every_number_of_fields_round_trips) {
    for (uint8_t fields = 15; fields <= 21; fields++) {
        struct header h = sample(fields), back;
        struct buf b, again;
        buf_init(&b, HEADER_ENCODED_MAX_BYTES);
        buf_init(&again, HEADER_ENCODED_MAX_BYTES);
        header_encode(&b, &h);
        cr_assert(!b.overflow);
        cr_assert_eq(header_decode(&back, buf_bytes(&b)), ERR_OK);
        cr_assert_eq(back.field_count, fields);
        cr_assert_eq(memcmp(&back, &h, sizeof h), 0);
        header_encode(&again, &back);
        cr_assert(again.len == b.len && memcmp(again.ptr, b.ptr, b.len) == 0);
        for (size_t len = 0; len < b.len; len++)
            cr_assert_neq(header_decode(&back, bytes_of(b.ptr, len)), ERR_OK);
        buf_append_byte(&b, 0x80);
        cr_assert_eq(header_decode(&back, buf_bytes(&b)), ERR_RLP);
        buf_clear(&b);
        buf_clear(&again);
    }
}

Test(header, extra_data_has_a_limit) {
    struct header h = sample(16), back;
    struct buf b;
    buf_init(&b, HEADER_ENCODED_MAX_BYTES);
    h.extra_len = HEADER_EXTRA_MAX_BYTES;
    header_encode(&b, &h);
    cr_assert(!b.overflow);
    cr_assert_eq(header_decode(&back, buf_bytes(&b)), ERR_OK);
    buf_clear(&b);
}

Test(header, l3_packing_round_trips) {
    struct header h = sample(16);
    struct l3_header_info i = {
        .send_count = 5, .l1_block_number = UINT64_MAX, .version = 1, .delayed_read = 77};
    i.send_root.b[4] = 9;
    l3_header_info_set(&h, &i);
    struct l3_header_info back = l3_header_info_get(&h);
    cr_assert(hash32_eq(&back.send_root, &i.send_root));
    cr_assert(back.send_count == 5 && back.l1_block_number == UINT64_MAX && back.version == 1 &&
              back.delayed_read == 77);
    cr_assert_eq(h.extra_len, 32);
    cr_assert_eq(h.nonce[7], 77);
    cr_assert_eq(h.mix_hash.b[7], 5);
}
