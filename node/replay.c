/* SPDX-License-Identifier: Apache-2.0 */
#include "node/replay.h"

#include "base/clock.h"
#include "base/hex.h"
#include "index/index.h"
#include "index/record.h"
#include "node/datadir.h"

#include <inttypes.h>
#include <unistd.h>

struct replay {
    struct ledger *l;
    const char *source;
    struct replay_stats stats;
    struct err_ctx *ec;
};

/* --- what differs -------------------------------------------------------------------------- */
const char *replay_first_difference(const struct header *a, const struct header *b) {
    const struct {
        const char *name;
        bool same;
    } fields[] = {
        {"parentHash", hash32_eq(&a->parent_hash, &b->parent_hash)},
        {"sha3Uncles", hash32_eq(&a->ommers_hash, &b->ommers_hash)},
        {"miner", memcmp(a->coinbase.b, b->coinbase.b, 20) == 0},
        {"stateRoot", hash32_eq(&a->state_root, &b->state_root)},
        {"transactionsRoot", hash32_eq(&a->tx_root, &b->tx_root)},
        {"receiptsRoot", hash32_eq(&a->receipt_root, &b->receipt_root)},
        {"logsBloom", memcmp(a->bloom, b->bloom, HEADER_BLOOM_BYTES) == 0},
        {"difficulty", u256_eq(&a->difficulty, &b->difficulty)},
        {"number", a->number == b->number},
        {"gasLimit", a->gas_limit == b->gas_limit},
        {"gasUsed", a->gas_used == b->gas_used},
        {"timestamp", a->timestamp == b->timestamp},
        {"extraData",
         a->extra_len == b->extra_len && memcmp(a->extra, b->extra, a->extra_len) == 0},
        {"mixHash", hash32_eq(&a->mix_hash, &b->mix_hash)},
        {"nonce", memcmp(a->nonce, b->nonce, sizeof(a->nonce)) == 0},
        {"baseFeePerGas", u256_eq(&a->base_fee, &b->base_fee)},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (!fields[i].same)
            return fields[i].name;
    return NULL;
}

/* The field that tells the source's header of the head apart, "hash" when its tables do not have
 * it: they end at a checkpoint, and belong to the node that runs on them. */
static const char *differing_field(const struct replay *r) {
    char dir[DATADIR_PATH_MAX];
    struct store *s = NULL;
    struct store_view *v = NULL;
    struct index_head h;
    const char *field = NULL;
    if (datadir_path(dir, r->source, DATADIR_STORE, NULL) != ERR_OK)
        return "hash";
    struct store_options so = {.dir = dir, .must_exist = true};
    if (store_open(&s, &so, NULL) != ERR_OK)
        return "hash";
    if (store_view_open(&v, s, store_durable(s)) == ERR_OK &&
        index_head(&h, v, r->l->head.number) == ERR_OK)
        field = replay_first_difference(&r->l->head, &h.header);
    store_view_close(v);
    store_close(s);
    return field != NULL ? field : "hash";
}

/* The log says that the head has hash `want`. */
static enum err check_head(struct replay *r, const hash32 *want) {
    char have_text[65] = {0}, want_text[65] = {0};
    if (hash32_eq(&r->l->head_hash, want))
        return ERR_OK;
    hex_encode(have_text, r->l->head_hash.b, 32);
    hex_encode(want_text, want->b, 32);
    FAIL(r->ec, ERR_MISMATCH,
         "block %" PRIu64 " differs in %s: its hash comes out as 0x%s, the log says 0x%s",
         r->l->head.number, differing_field(r), have_text, want_text);
}

/* --- records ------------------------------------------------------------------------------- */
/* The store may hold nothing that the log could lose. */
static enum err checkpoint(struct ledger *l, struct err_ctx *ec) {
    TRY(wal_sync(l->log, NULL, ec));
    store_set_durable(l->store, l->head.number);
    return ledger_checkpoint(l, ec);
}

static enum err apply_block(struct replay *r, struct derived_block *b, bytes payload) {
    struct ledger *l = r->l;
    struct log_record rec;
    TRY(ledger_append(l, b, &rec, r->ec));
    if (l->record.len != payload.len || memcmp(l->record.ptr, payload.ptr, payload.len) != 0)
        FAIL(r->ec, ERR_MISMATCH,
             "block %" PRIu64 " differs in its record: its senders, version or message are not "
             "those of the log",
             b->header.number);
    TRY(ledger_apply(l, b, &rec, r->ec));
    r->stats.blocks++;
    r->stats.txs += b->tx_count;
    r->stats.gas += l->head.gas_used;
    r->stats.unsealed = true;
    return ERR_OK;
}

static enum err replay_block(struct replay *r, const struct log_record *rec) {
    struct ledger *l = r->l;
    struct record_block in;
    struct derived_block b;
    enum err e = record_unpack_block(&in, rec->payload);
    if (e != ERR_OK)
        FAIL(r->ec, e, "record %" PRIu64 " of the log: its block cannot be read", rec->seq);
    if (in.number != l->head.number + 1)
        FAIL(r->ec, ERR_CORRUPT,
             "record %" PRIu64 " of the log has block %" PRIu64 " where %" PRIu64 " is due",
             rec->seq, in.number, l->head.number + 1);
    TRY(check_head(r, &in.prev_hash));
    TRY(chain_derive_block(&b, l->chain, &l->arena, &l->head, &in.message, r->ec));
    TRY(apply_block(r, &b, rec->payload));
    arena_reset(&l->arena);
    return store_dirty_rows(l->store) >= l->checkpoint_rows ? checkpoint(l, r->ec) : ERR_OK;
}

static enum err replay_seal(struct replay *r, const struct log_record *rec) {
    struct record_seal s;
    enum err e = record_unpack_seal(&s, rec->payload);
    if (e != ERR_OK || s.number != r->l->head.number)
        FAIL(r->ec, e != ERR_OK ? e : ERR_CORRUPT,
             "record %" PRIu64 " of the log: its seal does not fit block %" PRIu64, rec->seq,
             r->l->head.number);
    TRY(check_head(r, &s.hash));
    if (!hash32_eq(&s.receipt_root, &r->l->head.receipt_root))
        FAIL(r->ec, ERR_MISMATCH, "block %" PRIu64 " differs in receiptsRoot", s.number);
    r->stats.unsealed = false;
    return ERR_OK;
}

/* Writes the same record to our own log. */
static enum err copy_record(struct replay *r, const struct log_record *rec,
                            struct log_record *out) {
    buf_reset(&r->l->record);
    buf_append(&r->l->record, rec->payload.ptr, rec->payload.len);
    return ledger_append_record(r->l, rec->kind, out, r->ec);
}

static enum err replay_rewind(struct replay *r, const struct log_record *rec) {
    struct record_rewind w;
    struct log_record own;
    enum err e = record_unpack_rewind(&w, rec->payload);
    if (e != ERR_OK || w.epoch <= r->l->epoch)
        FAIL(r->ec, e != ERR_OK ? e : ERR_CORRUPT,
             "record %" PRIu64 " of the log: its rewind cannot be followed", rec->seq);
    TRY(copy_record(r, rec, &own));
    TRY(wal_sync(r->l->log, NULL, r->ec));
    store_set_durable(r->l->store, r->l->head.number);
    r->stats.rewinds++;
    return ledger_rewind(r->l, w.to_block, w.epoch, own.seq, r->ec);
}

static enum err replay_epoch(struct replay *r, const struct log_record *rec) {
    struct record_epoch e;
    enum err err = record_unpack_epoch(&e, rec->payload);
    if (err != ERR_OK)
        FAIL(r->ec, err, "record %" PRIu64 " of the log: its epoch cannot be read", rec->seq);
    if (e.chain_id != r->l->genesis->config.chain_id)
        FAIL(r->ec, ERR_MISMATCH,
             "the log is of chain %" PRIu64 ", the genesis file of chain %" PRIu64, e.chain_id,
             r->l->genesis->config.chain_id);
    if (!hash32_eq(&e.genesis_hash, &r->l->genesis_hash))
        FAIL(r->ec, ERR_MISMATCH,
             "the log begins with another block 0 than the genesis file makes");
    if (e.epoch <= r->l->epoch)
        return ERR_OK; /* ours began with the same */
    r->l->epoch = e.epoch;
    return copy_record(r, rec, NULL);
}

static enum err on_record(void *ctx, const struct log_record *rec) {
    struct replay *r = ctx;
    switch (rec->kind) {
    case LOG_BLOCK:
        return replay_block(r, rec);
    case LOG_SEAL:
        return replay_seal(r, rec);
    case LOG_REWIND:
        return replay_rewind(r, rec);
    case LOG_EPOCH:
        return replay_epoch(r, rec);
    case LOG_POOL:
    case LOG_TOMBSTONE:
    case LOG_KV:
    case LOG_INTENT: /* none has an effect on blocks */
        return ERR_OK;
    case LOG_RECEIPTS:
    case LOG_KIND_END:
    default:
        FAIL(r->ec, ERR_CORRUPT, "record %" PRIu64 " of the log has the unknown kind %d", rec->seq,
             (int)rec->kind);
    }
}

/* --- the whole ----------------------------------------------------------------------------- */
static enum err open_source(struct wal **out, const char *source, struct err_ctx *ec) {
    char dir[DATADIR_PATH_MAX];
    TRY(datadir_path(dir, source, DATADIR_LOG, ec));
    struct wal_options o = {.disk = disk_posix(),
                            .dir = access(dir, F_OK) == 0 ? dir : source,
                            .prefix = DATADIR_LOG_PREFIX,
                            .read_only = true};
    return wal_open(out, &o, ec);
}

static enum err run(struct replay *r, struct wal *source) {
    struct ledger *l = r->l;
    uint64_t begun = clock_monotonic_ns(clock_posix());
    enum err e = wal_each(source, 1, on_record, r, r->ec);
    r->stats.took_ns = clock_monotonic_ns(clock_posix()) - begun;
    if (e == ERR_OK && r->stats.blocks > 0)
        e = ledger_seal(l, r->ec);
    if (e == ERR_OK)
        e = checkpoint(l, r->ec);
    return e;
}

enum err replay_log(struct ledger *l, const char *source, struct replay_stats *out,
                    struct err_ctx *ec) {
    struct replay r = {.l = l, .source = source, .ec = ec};
    struct wal *log = NULL;
    *out = r.stats;
    if (l->head.number != 0 || wal_last_seq(l->log) != 1)
        FAIL(ec, ERR_EXISTS,
             "a log is replayed on an empty folder, and this one has %" PRIu64
             " blocks and %" PRIu64 " records",
             l->head.number, wal_last_seq(l->log));
    TRY(open_source(&log, source, ec));
    enum err e = run(&r, log);
    wal_close(log);
    *out = r.stats;
    return e;
}
