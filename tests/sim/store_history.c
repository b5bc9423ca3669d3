/* SPDX-License-Identifier: Apache-2.0 */
/* Random histories of the store: blocks, unwinds of 1 to 1,000 blocks, the same or other blocks
 * after them, checkpoints, restarts, readers pinned at old blocks. What is read is compared with a
 * plain model in memory, and at the end every row with that of a fresh store which was given the
 * final chain only. A second part runs writer, checkpoint and readers on threads.
 *
 * SEED=n  the run (printed)      BLOCKS=n  height to reach, 10,000 otherwise. Closes with `N
 * passed, N failed`. */
#include "base/check.h"

#include "tests/lib/state/history.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

enum { PINS = 10, UNWIND_MAX = 1000, THREAD_BLOCKS = 1500 };

static size_t passed, failed;
static void expect(bool ok, const char *what, uint64_t block) {
    if (ok) {
        passed++;
        return;
    }
    failed++;
    (void)fprintf(stderr, "FAILED at block %" PRIu64 ": %s\n", block, what);
}

struct pin {
    struct store_view *view;
    bool has_digests;
    hash32 digests[TABLE_COUNT];
};

struct run {
    struct fixture_rng rng;
    char dir[FIXTURE_PATH_MAX];
    struct store *store;
    struct history h;
    struct pin pins[PINS];
    struct history_block *old; /* blocks of the branch that was unwound last */
    size_t old_count, old_cap;
    bool again; /* the same contents as on that branch */
    size_t unwinds, unwound, restarts, checkpoints, transactions, views_checked, full_checks;
};

static struct store *open_store(const char *dir) {
    struct store *s;
    struct err_ctx ec = {0};
    /* Power failures are another test's: here LMDB need not wait for the disk. */
    struct store_options o = {.dir = dir,
                              .map_bytes = 1ULL << 32,
                              .no_sync = true,
                              .allow_wipe = true,
                              .checkpoint_pages = 200, /* a checkpoint takes several, */
                              .history_rows = 500};    /* and most rows of history go to LMDB */
    if (store_open(&s, &o, &ec) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", ec.text);
        abort();
    }
    return s;
}

/* --- pinned readers ------------------------------------------------------------------------- */

static void unpin(struct pin *p) {
    store_view_close(p->view);
    p->view = NULL;
}

static void pin_one(struct run *r, struct pin *p) {
    uint64_t durable = store_durable(r->store);
    if (durable == STORE_NO_BLOCK)
        return;
    /* The newest, one of the last hundred, or any. */
    uint64_t block = durable;
    switch (fixture_rng_below(&r->rng, 4)) {
    case 0:
        break;
    case 1:
        block = fixture_rng_below(&r->rng, durable + 1);
        break;
    default:
        block -= fixture_rng_below(&r->rng, durable < 100 ? durable + 1 : 100);
    }
    expect(store_view_open(&p->view, r->store, block) == ERR_OK, "a view of a retained block opens",
           block);
    p->has_digests = fixture_rng_below(&r->rng, 12) == 0;
    if (p->has_digests)
        history_digests(p->view, p->digests);
}

static void check_pin(struct run *r, struct pin *p, bool fully) {
    uint64_t block = store_view_block(p->view);
    bool gone = block >= r->h.count;
    if (gone || store_view_stale(p->view)) {
        expect(store_view_stale(p->view), "a view of an unwound block is stale", block);
        unpin(p);
        return;
    }
    expect(history_check_view(&r->h, p->view, &r->rng, fully ? 0 : 6) == 0,
           "a pinned view shows its block", block);
    r->views_checked++;
    if (!fully)
        return;
    hash32 root, digests[TABLE_COUNT];
    struct err_ctx ec = {0};
    bool ok = store_rebuild_root(p->view, &root, &ec) == ERR_OK &&
              hash32_eq(&root, &r->h.blocks[block].root);
    expect(ok, "the rebuilt root of a pinned view is its block's", block);
    if (p->has_digests) {
        history_digests(p->view, digests);
        expect(history_compare(p->digests, digests, "pinned view") == 0,
               "a pinned view keeps its digests", block);
    }
    r->full_checks++;
}

static void check_pins(struct run *r, bool fully) {
    for (size_t i = 0; i < PINS; i++)
        if (r->pins[i].view != NULL)
            check_pin(r, &r->pins[i], fully && i % 3 == r->full_checks % 3);
}

