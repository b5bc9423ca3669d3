/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak.h"
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>

TestSuite(store_block, .init = fixture_store_setup, .fini = fixture_store_teardown, .timeout = 60);

static bool text_is(const char *a, const char *b) {
    return a != NULL && strcmp(a, b) == 0;
}

/* Goal: rows of a block appear with it, not before; the last put of a key counts. */
Test(store_block, rows_come_with_their_block) {
    struct store *s = fixture_store_open(false);
    fixture_block_begin(s);
    fixture_put(s, "a", "1");
    fixture_block_end(s);
    fixture_block_begin(s);
    fixture_put(s, "a", "2");
    fixture_put(s, "a", "3");
    fixture_put(s, "b", "x");
    cr_assert(text_is(fixture_get_at(s, 0, "a"), "1"));
    struct store_view *own;
    cr_assert_eq(store_view_open(&own, s, UINT64_MAX), ERR_OK);
    cr_assert(text_is(fixture_get(own, "a"), "3")); /* the writer sees its open block */
    struct store_applied at = {.seq = 2, .block = 1};
    store_block_commit(s, &at);
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, s, 1), ERR_NOT_FOUND); /* not durable yet */
    store_set_durable(s, 1);
    cr_assert(text_is(fixture_get_at(s, 1, "a"), "3"));
    cr_assert(text_is(fixture_get_at(s, 0, "a"), "1"));
    cr_assert_null(fixture_get_at(s, 0, "b"));
    store_view_close(own);
    store_close(s);
}

static bool has(struct store *s, enum table_id table, const char *key) {
    struct store_view *v;
    bytes value;
    cr_assert_eq(store_view_open(&v, s, UINT64_MAX), ERR_OK);
    bool found = store_get(v, table, bytes_of(key, strlen(key)), &value);
    store_view_close(v);
    return found;
}

/* Goal: a row that is put as a new one goes with its block like any other, from memory and from
 * LMDB, and may be put again; twice in a block is once. */
Test(store_block, new_rows_go_with_their_block) {
    for (int checkpointed = 0; checkpointed < 2; checkpointed++) {
        struct store *s = fixture_store_open(false);
        struct store_applied at = {.seq = 9, .block = 0};
        if (checkpointed == 0) {
            fixture_block_begin(s);
            fixture_block_end(s);
        }
        for (int round = 0; round < 2; round++) {
            fixture_block_begin(s);
            store_put_new(s, TABLE_TXL, bytes_of("k", 1), bytes_of("v", 1));
            store_put_new(s, TABLE_TXL, bytes_of("k", 1), bytes_of("v", 1));
            fixture_block_end(s);
            cr_assert(has(s, TABLE_TXL, "k"));
            if (checkpointed)
                cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
            cr_assert_eq(store_unwind(s, 0, &at, NULL), ERR_OK);
            cr_assert(!has(s, TABLE_TXL, "k"));
        }
        cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
        store_close(s);
    }
}

/* Goal: what changes nothing leaves no row, neither the same value nor there and back. */
Test(store_block, no_change_leaves_no_undo) {
    struct store *s = fixture_store_open(false);
    fixture_block_begin(s);
    fixture_put(s, "a", "1");
    fixture_block_end(s);
    fixture_block_begin(s);
    fixture_block_end(s);
    hash32 none = fixture_digest(s, 1, TABLE_UNDO);
    fixture_block_begin(s);
    fixture_put(s, "a", "1");
    fixture_put(s, "a", "2");
    fixture_put(s, "a", "1");
    fixture_put(s, "b", "new");
    fixture_put(s, "b", NULL);
    fixture_put(s, "c", NULL);
    fixture_put(s, "a", NULL);
    fixture_put(s, "a", "1");
    fixture_block_end(s);
    hash32 after = fixture_digest(s, 2, TABLE_UNDO);
    cr_assert(hash32_eq(&none, &after));
    cr_assert(text_is(fixture_get_at(s, 2, "a"), "1"));
    cr_assert_null(fixture_get_at(s, 2, "b"));
    /* And a change that does not come back has its row before the block, once. */
    fixture_block_begin(s);
    fixture_put(s, "a", "2");
    fixture_put(s, "a", "3");
    fixture_block_end(s);
    struct store_view *v;
    bytes row;
    uint8_t key[10] = {0};
    be64_store(key, 3);
    key[8] = TABLE_TXL;
    key[9] = 'a';
    cr_assert_eq(store_view_open(&v, s, 3), ERR_OK);
    cr_assert(store_get(v, TABLE_UNDO, bytes_of(key, 10), &row));
    cr_assert(row.len == 2 && row.ptr[0] == 1 && row.ptr[1] == '1');
    store_view_close(v);
    store_close(s);
}

