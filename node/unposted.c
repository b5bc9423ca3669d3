/* SPDX-License-Identifier: Apache-2.0 */
#include "node/unposted.h"

#include "base/check.h"
#include "index/index.h"
#include "node/metrics.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PARTS_FIRST = 1024, ARENA_CHUNK = 1 << 20, ARENA_MAX = 64 << 20 };

struct unposted_lane {
    uint64_t bytes;
    uint64_t newest; /* number of its newest part; that may be gone */
};

void unposted_init(struct unposted *u, struct map_seed seed) {
    *u = (struct unposted){0};
    map_init(&u->lanes, sizeof(uint32_t), sizeof(struct unposted_lane), UNPOSTED_LANES_MAX, seed);
}

void unposted_clear(struct unposted *u) {
    map_clear(&u->lanes);
    free(u->parts);
    u->parts = NULL;
    u->first = u->end = u->cap = u->bytes = 0;
}

static void tell(const struct unposted *u) {
    metric_set(&node_unposted_bytes, (int64_t)u->bytes);
}

/* Universes are numbered from 1 on; one past 32 bits is counted with the rest. */
static uint32_t lane_key(uint64_t universe) {
    return universe <= UINT32_MAX ? (uint32_t)universe : 0;
}

static struct unposted_part *part_at(const struct unposted *u, uint64_t number) {
    return &u->parts[number & (u->cap - 1)];
}

/* --- parts ----------------------------------------------------------------------------------- */
/* Room for one more. */
static enum err make_room(struct unposted *u) {
    if (u->end - u->first < u->cap)
        return ERR_OK;
    size_t cap = u->cap == 0 ? PARTS_FIRST : 2 * u->cap;
    struct unposted_part *parts = malloc(cap * sizeof(*parts));
    if (parts == NULL)
        return ERR_NOMEM;
    for (uint64_t n = u->first; n < u->end; n++)
        parts[n & (cap - 1)] = *part_at(u, n);
    free(u->parts);
    u->parts = parts;
    u->cap = cap;
    return ERR_OK;
}

static void take_off(struct unposted *u, const struct unposted_part *p) {
    struct unposted_lane *lane = map_get(&u->lanes, &p->universe);
    CHECK(lane != NULL && lane->bytes >= p->bytes && u->bytes >= p->bytes);
    lane->bytes -= p->bytes;
    u->bytes -= p->bytes;
    if (lane->bytes == 0)
        (void)map_del(&u->lanes, &p->universe);
}

/* The lane's part of this very block; NULL: it has none yet. */
static struct unposted_part *part_of(const struct unposted *u, const struct unposted_lane *lane,
                                     uint64_t block, uint32_t universe) {
    if (lane->newest < u->first || lane->newest >= u->end)
        return NULL;
    struct unposted_part *p = part_at(u, lane->newest);
    return p->block == block && p->universe == universe ? p : NULL;
}

enum err unposted_add(struct unposted *u, uint64_t block, uint64_t universe, size_t size) {
    uint32_t key = lane_key(universe);
    void *value;
    CHECK(size > 0 && size <= MESSAGE_STORED_DATA_MAX_BYTES + UNPOSTED_FRAME_BYTES);
    TRY(make_room(u));
    TRY(map_ensure(&u->lanes, &key, &value, NULL));
    struct unposted_lane *lane = value;
    struct unposted_part *p = part_of(u, lane, block, key);
    if (p == NULL) {
        lane->newest = u->end++;
        p = part_at(u, lane->newest);
        *p = (struct unposted_part){.block = block, .universe = key};
    }
    p->bytes += (uint32_t)size;
    lane->bytes += size;
    u->bytes += size;
    return ERR_OK;
}

void unposted_posted(struct unposted *u, uint64_t block) {
    while (u->first < u->end && part_at(u, u->first)->block <= block)
        take_off(u, part_at(u, u->first++));
    if (u->first == u->end && u->cap > PARTS_FIRST) {
        free(u->parts);
        u->parts = NULL;
        u->cap = 0;
    }
    tell(u);
}

