/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the world agrees with a plain model - whole-state copies for snapshots, transactions and
 * blocks - in every read, and its diffs turn a flat store into the model's state. Method: random
 * operations over few accounts and slots, so that they collide; trims, resets and abandoned blocks
 * between. */
#include "state/world.h"
#include "base/keccak.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

enum { ACCTS = 7, SLOTS = 5, CODES = 4, DISK_ROWS = 4096, SNAPS = 16 };

struct m_acct {
    bool exists, touched, destroyed, created, warm, wiped;
    uint64_t nonce, balance;
    int code; /* 0 = none */
    uint64_t slot[SLOTS], orig[SLOTS], transient[SLOTS];
    bool slot_warm[SLOTS];
};
struct m_state {
    struct m_acct a[ACCTS];
    int logs;
};

/* The flat store that diffs go to. */
struct disk {
    struct account acc[ACCTS];
    bool exists[ACCTS];
    struct {
        uint64_t id;
        hash32 slot_hash;
        u256 value;
    } row[DISK_ROWS];
    size_t rows;
};

struct fixture {
    struct rng rng;
    struct world *w;
    struct m_state cur, block_start;
    struct disk disk;
    uint64_t block_num;
};

static addr20 addr_of(size_t i) {
    return (addr20){{(uint8_t)(i * 37), 1, 2, (uint8_t)i}};
}
static u256 slot_of(size_t i) {
    return i % 2 == 0 ? u256_from_u64(i) : (u256){{i, UINT64_MAX, 3, UINT64_C(1) << 63}};
}
static bytes code_of(int c) {
    static const char *const text[CODES] = {"", "one", "two two", "three three three"};
    return bytes_of(text[c], strlen(text[c]));
}
static hash32 slot_hash_of(size_t i) {
    uint8_t be[32];
    u256 s = slot_of(i);
    u256_to_be32(be, &s);
    return keccak256_bytes(bytes_of(be, 32));
}

static bool disk_account(void *ctx, struct account *out, const hash32 *addr_hash) {
    const struct disk *d = ctx;
    for (size_t i = 0; i < ACCTS; i++) {
        addr20 a = addr_of(i);
        hash32 h = keccak256_bytes(bytes_of(a.b, 20));
        if (hash32_eq(&h, addr_hash)) {
            *out = d->acc[i];
            return d->exists[i];
        }
    }
    return false;
}
static void disk_storage(void *ctx, u256 *out, uint64_t store_id, const hash32 *slot_hash) {
    const struct disk *d = ctx;
    *out = U256_ZERO;
    for (size_t i = 0; i < d->rows; i++)
        if (d->row[i].id == store_id && hash32_eq(&d->row[i].slot_hash, slot_hash))
            *out = d->row[i].value;
}
static bool disk_code(void *ctx, bytes *out, const hash32 *code_hash) {
    (void)ctx;
    for (int c = 1; c < CODES; c++) {
        hash32 h = keccak256_bytes(code_of(c));
        *out = code_of(c);
        if (hash32_eq(&h, code_hash))
            return true;
    }
    return false;
}
static const struct state_reader_ops DISK_OPS = {disk_account, disk_storage, disk_code};

static void disk_set(struct disk *d, uint64_t id, const hash32 *slot_hash, const u256 *v) {
    for (size_t i = 0; i < d->rows; i++)
        if (d->row[i].id == id && hash32_eq(&d->row[i].slot_hash, slot_hash)) {
            d->row[i].value = *v;
            return;
        }
    cr_assert_lt(d->rows, DISK_ROWS);
    d->row[d->rows].id = id;
    d->row[d->rows].slot_hash = *slot_hash;
    d->row[d->rows++].value = *v;
}

/* --- the model's rules ---------------------------------------------------------------------- */

static bool m_empty(const struct m_acct *a) {
    return a->nonce == 0 && a->balance == 0 && a->code == 0;
}
static void m_delete(struct m_acct *a) {
    bool warm = a->warm;
    memset(a, 0, sizeof *a);
    a->warm = warm;
    a->wiped = true;
}
static void m_tx_end(struct m_state *m) {
    for (size_t i = 0; i < ACCTS; i++) {
        struct m_acct *a = &m->a[i];
        if (a->destroyed)
            m_delete(a);
        if (a->exists && a->touched && m_empty(a))
            m_delete(a);
        a->touched = a->destroyed = a->created = a->warm = false;
        memcpy(a->orig, a->slot, sizeof a->slot);
        memset(a->transient, 0, sizeof a->transient);
        memset(a->slot_warm, 0, sizeof a->slot_warm);
    }
}
static void m_create(struct m_acct *a) {
    a->exists = a->touched = a->created = a->wiped = true;
    a->nonce = 1;
    a->code = 0;
    memset(a->slot, 0, sizeof a->slot);
    memset(a->orig, 0, sizeof a->orig);
}

