/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: rows of batches are found by number, block and parent block, in RAM and in the store, after
 * a cut too, and come back as the store's last block has them. */
#include "node/batches.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>

static struct batch_row row(uint64_t index) {
    struct batch_row r = {.parent_block = 100 + 10 * index,
                          .l1_block = 50 + index,
                          .delayed_read = index + 1,
                          .delayed_block = 90 + 10 * index,
                          .last_block = 5 * index,
                          .length = 1000 + index,
                          .nonzeros = 900};
    r.acc.b[0] = (uint8_t)index;
    r.delayed_acc.b[1] = (uint8_t)index;
    r.data_hash.b[2] = (uint8_t)index;
    return r;
}

static void one_block(struct node_chain *c, uint64_t nonce) {
    struct tx *tx = node_chain_transfer(c, 0, 1, nonce, 10);
    node_chain_block(c, &tx, 1);
}

static void expect_look_ups(struct batches *b) {
    struct batch_row r;
    uint64_t index;
    cr_assert_eq(batches_count(b), 8);
    cr_assert(batches_at(b, 3, &r));
    struct batch_row want = row(3);
    cr_expect_eq(memcmp(&r, &want, sizeof(r)), 0);
    cr_expect_not(batches_at(b, 8, &r));
    cr_assert(batches_find(b, 0, &index, &r));
    cr_expect_eq(index, 0);
    cr_assert(batches_find(b, 11, &index, &r));
    cr_expect_eq(index, 3, "blocks 11 to 15");
    cr_assert(batches_find(b, 35, &index, &r));
    cr_expect_eq(index, 7);
    cr_expect_not(batches_find(b, 36, &index, &r), "in no batch yet");
    cr_expect_eq(batches_up_to(b, 99), 0);
    cr_expect_eq(batches_up_to(b, 100), 1);
    cr_expect_eq(batches_up_to(b, 169), 7);
    cr_expect_eq(batches_up_to(b, UINT64_MAX), 8);
}

Test(batches, are_found_in_memory_and_after_a_restart) {
    struct node_chain c;
    struct batches b;
    struct err_ctx ec = {.text = ""};
    node_chain_init(&c);
    cr_assert_eq(batches_open(&b, c.ledger.store, &ec), ERR_OK);
    for (uint64_t i = 0; i < 8; i++) {
        struct batch_row r = row(i);
        cr_assert_eq(batches_add(&b, &c.ledger, &r), ERR_OK);
    }
    expect_look_ups(&b);
    one_block(&c, 0);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    batches_close(&b);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(batches_open(&b, c.ledger.store, &ec), ERR_OK);
    expect_look_ups(&b);
    batches_close(&b);
    node_chain_clear(&c);
}

Test(batches, a_cut_one_is_written_over) {
    struct node_chain c;
    struct batches b;
    struct batch_row r;
    struct err_ctx ec = {.text = ""};
    node_chain_init(&c);
    cr_assert_eq(batches_open(&b, c.ledger.store, &ec), ERR_OK);
    for (uint64_t i = 0; i < 4; i++) {
        r = row(i);
        cr_assert_eq(batches_add(&b, &c.ledger, &r), ERR_OK);
    }
    batches_cut(&b, &c.ledger, 2);
    cr_expect_eq(batches_count(&b), 2);
    cr_expect_not(batches_at(&b, 2, &r));
    r = row(2);
    r.acc.b[0] = 77;
    cr_assert_eq(batches_add(&b, &c.ledger, &r), ERR_OK);
    one_block(&c, 0);
    cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, &ec), ERR_OK);
    batches_close(&b);
    cr_assert_eq(batches_open(&b, c.ledger.store, &ec), ERR_OK);
    cr_expect_eq(batches_count(&b), 3);
    cr_assert(batches_at(&b, 2, &r));
    cr_expect_eq(r.acc.b[0], 77);
    batches_cut(&b, &c.ledger, 1);
    r = row(1);
    cr_assert_eq(batches_add(&b, &c.ledger, &r), ERR_OK, "below what was in RAM");
    cr_expect(batches_at(&b, 0, &r));
    cr_expect(batches_at(&b, 1, &r));
    batches_close(&b);
    node_chain_clear(&c);
}

Test(batches, what_no_block_took_along_is_gone) {
    struct node_chain c;
    struct batches b;
    struct batch_row r = row(0);
    struct err_ctx ec = {.text = ""};
    node_chain_init(&c);
    one_block(&c, 0);
    cr_assert_eq(batches_open(&b, c.ledger.store, &ec), ERR_OK);
    cr_assert_eq(batches_add(&b, &c.ledger, &r), ERR_OK);
    batches_close(&b);
    cr_assert_eq(node_chain_reopen(&c, &ec), ERR_OK);
    cr_assert_eq(node_chain_recover(&c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(batches_open(&b, c.ledger.store, &ec), ERR_OK);
    cr_expect_eq(batches_count(&b), 0, "it is read from the parent again");
    batches_close(&b);
    node_chain_clear(&c);
}
