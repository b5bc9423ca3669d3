/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_load.h"

#include "base/check.h"
#include "node/bench.h"
#include "node/bench_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BYTES = 1 << 18,
    SEND_BYTES = 1 << 17, /* of one send; a window of requests is sent at once */
    EVENTS = 64,
    OUT_MAX = 1 << 30,
    HEAD_MAX = 300,
    FRAME_HEAD_MAX = 14,
};

/* Requests of one connection lie one after the other in `out`; `ends` says where each ends. */
struct load_conn {
    struct bench_client client; /* its socket and address */
    struct buf out, in;
    size_t *ends, *numbers;
    size_t count, cap;
    size_t allowed, answered; /* requests that may be sent; those whose answer is here */
    size_t sent_bytes;
    size_t noted; /* requests whose time of sending is known */
    bool wants_write;
};

struct bench_load {
    struct bench_load_options o;
    uint8_t *shared; /* what is read: of many connections at once, none is to leave the caches */
    struct load_conn *conns;
    size_t requests, done, due;
    double *begun_ns, *us;
    double start_ns;
    size_t in_answers;
    int epoll;
};

/* --- making -------------------------------------------------------------------------------- */
static enum err ws_handshake(struct load_conn *c, struct err_ctx *ec) {
    char text[HEAD_MAX];
    size_t got = 0;
    int n = snprintf(text, sizeof text,
                     "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n\r\n",
                     c->client.addr);
    if (send(c->client.fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        FAIL(ec, ERR_IO, "sending to %s: %s", c->client.addr, strerror(errno));
    /* The server says nothing of its own, so that what follows the head is not read here. */
    while (got < sizeof text - 1 && (got < 4 || memcmp(text + got - 4, "\r\n\r\n", 4) != 0)) {
        if (recv(c->client.fd, text + got, 1, 0) != 1)
            FAIL(ec, ERR_IO, "%s ends a WebSocket handshake", c->client.addr);
        got++;
    }
    text[got] = '\0';
    if (strncmp(text, "HTTP/1.1 101", 12) != 0)
        FAIL(ec, ERR_IO, "%s takes no WebSockets: %.40s", c->client.addr, text);
    return ERR_OK;
}

static enum err conn_open(struct bench_load *l, struct load_conn *c, struct err_ctx *ec) {
    TRY(bench_client_open(&c->client, l->o.url, ec));
    if (l->o.websocket)
        TRY(ws_handshake(c, ec));
    int flags = fcntl(c->client.fd, F_GETFL);
    if (flags < 0 || fcntl(c->client.fd, F_SETFL, flags | O_NONBLOCK) != 0)
        FAIL(ec, ERR_IO, "a socket cannot be made non-blocking: %s", strerror(errno));
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->client.fd, &ev) != 0)
        FAIL(ec, ERR_IO, "epoll: %s", strerror(errno));
    return ERR_OK;
}

enum err bench_load_new(struct bench_load **out, const struct bench_load_options *o,
                        struct err_ctx *ec) {
    struct bench_load *l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    CHECK(o->connections >= 1 && o->connections <= BENCH_LOAD_CONNECTIONS_MAX);
    CHECK(o->depth >= 1);
    *out = l;
    l->o = *o;
    l->shared = malloc(READ_BYTES);
    CHECK(l->shared != NULL);
    l->conns = calloc(o->connections, sizeof *l->conns);
    CHECK(l->conns != NULL);
    for (size_t i = 0; i < o->connections; i++) {
        l->conns[i].client.fd = -1;
        buf_init(&l->conns[i].out, OUT_MAX);
        buf_init(&l->conns[i].in, OUT_MAX);
    }
    enum err e = ERR_OK;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0)
        e = err_set(ec, ERR_IO, __FILE__, __LINE__, "epoll: %s", strerror(errno));
    for (size_t i = 0; e == ERR_OK && i < o->connections; i++)
        e = conn_open(l, &l->conns[i], ec);
    if (e != ERR_OK) {
        bench_load_free(l);
        *out = NULL;
    }
    return e;
}

void bench_load_free(struct bench_load *l) {
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->o.connections; i++) {
        bench_client_close(&l->conns[i].client);
        buf_clear(&l->conns[i].out);
        buf_clear(&l->conns[i].in);
        free(l->conns[i].ends);
        free(l->conns[i].numbers);
    }
    if (l->epoll >= 0)
        close(l->epoll);
    free(l->shared);
    free(l->conns);
    free(l->begun_ns);
    free(l->us);
    free(l);
}

/* A text frame with the mask that changes nothing: masking costs a client time that is not the
 * server's. */
static void put_frame(struct buf *out, bytes body) {
    uint8_t head[FRAME_HEAD_MAX] = {0x81};
    size_t n = 2;
    if (body.len < 126) {
        head[1] = (uint8_t)(0x80 | body.len);
    } else if (body.len <= UINT16_MAX) {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(body.len >> 8);
        head[3] = (uint8_t)body.len;
        n = 4;
    } else {
        head[1] = 0x80 | 127;
        be64_store(head + 2, body.len);
        n = 10;
    }
    buf_append(out, head, n + 4);
    buf_append(out, body.ptr, body.len);
}