static struct world_account_change contract(uint8_t id, uint64_t store_id,
                                            struct world_slot_change *slots, size_t count) {
    struct world_account_change c = {.exists = true, .slots = slots, .slot_count = count};
    memset(c.addr_hash.b, id, 32);
    c.after = (struct account){.nonce = 1,
                               .code_hash = KECCAK_EMPTY,
                               .storage_root = KECCAK_EMPTY_TRIE,
                               .store_id = store_id};
    return c;
}

static void put_contract(struct store *s, struct world_slot_change *slots, size_t count) {
    for (size_t i = 0; i < count; i++) {
        memset(&slots[i], 0, sizeof slots[i]);
        slots[i].slot_hash.b[0] = (uint8_t)i;
        slots[i].new_value = u256_from_u64(i + 1);
    }
    struct world_account_change c = contract(1, 77, slots, count);
    struct world_diff d = {&c, 1};
    fixture_block_begin(s);
    store_put_diff(s, &d);
    fixture_block_end(s);
}

static void destroy_contract(struct store *s) {
    struct world_account_change c = contract(1, 77, NULL, 0);
    c.before = c.after;
    c.existed = true;
    c.exists = false;
    struct world_diff d = {&c, 1};
    fixture_block_begin(s);
    store_put_diff(s, &d);
    fixture_block_end(s);
}

/* Goal: wiped storage goes in the same block, slot by slot with its change sets, wherever the slots
 * lie. */
Test(store_block, wipe) {
    enum { SLOTS = 40 };
    static struct world_slot_change slots[SLOTS];
    struct store *s = fixture_store_open(true);
    fixture_block_begin(s);
    fixture_block_end(s);
    put_contract(s, slots, SLOTS);
    hash32 before = fixture_digest(s, 1, TABLE_STOR), empty = fixture_digest(s, 0, TABLE_STOR);
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK); /* the slots in LMDB, the wipe in the delta */
    destroy_contract(s);
    hash32 after = fixture_digest(s, 2, TABLE_STOR), still = fixture_digest(s, 1, TABLE_STOR);
    cr_assert(hash32_eq(&after, &empty));
    cr_assert(hash32_eq(&still, &before));
    cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    still = fixture_digest(s, 1, TABLE_STOR);
    cr_assert(hash32_eq(&still, &before)); /* through the change sets now */
    struct store_stats st;
    cr_assert_eq(store_stat(s, &st), ERR_OK);
    cr_assert_eq(st.rows[TABLE_STOR], 0);
    cr_assert_eq(st.rows[TABLE_CSS], 2 * SLOTS);
    cr_assert_eq(st.rows[TABLE_CSA], 2);
    cr_assert_eq(st.rows[TABLE_HIA] + st.rows[TABLE_HIS] + st.history_waiting, 2 * SLOTS + 2);
    store_close(s);
}

/* Goal: on this chain a wipe of storage cannot happen, and is a bug. */
Test(store_block, wipe_is_checked, .signal = SIGABRT) {
    static struct world_slot_change slots[3];
    struct store *s = fixture_store_open(false);
    fixture_store_teardown(); /* no time for it after an abort; open files stay */
    fixture_block_begin(s);
    fixture_block_end(s);
    put_contract(s, slots, 3);
    destroy_contract(s);
}

Test(store_block, blocks_come_in_order, .signal = SIGABRT) {
    struct store *s = fixture_store_open(false);
    fixture_store_teardown(); /* no time for it after an abort; open files stay */
    store_block_begin(s, 1);
}

Test(store_block, range_rows_are_of_their_block, .signal = SIGABRT) {
    struct store *s = fixture_store_open(false);
    fixture_store_teardown(); /* no time for it after an abort; open files stay */
    uint8_t key[8];
    be64_store(key, 1);
    store_block_begin(s, 0);
    store_put(s, TABLE_HDR, bytes_of(key, 8), bytes_of("x", 1));
}

Test(store_block, state_rows_come_from_diffs, .signal = SIGABRT) {
    struct store *s = fixture_store_open(false);
    fixture_store_teardown(); /* no time for it after an abort; open files stay */
    store_block_begin(s, 0);
    fixture_put(s, "fine", "1");
    store_put(s, TABLE_ACCT, bytes_of("0123456789abcdef0123456789abcdef", 32), bytes_of("x", 1));
}

Test(store_block, values_have_a_limit, .signal = SIGABRT) {
    static uint8_t big[STORE_VALUE_MAX_BYTES + 1];
    struct store *s = fixture_store_open(false);
    fixture_store_teardown(); /* no time for it after an abort; open files stay */
    store_block_begin(s, 0);
    store_put(s, TABLE_TXL, bytes_of("k", 1), bytes_of(big, STORE_VALUE_MAX_BYTES));
    store_put(s, TABLE_TXL, bytes_of("k", 1), bytes_of(big, sizeof big));
}
