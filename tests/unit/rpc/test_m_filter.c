/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: polling gives what is new since the last time, once; ids and ranges are judged as clients
 * expect; subscriptions need a connection that can be told.
 * Covers: m_filter.c m_logs.c m_subscribe.c live.c */
#include "rpc/live.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <event2/event.h>

struct fixture {
    struct served s;
    struct rpc_live live;
    struct event_base *base;
    addr20 logger;
};

static void fixture_init(struct fixture *f) {
    struct err_ctx ec;
    served_open(&f->s);
    f->logger = served_deploy(&f->s, "60006000a000"); /* LOG0 */
    f->base = event_base_new();
    f->live = (struct rpc_live){0};
    cr_assert_eq(rpc_live_init(&f->live, &f->s.cx, f->base, &ec), ERR_OK);
    f->s.cx.live = &f->live;
}

static void fixture_clear(struct fixture *f) {
    rpc_live_clear(&f->live);
    event_base_free(f->base);
    served_close(&f->s);
}

static void new_filter(struct fixture *f, char id[40], const char *method, const char *params) {
    json_t *r = served_call(&f->s, method, "%s", params);
    const char *text = json_string_value(json_object_get(r, "result"));
    cr_assert_not_null(text);
    snprintf(id, 40, "%s", text);
    json_decref(r);
}

/* Length of the list that a poll gives. */
static size_t poll(struct fixture *f, const char *id) {
    json_t *r = served_call(&f->s, "eth_getFilterChanges", "['%s']", id);
    json_t *list = json_object_get(r, "result");
    cr_assert(json_is_array(list));
    size_t n = json_array_size(list);
    json_decref(r);
    return n;
}

static void log_blocks(struct fixture *f, size_t n) {
    for (size_t i = 0; i < n; i++)
        (void)served_send(&f->s, 0, &f->logger, "");
}

Test(m_filter, blocks_logs_and_pending) {
    static struct fixture f;
    char blocks[40], logs[40], bounded[40], pending[40];
    hash32 h = {{1}};
    fixture_init(&f);
    log_blocks(&f, 2);
    new_filter(&f, blocks, "eth_newBlockFilter", "[]");
    new_filter(&f, logs, "eth_newFilter", "[{}]");
    new_filter(&f, bounded, "eth_newFilter", "[{'toBlock':'0x5'}]");
    new_filter(&f, pending, "eth_newPendingTransactionFilter", "[]");
    cr_expect_eq(poll(&f, blocks) + poll(&f, logs) + poll(&f, bounded) + poll(&f, pending), 0);
    cr_assert_eq(store_durable(f.s.store), 3);
    log_blocks(&f, 4);
    rpc_pending_add(&f.live.pending, &h);
    cr_expect_eq(poll(&f, blocks), 4);
    cr_expect_eq(poll(&f, logs), 4);
    cr_expect_eq(poll(&f, bounded), 2, "blocks 4 and 5");
    cr_expect_eq(poll(&f, pending), 1);
    cr_expect_eq(poll(&f, blocks) + poll(&f, logs) + poll(&f, bounded) + poll(&f, pending), 0);
    served_expect(&f.s, "true", "eth_uninstallFilter", "['%s']", logs);
    served_expect(&f.s, "false", "eth_uninstallFilter", "['%s']", logs);
    served_expect_error(&f.s, -32000, "filter not found", "eth_getFilterChanges", "['%s']", logs);
    served_expect_error(&f.s, -32000, "filter not found", "eth_getFilterLogs", "['%s']", blocks);
    fixture_clear(&f);
}

/* Blocks and signs of the logs that a poll gives, as in "-7 -6 +6". */
static void poll_logs(struct fixture *f, char out[128], const char *id) {
    json_t *r = served_call(&f->s, "eth_getFilterChanges", "['%s']", id), *log;
    size_t i, len = 0;
    out[0] = '\0';
    json_array_foreach(json_object_get(r, "result"), i, log) {
        const char *block = json_string_value(json_object_get(log, "blockNumber"));
        bool removed = json_is_true(json_object_get(log, "removed"));
        cr_assert_not_null(block);
        cr_assert(removed || json_is_false(json_object_get(log, "removed")));
        len += (size_t)snprintf(out + len, 128 - len, "%s%s%lu", i > 0 ? " " : "",
                                removed ? "-" : "+", strtoul(block, NULL, 16));
    }
    json_decref(r);
}

/* The store's blocks stay as they are: they stand for those that come instead. */
Test(m_filter, logs_of_void_blocks_are_taken_back) {
    static struct fixture f;
    char all[40], early[40], text[128];
    fixture_init(&f);
    new_filter(&f, all, "eth_newFilter", "[{}]");
    new_filter(&f, early, "eth_newFilter", "[{'toBlock':'0x3'}]");
    log_blocks(&f, 3);
    poll_logs(&f, text, all);
    cr_expect_str_eq(text, "+2 +3 +4");
    poll_logs(&f, text, early);
    cr_expect_str_eq(text, "+2 +3");
    rpc_filters_reorg(f.live.filters, 3);
    rpc_filters_reorg(f.live.filters, 2);
    poll_logs(&f, text, all);
    cr_expect_str_eq(text, "-4 -3 +3 +4");
    poll_logs(&f, text, all);
    cr_expect_str_eq(text, "");
    log_blocks(&f, 1);
    poll_logs(&f, text, all);
    cr_expect_str_eq(text, "+5");
    rpc_filters_reorg(f.live.filters, 4);
    poll_logs(&f, text, all);
    cr_expect_str_eq(text, "-5 +5");
    rpc_filters_reorg(f.live.filters, 5);
    poll_logs(&f, text, all);
    cr_expect_str_eq(text, "", "nothing above it was given");
    poll_logs(&f, text, early);
    cr_expect_str_eq(text, "-3 +3");
    fixture_clear(&f);
}

Test(m_filter, refusals) {
    static struct fixture f;
    fixture_init(&f);
    served_expect_error(&f.s, -32000, "filter not found", "eth_getFilterChanges", "['0x1']");
    served_expect_error(&f.s, -32000, "filter not found", "eth_getFilterChanges", "['nonsense']");
    served_expect_error(&f.s, -32602, "invalid block range params", "eth_newFilter",
                        "[{'fromBlock':'0x2','toBlock':'0x1'}]");
    served_expect_error(&f.s, -32602, "pending logs are not supported", "eth_newFilter",
                        "[{'toBlock':'pending'}]");
    served_expect_error(&f.s, -32601, "notifications not supported", "eth_subscribe",
                        "['newHeads']");
    fixture_clear(&f);
}
