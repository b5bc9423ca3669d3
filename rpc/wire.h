/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of one connection. A plain socket is read into a buffer that all connections share, and
 * written once per round of the event loop with everything that its round has produced: no copy, no
 * change of the poll set and no second wake-up per answer. What the socket does not take at once
 * waits in the output of a libevent bufferevent, which also carries TLS.
 *
 * Sending to a client that sleeps wakes it, which costs more than the answer when that is short.
 * So short answers of one round are held and sent one right after the other: the clients that the
 * first wakes find the others' there.
 *
 * Limits: one read of RPC_WIRE_READ_BYTES per wake-up; what of it the receiver does not consume is
 * kept, and nothing is read while it is there, as long as the receiver turns reading off. What
 * waits in the output is for the receiver to bound. Everything runs on the loop's thread. */
#ifndef RPC_WIRE_H
#define RPC_WIRE_H

#include "base/buf.h"
#include "base/types.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>

enum {
    RPC_WIRE_READ_BYTES = 64 << 10,
    RPC_WIRE_HELD_MAX = 8,             /* answers that are held at a time */
    RPC_WIRE_HELD_ONE_BYTES = 8 << 10, /* a longer one is not held: copying it costs more */
    RPC_WIRE_HELD_BYTES = RPC_WIRE_HELD_MAX * RPC_WIRE_HELD_ONE_BYTES,
};

struct rpc_wire;
/* What all connections share. */
struct rpc_wire_hub {
    struct event_base *base;
    uint8_t *in;
    struct rpc_wire *busy;  /* its on_input runs */
    struct rpc_wire *first; /* to be flushed in this round */
    struct event *flush;
    struct buf held; /* short answers, until there are enough of them or the round ends */
    struct rpc_wire *holds[RPC_WIRE_HELD_MAX]; /* whose they are; NULL: closed meanwhile */
    size_t hold_count;
};
struct rpc_wire_events {
    void (*on_input)(void *ctx);          /* there is more input */
    void (*on_written)(void *ctx);        /* the output has become empty, but for rpc_wire_flush */
    void (*on_gone)(void *ctx, bool eof); /* the other side has ended (eof) or broken the stream */
};
struct rpc_wire {
    struct rpc_wire_hub *hub;
    struct bufferevent *bev;
    struct event *readable;   /* NULL: TLS */
    struct buf rest;          /* plain: read, not consumed */
    bytes window;             /* plain: the input, in the shared buffer or in `rest` */
    size_t held_at, held_len; /* its answers in the hub's `held`; held_len 0: none */
    bool reading;
    struct rpc_wire *next, **prev; /* among those to be flushed; prev NULL: not among them */
    const struct rpc_wire_events *events;
    void *ctx;
};

bool rpc_wire_hub_init(struct rpc_wire_hub *h, struct event_base *base) MUST_USE;
void rpc_wire_hub_clear(struct rpc_wire_hub *h);

/* Takes `bev`, made for a socket; reading is off. False: out of memory, bev stays the caller's. */
bool rpc_wire_open(struct rpc_wire *w, struct rpc_wire_hub *h, struct bufferevent *bev,
                   const struct rpc_wire_events *events, void *ctx) MUST_USE;
/* Closes the socket. No event comes after it; may be called from within any. */
void rpc_wire_close(struct rpc_wire *w);
/* Gives up the socket as an ordinary bufferevent with all that has not been consumed or sent;
 * `w` is closed. */
struct bufferevent *rpc_wire_release(struct rpc_wire *w);

void rpc_wire_read(struct rpc_wire *w, bool on);
/* Input in one piece, empty when there is none; valid until it is consumed or control goes back to
 * the loop. There may be more behind it: ask again after consuming. */
bytes rpc_wire_input(struct rpc_wire *w);
void rpc_wire_consume(struct rpc_wire *w, size_t len);
void rpc_wire_drop_input(struct rpc_wire *w);

/* Bytes that wait: held, or in the output. */
size_t rpc_wire_unsent(const struct rpc_wire *w);
/* Where answers are appended. Needs a flush. */
struct evbuffer *rpc_wire_output(struct rpc_wire *w);
/* Sends bytes, in up to RPC_WIRE_PARTS_MAX pieces, when the output is empty, and appends what is
 * left of them to it. At once, or, inside on_input and when they are few, with others' at the
 * latest when the events of this round have been seen to; on_written comes after that. */
enum { RPC_WIRE_PARTS_MAX = 4 };
void rpc_wire_send(struct rpc_wire *w, const bytes *parts, size_t count);
/* Writes the output as far as the socket takes it: now, without on_written; or when the events of
 * this round have been seen to. */
void rpc_wire_flush(struct rpc_wire *w);
void rpc_wire_flush_later(struct rpc_wire *w);
/* Nothing more is sent: tells the other side. The output is empty. */
void rpc_wire_finish(struct rpc_wire *w);

#endif
