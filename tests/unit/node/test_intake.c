/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a full lane answers, before senders are recovered; which share of the ring one takes.
 * Without the sequencer's thread: each step is the test's. */
#include "node/sequencer_internal.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { ANSWERS_MAX = 64, LANE = 4 /* of POOL */, POOL = 5 };

struct fixture {
    struct node_chain chain;
    struct pool pool;
    struct sequencer s;
    struct node_commands commands;
    struct submit_result answers[ANSWERS_MAX];
    uint64_t answered; /* bits */
};

static struct fixture *fixture_new(void) {
    struct fixture *f = calloc(1, sizeof(*f));
    cr_assert_not_null(f);
    node_chain_init(&f->chain);
    pool_init(&f->pool,
              (struct pool_limits){.ready_max = POOL, .gapped_max = 100, .gapped_per_sender = 50});
    f->s.o = (struct sequencer_options){
        .ledger = &f->chain.ledger, .pool = &f->pool, .clock = clock_posix()};
    cr_assert_eq(ring_init(&f->s.ingress, RING_MPSC, 64, sizeof(struct pool_tx *), true), ERR_OK);
    kv_queue_init(&f->s.kv);
    lane_map_init(&f->s.universes);
    sequencer_commands(&f->s, &f->commands);
    return f;
}

static void fixture_free(struct fixture *f) {
    cr_expect_eq(atomic_load(&f->s.ingress_all.count), 0);
    cr_expect_eq(atomic_load(&f->s.ingress_all.bytes), 0);
    ring_clear(&f->s.ingress);
    kv_queue_clear(&f->s.kv);
    pool_clear(&f->pool);
    node_chain_clear(&f->chain);
    free(f);
}

static void on_done(void *ctx, uint64_t token, const struct submit_result *r) {
    struct fixture *f = ctx;
    cr_assert_eq(f->answered >> token & 1, 0, "a second answer to %u", (unsigned)token);
    f->answered |= UINT64_C(1) << token;
    f->answers[token] = *r;
}

static void submit(struct fixture *f, const struct tx *tx, uint64_t token) {
    f->commands.submit(f->commands.ctx, tx->raw, 0, on_done, f, token);
}

static void expect_refused(const struct fixture *f, uint64_t token, const char *text) {
    cr_assert_eq(f->answered >> token & 1, 1, "no answer to %u", (unsigned)token);
    cr_expect_eq(f->answers[token].status, SUBMIT_REFUSED);
    cr_expect_eq(strncmp(f->answers[token].text, text, strlen(text)), 0, "%u: %s", (unsigned)token,
                 f->answers[token].text);
}

/* Its place in the ring, then the pool's answer. */
static size_t unknown_in_ring(struct fixture *f) {
    return atomic_load(&f->s.ingress_shares[INGRESS_UNKNOWN].count);
}

static void fill_the_lane(struct fixture *f) {
    for (uint64_t i = 0; i < LANE; i++)
        submit(f, node_chain_transfer(&f->chain, 0, 1, i, 10), i);
    cr_expect_eq(unknown_in_ring(f), LANE);
    cr_assert_eq(intake_run(&f->s), LANE);
    cr_assert_eq(f->pool.ready.count, LANE);
    cr_assert_eq(f->answered, 0);
}

Test(intake, a_full_lane_knows_what_it_has) {
    struct fixture *f = fixture_new();
    struct node_chain *c = &f->chain;
    fill_the_lane(f);
    submit(f, node_chain_transfer(c, 0, 1, 2, 10), 10);    /* the very same */
    submit(f, node_chain_transfer(c, 2, 1, 0, 10), 11);    /* another one */
    submit(f, node_chain_transfer(c, 0, 1, 2, 10000), 12); /* would replace one */
    cr_expect_eq(unknown_in_ring(f), 0);
    cr_assert_eq(intake_run(&f->s), 3);
    expect_refused(f, 10, "already known");
    cr_expect_eq(f->answers[10].code, -32000);
    expect_refused(f, 11, "too many transactions are waiting, try again in 100ms");
    cr_expect_eq(f->answers[11].code, -32005);
    expect_refused(f, 12, "too many transactions are waiting, try again in 100ms");
    cr_expect_eq(f->pool.ready.count, LANE);
    fixture_free(f);
}

/* A flood to addresses that nobody has asked for costs no sender either: of the state is asked, and
 * the ring knows them from then on. */
Test(intake, a_full_lane_takes_no_fresh_addresses) {
    struct fixture *f = fixture_new();
    fill_the_lane(f);
    struct tx fresh = *node_chain_transfer(&f->chain, 2, 1, 0, 10);
    for (uint64_t i = 0; i < 8; i++) {
        uint64_t u = 9;
        fresh.to = (addr20){{0xaa, (uint8_t)i}};
        fresh.nonce = i;
        cr_assert_eq(tx_sign(&fresh, &f->chain.arena, f->chain.keys[2]), ERR_OK);
        submit(f, &fresh, 10 + i);
        cr_expect_eq(unknown_in_ring(f), 1);
        cr_assert_eq(intake_run(&f->s), 1);
        expect_refused(f, 10 + i, "too many transactions are waiting");
        cr_expect(lane_map_get(&f->s.universes, &fresh.to, &u));
        cr_expect_eq(u, 0);
    }
    fixture_free(f);
}

