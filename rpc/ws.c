/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/ws.h"

#include "base/check.h"
#include "base/hex.h"
#include "rpc/api_stream.h"
#include "rpc/rpc.h"
#include "rpc/tag.h"
#include "rpc/tls.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <wslay/wslay.h>

enum {
    CLOSE_GOING_AWAY = 1001, /* RFC 6455 §7.4.1 and the IANA registry */
    CLOSE_UNACCEPTABLE = 1003,
    CLOSE_POLICY = 1008,
    CLOSE_TRY_LATER = 1013,
    FRAME_HEAD_MAX = 10,
    FOLLOW_SLOT = 64, /* slots of tags from here on are polls of universes' events */
    COPY_MAX = 4096,  /* of notifications: longer ones are shared instead */
};

/* A message and the place of its reply. */
struct ws_message {
    struct ws_message *next;
    size_t slot; /* once started */
    bool started, ready;
    struct buf body; /* the request, then the reply */
};

/* Events of a universe: one long poll after the other. */
struct follow {
    struct api_stream stream;
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    bool busy; /* a poll is in work, also of one that was ended meanwhile */
};

struct conn {
    struct rpc_ws *hub;
    uint32_t index, generation;
    struct bufferevent *bev;
    /* NULL between messages: it is large, most connections are idle, and it has nothing to
     * remember then. */
    wslay_event_context_ptr ws;
    uint64_t fed, framed; /* bytes that `ws` was given; of them, in frames that have ended */
    uint64_t frame_len;   /* of the frame being read */
    bool plain;           /* not TLS */
    struct ws_message *first, **last; /* oldest first */
    struct ws_message *slots[RPC_PIPELINE_MAX];
    size_t in_work;
    struct rpc_subscriber subscriber;
    struct api_origin origin;
    struct follow *follows; /* RPC_WS_FOLLOWS_MAX, or NULL while there are none */
    struct evbuffer *held;  /* notifications that wait for the answer to eth_subscribe; or NULL */
    size_t noted;           /* bytes of notifications that may be unsent */
    bool processing;        /* inside pump */
    bool broken;            /* to be freed once pump is left */
    bool closing;           /* our close frame is out or on its way */
    bool drained;           /* close after the replies in work */
    bool pinged;
    bool paused; /* nothing is read now, so that what was not heard proves nothing */
    bool shut;   /* nothing more goes out; we wait for the other side to close */
    uint64_t close_ms, message_ms; /* when our close went out, when the message being read began */
    uint64_t heard_ms, moved_ms;   /* last byte in, last byte out */
};

struct rpc_ws {
    struct rpc_ws_options o;
    struct conn **conns;
    uint32_t *generations;
    uint32_t *free_idx;
    size_t free_count, count;
    size_t unsent;
};

static void pump(struct conn *c);
static void follows_ask(struct conn *c);
static bool wake_ws(struct conn *c);
static void on_moved(struct evbuffer *out, const struct evbuffer_cb_info *info, void *ctx);

static struct evbuffer *output_of(const struct conn *c) {
    return bufferevent_get_output(c->bev);
}

/* --- connections --------------------------------------------------------------------------- */
static void free_messages(struct conn *c) {
    for (struct ws_message *m = c->first, *next; m != NULL; m = next) {
        next = m->next;
        buf_clear(&m->body);
        free(m);
    }
}

static void conn_free(struct conn *c) {
    struct rpc_ws *h = c->hub;
    if (c->processing) { /* pump is on the stack and sees to it */
        c->broken = true;
        return;
    }
    h->unsent -= evbuffer_get_length(output_of(c));
    evbuffer_remove_cb(output_of(c), on_moved, c);
    bufferevent_free(c->bev); /* closes the socket */
    if (c->ws != NULL)
        wslay_event_context_free(c->ws);
    rpc_subs_leave(&c->subscriber);
    if (c->held != NULL)
        evbuffer_free(c->held);
    free_messages(c);
    for (size_t i = 0; c->follows != NULL && i < RPC_WS_FOLLOWS_MAX; i++)
        api_stream_end(&c->follows[i].stream);
    free(c->follows);
    h->conns[c->index] = NULL;
    h->free_idx[h->free_count++] = c->index;
    h->count--;
    free(c);
}

