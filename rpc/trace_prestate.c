/* SPDX-License-Identifier: Apache-2.0 */
/* prestateTracer. An account is looked up when the transaction first meets it: before anything has
 * changed it, since whatever changes an account meets it first. Who is met without any instruction
 * - sender, target, the block's earners, EIP-7702 authorities - is looked up before the first fee
 * is taken. */
#include "rpc/trace_internal.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "chain/retryable.h"
#include "chain/system_state.h"
#include "evm/opcode.h"

#include <stdlib.h>

/* --- looking up ---------------------------------------------------------------------------- */
static bool is_empty(const struct pre_account *p) {
    return p->nonce == 0 && u256_is_zero(&p->balance) && p->code.len == 0;
}

/* NULL when the trace is full. */
static struct pre_account *meet(struct trace *t, const addr20 *a) {
    struct prestate_trace *s = &t->state.pre;
    struct world *w = t->x->world;
    struct trace_key key = trace_key_account(a);
    struct pre_account *p = trace_find(t, &key);
    if (p != NULL)
        return p;
    p = trace_alloc(t, sizeof(*p));
    if (p == NULL)
        return NULL;
    *p = (struct pre_account){
        .next = s->accounts,
        .addr = *a,
        .balance = world_balance(w, a),
        .nonce = world_nonce(w, a),
        .code_hash = world_code_hash(w, a),
        .code = world_code(w, a),
    };
    p->empty = is_empty(p);
    s->accounts = p;
    s->count++;
    trace_put(t, &key, p);
    return p;
}

/* An account whose code is about to run: what it delegates to as well (EIP-7702). */
static void meet_code(struct trace *t, const addr20 *a) {
    struct pre_account *p = meet(t, a);
    addr20 target;
    if (p != NULL && evm_parse_delegation(&target, world_code(t->x->world, a)))
        (void)meet(t, &target);
}

static void meet_slot(struct trace *t, const addr20 *a, const u256 *slot) {
    struct pre_account *p = meet(t, a);
    if (p == NULL || t->opt.disable_storage)
        return;
    struct trace_key key = trace_key_slot(a, slot);
    if (trace_find(t, &key) != NULL)
        return;
    struct pre_slot *s = trace_alloc(t, sizeof(*s));
    if (s == NULL)
        return;
    u256 v = world_storage(t->x->world, a, slot);
    *s = (struct pre_slot){.next = p->slots};
    u256_to_be32(s->slot.b, slot);
    u256_to_be32(s->before.b, &v);
    p->slots = s;
    p->slot_count++;
    trace_put(t, &key, s);
}

/* --- events -------------------------------------------------------------------------------- */
static void on_step(void *ctx, const struct evm_step *s) {
    struct trace *t = ctx;
    if (s->error != EVM_SUCCESS || !trace_live(t))
        return;
    const u256 *top = s->stack + s->stack_len;
    addr20 a;
    switch (s->op) {
    case OP_SLOAD:
    case OP_SSTORE:
        meet_slot(t, s->address, &top[-1]);
        break;
    case OP_EXTCODECOPY:
    case OP_EXTCODEHASH:
    case OP_EXTCODESIZE:
    case OP_BALANCE:
        a = u256_to_addr(&top[-1]);
        (void)meet(t, &a);
        break;
    default:
        break;
    }
}

static void on_enter(void *ctx, enum evm_call_kind kind, const addr20 *from, const addr20 *to,
                     bytes input, int64_t gas, const u256 *value, uint32_t depth) {
    struct trace *t = ctx;
    struct pre_account *p;
    (void)input;
    (void)gas;
    (void)value;
    bool is_creation = kind == EVM_CREATE || kind == EVM_CREATE2;
    if (!trace_live(t) || (depth == 0 && !is_creation)) /* begin met the outermost call's target */
        return;
    switch (kind) {
    case EVM_CALL:
    case EVM_CALLCODE:
    case EVM_DELEGATECALL:
    case EVM_STATICCALL:
        meet_code(t, to);
        break;
    case EVM_CREATE:
    case EVM_CREATE2:
        p = meet(t, to);
        if (p != NULL)
            p->created = true;
        break;
    case EVM_SELFDESTRUCT:
        (void)meet(t, to);
        p = meet(t, from);
        if (p != NULL && (t->x->revision < EVM_CANCUN || p->created)) /* EIP-6780 */
            p->destroyed = true;
        break;
    }
}

