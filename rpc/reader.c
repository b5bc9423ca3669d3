/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/reader.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/keccak.h"
#include "rpc/batch.h"
#include "rpc/format.h"

#include <stdlib.h>

enum {
    CALL_CODE_PARTS = 3, /* of the fourths of what a reader keeps: code; the rest is state, which
                            it keeps for a block's time */
    VIEW_KEPT_BYTES = 4 << 20, /* of rows that an old state's view has taken in, between calls */
    ARENA_CHUNK_BYTES = 64 << 10,
    VIEW_TRIES_MAX = 3, /* a block can be unwound between choosing and opening it */
    KNOWN_HASHES = 4096,
};

/* Hashes of addresses that were asked for: the same ones come again and again. Who chooses
 * addresses for the same place gains nothing but a hash each. */
struct known_hash {
    addr20 addr;
    hash32 hash; /* zeros: none yet, which is no address' hash */
};

struct rpc_reader {
    const struct rpc_context *cx;
    struct arena arena;
    struct store_view *head;  /* newest durable block */
    struct index_head newest; /* its header, if has_newest */
    bool has_newest;
    struct store_view *state; /* of the last rpc_state_view, NULL: none */
    bool state_used;          /* by the running call */
    struct chain *chain;      /* made on first use */
    uint64_t chain_block;     /* whose state `chain` has; UINT64_MAX: none */
    uint64_t started_ns;      /* of the running call, by clock_monotonic_ns */
    struct index_cache *logs;
    struct known_hash *hashes; /* KNOWN_HASHES */
};

struct rpc_reader *rpc_reader_new(const struct rpc_context *cx, size_t log_bytes) {
    struct rpc_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->cx = cx;
    r->chain_block = UINT64_MAX;
    arena_init(&r->arena, ARENA_CHUNK_BYTES, RPC_REQUEST_ARENA_MAX);
    r->logs = index_cache_new(log_bytes);
    r->hashes = calloc(KNOWN_HASHES, sizeof(*r->hashes));
    if (r->logs == NULL || r->hashes == NULL) {
        rpc_reader_free(r);
        return NULL;
    }
    return r;
}

static void drop_state(struct rpc_reader *r) {
    if (r->state != NULL)
        store_view_close(r->state);
    r->state = NULL;
    r->chain_block = UINT64_MAX;
}

void rpc_reader_free(struct rpc_reader *r) {
    if (r == NULL)
        return;
    if (r->chain != NULL)
        chain_free(r->chain);
    drop_state(r);
    if (r->head != NULL)
        store_view_close(r->head);
    arena_clear(&r->arena);
    index_cache_free(r->logs);
    free(r->hashes);
    free(r);
}

/* Takes `v`, NULL for none, as the head view. An unwind turns every view stale that is open above
 * the block it goes to, or lowers what is durable before: the old view is asked while the new one
 * is open already, so that none passes between the two unseen. */
static void set_head(struct rpc_reader *r, struct store_view *v) {
    struct store_view *old = r->head;
    bool may_differ = old == NULL || v == NULL || store_view_stale(old) ||
                      store_view_block(v) < store_view_block(old);
    if (may_differ)
        index_cache_clear(r->logs);
    store_view_close(old);
    r->head = v;
    r->has_newest = false;
}

/* Moves the head view to the newest durable block. */
static enum err refresh_head(struct rpc_reader *r) {
    enum err e = ERR_OK;
    for (int i = 0; i < VIEW_TRIES_MAX; i++) {
        struct store_view *v = NULL;
        uint64_t durable = store_durable(r->cx->store);
        if (r->head != NULL && store_view_block(r->head) == durable && !store_view_stale(r->head))
            return ERR_OK;
        e = store_view_open(&v, r->cx->store, durable);
        if (e == ERR_OK) {
            set_head(r, v);
            return ERR_OK;
        }
    }
    set_head(r, NULL);
    return e;
}

/* What was read from a view whose undo data went meanwhile is void. */
static void check_state(struct rpc_reader *r, struct rpc_call *c) {
    if (r->state == NULL || !r->state_used || !store_view_stale(r->state))
        return;
    bool pruned = store_view_block(r->state) < store_first_block(r->cx->store);
    drop_state(r);
    buf_reset(&c->result);
    buf_reset(&c->text);
    buf_reset(&c->data);
    buf_reset(&c->envelope);
    c->code = 0;
    if (pruned)
        rpc_fail_err(c, ERR_PRUNED, NULL);
    else
        rpc_fail(c, RPC_SERVER_ERROR, "header not found");
}

