/* SPDX-License-Identifier: Apache-2.0 */
/* Asset classes and items of contracts that were deployed from the templates
 * (genesis/contracts/README.md has their functions). */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/map.h"
#include "rpc/api_contracts.h"
#include "rpc/api_task.h"
#include "rpc/json_writer.h"

#include <stdlib.h>
#include <string.h>

enum {
    ITEMS_MAX = 1000,
    CHUNK_MAX = 180, /* items of one transaction: some 60,000 gas each */
    ROUNDS_MAX = 4,  /* of sending what a transaction before could not do */
    CLASS_JSON_MAX_BYTES = 2048,
};

struct target {
    struct api_universe u;
    addr20 contract, signer;
    json_t *abi; /* or NULL */
};

/* True: t->abi is the caller's. */
static bool load_target(struct rpc_call *c, struct target *t) {
    const struct node_commands *node = c->cx->node;
    if (!api_universe_load(c, &t->u) || !api_contract(c, &t->u, &t->contract))
        return false;
    if (node->signer == NULL || !node->signer(node->outbox, t->u.slug, &t->signer)) {
        api_fail(c, API_UNSUPPORTED, "this node does not sign");
        return false;
    }
    t->abi = api_contract_abi(c, &t->u, &t->contract, false);
    return true;
}

/* --- items --------------------------------------------------------------------------------- */
enum item_state { ITEM_DUE, ITEM_MINTED, ITEM_EXISTS, ITEM_FAILED };
struct items {
    json_t *list; /* borrowed */
    size_t count;
    enum item_state state[ITEMS_MAX];
    const struct api_part *part[ITEMS_MAX]; /* of MINTED and FAILED */
    uint8_t reverted[ITEMS_MAX];            /* parts of it that were */
    hash32 reference[ITEMS_MAX];            /* zero: none */
};

/* Items of a part: their numbers, u16 each. */
static void take_part(struct items *it, const struct api_part *p) {
    for (size_t at = 0; at + 2 <= p->meta.len; at += 2) {
        size_t i = (size_t)p->meta.ptr[at] << 8 | p->meta.ptr[at + 1];
        if (i >= it->count || p->state == API_PART_LOST)
            continue;
        if (p->state == API_PART_REVERTED) {
            it->reverted[i]++;
            it->part[i] = it->part[i] != NULL ? it->part[i] : p;
        } else {
            it->state[i] = ITEM_MINTED;
            it->part[i] = p;
        }
    }
}

static void load_items(struct rpc_call *c, const struct api_task *t, struct items *it) {
    struct map seen;
    map_init(&seen, 32, 0, ITEMS_MAX, map_seed_random());
    it->list = api_arg(c, "items");
    it->count = json_array_size(it->list);
    CHECK(it->count <= ITEMS_MAX);
    for (size_t i = 0; i < t->part_count; i++)
        take_part(it, &t->parts[i]);
    for (size_t i = 0; i < it->count; i++) {
        json_t *reference = json_object_get(json_array_get(it->list, i), "referenceId");
        if (reference == NULL || !api_hash(reference, &it->reference[i]) ||
            hash32_is_zero(&it->reference[i]))
            continue;
        if (map_has(&seen, it->reference[i].b) && it->state[i] == ITEM_DUE)
            it->state[i] = ITEM_EXISTS; /* twice in one request */
        CHECK(map_put(&seen, it->reference[i].b, NULL) == ERR_OK);
    }
    map_clear(&seen);
}

static json_t *hash_json(const hash32 *h) {
    char text[67] = "0x";
    hex_encode(text + 2, h->b, 32);
    text[66] = '\0';
    return json_string(text);
}

/* Asks the contract which references of what is due are used. */
static void find_used(struct rpc_call *c, const struct target *t, struct items *it) {
    json_t *references = json_array(), *answer = NULL;
    size_t asked[ITEMS_MAX], n = 0;
    struct abi_entry outputs;
    struct err_ctx ec;
    bytes output;
    uint64_t gas = 0;
    for (size_t i = 0; i < it->count; i++)
        if (it->state[i] == ITEM_DUE && !hash32_is_zero(&it->reference[i])) {
            (void)json_array_append_new(references, hash_json(&it->reference[i]));
            asked[n++] = i;
        }
    if (n == 0) {
        json_decref(references);
        return;
    }
    struct api_call_spec s = {.from = t->signer, .to = t->contract, .abi = t->abi};
    s.data = api_pack(c, "referencesUsed(bytes32[])", json_pack("[o]", references));
    if (!api_simulate(c, &s, &output, &gas))
        return;
    CHECK(abi_parse_signature(&outputs, rpc_arena(c), "r(bool[])", &ec) == ERR_OK);
    if (abi_decode(&answer, &outputs.inputs, output) != ERR_OK ||
        json_array_size(json_array_get(answer, 0)) != n)
        api_fail(c, API_REVERTED, "the contract has no referencesUsed(bytes32[])");
    for (size_t i = 0; i < n && !rpc_failed(c); i++)
        if (json_is_true(json_array_get(json_array_get(answer, 0), i)))
            it->state[asked[i]] = ITEM_EXISTS;
    json_decref(answer);
}

