/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every block that somebody wants comes once, in order, with what is wanted of it; none is
 * read while nobody wants any.
 * Covers: feed.c */
#include "rpc/feed.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <event2/event.h>

enum { BLOCKS = 30 };

struct got {
    struct event_base *base;
    uint64_t next; /* block that is due */
    uint64_t last; /* ends the loop */
    size_t pending;
    bool full; /* logs and receipts are wanted */
};

static void on_item(void *ctx, const struct rpc_feed_item *m) {
    struct got *g = ctx;
    cr_assert(!m->failed);
    if (!m->is_block) {
        g->pending += m->pending_count;
        cr_expect_eq(m->pending[0].hash->len, 68, "a hash in quotes");
        event_base_loopbreak(g->base);
        return;
    }
    cr_assert_eq(m->block, g->next++);
    cr_assert_not_null(m->head);
    cr_expect_eq(m->head->json[0], '{');
    cr_expect_eq(m->receipts != NULL, g->full);
    cr_expect_eq(m->log_count, g->full ? 1 : 0);
    cr_expect_eq(m->receipt_count, g->full ? 1 : 0);
    for (size_t i = 0; i < m->receipt_count; i++) {
        const struct rpc_feed_receipt *r = &m->receipt_spans[i];
        cr_expect_eq(m->receipts->json[r->at], '{');
        cr_expect_eq(m->receipts->json[r->at + r->len - 1], '}');
    }
    if (m->block == g->last)
        event_base_loopbreak(g->base);
}

/* Blocks with one transaction that leaves one log. */
static void add_blocks(struct served *s, const addr20 *logger, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct derived_tx t = served_send(s, 0, logger, "");
        cr_assert(t.receipt.success);
    }
}

Test(feed, blocks_in_order_with_what_is_wanted) {
    static struct served s;
    struct err_ctx ec;
    struct rpc_pending pending;
    served_open(&s);
    addr20 logger = served_deploy(&s, "60006000a000");
    struct got g = {.base = event_base_new()};
    cr_assert(rpc_pending_init(&pending));
    struct rpc_feed *f = rpc_feed_new(&s.cx, g.base, &pending, on_item, &g, &ec);
    cr_assert_not_null(f);

    uint64_t head = store_durable(s.store);
    rpc_feed_durable(f, head); /* nobody wants it */
    g.full = true;
    cr_assert_eq(rpc_feed_want(f, RPC_FEED_LOGS, true), head);
    cr_assert_eq(rpc_feed_want(f, RPC_FEED_RECEIPTS, true), head);
    g.next = head + 1;
    add_blocks(&s, &logger, BLOCKS);
    g.last = store_durable(s.store);
    cr_assert_eq(g.last, head + BLOCKS);
    for (uint64_t n = g.next; n <= g.last; n++)
        rpc_feed_durable(f, n);
    event_base_dispatch(g.base);
    cr_expect_eq(g.next, g.last + 1);

    /* A gap in the wanting is a gap in what comes; heads alone come without the rest. */
    rpc_feed_want(f, RPC_FEED_LOGS, false);
    rpc_feed_want(f, RPC_FEED_RECEIPTS, false);
    g.full = false;
    add_blocks(&s, &logger, 1);
    rpc_feed_durable(f, store_durable(s.store));
    g.next = rpc_feed_want(f, RPC_FEED_HEADS, true) + 1;
    add_blocks(&s, &logger, 2);
    g.last = store_durable(s.store);
    cr_assert_eq(g.next, g.last - 1);
    rpc_feed_durable(f, g.last);
    event_base_dispatch(g.base);
    cr_expect_eq(g.next, g.last + 1);

    /* Pending transactions from the want on. */
    hash32 h = {{1}};
    rpc_pending_add(&pending, &h);
    rpc_feed_want(f, RPC_FEED_PENDING, true);
    rpc_pending_add(&pending, &h);
    rpc_feed_pending(f);
    event_base_dispatch(g.base);
    cr_expect_eq(g.pending, 1);

    rpc_feed_free(f);
    rpc_pending_clear(&pending);
    event_base_free(g.base);
    served_close(&s);
}
