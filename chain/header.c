/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/header.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

enum { HEADER_FIELDS_MIN = 15, HEADER_FIELDS_MAX = 21 };

void header_encode(struct buf *b, const struct header *h) {
    CHECK(h->field_count >= HEADER_FIELDS_MIN && h->field_count <= HEADER_FIELDS_MAX);
    CHECK(h->extra_len <= sizeof h->extra);
    size_t mark = rlp_list_begin(b);
    rlp_put_hash(b, &h->parent_hash);
    rlp_put_hash(b, &h->ommers_hash);
    rlp_put_addr(b, &h->coinbase);
    rlp_put_hash(b, &h->state_root);
    rlp_put_hash(b, &h->tx_root);
    rlp_put_hash(b, &h->receipt_root);
    rlp_put_bytes(b, h->bloom, sizeof h->bloom);
    rlp_put_u256(b, &h->difficulty);
    rlp_put_u64(b, h->number);
    rlp_put_u64(b, h->gas_limit);
    rlp_put_u64(b, h->gas_used);
    rlp_put_u64(b, h->timestamp);
    rlp_put_bytes(b, h->extra, h->extra_len);
    rlp_put_hash(b, &h->mix_hash);
    rlp_put_bytes(b, h->nonce, sizeof h->nonce);
    if (h->field_count > 15)
        rlp_put_u256(b, &h->base_fee);
    if (h->field_count > 16)
        rlp_put_hash(b, &h->withdrawals_root);
    if (h->field_count > 17)
        rlp_put_u64(b, h->blob_gas_used);
    if (h->field_count > 18)
        rlp_put_u64(b, h->excess_blob_gas);
    if (h->field_count > 19)
        rlp_put_hash(b, &h->parent_beacon_root);
    if (h->field_count > 20)
        rlp_put_hash(b, &h->requests_hash);
    rlp_list_end(b, mark);
}

static enum err next_hash(bytes *in, hash32 *out) {
    return rlp_next_fixed(in, out->b, sizeof out->b);
}

static enum err decode_fixed_part(struct header *h, bytes *in) {
    bytes extra;
    TRY(next_hash(in, &h->parent_hash));
    TRY(next_hash(in, &h->ommers_hash));
    TRY(rlp_next_fixed(in, h->coinbase.b, sizeof h->coinbase.b));
    TRY(next_hash(in, &h->state_root));
    TRY(next_hash(in, &h->tx_root));
    TRY(next_hash(in, &h->receipt_root));
    TRY(rlp_next_fixed(in, h->bloom, sizeof h->bloom));
    TRY(rlp_next_u256(in, &h->difficulty));
    TRY(rlp_next_u64(in, &h->number));
    TRY(rlp_next_u64(in, &h->gas_limit));
    TRY(rlp_next_u64(in, &h->gas_used));
    TRY(rlp_next_u64(in, &h->timestamp));
    TRY(rlp_next_bytes(in, &extra));
    if (extra.len > sizeof h->extra)
        return ERR_TOO_LARGE;
    if (extra.len != 0)
        memcpy(h->extra, extra.ptr, extra.len);
    h->extra_len = extra.len;
    TRY(next_hash(in, &h->mix_hash));
    return rlp_next_fixed(in, h->nonce, sizeof h->nonce);
}

static enum err decode_tail(struct header *h, bytes *in) {
    h->field_count = HEADER_FIELDS_MIN;
    while (in->len != 0) {
        switch (h->field_count + 1) {
        case 16:
            TRY(rlp_next_u256(in, &h->base_fee));
            break;
        case 17:
            TRY(next_hash(in, &h->withdrawals_root));
            break;
        case 18:
            TRY(rlp_next_u64(in, &h->blob_gas_used));
            break;
        case 19:
            TRY(rlp_next_u64(in, &h->excess_blob_gas));
            break;
        case 20:
            TRY(next_hash(in, &h->parent_beacon_root));
            break;
        case 21:
            TRY(next_hash(in, &h->requests_hash));
            break;
        default:
            return ERR_RLP;
        }
        h->field_count++;
    }
    return ERR_OK;
}

enum err header_decode(struct header *out, bytes in) {
    struct header h;
    memset(&h, 0, sizeof h);
    bytes list;
    TRY(rlp_next_list(&in, &list));
    if (in.len != 0)
        return ERR_RLP;
    TRY(decode_fixed_part(&h, &list));
    TRY(decode_tail(&h, &list));
    *out = h;
    return ERR_OK;
}

hash32 header_hash(const struct header *h) {
    struct buf b;
    buf_init(&b, HEADER_ENCODED_MAX_BYTES);
    header_encode(&b, h);
    CHECK(!b.overflow);
    hash32 digest = keccak256_bytes(buf_bytes(&b));
    buf_clear(&b);
    return digest;
}

/* PROTOCOL §2: mixHash = send count u64 | l1 block number u64 | version u64 | zeros; nonce =
 * delayed messages read; extraData = send root. */
void l3_header_info_set(struct header *h, const struct l3_header_info *i) {
    memset(&h->mix_hash, 0, sizeof h->mix_hash);
    be64_store(h->mix_hash.b, i->send_count);
    be64_store(h->mix_hash.b + 8, i->l1_block_number);
    be64_store(h->mix_hash.b + 16, i->version);
    be64_store(h->nonce, i->delayed_read);
    memcpy(h->extra, i->send_root.b, sizeof i->send_root.b);
    h->extra_len = sizeof i->send_root.b;
}

struct l3_header_info l3_header_info_get(const struct header *h) {
    CHECK(h->extra_len == sizeof(hash32));
    struct l3_header_info i;
    memcpy(i.send_root.b, h->extra, sizeof i.send_root.b);
    i.send_count = be64_load(h->mix_hash.b);
    i.l1_block_number = be64_load(h->mix_hash.b + 8);
    i.version = be64_load(h->mix_hash.b + 16);
    i.delayed_read = be64_load(h->nonce);
    return i;
}