/* Of an address that is not known the state is asked only when somebody may have to be refused;
 * that somebody was is told to who posts. */
Test(intake, below_the_bound_of_the_backlog_no_state_is_asked) {
    struct fixture *f = fixture_new();
    struct settle_options so = {.role = SETTLE_SEQUENCER};
    struct tx fresh = *node_chain_transfer(&f->chain, 2, 1, 0, 10);
    uint64_t universe;
    unposted_init(&f->s.unposted, (struct map_seed){1, 2});
    f->s.o.settle = settle_new(&so);
    cr_assert_not_null(f->s.o.settle);
    atomic_store(&f->s.da_backlog_max, 1000);
    fresh.to = (addr20){{0xaa}};
    fresh.max_priority_fee = u256_add(&fresh.max_fee, &fresh.max_fee); /* refused later */
    cr_assert_eq(tx_sign(&fresh, &f->chain.arena, f->chain.keys[2]), ERR_OK);
    submit(f, &fresh, 0);
    cr_assert_eq(intake_run(&f->s), 1);
    cr_expect_eq(f->answers[0].code, -32000, "%s", f->answers[0].text);
    cr_expect_not(lane_map_get(&f->s.universes, &fresh.to, &universe));
    cr_expect_not(sequencer_backlog_refused(&f->s));
    cr_assert_eq(unposted_add(&f->s.unposted, 1, 0, 1000), ERR_OK);
    submit(f, &fresh, 1);
    cr_assert_eq(intake_run(&f->s), 1);
    expect_refused(f, 1, "too many bytes are waiting for the parent chain");
    cr_expect(lane_map_get(&f->s.universes, &fresh.to, &universe));
    cr_expect(sequencer_backlog_refused(&f->s));
    unposted_clear(&f->s.unposted);
    settle_free(f->s.o.settle);
    fixture_free(f);
}

/* Universes 1 and 255 count in the same share. */
Test(intake, who_waits_in_the_ring) {
    struct fixture *f = fixture_new();
    const struct tx *a = node_chain_transfer(&f->chain, 0, 1, 0, 10),
                    *b = node_chain_transfer(&f->chain, 0, 2, 1, 10),
                    *unknown = node_chain_transfer(&f->chain, 0, 3, 2, 10);
    enum { SAME_SHARE = 1 + INGRESS_UNKNOWN - 1 };
    struct pool_tx *t[3];
    cr_expect_not(submit_others_wait(&f->s, 1));
    lane_map_put(&f->s.universes, &a->to, 1);
    lane_map_put(&f->s.universes, &b->to, SAME_SHARE);
    submit(f, a, 0);
    cr_expect_not(submit_others_wait(&f->s, 1));
    cr_expect(submit_others_wait(&f->s, SAME_SHARE));
    cr_expect(submit_others_wait(&f->s, 0));
    submit(f, b, 1);
    cr_expect_eq(atomic_load(&f->s.ingress_shares[2].count), 2);
    cr_expect(submit_others_wait(&f->s, 1));
    cr_expect(submit_others_wait(&f->s, SAME_SHARE));
    submit(f, unknown, 2);
    cr_assert_eq(submit_take(&f->s, &t[0], 1), 1);
    cr_expect(submit_others_wait(&f->s, SAME_SHARE));
    cr_assert_eq(submit_take(&f->s, &t[1], 1), 1);
    cr_expect(submit_others_wait(&f->s, SAME_SHARE), "one whose lane is unknown");
    cr_expect(submit_others_wait(&f->s, 0));
    cr_assert_eq(submit_take(&f->s, &t[2], 1), 1);
    cr_expect_not(submit_others_wait(&f->s, 0));
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        pool_tx_free(t[i]);
    fixture_free(f);
}

/* The same checks for who hands transactions on: what passes has no place here. */
Test(intake, form_alone) {
    struct fixture *f = fixture_new();
    struct submit_result r = {.code = 0};
    const struct tx *good = node_chain_transfer(&f->chain, 0, 1, 7, 10);
    struct pool_tx *t = sequencer_read_form(&f->s, good->raw, &r);
    cr_assert_not_null(t);
    cr_expect_arr_eq(t->tx.hash.b, good->hash.b, 32);
    cr_expect_null(t->done);
    pool_tx_free(t);
    struct tx bad = *good;
    bad.chain_id++;
    cr_assert_eq(tx_sign(&bad, &f->chain.arena, f->chain.keys[0]), ERR_OK);
    cr_expect_null(sequencer_read_form(&f->s, bad.raw, &r));
    cr_expect_eq(r.status, SUBMIT_REFUSED);
    cr_expect_eq(r.code, -32000);
    cr_expect_not_null(strstr(r.text, "invalid chain id"), "%s", r.text);
    cr_expect_null(sequencer_read_form(&f->s, bytes_of("\x02", 1), &r));
    cr_expect_null(strstr(r.text, "chain id"), "%s", r.text);
    cr_expect_eq(unknown_in_ring(f), 0);
    fixture_free(f);
}
