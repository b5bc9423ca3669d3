/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP requests, one at a time, over libcurl: the only user of it. A client belongs to one thread,
 * blocks it and keeps its connection; there is no state outside of it but libcurl's own, which the
 * first client initialises. http and https alone; redirects are answers like others.
 *
 * What a client sends may hold secrets (a provider's key in a URL, an API key in a header): no text
 * of this unit repeats any of it. */
#ifndef BRIDGE_HTTP_CLIENT_H
#define BRIDGE_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdatomic.h>

enum {
    HTTP_CLIENT_URL_MAX_BYTES = 2048,
    HTTP_CLIENT_TEXT_MAX = 256, /* with its NUL */
};

struct http_client_config {
    uint32_t connect_timeout_ms, request_timeout_ms; /* of one request; not 0 */
    size_t reply_max_bytes;                          /* of a body, unpacked */
    const char *const *headers;                      /* "Name: value", NULL at the end; copied */
    const char *ca_file;     /* NULL: the system's authorities; else PEM, these alone; copied */
    bool direct;             /* not through a proxy that the environment names */
    const atomic_bool *stop; /* NULL: none; once true, requests end within a second */
};

/* Whether this is an http or https URL within the bound. */
bool http_client_url_ok(const char *url);

struct http_client;
/* Does not connect. ERR_NOMEM. */
enum err http_client_new(struct http_client **out, const struct http_client_config *c,
                         struct err_ctx *ec) MUST_USE;
void http_client_free(struct http_client *c);

enum http_client_outcome {
    HTTP_CLIENT_ANSWERED,  /* with any status; the body is whole */
    HTTP_CLIENT_FAILED,    /* no connection, a timeout, a connection that broke */
    HTTP_CLIENT_TOO_LARGE, /* the body is over the bound */
    HTTP_CLIENT_STOPPED,   /* told to stop */
};
struct http_reply {
    enum http_client_outcome outcome;
    bool maybe_sent; /* not ANSWERED, and the server may have the request: false before a connection
                        stands */
    uint64_t status; /* of HTTP */
    uint64_t retry_after_s;          /* 0 = not said */
    struct buf body;                 /* cleared by the caller, whatever the outcome */
    char text[HTTP_CLIENT_TEXT_MAX]; /* FAILED, TOO_LARGE: why, printable ASCII */
};
/* The limit of the requests from now on, instead of request_timeout_ms; not 0. */
void http_client_set_timeout(struct http_client *c, uint32_t ms);
/* One request: `verb` as HTTP spells it; a body with ptr NULL is none. */
void http_client_ask(struct http_client *c, struct http_reply *out, const char *verb,
                     const char *url, bytes body);

#endif
