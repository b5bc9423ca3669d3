/* SPDX-License-Identifier: Apache-2.0 */
#include "state/world_internal.h"

#include <stdlib.h>

struct world *world_new(struct state_reader reader) {
    struct world *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->reader = reader;
    w->tx_serial = w->block_serial = 1; /* 0 is the stamp of "never" */
    wcache_init(w);
    return w;
}

void world_free(struct world *w) {
    if (w == NULL)
        return;
    wcache_clear(w);
    free(w);
}

void world_reset(struct world *w, struct state_reader reader) {
    wtx_forget(w);
    w->dirty_accounts.count = w->dirty_slots.count = 0;
    arena_reset(&w->block_arena);
    w->log_count = 0;
    arena_reset(&w->tx_arena);
    wcache_reset(w);
    w->block_serial++;
    w->reader = reader;
}

/* --- journal -------------------------------------------------------------------------------- */

static inline struct wjournal_entry *journal_add(struct world *w, enum wjournal_kind kind,
                                                 void *obj) {
    if (__builtin_expect(w->journal_len == w->journal_cap, 0))
        w->journal =
            array_grow(w->journal, &w->journal_cap, sizeof *w->journal, w->journal_len + 1);
    struct wjournal_entry *e = &w->journal[w->journal_len++];
    e->kind = kind;
    e->obj = obj;
    return e;
}

uint32_t world_snapshot(struct world *w) {
    CHECK(w->journal_len <= UINT32_MAX);
    return (uint32_t)w->journal_len;
}

/* Slots that were read as zero because a creation hid the stored ones show these again. */
static void unhide_slots(struct wacct *acct) {
    for (struct wslot *s = acct->slots; s != NULL; s = s->next)
        if (s->loaded_fresh) {
            s->cur = s->block_old;
            s->orig_tx = 0;
            s->loaded_fresh = false;
        }
}

static void undo_create(struct wacct *acct, const struct wsaved *old) {
    bool was_fresh = acct->fresh;
    acct->cur = old->acc;
    wacct_set_code_ref(acct, old->code);
    acct->created_tx = old->created_tx;
    acct->exists = old->exists;
    acct->fresh = old->fresh;
    if (was_fresh && !acct->fresh)
        unhide_slots(acct);
}

static void undo(struct world *w, const struct wjournal_entry *e) {
    struct wacct *acct = e->obj;
    switch (e->kind) {
    case WJ_WARM_ACCOUNT:
        acct->warm_tx = e->aux;
        break;
    case WJ_WARM_SLOT:
        ((struct wslot *)e->obj)->warm_tx = e->aux;
        break;
    case WJ_TOUCH:
        acct->touched_tx = 0;
        w->touched.count--;
        break;
    case WJ_EXISTS:
        acct->exists = false;
        break;
    case WJ_BALANCE:
        acct->cur.balance = e->old;
        break;
    case WJ_NONCE:
        acct->cur.nonce = e->aux;
        break;
    case WJ_CODE:
        memcpy(&acct->cur.code_hash, &e->old, sizeof acct->cur.code_hash);
        wacct_set_code_ref(acct, (struct wcode *)(uintptr_t)e->aux);
        break;
    case WJ_STORAGE:
        ((struct wslot *)e->obj)->cur = e->old;
        break;
    case WJ_TRANSIENT:
        w->transients[e->aux].value = e->old;
        break;
    case WJ_CREATE:
        undo_create(acct, (const struct wsaved *)(uintptr_t)e->aux);
        break;
    case WJ_DESTROY:
        acct->destroyed_tx = 0;
        w->destroyed.count--;
        break;
    case WJ_LOG:
        w->log_count--;
        arena_reset_to(&w->tx_arena, w->log_marks[w->log_count]);
        break;
    }
}

void world_revert(struct world *w, uint32_t snapshot) {
    CHECK(snapshot <= w->journal_len);
    while (w->journal_len > snapshot)
        undo(w, &w->journal[--w->journal_len]);
}

/* --- reads ---------------------------------------------------------------------------------- */

bool world_exists(struct world *w, const addr20 *a) {
    return wacct_find(w, a)->exists;
}

bool world_is_empty(struct world *w, const addr20 *a) {
    return wacct_is_empty(wacct_find(w, a));
}

u256 world_balance(struct world *w, const addr20 *a) {
    return wacct_find(w, a)->cur.balance;
}

uint64_t world_nonce(struct world *w, const addr20 *a) {
    return wacct_find(w, a)->cur.nonce;
}

hash32 world_code_hash(struct world *w, const addr20 *a) {
    return wacct_find(w, a)->cur.code_hash;
}

static struct wcode *account_code(struct world *w, struct wacct *acct) {
    if (acct->code == NULL && !hash32_eq(&acct->cur.code_hash, &KECCAK_EMPTY))
        wacct_set_code_ref(acct, wcode_load(w, &acct->cur.code_hash));
    return acct->code;
}

