/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 requests out of a byte stream (RFC 9112), strictly: what two implementations could read
 * differently is an error. Refused: both Content-Length and Transfer-Encoding, repeated
 * Content-Length, Host, credentials or idempotency keys, transfer codings other than chunked or in
 * HTTP/1.0, folded headers, lines that do not end in CRLF, control bytes in headers and chunk
 * extensions, a chunk without its CRLF, framing in trailers (which are dropped), a missing Host in
 * HTTP/1.1. An Upgrade header does not end the reading of requests: what follows stays unread until
 * http_reader_next. A head that is byte for byte the connection's last one, but for the digits of
 * Content-Length, is not parsed again: it means what it meant. The third-party parser is seen
 * nowhere else. */
#ifndef RPC_HTTP_H
#define RPC_HTTP_H

#include "base/buf.h"
#include "base/types.h"

enum {
    HTTP_HEAD_BYTES_MAX = 16384, /* target, header names and values of one request */
    HTTP_TARGET_BYTES_MAX = 2048,
    HTTP_HEADERS_MAX = 100,
};

enum http_verb {
    HTTP_VERB_GET,
    HTTP_VERB_HEAD,
    HTTP_VERB_POST,
    HTTP_VERB_PUT,
    HTTP_VERB_DELETE,
    HTTP_VERB_OPTIONS,
    HTTP_VERB_OTHER
};

/* The headers that this server looks at. */
enum http_field {
    HTTP_FIELD_HOST,
    HTTP_FIELD_ORIGIN,
    HTTP_FIELD_CONTENT_TYPE,
    HTTP_FIELD_EXPECT,
    HTTP_FIELD_ACR_HEADERS, /* Access-Control-Request-Headers */
    HTTP_FIELD_ACR_PRIVATE, /* Access-Control-Request-Private-Network */
    HTTP_FIELD_ACCEPT_ENCODING,
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_CONNECTION,
    HTTP_FIELD_WS_KEY,     /* Sec-WebSocket-Key */
    HTTP_FIELD_WS_VERSION, /* Sec-WebSocket-Version */
    HTTP_FIELD_AUTHORIZATION,
    HTTP_FIELD_API_KEY,           /* X-Api-Key */
    HTTP_FIELD_IDEMPOTENCY_KEY,   /* Idempotency-Key */
    HTTP_FIELD_X_IDEMPOTENCY_KEY, /* X-Idempotency-Key, as some send it */
    HTTP_FIELD_REQUEST_ID,        /* X-Request-Id */
    HTTP_FIELD_LAST_EVENT_ID,
    HTTP_FIELD_ACCEPT,
    HTTP_FIELD_FORWARDED, /* RPC_FORWARDED_HEADER */
    HTTP_FIELD_COUNT
};

struct http_request {
    enum http_verb verb;
    bytes target;                   /* as sent, with its query */
    bytes fields[HTTP_FIELD_COUNT]; /* ptr NULL when absent */
    bool keep_alive;
    bool expects_continue;
};

enum http_progress {
    HTTP_NEEDS_MORE,  /* all input taken, no whole request yet */
    HTTP_HAS_HEAD,    /* a head is complete whose body is still to come: once per request */
    HTTP_HAS_REQUEST, /* a request is complete; call http_reader_next before feeding more */
    HTTP_BROKEN,      /* error_code says what to answer; the connection must be closed */
};

struct http_reader;
struct http_reader *http_reader_new(size_t body_max) MUST_USE;
void http_reader_free(struct http_reader *r);
/* Takes *consumed <= in.len bytes. */
enum http_progress http_reader_feed(struct http_reader *r, bytes in, size_t *consumed);
/* The request, after HTTP_HAS_HEAD or HTTP_HAS_REQUEST; valid until http_reader_next. */
const struct http_request *http_reader_request(const struct http_reader *r);
/* After HTTP_HAS_REQUEST: a number of the request's head, 0 when it has none. Requests with the
 * same number differ in their bodies alone. */
uint32_t http_reader_head(const struct http_reader *r);
/* The body, after HTTP_HAS_REQUEST; valid as long as the input of http_reader_feed and until the
 * next call of anything else here. */
bytes http_reader_body(const struct http_reader *r);
/* Moves the body (after HTTP_HAS_REQUEST) to `out`, which is a cleared or fresh buffer. The input
 * of http_reader_feed must be there still. */
void http_reader_take_body(struct http_reader *r, struct buf *out);
/* Bytes of the body that have come so far. */
size_t http_reader_body_bytes(const struct http_reader *r);
void http_reader_next(struct http_reader *r);
/* HTTP status code to answer after HTTP_BROKEN: 400, 413, 414, 431, 501 or 505; and why. */
int http_reader_error_code(const struct http_reader *r);
const char *http_reader_error_text(const struct http_reader *r);
/* Whether part of a request has been read: an idle connection is closed silently, a slow one is
 * told. */
bool http_reader_in_request(const struct http_reader *r);

/* Reason phrase of the codes this server sends. */
const char *http_reason(int code);

#endif
