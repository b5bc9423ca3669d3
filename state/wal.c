/* SPDX-License-Identifier: Apache-2.0 */
#include "state/log.h"

#include "base/check.h"
#include "state/wal_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void wal_path(const struct wal *l, uint32_t segment, char out[WAL_PATH_MAX]) {
    int n = snprintf(out, WAL_PATH_MAX, "%s/%s-%08u.seg", l->dir, l->prefix, segment);
    CHECK(n > 0 && n < WAL_PATH_MAX);
}

void wal_spare_path(const struct wal *l, char out[WAL_PATH_MAX]) {
    int n = snprintf(out, WAL_PATH_MAX, "%s/%s-spare.seg", l->dir, l->prefix);
    CHECK(n > 0 && n < WAL_PATH_MAX);
}

uint64_t wal_last_seq(const struct wal *l) {
    return atomic_load_explicit(&l->last_seq, memory_order_acquire);
}
uint64_t wal_synced_seq(const struct wal *l) {
    return atomic_load_explicit(&l->synced_seq, memory_order_acquire);
}

uint64_t wal_first_seq(const struct wal *l) {
    pthread_mutex_lock((pthread_mutex_t *)&l->lock);
    uint64_t seq = l->segments[0].first_seq;
    pthread_mutex_unlock((pthread_mutex_t *)&l->lock);
    return seq;
}

uint64_t wal_segment_seq(const struct wal *l, uint32_t segment) {
    pthread_mutex_lock((pthread_mutex_t *)&l->lock);
    uint32_t first = l->segments[0].number;
    size_t i = segment <= first ? 0 : segment - first;
    uint64_t seq = i < l->segment_count ? l->segments[i].first_seq : wal_last_seq(l) + 1;
    pthread_mutex_unlock((pthread_mutex_t *)&l->lock);
    return seq;
}

uint32_t wal_segment_of(const struct wal *l, uint64_t seq) {
    pthread_mutex_lock((pthread_mutex_t *)&l->lock);
    size_t i = l->segment_count - 1;
    while (i > 0 && l->segments[i].first_seq > seq)
        i--;
    uint32_t number = l->segments[i].number;
    pthread_mutex_unlock((pthread_mutex_t *)&l->lock);
    return number;
}

uint64_t wal_bytes(const struct wal *l) {
    pthread_mutex_lock((pthread_mutex_t *)&l->lock);
    uint64_t sum = 0;
    for (size_t i = 0; i < l->segment_count; i++)
        sum += l->segments[i].bytes;
    pthread_mutex_unlock((pthread_mutex_t *)&l->lock);
    return sum;
}

/* Extends the spare to `size`, making it if need be. What is new up to `written` is written with
 * zeros: blocks that are only allocated cost each later sync a change of metadata (measured:
 * 150-300 us against 85-175). spare_lock is held. */
static enum err spare_fill(struct wal *l, uint32_t size, uint32_t written) {
    struct disk *d = l->disk;
    if (l->spare == NULL) {
        char path[WAL_PATH_MAX];
        wal_spare_path(l, path);
        TRY(d->open(d, &l->spare, path, true, NULL));
        l->spare_bytes = 0;
    }
    if (size <= l->spare_bytes)
        return ERR_OK;
    TRY(d->allocate(d, l->spare, size));
    static const uint8_t zeros[64 << 10];
    for (uint32_t at = l->spare_bytes; at < written;) {
        uint32_t n = written - at < sizeof zeros ? written - at : (uint32_t)sizeof zeros;
        TRY(d->pwrite(d, l->spare, zeros, n, at));
        at += n;
    }
    l->spare_bytes = size;
    return ERR_OK;
}

static void spare_drop(struct wal *l) {
    if (l->spare != NULL)
        l->disk->close(l->disk, l->spare);
    l->spare = NULL;
    l->spare_bytes = 0;
}

/* Where the end must be for the next step: they are spread over what the current segment has left,
 * closer to each other as it fills, so that all are done when about a third of it is left. */
void wal_spare_plan(struct wal *l) {
    uint32_t due = UINT32_MAX, whole = l->current.bytes;
    uint32_t end = atomic_load_explicit(&l->end, memory_order_relaxed);
    if (l->spare_bytes < l->segment_bytes) {
        uint32_t steps = (l->segment_bytes - l->spare_bytes + WAL_SPARE_STEP - 1) / WAL_SPARE_STEP;
        due = end + (whole > end ? whole - end : 0) / (WAL_SPARE_SPREAD * steps);
    }
    atomic_store_explicit(&l->spare_due, due, memory_order_release);
}

bool wal_prepare_due(const struct wal *l) {
    return atomic_load_explicit(&l->end, memory_order_relaxed) >=
           atomic_load_explicit(&l->spare_due, memory_order_acquire);
}

