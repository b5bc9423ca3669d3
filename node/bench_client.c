/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_client.h"

#include "base/hex.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { READ_BYTES = 16384 };

static enum err parse_url(struct sockaddr_in *out, char addr[BENCH_CLIENT_ADDR_MAX],
                          const char *url, struct err_ctx *ec) {
    static const char scheme[] = "http://";
    char host[BENCH_CLIENT_ADDR_MAX];
    const char *rest = strncmp(url, scheme, sizeof scheme - 1) == 0 ? url + sizeof scheme - 1 : url;
    size_t len = strcspn(rest, "/");
    if (len >= BENCH_CLIENT_ADDR_MAX || (rest[len] != '\0' && rest[len + 1] != '\0'))
        FAIL(ec, ERR_CONFIG, "%.100s: want http://ADDRESS:PORT", url);
    memcpy(addr, rest, len);
    addr[len] = '\0';
    memcpy(host, addr, len + 1);
    char *colon = strrchr(host, ':'), *end = NULL;
    unsigned long port = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
    *out = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (colon != NULL)
        *colon = '\0';
    if (port == 0 || port > UINT16_MAX || *end != '\0' ||
        inet_pton(AF_INET, host, &out->sin_addr) != 1)
        FAIL(ec, ERR_CONFIG, "%.100s: want http://ADDRESS:PORT with an IPv4 address", url);
    return ERR_OK;
}

static enum err connect_to(struct bench_client *c, const char *url, struct err_ctx *ec) {
    struct sockaddr_in at;
    int on = 1;
    struct timeval wait = {.tv_sec = BENCH_CLIENT_WAIT_S};
    TRY(parse_url(&at, c->addr, url, ec));
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) != 0 ||
        connect(c->fd, (struct sockaddr *)&at, sizeof at) != 0)
        FAIL(ec, ERR_IO, "no connection to %s: %s", c->addr, strerror(errno));
    return ERR_OK;
}

enum err bench_client_open(struct bench_client *c, const char *url, struct err_ctx *ec) {
    *c = (struct bench_client){.fd = -1};
    buf_init(&c->out, BENCH_CLIENT_ANSWER_MAX);
    buf_init(&c->in, BENCH_CLIENT_ANSWER_MAX);
    return connect_to(c, url, ec);
}

/* Servers close connections that are idle for long; nothing was sent since, so that connecting anew
 * repeats nothing. */
static enum err reconnect_if_closed(struct bench_client *c, struct err_ctx *ec) {
    char url[BENCH_CLIENT_ADDR_MAX], byte;
    if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0)
        return ERR_OK;
    close(c->fd);
    c->fd = -1;
    memcpy(url, c->addr, sizeof url);
    return connect_to(c, url, ec);
}

void bench_client_close(struct bench_client *c) {
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    buf_clear(&c->out);
    buf_clear(&c->in);
}

void bench_client_prepare(struct bench_client *c, bytes body) {
    buf_reset(&c->out);
    buf_printf(&c->out,
               "POST / HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n",
               c->addr, body.len);
    buf_append(&c->out, body.ptr, body.len);
}

/* Bytes of the head and of the body once the head is whole; false before. -1: no usable length. */
static bool head_of(bytes in, size_t *out_head, ssize_t *out_body) {
    static const char name[] = "content-length:";
    const char *text = (const char *)in.ptr;
    const char *end = in.len == 0 ? NULL : memmem(text, in.len, "\r\n\r\n", 4);
    if (end == NULL)
        return false;
    *out_head = (size_t)(end - text) + 4;
    *out_body = -1;
    for (const char *line = text; line < end;) {
        const char *stop = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
        if (strncasecmp(line, name, sizeof name - 1) == 0)
            *out_body = (ssize_t)strtoul(line + sizeof name - 1, NULL, 10);
        line = stop + 2;
    }
    return true;
}

enum err bench_client_whole_answer(const struct bench_client *c, size_t *out_len, bytes *out_body,
                                   bytes in, struct err_ctx *ec) {
    size_t head = 0;
    ssize_t body = 0;
    *out_len = 0;
    if (!head_of(in, &head, &body))
        return ERR_OK;
    if (body < 0)
        FAIL(ec, ERR_IO, "%s answers without a length", c->addr);
    if (in.len >= head + (size_t)body) {
        *out_len = head + (size_t)body;
        *out_body = bytes_of(in.ptr + head, (size_t)body);
    }
    return ERR_OK;
}

enum err bench_client_exchange(struct bench_client *c, bytes *out_body, struct err_ctx *ec) {
    if (c->out.overflow)
        FAIL(ec, ERR_TOO_LARGE, "a request of more than %d bytes", BENCH_CLIENT_ANSWER_MAX);
    TRY(reconnect_if_closed(c, ec));
    for (size_t sent = 0; sent < c->out.len;) {
        ssize_t n = send(c->fd, c->out.ptr + sent, c->out.len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            FAIL(ec, ERR_IO, "sending to %s: %s", c->addr, strerror(errno));
        sent += (size_t)n;
    }
    buf_reset(&c->in);
    for (;;) {
        size_t before = c->in.len, whole = 0;
        TRY(bench_client_whole_answer(c, &whole, out_body, buf_bytes(&c->in), ec));
        if (whole != 0)
            return ERR_OK;
        uint8_t *at = buf_extend(&c->in, READ_BYTES);
        if (at == NULL)
            FAIL(ec, ERR_TOO_LARGE, "%s answers with more than %d bytes", c->addr,
                 BENCH_CLIENT_ANSWER_MAX);
        ssize_t n = recv(c->fd, at, READ_BYTES, 0);
        c->in.len = before + (size_t)(n > 0 ? n : 0);
        if (n <= 0)
            FAIL(ec, ERR_IO, "no answer from %s: %s", c->addr,
                 n == 0 ? "connection closed" : strerror(errno));
    }
}

enum err bench_client_result(json_t **out, bytes body, struct err_ctx *ec) {
    json_t *root = json_loadb((const char *)body.ptr, body.len, 0, NULL);
    json_t *result = json_object_get(root, "result");
    if (result == NULL) {
        const char *text =
            json_string_value(json_object_get(json_object_get(root, "error"), "message"));
        enum err e = err_set(ec, ERR_INVALID, __FILE__, __LINE__, "the answer is no result: %.300s",
                             text != NULL ? text : "not JSON-RPC");
        json_decref(root);
        return e;
    }
    *out = json_incref(result);
    json_decref(root);
    return ERR_OK;
}

enum err bench_client_call(struct bench_client *c, json_t **out, const char *method,
                           const char *params, struct err_ctx *ec) {
    struct buf body;
    bytes answer;
    buf_init(&body, BENCH_CLIENT_ANSWER_MAX);
    buf_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
               params);
    bench_client_prepare(c, buf_bytes(&body));
    buf_clear(&body);
    TRY(bench_client_exchange(c, &answer, ec));
    return bench_client_result(out, answer, ec);
}

enum err bench_client_u64(struct bench_client *c, uint64_t *out, const char *method,
                          const char *params, struct err_ctx *ec) {
    json_t *v = NULL;
    TRY(bench_client_call(c, &v, method, params, ec));
    const char *text = json_string_value(v);
    enum err e = text != NULL ? hex_parse_u64(out, text, strlen(text), false) : ERR_INVALID;
    json_decref(v);
    if (e != ERR_OK)
        FAIL(ec, ERR_INVALID, "%s of %s is no quantity", method, c->addr);
    return ERR_OK;
}
