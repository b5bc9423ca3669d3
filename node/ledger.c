/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ledger.h"

#include "base/check.h"
#include "base/hex.h"
#include "index/index.h"
#include "index/record.h"
#include "index/universe.h"
#include "index/rows.h"
#include "node/datadir.h"
#include "node/metrics.h"

#include <inttypes.h>

enum {
    RECORD_MAX_BYTES = 1 << 30, /* bound of the buffer; the log has a lower one for records */
    ARENA_CHUNK_BYTES = 1 << 20,
    ARENA_KEPT_CHUNKS = 8, /* about what a block of 1,000 transfers of a token takes */
};
/* Of one block: LIMIT_BLOCK_GAS_MAX bounds it below. */
#define ARENA_MAX_BYTES ((size_t)4 << 30)
/* Receipts are written again when blocks are replayed, also those of epochs gone by, and a log's
 * epochs never fall: theirs is always the first. */
#define RECEIPTS_EPOCH UINT64_C(1)
static const char pool_floor_key[] = "pool_floor", again_floor_key[] = "again_floor";

/* --- opening ------------------------------------------------------------------------------- */
static enum err open_logs(struct ledger *l, const struct ledger_options *o, struct err_ctx *ec) {
    char dir[DATADIR_PATH_MAX];
    TRY(datadir_path(dir, o->dir, DATADIR_LOG, ec));
    struct wal_options wo = {.disk = o->disk,
                             .dir = dir,
                             .prefix = DATADIR_LOG_PREFIX,
                             .segment_bytes = o->log_segment_bytes};
    TRY(wal_open(&l->log, &wo, ec));
    wo.prefix = DATADIR_RECEIPTS_PREFIX;
    wo.unfilled = true;
    return wal_open(&l->receipts, &wo, ec);
}

static enum err open_store(struct ledger *l, const struct ledger_options *o, struct err_ctx *ec) {
    char dir[DATADIR_PATH_MAX];
    TRY(datadir_path(dir, o->dir, DATADIR_STORE, ec));
    struct store_options so = {
        .dir = dir,
        .no_sync = o->no_sync,
        .checkpoint_pages = l->memory.most[MEMORY_PAGES] / STORE_CHECKPOINT_PAGE_BYTES,
        .history_rows = l->memory.most[MEMORY_HISTORY] / STORE_HISTORY_ROW_BYTES_MOST};
    TRY(store_open(&l->store, &so, ec));
    enum err e = store_view_open(&l->newest, l->store, UINT64_MAX);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot read the store in %s", dir);
    l->kv = kv_new(l->store);
    return l->kv != NULL ? ERR_OK : ERR_NOMEM;
}

/* Caches pass their budget by what one block adds. */
static size_t without_margin(size_t share) {
    return share - share / 16;
}

/* State as the executor reads it: what the trie's nodes in RAM show not to be there is not looked
 * for in the tables. Between blocks, which is when both stand at the same one, nothing is read. */
static bool read_account(void *ctx, struct account *out, const hash32 *addr_hash) {
    const struct ledger *l = ctx;
    return !state_trie_lacks(l->trie, 0, addr_hash) &&
           l->rows.ops->account(l->rows.ctx, out, addr_hash);
}

static void read_storage(void *ctx, u256 *out, uint64_t store_id, const hash32 *slot_hash) {
    const struct ledger *l = ctx;
    *out = U256_ZERO;
    if (store_id != 0 && !state_trie_lacks(l->trie, store_id, slot_hash))
        l->rows.ops->storage(l->rows.ctx, out, store_id, slot_hash);
}

static bool read_code(void *ctx, bytes *out, const hash32 *code_hash) {
    const struct ledger *l = ctx;
    return l->rows.ops->code(l->rows.ctx, out, code_hash);
}

static struct state_reader executor_reader(struct ledger *l) {
    static const struct state_reader_ops ops = {
        .account = read_account, .storage = read_storage, .code = read_code};
    l->rows = store_state_reader(l->newest);
    return (struct state_reader){.ops = &ops, .ctx = l};
}

