/* SPDX-License-Identifier: Apache-2.0 */
/* Senders of a message's signed transactions, all at once: recovered side by side
 * (secp_recover_batch takes a sixth of the time of one by one), or known already. Derivation's own.
 */
#ifndef CHAIN_DERIVE_SENDERS_H
#define CHAIN_DERIVE_SENDERS_H

#include "base/arena.h"
#include "chain/message.h"
#include "chain/tx.h"

/* Of the signed items (L2_SIGNED_TX) of one message, in their order. */
struct senders {
    const uint8_t *known; /* 20 bytes each; NULL: recovered, or none in advance */
    addr20 *recovered;    /* in the arena; NULL: likewise */
    const bool *ok;       /* beside `recovered` */
    size_t count, next;
};
/* Works out the senders of a kind-3 message's data. `known`, `known_count`: what the caller has;
 * used when their number is that of the signed items. A lone signed item is left for senders_take.
 */
void senders_prepare(struct senders *s, struct arena *a, const struct message *m,
                     const uint8_t *known, size_t known_count);
/* Sets the sender of the next signed item, which decoded to `tx`. To be called, or senders_skip,
 * for each item in order. False: nobody signed it. */
bool senders_take(struct senders *s, struct tx *tx) MUST_USE;
void senders_skip(struct senders *s); /* it did not decode */

#endif
