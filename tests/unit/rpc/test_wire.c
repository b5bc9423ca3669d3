/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: bytes arrive whole and in order however slowly the other side reads, what is not consumed
 * stays, a connection may end within its own event, and answers that are held for others' leave in
 * the same round. */
#include "rpc/wire.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LONG = 4 << 20 };

struct fixture {
    struct event_base *base;
    struct rpc_wire_hub hub;
    struct rpc_wire wire;
    int far;         /* the other side */
    struct buf seen; /* consumed */
    size_t take_max; /* consumed at each event */
    size_t inputs, written;
    bool echo, twice, append, close_on_input, gone, eof;
    size_t unsent; /* after the echo */
};

/* In pieces, one of them empty. */
static void send_pieces(struct rpc_wire *w, bytes data) {
    size_t a = data.len / 3, b = data.len / 2;
    bytes parts[RPC_WIRE_PARTS_MAX] = {bytes_of(data.ptr, a), bytes_of(data.ptr + a, b - a),
                                       bytes_of(data.ptr + b, 0),
                                       bytes_of(data.ptr + b, data.len - b)};
    rpc_wire_send(w, parts, ARRAY_LEN(parts));
}

static void on_input(void *ctx) {
    struct fixture *f = ctx;
    f->inputs++;
    bytes in = rpc_wire_input(&f->wire);
    size_t n = in.len < f->take_max ? in.len : f->take_max;
    buf_append(&f->seen, in.ptr, n);
    if (f->echo)
        send_pieces(&f->wire, bytes_of(in.ptr, n));
    if (f->twice)
        send_pieces(&f->wire, bytes_of(in.ptr, n));
    f->unsent = rpc_wire_unsent(&f->wire);
    if (f->append) {
        evbuffer_add(rpc_wire_output(&f->wire), "!", 1);
        rpc_wire_flush_later(&f->wire);
    }
    if (f->close_on_input) {
        rpc_wire_close(&f->wire);
        return;
    }
    rpc_wire_consume(&f->wire, n);
    if (n < in.len)
        rpc_wire_read(&f->wire, false);
}

static void on_written(void *ctx) {
    struct fixture *f = ctx;
    f->written++;
}

static void on_gone(void *ctx, bool eof) {
    struct fixture *f = ctx;
    f->gone = true;
    f->eof = eof;
}

static const struct rpc_wire_events events = {on_input, on_written, on_gone};

static void open_wire(struct fixture *f, struct rpc_wire_hub *hub) {
    int ends[2];
    buf_init(&f->seen, SIZE_MAX / 2);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    f->far = ends[1];
    struct bufferevent *bev = bufferevent_socket_new(hub->base, ends[0], BEV_OPT_CLOSE_ON_FREE);
    cr_assert(rpc_wire_open(&f->wire, hub, bev, &events, f));
    rpc_wire_read(&f->wire, true);
}

static void fixture_open(struct fixture *f) {
    *f = (struct fixture){.take_max = SIZE_MAX};
    f->base = event_base_new();
    cr_assert(rpc_wire_hub_init(&f->hub, f->base));
    open_wire(f, &f->hub);
}

static void fixture_close(struct fixture *f) {
    if (f->wire.bev != NULL)
        rpc_wire_close(&f->wire);
    rpc_wire_hub_clear(&f->hub);
    event_base_free(f->base);
    close(f->far);
    buf_clear(&f->seen);
}

