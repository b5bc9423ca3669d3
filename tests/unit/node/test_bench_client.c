/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_client.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server for one connection that answers each request with the next of `answers`, cut in two. */
struct server {
    int fd;
    char url[64];
    const char *const *answers;
    pthread_t thread;
};

static void *serve(void *arg) {
    struct server *s = arg;
    char request[4096];
    int fd = accept(s->fd, NULL, NULL);
    for (const char *const *a = s->answers; *a != NULL && recv(fd, request, sizeof request, 0) > 0;
         a++) {
        size_t half = strlen(*a) / 2;
        (void)!send(fd, *a, half, MSG_NOSIGNAL);
        usleep(2000); /* so that it comes as two pieces */
        (void)!send(fd, *a + half, strlen(*a) - half, MSG_NOSIGNAL);
    }
    close(fd);
    return NULL;
}

static void start(struct server *s, const char *const *answers) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    s->answers = answers;
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(s->fd, (struct sockaddr *)&at, sizeof at) == 0);
    cr_assert(listen(s->fd, 1) == 0);
    cr_assert(getsockname(s->fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
    cr_assert(pthread_create(&s->thread, NULL, serve, s) == 0);
}

static void stop(struct server *s) {
    pthread_join(s->thread, NULL);
    close(s->fd);
}

Test(bench_client, calls) {
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\ncontent-length: 41\r\nX: y\r\n\r\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0xa1\" }",
        "HTTP/1.1 200 OK\r\nContent-Length: 55\r\n\r\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"message\":\"it is so\"}}",
        "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n"
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"zzzz\" }",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", NULL};
    struct server s;
    struct bench_client c;
    struct err_ctx ec = {0};
    uint64_t v = 0;
    start(&s, answers);
    cr_assert(bench_client_open(&c, s.url, &ec) == ERR_OK, "%s", ec.text);
    cr_assert(bench_client_u64(&c, &v, "eth_x", "[]", &ec) == ERR_OK, "%s", ec.text);
    cr_assert(v == 0xa1);
    cr_assert(bench_client_u64(&c, &v, "eth_x", "[]", &ec) == ERR_INVALID);
    cr_assert(strstr(ec.text, "it is so") != NULL);
    cr_assert(bench_client_u64(&c, &v, "eth_x", "[]", &ec) == ERR_INVALID);
    cr_assert(bench_client_u64(&c, &v, "eth_x", "[]", &ec) == ERR_IO);
    cr_assert(strstr(ec.text, "without a length") != NULL);
    cr_assert(v == 0xa1);
    bench_client_close(&c);
    stop(&s);
}

/* What a server closed while it was idle is opened again, without losing a call. */
Test(bench_client, connection_closed_while_idle) {
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n"
                                          "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"0xa1\" }",
                                          NULL};
    struct server s;
    struct bench_client c;
    struct err_ctx ec = {0};
    uint64_t v = 0;
    start(&s, answers);
    cr_assert(bench_client_open(&c, s.url, &ec) == ERR_OK, "%s", ec.text);
    cr_assert(bench_client_u64(&c, &v, "eth_x", "[]", &ec) == ERR_OK, "%s", ec.text);
    pthread_join(s.thread, NULL);
    cr_assert(pthread_create(&s.thread, NULL, serve, &s) == 0);
    v = 0;
    cr_assert(bench_client_u64(&c, &v, "eth_x", "[]", &ec) == ERR_OK, "%s", ec.text);
    cr_assert(v == 0xa1);
    bench_client_close(&c);
    stop(&s);
}

Test(bench_client, refuses_other_addresses) {
    static const char *const bad[] = {
        "",        "http://",         "127.0.0.1",    "127.0.0.1:0",
        "a:8545",  "127.0.0.1:70000", "127.0.0.1:1x", "https://127.0.0.1:1",
        "[::1]:1", "127.0.0.1:1/path"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bench_client c;
        struct err_ctx ec = {0};
        cr_assert(bench_client_open(&c, bad[i], &ec) == ERR_CONFIG, "%s", bad[i]);
        bench_client_close(&c);
    }
}

Test(bench_client, connection_that_ends) {
    static const char *const answers[] = {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", NULL};
    struct server s;
    struct bench_client c;
    struct err_ctx ec = {0};
    json_t *v = NULL;
    start(&s, answers);
    cr_assert(bench_client_open(&c, s.url, &ec) == ERR_OK);
    cr_assert(bench_client_call(&c, &v, "eth_x", "[]", &ec) == ERR_IO);
    cr_assert(v == NULL);
    bench_client_close(&c);
    stop(&s);
}