bytes world_code(struct world *w, const addr20 *a) {
    const struct wcode *c = account_code(w, wacct_find(w, a));
    return c == NULL ? bytes_of(NULL, 0) : bytes_of(c->ptr, c->len);
}

void *world_code_slot(struct world *w, const addr20 *a) {
    struct wcode *c = account_code(w, wacct_find(w, a));
    return c == NULL ? NULL : c->slot;
}

/* An account that the transaction created had nothing before it. */
static inline u256 slot_original(const struct world *w, const struct wslot *s) {
    if (s->acct->created_tx == w->tx_serial)
        return U256_ZERO;
    return s->orig_tx == w->tx_serial ? s->orig : s->cur;
}

u256 world_storage(struct world *w, const addr20 *a, const u256 *slot) {
    return wslot_find(w, wacct_find(w, a), slot)->cur;
}

bool world_has_storage(struct world *w, const addr20 *a) {
    const struct wacct *acct = wacct_find(w, a);
    if (!acct->fresh && !hash32_eq(&acct->cur.storage_root, &KECCAK_EMPTY_TRIE))
        return true;
    for (const struct wslot *s = acct->slots; s != NULL; s = s->next)
        if (!u256_is_zero(&s->cur))
            return true;
    return false;
}

u256 world_transient(struct world *w, const addr20 *a, const u256 *slot) {
    if (w->transient_count == 0)
        return U256_ZERO;
    const struct wtransient *t = wtransient_find(w, wacct_find(w, a), slot, false);
    return t == NULL ? U256_ZERO : t->value;
}

bool world_created_in_tx(struct world *w, const addr20 *a) {
    return wacct_find(w, a)->created_tx == w->tx_serial;
}

/* --- warm marks ----------------------------------------------------------------------------- */

bool world_warm_account(struct world *w, const addr20 *a) {
    struct wacct *acct = wacct_find(w, a);
    if (acct->warm_tx == w->tx_serial)
        return false;
    journal_add(w, WJ_WARM_ACCOUNT, acct)->aux = acct->warm_tx;
    acct->warm_tx = w->tx_serial;
    return true;
}

static inline bool warm_slot(struct world *w, struct wslot *s) {
    if (s->warm_tx == w->tx_serial)
        return false;
    journal_add(w, WJ_WARM_SLOT, s)->aux = s->warm_tx;
    s->warm_tx = w->tx_serial;
    return true;
}

bool world_warm_storage(struct world *w, const addr20 *a, const u256 *slot) {
    return warm_slot(w, wslot_find(w, wacct_find(w, a), slot));
}

bool world_sload(struct world *w, u256 *out, const addr20 *a, const u256 *slot) {
    struct wslot *s = wslot_find(w, wacct_find(w, a), slot);
    *out = s->cur;
    return warm_slot(w, s);
}

bool world_sstore_peek(struct world *w, u256 *out_original, u256 *out_current, const addr20 *a,
                       const u256 *slot) {
    struct wslot *s = wslot_find(w, wacct_find(w, a), slot);
    *out_current = s->cur;
    *out_original = slot_original(w, s);
    return warm_slot(w, s);
}

/* --- changes -------------------------------------------------------------------------------- */

static void touch(struct world *w, struct wacct *acct) {
    if (acct->touched_tx == w->tx_serial)
        return;
    journal_add(w, WJ_TOUCH, acct);
    acct->touched_tx = w->tx_serial;
    wptrs_push(&w->touched, acct);
}

static void make_exist(struct world *w, struct wacct *acct) {
    wacct_mark_dirty(w, acct);
    if (acct->exists)
        return;
    journal_add(w, WJ_EXISTS, acct);
    acct->exists = true;
}

static void set_balance(struct world *w, struct wacct *acct, const u256 *v) {
    make_exist(w, acct);
    journal_add(w, WJ_BALANCE, acct)->old = acct->cur.balance;
    acct->cur.balance = *v;
}

void world_touch(struct world *w, const addr20 *a) {
    struct wacct *acct = wacct_find(w, a);
    make_exist(w, acct);
    touch(w, acct);
}

void world_set_balance(struct world *w, const addr20 *a, const u256 *v) {
    set_balance(w, wacct_find(w, a), v);
}

void world_add_balance(struct world *w, const addr20 *a, const u256 *v) {
    struct wacct *acct = wacct_find(w, a);
    touch(w, acct);
    u256 sum;
    if (u256_add_overflow(&sum, &acct->cur.balance, v))
        sum = U256_MAX;
    set_balance(w, acct, &sum);
}

bool world_sub_balance(struct world *w, const addr20 *a, const u256 *v) {
    struct wacct *acct = wacct_find(w, a);
    if (u256_lt(&acct->cur.balance, v))
        return false;
    if (u256_is_zero(v))
        return true;
    touch(w, acct);
    u256 rest = u256_sub(&acct->cur.balance, v);
    set_balance(w, acct, &rest);
    return true;
}