static void close_conn(struct conn *c, uint16_t code, const char *reason) {
    if (c->closing)
        return;
    c->closing = true;
    c->close_ms = rpc_now_ms();
    if (!wake_ws(c) ||
        wslay_event_queue_close(c->ws, code, (const uint8_t *)reason, strlen(reason)) != 0)
        c->broken = true; /* else the next round of pump sends it */
}

/* --- frames out ---------------------------------------------------------------------------- */
/* Writes the head of a whole text message that is not masked (RFC 6455 §5.2); its length. */
static size_t text_head(uint8_t head[FRAME_HEAD_MAX], size_t len) {
    head[0] = 0x81;
    if (len < 126) {
        head[1] = (uint8_t)len;
        return 2;
    }
    if (len <= UINT16_MAX) {
        head[1] = 126;
        head[2] = (uint8_t)(len >> 8);
        head[3] = (uint8_t)len;
        return 4;
    }
    head[1] = 127;
    be64_store(head + 2, len);
    return 10;
}

static void free_body(const void *data, size_t len, void *ctx) {
    (void)data;
    (void)len;
    free(ctx);
}

/* Sends a reply; the output owns its storage from here. */
static void put_reply(struct conn *c, struct buf *body) {
    struct evbuffer *out = output_of(c);
    uint8_t *storage = body->ptr, head[FRAME_HEAD_MAX];
    size_t len = body->len;
    if (len == 0) /* nothing to say to notifications */
        return;
    buf_init(body, 0);
    evbuffer_add(out, head, text_head(head, len));
    if (evbuffer_add_reference(out, storage, len, free_body, storage) != 0) {
        free(storage);
        c->broken = true; /* half a frame cannot be taken back */
    }
}

/* --- notifications ------------------------------------------------------------------------- */
static void drop_payload(const void *data, size_t len, void *ctx) {
    (void)data;
    (void)len;
    rpc_payload_drop(ctx);
}

enum { NOTIFICATION_HEAD_MAX = 160, NOTIFICATION_END_LEN = 2 };
static const char notification_end[] = "}}";

/* Everything before the result: the frame's head, and the message up to there. Its length. */
static size_t notification_head(uint8_t out[NOTIFICATION_HEAD_MAX], const char *id, size_t len) {
    char text[NOTIFICATION_HEAD_MAX - FRAME_HEAD_MAX];
    int n = snprintf(text, sizeof(text),
                     "{\"jsonrpc\":\"2.0\",\"method\":\"eth_subscription\",\"params\":"
                     "{\"subscription\":\"%s\",\"result\":",
                     id);
    CHECK(n > 0 && (size_t)n < sizeof(text));
    size_t at = text_head(out, (size_t)n + len + NOTIFICATION_END_LEN);
    memcpy(out + at, text, (size_t)n);
    return at + (size_t)n;
}

static bool put_notification(struct evbuffer *out, const char *id, struct rpc_payload *p) {
    uint8_t head[NOTIFICATION_HEAD_MAX];
    evbuffer_add(out, head, notification_head(head, id, p->len));
    if (p->len <= COPY_MAX) {
        evbuffer_add(out, p->json, p->len);
    } else {
        if (evbuffer_add_reference(out, p->json, p->len, drop_payload, p) != 0)
            return false;
        p->refs++;
    }
    return evbuffer_add(out, notification_end, NOTIFICATION_END_LEN) == 0;
}

static void close_behind(struct conn *c, const char *why, uint64_t block) {
    char reason[96];
    snprintf(reason, sizeof(reason), "%s, resume from block 0x%llx", why,
             (unsigned long long)block);
    close_conn(c, CLOSE_TRY_LATER, reason);
    if (!c->broken && wslay_event_send(c->ws) != 0)
        c->broken = true;
}

/* Straight to the socket, past the event loop's three system calls, when nothing waits before it;
 * what does not fit follows the usual way. False: nothing was sent. */
