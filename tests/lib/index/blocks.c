/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/index/blocks.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/retryable.h"
#include "chain/send_tree.h"
#include "chain/system_state.h"
#include "tests/lib/temp_dir.h"

#include <stdlib.h>

enum { MADE_MAX = 4096 };

addr20 blocks_address(size_t i) {
    addr20 a;
    memset(a.b, 0xa0 + (int)i, sizeof(a.b));
    return a;
}

/* The first one begins with the bytes of the first address: their keys lie side by side. */
hash32 blocks_topic(size_t i) {
    hash32 h;
    memset(h.b, i == 0 ? 0xa0 : 0x10 + (int)i, sizeof(h.b));
    return h;
}

uint64_t blocks_random(struct blocks *b, uint64_t below) {
    b->seed ^= b->seed >> 12;
    b->seed ^= b->seed << 25;
    b->seed ^= b->seed >> 27;
    return (b->seed * UINT64_C(0x2545F4914F6CDD1D)) % below;
}

static void open_all(struct blocks *b, uint64_t seed, uint32_t segment_bytes) {
    struct err_ctx ec = {.text = ""};
    *b = (struct blocks){.seed = seed};
    temp_dir_make(b->dir, sizeof(b->dir), "index");
    arena_init(&b->arena, 1 << 20, 1 << 30);
    b->made = calloc(MADE_MAX, sizeof(*b->made));
    CHECK(b->made != NULL);
    struct store_options so = {.dir = b->dir, .no_sync = true};
    CHECK(store_open(&b->store, &so, &ec) == ERR_OK);
    struct wal_options wo = {
        .disk = disk_posix(), .dir = b->dir, .prefix = "blocks", .segment_bytes = segment_bytes};
    CHECK(wal_open(&b->source.log, &wo, &ec) == ERR_OK);
    wo.prefix = "receipts";
    CHECK(wal_open(&b->source.receipts, &wo, &ec) == ERR_OK);
}

void blocks_open(struct blocks *b, uint64_t seed) {
    open_all(b, seed, 1 << 20);
}

void blocks_open_outliving(struct blocks *b, uint64_t seed, uint32_t segment_bytes) {
    open_all(b, seed, segment_bytes);
    b->outliving = true;
}

void blocks_close(struct blocks *b) {
    if (b->view != NULL)
        store_view_close(b->view);
    wal_close(b->source.log);
    wal_close(b->source.receipts);
    store_close(b->store);
    arena_clear(&b->arena);
    free(b->made);
    temp_dir_remove(b->dir);
}

static bytes arena_zero_data(struct arena *a, size_t len) {
    return bytes_of(arena_zalloc(a, len + 1), len);
}

static void make_tx(struct blocks *b, struct derived_tx *d, uint64_t number, size_t idx,
                    uint64_t *cumulative) {
    static const uint8_t key[32] = {[31] = 7};
    d->tx = (struct tx){
        .type = idx % 2 ? TX_DYNAMIC_FEE : TX_LEGACY,
        .has_chain_id = true,
        .chain_id = 41337,
        .nonce = number * BLOCKS_TXS_MAX + idx,
        .gas_limit = 100000,
        .to = blocks_address(0),
        .data = arena_copy(&b->arena, bytes_of("data", idx % 4)),
    };
    d->tx.max_fee = d->tx.max_priority_fee = d->tx.gas_price = u256_from_u64(9);
    CHECK(tx_sign(&d->tx, &b->arena, key) == ERR_OK);
    struct receipt *r = &d->receipt;
    r->type = d->tx.type;
    r->success = blocks_random(b, 4) != 0;
    r->gas_used = 21000 + blocks_random(b, 1000);
    r->cumulative_gas_used = *cumulative += r->gas_used;
    r->effective_gas_price = u256_from_u64(number);
    r->log_count = blocks_random(b, BLOCKS_LOGS_MAX);
    r->logs = arena_zalloc(&b->arena, (r->log_count + 1) * sizeof(*r->logs));
    for (size_t i = 0; i < r->log_count; i++) {
        struct log_entry *l = &r->logs[i];
        l->address = blocks_address(blocks_random(b, BLOCKS_ADDRESSES));
        l->topic_count = (uint8_t)blocks_random(b, 5);
        for (size_t t = 0; t < l->topic_count; t++)
            l->topics[t] = blocks_topic(blocks_random(b, BLOCKS_TOPICS));
        l->data = arena_copy(&b->arena, bytes_of("log data", blocks_random(b, 9)));
        bloom_add_log(r->bloom, &l->address, l->topics, l->topic_count);
    }
}

