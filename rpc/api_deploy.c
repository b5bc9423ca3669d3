/* SPDX-License-Identifier: Apache-2.0 */
/* Contracts from templates: deployed by the operator through the factory, their functions then
 * listed among what the universe pays for. */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "rpc/api_contracts.h"
#include "rpc/api_reads.h"
#include "rpc/api_task.h"
#include "rpc/api_write.h"
#include "rpc/json_writer.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SELECTORS_MAX = 64, BASE_URI_MAX = 512 };
#define GWEI 1000000000

static json_t *hex_json(bytes b) {
    struct buf text;
    buf_init(&text, 1 << 20);
    hex_put(&text, b.ptr, b.len);
    json_t *v = json_stringn((const char *)text.ptr, text.len);
    buf_clear(&text);
    CHECK(v != NULL);
    return v;
}

static json_t *u64_json(uint64_t v) {
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    return json_string(text);
}

struct deployment {
    struct api_universe u;
    enum template_id template;
    addr20 operator_account, signer, admin;
    u256 max_fee;
};

static bool load(struct rpc_call *c, struct deployment *d) {
    const struct node_commands *node = c->cx->node;
    const char *name = api_arg_text(c, "template");
    u256 price, tip = u256_from_u64(GWEI);
    if (!api_universe_load(c, &d->u) || !api_next_price(c, &price))
        return false;
    if (!template_find(&d->template, name, strlen(name))) {
        api_fail(c, API_INVALID, "template: want erc20, erc721 or items");
        return false;
    }
    if (!node->signer(node->outbox, "", &d->operator_account) ||
        !node->signer(node->outbox, d->u.slug, &d->signer)) {
        api_fail(c, API_UNSUPPORTED, "this node has no operator's account (--operator-key)");
        return false;
    }
    d->admin = d->u.owner;
    if (api_arg(c, "admin") != NULL)
        CHECK(api_address(api_arg(c, "admin"), &d->admin));
    d->max_fee = u256_add(&price, &price);
    d->max_fee = u256_add(&d->max_fee, &tip);
    return true;
}

/* The constructor's arguments. */
static bytes arguments(struct rpc_call *c, const struct deployment *d) {
    json_t *name = api_arg(c, "name"), *symbol = api_arg(c, "symbol"),
           *decimals = api_arg(c, "decimals"), *cap = api_arg(c, "cap");
    json_t *admin = hex_json(bytes_of(d->admin.b, 20)),
           *minter = hex_json(bytes_of(d->signer.b, 20));
    char base[BASE_URI_MAX];
    bytes call;
    if (d->template == TEMPLATE_ERC20) {
        call = api_pack(c, "c(string,string,uint8,uint256,address,address)",
                        json_pack("[O,O,o,o,o,o]", name, symbol,
                                  decimals != NULL ? json_incref(decimals) : json_integer(18),
                                  cap != NULL ? json_incref(cap) : json_integer(0), admin, minter));
    } else {
        snprintf(base, sizeof(base), "%s/v1/u/%s/contracts/", c->cx->node->public_url, d->u.slug);
        call = api_pack(c, "c(string,string,string,address,address)",
                        json_pack("[O,O,s,o,o]", name, symbol, base, admin, minter));
    }
    return call.len >= 4 ? bytes_of(call.ptr + 4, call.len - 4) : call;
}

/* The first step's meta: "d" and the address that the contract gets. */
static const struct api_part *deployed_part(const struct api_task *t) {
    for (size_t i = t->part_count; i-- > 0;)
        if (t->parts[i].state != API_PART_LOST && t->parts[i].meta.len == 21 &&
            t->parts[i].meta.ptr[0] == 'd')
            return &t->parts[i];
    return NULL;
}