/* Whose balances a ticket's submission and its retries move beside their own. */
static void meet_ticket(struct trace *t, const struct tx *tx, const hash32 *ticket) {
    addr20 escrow = retryable_escrow(ticket), self = system_address(SYSTEM_RETRYABLE);
    (void)meet(t, &escrow);
    (void)meet(t, &tx->parent.refund_to);
    (void)meet(t, &self);
}

static void meet_target(struct trace *t, const struct tx *tx) {
    if (tx->is_create) {
        addr20 to;
        evm_create_address(&to, &tx->sender, world_nonce(t->x->world, &tx->sender));
        (void)meet(t, &to);
    } else {
        meet_code(t, &tx->to);
    }
}

static void begin(struct trace *t, const struct tx *tx) {
    t->hooks.on_step = on_step;
    t->hooks.on_enter = on_enter;
    (void)meet(t, &tx->sender);
    if (tx->type == TX_SUBMIT_RETRYABLE)
        meet_ticket(t, tx, &tx->hash);
    else if (tx->type == TX_RETRY)
        meet_ticket(t, tx, &tx->parent.ticket);
    if (tx->type != TX_SUBMIT_RETRYABLE) /* which addresses nobody */
        meet_target(t, tx);
    (void)meet(t, &t->x->block.coinbase);
    (void)meet(t, &t->x->fee_account);
    for (size_t i = 0; i < tx->auth_count; i++)
        if (tx->auths[i].authority_ok)
            (void)meet(t, &tx->auths[i].authority);
}

/* --- differences --------------------------------------------------------------------------- */
/* Slots that did not change go; *changed when one did. */
static void diff_slots(struct world *w, struct pre_account *p, bool *changed) {
    struct pre_slot **at = &p->slots;
    while (*at != NULL) {
        struct pre_slot *s = *at;
        u256 slot = u256_from_be32(s->slot.b), v = world_storage(w, &p->addr, &slot);
        u256_to_be32(s->after.b, &v);
        if (hash32_eq(&s->before, &s->after)) {
            *at = s->next;
            p->slot_count--;
        } else {
            *changed = true;
            at = &s->next;
        }
    }
}

static void diff_account(struct trace *t, struct pre_account *p) {
    struct world *w = t->x->world;
    p->post_balance = world_balance(w, &p->addr);
    p->post_nonce = world_nonce(w, &p->addr);
    p->post_code_hash = world_code_hash(w, &p->addr);
    p->post_code = world_code(w, &p->addr);
    p->changed = p->destroyed || !u256_eq(&p->balance, &p->post_balance) ||
                 p->nonce != p->post_nonce || !hash32_eq(&p->code_hash, &p->post_code_hash);
    if (!p->destroyed)
        diff_slots(w, p, &p->changed);
}

static void end(struct trace *t, const struct tx *tx, const struct tx_result *r) {
    (void)tx;
    (void)r;
    if (!t->opt.diff_mode || trace_outcome(t) != TRACE_OK)
        return;
    for (struct pre_account *p = t->state.pre.accounts; p != NULL; p = p->next)
        diff_account(t, p);
}

/* --- JSON ---------------------------------------------------------------------------------- */
static int compare_accounts(const void *a, const void *b) {
    const struct pre_account *const *x = a, *const *y = b;
    return memcmp((*x)->addr.b, (*y)->addr.b, 20);
}