void bench_load_add(struct bench_load *l, size_t connection, bytes body) {
    struct load_conn *c = &l->conns[connection % l->o.connections];
    CHECK(l->requests < BENCH_LOAD_REQUESTS_MAX);
    if (c->count == c->cap) {
        c->cap = c->cap == 0 ? 256 : 2 * c->cap;
        c->ends = realloc(c->ends, c->cap * sizeof *c->ends);
        c->numbers = realloc(c->numbers, c->cap * sizeof *c->numbers);
        CHECK(c->ends != NULL);
        CHECK(c->numbers != NULL);
    }
    if (l->o.websocket) {
        put_frame(&c->out, body);
    } else {
        bench_client_prepare(&c->client, body);
        buf_append(&c->out, c->client.out.ptr, c->client.out.len);
    }
    c->numbers[c->count] = l->requests++;
    c->ends[c->count++] = c->out.len;
}

/* --- answers ------------------------------------------------------------------------------- */
/* Bytes of the whole frame, 0 while it is not here; *out is its payload. */
static size_t ws_frame(bytes *out, const uint8_t *p, size_t n) {
    if (n < 2)
        return 0;
    size_t head = 2, len = p[1] & 0x7f;
    if (len == 126) {
        head = 4;
        len = n >= head ? (size_t)(p[2] << 8 | p[3]) : SIZE_MAX;
    } else if (len == 127) {
        head = 10;
        len = n >= head ? (size_t)be64_load(p + 2) : SIZE_MAX;
    }
    if (n < head || n - head < len)
        return 0;
    *out = bytes_of(p + head, len);
    return head + len;
}

/* An answer by itself that begins with its result has no error (JSON-RPC 2.0, 5): looking for one
 * through long results would make the client the slower side. */
static bool has_error(bytes body) {
    static const char usual[] = "{\"jsonrpc\":\"2.0\",\"id\":", result[] = ",\"result\":";
    size_t at = sizeof usual - 1;
    if (body.len > at && memcmp(body.ptr, usual, at) == 0) {
        while (at < body.len && body.ptr[at] >= '0' && body.ptr[at] <= '9')
            at++;
        if (body.len - at >= sizeof result - 1 &&
            memcmp(body.ptr + at, result, sizeof result - 1) == 0)
            return false;
    }
    return memmem(body.ptr, body.len, "\"error\"", 7) != NULL;
}

static enum err look_at(struct bench_load *l, struct load_conn *c, bytes body, double now,
                        struct err_ctx *ec) {
    if (body.len == 0 || has_error(body))
        FAIL(ec, ERR_INVALID, "%s answers %.*s", c->client.addr,
             (int)(body.len < 300 ? body.len : 300), (const char *)body.ptr);
    if (c->answered == c->noted)
        FAIL(ec, ERR_INVALID, "%s answers what was not asked", c->client.addr);
    size_t number = c->numbers[c->answered++];
    l->us[number] = (now - l->begun_ns[number]) / 1e3;
    l->in_answers += body.len;
    l->done++;
    return ERR_OK;
}

/* *taken: bytes of whole answers at p. */
static enum err take_answers(size_t *taken, struct bench_load *l, struct load_conn *c, bytes in,
                             struct err_ctx *ec) {
    double now = bench_now_ns();
    size_t at = 0;
    for (;;) {
        const uint8_t *p = in.ptr + at;
        size_t have = in.len - at, whole = 0;
        bytes body = {0};
        if (l->o.websocket)
            whole = ws_frame(&body, p, have);
        else
            TRY(bench_client_whole_answer(&c->client, &whole, &body, bytes_of(p, have), ec));
        if (whole == 0)
            break;
        bool control = l->o.websocket && (p[0] & 0x0f) >= 8;
        bool more = l->o.websocket && (p[0] & 0x80) == 0;
        if (control && (p[0] & 0x0f) == 8)
            FAIL(ec, ERR_IO, "%s closes a WebSocket", c->client.addr);
        if (!control && !more)
            TRY(look_at(l, c, body, now, ec));
        at += whole;
    }
    *taken = at;
    return ERR_OK;
}

/* Looks at answers where they were read, unless part of one is here already. */
static enum err take_read(struct bench_load *l, struct load_conn *c, size_t n, struct err_ctx *ec) {
    size_t taken = 0;
    if (c->in.len == 0) {
        TRY(take_answers(&taken, l, c, bytes_of(l->shared, n), ec));
        buf_append(&c->in, l->shared + taken, n - taken);
    } else {
        buf_append(&c->in, l->shared, n);
        TRY(take_answers(&taken, l, c, buf_bytes(&c->in), ec));
        memmove(c->in.ptr, c->in.ptr + taken, c->in.len - taken);
        c->in.len -= taken;
    }
    if (c->in.overflow)
        FAIL(ec, ERR_TOO_LARGE, "%s answers too much", c->client.addr);
    return ERR_OK;
}

