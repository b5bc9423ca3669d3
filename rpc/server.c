/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server_internal.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "rpc/api_wait.h"
#include "rpc/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { TICK_MS = 250 };

static void on_tick(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_server *s = ctx;
    (void)fd;
    (void)what;
    uint64_t now = rpc_now_ms();
    rpc_ws_tick(s->ws, now);
    if (s->waiters != NULL)
        api_waiters_tick(s->waiters, now);
    for (size_t i = 0; i < s->conn_max; i++)
        if (s->conns[i] != NULL)
            server_check_conn(s->conns[i], now);
}

static void refuse_conn(evutil_socket_t fd) {
    static const char reply[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\n"
        "Connection: close\r\n\r\n";
    ssize_t n = send(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)n; /* best effort */
    evutil_closesocket(fd);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *addr, int len,
                      void *ctx) {
    struct rpc_server *s = ctx;
    (void)l;
    (void)addr;
    (void)len;
    if (s->conn_count + rpc_ws_count(s->ws) >= s->conn_max) {
        metric_add(&rpc_connections_refused, 1);
        refuse_conn(fd);
        return;
    }
    server_conn_open(s, fd);
}

/* --- life ---------------------------------------------------------------------------------- */
/* "127.0.0.1:8545", "[::1]:8545" or "localhost:8545". */
static bool parse_address(const char *text, struct sockaddr_storage *out, socklen_t *out_len) {
    char host[INET6_ADDRSTRLEN + 1];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t len = (size_t)(colon - text);
    bool brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    if (*end != '\0' || port > UINT16_MAX || len == 0 || len >= sizeof(host))
        return false;
    memcpy(host, text, len);
    host[len] = '\0';
    memset(out, 0, sizeof(*out));
    struct sockaddr_in *in4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (!brackets && inet_pton(AF_INET, name, &in4->sin_addr) == 1) {
        in4->sin_family = AF_INET;
        in4->sin_port = htons((uint16_t)port);
        *out_len = sizeof(*in4);
        return true;
    }
    if (brackets && inet_pton(AF_INET6, name, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port);
        *out_len = sizeof(*in6);
        return true;
    }
    return false;
}

static void print_address(char *out, size_t cap, const struct sockaddr_storage *addr) {
    char host[INET6_ADDRSTRLEN] = "";
    if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)addr;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
        snprintf(out, cap, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        const struct sockaddr_in *in4 = (const struct sockaddr_in *)addr;
        inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
        snprintf(out, cap, "%s:%u", host, ntohs(in4->sin_port));
    }
}

static enum err bind_address(struct rpc_server *s, const char *text, struct err_ctx *ec) {
    struct sockaddr_storage addr;
    socklen_t len = 0;
    if (!parse_address(text, &addr, &len))
        FAIL(ec, ERR_CONFIG, "'%s' is not an address: want ADDRESS:PORT such as 127.0.0.1:8545",
             text);
    s->listener =
        evconnlistener_new_bind(s->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE,
                                1024, (struct sockaddr *)&addr, (int)len);
    if (s->listener == NULL)
        FAIL(ec, ERR_IO, "cannot listen on %s: %s", text, strerror(errno));
    len = sizeof(addr);
    if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&addr, &len) != 0)
        FAIL(ec, ERR_IO, "cannot read the bound address of %s: %s", text, strerror(errno));
    print_address(s->address, sizeof(s->address), &addr);
    return ERR_OK;
}

