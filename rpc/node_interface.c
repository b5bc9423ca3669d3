/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/node_interface.h"

#include "chain/parent_tx.h"
#include "chain/system_state.h"
#include "rpc/json_writer.h"
#include "rpc/reader.h"
#include "rpc/simulate.h"

enum { WORD = 32, SELECTOR = 4, LOW_ADDRESS = 0xc8 };
enum { ANSWER_MAX_BYTES = 1 << 16 /* a proof is the longest */ };

/* One call to it. */
struct node_call {
    struct rpc_call *c;
    struct tx_args *t;
    const struct index_head *head;
    const struct call_overrides *overrides;
    bytes args; /* after the selector */
    struct buf out;
};

/* False: revert, unless an error is set. */
typedef bool (*node_function)(struct node_call *n);

/* --- words --------------------------------------------------------------------------------- */

static u256 arg(const struct node_call *n, size_t i) {
    return u256_from_be32(n->args.ptr + WORD * i);
}

static bool arg_u64(const struct node_call *n, size_t i, uint64_t *out) {
    u256 v = arg(n, i);
    *out = v.w[0];
    return u256_fits_u64(&v);
}

static bool arg_addr(const struct node_call *n, size_t i, addr20 *out) {
    u256 v = arg(n, i);
    *out = u256_to_addr(&v);
    return u256_bit_len(&v) <= 160;
}

static bool arg_bytes(const struct node_call *n, size_t i, bytes *out) {
    uint64_t at;
    if (!arg_u64(n, i, &at) || at > n->args.len || n->args.len - at < WORD)
        return false;
    u256 len = u256_from_be32(n->args.ptr + at);
    size_t rest = n->args.len - (size_t)at - WORD;
    if (!u256_fits_u64(&len) || len.w[0] > rest)
        return false;
    *out = bytes_of(n->args.ptr + at + WORD, (size_t)len.w[0]);
    return true;
}

static void put_word(struct node_call *n, const u256 *v) {
    uint8_t be[WORD];
    u256_to_be32(be, v);
    buf_append(&n->out, be, sizeof(be));
}

static void put_u64(struct node_call *n, uint64_t v) {
    u256 wide = u256_from_u64(v);
    put_word(n, &wide);
}

/* --- blocks and batches -------------------------------------------------------------------- */

static bool head_of(struct node_call *n, uint64_t number, struct index_head *out) {
    enum err e = index_head(out, rpc_head_view(n->c), number);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        rpc_fail_err(n->c, e, NULL);
    return e == ERR_OK;
}

static uint64_t l1_of(const struct index_head *h) {
    return l3_header_info_get(&h->header).l1_block_number;
}

static bool block_l1_num(struct node_call *n) {
    uint64_t number;
    struct index_head h;
    if (!arg_u64(n, 0, &number) || !head_of(n, number, &h))
        return false;
    put_u64(n, l1_of(&h));
    return true;
}

/* The first of our blocks whose L1 number is at least `l1`; head + 1 when there is none. L1 numbers
 * never fall from block to block. */
static bool first_at_least(struct node_call *n, uint64_t l1, uint64_t *out) {
    uint64_t lo = 0, hi = rpc_head_number(n->c) + 1;
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        struct index_head h;
        if (!head_of(n, mid, &h))
            return false;
        if (l1_of(&h) < l1)
            lo = mid + 1;
        else
            hi = mid;
    }
    *out = lo;
    return true;
}

static bool l2_block_range_for_l1(struct node_call *n) {
    uint64_t l1, first, after;
    if (!arg_u64(n, 0, &l1) || l1 == UINT64_MAX || !first_at_least(n, l1, &first) ||
        !first_at_least(n, l1 + 1, &after) || first == after)
        return false;
    put_u64(n, first);
    put_u64(n, after - 1);
    return true;
}

static bool nitro_genesis_block(struct node_call *n) {
    put_u64(n, 0);
    return true;
}

static const struct node_parent *parent_of(const struct node_call *n) {
    return n->c->cx->node->parent;
}

static bool find_batch_containing_block(struct node_call *n) {
    const struct node_parent *p = parent_of(n);
    uint64_t number, batch;
    if (p == NULL || !arg_u64(n, 0, &number) || !p->batch_of(p->ctx, number, &batch))
        return false;
    put_u64(n, batch);
    return true;
}

