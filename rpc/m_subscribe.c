/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions. The answer of eth_subscribe goes out before its first notification. */
#include "base/hex.h"
#include "rpc/api.h"
#include "rpc/handlers.h"
#include "rpc/json_writer.h"
#include "rpc/live.h"
#include "rpc/params.h"
#include "rpc/ws.h"

enum {
    ARENA_CHUNK_BYTES = 4096,
    ARENA_MAX_BYTES = 1 << 20, /* the longest criteria fit several times */
};

/* The connection that asks; NULL with the error set. */
static struct rpc_subscriber *subscriber_of(struct rpc_call *c) {
    struct rpc_live *l = c->cx->live;
    struct rpc_subscriber *s = l == NULL ? NULL : rpc_ws_subscriber(l->ws, c->tag);
    if (s == NULL)
        rpc_fail(c, RPC_METHOD_NOT_FOUND, "notifications not supported");
    return s;
}

static bool kind_of(struct rpc_call *c, enum rpc_sub_kind *out) {
    static const struct {
        const char *name;
        enum rpc_sub_kind kind;
    } kinds[] = {
        {"newHeads", RPC_SUB_HEADS},
        {"logs", RPC_SUB_LOGS},
        {"newPendingTransactions", RPC_SUB_PENDING},
        {"transactionReceipts", RPC_SUB_RECEIPTS},
        {"syncing", RPC_SUB_SYNCING},
    };
    const char *name = json_string_value(param_at(c, 0));
    if (name == NULL) {
        rpc_fail(c, RPC_INVALID_PARAMS, "non-string subscription name");
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *out = kinds[i].kind;
            return true;
        }
    rpc_fail(c, RPC_METHOD_NOT_FOUND, "no \"%.64s\" subscription in eth namespace", name);
    return false;
}

/* Criteria of a subscription to logs: those of eth_getLogs; absent, all logs. Bounds on blocks mean
 * nothing here and are not looked at. */
static bool log_spec(struct rpc_call *c, struct rpc_sub_spec *spec, struct arena *a) {
    struct filter_args args = {0};
    if (param_at(c, 1) != NULL && !param_filter(c, 1, &args, a))
        return false;
    spec->criteria = rpc_criteria_new(&args, &c->cx->live->criteria_used);
    if (spec->criteria == NULL)
        rpc_fail(c, RPC_LIMIT_EXCEEDED, "too many filter criteria on this node");
    return spec->criteria != NULL;
}

static bool hash_of(struct rpc_call *c, const json_t *v, hash32 *out) {
    const char *text = json_string_value(v);
    if (text != NULL && text[0] == '0' && text[1] == 'x' &&
        hex_decode_fixed(out->b, sizeof(out->b), text) == ERR_OK)
        return true;
    rpc_fail_arg(c, 1, "json: cannot unmarshal value into Go value of type common.Hash");
    return false;
}

/* {transactionHashes: [...]}, or nothing for all. */
static bool receipt_spec(struct rpc_call *c, struct rpc_sub_spec *spec, struct arena *a) {
    json_t *o = param_at(c, 1), *list = json_object_get(o, "transactionHashes");
    if (o == NULL || list == NULL || json_is_null(list))
        return true;
    size_t n = json_array_size(list);
    if (!json_is_array(list)) {
        rpc_fail_arg(c, 1, "json: cannot unmarshal value into Go value of type []common.Hash");
        return false;
    }
    if (n > RPC_SUBSCRIPTION_HASHES_MAX) {
        rpc_fail(c, RPC_INVALID_PARAMS,
                 "exceed max number of transaction hashes allowed per "
                 "transactionReceipts subscription");
        return false;
    }
    hash32 *hashes = arena_alloc(a, (n + 1) * sizeof(*hashes));
    for (size_t i = 0; i < n; i++)
        if (!hash_of(c, json_array_get(list, i), &hashes[i]))
            return false;
    spec->hashes = hashes;
    spec->hash_count = n;
    return true;
}

static bool fill_spec(struct rpc_call *c, struct rpc_sub_spec *spec, struct arena *a) {
    bool full = false;
    if (spec->kind == RPC_SUB_LOGS)
        return log_spec(c, spec, a);
    if (spec->kind == RPC_SUB_RECEIPTS)
        return receipt_spec(c, spec, a);
    if (spec->kind == RPC_SUB_PENDING) {
        if (!param_bool(c, 1, &full))
            return false;
        if (full)
            spec->kind = RPC_SUB_PENDING_FULL;
    }
    return true;
}

void rpc_eth_subscribe(struct rpc_call *c) {
    struct rpc_sub_spec spec = {.tag = c->tag};
    struct rpc_subscriber *s = subscriber_of(c);
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    struct err_ctx ec = {.err = ERR_OK};
    struct arena a;
    struct json_writer w;
    if (s == NULL || !kind_of(c, &spec.kind))
        return;
    arena_init(&a, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    if (fill_spec(c, &spec, &a)) {
        enum err e = rpc_subs_add(s, id, &spec, &ec);
        if (e != ERR_OK) {
            rpc_fail_err(c, e, &ec);
        } else {
            jw_init(&w, &c->result);
            jw_text(&w, id);
        }
    }
    arena_clear(&a);
}

void rpc_eth_unsubscribe(struct rpc_call *c) {
    struct rpc_subscriber *s = subscriber_of(c);
    const char *id = json_string_value(param_at(c, 0));
    struct json_writer w;
    if (s == NULL)
        return;
    if (id == NULL || !rpc_subs_remove(s, id)) {
        rpc_fail(c, RPC_SERVER_ERROR, "subscription not found");
        return;
    }
    jw_init(&w, &c->result);
    jw_bool(&w, true);
}

/* --- events of universes ------------------------------------------------------------------- */
void rpc_universe_subscribe(struct rpc_call *c) {
    const struct rpc_method *method = c->method;
    const struct api_route *r = api_route_find("universe_events", strlen("universe_events"));
    char id[RPC_SUBSCRIPTION_ID_LEN + 1];
    struct json_writer w;
    json_t *args = param_at(c, 0);
    if (subscriber_of(c) == NULL)
        return;
    if (r == NULL || c->cx->keys == NULL || !json_is_object(args)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "want one object with the parameters of universe_events");
        return;
    }
    api_begin(c, r, json_copy(args)); /* who may poll may follow */
    c->method = method;
    if (rpc_failed(c))
        return;
    enum err e = rpc_ws_follow(c->cx->live->ws, c->tag, r, c->args, id);
    if (e == ERR_BUSY)
        rpc_fail(c, RPC_LIMIT_EXCEEDED, "at most %d such subscriptions", RPC_WS_FOLLOWS_MAX);
    else if (e != ERR_OK)
        rpc_fail_err(c, e, NULL);
    if (rpc_failed(c))
        return;
    jw_init(&w, &c->result);
    jw_text(&w, id);
}

void rpc_universe_unsubscribe(struct rpc_call *c) {
    struct json_writer w;
    const char *id = json_string_value(param_at(c, 0));
    if (subscriber_of(c) == NULL)
        return;
    jw_init(&w, &c->result);
    jw_bool(&w, id != NULL && rpc_ws_unfollow(c->cx->live->ws, c->tag, id));
}
