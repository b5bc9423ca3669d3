/* SPDX-License-Identifier: Apache-2.0 */
/* Why a transaction or a call failed, in geth's words, which wallets match on. */
#ifndef RPC_TX_ERRORS_H
#define RPC_TX_ERRORS_H

#include "base/buf.h"
#include "chain/exec.h"
#include "chain/tx.h"

enum { TX_ERROR_TEXT_MAX = 400 };

/* What the sentence may mention of the state that the transaction met. */
struct tx_error_facts {
    u256 balance;
    uint64_t nonce; /* the sender's next */
    u256 base_fee;  /* what its fee cap had to reach */
    uint64_t chain_id;
};
void tx_error_text(char out[TX_ERROR_TEXT_MAX], enum tx_verdict v, const struct tx *tx,
                   const struct tx_error_facts *f);

/* Appends the reason in revert data - Error(string), or the name of a Panic(uint256) code - and
 * says whether there was one. */
bool tx_revert_reason(struct buf *out, bytes data);

#endif
