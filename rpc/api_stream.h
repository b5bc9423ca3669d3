/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events (WHATWG HTML §9.2) out of pages of events: what rpc/server.c needs to answer
 * GET /v1/u/<slug>/events with a stream. A stream is one long poll after the other on its
 * connection; the next is asked for when the client has taken what the last gave, so a slow client
 * holds nothing but its own place. */
#ifndef RPC_API_STREAM_H
#define RPC_API_STREAM_H

#include "rpc/api.h"

enum { API_STREAM_WAIT_MS = 15000, API_STREAM_CURSOR_MAX = 64 };

struct api_stream {
    bool on, begun; /* the head is out */
    bool ready;     /* a page is out: the next may be asked for */
    const struct api_route *route;
    json_t *args; /* of the request; owned */
    struct api_origin origin;
    char after[API_STREAM_CURSOR_MAX]; /* empty: what the request said */
};

/* Whether the request asks for a stream of this route. */
bool api_stream_asked(const struct api_route *r, bytes accept);
/* Takes `args` over. `last_event_id` (or empty) goes before the argument after. */
void api_stream_begin(struct api_stream *s, const struct api_route *r, json_t *args,
                      const struct api_origin *origin, bytes last_event_id);
void api_stream_end(struct api_stream *s);
/* The arguments of the next poll; the caller's. */
json_t *api_stream_args(const struct api_stream *s);
/* The page's events, to be json_decref'd, and notes where it ends. False: it cannot be read. */
bool api_stream_items(struct api_stream *s, json_t **out, bytes body);
/* Appends a page's events (or a comment, so that the connection is seen to live) and notes where it
 * ends. False: the page cannot be read. */
bool api_stream_page(struct api_stream *s, struct buf *out, bytes body);

#endif
