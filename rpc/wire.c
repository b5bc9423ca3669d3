/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/wire.h"

#include "base/check.h"
#include "rpc/tls.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { TLS_INPUT_BYTES_MAX = 256 << 10 /* read ahead of the receiver */ };

/* --- flushing ------------------------------------------------------------------------------ */
static void unlink_due(struct rpc_wire *w) {
    if (w->prev == NULL)
        return;
    *w->prev = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    w->prev = NULL;
    w->next = NULL;
}

static struct evbuffer *output(const struct rpc_wire *w) {
    return bufferevent_get_output(w->bev);
}

/* Sends what the socket takes; the rest goes into the output, which is empty. */
static void send_now(struct rpc_wire *w, const bytes *parts, size_t count) {
    struct iovec iov[RPC_WIRE_PARTS_MAX];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        iov[i] =
            (struct iovec){.iov_base = (void *)(uintptr_t)parts[i].ptr, .iov_len = parts[i].len};
        len += parts[i].len;
    }
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
    ssize_t n = sendmsg(bufferevent_getfd(w->bev), &m, MSG_NOSIGNAL);
    size_t sent = n > 0 ? (size_t)n : 0;
    if (sent == len)
        return;
    for (size_t i = 0; i < count; i++) {
        size_t gone = sent < parts[i].len ? sent : parts[i].len;
        evbuffer_add(output(w), parts[i].ptr + gone, parts[i].len - gone);
        sent -= gone;
    }
    bufferevent_enable(w->bev, EV_WRITE);
}

/* --- held answers -------------------------------------------------------------------------- */
static void send_held(struct rpc_wire *w) {
    if (w->held_len == 0)
        return;
    bytes part = bytes_of(w->hub->held.ptr + w->held_at, w->held_len);
    w->held_len = 0;
    send_now(w, &part, 1);
}

static void send_all_held(struct rpc_wire_hub *h) {
    for (size_t i = 0; i < h->hold_count; i++)
        if (h->holds[i] != NULL)
            send_held(h->holds[i]);
    h->hold_count = 0;
    buf_reset(&h->held);
}

static void forget_held(struct rpc_wire *w) {
    struct rpc_wire_hub *h = w->hub;
    for (size_t i = 0; i < h->hold_count; i++)
        if (h->holds[i] == w)
            h->holds[i] = NULL;
    w->held_len = 0;
}

/* To be seen to by on_flush. */
static void queue_flush(struct rpc_wire *w) {
    struct rpc_wire_hub *h = w->hub;
    if (w->prev != NULL)
        return;
    if (h->first == NULL)
        event_active(h->flush, EV_TIMEOUT, 0);
    w->next = h->first;
    if (w->next != NULL)
        w->next->prev = &w->next;
    w->prev = &h->first;
    h->first = w;
}

/* False: it is not to be held. */
static bool hold(struct rpc_wire *w, const bytes *parts, size_t count, size_t len) {
    struct rpc_wire_hub *h = w->hub;
    if (h->busy != w || len > RPC_WIRE_HELD_ONE_BYTES)
        return false;
    if (h->hold_count == RPC_WIRE_HELD_MAX)
        send_all_held(h);
    w->held_at = h->held.len;
    w->held_len = len;
    for (size_t i = 0; i < count; i++)
        buf_append(&h->held, parts[i].ptr, parts[i].len);
    CHECK(!h->held.overflow);
    h->holds[h->hold_count++] = w;
    queue_flush(w);
    return true;
}

size_t rpc_wire_unsent(const struct rpc_wire *w) {
    return w->held_len + evbuffer_get_length(output(w));
}

struct evbuffer *rpc_wire_output(struct rpc_wire *w) {
    send_held(w);
    return output(w);
}