/* --- steps ---------------------------------------------------------------------------------- */

static void step_apply(struct run *r, size_t limit) {
    for (uint64_t n = 1 + fixture_rng_below(&r->rng, 40); n > 0 && r->h.count < limit; n--) {
        uint64_t block = r->h.count;
        bool same = r->again && block < r->old_count;
        history_apply(&r->h, same ? r->old[block].content : fixture_rng_next(&r->rng), NULL);
        if (same)
            expect(hash32_eq(&r->old[block].hash, &r->h.blocks[block].hash),
                   "a block applied again has its hash", block);
        else
            r->again = false; /* from here on it is another branch */
    }
    uint64_t head = store_head(r->store), lag = fixture_rng_below(&r->rng, 4);
    if (lag <= head)
        store_set_durable(r->store, head - lag);
}

static void step_unwind(struct run *r) {
    if (r->h.count < 3)
        return;
    /* As often short as long. */
    uint64_t max = UNWIND_MAX >> fixture_rng_below(&r->rng, 8),
             depth = 1 + fixture_rng_below(&r->rng, max);
    if (depth > r->h.count - 1)
        depth = r->h.count - 1;
    if (r->h.count > r->old_cap) {
        r->old_cap = r->h.count * 2;
        r->old = realloc(r->old, r->old_cap * sizeof *r->old);
        CHECK(r->old != NULL);
    }
    r->old_count = r->h.count;
    memcpy(r->old, r->h.blocks, r->h.count * sizeof *r->old);
    r->again = fixture_rng_below(&r->rng, 2) == 0;
    history_unwind(&r->h, r->h.count - 1 - depth, r->unwinds, r->h.count);
    expect(store_head(r->store) == r->h.count - 1, "the head after an unwind", r->h.count - 1);
    r->unwinds++;
    r->unwound += depth;
}

static void step_checkpoint(struct run *r) {
    struct store_stats before;
    CHECK(store_stat(r->store, &before) == ERR_OK);
    struct err_ctx ec = {0};
    expect(store_checkpoint(r->store, &ec) == ERR_OK, ec.text, store_head(r->store));
    expect(store_applied(r->store).block == store_durable(r->store),
           "a checkpoint reaches the durable block", store_durable(r->store));
    struct store_stats after;
    CHECK(store_stat(r->store, &after) == ERR_OK);
    r->transactions += after.checkpoint_count - before.checkpoint_count;
    r->checkpoints++;
}

/* Closing forgets the delta; the blocks after the checkpoint are applied again, as a replay of the
 * log does. */
static void step_restart(struct run *r) {
    if (store_applied(r->store).block == STORE_NO_BLOCK)
        return;
    for (size_t i = 0; i < PINS; i++)
        if (r->pins[i].view != NULL)
            unpin(&r->pins[i]);
    struct history_block *blocks = r->h.blocks;
    struct history_model *model = r->h.model;
    size_t count = r->h.count;
    r->h.blocks = NULL;
    r->h.model = NULL;
    history_close(&r->h);
    store_close(r->store);
    r->store = open_store(r->dir);
    history_open(&r->h, r->store, 1 << 16, false);
    memcpy(r->h.blocks, blocks, r->h.count * sizeof *blocks);
    while (r->h.count < count) {
        uint64_t block = r->h.count;
        history_apply(&r->h, blocks[block].content, NULL);
        expect(hash32_eq(&blocks[block].hash, &r->h.blocks[block].hash),
               "a replayed block has its hash", block);
    }
    r->h.model = model;
    free(blocks);
    store_set_durable(r->store, store_head(r->store));
    r->restarts++;
}

static void step(struct run *r, size_t limit) {
    step_apply(r, limit);
    if (fixture_rng_below(&r->rng, 5) == 0)
        check_pins(r, false);
    if (fixture_rng_below(&r->rng, 4) == 0)
        step_checkpoint(r);
    if (fixture_rng_below(&r->rng, 10) == 0)
        step_unwind(r);
    if (fixture_rng_below(&r->rng, 60) == 0)
        step_restart(r);
    struct pin *p = &r->pins[fixture_rng_below(&r->rng, PINS)];
    if (p->view != NULL && fixture_rng_below(&r->rng, 4) == 0)
        unpin(p);
    if (p->view == NULL)
        pin_one(r, p);
    check_pins(r, fixture_rng_below(&r->rng, 25) == 0);
}

/* --- the end -------------------------------------------------------------------------------- */

