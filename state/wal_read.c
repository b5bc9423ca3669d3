/* SPDX-License-Identifier: Apache-2.0 */
#include "state/wal_internal.h"

#include "base/check.h"

/* Index of a segment by number, or -1. `lock` is held. */
static int segment_find(const struct wal *l, uint32_t number) {
    if (number < l->segments[0].number || number - l->segments[0].number >= l->segment_count)
        return -1;
    return (int)(number - l->segments[0].number);
}

void wal_handles_drop(struct wal *l, uint32_t below) {
    for (size_t i = 0; i < WAL_HANDLES; i++) {
        struct wal_handle *h = &l->handles[i];
        if (h->file != NULL && h->refs == 0 && h->segment < below) {
            l->disk->close(l->disk, h->file);
            h->file = NULL;
        }
    }
}

/* A handle for the segment, its reference count raised. When all places are in use the file is
 * opened for this call alone: *own is then that file and the result NULL. */
static enum err handle_get(struct wal *l, uint32_t segment, struct wal_handle **out,
                           struct disk_file **own) {
    struct wal_handle *place = NULL;
    *own = NULL;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < WAL_HANDLES; i++) {
        struct wal_handle *h = &l->handles[i];
        if (h->file != NULL && h->segment == segment) {
            place = h;
            break;
        }
        if (h->refs == 0 && (place == NULL || h->file == NULL ||
                             (place->file != NULL && h->used_at < place->used_at)))
            place = h;
    }
    enum err e = ERR_OK;
    if (place == NULL || place->file == NULL || place->segment != segment) {
        char path[WAL_PATH_MAX];
        wal_path(l, segment, path);
        struct disk_file *f;
        e = l->disk->open(l->disk, &f, path, false, NULL);
        if (e == ERR_OK && place != NULL) {
            if (place->file != NULL)
                l->disk->close(l->disk, place->file);
            *place = (struct wal_handle){.file = f, .segment = segment};
        } else if (e == ERR_OK) {
            *own = f;
        }
    }
    if (e == ERR_OK && place != NULL) {
        place->refs++;
        place->used_at = ++l->handle_clock;
    }
    pthread_mutex_unlock(&l->lock);
    *out = place;
    return e;
}

static void handle_put(struct wal *l, struct wal_handle *h, struct disk_file *own) {
    if (own != NULL) {
        l->disk->close(l->disk, own);
        return;
    }
    pthread_mutex_lock(&l->lock);
    CHECK(h->refs > 0);
    h->refs--;
    wal_handles_drop(l,
                     l->segments[0].number); /* pruned while it was read: its space is free now */
    pthread_mutex_unlock(&l->lock);
}

static enum err read_at(struct wal *l, uint32_t segment, void *ptr, size_t len, uint64_t offset,
                        size_t *out_len) {
    struct wal_handle *h;
    struct disk_file *own;
    TRY(handle_get(l, segment, &h, &own));
    enum err e = l->disk->pread(l->disk, own != NULL ? own : h->file, ptr, len, offset, out_len);
    handle_put(l, h, own);
    return e;
}

enum err wal_load(struct wal *l, struct buf *b, const struct wal_segment *s, uint32_t len,
                  struct err_ctx *ec) {
    buf_reset(b);
    uint8_t *p = buf_extend(b, len);
    if (p == NULL)
        FAIL(ec, ERR_NOMEM, "no memory to read log segment %u", s->number);
    size_t got = 0;
    enum err e = read_at(l, s->number, p, len, 0, &got);
    if (e != ERR_OK)
        FAIL(ec, e, "%s/%s: segment %u cannot be read", l->dir, l->prefix, s->number);
    if (got != len)
        FAIL(ec, ERR_CORRUPT, "%s/%s: segment %u is shorter than the %u bytes it had", l->dir,
             l->prefix, s->number, s->bytes);
    return ERR_OK;
}

static bool is_pruned(struct wal *l, uint32_t segment) {
    pthread_mutex_lock(&l->lock);
    bool pruned = segment < l->segments[0].number;
    pthread_mutex_unlock(&l->lock);
    return pruned;
}

/* The segment that `pos` is in; *out_limit: where its records end. */
static enum err segment_at(struct wal *l, struct log_pos pos, struct wal_segment *out,
                           uint32_t *out_limit, struct err_ctx *ec) {
    pthread_mutex_lock(&l->lock);
    int i = segment_find(l, pos.segment);
    uint32_t limit = 0;
    if (i >= 0) {
        *out = l->segments[i];
        limit = (size_t)i + 1 == l->segment_count
                    ? atomic_load_explicit(&l->end, memory_order_acquire)
                    : out->bytes;
    }
    pthread_mutex_unlock(&l->lock);
    if (i < 0 || pos.offset < LOG_SEGMENT_HEADER_BYTES || pos.offset + LOG_HEADER_BYTES > limit)
        FAIL(ec, ERR_NOT_FOUND, "%s/%s: segment %u has no record at offset %u", l->dir, l->prefix,
             pos.segment, pos.offset);
    *out_limit = limit;
    return ERR_OK;
}