static bool get_l1_confirmations(struct node_call *n) {
    const struct node_parent *p = parent_of(n);
    hash32 hash;
    uint64_t number;
    u256 v = arg(n, 0);
    u256_to_be32(hash.b, &v);
    if (index_number_of(&number, rpc_head_view(n->c), &hash) != ERR_OK)
        return false;
    put_u64(n, p == NULL ? 0 : p->confirmations(p->ctx, number));
    return true;
}

/* --- messages to the parent ---------------------------------------------------------------- */

static bool construct_outbox_proof(struct node_call *n) {
    uint64_t size, leaf;
    struct index_send_proof p;
    if (!arg_u64(n, 0, &size) || !arg_u64(n, 1, &leaf) ||
        index_send_proof(&p, rpc_head_view(n->c), size, leaf) != ERR_OK)
        return false;
    buf_append(&n->out, p.send.b, sizeof(p.send.b));
    buf_append(&n->out, p.root.b, sizeof(p.root.b));
    put_u64(n, 3 * WORD);
    put_u64(n, p.count);
    for (size_t i = 0; i < p.count; i++)
        buf_append(&n->out, p.proof[i].b, sizeof(p.proof[i].b));
    return true;
}

/* Messages of the chain before this one: there was none. */
static bool legacy_lookup(struct node_call *n) {
    (void)n;
    return false;
}

/* --- estimates ----------------------------------------------------------------------------- */

/* ArbGasInfo.getL1BaseFeeEstimate(). */
static bool l1_base_fee(struct node_call *n, u256 *out) {
    static const uint8_t input[] = {0xf5, 0xd6, 0xde, 0xd7};
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .to = system_address(SYSTEM_PRICING),
                    .gas_limit = 100000,
                    .data = bytes_of(input, sizeof(input)),
                    .has_sender = true};
    struct simulation s = {.tx = &tx, .head = n->head, .overrides = n->overrides};
    struct call_result r;
    if (!rpc_simulate(n->c, &s, &r) || r.verdict != TX_OK || r.output.len != WORD)
        return false;
    *out = u256_from_be32(r.output.ptr);
    return true;
}

/* What the message that the arguments describe would need, sent by the caller with its value. */
static bool described_gas(struct node_call *n, uint64_t *out_gas) {
    struct tx_args t = *n->t;
    addr20 to;
    u256 creates = arg(n, 1);
    if (!arg_addr(n, 0, &to) || !arg_bytes(n, 2, &t.tx.data) || u256_bit_len(&creates) > 1)
        return false;
    t.tx.is_create = !u256_is_zero(&creates);
    t.tx.to = to;
    t.has_gas = false;
    const struct simulation s = {.head = n->head, .overrides = n->overrides};
    return rpc_estimate(n->c, &t, &s, out_gas);
}

/* (gas, gas for the parent's data: none, it lies in the price; base fee; L1 base fee estimate) */
static bool gas_estimate_components(struct node_call *n) {
    uint64_t gas;
    u256 l1_fee;
    if (!described_gas(n, &gas) || !l1_base_fee(n, &l1_fee))
        return false;
    put_u64(n, gas);
    put_u64(n, 0);
    put_word(n, &n->head->header.base_fee);
    put_word(n, &l1_fee);
    return true;
}

static bool gas_estimate_l1_component(struct node_call *n) {
    u256 l1_fee;
    if (!l1_base_fee(n, &l1_fee))
        return false;
    put_u64(n, 0);
    put_word(n, &n->head->header.base_fee);
    put_word(n, &l1_fee);
    return true;
}

/* As a call it gives nothing; eth_estimateGas is what it is for. */
static bool estimate_retryable_ticket(struct node_call *n) {
    (void)n;
    return true;
}

/* The sender's balance with the deposit in it. */
static bool minted_balance(struct node_call *n, const addr20 *sender, u256 *out) {
    struct simulation s = {.tx = &n->t->tx, .head = n->head, .overrides = n->overrides};
    struct account a;
    u256 deposit = arg(n, 1);
    if (!rpc_simulated_account(n->c, &s, sender, &a))
        return false;
    if (u256_add_overflow(out, &a.balance, &deposit))
        *out = U256_MAX;
    return true;
}