static bool send_at_once(struct conn *c, const char *id, struct rpc_payload *p) {
    if (!c->plain || evbuffer_get_length(output_of(c)) > 0)
        return false;
    uint8_t head[NOTIFICATION_HEAD_MAX];
    size_t head_len = notification_head(head, id, p->len);
    struct iovec parts[3] = {
        {.iov_base = head, .iov_len = head_len},
        {.iov_base = p->json, .iov_len = p->len},
        {.iov_base = (void *)(uintptr_t)notification_end, .iov_len = NOTIFICATION_END_LEN},
    };
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts)};
    ssize_t n = sendmsg(bufferevent_getfd(c->bev), &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0)
        return false; /* what is wrong, if anything, comes as an event */
    c->moved_ms = rpc_now_ms();
    size_t sent = (size_t)n;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t skip = sent < parts[i].iov_len ? sent : parts[i].iov_len;
        sent -= skip;
        if (evbuffer_add(output_of(c), (uint8_t *)parts[i].iov_base + skip,
                         parts[i].iov_len - skip) != 0)
            c->broken = true;
    }
    return true;
}

/* Neither frees the connection nor calls the subscriptions: they are being walked. */
static void notify(struct rpc_subscriber *s, const char *id, struct rpc_payload *p,
                   uint64_t block) {
    struct conn *c = (struct conn *)(void *)((char *)s - offsetof(struct conn, subscriber));
    size_t waiting = evbuffer_get_length(output_of(c)), most = RPC_WS_UNSENT_MAX_BYTES;
    if (c->closing || c->broken)
        return;
    if (c->hub->unsent > RPC_UNSENT_MAX_BYTES)
        most /= 64; /* memory is short: who is behind goes first */
    if (c->noted > waiting)
        c->noted = waiting; /* replies that are on their way count as read in time */
    if (c->held != NULL)
        waiting = c->noted = evbuffer_get_length(c->held);
    if (c->noted > most) {
        close_behind(c, "reads too slowly", block);
        return;
    }
    if (s->unanswered > 0 && c->held == NULL)
        c->held = evbuffer_new();
    if (s->unanswered > 0 && c->held == NULL) {
        c->broken = true;
        return;
    }
    if (c->held == NULL && send_at_once(c, id, p))
        return;
    struct evbuffer *out = c->held != NULL ? c->held : output_of(c);
    size_t before = evbuffer_get_length(out);
    if (!put_notification(out, id, p))
        c->broken = true;
    c->noted += evbuffer_get_length(out) - before;
}

static void give_up(struct rpc_subscriber *s, uint64_t block) {
    struct conn *c = (struct conn *)(void *)((char *)s - offsetof(struct conn, subscriber));
    if (!c->closing && !c->broken)
        close_behind(c, "cannot be served", block);
}

const struct rpc_sub_transport rpc_ws_transport = {.send = notify, .fail = give_up};

/* The answer to a request is out: what was held back for it follows. */
static void release_held(struct conn *c, uint64_t tag) {
    rpc_subs_answered(&c->subscriber, tag);
    if (c->held == NULL || c->subscriber.unanswered > 0)
        return;
    evbuffer_add_buffer(output_of(c), c->held);
    evbuffer_free(c->held);
    c->held = NULL;
}

/* --- what wslay asks for ------------------------------------------------------------------- */
static bool must_pause(const struct conn *c) {
    size_t unsent = evbuffer_get_length(output_of(c));
    return c->in_work == RPC_PIPELINE_MAX || unsent > RPC_CONNECTION_UNSENT_BYTES ||
           (unsent > 0 && c->hub->unsent > RPC_UNSENT_MAX_BYTES);
}

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *buf, size_t len, int flags, void *ctx) {
    struct conn *c = ctx;
    (void)flags;
    int n =
        must_pause(c) && !c->closing ? 0 : evbuffer_remove(bufferevent_get_input(c->bev), buf, len);
    if (n <= 0) {
        wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    c->fed += (uint64_t)n;
    return n;
}

static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *data, size_t len, int flags,
                       void *ctx) {
    struct conn *c = ctx;
    (void)flags;
    if (evbuffer_add(output_of(c), data, len) != 0) {
        wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)len;
}

static void on_frame(wslay_event_context_ptr ws,
                     const struct wslay_event_on_frame_recv_start_arg *arg, void *ctx) {
    struct conn *c = ctx;
    uint64_t len = arg->payload_length;
    (void)ws;
    /* Two bytes, the length if it is longer, the mask. Lengths that are written longer than they
     * need be are errors to the library. */
    c->frame_len = 2u + (len < 126 ? 0u : len <= UINT16_MAX ? 2u : 8u) + 4u + len;
    if (!wslay_is_ctrl_frame(arg->opcode) && c->message_ms == 0)
        c->message_ms = rpc_now_ms();
}