/* --- comparing ------------------------------------------------------------------------------ */

static void compare_account(struct fixture *f, size_t i) {
    const struct m_acct *m = &f->cur.a[i];
    addr20 a = addr_of(i);
    cr_assert_eq(world_exists(f->w, &a), m->exists, "exists %zu", i);
    cr_assert_eq(world_is_empty(f->w, &a), m_empty(m), "empty %zu", i);
    u256 b = world_balance(f->w, &a);
    cr_assert(u256_fits_u64(&b) && b.w[0] == m->balance, "balance %zu", i);
    cr_assert_eq(world_nonce(f->w, &a), m->nonce, "nonce %zu", i);
    bytes code = world_code(f->w, &a), want = code_of(m->code);
    cr_assert(code.len == want.len && (want.len == 0 || memcmp(code.ptr, want.ptr, want.len) == 0));
    hash32 h = world_code_hash(f->w, &a), wh = keccak256_bytes(want);
    cr_assert(hash32_eq(&h, &wh));
    cr_assert_eq(world_created_in_tx(f->w, &a), m->created, "created %zu", i);
    bool any = false;
    for (size_t s = 0; s < SLOTS; s++) {
        u256 slot = slot_of(s);
        u256 v = world_storage(f->w, &a, &slot), t = world_transient(f->w, &a, &slot), o, again;
        uint32_t snap = world_snapshot(f->w);
        (void)world_sstore_peek(f->w, &o, &again, &a, &slot);
        world_revert(f->w, snap); /* the warm marks */
        cr_assert(u256_eq(&again, &v));
        cr_assert_eq(v.w[0], m->slot[s], "slot %zu.%zu: %lu, not %lu", i, s, v.w[0], m->slot[s]);
        cr_assert_eq(o.w[0], m->orig[s], "original %zu.%zu", i, s);
        cr_assert_eq(t.w[0], m->transient[s], "transient %zu.%zu", i, s);
        any |= m->slot[s] != 0;
    }
    /* May say true for storage that this block emptied slot by slot. */
    cr_assert(world_has_storage(f->w, &a) || !any);
}

/* One random change; sometimes a comparison, so that both loaded and unloaded slots occur. */
static void change(struct fixture *f) {
    struct rng *r = &f->rng;
    size_t i = rng_below(r, ACCTS), s = rng_below(r, SLOTS);
    struct m_acct *m = &f->cur.a[i];
    addr20 a = addr_of(i);
    u256 slot = slot_of(s), v = u256_from_u64(rng_below(r, 4));
    switch (rng_below(r, 14)) {
    case 0:
        world_touch(f->w, &a);
        m->exists = m->touched = true;
        break;
    case 1:
        world_set_balance(f->w, &a, &v);
        m->exists = true;
        m->balance = v.w[0];
        break;
    case 2:
        world_add_balance(f->w, &a, &v);
        m->exists = m->touched = true;
        m->balance += v.w[0];
        break;
    case 3:
        if (world_sub_balance(f->w, &a, &v)) {
            cr_assert(m->balance >= v.w[0]);
            if (v.w[0] > 0)
                m->exists = m->touched = true;
            m->balance -= v.w[0];
        } else {
            cr_assert(m->balance < v.w[0]);
        }
        break;
    case 4:
        world_set_nonce(f->w, &a, v.w[0]);
        m->exists = true;
        m->nonce = v.w[0];
        break;
    case 5:
        m->code = (int)rng_below(r, CODES);
        m->exists = true;
        world_set_code(f->w, &a, code_of(m->code));
        break;
    case 6:
    case 7:
    case 8:
        world_set_storage(f->w, &a, &slot, &v);
        if (m->slot[s] != v.w[0])
            m->exists = true;
        m->slot[s] = v.w[0];
        break;
    case 9:
        world_set_transient(f->w, &a, &slot, &v);
        m->transient[s] = v.w[0];
        break;
    case 10:
        cr_assert_eq(world_warm_account(f->w, &a), !m->warm);
        m->warm = true;
        break;
    case 11: {
        u256 o, c;
        cr_assert_eq(world_sstore_peek(f->w, &o, &c, &a, &slot), !m->slot_warm[s]);
        cr_assert_eq(o.w[0], m->orig[s]);
        cr_assert_eq(c.w[0], m->slot[s]);
        m->slot_warm[s] = true;
        break;
    }
    case 12:
        if (rng_below(r, 3) == 0) {
            world_create(f->w, &a);
            m_create(m);
        }
        break;
    case 13:
        if (rng_below(r, 3) == 0) {
            world_destroy(f->w, &a);
            m->destroyed = true;
        } else {
            world_add_log(f->w, &a, NULL, 0, code_of(3));
            f->cur.logs++;
        }
        break;
    }
    if (rng_below(r, 5) == 0)
        compare_account(f, rng_below(r, ACCTS));
}

