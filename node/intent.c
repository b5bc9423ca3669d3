/* SPDX-License-Identifier: Apache-2.0 */
#include "node/intent.h"

enum { FIXED_BYTES = 1 + 3 * 8 + 2 * 32 + 8 };

void intent_pack(struct buf *out, const struct intent *i) {
    const uint64_t words[] = {i->batch, i->first_block, i->last_block};
    uint8_t raw[8];
    buf_append_byte(out, INTENT_VERSION);
    for (size_t k = 0; k < ARRAY_LEN(words); k++) {
        be64_store(raw, words[k]);
        buf_append(out, raw, sizeof(raw));
    }
    buf_append(out, i->last_hash.b, 32);
    buf_append(out, i->tx_hash.b, 32);
    be64_store(raw, i->nonce);
    buf_append(out, raw, sizeof(raw));
    buf_append(out, i->raw.ptr, i->raw.len);
}

enum err intent_unpack(struct intent *out, bytes payload) {
    if (payload.len < 1 || payload.ptr[0] != INTENT_VERSION)
        return payload.len < 1 ? ERR_CORRUPT : ERR_VERSION;
    if (payload.len <= FIXED_BYTES)
        return ERR_CORRUPT;
    const uint8_t *p = payload.ptr + 1;
    out->batch = be64_load(p);
    out->first_block = be64_load(p + 8);
    out->last_block = be64_load(p + 16);
    memcpy(out->last_hash.b, p + 24, 32);
    memcpy(out->tx_hash.b, p + 56, 32);
    out->nonce = be64_load(p + 88);
    out->raw = bytes_of(payload.ptr + FIXED_BYTES, payload.len - FIXED_BYTES);
    return ERR_OK;
}
