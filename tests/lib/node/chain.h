/* SPDX-License-Identifier: Apache-2.0 */
/* The development chain in a temporary folder, and signed transactions for it. */
#ifndef TESTS_LIB_NODE_CHAIN_H
#define TESTS_LIB_NODE_CHAIN_H

#include "node/ledger.h"
#include "node/recover.h"

struct node_chain {
    char dir[64];
    struct genesis genesis;
    uint32_t segment_bytes; /* of new segments; 0: the default */
    size_t checkpoint_rows; /* of the next open; 0: the default */
    struct disk *disk;      /* of the next open; NULL: the real one */
    struct ledger ledger;
    uint8_t keys[GENESIS_DEV_ACCOUNTS][32];
    addr20 addrs[GENESIS_DEV_ACCOUNTS];
    struct arena arena; /* of signed transactions */
};
/* A fresh folder with an open ledger. */
void node_chain_init(struct node_chain *c);
/* The same with segments of this size. */
void node_chain_init_segments(struct node_chain *c, uint32_t segment_bytes);
/* Closes the ledger (as a crash would: no checkpoint) and removes the folder. */
void node_chain_clear(struct node_chain *c);
/* Closes and opens the ledger again; the log is not replayed. */
enum err node_chain_reopen(struct node_chain *c, struct err_ctx *ec);
/* Replays; POOL records are counted in *out_pool (may be NULL). */
enum err node_chain_recover(struct node_chain *c, struct recover_stats *out, size_t *out_pool,
                            struct err_ctx *ec);

/* A transfer of 1 wei between development accounts. */
struct tx *node_chain_transfer(struct node_chain *c, size_t from, size_t to, uint64_t nonce,
                               uint64_t max_fee_gwei);
/* Makes, logs, seals and announces a block of these. */
void node_chain_block(struct node_chain *c, struct tx *const *txs, size_t count);

#endif
