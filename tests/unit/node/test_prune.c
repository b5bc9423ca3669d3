/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: history goes by time, in steps, never what is not final, and what was the newest block at
 * any moment of the window stays readable. */
#include "node/prune.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>

enum { BLOCKS = 40, FIRST_TIME = 1700000000 /* of block 1: node_chain_block's, a second apart */ };

static void make(struct node_chain *c, uint64_t window_s) {
    struct err_ctx ec = {.text = ""};
    node_chain_init(c);
    c->ledger.window_s = window_s;
    for (uint64_t n = 0; n < BLOCKS; n++) {
        struct tx *tx = node_chain_transfer(c, 0, 1, n, 10);
        node_chain_block(c, &tx, 1);
    }
    cr_assert_eq(ledger_checkpoint(&c->ledger, UINT64_MAX, &ec), ERR_OK);
}

static bool readable(struct node_chain *c, uint64_t block) {
    struct store_view *v;
    enum err e = store_view_open(&v, c->ledger.store, block);
    if (e != ERR_OK) {
        cr_assert_eq(e, ERR_PRUNED);
        return false;
    }
    store_view_close(v);
    return true;
}

static void prune_all(struct node_chain *c, uint64_t now_s) {
    for (int i = 0; prune_step(&c->ledger, now_s); i++)
        cr_assert_lt(i, 1000);
}

/* Block n + 1 has time FIRST_TIME + n. */
static uint64_t time_of_block(uint64_t block) {
    return FIRST_TIME + block - 1;
}

Test(prune, windows) {
    struct node_chain c;
    make(&c, 10);
    const struct {
        uint64_t now, window, kept;
    } cases[] = {
        {time_of_block(BLOCKS), 10, BLOCKS - 11}, /* newest until the window's first second */
        {time_of_block(BLOCKS) + 5, 10, BLOCKS - 6},
        {time_of_block(BLOCKS) + 10, 10, BLOCKS - 1},
        {time_of_block(BLOCKS) + 11, 10, BLOCKS},
        {time_of_block(BLOCKS) + 999999, 10, BLOCKS}, /* an idle chain keeps its head */
        {time_of_block(5), 10, 0},
        {5, 10, 0}, /* a clock before its time */
        {time_of_block(BLOCKS), 0, BLOCKS - 1},
    };
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, c.ledger.store, BLOCKS), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(prune_first_kept(v, BLOCKS, cases[i].now, cases[i].window), cases[i].kept,
                     "case %zu", i);
    store_view_close(v);
    node_chain_clear(&c);
}

Test(prune, drops_what_is_older) {
    struct node_chain c;
    make(&c, 10);
    struct err_ctx ec = {.text = ""};
    prune_all(&c, time_of_block(BLOCKS));
    cr_expect_eq(store_first_block(c.ledger.store), BLOCKS - 11);
    cr_expect(readable(&c, BLOCKS - 11));
    cr_expect_not(readable(&c, BLOCKS - 12));
    prune_all(&c, time_of_block(BLOCKS) - 20); /* the clock jumps back: nothing changes */
    cr_expect_eq(store_first_block(c.ledger.store), BLOCKS - 11);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_expect_not(readable(&c, BLOCKS - 12));
    cr_expect(readable(&c, BLOCKS - 11));
    node_chain_clear(&c);
}

Test(prune, an_archive_keeps_all) {
    struct node_chain c;
    make(&c, PRUNE_NOTHING);
    cr_expect_not(prune_step(&c.ledger, time_of_block(BLOCKS) + 100000));
    cr_expect(readable(&c, 0));
    node_chain_clear(&c);
}

/* Undo data of what the parent may still change stays, however old it is. */
Test(prune, what_is_not_final_stays) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    make(&c, 10);
    atomic_store(&c.ledger.final_block, 0); /* as with a parent, before any batch */
    prune_all(&c, time_of_block(BLOCKS) + 1000);
    cr_expect(readable(&c, 0));
    ledger_set_final(&c.ledger, 7);
    ledger_set_final(&c.ledger, 3); /* never falls */
    cr_expect_eq(ledger_final(&c.ledger), 7);
    prune_all(&c, time_of_block(BLOCKS) + 1000);
    cr_expect_eq(store_first_block(c.ledger.store), 7);
    struct store_applied at = store_applied(c.ledger.store);
    at.block = 7;
    cr_expect_eq(store_unwind(c.ledger.store, 7, &at, &ec), ERR_OK, "%s", ec.text);
    node_chain_clear(&c);
}

/* What is only in memory waits for the checkpoint. */
Test(prune, no_further_than_the_checkpoint) {
    struct node_chain c;
    struct err_ctx ec = {.text = ""};
    make(&c, 10);
    for (uint64_t n = BLOCKS; n < 2 * BLOCKS; n++) {
        struct tx *tx = node_chain_transfer(&c, 0, 1, n, 10);
        node_chain_block(&c, &tx, 1);
    }
    prune_all(&c, time_of_block(2 * BLOCKS));
    cr_expect_eq(store_first_block(c.ledger.store), BLOCKS);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    prune_all(&c, time_of_block(2 * BLOCKS));
    cr_expect_eq(store_first_block(c.ledger.store), 2 * BLOCKS - 11);
    node_chain_clear(&c);
}

Test(prune, modes) {
    uint64_t s = 0;
    cr_expect(prune_mode(&s, "minimal") == ERR_OK && s == 600);
    cr_expect(prune_mode(&s, "full") == ERR_OK && s == 604800);
    cr_expect(prune_mode(&s, "archive") == ERR_OK && s == PRUNE_NOTHING);
    cr_expect_eq(prune_mode(&s, "light"), ERR_CONFIG);
}