static void finish_call(struct rpc_call *c) {
    if (c->result.overflow)
        rpc_batch_cut(c);
    c->reader = NULL;
    if ((c->envelope.len == 0 && c->ask == NULL) || rpc_failed(c))
        c->phase = RPC_PHASE_DONE;
}

static bool is_due(const struct rpc_call *c) {
    return c->phase == RPC_PHASE_RUN || c->phase == RPC_PHASE_RECEIPT;
}

void rpc_reader_run_one(struct rpc_reader *r, struct rpc_call *c, uint64_t now_ns) {
    CHECK(is_due(c));
    c->reader = r;
    r->started_ns = now_ns;
    r->state_used = false;
    enum err e = refresh_head(r);
    if (e != ERR_OK) {
        rpc_fail_err(c, e, NULL);
    } else if (c->phase == RPC_PHASE_RECEIPT) {
        buf_clear(&c->envelope);
        format_receipt_of(c, &c->tx_hash);
    } else {
        c->method->run(c);
    }
    check_state(r, c);
    if (r->state != NULL && store_view_bytes(r->state) > VIEW_KEPT_BYTES)
        drop_state(r);
    finish_call(c);
    arena_reset(&r->arena);
}

void rpc_reader_run(struct rpc_reader *r, struct rpc_call *calls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct rpc_call *c = &calls[i];
        if (!is_due(c) || !rpc_batch_admits(c))
            continue;
        rpc_reader_run_one(r, c, clock_monotonic_ns(clock_posix()));
        rpc_batch_took(
            c, c->batch != NULL ? (clock_monotonic_ns(clock_posix()) - r->started_ns) / 1000 : 0);
    }
}

/* --- for handlers -------------------------------------------------------------------------- */
struct arena *rpc_arena(struct rpc_call *c) {
    return &c->reader->arena;
}

struct store_view *rpc_head_view(struct rpc_call *c) {
    return c->reader->head;
}

struct index_cache *rpc_log_cache(struct rpc_call *c) {
    return c->reader->logs;
}

uint64_t rpc_head_number(struct rpc_call *c) {
    return store_view_block(c->reader->head);
}

bool rpc_renew_head(struct rpc_call *c) {
    enum err e = refresh_head(c->reader);
    if (e != ERR_OK)
        rpc_fail_err(c, e, NULL);
    return e == ERR_OK;
}

bool rpc_pending_nonce(struct rpc_call *c, const addr20 *a, uint64_t *out) {
    const struct node_commands *node = c->cx->node;
    struct account account;
    uint64_t pooled = node->pending_nonce(node->ctx, a);
    if (!rpc_renew_head(c) || !rpc_account(c, rpc_head_number(c), a, &account))
        return false;
    *out = pooled > account.nonce ? pooled : account.nonce;
    if (node->forwarded_nonce != NULL)
        *out = node->forwarded_nonce(node->forwarder, a, *out);
    return true;
}

/* Block 0 before any batch is on a parent chain. */
static uint64_t final_block(const struct rpc_context *cx, bool safe, uint64_t head) {
    const struct node_parent *p = cx->node->parent;
    uint64_t safe_block = 0, finalized_block = 0;
    if (p != NULL)
        p->tags(p->ctx, &safe_block, &finalized_block);
    uint64_t number = safe ? safe_block : finalized_block;
    return number < head ? number : head;
}

bool rpc_resolve(struct rpc_call *c, const struct block_ref *ref, uint64_t *out_number) {
    uint64_t head = rpc_head_number(c), number = 0;
    switch (ref->kind) {
    case BLOCK_REF_LATEST:
    case BLOCK_REF_PENDING:
        number = head;
        break;
    case BLOCK_REF_SAFE:
    case BLOCK_REF_FINALIZED:
        number = final_block(c->reader->cx, ref->kind == BLOCK_REF_SAFE, head);
        break;
    case BLOCK_REF_NUMBER:
        number = ref->number;
        break;
    case BLOCK_REF_HASH: {
        enum err e = index_number_of(&number, c->reader->head, &ref->hash);
        if (e != ERR_OK && e != ERR_NOT_FOUND)
            rpc_fail_err(c, e, NULL);
        if (e != ERR_OK)
            return false;
        break;
    }
    }
    if (number > head)
        return false;
    *out_number = number;
    return true;
}

/* The header of a block; that of the newest is asked for again and again. */
static enum err load_head(struct rpc_reader *r, uint64_t number, struct index_head *out) {
    if (number != store_view_block(r->head))
        return index_head(out, r->head, number);
    if (!r->has_newest)
        TRY(index_head(&r->newest, r->head, number));
    r->has_newest = true;
    *out = r->newest;
    return ERR_OK;
}

