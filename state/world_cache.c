/* SPDX-License-Identifier: Apache-2.0 */
#include "state/world_internal.h"

#include <stdlib.h>
#include <sys/random.h>

enum {
    TABLE_CELLS_MIN = 1024,
    TABLE_CELLS_KEEP = 65536, /* larger tables are given back by wcache_reset */
    SLABS_KEEP = 64,
    CODE_CELLS_MIN = 256,
    CODE_SWEEP_BYTES = 1 << 20,   /* unreferenced code that may wait for a sweep */
    LOG_DATA_MAX_BYTES = 1 << 30, /* far above what 2^32 gas of LOG data can hold */
};

/* --- pools ---------------------------------------------------------------------------------- */

static uint32_t pool_take(struct wpool *p) {
    if (p->free_count > 0)
        return p->free_list[--p->free_count];
    if (p->used == p->slab_count * WPOOL_SLAB_OBJECTS) {
        CHECK(p->used < UINT32_MAX / 2);
        if (p->slab_count == p->slab_cap) {
            size_t cap = p->slab_cap;
            p->slabs = array_grow(p->slabs, &cap, sizeof *p->slabs, p->slab_count + 1);
            p->slab_cap = (uint32_t)cap;
        }
        uint8_t *slab = malloc(WPOOL_SLAB_OBJECTS * p->obj_bytes);
        CHECK(slab != NULL);
        p->slabs[p->slab_count++] = slab;
    }
    return p->used++;
}

static void pool_give(struct wpool *p, uint32_t idx) {
    if (p->free_count == p->free_cap) {
        size_t cap = p->free_cap;
        p->free_list = array_grow(p->free_list, &cap, sizeof *p->free_list, p->free_count + 1);
        p->free_cap = (uint32_t)cap;
    }
    p->free_list[p->free_count++] = idx;
}

static void pool_reset(struct wpool *p, uint32_t keep_slabs) {
    while (p->slab_count > keep_slabs)
        free(p->slabs[--p->slab_count]);
    p->used = p->free_count = 0;
}

static void pool_clear(struct wpool *p) {
    pool_reset(p, 0);
    free(p->slabs);
    free(p->free_list);
    *p = (struct wpool){.obj_bytes = p->obj_bytes};
}

static uint32_t pool_live(const struct wpool *p) {
    return p->used - p->free_count;
}

/* --- tables --------------------------------------------------------------------------------- */

static void table_init(struct wtable *t, uint32_t cells) {
    t->cells = calloc(cells, sizeof *t->cells);
    CHECK(t->cells != NULL);
    t->mask = cells - 1;
    t->count = 0;
}

static void table_reset(struct wtable *t) {
    if (t->mask >= TABLE_CELLS_KEEP) {
        free(t->cells);
        table_init(t, TABLE_CELLS_MIN);
        return;
    }
    memset(t->cells, 0, ((size_t)t->mask + 1) * sizeof *t->cells);
    t->count = 0;
}

static void table_put(struct wtable *t, uint64_t hash, uint32_t idx) {
    uint32_t pos = (uint32_t)hash & t->mask;
    while (t->cells[pos].idx_plus_1 != 0)
        pos = (pos + 1) & t->mask;
    t->cells[pos] = (struct wcell){(uint32_t)(hash >> 32), idx + 1};
    t->count++;
}

/* Takes out the cell of `idx`, moving later cells of the probe run back. hash_of gives an entry's
 * hash. */
static void table_remove(struct wtable *t, uint64_t hash, uint32_t idx,
                         uint64_t (*hash_of)(const struct world *, uint32_t),
                         const struct world *w) {
    uint32_t pos = (uint32_t)hash & t->mask;
    while (t->cells[pos].idx_plus_1 != idx + 1) {
        CHECK(t->cells[pos].idx_plus_1 != 0);
        pos = (pos + 1) & t->mask;
    }
    for (uint32_t next = (pos + 1) & t->mask; t->cells[next].idx_plus_1 != 0;
         next = (next + 1) & t->mask) {
        uint32_t home = (uint32_t)hash_of(w, t->cells[next].idx_plus_1 - 1) & t->mask;
        if (((next - home) & t->mask) >= ((next - pos) & t->mask)) {
            t->cells[pos] = t->cells[next];
            pos = next;
        }
    }
    t->cells[pos] = (struct wcell){0, 0};
    t->count--;
}

static bool table_is_full(const struct wtable *t) {
    return t->count >= t->mask - t->mask / 4;
}

