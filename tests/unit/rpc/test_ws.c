/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: messages over a socket pair: order of replies whatever the order of answers, room for only
 * so many at once, held notifications, closing, clients that go in the middle of their calls.
 * Covers: ws.c tag.h */
#include "rpc/rpc.h"
#include "rpc/tag.h"
#include "rpc/ws.h"

#include <criterion/criterion.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SUBMITS_MAX = 64, TURNS = 20 };

struct fixture {
    struct event_base *base;
    struct rpc_context cx;
    struct rpc_dev_nonces nonces;
    struct node_commands node;
    struct rpc_engine *engine;
    struct rpc_subs *subs;
    struct rpc_ws *ws;
    int fd; /* the client's end */
    struct {
        submit_done_fn done;
        void *ctx;
        uint64_t token;
    } submits[SUBMITS_MAX];
    size_t submit_count;
    uint8_t in[65536];
    size_t in_len;
};

static void on_submit(void *ctx, bytes envelope, unsigned flags, submit_done_fn done,
                      void *done_ctx, uint64_t token) {
    struct fixture *f = ctx;
    (void)envelope;
    (void)flags;
    cr_assert_lt(f->submit_count, SUBMITS_MAX);
    f->submits[f->submit_count].done = done;
    f->submits[f->submit_count].ctx = done_ctx;
    f->submits[f->submit_count++].token = token;
}

static void answer(struct fixture *f, size_t i) {
    struct submit_result r = {.status = SUBMIT_DURABLE, .block = 1};
    f->submits[i].done(f->submits[i].ctx, f->submits[i].token, &r);
}

static uint64_t on_want(void *ctx, enum rpc_feed_want what, bool more) {
    (void)ctx;
    (void)what;
    (void)more;
    return 0;
}

static void on_reply(void *ctx, uint64_t tag, struct rpc_reply *reply) {
    struct fixture *f = ctx;
    cr_assert(rpc_tag_is_websocket(tag));
    rpc_ws_reply(f->ws, tag, reply);
}

