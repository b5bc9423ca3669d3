/* SPDX-License-Identifier: Apache-2.0 */
/* Reading RECEIPTS records of blocks, whole or one section of them. What is read lives in the
 * caller's arena. Errors: ERR_PRUNED (the block's segments are gone), ERR_CORRUPT, ERR_IO,
 * ERR_NOMEM. */
#ifndef INDEX_SECTIONS_H
#define INDEX_SECTIONS_H

#include "index/index.h"
#include "index/record.h"

/* Payload of the record that `table` (BODY or RCPT) points to for this block. */
enum err section_record(bytes *out, struct arena *a, struct wal *l, struct store_view *v,
                        enum table_id table, enum log_kind kind, uint64_t number,
                        struct err_ctx *ec) MUST_USE;
/* Exactly `len` bytes of a record's payload, unchecked. */
enum err section_part(uint8_t **out, struct arena *a, struct wal *l, struct log_pos pos,
                      uint64_t from, size_t len, struct err_ctx *ec) MUST_USE;
/* Where that record lies. ERR_PRUNED: nowhere. */
enum err section_find(struct log_pos *out, struct store_view *v, enum table_id table,
                      uint64_t number) MUST_USE;

/* All of a block's. */
enum err section_read_all(struct record_receipt **out, size_t *out_count, struct arena *a,
                          const struct index_source *src, struct store_view *v, uint64_t number,
                          struct err_ctx *ec) MUST_USE;
/* One transaction's; and the one that begins at `place` in the payload of the record at `pos`. */
enum err section_read(struct record_receipt *out, struct arena *a, const struct index_source *src,
                      struct store_view *v, uint64_t number, uint32_t tx_idx,
                      struct err_ctx *ec) MUST_USE;
enum err section_read_at(struct record_receipt *out, struct arena *a,
                         const struct index_source *src, struct log_pos pos, uint32_t place,
                         uint64_t number, struct err_ctx *ec) MUST_USE;

#endif
