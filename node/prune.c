/* SPDX-License-Identifier: Apache-2.0 */
#include "node/prune.h"

#include "index/index.h"
#include "node/metrics.h"
#include "node/segments.h"

enum err prune_mode(uint64_t *out_seconds, const char *mode) {
    static const struct {
        const char *name;
        uint64_t seconds;
    } modes[] = {{"archive", PRUNE_NOTHING},
                 {"full", PRUNE_FULL_SECONDS},
                 {"minimal", PRUNE_MINIMAL_SECONDS}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(mode, modes[i].name) == 0) {
            *out_seconds = modes[i].seconds;
            return ERR_OK;
        }
    return ERR_CONFIG;
}

/* Time of a block; of one that cannot be read the latest, so that nothing is dropped by mistake. */
static uint64_t time_of(struct store_view *v, uint64_t number) {
    struct index_head h;
    return index_head(&h, v, number) == ERR_OK ? h.header.timestamp : UINT64_MAX;
}

uint64_t prune_first_kept(struct store_view *v, uint64_t head, uint64_t now_s, uint64_t window_s) {
    if (window_s >= now_s)
        return 0;
    uint64_t begin = now_s - window_s;
    /* Times never fall from block to block. Blocks below `low` are before the window, those from
     * `high` on are not. */
    uint64_t low = 0, high = head + 1;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        if (time_of(v, mid) < begin)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? low - 1 : 0;
}

/* History of states below `keep`. */
static bool prune_states(struct ledger *l, uint64_t keep) {
    if (keep <= store_first_block(l->store) && !l->prune_again)
        return false;
    l->prune_again = store_prune(l->store, keep, PRUNE_STEP_ROWS);
    metric_add(&node_prune_steps, 1);
    metric_set(&node_prune_first_block, (int64_t)store_first_block(l->store));
    return l->prune_again;
}

bool prune_step(struct ledger *l, uint64_t now_s) {
    struct store_view *v;
    uint64_t applied = store_applied(l->store).block;
    if (l->window_s == PRUNE_NOTHING || applied == STORE_NO_BLOCK ||
        store_view_open(&v, l->store, store_durable(l->store)) != ERR_OK)
        return false;
    uint64_t keep = prune_first_kept(v, store_view_block(v), now_s, l->window_s);
    store_view_close(v);
    uint64_t final_block = ledger_final(l);
    keep = keep > final_block ? final_block : keep;
    keep = keep > applied ? applied : keep; /* the rest is in memory and goes to LMDB first */
    bool more = prune_states(l, keep);
    uint64_t first = store_first_block(l->store);
    return segments_step(l, keep < first ? keep : first) || more;
}