static json_t *item_json(const struct items *it, size_t i) {
    json_t *item = json_array_get(it->list, i), *id = json_object_get(item, "id"),
           *amount = json_object_get(item, "amount");
    json_t *out = json_array();
    (void)json_array_append_new(out, hash_json(&it->reference[i]));
    (void)json_array_append(out, json_object_get(item, "to"));
    (void)json_array_append_new(out, id != NULL ? json_incref(id) : json_integer(0));
    (void)json_array_append_new(out, amount != NULL ? json_incref(amount) : json_integer(1));
    return out;
}

/* The call that mints these items; its meta names them. */
static void chunk_call(struct rpc_call *c, const struct items *it, const size_t *idx, size_t count,
                       struct api_call_spec *s, uint8_t meta[2 * CHUNK_MAX]) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, item_json(it, idx[i]));
        meta[2 * i] = (uint8_t)(idx[i] >> 8);
        meta[2 * i + 1] = (uint8_t)idx[i];
    }
    s->data = api_pack(c, "mintBatch((bytes32,address,uint256,uint256)[])", json_pack("[o]", list));
    s->meta = bytes_of(meta, 2 * count);
}

/* Adds transactions for what is due. */
static void add_chunks(struct rpc_call *c, const struct target *t, const struct items *it) {
    size_t due[ITEMS_MAX], n = 0, size = CHUNK_MAX;
    for (size_t i = 0; i < it->count; i++)
        if (it->state[i] == ITEM_DUE)
            due[n++] = i;
    for (size_t at = 0; at < n && !rpc_failed(c);) {
        uint8_t meta[2 * CHUNK_MAX];
        struct api_call_spec s = {.from = t->signer, .to = t->contract, .abi = t->abi};
        size_t count = n - at < size ? n - at : size;
        chunk_call(c, it, due + at, count, &s, meta);
        if (!api_fits(c, &s) && !rpc_failed(c) && count > 1) {
            size = count / 2;
            continue;
        }
        if (!rpc_failed(c) && api_task_add(c, &s))
            at += count;
    }
}

static void print_items(struct rpc_call *c, const struct items *it) {
    static const char *const names[] = {[ITEM_DUE] = "failed",
                                        [ITEM_MINTED] = "minted",
                                        [ITEM_EXISTS] = "exists",
                                        [ITEM_FAILED] = "failed"};
    struct json_writer w;
    size_t minted = 0;
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_key(&w, "items");
    jw_array(&w);
    for (size_t i = 0; i < it->count; i++) {
        minted += it->state[i] == ITEM_MINTED;
        jw_object(&w);
        jw_key(&w, "index");
        jw_int(&w, (int64_t)i);
        jw_m_text(&w, "status", names[it->state[i]]);
        jw_m_hash(&w, "referenceId", &it->reference[i]);
        if (it->part[i] != NULL && it->state[i] != ITEM_EXISTS)
            jw_m_hash(&w, "transaction", &it->part[i]->hash);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_key(&w, "minted");
    jw_int(&w, (int64_t)minted);
    jw_object_end(&w);
}

static bool any_due(struct items *it) {
    bool any = false;
    for (size_t i = 0; i < it->count; i++) {
        if (it->state[i] == ITEM_DUE && it->reverted[i] >= ROUNDS_MAX)
            it->state[i] = ITEM_FAILED;
        any = any || it->state[i] == ITEM_DUE;
    }
    return any;
}

/* Where some are minted and the rest cannot be: the answer says which. */
static void print_partly(struct rpc_call *c, struct items *it) {
    if (!api_task_partly(c))
        return;
    memset(it, 0, sizeof(*it));
    load_items(c, c->state, it);
    print_items(c, it);
}

static void mint_items(struct rpc_call *c, struct api_task *t, const struct target *target,
                       struct items *it) {
    load_items(c, t, it);
    find_used(c, target, it);
    if (!rpc_failed(c) && any_due(it))
        add_chunks(c, target, it);
    if (rpc_failed(c)) {
        print_partly(c, it);
        return;
    }
    if (t->call_count > 0)
        api_task_send(c, api_slug(c));
    else
        print_items(c, it);
}

void api_mint(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct target target;
    struct items *it = calloc(1, sizeof(*it));
    CHECK(it != NULL);
    if (t == NULL) {
        print_partly(c, it);
    } else if (load_target(c, &target)) {
        mint_items(c, t, &target, it);
        json_decref(target.abi);
    }
    free(it);
}

/* --- classes ------------------------------------------------------------------------------- */
/* What read models and wallets are told of a class. */
static char *class_json(const json_t *class) {
    static const char *const members[] = {"name",   "description", "image",
                                          "rarity", "variations",  "attributes"};
    json_t *out = json_object();
    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        json_t *v = json_object_get(class, members[i]);
        if (v != NULL && !json_is_null(v))
            (void)json_object_set(out, members[i], v);
    }
    char *text = json_dumps(out, JSON_COMPACT);
    CHECK(text != NULL);
    json_decref(out);
    return text;
}

