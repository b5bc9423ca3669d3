/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "bridge/metrics.h"
#include "bridge/parent_internal.h"

enum {
    CALL_MAX_BYTES = 512 << 10, /* parameters of one call: a batch's calldata in hexadecimal */
    CODE_REVERTED = 3,          /* geth's code for "execution reverted" */
};

/* Text built by printf, which a request borrows. */
static void put_hash(struct buf *b, const hash32 *h) {
    buf_append_byte(b, '"');
    hex_put(b, h->b, sizeof h->b);
    buf_append_byte(b, '"');
}

static void put_addr(struct buf *b, const addr20 *a) {
    buf_append_byte(b, '"');
    hex_put(b, a->b, sizeof a->b);
    buf_append_byte(b, '"');
}

/* Asks with the parameters in `params`, which it clears. */
static enum err ask(struct parent *p, const char *method, struct buf *params, answer_fn read,
                    void *ctx, struct err_ctx *ec) {
    enum err e = ERR_TOO_LARGE;
    buf_append_byte(params, '\0');
    if (!params->overflow) {
        struct request r = {.method = method, .params = (const char *)params->ptr};
        e = parent_request(p, &r, read, ctx, ec);
    } else {
        (void)err_set(ec, e, __FILE__, __LINE__, "a request %s is over %zu bytes", method,
                      params->max);
    }
    buf_clear(params);
    return e;
}

static enum err refused(const struct answer *a, struct err_ctx *ec) {
    FAIL(ec, ERR_INVALID, "the parent chain refuses: %s (code %lld)", a->message,
         (long long)a->code);
}

/* --- one value ---------------------------------------------------------------------------- */

static enum err read_u64(const struct answer *a, void *ctx, struct err_ctx *ec) {
    return a->result == NULL ? refused(a, ec) : json_as_u64(ctx, a->result);
}

static enum err read_u256(const struct answer *a, void *ctx, struct err_ctx *ec) {
    return a->result == NULL ? refused(a, ec) : json_as_u256(ctx, a->result);
}

struct bytes_in_arena {
    struct arena *arena;
    bytes *out;
};
static enum err read_bytes(const struct answer *a, void *ctx, struct err_ctx *ec) {
    const struct bytes_in_arena *to = ctx;
    return a->result == NULL ? refused(a, ec) : json_as_bytes(to->out, to->arena, a->result);
}

enum err parent_chain_id(struct parent *p, uint64_t *out, struct err_ctx *ec) {
    struct request r = {.method = "eth_chainId", .params = "[]"};
    return parent_request(p, &r, read_u64, out, ec);
}

static void put_account(struct buf *b, const addr20 *a, struct parent_block_ref at) {
    buf_init(b, 256);
    buf_append_byte(b, '[');
    put_addr(b, a);
    buf_append_byte(b, ',');
    put_block_ref(b, at);
    buf_append_byte(b, ']');
}

enum err parent_get_nonce(struct parent *p, uint64_t *out, const addr20 *a,
                          struct parent_block_ref at, struct err_ctx *ec) {
    struct buf params;
    put_account(&params, a, at);
    return ask(p, "eth_getTransactionCount", &params, read_u64, out, ec);
}

enum err parent_get_balance(struct parent *p, u256 *out, const addr20 *a,
                            struct parent_block_ref at, struct err_ctx *ec) {
    struct buf params;
    put_account(&params, a, at);
    return ask(p, "eth_getBalance", &params, read_u256, out, ec);
}

enum err parent_get_code(struct parent *p, struct arena *a, bytes *out, const addr20 *addr,
                         struct parent_block_ref at, struct err_ctx *ec) {
    struct buf params;
    struct bytes_in_arena to = {.arena = a, .out = out};
    put_account(&params, addr, at);
    return ask(p, "eth_getCode", &params, read_bytes, &to, ec);
}

/* --- blocks, transactions, receipts ------------------------------------------------------- */

struct block_of_parent {
    struct parent *parent;
    struct parent_block *out;
};
static enum err read_block(const struct answer *a, void *ctx, struct err_ctx *ec) {
    const struct block_of_parent *to = ctx;
    if (a->result == NULL)
        return refused(a, ec);
    if (json_is_null(a->result))
        return ERR_NOT_FOUND;
    struct parent_block b;
    TRY(json_as_block(&b, a->result));
    if (to->parent->is_arbitrum && !b.is_arbitrum)
        FAIL(ec, ERR_PARSE, "block %llu of an Arbitrum chain has no l1BlockNumber",
             (unsigned long long)b.number);
    to->parent->is_arbitrum = b.is_arbitrum;
    *to->out = b;
    return ERR_OK;
}