static void table_grow(struct wtable *t, uint64_t (*hash_of)(const struct world *, uint32_t),
                       const struct world *w) {
    struct wtable old = *t;
    CHECK(old.mask < UINT32_MAX / 4);
    table_init(t, (old.mask + 1) * 2);
    for (uint32_t i = 0; i <= old.mask; i++)
        if (old.cells[i].idx_plus_1 != 0)
            table_put(t, hash_of(w, old.cells[i].idx_plus_1 - 1), old.cells[i].idx_plus_1 - 1);
    free(old.cells);
}

/* --- hashes --------------------------------------------------------------------------------- */

/* Seeded, because addresses and slots are chosen by outsiders. No result depends on them. */

static inline uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t hash_addr(const struct world *w, const addr20 *a) {
    uint64_t x, y;
    uint32_t z;
    memcpy(&x, a->b, 8);
    memcpy(&y, a->b + 8, 8);
    memcpy(&z, a->b + 16, 4);
    return mix(mix(x ^ w->seed[0], y ^ w->seed[1]) ^ w->seed[2], z ^ w->seed[3]);
}

static inline uint64_t hash_slot(const struct world *w, uint32_t acct_idx, const u256 *k) {
    uint64_t h = mix(k->w[0] ^ w->seed[0], k->w[1] ^ w->seed[1]);
    uint64_t g = mix(k->w[2] ^ w->seed[2], k->w[3] ^ w->seed[3]);
    return mix(h ^ w->seed[1], g ^ ((uint64_t)acct_idx * 0x9e3779b97f4a7c15u) ^ w->seed[0]);
}

static uint64_t hash_of_account(const struct world *w, uint32_t idx) {
    const struct wacct *a = wpool_at(&w->accounts, idx);
    return hash_addr(w, &a->addr);
}

static uint64_t hash_of_slot(const struct world *w, uint32_t idx) {
    const struct wslot *s = wpool_at(&w->slots, idx);
    return hash_slot(w, s->acct->idx, &s->key);
}

/* --- accounts ------------------------------------------------------------------------------- */

static struct wacct *account_load(struct world *w, const addr20 *a, uint64_t hash) {
    if (table_is_full(&w->account_table))
        table_grow(&w->account_table, hash_of_account, w);
    uint32_t idx = pool_take(&w->accounts);
    struct wacct *acct = wpool_at(&w->accounts, idx);
    *acct = (struct wacct){.addr = *a, .idx = idx, .live = true};
    account_set_absent(&acct->cur);
    if (w->reader.ops != NULL) {
        keccak256(&acct->hash, a->b, sizeof a->b);
        acct->hashed = true;
        acct->exists = w->reader.ops->account(w->reader.ctx, &acct->cur, &acct->hash);
        if (!acct->exists)
            account_set_absent(&acct->cur);
        acct->disk_store_id = acct->cur.store_id;
    }
    table_put(&w->account_table, hash, idx);
    return acct;
}

struct wacct *wacct_find_slow(struct world *w, const addr20 *a) {
    uint64_t hash = hash_addr(w, a);
    const struct wtable *t = &w->account_table;
    struct wacct *acct = NULL;
    for (uint32_t pos = (uint32_t)hash & t->mask; t->cells[pos].idx_plus_1 != 0;
         pos = (pos + 1) & t->mask) {
        if (t->cells[pos].tag != (uint32_t)(hash >> 32))
            continue;
        struct wacct *c = wpool_at(&w->accounts, t->cells[pos].idx_plus_1 - 1);
        if (addr20_eq(&c->addr, a)) {
            acct = c;
            break;
        }
    }
    if (acct == NULL)
        acct = account_load(w, a, hash);
    acct->used = true;
    w->last = acct;
    return acct;
}

/* --- slots ---------------------------------------------------------------------------------- */

static struct wslot *slot_load(struct world *w, struct wacct *acct, const u256 *key,
                               uint64_t hash) {
    if (table_is_full(&w->slot_table))
        table_grow(&w->slot_table, hash_of_slot, w);
    uint32_t idx = pool_take(&w->slots);
    struct wslot *s = wpool_at(&w->slots, idx);
    *s = (struct wslot){.key = *key, .acct = acct, .idx = idx, .next = acct->slots};
    if (acct->slots != NULL)
        acct->slots->prev = s;
    acct->slots = s;
    table_put(&w->slot_table, hash, idx);
    if (acct->disk_store_id == 0 || w->reader.ops == NULL)
        return s;
    uint8_t be[32];
    u256_to_be32(be, key);
    keccak256(&s->hash, be, sizeof be);
    s->hashed = true;
    w->reader.ops->storage(w->reader.ctx, &s->cur, acct->disk_store_id, &s->hash);
    if (acct->fresh) {
        wslot_mark_dirty(w, s); /* block_old = what is stored, should the wipe be undone */
        s->cur = U256_ZERO;
        s->loaded_fresh = true;
    }
    return s;
}

