/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/inbox.h"

#include "base/check.h"
#include "base/keccak.h"

enum err inbox_parse_event(struct inbox_event *out, const struct parent_log *l) {
    if (!parent_log_is(l, ABI_EVENT_MESSAGE_DELIVERED, 3))
        return ERR_PARSE;
    struct inbox_event e = {.before_acc = l->topics[2],
                            .block_num = l->block_num,
                            .block_hash = l->block_hash,
                            .tx_hash = l->tx_hash};
    TRY(parent_log_topic_u64(&e.index, l, 1));
    TRY(abi_get_addr(&e.inbox, l->data, 0));
    TRY(abi_get_u8(&e.kind, l->data, 1));
    TRY(abi_get_addr(&e.sender, l->data, 2));
    TRY(abi_get_hash(&e.data_hash, l->data, 3));
    TRY(abi_get_u256(&e.base_fee_l1, l->data, 4));
    TRY(abi_get_u64(&e.timestamp, l->data, 5));
    *out = e;
    return ERR_OK;
}

enum err inbox_parse_content(struct inbox_content *out, const struct parent_log *l) {
    struct inbox_content c = {.from_origin =
                                  parent_log_is(l, ABI_EVENT_INBOX_MESSAGE_FROM_ORIGIN, 2)};
    if (!c.from_origin) {
        if (!parent_log_is(l, ABI_EVENT_INBOX_MESSAGE, 2))
            return ERR_PARSE;
        TRY(abi_get_bytes(&c.data, l->data, 0));
    }
    TRY(parent_log_topic_u64(&c.index, l, 1));
    *out = c;
    return ERR_OK;
}

enum err inbox_origin_data(bytes *out, bytes calldata) {
    bytes args;
    TRY(abi_get_call(&args, calldata, ABI_SEND_L2_MESSAGE_FROM_ORIGIN));
    return abi_get_bytes(out, args, 0);
}

enum err inbox_join(struct delayed_message *out, const struct inbox_event *e, uint64_t l1_block,
                    bytes data) {
    hash32 h = keccak256_bytes(data);
    if (!hash32_eq(&h, &e->data_hash))
        return ERR_MISMATCH;
    *out = (struct delayed_message){
        .index = e->index,
        .kind = e->kind,
        .sender = e->sender,
        .l1_block = l1_block,
        .timestamp = e->timestamp,
        .base_fee_l1 = e->base_fee_l1,
        .data = data,
    };
    return ERR_OK;
}

hash32 delayed_message_hash(const struct delayed_message *m) {
    uint8_t preimage[1 + 20 + 8 + 8 + 32 + 32 + 32] = {m->kind};
    uint8_t *p = preimage + 1;
    memcpy(p, m->sender.b, 20);
    be64_store(p + 20, m->l1_block);
    be64_store(p + 28, m->timestamp);
    u256 index = u256_from_u64(m->index);
    u256_to_be32(p + 36, &index);
    u256_to_be32(p + 68, &m->base_fee_l1);
    hash32 data_hash = keccak256_bytes(m->data);
    memcpy(p + 100, data_hash.b, 32);
    hash32 h;
    keccak256(&h, preimage, sizeof preimage);
    return h;
}

hash32 delayed_acc_next(const hash32 *before, const struct delayed_message *m) {
    hash32 pair[2] = {*before, delayed_message_hash(m)};
    hash32 h;
    keccak256(&h, pair, sizeof pair);
    return h;
}

void delayed_message_serialize(struct buf *b, const struct delayed_message *m) {
    uint8_t stamps[16];
    be64_store(stamps, m->l1_block);
    be64_store(stamps + 8, m->timestamp);
    buf_append_byte(b, m->kind);
    abi_put_addr(b, &m->sender);
    buf_append(b, stamps, sizeof stamps);
    abi_put_u64(b, m->index);
    abi_put_u256(b, &m->base_fee_l1);
    buf_append(b, m->data.ptr, m->data.len);
}

void delayed_to_message(struct message *out, const struct delayed_message *m) {
    CHECK(m->index < UINT64_MAX);
    *out = (struct message){
        .kind = m->kind,
        .sender = m->sender,
        .l1_block = m->l1_block,
        .timestamp = m->timestamp,
        .has_request_id = true,
        .has_base_fee_l1 = true,
        .base_fee_l1 = m->base_fee_l1,
        .data = m->data,
        .delayed_read = m->index + 1,
    };
    be64_store(out->request_id.b + 24, m->index);
}

/* --- reports ----------------------------------------------------------------------------- */

/* timestamp u256 | poster 20 | data hash 32 | batch u256 | gas price u256 | extra gas u64: packed,
 * so only the first word stands where an ABI word would. */
enum err inbox_parse_report(struct batch_report *out, bytes data) {
    if (data.len < INBOX_REPORT_BYTES)
        return ERR_PARSE;
    struct batch_report r;
    const uint8_t *p = data.ptr;
    TRY(abi_get_u64(&r.timestamp, bytes_of(p, 32), 0));
    memcpy(r.poster.b, p + 32, 20);
    memcpy(r.data_hash.b, p + 52, 32);
    TRY(abi_get_u64(&r.batch_num, bytes_of(p + 84, 32), 0));
    r.gas_price = u256_from_be32(p + 116);
    r.extra_gas = be64_load(p + 148);
    *out = r;
    return ERR_OK;
}

static uint64_t count_nonzeros(bytes b) {
    uint64_t n = 0;
    for (size_t i = 0; i < b.len; i++)
        n += b.ptr[i] != 0;
    return n;
}

enum err inbox_set_batch_stats(struct message *m, bytes header, bytes data) {
    struct batch_report r;
    if (m->kind != MESSAGE_BATCH_POSTING_REPORT)
        return ERR_PARSE;
    TRY(inbox_parse_report(&r, m->data));
    struct keccak_ctx k;
    keccak256_begin(&k);
    keccak256_update(&k, header.ptr, header.len);
    keccak256_update(&k, data.ptr, data.len);
    hash32 h;
    keccak256_end(&k, &h);
    if (!hash32_eq(&h, &r.data_hash))
        return ERR_MISMATCH;
    m->has_batch_stats = true;
    m->batch_length = header.len + data.len;
    m->batch_nonzeros = count_nonzeros(header) + count_nonzeros(data);
    return ERR_OK;
}
