/* SPDX-License-Identifier: Apache-2.0 */
#include "node/headroom.h"

#include "base/log.h"
#include "index/index.h"
#include "node/metrics.h"

#include <stdatomic.h>

static atomic_uint permille = HEADROOM_FULL;

unsigned headroom_permille(void) {
    return atomic_load_explicit(&permille, memory_order_relaxed);
}

unsigned headroom_left(uint64_t bound, uint64_t age) {
    if (age >= bound)
        return 0;
    return (unsigned)((double)(bound - age) * HEADROOM_FULL / (double)bound);
}

static uint64_t age_of(uint64_t now, uint64_t then) {
    return now > then ? now - then : 0;
}

static unsigned lower(unsigned a, unsigned b) {
    return a < b ? a : b;
}

static void tell(unsigned now, unsigned before) {
    metric_set(&node_headroom, now);
    if (now < HEADROOM_STALLED && before >= HEADROOM_STALLED)
        log_error("poster", "settlement stalled: no transactions are admitted",
                  log_u64("headroom_permille", now));
    else if (now < HEADROOM_LOW && before >= HEADROOM_LOW)
        log_error("poster", "headroom is low: batches or delayed messages are overdue",
                  log_u64("headroom_permille", now));
    else if (now >= HEADROOM_LOW && before < HEADROOM_LOW)
        log_info("poster", "headroom is back", log_u64("headroom_permille", now));
}

void headroom_measure(const struct batch_time_bounds *b, struct mirror *m, struct store_view *v,
                      const struct batch_row *last) {
    struct mirror_heads h;
    struct index_head oldest;
    struct mirror_delayed d;
    unsigned left = HEADROOM_FULL;
    if (!mirror_heads(m, &h))
        return;
    uint64_t now_s = clock_realtime_ms(clock_posix()) / 1000;
    uint64_t since_s = age_of(now_s, h.seen_ms / 1000), parent_s = h.latest.timestamp + since_s;
    if (last->last_block < store_view_block(v) &&
        index_head(&oldest, v, last->last_block + 1) == ERR_OK) {
        uint64_t l1 = l3_header_info_get(&oldest.header).l1_block_number;
        left =
            lower(left, headroom_left(b->delay_seconds, age_of(parent_s, oldest.header.timestamp)));
        left = lower(left, headroom_left(b->delay_blocks, age_of(h.latest.l1_block, l1)));
    }
    if (mirror_delayed_at(m, NULL, last->delayed_read, &d) == ERR_OK)
        left = lower(left,
                     headroom_left(b->delay_blocks, age_of(h.latest.l1_block, d.message.l1_block)));
    tell(left, atomic_exchange(&permille, left));
}