/* A fresh store with the final chain only, checkpointed in another rhythm: the same rows at the
 * head and at old blocks. */
static void compare_with_fresh(struct run *r) {
    char dir[FIXTURE_PATH_MAX];
    fixture_dir_make(dir);
    struct store *s = open_store(dir);
    struct history h;
    history_open(&h, s, 1 << 24, false);
    for (size_t b = 0; b < r->h.count; b++) {
        history_apply(&h, r->h.blocks[b].content, NULL);
        if (b % 700 == 300) {
            store_set_durable(s, b - 100);
            CHECK(store_checkpoint(s, NULL) == ERR_OK);
        }
    }
    uint64_t head = r->h.count - 1;
    store_set_durable(s, head);
    store_set_durable(r->store, head);
    expect(hash32_eq(&h.blocks[head].hash, &r->h.blocks[head].hash),
           "the final root and hash are those of a fresh store", head);
    for (int i = 0; i < 6; i++) {
        uint64_t block =
            i == 0 ? head : head - fixture_rng_below(&r->rng, head < 2000 ? head : 2000);
        struct store_view *a, *b;
        hash32 x[TABLE_COUNT], y[TABLE_COUNT];
        CHECK(store_view_open(&a, r->store, block) == ERR_OK);
        CHECK(store_view_open(&b, s, block) == ERR_OK);
        history_digests(a, x);
        history_digests(b, y);
        expect(history_compare(x, y, "fresh store") == 0, "all rows are those of a fresh store",
               block);
        expect(history_check_view(&r->h, b, &r->rng, 0) == 0,
               "the fresh store agrees with the model", block);
        store_view_close(a);
        store_view_close(b);
    }
    history_close(&h);
    store_close(s);
    fixture_dir_remove(dir);
}

/* Pruning: below it nothing can be read or undone, above everything can. */
static void check_pruning(struct run *r) {
    step_checkpoint(r);
    uint64_t head = r->h.count - 1, to = head - (head < 700 ? head / 2 : 500);
    hash32 before[TABLE_COUNT], after[TABLE_COUNT];
    struct store_view *v;
    CHECK(store_view_open(&v, r->store, head) == ERR_OK);
    history_digests(v, before);
    size_t steps = 0;
    while (store_prune(r->store, to, 500))
        steps++;
    expect(steps > 0 && store_first_block(r->store) == to, "pruning goes in steps", to);
    history_digests(v, after);
    for (int t = 0; t < TABLE_COUNT; t++)
        if (table_info[t].unwind == TABLE_UNWIND_CHANGESET || (enum table_id)t == TABLE_TRI_A ||
            (enum table_id)t == TABLE_TXL)
            expect(hash32_eq(&before[t], &after[t]), "pruning leaves the newest rows", head);
    store_view_close(v);
    expect(store_view_open(&v, r->store, to - 1) == ERR_PRUNED,
           "a view below the pruned block is refused", to - 1);
    CHECK(store_view_open(&v, r->store, to) == ERR_OK);
    expect(history_check_view(&r->h, v, &r->rng, 0) == 0, "the oldest retained block is whole", to);
    store_view_close(v);
    struct store_applied at = {.block = to - 1};
    struct err_ctx ec = {0};
    expect(store_unwind(r->store, to - 1, &at, &ec) == ERR_PRUNED,
           "an unwind below the pruned block is refused", to - 1);
    history_unwind(&r->h, to, r->unwinds, head);
    CHECK(store_view_open(&v, r->store, to) == ERR_OK);
    hash32 root;
    expect(store_rebuild_root(v, &root, &ec) == ERR_OK && hash32_eq(&root, &r->h.blocks[to].root),
           "an unwind to the oldest retained block gives its state", to);
    store_view_close(v);
}

/* --- threads -------------------------------------------------------------------------------- */

struct shared {
    struct store *store;
    hash32 roots[THREAD_BLOCKS + 1]; /* written before the block is durable */
    pthread_mutex_t lock;            /* roots */
    _Atomic bool stop;
    _Atomic size_t checked, wrong, stale;
};

static void *checkpointer(void *ctx) {
    struct shared *s = ctx;
    while (!atomic_load(&s->stop)) {
        if (store_checkpoint(s->store, NULL) != ERR_OK)
            atomic_fetch_add(&s->wrong, 1);
        (void)store_dirty_rows(s->store);
    }
    return NULL;
}