static int compare_slots(const void *a, const void *b) {
    const struct pre_slot *const *x = a, *const *y = b;
    return memcmp((*x)->slot.b, (*y)->slot.b, 32);
}

/* {slot: value} in order; those with a value of zero are left out if `no_zeros`. */
static void write_slots(struct json_writer *w, const struct pre_account *p, bool after,
                        bool no_zeros) {
    const struct pre_slot **list = calloc(p->slot_count + 1, sizeof(*list));
    size_t n = 0;
    CHECK(list != NULL); /* a fraction of what the trace itself holds */
    for (const struct pre_slot *s = p->slots; s != NULL; s = s->next)
        if (!no_zeros || !hash32_is_zero(after ? &s->after : &s->before))
            list[n++] = s;
    qsort(list, n, sizeof(*list), compare_slots);
    if (n != 0) {
        jw_key(w, "storage");
        jw_object(w);
        for (size_t i = 0; i < n; i++) {
            char key[67] = "0x";
            hex_encode(key + 2, list[i]->slot.b, 32);
            key[66] = '\0';
            jw_m_hash(w, key, after ? &list[i]->after : &list[i]->before);
        }
        jw_object_end(w);
    }
    free(list);
}

static void write_key(struct json_writer *w, const struct pre_account *p) {
    char key[43] = "0x";
    hex_encode(key + 2, p->addr.b, 20);
    key[42] = '\0';
    jw_key(w, key);
}

static void write_pre(struct trace *t, struct json_writer *w, const struct pre_account *p) {
    write_key(w, p);
    jw_object(w);
    jw_m_u256(w, "balance", &p->balance);
    if (!t->opt.disable_code && p->code.len != 0)
        jw_m_data(w, "code", p->code);
    if (!hash32_eq(&p->code_hash, &KECCAK_EMPTY))
        jw_m_hash(w, "codeHash", &p->code_hash);
    if (p->nonce != 0) {
        jw_key(w, "nonce");
        jw_int(w, (int64_t)p->nonce);
    }
    write_slots(w, p, false, t->opt.diff_mode && !p->destroyed);
    jw_object_end(w);
}

static void write_post(struct trace *t, struct json_writer *w, const struct pre_account *p) {
    write_key(w, p);
    jw_object(w);
    if (!u256_eq(&p->balance, &p->post_balance))
        jw_m_u256(w, "balance", &p->post_balance);
    bool new_code = !hash32_eq(&p->code_hash, &p->post_code_hash);
    if (new_code && !t->opt.disable_code)
        jw_m_data(w, "code", p->post_code);
    if (new_code)
        jw_m_hash(w, "codeHash", &p->post_code_hash);
    if (p->nonce != p->post_nonce) {
        jw_key(w, "nonce");
        jw_int(w, (int64_t)p->post_nonce);
    }
    write_slots(w, p, true, true);
    jw_object_end(w);
}

static void write(struct trace *t, struct json_writer *w) {
    struct prestate_trace *s = &t->state.pre;
    struct pre_account **list = calloc(s->count + 1, sizeof(*list));
    size_t n = 0;
    CHECK(list != NULL);
    for (struct pre_account *p = s->accounts; p != NULL; p = p->next)
        list[n++] = p;
    qsort(list, n, sizeof(*list), compare_accounts);
    jw_object(w);
    if (t->opt.diff_mode) {
        jw_key(w, "post");
        jw_object(w);
        for (size_t i = 0; i < n; i++)
            if (list[i]->changed && !list[i]->destroyed)
                write_post(t, w, list[i]);
        jw_object_end(w);
        jw_key(w, "pre");
        jw_object(w);
    }
    for (size_t i = 0; i < n; i++)
        if ((!t->opt.diff_mode || list[i]->changed) && (!list[i]->empty || t->opt.include_empty))
            write_pre(t, w, list[i]);
    if (t->opt.diff_mode)
        jw_object_end(w);
    jw_object_end(w);
    free(list);
}

const struct trace_ops trace_prestate_ops = {begin, end, write};
