/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of LOGA: for each address and topic in a block's logs, in which sections of the block's
 * RECEIPTS record it occurs. */
#include "base/check.h"
#include "index/record.h"
#include "index/rows.h"

#include <stdlib.h>

struct occurrence {
    bytes item;
    uint32_t tx_idx;
};

static int by_item(const void *pa, const void *pb) {
    const struct occurrence *a = pa, *b = pb;
    size_t len = a->item.len < b->item.len ? a->item.len : b->item.len;
    int order = memcmp(a->item.ptr, b->item.ptr, len);
    if (order == 0)
        order = (a->item.len > b->item.len) - (a->item.len < b->item.len);
    return order != 0 ? order : (a->tx_idx > b->tx_idx) - (a->tx_idx < b->tx_idx);
}

/* What the logs before had in the same place: the contract, or a topic of one position. */
struct run {
    bytes item;
    uint32_t tx_idx; /* of its newest occurrence */
    size_t txs;
};

/* Runs of logs of one contract with one event are the rule, and sorting is not free: what has more
 * places already than a row names is not added again. */
static void add(struct occurrence *all, size_t *count, struct run *run, bytes item,
                uint32_t tx_idx) {
    bool same =
        run->txs > 0 && run->item.len == item.len && memcmp(run->item.ptr, item.ptr, item.len) == 0;
    if (same && (run->tx_idx == tx_idx || run->txs > ROW_LOGA_PLACES_MAX))
        return;
    *run = (struct run){.item = item, .tx_idx = tx_idx, .txs = same ? run->txs + 1 : 1};
    all[(*count)++] = (struct occurrence){.item = item, .tx_idx = tx_idx};
}

static size_t collect(struct occurrence *out, const struct derived_block *b) {
    struct run runs[1 + INDEX_FILTER_TOPICS_MAX] = {0};
    size_t count = 0;
    for (size_t i = 0; i < b->tx_count; i++) {
        const struct receipt *r = &b->txs[i].receipt;
        for (size_t j = 0; j < r->log_count; j++) {
            const struct log_entry *l = &r->logs[j];
            add(out, &count, &runs[0], bytes_of(l->address.b, 20), (uint32_t)i);
            for (size_t t = 0; t < l->topic_count; t++)
                add(out, &count, &runs[1 + t], bytes_of(l->topics[t].b, 32), (uint32_t)i);
        }
    }
    return count;
}

/* The row of the item that all[0] to all[n - 1] are. */
static void put_row(struct store *s, const struct occurrence *all, size_t n, uint64_t block,
                    bytes payload) {
    uint8_t key[ROW_LOGA_KEY_MAX_BYTES], value[ROW_LOGA_PLACES_MAX * 4];
    size_t len = 0;
    for (size_t i = 0; i < n && payload.len > 0; i++) {
        if (i > 0 && all[i].tx_idx == all[i - 1].tx_idx)
            continue;
        if (len == sizeof(value)) {
            len = 0;
            break;
        }
        size_t entry = record_section_entry(all[i].tx_idx);
        CHECK(entry + 4 <= payload.len);
        memcpy(value + len, payload.ptr + entry, 4); /* big-endian there, too */
        len += 4;
    }
    size_t key_len = row_loga_key(key, all[0].item, block);
    store_put_new(s, TABLE_LOGA, bytes_of(key, key_len), bytes_of(value, len));
}

void row_put_logs(struct store *s, const struct derived_block *b, bytes payload) {
    size_t logs = 0;
    for (size_t i = 0; i < b->tx_count; i++)
        logs += b->txs[i].receipt.log_count;
    if (logs == 0)
        return;
    struct occurrence *all = calloc(logs * 5, sizeof(*all));
    CHECK(all != NULL);
    size_t count = collect(all, b);
    qsort(all, count, sizeof(*all), by_item);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && all[end].item.len == all[i].item.len &&
                          memcmp(all[end].item.ptr, all[i].item.ptr, all[i].item.len) == 0;
             end++)
            ;
        put_row(s, all + i, end - i, b->header.number, payload);
    }
    free(all);
}
