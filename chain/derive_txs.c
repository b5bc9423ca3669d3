/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/derive_internal.h"
#include "chain/derive_senders.h"

enum { TX_CAP_FIRST = 16 };

struct derived_tx *tx_slot(struct derived_block *b, struct chain *c) {
    if (b->tx_count == c->tx_cap) {
        size_t cap = c->tx_cap == 0 ? TX_CAP_FIRST : 2 * c->tx_cap;
        struct derived_tx *grown = arena_alloc(c->arena, cap * sizeof *grown);
        if (b->tx_count != 0)
            memcpy(grown, b->txs, b->tx_count * sizeof *grown);
        b->txs = grown;
        c->tx_cap = cap;
    }
    struct derived_tx *d = &b->txs[b->tx_count];
    memset(d, 0, sizeof *d);
    check_progress.tx_idx = b->tx_count;
    c->l3.tx_idx = b->tx_count;
    return d;
}

/* --- from a message ---------------------------------------------------------------------- */

/* apply_tx, under a replay's watch if there is one. */
static enum tx_verdict apply(struct chain *c, struct derived_tx *d) {
    bool stop = false;
    enum tx_verdict v =
        apply_tx_watched(&c->x, &d->tx, c->arena, &d->result, &d->receipt, c->watch, &stop);
    c->watch_stopped |= stop;
    return v;
}

struct message_run {
    struct derived_block *b;
    struct chain *c;
    struct senders senders;
};

/* A replay keeps nothing: whatever was added since `mark` goes, the list of transactions too. */
static void forget_replayed(struct derived_block *b, struct chain *c, struct arena_mark mark) {
    if (c->watch == NULL)
        return;
    arena_reset_to(c->arena, mark);
    b->txs = NULL;
    b->tx_count = 0;
    c->tx_cap = 0;
}

/* Applies the transaction in `d`, the block's next slot, and the retries that it schedules. One
 * with a bad verdict is not in the block and changes nothing. */
static bool run_user_tx(struct derived_block *b, struct chain *c, struct derived_tx *d) {
    if (apply(c, d) != TX_OK)
        return false;
    d->result.output = bytes_of(NULL, 0);
    block_run_redeems(b, c, b->tx_count++);
    return true;
}

static void run_signed(struct message_run *r, bytes envelope) {
    struct derived_block *b = r->b;
    struct chain *c = r->c;
    struct arena_mark start = arena_mark(c->arena);
    struct derived_tx *d = tx_slot(b, c);
    struct arena_mark mark = arena_mark(c->arena);
    enum err e = tx_decode(&d->tx, c->arena, envelope, false, NULL);
    CHECK(e != ERR_NOMEM); /* another block would be derived */
    bool is_in = e == ERR_OK;
    if (is_in)
        is_in = senders_take(&r->senders, &d->tx) && run_user_tx(b, c, d);
    else
        senders_skip(&r->senders);
    if (!is_in)
        arena_reset_to(c->arena, mark);
    forget_replayed(b, c, start);
}

static void run_unsigned(struct derived_block *b, struct chain *c, uint8_t l2_kind, bytes body,
                         const hash32 *request_id) {
    struct arena_mark start = arena_mark(c->arena);
    struct derived_tx *d = tx_slot(b, c);
    struct arena_mark mark = arena_mark(c->arena);
    bool is_in = parent_tx_unsigned(&d->tx, c->arena, c->x.chain_id, l2_kind, body,
                                    &b->message.sender, request_id) &&
                 run_user_tx(b, c, d);
    if (!is_in)
        arena_reset_to(c->arena, mark);
    forget_replayed(b, c, start);
}

static enum err run_l2_item(void *ctx, uint8_t l2_kind, bytes body, const hash32 *request_id) {
    struct message_run *r = ctx;
    if (r->c->watch_stopped)
        return ERR_OK; /* a replay that has shown what it was for */
    if (l2_kind == L2_SIGNED_TX)
        run_signed(r, body);
    else if (l2_kind == L2_UNSIGNED_USER_TX || l2_kind == L2_CONTRACT_TX)
        run_unsigned(r->b, r->c, l2_kind, body, request_id);
    return ERR_OK; /* other kinds are invalid on this chain as on Nitro */
}

/* Kind 7: the deposit stands whatever becomes of the transaction that it pays for. */
static void run_funded(struct derived_block *b, struct chain *c) {
    struct tx deposit, tx;
    if (!parent_tx_funded(&deposit, &tx, c->arena, c->x.chain_id, &b->message))
        return;
    block_run_deposit(b, c, &deposit);
    if (c->watch_stopped)
        return;
    struct derived_tx *d = tx_slot(b, c);
    d->tx = tx;
    (void)run_user_tx(b, c, d);
}

