/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/crash_node.h"

#include "base/check.h"

#include <stdio.h>

enum { SEGMENT_BYTES = 8192, KEEP_BLOCKS = 60, PAYLOAD_BYTES = 8 + 8 + 32 + 200 };

static enum err no_sync(struct disk *d, struct disk_file *f) {
    (void)d;
    (void)f;
    return ERR_OK;
}
static enum err no_sync_dir(struct disk *d, const char *path) {
    (void)d;
    (void)path;
    return ERR_OK;
}

static const struct store_applied *at_record(struct store_applied *at, uint64_t epoch,
                                             uint64_t seq) {
    *at = (struct store_applied){.epoch = epoch, .seq = seq};
    return at;
}

/* --- replay --------------------------------------------------------------------------------- */

struct replay {
    struct crash_node *node;
    struct err_ctx *ec;
};

static enum err replay_block(struct replay *r, const struct log_record *rec) {
    struct history *h = &r->node->h;
    struct store_applied at;
    uint64_t block = be64_load(rec->payload.ptr), content = be64_load(rec->payload.ptr + 8);
    if (rec->payload.len != PAYLOAD_BYTES || block != h->count)
        FAIL(r->ec, ERR_CORRUPT, "record %llu has block %llu, expected %zu",
             (unsigned long long)rec->seq, (unsigned long long)block, h->count);
    if (block > 0 && memcmp(rec->payload.ptr + 16, h->blocks[block - 1].hash.b, 32) != 0)
        FAIL(r->ec, ERR_MISMATCH, "block %llu was derived with another hash than the log has",
             (unsigned long long)block - 1);
    history_apply(h, content, at_record(&at, rec->epoch, rec->seq));
    return ERR_OK;
}

static enum err replay_record(void *ctx, const struct log_record *rec) {
    struct replay *r = ctx;
    r->node->epoch = rec->epoch;
    if (rec->kind == LOG_BLOCK)
        return replay_block(r, rec);
    CHECK(rec->kind == LOG_REWIND);
    uint64_t to = be64_load(rec->payload.ptr);
    if (to >= r->node->h.count)
        FAIL(r->ec, ERR_CORRUPT, "record %llu goes back to block %llu, which is not there",
             (unsigned long long)rec->seq, (unsigned long long)to);
    history_unwind(&r->node->h, to, rec->epoch, rec->seq);
    return ERR_OK;
}

/* Roots and hashes of the blocks that the store has, from their header rows. */
static enum err load_blocks(struct crash_node *n, struct err_ctx *ec) {
    for (size_t b = 0; b < n->h.count; b++) {
        uint8_t key[8];
        bytes row;
        be64_store(key, b);
        if (!store_get(n->h.self, TABLE_HDR, bytes_of(key, 8), &row) || row.len != 64)
            FAIL(ec, ERR_CORRUPT, "the header row of block %zu is missing", b);
        memcpy(n->h.blocks[b].root.b, row.ptr, 32);
        memcpy(n->h.blocks[b].hash.b, row.ptr + 32, 32);
    }
    return ERR_OK;
}

static enum err replay(struct crash_node *n, struct err_ctx *ec) {
    TRY(load_blocks(n, ec));
    struct store_applied at = store_applied(n->store);
    n->epoch = at.epoch;
    if (at.seq > wal_last_seq(n->log))
        FAIL(ec, ERR_CORRUPT, "the tables are at record %llu, the log ends at %llu",
             (unsigned long long)at.seq, (unsigned long long)wal_last_seq(n->log));
    struct replay r = {.node = n, .ec = ec};
    TRY(wal_each(n->log, at.seq + 1, replay_record, &r, ec));
    if (n->h.count > 0)
        store_set_durable(n->store, n->h.count - 1);
    return ERR_OK;
}

enum err crash_node_open(struct crash_node *n, const char *dir, bool sync, struct err_ctx *ec) {
    static struct disk quiet;
    quiet = *disk_posix();
    quiet.sync = no_sync;
    quiet.sync_dir = no_sync_dir;
    memset(n, 0, sizeof *n);
    char log_dir[FIXTURE_PATH_MAX + 16], store_dir[FIXTURE_PATH_MAX + 16];
    (void)snprintf(log_dir, sizeof log_dir, "%s/log", dir);
    (void)snprintf(store_dir, sizeof store_dir, "%s/store", dir);
    struct store_options so = {
        .dir = store_dir, .no_sync = !sync, .allow_wipe = true, .history_rows = 100};
    TRY(store_open(&n->store, &so, ec));
    struct wal_options wo = {.disk = sync ? disk_posix() : &quiet,
                             .dir = log_dir,
                             .prefix = "wal",
                             .segment_bytes = SEGMENT_BYTES};
    enum err e = wal_open(&n->log, &wo, ec);
    if (e != ERR_OK) {
        store_close(n->store);
        return e;
    }
    history_open(&n->h, n->store, 1 << 16, false);
    e = replay(n, ec);
    if (e != ERR_OK)
        crash_node_close(n);
    return e;
}

void crash_node_close(struct crash_node *n) {
    history_close(&n->h);
    store_close(n->store);
    wal_close(n->log);
}

/* --- running -------------------------------------------------------------------------------- */

enum err crash_node_block(struct crash_node *n, uint64_t content, struct err_ctx *ec) {
    struct store_applied at;
    uint8_t payload[PAYLOAD_BYTES] = {0};
    struct fixture_rng r = fixture_rng_of(content);
    fixture_rng_fill(&r, payload + 48,
                     sizeof payload - 48); /* as a block's transactions: not zeros */
    uint64_t block = n->h.count;
    be64_store(payload, block);
    be64_store(payload + 8, content);
    if (block > 0)
        memcpy(payload + 16, n->h.blocks[block - 1].hash.b, 32);
    struct log_record rec;
    enum err e = wal_append(n->log, LOG_BLOCK, n->epoch, bytes_of(payload, sizeof payload), &rec);
    if (e != ERR_OK)
        FAIL(ec, e, "the record of block %llu could not be written", (unsigned long long)block);
    history_apply(&n->h, content, at_record(&at, n->epoch, rec.seq));
    return ERR_OK;
}

enum err crash_node_sync(struct crash_node *n, struct err_ctx *ec) {
    TRY(wal_sync(n->log, NULL, ec));
    if (wal_prepare_due(n->log))
        wal_prepare(n->log);
    if (n->h.count > 0)
        store_set_durable(n->store, n->h.count - 1);
    return ERR_OK;
}

enum err crash_node_rewind(struct crash_node *n, uint64_t to_block, struct err_ctx *ec) {
    uint8_t payload[8];
    be64_store(payload, to_block);
    struct log_record rec;
    n->epoch++;
    enum err e = wal_append(n->log, LOG_REWIND, n->epoch, bytes_of(payload, 8), &rec);
    if (e != ERR_OK)
        FAIL(ec, e, "the rewind to block %llu could not be written", (unsigned long long)to_block);
    TRY(wal_sync(n->log, NULL, ec));
    history_unwind(&n->h, to_block, n->epoch, rec.seq);
    return ERR_OK;
}

enum err crash_node_checkpoint(struct crash_node *n, struct err_ctx *ec) {
    TRY(store_checkpoint(n->store, ec));
    struct store_applied at = store_applied(n->store);
    TRY(wal_prune(n->log, at.seq, ec));
    if (at.block != STORE_NO_BLOCK && at.block > KEEP_BLOCKS)
        (void)store_prune(n->store, at.block - KEEP_BLOCKS, 200);
    return ERR_OK;
}
