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
    metric_set(&node_pool_ready, (int64_t)p->ready_count);
    metric_set(&node_pool_queued, (int64_t)p->gapped_count);
    metric_set(&node_pool_queued_bytes, (int64_t)p->gapped_bytes);
    pthread_mutex_unlock(&p->lock);
}

void node_metrics_print(void *sequencer, struct buf *out) {
    struct sequencer *s = sequencer;
    struct ledger *l = s->o.ledger;
    state_metrics_update(l->store, l->log, l->receipts);
    update_pool(s->o.pool);
    metric_set(&node_ingress, (int64_t)ring_len(&s->ingress));
    metric_set(&node_blocks_unsynced, (int64_t)atomic_load(&s->unsynced));
    metric_print(out);
}
