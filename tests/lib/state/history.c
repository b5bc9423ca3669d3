/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/history.h"

#include "base/check.h"
#include "base/keccak.h"
#include "tests/lib/state/store_fixture.h"

#include <pthread.h>
#include <stdio.h>

/* --- the universe --------------------------------------------------------------------------- */

static hash32 addr_hashes[HISTORY_ACCOUNTS], slot_hashes[HISTORY_SLOTS];
static pthread_once_t hashes_once = PTHREAD_ONCE_INIT;

static addr20 addr_of(size_t i) {
    addr20 a = {{0}};
    a.b[0] = 0xaa;
    be32_store(a.b + 16, (uint32_t)i);
    return a;
}

static void make_hashes(void) {
    for (size_t i = 0; i < HISTORY_ACCOUNTS; i++) {
        addr20 a = addr_of(i);
        keccak256(&addr_hashes[i], a.b, sizeof a.b);
    }
    for (size_t i = 0; i < HISTORY_SLOTS; i++) {
        uint8_t be[32];
        u256 slot = u256_from_u64(i);
        u256_to_be32(be, &slot);
        keccak256(&slot_hashes[i], be, 32);
    }
}

const hash32 *history_addr_hash(size_t account) {
    pthread_once(&hashes_once, make_hashes);
    return &addr_hashes[account];
}
const hash32 *history_slot_hash(size_t slot) {
    pthread_once(&hashes_once, make_hashes);
    return &slot_hashes[slot];
}

static void pool_key(size_t i, uint8_t out[32]) {
    memset(out, 0x5a, 32);
    be64_store(out, (uint64_t)i * 0x0101010101010101ULL);
}

/* --- the model ------------------------------------------------------------------------------ */

static void versions_push(struct history_versions *v, const struct history_version *n) {
    if (v->count > 0 && v->at[v->count - 1].block == n->block) {
        v->at[v->count - 1] = *n;
        return;
    }
    if (v->count == v->cap) {
        v->cap = v->cap == 0 ? 8 : 2 * v->cap;
        v->at = realloc(v->at, v->cap * sizeof *v->at);
        CHECK(v->at != NULL);
    }
    v->at[v->count++] = *n;
}

static const struct history_version *versions_at(const struct history_versions *v, uint64_t block) {
    size_t n = v->count;
    while (n > 0 && v->at[n - 1].block > block)
        n--;
    return n == 0 || !v->at[n - 1].present ? NULL : &v->at[n - 1];
}

static void versions_cut(struct history_versions *v, uint64_t block) {
    while (v->count > 0 && v->at[v->count - 1].block > block)
        v->count--;
}

typedef void (*versions_fn)(struct history_versions *v, uint64_t block);
static void versions_free(struct history_versions *v, uint64_t block) {
    (void)block;
    free(v->at);
}

static void model_each(struct history_model *m, versions_fn fn, uint64_t block) {
    for (size_t i = 0; i < HISTORY_ACCOUNTS; i++) {
        fn(&m->accounts[i], block);
        for (size_t s = 0; s < HISTORY_SLOTS; s++)
            fn(&m->slots[i][s], block);
    }
    for (size_t i = 0; i < HISTORY_POOL; i++)
        fn(&m->pool[i], block);
}

static size_t account_index(const addr20 *a) {
    return be32_load(a->b + 16);
}

static void model_diff(struct history_model *m, uint64_t block, const struct world_diff *diff) {
    for (size_t i = 0; i < diff->count; i++) {
        const struct world_account_change *c = &diff->accounts[i];
        size_t a = account_index(&c->addr);
        CHECK(a < HISTORY_ACCOUNTS);
        struct history_version v = {.block = block, .present = c->exists};
        if (c->exists)
            v.as.account = c->after;
        versions_push(&m->accounts[a], &v);
        if (c->wiped || !c->exists)
            for (size_t s = 0; s < HISTORY_SLOTS; s++)
                if (versions_at(&m->slots[a][s], block) != NULL)
                    versions_push(&m->slots[a][s], &(struct history_version){.block = block});
        for (size_t s = 0; s < c->slot_count; s++) {
            size_t slot = (size_t)c->slots[s].slot.w[0];
            CHECK(slot < HISTORY_SLOTS);
            struct history_version w = {.block = block,
                                        .present = !u256_is_zero(&c->slots[s].new_value)};
            w.as.value = c->slots[s].new_value;
            versions_push(&m->slots[a][slot], &w);
        }
    }
}

