/* SPDX-License-Identifier: Apache-2.0 */
/* Creating universes, and what the operator's account changes in the registry for them. */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/limits.h"
#include "rpc/api_keys.h"
#include "rpc/api_task.h"
#include "rpc/api_write.h"
#include "rpc/json_writer.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Roles of the registry. */
enum { ROLE_DEPLOY = 1, ROLE_OPERATE = 2, ROLE_POLICY = 4, ROLE_PAUSE = 8, ROLE_ALL = 15 };
/* What a fresh universe pays for: calls of the functions that are listed, without value. */
enum { POLICY_MAX_DATA = 65536, BUDGET_WINDOW_S = 86400, PACKED_MAX = 256, POLICY_FIELDS = 8 };
#define UINT192_MAX_TEXT "6277101735386680763835789423207666416102355444464034512895"
#define UINT256_MAX_TEXT                                                                           \
    "115792089237316195423570985008687907853269984665640564039457584007913129639935"
#define GWEI 1000000000

static json_t *hex_json(const uint8_t *p, size_t len) {
    char text[2 + 2 * 32 + 1] = "0x";
    CHECK(len <= 32);
    hex_encode(text + 2, p, len);
    text[2 + 2 * len] = '\0';
    return json_string(text);
}

static json_t *u64_json(uint64_t v) {
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    return json_string(text);
}

static json_t *u256_json(const u256 *v) {
    char text[79];
    return json_string(u256_to_dec(text, v));
}

/* A call of the registry by the operator, who pays the price himself. */
static bool registry_call(struct rpc_call *c, struct api_call_spec *s, const char *meta) {
    const struct node_commands *node = c->cx->node;
    u256 price, tip = u256_from_u64(GWEI);
    *s = (struct api_call_spec){.to = system_address(SYSTEM_REGISTRY),
                                .meta = bytes_of(meta, strlen(meta))};
    if (node->signer == NULL || !node->signer(node->outbox, "", &s->from)) {
        api_fail(c, API_UNSUPPORTED, "this node has no operator's account (--operator-key)");
        return false;
    }
    if (!api_next_price(c, &price))
        return false;
    s->max_fee = u256_add(&price, &price);
    s->max_fee = u256_add(&s->max_fee, &tip);
    return true;
}

/* --- creating ------------------------------------------------------------------------------ */
/* The two keys that a universe begins with. */
struct first_keys {
    struct api_write write;
    struct api_key keys[2];
    struct buf values[2];
    uint8_t ids[2][8];
    char texts[2][API_KEY_TEXT_MAX];
    struct api_keys *reserved; /* from which room for them is taken */
};

static void first_keys_free(void *extra) {
    struct first_keys *k = extra;
    OPENSSL_cleanse(k->texts, sizeof(k->texts));
    if (k->reserved != NULL)
        api_keys_unreserve(k->reserved, 2);
    for (size_t i = 0; i < 2; i++)
        buf_clear(&k->values[i]);
    free(k);
}

static void no_room_for_keys(struct rpc_call *c) {
    api_fail(c, API_LIMIT, "this node has no room for more API keys");
}

static void make_first_keys(struct rpc_call *c, struct api_task *t) {
    static const enum api_key_kind kinds[2] = {API_KEY_SECRET, API_KEY_PUBLISHABLE};
    struct first_keys *k = calloc(1, sizeof(*k));
    CHECK(k != NULL);
    t->extra = k;
    t->extra_free = first_keys_free;
    if (!api_keys_reserve(c->cx->keys, 2)) {
        no_room_for_keys(c);
        return;
    }
    k->reserved = c->cx->keys;
    for (size_t i = 0; i < 2; i++) {
        struct api_key *key = &k->keys[i];
        key->kind = kinds[i];
        key->scopes = api_scopes_of_kind(kinds[i]);
        key->created_ms = c->cx->node->now(c->cx->node->ctx) * 1000;
        snprintf(key->slug, sizeof(key->slug), "%s", api_slug(c));
        buf_init(&k->values[i], PACKED_MAX);
        if (!api_key_make(c->cx->keys, key, k->texts[i])) {
            api_fail(c, API_INTERNAL, "the system has no random bytes");
            return;
        }
        be64_store(k->ids[i], key->id);
        api_key_pack(&k->values[i], key);
        k->write.ops[i] = (struct kv_op){
            .space = KV_API_KEY, .key = bytes_of(k->ids[i], 8), .value = buf_bytes(&k->values[i])};
    }
    k->write.count = 2;
    api_write_ask(c, &k->write);
}