static enum err read_some(struct bench_load *l, struct load_conn *c, struct err_ctx *ec) {
    for (;;) {
        ssize_t n = recv(c->client.fd, l->shared, READ_BYTES, 0);
        int why = errno;
        if (n < 0 && (why == EAGAIN || why == EINTR))
            return ERR_OK;
        if (n <= 0)
            FAIL(ec, ERR_IO, "no answer from %s: %s", c->client.addr,
                 n == 0 ? "connection closed" : strerror(why));
        TRY(take_read(l, c, (size_t)n, ec));
        if ((size_t)n < READ_BYTES)
            return ERR_OK;
    }
}

/* --- sending ------------------------------------------------------------------------------- */
static enum err watch_writes(struct bench_load *l, struct load_conn *c, bool wants,
                             struct err_ctx *ec) {
    if (c->wants_write == wants)
        return ERR_OK;
    struct epoll_event ev = {.events = EPOLLIN | (wants ? EPOLLOUT : 0u), .data.ptr = c};
    c->wants_write = wants;
    if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->client.fd, &ev) != 0)
        FAIL(ec, ERR_IO, "epoll: %s", strerror(errno));
    return ERR_OK;
}

/* Sends what the window allows. */
static enum err send_some(struct bench_load *l, struct load_conn *c, struct err_ctx *ec) {
    size_t upto = c->answered + l->o.depth;
    if (l->o.rate == 0)
        c->allowed = upto < c->count ? upto : c->count;
    size_t limit = upto < c->allowed ? upto : c->allowed;
    double now = l->o.rate == 0 ? bench_now_ns() : 0;
    for (; c->noted < limit; c->noted++)
        if (l->o.rate == 0)
            l->begun_ns[c->numbers[c->noted]] = now;
    size_t end = limit > 0 ? c->ends[limit - 1] : 0;
    while (c->sent_bytes < end) {
        size_t want = end - c->sent_bytes < SEND_BYTES ? end - c->sent_bytes : SEND_BYTES;
        ssize_t n = send(c->client.fd, c->out.ptr + c->sent_bytes, want, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return watch_writes(l, c, true, ec);
        if (n <= 0)
            FAIL(ec, ERR_IO, "sending to %s: %s", c->client.addr, strerror(errno));
        c->sent_bytes += (size_t)n;
    }
    return watch_writes(l, c, false, ec);
}

/* Open loop: what is due by now may go. Requests were added to the connections in turns, in the
 * order of their numbers. */
static enum err let_due_go(struct bench_load *l, struct err_ctx *ec) {
    double now = bench_now_ns();
    while (l->due < l->requests && l->begun_ns[l->due] <= now) {
        struct load_conn *c = &l->conns[l->due % l->o.connections];
        CHECK(c->numbers[c->allowed] == l->due);
        c->allowed++;
        l->due++;
        TRY(send_some(l, c, ec));
    }
    return ERR_OK;
}

static enum err turn(struct bench_load *l, double *last_answer, struct err_ctx *ec) {
    struct epoll_event events[EVENTS];
    int wait = l->o.rate == 0 ? 1000 : l->o.sleepy ? 1 : 0; /* milliseconds are coarse */
    int n = epoll_wait(l->epoll, events, EVENTS, wait);
    size_t before = l->done;
    if (n < 0 && errno != EINTR)
        FAIL(ec, ERR_IO, "epoll: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct load_conn *c = events[i].data.ptr;
        if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
            TRY(read_some(l, c, ec));
        TRY(send_some(l, c, ec));
    }
    if (l->o.rate > 0)
        TRY(let_due_go(l, ec));
    double now = bench_now_ns();
    if (l->done > before)
        *last_answer = now;
    if (now - *last_answer > BENCH_LOAD_STALL_MS * 1e6)
        FAIL(ec, ERR_IO, "%s stalls: %zu of %zu requests are answered", l->conns[0].client.addr,
             l->done, l->requests);
    return ERR_OK;
}

enum err bench_load_run(struct bench_load *l, struct bench_load_result *out, struct err_ctx *ec) {
    l->begun_ns = calloc(l->requests + 1, sizeof(double));
    l->us = calloc(l->requests + 1, sizeof(double));
    CHECK(l->begun_ns != NULL);
    CHECK(l->us != NULL);
    for (size_t i = 0; i < l->o.connections; i++)
        if (l->conns[i].out.overflow)
            FAIL(ec, ERR_TOO_LARGE, "more than %d bytes of requests on a connection", OUT_MAX);
    l->start_ns = bench_now_ns();
    for (size_t i = 0; l->o.rate > 0 && i < l->requests; i++)
        l->begun_ns[i] = l->start_ns + 1e9 / l->o.rate * (double)i;
    for (size_t i = 0; l->o.rate == 0 && i < l->o.connections; i++)
        TRY(send_some(l, &l->conns[i], ec));
    double last_answer = bench_now_ns();
    while (l->done < l->requests)
        TRY(turn(l, &last_answer, ec));
    *out = (struct bench_load_result){.requests = l->requests,
                                      .seconds = (bench_now_ns() - l->start_ns) / 1e9,
                                      .us = l->us,
                                      .in_answers = l->in_answers};
    return ERR_OK;
}
