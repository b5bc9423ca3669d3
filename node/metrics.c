/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics.h"

#include "base/metrics.h"
#include "bridge/metrics.h"
#include "node/sequencer_internal.h"
#include "rpc/metrics.h"
#include "state/metrics.h"

#define METRIC_DEF "node/metrics.def"
#define METRIC_TABLE node_metrics
#include "base/metric_define.inc"

void node_metrics_register(void) {
    metric_register(&node_metrics);
    metric_register(&state_metrics);
    metric_register(&rpc_metrics);
    metric_register(&bridge_metrics);
    metric_register(&base_metrics);
}

static void update_pool(struct pool *p) {
    pthread_mutex_lock(&p->lock);
    metric_set(&node_pool_ready, (int64_t)p->ready.count);
    metric_set(&node_lanes, (int64_t)p->ready.in_use);
    metric_set(&node_lane_longest, (int64_t)lanes_longest(&p->ready));
    metric_set(&node_pool_queued, (int64_t)p->gapped_count);
    metric_set(&node_pool_queued_bytes, (int64_t)p->gapped_bytes);
    pthread_mutex_unlock(&p->lock);
}

/* World, trie and code say it themselves, block by block. */
static void update_memory(struct sequencer *s) {
    struct ledger *l = s->o.ledger;
    struct store_stats st;
    struct metric_gauge *g = node_memory_bytes;
    int64_t rest = (int64_t)memory_anonymous();
    size_t rows = store_delta_bytes(l->store);
    if (store_stat(l->store, &st) == ERR_OK) {
        rows += st.spare_bytes;
        metric_set(&g[MEMORY_PAGES],
                   (int64_t)(st.checkpoint_pages_most * STORE_CHECKPOINT_PAGE_BYTES));
        metric_set(&g[MEMORY_HISTORY],
                   (int64_t)((st.history_waiting + st.lookups_waiting) * STORE_HISTORY_ROW_BYTES));
    }
    metric_set(&g[MEMORY_ROWS], (int64_t)rows);
    metric_set(&g[MEMORY_POOL], (int64_t)pool_bytes(s->o.pool));
    metric_set(&g[MEMORY_INGRESS], (int64_t)atomic_load(&s->ingress_all.bytes));
    for (size_t p = 0; p < MEMORY_REST; p++)
        rest -= metric_level(&g[p]);
    metric_set(&g[MEMORY_REST], rest > 0 ? rest : 0);
    for (size_t p = 0; p < MEMORY_PARTS; p++)
        metric_set(&node_memory_limit_bytes[p], (int64_t)l->memory.most[p]);
}

void node_metrics_print(void *sequencer, struct buf *out) {
    struct sequencer *s = sequencer;
    struct ledger *l = s->o.ledger;
    state_metrics_update(l->store, l->log, l->receipts);
    update_pool(s->o.pool);
    update_memory(s);
    metric_set(&node_ingress, (int64_t)ring_len(&s->ingress));
    metric_set(&node_blocks_unsynced, (int64_t)atomic_load(&s->unsynced));
    metric_print(out);
}
