/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/derive_internal.h"
#include "chain/retryable.h"
#include "chain/system_state.h"

enum { TX_GAS_MIN = 21000 /* below it no retry can run */ };

/* --- the frame ----------------------------------------------------------------------------- */

/* What such a transaction does, in an open world transaction. Fills in status, gas used, output. */
typedef void (*native_fn)(struct chain *c, const struct tx *tx, const struct batch_report *report,
                          struct tx_result *r);

/* To a tracer it looks like one call, for which no code runs. */
static void trace_begin(const struct evm_tracer *t, const struct tx *tx) {
    addr20 to = tx->type == TX_SUBMIT_RETRYABLE ? system_address(SYSTEM_RETRYABLE) : tx->to;
    const u256 *value = tx->type == TX_SUBMIT_RETRYABLE ? &tx->parent.deposit : &tx->value;
    if (t != NULL && t->on_enter != NULL)
        t->on_enter(t->ctx, EVM_CALL, &tx->sender, &to, tx->data, (int64_t)tx->gas_limit, value, 0);
}

static void trace_end(const struct evm_tracer *t, const struct tx_result *r) {
    if (t != NULL && t->on_exit != NULL)
        t->on_exit(t->ctx, r->status, r->output, (int64_t)r->gas_used, 0);
}

static void run_native(struct derived_block *b, struct chain *c, const struct tx *tx, native_fn fn,
                       const struct batch_report *report) {
    struct exec *x = &c->x;
    const struct exec_watch *w = c->watch;
    struct derived_tx *d = tx_slot(b, c);
    d->tx = *tx;
    const struct evm_tracer *t = w != NULL ? w->begin(w->ctx, x, &d->tx) : NULL;
    trace_begin(t, &d->tx);
    world_tx_begin(c->world);
    fn(c, &d->tx, report, &d->result);
    /* The gas of a 0x69 is donated as a whole: its retry counts it. */
    exec_fill_receipt(x, &d->tx, &d->result, c->arena, &d->receipt);
    world_tx_end(c->world);
    trace_end(t, &d->result);
    if (w != NULL)
        c->watch_stopped |= !w->end(w->ctx, x, &d->tx, TX_OK, &d->result);
    d->result.output = bytes_of(NULL, 0);
    b->tx_count++;
}

/* --- deposits ------------------------------------------------------------------------------ */

/* Mints, unless all money that ever was, and this, exceeds 256 bits: only a broken parent could ask
 * for that. */
static bool mint(struct world *w, const addr20 *to, const u256 *value) {
    u256 sum = sys_get(w, SYS_SUPPLY_GENESIS, NULL), minted = sys_get(w, SYS_SUPPLY_MINTED, NULL);
    if (u256_add_overflow(&sum, &sum, &minted) || u256_add_overflow(&sum, &sum, value))
        return false;
    sys_add(w, SYS_SUPPLY_MINTED, NULL, value);
    world_add_balance(w, to, value);
    return true;
}

/* Mints to the sender and moves on to the recipient; no code runs, no gas is used. */
static void run_deposit(struct chain *c, const struct tx *tx, const struct batch_report *report,
                        struct tx_result *r) {
    (void)report;
    bool ok = mint(c->world, &tx->to, &tx->value);
    if (ok)
        world_touch(c->world, &tx->sender);
    r->status = ok ? EVM_SUCCESS : EVM_REVERT;
}

void block_run_deposit(struct derived_block *b, struct chain *c, const struct tx *tx) {
    run_native(b, c, tx, run_deposit, NULL);
}

/* --- retryable submissions ----------------------------------------------------------------- */

/* Moves; the caller knows that `from` has it. */
static void move(struct world *w, const addr20 *from, const addr20 *to, const u256 *value) {
    if (u256_is_zero(value))
        return;
    bool covered = world_sub_balance(w, from, value);
    CHECK(covered);
    world_add_balance(w, to, value);
}

/* Takes up to `wanted` out of a sum; gives what was taken. */
static u256 take_funds(u256 *pool, const u256 *wanted) {
    u256 taken = u256_lt(pool, wanted) ? *pool : *wanted;
    *pool = u256_sub(pool, &taken);
    return taken;
}

