/* SPDX-License-Identifier: Apache-2.0 */
/* The append-only write-ahead log, the node's source of truth: records in preallocated segments, crc'd and
 * chained by hash, made durable by one fdatasync per group. Receipts live in segments of the same form, derivable
 * again.
 *
 * Record on disk (integers little-endian):
 *   magic u32 | kind u8 | flags u8 | version u16 | length u32 | crc32c u32 | epoch u64 | seq u64 | chain 32 | payload
 * crc32c covers all but itself. chain = keccak(previous record's chain | this header without crc | payload). seq counts
 * from 1. Records are 8-byte aligned and never cross a segment.
 *
 * Reading back: the first bad record with nothing good after it is the torn end of the log and is cut off; a bad record
 * before a good one of the same epoch chain is damage: ERR_CORRUPT, nothing is skipped. */
#ifndef STATE_LOG_H
#define STATE_LOG_H

#include "base/disk.h"
#include "base/err.h"
#include "base/types.h"

/* Kinds of PROTOCOL §7. Numbers are on disk: append only. */
enum log_kind { LOG_BLOCK = 1, LOG_POOL = 2, LOG_KV = 3, LOG_INTENT = 4, LOG_EPOCH = 5, LOG_REWIND = 6, LOG_SEAL = 7, LOG_RECEIPTS = 8 };

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
};

struct wal;
struct wal_options {
    struct disk *disk;
    const char *dir;        /* made if absent */
    const char *prefix;     /* segment files are <dir>/<prefix>-%08u.seg */
    uint32_t segment_bytes; /* 0 = 64 MiB */
};
/* Opens or creates; finds the end as described above. ERR_CORRUPT names segment, offset and reason. */
enum err wal_open(struct wal **out, const struct wal_options *o, struct err_ctx *ec) MUST_USE;
void wal_close(struct wal *l);

/* Appends to the current segment (written, not synced). One writer thread. ERR_TOO_LARGE, ERR_IO. */
enum err wal_append(struct wal *l, enum log_kind kind, uint64_t epoch, bytes payload, struct log_record *out) MUST_USE;
/* Everything appended before the call is durable afterwards; out_seq (may be NULL) is the last such record. May be
 * called from another thread than the appender. An error is final: the log refuses everything after it. */
enum err wal_sync(struct wal *l, uint64_t *out_seq, struct err_ctx *ec) MUST_USE;
uint64_t wal_last_seq(const struct wal *l);
uint64_t wal_synced_seq(const struct wal *l);

/* One record by position; payload lives in `b`. Any thread. */
struct buf;
enum err wal_read(struct wal *l, struct buf *b, struct log_pos pos, struct log_record *out, struct err_ctx *ec) MUST_USE;
/* Calls fn for each record with seq >= from_seq in order, until it returns another error than ERR_OK. */
typedef enum err (*wal_fn)(void *ctx, const struct log_record *r);
enum err wal_each(struct wal *l, uint64_t from_seq, wal_fn fn, void *ctx, struct err_ctx *ec) MUST_USE;
/* Removes whole segments that hold only records with seq < seq. */
enum err wal_prune(struct wal *l, uint64_t seq, struct err_ctx *ec) MUST_USE;
uint64_t wal_bytes(const struct wal *l);

#endif
