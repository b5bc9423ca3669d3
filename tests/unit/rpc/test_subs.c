/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: who gets what: kinds, criteria, first blocks, heads held to one in RPC_HEAD_GAP_MS and
 * ending with the newest; coming and going at any time. No feed and no sockets.
 * Covers: subs.c */
#include "rpc/subs.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>

enum { SENT_MAX = 256 };

static struct {
    struct rpc_subscriber *to;
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    char text[200];
} sent[SENT_MAX];
static size_t sent_count, failed_count;

static void on_send(struct rpc_subscriber *s, const char *id, struct rpc_payload *p,
                    uint64_t block) {
    (void)block;
    cr_assert_lt(sent_count, SENT_MAX);
    sent[sent_count].to = s;
    snprintf(sent[sent_count].id, sizeof(sent[0].id), "%s", id);
    snprintf(sent[sent_count].text, sizeof(sent[0].text), "%.*s", (int)p->len,
             (const char *)p->json);
    sent_count++;
}

static void on_fail(struct rpc_subscriber *s, uint64_t block) {
    (void)s;
    (void)block;
    failed_count++;
}

static const struct rpc_sub_transport transport = {.send = on_send, .fail = on_fail};

struct fixture {
    struct event_base *base;
    struct rpc_subs *h;
    struct rpc_subscriber a, b;
    int wants[RPC_FEED_WANTS];
    uint64_t durable;
};

static uint64_t on_want(void *ctx, enum rpc_feed_want what, bool more) {
    struct fixture *f = ctx;
    f->wants[what] += more ? 1 : -1;
    return f->durable;
}

static void fixture_init(struct fixture *f) {
    *f = (struct fixture){.durable = 10};
    f->base = event_base_new();
    f->h = rpc_subs_new(f->base, &transport);
    rpc_subs_set_source(f->h, (struct rpc_sub_source){.ctx = f, .want = on_want});
    f->a.hub = f->b.hub = f->h;
}

static void fixture_clear(struct fixture *f) {
    rpc_subs_leave(&f->a);
    rpc_subs_leave(&f->b);
    for (size_t i = 0; i < RPC_FEED_WANTS; i++)
        cr_expect_eq(f->wants[i], 0, "want %zu is left", i);
    rpc_subs_free(f->h);
    event_base_free(f->base);
}

static void add(struct rpc_subscriber *s, char *id, enum rpc_sub_kind kind) {
    char own[RPC_SUBSCRIPTION_ID_LEN + 1];
    struct rpc_sub_spec spec = {.kind = kind, .tag = 1};
    cr_assert_eq(rpc_subs_add(s, id != NULL ? id : own, &spec, NULL), ERR_OK);
}

static struct rpc_payload *payload(const char *s) {
    return rpc_payload_new(bytes_of((const uint8_t *)s, strlen(s)));
}

/* What the feed does with an item of its own once it is told. */
static void drop_payloads(struct rpc_feed_item *m) {
    rpc_payload_drop(m->head);
    rpc_payload_drop(m->receipts);
    for (size_t i = 0; i < m->log_count; i++)
        rpc_payload_drop(m->logs[i].json);
    for (size_t i = 0; i < m->pending_count; i++) {
        rpc_payload_drop(m->pending[i].hash);
        rpc_payload_drop(m->pending[i].full);
    }
}

static void head(struct fixture *f, uint64_t block) {
    char text[32];
    snprintf(text, sizeof(text), "head %llu", (unsigned long long)block);
    struct rpc_feed_item m = {.is_block = true, .block = block, .head = payload(text)};
    rpc_subs_on_item(f->h, &m);
    rpc_payload_drop(m.head);
}

/* Runs the loop until heads that are held back have gone out. */
static void pass_gap(struct fixture *f) {
    struct timeval t = {.tv_usec = 2 * RPC_HEAD_GAP_MS * 1000};
    event_base_loopexit(f->base, &t);
    event_base_dispatch(f->base);
}

Test(subs, heads_are_conflated_and_end_with_the_newest) {
    struct fixture f;
    fixture_init(&f);
    add(&f.a, NULL, RPC_SUB_HEADS);
    head(&f, 10);
    cr_expect_eq(sent_count, 0, "it was durable before the subscription");
    pass_gap(&f);
    for (uint64_t n = 11; n <= 40; n++)
        head(&f, n);
    cr_expect_lt(sent_count, 4, "%zu sent", sent_count);
    cr_expect_str_eq(sent[0].text, "head 11");
    add(&f.b, NULL, RPC_SUB_HEADS); /* its first is 11 too, but it waits for what comes */
    pass_gap(&f);
    cr_expect_lt(sent_count, 6, "%zu sent", sent_count);
    cr_expect_str_eq(sent[sent_count - 1].text, "head 40");
    size_t before = sent_count;
    pass_gap(&f);
    cr_expect_eq(sent_count, before, "nothing is sent twice");
    head(&f, 41);
    cr_expect_eq(sent_count, before + 2);
    fixture_clear(&f);
}

