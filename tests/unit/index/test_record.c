/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: payloads come back as packed; every shorter or longer one, and another version, is refused.
 */
#include "tests/lib/index/blocks.h"

#include <criterion/criterion.h>

static struct buf packed(void) {
    struct buf b;
    buf_init(&b, 1 << 20);
    return b;
}

/* One section read alone: the same, and no byte of it may differ, nor the block be another. */
static void expect_section(struct arena *a, bytes payload, const struct record_receipt *want,
                           uint64_t number) {
    struct record_receipt r;
    uint32_t at = be32_load(payload.ptr + record_section_entry(want->tx_idx));
    bytes section = bytes_of(payload.ptr + at, record_section_bytes(payload.ptr + at));
    cr_assert_eq(record_unpack_section(&r, a, section, number), ERR_OK);
    cr_expect_eq(r.tx_idx, want->tx_idx);
    cr_expect_eq(r.first_log, want->first_log);
    cr_expect(hash32_eq(&r.hash, &want->hash));
    cr_expect(addr20_eq(&r.sender, &want->sender));
    cr_expect_eq(r.envelope.len, want->envelope.len);
    cr_expect_eq(r.envelope_at, want->envelope_at);
    cr_expect_eq(r.receipt.log_count, want->receipt.log_count);
    cr_expect_eq(record_unpack_section(&r, a, section, number + 1), ERR_CORRUPT);
    for (size_t len = 0; len < section.len; len++)
        cr_expect_eq(record_unpack_section(&r, a, bytes_of(section.ptr, len), number), ERR_CORRUPT);
    uint8_t *copy = arena_alloc(a, section.len);
    memcpy(copy, section.ptr, section.len);
    for (size_t i = 0; i < section.len; i++) {
        copy[i] ^= 0x10;
        cr_expect_eq(record_unpack_section(&r, a, bytes_of(copy, section.len), number),
                     ERR_CORRUPT);
        copy[i] ^= 0x10;
    }
}

static void expect_receipts(struct arena *a, const struct derived_block *d, bytes block,
                            bytes payload) {
    uint64_t n = d->header.number;
    struct record_receipt *rr = NULL;
    size_t count = 0;
    uint32_t logs = 0;
    cr_assert_eq(record_unpack_receipts(&rr, &count, a, payload, n), ERR_OK);
    cr_assert_eq(count, d->tx_count);
    for (size_t i = 0; i < count; i++) {
        const struct tx *tx = &d->txs[i].tx;
        bytes envelope = rr[i].envelope;
        if (envelope.ptr == NULL) {
            cr_assert_leq(rr[i].envelope_at + envelope.len, block.len);
            envelope.ptr = block.ptr + rr[i].envelope_at;
        }
        cr_expect_eq(envelope.len, tx->raw.len);
        cr_expect_arr_eq(envelope.ptr, tx->raw.ptr, envelope.len);
        cr_expect(hash32_eq(&rr[i].hash, &tx->hash));
        cr_expect(addr20_eq(&rr[i].sender, &tx->sender));
        cr_expect_eq(rr[i].tx_idx, i);
        cr_expect_eq(rr[i].first_log, logs);
        logs += (uint32_t)d->txs[i].receipt.log_count;
        expect_section(a, payload, &rr[i], n);
    }
    cr_expect_eq(record_unpack_receipts(&rr, &count, a, payload, n + 1), ERR_CORRUPT);
    for (size_t len = 1; len < payload.len; len++)
        cr_expect_neq(record_unpack_receipts(&rr, &count, a, bytes_of(payload.ptr, len), n),
                      ERR_OK);
    uint8_t *old = arena_alloc(a, payload.len);
    memcpy(old, payload.ptr, payload.len);
    old[0] = 1;
    cr_expect_eq(record_unpack_receipts(&rr, &count, a, bytes_of(old, payload.len), n),
                 ERR_VERSION);
}

Test(record, block_and_receipts) {
    struct blocks b;
    blocks_open(&b, 9);
    blocks_add(&b, 40);
    for (uint64_t n = 1; n < b.count; n++) {
        const struct derived_block *d = &b.made[n];
        struct buf block = packed(), receipts = packed();
        struct record_block r;
        record_pack_block(&block, d, &d->header.parent_hash);
        record_pack_receipts(&receipts, d);
        cr_assert_eq(record_unpack_block(&r, buf_bytes(&block)), ERR_OK);
        cr_expect_eq(r.number, n);
        cr_expect_eq(r.version, 1);
        cr_expect(hash32_eq(&r.prev_hash, &d->header.parent_hash));
        cr_assert_eq(r.sender_count, d->tx_count);
        cr_expect_eq(r.message.data.len, d->message.data.len);
        struct arena a;
        arena_init(&a, 65536, 1 << 24);
        expect_receipts(&a, d, buf_bytes(&block), buf_bytes(&receipts));
        for (size_t len = 1; len < block.len; len++)
            cr_expect_neq(record_unpack_block(&r, bytes_of(block.ptr, len)), ERR_OK);
        block.ptr[0] = 2;
        cr_expect_eq(record_unpack_block(&r, buf_bytes(&block)), ERR_VERSION);
        arena_clear(&a);
        buf_clear(&block);
        buf_clear(&receipts);
    }
    blocks_close(&b);
}