static void print_first_key(struct json_writer *w, const char *name, const struct api_key *key,
                            const char *text) {
    jw_key(w, name);
    jw_object(w);
    jw_key(w, "key");
    api_key_print(w, key);
    if (text != NULL)
        jw_m_text(w, "secret", text);
    jw_object_end(w);
}

/* Secrets are shown by the answer that made the keys, and by no other. */
static void print_created(struct rpc_call *c, const struct api_task *t) {
    const struct first_keys *k = t->extra;
    struct api_key old[2];
    struct api_universe u;
    struct json_writer w;
    size_t had = k == NULL ? api_keys_list(c->cx->keys, api_slug(c), old, 2) : 0;
    if (had >= 2 && old[0].kind == API_KEY_PUBLISHABLE) { /* made in the same millisecond */
        struct api_key first = old[1];
        old[1] = old[0];
        old[0] = first;
    }
    if (!api_universe_load(c, &u))
        return;
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_key(&w, "universe");
    api_universe_print(c, &w, &u);
    if (k != NULL || had >= 2) {
        print_first_key(&w, "secretKey", k != NULL ? &k->keys[0] : &old[0],
                        k != NULL ? k->texts[0] : NULL);
        print_first_key(&w, "publishableKey", k != NULL ? &k->keys[1] : &old[1],
                        k != NULL ? k->texts[1] : NULL);
    }
    api_print_transactions(&w, t);
    jw_object_end(&w);
}

static void create_call(struct rpc_call *c, struct api_call_spec *s) {
    uint8_t slug[14] = {0};
    struct world *w = api_world(c);
    memcpy(slug, api_slug(c), strlen(api_slug(c)));
    if (w == NULL)
        return;
    s->value = sys_get(w, SYS_UNIVERSE_BOND, NULL);
    s->data = api_pack(c, "createUniverse(bytes14,address,string)",
                       json_pack("[o,o,s]", hex_json(slug, 14), hex_json(s->from.b, 20),
                                 api_arg_text(c, "metadataUri")));
}

/* A call of the set-up that is not done: added to the round. */
static void add_step(struct rpc_call *c, struct api_task *t, const char *meta, bytes data,
                     const u256 *value) {
    struct api_call_spec s;
    const struct api_part *p = api_part_of(t, bytes_of(meta, strlen(meta)));
    if (rpc_failed(c) || (p != NULL && p->state == API_PART_DONE))
        return;
    if (!registry_call(c, &s, meta))
        return;
    s.data = data;
    s.value = *value;
    (void)api_task_add(c, &s);
}

/* The operator owns the universe until the last step, and keeps the roles that serving it takes. */
static void add_steps(struct rpc_call *c, struct api_task *t, const struct api_universe *u) {
    const struct node_commands *node = c->cx->node;
    addr20 signer, operator_account, owner;
    json_t *gas = api_arg(c, "gas");
    u256 wei = U256_ZERO;
    CHECK(node->signer(node->outbox, "", &operator_account));
    CHECK(node->signer(node->outbox, u->slug, &signer));
    add_step(c, t, "signer",
             api_pack(c, "setRole(uint64,address,uint64,uint64)",
                      json_pack("[o,o,i,i]", u64_json(u->id), hex_json(signer.b, 20), ROLE_ALL, 0)),
             &U256_ZERO);
    add_step(c, t, "operator",
             api_pack(c, "setRole(uint64,address,uint64,uint64)",
                      json_pack("[o,o,i,i]", u64_json(u->id), hex_json(operator_account.b, 20),
                                ROLE_ALL, 0)),
             &U256_ZERO);
    add_step(
        c, t, "policy",
        api_pack(c, "setPolicy(uint64,(bool,bool,bool,bool,uint32,uint64,uint64,uint256))",
                 json_pack("[o,[b,b,b,b,i,s,i,s]]", u64_json(u->id), 1, 0, 0, 0, POLICY_MAX_DATA,
                           "18446744073709551615", LIMIT_TX_GAS, UINT256_MAX_TEXT)),
        &U256_ZERO);
    add_step(c, t, "budget",
             api_pack(c, "setBudget(uint64,uint192,uint64)",
                      json_pack("[o,s,i]", u64_json(u->id), UINT192_MAX_TEXT, BUDGET_WINDOW_S)),
             &U256_ZERO);
    if (gas != NULL && api_uint(gas, &wei) && !u256_is_zero(&wei))
        add_step(c, t, "gas", api_pack(c, "depositGas(uint64)", json_pack("[o]", u64_json(u->id))),
                 &wei);
    if (api_arg(c, "owner") != NULL && api_address(api_arg(c, "owner"), &owner) &&
        !addr20_eq(&owner, &operator_account))
        add_step(c, t, "owner",
                 api_pack(c, "transferOwnership(uint64,address)",
                          json_pack("[o,o]", u64_json(u->id), hex_json(owner.b, 20))),
                 &U256_ZERO);
}

