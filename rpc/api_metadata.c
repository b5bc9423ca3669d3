/* SPDX-License-Identifier: Apache-2.0 */
/* What a token is, as wallets and markets read it (ERC-721 §Metadata, ERC-1155 §Metadata URI), out
 * of what the contract said when its class was defined or described anew. */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "rpc/api_contracts.h"
#include "rpc/api_task.h"
#include "rpc/json_writer.h"

#include <stdlib.h>
#include <string.h>

enum { LOGS_MAX = 1000, BLOCKS_MAX = 10000, HEX_ID_DIGITS = 64, CLASS_SHIFT = 64 };

/* The newest description of a class: JSON text in the call's arena. */
struct class_search {
    struct arena *arena;
    const struct abi_type *with_cap, *without;
    hash32 defined;
    json_t *found;
};

static enum err on_log(void *ctx, const struct index_log *l) {
    struct class_search *s = ctx;
    bool cap = hash32_eq(&l->log->topics[0], &s->defined);
    json_t *values = NULL, *last;
    uint8_t text[4096];
    size_t len = 0;
    if (abi_decode(&values, cap ? s->with_cap : s->without, l->log->data) != ERR_OK)
        return ERR_OK; /* not of our templates */
    last = json_array_get(values, cap ? 1 : 0);
    if (json_is_string(last) && hex_decode(text, sizeof(text), &len, json_string_value(last),
                                           json_string_length(last)) == ERR_OK) {
        json_t *about = json_loadb((const char *)text, len, 0, NULL);
        if (json_is_object(about)) {
            json_decref(s->found);
            s->found = json_incref(about);
        }
        json_decref(about);
    }
    json_decref(values);
    return ERR_OK;
}

static json_t *class_about(struct rpc_call *c, const addr20 *contract, const u256 *class) {
    struct abi_entry defined, changed;
    hash32 events[2], id;
    uint64_t last = 0;
    struct err_ctx ec = {.text = ""};
    CHECK(abi_parse_signature(&defined, rpc_arena(c), "ClassDefined(uint256,uint256,bytes)", &ec) ==
          ERR_OK);
    CHECK(abi_parse_signature(&changed, rpc_arena(c), "ClassMetadataChanged(uint256,bytes)", &ec) ==
          ERR_OK);
    events[0] = abi_hash(&defined);
    events[1] = abi_hash(&changed);
    u256_to_be32(id.b, class);
    /* The data has what is not indexed: all but the id. */
    struct abi_type with_cap = {.kind = ABI_TUPLE, .items = defined.inputs.items + 1, .count = 2};
    struct abi_type without = {.kind = ABI_TUPLE, .items = changed.inputs.items + 1, .count = 1};
    struct class_search s = {
        .arena = rpc_arena(c), .with_cap = &with_cap, .without = &without, .defined = events[0]};
    struct index_query q = {
        .source = &c->cx->source,
        .view = rpc_head_view(c),
        .filter = {.to = rpc_head_number(c),
                   .addresses = contract,
                   .address_count = 1,
                   .topics = {{.values = events, .count = 2}, {.values = &id, .count = 1}},
                   .topic_count = 2},
        .logs_max = LOGS_MAX,
        .blocks_max = BLOCKS_MAX,
        .fn = on_log,
        .ctx = &s};
    enum err e = index_logs(&last, rpc_arena(c), &q, &ec);
    if (s.found == NULL)
        api_fail(c, e == ERR_OK || e == ERR_PRUNED ? API_NOT_FOUND : API_LIMIT, "%s",
                 e == ERR_OK       ? "no class of this contract has such tokens"
                 : e == ERR_PRUNED ? "what was said of the class is not kept any more"
                                   : "the class was described too often");
    return s.found;
}

/* --- printing ------------------------------------------------------------------------------ */
static void print_trait(json_t *list, const char *name, const json_t *value) {
    if (value != NULL && !json_is_null(value))
        (void)json_array_append_new(list,
                                    json_pack("{s:s,s:O}", "trait_type", name, "value", value));
}

static const char *text_of(const json_t *about, const char *name) {
    const char *s = json_string_value(json_object_get(about, name));
    return s != NULL ? s : "";
}

static void print_metadata(struct rpc_call *c, const json_t *about) {
    json_t *traits = json_array(), *attributes = json_object_get(about, "attributes"), *v;
    const char *name;
    print_trait(traits, "rarity", json_object_get(about, "rarity"));
    json_object_foreach(attributes, name, v) print_trait(traits, name, v);
    json_t *out =
        json_pack("{s:s,s:s,s:o,s:O}", "name", text_of(about, "name"), "description",
                  text_of(about, "description"), "attributes", traits, "properties", about);
    if (text_of(about, "image")[0] != '\0')
        (void)json_object_set_new(out, "image", json_string(text_of(about, "image")));
    char *text = json_dumps(out, JSON_COMPACT);
    CHECK(text != NULL);
    buf_append_str(&c->result, text);
    free(text);
    json_decref(out);
}

/* ERC-1155's {id} is 64 hexadecimal digits; ids of ERC-721 are decimal. */
static bool token_id(struct rpc_call *c, enum template_id template, u256 *out) {
    const char *text = api_arg_text(c, "id");
    if (template != TEMPLATE_ERC721 && strlen(text) == HEX_ID_DIGITS) {
        uint8_t be[32];
        if (hex_decode_fixed(be, 32, text) == ERR_OK) {
            *out = u256_from_be32(be);
            return true;
        }
    }
    return api_uint(api_arg(c, "id"), out);
}

void api_metadata_get(struct rpc_call *c) {
    const struct node_commands *node = c->cx->node;
    struct api_universe u;
    addr20 contract;
    u256 id;
    uint8_t key[API_CONTRACT_KEY_BYTES];
    struct buf row;
    enum template_id template = TEMPLATE_ITEMS;
    if (!api_universe_load(c, &u) || !api_contract(c, &u, &contract))
        return;
    buf_init(&row, KV_VALUE_MAX_BYTES);
    if (node->kv_get(node->ctx, KV_TOKEN, api_contract_key(key, u.id, &contract), &row))
        (void)!api_token_template(&template, buf_bytes(&row));
    buf_clear(&row);
    if (!token_id(c, template, &id)) {
        api_fail(c, API_INVALID, "id: a number, or 64 hexadecimal digits");
        return;
    }
    if (template == TEMPLATE_ERC721) {
        u256 shift = u256_from_u64(CLASS_SHIFT);
        id = u256_shr(&shift, &id);
    }
    json_t *about = class_about(c, &contract, &id);
    if (about != NULL)
        print_metadata(c, about);
    json_decref(about);
}