static void on_frame_end(wslay_event_context_ptr ws, void *ctx) {
    struct conn *c = ctx;
    (void)ws;
    c->framed += c->frame_len;
}

static void on_message(wslay_event_context_ptr ws, const struct wslay_event_on_msg_recv_arg *arg,
                       void *ctx) {
    struct conn *c = ctx;
    (void)ws;
    if (wslay_is_ctrl_frame(arg->opcode))
        return; /* pings and closes are answered by the library */
    c->message_ms = 0;
    if (c->closing || c->drained)
        return;
    if (arg->opcode != WSLAY_TEXT_FRAME) {
        close_conn(c, CLOSE_UNACCEPTABLE, "only text messages are understood");
        return;
    }
    struct ws_message *m = calloc(1, sizeof(*m));
    if (m == NULL) {
        c->broken = true;
        return;
    }
    buf_init(&m->body, c->hub->o.message_max);
    buf_append(&m->body, arg->msg, arg->msg_length);
    *c->last = m;
    c->last = &m->next;
}

static const struct wslay_event_callbacks callbacks = {
    .recv_callback = on_recv,
    .send_callback = on_send,
    .on_frame_recv_start_callback = on_frame,
    .on_frame_recv_end_callback = on_frame_end,
    .on_msg_recv_callback = on_message,
};

/* Makes the library's context if there is none; false: the connection is broken. */
static bool wake_ws(struct conn *c) {
    if (c->ws != NULL)
        return true;
    if (wslay_event_context_server_init(&c->ws, &callbacks, c) != 0) {
        c->ws = NULL;
        c->broken = true;
        return false;
    }
    wslay_event_config_set_max_recv_msg_length(c->ws, c->hub->o.message_max);
    c->fed = c->framed = 0;
    return true;
}

/* Drops it when it stands between two messages. */
static void rest_ws(struct conn *c) {
    if (c->ws == NULL || c->closing || c->message_ms != 0 || c->fed != c->framed ||
        wslay_event_want_write(c->ws))
        return;
    wslay_event_context_free(c->ws);
    c->ws = NULL;
}

/* --- messages ------------------------------------------------------------------------------ */
static uint64_t tag_of(const struct conn *c, size_t slot) {
    return rpc_tag_of(c->generation, c->index, slot, true);
}

static size_t free_slot(const struct conn *c) {
    for (size_t i = 0; i < RPC_PIPELINE_MAX; i++)
        if (c->slots[i] == NULL)
            return i;
    CHECK(false);
}

/* Hands messages to the engine while there is room. */
static void start_messages(struct conn *c) {
    for (struct ws_message *m = c->first; m != NULL && !c->closing; m = m->next) {
        if (m->started)
            continue;
        if (must_pause(c))
            return;
        m->slot = free_slot(c);
        m->started = true;
        c->slots[m->slot] = m;
        c->in_work++;
        struct buf body = m->body;
        buf_init(&m->body, 0);
        rpc_engine_run(c->hub->o.engine, &body, tag_of(c, m->slot), &c->origin, NULL);
    }
}

/* Sends the replies whose turn it is; whether there were any. */
static bool write_replies(struct conn *c) {
    bool any = false;
    while (c->first != NULL && c->first->ready) {
        struct ws_message *m = c->first;
        c->first = m->next;
        if (c->first == NULL)
            c->last = &c->first;
        c->slots[m->slot] = NULL;
        c->in_work--;
        if (!c->closing)
            put_reply(c, &m->body);
        buf_clear(&m->body);
        release_held(c, tag_of(c, m->slot));
        free(m);
        any = true;
    }
    return any;
}

static void receive(struct conn *c) {
    if (c->ws == NULL && evbuffer_get_length(bufferevent_get_input(c->bev)) == 0)
        return;
    if (!wake_ws(c))
        return;
    if (wslay_event_want_read(c->ws) && wslay_event_recv(c->ws) != 0)
        c->broken = true;
    if (wslay_event_want_write(c->ws) && wslay_event_send(c->ws) != 0)
        c->broken = true;
    if (!c->closing && wslay_event_get_close_sent(c->ws)) { /* by the library itself */
        c->closing = true;
        c->close_ms = rpc_now_ms();
    }
}

