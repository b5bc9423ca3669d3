/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a replay shows each transaction of a block as it ran, with the state before and after it,
 * and leaves the executor where it was. Covers: derive_replay.c watch.c */
#include "chain/derive.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

static const struct fixture_options plain = {0};
static const addr20 BOB = {{0xb0, 0xb0}};

struct seen {
    struct evm_tracer hooks;
    size_t stop_after; /* 0: never */
    size_t begun, ended, entered, traced_from;
    uint64_t gas_used[8];
    u256 bob_before[8], bob_after[8];
    enum tx_verdict verdicts[8];
};

static void on_enter(void *ctx, enum evm_call_kind kind, const addr20 *from, const addr20 *to,
                     bytes input, int64_t gas, const u256 *value, uint32_t depth) {
    struct seen *s = ctx;
    (void)from;
    (void)to;
    (void)input;
    (void)gas;
    (void)value;
    cr_assert(kind == EVM_CALL && depth == 0);
    s->entered++;
}

static const struct evm_tracer *begin(void *ctx, struct exec *x, const struct tx *tx) {
    struct seen *s = ctx;
    cr_assert(tx->has_sender);
    s->bob_before[s->begun] = world_balance(x->world, &BOB);
    return s->begun++ >= s->traced_from ? &s->hooks : NULL;
}

static bool end(void *ctx, struct exec *x, const struct tx *tx, enum tx_verdict v,
                const struct tx_result *r) {
    struct seen *s = ctx;
    (void)tx;
    cr_assert((v == TX_OK) == (r != NULL));
    s->verdicts[s->ended] = v;
    s->gas_used[s->ended] = r == NULL ? 0 : r->gas_used;
    s->bob_after[s->ended] = world_balance(x->world, &BOB);
    return ++s->ended != s->stop_after;
}

/* Replays message `m` over the state that `f` has, on top of its head. */
static struct seen replay(struct fixture *f, const struct message *m, struct seen s) {
    s.hooks = (struct evm_tracer){.ctx = &s, .on_enter = on_enter};
    const struct exec_watch w = {.ctx = &s, .begin = begin, .end = end};
    cr_assert_eq(chain_replay_block(f->main.chain, &f->arena, &f->head, m, &w, NULL), ERR_OK);
    return s;
}

Test(derive_replay, shows_every_transaction) {
    struct fixture f, twin;
    fixture_init(&f, &plain);
    fixture_init(&twin, &plain);
    struct tx *txs[3];
    for (int i = 0; i < 3; i++)
        txs[i] = fixture_tx(&f, i, &BOB, 100, bytes_of(NULL, 0), 30000);
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, txs, 3, 1, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 3);
    /* The twin still stands at block 0: the executor that a reader of the parent's state has. */
    struct seen s = replay(&twin, &b.message, (struct seen){.traced_from = 1});
    cr_assert(s.begun == 3 && s.ended == 3 && s.entered == 2);
    for (size_t i = 0; i < 3; i++) {
        u256 before = u256_from_u64(100 * i), after = u256_from_u64(100 * (i + 1));
        cr_assert_eq(s.verdicts[i], TX_OK);
        cr_assert_eq(s.gas_used[i], b.txs[i].receipt.gas_used);
        cr_assert(u256_eq(&s.bob_before[i], &before) && u256_eq(&s.bob_after[i], &after));
    }
    s = replay(&twin, &b.message, (struct seen){.stop_after = 2});
    cr_assert(s.begun == 2 && s.ended == 2 && s.entered == 2);
    u256 bob = fixture_balance(&twin, &BOB);
    cr_assert(u256_is_zero(&bob));
    /* Nothing is left behind: the same block can still be made. */
    struct derived_block again;
    cr_assert_eq(fixture_message(&twin, &again, &b.message, NULL), ERR_OK);
    cr_assert(hash32_eq(&again.hash, &b.hash));
    /* On its own block's state every transaction of it is too late, and shown with that verdict. */
    s = replay(&twin, &b.message, (struct seen){0});
    cr_assert(s.ended == 3 && s.verdicts[0] == TX_NONCE_TOO_LOW);
    fixture_clear(&twin);
    fixture_clear(&f);
}

Test(derive_replay, deposits) {
    struct fixture f;
    fixture_init(&f, &plain);
    uint8_t data[52] = {0};
    memcpy(data, BOB.b, 20);
    data[51] = 77;
    struct message m = fixture_delayed_message(&f, MESSAGE_ETH_DEPOSIT, bytes_of(data, 52));
    struct seen s = replay(&f, &m, (struct seen){0});
    cr_assert(s.begun == 1 && s.ended == 1 && s.entered == 1);
    cr_assert(u256_is_zero(&s.bob_before[0]) && s.bob_after[0].w[0] == 77);
    fixture_clear(&f);
}