static enum err start_engine(struct rpc_server *s, const struct rpc_options *o,
                             struct err_ctx *ec) {
    if (o->commands->kv_write != NULL && o->commands->api_pepper != NULL) {
        s->keys = api_keys_new(o->commands);
        s->waiters = s->live.waiters = api_waiters_new(o->store);
        s->quota = api_quota_new(o->policy.universe_rate);
        if (s->keys == NULL || s->quota == NULL || s->waiters == NULL)
            FAIL(ec, ERR_NOMEM, "the API's keys cannot be loaded, or memory is short");
    }
    s->cx = (struct rpc_context){
        .store = o->store,
        .source = o->source,
        .chain = o->chain,
        .node = o->commands,
        .client_version = o->client_version,
        .reader_count = o->readers + 2, /* the event loop's and the feed's */
        .call_gas_cap = o->policy.call_gas_cap,
        .call_time_ms = o->policy.call_time_ms,
        .reply_bytes_max = o->policy.reply_bytes_max,
        .dev = o->commands->dev_account_count > 0,
        .dev_nonces = &s->dev_nonces,
        .live = &s->live,
        .keys = s->keys,
        .quota = s->quota,
        .waiters = s->waiters,
    };
    CHECK(o->commands->dev_account_count <= RPC_DEV_ACCOUNTS_MAX);
    TRY(rpc_live_init(&s->live, &s->cx, o->base, ec));
    struct rpc_engine_options eo = {
        .base = o->base,
        .context = &s->cx,
        .readers = o->readers,
        .read_queue_max = 1024,
        .jobs_max = 4096,
    };
    s->engine = rpc_engine_new(&eo, server_on_reply, s, ec);
    if (s->engine == NULL)
        return ERR_NOMEM;
    struct rpc_ws_options wo = {.engine = s->engine,
                                .subs = s->live.subs,
                                .connections_max = o->connections_max,
                                .message_max = LIMIT_RPC_BODY_BYTES};
    s->ws = rpc_ws_new(&wo);
    if (s->ws == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory for %zu connections", o->connections_max);
    s->live.ws = s->ws;
    return ERR_OK;
}

static enum err start_server(struct rpc_server *s, const struct rpc_options *o,
                             struct err_ctx *ec) {
    s->conn_max = o->connections_max;
    s->conns = calloc(s->conn_max, sizeof(struct conn *));
    s->generations = calloc(s->conn_max, sizeof(uint32_t));
    s->free_idx = calloc(s->conn_max, sizeof(uint32_t));
    if (!rpc_wire_hub_init(&s->wires, s->base))
        FAIL(ec, ERR_NOMEM, "out of memory");
    s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
    struct timeval every = {.tv_usec = TICK_MS * 1000};
    if (s->conns == NULL || s->generations == NULL || s->free_idx == NULL || s->tick == NULL ||
        event_add(s->tick, &every) != 0)
        FAIL(ec, ERR_NOMEM, "out of memory for %zu connections", s->conn_max);
    for (size_t i = 0; i < s->conn_max; i++)
        s->free_idx[s->free_count++] = (uint32_t)(s->conn_max - 1 - i);
    if (o->tls_cert[0] != '\0') {
        s->tls_cert = strdup(o->tls_cert);
        s->tls_key = strdup(o->tls_key);
        if (s->tls_cert == NULL || s->tls_key == NULL)
            FAIL(ec, ERR_NOMEM, "out of memory");
        TRY(rpc_tls_new(&s->tls, s->tls_cert, s->tls_key, ec));
    }
    s->gzip = rpc_gzip_new(s->base, server_on_body, s, ec);
    if (s->gzip == NULL)
        return ERR_NOMEM;
    TRY(rpc_access_init(&s->access, o->policy.vhosts, o->policy.cors_origins, ec));
    TRY(start_engine(s, o, ec));
    TRY(bind_address(s, o->listen, ec));
    rpc_live_start(&s->live, o->commands);
    return ERR_OK;
}

enum err rpc_server_open(struct rpc_server **out, const struct rpc_options *o, struct err_ctx *ec) {
    CHECK(o->connections_max > 0 && o->connections_max < (1u << RPC_TAG_INDEX_BITS));
    struct rpc_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    s->base = o->base;
    s->policy = 1;
    buf_init(&s->round, SIZE_MAX / 2);
    pthread_mutex_init(&s->dev_nonces.lock, NULL);
    enum err e = start_server(s, o, ec);
    if (e != ERR_OK) {
        rpc_server_close(s);
        return e;
    }
    log_info("rpc", "listening", log_str("address", s->address));
    *out = s;
    return ERR_OK;
}

enum err rpc_server_set_policy(struct rpc_server *s, const struct rpc_policy *p,
                               struct err_ctx *ec) {
    struct rpc_tls *tls = NULL;
    struct rpc_access access = {0};
    if (s->tls != NULL)
        TRY(rpc_tls_new(&tls, s->tls_cert, s->tls_key, ec));
    enum err e = rpc_access_init(&access, p->vhosts, p->cors_origins, ec);
    if (e != ERR_OK) {
        rpc_access_clear(&access);
        rpc_tls_free(tls);
        return e;
    }
    rpc_tls_free(s->tls);
    s->tls = tls;
    rpc_access_clear(&s->access);
    s->access = access;
    s->policy++;
    s->cx.call_gas_cap = p->call_gas_cap;
    s->cx.call_time_ms = p->call_time_ms;
    s->cx.reply_bytes_max = p->reply_bytes_max;
    if (s->quota != NULL)
        api_quota_set_rate(s->quota, p->universe_rate);
    return ERR_OK;
}

const char *rpc_server_address(const struct rpc_server *s) {
    return s->address;
}

void rpc_server_drain(struct rpc_server *s) {
    s->draining = true;
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    s->listener = NULL;
    for (size_t i = 0; i < s->conn_max; i++) {
        struct conn *c = s->conns[i];
        if (c == NULL)
            continue;
        if (c->used == 0 && evbuffer_get_length(rpc_wire_output(&c->wire)) == 0) {
            server_conn_free(c);
            continue;
        }
        c->closing = true; /* after the replies in work */
        rpc_wire_read(&c->wire, false);
    }
    rpc_ws_drain(s->ws);
    if (s->waiters != NULL)
        api_waiters_close(s->waiters);
}

bool rpc_server_busy(const struct rpc_server *s) {
    if (rpc_engine_pending(s->engine) > 0 || rpc_gzip_pending(s->gzip) > 0 || rpc_ws_busy(s->ws))
        return true;
    for (size_t i = 0; i < s->conn_max; i++)
        if (s->conns[i] != NULL && (s->conns[i]->used > 0 || s->conns[i]->unsent > 0))
            return true;
    return false;
}

void rpc_server_close(struct rpc_server *s) {
    if (s == NULL)
        return;
    if (s->listener != NULL)
        evconnlistener_free(s->listener);
    rpc_engine_free(s->engine);
    rpc_ws_free(s->ws);
    rpc_gzip_free(s->gzip);
    for (size_t i = 0; s->conns != NULL && i < s->conn_max; i++)
        if (s->conns[i] != NULL)
            server_conn_free(s->conns[i]);
    rpc_wire_hub_clear(&s->wires);
    buf_clear(&s->round);
    if (s->tick != NULL)
        event_free(s->tick);
    rpc_live_clear(&s->live);
    rpc_tls_free(s->tls);
    free(s->tls_cert);
    free(s->tls_key);
    rpc_access_clear(&s->access);
    api_keys_free(s->keys);
    api_quota_free(s->quota);
    api_waiters_free(s->waiters);
    pthread_mutex_destroy(&s->dev_nonces.lock);
    free(s->conns);
    free(s->generations);
    free(s->free_idx);
    free(s);
}