static void run_parent_tx(struct derived_block *b, struct chain *c) {
    const struct message *m = &b->message;
    uint64_t id = c->x.chain_id;
    struct tx tx;
    struct batch_report report;
    if (m->kind == MESSAGE_ETH_DEPOSIT && parent_tx_deposit(&tx, c->arena, id, m)) {
        block_run_deposit(b, c, &tx);
    } else if (m->kind == MESSAGE_SUBMIT_RETRYABLE && parent_tx_submit(&tx, c->arena, id, m)) {
        block_run_submit(b, c, &tx);
        block_run_redeems(b, c, b->tx_count - 1);
    } else if (m->kind == MESSAGE_BATCH_POSTING_REPORT &&
               parent_tx_report(&tx, &report, c->arena, id, m)) {
        block_run_report(b, c, &tx, &report);
    }
}

enum err block_run_message(struct derived_block *b, struct chain *c) {
    const struct message *m = &b->message;
    if (m->data.len > MESSAGE_DATA_MAX_BYTES)
        return ERR_OK;
    switch (m->kind) {
    case MESSAGE_L2: {
        struct message_run r = {.b = b, .c = c};
        senders_prepare(&r.senders, c->arena, m, c->known_senders, c->known_sender_count);
        return message_each_l2(m->data, m->has_request_id ? &m->request_id : NULL, run_l2_item, &r);
    }
    case MESSAGE_L2_FUNDED_BY_L1:
        run_funded(b, c);
        return ERR_OK;
    case MESSAGE_ETH_DEPOSIT:
    case MESSAGE_SUBMIT_RETRYABLE:
    case MESSAGE_BATCH_POSTING_REPORT:
        run_parent_tx(b, c);
        return ERR_OK;
    case MESSAGE_END_OF_BLOCK:
    case MESSAGE_ROLLUP_EVENT:
    case MESSAGE_BATCH_FOR_GAS_ESTIMATION:
    case MESSAGE_INITIALIZE: /* means something as message 0 only, and that makes no block */
    case MESSAGE_INVALID:
    default:
        return ERR_OK;
    }
}

/* --- from a feed ------------------------------------------------------------------------- */

static void *copy_array(struct arena *a, const void *ptr, size_t count, size_t elem_bytes) {
    if (count == 0)
        return NULL;
    void *p = arena_alloc(a, count * elem_bytes);
    memcpy(p, ptr, count * elem_bytes);
    return p;
}

/* A copy whose lists live in the arena; raw and data still are the feed's (see adopt_txs). */
static void tx_copy(struct tx *out, struct arena *a, const struct tx *tx) {
    *out = *tx;
    out->access = copy_array(a, tx->access, tx->access_count, sizeof *tx->access);
    for (size_t i = 0; i < tx->access_count; i++)
        out->access[i].keys =
            copy_array(a, tx->access[i].keys, tx->access[i].key_count, sizeof *tx->access[i].keys);
    out->auths = copy_array(a, tx->auths, tx->auth_count, sizeof *tx->auths);
    out->blob_hashes = copy_array(a, tx->blob_hashes, tx->blob_hash_count, sizeof *tx->blob_hashes);
}

/* Bytes that the next envelope may have. */
static size_t bytes_left(const struct message_framer *f) {
    size_t frame = message_frame_len_with(f, 0);
    return frame < MESSAGE_SEQUENCED_MAX_BYTES ? MESSAGE_SEQUENCED_MAX_BYTES - frame : 0;
}

size_t block_run_feed(struct derived_block *b, struct chain *c, const struct tx_feed *feed) {
    struct message_framer f;
    buf_reset(&c->frame);
    message_frame_begin(&f, &c->frame);
    const struct tx *tx;
    size_t room = bytes_left(&f);
    while (room > 0 && (tx = feed->next(feed->ctx, c->x.gas_left, room)) != NULL) {
        CHECK(tx->raw.len <= room);
        struct derived_tx *d = tx_slot(b, c);
        enum tx_verdict v = apply_tx(&c->x, tx, c->arena, &d->result, &d->receipt);
        if (v == TX_OK) {
            tx_copy(&d->tx, c->arena, tx);
            message_frame_add(&f, tx->raw, NULL);
            b->tx_count++;
        }
        if (feed->done != NULL)
            feed->done(feed->ctx, tx, v, v == TX_OK ? d : NULL);
        d->result.output = bytes_of(NULL, 0);
        if (v == TX_OK)
            block_run_redeems(b, c, b->tx_count - 1);
        room = bytes_left(&f);
    }
    return f.count;
}