static enum err read_record(struct wal *l, struct buf *b, struct log_pos pos,
                            struct log_record *out, struct err_ctx *ec) {
    struct wal_segment s;
    uint32_t limit;
    TRY(segment_at(l, pos, &s, &limit, ec));
    /* Most records fit the first read; a longer one needs a second. */
    size_t want = limit - pos.offset < 4096 ? limit - pos.offset : 4096, got = 0;
    buf_reset(b);
    uint8_t *p = buf_extend(b, want);
    if (p == NULL)
        FAIL(ec, ERR_NOMEM, "no memory to read a log record");
    TRY(read_at(l, s.number, p, want, pos.offset, &got));
    uint32_t payload_len = 0;
    for (int k = 3; k >= 0; k--)
        payload_len = payload_len << 8 | p[8 + k];
    uint64_t total = LOG_HEADER_BYTES + (uint64_t)payload_len;
    if (got == want && total > want && total <= limit - pos.offset) {
        p = buf_extend(b, (size_t)total - want);
        if (p == NULL)
            FAIL(ec, ERR_NOMEM, "no memory to read a log record of %llu bytes",
                 (unsigned long long)total);
        size_t more = 0;
        TRY(read_at(l, s.number, p, (size_t)total - want, pos.offset + want, &more));
        got += more;
    }
    const char *why = wal_decode(out, NULL, &s, b->ptr, got, pos.offset);
    if (why != NULL)
        FAIL(ec, ERR_CORRUPT, "%s/%s: the record in segment %u at offset %u is damaged: %s", l->dir,
             l->prefix, pos.segment, pos.offset, why);
    return ERR_OK;
}

static enum err read_part(struct wal *l, void *out, size_t want, struct log_pos pos, uint64_t from,
                          size_t *out_len, struct err_ctx *ec) {
    struct wal_segment s;
    uint32_t limit;
    TRY(segment_at(l, pos, &s, &limit, ec));
    uint64_t at = (uint64_t)pos.offset + LOG_HEADER_BYTES + from;
    uint64_t left = at < limit ? limit - at : 0;
    *out_len = 0;
    if (left == 0)
        return ERR_OK;
    return read_at(l, s.number, out, want < left ? want : (size_t)left, at, out_len);
}

/* It may go at any moment, whatever that looked like. */
static enum err pruned_or(enum err e, struct wal *l, struct log_pos pos, struct err_ctx *ec) {
    if (e != ERR_OK && is_pruned(l, pos.segment))
        FAIL(ec, ERR_PRUNED, "%s/%s: segment %u was pruned", l->dir, l->prefix, pos.segment);
    return e;
}

enum err wal_read(struct wal *l, struct buf *b, struct log_pos pos, struct log_record *out,
                  struct err_ctx *ec) {
    return pruned_or(read_record(l, b, pos, out, ec), l, pos, ec);
}

enum err wal_read_part(struct wal *l, void *out, size_t want, struct log_pos pos, uint64_t from,
                       size_t *out_len, struct err_ctx *ec) {
    return pruned_or(read_part(l, out, want, pos, from, out_len, ec), l, pos, ec);
}

/* Records of one loaded segment with from_seq <= seq <= last_seq. */
static enum err each_in_segment(struct wal *l, struct wal_scan *scan, uint64_t from_seq,
                                uint64_t last_seq, wal_fn fn, void *ctx, struct err_ctx *ec) {
    while (scan->seq <= last_seq) {
        struct log_record r;
        const char *why;
        if (!wal_scan_next(scan, &r, &why))
            FAIL(ec, ERR_CORRUPT, "%s/%s: record %llu in segment %u at offset %u is damaged: %s",
                 l->dir, l->prefix, (unsigned long long)scan->seq, scan->segment.number,
                 scan->offset, why);
        if (r.seq >= from_seq)
            TRY(fn(ctx, &r));
    }
    return ERR_OK;
}

enum err wal_each(struct wal *l, uint64_t from_seq, wal_fn fn, void *ctx, struct err_ctx *ec) {
    uint64_t last = wal_last_seq(l);
    uint64_t seq = from_seq == 0 ? 1 : from_seq;
    if (seq > last)
        return ERR_OK;
    if (seq < wal_first_seq(l))
        FAIL(ec, ERR_PRUNED, "%s/%s: record %llu was pruned; the first left is %llu", l->dir,
             l->prefix, (unsigned long long)seq, (unsigned long long)wal_first_seq(l));
    struct buf b;
    buf_init(&b, LOG_SEGMENT_MAX_BYTES);
    enum err e = ERR_OK;
    hash32 chain = {0};
    bool chained = false; /* whether `chain` is that of the segment before */
    while (e == ERR_OK && seq <= last) {
        pthread_mutex_lock(&l->lock);
        size_t i = l->segment_count - 1;
        while (i > 0 && l->segments[i].first_seq > seq)
            i--;
        struct wal_segment s = l->segments[i];
        bool is_last = i + 1 == l->segment_count;
        uint64_t end_seq = is_last ? last : l->segments[i + 1].first_seq - 1;
        uint32_t len = is_last ? atomic_load_explicit(&l->end, memory_order_acquire) : s.bytes;
        pthread_mutex_unlock(&l->lock);
        if (s.first_seq > seq) {
            e = err_set(ec, ERR_PRUNED, __FILE__, __LINE__,
                        "%s/%s: record %llu was pruned while the log was read", l->dir, l->prefix,
                        (unsigned long long)seq);
            break;
        }
        if (end_seq > last)
            end_seq = last;
        e = wal_load(l, &b, &s, len, ec);
        if (e != ERR_OK)
            break;
        if (chained && !hash32_eq(&chain, &s.chain)) {
            e = err_set(ec, ERR_CORRUPT, __FILE__, __LINE__,
                        "%s/%s: segment %u does not follow segment %u", l->dir, l->prefix, s.number,
                        s.number - 1);
            break;
        }
        struct wal_scan scan;
        wal_scan_begin(&scan, &s, b.ptr, (uint32_t)b.len);
        e = each_in_segment(l, &scan, seq, end_seq, fn, ctx, ec);
        chain = scan.chain;
        chained = true;
        seq = end_seq + 1;
    }
    buf_clear(&b);
    return e;
}
