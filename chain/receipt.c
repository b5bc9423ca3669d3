/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/receipt.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

enum { RECEIPT_PACK_VERSION = 2 };

/* --- bloom ------------------------------------------------------------------------------------ */

/* Three bits of 2048, from the first three pairs of bytes of the digest (YP eq. 27-30); bit 0 is
 * the last byte's lowest. */
static void bloom_set(uint8_t bloom[256], const hash32 *digest) {
    for (size_t i = 0; i < 6; i += 2) {
        unsigned bit = ((unsigned)digest->b[i] << 8 | digest->b[i + 1]) & 2047;
        bloom[255 - bit / 8] |= (uint8_t)(1u << (bit % 8));
    }
}

void bloom_add(uint8_t bloom[256], const void *ptr, size_t len) {
    hash32 digest;
    keccak256(&digest, ptr, len);
    bloom_set(bloom, &digest);
}

void bloom_add_log(uint8_t bloom[256], const addr20 *address, const hash32 *topics,
                   size_t topic_count) {
    CHECK(topic_count <= 4);
    hash32 digests[5];
    bytes in[5] = {bytes_of(address->b, sizeof address->b)};
    for (size_t i = 0; i < topic_count; i++)
        in[i + 1] = bytes_of(topics[i].b, sizeof topics[i].b);
    keccak256_batch(digests, in, topic_count + 1);
    for (size_t i = 0; i <= topic_count; i++)
        bloom_set(bloom, &digests[i]);
}

bool bloom_may_contain(const uint8_t bloom[256], const void *ptr, size_t len) {
    uint8_t probe[256] = {0};
    bloom_add(probe, ptr, len);
    for (size_t i = 0; i < sizeof probe; i++)
        if ((bloom[i] & probe[i]) != probe[i])
            return false;
    return true;
}

/* --- consensus form --------------------------------------------------------------------------- */

void receipt_encode_logs(struct buf *b, const struct log_entry *logs, size_t count) {
    size_t list = rlp_list_begin(b);
    for (size_t i = 0; i < count; i++) {
        size_t entry = rlp_list_begin(b);
        rlp_put_addr(b, &logs[i].address);
        size_t topics = rlp_list_begin(b);
        for (size_t t = 0; t < logs[i].topic_count; t++)
            rlp_put_hash(b, &logs[i].topics[t]);
        rlp_list_end(b, topics);
        rlp_put_bytes(b, logs[i].data.ptr, logs[i].data.len);
        rlp_list_end(b, entry);
    }
    rlp_list_end(b, list);
}

void receipt_encode(struct buf *b, const struct receipt *r) {
    if (r->type != TX_LEGACY)
        buf_append_byte(b, (uint8_t)r->type);
    size_t mark = rlp_list_begin(b);
    rlp_put_u64(b, r->success ? 1 : 0);
    rlp_put_u64(b, r->cumulative_gas_used);
    rlp_put_bytes(b, r->bloom, sizeof r->bloom);
    receipt_encode_logs(b, r->logs, r->log_count);
    rlp_list_end(b, mark);
}

/* --- storage form ------------------------------------------------------------------------------
 * [version, type, status, cumulative, used, price, contract or "", [universe, sponsored, charged,
 *  surcharge], logs]; the inner list is empty where the sender paid the price and no universe is
 * concerned. */

static bool has_payer(const struct receipt *r) {
    return r->universe != 0 || r->sponsored || !u256_is_zero(&r->surcharge) ||
           !u256_eq(&r->gas_price_charged, &r->effective_gas_price);
}

static void pack_payer(struct buf *b, const struct receipt *r) {
    size_t mark = rlp_list_begin(b);
    if (has_payer(r)) {
        rlp_put_u64(b, r->universe);
        rlp_put_u64(b, r->sponsored);
        rlp_put_u256(b, &r->gas_price_charged);
        rlp_put_u256(b, &r->surcharge);
    }
    rlp_list_end(b, mark);
}

