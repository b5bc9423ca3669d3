/* SPDX-License-Identifier: Apache-2.0 */
#include "state/world_internal.h"

#include <stdlib.h>

/* Storage ids: block number above, index in the block below. */
enum { STORE_ID_INDEX_BITS = 20 };

/* --- transactions --------------------------------------------------------------------------- */

void wtx_forget(struct world *w) {
    w->journal_len = 0;
    w->touched.count = 0;
    w->destroyed.count = 0;
    wtransient_reset(w);
    w->tx_serial++;
}

void wacct_mark_dirty_slow(struct world *w, struct wacct *acct) {
    acct->dirty_block = w->block_serial;
    acct->before = arena_alloc(&w->block_arena, sizeof *acct->before);
    *acct->before = (struct wbefore){.acc = acct->cur, .existed = acct->exists};
    wptrs_push(&w->dirty_accounts, acct);
}

void wacct_delete(struct world *w, struct wacct *acct) {
    wacct_mark_dirty(w, acct);
    for (struct wslot *s = acct->slots; s != NULL; s = s->next)
        if (!u256_is_zero(&s->cur)) {
            wslot_mark_dirty(w, s);
            s->cur = U256_ZERO;
        }
    wacct_set_code_ref(acct, NULL);
    account_set_absent(&acct->cur);
    acct->exists = false;
    acct->fresh = true;
}

void world_tx_begin(struct world *w) {
    wtx_forget(w);
    w->log_count = 0;
    arena_reset(&w->tx_arena);
}

u256 world_doomed_balance(const struct world *w) {
    u256 sum = U256_ZERO;
    for (size_t i = 0; i < w->destroyed.count; i++) {
        const struct wacct *acct = w->destroyed.at[i];
        sum = u256_add(&sum, &acct->cur.balance);
    }
    return sum;
}

size_t world_doomed_count(const struct world *w) {
    return w->destroyed.count;
}

addr20 world_doomed_at(const struct world *w, size_t idx) {
    CHECK(idx < w->destroyed.count);
    const struct wacct *acct = w->destroyed.at[idx];
    return acct->addr;
}

void world_tx_end(struct world *w) {
    for (size_t i = 0; i < w->destroyed.count; i++)
        wacct_delete(w, w->destroyed.at[i]);
    for (size_t i = 0; i < w->touched.count; i++) {
        struct wacct *acct = w->touched.at[i];
        if (acct->exists && wacct_is_empty(acct))
            wacct_delete(w, acct);
    }
    wtx_forget(w);
}

/* --- blocks --------------------------------------------------------------------------------- */

static void block_forget(struct world *w) {
    wtx_forget(w);
    w->dirty_accounts.count = w->dirty_slots.count = 0;
    arena_reset(&w->block_arena);
    w->block_serial++;
}

void world_block_begin(struct world *w, uint64_t block_num) {
    CHECK(w->dirty_accounts.count == 0);
    world_tx_begin(w);
    w->block_num = block_num;
    w->block_serial++;
}

void world_block_abandon(struct world *w) {
    for (size_t i = 0; i < w->dirty_slots.count; i++) {
        struct wslot *s = w->dirty_slots.at[i];
        s->cur = s->block_old;
        s->loaded_fresh = false;
    }
    for (size_t i = 0; i < w->dirty_accounts.count; i++) {
        struct wacct *acct = w->dirty_accounts.at[i];
        if (!hash32_eq(&acct->cur.code_hash, &acct->before->acc.code_hash))
            wacct_set_code_ref(acct, NULL); /* loaded again by hash when asked for */
        acct->cur = acct->before->acc;
        acct->exists = acct->before->existed;
        acct->fresh = false;
    }
    w->log_count = 0;
    block_forget(w);
}

/* --- hashing and sorting -------------------------------------------------------------------- */

struct sort_item {
    uint64_t prefix; /* first 8 bytes of the hash */
    const hash32 *hash;
    void *obj;
};

static int sort_item_cmp(const void *a, const void *b) {
    const struct sort_item *x = a, *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return memcmp(x->hash->b, y->hash->b, 32);
}

