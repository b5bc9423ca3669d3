/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/derive_internal.h"
#include "chain/retryable.h"
#include "chain/system_state.h"

/* --- money --------------------------------------------------------------------------------- */

/* gas x P; P x 2^24 fits wherever a price does that somebody could pay. */
static u256 cost_of(uint64_t gas, const u256 *price) {
    u256 wide = u256_from_u64(gas), cost;
    return u256_mul_overflow(&cost, &wide, price) ? U256_MAX : cost;
}

/* Moves what of `wanted` the network's fee account still holds: it was paid before, and whoever
 * owns the account may have moved it on. */
static void from_fees(struct exec *x, const addr20 *to, const u256 *wanted) {
    const struct l3_block *b = x->rules_ctx;
    u256 held = world_balance(x->world, &b->network_fee_account);
    u256 amount = u256_lt(&held, wanted) ? held : *wanted;
    if (u256_is_zero(&amount))
        return;
    bool covered = world_sub_balance(x->world, &b->network_fee_account, &amount);
    CHECK(covered);
    world_add_balance(x->world, to, &amount);
}

/* Gives back first to refundTo what came from the deposit, the rest to the retry's sender. */
static void refund(struct exec *x, const struct tx *tx, u256 *max_refund, const u256 *amount) {
    u256 first = u256_lt(max_refund, amount) ? *max_refund : *amount;
    u256 rest = u256_sub(amount, &first);
    *max_refund = u256_sub(max_refund, &first);
    from_fees(x, &tx->parent.refund_to, &first);
    from_fees(x, &tx->sender, &rest);
}

static void use_up(u256 *max_refund, const u256 *amount) {
    *max_refund = u256_lt(max_refund, amount) ? U256_ZERO : u256_sub(max_refund, amount);
}

/* After the execution: refunds, and the ticket's end if it succeeded. The gas was paid by whoever
 * scheduled the retry, so the fee account gets nothing here. */
static void close_retry(struct exec *x, const struct tx *tx, uint64_t gas_used, bool success) {
    u256 max_refund = tx->parent.max_refund;
    if (success)
        refund(x, tx, &max_refund, &tx->parent.submission_refund);
    else
        use_up(&max_refund, &tx->parent.submission_refund);
    u256 charge = cost_of(gas_used, &tx->max_fee);
    use_up(&max_refund, &charge);
    u256 unused = cost_of(tx->gas_limit - gas_used, &tx->max_fee);
    refund(x, tx, &max_refund, &unused);
    if (success)
        retryable_delete(x->world, &tx->parent.ticket);
}

/* --- execution ----------------------------------------------------------------------------- */

/* The value comes out of escrow before the first instruction, and goes back when it fails. */
static void move_value(struct exec *x, const addr20 *from, const addr20 *to, const u256 *value) {
    if (u256_is_zero(value))
        return;
    bool covered = world_sub_balance(x->world, from, value);
    CHECK(covered);
    world_add_balance(x->world, to, value);
}

static void retry_buy_gas(struct exec *x, const struct tx *tx, const struct tx_charge *c) {
    l3_tx_begin(x, tx, c);
    addr20 escrow = retryable_escrow(&tx->parent.ticket);
    move_value(x, &escrow, &tx->sender, &tx->value);
}

static void retry_settle(struct exec *x, const struct tx *tx, const struct tx_charge *c,
                         uint64_t gas_used) {
    bool success = x->last.status == EVM_SUCCESS;
    addr20 escrow = retryable_escrow(&tx->parent.ticket);
    if (!success)
        move_value(x, &tx->sender, &escrow, &tx->value);
    close_retry(x, tx, gas_used, success);
    l3_tx_end(x, tx, c, gas_used);
}

/* Gas that a retry uses without running: 0 if it runs. */
static uint64_t gas_without_run(struct exec *x, const struct tx *tx) {
    struct tx_intrinsic intrinsic = tx_intrinsic_gas(tx, x->revision);
    uint64_t least = intrinsic.gas > intrinsic.floor_gas ? intrinsic.gas : intrinsic.floor_gas;
    if (least > tx->gas_limit || (tx->is_create && tx->data.len > EVM_INITCODE_BYTES_MAX) ||
        world_nonce(x->world, &tx->sender) == UINT64_MAX)
        return tx->gas_limit;
    bool paused = !tx->is_create && universe_is_paused(x->world, &tx->to); /* PROTOCOL §1 */
    return paused ? intrinsic.gas : 0;
}

/* In the block with status 0: the value stays in escrow and the ticket stands. */
static void refuse_retry(struct chain *c, struct derived_tx *d, uint64_t gas_used) {
    struct exec *x = &c->x;
    const struct exec_watch *w = c->watch;
    struct tx_result *r = &d->result;
    r->status = EVM_OUT_OF_GAS;
    r->charge.price = d->tx.max_fee;
    r->gas_used = gas_used;
    const struct evm_tracer *t = w != NULL ? w->begin(w->ctx, x, &d->tx) : NULL;
    if (t != NULL && t->on_enter != NULL)
        t->on_enter(t->ctx, d->tx.is_create ? EVM_CREATE : EVM_CALL, &d->tx.sender, &d->tx.to,
                    d->tx.data, (int64_t)d->tx.gas_limit, &d->tx.value, 0);
    world_tx_begin(c->world);
    close_retry(x, &d->tx, gas_used, false);
    x->gas_left -= gas_used < x->gas_left ? gas_used : x->gas_left;
    x->gas_used += gas_used;
    exec_fill_receipt(x, &d->tx, r, c->arena, &d->receipt);
    d->receipt.has_contract_addr = false;
    world_tx_end(c->world);
    if (t != NULL && t->on_exit != NULL)
        t->on_exit(t->ctx, r->status, r->output, (int64_t)gas_used, 0);
    if (w != NULL)
        c->watch_stopped |= !w->end(w->ctx, x, &d->tx, TX_OK, r);
}