/* What is left of the deposit to give back, and what of it went into fees. All of `available` lies
 * in the sender's balance. */
struct refunds {
    u256 available, withheld_submission;
};

/* The fee is paid, its excess refunded, the value in escrow; or nothing of that. */
static bool pay_submission(struct chain *c, const struct tx *tx, u256 *out_fee,
                           struct refunds *refunds) {
    struct world *w = c->world;
    const addr20 *fees = &c->l3.network_fee_account;
    u256 balance = world_balance(w, &tx->sender);
    if (u256_lt(&balance, &tx->parent.max_submission))
        return false;
    if (!retryable_submission_fee(out_fee, &tx->parent.l1_base_fee, tx->data.len) ||
        u256_lt(&tx->parent.max_submission, out_fee))
        return false;
    move(w, &tx->sender, fees, out_fee);
    refunds->withheld_submission = take_funds(&refunds->available, out_fee);
    u256 excess = u256_sub(&tx->parent.max_submission, out_fee);
    excess = take_funds(&refunds->available, &excess);
    move(w, &tx->sender, &tx->parent.refund_to, &excess);
    balance = world_balance(w, &tx->sender);
    addr20 escrow = retryable_escrow(&tx->hash);
    if (!u256_lt(&balance, &tx->value)) {
        move(w, &tx->sender, &escrow, &tx->value);
        return true;
    }
    move(w, fees, &tx->sender, out_fee);
    move(w, &tx->sender, &tx->parent.refund_to, &refunds->withheld_submission);
    return false;
}

/* gas x fee, the largest number if it is larger. */
static u256 cost_of(uint64_t gas, const u256 *fee) {
    u256 wide = u256_from_u64(gas), cost;
    return u256_mul_overflow(&cost, &wide, fee) ? U256_MAX : cost;
}

/* Buys the gas of the first try and schedules it; without it the gas money goes back. */
static void auto_redeem(struct chain *c, const struct tx *tx, const u256 *submission_fee,
                        struct refunds *refunds, struct tx_result *r) {
    struct world *w = c->world;
    const u256 *price = &c->l3.price;
    uint64_t gas = tx->gas_limit;
    u256 balance = world_balance(w, &tx->sender), most = cost_of(gas, &tx->max_fee);
    bool affordable = !u256_lt(&balance, &most) && !u256_eq(&most, &U256_MAX);
    if (!affordable || gas < TX_GAS_MIN || u256_lt(&tx->max_fee, price)) {
        most = cost_of(tx->parent.gas, &tx->max_fee);
        u256 back = take_funds(&refunds->available, &most);
        move(w, &tx->sender, &tx->parent.refund_to, &back);
        return;
    }
    u256 cost = cost_of(gas, price);
    move(w, &tx->sender, &c->l3.network_fee_account, &cost);
    u256 withheld = take_funds(&refunds->available, &cost);
    /* What the bid exceeds the price by, and gas that no retry may have. */
    u256 margin = u256_sub(&tx->max_fee, price);
    u256 back = cost_of(gas, &margin), rest = cost_of(tx->parent.gas - gas, &tx->max_fee);
    back = take_funds(&refunds->available, &back);
    rest = take_funds(&refunds->available, &rest);
    move(w, &tx->sender, &tx->parent.refund_to, &back);
    move(w, &tx->sender, &tx->parent.refund_to, &rest);

    struct retry_schedule s = {.ticket = tx->hash, .terms = {.gas = gas, .price = *price}};
    s.terms.refund_to = tx->parent.refund_to;
    s.terms.max_refund = u256_add(&refunds->available, &withheld);
    s.terms.max_refund = u256_add(&s.terms.max_refund, &refunds->withheld_submission);
    s.terms.submission_refund = *submission_fee;
    struct arena_mark mark = arena_mark(c->arena);
    struct tx retry;
    retryable_tx(&retry, c->arena, w, c->x.chain_id, &tx->hash, &s.terms);
    s.tx_hash = retry.hash;
    arena_reset_to(c->arena, mark);
    u256 key = u256_from_be32(tx->hash.b);
    sys_set_u64(w, SYS_TICKET_TRIES, &key, 1);
    hash32 topics[RETRYABLE_SCHEDULE_TOPICS];
    uint8_t data[RETRYABLE_SCHEDULE_DATA_BYTES];
    retryable_schedule_pack(topics, data, &s);
    addr20 self = system_address(SYSTEM_RETRYABLE);
    world_add_log(w, &self, topics, RETRYABLE_SCHEDULE_TOPICS, bytes_of(data, sizeof data));
    r->gas_used = gas;
}

