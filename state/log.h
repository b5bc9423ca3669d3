/* SPDX-License-Identifier: Apache-2.0 */
/* The append-only write-ahead log, the node's source of truth: records in preallocated, zero-filled
 * segments, crc'd and chained by hash, made durable by one fdatasync per group. Receipts live in
 * segments of the same form, derivable again.
 *
 * Segment file <dir>/<prefix>-%08u.seg, integers little-endian: a header, then records, then zeros.
 * Header, 64 bytes:
 *
 * - 0 magic "CSEG" | 4 format u16 | 6 zero u16 | 8 segment u32 | 12 crc32c u32
 * - 16 first seq u64 | 24 file bytes u64 | 32 chain before its first record, 32 bytes
 *
 * Record, 72 bytes before the payload, zeros behind it up to a multiple of 8:
 *
 * - 0 magic "CREC" | 4 kind u8 | 5 flags u8 (0) | 6 version u16 | 8 length u32 | 12 crc32c u32
 * - 16 epoch u64 | 24 seq u64 | 32 synced u64 | 40 chain, 32 bytes | 72 payload
 *
 * crc32c covers a seed of the segment, the record's offset, the header without the crc, and the
 * payload; seed and offset make it worthless to smuggle record-like bytes into a payload. seq
 * counts from 1. `synced` is the highest seq that was durable when the record was written. chain =
 * keccak(chain of the record before | kind | flags | version | length | epoch | seq | payload): the
 * same on every node that has the same records. A segment is begun only when the one before is
 * synced.
 *
 * Reading back: power may fail inside a sync window and keep any part of it, so the first bad
 * record is the torn end of the log, and is cut off with all that follows, unless something proves
 * that it was durable once: a later segment, or a later good record whose `synced` reaches it. Then
 * it is damage: ERR_CORRUPT, nothing is skipped. Damage inside the very last sync window looks like
 * a torn end; who knows a higher durable seq (store_applied) compares it with wal_last_seq.
 *
 * Limits: a record fits one segment, and one that is longer than the chosen size gets a segment of
 * its own length; LOG_SEGMENT_MIN_BYTES <= segment <= LOG_SEGMENT_MAX_BYTES. */
#ifndef STATE_LOG_H
#define STATE_LOG_H

#include "base/disk.h"
#include "base/err.h"
#include "base/types.h"

/* Kinds of PROTOCOL §7. Numbers are on disk: append only. */
enum log_kind {
    LOG_BLOCK = 1,
    LOG_POOL = 2,
    LOG_KV = 3,
    LOG_INTENT = 4,
    LOG_EPOCH = 5,
    LOG_REWIND = 6,
    LOG_SEAL = 7,
    LOG_RECEIPTS = 8,
    LOG_TOMBSTONE = 9,
    LOG_KIND_END
};

enum {
    LOG_VERSION = 1,       /* record format; another is ERR_VERSION */
    LOG_HEADER_BYTES = 72, /* of a record */
    LOG_SEGMENT_HEADER_BYTES = 64,
    LOG_SEGMENT_MIN_BYTES = 4096,
    LOG_SEGMENT_DEFAULT_BYTES = 64 << 20,
    LOG_SEGMENT_MAX_BYTES = 1 << 30,
};

struct log_pos {
    uint32_t segment;
    uint32_t offset;
};
struct log_record {
    enum log_kind kind;
    uint16_t version;
    uint64_t epoch;
    uint64_t seq;
    struct log_pos pos;
    bytes payload;
    hash32 chain;
};

