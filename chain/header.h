/* SPDX-License-Identifier: Apache-2.0 */
/* Block headers of both profiles. The Ethereum profile has the fields of its fork (EIP-1559, 4895,
 * 4844, 4788, 7685); the L3 profile has 16 fields, the last being baseFeePerGas (PROTOCOL §2). */
#ifndef CHAIN_HEADER_H
#define CHAIN_HEADER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"

enum {
    HEADER_EXTRA_MAX_BYTES = 1024, /* decoding limit; consensus rules are stricter */
    HEADER_BLOOM_BYTES = 256,
    HEADER_ENCODED_MAX_BYTES =
        HEADER_EXTRA_MAX_BYTES + 1024, /* all other fields take less than 1 KiB */
};

struct header {
    hash32 parent_hash;
    hash32 ommers_hash;
    addr20 coinbase;
    hash32 state_root;
    hash32 tx_root;
    hash32 receipt_root;
    uint8_t bloom[HEADER_BLOOM_BYTES];
    u256 difficulty;
    uint64_t number;
    uint64_t gas_limit;
    uint64_t gas_used;
    uint64_t timestamp;
    uint8_t extra[HEADER_EXTRA_MAX_BYTES];
    size_t extra_len;
    hash32 mix_hash; /* prevRandao; on the L3: send count | l1 block number | version | zeros */
    uint8_t nonce[8];
    /* Optional tail, in order; a field is present only if all before it are. */
    uint8_t field_count;       /* 15 .. 21 RLP fields */
    u256 base_fee;             /* 16th */
    hash32 withdrawals_root;   /* 17th */
    uint64_t blob_gas_used;    /* 18th */
    uint64_t excess_blob_gas;  /* 19th */
    hash32 parent_beacon_root; /* 20th */
    hash32 requests_hash;      /* 21st */
};

void header_encode(struct buf *b, const struct header *h);
/* ERR_RLP, ERR_TOO_LARGE. `in` is exactly one header. */
enum err header_decode(struct header *out, bytes in) MUST_USE;
hash32 header_hash(const struct header *h);

/* The L3's packing of mixHash, nonce and extraData. */
struct l3_header_info {
    hash32 send_root;
    uint64_t send_count;
    uint64_t l1_block_number;
    uint64_t version;      /* state-transition version */
    uint64_t delayed_read; /* delayed messages read */
};
void l3_header_info_set(struct header *h, const struct l3_header_info *i);
struct l3_header_info l3_header_info_get(const struct header *h);

#endif