bool rpc_need_block(struct rpc_call *c, const struct block_ref *ref, struct index_head *out) {
    uint64_t number = 0;
    enum err e = ERR_NOT_FOUND;
    if (rpc_resolve(c, ref, &number))
        e = load_head(c->reader, number, out);
    if (rpc_failed(c))
        return false;
    if (e == ERR_NOT_FOUND)
        rpc_fail(c, RPC_SERVER_ERROR, "header not found");
    else if (e != ERR_OK)
        rpc_fail_err(c, e, NULL);
    return e == ERR_OK;
}

struct store_view *rpc_state_view(struct rpc_call *c, uint64_t number) {
    struct rpc_reader *r = c->reader;
    r->state_used = true;
    if (r->state != NULL && store_view_block(r->state) == number && !store_view_stale(r->state))
        return r->state;
    drop_state(r);
    enum err e = store_view_open(&r->state, r->cx->store, number);
    if (e != ERR_OK) {
        r->state = NULL;
        if (e == ERR_NOT_FOUND)
            rpc_fail(c, RPC_SERVER_ERROR, "header not found");
        else
            rpc_fail_err(c, e, NULL);
        return NULL;
    }
    return r->state;
}

static const hash32 *hash_of(struct rpc_reader *r, const addr20 *a) {
    struct known_hash *k = &r->hashes[be32_load(a->b + 16) % KNOWN_HASHES];
    if (!addr20_eq(&k->addr, a) || hash32_is_zero(&k->hash)) {
        keccak256(&k->hash, a->b, 20);
        k->addr = *a;
    }
    return &k->hash;
}

bool rpc_account(struct rpc_call *c, uint64_t number, const addr20 *a, struct account *out) {
    struct store_view *v = rpc_state_view(c, number);
    if (v == NULL)
        return false;
    struct state_reader reader = store_state_reader(v);
    if (!reader.ops->account(reader.ctx, out, hash_of(c->reader, a)))
        *out = (struct account){.code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE};
    return true;
}

static hash32 block_hash(void *ctx, uint64_t number) {
    struct rpc_reader *r = ctx;
    return index_hash_of(r->state, number);
}

static size_t bytes_kept(const struct rpc_context *cx) {
    size_t each = RPC_READERS_CODE_BYTES / (cx->reader_count != 0 ? cx->reader_count : 1);
    return each < RPC_READER_BYTES_MAX ? each : RPC_READER_BYTES_MAX;
}

struct chain *rpc_executor(struct rpc_call *c, uint64_t number) {
    struct rpc_reader *r = c->reader;
    struct store_view *v = rpc_state_view(c, number);
    if (v == NULL)
        return NULL;
    if (r->chain == NULL) {
        size_t kept = bytes_kept(r->cx);
        struct chain_options o = {
            .config = r->cx->chain,
            .reader = store_state_reader(v),
            .tier = EVM_TIER_FAST,
            .code_cache_bytes = kept / 4 * CALL_CODE_PARTS,
            .world_cache_bytes = kept / 4 * (4 - CALL_CODE_PARTS),
            .block_hash = block_hash,
            .block_hash_ctx = r,
        };
        r->chain = chain_new(&o);
        if (r->chain == NULL) {
            rpc_fail_err(c, ERR_NOMEM, NULL);
            return NULL;
        }
    } else if (r->chain_block != number) {
        chain_reset(r->chain, store_state_reader(v));
    }
    r->chain_block = number;
    return r->chain;
}

bool rpc_load_block(struct rpc_call *c, uint64_t number, struct index_block *out) {
    struct err_ctx ec;
    enum err e = index_load_block(out, rpc_arena(c), &c->cx->source, c->reader->head, number, &ec);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        rpc_fail_err(c, e, &ec);
    return e == ERR_OK;
}

bool rpc_load_tx(struct rpc_call *c, uint64_t number, uint64_t tx_idx, struct index_block *out,
                 size_t *out_at) {
    struct err_ctx ec;
    enum err e = ERR_NOT_FOUND;
    if (tx_idx <= UINT32_MAX)
        e = index_load_tx(out, out_at, rpc_arena(c), &c->cx->source, c->reader->head, number,
                          (uint32_t)tx_idx, &ec);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        rpc_fail_err(c, e, &ec);
    return e == ERR_OK;
}

uint64_t rpc_spent_us(const struct rpc_call *c) {
    return (clock_monotonic_ns(clock_posix()) - c->reader->started_ns) / 1000;
}

bool rpc_time_up(struct rpc_call *c) {
    return rpc_spent_us(c) > 1000 * (uint64_t)c->cx->call_time_ms;
}
