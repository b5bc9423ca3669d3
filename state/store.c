/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, META, and the set of deltas. */
#include "state/store.h"

#include "base/array.h"
#include "base/disk.h"
#include "state/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

const struct table_info table_info[TABLE_COUNT] = {
#define TABLE(id, name, key, value, cls, unwind)                                                   \
    {name, key, value, TABLE_##cls, TABLE_UNWIND_##unwind},
#include "state/tables.def"
#undef TABLE
};
_Static_assert((int)TABLE_COUNT <= (int)DELTA_FINGERS, "a finger per table");
_Static_assert((int)TABLE_COUNT <= 32, "view's overlay_tables has a bit per table");
_Static_assert((int)STORE_KEY_MAX_BYTES + (int)UNDO_KEY_PREFIX <= 511, "LMDB's limit for keys");

static const char meta_schema[] = "schema", meta_applied[] = "applied", meta_pruned[] = "pruned";
enum { APPLIED_BYTES = 88 };

/* --- META ----------------------------------------------------------------------------------- */

enum err store_lmdb_err(int rc) {
    switch (rc) {
    case MDB_SUCCESS:
        return ERR_OK;
    case MDB_NOTFOUND:
        return ERR_NOT_FOUND;
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_PANIC:
        return ERR_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return ERR_VERSION;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

static int meta_get(struct store *s, MDB_txn *txn, const char *name, bytes *out) {
    MDB_val k = {.mv_size = strlen(name), .mv_data = (void *)name}, v;
    int rc = mdb_get(txn, s->dbi[TABLE_META], &k, &v);
    if (rc == 0)
        *out = bytes_of_mdb(v);
    return rc;
}

static int meta_put(struct store *s, MDB_txn *txn, const char *name, const void *ptr, size_t len) {
    MDB_val k = {.mv_size = strlen(name), .mv_data = (void *)name},
            v = {.mv_size = len, .mv_data = (void *)ptr};
    return mdb_put(txn, s->dbi[TABLE_META], &k, &v, 0);
}

enum err store_applied_load(struct store_applied *out, struct store *s, MDB_txn *txn) {
    bytes b;
    TRY(store_lmdb_err(meta_get(s, txn, meta_applied, &b)));
    if (b.len != APPLIED_BYTES)
        return ERR_CORRUPT;
    out->epoch = be64_load(b.ptr);
    out->seq = be64_load(b.ptr + 8);
    out->block = be64_load(b.ptr + 16);
    memcpy(out->state_root.b, b.ptr + 24, 32);
    memcpy(out->block_hash.b, b.ptr + 56, 32);
    return ERR_OK;
}

int store_applied_save(struct store *s, MDB_txn *txn, const struct store_applied *at) {
    uint8_t b[APPLIED_BYTES];
    be64_store(b, at->epoch);
    be64_store(b + 8, at->seq);
    be64_store(b + 16, at->block);
    memcpy(b + 24, at->state_root.b, 32);
    memcpy(b + 56, at->block_hash.b, 32);
    return meta_put(s, txn, meta_applied, b, sizeof b);
}

int store_pruned_save(struct store *s, MDB_txn *txn, uint64_t tick) {
    uint8_t b[8];
    be64_store(b, tick);
    return meta_put(s, txn, meta_pruned, b, sizeof b);
}

/* --- sets of deltas ------------------------------------------------------------------------- */

struct store_set *store_set_new(void) {
    struct store_set *set = calloc(1, sizeof *set);
    CHECK(set != NULL);
    atomic_init(&set->refs, 1);
    return set;
}

void store_set_add(struct store_set *set, struct delta *d, uint64_t rows_before) {
    CHECK(set->count < ARRAY_LEN(set->deltas));
    set->deltas[set->count] = delta_ref(d);
    set->rows_before[set->count++] = rows_before;
}

uint64_t store_set_rows(const struct store_set *set) {
    return set->rows_before[set->count - 1] + delta_nodes(set->deltas[set->count - 1]);
}

void store_set_drop(struct store_set *set) {
    if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < set->count; i++)
        delta_unref(set->deltas[i]);
    backlog_drop(set->backlog);
    free(set);
}

struct store_set *store_set_get(struct store *s, uint64_t *out_seq) {
    pthread_mutex_lock(&s->set_lock);
    struct store_set *set = s->set;
    atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    *out_seq = atomic_load_explicit(&s->set_seq, memory_order_relaxed);
    pthread_mutex_unlock(&s->set_lock);
    return set;
}

void store_set_publish(struct store *s, struct store_set *set) {
    pthread_mutex_lock(&s->set_lock);
    struct store_set *old = s->set;
    set->backlog = backlog_ref(s->backlog);
    s->set = set;
    atomic_fetch_add_explicit(&s->set_seq, 1, memory_order_release);
    pthread_mutex_unlock(&s->set_lock);
    store_set_drop(old);
}

void store_backlog_publish(struct store *s, struct backlog *h) {
    uint64_t seq;
    pthread_mutex_lock(&s->commit_lock);
    struct store_set *old = store_set_get(s, &seq), *set = store_set_new();
    for (size_t i = 0; i < old->count; i++)
        store_set_add(set, old->deltas[i], old->rows_before[i]);
    pthread_mutex_lock(&s->set_lock);
    struct backlog *before = s->backlog;
    s->backlog = h;
    pthread_mutex_unlock(&s->set_lock);
    store_set_publish(s, set);
    pthread_mutex_unlock(&s->commit_lock);
    store_set_drop(old);
    backlog_drop(before);
}

void store_freeze(struct store *s) {
    CHECK(!s->block_open);
    s->freeze_wanted = false;
    uint64_t seq;
    struct store_set *old = store_set_get(s, &seq);
    if (old->count < STORE_DELTAS_MAX && delta_nodes(s->active) > 0) {
        struct store_set *set = store_set_new();
        for (size_t i = 0; i < old->count; i++)
            store_set_add(set, old->deltas[i], old->rows_before[i]);
        s->active = delta_new(s->seed, &s->pool);
        store_set_add(set, s->active, store_set_rows(old));
        delta_unref(s->active); /* the set's */
        store_set_publish(s, set);
    }
    store_set_drop(old);
}

/* --- blocks in the deltas ------------------------------------------------------------------- */

void store_blocks_push(struct store *s, const struct store_applied *at) {
    CHECK(tick_of_block(at->block) == s->blocks_first + s->blocks_count + 1);
    s->blocks = array_grow(s->blocks, &s->blocks_cap, sizeof *s->blocks, s->blocks_count + 1);
    s->blocks[s->blocks_count++] = (struct store_block){*at, store_set_rows(s->set)};
}

struct store_block *store_blocks_at(struct store *s, uint64_t tick) {
    CHECK(tick > s->blocks_first);
    CHECK(tick - s->blocks_first <= s->blocks_count);
    return &s->blocks[tick - s->blocks_first - 1];
}

void store_blocks_cut(struct store *s, uint64_t tick) {
    if (tick < s->blocks_first) {
        s->blocks_first = tick;
        s->blocks_count = 0;
    } else if (tick - s->blocks_first < s->blocks_count) {
        s->blocks_count = tick - s->blocks_first;
    }
}

void store_blocks_trim(struct store *s, uint64_t tick) {
    CHECK(tick >= s->blocks_first);
    size_t drop = tick - s->blocks_first;
    CHECK(drop <= s->blocks_count);
    s->blocks_count -= drop;
    s->blocks_first = tick;
    if (drop > 0 && s->blocks_count > 0)
        memmove(s->blocks, s->blocks + drop, s->blocks_count * sizeof *s->blocks);
}

/* --- opening -------------------------------------------------------------------------------- */

static void path_of(const struct store *s, const char *name, char out[STORE_PATH_MAX]) {
    int n = snprintf(out, STORE_PATH_MAX, "%s/%s", s->dir, name);
    CHECK(n > 0 && n < STORE_PATH_MAX);
}

static enum err lock_dir(struct store *s, struct err_ctx *ec) {
    char path[STORE_PATH_MAX];
    path_of(s, "LOCK", path);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (s->lock_fd < 0)
        FAIL(ec, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        FAIL(ec, ERR_BUSY, "the data folder %s is in use by another process", s->dir);
    return ERR_OK;
}

static int env_open(MDB_env **out, const struct store_options *o, const char *path) {
    MDB_env *env;
    int rc = mdb_env_create(&env);
    if (rc != 0)
        return rc;
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (o->no_sync ? MDB_NOSYNC : 0);
    rc = mdb_env_set_mapsize(env, o->map_bytes != 0 ? (size_t)o->map_bytes : (size_t)1 << 40);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(env, TABLE_COUNT);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(env, STORE_VIEWS_MAX + STORE_IDLE_VIEWS + 8);
    if (rc == 0)
        rc = mdb_env_open(env, path, flags, 0644);
    if (rc != 0) {
        mdb_env_close(env);
        return rc;
    }
    *out = env;
    return 0;
}

/* LMDB does not say where its map is: the system's list does, by the file's number. Of a shared
 * mapping nothing is lost when its pages are given back, whosever it is. */
static void find_map(struct store *s) {
    unsigned long begin, end, inode;
    struct stat st;
    int fd;
    char line[STORE_PATH_MAX + 128], rights[5];
    if (mdb_env_get_fd(s->env, &fd) != 0 || fstat(fd, &st) != 0)
        return;
    FILE *f = fopen("/proc/self/maps", "re");
    while (f != NULL && s->map == NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "%lx-%lx %4s %*s %*s %lu", &begin, &end, rights, &inode) == 4 &&
            rights[3] == 's' && inode == st.st_ino) {
            s->map = (void *)begin;
            s->map_len = end - begin;
        }
    if (f != NULL)
        (void)fclose(f);
}

static int open_table(struct store *s, MDB_txn *txn, int table, unsigned flags) {
    return mdb_dbi_open(txn, table_info[table].name, flags, &s->dbi[table]);
}

static int open_tables(struct store *s, MDB_txn *txn, unsigned flags) {
    for (int t = 0; t < TABLE_COUNT; t++) {
        int rc = open_table(s, txn, t, flags);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Fills a new file with the tables and META, all in one synced transaction. */
static int fill_new(struct store *s, MDB_env *env) {
    MDB_txn *txn;
    int rc = mdb_txn_begin(env, NULL, 0, &txn);
    if (rc != 0)
        return rc;
    uint8_t schema[8];
    be64_store(schema, STORE_SCHEMA);
    const struct store_applied none = {.block = STORE_NO_BLOCK};
    rc = open_tables(s, txn, MDB_CREATE);
    if (rc == 0)
        rc = meta_put(s, txn, meta_schema, schema, sizeof schema);
    if (rc == 0)
        rc = store_applied_save(s, txn, &none);
    if (rc == 0)
        rc = store_pruned_save(s, txn, 0);
    if (rc == 0)
        rc = backlog_save(s, txn, NULL);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    return mdb_txn_commit(txn);
}

/* A new database is made under another name and renamed when it is complete and synced: LMDB could
 * not open one whose first pages were torn by a crash. */
static enum err create(struct store *s, const struct store_options *o, const char *path,
                       struct err_ctx *ec) {
    char fresh[STORE_PATH_MAX], lock[STORE_PATH_MAX];
    path_of(s, "state.mdb.new", fresh);
    path_of(s, "state.mdb.new-lock", lock);
    struct disk *d = disk_posix();
    (void)d->remove(d, fresh); /* of a creation that a crash cut off */
    (void)d->remove(d, lock);
    MDB_env *env;
    int rc = env_open(&env, o, fresh);
    if (rc == 0) {
        rc = fill_new(s, env);
        if (rc == 0)
            rc = mdb_env_sync(env, 1);
        mdb_env_close(env);
    }
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "cannot create %s: %s", fresh, mdb_strerror(rc));
    (void)d->remove(d, lock);
    enum err e = d->rename(d, fresh, path);
    if (e == ERR_OK)
        e = d->sync_dir(d, s->dir);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot rename %s", fresh);
    return ERR_OK;
}

static enum err load_meta(struct store *s, MDB_txn *txn, struct err_ctx *ec) {
    bytes schema, pruned;
    int rc = open_table(s, txn, TABLE_META, 0); /* alone: other schemas have other tables */
    if (rc != 0)
        FAIL(ec, rc == MDB_NOTFOUND ? ERR_CORRUPT : store_lmdb_err(rc), "%s has no META", s->dir);
    if (meta_get(s, txn, meta_schema, &schema) != 0 || schema.len != 8)
        FAIL(ec, ERR_CORRUPT, "%s: META has no schema", s->dir);
    if (be64_load(schema.ptr) != STORE_SCHEMA)
        FAIL(ec, ERR_VERSION,
             "%s has tables of schema %llu, this program reads schema %d: another version wrote it",
             s->dir, (unsigned long long)be64_load(schema.ptr), STORE_SCHEMA);
    rc = open_tables(s, txn, 0);
    if (rc != 0)
        FAIL(ec, rc == MDB_NOTFOUND ? ERR_CORRUPT : store_lmdb_err(rc), "%s lacks tables", s->dir);
    if (store_applied_load(&s->applied, s, txn) != ERR_OK)
        FAIL(ec, ERR_CORRUPT, "%s: META's applied position is damaged", s->dir);
    if (meta_get(s, txn, meta_pruned, &pruned) != 0 || pruned.len != 8)
        FAIL(ec, ERR_CORRUPT, "%s: META's pruned mark is damaged", s->dir);
    atomic_store(&s->pruned_tick, be64_load(pruned.ptr));
    rc = backlog_load(&s->backlog, s, txn, UINT64_MAX);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "%s: what META says of the history cannot be read: %s", s->dir,
             mdb_strerror(rc));
    return ERR_OK;
}

static enum err open_env(struct store *s, const struct store_options *o, struct err_ctx *ec) {
    char path[STORE_PATH_MAX];
    path_of(s, "state.mdb", path);
    if (access(path, F_OK) != 0) {
        if (o->must_exist)
            FAIL(ec, ERR_NOT_FOUND, "there is no store in %s", s->dir);
        TRY(create(s, o, path, ec));
    }
    int rc = env_open(&s->env, o, path);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "cannot open %s: %s", path, mdb_strerror(rc));
    find_map(s);
    int dead;
    (void)mdb_reader_check(s->env, &dead);
    MDB_txn *txn;
    rc = mdb_txn_begin(s->env, NULL, 0, &txn); /* handles of tables stay only after a commit */
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "cannot read %s: %s", path, mdb_strerror(rc));
    enum err e = load_meta(s, txn, ec);
    if (e != ERR_OK) {
        mdb_txn_abort(txn);
        return e;
    }
    rc = mdb_txn_commit(txn);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "cannot read %s: %s", path, mdb_strerror(rc));
    return ERR_OK;
}

