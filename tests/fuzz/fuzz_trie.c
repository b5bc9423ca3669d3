/* SPDX-License-Identifier: Apache-2.0 */
/* The state trie. Input: a byte of settings, then steps of two bytes. Each step changes one of 32
 * account keys or one of 32 slots of one contract - keys that share all lengths of beginnings - or
 * ends a block, forgets what is in RAM, or wipes the contract. Properties, at the end of each
 * block:
 *  - the storage root and the state root are those of the plain trie over the content;
 *  - proofs of a key that is there, and of one that is not, verify under that root;
 * and at the end of the input:
 *  - the stored branch records are those of a trie built from the content at once. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "tests/lib/state/map_source.h"
#include "tests/lib/state/plain_trie.h"

#include <stdlib.h>

enum { KEYS = 32, CONTRACT = 0, STEPS_MAX = 300, BLOCKS_MAX = 30 };

struct model {
    struct account acc[KEYS];
    bool exists[KEYS], existed[KEYS], touched[KEYS];
    struct account before[KEYS];
    u256 slot[KEYS], old_slot[KEYS];
    bool wiped;
    uint64_t block;
    struct map_source source;
    struct state_trie *trie;
    struct arena arena;
};

static hash32 keys[KEYS];

/* Key k is key 0 of its group of 16 with one nibble changed, at a place that depends on k; groups
 * differ in one too. */
static void make_keys(void) {
    static const uint8_t place[16] = {63, 63, 62, 62, 61, 57, 55, 40, 31, 12, 11, 9, 8, 5, 2, 1};
    if (keys[0].b[31] != 0)
        return;
    for (unsigned k = 0; k < KEYS; k++) {
        memset(keys[k].b, 0x5a, 32);
        keys[k].b[2] = (uint8_t)(k / 16 * 0x11);
        if (k % 16 != 0)
            keys[k].b[place[k % 16] / 2] ^=
                (uint8_t)(place[k % 16] % 2 == 1 ? k % 16 : k % 16 * 16);
    }
}

static int key_cmp(const void *a, const void *b) {
    return memcmp(keys[*(const unsigned *)a].b, keys[*(const unsigned *)b].b, 32);
}
static void key_order(unsigned out[KEYS]) {
    for (unsigned k = 0; k < KEYS; k++)
        out[k] = k;
    qsort(out, KEYS, sizeof *out, key_cmp);
}

static u256 value_of(unsigned v) {
    u256 x = u256_from_u64(v % 4 == 0 ? 0 : v % 64);
    if (v >= 64 && v % 4 != 0) /* long enough that no leaf is embedded */
        x.w[3] = v;
    return x;
}

/* --- the content as the reference sees it --------------------------------------------------- */

static void reference_root(struct model *m, bool storage, hash32 *out) {
    unsigned order[KEYS];
    struct mpt_pair pairs[KEYS];
    size_t n = 0;
    key_order(order);
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned k = order[i];
        struct buf b;
        buf_init(&b, 256);
        if (storage && !u256_is_zero(&m->slot[k]))
            rlp_put_u256(&b, &m->slot[k]);
        if (!storage && m->exists[k])
            account_rlp(&b, &m->acc[k]);
        if (b.len > 0)
            pairs[n++] =
                (struct mpt_pair){bytes_of(keys[k].b, 32), arena_copy(&m->arena, buf_bytes(&b))};
        buf_clear(&b);
    }
    plain_root(out, pairs, n);
}

/* --- a block -------------------------------------------------------------------------------- */

static void fill_slots(struct model *m, struct world_account_change *c, const unsigned *order) {
    c->slots = arena_alloc(&m->arena, KEYS * sizeof *c->slots);
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned k = order[i];
        if (!u256_eq(&m->slot[k], &m->old_slot[k]))
            c->slots[c->slot_count++] = (struct world_slot_change){
                .slot_hash = keys[k], .old_value = m->old_slot[k], .new_value = m->slot[k]};
    }
#ifdef FUZZ_PLANT_BUG
    /* The bug that a search must find: a changed slot of certain keys is taken for a new one. */
    for (size_t i = 0; i < c->slot_count; i++)
        if ((c->slots[i].slot_hash.b[31] & 3) == 3 && m->block >= 2)
            c->slots[i].old_value = U256_ZERO;
#endif
}

static void fill_diff(struct model *m, struct world_diff *d) {
    unsigned order[KEYS];
    key_order(order);
    *d = (struct world_diff){arena_alloc(&m->arena, KEYS * sizeof *d->accounts), 0};
    for (unsigned i = 0; i < KEYS; i++) {
        unsigned k = order[i];
        if (!m->touched[k] || (!m->existed[k] && !m->exists[k]))
            continue;
        struct world_account_change *c = &d->accounts[d->count++];
        *c = (struct world_account_change){.addr_hash = keys[k],
                                           .existed = m->existed[k],
                                           .exists = m->exists[k],
                                           .before = m->before[k]};
        if (k == CONTRACT) {
            c->wiped = m->wiped && m->before[k].store_id != 0;
            if (c->exists)
                fill_slots(m, c, order);
            if (c->exists && c->slot_count > 0 && m->acc[k].store_id == 0)
                m->acc[k].store_id = m->block << 20 | 1;
        }
        c->after = m->acc[k];
    }
}

