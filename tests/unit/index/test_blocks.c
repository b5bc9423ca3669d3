/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what index_put_block wrote is what the queries give back, before and after a checkpoint.
 * Covers: blocks.c rows.c */
#include "base/rlp.h"
#include "index/rows.h"
#include "tests/lib/index/blocks.h"

#include <criterion/criterion.h>

/* One transaction by itself is what it is in the whole block. */
static void expect_tx(struct blocks *b, struct arena *a, const struct index_block *whole,
                      uint32_t idx) {
    struct index_block one;
    struct err_ctx ec = {.text = ""};
    size_t at = 1;
    uint64_t number = whole->head.header.number;
    cr_assert_eq(index_load_tx(&one, &at, a, &b->source, b->view, number, idx, &ec), ERR_OK, "%s",
                 ec.text);
    cr_expect_eq(index_tx_idx(&one, at), idx);
    cr_expect_eq(index_first_log(&one, at), index_first_log(whole, idx));
    cr_expect(hash32_eq(&one.head.hash, &whole->head.hash));
    cr_expect(hash32_eq(&one.txs[at].hash, &whole->txs[idx].hash));
    cr_expect(addr20_eq(&one.txs[at].sender, &whole->txs[idx].sender));
    cr_expect_eq(one.txs[at].nonce, whole->txs[idx].nonce);
    struct buf x, y;
    buf_init(&x, 1 << 20);
    buf_init(&y, 1 << 20);
    receipt_pack(&x, &one.receipts[at]);
    receipt_pack(&y, &whole->receipts[idx]);
    cr_expect_eq(x.len, y.len);
    cr_expect_arr_eq(x.ptr, y.ptr, x.len);
    buf_clear(&x);
    buf_clear(&y);
}

static void expect_block(struct blocks *b, uint64_t number) {
    const struct derived_block *want = &b->made[number];
    struct arena a;
    struct index_block got;
    struct err_ctx ec = {.text = ""};
    arena_init(&a, 65536, 1 << 26);
    cr_assert_eq(index_load_block(&got, &a, &b->source, b->view, number, &ec), ERR_OK, "%s",
                 ec.text);
    cr_assert(hash32_eq(&got.head.hash, &want->hash));
    cr_assert(hash32_eq(&got.head.hash, &(hash32){{0}}) == false);
    hash32 h = header_hash(&got.head.header);
    cr_assert(hash32_eq(&h, &want->hash));
    cr_assert_eq(got.tx_count, want->tx_count);
    cr_assert_eq(got.head.tx_count, want->tx_count);
    for (size_t i = 0; i < got.tx_count; i++) {
        const struct derived_tx *d = &want->txs[i];
        cr_expect(hash32_eq(&got.txs[i].hash, &d->tx.hash));
        cr_expect(got.txs[i].has_sender);
        cr_expect(addr20_eq(&got.txs[i].sender, &d->tx.sender));
        cr_expect_eq(got.receipts[i].gas_used, d->receipt.gas_used);
        cr_expect_eq(got.receipts[i].success, d->receipt.success);
        cr_expect(u256_eq(&got.receipts[i].effective_gas_price, &d->receipt.effective_gas_price));
        cr_assert_eq(got.receipts[i].log_count, d->receipt.log_count);
        for (size_t k = 0; k < d->receipt.log_count; k++) {
            const struct log_entry *x = &got.receipts[i].logs[k], *y = &d->receipt.logs[k];
            cr_expect(addr20_eq(&x->address, &y->address));
            cr_expect_eq(x->topic_count, y->topic_count);
            cr_expect_arr_eq(x->topics, y->topics, x->topic_count * sizeof(hash32));
            cr_expect_eq(x->data.len, y->data.len);
            cr_expect_arr_eq(x->data.ptr, y->data.ptr, x->data.len);
        }
        uint64_t block = 0;
        uint32_t idx = 0;
        cr_assert_eq(index_find_tx(&block, &idx, b->view, &d->tx.hash), ERR_OK);
        cr_expect_eq(block, number);
        cr_expect_eq(idx, i);
        expect_tx(b, &a, &got, idx);
    }
    size_t at;
    cr_expect_eq(
        index_load_tx(&got, &at, &a, &b->source, b->view, number, (uint32_t)want->tx_count, &ec),
        ERR_NOT_FOUND);
    struct message m;
    if (number != 0) {
        cr_assert_eq(index_load_message(&m, &a, &b->source, b->view, number, &ec), ERR_OK, "%s",
                     ec.text);
        cr_expect(m.kind == want->message.kind && m.timestamp == want->message.timestamp);
        cr_expect_eq(m.data.len, want->message.data.len);
        cr_expect_arr_eq(m.data.ptr, want->message.data.ptr, m.data.len);
    }
    cr_expect_eq(index_load_message(&m, &a, &b->source, b->view, b->count, &ec), ERR_NOT_FOUND);
    uint64_t n = 0;
    cr_assert_eq(index_number_of(&n, b->view, &want->hash), ERR_OK);
    cr_expect_eq(n, number);
    h = index_hash_of(b->view, number);
    cr_expect(hash32_eq(&h, &want->hash));
    arena_clear(&a);
}

