/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives the segments of its block (index/index.h). A transaction is put with its block, cut
 * into parts, since LMDB wants short values:
 *
 *   first log u32 | sender 20 | envelope length u32 | envelope | receipt_pack
 *
 * `first log` is the number of logs before it in the block. */
#include "base/check.h"
#include "chain/retryable.h"
#include "chain/send_tree.h"
#include "chain/system_state.h"
#include "index/rows.h"
#include "index/universe_rows.h"

#include <inttypes.h>

enum {
    KEY_BYTES = 14,
    PART_BYTES = 1800,
    FIXED_BYTES = 28,
    PARTS_MAX = UINT16_MAX + 1, /* 118 MB: gas bounds a transaction and its logs far below */
};

static bool log_outlives(const struct log_entry *l) {
    const addr20 arbsys = system_address(SYSTEM_ARBSYS),
                 retryable = system_address(SYSTEM_RETRYABLE);
    if (l->topic_count == 0)
        return false;
    return (addr20_eq(&l->address, &arbsys) && hash32_eq(&l->topics[0], &SEND_L2_TO_L1_TX)) ||
           (addr20_eq(&l->address, &retryable) &&
            hash32_eq(&l->topics[0], &RETRYABLE_REDEEM_SCHEDULED));
}

bool index_outlives(const struct tx *tx, const struct receipt *r) {
    bool yes = tx->type == TX_DEPOSIT || tx->type == TX_SUBMIT_RETRYABLE || tx->type == TX_RETRY;
    for (size_t i = 0; i < r->log_count && !yes; i++)
        yes = log_outlives(&r->logs[i]);
    return yes;
}

bool index_filter_outlives(const struct index_filter *f) {
    const addr20 arbsys = system_address(SYSTEM_ARBSYS),
                 retryable = system_address(SYSTEM_RETRYABLE);
    bool scheduled = f->topic_count > 0 && f->topics[0].count > 0;
    for (size_t i = 0; scheduled && i < f->topics[0].count; i++)
        scheduled = hash32_eq(&f->topics[0].values[i], &RETRYABLE_REDEEM_SCHEDULED) ||
                    hash32_eq(&f->topics[0].values[i], &SEND_L2_TO_L1_TX);
    /* All that ArbSys logs comes with an L2ToL1Tx in the same transaction; ArbRetryableTx also logs
     * what does not outlive. */
    for (size_t i = 0; i < f->address_count; i++)
        if (!addr20_eq(&f->addresses[i], &arbsys) &&
            !(scheduled && addr20_eq(&f->addresses[i], &retryable)))
            return false;
    return f->address_count > 0;
}

/* --- writing ------------------------------------------------------------------------------- */
static void kept_key(uint8_t out[KEY_BYTES], uint64_t block, uint32_t idx, size_t part) {
    CHECK(part < PARTS_MAX);
    be64_store(out, block);
    be32_store(out + 8, idx);
    out[12] = (uint8_t)(part >> 8);
    out[13] = (uint8_t)part;
}

static void put_tx(struct store *s, uint64_t block, uint32_t idx, uint32_t first_log,
                   const struct derived_tx *d) {
    struct buf b;
    uint8_t word[4], key[KEY_BYTES];
    buf_init(&b, (size_t)PARTS_MAX * PART_BYTES);
    be32_store(word, first_log);
    buf_append(&b, word, sizeof(word));
    buf_append(&b, d->tx.sender.b, 20);
    be32_store(word, (uint32_t)d->tx.raw.len);
    buf_append(&b, word, sizeof(word));
    buf_append(&b, d->tx.raw.ptr, d->tx.raw.len);
    receipt_pack(&b, &d->receipt);
    CHECK(!b.overflow);
    for (size_t at = 0, part = 0; at < b.len; at += PART_BYTES, part++) {
        size_t n = b.len - at < PART_BYTES ? b.len - at : PART_BYTES;
        kept_key(key, block, idx, part);
        store_put(s, TABLE_KEPT, bytes_of(key, sizeof(key)), bytes_of(b.ptr + at, n));
    }
    buf_clear(&b);
}

