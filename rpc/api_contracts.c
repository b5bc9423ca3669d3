/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_contracts.h"

#include "base/check.h"
#include "rpc/abi_json.h"
#include "rpc/api_handlers.h"
#include "rpc/api_quota.h"
#include "rpc/api_task.h"
#include "rpc/api_write.h"
#include "rpc/json_writer.h"

#include <stdlib.h>
#include <string.h>

bool api_token_template(enum template_id *out, bytes value) {
    if (value.len < 2 || value.ptr[0] != API_TOKEN_VERSION || value.ptr[1] > value.len - 2)
        return false;
    return template_find(out, (const char *)value.ptr + 2, value.ptr[1]);
}

bytes api_contract_key(uint8_t out[API_CONTRACT_KEY_BYTES], uint64_t universe,
                       const addr20 *contract) {
    be64_store(out, universe);
    memcpy(out + 8, contract->b, 20);
    return bytes_of(out, API_CONTRACT_KEY_BYTES);
}

json_t *api_contract_abi(struct rpc_call *c, const struct api_universe *u, const addr20 *contract,
                         bool must) {
    const struct node_commands *node = c->cx->node;
    uint8_t key[API_CONTRACT_KEY_BYTES];
    struct buf text;
    json_t *abi = NULL;
    buf_init(&text, KV_VALUE_MAX_BYTES);
    if (node->kv_get(node->ctx, KV_ABI, api_contract_key(key, u->id, contract), &text))
        abi = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    buf_reset(&text);
    enum template_id template;
    if (abi == NULL && node->kv_get(node->ctx, KV_TOKEN, bytes_of(key, sizeof(key)), &text) &&
        api_token_template(&template, buf_bytes(&text))) {
        bytes built_in = template_abi(template);
        abi = json_loadb((const char *)built_in.ptr, built_in.len, 0, NULL);
    }
    buf_clear(&text);
    if (abi == NULL && must)
        api_fail(c, API_NOT_FOUND, "no ABI was uploaded for this contract");
    return abi;
}

/* --- uploading ----------------------------------------------------------------------------- */
struct abi_upload {
    struct api_write write;
    uint8_t key[API_CONTRACT_KEY_BYTES];
    char *text;
    addr20 contract;
    bool too_fast;
};

static void upload_free(void *state) {
    struct abi_upload *a = state;
    free(a->text);
    free(a);
}

struct count_of {
    uint64_t universe;
    size_t count;
};

static bool count_one(void *ctx, bytes key, bytes value) {
    struct count_of *n = ctx;
    (void)value;
    if (be64_load(key.ptr) != n->universe)
        return false;
    n->count++;
    return true;
}

static bool has_room(struct rpc_call *c, uint64_t universe, const addr20 *contract) {
    const struct node_commands *node = c->cx->node;
    struct count_of n = {.universe = universe};
    uint8_t key[API_CONTRACT_KEY_BYTES], first[API_CONTRACT_KEY_BYTES] = {0};
    if (node->kv_get(node->ctx, KV_ABI, api_contract_key(key, universe, contract), NULL))
        return true; /* it is replaced */
    be64_store(first, universe);
    node->kv_each(node->ctx, KV_ABI, bytes_of(first, sizeof(first)), count_one, &n);
    if (n.count >= API_ABIS_MAX)
        api_fail(c, API_LIMIT, "a universe has at most %d ABIs", API_ABIS_MAX);
    return n.count < API_ABIS_MAX;
}

/* On the loop, as buckets want it. */
static void ask_upload(struct rpc_call *c, struct rpc_wake wake) {
    struct abi_upload *a = c->state;
    const struct api_principal *who = &c->origin->who;
    a->too_fast = who->kind != API_KEY_ADMIN &&
                  !api_quota_take_kept(c->cx->quota, who->slug, who->kind == API_KEY_SECRET,
                                       strlen(a->text), rpc_now_ms());
    if (a->too_fast)
        rpc_wake_up(wake);
    else
        api_write_start(&a->write, wake);
}

static void begin_upload(struct rpc_call *c) {
    struct api_universe u;
    struct err_ctx ec = {.text = ""};
    addr20 contract;
    json_t *abi = api_arg(c, "abi");
    if (!api_universe_load(c, &u) || !api_contract(c, &u, &contract) ||
        !has_room(c, u.id, &contract))
        return;
    if (abi_check(rpc_arena(c), abi, &ec) != ERR_OK) {
        api_fail(c, API_INVALID, "abi: %s", ec.text);
        return;
    }
    char *text = json_dumps(abi, JSON_COMPACT);
    CHECK(text != NULL);
    if (strlen(text) > API_ABI_MAX_BYTES) {
        free(text);
        api_fail(c, API_INVALID, "abi: longer than %d bytes", API_ABI_MAX_BYTES);
        return;
    }
    struct abi_upload *a = calloc(1, sizeof(*a));
    CHECK(a != NULL);
    c->state = a;
    c->state_free = upload_free;
    a->text = text;
    a->contract = contract;
    a->write.ops[0] = (struct kv_op){.space = KV_ABI,
                                     .key = api_contract_key(a->key, u.id, &contract),
                                     .value = bytes_of(text, strlen(text))};
    a->write.count = 1;
    api_write_ask(c, &a->write);
    c->ask = ask_upload;
}

void api_abi_set(struct rpc_call *c) {
    const struct abi_upload *a = c->state;
    struct json_writer w;
    if (a == NULL) {
        begin_upload(c);
        return;
    }
    if (a->too_fast) {
        api_fail(c, API_LIMIT, "more is uploaded than the universe's share, try again in a second");
        c->try_later = true;
    }
    if (rpc_failed(c) || !api_write_done(c, &a->write))
        return;
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_m_addr(&w, "address", &a->contract);
    jw_object_end(&w);
}

void api_abi_get(struct rpc_call *c) {
    struct api_universe u;
    addr20 contract;
    if (!api_universe_load(c, &u) || !api_contract(c, &u, &contract))
        return;
    json_t *abi = api_contract_abi(c, &u, &contract, true);
    char *text = abi != NULL ? json_dumps(abi, JSON_COMPACT) : NULL;
    if (text != NULL)
        buf_append_str(&c->result, text);
    free(text);
    json_decref(abi);
}