/* --- blocks --------------------------------------------------------------------------------- */

void history_open(struct history *h, struct store *s, size_t trie_budget_bytes, bool with_model) {
    memset(h, 0, sizeof *h);
    h->store = s;
    CHECK(store_view_open(&h->self, s, UINT64_MAX) == ERR_OK);
    h->world = world_new(store_state_reader(h->self));
    h->trie = state_trie_new(store_trie_source(h->self), trie_budget_bytes);
    arena_init(&h->arena, 1 << 16, 1 << 28);
    uint64_t head = store_head(s);
    h->count = head == STORE_NO_BLOCK ? 0 : (size_t)head + 1;
    h->cap = h->count + 1024;
    h->blocks = calloc(h->cap, sizeof *h->blocks);
    CHECK(h->blocks != NULL);
    if (with_model) {
        CHECK(h->count == 0);
        h->model = calloc(1, sizeof *h->model);
        CHECK(h->model != NULL);
    }
}

void history_close(struct history *h) {
    state_trie_free(h->trie);
    world_free(h->world);
    store_view_close(h->self);
    arena_clear(&h->arena);
    if (h->model != NULL)
        model_each(h->model, versions_free, 0);
    free(h->model);
    free(h->blocks);
}

/* One transaction: a few changes to one or two accounts. */
static void transact(struct world *w, struct fixture_rng *r) {
    world_tx_begin(w);
    for (uint64_t n = 1 + fixture_rng_below(r, 3); n > 0; n--) {
        /* Few accounts are busy, most are rare. */
        size_t i = fixture_rng_below(r, fixture_rng_below(r, 2) == 0 ? 20 : HISTORY_ACCOUNTS);
        addr20 a = addr_of(i);
        u256 v = u256_from_u64(fixture_rng_next(r) >> fixture_rng_below(r, 60));
        u256 slot = u256_from_u64(fixture_rng_below(r, HISTORY_SLOTS));
        switch (fixture_rng_below(r, 12)) {
        case 0: /* a new contract where none is */
            if (world_nonce(w, &a) == 0 && !world_has_storage(w, &a)) {
                uint8_t code[40];
                fixture_rng_fill(r, code, sizeof code);
                code[0] = (uint8_t)(code[0] % 4); /* some codes are shared, some are new */
                world_create(w, &a);
                world_set_code(w, &a, bytes_of(code, code[0] == 0 ? 1 : sizeof code));
                for (uint64_t k = fixture_rng_below(r, 6); k > 0; k--) {
                    slot = u256_from_u64(fixture_rng_below(r, HISTORY_SLOTS));
                    world_set_storage(w, &a, &slot, &v);
                }
            }
            break;
        case 1:
            if (fixture_rng_below(r, 4) == 0 && world_exists(w, &a))
                world_destroy(w, &a);
            break;
        case 2:
            world_touch(w, &a); /* goes if it is empty */
            break;
        case 3:
        case 4:
            world_set_balance(w, &a, &v);
            break;
        case 5:
            world_set_nonce(w, &a, world_nonce(w, &a) + 1);
            break;
        default:
            if (world_nonce(w, &a) == 0)
                world_set_nonce(w, &a, 1);
            if (fixture_rng_below(r, 3) == 0)
                v = U256_ZERO;
            world_set_storage(w, &a, &slot, &v);
        }
    }
    world_tx_end(w);
}

static void put_pool(struct history *h, uint64_t block, struct fixture_rng *r) {
    for (uint64_t n = fixture_rng_below(r, 5); n > 0; n--) {
        uint8_t key[32], value[32];
        size_t i = fixture_rng_below(r, HISTORY_POOL);
        pool_key(i, key);
        struct history_version v = {.block = block, .present = fixture_rng_below(r, 3) != 0};
        v.as.value =
            u256_from_u64(fixture_rng_below(r, 4)); /* often the value that is there already */
        u256_to_be32(value, &v.as.value);
        if (v.present)
            store_put(h->store, TABLE_TXL, bytes_of(key, 32),
                      bytes_of(value, 12 + (size_t)v.as.value.w[0]));
        else
            store_del(h->store, TABLE_TXL, bytes_of(key, 32));
        if (h->model != NULL)
            versions_push(&h->model->pool[i], &v);
    }
}