struct wslot *wslot_find(struct world *w, struct wacct *acct, const u256 *key) {
    uint64_t hash = hash_slot(w, acct->idx, key);
    const struct wtable *t = &w->slot_table;
    for (uint32_t pos = (uint32_t)hash & t->mask; t->cells[pos].idx_plus_1 != 0;
         pos = (pos + 1) & t->mask) {
        if (t->cells[pos].tag != (uint32_t)(hash >> 32))
            continue;
        struct wslot *s = wpool_at(&w->slots, t->cells[pos].idx_plus_1 - 1);
        if (s->acct == acct && u256_eq(&s->key, key)) {
            s->used = true;
            return s;
        }
    }
    return slot_load(w, acct, key, hash);
}

/* --- transient storage ---------------------------------------------------------------------- */

/* A cell counts only if the entry it names points back at it, so that dropping all entries needs no
 * clearing of the table. */

static bool transient_cell_is_free(const struct world *w, uint32_t pos) {
    uint32_t i = w->transient_table.cells[pos].idx_plus_1;
    return i == 0 || i > w->transient_count || w->transients[i - 1].pos != pos;
}

static void transient_put(struct world *w, uint32_t idx) {
    struct wtable *t = &w->transient_table;
    struct wtransient *e = &w->transients[idx];
    uint64_t hash = hash_slot(w, e->acct->idx, &e->key);
    uint32_t pos = (uint32_t)hash & t->mask;
    e->pos = UINT32_MAX; /* not yet in the table: no cell may match it */
    while (!transient_cell_is_free(w, pos))
        pos = (pos + 1) & t->mask;
    t->cells[pos] = (struct wcell){(uint32_t)(hash >> 32), idx + 1};
    e->pos = pos;
}

static void transient_grow(struct world *w) {
    struct wtable *t = &w->transient_table;
    uint32_t cells = (t->mask + 1) * 2;
    free(t->cells);
    table_init(t, cells);
    for (uint32_t i = 0; i < w->transient_count; i++)
        w->transients[i].pos = UINT32_MAX;
    for (uint32_t i = 0; i < w->transient_count; i++)
        transient_put(w, i);
}

struct wtransient *wtransient_find(struct world *w, struct wacct *acct, const u256 *key, bool add) {
    if (w->transient_count == 0 && !add)
        return NULL;
    const struct wtable *t = &w->transient_table;
    uint64_t hash = hash_slot(w, acct->idx, key);
    for (uint32_t pos = (uint32_t)hash & t->mask; !transient_cell_is_free(w, pos);
         pos = (pos + 1) & t->mask) {
        struct wtransient *e = &w->transients[t->cells[pos].idx_plus_1 - 1];
        if (e->acct == acct && u256_eq(&e->key, key))
            return e;
    }
    if (!add)
        return NULL;
    if (w->transient_count >= t->mask / 2)
        transient_grow(w);
    if (w->transient_count == w->transient_cap) {
        size_t cap = w->transient_cap;
        w->transients = array_grow(w->transients, &cap, sizeof *w->transients, cap + 1);
        w->transient_cap = (uint32_t)cap;
    }
    uint32_t idx = w->transient_count++;
    w->transients[idx] = (struct wtransient){.key = *key, .acct = acct};
    transient_put(w, idx);
    return &w->transients[idx];
}

void wtransient_reset(struct world *w) {
    w->transient_count = 0;
    if (w->transient_table.mask >= TABLE_CELLS_KEEP) {
        free(w->transient_table.cells);
        table_init(&w->transient_table, TABLE_CELLS_MIN);
    }
}

/* --- code: one entry per hash --------------------------------------------------------------- */

static size_t code_home(const struct world *w, const hash32 *hash) {
    uint64_t v;
    memcpy(&v, hash->b, 8);
    return (size_t)mix(v ^ w->seed[0], w->seed[1] | 1) & w->code_mask;
}

static void code_insert(struct world *w, struct wcode *c) {
    size_t pos = code_home(w, &c->hash);
    while (w->codes[pos] != NULL)
        pos = (pos + 1) & w->code_mask;
    w->codes[pos] = c;
}

