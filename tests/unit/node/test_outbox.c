/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the node signs is in the chain once, in whatever way it is asked for, refused in
 * between, or cut off before it was submitted. Method: a real sequencer; submissions that are lost
 * stand for a crash. Covers: outbox.c, outbox_rows.c, signers.c */
#include "node/outbox.h"

#include "base/keccak.h"
#include "index/index.h"
#include "node/sequencer.h"
#include "rpc/call.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum { REQUESTS_MAX = 1000, SENDS = 120, LOST_MAX = 8, WAIT_MS = 20000, LATE_TRIES_MAX = 5 };
#define WEI_PER_ETHER UINT64_C(1000000000000000000)

struct fixture {
    struct node_chain chain;
    struct pool pool;
    struct sequencer *sequencer;
    struct outbox *outbox;
    struct signers signers;
    struct node_commands commands; /* the sequencer's, but for submit */
    struct node_commands real;
    atomic_bool lossy; /* submissions are lost */
    atomic_bool full;  /* they are refused for want of room, */
    bool crossed;      /* or because their nonce is another's */
    atomic_uint refused;
    atomic_uint rows;    /* of KV_SENT that were written */
    struct clock *clock; /* of the next start */
    size_t requests_max; /* as well */
    atomic_bool no_kv;   /* what the outbox writes is refused */
    struct {
        submit_done_fn done;
        void *ctx;
        uint64_t token;
    } lost[LOST_MAX];
    size_t lost_count;
};

static void on_failed(void *ctx) {
    (void)ctx;
    cr_assert_fail("the sequencer failed");
}

static void submit(void *ctx, bytes envelope, unsigned flags, submit_done_fn done, void *done_ctx,
                   uint64_t token) {
    struct fixture *f = ctx;
    if (atomic_load(&f->full)) {
        const struct submit_result no_room = {.status = SUBMIT_REFUSED, .code = RPC_LIMIT_EXCEEDED};
        const struct submit_result crossed = {.status = SUBMIT_REFUSED,
                                              .code = RPC_SERVER_ERROR,
                                              .text = "nonce too low: next nonce 2, tx nonce 1"};
        const struct submit_result r = f->crossed ? crossed : no_room;
        atomic_fetch_add(&f->refused, 1);
        done(done_ctx, token, &r);
        return;
    }
    if (!atomic_load(&f->lossy)) {
        f->real.submit(f->real.ctx, envelope, flags, done, done_ctx, token);
        return;
    }
    cr_assert_lt(f->lost_count, LOST_MAX);
    f->lost[f->lost_count].done = done;
    f->lost[f->lost_count].ctx = done_ctx;
    f->lost[f->lost_count++].token = token;
}

