/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/batch.h"

#include "base/check.h"
#include "base/keccak.h"

void batch_header_encode(uint8_t out[BATCH_HEADER_BYTES], const struct batch_header *h) {
    be64_store(out, h->min_timestamp);
    be64_store(out + 8, h->max_timestamp);
    be64_store(out + 16, h->min_block);
    be64_store(out + 24, h->max_block);
    be64_store(out + 32, h->after_delayed);
}

void batch_header_decode(struct batch_header *out, const uint8_t in[BATCH_HEADER_BYTES]) {
    *out = (struct batch_header){
        .min_timestamp = be64_load(in),
        .max_timestamp = be64_load(in + 8),
        .min_block = be64_load(in + 16),
        .max_block = be64_load(in + 24),
        .after_delayed = be64_load(in + 32),
    };
}

static uint64_t minus(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

static uint64_t plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

struct batch_header batch_header_at(const struct batch_time_bounds *b, uint64_t timestamp,
                                    uint64_t l1_block, uint64_t after_delayed) {
    return (struct batch_header){
        .min_timestamp = minus(timestamp, b->delay_seconds),
        .max_timestamp = plus(timestamp, b->future_seconds),
        .min_block = minus(l1_block, b->delay_blocks),
        .max_block = plus(l1_block, b->future_blocks),
        .after_delayed = after_delayed,
    };
}

hash32 batch_data_hash(const struct batch_header *h, bytes payload) {
    uint8_t header[BATCH_HEADER_BYTES];
    batch_header_encode(header, h);
    struct keccak_ctx k;
    keccak256_begin(&k);
    keccak256_update(&k, header, sizeof header);
    keccak256_update(&k, payload.ptr, payload.len);
    hash32 out;
    keccak256_end(&k, &out);
    return out;
}

hash32 batch_acc_next(const hash32 *before, const hash32 *data_hash, const hash32 *delayed_acc) {
    hash32 preimage[3] = {*before, *data_hash, *delayed_acc};
    hash32 out;
    keccak256(&out, preimage, sizeof preimage);
    return out;
}

/* --- on the parent ------------------------------------------------------------------------- */

enum err batch_parse_event(struct batch_event *out, const struct parent_log *l) {
    if (!parent_log_is(l, ABI_EVENT_BATCH_DELIVERED, 4))
        return ERR_PARSE;
    struct batch_event e = {.before_acc = l->topics[2],
                            .after_acc = l->topics[3],
                            .block_num = l->block_num,
                            .block_hash = l->block_hash,
                            .tx_hash = l->tx_hash};
    uint8_t location;
    TRY(parent_log_topic_u64(&e.seq_num, l, 1));
    TRY(abi_get_hash(&e.delayed_acc, l->data, 0));
    TRY(abi_get_u64(&e.header.after_delayed, l->data, 1));
    TRY(abi_get_u64(&e.header.min_timestamp, l->data, 2));
    TRY(abi_get_u64(&e.header.max_timestamp, l->data, 3));
    TRY(abi_get_u64(&e.header.min_block, l->data, 4));
    TRY(abi_get_u64(&e.header.max_block, l->data, 5));
    TRY(abi_get_u8(&location, l->data, 6));
    if (location > BATCH_BLOB)
        return ERR_UNSUPPORTED;
    e.location = (enum batch_location)location;
    *out = e;
    return ERR_OK;
}

enum err batch_calldata_payload(bytes *out, bytes calldata) {
    bytes args;
    if (abi_get_call(&args, calldata, ABI_ADD_BATCH_FROM_ORIGIN) != ERR_OK)
        TRY(abi_get_call(&args, calldata, ABI_ADD_BATCH_FROM_ORIGIN_DELAY_PROOF));
    return abi_get_bytes(out, args, 1);
}

enum err batch_event_payload(bytes *out, uint64_t seq_num, const struct parent_log *l) {
    uint64_t of;
    if (!parent_log_is(l, ABI_EVENT_BATCH_DATA, 2))
        return ERR_PARSE;
    TRY(parent_log_topic_u64(&of, l, 1));
    if (of != seq_num)
        return ERR_PARSE;
    return abi_get_bytes(out, l->data, 0);
}

enum err batch_verify_event(const struct batch_event *e, bytes payload, const hash32 *before,
                            const hash32 *delayed_acc, struct err_ctx *ec) {
    unsigned long long seq = e->seq_num;
    if (!hash32_eq(&e->before_acc, before))
        FAIL(ec, ERR_MISMATCH, "batch %llu does not follow the batches read before", seq);
    if (!hash32_eq(&e->delayed_acc, delayed_acc))
        FAIL(ec, ERR_MISMATCH, "batch %llu reads %llu delayed messages that are not ours", seq,
             (unsigned long long)e->header.after_delayed);
    hash32 data_hash = batch_data_hash(&e->header, payload);
    hash32 acc = batch_acc_next(before, &data_hash, delayed_acc);
    if (!hash32_eq(&acc, &e->after_acc))
        FAIL(ec, ERR_MISMATCH, "batch %llu: %zu bytes are not the payload posted", seq,
             payload.len);
    return ERR_OK;
}

void batch_post_calldata(struct buf *b, const struct batch_post *p) {
    static const addr20 no_refunder;
    enum { ARGUMENTS = 6 };
    abi_put_selector(b, ABI_ADD_BATCH_FROM_ORIGIN);
    abi_put_u64(b, p->seq_num);
    abi_put_u64(b, ARGUMENTS * ABI_WORD_BYTES);
    abi_put_u64(b, p->after_delayed);
    abi_put_addr(b, &no_refunder);
    abi_put_u64(b, p->prev_message_count);
    abi_put_u64(b, p->new_message_count);
    abi_put_bytes(b, p->payload);
}

uint64_t batch_calldata_gas(uint64_t length, uint64_t nonzeros) {
    CHECK(nonzeros <= length);
    return 4 * (length - nonzeros) + 16 * nonzeros + 30 + 6 * ((length + 31) / 32);
}