void receipt_pack(struct buf *b, const struct receipt *r) {
    size_t mark = rlp_list_begin(b);
    rlp_put_u64(b, RECEIPT_PACK_VERSION);
    rlp_put_u64(b, (uint64_t)r->type);
    rlp_put_u64(b, r->success ? 1 : 0);
    rlp_put_u64(b, r->cumulative_gas_used);
    rlp_put_u64(b, r->gas_used);
    rlp_put_u256(b, &r->effective_gas_price);
    if (r->has_contract_addr)
        rlp_put_addr(b, &r->contract_addr);
    else
        rlp_put_bytes(b, NULL, 0);
    pack_payer(b, r);
    receipt_encode_logs(b, r->logs, r->log_count);
    rlp_list_end(b, mark);
}

static enum err unpack_payer(struct receipt *r, bytes list) {
    uint64_t sponsored;
    r->gas_price_charged = r->effective_gas_price;
    if (list.len == 0)
        return ERR_OK;
    TRY(rlp_next_u64(&list, &r->universe));
    TRY(rlp_next_u64(&list, &sponsored));
    TRY(rlp_next_u256(&list, &r->gas_price_charged));
    TRY(rlp_next_u256(&list, &r->surcharge));
    r->sponsored = sponsored == 1;
    return list.len == 0 && sponsored <= 1 && has_payer(r) ? ERR_OK : ERR_CORRUPT;
}

static enum err unpack_log(struct log_entry *out, bytes entry) {
    bytes topics;
    TRY(rlp_next_fixed(&entry, out->address.b, sizeof out->address.b));
    TRY(rlp_next_list(&entry, &topics));
    out->topic_count = 0;
    while (topics.len != 0) {
        if (out->topic_count == ARRAY_LEN(out->topics))
            return ERR_CORRUPT;
        TRY(rlp_next_fixed(&topics, out->topics[out->topic_count].b, sizeof(hash32)));
        out->topic_count++;
    }
    TRY(rlp_next_bytes(&entry, &out->data));
    return entry.len == 0 ? ERR_OK : ERR_CORRUPT;
}

static enum err unpack_logs(struct receipt *r, struct arena *a, bytes list) {
    size_t count;
    TRY(rlp_count(list, &count));
    struct log_entry *logs = arena_try_alloc(a, count == 0 ? 1 : count * sizeof *logs);
    if (logs == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        bytes entry;
        memset(&logs[i], 0, sizeof logs[i]);
        TRY(rlp_next_list(&list, &entry));
        TRY(unpack_log(&logs[i], entry));
    }
    r->logs = logs;
    r->log_count = count;
    return ERR_OK;
}

enum err receipt_unpack(struct receipt *out, struct arena *a, bytes *in) {
    memset(out, 0, sizeof *out);
    bytes rest = *in, list, logs, payer;
    uint64_t version, type, status;
    TRY(rlp_next_list(&rest, &list));
    TRY(rlp_next_u64(&list, &version));
    if (version != RECEIPT_PACK_VERSION)
        return ERR_VERSION;
    TRY(rlp_next_u64(&list, &type));
    TRY(rlp_next_u64(&list, &status));
    if (type > UINT8_MAX || status > 1)
        return ERR_CORRUPT;
    out->type = (enum tx_type)type;
    out->success = status == 1;
    TRY(rlp_next_u64(&list, &out->cumulative_gas_used));
    TRY(rlp_next_u64(&list, &out->gas_used));
    TRY(rlp_next_u256(&list, &out->effective_gas_price));
    TRY(rlp_next_opt_addr(&list, &out->contract_addr, &out->has_contract_addr));
    TRY(rlp_next_list(&list, &payer));
    TRY(unpack_payer(out, payer));
    TRY(rlp_next_list(&list, &logs));
    if (list.len != 0)
        return ERR_CORRUPT;
    TRY(unpack_logs(out, a, logs));
    *in = rest;
    return ERR_OK;
}
