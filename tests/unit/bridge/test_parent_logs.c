/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: all logs of a range and no others, however an endpoint limits its answers; never those of a
 * fork that the caller did not ask for. Method: endpoints that refuse wide ranges, answer more than
 * the bound, lag, sit on another fork, or answer something else. */
#include "tests/lib/bridge/fake_parent.h"

#include <criterion/criterion.h>

enum { CHAIN = 412346 };

struct setup {
    struct fake_parent *fake, *other;
    struct parent *p;
    struct arena a;
    struct err_ctx ec;
    struct parent_log *logs;
    size_t count;
};

static void start(struct setup *t, size_t endpoints) {
    memset(t, 0, sizeof *t);
    t->fake = fake_parent_start(CHAIN);
    t->other = fake_parent_start(CHAIN);
    arena_init(&t->a, 1 << 16, 32 << 20);
    struct parent_config c = {.urls = {fake_parent_url(t->fake), fake_parent_url(t->other)},
                              .url_count = endpoints,
                              .chain_id = CHAIN,
                              .reply_max_bytes = 64 << 10,
                              .logs_range_max = 64};
    cr_assert_eq(parent_new(&t->p, &c, NULL), ERR_OK);
}

static void end(struct setup *t) {
    parent_free(t->p);
    arena_clear(&t->a);
    fake_parent_stop(t->fake);
    fake_parent_stop(t->other);
}

static enum err ask(struct setup *t, uint64_t from, uint64_t to, const hash32 *to_hash) {
    static const enum abi_event events[] = {ABI_EVENT_INBOX_MESSAGE, ABI_EVENT_MESSAGE_DELIVERED};
    addr20 addresses[2] = {{{0}}};
    memset(addresses[1].b, 0x11, 20);
    struct parent_log_filter f = {.from = from,
                                  .to = to,
                                  .to_hash = to_hash,
                                  .addresses = addresses,
                                  .address_count = 2,
                                  .events = events,
                                  .event_count = 2};
    return parent_logs(t->p, &t->a, &t->logs, &t->count, &f, &t->ec);
}

/* The logs are those of blocks [from, to] of a fork. */
static void expect_logs(const struct setup *t, uint64_t from, uint64_t to, uint8_t fork) {
    cr_assert_eq(t->count, to - from + 1);
    for (size_t i = 0; i < t->count; i++) {
        const struct parent_log *l = &t->logs[i];
        hash32 want = fake_parent_hash(fork, from + i);
        cr_expect_eq(l->block_num, from + i);
        cr_expect(hash32_eq(&l->block_hash, &want) && hash32_eq(&l->tx_hash, &want));
        cr_expect(parent_log_is(l, ABI_EVENT_INBOX_MESSAGE, 2));
        cr_expect_eq(l->address.b[7], 0x11);
        cr_expect_eq(be64_load(l->topics[1].b + 24), from + i);
    }
}

Test(parent_logs, whole_range) {
    struct setup t;
    start(&t, 1);
    fake_parent_chain(t.fake, 1000, UINT64_MAX, 0);
    fake_parent_logs(t.fake, 10, 900, 3);
    cr_assert_eq(ask(&t, 5, 950, NULL), ERR_OK);
    expect_logs(&t, 10, 900, 0);
    cr_expect(t.logs[0].data.len == 3 && t.logs[0].data.ptr[0] == 0xab);
    cr_expect_eq(fake_parent_calls(t.fake, "eth_getLogs"), 15u); /* 946 blocks, 64 at a time */
    cr_assert_eq(ask(&t, 901, 901, NULL), ERR_OK);
    cr_expect_eq(t.count, 0u);
    end(&t);
}

Test(parent_logs, question_in_the_form_that_nodes_take) {
    struct setup t;
    start(&t, 1);
    cr_assert_eq(ask(&t, 1, 2, NULL), ERR_OK);
    cr_expect_str_eq(fake_parent_last_params(t.fake),
                     "[{\"fromBlock\":\"0x1\",\"toBlock\":\"0x2\",\"address\":["
                     "\"0x0000000000000000000000000000000000000000\","
                     "\"0x1111111111111111111111111111111111111111\"],\"topics\":[["
                     "\"0xff64905f73a67fb594e0f940a8075a860db489ad991e032f48c81123eb52d60b\","
                     "\"0x5e3c1311ea442664e8b1611bfabef659120ea7a0a2cfc0667700bebc69cbffe1\"]]}]");
    end(&t);
}

Test(parent_logs, splits_what_an_endpoint_refuses) {
    struct setup t;
    start(&t, 1);
    fake_parent_logs(t.fake, 1, 100, 10);
    for (uint64_t span = 1; span < 10; span++) {
        fake_parent_log_span(t.fake, span);
        cr_assert_eq(ask(&t, 1, 100, NULL), ERR_OK, "span %d", (int)span);
        expect_logs(&t, 1, 100, 0);
        cr_expect_eq(parent_endpoint_state(t.p, 0).errors, 0u, "a refusal is no failure");
    }
    end(&t);
}