static uint64_t pending_nonce(void *ctx, const addr20 *a) {
    struct fixture *f = ctx;
    return f->real.pending_nonce(f->real.ctx, a);
}
static void kv_write(void *ctx, const struct kv_op *ops, size_t count, kv_done_fn done,
                     void *done_ctx, uint64_t token) {
    struct fixture *f = ctx;
    if (atomic_load(&f->no_kv)) {
        done(done_ctx, token, ERR_BUSY);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (ops[i].space == KV_SENT && !ops[i].del)
            atomic_fetch_add(&f->rows, 1);
    f->real.kv_write(f->real.ctx, ops, count, done, done_ctx, token);
}
static bool kv_get_value(void *ctx, enum kv_space space, bytes key, struct buf *out) {
    struct fixture *f = ctx;
    return f->real.kv_get(f->real.ctx, space, key, out);
}
static void kv_each_value(void *ctx, enum kv_space space, bytes from, kv_each_fn fn, void *fn_ctx) {
    struct fixture *f = ctx;
    f->real.kv_each(f->real.ctx, space, from, fn, fn_ctx);
}

static void start_outbox(struct fixture *f) {
    struct err_ctx ec = {.text = ""};
    struct outbox_options o = {.store = f->chain.ledger.store,
                               .node = &f->commands,
                               .signers = &f->signers,
                               .clock = f->clock,
                               .chain_id = f->chain.genesis.config.chain_id,
                               .requests_max = f->requests_max};
    cr_assert_eq(outbox_start(&f->outbox, &o, &ec), ERR_OK, "%s", ec.text);
    outbox_commands(f->outbox, &f->commands);
}

static struct fixture *fixture_new(void) {
    struct fixture *f = calloc(1, sizeof(*f));
    struct err_ctx ec = {.text = ""};
    cr_assert_not_null(f);
    f->clock = clock_posix();
    f->requests_max = REQUESTS_MAX;
    node_chain_init(&f->chain);
    pool_init(&f->pool, (struct pool_limits){.gapped_max = 100, .gapped_per_sender = 50});
    struct sequencer_options o = {.ledger = &f->chain.ledger,
                                  .pool = &f->pool,
                                  .clock = clock_posix(),
                                  .policy = {.block_gap_ms = 1},
                                  .failed = on_failed};
    cr_assert_eq(sequencer_start(&f->sequencer, &o, &ec), ERR_OK, "%s", ec.text);
    sequencer_commands(f->sequencer, &f->real);
    f->commands = f->real;
    f->commands.ctx = f;
    f->commands.submit = submit;
    f->commands.pending_nonce = pending_nonce;
    f->commands.kv_write = kv_write;
    f->commands.kv_get = kv_get_value;
    f->commands.kv_each = kv_each_value;
    f->signers =
        (struct signers){.chain_id = f->chain.genesis.config.chain_id, .has_operator = true};
    memcpy(f->signers.operator_key, f->chain.keys[0], 32);
    start_outbox(f);
    return f;
}

static void fixture_free(struct fixture *f) {
    outbox_stop(f->outbox);
    cr_assert(sequencer_stop(f->sequencer));
    outbox_free(f->outbox);
    sequencer_free(f->sequencer);
    pool_clear(&f->pool);
    node_chain_clear(&f->chain);
    free(f);
}

struct asked {
    struct node_send send;
    struct own_call calls[3];
    struct node_sent results[3];
    atomic_bool done;
};

static void on_done(void *ctx) {
    struct asked *a = ctx;
    atomic_store(&a->done, true);
}

/* Its calls are there; name: 0 for none. */
static void hand_over(struct fixture *f, struct asked *a, const char *universe, size_t count,
                      uint64_t name) {
    a->send = (struct node_send){.slug = "",
                                 .universe = universe,
                                 .calls = a->calls,
                                 .count = count,
                                 .has_id = name != 0,
                                 .created_ms = name != 0 ? clock_realtime_ms(clock_posix()) : 0,
                                 .request = bytes_of("request", 7),
                                 .results = a->results,
                                 .done = on_done,
                                 .done_ctx = a};
    be64_store(a->send.id.b, name);
    f->commands.send(f->commands.outbox, &a->send);
}

/* A transfer of `wei` to the account `to`, remembered under a name made of `name`. */
static struct asked *ask(struct fixture *f, size_t count, size_t to, uint64_t wei, uint64_t name) {
    struct asked *a = calloc(1, sizeof(*a));
    cr_assert_not_null(a);
    for (size_t i = 0; i < count; i++)
        a->calls[i] = (struct own_call){.to = f->chain.addrs[to],
                                        .value = u256_from_u64(wei),
                                        .gas = 21000,
                                        .max_fee = u256_from_u64(10 * UINT64_C(1000000000)),
                                        .meta = bytes_of("m", 1)};
    hand_over(f, a, "", count, name);
    return a;
}

static void wait_for(struct asked *a) {
    for (int ms = 0; ms < WAIT_MS && !atomic_load(&a->done); ms++)
        usleep(1000);
    cr_assert(atomic_load(&a->done));
}

static bool has_row(struct fixture *f, enum kv_space space, uint64_t name, uint8_t part) {
    uint8_t key[34] = {0};
    be64_store(key, name);
    key[33] = part;
    return f->real.kv_get(f->real.ctx, space, bytes_of(key, kv_key_len((uint8_t)space)), NULL);
}

static u256 balance_of(struct fixture *f, size_t i) {
    struct store_view *v = NULL;
    struct account acct = {0};
    hash32 h;
    struct store *s = f->chain.ledger.store;
    cr_assert_eq(store_view_open(&v, s, store_durable(s)), ERR_OK);
    struct state_reader r = store_state_reader(v);
    keccak256(&h, f->chain.addrs[i].b, 20);
    cr_assert(r.ops->account(r.ctx, &acct, &h));
    store_view_close(v);
    return acct.balance;
}

static uint64_t grown(struct fixture *f, size_t i, const u256 *before) {
    u256 now = balance_of(f, i), d = u256_sub(&now, before);
    return u256_sat_u64(&d);
}

/* Nobody knows a nonce; one in seven is refused in the middle of the others. */
Test(outbox, no_nonces, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct asked *all[SENDS];
    u256 before = balance_of(f, 3);
    size_t good = 0;
    for (size_t i = 0; i < SENDS; i++) {
        bool bad = i % 7 == 3;
        all[i] = ask(f, 1, 3, bad ? 17 * WEI_PER_ETHER : 1, i + 1);
        if (bad)
            all[i]->calls[0].value.w[3] = 1; /* more than there is */
    }
    for (size_t i = 0; i < SENDS; i++) {
        wait_for(all[i]);
        bool bad = i % 7 == 3;
        cr_expect_eq(all[i]->results[0].status, bad ? SUBMIT_REFUSED : SUBMIT_DURABLE, "%zu: %s", i,
                     all[i]->results[0].text);
        cr_expect_eq(has_row(f, KV_SENT, i + 1, 0), !bad);
        good += !bad;
        free(all[i]);
    }
    cr_expect_eq(grown(f, 3, &before), good);
    outbox_stop(f->outbox); /* cleans up */
    for (size_t i = 0; i < SENDS; i++)
        cr_expect_not(has_row(f, KV_OPEN, i + 1, 0), "%zu", i);
    fixture_free(f);
}

/* Submissions that never arrived are made at the next start, those that did are not made again. */
Test(outbox, after_a_crash, .timeout = 60) {
    struct fixture *f = fixture_new();
    u256 before = balance_of(f, 4);
    struct asked *arrived = ask(f, 2, 4, 100, 1);
    wait_for(arrived);
    atomic_store(&f->lossy, true);
    struct asked *lost = ask(f, 3, 4, 1, 2);
    for (int ms = 0; ms < WAIT_MS && !has_row(f, KV_OPEN, 2, 2); ms++)
        usleep(1000);
    cr_expect(has_row(f, KV_SENT, 2, 0));
    cr_expect_not(atomic_load(&lost->done));
    outbox_stop(f->outbox); /* gives up waiting */
    const struct submit_result late = {.status = SUBMIT_REFUSED};
    cr_expect_eq(f->lost_count, 3);
    for (size_t i = 0; i < f->lost_count; i++) /* nobody takes these any more */
        f->lost[i].done(f->lost[i].ctx, f->lost[i].token, &late);
    outbox_free(f->outbox);
    cr_expect_not(atomic_load(&lost->done));
    cr_expect_eq(grown(f, 4, &before), 200);

    atomic_store(&f->lossy, false);
    start_outbox(f);
    hash32 id = {{0}};
    be64_store(id.b, 2);
    for (int ms = 0; ms < WAIT_MS; ms++) { /* its name is taken until it is done */
        if (f->commands.claim(f->commands.outbox, &id))
            break;
        usleep(1000);
    }
    cr_expect_eq(grown(f, 4, &before), 203);
    for (int i = 0; i < 2; i++) { /* nothing is left to do */
        outbox_stop(f->outbox);
        outbox_free(f->outbox);
        start_outbox(f);
    }
    struct asked *next = ask(f, 1, 4, 10, 0);
    wait_for(next);
    cr_expect_eq(next->results[0].status, SUBMIT_DURABLE, "%s", next->results[0].text);
    cr_expect_eq(grown(f, 4, &before), 213);
    cr_expect(has_row(f, KV_SENT, 2, 2));
    free(arrived);
    free(lost);
    free(next);
    fixture_free(f);
}

/* A hundred times as fast. */
static uint64_t fast_ns(struct clock *c) {
    (void)c;
    return 100 * clock_monotonic_ns(clock_posix());
}

static uint64_t fast_ms(struct clock *c) {
    (void)c;
    return clock_realtime_ms(clock_posix());
}

/* No room: who asks is told after OUTBOX_TRIES_MAX tries; what is left of an earlier run stays. It
 * is tried seldom then, whoever else asks, who is told after fewer tries; what is signed as before
 * is not written. */
Test(outbox, no_room, .timeout = 60) {
    static struct clock fast = {.realtime_ms = fast_ms, .monotonic_ns = fast_ns};
    struct fixture *f = fixture_new();
    u256 before = balance_of(f, 4);
    outbox_stop(f->outbox);
    outbox_free(f->outbox);
    f->clock = &fast;
    atomic_store(&f->full, true);
    start_outbox(f);
    struct asked *first = ask(f, 1, 4, 1, 1);
    wait_for(first);
    cr_expect_eq(first->results[0].code, RPC_LIMIT_EXCEEDED);
    cr_expect_eq(atomic_load(&f->refused), OUTBOX_TRIES_MAX);

    atomic_store(&f->full, false);
    atomic_store(&f->lossy, true);
    struct asked *lost = ask(f, 1, 4, 10, 2);
    for (int ms = 0; ms < WAIT_MS && !has_row(f, KV_OPEN, 2, 0); ms++)
        usleep(1000);
    outbox_stop(f->outbox);
    const struct submit_result late = {.status = SUBMIT_REFUSED};
    for (size_t i = 0; i < f->lost_count; i++)
        f->lost[i].done(f->lost[i].ctx, f->lost[i].token, &late);
    outbox_free(f->outbox);
    atomic_store(&f->lossy, false);
    atomic_store(&f->full, true);
    atomic_store(&f->refused, 0);
    atomic_store(&f->rows, 0);
    start_outbox(f);
    for (int ms = 0; ms < WAIT_MS && atomic_load(&f->refused) <= OUTBOX_TRIES_MAX; ms++)
        usleep(1000);
    cr_expect_gt(atomic_load(&f->refused), OUTBOX_TRIES_MAX);
    cr_expect_eq(atomic_load(&f->rows), 0);
    atomic_store(&f->refused, 0);
    struct asked *behind = ask(f, 1, 4, 100, 3);
    wait_for(behind);
    cr_expect_eq(behind->results[0].code, RPC_LIMIT_EXCEEDED);
    cr_expect_leq(atomic_load(&f->refused), 2 * LATE_TRIES_MAX);
    cr_expect_eq(atomic_load(&f->rows), 1, "the new one's");
    atomic_store(&f->full, false);
    for (int ms = 0; ms < WAIT_MS && grown(f, 4, &before) == 0; ms++)
        usleep(1000);
    cr_expect_eq(grown(f, 4, &before), 10);
    cr_expect_eq(atomic_load(&f->rows), 1);
    free(behind);
    free(first);
    free(lost);
    fixture_free(f);
}

/* The caller has chosen no nonce: what is wrong with it never looks like a fault of his call. */
Test(outbox, nonces_are_not_the_callers_affair, .timeout = 60) {
    static struct clock fast = {.realtime_ms = fast_ms, .monotonic_ns = fast_ns};
    struct fixture *f = fixture_new();
    outbox_stop(f->outbox);
    outbox_free(f->outbox);
    f->clock = &fast;
    f->crossed = true;
    atomic_store(&f->full, true);
    start_outbox(f);
    struct asked *a = ask(f, 1, 4, 1, 1);
    wait_for(a);
    cr_expect_eq(a->results[0].status, SUBMIT_REFUSED);
    cr_expect_eq(a->results[0].code, RPC_LIMIT_EXCEEDED);
    cr_expect_eq(atomic_load(&f->refused), OUTBOX_TRIES_MAX);
    atomic_store(&f->full, false);
    free(a);
    fixture_free(f);
}

Test(outbox, claims) {
    struct fixture *f = fixture_new();
    hash32 id = {{7}};
    cr_expect(f->commands.claim(f->commands.outbox, &id));
    cr_expect_not(f->commands.claim(f->commands.outbox, &id));
    f->commands.release(f->commands.outbox, &id);
    cr_expect(f->commands.claim(f->commands.outbox, &id));
    fixture_free(f);
}

/* Requests of long ago are forgotten with all of their rows, by the next start at the latest. */
Test(outbox, forgets, .timeout = 60) {
    struct fixture *f = fixture_new();
    struct asked *old = ask(f, 2, 4, 1, 0), *young = ask(f, 1, 4, 1, 9);
    wait_for(old);
    wait_for(young);
    old->send.has_id = true;
    be64_store(old->send.id.b, 8);
    old->send.created_ms = clock_realtime_ms(clock_posix()) - OUTBOX_KEEP_MS - 1000;
    atomic_store(&old->done, false);
    f->commands.send(f->commands.outbox, &old->send);
    wait_for(old);
    cr_expect(has_row(f, KV_SENT, 8, 1));
    outbox_stop(f->outbox);
    outbox_free(f->outbox);
    start_outbox(f);
    for (int ms = 0; ms < WAIT_MS && has_row(f, KV_REQUEST, 8, 0); ms++)
        usleep(1000);
    cr_expect_not(has_row(f, KV_SENT, 8, 0));
    cr_expect_not(has_row(f, KV_SENT, 8, 1));
    cr_expect(has_row(f, KV_SENT, 9, 0));
    cr_expect(has_row(f, KV_REQUEST, 9, 0));
    free(old);
    free(young);
    fixture_free(f);
}

/* Asks under a name for a universe; whether there was a share of what is remembered. */
static bool takes(struct fixture *f, const char *universe, uint64_t name, bool good) {
    struct asked *a = calloc(1, sizeof(*a));
    cr_assert_not_null(a);
    a->calls[0] = (struct own_call){.to = f->chain.addrs[4],
                                    .gas = good ? 21000 : 20999, /* too little */
                                    .max_fee = u256_from_u64(10 * UINT64_C(1000000000))};
    hand_over(f, a, universe, 1, name);
    wait_for(a);
    bool full = strstr(a->results[0].text, "idempotency key") != NULL;
    if (!full)
        cr_expect_eq(a->results[0].status == SUBMIT_DURABLE, good, "%s", a->results[0].text);
    free(a);
    return !full;
}

static bool count_row(void *ctx, bytes key, bytes value) {
    (void)key;
    (void)value;
    ++*(size_t *)ctx;
    return true;
}

static size_t rows_of(struct fixture *f, enum kv_space space) {
    static const uint8_t first[64];
    size_t n = 0;
    f->real.kv_each(f->real.ctx, space, bytes_of(first, kv_key_len((uint8_t)space)), count_row, &n);
    return n;
}

/* What is remembered is shared: whoever fills it leaves as much as he has to the others, also after
 * a restart. Requests that come to nothing take nothing. */
Test(outbox, shares, .timeout = 60) {
    struct fixture *f = fixture_new();
    outbox_stop(f->outbox);
    outbox_free(f->outbox);
    f->requests_max = 8;
    start_outbox(f);
    for (uint64_t i = 0; i < 20; i++)
        cr_expect(takes(f, "empty", 100 + i, false));
    cr_expect_eq(rows_of(f, KV_REQUEST) + rows_of(f, KV_TIME) + rows_of(f, KV_SENT), 0);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 6; i++)
            cr_expect_eq(takes(f, "greedy", 10 + i, true), round == 0 && i < 4);
        for (uint64_t i = 0; i < 3; i++)
            cr_expect_eq(takes(f, "modest", 20 + i, true), round == 0 && i < 2);
        cr_expect_eq(rows_of(f, KV_TIME), 6);
        outbox_stop(f->outbox);
        outbox_free(f->outbox);
        start_outbox(f);
        struct asked *a = ask(f, 1, 4, 1, 0); /* rows are counted before anything is done */
        wait_for(a);
        free(a);
    }
    cr_expect(takes(f, "newcomer", 31, true));
    fixture_free(f);
}