void rpc_wire_flush(struct rpc_wire *w) {
    struct evbuffer *out = output(w);
    /* While the bufferevent waits for the socket it writes by itself. */
    if (w->readable == NULL || evbuffer_get_length(out) == 0 ||
        (bufferevent_get_enabled(w->bev) & EV_WRITE) != 0)
        return;
    evbuffer_unfreeze(out, 1);
    (void)evbuffer_write(out, bufferevent_getfd(w->bev));
    evbuffer_freeze(out, 1);
    /* A socket that is full, or broken: the bufferevent meets the error again and tells. */
    if (evbuffer_get_length(out) > 0)
        bufferevent_enable(w->bev, EV_WRITE);
}

void rpc_wire_flush_later(struct rpc_wire *w) {
    if (w->readable != NULL && evbuffer_get_length(output(w)) > 0)
        queue_flush(w);
}

static void on_flush(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_wire_hub *h = ctx;
    struct rpc_wire *all = h->first;
    (void)fd;
    (void)what;
    send_all_held(h);
    /* Whom on_written has flushed again comes in the next turn. */
    h->first = NULL;
    if (all != NULL)
        all->prev = &all;
    while (all != NULL) {
        struct rpc_wire *w = all;
        unlink_due(w);
        rpc_wire_flush(w);
        if (evbuffer_get_length(output(w)) == 0)
            w->events->on_written(w->ctx);
    }
}