/* Of a third of the transactions another type, or a log that makes them outlive. */
static void make_outlive(struct blocks *b, struct derived_tx *d) {
    static const enum tx_type types[] = {TX_DEPOSIT, TX_RETRY};
    struct receipt *r = &d->receipt;
    uint64_t which = blocks_random(b, 12);
    if (which < ARRAY_LEN(types)) {
        d->tx = (struct tx){.type = types[which],
                            .chain_id = 41337,
                            .has_chain_id = true,
                            .nonce = d->tx.nonce,
                            .gas_limit = 21000,
                            .to = blocks_address(1),
                            .sender = blocks_address(2),
                            .has_sender = true,
                            .parent = {.gas = 21000}};
        be64_store(d->tx.parent.request_id.b, d->tx.nonce);
        tx_finish_unsigned(&d->tx, &b->arena);
        r->type = d->tx.type;
    } else if (which < 4) {
        struct log_entry *l = arena_zalloc(&b->arena, (r->log_count + 1) * sizeof(*l));
        memcpy(l, r->logs, r->log_count * sizeof(*l));
        struct log_entry *last = &l[r->log_count++];
        last->address = system_address(which == 2 ? SYSTEM_ARBSYS : SYSTEM_RETRYABLE);
        last->topic_count = 4;
        last->topics[0] = which == 2 ? SEND_L2_TO_L1_TX : RETRYABLE_REDEEM_SCHEDULED;
        for (size_t t = 1; t < 3; t++)
            last->topics[t] = blocks_topic(blocks_random(b, BLOCKS_TOPICS));
        last->data = arena_zero_data(&b->arena, (size_t)blocks_random(b, 5000));
        r->logs = l;
        bloom_add_log(r->bloom, &last->address, last->topics, last->topic_count);
    }
}

static void make_block(struct blocks *b, struct derived_block *d, uint64_t number) {
    *d = (struct derived_block){0};
    struct header *h = &d->header;
    h->number = number;
    h->parent_hash = number > 0 ? b->made[number - 1].hash : (hash32){{0}};
    h->difficulty = U256_ONE;
    h->gas_limit = 1 << 26;
    h->timestamp = 1700000000 + number;
    h->field_count = 16;
    struct l3_header_info info = {.l1_block_number = number / 12, .version = 1};
    l3_header_info_set(h, &info);
    d->tx_count = number == 0 ? 0 : blocks_random(b, BLOCKS_TXS_MAX + 1);
    d->txs = arena_zalloc(&b->arena, (d->tx_count + 1) * sizeof(*d->txs));
    size_t is_signed = 0;
    for (size_t i = 0; i < d->tx_count; i++) {
        make_tx(b, &d->txs[i], number, i, &h->gas_used);
        if (b->outliving)
            make_outlive(b, &d->txs[i]);
        is_signed += !tx_is_unsigned(d->txs[i].tx.type);
        for (size_t k = 0; k < sizeof(h->bloom); k++)
            h->bloom[k] |= d->txs[i].receipt.bloom[k];
    }
    struct buf data;
    struct message_framer f;
    buf_init(&data, MESSAGE_SEQUENCED_MAX_BYTES);
    message_frame_begin(&f, &data);
    for (size_t i = 0; i < d->tx_count; i++)
        if (!tx_is_unsigned(d->txs[i].tx.type))
            message_frame_add(&f, d->txs[i].tx.raw, NULL);
    d->message = (struct message){.kind = MESSAGE_L2,
                                  .sender = SEQUENCER_ADDRESS,
                                  .timestamp = h->timestamp,
                                  .data = arena_copy(&b->arena, buf_bytes(&data))};
    buf_clear(&data);
    /* Envelopes lie in the message's data, as those of derived blocks do. */
    const uint8_t *at = d->message.data.ptr + (is_signed == 1 ? 1 : MESSAGE_FRAME_FIRST_OFFSET);
    for (size_t i = 0; i < d->tx_count; i++) {
        if (tx_is_unsigned(d->txs[i].tx.type))
            continue;
        d->txs[i].tx.raw.ptr = at;
        at += d->txs[i].tx.raw.len + MESSAGE_FRAME_FIRST_OFFSET - 1;
    }
    d->hash = header_hash(h);
}

