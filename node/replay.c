/* SPDX-License-Identifier: Apache-2.0 */
#include "node/replay.h"

#include "base/clock.h"
#include "base/hex.h"
#include "index/index.h"
#include "index/record.h"
#include "node/datadir.h"
#include "node/differences.h"
#include "node/walk.h"

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
    difference_set set = differences_of_headers(a, b);
    return set == 0 ? NULL : difference_name((size_t)__builtin_ctz(set));
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

static enum err differs(void *ctx, const hash32 *want, uint64_t seq) {
    const struct replay *r = ctx;
    char have_text[65] = {0}, want_text[65] = {0};
    (void)seq;
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
    return ledger_checkpoint(l, UINT64_MAX, ec);
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

static enum err replay_block(void *ctx, const struct log_record *rec,
                             const struct record_block *in) {
    struct replay *r = ctx;
    struct ledger *l = r->l;
    struct derived_block b;
    TRY(chain_derive_block(&b, l->chain, &l->arena, &l->head, &in->message, r->ec));
    TRY(apply_block(r, &b, rec->payload));
    arena_reset(&l->arena);
    return ledger_checkpoint_due(l) ? checkpoint(l, r->ec) : ERR_OK;
}

static void sealed(void *ctx) {
    struct replay *r = ctx;
    r->stats.unsealed = false;
}

/* Writes the same record to our own log. */
static enum err copy_record(struct replay *r, const struct log_record *rec,
                            struct log_record *out) {
    buf_reset(&r->l->record);
    buf_append(&r->l->record, rec->payload.ptr, rec->payload.len);
    return ledger_append_record(r->l, rec->kind, out, r->ec);
}

static enum err replay_rewind(void *ctx, const struct log_record *rec,
                              const struct record_rewind *in) {
    struct replay *r = ctx;
    struct log_record own;
    uint64_t to_block = in->to_block, epoch = in->epoch;
    TRY(copy_record(r, rec, &own));
    TRY(wal_sync(r->l->log, NULL, r->ec));
    store_set_durable(r->l->store, r->l->head.number);
    r->stats.rewinds++;
    return ledger_rewind(r->l, to_block, epoch, own.seq, r->ec);
}

static enum err replay_epoch(void *ctx, const struct log_record *rec,
                             const struct record_epoch *in) {
    struct replay *r = ctx;
    if (in->chain_id != r->l->genesis->config.chain_id)
        FAIL(r->ec, ERR_MISMATCH,
             "the log is of chain %" PRIu64 ", the genesis file of chain %" PRIu64, in->chain_id,
             r->l->genesis->config.chain_id);
    if (!hash32_eq(&in->genesis_hash, &r->l->genesis_hash))
        FAIL(r->ec, ERR_MISMATCH,
             "the log begins with another block 0 than the genesis file makes");
    if (in->epoch <= r->l->epoch)
        return ERR_OK; /* ours began with the same */
    r->l->epoch = in->epoch;
    return copy_record(r, rec, NULL);
}

static enum err stays_behind(void *ctx, const struct log_record *rec) {
    (void)ctx;
    (void)rec;
    return ERR_OK;
}

static enum err on_record(void *ctx, const struct log_record *rec) {
    static const struct walk_ops ops = {.differs = differs,
                                        .block = replay_block,
                                        .sealed = sealed,
                                        .rewind = replay_rewind,
                                        .epoch = replay_epoch,
                                        .aside = stays_behind};
    struct replay *r = ctx;
    struct walk w = {.ledger = r->l, .ops = &ops, .ctx = r, .ec = r->ec};
    return walk_record(&w, rec);
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
