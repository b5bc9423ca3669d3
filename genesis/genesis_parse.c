/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/system_state.h"
#include "evm/evm.h"
#include "genesis/genesis_internal.h"
#include "genesis/predeploys.h"

#include <stdio.h>
#include <stdlib.h>

/* Reads the value of `key` if the object has it. */
#define OPTIONAL(parent, key, call)                                                                \
    do {                                                                                           \
        struct gvalue v = gvalue_member((parent), (key));                                          \
        if (v.json != NULL)                                                                        \
            TRY(call);                                                                             \
    } while (0)

/* --- config and section "callipter" ------------------------------------------------------ */

static enum err parse_config(struct genesis *g, const struct gvalue *root) {
    struct gvalue config = gvalue_member(root, "config");
    TRY(gvalue_object(&config, NULL));
    struct gvalue id = gvalue_member(&config, "chainId");
    return gvalue_u64(&id, &g->config.chain_id, 1, (uint64_t)INT64_MAX);
}

static enum err parse_numbers(struct genesis_params *p, const struct gvalue *s) {
#define PARAM_U64(key, member, preset, min, max, meaning)                                          \
    OPTIONAL(s, key, gvalue_u64(&v, &p->member, min, max));
#define PARAM_WEI(key, member, preset, max_bits, meaning)                                          \
    OPTIONAL(s, key, gvalue_u256(&v, &p->member, max_bits));
#include "genesis/params.def"
    if (u256_is_zero(&p->congestion_unit_wei))
        FAIL(s->ec, ERR_CONFIG,
             "genesis: callipter.congestionUnit is 0: the price would never rise");
    return ERR_OK;
}

/* One of two words. */
static enum err parse_choice(const struct gvalue *v, bool *out, const char *no, const char *yes) {
    const char *text = json_is_string(v->json) ? json_string_value(v->json) : "";
    char shown[64];
    if (strcmp(text, no) != 0 && strcmp(text, yes) != 0)
        FAIL(v->ec, ERR_CONFIG, "genesis: %s is %s, but must be \"%s\" or \"%s\"", v->path,
             gvalue_text(v, shown), no, yes);
    *out = strcmp(text, yes) == 0;
    return ERR_OK;
}