/* Lets everything that can happen happen. */
static void turn(struct fixture *f) {
    for (int i = 0; i < TURNS; i++)
        event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static int connect_client(struct fixture *f) {
    int fds[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct bufferevent *bev = bufferevent_socket_new(f->base, fds[0], BEV_OPT_CLOSE_ON_FREE);
    cr_assert(rpc_ws_adopt(f->ws, bev, NULL));
    return fds[1];
}

static void fixture_init(struct fixture *f) {
    struct err_ctx ec;
    memset(f, 0, sizeof(*f));
    f->base = event_base_new();
    f->node = (struct node_commands){.ctx = f, .submit = on_submit};
    pthread_mutex_init(&f->nonces.lock, NULL);
    f->cx = (struct rpc_context){.node = &f->node,
                                 .chain = {.chain_id = 41337},
                                 .client_version = "test/v1",
                                 .reply_bytes_max = 1 << 20,
                                 .dev_nonces = &f->nonces};
    struct rpc_engine_options o = {
        .base = f->base, .context = &f->cx, .readers = 1, .read_queue_max = 4, .jobs_max = 64};
    f->engine = rpc_engine_new(&o, on_reply, f, &ec);
    f->subs = rpc_subs_new(f->base, &rpc_ws_transport);
    rpc_subs_set_source(f->subs, (struct rpc_sub_source){.want = on_want});
    struct rpc_ws_options wo = {
        .engine = f->engine, .subs = f->subs, .connections_max = 2, .message_max = 4096};
    f->ws = rpc_ws_new(&wo);
    cr_assert(f->engine != NULL && f->subs != NULL && f->ws != NULL);
    f->fd = connect_client(f);
}

static void fixture_clear(struct fixture *f) {
    rpc_engine_free(f->engine);
    rpc_ws_free(f->ws);
    rpc_subs_free(f->subs);
    event_base_free(f->base);
    close(f->fd);
}

/* A client's frame: masked with a mask of zeros, which RFC 6455 allows. */
static void put(struct fixture *f, uint8_t opcode, const void *data, size_t len) {
    uint8_t frame[4200] = {(uint8_t)(0x80 | opcode)};
    size_t n = 6;
    if (len < 126) {
        frame[1] = (uint8_t)(0x80 | len);
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (uint8_t)(len >> 8);
        frame[3] = (uint8_t)len;
        n = 8;
    }
    memcpy(frame + n, data, len);
    cr_assert_eq(write(f->fd, frame, n + len), (ssize_t)(n + len));
}

static void text(struct fixture *f, const char *s) {
    put(f, 1, s, strlen(s));
}

static void send_tx(struct fixture *f, int id) {
    char s[128];
    snprintf(s, sizeof(s),
             "{\"id\":%d,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x00\"]}", id);
    text(f, s);
}

/* The next frame from the server: its opcode, -1 when there is none. Payload NUL-terminated. */
static int get(struct fixture *f, char *out, size_t cap, size_t *out_len) {
    turn(f);
    ssize_t got = read(f->fd, f->in + f->in_len, sizeof(f->in) - f->in_len);
    f->in_len += got > 0 ? (size_t)got : 0;
    if (f->in_len < 2)
        return -1;
    size_t len = f->in[1], at = 2;
    cr_assert_lt(len, 127, "a server's frames are not masked");
    if (len == 126) {
        len = (size_t)f->in[2] << 8 | f->in[3];
        at = 4;
    }
    if (f->in_len < at + len)
        return -1;
    cr_assert_lt(len, cap);
    memcpy(out, f->in + at, len);
    out[len] = '\0';
    *out_len = len;
    int opcode = f->in[0] & 15;
    f->in_len -= at + len;
    memmove(f->in, f->in + at + len, f->in_len);
    return opcode;
}

static void expect_text(struct fixture *f, const char *part) {
    char s[1024];
    size_t len = 0;
    int opcode = get(f, s, sizeof(s), &len);
    cr_assert_eq(opcode, 1, "opcode %d instead of %s", opcode, part);
    cr_assert_not_null(strstr(s, part), "%s instead of %s", s, part);
}

static void expect_close(struct fixture *f, unsigned code) {
    char s[1024];
    size_t len = 0;
    cr_assert_eq(get(f, s, sizeof(s), &len), 8);
    cr_expect_eq((unsigned)(uint8_t)s[0] << 8 | (uint8_t)s[1], code);
}

static void expect_nothing(struct fixture *f) {
    char s[1024];
    size_t len = 0;
    cr_assert_eq(get(f, s, sizeof(s), &len), -1, "%s", s);
}

Test(ws, replies_keep_the_order_of_messages) {
    static struct fixture f;
    fixture_init(&f);
    send_tx(&f, 1);
    send_tx(&f, 2);
    text(&f, "{\"id\":3,\"method\":\"eth_chainId\"}");
    expect_nothing(&f);
    cr_assert_eq(f.submit_count, 2, "both are in work");
    answer(&f, 1);
    expect_nothing(&f);
    answer(&f, 0);
    expect_text(&f, "\"id\":1,");
    expect_text(&f, "\"id\":2,");
    expect_text(&f, "\"id\":3,");
    fixture_clear(&f);
}

Test(ws, only_so_many_messages_at_once) {
    static struct fixture f;
    fixture_init(&f);
    for (int i = 0; i < 2 * RPC_PIPELINE_MAX; i++)
        send_tx(&f, i);
    expect_nothing(&f);
    cr_assert_eq(f.submit_count, RPC_PIPELINE_MAX);
    for (size_t i = 0; i < RPC_PIPELINE_MAX; i++)
        answer(&f, i);
    for (int i = 0; i < RPC_PIPELINE_MAX; i++)
        expect_text(&f, "\"id\":");
    cr_assert_eq(f.submit_count, 2 * RPC_PIPELINE_MAX, "the rest was taken up");
    fixture_clear(&f);
}

/* What a client says is not read then: it is not taken for dead, and hears no ping. */
Test(ws, a_client_that_waits_for_its_answers_is_not_dropped) {
    static struct fixture f;
    char s[1024];
    size_t len = 0;
    fixture_init(&f);
    for (int i = 0; i < RPC_PIPELINE_MAX; i++)
        send_tx(&f, i);
    expect_nothing(&f);
    cr_assert_eq(f.submit_count, RPC_PIPELINE_MAX);
    uint64_t now = rpc_now_ms();
    rpc_ws_tick(f.ws, now + RPC_WS_PING_MS + 1000);
    expect_nothing(&f);
    rpc_ws_tick(f.ws, now + 3 * RPC_WS_PING_MS);
    cr_assert_eq(rpc_ws_count(f.ws), 1);
    for (size_t i = 0; i < RPC_PIPELINE_MAX; i++)
        answer(&f, i);
    for (int i = 0; i < RPC_PIPELINE_MAX; i++)
        expect_text(&f, "\"id\":");
    rpc_ws_tick(f.ws, now + RPC_WS_PING_MS + 1000);
    cr_expect_eq(get(&f, s, sizeof(s), &len), 9, "it is pinged from here on");
    fixture_clear(&f);
}

Test(ws, a_client_that_goes_meets_no_late_answers) {
    static struct fixture f;
    fixture_init(&f);
    send_tx(&f, 1);
    turn(&f);
    cr_assert_eq(f.submit_count, 1);
    close(f.fd);
    turn(&f);
    cr_expect_eq(rpc_ws_count(f.ws), 0);
    f.fd = connect_client(&f); /* in the same place */
    answer(&f, 0);
    expect_nothing(&f);
    text(&f, "{\"id\":3,\"method\":\"eth_chainId\"}");
    expect_text(&f, "\"id\":3,");
    fixture_clear(&f);
}

/* There is no store here: the read behind the submission would not survive being run. */
Test(ws, a_client_that_goes_takes_its_reads_with_it) {
    static struct fixture f;
    fixture_init(&f);
    text(&f, "[{\"id\":1,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x00\"]},"
             "{\"id\":2,\"method\":\"eth_getLogs\",\"params\":[{}]},"
             "{\"id\":3,\"method\":\"eth_sendRawTransaction\",\"params\":[\"0x01\"]}]");
    turn(&f);
    cr_assert_eq(f.submit_count, 1);
    close(f.fd);
    turn(&f);
    cr_expect_eq(rpc_ws_count(f.ws), 0);
    f.fd = connect_client(&f);
    answer(&f, 0);
    turn(&f);
    cr_assert_eq(f.submit_count, 2, "what sends goes on");
    answer(&f, 1);
    expect_nothing(&f);
    cr_expect_eq(rpc_engine_pending(f.engine), 0);
    fixture_clear(&f);
}

Test(ws, notifications_wait_for_the_answer) {
    static struct fixture f;
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    fixture_init(&f);
    send_tx(&f, 1);
    turn(&f);
    uint64_t tag = rpc_tag_of(1, 0, 0, true);
    struct rpc_subscriber *s = rpc_ws_subscriber(f.ws, tag);
    cr_assert_not_null(s);
    cr_expect_null(rpc_ws_subscriber(f.ws, rpc_tag_of(2, 0, 0, true)));
    cr_expect_null(rpc_ws_subscriber(f.ws, rpc_tag_of(1, 0, 0, false)));
    struct rpc_sub_spec spec = {.kind = RPC_SUB_PENDING, .tag = tag};
    cr_assert_eq(rpc_subs_add(s, id, &spec, NULL), ERR_OK);
    struct rpc_feed_pending p = {.hash = rpc_payload_new(bytes_of((const uint8_t *)"\"0x1\"", 5))};
    struct rpc_feed_item m = {.pending = &p, .pending_count = 1};
    rpc_subs_on_item(f.subs, &m);
    expect_nothing(&f);
    answer(&f, 0);
    expect_text(&f, "\"id\":1,");
    expect_text(&f, "\"result\":\"0x1\"}}");
    expect_nothing(&f);
    rpc_subs_on_item(f.subs, &m);
    expect_text(&f, id);
    rpc_payload_drop(p.hash);
    fixture_clear(&f);
}

Test(ws, long_payloads_are_shared_and_outlive_the_item) {
    static struct fixture f;
    static char json[9000], got[10000];
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    size_t len = 0;
    fixture_init(&f);
    memset(json, '7', sizeof(json));
    send_tx(&f, 1); /* while it is unanswered, notifications are held */
    turn(&f);
    uint64_t tag = rpc_tag_of(1, 0, 0, true);
    struct rpc_subscriber *s = rpc_ws_subscriber(f.ws, tag);
    struct rpc_sub_spec spec = {.kind = RPC_SUB_PENDING, .tag = tag};
    cr_assert_eq(rpc_subs_add(s, id, &spec, NULL), ERR_OK);
    struct rpc_feed_pending p = {.hash = rpc_payload_new(bytes_of((uint8_t *)json, sizeof(json)))};
    struct rpc_feed_item m = {.pending = &p, .pending_count = 1};
    rpc_subs_on_item(f.subs, &m);
    cr_expect_eq(p.hash->refs, 2);
    rpc_payload_drop(p.hash);
    answer(&f, 0);
    expect_text(&f, "\"id\":1,");
    cr_assert_eq(get(&f, got, sizeof(got), &len), 1);
    cr_expect_gt(len, sizeof(json));
    cr_expect_eq(memcmp(got + len - 2 - sizeof(json), json, sizeof(json)), 0);
    fixture_clear(&f);
}

Test(ws, limits_and_closing) {
    static struct fixture f;
    static char big[5000];
    fixture_init(&f);
    uint8_t head[8] = {0x81, 0x80 | 126, 0x10, 0x01}; /* 4097 bytes are to come */
    cr_assert_eq(write(f.fd, head, sizeof(head)), (ssize_t)sizeof(head));
    ssize_t n = write(f.fd, big, 4097);
    cr_assert_eq(n, 4097);
    expect_close(&f, 1009);
    close(f.fd);
    turn(&f);
    cr_expect_eq(rpc_ws_count(f.ws), 0);

    f.fd = connect_client(&f);
    put(&f, 8, "\x03\xe8", 2);
    expect_close(&f, 1000);
    turn(&f);
    cr_expect_eq(rpc_ws_count(f.ws), 0, "we close first once both have said so");
    close(f.fd);

    f.fd = connect_client(&f);
    send_tx(&f, 1);
    turn(&f);
    rpc_ws_drain(f.ws);
    cr_expect(rpc_ws_busy(f.ws));
    expect_nothing(&f);
    answer(&f, 0);
    expect_text(&f, "\"id\":1,");
    expect_close(&f, 1001);
    cr_expect(!rpc_ws_busy(f.ws));
    fixture_clear(&f);
}

Test(ws, quiet_clients_are_pinged_then_dropped) {
    static struct fixture f;
    char s[1024];
    size_t len = 0;
    fixture_init(&f);
    uint64_t now = rpc_now_ms();
    rpc_ws_tick(f.ws, now + RPC_WS_PING_MS - 1000);
    expect_nothing(&f);
    rpc_ws_tick(f.ws, now + RPC_WS_PING_MS + 1000);
    cr_expect_eq(get(&f, s, sizeof(s), &len), 9);
    rpc_ws_tick(f.ws, now + 2 * RPC_WS_PING_MS - 1000);
    cr_expect_eq(rpc_ws_count(f.ws), 1);
    put(&f, 10, "", 0); /* a pong */
    turn(&f);
    rpc_ws_tick(f.ws, now + 2 * RPC_WS_PING_MS + 1000);
    cr_expect_eq(get(&f, s, sizeof(s), &len), 9, "it is pinged anew");
    rpc_ws_tick(f.ws, now + 2 * RPC_WS_PING_MS + 5000);
    cr_expect_eq(rpc_ws_count(f.ws), 0);
    fixture_clear(&f);
}