/* An endpoint that has no such tag says so in as many ways as there are endpoints. */
static enum err read_tagged_block(const struct answer *a, void *ctx, struct err_ctx *ec) {
    return a->result == NULL ? ERR_NOT_FOUND : read_block(a, ctx, ec);
}

enum err parent_get_block(struct parent *p, struct parent_block *out, struct parent_block_ref ref,
                          struct err_ctx *ec) {
    struct buf params;
    struct block_of_parent to = {.parent = p, .out = out};
    bool by_finality = ref.tag == PARENT_SAFE || ref.tag == PARENT_FINALIZED;
    buf_init(&params, 64);
    buf_append_byte(&params, '[');
    put_block_ref(&params, ref);
    buf_append_str(&params, ",false]");
    return ask(p, "eth_getBlockByNumber", &params, by_finality ? read_tagged_block : read_block,
               &to, ec);
}

static void put_one_hash(struct buf *params, const hash32 *hash, const char *end) {
    buf_init(params, 128);
    buf_append_byte(params, '[');
    put_hash(params, hash);
    buf_append_str(params, end);
}

enum err parent_get_block_by_hash(struct parent *p, struct parent_block *out, const hash32 *hash,
                                  struct err_ctx *ec) {
    struct buf params;
    struct block_of_parent to = {.parent = p, .out = out};
    put_one_hash(&params, hash, ",false]");
    return ask(p, "eth_getBlockByHash", &params, read_block, &to, ec);
}

struct tx_in_arena {
    struct arena *arena;
    struct parent_tx *out;
};
static enum err read_tx(const struct answer *a, void *ctx, struct err_ctx *ec) {
    const struct tx_in_arena *to = ctx;
    const json_t *v = a->result;
    struct parent_tx t = {.nonce = 0};
    if (v == NULL)
        return refused(a, ec);
    if (json_is_null(v))
        return ERR_NOT_FOUND;
    TRY(json_get_hash(&t.hash, v, "hash"));
    TRY(json_get_addr(&t.from, v, "from"));
    t.is_create = json_is_null(json_object_get(v, "to")) || json_object_get(v, "to") == NULL;
    if (!t.is_create)
        TRY(json_get_addr(&t.to, v, "to"));
    TRY(json_get_u64(&t.nonce, v, "nonce"));
    TRY(json_get_bytes(&t.input, to->arena, v, "input"));
    t.mined = json_is_string(json_object_get(v, "blockHash"));
    if (t.mined) {
        TRY(json_get_u64(&t.block_num, v, "blockNumber"));
        TRY(json_get_hash(&t.block_hash, v, "blockHash"));
    }
    *to->out = t;
    return ERR_OK;
}

enum err parent_get_tx(struct parent *p, struct arena *a, struct parent_tx *out, const hash32 *hash,
                       struct err_ctx *ec) {
    struct buf params;
    struct tx_in_arena to = {.arena = a, .out = out};
    put_one_hash(&params, hash, "]");
    return ask(p, "eth_getTransactionByHash", &params, read_tx, &to, ec);
}

static enum err read_receipt(const struct answer *a, void *ctx, struct err_ctx *ec) {
    const json_t *v = a->result;
    struct parent_receipt r = {.ok = false};
    uint64_t status;
    if (v == NULL)
        return refused(a, ec);
    if (json_is_null(v))
        return ERR_NOT_FOUND;
    TRY(json_get_hash(&r.tx_hash, v, "transactionHash"));
    TRY(json_get_u64(&status, v, "status"));
    TRY(json_get_u64(&r.block_num, v, "blockNumber"));
    TRY(json_get_hash(&r.block_hash, v, "blockHash"));
    TRY(json_get_u64(&r.gas_used, v, "gasUsed"));
    if (json_object_get(v, "effectiveGasPrice") != NULL)
        TRY(json_get_u256(&r.effective_gas_price, v, "effectiveGasPrice"));
    r.ok = status == 1;
    *(struct parent_receipt *)ctx = r;
    return ERR_OK;
}

enum err parent_get_receipt(struct parent *p, struct parent_receipt *out, const hash32 *hash,
                            struct err_ctx *ec) {
    struct buf params;
    put_one_hash(&params, hash, "]");
    return ask(p, "eth_getTransactionReceipt", &params, read_receipt, out, ec);
}

/* --- calls -------------------------------------------------------------------------------- */

