/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keccak.h"
#include "base/rlp.h"
#include "tests/lib/state/history.h"
#include "tests/lib/state/store_fixture.h"

#include <criterion/criterion.h>

TestSuite(store_state, .init = fixture_store_setup, .fini = fixture_store_teardown, .timeout = 60);

static void nibbles_of(const hash32 *h, uint8_t out[64]) {
    for (int i = 0; i < 64; i++)
        out[i] = i % 2 == 0 ? h->b[i / 2] >> 4 : h->b[i / 2] & 15;
}

/* Goal: for prefixes of every length, odd ones too, the source finds the first leaf below and no
 * other. */
Test(store_state, leaves_by_prefix) {
    struct store *s = fixture_store_open(true);
    struct history h;
    history_open(&h, s, 1 << 20, true);
    for (uint64_t b = 0; b < 12; b++) {
        history_apply(&h, b, NULL);
        store_set_durable(s, b);
        if (b == 6)
            cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    }
    struct trie_source src = store_trie_source(h.self);
    struct state_reader reader = store_state_reader(h.self);
    size_t present = 0;
    for (size_t i = 0; i < HISTORY_ACCOUNTS; i++) {
        uint8_t path[64];
        nibbles_of(history_addr_hash(i), path);
        struct account a;
        bool exists = reader.ops->account(reader.ctx, &a, history_addr_hash(i));
        present += exists;
        for (size_t len = 0; len <= 64; len++) {
            /* The expected first leaf, by looking at all. */
            const hash32 *want = NULL;
            for (size_t k = 0; k < HISTORY_ACCOUNTS; k++) {
                uint8_t other[64];
                struct account b;
                nibbles_of(history_addr_hash(k), other);
                if (memcmp(other, path, len) == 0 &&
                    (want == NULL || memcmp(history_addr_hash(k)->b, want->b, 32) < 0) &&
                    reader.ops->account(reader.ctx, &b, history_addr_hash(k)))
                    want = history_addr_hash(k);
            }
            hash32 key;
            bytes value;
            bool found = src.ops->leaf(src.ctx, 0, bytes_of(path, len), &key, &value);
            cr_assert_eq(found, want != NULL, "account %zu length %zu", i, len);
            if (found)
                cr_assert(hash32_eq(&key, want));
            if (len > 8)
                len += 6; /* beyond that few differ */
        }
        hash32 key;
        bytes value;
        if (!exists)
            continue;
        cr_assert(src.ops->leaf(src.ctx, 0, bytes_of(path, 64), &key, &value));
        struct buf rlp;
        buf_init(&rlp, 200);
        account_rlp(&rlp, &a);
        cr_assert(rlp.len == value.len && memcmp(rlp.ptr, value.ptr, value.len) == 0);
        buf_clear(&rlp);
        for (size_t k = 0; k < HISTORY_SLOTS && a.store_id != 0; k++) {
            u256 v;
            reader.ops->storage(reader.ctx, &v, a.store_id, history_slot_hash(k));
            nibbles_of(history_slot_hash(k), path);
            cr_assert_eq(src.ops->leaf(src.ctx, a.store_id, bytes_of(path, 33), &key, &value),
                         !u256_is_zero(&v));
        }
    }
    cr_assert(present > 50);
    history_close(&h);
    store_close(s);
}

/* Goal: branch records come back by path and by prefix; the account trie's and each storage trie's
 * are apart. */
