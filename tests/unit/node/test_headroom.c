/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: headroom is the least that is left of any bound: of the oldest block that is not posted, in
 * seconds and blocks, and of the oldest delayed message that no batch has read. */
#include "node/headroom.h"

#include "base/clock.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>

Test(headroom, what_is_left_of_a_bound) {
    cr_expect_eq(headroom_left(100, 0), 1000);
    cr_expect_eq(headroom_left(100, 75), 250);
    cr_expect_eq(headroom_left(100, 99), 10);
    cr_expect_eq(headroom_left(100, 100), 0);
    cr_expect_eq(headroom_left(100, UINT64_MAX), 0);
    cr_expect_eq(headroom_left(0, 0), 0);
}

struct world {
    struct node_chain c;
    struct mirror m;
    struct store_view *v;
};

static void begin(struct world *w, uint64_t l1_block) {
    struct mirror_point at = {0};
    uint64_t now_ms = clock_realtime_ms(clock_posix());
    struct mirror_heads h = {
        .latest = {.number = 1, .timestamp = now_ms / 1000, .l1_block = l1_block},
        .seen_ms = now_ms};
    node_chain_init(&w->c);
    cr_assert_eq(mirror_init(&w->m, NULL), ERR_OK);
    mirror_restart(&w->m, &at);
    mirror_set_heads(&w->m, &h);
}

static void look(struct world *w, const struct batch_time_bounds *b, uint64_t posted,
                 uint64_t delayed_read) {
    struct batch_row last = {.last_block = posted, .delayed_read = delayed_read};
    cr_assert_eq(store_view_open(&w->v, w->c.ledger.store, store_durable(w->c.ledger.store)),
                 ERR_OK);
    headroom_measure(b, &w->m, w->v, &last);
    store_view_close(w->v);
}

static void end(struct world *w) {
    mirror_clear(&w->m);
    node_chain_clear(&w->c);
}

Test(headroom, of_blocks_and_delayed_messages) {
    static struct world w;
    struct batch_time_bounds b = {.delay_blocks = 100,
                                  .delay_seconds = UINT64_C(1) << 40}; /* stamps are old */
    begin(&w, 0);
    struct tx *tx = node_chain_transfer(&w.c, 0, 1, 0, 10);
    node_chain_block(&w.c, &tx, 1);
    uint64_t l1 = l3_header_info_get(&w.c.ledger.head).l1_block_number;
    struct mirror_heads h;
    cr_assert(mirror_heads(&w.m, &h));
    h.latest.l1_block = l1 + 40;
    h.latest.hash.b[0] = 1;
    mirror_set_heads(&w.m, &h);

    cr_expect_eq(headroom_permille(), HEADROOM_FULL, "before any look");
    look(&w, &b, 1, 0);
    cr_expect_eq(headroom_permille(), HEADROOM_FULL, "all is posted");
    look(&w, &b, 0, 0);
    cr_expect_eq(headroom_permille(), 600, "40 of 100 blocks are gone");

    struct mirror_delayed d = {.parent_block = 1};
    d.message.delayed_read = 1;
    d.message.l1_block = l1 - 55;
    cr_assert_eq(mirror_add_delayed(&w.m, &d), ERR_OK);
    look(&w, &b, 0, 0);
    cr_expect_eq(headroom_permille(), 50, "95 of 100 since the delayed message");
    look(&w, &b, 0, 1);
    cr_expect_eq(headroom_permille(), 600, "a batch has read it");
    end(&w);
}