static void send_deployment(struct rpc_call *c, const struct deployment *d) {
    struct world *w = api_world(c);
    struct buf code;
    uint8_t salt[32], meta[21] = "d";
    bytes output, args = arguments(c, d);
    uint64_t gas = 0;
    if (w == NULL)
        return;
    if (RAND_bytes(salt, sizeof(salt)) != 1) {
        api_fail(c, API_INTERNAL, "the system has no random bytes");
        return;
    }
    bytes init = template_init_code(d->template, rpc_arena(c));
    buf_init(&code, 1 << 20);
    buf_append(&code, init.ptr, init.len);
    buf_append(&code, args.ptr, args.len);
    struct api_call_spec s = {.from = d->operator_account,
                              .to = sys_get_addr(w, SYS_REGISTRY_FACTORY, NULL),
                              .max_fee = d->max_fee};
    s.data = api_pack(c, "deploy(uint64,bytes32,bytes)",
                      json_pack("[o,o,o]", u64_json(d->u.id), hex_json(bytes_of(salt, 32)),
                                hex_json(buf_bytes(&code))));
    buf_clear(&code);
    if (!api_simulate(c, &s, &output, &gas))
        return;
    if (output.len != 32) {
        api_fail(c, API_INTERNAL, "the factory gives no address");
        return;
    }
    memcpy(meta + 1, output.ptr + 12, 20);
    s.meta = bytes_of(meta, sizeof(meta));
    if (api_task_add(c, &s))
        api_task_send(c, "");
}