/* A member, unless it is 0. */
static void put_quantity(struct buf *b, const char *key, const u256 *v) {
    if (u256_is_zero(v))
        return;
    buf_printf(b, ",\"%s\":\"", key);
    hex_put_u256(b, v);
    buf_append_byte(b, '"');
}

static void put_call(struct buf *b, const struct parent_call *c) {
    buf_init(b, CALL_MAX_BYTES);
    buf_append_str(b, "[{\"to\":");
    put_addr(b, &c->to);
    if (c->has_from) {
        buf_append_str(b, ",\"from\":");
        put_addr(b, &c->from);
    }
    put_quantity(b, "value", &c->value);
    put_quantity(b, "maxFeePerGas", &c->max_fee);
    buf_append_str(b, ",\"data\":\"");
    hex_put(b, c->data.ptr, c->data.len);
    buf_append_str(b, "\"}");
}

struct call_in_arena {
    struct arena *arena;
    struct parent_result *out;
    uint64_t *out_gas; /* eth_estimateGas; else NULL */
};

/* The revert data of an error: text, or inside an object. */
static bool revert_data(bytes *out, struct arena *a, const json_t *data) {
    if (json_is_object(data))
        data = json_object_get(data, "data");
    return json_is_string(data) && json_as_bytes(out, a, data) == ERR_OK;
}

static enum err read_call(const struct answer *a, void *ctx, struct err_ctx *ec) {
    const struct call_in_arena *to = ctx;
    struct parent_result r = {.reverted = false};
    if (a->result == NULL) {
        r.reverted = revert_data(&r.data, to->arena, a->error_data) || a->code == CODE_REVERTED ||
                     text_has(a->message, "revert");
        if (!r.reverted)
            return refused(a, ec);
        memcpy(r.message, a->message, sizeof r.message);
    } else if (to->out_gas != NULL) {
        TRY(json_as_u64(to->out_gas, a->result));
    } else {
        TRY(json_as_bytes(&r.data, to->arena, a->result));
    }
    *to->out = r;
    return ERR_OK;
}

enum err parent_call(struct parent *p, struct arena *a, struct parent_result *out,
                     const struct parent_call *c, struct parent_block_ref at, struct err_ctx *ec) {
    struct buf params;
    struct call_in_arena to = {.arena = a, .out = out};
    put_call(&params, c);
    buf_append_byte(&params, ',');
    put_block_ref(&params, at);
    buf_append_byte(&params, ']');
    return ask(p, "eth_call", &params, read_call, &to, ec);
}

enum err parent_estimate_gas(struct parent *p, struct arena *a, uint64_t *out_gas,
                             struct parent_result *out, const struct parent_call *c,
                             struct err_ctx *ec) {
    struct buf params;
    struct call_in_arena to = {.arena = a, .out = out, .out_gas = out_gas};
    put_call(&params, c);
    buf_append_byte(&params, ']');
    return ask(p, "eth_estimateGas", &params, read_call, &to, ec);
}

enum err parent_view(struct parent *p, hash32 *out, const addr20 *to, enum abi_function f,
                     bytes arg_words, struct parent_block_ref at, struct err_ctx *ec) {
    struct arena a;
    struct buf data;
    struct parent_result r;
    arena_init(&a, 1 << 12, 1 << 16);
    buf_init(&data, 4 + 16 * ABI_WORD_BYTES);
    abi_put_selector(&data, f);
    buf_append(&data, arg_words.ptr, arg_words.len);
    struct parent_call c = {.to = *to, .data = buf_bytes(&data)};
    enum err e = parent_call(p, &a, &r, &c, at, ec);
    const char *name = abi_function_signature(f);
    if (e == ERR_OK && r.reverted)
        e = err_set(ec, ERR_INVALID, __FILE__, __LINE__, "%s reverts: %s", name, r.message);
    else if (e == ERR_OK && abi_get_hash(out, r.data, 0) != ERR_OK)
        e = err_set(ec, ERR_INVALID, __FILE__, __LINE__, "%s: no contract answers", name);
    buf_clear(&data);
    arena_clear(&a);
    return e;
}

/* --- sending ------------------------------------------------------------------------------ */