struct wal;
struct wal_options {
    struct disk *disk;
    const char *dir;        /* made if absent */
    const char *prefix;     /* segment files are <dir>/<prefix>-%08u.seg */
    uint32_t segment_bytes; /* of new segments; 0 = the default */
    bool unfilled;  /* for a log that is seldom synced: its segments are allocated alone. Zeros in
                       them make each sync cheaper, and all that is written twice as much */
    bool read_only; /* changes nothing on disk, a torn end is only passed over; no append, sync or
                       prune */
};
/* Opens or creates (read_only: ERR_NOT_FOUND if there is none); finds the end as described above
 * (the last two segments are read whole), cuts a torn end off, writes what no record proves to have
 * been synced once more, and syncs. One opener at a time: the caller holds the folder (store_open
 * locks it). ERR_CORRUPT names segment, offset and reason. */
enum err wal_open(struct wal **out, const struct wal_options *o, struct err_ctx *ec) MUST_USE;
/* Does not sync. NULL is allowed. */
void wal_close(struct wal *l);

/* Appends to the current segment (written, not synced). One writer thread; epochs never decrease.
 * *out (may be NULL) describes the record, payload borrowed from the argument. ERR_TOO_LARGE
 * changes nothing; ERR_IO is final. */
enum err wal_append(struct wal *l, enum log_kind kind, uint64_t epoch, bytes payload,
                    struct log_record *out) MUST_USE;
/* Everything appended before the call is durable afterwards; out_seq (may be NULL) is the last such
 * record. May be called from another thread than the appender. An error is final: the log refuses
 * everything after it. */
enum err wal_sync(struct wal *l, uint64_t *out_seq, struct err_ctx *ec) MUST_USE;
/* The next segment is got ready in steps of a few milliseconds, so that appending does not have to
 * wait for all of it: whether a step is due (cheap), and doing it. Any thread; whoever appends or
 * syncs meanwhile waits for nothing. What is not done when a segment is full, the appender does. */
bool wal_prepare_due(const struct wal *l);
void wal_prepare(struct wal *l);
uint64_t wal_last_seq(const struct wal *l); /* 0 = empty */
uint64_t wal_synced_seq(const struct wal *l);
uint64_t wal_first_seq(const struct wal *l); /* first that pruning has left; last + 1 when empty */

/* The first record of a segment: of one that was pruned the first that is left, of one that is not
 * there yet last + 1. And the segment that a record is in: of a pruned one the first that is left,
 * of one that is not there yet the current one. */
uint64_t wal_segment_seq(const struct wal *l, uint32_t segment);
uint32_t wal_segment_of(const struct wal *l, uint64_t seq);

/* One record by position; payload lives in `b`. Any thread. ERR_PRUNED: the segment was pruned;
 * ERR_NOT_FOUND: no record was ever there; ERR_CORRUPT. */
struct buf;
enum err wal_read(struct wal *l, struct buf *b, struct log_pos pos, struct log_record *out,
                  struct err_ctx *ec) MUST_USE;
/* `want` bytes of the payload of the record at `pos`, from its byte `from` on, into `out`; *out_len
 * is less where the log ends. No checksum is looked at, nor the record's length: for payloads whose
 * parts can be told good by themselves. Any thread; errors as wal_read. */
enum err wal_read_part(struct wal *l, void *out, size_t want, struct log_pos pos, uint64_t from,
                       size_t *out_len, struct err_ctx *ec) MUST_USE;
/* Calls fn for each record with seq >= from_seq in order, until it returns another error than
 * ERR_OK, which is passed on. Checks crc and chain of every record in the segments it reads:
 * ERR_CORRUPT. ERR_PRUNED when from_seq is no longer there. Ends at the last record appended when
 * it began. */
typedef enum err (*wal_fn)(void *ctx, const struct log_record *r);
enum err wal_each(struct wal *l, uint64_t from_seq, wal_fn fn, void *ctx,
                  struct err_ctx *ec) MUST_USE;
/* Removes whole segments that hold only records with seq < seq; never the current one. */
enum err wal_prune(struct wal *l, uint64_t seq, struct err_ctx *ec) MUST_USE;
uint64_t wal_bytes(const struct wal *l); /* sum of segment file sizes */

#endif