static void code_table_resize(struct world *w, size_t cells) {
    struct wcode **old = w->codes;
    size_t old_cells = old == NULL ? 0 : w->code_mask + 1;
    w->codes = calloc(cells, sizeof *w->codes);
    CHECK(w->codes != NULL);
    w->code_mask = cells - 1;
    for (size_t i = 0; i < old_cells; i++)
        if (old[i] != NULL)
            code_insert(w, old[i]);
    free(old);
}

static struct wcode *code_find(const struct world *w, const hash32 *hash) {
    for (size_t pos = code_home(w, hash); w->codes[pos] != NULL; pos = (pos + 1) & w->code_mask)
        if (hash32_eq(&w->codes[pos]->hash, hash))
            return w->codes[pos];
    return NULL;
}

struct wcode *wcode_add(struct world *w, const hash32 *hash, bytes code) {
    struct wcode *c = code_find(w, hash);
    if (c != NULL)
        return c;
    if (w->code_count >= w->code_mask / 2)
        code_table_resize(w, (w->code_mask + 1) * 2);
    c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->hash = *hash;
    c->len = code.len;
    c->ptr = malloc(code.len + 1);
    CHECK(c->ptr != NULL);
    memcpy(c->ptr, code.ptr, code.len);
    code_insert(w, c);
    w->code_count++;
    w->code_bytes += code.len + sizeof *c;
    return c;
}

struct wcode *wcode_load(struct world *w, const hash32 *hash) {
    struct wcode *c = code_find(w, hash);
    if (c != NULL)
        return c;
    bytes code = {NULL, 0};
    CHECK(w->reader.ops != NULL);
    CHECK(w->reader.ops->code(w->reader.ctx, &code, hash));
    CHECK(code.len > 0);
    return wcode_add(w, hash, code);
}

static void code_free(struct world *w, struct wcode *c) {
    w->code_count--;
    w->code_bytes -= c->len + sizeof *c;
    free(c->ptr);
    free(c);
}

/* Frees the codes that no cached account has. */
static void code_sweep(struct world *w) {
    for (size_t i = 0; i <= w->code_mask; i++)
        if (w->codes[i] != NULL && w->codes[i]->refs == 0) {
            code_free(w, w->codes[i]);
            w->codes[i] = NULL;
        }
    code_table_resize(w, w->code_mask + 1); /* closes the gaps in probe runs */
    w->code_orphan_bytes = 0;
    w->code_swept_bytes = w->code_bytes;
}

static void code_reset(struct world *w) {
    if (w->code_count == 0)
        return;
    for (size_t i = 0; i <= w->code_mask; i++)
        if (w->codes[i] != NULL) {
            code_free(w, w->codes[i]);
            w->codes[i] = NULL;
        }
    w->code_orphan_bytes = w->code_swept_bytes = 0;
}

/* --- whole ---------------------------------------------------------------------------------- */

void wcache_init(struct world *w) {
    /* Only the shape of the tables depends on the seed, never a result. */
    CHECK(getrandom(w->seed, sizeof w->seed, 0) == (ssize_t)sizeof w->seed);
    w->accounts.obj_bytes = sizeof(struct wacct);
    w->slots.obj_bytes = sizeof(struct wslot);
    table_init(&w->account_table, TABLE_CELLS_MIN);
    table_init(&w->slot_table, TABLE_CELLS_MIN);
    table_init(&w->transient_table, TABLE_CELLS_MIN);
    code_table_resize(w, CODE_CELLS_MIN);
    arena_init(&w->tx_arena, 64 << 10, LOG_DATA_MAX_BYTES);
    arena_init(&w->block_arena, 64 << 10, SIZE_MAX);
}

void wcache_clear(struct world *w) {
    code_reset(w);
    free(w->codes);
    pool_clear(&w->accounts);
    pool_clear(&w->slots);
    free(w->account_table.cells);
    free(w->slot_table.cells);
    free(w->transient_table.cells);
    free(w->transients);
    free(w->journal);
    free(w->touched.at);
    free(w->destroyed.at);
    free(w->dirty_accounts.at);
    free(w->dirty_slots.at);
    free(w->logs);
    free(w->log_marks);
    arena_clear(&w->tx_arena);
    arena_clear(&w->block_arena);
}