void row_put_kept(struct store *s, const struct derived_block *b) {
    uint32_t first_log = 0;
    for (size_t i = 0; i < b->tx_count; i++) {
        const struct derived_tx *d = &b->txs[i];
        if (index_outlives(&d->tx, &d->receipt))
            put_tx(s, b->header.number, (uint32_t)i, first_log, d);
        first_log += (uint32_t)d->receipt.log_count;
    }
}

/* --- reading ------------------------------------------------------------------------------- */
static enum err damaged(uint64_t block, uint32_t idx, struct err_ctx *ec) {
    FAIL(ec, ERR_CORRUPT, "what is kept of transaction %u of block %" PRIu64 " cannot be read", idx,
         block);
}

/* Transactions of the block that are kept, by their first parts; puts what is there of their
 * places into `places` unless it is NULL. */
static size_t list_kept(struct store_view *v, uint64_t block, struct index_place *places) {
    uint8_t key[KEY_BYTES];
    bytes k, value;
    size_t count = 0;
    struct store_cursor *c = store_cursor_open(v, TABLE_KEPT);
    kept_key(key, block, 0, 0);
    bool more = store_cursor_seek(c, bytes_of(key, sizeof(key)), &k, &value);
    while (more && k.len == KEY_BYTES && be64_load(k.ptr) == block) {
        uint32_t idx = be32_load(k.ptr + 8);
        if (places != NULL)
            places[count].tx_idx = idx;
        count++;
        kept_key(key, block, idx + 1, 0); /* past its other parts */
        more = store_cursor_seek(c, bytes_of(key, sizeof(key)), &k, &value);
    }
    store_cursor_close(c);
    return count;
}

/* The parts of one transaction, together, in `a`. ERR_NOT_FOUND: it is not kept. */
static enum err gather(bytes *out, struct arena *a, struct store_view *v, uint64_t block,
                       uint32_t idx) {
    struct buf b;
    uint8_t key[KEY_BYTES];
    bytes value;
    buf_init(&b, (size_t)PARTS_MAX * PART_BYTES);
    for (size_t part = 0; part < PARTS_MAX; part++) {
        kept_key(key, block, idx, part);
        if (!store_get(v, TABLE_KEPT, bytes_of(key, sizeof(key)), &value))
            break;
        buf_append(&b, value.ptr, value.len);
        if (value.len < PART_BYTES)
            break;
    }
    enum err e = b.len == 0 ? ERR_NOT_FOUND : ERR_OK;
    uint8_t *copy = e == ERR_OK && !b.overflow ? arena_try_alloc(a, b.len) : NULL;
    if (copy != NULL) {
        memcpy(copy, b.ptr, b.len);
        *out = bytes_of(copy, b.len);
    } else if (e == ERR_OK) {
        e = ERR_NOMEM;
    }
    buf_clear(&b);
    return e;
}

static enum err load_tx(struct tx *tx, struct receipt *r, struct index_place *place,
                        struct arena *a, struct store_view *v, uint64_t block, struct err_ctx *ec) {
    bytes in;
    TRY(gather(&in, a, v, block, place->tx_idx));
    if (in.len < FIXED_BYTES || be32_load(in.ptr + 24) > in.len - FIXED_BYTES)
        return damaged(block, place->tx_idx, ec);
    place->first_log = be32_load(in.ptr);
    bytes envelope = bytes_of(in.ptr + FIXED_BYTES, be32_load(in.ptr + 24));
    bytes rest = bytes_of(envelope.ptr + envelope.len, in.len - FIXED_BYTES - envelope.len);
    TRY(tx_decode_stored(tx, a, envelope, NULL, ec));
    memcpy(tx->sender.b, in.ptr + 4, 20);
    tx->has_sender = true;
    if (receipt_unpack(r, a, &rest) != ERR_OK || rest.len != 0)
        return damaged(block, place->tx_idx, ec);
    return ERR_OK;
}