void wal_prepare(struct wal *l) {
    CHECK(!l->read_only);
    pthread_mutex_lock(&l->spare_lock);
    if (wal_prepare_due(l)) {
        uint64_t next = l->unfilled ? l->segment_bytes : (uint64_t)l->spare_bytes + WAL_SPARE_STEP;
        if (next > l->segment_bytes)
            next = l->segment_bytes;
        /* A failure here is not one of the log: rotation tries again and reports. */
        if (spare_fill(l, (uint32_t)next, l->unfilled ? 0 : (uint32_t)next) != ERR_OK ||
            l->disk->sync(l->disk, l->spare) != ERR_OK)
            spare_drop(l);
        wal_spare_plan(l);
    }
    pthread_mutex_unlock(&l->spare_lock);
}

static enum err segment_push(struct wal *l, const struct wal_segment *s) {
    pthread_mutex_lock(&l->lock);
    enum err e = ERR_OK;
    if (l->segment_count == l->segment_cap) {
        size_t cap = l->segment_cap == 0 ? 16 : 2 * l->segment_cap;
        struct wal_segment *grown = realloc(l->segments, cap * sizeof *grown);
        if (grown == NULL) {
            e = ERR_NOMEM;
        } else {
            l->segments = grown;
            l->segment_cap = cap;
        }
    }
    if (e == ERR_OK) {
        l->segments[l->segment_count++] = *s;
        atomic_store_explicit(&l->end, LOG_SEGMENT_HEADER_BYTES, memory_order_release);
    }
    pthread_mutex_unlock(&l->lock);
    return e;
}

/* The spare becomes segment `s`: complete and synced before it gets the name, so that a named
 * segment is always whole and proves that all before it is durable. Both locks are held. */
static enum err segment_make(struct wal *l, const struct wal_segment *s) {
    struct disk *d = l->disk;
    uint32_t written = l->unfilled ? 0 : s->bytes;
    /* Of the very first only a part is written, so that a new chain starts at once. */
    if (s->number == 0 && written > WAL_FIRST_FILL)
        written = WAL_FIRST_FILL;
    TRY(spare_fill(l, s->bytes, written));
    uint8_t header[WAL_BLOCK_BYTES] = {0};
    _Static_assert(sizeof header <= LOG_SEGMENT_MIN_BYTES, "a segment has room for it");
    wal_encode_segment(header, s);
    TRY(d->pwrite(d, l->spare, header, sizeof header, 0));
    TRY(d->sync(d, l->spare));
    char from[WAL_PATH_MAX], to[WAL_PATH_MAX];
    wal_spare_path(l, from);
    wal_path(l, s->number, to);
    TRY(d->rename(d, from, to));
    TRY(d->sync_dir(d, l->dir));
    TRY(segment_push(l, s));
    if (l->file != NULL)
        d->close(d, l->file);
    l->file = l->spare;
    l->spare = NULL;
    l->spare_bytes = 0;
    l->current = *s;
    wal_spare_plan(l);
    return ERR_OK;
}

enum err wal_segment_first(struct wal *l) {
    struct wal_segment s = {.number = 0, .bytes = l->segment_bytes, .first_seq = 1};
    pthread_mutex_lock(&l->spare_lock);
    enum err e = segment_make(l, &s);
    pthread_mutex_unlock(&l->spare_lock);
    return e;
}

/* Syncs the current segment, which holds all up to `seq`. A failure is noted before the lock is let
 * go, which is held: the system reports it once, so that the next sync would succeed. What the
 * failed one should have written may have been dropped from memory: nothing can be promised any
 * more. */
static enum err sync_to(struct wal *l, uint64_t seq) {
    if (atomic_load_explicit(&l->failed, memory_order_acquire))
        return ERR_IO;
    enum err e = l->disk->sync(l->disk, l->file);
    if (e == ERR_OK)
        atomic_store_explicit(&l->synced_seq, seq, memory_order_release);
    else
        atomic_store_explicit(&l->failed, true, memory_order_release);
    return e;
}

/* The current segment is full: sync it, then begin the next, with room for a record of `need`. */
static enum err rotate(struct wal *l, uint64_t need) {
    pthread_mutex_lock(&l->sync_lock);
    uint64_t last = wal_last_seq(l);
    enum err e = sync_to(l, last);
    if (e == ERR_OK) {
        uint64_t least = need + LOG_SEGMENT_HEADER_BYTES;
        struct wal_segment s = {.number = l->current.number + 1,
                                .bytes =
                                    least > l->segment_bytes ? (uint32_t)least : l->segment_bytes,
                                .first_seq = last + 1,
                                .chain = l->chain};
        pthread_mutex_lock(&l->spare_lock);
        e = segment_make(l, &s);
        pthread_mutex_unlock(&l->spare_lock);
    }
    pthread_mutex_unlock(&l->sync_lock);
    return e;
}

/* Writes l->record there, and zeros after it to the end of the block, which are there already. The
 * system may have dropped what a segment was filled with long ago: a part of a block would have to
 * be read first, behind all that is being written (measured: 3 to 30 reads a second at 5,000
 * transactions, each a wait of whoever makes blocks). */