Test(subs, logs_and_receipts_by_their_criteria) {
    struct fixture f;
    atomic_size_t used = 0;
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    addr20 coin = {{7}};
    hash32 named = {{9}};
    struct filter_args args = {.filter = {.addresses = &coin, .address_count = 1}};
    struct rpc_sub_spec logs = {.kind = RPC_SUB_LOGS, .criteria = rpc_criteria_new(&args, &used)};
    struct rpc_sub_spec receipts = {
        .kind = RPC_SUB_RECEIPTS, .hashes = &named, .hash_count = 1, .tag = 1};
    fixture_init(&f);
    cr_assert_eq(rpc_subs_add(&f.a, id, &logs, NULL), ERR_OK);
    cr_assert_eq(rpc_subs_add(&f.a, id, &receipts, NULL), ERR_OK);
    add(&f.b, NULL, RPC_SUB_RECEIPTS);
    struct rpc_feed_log entries[3] = {{.entry = {.address = {{7}}}, .json = payload("one")},
                                      {.entry = {.address = {{8}}}, .json = payload("two")},
                                      {.entry = {.address = {{7}}}, .json = payload("three")}};
    struct rpc_feed_receipt spans[2] = {{.tx_hash = {{8}}, .at = 1, .len = 2},
                                        {.tx_hash = {{9}}, .at = 4, .len = 3}};
    struct rpc_feed_item m = {.is_block = true,
                              .block = 11,
                              .head = payload("head"),
                              .logs = entries,
                              .log_count = 3,
                              .receipts = payload("[r1,r22]"),
                              .receipt_spans = spans,
                              .receipt_count = 2};
    rpc_subs_on_item(f.h, &m);
    cr_assert_eq(sent_count, 4);
    cr_expect_str_eq(sent[0].text, "one");
    cr_expect_str_eq(sent[1].text, "three");
    for (size_t i = 2; i < 4; i++)
        cr_expect_str_eq(sent[i].text, sent[i].to == &f.a ? "[r22]" : "[r1,r22]");
    m.block = 10;
    rpc_subs_on_item(f.h, &m);
    cr_expect_eq(sent_count, 4);
    drop_payloads(&m);
    fixture_clear(&f);
    cr_expect_eq(atomic_load(&used), 0);
}

Test(subs, pending_and_failure) {
    struct fixture f;
    fixture_init(&f);
    add(&f.a, NULL, RPC_SUB_PENDING);
    add(&f.a, NULL, RPC_SUB_SYNCING);
    add(&f.b, NULL, RPC_SUB_PENDING_FULL);
    struct rpc_feed_pending p[2] = {{.hash = payload("h1"), .full = payload("tx1")},
                                    {.hash = payload("h2")}};
    struct rpc_feed_item m = {.pending = p, .pending_count = 2};
    rpc_subs_on_item(f.h, &m);
    cr_assert_eq(sent_count, 3);
    cr_expect_str_eq(sent[0].text, "h1");
    cr_expect_str_eq(sent[1].text, "tx1");
    cr_expect_str_eq(sent[2].text, "h2");
    struct rpc_feed_item bad = {.is_block = true, .failed = true, .block = 12};
    rpc_subs_on_item(f.h, &bad);
    cr_expect_eq(failed_count, 3);
    drop_payloads(&m);
    fixture_clear(&f);
}

Test(subs, answers_limits_and_removal) {
    struct fixture f;
    struct err_ctx ec;
    char first[RPC_SUBSCRIPTION_ID_LEN + 1], id[RPC_SUBSCRIPTION_ID_LEN + 1];
    struct rpc_sub_spec spec = {.kind = RPC_SUB_HEADS, .tag = 2};
    fixture_init(&f);
    add(&f.a, first, RPC_SUB_HEADS);
    cr_assert_eq(rpc_subs_add(&f.a, id, &spec, NULL), ERR_OK);
    cr_expect_eq(f.a.unanswered, 2);
    rpc_subs_answered(&f.a, 1);
    cr_expect_eq(f.a.unanswered, 1);
    rpc_subs_answered(&f.a, 3);
    cr_expect(rpc_subs_remove(&f.a, id), "an unanswered one can go");
    cr_expect_eq(f.a.unanswered, 0);
    cr_expect(!rpc_subs_remove(&f.a, id));
    cr_expect(!rpc_subs_remove(&f.b, first), "it is another's");
    cr_expect_eq(strlen(first), RPC_SUBSCRIPTION_ID_LEN);
    cr_expect_neq(first[2], '0');
    while (f.a.count < RPC_SUBSCRIPTIONS_MAX)
        add(&f.a, NULL, RPC_SUB_HEADS);
    cr_expect_eq(rpc_subs_add(&f.a, id, &spec, &ec), ERR_BUSY);
    add(&f.b, NULL, RPC_SUB_HEADS);
    cr_expect(rpc_subs_remove(&f.a, first));
    rpc_subs_leave(&f.a);
    head(&f, 11);
    cr_expect_eq(sent_count, 1);
    cr_expect_eq(sent[0].to, &f.b);
    fixture_clear(&f);
}
