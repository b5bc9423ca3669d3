/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of a store and of its logs while another process may be writing them: the parts of a hot
 * backup. Copied in this order they fit together: the store, then the receipts, then the log. The
 * store is a checkpoint, which only refers to records that were synced before it was made, and the
 * log's later records are executed when the copy is opened. */
#ifndef STATE_COPY_H
#define STATE_COPY_H

#include "base/disk.h"
#include "base/err.h"
#include "base/types.h"

/* Copies the tables as their last checkpoint left them, compacted and synced, into `to_dir`, which
 * exists and has no store. Takes no lock that a running node would notice; LMDB keeps the pages of
 * that checkpoint until the copy is done. ERR_NOT_FOUND: no store; ERR_IO, ERR_CORRUPT. */
enum err store_copy(const char *dir, const char *to_dir, struct err_ctx *ec) MUST_USE;

/* Copies the segments of a log byte by byte into `to_dir`, which exists and has none, and syncs
 * them. What was appended when it began is in it, and is made durable in the source first: the copy
 * never has a record that the source could lose. *out_last_seq: the last record. ERR_NOT_FOUND: no
 * log; ERR_IO, ERR_CORRUPT. */
enum err wal_copy(struct disk *d, const char *dir, const char *prefix, const char *to_dir,
                  uint64_t *out_last_seq, struct err_ctx *ec) MUST_USE;

#endif