void api_universe_create(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct api_universe u;
    struct api_call_spec s;
    if (t == NULL)
        return;
    const struct first_keys *k = t->extra;
    if (k != NULL) {
        if (!api_write_done(c, &k->write))
            return;
        for (size_t i = 0; i < 2; i++)
            api_keys_put(c->cx->keys, &k->keys[i]);
        print_created(c, t);
        return;
    }
    if (t->part_count == 0 && !api_keys_reserve(c->cx->keys, 2)) { /* before anything is sent */
        no_room_for_keys(c);
        return;
    }
    if (t->part_count == 0)
        api_keys_unreserve(c->cx->keys, 2);
    if (api_part_of(t, bytes_of("create", 6)) == NULL && api_universe_id(c->cx, api_slug(c)) != 0) {
        api_fail(c, API_CONFLICT, "the slug '%s' is taken", api_slug(c));
        return;
    }
    if (!registry_call(c, &s, "create"))
        return;
    create_call(c, &s);
    if (rpc_failed(c) || api_once(c, t, &s, "") == NULL || !api_universe_load(c, &u))
        return;
    add_steps(c, t, &u);
    if (rpc_failed(c))
        return;
    if (t->call_count > 0)
        api_task_send(c, "");
    else if (api_keys_list(c->cx->keys, u.slug, NULL, 0) > 0)
        print_created(c, t);
    else
        make_first_keys(c, t);
}

/* --- changing ------------------------------------------------------------------------------ */
void api_pause_set(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct api_universe u;
    struct api_call_spec s;
    struct json_writer w;
    if (t == NULL || !api_universe_load(c, &u) || !registry_call(c, &s, "pause"))
        return;
    s.data = api_pack(c, "setPaused(uint64,bool)",
                      json_pack("[o,b]", u64_json(u.id), json_is_true(api_arg(c, "paused"))));
    const struct api_part *p = api_once(c, t, &s, "");
    if (p == NULL)
        return;
    jw_init(&w, &c->result);
    api_part_print(&w, p);
}

/* Ends a run of requests with several calls of the registry: sends what was added; when there is
 * nothing more to send, answers with all of them, or with the first failure. */
static void send_or_answer(struct rpc_call *c, const struct api_task *t) {
    struct json_writer w;
    if (rpc_failed(c))
        return;
    if (t->call_count > 0) {
        api_task_send(c, "");
        return;
    }
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].state == API_PART_REVERTED) {
            api_fail(c, API_REVERTED, "the registry refused it");
            return;
        }
    jw_init(&w, &c->result);
    jw_array(&w);
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].state == API_PART_DONE)
            api_part_print(&w, &t->parts[i]);
    jw_array_end(&w);
}

static json_t *policy_value(struct world *w, const u256 *key, const json_t *change,
                            const char *name, enum system_field f, bool is_flag) {
    json_t *v = json_object_get(change, name);
    u256 now = sys_get(w, f, key);
    if (v != NULL && !json_is_null(v))
        return json_incref(v);
    return is_flag ? json_boolean(!u256_is_zero(&now)) : u256_json(&now);
}

static void add_policy(struct rpc_call *c, struct api_task *t, const struct api_universe *u,
                       json_t *change) {
    static const struct {
        const char *name;
        enum system_field field;
        bool is_flag;
    } fields[POLICY_FIELDS] = {{"active", SYS_POLICY_ACTIVE, true},
                               {"allowValue", SYS_POLICY_ALLOW_VALUE, true},
                               {"allowSetCode", SYS_POLICY_ALLOW_SET_CODE, true},
                               {"allowCreate", SYS_POLICY_ALLOW_CREATE, true},
                               {"maxDataBytes", SYS_POLICY_MAX_DATA, false},
                               {"expiry", SYS_POLICY_EXPIRY, false},
                               {"maxGas", SYS_POLICY_MAX_GAS, false},
                               {"maxCost", SYS_POLICY_MAX_COST, false}};
    struct world *w = api_world(c);
    u256 key = u256_from_u64(u->id), v;
    json_t *policy = json_array();
    if (change == NULL || w == NULL) {
        json_decref(policy);
        return;
    }
    static const unsigned bits[POLICY_FIELDS] = {1, 1, 1, 1, 32, 64, 64, 256};
    for (size_t i = 0; i < POLICY_FIELDS; i++) {
        json_t *value =
            policy_value(w, &key, change, fields[i].name, fields[i].field, fields[i].is_flag);
        if (!fields[i].is_flag && bits[i] < 256 && api_uint(value, &v)) {
            u256 shift = u256_from_u64(bits[i]), limit = u256_shl(&shift, &U256_ONE);
            if (u256_cmp(&v, &limit) >= 0)
                api_fail(c, API_INVALID, "policy.%s: has at most %u bits", fields[i].name, bits[i]);
        }
        (void)json_array_append_new(policy, value);
    }
    json_t *args = json_pack("[o,o]", u64_json(u->id), policy);
    if (rpc_failed(c)) {
        json_decref(args);
        return;
    }
    add_step(
        c, t, "policy",
        api_pack(c, "setPolicy(uint64,(bool,bool,bool,bool,uint32,uint64,uint64,uint256))", args),
        &U256_ZERO);
}