enum err index_load_kept(struct index_block *out, struct arena *a, struct store_view *v,
                         uint64_t number, struct err_ctx *ec) {
    struct index_block b = {0};
    TRY(index_head(&b.head, v, number));
    b.tx_count = list_kept(v, number, NULL);
    struct index_place *places = arena_try_alloc(a, (b.tx_count + 1) * sizeof(*places));
    b.txs = arena_try_alloc(a, (b.tx_count + 1) * sizeof(*b.txs));
    b.receipts = arena_try_alloc(a, (b.tx_count + 1) * sizeof(*b.receipts));
    if (places == NULL || b.txs == NULL || b.receipts == NULL)
        return ERR_NOMEM;
    (void)list_kept(v, number, places);
    for (size_t i = 0; i < b.tx_count; i++)
        TRY(load_tx(&b.txs[i], &b.receipts[i], &places[i], a, v, number, ec));
    b.places = places;
    *out = b;
    return ERR_OK;
}

enum err index_load_tx(struct index_block *out, size_t *out_at, struct arena *a,
                       const struct index_source *src, struct store_view *v, uint64_t number,
                       uint32_t tx_idx, struct err_ctx *ec) {
    enum err e = index_load_section(out, a, src, v, number, tx_idx, ec);
    *out_at = 0;
    if (e != ERR_PRUNED)
        return e;
    struct index_block b = {0};
    TRY(index_head(&b.head, v, number));
    struct index_place *place = arena_zalloc(a, sizeof(*place));
    b.txs = arena_zalloc(a, sizeof(*b.txs));
    b.receipts = arena_zalloc(a, sizeof(*b.receipts));
    place->tx_idx = tx_idx;
    e = load_tx(b.txs, b.receipts, place, a, v, number, ec);
    if (e == ERR_NOT_FOUND)
        return tx_idx < b.head.tx_count ? ERR_PRUNED : ERR_NOT_FOUND;
    TRY(e);
    b.tx_count = 1;
    b.places = place;
    *out = b;
    return ERR_OK;
}

/* --- dropping ------------------------------------------------------------------------------ */
struct drop {
    struct arena *a;
    struct store_view *view;
    struct store_drop_row *rows;
    size_t count;
    uint64_t block;
};

static void add(struct drop *d, enum table_id table, bool put, bytes key, bytes value) {
    d->rows[d->count++] = (struct store_drop_row){
        .table = table, .put = put, .key = arena_copy(d->a, key), .value = value};
}

static void add_log(struct drop *d, const struct log_entry *l, bool put) {
    uint8_t key[ROW_LOGA_KEY_MAX_BYTES];
    for (size_t i = 0; i < 1 + (size_t)l->topic_count; i++) {
        bytes item = i == 0 ? bytes_of(l->address.b, 20) : bytes_of(l->topics[i - 1].b, 32);
        size_t len = row_loga_key(key, item, d->block);
        add(d, TABLE_LOGA, put, bytes_of(key, len), bytes_of(NULL, 0));
    }
}

/* A universe's event goes: its row becomes the mark, and the row before it, the mark so far, goes.
 * Without marks nobody could tell a reader who comes too late that there was something. */
