/* SPDX-License-Identifier: Apache-2.0 */
/* A synthetic chain on world, trie and store, and a plain model of it in memory. A block is a
 * function of its number and a content seed: the same contents in the same order give the same rows
 * on every store. */
#ifndef TESTS_LIB_STATE_HISTORY_H
#define TESTS_LIB_STATE_HISTORY_H

#include "base/arena.h"
#include "state/store.h"
#include "state/trie.h"
#include "state/world.h"
#include "tests/lib/state/fixture.h"

enum {
    HISTORY_ACCOUNTS = 300,
    HISTORY_SLOTS = 24, /* per account */
    HISTORY_POOL = 120, /* keys of a table of class UNDO that are put and deleted again and again */
};

struct history_block {
    uint64_t content;
    hash32 root, hash;
};

/* Values by block, newest last. */
struct history_versions {
    struct history_version {
        uint64_t block;
        bool present;
        union {
            struct account account;
            u256 value;
        } as;
    } * at;
    size_t count, cap;
};
struct history_model {
    struct history_versions accounts[HISTORY_ACCOUNTS];
    struct history_versions slots[HISTORY_ACCOUNTS][HISTORY_SLOTS];
    struct history_versions pool[HISTORY_POOL];
};

struct history {
    struct store *store;
    struct store_view *self;
    struct world *world;
    struct state_trie *trie;
    struct arena arena;
    struct history_block *blocks; /* block 0 .. count - 1 */
    size_t count, cap;
    struct history_model *model; /* NULL: none kept */
};

/* Over an open store at block `blocks - 1`; with_model only for an empty one. trie_budget_bytes:
 * small values make it page. */
void history_open(struct history *h, struct store *s, size_t trie_budget_bytes, bool with_model);
void history_close(struct history *h);
/* Derives, roots, and commits block h->count; not yet durable. `at` (may be NULL) gives epoch and
 * seq. */
void history_apply(struct history *h, uint64_t content, const struct store_applied *at);
/* The store must be able to go back so far. */
void history_unwind(struct history *h, uint64_t to_block, uint64_t epoch, uint64_t seq);

const hash32 *history_addr_hash(size_t account);
const hash32 *history_slot_hash(size_t slot);

/* Differences between a view and the model at the view's block, printed to stderr; `samples` random
 * keys, 0 = all. */
size_t history_check_view(const struct history *h, struct store_view *v, struct fixture_rng *r,
                          size_t samples);
/* Digests of all derived tables. */
void history_digests(struct store_view *v, hash32 out[TABLE_COUNT]);
/* Number of derived tables whose digests differ, printed to stderr. */
size_t history_compare(const hash32 a[TABLE_COUNT], const hash32 b[TABLE_COUNT], const char *what);

#endif
