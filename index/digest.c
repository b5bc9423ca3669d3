/* SPDX-License-Identifier: Apache-2.0 */
#include "index/digest.h"

#include "base/keccak.h"
#include "index/index.h"
#include "index/rows.h"
#include "index/universe_rows.h"

#include <inttypes.h>

enum { ROWS_PER_LOOK = 1024 }; /* between two looks at the clock: about a millisecond */

enum coverage { COVERS_NOTHING, COVERS_WHOLE, COVERS_FROM };

static enum coverage coverage_of(enum table_id table) {
    if (table_info[table].cls != TABLE_DERIVED)
        return COVERS_NOTHING;
    if (table == TABLE_CSA || table == TABLE_CSS || table == TABLE_HIA || table == TABLE_HIS ||
        table == TABLE_UNDO)
        return COVERS_NOTHING;
    return table == TABLE_TXL || table == TABLE_LOGA || table == TABLE_UEVT ? COVERS_FROM
                                                                            : COVERS_WHOLE;
}

/* The block of a row of TXL, LOGA or UEVT. */
static uint64_t block_of(enum table_id table, bytes key, bytes value) {
    if (table == TABLE_TXL)
        return value.len == ROW_TX_BYTES ? be64_load(value.ptr) : 0;
    if (table == TABLE_UEVT)
        return key.len == ROW_EVENT_KEY_BYTES ? be64_load(key.ptr + 8) : 0;
    return key.len > 8 ? be64_load(key.ptr + key.len - 8) : 0;
}

static void take(struct keccak_ctx *k, bytes b) {
    uint8_t len[4];
    be32_store(len, (uint32_t)b.len);
    keccak256_update(k, len, sizeof(len));
    keccak256_update(k, b.ptr, b.len);
}

static enum err digest_table(struct index_digest *out, struct store_view *v, enum table_id table,
                             bool (*expired)(void *ctx), void *ctx) {
    bool part = coverage_of(table) == COVERS_FROM;
    uint64_t looked = 0;
    enum err e = ERR_OK;
    struct keccak_ctx k;
    bytes key, value;
    keccak256_begin(&k);
    struct store_cursor *c = store_cursor_open(v, table);
    for (bool more = store_cursor_seek(c, bytes_of(NULL, 0), &key, &value); more && e == ERR_OK;
         more = store_cursor_next(c, &key, &value)) {
        if (++looked % ROWS_PER_LOOK == 0 && expired != NULL && expired(ctx))
            e = ERR_BUSY;
        if (part && block_of(table, key, value) < out->from)
            continue;
        take(&k, key);
        take(&k, value);
        out->rows[table]++;
    }
    store_cursor_close(c);
    keccak256_end(&k, &out->tables[table]);
    return e;
}

static void digest_all(struct index_digest *d) {
    struct keccak_ctx k;
    keccak256_begin(&k);
    for (int t = 0; t < TABLE_COUNT; t++) {
        if (!d->covered[t])
            continue;
        keccak256_update(&k, table_info[t].name, strlen(table_info[t].name) + 1);
        keccak256_update(&k, d->tables[t].b, sizeof(d->tables[t].b));
    }
    keccak256_end(&k, &d->all);
}

enum err index_digest(struct index_digest *out, struct store_view *v, uint64_t from,
                      bool (*expired)(void *ctx), void *ctx, struct err_ctx *ec) {
    struct index_digest d = {.block = store_view_block(v), .from = from};
    uint64_t first = index_first_body(v);
    if (from < first && first > 1)
        FAIL(ec, ERR_PRUNED, "blocks below %" PRIu64 " are gone: a digest can begin there", first);
    d.block_hash = index_hash_of(v, d.block);
    for (int t = 0; t < TABLE_COUNT; t++) {
        d.covered[t] = coverage_of((enum table_id)t) != COVERS_NOTHING;
        enum err e = d.covered[t] ? digest_table(&d, v, (enum table_id)t, expired, ctx) : ERR_OK;
        if (e != ERR_OK)
            FAIL(ec, e, "out of time in table %s", table_info[t].name);
    }
    if (store_view_stale(v))
        FAIL(ec, ERR_PRUNED, "block %" PRIu64 " was unwound or pruned while it was read", d.block);
    digest_all(&d);
    *out = d;
    return ERR_OK;
}
