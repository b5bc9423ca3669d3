/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: calls of one body share room and time; what was sent is told whatever the limits; who has
 * gone gets no reads begun.
 * Covers: batch.c */
#include "base/keccak.h"
#include "rpc/batch.h"

#include <criterion/criterion.h>

static struct rpc_context cx = {.reply_bytes_max = 1000, .call_time_ms = 10};

static const struct rpc_method *method(const char *name) {
    const struct rpc_method *m = rpc_method_find(name, strlen(name), true);
    cr_assert_not_null(m);
    return m;
}

static void begin(struct rpc_call *c, struct rpc_batch *b, const char *name) {
    rpc_call_init(c, &cx);
    c->batch = b;
    c->method = method(name);
}

/* Runs one whose answer has `len` bytes; whether it was run. */
static bool run(struct rpc_batch *b, struct rpc_call *c, size_t len, uint64_t us) {
    begin(c, b, "eth_call");
    if (!rpc_batch_admits(c))
        return false;
    cr_assert_not_null(buf_extend(&c->result, len));
    c->phase = RPC_PHASE_DONE;
    rpc_batch_took(c, us);
    return true;
}

static void expect_too_large(struct rpc_call *c) {
    cr_expect_eq(c->code, RPC_LIMIT_EXCEEDED);
    cr_expect_eq(c->phase, RPC_PHASE_DONE);
    cr_expect_eq(c->result.cap + c->data.cap, 0, "memory is given back");
    rpc_call_clear(c);
}

Test(batch, answers_share_room) {
    struct rpc_batch b;
    struct rpc_call c;
    rpc_batch_init(&b, &cx, true);
    cr_expect(run(&b, &c, 600, 0) && !rpc_failed(&c));
    rpc_call_clear(&c);
    cr_expect(run(&b, &c, 400, 0) && !rpc_failed(&c));
    rpc_call_clear(&c);
    cr_expect(run(&b, &c, RPC_ANSWER_BRIEF, 0) && !rpc_failed(&c), "it is as short as an error");
    rpc_call_clear(&c);
    cr_expect(run(&b, &c, RPC_ANSWER_BRIEF + 1, 0));
    expect_too_large(&c);
    cr_expect_not(run(&b, &c, 1, 0));
    expect_too_large(&c);
}

Test(batch, errors_take_room_and_notifications_none) {
    struct rpc_batch b;
    struct rpc_call c;
    uint8_t data[300] = {0};
    rpc_batch_init(&b, &cx, true);
    begin(&c, &b, "eth_call");
    c.notification = true;
    cr_assert_not_null(buf_extend(&c.result, 900));
    c.phase = RPC_PHASE_DONE;
    rpc_batch_took(&c, 0);
    cr_expect_eq(c.result.cap, 0);
    cr_expect_eq(b.left, 1000);
    rpc_call_clear(&c);
    for (int i = 0; i < 2; i++) {
        begin(&c, &b, "eth_call");
        cr_assert(rpc_batch_admits(&c));
        rpc_fail(&c, RPC_REVERTED, "execution reverted");
        rpc_fail_data(&c, bytes_of(data, sizeof(data)));
        c.phase = RPC_PHASE_DONE;
        rpc_batch_took(&c, 0);
        if (i == 0)
            cr_expect_eq(c.code, RPC_REVERTED);
        if (i == 0)
            rpc_call_clear(&c);
    }
    expect_too_large(&c);
}

Test(batch, time_is_of_all) {
    struct rpc_batch b, alone;
    struct rpc_call c;
    rpc_batch_init(&b, &cx, true);
    rpc_batch_init(&alone, &cx, false);
    for (int i = 0; i < RPC_BATCH_TIMES; i++) {
        cr_expect(run(&b, &c, 1, 10000));
        rpc_call_clear(&c);
    }
    cr_expect(run(&b, &c, 1, 1), "all of it may be used");
    rpc_call_clear(&c);
    cr_expect_not(run(&b, &c, 1, 1));
    cr_expect_eq(c.code, RPC_TIMED_OUT);
    cr_expect_eq(c.phase, RPC_PHASE_DONE);
    rpc_call_clear(&c);
    cr_expect(run(&alone, &c, 2000 / 2, 1000000));
    cr_expect_not(rpc_failed(&c));
    rpc_call_clear(&c);
    cr_expect(run(&alone, &c, 1, 1));
    rpc_call_clear(&c);
}

Test(batch, what_was_sent_is_told) {
    struct rpc_batch b;
    struct rpc_call c;
    char want[69];
    rpc_batch_init(&b, &cx, true);
    b.full = true;
    begin(&c, &b, "eth_sendRawTransactionSync");
    c.phase = RPC_PHASE_RECEIPT;
    memset(c.tx_hash.b, 0x11, 32);
    snprintf(want, sizeof(want), "\"0x%064d\"", 0);
    memset(want + 3, '1', 64);
    cr_expect_not(rpc_batch_admits(&c));
    cr_expect_not(rpc_failed(&c));
    cr_assert_eq(c.result.len, 68);
    cr_expect_arr_eq(c.result.ptr, want, 68);
    rpc_call_clear(&c);
    /* a receipt that another node gave: the hash is the envelope's */
    size_t left = 10;
    begin(&c, &b, "eth_sendRawTransactionSync");
    buf_append_str(&c.envelope, "envelope");
    cr_assert_not_null(buf_extend(&c.result, 900));
    c.phase = RPC_PHASE_DONE;
    cr_expect_not(rpc_batch_fit(&c, &left));
    cr_expect_not(rpc_failed(&c));
    cr_expect_eq(c.result.len, 68);
    cr_expect_eq(left, 10);
    rpc_call_clear(&c);
}

Test(batch, who_has_gone_gets_no_reads) {
    struct rpc_batch b;
    struct rpc_call c;
    rpc_batch_init(&b, &cx, false);
    b.gone = true;
    cr_expect_not(run(&b, &c, 1, 1));
    cr_expect(rpc_failed(&c));
    rpc_call_clear(&c);
    begin(&c, &b, "eth_sendTransaction");
    cr_expect(rpc_batch_admits(&c), "it may send");
    rpc_call_clear(&c);
    begin(&c, &b, "eth_sendRawTransactionSync");
    c.phase = RPC_PHASE_RECEIPT;
    cr_expect(rpc_batch_admits(&c));
    rpc_call_clear(&c);
}
