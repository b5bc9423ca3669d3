/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction would be charged, and whom, were it the next one: for admission, estimates and
 * fee suggestions. The block that takes it decides anew. */
#ifndef CHAIN_QUOTE_H
#define CHAIN_QUOTE_H

#include "chain/derive.h"
#include "chain/universe.h"

struct tx_quote {
    u256 price;     /* P */
    u256 surcharge; /* S; 0 when sponsored */
    uint64_t universe;
    bool paused;            /* by its `to`: a bad verdict */
    enum sponsor_rule rule; /* SPONSOR_OK: the universe pays */
};
/* In the open block if there is one, else on top of `parent` at `timestamp`. tx->sender is known;
 * `gas` is the limit that is asked for. Executor's thread, no gas, no change. */
void chain_quote(struct tx_quote *out, struct chain *c, const struct header *parent,
                 uint64_t timestamp, const struct tx *tx, uint64_t gas);

/* The same of a universe as such: P + S, and whether its policy is active, has not expired, and
 * its gas account is not empty. */
struct universe_quote {
    u256 price; /* P + S */
    bool sponsors;
};
void chain_universe_quote(struct universe_quote *out, struct chain *c, const struct header *parent,
                          uint64_t timestamp, uint64_t universe);

#endif