static enum err open_all(struct store *s, const struct store_options *o, struct err_ctx *ec) {
    struct disk *d = disk_posix();
    if (o->must_exist && access(s->dir, F_OK) != 0)
        FAIL(ec, ERR_NOT_FOUND, "there is no folder %s", s->dir);
    enum err e = d->mkdir(d, s->dir);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot make the folder %s", s->dir);
    TRY(lock_dir(s, ec));
    TRY(open_env(s, o, ec));
    uint64_t tick = tick_of_block(s->applied.block);
    atomic_store(&s->head_tick, tick);
    atomic_store(&s->durable_tick, tick);
    s->blocks_first = tick;
    s->active = delta_new(s->seed, &s->pool);
    s->set = store_set_new();
    s->set->backlog = backlog_ref(s->backlog);
    store_set_add(s->set, s->active, 0);
    delta_unref(s->active); /* the set's */
    return store_view_open(&s->self, s, UINT64_MAX);
}

enum err store_open(struct store **out, const struct store_options *o, struct err_ctx *ec) {
    if (strlen(o->dir) + 64 > STORE_PATH_MAX)
        FAIL(ec, ERR_INVALID, "the path of the data folder is too long");
    struct store *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->lock_fd = -1;
    s->dir = strdup(o->dir);
    CHECK(s->dir != NULL);
    s->allow_wipe = o->allow_wipe;
    s->pages_max = o->checkpoint_pages;
    s->rows_fit = o->checkpoint_pages != 0 ? o->checkpoint_pages : UINT64_MAX;
    s->backlog_max = o->history_rows != 0 ? o->history_rows : STORE_HISTORY_ROWS;
    /* Only the shape of the deltas depends on it, no result. */
    if (getrandom(&s->seed, sizeof s->seed, 0) != sizeof s->seed)
        s->seed = (uint64_t)(uintptr_t)s;
    pthread_mutex_init(&s->lmdb_lock, NULL);
    pthread_mutex_init(&s->views_lock, NULL);
    pthread_mutex_init(&s->commit_lock, NULL);
    pthread_mutex_init(&s->set_lock, NULL);
    slab_pool_init(&s->pool);
    buf_init(&s->undo, STORE_CODE_MAX_BYTES + 1);
    enum err e = open_all(s, o, ec);
    if (e != ERR_OK) {
        store_close(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

void store_close(struct store *s) {
    if (s == NULL)
        return;
    store_view_close(s->self);
    CHECK(s->views == NULL); /* every view is closed before its store */
    store_views_free_idle(s);
    store_set_drop(s->set);
    slab_pool_clear(&s->pool);
    backlog_drop(s->backlog);
    if (s->env != NULL)
        mdb_env_close(s->env);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    pthread_mutex_destroy(&s->lmdb_lock);
    pthread_mutex_destroy(&s->views_lock);
    pthread_mutex_destroy(&s->commit_lock);
    pthread_mutex_destroy(&s->set_lock);
    buf_clear(&s->undo);
    free(s->blocks);
    free(s->dir);
    free(s);
}

/* --- small answers -------------------------------------------------------------------------- */

struct store_applied store_applied(const struct store *s) {
    pthread_mutex_lock((pthread_mutex_t *)&s->set_lock);
    struct store_applied a = s->applied;
    pthread_mutex_unlock((pthread_mutex_t *)&s->set_lock);
    return a;
}

uint64_t store_durable(const struct store *s) {
    return block_of_tick(atomic_load_explicit(&s->durable_tick, memory_order_acquire));
}

uint64_t store_head(const struct store *s) {
    return block_of_tick(atomic_load_explicit(&s->head_tick, memory_order_acquire));
}

uint64_t store_first_block(const struct store *s) {
    uint64_t tick = atomic_load_explicit(&s->pruned_tick, memory_order_acquire);
    return tick == 0 ? 0 : block_of_tick(tick);
}

size_t store_dirty_rows(struct store *s) {
    pthread_mutex_lock(&s->set_lock);
    uint64_t done = tick_of_block(s->applied.block), moved = s->applied_rows;
    const struct store_set *set = s->set;
    size_t rows = 0;
    for (size_t i = 0; i < set->count; i++) {
        /* A delta that a checkpoint moved in part stays whole until the next one. */
        uint64_t before = set->rows_before[i], nodes = delta_nodes(set->deltas[i]);
        uint64_t gone = moved > before ? moved - before : 0;
        if (delta_last_tick(set->deltas[i]) > done && nodes > gone)
            rows += nodes - gone;
    }
    pthread_mutex_unlock(&s->set_lock);
    return rows;
}

bool store_piece(struct store *s, uint64_t *out_block) {
    pthread_mutex_lock(&s->set_lock);
    uint64_t end = s->set->count > 1 ? delta_last_tick(s->set->deltas[0]) : 0;
    bool ready = end > tick_of_block(s->applied.block) &&
                 end <= atomic_load_explicit(&s->durable_tick, memory_order_acquire);
    pthread_mutex_unlock(&s->set_lock);
    if (ready)
        *out_block = block_of_tick(end);
    return ready;
}

size_t store_delta_bytes(struct store *s) {
    pthread_mutex_lock(&s->set_lock);
    size_t sum = 0;
    for (size_t i = 0; i < s->set->count; i++)
        sum += delta_bytes(s->set->deltas[i]);
    pthread_mutex_unlock(&s->set_lock);
    return sum;
}
