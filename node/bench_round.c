/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_round.h"

#include "base/check.h"
#include "base/hex.h"

#include <stdlib.h>

enum {
    ARENA_STEP = 1 << 20,
    MIX_STEP = 37, /* without a common factor with 100: spreads the kinds over each hundred */
};

void bench_put_send(struct buf *b, const char *method, size_t id, const struct bench_tx *tx) {
    buf_printf(b, "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"%s\",\"params\":[\"", id, method);
    hex_put(b, tx->raw.ptr, tx->raw.len);
    buf_append_str(b, "\"]}");
}

static enum err sign_all(struct bench_round *r, struct bench_chain *chain,
                         const struct bench_round_options *o, struct err_ctx *ec) {
    struct buf body;
    enum err e = ERR_OK;
    buf_init(&body, BENCH_CLIENT_ANSWER_MAX);
    for (size_t i = 0; e == ERR_OK && i < o->count; i++) {
        e = o->sign(&r->txs[i], chain, &r->arena, o->ctx, ec);
        if (e != ERR_OK)
            break;
        buf_reset(&body);
        bench_put_send(&body, o->method, i, &r->txs[i]);
        CHECK(!body.overflow);
        bench_load_add(r->load, i, buf_bytes(&body));
    }
    buf_clear(&body);
    return e;
}

enum err bench_round_make(struct bench_round *out, struct bench_chain *chain,
                          const struct bench_round_options *o, struct err_ctx *ec) {
    struct bench_load_options load = {.url = o->url,
                                      .connections = o->connections,
                                      .depth = o->depth,
                                      .rate = o->rate,
                                      .sleepy = o->sleepy};
    *out = (struct bench_round){.txs = calloc(o->count, sizeof *out->txs), .count = o->count};
    CHECK(out->txs != NULL);
    arena_init(&out->arena, ARENA_STEP, SIZE_MAX);
    TRY(bench_load_new(&out->load, &load, ec));
    return sign_all(out, chain, o, ec);
}

void bench_round_free(struct bench_round *r) {
    bench_load_free(r->load);
    if (r->txs != NULL)
        arena_clear(&r->arena);
    free(r->txs);
    *r = (struct bench_round){0};
}

enum err bench_round_send(struct bench_round *r, struct bench_load_result *out,
                          struct err_ctx *ec) {
    return bench_load_run(r->load, out, ec);
}

enum err bench_round_run(double *us, struct bench_chain *chain, struct bench_client *client,
                         const struct bench_round_options *o, struct err_ctx *ec) {
    struct bench_load_result res;
    struct bench_round r;
    uint64_t gas;
    enum err e = bench_round_make(&r, chain, o, ec);
    if (e == ERR_OK)
        e = bench_round_send(&r, &res, ec);
    if (e == ERR_OK && us != NULL)
        memcpy(us, res.us, o->count * sizeof *us);
    if (e == ERR_OK)
        e = bench_chain_check_receipts(chain, client, r.txs, r.count, &gas, ec);
    bench_round_free(&r);
    return e;
}

enum err bench_sign_work(struct bench_tx *out, struct bench_chain *chain, struct arena *a,
                         void *ctx, struct err_ctx *ec) {
    const enum bench_work *w = ctx;
    return bench_chain_sign(out, chain, a, *w, ec);
}

enum err bench_sign_mix(struct bench_tx *out, struct bench_chain *chain, struct arena *a, void *ctx,
                        struct err_ctx *ec) {
    uint64_t *made = ctx, of_hundred = (*made)++ * MIX_STEP % 100;
    enum bench_work w = of_hundred < 60   ? BENCH_TRANSFER
                        : of_hundred < 85 ? BENCH_ERC20
                        : of_hundred < 99 ? BENCH_MINT
                                          : BENCH_DEPLOY;
    return bench_chain_sign(out, chain, a, w, ec);
}