/* An envelope that is no part of the message goes into the record itself. */
Test(record, inline_envelopes) {
    struct blocks b;
    blocks_open(&b, 11);
    blocks_add(&b, 20);
    for (uint64_t n = 1; n < b.count; n++) {
        struct derived_block d = b.made[n];
        struct buf receipts = packed();
        d.message.data = bytes_of(NULL, 0);
        record_pack_receipts(&receipts, &d);
        struct arena a;
        arena_init(&a, 65536, 1 << 24);
        expect_receipts(&a, &d, bytes_of(NULL, 0), buf_bytes(&receipts));
        arena_clear(&a);
        buf_clear(&receipts);
    }
    blocks_close(&b);
}

Test(record, small_ones) {
    struct buf b = packed();
    struct record_seal s = {.number = 7, .hash = {{1}}, .receipt_root = {{2}}}, s2;
    record_pack_seal(&b, &s);
    cr_assert_eq(record_unpack_seal(&s2, buf_bytes(&b)), ERR_OK);
    cr_expect_eq(s2.number, 7);
    cr_expect(hash32_eq(&s2.hash, &s.hash));
    cr_expect(hash32_eq(&s2.receipt_root, &s.receipt_root));
    buf_append_byte(&b, 0);
    cr_expect_eq(record_unpack_seal(&s2, buf_bytes(&b)), ERR_CORRUPT);
    buf_reset(&b);

    struct record_rewind w = {.epoch = 3, .to_block = 12, .reason = REWIND_PARENT_REORG}, w2;
    record_pack_rewind(&b, &w);
    cr_assert_eq(record_unpack_rewind(&w2, buf_bytes(&b)), ERR_OK);
    cr_expect_eq(w2.epoch, 3);
    cr_expect_eq(w2.to_block, 12);
    cr_expect_eq(w2.reason, REWIND_PARENT_REORG);
    buf_reset(&b);

    struct record_epoch e = {.epoch = 1, .chain_id = UINT64_C(1) << 60, .genesis_hash = {{5}}}, e2;
    record_pack_epoch(&b, &e);
    cr_assert_eq(record_unpack_epoch(&e2, buf_bytes(&b)), ERR_OK);
    cr_expect_eq(e2.chain_id, e.chain_id);
    cr_expect(hash32_eq(&e2.genesis_hash, &e.genesis_hash));
    buf_reset(&b);

    struct record_pool p = {.sender = {{9}}, .envelope = bytes_of("envelope", 8)}, p2;
    record_pack_pool(&b, &p);
    cr_assert_eq(record_unpack_pool(&p2, buf_bytes(&b)), ERR_OK);
    cr_expect(addr20_eq(&p2.sender, &p.sender));
    cr_expect_eq(p2.envelope.len, 8);
    cr_expect_eq(record_unpack_pool(&p2, bytes_of(b.ptr, 10)), ERR_CORRUPT);
    buf_clear(&b);
}

struct kv_seen {
    size_t count;
    uint8_t spaces[4];
    bool del[4];
};

static void see_kv(void *ctx, const struct record_kv *c) {
    struct kv_seen *s = ctx;
    s->spaces[s->count] = c->space;
    s->del[s->count++] = c->del;
}

/* Goal: KV records come back; every truncation of one is refused before anything is handed out. */
Test(record, kv) {
    struct buf b = packed();
    struct record_kv changes[] = {
        {.space = 1, .key = bytes_of("12345678", 8), .value = bytes_of("value", 5)},
        {.space = 2, .del = true, .key = bytes_of("k", 1)},
        {.space = 3, .key = bytes_of("k", 1)},
    };
    record_pack_kv(&b, changes, ARRAY_LEN(changes));
    struct kv_seen s = {0};
    cr_assert_eq(record_each_kv(buf_bytes(&b), see_kv, &s), ERR_OK);
    cr_expect_eq(s.count, 3);
    cr_expect_eq(s.spaces[2], 3);
    cr_expect(s.del[1]);
    cr_expect_not(s.del[2]);
    struct kv_seen none = {0};
    for (size_t len = 0; len < b.len; len++)
        cr_expect_eq(record_each_kv(bytes_of(b.ptr, len), see_kv, &none), ERR_CORRUPT);
    cr_expect_eq(none.count, 0);
    b.ptr[0]++;
    cr_expect_eq(record_each_kv(buf_bytes(&b), see_kv, &none), ERR_VERSION);
    buf_clear(&b);
}
