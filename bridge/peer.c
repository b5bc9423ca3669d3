/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/peer.h"

#include "base/hex.h"
#include "bridge/parent_internal.h"

enum { HEADER_TEXT_MAX = 2 * HEADER_ENCODED_MAX_BYTES + 64, PARAMS_MAX = 1024 };

static enum err refused(const struct answer *a, struct err_ctx *ec) {
    FAIL(ec, ERR_INVALID, "%s", a->message);
}

/* --- headers --- */
struct header_answer {
    struct header *header;
    hash32 *hash;
};

static enum err read_header(const struct answer *a, void *ctx, struct err_ctx *ec) {
    struct header_answer *to = ctx;
    struct arena arena;
    bytes raw;
    if (a->result == NULL && text_has(a->message, "not found"))
        return ERR_NOT_FOUND;
    if (a->result == NULL)
        return refused(a, ec);
    arena_init(&arena, 4096, HEADER_TEXT_MAX);
    enum err e = json_as_bytes(&raw, &arena, a->result);
    if (e == ERR_OK)
        e = header_decode(to->header, raw);
    arena_clear(&arena);
    if (e != ERR_OK)
        FAIL(ec, ERR_PARSE, "the peer's header cannot be read");
    *to->hash = header_hash(to->header);
    return ERR_OK;
}

enum err peer_header(struct parent *p, struct header *out, hash32 *out_hash, uint64_t number,
                     struct err_ctx *ec) {
    char params[64];
    struct header_answer to = {.header = out, .hash = out_hash};
    snprintf(params, sizeof params, "[\"0x%llx\"]", (unsigned long long)number);
    struct request r = {.method = "debug_getRawHeader", .params = params};
    return parent_request(p, &r, read_header, &to, ec);
}

/* --- receipts --- */
struct receipts_answer {
    struct arena *arena;
    struct peer_receipt **out;
    size_t *count;
};

static enum err read_receipt(struct peer_receipt *out, const json_t *v) {
    uint64_t status;
    TRY(json_get_hash(&out->tx_hash, v, "transactionHash"));
    TRY(json_get_u64(&out->type, v, "type"));
    TRY(json_get_addr(&out->from, v, "from"));
    TRY(json_get_addr(&out->gas_payer, v, "gasPayer"));
    TRY(json_get_u64(&status, v, "status"));
    TRY(json_get_u64(&out->gas_used, v, "gasUsed"));
    out->success = status != 0;
    return json_get_u256(&out->gas_price_charged, v, "gasPriceCharged");
}

static enum err read_receipts(const struct answer *a, void *ctx, struct err_ctx *ec) {
    struct receipts_answer *to = ctx;
    if (a->result == NULL)
        return refused(a, ec);
    if (json_is_null(a->result))
        return ERR_NOT_FOUND;
    if (!json_is_array(a->result))
        FAIL(ec, ERR_PARSE, "the peer's receipts cannot be read");
    size_t n = json_array_size(a->result);
    if (n > PEER_RECEIPTS_MAX)
        FAIL(ec, ERR_TOO_LARGE, "the peer gives %zu receipts of a block", n);
    *to->out = arena_alloc(to->arena, (n + 1) * sizeof **to->out);
    *to->count = n;
    for (size_t i = 0; i < n; i++)
        if (read_receipt(&(*to->out)[i], json_array_get(a->result, i)) != ERR_OK)
            FAIL(ec, ERR_PARSE, "the peer's receipt %zu cannot be read", i);
    return ERR_OK;
}

enum err peer_receipts(struct parent *p, struct arena *a, struct peer_receipt **out,
                       size_t *out_count, uint64_t number, struct err_ctx *ec) {
    char params[64];
    struct receipts_answer to = {.arena = a, .out = out, .count = out_count};
    snprintf(params, sizeof params, "[\"0x%llx\"]", (unsigned long long)number);
    struct request r = {.method = "eth_getBlockReceipts", .params = params};
    return parent_request(p, &r, read_receipts, &to, ec);
}

/* --- signatures --- */
static void put_member(struct buf *b, const char *key, const hash32 *h) {
    buf_printf(b, ",\"%s\":\"", key);
    hex_put(b, h->b, sizeof h->b);
    buf_append_byte(b, '"');
}

static enum err read_signature(const struct answer *a, void *ctx, struct err_ctx *ec) {
    struct confirmer_signature *out = ctx;
    struct arena arena;
    bytes sig;
    if (a->result == NULL)
        return refused(a, ec);
    arena_init(&arena, 4096, PARAMS_MAX + 4096);
    enum err e = json_get_addr(&out->signer, a->result, "signer");
    if (e == ERR_OK)
        e = json_get_bytes(&sig, &arena, a->result, "signature");
    if (e == ERR_OK && sig.len != CONFIRMER_SIGNATURE_BYTES)
        e = ERR_PARSE;
    if (e == ERR_OK)
        memcpy(out->sig, sig.ptr, sig.len);
    arena_clear(&arena);
    if (e != ERR_OK)
        FAIL(ec, e, "the member's answer is no signature");
    return ERR_OK;
}

enum err peer_sign(struct parent *p, struct confirmer_signature *out, const struct peer_claim *c,
                   const hash32 *digest, struct err_ctx *ec) {
    struct buf b;
    buf_init(&b, PARAMS_MAX);
    buf_printf(&b, "[{\"batchCount\":\"0x%llx\"", (unsigned long long)c->batch_count);
    put_member(&b, "blockHash", &c->block_hash);
    put_member(&b, "sendRoot", &c->send_root);
    put_member(&b, "expectedHash", &c->expected);
    buf_append(&b, "}]", 3);
    struct request r = {
        .method = "callipter_signAssertion", .params = (const char *)b.ptr, .busy_is_answer = true};
    enum err e = b.overflow ? ERR_TOO_LARGE : parent_request(p, &r, read_signature, out, ec);
    buf_clear(&b);
    if (e == ERR_OK && !confirmer_signature_ok(out, digest))
        FAIL(ec, ERR_MISMATCH, "the member's signature is not of this assertion");
    return e;
}