/* Whether both sides have said that they are done. Where the other one could not be understood, its
 * input is dropped until it closes: closing first, with input unread, would reset the connection
 * and could take our close frame with it. */
static bool is_over(struct conn *c) {
    if (!c->closing || evbuffer_get_length(output_of(c)) > 0)
        return false;
    if (wslay_event_get_close_received(c->ws))
        return true;
    if (!wslay_event_want_read(c->ws)) {
        struct evbuffer *in = bufferevent_get_input(c->bev);
        evbuffer_drain(in, evbuffer_get_length(in));
        if (!c->shut)
            rpc_tls_finish(c->bev);
        c->shut = true;
    }
    return false;
}

/* Deadlines of what is to be heard begin anew after a pause. */
static void set_paused(struct conn *c, bool paused) {
    if (c->paused && !paused) {
        c->heard_ms = rpc_now_ms();
        c->pinged = false;
        if (c->message_ms != 0)
            c->message_ms = c->heard_ms;
    }
    c->paused = paused;
    if (paused)
        bufferevent_disable(c->bev, EV_READ);
    else
        bufferevent_enable(c->bev, EV_READ);
}

/* Reads, runs and answers until nothing moves. Does nothing when called from within itself. */
static void pump(struct conn *c) {
    if (c->processing)
        return;
    c->processing = true;
    bool moved = true;
    while (moved && !c->broken) {
        receive(c);
        start_messages(c);
        moved = write_replies(c);
        if (c->drained && c->first == NULL && !c->closing) {
            close_conn(c, CLOSE_GOING_AWAY, "the node is shutting down");
            moved = true;
        }
    }
    c->processing = false;
    rest_ws(c);
    if (c->broken || is_over(c)) {
        conn_free(c);
        return;
    }
    set_paused(c, must_pause(c) && !c->closing);
    follows_ask(c);
}

/* --- events of universes ------------------------------------------------------------------- */
/* One notification: a page's event, or why there are no more. */
static void put_follow(struct conn *c, const struct follow *f, const char *what, const char *json) {
    struct buf frame;
    buf_init(&frame, SIZE_MAX / 2);
    buf_printf(&frame,
               "{\"jsonrpc\":\"2.0\",\"method\":\"universe_subscription\",\"params\":"
               "{\"subscription\":\"%s\",\"%s\":",
               f->id, what);
    buf_append_str(&frame, json);
    buf_append_str(&frame, "}}");
    put_reply(c, &frame);
    buf_clear(&frame);
}

static void put_events(struct conn *c, struct follow *f, bytes body) {
    json_t *items = NULL;
    bool ok = api_stream_items(&f->stream, &items, body);
    for (size_t i = 0; ok && i < json_array_size(items); i++) {
        char *text = json_dumps(json_array_get(items, i), JSON_COMPACT);
        if (text != NULL)
            put_follow(c, f, "result", text);
        free(text);
    }
    json_decref(items);
    f->stream.ready = ok;
}

static void follow_reply(struct conn *c, struct follow *f, struct rpc_reply *reply) {
    f->busy = false;
    if (f->stream.on && !c->closing && reply->status == 200) {
        put_events(c, f, buf_bytes(&reply->body));
    } else if (f->stream.on && !c->closing) {
        buf_append_byte(&reply->body, 0);
        put_follow(c, f, "error", (const char *)reply->body.ptr);
        api_stream_end(&f->stream);
    }
    buf_clear(&reply->body);
    pump(c);
}

/* Asks for further pages once all that was said before is out. */
static void follows_ask(struct conn *c) {
    bool full = evbuffer_get_length(output_of(c)) > 0 || c->closing || c->broken || c->drained;
    if (c->follows == NULL || c->in_work > 0 || full)
        return;
    for (size_t i = 0; i < RPC_WS_FOLLOWS_MAX; i++) {
        struct follow *f = &c->follows[i];
        if (!f->stream.on || !f->stream.ready || f->busy)
            continue;
        f->stream.ready = false;
        f->busy = true;
        rpc_engine_page(c->hub->o.engine, f->stream.route, api_stream_args(&f->stream),
                        tag_of(c, FOLLOW_SLOT + i), &f->stream.origin);
    }
}