/* Look-up rows as the index writes them. */
static void put_lookups(struct history *h, const struct history_block *b, uint64_t block,
                        struct fixture_rng *r) {
    uint8_t number[8], value[64];
    be64_store(number, block);
    memcpy(value, b->root.b, 32);
    memcpy(value + 32, b->hash.b, 32);
    store_put(h->store, TABLE_HDR, bytes_of(number, 8), bytes_of(value, 64));
    store_put(h->store, TABLE_HNUM, bytes_of(b->hash.b, 32), bytes_of(number, 8));
    store_put(h->store, TABLE_BODY, bytes_of(number, 8), bytes_of(number, 8));
    for (uint64_t n = fixture_rng_below(r, 4); n > 0; n--) {
        uint8_t tx[32], row[12], topic[40];
        fixture_rng_fill(r, tx, 32);
        memcpy(row, number, 8);
        be32_store(row + 8, (uint32_t)n);
        store_put(h->store, TABLE_TXL, bytes_of(tx, 32), bytes_of(row, 12));
        memset(topic, (int)fixture_rng_below(r, 9), 32);
        memcpy(topic + 32, number, 8);
        store_put(h->store, TABLE_LOGA, bytes_of(topic, 40), bytes_of(NULL, 0));
    }
    put_pool(h, block, r);
}

void history_apply(struct history *h, uint64_t content, const struct store_applied *at) {
    uint64_t block = h->count;
    struct fixture_rng r = fixture_rng_of(content ^ block << 40);
    if (h->count == h->cap) {
        h->cap *= 2;
        h->blocks = realloc(h->blocks, h->cap * sizeof *h->blocks);
        CHECK(h->blocks != NULL);
    }
    struct history_block b = {.content = content};
    world_block_begin(h->world, block);
    for (uint64_t n = block == 0 ? 150 : 1 + fixture_rng_below(&r, 4); n > 0; n--)
        transact(h->world, &r);
    struct world_diff diff;
    world_block_end(h->world, &h->arena, &diff);
    state_trie_apply(h->trie, &diff, &b.root);
    world_set_storage_roots(h->world, &diff);
    uint8_t seed[72] = {0};
    if (block > 0)
        memcpy(seed, h->blocks[block - 1].hash.b, 32);
    memcpy(seed + 32, b.root.b, 32);
    be64_store(seed + 64, content);
    keccak256(&b.hash, seed, sizeof seed);

    store_block_begin(h->store, block);
    store_put_diff(h->store, &diff);
    state_trie_take_rows(h->trie, store_put_trie_row, h->store);
    put_lookups(h, &b, block, &r);
    struct store_applied applied = {
        .block = block, .state_root = b.root, .block_hash = b.hash, .seq = block + 1};
    if (at != NULL) {
        applied.epoch = at->epoch;
        applied.seq = at->seq;
    }
    store_block_commit(h->store, &applied);
    state_trie_trim(h->trie);
    if (h->model != NULL)
        model_diff(h->model, block, &diff);
    arena_reset(&h->arena);
    h->blocks[h->count++] = b;
}

void history_unwind(struct history *h, uint64_t to_block, uint64_t epoch, uint64_t seq) {
    CHECK(to_block < h->count);
    const struct history_block *b = &h->blocks[to_block];
    struct store_applied at = {.epoch = epoch,
                               .seq = seq,
                               .block = to_block,
                               .state_root = b->root,
                               .block_hash = b->hash};
    struct err_ctx ec = {0};
    enum err e = store_unwind(h->store, to_block, &at, &ec);
    if (e != ERR_OK)
        (void)fprintf(stderr, "unwind: %s\n", ec.text);
    CHECK(e == ERR_OK);
    h->count = (size_t)to_block + 1;
    world_reset(h->world, store_state_reader(h->self));
    state_trie_reset(h->trie);
    if (h->model != NULL)
        model_each(h->model, versions_cut, to_block);
}

/* --- checks --------------------------------------------------------------------------------- */

static bool same_account(const struct account *a, const struct account *b) {
    return a->nonce == b->nonce && u256_eq(&a->balance, &b->balance) &&
           hash32_eq(&a->code_hash, &b->code_hash) &&
           hash32_eq(&a->storage_root, &b->storage_root) && a->store_id == b->store_id;
}

