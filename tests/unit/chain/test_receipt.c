/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: blooms, the consensus form and the storage form of receipts. */
#include "chain/receipt.h"

#include "base/keccak.h"

#include <criterion/criterion.h>

static unsigned bits_set(const uint8_t bloom[256]) {
    unsigned n = 0;
    for (size_t i = 0; i < 256; i++)
        n += (unsigned)__builtin_popcount(bloom[i]);
    return n;
}

Test(receipt, bloom_of_known_digest) {
    /* keccak256("") = c5d2 4601 86f7 ...: bits 0x5d2, 0x601, 0x6f7 of 2048. */
    uint8_t bloom[256] = {0};
    bloom_add(bloom, "", 0);
    cr_assert_eq(bits_set(bloom), 3);
    cr_assert(bloom[255 - 0x5d2 / 8] & 1u << (0x5d2 % 8));
    cr_assert(bloom[255 - 0x601 / 8] & 1u << (0x601 % 8));
    cr_assert(bloom[255 - 0x6f7 / 8] & 1u << (0x6f7 % 8));
    cr_assert(bloom_may_contain(bloom, "", 0));
    cr_assert(!bloom_may_contain(bloom, "x", 1));
}

Test(receipt, bloom_of_a_log_is_that_of_its_parts) {
    addr20 a = {{0xaa, 0xbb}};
    hash32 topics[4] = {{{1}}, {{2}}, {{3}}, {{4}}};
    for (size_t n = 0; n <= 4; n++) {
        uint8_t whole[256] = {0}, parts[256] = {0};
        bloom_add_log(whole, &a, topics, n);
        bloom_add(parts, a.b, 20);
        for (size_t i = 0; i < n; i++)
            bloom_add(parts, topics[i].b, 32);
        cr_assert_eq(memcmp(whole, parts, 256), 0);
    }
}

static struct receipt sample(struct log_entry logs[2]) {
    struct receipt r;
    memset(&r, 0, sizeof r);
    memset(logs, 0, 2 * sizeof *logs);
    logs[0].address.b[3] = 7;
    logs[0].topic_count = 2;
    logs[0].topics[1].b[31] = 5;
    logs[0].data = bytes_of("payload", 7);
    logs[1].data = bytes_of("", 0);
    r.type = TX_DYNAMIC_FEE;
    r.success = true;
    r.cumulative_gas_used = 70000;
    r.gas_used = 30000;
    r.effective_gas_price = r.gas_price_charged = u256_from_u64(1u << 30);
    r.has_contract_addr = true;
    r.contract_addr.b[19] = 1;
    r.logs = logs;
    r.log_count = 2;
    for (size_t i = 0; i < 2; i++)
        bloom_add_log(r.bloom, &logs[i].address, logs[i].topics, logs[i].topic_count);
    return r;
}

Test(receipt, consensus_form) {
    struct receipt empty = {.type = TX_LEGACY, .success = false, .cumulative_gas_used = 21000};
    struct buf b;
    buf_init(&b, 1 << 16);
    receipt_encode(&b, &empty);
    /* [status "", 0x5208, 256 zero bytes, []]: f90108 | 80 | 825208 | b90100 ... | c0 */
    cr_assert_eq(b.len, 3 + 1 + 3 + 3 + 256 + 1);
    cr_assert_eq(memcmp(b.ptr, "\xf9\x01\x08\x80\x82\x52\x08\xb9\x01\x00", 10), 0);
    cr_assert_eq(b.ptr[b.len - 1], 0xc0);
    buf_reset(&b);
    struct log_entry logs[2];
    struct receipt r = sample(logs);
    receipt_encode(&b, &r);
    cr_assert_eq(b.ptr[0], 0x02);
    cr_assert_eq(b.ptr[1], 0xf9);
    buf_clear(&b);
}

Test(receipt, logs_hash_of_no_logs) {
    struct buf b;
    buf_init(&b, 64);
    receipt_encode_logs(&b, NULL, 0);
    hash32 h = keccak256_bytes(buf_bytes(&b));
    cr_assert(hash32_eq(&h, &KECCAK_EMPTY_LIST));
    buf_clear(&b);
}

Test(receipt, storage_form_round_trips_and_refuses_damage) {
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 22);
    struct log_entry logs[2];
    struct receipt r = sample(logs), back;
    struct buf b, again;
    buf_init(&b, 1 << 16);
    buf_init(&again, 1 << 16);
    receipt_pack(&b, &r);
    size_t one = b.len;
    receipt_pack(&b, &r);
    bytes in = buf_bytes(&b);
    cr_assert_eq(receipt_unpack(&back, &a, &in), ERR_OK);
    cr_assert_eq(in.len, one);
    cr_assert(back.has_contract_addr && back.contract_addr.b[19] == 1);
    cr_assert(u256_eq(&back.effective_gas_price, &r.effective_gas_price));
    receipt_pack(&again, &back);
    cr_assert_eq(again.len, one);
    cr_assert_eq(memcmp(again.ptr, b.ptr, one), 0);
    cr_assert(back.universe == 0 && !back.sponsored && u256_is_zero(&back.surcharge));
    cr_assert(u256_eq(&back.gas_price_charged, &r.gas_price_charged));
    for (size_t len = 0; len < one; len++) {
        bytes cut = bytes_of(b.ptr, len);
        cr_assert_neq(receipt_unpack(&back, &a, &cut), ERR_OK);
    }
    uint8_t damaged[1024];
    cr_assert(one <= sizeof damaged);
    for (size_t i = 0; i < one; i++) { /* never a crash, whatever the answer */
        memcpy(damaged, b.ptr, one);
        damaged[i] ^= 0x41;
        bytes d = bytes_of(damaged, one);
        (void)!receipt_unpack(&back, &a, &d);
    }
    buf_clear(&b);
    buf_clear(&again);
    arena_clear(&a);
}

Test(receipt, storage_form_says_who_paid) {
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 22);
    struct log_entry logs[2];
    struct receipt r = sample(logs), back;
    r.universe = 9;
    r.sponsored = true;
    r.effective_gas_price = U256_ZERO;
    r.surcharge = u256_from_u64(3);
    struct buf b;
    buf_init(&b, 1 << 16);
    receipt_pack(&b, &r);
    bytes in = buf_bytes(&b);
    cr_assert_eq(receipt_unpack(&back, &a, &in), ERR_OK);
    cr_assert(back.universe == 9 && back.sponsored && back.surcharge.w[0] == 3);
    cr_assert(u256_is_zero(&back.effective_gas_price));
    cr_assert(u256_eq(&back.gas_price_charged, &r.gas_price_charged));
    for (size_t len = 0; len < b.len; len++) {
        bytes cut = bytes_of(b.ptr, len);
        cr_assert_neq(receipt_unpack(&back, &a, &cut), ERR_OK);
    }
    buf_clear(&b);
    arena_clear(&a);
}