static void execute_retry(struct chain *c, struct derived_tx *d) {
    struct exec *x = &c->x;
    struct tx_rules rules = l3_tx_rules; /* but for the money */
    rules.name = "l3-retry";
    rules.buy_gas = retry_buy_gas;
    rules.settle = retry_settle;
    const struct tx_rules *outer = x->rules;
    const struct tx_charge charge = {.price = d->tx.max_fee, .skip_nonce = true};
    bool stop;
    x->rules = &rules;
    tx_execute_watched(x, &d->tx, &charge, c->arena, &d->result, &d->receipt, c->watch, &stop);
    x->rules = outer;
    c->watch_stopped |= stop;
    d->result.output = bytes_of(NULL, 0);
}

/* One scheduled retry; not in the block when its ticket is gone, which an earlier retry redeemed.
 */
static void run_retry(struct derived_block *b, struct chain *c, struct retry_schedule *s) {
    if (!retryable_exists(c->world, &s->ticket, b->header.timestamp))
        return;
    struct derived_tx *d = tx_slot(b, c);
    s->terms.price = c->l3.price;
    retryable_tx(&d->tx, c->arena, c->world, c->x.chain_id, &s->ticket, &s->terms);
    CHECK(hash32_eq(&d->tx.hash, &s->tx_hash)); /* a ticket's content never changes */
    uint64_t refused = gas_without_run(&c->x, &d->tx);
    if (refused != 0)
        refuse_retry(c, d, refused);
    else
        execute_retry(c, d);
    b->tx_count++;
}

void block_run_redeems(struct derived_block *b, struct chain *c, size_t first) {
    for (size_t i = first; i < b->tx_count; i++) {
        for (size_t k = 0; k < b->txs[i].receipt.log_count && !c->watch_stopped; k++) {
            const struct log_entry *l = &b->txs[i].receipt.logs[k];
            struct retry_schedule s;
            if (retryable_schedule_of(&s, &l->address, l->topic_count, l->topics, l->data))
                run_retry(b, c, &s);
        }
    }
}

/* --- in calls ------------------------------------------------------------------------------ */

static void call_retry_settle(struct exec *x, const struct tx *tx, const struct tx_charge *c,
                              uint64_t gas_used) {
    (void)c;
    (void)gas_used;
    if (x->last.status == EVM_SUCCESS) /* a second try must find it gone */
        retryable_delete(x->world, &tx->parent.ticket);
}

/* A receipt whose schedules are due. */
struct due {
    struct receipt receipt;
    struct due *next;
};

/* One retry; NULL when it was dropped or failed, else its receipt. */
static struct due *call_retry(struct chain *c, struct arena *a, struct retry_schedule *s,
                              struct call_result *res) {
    struct exec *x = &c->x;
    struct tx tx;
    if (!retryable_exists(c->world, &s->ticket, x->block.timestamp))
        return NULL;
    s->terms.price = c->l3.price;
    retryable_tx(&tx, a, c->world, x->chain_id, &s->ticket, &s->terms);
    res->output = bytes_of(NULL, 0);
    if (gas_without_run(x, &tx) != 0) {
        res->status = EVM_OUT_OF_GAS;
        return NULL;
    }
    struct tx_rules rules = l3_call_rules;
    rules.buy_gas = retry_buy_gas;
    rules.settle = call_retry_settle;
    const struct tx_rules *outer = x->rules;
    const struct tx_charge charge = {.price = tx.max_fee, .skip_nonce = true};
    struct due *d = arena_zalloc(a, sizeof *d);
    struct tx_result r;
    x->rules = &rules;
    tx_execute(x, &tx, &charge, a, &r, &d->receipt);
    x->rules = outer;
    res->gas_used += r.gas_used;
    res->status = r.status;
    res->output = arena_copy(a, r.output);
    return r.status == EVM_SUCCESS ? d : NULL;
}

void call_run_redeems(struct chain *c, struct arena *a, const struct receipt *r,
                      struct call_result *res) {
    struct due first = {.receipt = *r}, *last = &first;
    bytes answer = res->output;
    for (struct due *d = &first; d != NULL; d = d->next) {
        for (size_t k = 0; k < d->receipt.log_count && res->status == EVM_SUCCESS; k++) {
            const struct log_entry *l = &d->receipt.logs[k];
            struct retry_schedule s;
            if (!retryable_schedule_of(&s, &l->address, l->topic_count, l->topics, l->data))
                continue;
            res->gas_used -= s.terms.gas < res->gas_used ? s.terms.gas : res->gas_used;
            struct due *next = call_retry(c, a, &s, res);
            if (next != NULL)
                last = last->next = next;
        }
    }
    if (res->status == EVM_SUCCESS)
        res->output = answer;
}