static void add_budget(struct rpc_call *c, struct api_task *t, const struct api_universe *u,
                       const char *meta, const char *signature, json_t *change) {
    u256 limit, shift = u256_from_u64(192), max = u256_shl(&shift, &U256_ONE);
    uint64_t window = 0;
    if (change == NULL || rpc_failed(c))
        return;
    CHECK(api_uint(json_object_get(change, "limit"), &limit));
    CHECK(api_u64(json_object_get(change, "window"), &window));
    if (u256_cmp(&limit, &max) >= 0) {
        api_fail(c, API_INVALID, "%s.limit: has at most 192 bits", meta);
        return;
    }
    add_step(c, t, meta,
             api_pack(c, signature,
                      json_pack("[o,o,o]", u64_json(u->id), u256_json(&limit), u64_json(window))),
             &U256_ZERO);
}

void api_policy_set(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct api_universe u;
    /* Fields that are not given stay as they are, so they must not change meanwhile. */
    if (t == NULL || !api_task_alone(c, "policy") || !api_universe_load(c, &u))
        return;
    if (t->part_count == 0 || t->replayed) {
        add_policy(c, t, &u, api_arg(c, "policy"));
        add_budget(c, t, &u, "budget", "setBudget(uint64,uint192,uint64)", api_arg(c, "budget"));
        add_budget(c, t, &u, "userBudget", "setUserBudget(uint64,uint192,uint64)",
                   api_arg(c, "userBudget"));
    }
    send_or_answer(c, t);
}

/* --- targets ------------------------------------------------------------------------------- */
/* The four bytes of a target: given, or of a function's signature. */
static bool target_selector(struct rpc_call *c, const json_t *target, uint8_t out[4]) {
    const char *selector = json_string_value(json_object_get(target, "selector"));
    const char *fn = json_string_value(json_object_get(target, "fn"));
    struct abi_entry e;
    struct err_ctx ec = {.text = ""};
    if (selector != NULL && fn == NULL && strlen(selector) == 10)
        return hex_decode_fixed(out, 4, selector) == ERR_OK;
    if (fn != NULL && selector == NULL &&
        abi_parse_signature(&e, rpc_arena(c), fn, &ec) == ERR_OK) {
        hash32 h = abi_hash(&e);
        memcpy(out, h.b, 4);
        return true;
    }
    api_fail(c, API_INVALID,
             "a target has either a selector of four bytes or fn, a signature such as f(uint256)");
    return false;
}

static void add_targets(struct rpc_call *c, struct api_task *t, const struct api_universe *u,
                        const char *name, const char *signature) {
    json_t *list = api_arg(c, name), *contracts = json_array(), *selectors = json_array();
    for (size_t i = 0; i < json_array_size(list) && !rpc_failed(c); i++) {
        json_t *target = json_array_get(list, i);
        uint8_t selector[4];
        if (!target_selector(c, target, selector))
            break;
        (void)json_array_append(contracts, json_object_get(target, "contract"));
        (void)json_array_append_new(selectors, hex_json(selector, 4));
    }
    bool any = json_array_size(contracts) > 0 && !rpc_failed(c);
    json_t *args = json_pack("[o,o,o]", u64_json(u->id), contracts, selectors);
    if (any)
        add_step(c, t, name, api_pack(c, signature, args), &U256_ZERO);
    else
        json_decref(args);
}

void api_targets_set(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct api_universe u;
    if (t == NULL || !api_universe_load(c, &u))
        return;
    if (t->part_count == 0 || t->replayed) {
        add_targets(c, t, &u, "remove", "removeTargets(uint64,address[],bytes4[])");
        add_targets(c, t, &u, "add", "addTargets(uint64,address[],bytes4[])");
    }
    send_or_answer(c, t);
}
