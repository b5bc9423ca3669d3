/* SPDX-License-Identifier: Apache-2.0 */
/* A block's feed from a list of transactions, all of which must be taken. */
#ifndef TESTS_LIB_CHAIN_TX_LIST_H
#define TESTS_LIB_CHAIN_TX_LIST_H

#include "base/check.h"
#include "chain/derive.h"

struct tx_list {
    struct tx *const *txs;
    size_t count, next;
};

static inline const struct tx *tx_list_next(void *ctx, uint64_t gas_left, size_t bytes_left) {
    struct tx_list *l = ctx;
    (void)gas_left;
    (void)bytes_left;
    return l->next < l->count ? l->txs[l->next++] : NULL;
}

static inline void tx_list_done(void *ctx, const struct tx *tx, enum tx_verdict v,
                                const struct derived_tx *d) {
    (void)ctx;
    (void)tx;
    (void)d;
    if (v != TX_OK)
        check_fail(tx_verdict_name(v), __FILE__, __LINE__);
}

/* Of `l`, which the feed borrows. */
static inline struct tx_feed tx_list_feed(struct tx_list *l) {
    return (struct tx_feed){.ctx = l, .next = tx_list_next, .done = tx_list_done};
}

#endif