static void turn(struct fixture *f) {
    event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static size_t far_read(struct fixture *f, uint8_t *out, size_t cap) {
    ssize_t n = recv(f->far, out, cap, 0);
    return n > 0 ? (size_t)n : 0;
}

Test(wire, answers_in_the_same_event) {
    struct fixture f;
    uint8_t back[16];
    fixture_open(&f);
    f.echo = true;
    cr_assert_eq(write(f.far, "hello", 5), 5);
    turn(&f);
    cr_expect_eq(far_read(&f, back, sizeof(back)), 5);
    cr_expect_arr_eq(back, "hello", 5);
    cr_expect_eq(f.inputs, 1);
    cr_expect_eq(f.unsent, 5); /* held until the round's end */
    cr_expect_eq(f.written, 1);
    cr_expect_eq(rpc_wire_unsent(&f.wire), 0);
    fixture_close(&f);
}

/* More connections than answers can be held; among them long answers, two in one event, bytes that
 * go through the output, and connections that end after their answer. */
Test(wire, held_answers_leave_in_their_round) {
    enum { COUNT = 3 * RPC_WIRE_HELD_MAX + 1, LEN = RPC_WIRE_HELD_ONE_BYTES };
    struct fixture *f = calloc(COUNT, sizeof(*f));
    uint8_t *data = malloc(LEN + 1), *back = malloc(2 * LEN + 4);
    fixture_open(&f[0]);
    for (size_t i = 0; i < COUNT; i++) {
        size_t len = i % 5 == 0 ? LEN + 1 : i % 5 == 1 ? LEN : i + 1;
        if (i > 0) {
            f[i] = (struct fixture){.take_max = SIZE_MAX};
            open_wire(&f[i], &f[0].hub);
        }
        f[i].echo = true;
        f[i].twice = i % 2 == 1;
        f[i].append = i % 3 == 1 && i % 7 != 3; /* closing drops the output */
        f[i].close_on_input = i % 7 == 3;
        memset(data, (int)i + 1, len);
        cr_assert_eq(write(f[i].far, data, len), (ssize_t)len);
    }
    turn(&f[0]);
    for (size_t i = 0; i < COUNT; i++) {
        size_t len = i % 5 == 0 ? LEN + 1 : i % 5 == 1 ? LEN : i + 1;
        size_t want = f[i].twice ? 2 * len : len, got = far_read(&f[i], back, 2 * LEN + 4);
        cr_expect_eq(got, want + f[i].append, "connection %zu: %zu bytes", i, got);
        for (size_t k = 0; k < want && k < got; k++)
            cr_assert_eq(back[k], i + 1, "connection %zu at %zu", i, k);
        cr_expect(!f[i].append || back[want] == '!');
        bool is_held = !f[i].close_on_input && len <= LEN;
        cr_expect(!is_held || f[i].unsent == len, "connection %zu: %zu", i, f[i].unsent);
        cr_expect(!is_held || f[i].written == 1, "connection %zu", i);
        if (i > 0 && f[i].wire.bev != NULL)
            rpc_wire_close(&f[i].wire);
        if (i > 0)
            close(f[i].far);
        buf_clear(&f[i].seen);
    }
    turn(&f[0]);
    fixture_close(&f[0]);
    free(f);
    free(data);
    free(back);
}

Test(wire, keeps_what_is_not_consumed) {
    struct fixture f;
    fixture_open(&f);
    f.take_max = 4;
    cr_assert_eq(write(f.far, "0123456789", 10), 10);
    turn(&f);
    cr_assert_eq(write(f.far, "ab", 2), 2);
    turn(&f); /* reading is off */
    cr_expect_eq(f.seen.len, 4);
    bytes rest = rpc_wire_input(&f.wire);
    cr_assert_eq(rest.len, 6);
    cr_expect_arr_eq(rest.ptr, "456789", 6);
    rpc_wire_consume(&f.wire, 2);
    f.take_max = SIZE_MAX;
    rpc_wire_read(&f.wire, true); /* more comes behind the rest */
    turn(&f);
    cr_expect_eq(f.seen.len, 10);
    cr_expect_arr_eq(f.seen.ptr, "01236789ab", 10);
    cr_expect_eq(rpc_wire_input(&f.wire).len, 0);
    fixture_close(&f);
}

Test(wire, a_slow_reader_gets_everything_in_order) {
    struct fixture f;
    uint8_t *data = malloc(LONG), *back = malloc(LONG + 1);
    size_t got = 0;
    fixture_open(&f);
    for (size_t i = 0; i < LONG; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    send_pieces(&f.wire, bytes_of(data, LONG / 2));
    cr_expect_gt(evbuffer_get_length(rpc_wire_output(&f.wire)), 0);
    evbuffer_add(rpc_wire_output(&f.wire), data + LONG / 2, LONG / 4);
    rpc_wire_flush_later(&f.wire);
    rpc_wire_flush_later(&f.wire);
    send_pieces(&f.wire, bytes_of(data + LONG / 4 * 3, LONG / 4));
    while (got < LONG) {
        turn(&f);
        got += far_read(&f, back + got, LONG + 1 - got);
    }
    turn(&f);
    cr_expect_eq(got, LONG);
    cr_expect_eq(memcmp(data, back, LONG), 0);
    cr_expect_geq(f.written, 1);
    cr_expect_eq(evbuffer_get_length(rpc_wire_output(&f.wire)), 0);
    free(data);
    free(back);
    fixture_close(&f);
}

Test(wire, ends) {
    struct fixture f;
    uint8_t byte;
    fixture_open(&f); /* within its own event */
    f.close_on_input = true;
    cr_assert_eq(write(f.far, "x", 1), 1);
    turn(&f);
    cr_expect_eq(recv(f.far, &byte, 1, 0), 0);
    fixture_close(&f);
    fixture_open(&f); /* by the other side, which may still read */
    shutdown(f.far, SHUT_WR);
    turn(&f);
    cr_expect(f.gone);
    cr_expect(f.eof);
    send_pieces(&f.wire, bytes_of("y", 1));
    cr_expect_eq(far_read(&f, &byte, 1), 1);
    fixture_close(&f);
    fixture_open(&f); /* while something waits to be flushed */
    evbuffer_add(rpc_wire_output(&f.wire), "z", 1);
    rpc_wire_flush_later(&f.wire);
    rpc_wire_close(&f.wire);
    turn(&f);
    fixture_close(&f);
}

Test(wire, is_given_up_with_its_bytes) {
    struct fixture f;
    fixture_open(&f);
    f.take_max = 1;
    cr_assert_eq(write(f.far, "abc", 3), 3);
    turn(&f);
    struct bufferevent *bev = rpc_wire_release(&f.wire);
    struct evbuffer *in = bufferevent_get_input(bev);
    cr_assert_eq(evbuffer_get_length(in), 2);
    cr_expect_arr_eq(evbuffer_pullup(in, 2), "bc", 2);
    bufferevent_enable(bev, EV_READ | EV_WRITE); /* it goes on as any other */
    cr_assert_eq(write(f.far, "d", 1), 1);
    turn(&f);
    cr_expect_eq(evbuffer_get_length(in), 3);
    bufferevent_free(bev);
    fixture_close(&f);
}