/* The same overrides, but for one account's balance. */
static bool override_balance(struct node_call *n, struct call_overrides *o, const addr20 *a,
                             const u256 *balance) {
    struct account_override *list =
        arena_try_alloc(rpc_arena(n->c), (o->account_count + 1) * sizeof(*list));
    if (list == NULL) {
        rpc_fail_err(n->c, ERR_NOMEM, NULL);
        return false;
    }
    size_t count = 0, at = SIZE_MAX;
    for (; count < o->account_count; count++) {
        list[count] = o->accounts[count];
        if (addr20_eq(&list[count].addr, a))
            at = count;
    }
    if (at == SIZE_MAX) {
        at = count++;
        memset(&list[at], 0, sizeof(list[at]));
        list[at].addr = *a;
    }
    list[at].has_balance = true;
    list[at].balance = *balance;
    o->accounts = list;
    o->account_count = count;
    return true;
}

/* estimateRetryableTicket(sender, deposit, to, l2CallValue, excessFeeRefundAddress,
 * callValueRefundAddress, data) */
static bool ticket_to_retry(struct node_call *n, struct call_overrides *o) {
    addr20 sender, to;
    bytes data;
    u256 balance, value = arg(n, 3);
    if (!arg_addr(n, 0, &sender) || !arg_addr(n, 2, &to) || !arg_bytes(n, 6, &data))
        return false;
    sender = parent_alias(&sender);
    if (!minted_balance(n, &sender, &balance))
        return false;
    if (u256_lt(&balance, &value)) {
        rpc_fail(n->c, RPC_SERVER_ERROR, "insufficient funds for the ticket's call value");
        return false;
    }
    if (!override_balance(n, o, &sender, &balance))
        return false;
    struct tx_args *t = n->t;
    uint64_t gas = t->has_gas ? t->tx.gas_limit : 0;
    memset(t, 0, sizeof(*t));
    t->has_from = t->has_to = t->has_value = true;
    t->has_gas = gas != 0;
    t->tx = (struct tx){
        .type = TX_CONTRACT, /* code sees an aliased sender */
        .sender = sender,
        .has_sender = true,
        .gas_limit = gas,
        .is_create = addr20_is_zero(&to),
        .to = to,
        .value = value,
        .data = data,
    };
    return true;
}

/* --- dispatch ------------------------------------------------------------------------------ */

static const struct {
    uint32_t selector;
    node_function run;
    size_t words;
} functions[] = {
#define NODE_FUNCTION(selector, handler, words, signature) {selector, handler, words},
#include "rpc/node_interface.def"
#undef NODE_FUNCTION
};

bool node_interface_is(const struct tx_args *t) {
    addr20 a = {{0}};
    a.b[19] = LOW_ADDRESS;
    return !t->tx.is_create && addr20_eq(&t->tx.to, &a);
}

/* The function that is called; NULL when there is none or its arguments are cut short. */
static node_function find_function(struct node_call *n) {
    bytes in = n->t->tx.data;
    if (in.len < SELECTOR)
        return NULL;
    uint32_t selector = be32_load(in.ptr);
    n->args = bytes_of(in.ptr + SELECTOR, in.len - SELECTOR);
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
        if (functions[i].selector == selector)
            return n->args.len >= functions[i].words * WORD ? functions[i].run : NULL;
    return NULL;
}

static void fail_reverted(struct rpc_call *c) {
    if (rpc_failed(c))
        return;
    rpc_fail(c, RPC_REVERTED, "execution reverted");
    rpc_fail_data(c, bytes_of(NULL, 0));
}

void node_interface_call(struct rpc_call *c, struct tx_args *t, const struct index_head *head,
                         const struct call_overrides *o) {
    struct node_call n = {.c = c, .t = t, .head = head, .overrides = o};
    node_function run = find_function(&n);
    buf_init(&n.out, ANSWER_MAX_BYTES);
    if (run == NULL || !run(&n) || rpc_failed(c)) {
        fail_reverted(c);
    } else {
        struct json_writer w;
        jw_init(&w, &c->result);
        jw_data(&w, n.out.ptr, n.out.len);
    }
    buf_clear(&n.out);
}

bool node_interface_estimate(struct rpc_call *c, struct tx_args *t, const struct index_head *head,
                             struct call_overrides *o) {
    struct node_call n = {.c = c, .t = t, .head = head, .overrides = o};
    node_function run = find_function(&n);
    if (run == NULL || (run == estimate_retryable_ticket && !ticket_to_retry(&n, o))) {
        fail_reverted(c);
        return false;
    }
    return true; /* other functions cost what a call to an account without code does */
}