static size_t check_account(const struct history *h, struct store_view *v, size_t i) {
    uint64_t block = store_view_block(v);
    struct state_reader reader = store_state_reader(v);
    const struct history_version *want = versions_at(&h->model->accounts[i], block);
    struct account got;
    bool found = reader.ops->account(reader.ctx, &got, history_addr_hash(i));
    if (found != (want != NULL) || (found && !same_account(&got, &want->as.account))) {
        (void)fprintf(stderr, "block %llu: account %zu differs\n", (unsigned long long)block, i);
        return 1;
    }
    if (!found)
        return 0;
    size_t bad = 0;
    bytes code;
    if (!hash32_eq(&got.code_hash, &KECCAK_EMPTY)) {
        bool have = reader.ops->code(reader.ctx, &code, &got.code_hash);
        hash32 hash = {{0}};
        if (have)
            hash = keccak256_bytes(code);
        bad += !hash32_eq(&hash, &got.code_hash);
    }
    for (size_t s = 0; s < HISTORY_SLOTS; s++) {
        const struct history_version *w = versions_at(&h->model->slots[i][s], block);
        u256 value;
        reader.ops->storage(reader.ctx, &value, got.store_id, history_slot_hash(s));
        if (!u256_eq(&value, w != NULL ? &w->as.value : &U256_ZERO)) {
            (void)fprintf(stderr, "block %llu: slot %zu of account %zu differs\n",
                          (unsigned long long)block, s, i);
            bad++;
        }
    }
    return bad;
}

static size_t check_pool(const struct history *h, struct store_view *v, size_t i) {
    uint8_t key[32], value[32];
    bytes got;
    pool_key(i, key);
    const struct history_version *want = versions_at(&h->model->pool[i], store_view_block(v));
    bool found = store_get(v, TABLE_TXL, bytes_of(key, 32), &got);
    if (want != NULL)
        u256_to_be32(value, &want->as.value);
    if (found == (want != NULL) &&
        (!found || (got.len == 12 + want->as.value.w[0] && memcmp(got.ptr, value, got.len) == 0)))
        return 0;
    (void)fprintf(stderr, "block %llu: pool row %zu differs\n",
                  (unsigned long long)store_view_block(v), i);
    return 1;
}

size_t history_check_view(const struct history *h, struct store_view *v, struct fixture_rng *r,
                          size_t samples) {
    size_t bad = 0;
    for (size_t i = 0; i < (samples != 0 ? samples : HISTORY_ACCOUNTS); i++)
        bad += check_account(h, v, samples != 0 ? fixture_rng_below(r, HISTORY_ACCOUNTS) : i);
    for (size_t i = 0; i < (samples != 0 ? samples : HISTORY_POOL); i++)
        bad += check_pool(h, v, samples != 0 ? fixture_rng_below(r, HISTORY_POOL) : i);
    uint64_t block = store_view_block(v);
    uint8_t number[8];
    be64_store(number, block);
    bytes row;
    bad += !store_get(v, TABLE_HDR, bytes_of(number, 8), &row) ||
           memcmp(row.ptr, h->blocks[block].root.b, 32) != 0;
    bad += !store_get(v, TABLE_HNUM, bytes_of(h->blocks[block].hash.b, 32), &row) ||
           be64_load(row.ptr) != block;
    be64_store(number, block + 1);
    bad += store_get(v, TABLE_HDR, bytes_of(number, 8), &row);
    if (block + 1 < h->count)
        bad += store_get(v, TABLE_HNUM, bytes_of(h->blocks[block + 1].hash.b, 32), &row);
    return bad;
}

void history_digests(struct store_view *v, hash32 out[TABLE_COUNT]) {
    for (int t = 0; t < TABLE_COUNT; t++)
        if (table_info[t].cls == TABLE_DERIVED)
            fixture_table_digest(v, (enum table_id)t, &out[t]);
        else
            memset(&out[t], 0, sizeof out[t]);
}

size_t history_compare(const hash32 a[TABLE_COUNT], const hash32 b[TABLE_COUNT], const char *what) {
    size_t bad = 0;
    for (int t = 0; t < TABLE_COUNT; t++)
        if (!hash32_eq(&a[t], &b[t])) {
            (void)fprintf(stderr, "%s: table %s differs\n", what, table_info[t].name);
            bad++;
        }
    return bad;
}