Test(blocks, come_back_as_put) {
    struct blocks b;
    struct err_ctx ec;
    blocks_open(&b, 1);
    blocks_add(&b, 60);
    for (uint64_t n = 0; n < b.count; n++)
        expect_block(&b, n);
    cr_assert_eq(store_checkpoint(b.store, &ec), ERR_OK);
    blocks_add(&b, 40);
    for (uint64_t n = 0; n < b.count; n++)
        expect_block(&b, n);
    blocks_close(&b);
}

/* Flips a bit of each byte of a part of a record on the disk: the transaction is refused, and read
 * again when it is as it was. */
static void damage(struct blocks *b, const char *prefix, enum table_id table, uint64_t number,
                   uint64_t from, size_t len, uint32_t idx) {
    uint8_t key[8], byte;
    char path[512];
    bytes value;
    struct log_pos pos;
    struct arena a;
    struct index_block got;
    struct err_ctx ec = {.text = ""};
    size_t at;
    arena_init(&a, 65536, 1 << 26);
    be64_store(key, number);
    cr_assert(store_get(b->view, table, bytes_of(key, 8), &value));
    cr_assert_eq(row_position_decode(&pos, value), ERR_OK);
    snprintf(path, sizeof(path), "%s/%s-%08u.seg", b->dir, prefix, pos.segment);
    FILE *f = fopen(path, "r+b");
    cr_assert_not_null(f, "%s", path);
    for (size_t i = 0; i < len; i++) {
        long where = (long)(pos.offset + LOG_HEADER_BYTES + from + i);
        cr_assert_eq(fseek(f, where, SEEK_SET), 0);
        cr_assert_eq(fread(&byte, 1, 1, f), 1);
        for (int turn = 0; turn < 2; turn++) {
            byte ^= 1;
            cr_assert_eq(fseek(f, where, SEEK_SET), 0);
            cr_assert_eq(fwrite(&byte, 1, 1, f), 1);
            cr_assert_eq(fflush(f), 0);
            enum err e = index_load_tx(&got, &at, &a, &b->source, b->view, number, idx, &ec);
            cr_expect_eq(e, turn == 0 ? ERR_CORRUPT : ERR_OK, "byte %zu: %s", i, ec.text);
        }
    }
    fclose(f);
    arena_clear(&a);
}

Test(blocks, a_damaged_transaction_is_refused) {
    struct blocks b;
    blocks_open(&b, 5);
    blocks_add(&b, 30);
    uint64_t number = 1;
    while (b.made[number].tx_count < 3)
        number++;
    struct buf payload;
    buf_init(&payload, 1 << 20);
    record_pack_receipts(&payload, &b.made[number]);
    uint32_t at = be32_load(payload.ptr + record_section_entry(1));
    damage(&b, "receipts", TABLE_RCPT, number, record_section_entry(1), 4, 1);
    damage(&b, "receipts", TABLE_RCPT, number, at, record_section_bytes(payload.ptr + at), 1);
    const struct derived_block *d = &b.made[number];
    uint64_t envelope =
        record_block_data_at(d) + (size_t)(d->txs[1].tx.raw.ptr - d->message.data.ptr);
    damage(&b, "blocks", TABLE_BODY, number, envelope, d->txs[1].tx.raw.len, 1);
    buf_clear(&payload);
    blocks_close(&b);
}