/* One counting pass over byte `shift / 8`. */
static void radix_pass(struct sort_item *to, const struct sort_item *from, size_t n, int shift) {
    size_t at[256] = {0};
    for (size_t i = 0; i < n; i++)
        at[(from[i].prefix >> shift) & 0xff]++;
    size_t sum = 0;
    for (size_t b = 0; b < 256; b++) {
        size_t c = at[b];
        at[b] = sum;
        sum += c;
    }
    for (size_t i = 0; i < n; i++)
        to[at[(from[i].prefix >> shift) & 0xff]++] = from[i];
}

/* By the upper 32 bits of the prefix, then runs that agree in these by the whole hash. Distinct
 * hashes of a few thousand keys hardly ever need the second step. `tmp` has room for n. */
static void sort_items(struct sort_item *items, struct sort_item *tmp, size_t n) {
    if (n < 64) {
        qsort(items, n, sizeof *items, sort_item_cmp);
        return;
    }
    for (int pass = 0; pass < 4; pass += 2) {
        radix_pass(tmp, items, n, 32 + 8 * pass);
        radix_pass(items, tmp, n, 40 + 8 * pass);
    }
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && items[end].prefix >> 32 == items[i].prefix >> 32)
            end++;
        if (end - i > 1)
            qsort(items + i, end - i, sizeof *items, sort_item_cmp);
        i = end;
    }
}

/* Fills in the hashes that were not needed before. */
static void hash_keys(struct arena *a, struct wacct **accts, size_t acct_count, void **slots,
                      size_t slot_count) {
    struct arena_mark mark = arena_mark(a);
    size_t max = acct_count + slot_count, n = 0, acct_end;
    bytes *in = arena_alloc(a, max * sizeof *in);
    hash32 *out = arena_alloc(a, max * sizeof *out);
    void **obj = arena_alloc(a, max * sizeof *obj);
    uint8_t(*be)[32] = arena_alloc(a, slot_count * sizeof *be);
    for (size_t i = 0; i < acct_count; i++)
        if (!accts[i]->hashed) {
            in[n] = bytes_of(accts[i]->addr.b, sizeof accts[i]->addr.b);
            obj[n++] = accts[i];
        }
    acct_end = n;
    for (size_t i = 0; i < slot_count; i++) {
        struct wslot *s = slots[i];
        if (s->hashed)
            continue;
        u256_to_be32(be[i], &s->key);
        in[n] = bytes_of(be[i], 32);
        obj[n++] = s;
    }
    keccak256_batch(out, in, n);
    for (size_t i = 0; i < acct_end; i++) {
        ((struct wacct *)obj[i])->hash = out[i];
        ((struct wacct *)obj[i])->hashed = true;
    }
    for (size_t i = acct_end; i < n; i++) {
        ((struct wslot *)obj[i])->hash = out[i];
        ((struct wslot *)obj[i])->hashed = true;
    }
    arena_reset_to(a, mark);
}

/* --- the diff ------------------------------------------------------------------------------- */

/* The wipe of an account whose slots the reader knows; without such slots there is nothing to wipe.
 */
static bool is_wiped(const struct wacct *acct) {
    return acct->fresh && acct->before->existed && acct->before->acc.store_id != 0;
}

static bool slot_differs(const struct wslot *s) {
    if (!s->acct->exists)
        return false; /* all gone with the account */
    if (is_wiped(s->acct))
        return !u256_is_zero(&s->cur);
    return !u256_eq(&s->cur, &s->block_old);
}

static bool account_differs(const struct wacct *acct) {
    const struct wbefore *b = acct->before;
    if (!b->existed || !acct->exists)
        return b->existed != acct->exists;
    return b->slot_count > 0 || is_wiped(acct) || b->acc.nonce != acct->cur.nonce ||
           !u256_eq(&b->acc.balance, &acct->cur.balance) ||
           !hash32_eq(&b->acc.code_hash, &acct->cur.code_hash);
}