static void *reader(void *ctx) {
    struct shared *s = ctx;
    struct fixture_rng rng = fixture_rng_of((uint64_t)(uintptr_t)&rng);
    while (!atomic_load(&s->stop)) {
        uint64_t durable = store_durable(s->store);
        if (durable == STORE_NO_BLOCK)
            continue;
        uint64_t block = durable - fixture_rng_below(&rng, durable < 60 ? durable + 1 : 60);
        struct store_view *v;
        if (store_view_open(&v, s->store, block) != ERR_OK)
            continue; /* unwound in between */
        /* Twice: the second time a checkpoint may have passed the view's block. */
        for (int i = 0; i < 2; i++) {
            hash32 root, want;
            enum err e = store_rebuild_root(v, &root, NULL);
            pthread_mutex_lock(&s->lock);
            want = s->roots[block];
            bool stale = store_view_stale(v);
            pthread_mutex_unlock(&s->lock);
            if (stale)
                atomic_fetch_add(&s->stale, 1);
            else if (e != ERR_OK || !hash32_eq(&root, &want))
                atomic_fetch_add(&s->wrong, 1);
            else
                atomic_fetch_add(&s->checked, 1);
        }
        store_view_close(v);
    }
    return NULL;
}

static void check_threads(struct fixture_rng *rng) {
    static struct shared s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char dir[FIXTURE_PATH_MAX];
    fixture_dir_make(dir);
    s.store = open_store(dir);
    struct history h;
    history_open(&h, s.store, 1 << 16, false);
    pthread_t threads[3];
    CHECK(pthread_create(&threads[0], NULL, checkpointer, &s) == 0);
    for (int i = 1; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, reader, &s) == 0);
    while (h.count < THREAD_BLOCKS) {
        history_apply(&h, fixture_rng_next(rng), NULL);
        pthread_mutex_lock(&s.lock);
        s.roots[h.count - 1] = h.blocks[h.count - 1].root;
        pthread_mutex_unlock(&s.lock);
        if (fixture_rng_below(rng, 3) == 0)
            store_set_durable(s.store, h.count - 1);
        if (fixture_rng_below(rng, 150) == 0) {
            uint64_t depth = 1 + fixture_rng_below(rng, 50);
            if (depth < h.count)
                history_unwind(&h, h.count - 1 - depth, 0, h.count);
        }
    }
    /* On a busy machine the readers may hardly have run so far. */
    for (int i = 0; i < 600 && atomic_load(&s.checked) <= 20; i++)
        (void)usleep(100000);
    atomic_store(&s.stop, true);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    (void)printf("threads: %zu views right, %zu stale, %zu wrong\n", atomic_load(&s.checked),
                 atomic_load(&s.stale), atomic_load(&s.wrong));
    expect(atomic_load(&s.wrong) == 0, "readers beside writer and checkpoint see their block",
           h.count - 1);
    expect(atomic_load(&s.checked) > 20, "the readers had something to check", h.count - 1);
    history_close(&h);
    store_close(s.store);
    fixture_dir_remove(dir);
}

int main(void) {
    static struct run r;
    uint64_t seed = fixture_seed(20260101);
    const char *text = getenv("BLOCKS");
    size_t blocks = text != NULL ? strtoull(text, NULL, 0) : 10000;
    (void)printf("store_history: SEED=%" PRIu64 " BLOCKS=%zu\n", seed, blocks);
    r.rng = fixture_rng_of(seed);
    fixture_dir_make(r.dir);
    r.store = open_store(r.dir);
    history_open(&r.h, r.store, 1 << 16, true);
    while (r.h.count <= blocks)
        step(&r, blocks + 1);
    check_pins(&r, true);
    compare_with_fresh(&r);
    for (size_t i = 0; i < PINS; i++)
        if (r.pins[i].view != NULL)
            unpin(&r.pins[i]);
    check_pruning(&r);
    (void)printf("%zu unwinds of %zu blocks in all, %zu checkpoints in %zu parts, %zu restarts, "
                 "%zu views checked, %zu in full\n",
                 r.unwinds, r.unwound, r.checkpoints, r.transactions, r.restarts, r.views_checked,
                 r.full_checks);
    expect(r.transactions > 2 * r.checkpoints, "checkpoints come in parts", r.h.count - 1);
    history_close(&r.h);
    store_close(r.store);
    fixture_dir_remove(r.dir);
    free(r.old);
    check_threads(&r.rng);
    (void)printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