static void run_tx(struct fixture *f) {
    struct m_state snap[SNAPS];
    uint32_t snap_id[SNAPS];
    size_t depth = 0;
    world_tx_begin(f->w);
    f->cur.logs = 0;
    size_t steps = rng_below(&f->rng, 40);
    for (size_t k = 0; k < steps; k++) {
        uint64_t what = rng_below(&f->rng, 10);
        if (what == 0 && depth < SNAPS) {
            snap[depth] = f->cur;
            snap_id[depth++] = world_snapshot(f->w);
        } else if (what == 1 && depth > 0) {
            depth -= rng_below(&f->rng, depth) + 1;
            f->cur = snap[depth];
            world_revert(f->w, snap_id[depth]);
        } else {
            change(f);
        }
    }
    size_t n;
    (void)world_logs(f->w, &n);
    cr_assert_eq(n, (size_t)f->cur.logs);
    world_tx_end(f->w);
    m_tx_end(&f->cur);
}

/* --- diffs ---------------------------------------------------------------------------------- */

static size_t index_of(const addr20 *addr) {
    for (size_t i = 0; i < ACCTS; i++) {
        addr20 a = addr_of(i);
        if (addr20_eq(&a, addr))
            return i;
    }
    cr_assert(false);
    return 0;
}

static void check_change(struct fixture *f, const struct world_account_change *c) {
    size_t i = index_of(&c->addr);
    const struct m_acct *old = &f->block_start.a[i], *now = &f->cur.a[i];
    cr_assert_eq(c->existed, old->exists);
    cr_assert_eq(c->exists, now->exists);
    cr_assert_eq(c->wiped, old->exists && now->wiped && f->disk.acc[i].store_id != 0);
    if (c->existed)
        cr_assert_eq(c->before.store_id, f->disk.acc[i].store_id);
    if (c->wiped)
        cr_assert_neq(c->after.store_id, c->before.store_id);
    if (c->new_code.len > 0)
        cr_assert_eq(c->new_code.len, code_of(now->code).len);
    else
        cr_assert(now->code == 0 || (old->exists && now->code == old->code));
    hash32 last = {{0}};
    for (size_t k = 0; k < c->slot_count; k++) {
        const struct world_slot_change *sc = &c->slots[k];
        cr_assert(memcmp(last.b, sc->slot_hash.b, 32) < 0);
        last = sc->slot_hash;
        cr_assert(!u256_eq(&sc->old_value, &sc->new_value));
        u256 had = U256_ZERO;
        if (!c->wiped)
            disk_storage(&f->disk, &had, f->disk.acc[i].store_id, &sc->slot_hash);
        cr_assert(u256_eq(&had, &sc->old_value));
    }
}

static void apply_change(struct fixture *f, struct world_account_change *c) {
    size_t i = index_of(&c->addr);
    struct disk *d = &f->disk;
    check_change(f, c);
    if (c->wiped)
        for (size_t k = 0; k < d->rows; k++)
            if (d->row[k].id == d->acc[i].store_id)
                d->row[k--] = d->row[--d->rows];
    bool any = false;
    if (c->exists)
        for (size_t s = 0; s < SLOTS; s++)
            any |= f->cur.a[i].slot[s] != 0;
    c->after.storage_root = KECCAK_EMPTY_TRIE;
    if (any)
        c->after.storage_root.b[0] ^= 1;
    for (size_t k = 0; k < c->slot_count; k++)
        disk_set(d, c->after.store_id, &c->slots[k].slot_hash, &c->slots[k].new_value);
    d->exists[i] = c->exists;
    d->acc[i] = c->exists ? c->after : (struct account){.store_id = 0};
}

