/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "state/copy.h"
#include "state/wal_internal.h"

#include <stdio.h>

enum {
    CHUNK = 1 << 20,
    /* A log that is being written can look damaged to another process: a record may be read before
     * and its successor after they were written; and segments may go while they are listed. */
    ATTEMPTS = 5,
};

static enum err copy_bytes(struct disk *d, struct disk_file *from, struct disk_file *to,
                           struct buf *b, uint32_t len) {
    for (uint32_t at = 0; at < len;) {
        uint32_t n = len - at < CHUNK ? len - at : CHUNK;
        size_t got = 0;
        buf_reset(b);
        uint8_t *p = buf_extend(b, n);
        if (p == NULL)
            return ERR_NOMEM;
        TRY(d->pread(d, from, p, n, at, &got));
        if (got != n)
            return ERR_CORRUPT;
        TRY(d->pwrite(d, to, p, n, at));
        at += n;
    }
    return ERR_OK;
}

static enum err copy_open(struct disk *d, struct disk_file *from, struct disk_file *to,
                          const struct wal_segment *s, uint32_t end) {
    struct buf b;
    buf_init(&b, CHUNK);
    enum err e = d->sync(d, from);
    if (e == ERR_OK)
        e = d->allocate(d, to, s->bytes);
    if (e == ERR_OK)
        e = copy_bytes(d, from, to, &b, end);
    if (e == ERR_OK)
        e = d->sync(d, to);
    buf_clear(&b);
    return e;
}

/* The bytes before `end`; zeros behind. */
static enum err copy_segment(struct wal *l, const char *to_dir, const struct wal_segment *s,
                             uint32_t end, struct err_ctx *ec) {
    struct disk *d = l->disk;
    char from_path[WAL_PATH_MAX], to_path[WAL_PATH_MAX];
    struct disk_file *from = NULL, *to = NULL;
    wal_path(l, s->number, from_path);
    int n = snprintf(to_path, sizeof(to_path), "%s/%s-%08u.seg", to_dir, l->prefix, s->number);
    if (n < 0 || (size_t)n >= sizeof(to_path))
        FAIL(ec, ERR_INVALID, "the path %s is too long", to_dir);
    enum err e = d->open(d, &from, from_path, false, ec);
    if (e != ERR_OK)
        return e;
    e = d->open(d, &to, to_path, true, ec);
    if (e == ERR_OK) {
        e = copy_open(d, from, to, s, end);
        d->close(d, to);
    }
    d->close(d, from);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot copy %s to %s", from_path, to_path);
    return ERR_OK;
}

/* Newest first: when one is gone, its node has pruned it and those before it meanwhile, and the
 * copy is whole without them. */
static enum err copy_all(struct wal *l, const char *to_dir, struct err_ctx *ec) {
    for (size_t i = l->segment_count; i-- > 0;) {
        bool last = i + 1 == l->segment_count;
        enum err e = copy_segment(l, to_dir, &l->segments[i],
                                  last ? atomic_load(&l->end) : l->segments[i].bytes, ec);
        if (e == ERR_NOT_FOUND && !last)
            break;
        if (e != ERR_OK)
            return e;
    }
    enum err e = l->disk->sync_dir(l->disk, to_dir);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot sync %s", to_dir);
    return ERR_OK;
}

enum err wal_copy(struct disk *d, const char *dir, const char *prefix, const char *to_dir,
                  uint64_t *out_last_seq, struct err_ctx *ec) {
    struct wal_options o = {.disk = d, .dir = dir, .prefix = prefix, .read_only = true};
    struct wal *l = NULL;
    enum err e = ERR_CORRUPT;
    for (int i = 0; i < ATTEMPTS && e == ERR_CORRUPT; i++)
        e = wal_open(&l, &o, ec);
    if (e != ERR_OK)
        return e;
    e = copy_all(l, to_dir, ec);
    *out_last_seq = wal_last_seq(l);
    wal_close(l);
    return e;
}
