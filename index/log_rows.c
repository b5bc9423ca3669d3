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

/* Occurrences of one item. */
struct group {
    const struct occurrence *first;
    size_t count;
    uint8_t key[ROW_LOGA_KEY_MAX_BYTES];
    size_t key_len;
};

static size_t nth_key(uint8_t out[STORE_KEY_MAX_BYTES], const void *groups, size_t i) {
    const struct group *g = (const struct group *)groups + i;
    memcpy(out, g->key, g->key_len);
    return g->key_len;
}

static void put_row(struct store *s, const struct group *g, bytes payload) {
    const struct occurrence *all = g->first;
    uint8_t value[ROW_LOGA_PLACES_MAX * 4];
    size_t len = 0, n = g->count;
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
    store_put_new(s, TABLE_LOGA, bytes_of(g->key, g->key_len), bytes_of(value, len));
}

/* The next groups of all[at..count), at most `max`; *at moves behind them. */
static size_t take_groups(struct group *out, size_t max, const struct occurrence *all, size_t count,
                          size_t *at, uint64_t block) {
    size_t n = 0;
    for (size_t i = *at, end; i < count && n < max; *at = i = end) {
        for (end = i + 1; end < count && all[end].item.len == all[i].item.len &&
                          memcmp(all[end].item.ptr, all[i].item.ptr, all[i].item.len) == 0;
             end++)
            ;
        struct group *g = &out[n++];
        g->first = all + i;
        g->count = end - i;
        g->key_len = row_loga_key(g->key, all[i].item, block);
    }
    return n;
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
    struct group groups[STORE_EXPECT_KEYS];
    for (size_t at = 0; at < count;) {
        size_t n = take_groups(groups, STORE_EXPECT_KEYS, all, count, &at, b->header.number);
        for (size_t i = 0; i < n; i++) {
            store_expect(s, TABLE_LOGA, i, n, nth_key, groups);
            put_row(s, &groups[i], payload);
        }
    }
    free(all);
}