void world_set_nonce(struct world *w, const addr20 *a, uint64_t v) {
    struct wacct *acct = wacct_find(w, a);
    make_exist(w, acct);
    journal_add(w, WJ_NONCE, acct)->aux = acct->cur.nonce;
    acct->cur.nonce = v;
}

void world_set_code(struct world *w, const addr20 *a, bytes code) {
    struct wacct *acct = wacct_find(w, a);
    make_exist(w, acct);
    struct wjournal_entry *e = journal_add(w, WJ_CODE, acct);
    memcpy(&e->old, &acct->cur.code_hash, sizeof acct->cur.code_hash);
    e->aux = (uint64_t)(uintptr_t)acct->code;
    struct wcode *c = NULL;
    hash32 hash = KECCAK_EMPTY;
    if (code.len > 0) {
        hash = keccak256_bytes(code);
        c = wcode_add(w, &hash, code);
    }
    wacct_set_code_ref(acct, c);
    acct->cur.code_hash = hash;
}

static void set_slot(struct world *w, struct wslot *s, const u256 *v) {
    if (s->orig_tx != w->tx_serial) {
        s->orig = s->cur;
        s->orig_tx = w->tx_serial;
    }
    wslot_mark_dirty(w, s);
    journal_add(w, WJ_STORAGE, s)->old = s->cur;
    s->cur = *v;
}

void world_set_storage(struct world *w, const addr20 *a, const u256 *slot, const u256 *v) {
    struct wacct *acct = wacct_find(w, a);
    struct wslot *s = wslot_find(w, acct, slot);
    if (u256_eq(&s->cur, v))
        return;
    make_exist(w, acct);
    set_slot(w, s, v);
}

void world_set_transient(struct world *w, const addr20 *a, const u256 *slot, const u256 *v) {
    struct wtransient *t = wtransient_find(w, wacct_find(w, a), slot, true);
    if (u256_eq(&t->value, v))
        return;
    struct wjournal_entry *e = journal_add(w, WJ_TRANSIENT, NULL);
    e->aux = (uint64_t)(t - w->transients); /* the array may move */
    e->old = t->value;
    t->value = *v;
}

void world_create(struct world *w, const addr20 *a) {
    struct wacct *acct = wacct_find(w, a);
    touch(w, acct);
    wacct_mark_dirty(w, acct);
    struct wsaved *old = arena_alloc(&w->tx_arena, sizeof *old);
    *old = (struct wsaved){.acc = acct->cur,
                           .code = acct->code,
                           .created_tx = acct->created_tx,
                           .exists = acct->exists,
                           .fresh = acct->fresh};
    journal_add(w, WJ_CREATE, acct)->aux = (uint64_t)(uintptr_t)old;
    for (struct wslot *s = acct->slots; s != NULL; s = s->next)
        if (!u256_is_zero(&s->cur))
            set_slot(w, s, &U256_ZERO);
    wacct_set_code_ref(acct, NULL);
    u256 balance = acct->cur.balance;
    account_set_absent(&acct->cur);
    acct->cur.balance = balance;
    acct->cur.nonce = 1;
    acct->exists = true;
    acct->fresh = true;
    acct->created_tx = w->tx_serial;
}

void world_destroy(struct world *w, const addr20 *a) {
    struct wacct *acct = wacct_find(w, a);
    if (acct->destroyed_tx == w->tx_serial)
        return;
    journal_add(w, WJ_DESTROY, acct);
    acct->destroyed_tx = w->tx_serial;
    wptrs_push(&w->destroyed, acct);
}

/* --- logs ----------------------------------------------------------------------------------- */

void world_add_log(struct world *w, const addr20 *a, const hash32 *topics, uint8_t topic_count,
                   bytes data) {
    CHECK(topic_count <= ARRAY_LEN(w->logs->topics));
    if (w->log_count == w->log_cap) {
        size_t cap = w->log_cap;
        w->log_marks = array_grow(w->log_marks, &cap, sizeof *w->log_marks, w->log_count + 1);
        w->logs = array_grow(w->logs, &w->log_cap, sizeof *w->logs, w->log_count + 1);
    }
    journal_add(w, WJ_LOG, NULL);
    w->log_marks[w->log_count] = arena_mark(&w->tx_arena);
    struct world_log *l = &w->logs[w->log_count++];
    *l = (struct world_log){.address = *a, .topic_count = topic_count};
    if (topic_count > 0)
        memcpy(l->topics, topics, topic_count * sizeof *topics);
    if (data.len > 0)
        l->data = arena_copy(&w->tx_arena, data);
}

const struct world_log *world_logs(const struct world *w, size_t *out_count) {
    *out_count = w->log_count;
    return w->logs;
}
