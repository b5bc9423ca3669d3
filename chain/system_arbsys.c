/* SPDX-License-Identifier: Apache-2.0 */
/* ArbSys, 0x64: what the chain says about itself, and messages to the parent. */
#include "base/check.h"
#include "base/keccak.h"
#include "chain/parent_tx.h"
#include "chain/send_tree.h"
#include "chain/system_call_internal.h"

#define ERROR_INVALID_BLOCK_NUMBER UINT32_C(0xd5dc642d) /* (uint256 requested, uint256 current) */

enum evm_status arb_block_number(struct call *c) {
    return answer_u64(c, c->block->number);
}

enum evm_status arb_block_hash(struct call *c) {
    u256 wanted = arg(c, 0);
    uint64_t current = c->block->number;
    if (!u256_fits_u64(&wanted) || wanted.w[0] >= current || current - wanted.w[0] > 256) {
        enum evm_status s = custom_error(c, ERROR_INVALID_BLOCK_NUMBER);
        put_word(c, &wanted);
        put_u64(c, current);
        return s;
    }
    u256 slot = u256_from_u64(wanted.w[0] % L3_HISTORY_RING);
    charge_slot(c, &L3_HISTORY_ADDRESS, &slot);
    hash32 h = l3_block_hash(c->x->world, current, wanted.w[0]);
    return answer_hash(c, &h);
}

enum evm_status arb_chain_id(struct call *c) {
    return answer_u64(c, c->x->chain_id);
}

enum evm_status arb_os_version(struct call *c) {
    return answer_u64(c, c->block->version + SYSTEM_ARB_OS_VERSION_OFFSET);
}

enum evm_status arb_storage_gas_available(struct call *c) {
    return answer_u64(c, 0); /* storage has no gas of its own */
}

/* --- who called ---------------------------------------------------------------------------- */

/* Nitro's notion: called by the transaction, or by a contract that the transaction called. */
enum evm_status arb_is_top_level_call(struct call *c) {
    return answer_u64(c, c->depth <= 1);
}

/* Whether the transaction's sender is an alias, as the parent's messages' are. */
static bool origin_is_aliased(const struct call *c) {
    const struct tx *tx = c->x->tx;
    return tx != NULL &&
           (tx->type == TX_UNSIGNED || tx->type == TX_CONTRACT || tx->type == TX_RETRY);
}

/* The caller of my caller; NULL where there is none. */
static const addr20 *callers_caller(const struct call *c) {
    return c->depth == 0 ? NULL : evm_running_sender(c->x->vm);
}

static bool callers_caller_is_aliased(const struct call *c) {
    if (!origin_is_aliased(c))
        return false;
    const addr20 *a = callers_caller(c);
    return a == NULL || addr20_eq(a, &c->x->tx->sender);
}

enum evm_status arb_was_aliased(struct call *c) {
    return answer_u64(c, callers_caller_is_aliased(c));
}

enum evm_status arb_without_aliasing(struct call *c) {
    const addr20 *a = callers_caller(c);
    addr20 answer = {{0}};
    if (a != NULL)
        answer = *a;
    if (callers_caller_is_aliased(c))
        answer = parent_unalias(&answer);
    return answer_addr(c, &answer);
}

enum evm_status arb_map_to_alias(struct call *c) {
    addr20 sender, unused;
    if (!arg_addr(c, 0, &sender) || !arg_addr(c, 1, &unused))
        return EVM_REVERT;
    addr20 alias = parent_alias(&sender);
    return answer_addr(c, &alias);
}

/* --- messages to the parent ------------------------------------------------------------------ */

struct send {
    addr20 caller, destination;
    uint64_t l1_block;
    const u256 *value;
    bytes data;
};

/* keccak(caller 20 | destination 20 | block | parent's block | seconds | value | data) */
static hash32 send_item(const struct call *c, const struct send *s) {
    const u256 words[] = {u256_from_u64(c->block->number), u256_from_u64(s->l1_block),
                          u256_from_u64(c->x->block.timestamp), *s->value};
    struct keccak_ctx k;
    keccak256_begin(&k);
    keccak256_update(&k, s->caller.b, sizeof s->caller.b);
    keccak256_update(&k, s->destination.b, sizeof s->destination.b);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        uint8_t be[32];
        u256_to_be32(be, &words[i]);
        keccak256_update(&k, be, sizeof be);
    }
    keccak256_update(&k, s->data.ptr, s->data.len);
    hash32 item;
    keccak256_end(&k, &item);
    return item;
}

static hash32 word_of(const u256 *v) {
    hash32 h;
    u256_to_be32(h.b, v);
    return h;
}

