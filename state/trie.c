/* SPDX-License-Identifier: Apache-2.0 */
#include "state/trie_internal.h"

#include "base/rlp.h"

#include <stdlib.h>

enum { SCRATCH_CHUNK_BYTES = 256 << 10, ROW_CHUNK_BYTES = 64 << 10, SLOT_RLP_MAX = 33 };
enum { SHARED_JOBS = 1024 }; /* fewer are done sooner than another thread is awake */

struct state_trie *state_trie_new(struct trie_source source, size_t budget_bytes) {
    struct state_trie *t = calloc(1, sizeof *t);
    CHECK(t != NULL);
    t->source = source;
    t->budget_bytes = budget_bytes;
    t->shared_jobs = SHARED_JOBS;
    for (size_t p = 0; p < TRIE_PARTS; p++) {
        for (size_t depth = 0; depth < TRIE_NIBBLES; depth++)
            t->node_head[p][depth] = TRIE_NO_INDEX;
        t->leaf_head[p] = TRIE_NO_INDEX;
    }
    arena_init(&t->scratch, SCRATCH_CHUNK_BYTES, SIZE_MAX);
    arena_init(&t->row_arena, ROW_CHUNK_BYTES, SIZE_MAX);
    trees_init(t);
    return t;
}

void state_trie_free(struct state_trie *t) {
    if (t == NULL)
        return;
    trees_clear(t);
    arena_clear(&t->scratch);
    arena_clear(&t->row_arena);
    free(t->items);
    free(t->pending);
    free(t->jobs);
    for (size_t i = 0; i < CREW_HANDS_MAX; i++)
        free(t->hands[i].sorted);
    free(t->rows);
    free(t);
}

void state_trie_reset(struct state_trie *t) {
    trees_clear(t);
    trees_init(t);
    t->row_count = 0;
    arena_reset(&t->row_arena);
}

/* --- values --------------------------------------------------------------------------------- */

void account_rlp(struct buf *b, const struct account *acc) {
    size_t mark = rlp_list_begin(b);
    rlp_put_u64(b, acc->nonce);
    rlp_put_u256(b, &acc->balance);
    rlp_put_hash(b, &acc->storage_root);
    rlp_put_hash(b, &acc->code_hash);
    rlp_list_end(b, mark);
}

/* RLP of the integer, which is not zero. */
static size_t slot_rlp(uint8_t out[SLOT_RLP_MAX], const u256 *v) {
    size_t n = u256_to_be_min(out + 1, v);
    CHECK(n > 0);
    if (n == 1 && out[1] < 0x80) {
        out[0] = out[1];
        return 1;
    }
    out[0] = (uint8_t)(0x80 + n);
    return n + 1;
}

/* --- a block's changes ---------------------------------------------------------------------- */

static void wipe_storage(struct state_trie *t, uint64_t store_id) {
    if (store_id == 0)
        return;
    tree_drop(t, tree_get(t, store_id));
    if (!trie_in_ram(t))
        tree_delete_rows(t, store_id);
}

static void update_storage(struct state_trie *t, const struct world_account_change *c) {
    CHECK(c->after.store_id != 0);
    struct tree *tree = tree_get(t, c->after.store_id);
    if (!tree->known && (!c->existed || c->before.store_id != c->after.store_id)) {
        tree->known = true; /* a new id: nothing to ask the source for */
        tree->root.kind = TSUB_EMPTY;
    }
    t->items = array_grow(t->items, &t->item_cap, sizeof *t->items, c->slot_count);
    uint8_t(*values)[SLOT_RLP_MAX] = arena_alloc(&t->scratch, c->slot_count * sizeof *values);
    for (size_t i = 0; i < c->slot_count; i++) {
        const struct world_slot_change *s = &c->slots[i];
        struct titem *it = &t->items[i];
        *it = (struct titem){.key = s->slot_hash.b, .existed = !u256_is_zero(&s->old_value)};
        if (u256_is_zero(&s->new_value))
            continue;
        it->value_len = (uint32_t)slot_rlp(values[i], &s->new_value);
        it->value = values[i];
    }
    tree_update(t, tree, t->items, c->slot_count);
}