static void look(struct blocks *b) {
    if (b->view != NULL)
        store_view_close(b->view);
    CHECK(store_view_open(&b->view, b->store, b->count - 1) == ERR_OK);
}

void blocks_add(struct blocks *b, size_t count) {
    struct buf payload;
    buf_init(&payload, 1 << 20);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = b->count++;
        CHECK(number < MADE_MAX);
        struct derived_block *d = &b->made[number];
        make_block(b, d, number);
        if (b->alter != NULL)
            b->alter(b->alter_ctx, d);
        struct index_positions at = {0};
        struct log_record r;
        uint64_t seq = 0;
        if (number > 0) {
            buf_reset(&payload);
            record_pack_block(&payload, d, &d->header.parent_hash);
            CHECK(wal_append(b->source.log, LOG_BLOCK, 1, buf_bytes(&payload), &r) == ERR_OK);
            at.has_body = true;
            at.body = r.pos;
            seq = r.seq;
        }
        if (d->tx_count > 0) {
            buf_reset(&payload);
            record_pack_receipts(&payload, d);
            CHECK(wal_append(b->source.receipts, LOG_RECEIPTS, 1, buf_bytes(&payload), &r) ==
                  ERR_OK);
            at.has_receipts = true;
            at.receipts = r.pos;
            at.receipts_payload = buf_bytes(&payload);
        }
        store_block_begin(b->store, number);
        index_put_block(b->store, d, &at);
        struct store_applied applied = {
            .epoch = 1, .seq = seq, .block = number, .block_hash = d->hash};
        store_block_commit(b->store, &applied);
        store_set_durable(b->store, number);
    }
    buf_clear(&payload);
    look(b);
}

void blocks_unwind(struct blocks *b, uint64_t to) {
    struct err_ctx ec = {.text = ""};
    struct store_applied at = {.epoch = 1,
                               .seq = wal_last_seq(b->source.log),
                               .block = to,
                               .block_hash = b->made[to].hash};
    CHECK(store_unwind(b->store, to, &at, &ec) == ERR_OK);
    b->count = to + 1;
    look(b);
}

void blocks_checkpoint(struct blocks *b) {
    CHECK(wal_sync(b->source.log, NULL, NULL) == ERR_OK);
    CHECK(wal_sync(b->source.receipts, NULL, NULL) == ERR_OK);
    CHECK(store_checkpoint(b->store, NULL) == ERR_OK);
}

void blocks_drop(struct blocks *b, uint64_t first) {
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 28);
    while (store_prune(b->store, first, 5000))
        continue;
    for (uint64_t n = 1; n < first; n++) {
        struct store_drop_row *rows;
        size_t count;
        CHECK(index_drop_rows(&rows, &count, &a, &b->source, b->view, n, NULL) == ERR_OK);
        CHECK(store_drop(b->store, rows, count, NULL) == ERR_OK);
        arena_reset(&a);
    }
    arena_clear(&a);
}