static struct conn *conn_of(struct rpc_ws *h, uint64_t tag) {
    struct conn *c = rpc_tag_is_websocket(tag) ? h->conns[rpc_tag_index(tag)] : NULL;
    return c != NULL && c->generation == rpc_tag_generation(tag) && !c->closing ? c : NULL;
}

enum err rpc_ws_follow(struct rpc_ws *h, uint64_t tag, const struct api_route *r, json_t *args,
                       char out_id[RPC_SUBSCRIPTION_ID_LEN + 1]) {
    struct conn *c = conn_of(h, tag);
    uint8_t id[16];
    if (c == NULL)
        return ERR_NOT_FOUND;
    if (c->follows == NULL)
        c->follows = calloc(RPC_WS_FOLLOWS_MAX, sizeof(*c->follows));
    for (size_t i = 0; c->follows != NULL && i < RPC_WS_FOLLOWS_MAX; i++) {
        struct follow *f = &c->follows[i];
        if (f->stream.on || f->busy)
            continue;
        if (RAND_bytes(id, sizeof(id)) != 1)
            return ERR_IO;
        api_stream_begin(&f->stream, r, json_incref(args), &c->origin, bytes_of(NULL, 0));
        f->stream.begun = f->stream.ready = true;
        memcpy(f->id, "0x", 2);
        hex_encode(f->id + 2, id, sizeof(id));
        f->id[RPC_SUBSCRIPTION_ID_LEN] = '\0';
        memcpy(out_id, f->id, sizeof(f->id));
        return ERR_OK;
    }
    return ERR_BUSY;
}

bool rpc_ws_unfollow(struct rpc_ws *h, uint64_t tag, const char *id) {
    struct conn *c = conn_of(h, tag);
    for (size_t i = 0; c != NULL && c->follows != NULL && i < RPC_WS_FOLLOWS_MAX; i++)
        if (c->follows[i].stream.on && strcmp(c->follows[i].id, id) == 0) {
            api_stream_end(&c->follows[i].stream);
            return true;
        }
    return false;
}

void rpc_ws_reply(struct rpc_ws *h, uint64_t tag, struct rpc_reply *reply) {
    struct conn *c = h->conns[rpc_tag_index(tag)];
    if (c == NULL || c->generation != rpc_tag_generation(tag)) {
        buf_clear(&reply->body); /* the client has gone */
        return;
    }
    if (rpc_tag_slot(tag) >= FOLLOW_SLOT) {
        follow_reply(c, &c->follows[rpc_tag_slot(tag) - FOLLOW_SLOT], reply);
        return;
    }
    struct ws_message *m = c->slots[rpc_tag_slot(tag)];
    CHECK(m != NULL);
    m->body = reply->body;
    m->ready = true;
    pump(c);
}

struct rpc_subscriber *rpc_ws_subscriber(struct rpc_ws *h, uint64_t tag) {
    if (!rpc_tag_is_websocket(tag))
        return NULL;
    struct conn *c = h->conns[rpc_tag_index(tag)];
    return c != NULL && c->generation == rpc_tag_generation(tag) && !c->closing ? &c->subscriber
                                                                                : NULL;
}

/* --- events -------------------------------------------------------------------------------- */
static void end_conn(struct conn *c) {
    if (c->in_work > 0)
        rpc_engine_gone(c->hub->o.engine, tag_of(c, 0));
    conn_free(c);
}

static void on_readable(struct bufferevent *bev, void *ctx) {
    struct conn *c = ctx;
    (void)bev;
    c->heard_ms = rpc_now_ms();
    c->pinged = false;
    pump(c);
}

static void on_written(struct bufferevent *bev, void *ctx) {
    (void)bev;
    pump(ctx);
}

static void on_event(struct bufferevent *bev, short what, void *ctx) {
    (void)bev;
    if (what == BEV_EVENT_CONNECTED)
        return;
    end_conn(ctx); /* gone, or broken: there is nobody to tell */
}

/* Keeps count of what is unsent. */
static void on_moved(struct evbuffer *out, const struct evbuffer_cb_info *info, void *ctx) {
    struct conn *c = ctx;
    (void)out;
    c->hub->unsent += info->n_added;
    c->hub->unsent -= info->n_deleted;
    if (info->n_deleted > 0 || info->orig_size == 0)
        c->moved_ms = rpc_now_ms();
}

