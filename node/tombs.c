/* SPDX-License-Identifier: Apache-2.0 */
#include "node/tombs.h"

#include "base/log.h"
#include "index/record.h"

enum { PAYLOAD_BYTES = 34, ROW_BYTES = 9 };

static void put_row(struct ledger *l, const uint8_t tx_hash[32], uint8_t verdict) {
    uint8_t row[ROW_BYTES];
    be64_store(row, l->epoch);
    row[8] = verdict;
    ledger_put_later(l, TABLE_TOMB, bytes_of(tx_hash, 32), bytes_of(row, sizeof(row)));
}

void tombs_add(struct ledger *l, const hash32 *tx_hash, enum tx_verdict v) {
    struct err_ctx ec;
    buf_reset(&l->record);
    buf_append_byte(&l->record, RECORD_VERSION);
    buf_append(&l->record, tx_hash->b, 32);
    buf_append_byte(&l->record, (uint8_t)v);
    log_warn("settle", "a transaction became invalid", log_hash("tx", tx_hash),
             log_str("why", tx_verdict_text(v)));
    /* A log that takes no more is found out by the block that follows. */
    if (ledger_append_record(l, LOG_TOMBSTONE, NULL, &ec) == ERR_OK)
        put_row(l, tx_hash->b, (uint8_t)v);
}

enum err tombs_replay(struct ledger *l, bytes payload) {
    if (payload.len < 1 || payload.ptr[0] != RECORD_VERSION)
        return payload.len < 1 ? ERR_CORRUPT : ERR_VERSION;
    if (payload.len != PAYLOAD_BYTES)
        return ERR_CORRUPT;
    put_row(l, payload.ptr + 1, payload.ptr[33]);
    return ERR_OK;
}

bool tombs_find(struct store_view *v, const hash32 *tx_hash, uint64_t *out_epoch,
                enum tx_verdict *out_verdict) {
    bytes value;
    if (!store_get(v, TABLE_TOMB, bytes_of(tx_hash->b, 32), &value) || value.len != ROW_BYTES)
        return false;
    *out_epoch = be64_load(value.ptr);
    *out_verdict = (enum tx_verdict)value.ptr[8];
    return true;
}
