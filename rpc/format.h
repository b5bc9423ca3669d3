/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks, transactions, receipts and logs as JSON, in geth's shapes, with the L3's fields
 * (sendRoot, sendCount, l1BlockNumber) as Arbitrum's clients expect them. */
#ifndef RPC_FORMAT_H
#define RPC_FORMAT_H

#include "index/index.h"
#include "rpc/call.h"
#include "rpc/json_writer.h"

/* `txs` NULL: a header alone (no transactions, uncles and size). Full transactions, or their
 * hashes. */
void format_block(struct json_writer *w, const struct index_head *h, const struct index_block *txs,
                  bool full);
/* Here and below, `idx` and `at` are places in b's arrays. */
void format_tx(struct json_writer *w, const struct index_block *b, size_t idx);
/* The member accessList. */
void format_access_list(struct json_writer *w, const struct tx *tx);
/* A transaction that is in no block yet. */
void format_pending_tx(struct json_writer *w, const struct tx *tx);
/* A transaction by itself, without members of a block. Unsigned (r and s are 0): v is 0 too. */
void format_loose_tx(struct json_writer *w, const struct tx *tx);
void format_receipt(struct json_writer *w, const struct index_block *b, size_t idx);
/* `removed` is the last member. */
void format_log(struct json_writer *w, const struct index_log *l);

/* A transaction in a block or waiting, or null. Runs on a reader thread. */
void format_tx_of(struct rpc_call *c, struct json_writer *w, const hash32 *hash);
/* Result of eth_getTransactionReceipt: the receipt or null. Runs on a reader thread. */
void format_receipt_of(struct rpc_call *c, const hash32 *tx_hash);

#endif