static void check_proof(struct model *m, unsigned k, const hash32 *root, bool present) {
    struct trie_proof p;
    bytes value;
    CHECK(state_trie_prove_account(m->trie, &m->arena, &keys[k], &p) == ERR_OK);
    CHECK(plain_verify(root, bytes_of(keys[k].b, 32), p.nodes, p.count, &value));
    CHECK((value.len > 0) == present);
}

static void begin_block(struct model *m) {
    m->block++;
    m->wiped = false;
    memcpy(m->existed, m->exists, sizeof m->exists);
    memcpy(m->before, m->acc, sizeof m->acc);
    memcpy(m->old_slot, m->slot, sizeof m->slot);
    memset(m->touched, 0, sizeof m->touched);
}

static void end_block(struct model *m) {
    struct world_diff d;
    hash32 root, want;
    arena_reset(&m->arena);
    fill_diff(m, &d);
    state_trie_apply(m->trie, &d, &root);
    state_trie_take_rows(m->trie, map_source_row, &m->source);
    map_source_put_diff(&m->source, &d);
    state_trie_trim(m->trie);
    for (size_t i = 0; i < d.count; i++)
        if (hash32_eq(&d.accounts[i].addr_hash, &keys[CONTRACT]))
            m->acc[CONTRACT].storage_root = d.accounts[i].after.storage_root;
    if (m->exists[CONTRACT]) {
        reference_root(m, true, &want);
        CHECK(hash32_eq(&want, &m->acc[CONTRACT].storage_root));
    }
    reference_root(m, false, &want);
    CHECK(hash32_eq(&want, &root));
    unsigned k = (unsigned)(m->block * 7 % KEYS);
    check_proof(m, k, &root, m->exists[k]);
    begin_block(m);
}

/* --- steps ---------------------------------------------------------------------------------- */

static void touch(struct model *m, unsigned k) {
    m->touched[k] = true;
    if (m->exists[k])
        return;
    m->exists[k] = true;
    m->acc[k] = (struct account){.code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE};
}

static void delete_account(struct model *m, unsigned k) {
    m->touched[k] = true;
    m->exists[k] = false;
    m->acc[k] = (struct account){.nonce = 0};
    if (k != CONTRACT)
        return;
    memset(m->slot, 0, sizeof m->slot);
    memset(m->old_slot, 0, sizeof m->old_slot);
    m->wiped = true;
}

static void step(struct model *m, unsigned op, unsigned v) {
    unsigned k = op % KEYS;
    if (op < 64) {
        touch(m, k);
        m->acc[k].balance = value_of(v);
    } else if (op < 128) {
        delete_account(m, k);
    } else if (op < 192) {
        touch(m, CONTRACT);
        m->slot[k] = value_of(v);
    } else if (op < 200) {
        state_trie_reset(m->trie);
    } else {
        end_block(m);
    }
}

static void check_rows(struct model *m) {
    struct map_source fresh;
    struct world_diff d;
    hash32 root;
    map_source_init(&fresh);
    struct state_trie *t = state_trie_new(map_source_source(&fresh), SIZE_MAX);
    memset(m->existed, 0, sizeof m->existed);
    memset(m->old_slot, 0, sizeof m->old_slot);
    memcpy(m->touched, m->exists, sizeof m->touched);
    m->wiped = false;
    fill_diff(m, &d);
    state_trie_apply(t, &d, &root);
    state_trie_take_rows(t, map_source_row, &fresh);
    CHECK(omap_equal(&fresh.rows, &m->source.rows));
    state_trie_free(t);
    map_source_clear(&fresh);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct model m;
    if (size == 0)
        return 0;
    make_keys();
    memset(&m, 0, sizeof m);
    map_source_init(&m.source);
    m.trie = state_trie_new(map_source_source(&m.source), data[0] < 128 ? data[0] * 64u : SIZE_MAX);
    arena_init(&m.arena, 1 << 16, SIZE_MAX);
    begin_block(&m);
    for (size_t i = 1, n = 0; i + 1 < size && n < STEPS_MAX && m.block <= BLOCKS_MAX; i += 2, n++)
        step(&m, data[i], data[i + 1]);
    end_block(&m);
    check_rows(&m);
    state_trie_free(m.trie);
    map_source_clear(&m.source);
    arena_clear(&m.arena);
    return 0;
}
