/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/derive.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/derive_internal.h"
#include "chain/send_tree.h"
#include "chain/system_state.h"
#include "evm/profile.h"

#include <stdlib.h>

/* A creation costs 32,000 gas: with genesis' bound of 2^40 on the gas limit a block has fewer. */
#define ATTRIBUTED_MAX_BYTES ((size_t)1 << 32)

/* --- the executor ------------------------------------------------------------------------ */

struct chain *chain_new(const struct chain_options *o) {
    struct chain *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    c->opt = *o;
    c->world = world_new(o->reader);
    c->code_cache = evm_code_cache_new(o->code_cache_bytes);
    CHECK(c->code_cache != NULL);
    if (o->profile != NULL)
        evm_code_cache_set_profile(c->code_cache, o->profile);
    c->vm = evm_new(c->code_cache);
    CHECK(c->vm != NULL);
    buf_init(&c->frame, MESSAGE_SEQUENCED_MAX_BYTES);
    buf_init(&c->call_output, L3_CALL_OUTPUT_MAX_BYTES);
    buf_init(&c->attributed, ATTRIBUTED_MAX_BYTES);
    universe_run_init(&c->l3.run);
    return c;
}

void chain_free(struct chain *c) {
    if (c == NULL)
        return;
    evm_free(c->vm);
    evm_code_cache_free(c->code_cache);
    world_free(c->world);
    buf_clear(&c->frame);
    buf_clear(&c->call_output);
    buf_clear(&c->attributed);
    universe_run_clear(&c->l3.run);
    free(c);
}

void chain_reset(struct chain *c, struct state_reader reader) {
    CHECK(!c->is_open);
    c->opt.reader = reader;
    world_reset(c->world, reader);
}

struct world *chain_world(struct chain *c) {
    return c->world;
}

size_t chain_code_bytes(const struct chain *c) {
    return evm_code_cache_bytes(c->code_cache);
}

void caches_trim(struct chain *c) {
    world_trim(c->world, c->opt.world_cache_bytes);
    evm_code_cache_trim(c->code_cache);
}

static hash32 ring_block_hash(void *ctx, uint64_t number) {
    struct chain *c = ctx;
    return l3_block_hash(c->world, c->l3.number, number);
}

void exec_prepare(struct chain *c, const struct header *h, const struct tx_rules *rules) {
    struct l3_header_info info = l3_header_info_get(h);
    c->l3.config = &c->opt.config;
    c->l3.number = h->number;
    c->l3.l1_block = info.l1_block_number;
    c->l3.call_output = &c->call_output;
    c->l3.attributed = rules == &l3_tx_rules ? &c->attributed : NULL;
    buf_reset(&c->attributed);
    struct exec *x = &c->x;
    *x = (struct exec){
        .world = c->world,
        .vm = c->vm,
        .code_cache = c->code_cache,
        .rules = rules,
        .rules_ctx = &c->l3,
        .revision = EVM_OSAKA,
        .tier = c->opt.tier,
        .chain_id = c->opt.config.chain_id,
        .tx_gas_cap = L3_TX_GAS_CAP,
        .gas_left = h->gas_limit,
        .block_hash = c->opt.block_hash != NULL ? c->opt.block_hash : ring_block_hash,
        .block_hash_ctx = c->opt.block_hash != NULL ? c->opt.block_hash_ctx : c,
        .fee_account = c->l3.network_fee_account,
    };
    x->block = (struct evm_block_ctx){
        .chain_id = c->opt.config.chain_id,
        .number = h->number,
        .number_is_parent = c->opt.config.evm_number_parent,
        .parent_number = info.l1_block_number,
        .timestamp = h->timestamp,
        .gas_limit = h->gas_limit,
        .coinbase = h->coinbase,
        .base_fee = h->base_fee,
        .blob_base_fee = U256_ONE,
    };
    x->block.prevrandao.b[31] = 1; /* as on Arbitrum; not random */
}

