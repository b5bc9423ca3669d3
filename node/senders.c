/* SPDX-License-Identifier: Apache-2.0 */
#include "node/senders.h"

#include "base/check.h"
#include "base/secp.h"

struct batch {
    struct pool_tx **txs;
    size_t count;
};

static void recover_chunk(void *ctx, size_t i) {
    const struct batch *b = ctx;
    size_t left = b->count - i * SENDERS_CHUNK, n = left < SENDERS_CHUNK ? left : SENDERS_CHUNK;
    struct pool_tx **txs = b->txs + i * SENDERS_CHUNK;
    hash32 digests[SENDERS_CHUNK] = {0};
    struct secp_sig sigs[SENDERS_CHUNK] = {0};
    addr20 senders[SENDERS_CHUNK];
    bool ok[SENDERS_CHUNK];
    for (size_t k = 0; k < n; k++) {
        digests[k] = txs[k]->tx.sighash;
        sigs[k] = txs[k]->tx.sig;
    }
    secp_recover_batch(senders, ok, digests, sigs, n);
    for (size_t k = 0; k < n; k++) {
        txs[k]->tx.sender = senders[k];
        txs[k]->tx.has_sender = ok[k];
    }
}

size_t senders_batch(const struct crew *c) {
    return SENDERS_CHUNK * crew_hands(c);
}

void senders_recover(struct crew *c, struct pool_tx **txs, size_t n) {
    struct batch b = {txs, n};
    crew_run(c, recover_chunk, &b, (n + SENDERS_CHUNK - 1) / SENDERS_CHUNK);
}
