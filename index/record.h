/* SPDX-License-Identifier: Apache-2.0 */
/* Payloads of the log records that this floor and the node write (PROTOCOL §7; framing, checksums
 * and chaining are state/log.h's). Integers are big-endian. Each payload begins with a version
 * byte, RECORD_VERSION today (of RECEIPTS RECORD_RECEIPTS_VERSION); another one is ERR_VERSION. A
 * payload that does not parse exactly is ERR_CORRUPT: it passed its checksum, so it was written
 * wrong.
 *
 * - BLOCK: version u8 | number u64 | previous header hash 32 | state-transition version u64 |
 *   sender count u32 | senders 20 each | message (message_pack)
 * - RECEIPTS: version u8 | number u64 | count u32 | place of each section u32 | sections; a
 * section: crc32c u32 | length u32 | index u32 | logs of the block before it u32 | transaction hash
 * 32 | sender 20 | source u8, then {place in the BLOCK payload u32 | length u32} (source 0) or
 *   {length u32 | envelope} (source 1), then receipt_pack
 * - POOL: version u8 | sender 20 | envelope to the end
 * - EPOCH: version u8 | epoch u64 | chain id u64 | genesis block hash 32
 * - REWIND: version u8 | epoch u64 | last block that stands u64 | reason u8
 * - SEAL: version u8 | number u64 | header hash 32 | receipts root 32
 * - KV: version u8 | count u16 | per change: space u8 | kind u8 (0 put, 1 delete) | key length u8 |
 *   key | value length u32 | value
 *
 * A transaction's section can be read without the rest of its record, so it has a checksum of its
 * own: over the block's number, u64, and the section behind the checksum. An envelope that is read
 * alone is good when it has the hash.
 *
 * Senders are side data: those of the block's signed transactions (types 0 to 4) in block order, so
 * that reading a block back needs no signature recovery. They never influence derivation. */
#ifndef INDEX_RECORD_H
#define INDEX_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "chain/derive.h"
#include "chain/message.h"

enum { RECORD_VERSION = 1, RECORD_RECEIPTS_VERSION = 2 };

struct record_block {
    uint64_t number;
    hash32 prev_hash;
    uint64_t version;       /* state-transition version */
    const uint8_t *senders; /* 20 bytes each, borrowed from the payload */
    size_t sender_count;
    struct message message; /* data is borrowed from the payload */
};
/* Appends the payload for a derived (not necessarily sealed) block on top of the header with hash
 * `prev_hash`. */
void record_pack_block(struct buf *out, const struct derived_block *b, const hash32 *prev_hash);
enum err record_unpack_block(struct record_block *out, bytes payload) MUST_USE;

/* Where the message's data begins in the payload of a block. */
size_t record_block_data_at(const struct derived_block *b);

void record_pack_receipts(struct buf *out, const struct derived_block *b);
/* One transaction of a block as the RECEIPTS record has it. */
struct record_receipt {
    uint32_t tx_idx, first_log;
    hash32 hash;
    addr20 sender;
    bytes envelope;       /* borrowed; ptr is NULL where it lies in the BLOCK payload, */
    uint32_t envelope_at; /* there */
    struct receipt receipt;
};
/* *out: `*out_count` entries in `a`; arrays of the receipts live in `a`, what is borrowed is
 * borrowed from the payload. Checksums of sections are not looked at: the record has one. */
enum err record_unpack_receipts(struct record_receipt **out, size_t *out_count, struct arena *a,
                                bytes payload, uint64_t number) MUST_USE;
/* Parts. The entry of the table that says where a transaction's section begins: its place in the
 * payload. How long the section is, from its first RECORD_SECTION_LEAD_BYTES. And one section,
 * exactly: ERR_CORRUPT when it is not that of block `number`. */
enum { RECORD_SECTION_LEAD_BYTES = 8 };
size_t record_section_entry(uint32_t tx_idx);
size_t record_section_bytes(const uint8_t *lead);
enum err record_unpack_section(struct record_receipt *out, struct arena *a, bytes section,
                               uint64_t number) MUST_USE;

struct record_pool {
    addr20 sender;
    bytes envelope; /* borrowed */
};
void record_pack_pool(struct buf *out, const struct record_pool *p);
enum err record_unpack_pool(struct record_pool *out, bytes payload) MUST_USE;

struct record_epoch {
    uint64_t epoch;
    uint64_t chain_id;
    hash32 genesis_hash;
};
void record_pack_epoch(struct buf *out, const struct record_epoch *e);
enum err record_unpack_epoch(struct record_epoch *out, bytes payload) MUST_USE;

enum rewind_reason { REWIND_FORCED_INCLUSION = 1, REWIND_PARENT_REORG = 2, REWIND_RESTAMP = 3 };
struct record_rewind {
    uint64_t epoch;    /* of the records that follow */
    uint64_t to_block; /* last block that stands */
    uint8_t reason;
};
void record_pack_rewind(struct buf *out, const struct record_rewind *r);
enum err record_unpack_rewind(struct record_rewind *out, bytes payload) MUST_USE;

struct record_seal {
    uint64_t number;
    hash32 hash;
    hash32 receipt_root;
};
void record_pack_seal(struct buf *out, const struct record_seal *s);
enum err record_unpack_seal(struct record_seal *out, bytes payload) MUST_USE;

/* A change of the node's own values (rpc/kv.h): what no message says and no block depends on. */
enum { RECORD_KV_CHANGES_MAX = 4096, RECORD_KV_KEY_MAX_BYTES = 128 };
struct record_kv {
    uint8_t space;
    bool del;
    bytes key;   /* 1 to RECORD_KV_KEY_MAX_BYTES */
    bytes value; /* empty when deleted */
};
void record_pack_kv(struct buf *out, const struct record_kv *changes, size_t count);
/* Calls fn for each change in order; what it points to is borrowed from the payload. Nothing is
 * called before the whole payload is known to be good. */
typedef void (*record_kv_fn)(void *ctx, const struct record_kv *change);
enum err record_each_kv(bytes payload, record_kv_fn fn, void *ctx) MUST_USE;

#endif
