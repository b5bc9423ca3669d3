/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a log: which segments there are, where the last good record ends, what is damage. */
#include "state/wal_internal.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Number of a segment file name of this log; false for other files. */
static bool parse_name(const struct wal *l, const char *name, uint32_t *out) {
    size_t n = strlen(l->prefix);
    if (strncmp(name, l->prefix, n) != 0 || name[n] != '-')
        return false;
    const char *digits = name + n + 1;
    size_t count = strspn(digits, "0123456789");
    if (count < 8 || count > 10 || strcmp(digits + count, ".seg") != 0)
        return false;
    unsigned long v = strtoul(digits, NULL, 10);
    if (v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

static int compare_numbers(const void *a, const void *b) {
    const struct wal_segment *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Fills segments with the numbers found, ascending. */
static enum err list_segments(struct wal *l, struct err_ctx *ec) {
    struct buf names;
    buf_init(&names, 64 << 20);
    enum err e = l->disk->list(l->disk, l->dir, &names);
    if (e != ERR_OK) {
        buf_clear(&names);
        FAIL(ec, e, "%s cannot be listed", l->dir);
    }
    size_t count = 0;
    for (size_t i = 0; i < names.len; i++)
        count += names.ptr[i] == 0;
    l->segment_cap = count + 16;
    l->segments = calloc(l->segment_cap, sizeof *l->segments);
    if (l->segments == NULL || names.overflow) {
        buf_clear(&names);
        FAIL(ec, ERR_NOMEM, "no memory to list %s", l->dir);
    }
    for (size_t at = 0; at < names.len;) {
        const char *name = (const char *)names.ptr + at;
        uint32_t number;
        if (parse_name(l, name, &number))
            l->segments[l->segment_count++].number = number;
        at += strlen(name) + 1;
    }
    buf_clear(&names);
    /* By number: names have more digits beyond 99,999,999 and would sort wrongly. */
    if (l->segment_count > 1)
        qsort(l->segments, l->segment_count, sizeof *l->segments, compare_numbers);
    return ERR_OK;
}

/* Reads and checks the header of segments[i]. */
static enum err load_header(struct wal *l, size_t i, struct err_ctx *ec) {
    struct disk *d = l->disk;
    uint32_t number = l->segments[i].number;
    char path[WAL_PATH_MAX];
    wal_path(l, number, path);
    struct disk_file *f;
    TRY(d->open(d, &f, path, false, ec));
    uint8_t header[LOG_SEGMENT_HEADER_BYTES] = {0};
    size_t got = 0;
    uint64_t size = 0;
    enum err e = d->pread(d, f, header, sizeof header, 0, &got);
    if (e == ERR_OK)
        e = d->size(d, f, &size);
    d->close(d, f);
    if (e != ERR_OK)
        FAIL(ec, e, "%s cannot be read", path);
    struct wal_segment s;
    const char *why = wal_decode_segment(&s, header);
    if (why == NULL && s.number != number)
        why = "its header has another number";
    if (why == NULL && size < s.bytes)
        why = "it is shorter than its header says";
    if (why == NULL && i > 0 &&
        (number != l->segments[i - 1].number + 1 || s.first_seq < l->segments[i - 1].first_seq))
        why = "it does not follow the segment before it";
    if (why != NULL)
        FAIL(ec, ERR_CORRUPT, "log segment %s is damaged: %s", path, why);
    l->segments[i] = s;
    return ERR_OK;
}

/* Walks segments[i] to its last good record; leaves the scan there, *why says what ends it. */
static enum err scan_segment(struct wal *l, size_t i, struct buf *b, struct wal_scan *scan,
                             const char **why, struct err_ctx *ec) {
    const struct wal_segment *s = &l->segments[i];
    TRY(wal_load(l, b, s, s->bytes, ec));
    wal_scan_begin(scan, s, b->ptr, (uint32_t)b->len);
    struct log_record r;
    while (wal_scan_next(scan, &r, why))
        continue;
    return ERR_OK;
}

static enum err damage(struct wal *l, const struct wal_scan *scan, const char *why,
                       struct err_ctx *ec) {
    char path[WAL_PATH_MAX];
    wal_path(l, scan->segment.number, path);
    struct log_record witness;
    if (wal_scan_proof(scan, &witness))
        FAIL(ec, ERR_CORRUPT,
             "log segment %s is damaged at offset %u: record %llu is bad (%s), but record %llu at "
             "offset %u, written after it "
             "was synced, is good; restore the file or the backup, nothing is skipped",
             path, scan->offset, (unsigned long long)scan->seq, why,
             (unsigned long long)witness.seq, witness.pos.offset);
    FAIL(ec, ERR_CORRUPT,
         "log segment %s is damaged at offset %u: record %llu is bad (%s), but a later segment "
         "exists; restore the file or the "
         "backup, nothing is skipped",
         path, scan->offset, (unsigned long long)scan->seq, why);
}

/* A segment that has a successor must be complete and end where that begins. */
static enum err check_closed(struct wal *l, size_t i, struct buf *b, struct err_ctx *ec) {
    struct wal_scan scan;
    const char *why;
    TRY(scan_segment(l, i, b, &scan, &why, ec));
    const struct wal_segment *next = &l->segments[i + 1];
    if (scan.seq < next->first_seq)
        return damage(l, &scan, why, ec);
    if (scan.seq != next->first_seq || !hash32_eq(&scan.chain, &next->chain))
        FAIL(ec, ERR_CORRUPT, "%s/%s: segment %u does not follow segment %u", l->dir, l->prefix,
             next->number, next->number - 1);
    l->epoch = scan.epoch;
    return ERR_OK;
}

/* Overwrites what a crash left behind the last good record with zeros, so that it can never be
 * taken for records of the branch that is written from here on. */
static enum err cut_tail(struct wal *l, const struct wal_scan *scan) {
    uint32_t end = wal_scan_dirty_end(scan);
    if (end == scan->offset)
        return ERR_OK;
    uint8_t zeros[4096] = {0};
    for (uint32_t at = scan->offset; at < end;) {
        uint32_t n = end - at < sizeof zeros ? end - at : (uint32_t)sizeof zeros;
        TRY(l->disk->pwrite(l->disk, l->file, zeros, n, at));
        at += n;
    }
    return ERR_OK;
}

/* Writes the last records once more, from the first that nothing proves to have been synced. When
 * an earlier run's sync failed, the system still has in memory what it could not write, and knows
 * it as written: it is read as good, and a sync alone would leave it out. */
static enum err write_end_again(struct wal *l, const struct wal_scan *scan) {
    uint32_t from = wal_scan_unproven(scan);
    if (from == scan->offset)
        return ERR_OK;
    return l->disk->pwrite(l->disk, l->file, scan->data + from, scan->offset - from, from);
}

/* Opens the last segment for appending. */
static enum err make_end_durable(struct wal *l, const struct wal_scan *scan, struct err_ctx *ec) {
    char path[WAL_PATH_MAX];
    wal_path(l, scan->segment.number, path);
    TRY(l->disk->open(l->disk, &l->file, path, false, ec));
    enum err e = write_end_again(l, scan);
    if (e == ERR_OK)
        e = cut_tail(l, scan);
    /* Records that were written but not synced before the crash count from now on: make them
     * durable first. */
    if (e == ERR_OK)
        e = l->disk->sync(l->disk, l->file);
    if (e == ERR_OK)
        e = l->disk->sync_dir(l->disk, l->dir);
    if (e != ERR_OK)
        FAIL(ec, e, "%s cannot be made durable", path);
    return ERR_OK;
}

static enum err open_last(struct wal *l, struct buf *b, struct err_ctx *ec) {
    struct wal_scan scan;
    const char *why;
    size_t last = l->segment_count - 1;
    TRY(scan_segment(l, last, b, &scan, &why, ec));
    struct log_record witness;
    if (wal_scan_proof(&scan, &witness))
        return damage(l, &scan, why, ec);
    if (!l->read_only)
        TRY(make_end_durable(l, &scan, ec));
    l->current = l->segments[last];
    l->chain = scan.chain;
    if (scan.epoch > l->epoch)
        l->epoch = scan.epoch;
    atomic_store(&l->end, scan.offset);
    atomic_store(&l->last_seq, scan.seq - 1);
    atomic_store(&l->synced_seq, scan.seq - 1);
    wal_spare_plan(l);
    return ERR_OK;
}

/* The folder above a path, for the sync that makes a new folder durable. */
static void parent_dir(const char *dir, char out[WAL_PATH_MAX]) {
    int n = snprintf(out, WAL_PATH_MAX, "%s", dir);
    CHECK(n >= 0 && n < WAL_PATH_MAX);
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        memcpy(out, ".", 2);
    else if (slash == out)
        out[1] = 0;
    else
        *slash = 0;
}

static enum err open_dir(struct wal *l, struct err_ctx *ec) {
    struct disk *d = l->disk;
    enum err e = d->mkdir(d, l->dir);
    char parent[WAL_PATH_MAX];
    parent_dir(l->dir, parent);
    if (e == ERR_OK)
        e = d->sync_dir(d, parent);
    if (e != ERR_OK)
        FAIL(ec, e, "%s cannot be made", l->dir);
    TRY(list_segments(l, ec));
    /* A spare is of no worth after a restart: how far it was filled is not known. */
    char spare[WAL_PATH_MAX];
    wal_spare_path(l, spare);
    e = d->remove(d, spare);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        FAIL(ec, e, "%s cannot be removed", spare);
    return ERR_OK;
}

static enum err open_segments(struct wal *l, struct err_ctx *ec) {
    TRY(l->read_only ? list_segments(l, ec) : open_dir(l, ec));
    if (l->segment_count == 0) {
        if (l->read_only)
            FAIL(ec, ERR_NOT_FOUND, "%s has no log '%s'", l->dir, l->prefix);
        enum err e = wal_segment_first(l);
        if (e != ERR_OK)
            FAIL(ec, e, "%s/%s: the first segment cannot be made", l->dir, l->prefix);
        return ERR_OK;
    }
    for (size_t i = 0; i < l->segment_count; i++)
        TRY(load_header(l, i, ec));
    struct buf b;
    buf_init(&b, LOG_SEGMENT_MAX_BYTES);
    enum err e = ERR_OK;
    if (l->segment_count > 1)
        e = check_closed(l, l->segment_count - 2, &b, ec);
    if (e == ERR_OK)
        e = open_last(l, &b, ec);
    buf_clear(&b);
    return e;
}

enum err wal_open(struct wal **out, const struct wal_options *o, struct err_ctx *ec) {
    uint32_t segment_bytes = o->segment_bytes != 0 ? o->segment_bytes : LOG_SEGMENT_DEFAULT_BYTES;
    if (segment_bytes < LOG_SEGMENT_MIN_BYTES || segment_bytes > LOG_SEGMENT_MAX_BYTES ||
        segment_bytes % 8 != 0)
        FAIL(ec, ERR_INVALID, "a log segment of %u bytes is out of range", segment_bytes);
    if (strlen(o->dir) + strlen(o->prefix) + 32 > WAL_PATH_MAX)
        FAIL(ec, ERR_INVALID, "the path of the log is too long: %s", o->dir);
    struct wal *l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    l->disk = o->disk;
    l->segment_bytes = segment_bytes;
    l->read_only = o->read_only;
    l->unfilled = o->unfilled;
    l->dir = strdup(o->dir);
    l->prefix = strdup(o->prefix);
    CHECK(l->dir != NULL && l->prefix != NULL);
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->sync_lock, NULL);
    pthread_mutex_init(&l->spare_lock, NULL);
    buf_init(&l->record, LOG_SEGMENT_MAX_BYTES);
    enum err e = open_segments(l, ec);
    if (e != ERR_OK) {
        wal_close(l);
        return e;
    }
    *out = l;
    return ERR_OK;
}