static void update_all_storage(struct state_trie *t, struct world_diff *diff) {
    for (size_t i = 0; i < diff->count; i++) {
        const struct world_account_change *c = &diff->accounts[i];
        if (c->wiped)
            wipe_storage(t, c->before.store_id);
        if (c->exists && c->slot_count > 0)
            update_storage(t, c);
    }
    trie_run_hashes(t);
    for (size_t i = 0; i < diff->count; i++) {
        struct world_account_change *c = &diff->accounts[i];
        if (!c->exists)
            continue;
        if (c->slot_count > 0) {
            const struct tree *tree = tree_get(t, c->after.store_id);
            CHECK(tree->hashed);
            c->after.storage_root = tree->hash;
        } else if (c->existed && !c->wiped) {
            c->after.storage_root = c->before.storage_root;
        } else {
            c->after.storage_root = KECCAK_EMPTY_TRIE;
        }
    }
}

static void update_accounts(struct state_trie *t, const struct world_diff *diff) {
    t->items = array_grow(t->items, &t->item_cap, sizeof *t->items, diff->count);
    struct buf body;
    buf_init(&body, TRIE_VALUE_MAX);
    for (size_t i = 0; i < diff->count; i++) {
        const struct world_account_change *c = &diff->accounts[i];
        t->items[i] = (struct titem){.key = c->addr_hash.b, .existed = c->existed};
        if (!c->exists)
            continue;
        buf_reset(&body);
        account_rlp(&body, &c->after);
        CHECK(!body.overflow);
        t->items[i].value = arena_copy(&t->scratch, buf_bytes(&body)).ptr;
        t->items[i].value_len = (uint32_t)body.len;
    }
    buf_clear(&body);
    tree_update(t, &t->accounts, t->items, diff->count);
    trie_run_hashes(t);
}

void state_trie_apply(struct state_trie *t, struct world_diff *diff, hash32 *out_root) {
    CHECK(t->row_count == 0);
    update_all_storage(t, diff);
    if (diff->count > 0)
        update_accounts(t, diff);
    arena_reset(&t->scratch);
    state_trie_root(t, out_root);
}

void state_trie_root(struct state_trie *t, hash32 *out_root) {
    tree_open(t, &t->accounts);
    tree_hash_root(t, &t->accounts);
    *out_root = t->accounts.hash;
}

void state_trie_share(struct state_trie *t, struct crew *crew) {
    t->crew = crew;
}

bool state_trie_lacks(const struct state_trie *t, uint64_t store_id, const hash32 *key) {
    const struct tree *tree = tree_find(t, store_id);
    if (tree == NULL || !tree->known)
        return false;
    const struct tnode *n = tree->root.kind == TSUB_NODE ? tree->root.node : NULL;
    if (tree->root.kind == TSUB_EMPTY)
        return true;
    while (n != NULL) {
        if (node_shared_ext(n, key->b) < n->ext_len)
            return true;
        unsigned nib = key_nibble(key->b, n->depth);
        if (!has_bit(n->mask, nib))
            return true;
        n = has_bit(n->branch, nib) ? node_kid(n, nib) : NULL;
    }
    return false;
}

/* --- rows ----------------------------------------------------------------------------------- */

static void expect_rows(const struct state_trie *t, size_t from) {
    struct trie_branch branches[TRIE_EXPECT];
    size_t n = 0;
    for (; n < TRIE_EXPECT && from + n < t->row_count; n++) {
        const struct trow *r = &t->rows[from + n];
        branches[n] = (struct trie_branch){r->store_id, bytes_of(r->path, r->path_len)};
    }
    if (t->source.ops != NULL && t->source.ops->expect_rows != NULL)
        t->source.ops->expect_rows(t->source.ctx, branches, n);
}

void state_trie_take_rows(struct state_trie *t, trie_row_fn fn, void *ctx) {
    uint8_t record[TRIE_RECORD_MAX];
    for (size_t i = 0; i < t->row_count; i++) {
        const struct trow *r = &t->rows[i];
        size_t len = 0;
        if (i % TRIE_EXPECT == 0)
            expect_rows(t, i);
        if (r->node != NULL) {
            len = trecord_encode(record, r->node);
            r->node->stored = true;
        }
        fn(ctx, r->store_id, bytes_of(r->path, r->path_len), bytes_of(record, len));
    }
    t->row_count = 0;
    arena_reset(&t->row_arena);
}