void wcache_reset(struct world *w) {
    code_reset(w);
    pool_reset(&w->accounts, SLABS_KEEP);
    pool_reset(&w->slots, SLABS_KEEP);
    table_reset(&w->account_table);
    table_reset(&w->slot_table);
    w->last = NULL;
    w->account_hand = w->slot_hand = 0;
}

/* --- trimming: a clock hand over slots and one over accounts -------------------------------- */

static void slot_evict(struct world *w, struct wslot *s) {
    table_remove(&w->slot_table, hash_slot(w, s->acct->idx, &s->key), s->idx, hash_of_slot, w);
    if (s->next != NULL)
        s->next->prev = s->prev;
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        s->acct->slots = s->next;
    s->acct = NULL;
    pool_give(&w->slots, s->idx);
}

/* False when slots keep it. */
static bool account_evict(struct world *w, struct wacct *a) {
    if (a->slots != NULL)
        return false;
    table_remove(&w->account_table, hash_addr(w, &a->addr), a->idx, hash_of_account, w);
    struct wcode *code = a->code;
    wacct_set_code_ref(a, NULL);
    if (code != NULL && code->refs == 0)
        w->code_orphan_bytes += code->len;
    a->live = false;
    pool_give(&w->accounts, a->idx);
    return true;
}

static size_t cached_bytes(const struct world *w) {
    /* An entry and its cell; a table that has grown is at least 3/8 full. Codes that wait for the
     * next sweep count as gone. */
    size_t orphans = w->code_orphan_bytes < w->code_bytes ? w->code_orphan_bytes : w->code_bytes;
    return (size_t)pool_live(&w->slots) * (sizeof(struct wslot) + 2 * sizeof(struct wcell)) +
           (size_t)pool_live(&w->accounts) * (sizeof(struct wacct) + 2 * sizeof(struct wcell)) +
           w->code_bytes - orphans;
}

static size_t pool_bytes(const struct wpool *p) {
    return (size_t)p->slab_count * WPOOL_SLAB_OBJECTS * p->obj_bytes +
           p->slab_cap * sizeof *p->slabs + p->free_cap * sizeof *p->free_list;
}

static size_t table_bytes(const struct wtable *t) {
    return ((size_t)t->mask + 1) * sizeof *t->cells;
}

size_t world_bytes(const struct world *w) {
    return pool_bytes(&w->accounts) + pool_bytes(&w->slots) + table_bytes(&w->account_table) +
           table_bytes(&w->slot_table) + table_bytes(&w->transient_table) + w->code_bytes +
           w->tx_arena.total_bytes + w->block_arena.total_bytes;
}

static void clock_step_slots(struct world *w) {
    w->slot_hand = (w->slot_hand + 1) % w->slots.used;
    struct wslot *s = wpool_at(&w->slots, w->slot_hand);
    if (s->acct != NULL && !s->used)
        slot_evict(w, s);
    else
        s->used = false;
}

static void clock_step_accounts(struct world *w) {
    w->account_hand = (w->account_hand + 1) % w->accounts.used;
    struct wacct *a = wpool_at(&w->accounts, w->account_hand);
    if (!a->live || a->used || !account_evict(w, a))
        a->used = false;
}

/* What is held never shrinks: by as much as it has passed the budget more is dropped, so that the
 * next block finds room in what is held. */
static size_t trim_target(const struct world *w, size_t budget) {
    size_t held = world_bytes(w), over = held > budget ? held - budget : 0;
    return over < budget / 2 ? budget - over : budget / 2;
}

void world_trim(struct world *w, size_t budget_bytes) {
    CHECK(w->dirty_accounts.count == 0);
    if (w->code_bytes > w->code_swept_bytes + w->code_swept_bytes / 4 + CODE_SWEEP_BYTES)
        code_sweep(w);
    budget_bytes = trim_target(w, budget_bytes);
    if (cached_bytes(w) <= budget_bytes)
        return;
    w->last = NULL;
    /* One round of a hand takes the marks away, the second the entries; accounts may need one more
     * after their last slot went. Four slot steps per account step: slots come and go faster. */
    uint64_t steps = 3 * ((uint64_t)w->slots.used + 4 * (uint64_t)w->accounts.used) + 8;
    for (; steps > 0 && cached_bytes(w) > budget_bytes; steps--) {
        if (w->slots.used > 0)
            clock_step_slots(w);
        if (w->accounts.used > 0 && steps % 4 == 0)
            clock_step_accounts(w);
    }
    if (w->code_orphan_bytes > CODE_SWEEP_BYTES)
        code_sweep(w);
}
