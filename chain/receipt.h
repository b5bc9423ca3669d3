/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts and log blooms (Yellow Paper §4.3.1; EIP-658, EIP-2718). */
#ifndef CHAIN_RECEIPT_H
#define CHAIN_RECEIPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "chain/tx.h"

struct log_entry {
    addr20 address;
    uint8_t topic_count;
    hash32 topics[4];
    bytes data;
};
struct receipt {
    enum tx_type type;
    bool success;
    uint64_t cumulative_gas_used;
    uint8_t bloom[256];
    struct log_entry *logs;
    size_t log_count;
    /* Not in the consensus encoding. */
    uint64_t gas_used;
    u256 effective_gas_price;
    /* Who paid (PROTOCOL §3). */
    uint64_t universe;      /* of the transaction; 0: none */
    bool sponsored;         /* its gas account paid, else the sender */
    u256 gas_price_charged; /* wei per gas that the payer paid: P, or P + S */
    u256 surcharge;         /* S, the part of it that went to the universe */
    addr20 contract_addr;   /* of a creation that has a receipt, successful or not */
    bool has_contract_addr;
};

void bloom_add(uint8_t bloom[256], const void *ptr, size_t len);
void bloom_add_log(uint8_t bloom[256], const addr20 *address, const hash32 *topics,
                   size_t topic_count);
bool bloom_may_contain(const uint8_t bloom[256], const void *ptr, size_t len);

/* Consensus form: type byte (unless legacy) and [status, cumulativeGasUsed, bloom, logs]. */
void receipt_encode(struct buf *b, const struct receipt *r);
/* The list of logs alone: RLP([[address, [topics], data], ...]); its keccak is the state tests'
 * logs hash. */
void receipt_encode_logs(struct buf *b, const struct log_entry *logs, size_t count);
/* Storage form: consensus content without the bloom, plus the fields that it lacks. Arrays live in
 * `a`, the data of logs is borrowed from *in. The bloom stays zero: it costs five hashes for each
 * log, and few readers want it. */
void receipt_pack(struct buf *b, const struct receipt *r);
enum err receipt_unpack(struct receipt *out, struct arena *a, bytes *in) MUST_USE;

#endif