static enum err parse_addrs(const struct gvalue *v, struct arena *a, addr20 **out,
                            size_t *out_count, size_t max) {
    TRY(gvalue_array(v, max));
    size_t n = json_array_size(v->json);
    addr20 *list = arena_alloc(a, (n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        struct gvalue e = gvalue_element(v, i);
        TRY(gvalue_addr(&e, &list[i]));
        for (size_t k = 0; k < i; k++)
            if (addr20_eq(&list[k], &list[i]))
                FAIL(v->ec, ERR_CONFIG, "genesis: %s is in the list twice", e.path);
        if (addr20_is_zero(&list[i]))
            FAIL(v->ec, ERR_CONFIG, "genesis: %s is the zero address", e.path);
    }
    *out = list;
    *out_count = n;
    return ERR_OK;
}

static enum err parse_bounds(struct genesis_time_bounds *b, const struct gvalue *self) {
    static const char *const known[] = {"delayBlocks", "futureBlocks", "delaySeconds",
                                        "futureSeconds", NULL};
    const uint64_t max = UINT64_C(1) << 40;
    TRY(gvalue_object(self, known));
    OPTIONAL(self, "delayBlocks", gvalue_u64(&v, &b->delay_blocks, 0, max));
    OPTIONAL(self, "futureBlocks", gvalue_u64(&v, &b->future_blocks, 0, max));
    OPTIONAL(self, "delaySeconds", gvalue_u64(&v, &b->delay_seconds, 0, max));
    OPTIONAL(self, "futureSeconds", gvalue_u64(&v, &b->future_seconds, 0, max));
    return ERR_OK;
}

static enum err parse_predeploys(const struct gvalue *v, bool *wanted) {
    TRY(gvalue_array(v, PREDEPLOY_COUNT));
    for (int id = 0; id < PREDEPLOY_COUNT; id++)
        wanted[id] = !predeploy_optional((enum predeploy_id)id);
    for (size_t i = 0; i < json_array_size(v->json); i++) {
        struct gvalue e = gvalue_element(v, i);
        const char *name = json_is_string(e.json) ? json_string_value(e.json) : "";
        bool known = false;
        char shown[64];
        for (int id = 0; id < PREDEPLOY_COUNT; id++)
            if (strcmp(predeploy_name((enum predeploy_id)id), name) == 0)
                known = wanted[id] = true;
        if (!known)
            FAIL(v->ec, ERR_CONFIG, "genesis: %s is %s, which is no predeploy of this program",
                 e.path, gvalue_text(&e, shown));
    }
    return ERR_OK;
}

static enum err parse_fee_account(struct genesis *g, const struct gvalue *s) {
    struct genesis_params *p = &g->params;
    struct gvalue v = gvalue_member(s, "networkFeeAccount");
    if (v.json != NULL)
        return gvalue_addr(&v, &p->network_fee_account);
    /* A chain without an owner keeps its fees where the prices are kept, spendable by no one. */
    p->network_fee_account = p->owner_count > 0 ? p->owners[0] : system_address(SYSTEM_PRICING);
    return ERR_OK;
}

static enum err parse_section(struct genesis *g, const struct gvalue *root, bool *wanted) {
    static const char *const known[] = {
#define PARAM_U64(key, member, preset, min, max, meaning) key,
#define PARAM_WEI(key, member, preset, max_bits, meaning) key,
#include "genesis/params.def"
        "evmNumber",         "parentChainId",    "owners",
        "networkFeeAccount", "universeCreation", "creators",
        "timeBounds",        "predeploys",       NULL};
    struct gvalue s = gvalue_member(root, "callipter");
    struct genesis_params *p = &g->params;
    if (s.json != NULL)
        TRY(gvalue_object(&s, known));
    TRY(parse_numbers(p, &s));
    OPTIONAL(&s, "evmNumber", parse_choice(&v, &g->config.evm_number_parent, "l3", "parent"));
    OPTIONAL(&s, "parentChainId", gvalue_u64(&v, &g->parent_chain_id, 1, (uint64_t)INT64_MAX));
    g->config.has_parent = g->parent_chain_id != 0;
    OPTIONAL(&s, "owners",
             parse_addrs(&v, &g->arena, &p->owners, &p->owner_count, GENESIS_OWNERS_MAX));
    OPTIONAL(&s, "creators",
             parse_addrs(&v, &g->arena, &p->creators, &p->creator_count, GENESIS_CREATORS_MAX));
    OPTIONAL(&s, "universeCreation",
             parse_choice(&v, &p->universe_creation_open, "listed", "open"));
    OPTIONAL(&s, "timeBounds", parse_bounds(&g->bounds, &v));
    OPTIONAL(&s, "predeploys", parse_predeploys(&v, wanted));
    return parse_fee_account(g, &s);
}

/* --- alloc ------------------------------------------------------------------------------- */

static int slot_cmp(const void *a, const void *b) {
    return u256_cmp(&((const struct genesis_slot *)a)->key, &((const struct genesis_slot *)b)->key);
}

static enum err parse_storage(struct genesis_account *acc, struct arena *a,
                              const struct gvalue *v) {
    TRY(gvalue_object(v, NULL));
    acc->slots = arena_alloc(a, (json_object_size(v->json) + 1) * sizeof *acc->slots);
    const char *key;
    json_t *json;
    json_object_foreach((json_t *)(uintptr_t)v->json, key, json) {
        struct gvalue e = gvalue_member(v, key);
        struct genesis_slot s;
        char text[80];
        /* geth writes keys as 32 bytes, some tools without 0x. */
        (void)snprintf(text, sizeof text, "%s%.70s", key[0] == '0' && key[1] == 'x' ? "" : "0x",
                       key);
        if (gtext_u256(text, &s.key) != ERR_OK)
            FAIL(v->ec, ERR_CONFIG,
                 "genesis: %s is not the key of a storage slot: 32 bytes in hexadecimal", e.path);
        TRY(gvalue_u256(&e, &s.value, 256));
        if (!u256_is_zero(&s.value))
            acc->slots[acc->slot_count++] = s;
    }
    qsort(acc->slots, acc->slot_count, sizeof *acc->slots, slot_cmp);
    for (size_t i = 1; i < acc->slot_count; i++)
        if (u256_eq(&acc->slots[i - 1].key, &acc->slots[i].key))
            FAIL(v->ec, ERR_CONFIG, "genesis: %s has a slot under two spellings of its key",
                 v->path);
    return ERR_OK;
}

/* geth takes "secretKey" as a comment, and so does this. */
static enum err parse_account(struct genesis_account *acc, struct arena *a,
                              const struct gvalue *self, const char *key) {
    static const char *const known[] = {"balance",   "nonce",   "code", "storage",
                                        "secretKey", "comment", NULL};
    if (gtext_addr(key, &acc->addr) != ERR_OK)
        FAIL(self->ec, ERR_CONFIG,
             "genesis: %s: the key is not an address: 20 bytes in hexadecimal", self->path);
    TRY(gvalue_object(self, known));
    OPTIONAL(self, "balance", gvalue_u256(&v, &acc->balance, 256));
    OPTIONAL(self, "nonce", gvalue_u64(&v, &acc->nonce, 0, UINT64_MAX - 1)); /* EIP-2681 */
    OPTIONAL(self, "code", gvalue_bytes(&v, a, &acc->code, EVM_CODE_BYTES_MAX));
    OPTIONAL(self, "storage", parse_storage(acc, a, &v));
    bool is_empty = u256_is_zero(&acc->balance) && acc->nonce == 0 && acc->code.len == 0;
    if (is_empty && acc->slot_count != 0)
        FAIL(self->ec, ERR_CONFIG,
             "genesis: %s has storage but neither balance, nonce nor code, so it would be deleted "
             "when touched",
             self->path);
    return ERR_OK;
}

static enum err parse_alloc(struct genesis *g, const struct gvalue *root) {
    struct gvalue alloc = gvalue_member(root, "alloc");
    if (alloc.json == NULL)
        return ERR_OK;
    TRY(gvalue_object(&alloc, NULL));
    size_t n = json_object_size(alloc.json);
    g->alloc = arena_zalloc(&g->arena, (n + PREDEPLOY_COUNT) * sizeof *g->alloc);
    const char *key;
    json_t *json;
    json_object_foreach((json_t *)(uintptr_t)alloc.json, key, json) {
        struct gvalue e = gvalue_member(&alloc, key);
        TRY(parse_account(&g->alloc[g->alloc_count], &g->arena, &e, key));
        g->alloc_count++;
    }
    return ERR_OK;
}

/* --- the file ---------------------------------------------------------------------------- */

static enum err parse_root(struct genesis *g, const struct gvalue *root) {
    bool wanted[PREDEPLOY_COUNT];
    for (int id = 0; id < PREDEPLOY_COUNT; id++)
        wanted[id] = true;
    TRY(gvalue_object(root, NULL));
    TRY(parse_config(g, root));
    OPTIONAL(root, "timestamp", gvalue_u64(&v, &g->timestamp, 0, UINT64_C(1) << 40));
    OPTIONAL(root, "gasLimit",
             gvalue_u64(&v, &g->gas_limit, GENESIS_GAS_LIMIT_MIN, GENESIS_GAS_LIMIT_MAX));
    TRY(parse_section(g, root, wanted));
    TRY(parse_alloc(g, root));
    return genesis_finish(g, wanted, root->ec);
}

enum err genesis_parse(struct genesis *out, const char *json, size_t len, struct err_ctx *ec) {
    json_error_t je;
    if (len > GENESIS_FILE_MAX_BYTES)
        FAIL(ec, ERR_TOO_LARGE, "genesis: %zu bytes, but at most %d are read", len,
             GENESIS_FILE_MAX_BYTES);
    json_t *doc = json_loadb(json, len, JSON_REJECT_DUPLICATES, &je);
    if (doc == NULL)
        FAIL(ec, ERR_PARSE, "genesis: line %d column %d: %s", je.line, je.column, je.text);
    struct genesis g;
    genesis_init(&g);
    struct gvalue root = gvalue_root(doc, ec);
    enum err e = parse_root(&g, &root);
    json_decref(doc);
    if (e != ERR_OK) {
        genesis_clear(&g);
        return e;
    }
    *out = g;
    return ERR_OK;
}

enum err genesis_load(struct genesis *out, const char *path, struct err_ctx *ec) {
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        FAIL(ec, ERR_IO, "genesis file %s: %m", path);
    struct buf text;
    buf_init(&text, GENESIS_FILE_MAX_BYTES + 1);
    char block[1 << 16];
    size_t n;
    while (!text.overflow && (n = fread(block, 1, sizeof block, f)) > 0)
        buf_append(&text, block, n);
    bool failed = ferror(f) != 0;
    (void)fclose(f);
    enum err e = ERR_OK;
    if (failed)
        e = err_set(ec, ERR_IO, __FILE__, __LINE__, "genesis file %s: could not be read", path);
    else if (text.overflow)
        e = err_set(ec, ERR_TOO_LARGE, __FILE__, __LINE__, "genesis file %s: more than %d bytes",
                    path, GENESIS_FILE_MAX_BYTES);
    else
        e = genesis_parse(out, (const char *)text.ptr, text.len, ec);
    buf_clear(&text);
    return e;
}
