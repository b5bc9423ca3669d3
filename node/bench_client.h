/* SPDX-License-Identifier: Apache-2.0 */
/* JSON-RPC over one connection, for benches: blocking, one request at a time, nothing in between
 * that would blur a figure. HTTP/1.1 with keep-alive; answers need a Content-Length. */
#ifndef NODE_BENCH_CLIENT_H
#define NODE_BENCH_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

enum {
    BENCH_CLIENT_ADDR_MAX = 64,
    BENCH_CLIENT_ANSWER_MAX = 256 << 20, /* bytes of an answer, its head included */
    BENCH_CLIENT_WAIT_S = 30,            /* for each piece of an answer */
};

struct bench_client {
    int fd;
    char addr[BENCH_CLIENT_ADDR_MAX]; /* "127.0.0.1:8545" */
    struct buf out;                   /* the request that is being sent */
    struct buf in;                    /* the answer to it */
};

/* Connects to "http://ADDR:PORT" or "ADDR:PORT", an IPv4 address. ERR_CONFIG with a sentence for
 * another form, ERR_IO. */
enum err bench_client_open(struct bench_client *c, const char *url, struct err_ctx *ec) MUST_USE;
/* Also after a failed open. */
void bench_client_close(struct bench_client *c);

/* Makes `c->out` a request with this body. Apart from sending, so that it need not be timed. */
void bench_client_prepare(struct bench_client *c, bytes body);
/* Sends what was prepared and reads the whole answer; a connection that the server closed while it
 * was idle is opened again first. *out_body lives until the next call. ERR_IO. */
enum err bench_client_exchange(struct bench_client *c, bytes *out_body,
                               struct err_ctx *ec) MUST_USE;
/* The answer at the start of `in`: *out_len bytes with its head, 0 while it is not whole; *out_body
 * lies in `in`. ERR_IO: it names no length. */
enum err bench_client_whole_answer(const struct bench_client *c, size_t *out_len, bytes *out_body,
                                   bytes in, struct err_ctx *ec) MUST_USE;
/* One call; `params` is a JSON array as text. *out is the result, the caller's to json_decref.
 * ERR_IO; ERR_INVALID with the server's message for an error. */
enum err bench_client_call(struct bench_client *c, json_t **out, const char *method,
                           const char *params, struct err_ctx *ec) MUST_USE;
/* The result of an answer's body, as above. */
enum err bench_client_result(json_t **out, bytes body, struct err_ctx *ec) MUST_USE;
/* A call whose result is a quantity. */
enum err bench_client_u64(struct bench_client *c, uint64_t *out, const char *method,
                          const char *params, struct err_ctx *ec) MUST_USE;

#endif