static json_t *data_json(const char *text) {
    struct buf b;
    buf_init(&b, 2 * CLASS_JSON_MAX_BYTES + 16);
    hex_put(&b, text, strlen(text));
    json_t *v = json_stringn((const char *)b.ptr, b.len);
    buf_clear(&b);
    return v;
}

/* Whether the contract has the class already. */
static bool class_defined(struct rpc_call *c, const struct target *t, json_t *id) {
    struct api_call_spec s = {.from = t->signer, .to = t->contract, .abi = t->abi};
    bytes output;
    uint64_t gas = 0;
    s.data = api_pack(c, "classOf(uint256)", json_pack("[O]", id));
    return api_simulate(c, &s, &output, &gas) && output.len >= 32 && output.ptr[31] == 1;
}

static void add_class(struct rpc_call *c, const struct target *t, const json_t *class,
                      const uint8_t meta[2]) {
    json_t *id = json_object_get(class, "id"), *cap = json_object_get(class, "maxSupply");
    char *text = class_json(class);
    if (strlen(text) > CLASS_JSON_MAX_BYTES) {
        api_fail(c, API_INVALID, "classes: what is said of one takes more than %d bytes",
                 CLASS_JSON_MAX_BYTES);
    } else {
        struct api_call_spec s = {.from = t->signer, .to = t->contract, .abi = t->abi};
        s.data = api_pack(c, "defineClass(uint256,uint256,bytes)",
                          json_pack("[O,o,o]", id, cap != NULL ? json_incref(cap) : json_integer(0),
                                    data_json(text)));
        s.meta = bytes_of(meta, 2);
        (void)api_task_add(c, &s);
    }
    free(text);
}

static void print_classes(struct rpc_call *c, const struct api_task *t) {
    json_t *list = api_arg(c, "classes");
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_key(&w, "classes");
    jw_array(&w);
    for (size_t i = 0; i < json_array_size(list); i++) {
        uint8_t meta[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        const struct api_part *p = api_part_of(t, bytes_of(meta, 2));
        u256 id;
        char text[79];
        CHECK(api_uint(json_object_get(json_array_get(list, i), "id"), &id));
        jw_object(&w);
        jw_m_text(&w, "id", u256_to_dec(text, &id));
        jw_m_text(&w, "status",
                  p == NULL                   ? "exists"
                  : p->state == API_PART_DONE ? "defined"
                                              : "failed");
        if (p != NULL)
            jw_m_hash(&w, "transaction", &p->hash);
        jw_object_end(&w);
    }
    jw_array_end(&w);
    jw_object_end(&w);
}

static void define_classes(struct rpc_call *c, struct api_task *t, const struct target *target) {
    json_t *list = api_arg(c, "classes");
    for (size_t i = 0; i < json_array_size(list) && !rpc_failed(c); i++) {
        uint8_t meta[2] = {(uint8_t)(i >> 8), (uint8_t)i};
        json_t *class = json_array_get(list, i);
        if (api_part_of(t, bytes_of(meta, 2)) == NULL &&
            !class_defined(c, target, json_object_get(class, "id")) && !rpc_failed(c))
            add_class(c, target, class, meta);
    }
    if (rpc_failed(c))
        return;
    if (t->call_count > 0)
        api_task_send(c, api_slug(c));
    else
        print_classes(c, t);
}

void api_classes_define(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct target target;
    if (t == NULL || !load_target(c, &target))
        return;
    define_classes(c, t, &target);
    json_decref(target.abi);
}