static void check_conn(struct conn *c, uint64_t now) {
    bool unsent = evbuffer_get_length(output_of(c)) > 0;
    if (c->broken || (unsent && now - c->moved_ms > RPC_WRITE_MS) ||
        (c->closing && now - c->close_ms > RPC_WS_CLOSE_MS) ||
        (c->pinged && !c->paused && now - c->heard_ms > 2 * RPC_WS_PING_MS)) {
        end_conn(c);
    } else if (c->paused) {
        return; /* it waits for us, or RPC_WRITE_MS for it */
    } else if (c->message_ms != 0 && now - c->message_ms > RPC_REQUEST_MS && !c->closing) {
        close_conn(c, CLOSE_POLICY, "the message took too long to arrive");
        pump(c);
    } else if (!c->pinged && !c->closing && now - c->heard_ms > RPC_WS_PING_MS) {
        struct wslay_event_msg ping = {.opcode = WSLAY_PING};
        c->pinged = true;
        if (!wake_ws(c) || wslay_event_queue_msg(c->ws, &ping) != 0)
            c->broken = true;
        pump(c);
    }
}

void rpc_ws_tick(struct rpc_ws *h, uint64_t now_ms) {
    for (size_t i = 0; i < h->o.connections_max; i++)
        if (h->conns[i] != NULL)
            check_conn(h->conns[i], now_ms);
}

/* --- life ---------------------------------------------------------------------------------- */
struct rpc_ws *rpc_ws_new(const struct rpc_ws_options *o) {
    CHECK(o->connections_max < (1u << RPC_TAG_INDEX_BITS));
    struct rpc_ws *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return NULL;
    h->o = *o;
    h->conns = calloc(o->connections_max, sizeof(struct conn *));
    h->generations = calloc(o->connections_max, sizeof(uint32_t));
    h->free_idx = calloc(o->connections_max, sizeof(uint32_t));
    if (h->conns == NULL || h->generations == NULL || h->free_idx == NULL) {
        rpc_ws_free(h);
        return NULL;
    }
    for (size_t i = 0; i < o->connections_max; i++)
        h->free_idx[h->free_count++] = (uint32_t)(o->connections_max - 1 - i);
    return h;
}

void rpc_ws_free(struct rpc_ws *h) {
    if (h == NULL)
        return;
    for (size_t i = 0; h->conns != NULL && i < h->o.connections_max; i++)
        if (h->conns[i] != NULL)
            conn_free(h->conns[i]);
    free(h->conns);
    free(h->generations);
    free(h->free_idx);
    free(h);
}

bool rpc_ws_adopt(struct rpc_ws *h, struct bufferevent *bev, const struct api_origin *from) {
    struct conn *c = h->free_count > 0 ? calloc(1, sizeof(*c)) : NULL;
    if (c == NULL)
        return false;
    if (evbuffer_add_cb(bufferevent_get_output(bev), on_moved, c) == NULL) {
        free(c);
        return false;
    }
    c->plain = rpc_tls_is_plain(bev);
    c->hub = h;
    c->origin = from != NULL ? *from : api_nobody;
    c->origin.idempotency_key[0] = '\0'; /* names one request, and a connection has many */
    c->bev = bev;
    c->subscriber.hub = h->o.subs;
    c->last = &c->first;
    c->index = h->free_idx[--h->free_count];
    c->generation = ++h->generations[c->index];
    c->heard_ms = c->moved_ms = rpc_now_ms();
    h->conns[c->index] = c;
    h->count++;
    h->unsent += evbuffer_get_length(output_of(c));
    bufferevent_setcb(bev, on_readable, on_written, on_event, c);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    pump(c);
    return true;
}

size_t rpc_ws_count(const struct rpc_ws *h) {
    return h->count;
}

size_t rpc_ws_unsent(const struct rpc_ws *h) {
    return h->unsent;
}

void rpc_ws_drain(struct rpc_ws *h) {
    for (size_t i = 0; i < h->o.connections_max; i++) {
        struct conn *c = h->conns[i];
        if (c == NULL)
            continue;
        c->drained = true;
        pump(c);
    }
}

bool rpc_ws_busy(const struct rpc_ws *h) {
    for (size_t i = 0; i < h->o.connections_max; i++)
        if (h->conns[i] != NULL &&
            (h->conns[i]->first != NULL || evbuffer_get_length(output_of(h->conns[i])) > 0))
            return true;
    return false;
}