void rpc_wire_send(struct rpc_wire *w, const bytes *parts, size_t count) {
    size_t len = 0;
    CHECK(count <= RPC_WIRE_PARTS_MAX);
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    send_held(w);
    if (w->readable != NULL && evbuffer_get_length(output(w)) == 0) {
        if (!hold(w, parts, count, len))
            send_now(w, parts, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        evbuffer_add(output(w), parts[i].ptr, parts[i].len);
    if (w->readable != NULL)
        bufferevent_enable(w->bev, EV_WRITE);
}

void rpc_wire_finish(struct rpc_wire *w) {
    rpc_tls_finish(w->bev);
    bufferevent_disable(w->bev, EV_WRITE);
}

/* --- input --------------------------------------------------------------------------------- */
bytes rpc_wire_input(struct rpc_wire *w) {
    if (w->readable != NULL)
        return w->window;
    struct evbuffer *in = bufferevent_get_input(w->bev);
    size_t len = evbuffer_get_contiguous_space(in);
    return len == 0 ? bytes_of(NULL, 0) : bytes_of(evbuffer_pullup(in, (ev_ssize_t)len), len);
}

void rpc_wire_consume(struct rpc_wire *w, size_t len) {
    if (w->readable == NULL) {
        evbuffer_drain(bufferevent_get_input(w->bev), len);
        return;
    }
    CHECK(len <= w->window.len);
    w->window = bytes_of(w->window.ptr + len, w->window.len - len);
    if (w->window.len == 0) {
        buf_clear(&w->rest);
        w->window = bytes_of(NULL, 0);
    }
}

void rpc_wire_drop_input(struct rpc_wire *w) {
    if (w->readable != NULL)
        rpc_wire_consume(w, w->window.len);
    else
        evbuffer_drain(bufferevent_get_input(w->bev), SIZE_MAX);
}

/* The shared buffer is about to be used for another connection. */
static void keep_rest(struct rpc_wire *w) {
    struct buf rest;
    if (w->window.len == 0)
        return;
    buf_init(&rest, SIZE_MAX / 2);
    buf_append(&rest, w->window.ptr, w->window.len);
    CHECK(!rest.overflow);
    buf_clear(&w->rest);
    w->rest = rest;
    w->window = buf_bytes(&w->rest);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_wire *w = ctx;
    struct rpc_wire_hub *h = w->hub;
    (void)what;
    CHECK(h->busy == NULL);
    ssize_t n = recv(fd, h->in, RPC_WIRE_READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        rpc_wire_read(w, false);
        w->events->on_gone(w->ctx, n == 0);
        return;
    }
    if (w->window.len > 0) { /* the receiver wants more although it has not consumed all */
        buf_append(&w->rest, h->in, (size_t)n);
        CHECK(!w->rest.overflow);
        size_t unread = w->window.len + (size_t)n;
        w->window = bytes_of(w->rest.ptr + w->rest.len - unread, unread);
    } else {
        w->window = bytes_of(h->in, (size_t)n);
    }
    h->busy = w;
    w->events->on_input(w->ctx);
    if (h->busy == w && w->rest.ptr == NULL)
        keep_rest(w);
    h->busy = NULL;
}

void rpc_wire_read(struct rpc_wire *w, bool on) {
    if (w->reading == on)
        return;
    w->reading = on;
    if (w->readable == NULL && on)
        bufferevent_enable(w->bev, EV_READ);
    else if (w->readable == NULL)
        bufferevent_disable(w->bev, EV_READ);
    else if (on)
        event_add(w->readable, NULL);
    else
        event_del(w->readable);
}

/* --- the bufferevent ----------------------------------------------------------------------- */
static void on_bev_input(struct bufferevent *bev, void *ctx) {
    struct rpc_wire *w = ctx;
    (void)bev;
    w->events->on_input(w->ctx);
}

static void on_bev_written(struct bufferevent *bev, void *ctx) {
    struct rpc_wire *w = ctx;
    if (w->readable != NULL)
        bufferevent_disable(bev, EV_WRITE);
    w->events->on_written(w->ctx);
}

static void on_bev_event(struct bufferevent *bev, short what, void *ctx) {
    struct rpc_wire *w = ctx;
    (void)bev;
    if (what == BEV_EVENT_CONNECTED)
        return; /* TLS is agreed on */
    if ((what & BEV_EVENT_EOF) != 0)
        rpc_wire_read(w, false);
    w->events->on_gone(w->ctx, (what & BEV_EVENT_EOF) != 0);
}

/* --- life ---------------------------------------------------------------------------------- */
bool rpc_wire_hub_init(struct rpc_wire_hub *h, struct event_base *base) {
    *h = (struct rpc_wire_hub){.base = base, .in = malloc(RPC_WIRE_READ_BYTES)};
    h->flush = event_new(base, -1, 0, on_flush, h);
    buf_init(&h->held, RPC_WIRE_HELD_BYTES);
    return h->in != NULL && h->flush != NULL;
}

void rpc_wire_hub_clear(struct rpc_wire_hub *h) {
    CHECK(h->first == NULL);
    if (h->flush != NULL)
        event_free(h->flush);
    free(h->in);
    buf_clear(&h->held);
    *h = (struct rpc_wire_hub){0};
}

bool rpc_wire_open(struct rpc_wire *w, struct rpc_wire_hub *h, struct bufferevent *bev,
                   const struct rpc_wire_events *events, void *ctx) {
    *w = (struct rpc_wire){.hub = h, .bev = bev, .events = events, .ctx = ctx};
    buf_init(&w->rest, SIZE_MAX / 2);
    if (rpc_tls_is_plain(bev)) {
        w->readable =
            event_new(h->base, bufferevent_getfd(bev), EV_READ | EV_PERSIST, on_readable, w);
        if (w->readable == NULL)
            return false;
        bufferevent_disable(bev, EV_WRITE);
    } else {
        bufferevent_setwatermark(bev, EV_READ, 0, TLS_INPUT_BYTES_MAX);
        bufferevent_enable(bev, EV_WRITE);
    }
    bufferevent_setcb(bev, on_bev_input, on_bev_written, on_bev_event, w);
    return true;
}

struct bufferevent *rpc_wire_release(struct rpc_wire *w) {
    struct bufferevent *bev = w->bev;
    send_held(w);
    forget_held(w);
    unlink_due(w);
    if (w->hub->busy == w)
        w->hub->busy = NULL;
    if (w->window.len > 0) {
        evbuffer_unfreeze(bufferevent_get_input(bev), 0);
        evbuffer_add(bufferevent_get_input(bev), w->window.ptr, w->window.len);
        evbuffer_freeze(bufferevent_get_input(bev), 0);
    }
    if (w->readable != NULL)
        event_free(w->readable);
    buf_clear(&w->rest);
    bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
    *w = (struct rpc_wire){0};
    return bev;
}

void rpc_wire_close(struct rpc_wire *w) {
    w->window = bytes_of(NULL, 0);
    bufferevent_free(rpc_wire_release(w));
}