Test(parent_logs, splits_what_is_over_the_bound) {
    struct setup t;
    start(&t, 1);
    fake_parent_logs(t.fake, 1, 100, 10000); /* three logs to a reply of 64 KiB */
    cr_assert_eq(ask(&t, 1, 100, NULL), ERR_OK);
    expect_logs(&t, 1, 100, 0);
    fake_parent_logs(t.fake, 50, 50, 40000); /* one that is over it alone */
    cr_expect_eq(ask(&t, 1, 100, NULL), ERR_TOO_LARGE);
    end(&t);
}

Test(parent_logs, memory_is_bounded) {
    struct setup t;
    start(&t, 1);
    arena_clear(&t.a);
    arena_init(&t.a, 1 << 12, 1 << 16);
    fake_parent_logs(t.fake, 1, 100, 2000);
    cr_expect_eq(ask(&t, 1, 100, NULL), ERR_TOO_LARGE);
    end(&t);
}

Test(parent_logs, pinned_to_one_chain) {
    struct setup t;
    start(&t, 2);
    fake_parent_logs(t.fake, 1, 100, 1);
    fake_parent_logs(t.other, 1, 100, 1);
    fake_parent_chain(t.fake, 100, 50, 1);
    hash32 own = fake_parent_hash(0, 80), others = fake_parent_hash(1, 80), none = {{0}};
    cr_assert_eq(ask(&t, 60, 80, &own), ERR_OK);
    expect_logs(&t, 60, 80, 0);
    cr_assert_eq(ask(&t, 60, 80, &others), ERR_OK);
    expect_logs(&t, 60, 80, 1);
    cr_expect_eq(ask(&t, 60, 80, &none), ERR_MISMATCH);
    /* The first lags: its empty answer is not taken for the truth. */
    fake_parent_chain(t.fake, 70, UINT64_MAX, 0);
    cr_assert_eq(ask(&t, 60, 80, &own), ERR_OK);
    expect_logs(&t, 60, 80, 0);
    end(&t);
}

#define LOG(address, topic, block, index, more)                                                    \
    "{\"address\":\"" address "\",\"topics\":[\"" topic "\"],\"blockNumber\":\"" block             \
    "\",\"logIndex\":\"" index "\",\"blockHash\":\"" TOPIC "\",\"transactionHash\":\"" TOPIC       \
    "\",\"data\":\"0x\"" more "}"
#define OURS "0x1111111111111111111111111111111111111111"
#define TOPIC "0x5e3c1311ea442664e8b1611bfabef659120ea7a0a2cfc0667700bebc69cbffe1"

/* An endpoint that gives what was not asked for is not believed. */
Test(parent_logs, refuses_other_logs) {
    static const char *const bad[] = {
        LOG("0x2211111111111111111111111111111111111111", TOPIC, "0x5", "0x0", ""),
        LOG(OURS, "0x00", "0x5", "0x0", ""),
        LOG(OURS, "0x0000000000000000000000000000000000000000000000000000000000000000", "0x5",
            "0x0", ""),
        LOG(OURS, TOPIC, "0x3", "0x0", ""),
        LOG(OURS, TOPIC, "0x8", "0x0", ""),
        LOG(OURS, TOPIC, "0x5", "0x0", ",\"removed\":true"),
        LOG(OURS, TOPIC, "0x5", "0x1", "") "," LOG(OURS, TOPIC, "0x5", "0x1", ""),
        LOG(OURS, TOPIC, "0x6", "0x1", "") "," LOG(OURS, TOPIC, "0x5", "0x2", ""),
        "5",
        "{}",
    };
    struct setup t;
    start(&t, 2);
    char answer[2048];
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        snprintf(answer, sizeof answer, "\"result\":[%s]", bad[i]);
        fake_parent_answer(t.fake, "eth_getLogs", answer);
        cr_expect_eq(ask(&t, 4, 7, NULL), ERR_OK, "%zu: %s", i, t.ec.text);
        cr_expect_eq(t.count, 0u, "case %zu: the other endpoint's answer", i);
    }
    fake_parent_answer(t.fake, "eth_getLogs",
                       "\"result\":[" LOG(OURS, TOPIC, "0x5", "0x1", "") "," LOG(
                           OURS, TOPIC, "0x5", "0x2", ",\"removed\":false") "]");
    cr_expect_eq(ask(&t, 4, 7, NULL), ERR_OK);
    cr_expect_eq(t.count, 2u);
    end(&t);
}
