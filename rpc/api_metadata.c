/* SPDX-License-Identifier: Apache-2.0 */
/* What a token is, as wallets and markets read it (ERC-721 §Metadata, ERC-1155 §Metadata URI), out
 * of what the contract said when its class was defined or described anew. */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "index/universe.h"
#include "rpc/api_universe.h"

#include <stdlib.h>
#include <string.h>

enum { HEX_ID_DIGITS = 64 };

/* What was said of the class that a token is of; NULL with the error set. */
static json_t *class_about(struct rpc_call *c, const addr20 *contract, const u256 *class) {
    struct index_class about;
    json_t *v = NULL;
    enum err e = index_class(&about, rpc_arena(c), rpc_head_view(c), contract, class);
    if (e == ERR_OK)
        v = json_loadb((const char *)about.metadata.ptr, about.metadata.len, 0, NULL);
    if (json_is_object(v))
        return v;
    json_decref(v);
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        rpc_fail_err(c, e, NULL);
    else
        api_fail(c, API_NOT_FOUND, "%s",
                 e == ERR_NOT_FOUND ? "no class of this contract has such tokens"
                                    : "what was said of the class is no JSON object");
    return NULL;
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
static bool token_id(struct rpc_call *c, enum index_standard standard, u256 *out) {
    const char *text = api_arg_text(c, "id");
    if (standard != INDEX_ERC721 && strlen(text) == HEX_ID_DIGITS) {
        uint8_t be[32];
        if (hex_decode_fixed(be, 32, text) == ERR_OK) {
            *out = u256_from_be32(be);
            return true;
        }
    }
    return api_uint(api_arg(c, "id"), out);
}

void api_metadata_get(struct rpc_call *c) {
    struct api_universe u;
    struct index_contract contract;
    addr20 address;
    u256 id;
    if (!api_universe_load(c, &u) || !api_contract(c, &u, &address))
        return;
    enum err e = index_contract(&contract, rpc_head_view(c), &address);
    if (e != ERR_OK) {
        rpc_fail_err(c, e, NULL);
        return;
    }
    if (!token_id(c, contract.standard, &id)) {
        api_fail(c, API_INVALID, "id: a number, or 64 hexadecimal digits");
        return;
    }
    id = index_class_of(contract.standard, &id);
    json_t *about = class_about(c, &address, &id);
    if (about != NULL)
        print_metadata(c, about);
    json_decref(about);
}
