/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind state/log.h share: segments, the scanner, handles for reading. */
#ifndef STATE_WAL_INTERNAL_H
#define STATE_WAL_INTERNAL_H

#include "base/buf.h"
#include "base/disk.h"
#include "base/err.h"
#include "state/log.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    WAL_PATH_MAX = 4096,
    WAL_HANDLES = 16,         /* segment files kept open for wal_read */
    WAL_FIRST_FILL = 8 << 20, /* of the first segment, at creation */
    WAL_SPARE_STEP = 1 << 20, /* the next segment is zero-filled this much at a time */
    WAL_SPARE_SPREAD = 4,     /* a step per so many parts of what is left for one */
    WAL_BLOCK_BYTES = 4096,   /* of files in memory; what one is that is written in part is read */
};

struct wal_segment {
    uint32_t number;
    uint32_t bytes; /* file size */
    uint64_t first_seq;
    hash32 chain; /* of the record before its first */
};

/* A segment file open for reading; shared by readers, closed when unused and its place is wanted.
 */
struct wal_handle {
    struct disk_file *file; /* NULL: free place */
    uint32_t segment;
    uint32_t refs;
    uint64_t used_at;
};

struct wal {
    struct disk *disk;
    char *dir, *prefix;
    uint32_t segment_bytes;
    bool read_only;
    bool unfilled; /* segments are allocated, not written with zeros */

    /* Appender's own. */
    struct wal_segment current;
    hash32 chain;   /* of the last record */
    uint64_t epoch; /* of the last record */
    struct buf record;

    /* `file` is changed by the appender holding sync_lock; so the appender may use it without,
     * others with. */
    pthread_mutex_t sync_lock;
    struct disk_file *file;

    /* The next segment in preparation. The lock is taken with sync_lock held, or alone. */
    pthread_mutex_t spare_lock;
    struct disk_file *spare;
    uint32_t spare_bytes;
    _Atomic uint32_t spare_due; /* `end` at which the next step is due; UINT32_MAX: none is left */

    /* Where the next record goes, in the last segment; set back for a new one under `lock`. */
    _Atomic uint32_t end;
    _Atomic uint64_t last_seq, synced_seq;
    _Atomic bool failed;

    /* Segments in order, the last is current; handles. */
    pthread_mutex_t lock;
    struct wal_segment *segments;
    size_t segment_count, segment_cap;
    struct wal_handle handles[WAL_HANDLES];
    uint64_t handle_clock;
};

/* Walks the records of one segment that is in memory. */
struct wal_scan {
    struct wal_segment segment;
    const uint8_t *data;
    uint32_t len;    /* bytes of data that may hold records */
    uint32_t offset; /* of the next record */
    uint64_t seq;    /* expected next */
    uint64_t epoch;  /* at least */
    hash32 chain;
};

void wal_path(const struct wal *l, uint32_t segment, char out[WAL_PATH_MAX]);
void wal_spare_path(const struct wal *l, char out[WAL_PATH_MAX]);

/* Says when the next step of the spare is due. spare_lock is held, or nobody else is there yet. */
void wal_spare_plan(struct wal *l);

/* Makes segment 0 of an empty log and opens it. */
enum err wal_segment_first(struct wal *l) MUST_USE;

/* Encodes a record into `b` (reset first); fills *chain with its chain. */
void wal_encode(struct buf *b, const struct wal_segment *s, const struct log_record *r,
                uint64_t synced, const hash32 *prev_chain, hash32 *out_chain);
void wal_encode_segment(uint8_t out[LOG_SEGMENT_HEADER_BYTES], const struct wal_segment *s);
/* NULL if it is a good header, else what is wrong. */
const char *wal_decode_segment(struct wal_segment *out, const uint8_t in[LOG_SEGMENT_HEADER_BYTES]);
/* A record alone, without its place in the chain. *out_synced may be NULL. NULL if good, else what
 * is wrong. */
const char *wal_decode(struct log_record *out, uint64_t *out_synced, const struct wal_segment *s,
                       const uint8_t *data, size_t len, uint32_t offset);
/* Bytes that a record with such a payload takes. */
uint64_t wal_record_bytes(uint64_t payload_len);

void wal_scan_begin(struct wal_scan *s, const struct wal_segment *segment, const uint8_t *data,
                    uint32_t len);
/* The next record; false when there is none, *why then says what is wrong with the bytes at
 * s->offset. */
bool wal_scan_next(struct wal_scan *s, struct log_record *out, const char **why);
/* After wal_scan_next was false: whether a later good record proves that the bad one was durable
 * once. */
bool wal_scan_proof(const struct wal_scan *s, struct log_record *out_witness);
/* After wal_scan_next was false: where the first of the good records begins that none after it
 * proves to have been durable; s->offset if there is none. */
uint32_t wal_scan_unproven(const struct wal_scan *s);
/* After wal_scan_next was false: end of the last byte that is not zero; s->offset if all are. */
uint32_t wal_scan_dirty_end(const struct wal_scan *s);

/* Reads `len` bytes of a segment from its start into `b`. */
enum err wal_load(struct wal *l, struct buf *b, const struct wal_segment *s, uint32_t len,
                  struct err_ctx *ec) MUST_USE;
/* Closes reading handles of segments below `segment` that nobody uses. `lock` is held. */
void wal_handles_drop(struct wal *l, uint32_t below);

#endif