/* TicketCreated(bytes32 indexed ticketId) */
static const hash32 TICKET_CREATED = {{0x7c, 0x79, 0x3c, 0xce, 0xd5, 0x74, 0x3d, 0xc5,
                                       0xf5, 0x31, 0xbb, 0xe2, 0xbf, 0xb5, 0xa9, 0xfa,
                                       0x3f, 0x40, 0xad, 0xef, 0x29, 0x23, 0x1e, 0x6a,
                                       0xb1, 0x65, 0xc0, 0x8a, 0x29, 0xe3, 0xdd, 0x89}};

static void run_submit(struct chain *c, const struct tx *tx, const struct batch_report *report,
                       struct tx_result *r) {
    (void)report;
    struct world *w = c->world;
    r->status = EVM_REVERT;
    r->charge.price = c->l3.price;
    if (!mint(w, &tx->sender, &tx->parent.deposit))
        return;
    struct refunds refunds = {.available = tx->parent.deposit};
    (void)take_funds(&refunds.available, &tx->value);
    u256 fee;
    if (!pay_submission(c, tx, &fee, &refunds))
        return;
    r->status = EVM_SUCCESS;
    r->output = bytes_of(tx->hash.b, sizeof tx->hash.b);
    retryable_create(w, &tx->hash, tx, c->x.block.timestamp);
    const hash32 topics[2] = {TICKET_CREATED, tx->hash};
    addr20 self = system_address(SYSTEM_RETRYABLE);
    world_add_log(w, &self, topics, 2, bytes_of(NULL, 0));
    auto_redeem(c, tx, &fee, &refunds, r);
}

void block_run_submit(struct derived_block *b, struct chain *c, const struct tx *tx) {
    run_native(b, c, tx, run_submit, NULL);
}

/* --- batch reports ------------------------------------------------------------------------- */

/* The price of parent data follows what the last batches cost (PROTOCOL §3). */
static void run_report(struct chain *c, const struct tx *tx, const struct batch_report *report,
                       struct tx_result *r) {
    (void)tx;
    struct world *w = c->world;
    u256 sample;
    r->status = EVM_SUCCESS;
    if (!fee_data_sample(&sample, &report->gas_price, report->length, report->nonzeros,
                         report->extra_gas))
        return;
    uint64_t next = sys_get_u64(w, SYS_DATA_SAMPLE_NEXT, NULL) % FEE_DATA_SAMPLES;
    u256 key = u256_from_u64(next);
    sys_set(w, SYS_DATA_SAMPLE, &key, &sample);
    sys_set_u64(w, SYS_DATA_SAMPLE_NEXT, NULL, (next + 1) % FEE_DATA_SAMPLES);
    u256 samples[FEE_DATA_SAMPLES];
    for (uint64_t i = 0; i < FEE_DATA_SAMPLES; i++) {
        key = u256_from_u64(i);
        samples[i] = sys_get(w, SYS_DATA_SAMPLE, &key);
    }
    u256 old = sys_get(w, SYS_PARENT_WEI_PER_BYTE, NULL);
    u256 now = fee_data_price_next(&old, samples);
    sys_set(w, SYS_PARENT_WEI_PER_BYTE, NULL, &now);
}

void block_run_report(struct derived_block *b, struct chain *c, const struct tx *tx,
                      const struct batch_report *report) {
    run_native(b, c, tx, run_report, report);
}
