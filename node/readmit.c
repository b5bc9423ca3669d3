/* SPDX-License-Identifier: Apache-2.0 */
#include "node/readmit.h"

#include "base/check.h"
#include "chain/universe.h"

#include <stdlib.h>

/* By the nonces as the state has them now. */
static enum err sort(struct readmission *r) {
    size_t n;
    addr20 *senders = pool_senders(r->pool, &n);
    if (senders == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        struct pool_tx *stale, *gapped, *over;
        uint64_t nonce = world_nonce(chain_world(r->ledger->chain), &senders[i]);
        pool_rebase(r->pool, &senders[i], nonce, &stale, &gapped, &over);
        CHECK(over == NULL); /* all have records */
        for (struct pool_tx *next; gapped != NULL; gapped = next) {
            next = gapped->next_ready;
            gapped->next_ready = NULL;
        }
        for (struct pool_tx *next; stale != NULL; stale = next) {
            next = stale->next_ready;
            pool_tx_free(stale);
        }
    }
    free(senders);
    return ERR_OK;
}

/* When so much doubles, or all is nearly full; not again when there was little to drop. */
static size_t sort_next_at(size_t left) {
    size_t last = READMIT_BYTES_MAX - POOL_MEMORY_MAX;
    if (2 * left < POOL_MEMORY_MAX)
        return POOL_MEMORY_MAX;
    return 2 * left < last ? 2 * left : left < last - POOL_MEMORY_MAX ? last : SIZE_MAX;
}

enum err readmit_record(void *ctx, bytes envelope, const addr20 *sender, uint64_t seq) {
    struct readmission *r = ctx;
    struct pool_tx *t = NULL;
    if (pool_bytes(r->pool) >= (r->sort_at != 0 ? r->sort_at : POOL_MEMORY_MAX)) {
        enum err e = sort(r);
        if (e != ERR_OK)
            return e;
        r->sort_at = sort_next_at(pool_bytes(r->pool));
    }
    enum err e = pool_tx_new(&t, envelope, NULL);
    if (e != ERR_OK)
        return e == ERR_NOMEM ? e : ERR_OK;
    if (pool_bytes(r->pool) + pool_tx_bytes(t) > READMIT_BYTES_MAX) {
        r->forgotten++;
        pool_tx_free(t);
        return ERR_OK;
    }
    t->tx.sender = *sender;
    t->tx.has_sender = true;
    t->added_ms = r->now_ms;
    t->record_seq = seq;
    if (!t->tx.is_create)
        t->universe = universe_of(chain_world(r->ledger->chain), &t->tx.to);
    pool_readmit(r->pool, t);
    return ERR_OK;
}

enum err readmit_end(struct readmission *r) {
    return sort(r);
}