static enum err open_executor(struct ledger *l, const struct ledger_options *o,
                              struct err_ctx *ec) {
    struct chain_options co = {
        .config = l->genesis->config,
        .reader = executor_reader(l),
        .tier = o->tier,
        .profile = o->profile,
        .code_cache_bytes = l->memory.most[MEMORY_CODE],
        .world_cache_bytes = without_margin(l->memory.most[MEMORY_WORLD]),
    };
    l->chain = chain_new(&co);
    l->trie =
        state_trie_new(store_trie_source(l->newest), without_margin(l->memory.most[MEMORY_TRIE]));
    if (l->chain == NULL || l->trie == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for the executor");
    return ERR_OK;
}

/* --- genesis ------------------------------------------------------------------------------- */
static bool empty_account(void *ctx, struct account *out, const hash32 *h) {
    (void)ctx;
    (void)out;
    (void)h;
    return false;
}

static void empty_storage(void *ctx, u256 *out, uint64_t store_id, const hash32 *h) {
    (void)ctx;
    (void)store_id;
    (void)h;
    *out = U256_ZERO;
}

static bool empty_code(void *ctx, bytes *out, const hash32 *h) {
    (void)ctx;
    (void)out;
    (void)h;
    return false;
}

/* Hash of block 0 as the genesis file makes it, worked out beside the store. */
static enum err genesis_hash(struct ledger *l, hash32 *out, struct err_ctx *ec) {
    static const struct state_reader_ops empty = {empty_account, empty_storage, empty_code};
    struct world *w = world_new((struct state_reader){.ops = &empty});
    struct state_trie *t = state_trie_new((struct trie_source){0}, SIZE_MAX);
    if (w == NULL || t == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for block 0");
    struct genesis_block g;
    genesis_build(&g, l->genesis, w, t, &l->arena);
    *out = g.hash;
    world_free(w);
    state_trie_free(t);
    arena_reset(&l->arena);
    return ERR_OK;
}

void ledger_put_later(struct ledger *l, enum table_id table, bytes key, bytes value) {
    uint8_t head[7];
    CHECK(table_info[table].cls == TABLE_LOCAL && table_info[table].unwind == TABLE_UNWIND_NONE);
    CHECK(key.len <= STORE_KEY_MAX_BYTES && value.len <= STORE_VALUE_MAX_BYTES);
    head[0] = (uint8_t)table;
    head[1] = (uint8_t)(key.len >> 8);
    head[2] = (uint8_t)key.len;
    be32_store(head + 3, (uint32_t)value.len);
    buf_append(&l->later, head, sizeof(head));
    buf_append(&l->later, key.ptr, key.len);
    buf_append(&l->later, value.ptr, value.len);
    CHECK(!l->later.overflow); /* a gigabyte of rows between two blocks */
}

static const char intent_key[] = "intent";

void ledger_note_intent(struct ledger *l, const struct log_record *r) {
    uint8_t value[ROW_POSITION_BYTES];
    l->has_intent = true;
    l->intent = r->pos;
    row_position_encode(value, r->pos);
    ledger_put_later(l, TABLE_META, bytes_of(intent_key, sizeof(intent_key) - 1),
                     bytes_of(value, sizeof(value)));
}

static void commit_later(struct ledger *l) {
    const uint8_t *p = l->later.ptr, *end = p + l->later.len;
    while (p < end) {
        size_t key_len = (size_t)p[1] << 8 | p[2], value_len = be32_load(p + 3);
        const uint8_t *key = p + 7;
        store_put(l->store, (enum table_id)p[0], bytes_of(key, key_len),
                  bytes_of(key + key_len, value_len));
        p = key + key_len + value_len;
    }
    buf_reset(&l->later);
}

static void put_floor(struct ledger *l, const char *key, uint64_t floor, uint64_t *stored) {
    uint8_t value[8];
    if (floor == *stored)
        return;
    be64_store(value, floor);
    store_put(l->store, TABLE_META, bytes_of(key, strlen(key)), bytes_of(value, 8));
    *stored = floor;
}

static uint64_t get_floor(struct ledger *l, const char *key) {
    bytes value;
    bool has = store_get(l->newest, TABLE_META, bytes_of(key, strlen(key)), &value);
    return has && value.len == 8 ? be64_load(value.ptr) : 0;
}

static void commit_rows(struct ledger *l, struct derived_block *b,
                        const struct index_positions *pos, const struct store_applied *at) {
    store_block_begin(l->store, b->header.number);
    store_put_diff(l->store, &b->diff);
    state_trie_take_rows(l->trie, store_put_trie_row, l->store);
    index_put_block(l->store, b, pos);
    put_floor(l, pool_floor_key, l->pool_floor, &l->stored_pool_floor);
    put_floor(l, again_floor_key, l->again_floor, &l->stored_again_floor);
    kv_put_rows(l->kv, l->newest, b->header.number);
    commit_later(l);
    store_block_commit(l->store, at);
    state_trie_trim(l->trie);
    metric_set(&node_memory_bytes[MEMORY_WORLD], (int64_t)world_bytes(chain_world(l->chain)));
    metric_set(&node_memory_bytes[MEMORY_TRIE], (int64_t)state_trie_held(l->trie));
    metric_set(&node_memory_bytes[MEMORY_CODE], (int64_t)chain_code_bytes(l->chain));
    l->head = b->header;
    l->head_hash = b->hash;
    l->head_seq = at->seq;
}

/* Block 0 of an empty store. */
static enum err write_genesis(struct ledger *l, struct err_ctx *ec) {
    struct genesis_block g;
    genesis_build(&g, l->genesis, chain_world(l->chain), l->trie, &l->arena);
    struct derived_block b = {.header = g.header, .hash = g.hash, .diff = g.diff};
    struct index_positions none = {0};
    struct store_applied at = {.epoch = 1,
                               .seq = 1, /* the EPOCH record that begins the log */
                               .block = 0,
                               .state_root = g.header.state_root,
                               .block_hash = g.hash};
    commit_rows(l, &b, &none, &at);
    store_set_durable(l->store, 0);
    arena_reset(&l->arena);
    l->genesis_hash = g.hash;
    return ledger_checkpoint(l, UINT64_MAX, ec);
}

static enum err mismatch(struct err_ctx *ec, const char *what, const hash32 *have,
                         const hash32 *want) {
    char h[65] = {0}, w[65] = {0};
    hex_encode(h, have->b, 32);
    hex_encode(w, want->b, 32);
    FAIL(ec, ERR_MISMATCH, "%s begins with block 0x%s, but the genesis file makes 0x%s", what, h,
         w);
}

static enum err check_genesis(struct ledger *l, struct err_ctx *ec) {
    struct index_head h;
    enum err e = index_head(&h, l->newest, 0);
    if (e == ERR_NOT_FOUND)
        return write_genesis(l, ec);
    if (e != ERR_OK)
        FAIL(ec, e, "block 0 of the store cannot be read");
    TRY(genesis_hash(l, &l->genesis_hash, ec));
    if (!hash32_eq(&h.hash, &l->genesis_hash))
        return mismatch(ec, "the store", &h.hash, &l->genesis_hash);
    return ERR_OK;
}

/* The first record of the log says whose log it is. */
struct first_record {
    struct record_epoch epoch;
    enum err result;
};

static enum err on_first(void *ctx, const struct log_record *r) {
    struct first_record *f = ctx;
    f->result = r->seq == 1 && r->kind == LOG_EPOCH ? record_unpack_epoch(&f->epoch, r->payload)
                                                    : ERR_NOT_FOUND;
    return ERR_EXISTS; /* one is enough */
}

static enum err begin_log(struct ledger *l, struct err_ctx *ec) {
    struct record_epoch first = {
        .epoch = 1, .chain_id = l->genesis->config.chain_id, .genesis_hash = l->genesis_hash};
    buf_reset(&l->record);
    record_pack_epoch(&l->record, &first);
    TRY(ledger_append_record(l, LOG_EPOCH, NULL, ec));
    return wal_sync(l->log, NULL, ec);
}

static enum err check_log(struct ledger *l, struct err_ctx *ec) {
    uint64_t last = wal_last_seq(l->log), applied = store_applied(l->store).seq;
    if (last == 0 && applied <= 1)
        return begin_log(l, ec);
    if (last < applied)
        FAIL(ec, ERR_CORRUPT,
             "the log ends at record %" PRIu64
             ", but the store holds the effect of record %" PRIu64,
             last, applied);
    struct first_record f = {.result = ERR_NOT_FOUND};
    if (wal_first_seq(l->log) > 1)
        return ERR_OK; /* its first segments were pruned; the store was compared */
    enum err e = wal_each(l->log, 1, on_first, &f, ec);
    if (e != ERR_OK && e != ERR_EXISTS)
        return e;
    if (f.result == ERR_NOT_FOUND)
        FAIL(ec, ERR_CORRUPT, "the first record of the log does not say whose it is");
    if (f.result != ERR_OK)
        FAIL(ec, f.result, "the first record of the log cannot be read");
    if (f.epoch.chain_id != l->genesis->config.chain_id)
        FAIL(ec, ERR_MISMATCH,
             "the log is of chain %" PRIu64 ", the genesis file of chain %" PRIu64,
             f.epoch.chain_id, l->genesis->config.chain_id);
    if (!hash32_eq(&f.epoch.genesis_hash, &l->genesis_hash))
        return mismatch(ec, "the log", &f.epoch.genesis_hash, &l->genesis_hash);
    return ERR_OK;
}

static enum err load_head(struct ledger *l, struct err_ctx *ec) {
    struct store_applied at = store_applied(l->store);
    struct index_head h;
    enum err e = index_head(&h, l->newest, at.block);
    if (e != ERR_OK)
        FAIL(ec, ERR_CORRUPT, "block %" PRIu64 ", at which the store is, cannot be read", at.block);
    if (!hash32_eq(&h.hash, &at.block_hash))
        FAIL(ec, ERR_CORRUPT,
             "block %" PRIu64 " of the store has another hash than its position says", at.block);
    l->head = h.header;
    l->head_hash = h.hash;
    l->head_seq = at.seq;
    l->epoch = at.epoch;
    l->pool_floor = l->stored_pool_floor = get_floor(l, pool_floor_key);
    l->again_floor = l->stored_again_floor = get_floor(l, again_floor_key);
    bytes intent;
    l->has_intent =
        store_get(l->newest, TABLE_META, bytes_of(intent_key, sizeof(intent_key) - 1), &intent) &&
        row_position_decode(&l->intent, intent) == ERR_OK;
    return ERR_OK;
}

static enum err open_all(struct ledger *l, const struct ledger_options *o, struct err_ctx *ec) {
    TRY(o->disk->mkdir(o->disk, o->dir));
    TRY(open_store(l, o, ec)); /* first: it knows whether another process has the folder */
    TRY(open_logs(l, o, ec));
    TRY(open_executor(l, o, ec));
    TRY(check_genesis(l, ec));
    TRY(check_log(l, ec));
    return load_head(l, ec);
}

enum err ledger_open(struct ledger *l, const struct ledger_options *o, struct err_ctx *ec) {
    *l = (struct ledger){.genesis = o->genesis,
                         .epoch = 1,
                         .window_s = o->window_s != 0 ? o->window_s : UINT64_MAX,
                         .final_block = o->genesis->config.has_parent ? 0 : UINT64_MAX,
                         .checkpoint_rows =
                             o->checkpoint_rows != 0 ? o->checkpoint_rows : LEDGER_CHECKPOINT_ROWS};
    memory_share(&l->memory, o->cache_bytes);
    arena_init(&l->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    arena_keep(&l->arena, ARENA_KEPT_CHUNKS);
    buf_init(&l->record, RECORD_MAX_BYTES);
    buf_init(&l->later, RECORD_MAX_BYTES);
    enum err e = open_all(l, o, ec);
    if (e != ERR_OK)
        ledger_close(l);
    return e;
}

void ledger_close(struct ledger *l) {
    if (l->chain != NULL)
        chain_free(l->chain);
    if (l->trie != NULL)
        state_trie_free(l->trie);
    if (l->newest != NULL)
        store_view_close(l->newest);
    if (l->log != NULL)
        wal_close(l->log);
    if (l->receipts != NULL)
        wal_close(l->receipts);
    kv_free(l->kv);
    store_close(l->store);
    arena_clear(&l->arena);
    buf_clear(&l->record);
    buf_clear(&l->later);
    free(l->again);
    *l = (struct ledger){0};
}

/* --- moving on ----------------------------------------------------------------------------- */
enum err ledger_append_record(struct ledger *l, enum log_kind kind, struct log_record *out,
                              struct err_ctx *ec) {
    struct log_record r;
    if (l->record.overflow)
        FAIL(ec, ERR_TOO_LARGE, "a log record exceeds %d bytes", RECORD_MAX_BYTES);
    enum err e = wal_append(l->log, kind, l->epoch, buf_bytes(&l->record), &r);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot append to the log: %s", err_text(e));
    if (out != NULL)
        *out = r;
    return ERR_OK;
}

enum err ledger_append(struct ledger *l, const struct derived_block *b, struct log_record *out,
                       struct err_ctx *ec) {
    CHECK(b->header.number == l->head.number + 1);
    buf_reset(&l->record);
    record_pack_block(&l->record, b, &l->head_hash);
    return ledger_append_record(l, LOG_BLOCK, out, ec);
}

static enum err append_receipts(struct ledger *l, const struct derived_block *b,
                                struct index_positions *pos, struct err_ctx *ec) {
    if (b->tx_count == 0)
        return ERR_OK;
    struct log_record r;
    buf_reset(&l->record);
    record_pack_receipts(&l->record, b);
    if (l->record.overflow)
        FAIL(ec, ERR_TOO_LARGE, "the receipts of block %" PRIu64 " exceed %d bytes",
             b->header.number, RECORD_MAX_BYTES);
    enum err e = wal_append(l->receipts, LOG_RECEIPTS, RECEIPTS_EPOCH, buf_bytes(&l->record), &r);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot append the receipts of block %" PRIu64 ": %s", b->header.number,
             err_text(e));
    pos->has_receipts = true;
    pos->receipts = r.pos;
    pos->receipts_payload = buf_bytes(&l->record);
    return ERR_OK;
}

enum err ledger_apply(struct ledger *l, struct derived_block *b, const struct log_record *at,
                      struct err_ctx *ec) {
    CHECK(hash32_eq(&b->header.parent_hash, &l->head_hash));
    chain_seal_block(b, l->chain, l->trie);
    struct index_positions pos = {.has_body = true, .body = at->pos};
    TRY(append_receipts(l, b, &pos, ec));
    struct store_applied applied = {.epoch = l->epoch,
                                    .seq = at->seq,
                                    .block = b->header.number,
                                    .state_root = b->header.state_root,
                                    .block_hash = b->hash};
    commit_rows(l, b, &pos, &applied);
    return ERR_OK;
}

enum err ledger_write_kv(struct ledger *l, const struct kv_op *ops, size_t count,
                         struct log_record *out, struct err_ctx *ec) {
    TRY(kv_check(l->kv, ops, count));
    buf_reset(&l->record);
    kv_pack(&l->record, ops, count);
    TRY(ledger_append_record(l, LOG_KV, out, ec));
    CHECK(kv_take(l->kv, buf_bytes(&l->record)) == ERR_OK);
    return ERR_OK;
}

enum err ledger_seal(struct ledger *l, struct err_ctx *ec) {
    struct record_seal s = {
        .number = l->head.number, .hash = l->head_hash, .receipt_root = l->head.receipt_root};
    buf_reset(&l->record);
    record_pack_seal(&l->record, &s);
    return ledger_append_record(l, LOG_SEAL, NULL, ec);
}

/* What must outlast the blocks that go, in a block that ends at once: changes that no block has
 * taken to the store yet (after the unwind the store says that it has the effect of every record
 * before the REWIND), where the fork is, and from where on blocks are to be made again. */
static void keep_rows(struct ledger *l, uint64_t to_block, uint64_t epoch) {
    struct store_applied at = {.block = l->head.number + 1};
    store_block_begin(l->store, at.block);
    index_put_fork(l->store, epoch, to_block);
    if (kv_waiting(l->kv))
        kv_put_rows(l->kv, l->newest, at.block);
    put_floor(l, again_floor_key, l->again_floor, &l->stored_again_floor);
    commit_later(l);
    store_block_commit(l->store, &at);
}

enum err ledger_rewind(struct ledger *l, uint64_t to_block, uint64_t epoch, uint64_t seq,
                       struct err_ctx *ec) {
    struct index_head h;
    if (to_block > l->head.number)
        FAIL(ec, ERR_CORRUPT,
             "record %" PRIu64 " rewinds to block %" PRIu64 ", above the head %" PRIu64, seq,
             to_block, l->head.number);
    enum err e = index_head(&h, l->newest, to_block);
    if (e != ERR_OK)
        FAIL(ec, e, "block %" PRIu64 ", to which record %" PRIu64 " rewinds, cannot be read",
             to_block, seq);
    struct store_applied at = {.epoch = epoch,
                               .seq = seq,
                               .block = to_block,
                               .state_root = h.header.state_root,
                               .block_hash = h.hash};
    keep_rows(l, to_block, epoch);
    TRY(store_unwind(l->store, to_block, &at, ec));
    kv_rewound(l->kv, to_block);
    chain_reset(l->chain, executor_reader(l));
    state_trie_reset(l->trie);
    l->head = h.header;
    l->head_hash = h.hash;
    l->head_seq = seq;
    l->epoch = epoch;
    return ERR_OK;
}

/* That many quarters of the rows, or of their memory, at which blocks wait. */
static bool rows_fill(struct ledger *l, size_t quarters) {
    size_t full = LEDGER_ROWS_FACTOR * l->checkpoint_rows;
    return store_dirty_rows(l->store) >= full * quarters / 4 ||
           store_delta_bytes(l->store) >= l->memory.most[MEMORY_ROWS] / 4 * quarters;
}

bool ledger_checkpoint_due(struct ledger *l) {
    uint64_t block;
    return store_piece(l->store, &block) || rows_fill(l, 4 / LEDGER_ROWS_FACTOR);
}

bool ledger_rows_press(struct ledger *l) {
    return rows_fill(l, 3);
}

bool ledger_rows_full(struct ledger *l) {
    return rows_fill(l, 4);
}

enum err ledger_checkpoint(struct ledger *l, uint64_t limit, struct err_ctx *ec) {
    /* Blocks that become durable from here on have receipts which this sync may miss: their rows
     * stay out. */
    uint64_t block = store_durable(l->store);
    TRY(wal_sync(l->receipts, NULL, ec));
    return store_checkpoint_to(l->store, block < limit ? block : limit, ec);
}

/* A floor as the checkpoint has it, not newer: a crash goes back to it. */
static uint64_t lower(struct store *s, const char *key, uint64_t seq) {
    uint8_t floor[8];
    size_t len;
    if (!store_get_applied(s, TABLE_META, bytes_of(key, strlen(key)), floor, sizeof(floor), &len) ||
        len != sizeof(floor) || be64_load(floor) == 0)
        return seq;
    return be64_load(floor) < seq ? be64_load(floor) : seq;
}

uint64_t ledger_log_floor(struct store *s) {
    /* In this order: an unwind in between moves the first one up. That record itself tells recovery
     * whether the store was just taken back. */
    uint64_t seq = store_applied(s).seq;
    return lower(s, again_floor_key, lower(s, pool_floor_key, seq));
}

uint64_t ledger_final(const struct ledger *l) {
    return atomic_load_explicit(&l->final_block, memory_order_acquire);
}

void ledger_set_final(struct ledger *l, uint64_t block) {
    uint64_t before = ledger_final(l);
    while (block > before && !atomic_compare_exchange_weak(&l->final_block, &before, block))
        continue;
}