/* --- what the universe pays for ------------------------------------------------------------ */
/* Functions that change something, but those that give rights away. */
static bool is_target(const json_t *entry) {
    static const char *const kept[] = {"grantRole", "revokeRole", "renounceRole",
                                       "transferOwnership", "renounceOwnership"};
    const char *type = json_string_value(json_object_get(entry, "type"));
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *how = json_string_value(json_object_get(entry, "stateMutability"));
    if (type == NULL || name == NULL || how == NULL || strcmp(type, "function") != 0 ||
        strcmp(how, "nonpayable") != 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (strcmp(kept[i], name) == 0)
            return false;
    return true;
}

static void add_targets(struct rpc_call *c, const struct deployment *d, const addr20 *contract) {
    bytes text = template_abi(d->template);
    json_t *abi = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    json_t *contracts = json_array(), *selectors = json_array();
    struct abi_entry e;
    for (size_t i = 0; i < json_array_size(abi); i++) {
        if (!is_target(json_array_get(abi, i)))
            continue;
        CHECK(abi_parse_entry(&e, rpc_arena(c), json_array_get(abi, i), NULL) == ERR_OK);
        hash32 h = abi_hash(&e);
        (void)json_array_append_new(contracts, hex_json(bytes_of(contract->b, 20)));
        (void)json_array_append_new(selectors, hex_json(bytes_of(h.b, 4)));
    }
    json_decref(abi);
    struct api_call_spec s = {.from = d->operator_account,
                              .to = system_address(SYSTEM_REGISTRY),
                              .max_fee = d->max_fee,
                              .meta = bytes_of("targets", 7)};
    s.data = api_pack(c, "addTargets(uint64,address[],bytes4[])",
                      json_pack("[o,o,o]", u64_json(d->u.id), contracts, selectors));
    (void)api_task_add(c, &s);
}

/* --- remembering --------------------------------------------------------------------------- */
struct memory {
    struct api_write write;
    uint8_t key[API_CONTRACT_KEY_BYTES];
    struct buf value;
};

static void memory_free(void *extra) {
    struct memory *m = extra;
    buf_clear(&m->value);
    free(m);
}

/* Which template the contract is from is kept before anything else is tried: it is there. */
static void remember(struct rpc_call *c, struct api_task *t, const struct deployment *d,
                     const addr20 *contract) {
    const char *name = template_name(d->template);
    json_t *about =
        json_pack("{s:O,s:O}", "name", api_arg(c, "name"), "symbol", api_arg(c, "symbol"));
    char *text = json_dumps(about, JSON_COMPACT);
    struct memory *m = calloc(1, sizeof(*m));
    CHECK(text != NULL);
    CHECK(m != NULL);
    buf_init(&m->value, 4096);
    buf_append_byte(&m->value, API_TOKEN_VERSION);
    buf_append_byte(&m->value, (uint8_t)strlen(name));
    buf_append_str(&m->value, name);
    buf_append_str(&m->value, text);
    m->write.ops[0] = (struct kv_op){.space = KV_TOKEN,
                                     .key = api_contract_key(m->key, d->u.id, contract),
                                     .value = buf_bytes(&m->value)};
    m->write.count = 1;
    t->extra = m;
    t->extra_free = memory_free;
    free(text);
    json_decref(about);
    api_write_ask(c, &m->write);
}

static void print_contract(struct json_writer *w, const addr20 *a, const char *template,
                           size_t template_len, bytes about) {
    json_t *o = json_loadb((const char *)about.ptr, about.len, 0, NULL);
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *symbol = json_string_value(json_object_get(o, "symbol"));
    jw_object(w);
    jw_m_addr(w, "address", a);
    jw_key(w, "template");
    jw_str(w, template, template_len);
    if (name != NULL)
        jw_m_text(w, "name", name);
    if (symbol != NULL)
        jw_m_text(w, "symbol", symbol);
    jw_object_end(w);
    json_decref(o);
}

static void print_deployed(struct rpc_call *c, const struct api_task *t, const struct deployment *d,
                           const addr20 *contract) {
    struct json_writer w;
    json_t *about =
        json_pack("{s:O,s:O}", "name", api_arg(c, "name"), "symbol", api_arg(c, "symbol"));
    char *text = json_dumps(about, JSON_COMPACT);
    const char *template = template_name(d->template);
    CHECK(text != NULL);
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_key(&w, "contract");
    print_contract(&w, contract, template, strlen(template), bytes_of(text, strlen(text)));
    api_print_transactions(&w, t);
    jw_object_end(&w);
    free(text);
    json_decref(about);
}

/* The last step: the universe pays for calls of the contract. */
static void let_pay(struct rpc_call *c, struct api_task *t, const struct deployment *d,
                    const addr20 *contract) {
    const struct api_part *p = api_part_of(t, bytes_of("targets", 7));
    if (p != NULL && p->state == API_PART_REVERTED)
        api_fail(c, API_REVERTED,
                 "the contract is there, but not among what the universe pays for");
    else if (p != NULL)
        print_deployed(c, t, d, contract);
    else
        add_targets(c, d, contract);
    if (!rpc_failed(c) && p == NULL)
        api_task_send(c, "");
}

/* --- routes -------------------------------------------------------------------------------- */
void api_deploy(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct deployment d;
    addr20 contract;
    if (t == NULL || !load(c, &d))
        return;
    const struct api_part *p = deployed_part(t);
    if (p == NULL) {
        send_deployment(c, &d);
        return;
    }
    if (p->state == API_PART_REVERTED) {
        api_fail(c, API_REVERTED, "the deployment was reverted");
        return;
    }
    memcpy(contract.b, p->meta.ptr + 1, 20);
    const struct memory *m = t->extra;
    if (m == NULL)
        remember(c, t, &d, &contract);
    else if (api_write_done(c, &m->write))
        let_pay(c, t, &d, &contract);
}

/* The contract as this node knows it, and as its logs do. */
static void print_listed(struct rpc_call *c, struct json_writer *w,
                         const struct index_contract *k) {
    const struct node_commands *node = c->cx->node;
    uint8_t key[API_CONTRACT_KEY_BYTES];
    struct buf row;
    enum template_id template;
    buf_init(&row, KV_VALUE_MAX_BYTES);
    bool ours =
        node->kv_get(node->ctx, KV_TOKEN, api_contract_key(key, k->universe, &k->address), &row) &&
        api_token_template(&template, buf_bytes(&row));
    json_t *about = NULL;
    if (ours) {
        size_t len = row.ptr[1];
        about = json_loadb((const char *)row.ptr + 2 + len, row.len - 2 - len, 0, NULL);
    }
    jw_object(w);
    jw_m_addr(w, "address", &k->address);
    jw_m_text(w, "standard", index_standard_name(k->standard));
    jw_key(w, "block");
    jw_int(w, (int64_t)k->block);
    if (ours)
        jw_m_text(w, "template", template_name(template));
    static const char *const names[] = {"name", "symbol"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *text = json_string_value(json_object_get(about, names[i]));
        if (text != NULL)
            jw_m_text(w, names[i], text);
    }
    jw_object_end(w);
    json_decref(about);
    buf_clear(&row);
}

void api_contract_list(struct rpc_call *c) {
    struct api_universe u;
    struct json_writer w;
    struct index_page at;
    size_t n = 0, limit = api_page_limit(c);
    if (!api_universe_load(c, &u) || !api_page_place(c, &at))
        return;
    struct index_contract *list = arena_alloc(rpc_arena(c), limit * sizeof(*list));
    if (!api_page_ok(c, index_contracts(list, &n, &at, rpc_head_view(c), u.id, limit)))
        return;
    api_page_begin(&w, c);
    for (size_t i = 0; i < n; i++)
        print_listed(c, &w, &list[i]);
    api_page_end(&w, &at);
}
