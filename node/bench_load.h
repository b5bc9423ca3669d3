/* SPDX-License-Identifier: Apache-2.0 */
/* Load on a JSON-RPC server from this thread: requests that were made before the clock starts, over
 * many connections, each with several in flight, by HTTP/1.1 or WebSocket. What a request costs
 * while the clock runs is a copy to the socket and a look at the answer.
 *
 * Closed loop: a connection sends its next request when one of its `depth` is answered. Open loop
 * (`rate`): requests are due at fixed times, whatever the server does, and times count from when a
 * request was due, so that a stall is seen by everything that waits behind it. It looks at the
 * clock all the time, or, `sleepy`, each millisecond: what fell due meanwhile goes out at once. */
#ifndef NODE_BENCH_LOAD_H
#define NODE_BENCH_LOAD_H

#include "base/buf.h"
#include "base/err.h"

enum {
    BENCH_LOAD_CONNECTIONS_MAX = 1024,
    BENCH_LOAD_REQUESTS_MAX = 4 << 20,
    BENCH_LOAD_STALL_MS = 60000, /* without any answer: the run is given up */
};

struct bench_load_options {
    const char *url; /* "http://ADDR:PORT" or "ADDR:PORT" */
    bool websocket;
    size_t connections; /* 1 to BENCH_LOAD_CONNECTIONS_MAX */
    size_t depth;       /* requests in flight on each, at least 1 */
    double rate;        /* requests per second over all connections; 0: closed loop */
    bool sleepy;        /* leaves the core to others between them: for a load that nobody times */
};
struct bench_load;

/* Opens the connections, with the WebSocket handshake where asked. ERR_CONFIG, ERR_IO. */
enum err bench_load_new(struct bench_load **out, const struct bench_load_options *o,
                        struct err_ctx *ec) MUST_USE;
void bench_load_free(struct bench_load *l);

/* One request more on connection `connection % connections`, in the order in which they are added;
 * `body` is copied. Answers must come in that order, as HTTP demands; on WebSockets only their
 * number counts. */
void bench_load_add(struct bench_load *l, size_t connection, bytes body);

struct bench_load_result {
    size_t requests;
    double seconds;    /* from the first byte sent to the last answer read */
    double *us;        /* per request, until its whole answer was read; lives as long as the load */
    size_t in_answers; /* bytes of the answers' bodies */
};
/* Sends all that was added. ERR_IO; ERR_INVALID with the first answer that holds an error. Once. */
enum err bench_load_run(struct bench_load *l, struct bench_load_result *out,
                        struct err_ctx *ec) MUST_USE;

#endif