/* Sorts what differs into `out`; slots by account and hash. */
static void collect_accounts(struct world *w, struct arena *a, struct world_diff *out) {
    size_t n = 0, max = w->dirty_accounts.count;
    struct wacct **accts = arena_alloc(a, max * sizeof *accts);
    for (size_t i = 0; i < max; i++)
        if (account_differs(w->dirty_accounts.at[i]))
            accts[n++] = w->dirty_accounts.at[i];
    hash_keys(a, accts, n, w->dirty_slots.at, w->dirty_slots.count);
    out->accounts = arena_zalloc(a, n * sizeof *out->accounts);
    out->count = n;
    struct sort_item *items = arena_alloc(a, 2 * n * sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = (struct sort_item){be64_load(accts[i]->hash.b), &accts[i]->hash, accts[i]};
    sort_items(items, items + n, n);
    for (size_t i = 0; i < n; i++) {
        struct wacct *acct = items[i].obj;
        struct world_account_change *c = &out->accounts[i];
        acct->before->change = c;
        c->addr = acct->addr;
        c->addr_hash = acct->hash;
        c->existed = acct->before->existed;
        c->exists = acct->exists;
        c->wiped = is_wiped(acct);
        c->before = acct->before->acc;
        c->slots = acct->before->slot_count == 0
                       ? NULL
                       : arena_alloc(a, acct->before->slot_count * sizeof *c->slots);
    }
}

static void collect_slots(struct world *w, struct arena *a) {
    size_t n = 0, max = w->dirty_slots.count;
    struct sort_item *items = arena_alloc(a, 2 * max * sizeof *items);
    for (size_t i = 0; i < max; i++) {
        struct wslot *s = w->dirty_slots.at[i];
        if (slot_differs(s))
            items[n++] = (struct sort_item){be64_load(s->hash.b), &s->hash, s};
    }
    /* Sorted over all accounts at once, then dealt out in that order. */
    sort_items(items, items + n, n);
    for (size_t i = 0; i < n; i++) {
        const struct wslot *s = items[i].obj;
        struct world_account_change *c = s->acct->before->change;
        CHECK(c->slot_count < s->acct->before->slot_count);
        c->slots[c->slot_count++] =
            (struct world_slot_change){.slot = s->key,
                                       .slot_hash = s->hash,
                                       .old_value = c->wiped ? U256_ZERO : s->block_old,
                                       .new_value = s->cur};
    }
}

/* Ids go to accounts in the order of the diff, so they depend on nothing but the block's net
 * effect. */
static void give_store_ids(struct world *w, const struct world_diff *diff) {
    uint64_t index = 0;
    CHECK(w->block_num < UINT64_MAX >> STORE_ID_INDEX_BITS);
    for (size_t i = 0; i < diff->count; i++) {
        struct world_account_change *c = &diff->accounts[i];
        struct wacct *acct = wacct_find(w, &c->addr);
        if (c->exists && acct->cur.store_id == 0 && c->slot_count > 0) {
            CHECK(++index < (UINT64_C(1) << STORE_ID_INDEX_BITS));
            acct->cur.store_id = (w->block_num << STORE_ID_INDEX_BITS) | index;
        }
        c->after = acct->cur;
        if (!c->exists || hash32_eq(&c->after.code_hash, &KECCAK_EMPTY) ||
            (c->existed && hash32_eq(&c->before.code_hash, &c->after.code_hash)))
            continue;
        CHECK(acct->code != NULL);
        c->new_code = bytes_of(acct->code->ptr, acct->code->len);
    }
}

void world_block_end(struct world *w, struct arena *a, struct world_diff *out) {
    *out = (struct world_diff){NULL, 0};
    for (size_t i = 0; i < w->dirty_slots.count; i++) {
        struct wslot *s = w->dirty_slots.at[i];
        if (slot_differs(s))
            s->acct->before->slot_count++;
    }
    collect_accounts(w, a, out);
    collect_slots(w, a);
    give_store_ids(w, out);
    for (size_t i = 0; i < w->dirty_accounts.count; i++) {
        struct wacct *acct = w->dirty_accounts.at[i];
        acct->fresh = false;
        acct->disk_store_id = acct->cur.store_id;
    }
    for (size_t i = 0; i < w->dirty_slots.count; i++)
        ((struct wslot *)w->dirty_slots.at[i])->loaded_fresh = false;
    block_forget(w);
}

void world_set_storage_roots(struct world *w, const struct world_diff *diff) {
    for (size_t i = 0; i < diff->count; i++)
        if (diff->accounts[i].exists)
            wacct_find(w, &diff->accounts[i].addr)->cur.storage_root =
                diff->accounts[i].after.storage_root;
}
