/* SPDX-License-Identifier: Apache-2.0 */
#include "node/differences.h"

#include "base/check.h"
#include "base/hex.h"
#include "chain/system_state.h"

#include <stdio.h>

_Static_assert(DIFFERENCES <= 32, "a bit each");

const char *difference_name(size_t d) {
    static const char *const names[] = {
#define HEADER_FIELD(id, name, same) name,
#define RECEIPT_FIELD(id, name, same) name,
#include "node/differences.def"
#undef HEADER_FIELD
#undef RECEIPT_FIELD
    };
    CHECK(d < ARRAY_LEN(names));
    return names[d];
}

static difference_set bit(enum difference d) {
    return (difference_set)1 << d;
}

difference_set differences_of_headers(const struct header *a, const struct header *b) {
    difference_set set = 0;
#define HEADER_FIELD(id, name, same) set |= (same) ? 0 : bit(DIFFERENCE_##id);
#define RECEIPT_FIELD(id, name, same)
#include "node/differences.def"
#undef HEADER_FIELD
#undef RECEIPT_FIELD
    return set;
}

static addr20 payer_of(const struct tx *tx, const struct receipt *r) {
    return r->sponsored ? system_address(SYSTEM_REGISTRY) : tx->sender;
}

static bool payer_is(const struct tx *tx, const struct receipt *r, const addr20 *payer) {
    addr20 own = payer_of(tx, r);
    return addr20_eq(&own, payer);
}

static difference_set of_receipt(const struct tx *tx, const struct receipt *r,
                                 const struct peer_receipt *p) {
    difference_set set = 0;
#define HEADER_FIELD(id, name, same)
#define RECEIPT_FIELD(id, name, same) set |= (same) ? 0 : bit(DIFFERENCE_##id);
#include "node/differences.def"
#undef HEADER_FIELD
#undef RECEIPT_FIELD
    return set;
}

difference_set differences_of_receipts(size_t *out_idx, const struct index_block *ours,
                                       const struct peer_receipt *theirs, size_t count) {
    size_t common = ours->tx_count < count ? ours->tx_count : count;
    for (size_t i = 0; i < common; i++) {
        difference_set set = of_receipt(&ours->txs[i], &ours->receipts[i], &theirs[i]);
        *out_idx = i;
        if (set != 0)
            return set;
    }
    *out_idx = common;
    return ours->tx_count == count ? 0 : bit(DIFFERENCE_TX_COUNT);
}

/* --- in words -------------------------------------------------------------------------------- */
void differences_text(char *out, size_t cap, difference_set set) {
    size_t len = 0;
    out[0] = '\0';
    for (size_t d = 0; d < DIFFERENCES && len < cap; d++)
        if ((set >> d & 1) != 0)
            len += (size_t)snprintf(out + len, cap - len, "%s%s", len == 0 ? "" : ", ",
                                    difference_name(d));
}

static void addr_text(char out[43], const addr20 *a) {
    out[0] = '0', out[1] = 'x';
    hex_encode(out + 2, a->b, 20);
    out[42] = '\0';
}

void differences_tx_text(char *out, size_t cap, difference_set set, size_t idx,
                         const struct index_block *ours, const struct peer_receipt *theirs) {
    char names[160], values[112] = "", here[43], there[43];
    size_t skip = strlen("transactions.");
    enum difference first = DIFFERENCE_TX_COUNT;
    if ((set & bit(DIFFERENCE_TX_COUNT)) != 0) {
        snprintf(out, cap, "transaction %zu in being there", idx);
        return;
    }
    while (first < DIFFERENCE_TX_GAS_PAYER && (set >> first & 1) == 0)
        first++;
    /* Of another transaction everything is another. */
    if (first == DIFFERENCE_TX_HASH)
        set = bit(DIFFERENCE_TX_HASH) | (set & bit(DIFFERENCE_TX_TYPE));
    if ((set & bit(DIFFERENCE_TX_GAS_PAYER)) != 0) {
        addr20 own = payer_of(&ours->txs[idx], &ours->receipts[idx]);
        addr_text(here, &own);
        addr_text(there, &theirs[idx].gas_payer);
        snprintf(values, sizeof(values), " (%s here, %s there)", here, there);
    } else if ((set & bit(DIFFERENCE_TX_TYPE)) != 0)
        snprintf(values, sizeof(values), " (0x%x here, 0x%llx there)",
                 (unsigned)ours->txs[idx].type, (unsigned long long)theirs[idx].type);
    size_t len = 0;
    names[0] = '\0';
    for (size_t d = first; d < DIFFERENCES && len < sizeof(names); d++)
        if ((set >> d & 1) != 0)
            len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", len == 0 ? "" : ", ",
                                    difference_name(d) + skip);
    snprintf(out, cap, "transaction %zu in %s%s", idx, names, values);
}
