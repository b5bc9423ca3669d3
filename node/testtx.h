/* SPDX-License-Identifier: Apache-2.0 */
/* The `transaction` object of a state test: what it says against the bytes of an envelope, and the
 * envelope made from it. `indexes` selects among its lists of data (with access lists), gas limits
 * and values. */
#ifndef NODE_TESTTX_H
#define NODE_TESTTX_H

#include "base/arena.h"
#include "base/err.h"
#include "chain/tx.h"

#include <jansson.h>

/* NULL when the decoded transaction is what the object says, else the member that differs. */
const char *testtx_differs(struct arena *a, const json_t *transaction, const json_t *indexes,
                           const struct tx *tx);

/* Builds and signs the transaction with the object's secretKey. Type 4 if there is an
 * authorizationList, 3 with blobVersionedHashes, 2 with maxFeePerGas, 1 with an access list, else
 * 0, with EIP-155's chain id unless "protected" is false. */
enum err testtx_build(struct tx *out, struct arena *a, const json_t *transaction,
                      const json_t *indexes, uint64_t chain_id, struct err_ctx *ec) MUST_USE;

/* Signs the authorizations that have a secretKey instead of a signature, and writes the signature
 * in its place. */
enum err testtx_sign_authorizations(json_t *transaction, struct err_ctx *ec) MUST_USE;

#endif
