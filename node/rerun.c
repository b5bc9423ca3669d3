/* SPDX-License-Identifier: Apache-2.0 */
#include "node/rerun.h"

#include "base/check.h"
#include "base/log.h"
#include "index/record.h"
#include "index/rows.h"
#include "node/sequencer_internal.h"
#include "node/tombs.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RECORD_MAX = 64 << 20 };

void rerun_init(struct rerun *r) {
    *r = (struct rerun){0};
}

void rerun_clear(struct rerun *r) {
    free(r->blocks);
    rerun_init(r);
}

bool rerun_empty(const struct rerun *r) {
    return r->at == r->len;
}

/* --- what is void ---------------------------------------------------------------------------- */
static enum err position_of(struct ledger *l, struct log_pos *out, uint64_t block,
                            struct err_ctx *ec) {
    uint8_t key[8];
    bytes value;
    be64_store(key, block);
    if (!store_get(l->newest, TABLE_BODY, bytes_of(key, sizeof(key)), &value) ||
        row_position_decode(out, value) != ERR_OK)
        FAIL(ec, ERR_CORRUPT, "the record of block %" PRIu64 " is not known", block);
    return ERR_OK;
}

enum err rerun_prepend(struct rerun *r, const struct log_pos *list, size_t count,
                       struct err_ctx *ec) {
    size_t left = r->len - r->at;
    if (count + left > RERUN_BLOCKS_MAX)
        FAIL(ec, ERR_TOO_LARGE, "%zu blocks would have to be made again: too many", count + left);
    struct log_pos *all = malloc((count + left + 1) * sizeof(*all));
    if (all == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for blocks that are made again");
    if (count > 0)
        memcpy(all, list, count * sizeof(*all));
    if (left > 0)
        memcpy(all + count, r->blocks + r->at, left * sizeof(*all));
    free(r->blocks);
    *r = (struct rerun){.blocks = all, .len = count + left, .restamp = r->restamp};
    return ERR_OK;
}

/* Keeps the records from this one on within recovery's reach. */
static enum err lower_floor(struct ledger *l, struct log_pos first, struct err_ctx *ec) {
    struct buf b;
    struct log_record rec;
    buf_init(&b, RECORD_MAX);
    enum err e = wal_read(l->log, &b, first, &rec, ec);
    if (e == ERR_OK && (l->again_floor == 0 || rec.seq < l->again_floor))
        l->again_floor = rec.seq;
    buf_clear(&b);
    return e;
}

enum err rerun_collect(struct rerun *r, struct ledger *l, uint64_t to_block, struct err_ctx *ec) {
    size_t count = (size_t)(l->head.number - to_block);
    struct log_pos *list = malloc((count + 1) * sizeof(*list));
    if (list == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for blocks that are made again");
    enum err e = ERR_OK;
    for (size_t i = 0; i < count && e == ERR_OK; i++)
        e = position_of(l, &list[i], to_block + 1 + i, ec);
    if (e == ERR_OK && count > 0)
        e = lower_floor(l, list[0], ec);
    if (e == ERR_OK)
        e = rerun_prepend(r, list, count, ec);
    free(list);
    return e;
}

void rerun_adopt(struct rerun *r, struct ledger *l) {
    rerun_clear(r);
    *r = (struct rerun){.blocks = l->again, .len = l->again_count, .restamp = l->again_restamp};
    l->again = NULL;
    l->again_count = 0;
    l->again_restamp = false;
}

/* --- making it again ------------------------------------------------------------------------- */
struct again {
    struct sequencer *s;
    struct pool_tx *first, **last; /* still to be tried, by next_ready */
    struct pool_tx *in_block;      /* of the open block, which borrows their bytes */
};

static enum err add_tx(void *ctx, uint8_t l2_kind, bytes body, const hash32 *request_id) {
    struct again *a = ctx;
    struct pool_tx *t;
    (void)request_id;
    if (l2_kind != L2_SIGNED_TX || pool_tx_new(&t, body, NULL) != ERR_OK)
        return ERR_OK; /* it was not in the block either */
    uint64_t epoch;
    enum tx_verdict v;
    /* One that has a tombstone stays out: a crash may have left it on the list. */
    if (tx_recover_sender(&t->tx) != ERR_OK ||
        tombs_find(a->s->o.ledger->newest, &t->tx.hash, &epoch, &v)) {
        pool_tx_free(t);
        return ERR_OK;
    }
    t->next_ready = NULL;
    *a->last = t;
    a->last = &t->next_ready;
    return ERR_OK;
}

static struct pool_tx *take_first(struct again *a) {
    struct pool_tx *t = a->first;
    a->first = t->next_ready;
    if (a->first == NULL)
        a->last = &a->first;
    return t;
}

static void free_list(struct pool_tx *t) {
    for (struct pool_tx *next; t != NULL; t = next) {
        next = t->next_ready;
        pool_tx_free(t);
    }
}

/* It is not in the new block: because another block has it already, or for good. */
static void refuse_first(struct again *a, enum tx_verdict v) {
    uint64_t block;
    uint32_t idx;
    struct ledger *l = a->s->o.ledger;
    if (index_find_tx(&block, &idx, l->newest, &a->first->tx.hash) != ERR_OK)
        tombs_add(l, &a->first->tx.hash, v);
    pool_tx_free(take_first(a));
}

static const struct tx *again_next(void *ctx, uint64_t gas_left, size_t bytes_left) {
    struct again *a = ctx;
    for (;;) {
        if (a->first == NULL)
            return NULL;
        const struct tx *tx = &a->first->tx;
        if (tx->gas_limit <= gas_left && tx->raw.len <= bytes_left)
            return tx;
        if (a->in_block != NULL)
            return NULL; /* it begins the next block */
        refuse_first(a, TX_GAS_LIMIT_BLOCK);
    }
}

static void again_done(void *ctx, const struct tx *tx, enum tx_verdict v,
                       const struct derived_tx *d) {
    struct again *a = ctx;
    (void)d;
    CHECK(tx == &a->first->tx);
    if (v != TX_OK) {
        refuse_first(a, v);
        return;
    }
    struct pool_tx *t = take_first(a);
    t->next_ready = a->in_block;
    a->in_block = t;
}

static enum err again_user(struct sequencer *s, const struct message *m, struct err_ctx *ec) {
    struct again a = {.s = s};
    a.last = &a.first;
    TRY(message_each_l2(m->data, NULL, add_tx, &a));
    enum err e = ERR_OK;
    while (e == ERR_OK && a.first != NULL) {
        struct tx_feed feed = {.ctx = &a, .next = again_next, .done = again_done};
        e = sequencer_await_disk(s);
        if (e == ERR_OK)
            e = sequencer_make_again(s, &feed, m->timestamp, m->l1_block, ec);
        free_list(a.in_block);
        a.in_block = NULL;
    }
    free_list(a.first);
    return e;
}

static enum err again_delayed(struct sequencer *s, struct mirror *m, uint64_t index,
                              struct err_ctx *ec) {
    struct arena a;
    struct mirror_delayed d;
    if (l3_header_info_get(&s->o.ledger->head).delayed_read != index)
        return ERR_OK; /* read already, or not yet its turn */
    arena_init(&a, 1 << 16, 1 << 30);
    enum err e = mirror_delayed_at(m, &a, index, &d);
    if (e == ERR_OK)
        e = sequencer_derive(s, &d.message, ec);
    else if (e == ERR_NOT_FOUND)
        e = ERR_OK; /* the parent does not have it any more, or again later */
    arena_clear(&a);
    return e;
}

enum err rerun_step(struct rerun *r, struct sequencer *s, struct mirror *m, uint64_t timestamp,
                    uint64_t l1_block, struct err_ctx *ec) {
    struct buf b;
    struct log_record rec;
    struct record_block in;
    CHECK(!rerun_empty(r));
    buf_init(&b, RECORD_MAX);
    enum err e = wal_read(s->o.ledger->log, &b, r->blocks[r->at], &rec, ec);
    if (e == ERR_OK)
        e = record_unpack_block(&in, rec.payload);
    if (e == ERR_OK && r->restamp) {
        in.message.timestamp = timestamp;
        in.message.l1_block = l1_block;
    }
    if (e == ERR_OK)
        e = message_is_sequenced(&in.message)
                ? again_user(s, &in.message, ec)
                : again_delayed(s, m, in.message.delayed_read - 1, ec);
    buf_clear(&b);
    if (e != ERR_OK)
        return e;
    r->at++;
    if (rerun_empty(r)) {
        log_info("settle", "all is made again", log_u64("blocks", r->len),
                 log_u64("head", s->o.ledger->head.number));
        rerun_clear(r);
        s->o.ledger->again_floor = 0;
    }
    return ERR_OK;
}