/* What could not be written is not counted; what could not be taken away is taken away later, and
 * told only then. */
Test(outbox, no_room_for_rows, .timeout = 60) {
    struct fixture *f = fixture_new();
    outbox_stop(f->outbox);
    outbox_free(f->outbox);
    f->requests_max = 2;
    start_outbox(f);
    atomic_store(&f->no_kv, true);
    for (uint64_t i = 0; i < 4; i++) {
        struct asked *a = ask(f, 1, 4, 1, 10 + i);
        wait_for(a);
        cr_expect_eq(a->results[0].status, SUBMIT_REFUSED);
        cr_expect_not_null(strstr(a->results[0].text, "log is behind"), "%s", a->results[0].text);
        free(a);
    }
    atomic_store(&f->no_kv, false);
    atomic_store(&f->lossy, true);
    struct asked *a = ask(f, 1, 4, 1, 20);
    for (int ms = 0; ms < WAIT_MS && f->lost_count == 0; ms++)
        usleep(1000);
    cr_assert_eq(f->lost_count, 1);
    atomic_store(&f->no_kv, true);
    const struct submit_result r = {.status = SUBMIT_REFUSED, .code = RPC_SERVER_ERROR};
    f->lost[0].done(f->lost[0].ctx, f->lost[0].token, &r);
    usleep(50000);
    cr_expect_not(atomic_load(&a->done));
    atomic_store(&f->no_kv, false);
    wait_for(a);
    cr_expect_eq(rows_of(f, KV_OPEN) + rows_of(f, KV_SENT) + rows_of(f, KV_TIME), 0);
    atomic_store(&f->lossy, false);
    cr_expect(takes(f, "", 21, true));
    free(a);
    fixture_free(f);
}

/* Accounts depend on seed, chain and name, and on nothing else. */
Test(signers, derived) {
    struct signers a = {.chain_id = 1, .seed = {1}}, b = a;
    addr20 x, y;
    uint8_t key[32];
    cr_assert(signers_address(&a, "arena", &x));
    cr_assert(signers_address(&b, "arena", &y));
    cr_expect(addr20_eq(&x, &y));
    cr_assert(signers_address(&a, "aren", &y));
    cr_expect_not(addr20_eq(&x, &y));
    b.chain_id = 2;
    cr_assert(signers_address(&b, "arena", &y));
    cr_expect_not(addr20_eq(&x, &y));
    cr_expect_not(signers_key(&a, "", key));
}
