/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the universe's contracts: by a function's name, transfers, and where a transaction is.
 */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "rpc/api_contracts.h"
#include "rpc/api_task.h"
#include "rpc/json_writer.h"

#include <stdlib.h>
#include <string.h>

/* The account that signs for the universe. */
static bool universe_signer(struct rpc_call *c, const struct api_universe *u, addr20 *out) {
    const struct node_commands *node = c->cx->node;
    if (node->signer != NULL && node->signer(node->outbox, u->slug, out))
        return true;
    api_fail(c, API_UNSUPPORTED, "this node does not sign");
    return false;
}

/* --- by name ------------------------------------------------------------------------------- */
struct named_call {
    struct api_universe u;
    addr20 contract;
    json_t *abi;
    struct abi_entry fn;
    bytes data; /* in the call's arena */
};

static void fail_abi(struct rpc_call *c, enum err e, const struct err_ctx *ec) {
    api_fail(c, e == ERR_NOT_FOUND ? API_NOT_FOUND : API_INVALID, "%s",
             ec->text[0] != '\0' ? ec->text : err_text(e));
}

/* True: n->abi is the caller's. */
static bool named_call(struct rpc_call *c, struct named_call *n) {
    struct err_ctx ec = {.text = ""};
    struct buf data;
    if (!api_universe_load(c, &n->u) || !api_contract(c, &n->u, &n->contract))
        return false;
    n->abi = api_contract_abi(c, &n->u, &n->contract, true);
    if (n->abi == NULL)
        return false;
    buf_init(&data, ABI_DATA_MAX_BYTES + 4);
    enum err e = abi_find_function(&n->fn, rpc_arena(c), n->abi, api_arg_text(c, "fn"), &ec);
    if (e == ERR_OK)
        e = abi_encode_call(&data, &n->fn, api_arg(c, "args"), &ec);
    if (e == ERR_OK)
        n->data = arena_copy(rpc_arena(c), buf_bytes(&data));
    else
        fail_abi(c, e, &ec);
    buf_clear(&data);
    if (e != ERR_OK)
        json_decref(n->abi);
    return e == ERR_OK;
}

void api_call_fn(struct rpc_call *c) {
    struct named_call n;
    json_t *outputs = NULL;
    bytes output;
    uint64_t gas = 0;
    if (!named_call(c, &n))
        return;
    struct api_call_spec s = {.to = n.contract, .data = n.data, .abi = n.abi};
    if (api_arg(c, "from") != NULL)
        CHECK(api_address(api_arg(c, "from"), &s.from));
    if (api_simulate(c, &s, &output, &gas)) {
        if (abi_decode(&outputs, &n.fn.outputs, output) != ERR_OK)
            api_fail(c, API_REVERTED, "the contract answers with data that its ABI does not fit");
        char *text = outputs != NULL ? json_dumps(outputs, JSON_COMPACT) : NULL;
        if (text != NULL)
            buf_printf(&c->result, "{\"outputs\":%s}", text);
        free(text);
        json_decref(outputs);
    }
    json_decref(n.abi);
}

static void send_once(struct rpc_call *c, struct api_task *t, const struct api_call_spec *s,
                      const char *slug) {
    struct json_writer w;
    const struct api_part *p = api_once(c, t, s, slug);
    if (p == NULL)
        return;
    jw_init(&w, &c->result);
    api_part_print(&w, p);
}

void api_send_fn(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct named_call n;
    if (t == NULL || !named_call(c, &n))
        return;
    struct api_call_spec s = {
        .to = n.contract, .data = n.data, .abi = n.abi, .meta = bytes_of("send", 4)};
    if (universe_signer(c, &n.u, &s.from))
        send_once(c, t, &s, api_slug(c));
    json_decref(n.abi);
}

/* --- transfers ----------------------------------------------------------------------------- */
static json_t *addr_json(const addr20 *a) {
    char text[43] = "0x";
    hex_encode(text + 2, a->b, 20);
    text[42] = '\0';
    return json_string(text);
}

void api_transfer(struct rpc_call *c) {
    struct api_task *t = api_task(c);
    struct api_universe u;
    struct api_call_spec s = {.meta = bytes_of("transfer", 8)};
    addr20 from;
    if (t == NULL || !api_universe_load(c, &u) || !api_contract(c, &u, &s.to) ||
        !universe_signer(c, &u, &s.from))
        return;
    from = s.from;
    if (api_arg(c, "from") != NULL)
        CHECK(api_address(api_arg(c, "from"), &from));
    json_t *to = api_arg(c, "to"), *id = api_arg(c, "id"), *amount = api_arg(c, "amount");
    if (id == NULL && amount == NULL) {
        api_fail(c, API_INVALID, "want id, amount, or both");
        return;
    }
    if (id == NULL && addr20_eq(&from, &s.from)) /* ERC-20 */
        s.data = api_pack(c, "transfer(address,uint256)", json_pack("[O,O]", to, amount));
    else if (id == NULL)
        s.data = api_pack(c, "transferFrom(address,address,uint256)",
                          json_pack("[o,O,O]", addr_json(&from), to, amount));
    else if (amount == NULL) /* ERC-721 */
        s.data = api_pack(c, "safeTransferFrom(address,address,uint256)",
                          json_pack("[o,O,O]", addr_json(&from), to, id));
    else /* ERC-1155 */
        s.data = api_pack(c, "safeTransferFrom(address,address,uint256,uint256,bytes)",
                          json_pack("[o,O,O,O,s]", addr_json(&from), to, id, amount, "0x"));
    json_t *abi = api_contract_abi(c, &u, &s.to, false);
    s.abi = abi;
    send_once(c, t, &s, api_slug(c));
    json_decref(abi);
}

/* --- where a transaction is ---------------------------------------------------------------- */
void api_tx_get(struct rpc_call *c) {
    const struct node_commands *node = c->cx->node;
    struct api_universe u;
    struct api_part p = {0};
    struct json_writer w;
    addr20 sender;
    struct buf envelope;
    if (!api_universe_load(c, &u))
        return;
    CHECK(api_hash(api_arg(c, "hash"), &p.hash));
    uint64_t block = 0;
    uint32_t idx = 0;
    size_t at = 0;
    struct index_block b;
    enum err e = index_find_tx(&block, &idx, rpc_head_view(c), &p.hash);
    buf_init(&envelope, 1 << 20);
    bool waits =
        e != ERR_OK && node->pooled != NULL && node->pooled(node->ctx, &p.hash, &envelope, &sender);
    buf_clear(&envelope);
    if (e != ERR_OK && !waits) { /* it may have become durable since the view was pinned */
        if (!rpc_renew_head(c))
            return;
        e = index_find_tx(&block, &idx, rpc_head_view(c), &p.hash);
    }
    if (e != ERR_OK && !waits) {
        api_fail(c, API_NOT_FOUND, "no such transaction is in the chain or waits");
        return;
    }
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_m_hash(&w, "transaction", &p.hash);
    if (waits) {
        jw_m_text(&w, "status", "pending");
    } else if (rpc_load_tx(c, block, idx, &b, &at)) {
        jw_m_text(&w, "status", b.receipts[at].success ? "success" : "reverted");
        jw_key(&w, "block");
        jw_int(&w, (int64_t)block);
        jw_key(&w, "gasUsed");
        jw_int(&w, (int64_t)b.receipts[at].gas_used);
    } else {
        api_fail(c, API_NOT_FOUND, "the transaction's block is not kept any more");
        return;
    }
    jw_object_end(&w);
}