/* --- opening and closing a block --------------------------------------------------------- */

static struct supply supply_read(struct world *w) {
    return (struct supply){
        .minted = sys_get(w, SYS_SUPPLY_MINTED, NULL),
        .withdrawn = sys_get(w, SYS_SUPPLY_WITHDRAWN, NULL),
        .burnt = sys_get(w, SYS_SUPPLY_BURNT, NULL),
    };
}

static uint64_t max_u64(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* All fields that are known before the first transaction, but price and version. */
static void header_begin(struct header *h, struct world *w, const struct header *parent,
                         const struct block_stamps *s) {
    struct l3_header_info info = l3_header_info_get(parent);
    memset(h, 0, sizeof *h);
    h->parent_hash = header_hash(parent);
    h->ommers_hash = KECCAK_EMPTY_LIST;
    h->coinbase = s->coinbase;
    h->difficulty = U256_ONE;
    h->number = parent->number + 1;
    h->gas_limit = sys_get_u64(w, SYS_BLOCK_GAS_LIMIT, NULL);
    h->timestamp = max_u64(parent->timestamp, s->timestamp);
    h->field_count = 16;
    info.l1_block_number = max_u64(info.l1_block_number, s->l1_block);
    info.delayed_read = s->delayed_read;
    l3_header_info_set(h, &info);
}

enum err block_open(struct derived_block *out, struct chain *c, struct arena *a,
                    const struct header *parent, const struct block_stamps *s, struct err_ctx *ec) {
    CHECK(!c->is_open);
    caches_trim(c);
    memset(out, 0, sizeof *out);
    struct header *h = &out->header;
    world_block_begin(c->world, parent->number + 1);
    header_begin(h, c->world, parent, s);
    check_progress = (struct check_progress){.block_num = h->number};
    c->supply = supply_read(c->world);
    enum err e = block_start(c, parent, h, ec);
    if (e != ERR_OK) {
        world_block_abandon(c->world);
        return e;
    }
    h->base_fee = c->l3.price;
    struct l3_header_info info = l3_header_info_get(h);
    info.version = c->l3.version;
    l3_header_info_set(h, &info);
    exec_prepare(c, h, &l3_tx_rules);
    c->arena = a;
    c->tx_cap = 0;
    c->is_open = true;
    return ERR_OK;
}

static void close_send_tree(struct header *h, struct world *w) {
    struct l3_header_info info = l3_header_info_get(h);
    uint64_t count = sys_get_u64(w, SYS_SEND_COUNT, NULL);
    CHECK(count >= info.send_count);
    if (count == info.send_count)
        return; /* the parent's root stands */
    hash32 partials[SEND_TREE_LEVELS_MAX];
    for (unsigned l = 0; l < SEND_TREE_LEVELS_MAX; l++) {
        if ((count >> l & 1) == 0)
            continue;
        u256 key = u256_from_u64(l), v = sys_get(w, SYS_SEND_PARTIAL, &key);
        u256_to_be32(partials[l].b, &v);
    }
    info.send_count = count;
    info.send_root = send_tree_root(count, partials);
    l3_header_info_set(h, &info);
}

/* What the registry holds for others is there (PROTOCOL §3). */
static void check_registry(struct world *w) {
    addr20 registry = system_address(SYSTEM_REGISTRY);
    u256 held = sys_get(w, SYS_GAS_ACCOUNTS_TOTAL, NULL), bonds = sys_get(w, SYS_BONDS_TOTAL, NULL);
    bool overflow = u256_add_overflow(&held, &held, &bonds);
    u256 balance = world_balance(w, &registry);
    CHECK(!overflow);
    CHECK(!u256_lt(&balance, &held));
}

void block_close(struct derived_block *b, struct chain *c) {
    struct world *w = c->world;
    struct header *h = &b->header;
    CHECK(c->is_open);
    world_tx_begin(w);
    h->gas_used = c->x.gas_used;
    uint64_t gas_backlog = sys_get_u64(w, SYS_GAS_BACKLOG, NULL);
    sys_set_u64(w, SYS_GAS_BACKLOG, NULL, fee_backlog_add(gas_backlog, h->gas_used));
    if (message_is_sequenced(&b->message)) {
        uint64_t da_backlog = sys_get_u64(w, SYS_DA_BACKLOG, NULL);
        sys_set_u64(w, SYS_DA_BACKLOG, NULL, fee_backlog_add(da_backlog, b->message.data.len));
    }
    close_send_tree(h, w);
    check_registry(w);
    world_tx_end(w);
    CHECK(!c->attributed.overflow);
    b->attribution_count = c->attributed.len / sizeof *b->attributions;
    b->attributions = arena_alloc(c->arena, c->attributed.len + 1);
    if (c->attributed.len != 0)
        memcpy(b->attributions, c->attributed.ptr, c->attributed.len);
}

void block_abandon(struct chain *c) {
    CHECK(c->is_open);
    world_block_abandon(c->world);
    c->is_open = false;
    c->arena = NULL;
}

void chain_drop_block(struct chain *c) {
    block_abandon(c);
}

struct block_stamps block_stamps_of(const struct message *m) {
    return (struct block_stamps){
        .timestamp = m->timestamp,
        .l1_block = m->l1_block,
        .delayed_read = m->delayed_read,
        .coinbase = message_is_sequenced(m) ? SEQUENCER_ADDRESS : m->sender,
    };
}

/* --- the two producers ------------------------------------------------------------------- */

void chain_know_senders(struct chain *c, const uint8_t *senders, size_t count) {
    c->known_senders = senders;
    c->known_sender_count = count;
}

enum err chain_derive_block(struct derived_block *out, struct chain *c, struct arena *a,
                            const struct header *parent, const struct message *m,
                            struct err_ctx *ec) {
    struct block_stamps s = block_stamps_of(m);
    enum err e = block_open(out, c, a, parent, &s, ec);
    if (e != ERR_OK) {
        chain_know_senders(c, NULL, 0);
        return e;
    }
    out->message = *m;
    out->message.data = arena_copy(a, m->data);
    e = block_run_message(out, c);
    chain_know_senders(c, NULL, 0);
    if (e != ERR_OK) {
        block_abandon(c);
        return e;
    }
    block_close(out, c);
    return ERR_OK;
}

/* Makes the transactions, which the feed owns, independent of it: envelopes lie in the message's
 * data from now on. Retries, which no message carries, lie in the arena anyway. */
static void adopt_txs(struct derived_block *b, struct arena *a, size_t framed) {
    const uint8_t *at = b->message.data.ptr + (framed == 1 ? 1 : MESSAGE_FRAME_FIRST_OFFSET);
    for (size_t i = 0; i < b->tx_count; i++) {
        struct tx *tx = &b->txs[i].tx;
        if (tx->type == TX_RETRY)
            continue;
        CHECK(memcmp(at, tx->raw.ptr, tx->raw.len) == 0);
        uintptr_t raw = (uintptr_t)tx->raw.ptr, data = (uintptr_t)tx->data.ptr;
        if (data >= raw && data + tx->data.len <= raw + tx->raw.len)
            tx->data.ptr = at + (data - raw);
        else
            tx->data = arena_copy(a, tx->data);
        tx->raw.ptr = at;
        at += tx->raw.len + MESSAGE_FRAME_FIRST_OFFSET - 1; /* the next one's length and kind */
    }
}

enum err chain_sequence_block(struct derived_block *out, struct chain *c, struct arena *a,
                              const struct header *parent, uint64_t timestamp, uint64_t l1_block,
                              const struct tx_feed *feed, struct err_ctx *ec) {
    struct l3_header_info parent_info = l3_header_info_get(parent);
    struct block_stamps s = {
        .timestamp = timestamp,
        .l1_block = l1_block,
        .delayed_read = parent_info.delayed_read,
        .coinbase = SEQUENCER_ADDRESS,
    };
    TRY(block_open(out, c, a, parent, &s, ec));
    size_t framed = block_run_feed(out, c, feed);
    if (framed == 0) {
        block_abandon(c);
        FAIL(ec, ERR_NOT_FOUND, "no transaction for block %llu",
             (unsigned long long)out->header.number);
    }
    CHECK(!c->frame.overflow);
    out->message = (struct message){
        .kind = MESSAGE_L2,
        .sender = SEQUENCER_ADDRESS,
        .timestamp = out->header.timestamp,
        .l1_block = l3_header_info_get(&out->header).l1_block_number,
        .delayed_read = s.delayed_read,
        .data = arena_copy(a, buf_bytes(&c->frame)),
    };
    adopt_txs(out, a, framed);
    block_close(out, c);
    return ERR_OK;
}

/* --- sealing ----------------------------------------------------------------------------- */

/* Sum of balances = genesis + minted - withdrawn - burnt (PROTOCOL §3), as the block's
 * difference. */
static void check_supply(const struct world_diff *d, const struct supply *before,
                         const struct supply *after) {
    u256 change = U256_ZERO;
    for (size_t i = 0; i < d->count; i++) {
        const struct world_account_change *ac = &d->accounts[i];
        if (ac->exists)
            change = u256_add(&change, &ac->after.balance);
        if (ac->existed)
            change = u256_sub(&change, &ac->before.balance);
    }
    u256 expected = u256_sub(&after->minted, &before->minted);
    u256 withdrawn = u256_sub(&after->withdrawn, &before->withdrawn);
    u256 burnt = u256_sub(&after->burnt, &before->burnt);
    expected = u256_sub(&expected, &withdrawn);
    expected = u256_sub(&expected, &burnt);
    CHECK(u256_eq(&change, &expected));
}

/* A log costs at least 8 gas per byte and its topics more: with genesis' bound of 2^40 on the gas
 * limit a receipt is shorter. */
#define RECEIPT_MAX_BYTES ((size_t)1 << 38)

static void tx_and_receipt_roots(struct derived_block *b, struct arena *a) {
    struct header *h = &b->header;
    struct arena_mark mark = arena_mark(a);
    bytes *values = arena_alloc(a, (b->tx_count + 1) * sizeof *values);
    for (size_t i = 0; i < b->tx_count; i++)
        values[i] = b->txs[i].tx.raw;
    mpt_list_root(&h->tx_root, values, b->tx_count);
    struct buf one;
    buf_init(&one, RECEIPT_MAX_BYTES);
    for (size_t i = 0; i < b->tx_count; i++) {
        const struct receipt *r = &b->txs[i].receipt;
        buf_reset(&one);
        receipt_encode(&one, r);
        CHECK(!one.overflow);
        values[i] = arena_copy(a, buf_bytes(&one));
        for (size_t k = 0; k < sizeof h->bloom; k++)
            h->bloom[k] |= r->bloom[k];
    }
    buf_clear(&one);
    mpt_list_root(&h->receipt_root, values, b->tx_count);
    arena_reset_to(a, mark);
}

void chain_seal_block(struct derived_block *b, struct chain *c, struct state_trie *t) {
    CHECK(c->is_open);
    struct supply after = supply_read(c->world);
    world_block_end(c->world, c->arena, &b->diff);
    check_supply(&b->diff, &c->supply, &after);
    for (size_t i = 0; i < b->diff.count;
         i++) /* the world's copy may go before the block is stored */
        if (b->diff.accounts[i].new_code.len != 0)
            b->diff.accounts[i].new_code = arena_copy(c->arena, b->diff.accounts[i].new_code);
    state_trie_apply(t, &b->diff, &b->header.state_root);
    world_set_storage_roots(c->world, &b->diff);
    tx_and_receipt_roots(b, c->arena);
    b->hash = header_hash(&b->header);
    c->is_open = false;
    c->arena = NULL;
}
