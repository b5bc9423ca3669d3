/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/derive_internal.h"
#include "chain/system_state.h"

enum { TX_CAP_FIRST = 16 };

/* Room for one more transaction, zeroed, at the end of b->txs; counted by the caller once it is in
 * the block. */
static struct derived_tx *tx_slot(struct derived_block *b, struct chain *c) {
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
    struct err_ctx *ec;
};

/* A signed transaction. What does not decode or gets a bad verdict is not in the block and changes
 * nothing. */
static void run_signed(struct derived_block *b, struct chain *c, bytes envelope) {
    struct derived_tx *d = tx_slot(b, c);
    struct arena_mark mark = arena_mark(c->arena);
    bool is_in = tx_decode(&d->tx, c->arena, envelope, false, NULL) == ERR_OK &&
                 tx_recover_sender(&d->tx) == ERR_OK && apply(c, d) == TX_OK;
    if (is_in && c->watch == NULL) { /* a replay keeps nothing */
        d->result.output = bytes_of(NULL, 0);
        b->tx_count++;
        return;
    }
    arena_reset_to(c->arena, mark);
}

static enum err run_l2_item(void *ctx, uint8_t l2_kind, bytes body, const hash32 *request_id) {
    struct message_run *r = ctx;
    (void)request_id;
    if (r->c->watch_stopped)
        return ERR_OK; /* a replay that has shown what it was for */
    switch (l2_kind) {
    case L2_SIGNED_TX:
        run_signed(r->b, r->c, body);
        return ERR_OK;
    case L2_UNSIGNED_USER_TX:
    case L2_CONTRACT_TX:
        FAIL(r->ec, ERR_UNSUPPORTED,
             "block %llu: its message has an unsigned transaction (L2 kind %u), which this program "
             "does not execute",
             (unsigned long long)r->b->header.number, l2_kind);
    default:
        return ERR_OK; /* invalid on this chain as on Nitro */
    }
}

/* --- deposits ---------------------------------------------------------------------------- */

enum { DEPOSIT_DATA_BYTES = 20 + 32 };

/* Type 0x64: the fields in order of its encoding. */
static void deposit_encode(struct buf *b, uint64_t chain_id, const hash32 *request_id,
                           const struct tx *tx) {
    buf_append_byte(b, TX_DEPOSIT);
    size_t mark = rlp_list_begin(b);
    rlp_put_u64(b, chain_id);
    rlp_put_hash(b, request_id);
    rlp_put_addr(b, &tx->sender);
    rlp_put_addr(b, &tx->to);
    rlp_put_u256(b, &tx->value);
    rlp_list_end(b, mark);
}

static void deposit_build(struct tx *tx, struct arena *a, uint64_t chain_id,
                          const struct message *m) {
    tx->type = TX_DEPOSIT;
    tx->has_chain_id = true;
    tx->chain_id = chain_id;
    tx->sender = m->sender;
    tx->has_sender = true;
    memcpy(tx->to.b, m->data.ptr, 20);
    tx->value = u256_from_be32(m->data.ptr + 20);
    struct buf b;
    buf_init(&b, 256);
    deposit_encode(&b, chain_id, &m->request_id, tx);
    CHECK(!b.overflow);
    tx->raw = arena_copy(a, buf_bytes(&b));
    buf_clear(&b);
    tx->hash = keccak256_bytes(tx->raw);
}

/* Whether all money that ever was, and this, still fits 256 bits: only a broken parent could ask
 * for more. */
static bool supply_holds(struct world *w, const u256 *value) {
    u256 sum = sys_get(w, SYS_SUPPLY_GENESIS, NULL), minted = sys_get(w, SYS_SUPPLY_MINTED, NULL);
    return !u256_add_overflow(&sum, &sum, &minted) && !u256_add_overflow(&sum, &sum, value);
}

/* Mints to the sender and moves on to the recipient; no code runs, no gas is used. */
static enum evm_status execute_deposit(struct world *w, const struct tx *tx) {
    world_tx_begin(w);
    bool ok = supply_holds(w, &tx->value);
    if (ok) {
        sys_add(w, SYS_SUPPLY_MINTED, NULL, &tx->value);
        world_touch(w, &tx->sender);
        world_add_balance(w, &tx->to, &tx->value);
    }
    world_tx_end(w);
    return ok ? EVM_SUCCESS : EVM_REVERT;
}

/* The same under a watch, to whose tracer it looks like a call without gas. */
static enum evm_status execute_deposit_watched(struct chain *c, const struct derived_tx *d) {
    const struct tx *tx = &d->tx;
    const struct exec_watch *w = c->watch;
    const struct evm_tracer *t = w->begin(w->ctx, &c->x, tx);
    if (t != NULL && t->on_enter != NULL)
        t->on_enter(t->ctx, EVM_CALL, &tx->sender, &tx->to, tx->data, 0, &tx->value, 0);
    struct tx_result r = {.status = execute_deposit(c->world, tx)};
    if (t != NULL && t->on_exit != NULL)
        t->on_exit(t->ctx, r.status, r.output, 0, 0);
    c->watch_stopped |= !w->end(w->ctx, &c->x, tx, TX_OK, &r);
    return r.status;
}

static void run_deposit(struct derived_block *b, struct chain *c) {
    const struct message *m = &b->message;
    if (m->data.len < DEPOSIT_DATA_BYTES || !m->has_request_id)
        return;
    struct derived_tx *d = tx_slot(b, c);
    deposit_build(&d->tx, c->arena, c->x.chain_id, m);
    enum evm_status status =
        c->watch != NULL ? execute_deposit_watched(c, d) : execute_deposit(c->world, &d->tx);
    bool ok = status == EVM_SUCCESS;
    d->result.status = status;
    d->receipt.type = TX_DEPOSIT;
    d->receipt.success = ok;
    d->receipt.cumulative_gas_used = c->x.gas_used;
    d->receipt.logs = arena_alloc(c->arena, sizeof *d->receipt.logs);
    b->tx_count++;
}

enum err block_run_message(struct derived_block *b, struct chain *c, struct err_ctx *ec) {
    const struct message *m = &b->message;
    if (m->data.len > MESSAGE_DATA_MAX_BYTES)
        return ERR_OK;
    switch (m->kind) {
    case MESSAGE_L2: {
        struct message_run r = {.b = b, .c = c, .ec = ec};
        return message_each_l2(m->data, m->has_request_id ? &m->request_id : NULL, run_l2_item, &r);
    }
    case MESSAGE_ETH_DEPOSIT:
        run_deposit(b, c);
        return ERR_OK;
    case MESSAGE_L2_FUNDED_BY_L1:
    case MESSAGE_SUBMIT_RETRYABLE:
    case MESSAGE_BATCH_POSTING_REPORT:
        FAIL(ec, ERR_UNSUPPORTED,
             "block %llu: its message is of kind %u, which this program does not execute",
             (unsigned long long)b->header.number, m->kind);
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

void block_run_feed(struct derived_block *b, struct chain *c, const struct tx_feed *feed) {
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
        room = bytes_left(&f);
    }
}