static void end_block(struct fixture *f) {
    struct arena a;
    struct world_diff diff;
    arena_init(&a, 1 << 16, SIZE_MAX);
    world_block_end(f->w, &a, &diff);
    for (size_t k = 0; k < diff.count; k++) {
        if (k > 0)
            cr_assert(memcmp(diff.accounts[k - 1].addr_hash.b, diff.accounts[k].addr_hash.b, 32) <
                      0);
        apply_change(f, &diff.accounts[k]);
    }
    world_set_storage_roots(f->w, &diff);
    arena_clear(&a);
    /* The store now equals the model. */
    for (size_t i = 0; i < ACCTS; i++) {
        const struct m_acct *m = &f->cur.a[i];
        const struct account *d = &f->disk.acc[i];
        cr_assert_eq(f->disk.exists[i], m->exists);
        if (!m->exists)
            continue;
        cr_assert(d->nonce == m->nonce && d->balance.w[0] == m->balance);
        hash32 ch = keccak256_bytes(code_of(m->code));
        cr_assert(hash32_eq(&ch, &d->code_hash));
        for (size_t s = 0; s < SLOTS; s++) {
            hash32 sh = slot_hash_of(s);
            u256 v = U256_ZERO;
            if (d->store_id != 0)
                disk_storage(&f->disk, &v, d->store_id, &sh);
            cr_assert_eq(v.w[0], m->slot[s], "stored %zu.%zu", i, s);
        }
    }
}

static void run_block(struct fixture *f) {
    struct rng *r = &f->rng;
    for (size_t i = 0; i < ACCTS; i++)
        f->cur.a[i].wiped = false;
    f->block_start = f->cur;
    world_block_begin(f->w, f->block_num++);
    size_t txs = rng_below(r, 5);
    for (size_t t = 0; t < txs; t++)
        run_tx(f);
    if (rng_below(r, 6) == 0) {
        world_block_abandon(f->w);
        f->cur = f->block_start;
    } else {
        end_block(f);
    }
    if (rng_below(r, 3) == 0)
        for (size_t i = 0; i < ACCTS; i++)
            compare_account(f, i);
    if (rng_below(r, 4) == 0)
        world_trim(f->w, rng_below(r, 3000));
    if (rng_below(r, 10) == 0)
        world_reset(f->w, (struct state_reader){&DISK_OPS, &f->disk});
}

Test(world_block, random_histories_agree_with_a_model, .timeout = 120) {
    uint64_t seed = rng_seed(20240611);
    static struct fixture f;
    for (uint64_t round = 0; round < 60; round++) {
        memset(&f, 0, sizeof f);
        f.rng.state = seed + round;
        f.w = world_new((struct state_reader){&DISK_OPS, &f.disk});
        for (int b = 0; b < 100; b++) {
            run_block(&f);
        }
        world_free(f.w);
    }
}

Test(world_block, store_ids_follow_the_order_of_hashes) {
    struct world *w = world_new((struct state_reader){NULL, NULL});
    struct arena a;
    struct world_diff diff;
    arena_init(&a, 1 << 16, SIZE_MAX);
    world_block_begin(w, 3);
    u256 one = U256_ONE;
    for (size_t i = 0; i < 200; i++) {
        addr20 addr = addr_of(i);
        addr.b[19] = (uint8_t)(i >> 8);
        world_set_nonce(w, &addr, 1);
        for (size_t s = 0; s < i % 3; s++) {
            u256 slot = u256_from_u64(s);
            world_set_storage(w, &addr, &slot, &one);
        }
    }
    world_block_end(w, &a, &diff);
    uint64_t next = 1;
    for (size_t i = 0; i < diff.count; i++) {
        const struct world_account_change *c = &diff.accounts[i];
        cr_assert_eq(c->after.store_id, c->slot_count == 0 ? 0 : (UINT64_C(3) << 20 | next++));
    }
    cr_assert_gt(next, 100);
    arena_clear(&a);
    world_free(w);
}