Test(store_state, branches_by_prefix) {
    struct store *s = fixture_store_open(false);
    static const uint8_t path[5] = {1, 2, 15, 0, 7};
    fixture_block_begin(s);
    store_put_trie_row(s, 0, bytes_of(NULL, 0), bytes_of("root", 4));
    store_put_trie_row(s, 0, bytes_of(path, 3), bytes_of("three", 5));
    store_put_trie_row(s, 0, bytes_of(path, 5), bytes_of("five", 4));
    store_put_trie_row(s, 9, bytes_of(path, 2), bytes_of("slots", 5));
    store_put_trie_row(s, 10, bytes_of(NULL, 0), bytes_of("other", 5));
    fixture_block_end(s);
    fixture_block_begin(s);
    store_put_trie_row(s, 0, bytes_of(path, 3), bytes_of(NULL, 0)); /* deleted */
    fixture_block_end(s);
    for (int round = 0; round < 2; round++) {
        struct store_view *v;
        bytes found, record;
        cr_assert_eq(store_view_open(&v, s, 0), ERR_OK);
        struct trie_source src = store_trie_source(v);
        cr_assert(src.ops->branch(src.ctx, 0, bytes_of(NULL, 0), &found, &record));
        cr_assert(found.len == 0 && record.len == 4);
        cr_assert(src.ops->branch(src.ctx, 0, bytes_of(path, 1), &found, &record));
        cr_assert(found.len == 3 && memcmp(found.ptr, path, 3) == 0);
        cr_assert(src.ops->branch(src.ctx, 9, bytes_of(NULL, 0), &found, &record));
        cr_assert(found.len == 2 && memcmp(record.ptr, "slots", 5) == 0);
        cr_assert(!src.ops->branch(src.ctx, 9, bytes_of(path, 3), &found, &record));
        cr_assert(!src.ops->branch(src.ctx, 8, bytes_of(NULL, 0), &found, &record));
        store_view_close(v);
        cr_assert_eq(store_view_open(&v, s, 1), ERR_OK);
        src = store_trie_source(v);
        cr_assert(src.ops->branch(src.ctx, 0, bytes_of(path, 1), &found, &record));
        cr_assert(found.len == 5 && memcmp(record.ptr, "five", 4) == 0);
        store_view_close(v);
        cr_assert_eq(store_checkpoint(s, NULL), ERR_OK);
    }
    store_close(s);
}

/* Goal: the rebuilt root is the trie's at every block, of an empty store the empty trie's. */
Test(store_state, rebuild) {
    struct store *s = fixture_store_open(true);
    struct history h;
    struct store_view *v;
    hash32 root;
    cr_assert_eq(store_view_open(&v, s, UINT64_MAX), ERR_OK);
    cr_assert_eq(store_rebuild_root(v, &root, NULL), ERR_OK);
    cr_assert(hash32_eq(&root, &KECCAK_EMPTY_TRIE));
    store_view_close(v);
    history_open(&h, s, 1 << 14, false);
    for (uint64_t b = 0; b < 60; b++) {
        history_apply(&h, b * 3, NULL);
        cr_assert_eq(store_rebuild_root(h.self, &root, NULL), ERR_OK);
        cr_assert(hash32_eq(&root, &h.blocks[b].root), "block %d", (int)b);
    }
    history_close(&h);
    store_close(s);
}

/* Goal: slots that do not give their account's storage root are named. */
Test(store_state, rebuild_finds_wrong_storage) {
    struct store *s = fixture_store_open(false);
    struct world_slot_change slot = {.new_value = U256_ONE};
    struct world_account_change c = {.exists = true, .slots = &slot, .slot_count = 1};
    memset(c.addr_hash.b, 0xab, 32);
    c.after = (struct account){
        .nonce = 1, .code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE, .store_id = 3};
    struct world_diff d = {&c, 1};
    fixture_block_begin(s);
    store_put_diff(s, &d);
    fixture_block_end(s);
    struct store_view *v;
    hash32 root;
    struct err_ctx ec = {0};
    cr_assert_eq(store_view_open(&v, s, 0), ERR_OK);
    cr_assert_eq(store_rebuild_root(v, &root, &ec), ERR_CORRUPT);
    cr_assert(strstr(ec.text, "0xabababab") != NULL, "%s", ec.text);
    store_view_close(v);
    store_close(s);
}
