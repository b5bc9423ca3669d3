/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/slot_digests.h"

#include "base/keccak.h"

/* Never 0. */
static uint64_t tag_of(const uint64_t w[SLOT_DIGEST_INPUT / 8]) {
    uint64_t h = 0;
    for (unsigned i = 0; i < SLOT_DIGEST_INPUT / 8; i++)
        h = (h ^ w[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 32);
    return h | 1;
}

const hash32 *slot_digest(struct slot_digests *s, const uint8_t *input) {
    uint64_t w[SLOT_DIGEST_INPUT / 8];
    memcpy(w, input, sizeof w);
    uint64_t tag = tag_of(w);
    struct slot_digest *d = &s->at[(tag >> 32) % SLOT_DIGESTS];
    if (d->tag != tag || memcmp(d->input, w, sizeof w) != 0) {
        keccak256(&d->digest, input, SLOT_DIGEST_INPUT);
        memcpy(d->input, w, sizeof w);
        d->tag = tag;
    }
    return &d->digest;
}