/* Adds the leaf to the tree in state and logs the nodes that it completes. */
static void append_send(struct call *c, uint64_t leaf, const hash32 *item) {
    hash32 partials[SEND_TREE_LEVELS_MAX];
    struct send_tree_update updates[SEND_TREE_LEVELS_MAX];
    for (unsigned level = 0; (leaf >> level & 1) != 0; level++) {
        u256 key = u256_from_u64(level);
        u256 v = call_get(c, SYS_SEND_PARTIAL, &key);
        partials[level] = word_of(&v);
    }
    unsigned top;
    size_t count = send_tree_append(partials, leaf, item, updates, &top);
    for (unsigned level = 0; level <= top; level++) {
        u256 key = u256_from_u64(level), v = u256_from_be32(partials[level].b);
        call_set(c, SYS_SEND_PARTIAL, &key, &v);
    }
    for (size_t i = 0; i < count; i++) {
        u256 position = {{leaf, 0, 0, updates[i].level}}; /* level << 192 | leaf */
        const hash32 topics[4] = {SEND_MERKLE_UPDATE, {{0}}, updates[i].hash, word_of(&position)};
        emit_log(c, topics, 4, bytes_of(NULL, 0));
    }
    call_set_u64(c, SYS_SEND_COUNT, NULL, leaf + 1);
}

/* The log's data is built where the answer will be. */
static void log_send(struct call *c, const struct send *s, uint64_t leaf, const hash32 *item) {
    u256 destination = u256_from_addr(&s->destination), position = u256_from_u64(leaf);
    const hash32 topics[4] = {SEND_L2_TO_L1_TX, word_of(&destination), *item, word_of(&position)};
    put_addr(c, &s->caller);
    put_u64(c, c->block->number);
    put_u64(c, s->l1_block);
    put_u64(c, c->x->block.timestamp);
    put_word(c, s->value);
    put_u64(c, 6 * 32);
    put_bytes(c, s->data);
    emit_log(c, topics, 4, buf_bytes(c->out));
    buf_reset(c->out);
}

/* What came along has left this chain. */
static bool burn(struct call *c, const u256 *value) {
    if (u256_is_zero(value))
        return true;
    u256 sum = call_get(c, SYS_SUPPLY_WITHDRAWN, NULL);
    if (u256_add_overflow(&sum, &sum, value)) /* only with a balance that a call made up */
        return false;
    call_set(c, SYS_SUPPLY_WITHDRAWN, NULL, &sum);
    return world_sub_balance(c->x->world, &c->self, value);
}

static enum evm_status send_to_parent(struct call *c, const addr20 *destination, bytes data) {
    const struct send s = {.caller = c->msg->sender,
                           .destination = *destination,
                           .l1_block = c->block->l1_block,
                           .value = &c->msg->value,
                           .data = data};
    if (!burn(c, s.value))
        return EVM_REVERT;
    hash32 item = send_item(c, &s);
    uint64_t leaf = call_get_u64(c, SYS_SEND_COUNT, NULL);
    append_send(c, leaf, &item);
    log_send(c, &s, leaf, &item);
    return answer_u64(c, leaf);
}

enum evm_status arb_withdraw_eth(struct call *c) {
    addr20 destination;
    if (!arg_addr(c, 0, &destination))
        return EVM_REVERT;
    return send_to_parent(c, &destination, bytes_of(NULL, 0));
}

enum evm_status arb_send_tx_to_l1(struct call *c) {
    addr20 destination;
    bytes data;
    if (!arg_addr(c, 0, &destination) || !arg_bytes(c, 1, &data))
        return EVM_REVERT;
    return send_to_parent(c, &destination, data);
}

/* For tools, with eth_call from the zero address: size, root, partials. */
enum evm_status arb_send_tree_state(struct call *c) {
    if (!addr20_is_zero(&c->msg->sender))
        return EVM_REVERT;
    hash32 partials[SEND_TREE_LEVELS_MAX] = {{{0}}};
    uint64_t size = call_get_u64(c, SYS_SEND_COUNT, NULL);
    unsigned levels = size == 0 ? 0 : 64U - (unsigned)__builtin_clzll(size);
    for (unsigned l = 0; l < levels; l++) {
        u256 key = u256_from_u64(l), v = call_get(c, SYS_SEND_PARTIAL, &key);
        partials[l] = word_of(&v);
    }
    hash32 root = send_tree_root(size, partials);
    put_u64(c, size);
    put_hash(c, &root);
    put_u64(c, 3 * 32);
    put_u64(c, levels);
    for (unsigned l = 0; l < levels; l++)
        put_hash(c, &partials[l]);
    return EVM_SUCCESS;
}