void unposted_undo(struct unposted *u, uint64_t block) {
    while (u->first < u->end && part_at(u, u->end - 1)->block > block)
        take_off(u, part_at(u, --u->end));
    tell(u);
}

/* --- shares ---------------------------------------------------------------------------------- */
uint64_t unposted_of(const struct unposted *u, uint64_t universe) {
    uint32_t key = lane_key(universe);
    const struct unposted_lane *lane = map_get(&u->lanes, &key);
    return lane != NULL ? lane->bytes : 0;
}

bool unposted_fits(const struct unposted *u, uint64_t universe, uint64_t own, uint64_t all,
                   uint64_t max) {
    uint64_t taken = u->bytes + all;
    return taken <= 2 * max && unposted_of(u, universe) + own <= 2 * max - taken;
}

/* --- blocks ---------------------------------------------------------------------------------- */
static uint64_t find_universe(struct ledger *l, struct lane_map *known, const struct tx *tx) {
    uint64_t universe = 0;
    if (tx->is_create || lane_map_get(known, &tx->to, &universe))
        return universe;
    universe = universe_of(chain_world(l->chain), &tx->to);
    lane_map_put(known, &tx->to, universe);
    return universe;
}

enum err unposted_add_block(struct unposted *u, struct ledger *l, struct lane_map *universes,
                            const struct derived_block *b) {
    if (!message_is_sequenced(&b->message))
        return ERR_OK;
    for (size_t i = 0; i < b->tx_count; i++) {
        const struct tx *tx = &b->txs[i].tx;
        if (tx_is_unsigned(tx->type))
            continue; /* what runs behind them is in no batch */
        TRY(unposted_add(u, b->header.number, find_universe(l, universes, tx),
                         tx->raw.len + UNPOSTED_FRAME_BYTES));
    }
    tell(u);
    return ERR_OK;
}

struct recount {
    struct unposted *u;
    struct ledger *l;
    struct arena *arena;
    uint64_t block;
};

static enum err recount_tx(void *ctx, uint8_t l2_kind, bytes body, const hash32 *request_id) {
    struct recount *r = ctx;
    struct arena_mark mark = arena_mark(r->arena);
    struct tx tx;
    (void)request_id;
    if (l2_kind != L2_SIGNED_TX || tx_decode(&tx, r->arena, body, false, NULL) != ERR_OK)
        return ERR_OK;
    uint64_t universe = tx.is_create ? 0 : universe_of(chain_world(r->l->chain), &tx.to);
    arena_reset_to(r->arena, mark);
    return unposted_add(r->u, r->block, universe, body.len + UNPOSTED_FRAME_BYTES);
}

static enum err recount_block(struct recount *r, struct err_ctx *ec) {
    struct index_source src = {.log = r->l->log, .receipts = r->l->receipts};
    struct message m;
    arena_reset(r->arena);
    TRY(index_load_message(&m, r->arena, &src, r->l->newest, r->block, ec));
    if (!message_is_sequenced(&m) || m.data.len > MESSAGE_DATA_MAX_BYTES) /* an empty block */
        return ERR_OK;
    return message_each_l2(m.data, NULL, recount_tx, r);
}

enum err unposted_recount(struct unposted *u, struct ledger *l, uint64_t posted, atomic_bool *stop,
                          struct err_ctx *ec) {
    struct arena a;
    struct recount r = {.u = u, .l = l, .arena = &a};
    enum err e = ERR_OK;
    unposted_undo(u, 0);
    arena_init(&a, ARENA_CHUNK, ARENA_MAX);
    for (r.block = posted + 1; e == ERR_OK && r.block <= l->head.number; r.block++)
        e = atomic_load(stop) ? ERR_CLOSED : recount_block(&r, ec);
    arena_clear(&a);
    tell(u);
    if (e == ERR_CLOSED)
        return e;
    if (e == ERR_NOT_FOUND) /* to callers that is a batch which the mirror has no more */
        e = ERR_CORRUPT;
    if (e != ERR_OK)
        FAIL(ec, e, "block %" PRIu64 ", which is in no batch yet, cannot be read", r.block - 1);
    return ERR_OK;
}