/* What clients say, by words of theirs: geth, Nitro, Erigon, Nethermind, reth, Anvil. */
static const struct {
    const char *words;
    enum parent_send verdict;
} refusals[] = {
    {"already known", PARENT_SENT},
    {"known transaction", PARENT_SENT},
    {"already imported", PARENT_SENT},
    {"already exists", PARENT_SENT},
    {"nonce too low", PARENT_SEND_NONCE_LOW},
    {"nonce is too low", PARENT_SEND_NONCE_LOW},
    {"old nonce", PARENT_SEND_NONCE_LOW},
    {"nonce too high", PARENT_SEND_NONCE_HIGH},
    {"nonce gap", PARENT_SEND_NONCE_HIGH},
    {"underpriced", PARENT_SEND_UNDERPRICED},
    {"less than block base fee", PARENT_SEND_UNDERPRICED},
    {"fee cap", PARENT_SEND_UNDERPRICED},
    {"fee too low", PARENT_SEND_UNDERPRICED},
    {"insufficient funds", PARENT_SEND_FUNDS},
};

static enum err read_sent(const struct answer *a, void *ctx, struct err_ctx *ec) {
    (void)ec;
    struct parent_send_result *out = ctx;
    struct parent_send_result r = {.verdict = PARENT_SENT};
    if (a->result == NULL) {
        memcpy(r.message, a->message, sizeof r.message);
        r.verdict = PARENT_SEND_REFUSED;
        for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
            if (text_has(a->message, refusals[i].words)) {
                r.verdict = refusals[i].verdict;
                break;
            }
    }
    *out = r;
    return ERR_OK;
}

enum err parent_send_raw(struct parent *p, struct parent_send_result *out, bytes raw,
                         struct err_ctx *ec) {
    struct buf params;
    buf_init(&params, CALL_MAX_BYTES);
    buf_append_str(&params, "[\"");
    hex_put(&params, raw.ptr, raw.len);
    buf_append_str(&params, "\"]");
    return ask(p, "eth_sendRawTransaction", &params, read_sent, out, ec);
}

/* --- agreement ---------------------------------------------------------------------------- */

/* What one endpoint says; false if it does not answer. */
static bool head_of(struct parent *p, struct endpoint *ep, uint64_t *out_num) {
    struct answer a;
    struct request r = {.method = "eth_blockNumber", .params = "[]"};
    if (!endpoint_usable(p, ep) || endpoint_check_chain(p, ep, NULL) != ERR_OK ||
        parent_ask(p, ep, &a, &r, NULL) != ERR_OK)
        return false;
    enum err e = json_as_u64(out_num, a.result);
    answer_clear(&a);
    return e == ERR_OK;
}

static bool hash_at(struct parent *p, struct endpoint *ep, uint64_t num, hash32 *out) {
    char params[64];
    struct answer a;
    struct parent_block b;
    snprintf(params, sizeof params, "[\"0x%llx\",false]", (unsigned long long)num);
    struct request r = {.method = "eth_getBlockByNumber", .params = params};
    if (!endpoint_usable(p, ep) || parent_ask(p, ep, &a, &r, NULL) != ERR_OK)
        return false;
    enum err e = a.result != NULL ? json_as_block(&b, a.result) : ERR_PARSE;
    answer_clear(&a);
    if (e != ERR_OK || b.number != num)
        return false;
    *out = b.hash;
    return true;
}

enum err parent_check_agreement(struct parent *p, struct parent_agreement *out, uint64_t depth,
                                struct err_ctx *ec) {
    struct parent_agreement r = {.agree = true};
    bool there[PARENT_ENDPOINTS_MAX] = {false};
    uint64_t lowest = UINT64_MAX;
    for (size_t i = 0; i < p->endpoint_count; i++) {
        uint64_t head = 0;
        there[i] = head_of(p, &p->endpoints[i], &head);
        if (there[i] && head < lowest)
            lowest = head;
        if (p->endpoints[i].wrong_chain) {
            r.agree = false;
            snprintf(r.reason, sizeof r.reason, "endpoint %zu is of another chain", i);
        }
    }
    r.block_num = lowest > depth ? lowest - depth : 0;
    for (size_t i = 0; i < p->endpoint_count; i++) {
        hash32 h;
        if (!there[i] || !hash_at(p, &p->endpoints[i], r.block_num, &h))
            continue;
        if (r.answered++ == 0) {
            r.hash = h;
        } else if (!hash32_eq(&h, &r.hash)) {
            r.agree = false;
            snprintf(r.reason, sizeof r.reason, "endpoint %zu has another block %llu", i,
                     (unsigned long long)r.block_num);
        }
    }
    if (parent_stopped(p))
        return ERR_CLOSED;
    if (r.answered == 0 && r.agree)
        FAIL(ec, ERR_IO, "none of %zu endpoints of the parent chain answers", p->endpoint_count);
    if (!r.agree)
        metric_add(&bridge_disagreements, 1);
    *out = r;
    return ERR_OK;
}