static enum err write_record(struct wal *l, uint32_t at) {
    uint64_t end = at + (uint64_t)l->record.len, most = l->current.bytes;
    uint64_t whole = (end + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    size_t rest = (size_t)((whole < most ? whole : most) - end);
    uint8_t *zeros = buf_extend(&l->record, rest);
    if (zeros == NULL)
        return ERR_NOMEM;
    memset(zeros, 0, rest);
    return l->disk->pwrite(l->disk, l->file, l->record.ptr, l->record.len, at);
}

static enum err append(struct wal *l, struct log_record *r) {
    uint64_t need = wal_record_bytes(r->payload.len);
    const struct wal_segment *s = &l->current;
    if (l->end + need > s->bytes)
        TRY(rotate(l, need));
    uint32_t at = l->end;
    r->seq = wal_last_seq(l) + 1;
    r->pos = (struct log_pos){s->number, at};
    wal_encode(&l->record, s, r, wal_synced_seq(l), &l->chain, &r->chain);
    CHECK(l->record.len == need);
    TRY(write_record(l, at));
    l->chain = r->chain;
    l->epoch = r->epoch;
    atomic_store_explicit(&l->end, at + (uint32_t)need, memory_order_release);
    atomic_store_explicit(&l->last_seq, r->seq, memory_order_release);
    return ERR_OK;
}

enum err wal_append(struct wal *l, enum log_kind kind, uint64_t epoch, bytes payload,
                    struct log_record *out) {
    CHECK(!l->read_only);
    CHECK(kind > 0 && kind < LOG_KIND_END);
    CHECK(epoch >= l->epoch);
    if (atomic_load_explicit(&l->failed, memory_order_acquire))
        return ERR_IO;
    if (payload.len > LOG_SEGMENT_MAX_BYTES ||
        wal_record_bytes(payload.len) + LOG_SEGMENT_HEADER_BYTES > LOG_SEGMENT_MAX_BYTES)
        return ERR_TOO_LARGE;
    struct log_record r = {
        .kind = kind, .version = LOG_VERSION, .epoch = epoch, .payload = payload};
    enum err e = append(l, &r);
    if (e != ERR_OK) {
        atomic_store_explicit(&l->failed, true, memory_order_release);
        return e;
    }
    if (out != NULL)
        *out = r;
    return ERR_OK;
}

enum err wal_sync(struct wal *l, uint64_t *out_seq, struct err_ctx *ec) {
    CHECK(!l->read_only);
    uint64_t target = wal_last_seq(l);
    pthread_mutex_lock(&l->sync_lock);
    enum err e = ERR_OK;
    if (atomic_load_explicit(&l->failed, memory_order_acquire))
        e = ERR_IO;
    else if (wal_synced_seq(l) < target)
        e = sync_to(l, wal_last_seq(l)); /* what came while waiting is taken along */
    uint64_t synced = wal_synced_seq(l);
    pthread_mutex_unlock(&l->sync_lock);
    if (e != ERR_OK)
        FAIL(ec, e, "%s/%s: the log could not be synced; nothing after record %llu is durable",
             l->dir, l->prefix, (unsigned long long)synced);
    if (out_seq != NULL)
        *out_seq = synced;
    return ERR_OK;
}

enum err wal_prune(struct wal *l, uint64_t seq, struct err_ctx *ec) {
    CHECK(!l->read_only);
    for (;;) {
        pthread_mutex_lock(&l->lock);
        bool drop = l->segment_count > 1 && l->segments[1].first_seq <= seq;
        uint32_t number = l->segments[0].number;
        if (drop) {
            l->segment_count--;
            memmove(l->segments, l->segments + 1, l->segment_count * sizeof *l->segments);
            wal_handles_drop(l, number + 1);
        }
        pthread_mutex_unlock(&l->lock);
        if (!drop)
            break;
        char path[WAL_PATH_MAX];
        wal_path(l, number, path);
        enum err e = l->disk->remove(l->disk, path);
        if (e != ERR_OK)
            FAIL(ec, e, "%s cannot be removed", path);
        /* One by one and in order: a crash must leave a run of numbers without a hole. */
        e = l->disk->sync_dir(l->disk, l->dir);
        if (e != ERR_OK)
            FAIL(ec, e, "%s cannot be synced", l->dir);
    }
    return ERR_OK;
}

void wal_close(struct wal *l) {
    if (l == NULL)
        return;
    if (l->file != NULL)
        l->disk->close(l->disk, l->file);
    spare_drop(l);
    for (size_t i = 0; i < WAL_HANDLES; i++) {
        CHECK(l->handles[i].refs == 0);
        if (l->handles[i].file != NULL)
            l->disk->close(l->disk, l->handles[i].file);
    }
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->sync_lock);
    pthread_mutex_destroy(&l->spare_lock);
    buf_clear(&l->record);
    free(l->segments);
    free(l->dir);
    free(l->prefix);
    free(l);
}