static void drop_event(struct drop *d, struct store_cursor *c, uint64_t universe,
                       const struct index_cursor *at) {
    uint8_t row[ROW_EVENT_KEY_BYTES], below[ROW_EVENT_KEY_BYTES];
    size_t last = sizeof(below) - 1;
    bytes key = bytes_of(row, sizeof(row)), before, value;
    row_event_key(row, universe, at);
    if (!store_cursor_seek_le(c, key, &before, &value) || before.len != key.len ||
        memcmp(before.ptr, row, key.len) != 0)
        return; /* the contract was nobody's yet */
    memcpy(below, row, sizeof(below));
    while (below[last]-- == 0) /* block 0 has no logs: the key is not zero */
        last--;
    if (store_cursor_seek_le(c, bytes_of(below, sizeof(below)), &before, &value) &&
        before.len == key.len && memcmp(before.ptr, row, 8) == 0)
        add(d, TABLE_UEVT, false, before, bytes_of(NULL, 0));
    add(d, TABLE_UEVT, true, key, bytes_of(NULL, 0));
}

static void drop_events(struct drop *d, const struct index_block *b) {
    const addr20 registry = system_address(SYSTEM_REGISTRY);
    struct index_cursor at = {.block = d->block};
    struct store_cursor *c = store_cursor_open(d->view, TABLE_UEVT);
    for (size_t i = 0; i < b->tx_count; i++) {
        at.tx_idx = (uint32_t)i;
        for (size_t j = 0; j < b->receipts[i].log_count; j++, at.log_idx++) {
            const struct log_entry *l = &b->receipts[i].logs[j];
            struct index_contract of = {.universe = 0};
            if (addr20_eq(&l->address, &registry))
                of.universe = event_registry_universe(l);
            else if (index_contract(&of, d->view, &l->address) != ERR_OK)
                continue;
            if (of.universe != 0)
                drop_event(d, c, of.universe, &at);
        }
    }
    store_cursor_close(c);
}

static void add_positions(struct drop *d) {
    uint8_t key[8];
    be64_store(key, d->block);
    add(d, TABLE_BODY, false, bytes_of(key, sizeof(key)), bytes_of(NULL, 0));
    add(d, TABLE_RCPT, false, bytes_of(key, sizeof(key)), bytes_of(NULL, 0));
}

/* Rows that look for what goes; then those of what stays, which it may share, once more. */
static void add_txs(struct drop *d, const struct index_block *b) {
    for (size_t i = 0; i < b->tx_count; i++) {
        if (index_outlives(&b->txs[i], &b->receipts[i]))
            continue;
        uint8_t value[ROW_TX_BYTES];
        be64_store(value, d->block);
        be32_store(value + 8, (uint32_t)i);
        add(d, TABLE_TXL, false, bytes_of(b->txs[i].hash.b, 32),
            arena_copy(d->a, bytes_of(value, sizeof(value))));
        for (size_t j = 0; j < b->receipts[i].log_count; j++)
            add_log(d, &b->receipts[i].logs[j], false);
    }
    for (size_t i = 0; i < b->tx_count; i++) {
        if (!index_outlives(&b->txs[i], &b->receipts[i]))
            continue;
        for (size_t j = 0; j < b->receipts[i].log_count; j++)
            add_log(d, &b->receipts[i].logs[j], true);
    }
}

enum err index_drop_rows(struct store_drop_row **out, size_t *out_count, struct arena *a,
                         const struct index_source *src, struct store_view *v, uint64_t number,
                         struct err_ctx *ec) {
    struct index_block b = {0};
    struct drop d = {.a = a, .view = v, .block = number};
    size_t rows = 2;
    enum err e = index_load_block(&b, a, src, v, number, ec);
    if (e != ERR_OK && e != ERR_PRUNED && e != ERR_CORRUPT)
        return e;
    if (e != ERR_OK)
        b.tx_count = 0;
    for (size_t i = 0; i < b.tx_count; i++)
        rows += 1 + b.receipts[i].log_count * (5 + 2);
    d.rows = arena_try_alloc(a, rows * sizeof(*d.rows));
    if (d.rows == NULL)
        return ERR_NOMEM;
    add_positions(&d);
    add_txs(&d, &b);
    drop_events(&d, &b);
    *out = d.rows;
    *out_count = d.count;
    return ERR_OK;
}
