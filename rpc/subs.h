/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions (eth_subscribe) and who has them. A subscriber is a connection of a transport that
 * can speak unasked; the transport embeds struct rpc_subscriber. Loop's thread only.
 *
 * A subscriber gets at most one new head in RPC_HEAD_GAP_MS, the newest, however many blocks there
 * are; logs, receipts and pending transactions are all sent. A subscription begins with the first
 * block that becomes durable after it was made; while its own answer is not out, the transport
 * holds notifications back.
 *
 * Limits: RPC_SUBSCRIPTIONS_MAX of one subscriber, RPC_SUBSCRIPTION_HASHES_MAX transactions named
 * in one, and rpc/criteria.h's. */
#ifndef RPC_SUBS_H
#define RPC_SUBS_H

#include "rpc/criteria.h"
#include "rpc/feed.h"

enum {
    RPC_SUBSCRIPTIONS_MAX = 256,
    RPC_SUBSCRIPTION_HASHES_MAX = 200,
    RPC_HEAD_GAP_MS = 50,
    RPC_SUBSCRIPTION_ID_LEN = 34, /* 0x and 16 bytes */
};

enum rpc_sub_kind {
    RPC_SUB_HEADS,
    RPC_SUB_LOGS,
    RPC_SUB_RECEIPTS,
    RPC_SUB_PENDING,
    RPC_SUB_PENDING_FULL,
    RPC_SUB_SYNCING, /* never says anything: a node that serves is at its head */
    RPC_SUB_KINDS
};

struct rpc_sub;
struct rpc_subs;
struct rpc_subscriber {
    struct rpc_subs *hub;
    struct rpc_sub *first;
    size_t count;
    size_t unanswered; /* subscriptions whose answer is not out */
    /* Of rpc/subs.c: */
    size_t heads; /* subscriptions of that kind */
    uint64_t head_ms;
    bool head_due;
    struct rpc_subscriber *prev, *next; /* those with heads */
};

/* The transport's: sends a notification; must neither free the subscriber nor call back here. */
struct rpc_sub_transport {
    void (*send)(struct rpc_subscriber *s, const char *id, struct rpc_payload *result,
                 uint64_t block);
    /* It cannot be served any further. */
    void (*fail)(struct rpc_subscriber *s, uint64_t block);
};

struct rpc_subs *rpc_subs_new(struct event_base *base,
                              const struct rpc_sub_transport *transport) MUST_USE;
/* All subscribers are gone. */
void rpc_subs_free(struct rpc_subs *h);
/* Where items come from. */
struct rpc_sub_source {
    void *ctx;
    /* One more or less wants this; gives the newest durable block, read after the want counts. */
    uint64_t (*want)(void *ctx, enum rpc_feed_want what, bool more);
};
/* Before the first subscription. */
void rpc_subs_set_source(struct rpc_subs *h, struct rpc_sub_source source);
/* Takes an item; for rpc_feed_new, `ctx` is the rpc_subs. */
void rpc_subs_on_item(void *ctx, const struct rpc_feed_item *item);

/* What a subscription is to be. */
struct rpc_sub_spec {
    enum rpc_sub_kind kind;
    struct rpc_criteria *criteria; /* LOGS; taken, also on failure */
    const hash32 *hashes;          /* RECEIPTS: copied; none: all */
    size_t hash_count;
    uint64_t tag; /* of the request: rpc_subs_answered names it */
};
/* `out_id`: NUL-terminated. ERR_BUSY with a sentence for a limit, ERR_NOMEM. */
enum err rpc_subs_add(struct rpc_subscriber *s, char out_id[RPC_SUBSCRIPTION_ID_LEN + 1],
                      const struct rpc_sub_spec *spec, struct err_ctx *ec) MUST_USE;
/* Whether it was there. */
bool rpc_subs_remove(struct rpc_subscriber *s, const char *id);
/* The answer to the request is out. */
void rpc_subs_answered(struct rpc_subscriber *s, uint64_t tag);
/* Drops all of the subscriber's. */
void rpc_subs_leave(struct rpc_subscriber *s);

#endif
