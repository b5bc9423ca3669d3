/* SPDX-License-Identifier: Apache-2.0 */
#include "node/walk.h"

#include <inttypes.h>

static enum err check_head(const struct walk *w, const hash32 *want, uint64_t seq) {
    return hash32_eq(&w->ledger->head_hash, want) ? ERR_OK : w->ops->differs(w->ctx, want, seq);
}

static enum err walk_block(const struct walk *w, const struct log_record *rec) {
    const struct ledger *l = w->ledger;
    struct record_block in;
    enum err e = record_unpack_block(&in, rec->payload);
    if (e != ERR_OK)
        FAIL(w->ec, e, "record %" PRIu64 " of the log: its block cannot be read", rec->seq);
    if (in.number != l->head.number + 1)
        FAIL(w->ec, ERR_CORRUPT,
             "record %" PRIu64 " of the log has block %" PRIu64 " where %" PRIu64 " is due",
             rec->seq, in.number, l->head.number + 1);
    TRY(check_head(w, &in.prev_hash, rec->seq));
    return w->ops->block(w->ctx, rec, &in);
}

static enum err walk_seal(const struct walk *w, const struct log_record *rec) {
    const struct ledger *l = w->ledger;
    struct record_seal s;
    enum err e = record_unpack_seal(&s, rec->payload);
    if (e != ERR_OK || s.number != l->head.number)
        FAIL(w->ec, e != ERR_OK ? e : ERR_CORRUPT,
             "record %" PRIu64 " of the log: its seal does not fit block %" PRIu64, rec->seq,
             l->head.number);
    TRY(check_head(w, &s.hash, rec->seq));
    if (!hash32_eq(&s.receipt_root, &l->head.receipt_root))
        FAIL(w->ec, ERR_MISMATCH,
             "block %" PRIu64 " differs in receiptsRoot from what record %" PRIu64 " says",
             s.number, rec->seq);
    if (w->ops->sealed != NULL)
        w->ops->sealed(w->ctx);
    return ERR_OK;
}

static enum err walk_rewind(const struct walk *w, const struct log_record *rec) {
    struct record_rewind in;
    enum err e = record_unpack_rewind(&in, rec->payload);
    if (e != ERR_OK)
        FAIL(w->ec, e, "record %" PRIu64 " of the log: its rewind cannot be read", rec->seq);
    if (in.epoch <= w->ledger->epoch)
        FAIL(w->ec, ERR_CORRUPT,
             "record %" PRIu64 " of the log rewinds to epoch %" PRIu64 " from %" PRIu64, rec->seq,
             in.epoch, w->ledger->epoch);
    return w->ops->rewind(w->ctx, rec, &in);
}

static enum err walk_epoch(const struct walk *w, const struct log_record *rec) {
    struct record_epoch in;
    enum err e = record_unpack_epoch(&in, rec->payload);
    if (e != ERR_OK)
        FAIL(w->ec, e, "record %" PRIu64 " of the log: its epoch cannot be read", rec->seq);
    return w->ops->epoch(w->ctx, rec, &in);
}

enum err walk_record(const struct walk *w, const struct log_record *rec) {
    switch (rec->kind) {
    case LOG_BLOCK:
        return walk_block(w, rec);
    case LOG_SEAL:
        return walk_seal(w, rec);
    case LOG_REWIND:
        return walk_rewind(w, rec);
    case LOG_EPOCH:
        return walk_epoch(w, rec);
    case LOG_POOL:
    case LOG_TOMBSTONE:
    case LOG_KV:
    case LOG_INTENT:
        return w->ops->aside(w->ctx, rec);
    case LOG_RECEIPTS:
    case LOG_KIND_END:
    default:
        FAIL(w->ec, ERR_CORRUPT, "record %" PRIu64 " of the log has the unknown kind %d", rec->seq,
             (int)rec->kind);
    }
}