Test(blocks, unknown_is_not_found) {
    struct blocks b;
    struct index_head h;
    uint64_t n = 0;
    uint32_t idx = 0;
    hash32 none = {{1}};
    blocks_open(&b, 2);
    blocks_add(&b, 3);
    cr_expect_eq(index_head(&h, b.view, 3), ERR_NOT_FOUND);
    cr_expect_eq(index_head(&h, b.view, UINT64_MAX), ERR_NOT_FOUND);
    cr_expect_eq(index_number_of(&n, b.view, &none), ERR_NOT_FOUND);
    cr_expect_eq(index_find_tx(&n, &idx, b.view, &none), ERR_NOT_FOUND);
    none = index_hash_of(b.view, 3);
    cr_expect(hash32_is_zero(&none));
    blocks_close(&b);
}

Test(blocks, a_view_sees_only_its_blocks) {
    struct blocks b;
    blocks_open(&b, 3);
    blocks_add(&b, 10);
    struct store_view *old = NULL;
    struct index_head h;
    cr_assert_eq(store_view_open(&old, b.store, 4), ERR_OK);
    blocks_add(&b, 5);
    cr_expect_eq(index_head(&h, old, 4), ERR_OK);
    cr_expect_eq(index_head(&h, old, 5), ERR_NOT_FOUND);
    cr_expect_eq(index_head(&h, b.view, 14), ERR_OK);
    store_view_close(old);
    blocks_close(&b);
}

/* The size is that of [header, [transactions], []] put together by hand. */
Test(rows, size_is_the_rlp_length) {
    struct blocks b;
    struct index_head h;
    blocks_open(&b, 4);
    blocks_add(&b, 30);
    for (uint64_t n = 0; n < b.count; n++) {
        struct buf rlp;
        buf_init(&rlp, 1 << 20);
        size_t block = rlp_list_begin(&rlp);
        header_encode(&rlp, &b.made[n].header);
        size_t txs = rlp_list_begin(&rlp);
        for (size_t i = 0; i < b.made[n].tx_count; i++) {
            bytes raw = b.made[n].txs[i].tx.raw;
            if (b.made[n].txs[i].tx.type == TX_LEGACY)
                buf_append(&rlp, raw.ptr, raw.len);
            else
                rlp_put_bytes(&rlp, raw.ptr, raw.len);
        }
        rlp_list_end(&rlp, txs);
        rlp_list_end(&rlp, rlp_list_begin(&rlp));
        rlp_list_end(&rlp, block);
        cr_assert_eq(index_head(&h, b.view, n), ERR_OK);
        cr_expect_eq(h.size, rlp.len, "block %llu: %u, want %zu", (unsigned long long)n, h.size,
                     rlp.len);
        buf_clear(&rlp);
    }
    blocks_close(&b);
}

Test(rows, damaged_values_are_refused) {
    struct index_head h;
    struct log_pos pos = {.segment = 3, .offset = 99}, back;
    uint8_t raw[ROW_POSITION_BYTES];
    row_position_encode(raw, pos);
    cr_assert_eq(row_position_decode(&back, bytes_of(raw, 8)), ERR_OK);
    cr_expect_eq(back.segment, 3);
    cr_expect_eq(back.offset, 99);
    cr_expect_eq(row_position_decode(&back, bytes_of(raw, 7)), ERR_CORRUPT);
    uint8_t junk[100] = {0};
    cr_expect_eq(row_head_decode(&h, bytes_of(junk, sizeof(junk))), ERR_CORRUPT);
    cr_expect_eq(row_head_decode(&h, bytes_of(junk, 10)), ERR_CORRUPT);
}
