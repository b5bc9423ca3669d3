/* SPDX-License-Identifier: Apache-2.0 */
/* Reads per second and how long each takes, beside the peer in the same run: both have the same
 * accounts, the same 20,000 logs, and one block of the same size. */
#include "node/bench_contender.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    LOGS = 20000,
    LOGS_PER_BLOCK = 100,
    COUNT_DEFAULT = 20000,
    /* Filtered logs: so many times fewer requests, lest the peer takes a minute. */
    SLOW_PART = 4,
    SLOW_PART_PEER = 100,
    PARAMS_MAX = 512,
    NAME_MAX_BYTES = 96,
    LEAST_REQUESTS = 16,
};
enum read_kind { READ_BALANCE, READ_CALL, READ_BLOCK_LOGS, READ_FILTERED_LOGS, READ_KINDS };
static const char *const kind_names[READ_KINDS] = {"eth_getBalance", "eth_call of balanceOf",
                                                   "eth_getLogs of one block",
                                                   "eth_getLogs of one account in 20,000 logs"};
static const struct mode {
    const char *name;
    size_t connections, depth;
} modes[] = {{"16 connections", 16, 1}, {"16 x 8 pipelined", 16, 8}, {"256 connections", 256, 1}};
enum { MODES = ARRAY_LEN(modes) };

struct reads {
    struct bench_contender ours, peer;
    uint64_t block[2], block_txs; /* the one whose logs are read, of each */
    struct bench_series per_s[READ_KINDS][MODES], p50[READ_KINDS][MODES], p99[READ_KINDS][MODES];
};

/* --- what is read -------------------------------------------------------------------------- */
/* Sends n coin transfers as one batch; the peer mines them. */
static enum err send_coins(struct bench_contender *c, size_t n, struct err_ctx *ec) {
    struct bench_tx txs[LOGS_PER_BLOCK];
    struct arena arena;
    struct buf body;
    bytes answer;
    uint64_t gas;
    double mined;
    CHECK(n <= LOGS_PER_BLOCK);
    arena_init(&arena, 1 << 18, 1 << 24);
    buf_init(&body, BENCH_CLIENT_ANSWER_MAX);
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        e = bench_chain_sign(&txs[i], &c->chain, &arena, BENCH_ERC20, ec);
        buf_append_str(&body, i == 0 ? "[" : ",");
        bench_put_send(&body, "eth_sendRawTransaction", i, &txs[i]);
    }
    buf_append_str(&body, "]");
    bench_client_prepare(&c->client, buf_bytes(&body));
    if (e == ERR_OK)
        e = bench_client_exchange(&c->client, &answer, ec);
    if (e == ERR_OK && c->is_peer)
        e = bench_contender_mine(c, &mined, ec);
    if (e == ERR_OK)
        e = bench_chain_check_receipts(&c->chain, &c->client, txs, n, &gas, ec);
    buf_clear(&body);
    arena_clear(&arena);
    return e;
}

static enum err txs_of(uint64_t *out, struct bench_contender *c, uint64_t block,
                       struct err_ctx *ec) {
    char params[32];
    snprintf(params, sizeof params, "[\"0x%" PRIx64 "\"]", block);
    return bench_client_u64(&c->client, out, "eth_getBlockTransactionCountByNumber", params, ec);
}

/* Ours makes blocks as it likes: the peer gets one like our newest. */
static enum err make_logs(struct reads *s, struct err_ctx *ec) {
    for (size_t at = 0; at < LOGS; at += LOGS_PER_BLOCK)
        TRY(send_coins(&s->ours, LOGS_PER_BLOCK, ec));
    TRY(bench_client_u64(&s->ours.client, &s->block[0], "eth_blockNumber", "[]", ec));
    TRY(txs_of(&s->block_txs, &s->ours, s->block[0], ec));
    if (!s->peer.is_peer)
        return ERR_OK;
    if (s->block_txs == 0 || s->block_txs > LOGS_PER_BLOCK)
        FAIL(ec, ERR_MISMATCH, "a block of %" PRIu64 " transactions", s->block_txs);
    TRY(send_coins(&s->peer, (size_t)s->block_txs, ec));
    TRY(bench_client_u64(&s->peer.client, &s->block[1], "eth_blockNumber", "[]", ec));
    for (size_t at = (size_t)s->block_txs; at < LOGS;) {
        size_t n = LOGS - at < LOGS_PER_BLOCK ? LOGS - at : LOGS_PER_BLOCK;
        TRY(send_coins(&s->peer, n, ec));
        at += n;
    }
    uint64_t same;
    TRY(txs_of(&same, &s->peer, s->block[1], ec));
    if (same != s->block_txs)
        FAIL(ec, ERR_MISMATCH, "the peer's block has %" PRIu64 " transactions, ours %" PRIu64, same,
             s->block_txs);
    return ERR_OK;
}

static void put_params(char out[PARAMS_MAX], const struct reads *s, bool peer, enum read_kind kind,
                       size_t i) {
    const struct bench_contender *c = peer ? &s->peer : &s->ours;
    char who[41] = {0}, selector[9] = {0}, topic[65] = {0};
    hash32 h;
    hex_encode(who, c->chain.recipients[i % c->chain.count].addr.b, 20);
    keccak256(&h, "balanceOf(address)", 18);
    hex_encode(selector, h.b, 4);
    keccak256(&h, "Transfer(address,address,uint256)", 33);
    hex_encode(topic, h.b, 32);
    if (kind == READ_BALANCE)
        snprintf(out, PARAMS_MAX, "[\"0x%s\",\"latest\"]", who);
    else if (kind == READ_CALL)
        snprintf(out, PARAMS_MAX,
                 "[{\"to\":\"%s\",\"data\":\"0x%s000000000000000000000000%s\"},\"latest\"]",
                 BENCH_COIN, selector, who);
    else if (kind == READ_BLOCK_LOGS)
        snprintf(out, PARAMS_MAX,
                 "[{\"fromBlock\":\"0x%" PRIx64 "\",\"toBlock\":\"0x%" PRIx64 "\"}]",
                 s->block[peer], s->block[peer]);
    else
        snprintf(
            out, PARAMS_MAX,
            "[{\"fromBlock\":\"0x1\",\"toBlock\":\"latest\",\"address\":\"%s\",\"topics\":[\"0x%"
            "s\",null,\"0x000000000000000000000000%s\"]}]",
            BENCH_COIN, topic, who);
}

/* What the timed requests answer is right: as many logs as were made. */
static enum err check_logs(struct reads *s, bool peer, struct err_ctx *ec) {
    struct bench_contender *c = peer ? &s->peer : &s->ours;
    char params[PARAMS_MAX];
    for (size_t i = 0; i < 8; i++) {
        json_t *v = NULL;
        put_params(params, s, peer, READ_FILTERED_LOGS, i);
        TRY(bench_client_call(&c->client, &v, "eth_getLogs", params, ec));
        size_t have = json_array_size(v), want = c->chain.recipients[i].got[BENCH_ERC20];
        json_decref(v);
        if (have != want)
            FAIL(ec, ERR_MISMATCH, "%s: %zu logs of account %zu, and %zu were made", c->name, have,
                 i, want);
    }
    json_t *v = NULL;
    put_params(params, s, peer, READ_BLOCK_LOGS, 0);
    TRY(bench_client_call(&c->client, &v, "eth_getLogs", params, ec));
    size_t have = json_array_size(v);
    json_decref(v);
    if (have != s->block_txs)
        FAIL(ec, ERR_MISMATCH, "%s: %zu logs of a block with %" PRIu64, c->name, have,
             s->block_txs);
    return bench_chain_check_balances(&c->chain, &c->client, ec);
}

/* --- reading ------------------------------------------------------------------------------- */
struct shot {
    double per_s, p50, p99;
};

static enum err shoot(struct shot *out, struct reads *s, bool peer, enum read_kind kind,
                      const struct mode *m, size_t n, struct err_ctx *ec) {
    static const char *const methods[READ_KINDS] = {"eth_getBalance", "eth_call", "eth_getLogs",
                                                    "eth_getLogs"};
    struct bench_load_options o = {.url = peer ? s->peer.node.url : s->ours.node.url,
                                   .connections = m->connections,
                                   .depth = m->depth};
    struct bench_load_result res;
    struct bench_load *l = NULL;
    struct buf body;
    TRY(bench_load_new(&l, &o, ec));
    buf_init(&body, BENCH_CLIENT_ANSWER_MAX);
    for (size_t i = 0; i < n; i++) {
        char params[PARAMS_MAX];
        put_params(params, s, peer, kind, i);
        buf_reset(&body);
        buf_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"%s\",\"params\":%s}", i,
                   methods[kind], params);
        bench_load_add(l, i, buf_bytes(&body));
    }
    enum err e = bench_load_run(l, &res, ec);
    if (e == ERR_OK)
        *out = (struct shot){.per_s = (double)n / res.seconds,
                             .p50 = bench_quantile(res.us, n, 0.5),
                             .p99 = bench_quantile(res.us, n, 0.99)};
    bench_load_free(l);
    buf_clear(&body);
    return e;
}

static bool is_wanted(const struct bench_report *r, size_t kind) {
    return r->only == NULL || strstr(kind_names[kind], r->only) != NULL;
}

static size_t requests(size_t count, size_t kind, size_t mode, bool peer) {
    size_t least =
        modes[mode].connections > LEAST_REQUESTS ? modes[mode].connections : LEAST_REQUESTS;
    size_t n = kind != READ_FILTERED_LOGS ? count
               : peer                     ? count / SLOW_PART_PEER
                                          : count / SLOW_PART;
    return n < least ? least : n;
}

static enum err measure(struct bench_report *r, struct reads *s, struct err_ctx *ec) {
    size_t count = r->count != 0 ? r->count : COUNT_DEFAULT;
    for (size_t run = 0; run < r->runs; run++)
        for (size_t k = 0; k < READ_KINDS; k++)
            for (size_t m = 0; is_wanted(r, k) && m < MODES; m++) {
                struct shot a, b = {0};
                TRY(shoot(&a, s, false, (enum read_kind)k, &modes[m], requests(count, k, m, false),
                          ec));
                if (s->peer.is_peer)
                    TRY(shoot(&b, s, true, (enum read_kind)k, &modes[m],
                              requests(count, k, m, true), ec));
                bench_series_add(&s->per_s[k][m], a.per_s, b.per_s);
                bench_series_add(&s->p50[k][m], a.p50, b.p50);
                bench_series_add(&s->p99[k][m], a.p99, b.p99);
            }
    return ERR_OK;
}

static void add(struct bench_report *r, const struct reads *s, size_t k, size_t m, const char *what,
                bool per_s, const struct bench_series *series) {
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s, %s%s", kind_names[k], modes[m].name, what);
    bench_add_series(r,
                     &(struct bench_row){.name = name,
                                         .unit = per_s ? "1/s" : "us",
                                         .peer = s->peer.is_peer ? s->peer.name : NULL,
                                         .smaller_is_better = !per_s},
                     series);
}

static enum err run(struct bench_report *r, struct reads *s, struct err_ctx *ec) {
    static const char *const when_told[] = {"--no-mining", NULL};
    static const char *const plain[] = {NULL};
    TRY(bench_contender_prepare(&s->ours, r, BENCH_PEER_SENDERS, ec));
    TRY(bench_contender_serve(&s->ours, r, "callipter", plain, ec));
    if (r->peer != NULL)
        TRY(bench_contender_peer(&s->peer, r, when_told, ec));
    bench_contender_say(r, &s->ours);
    TRY(make_logs(s, ec));
    TRY(check_logs(s, false, ec));
    if (s->peer.is_peer)
        TRY(check_logs(s, true, ec));
    TRY(measure(r, s, ec));
    for (size_t k = 0; k < READ_KINDS; k++)
        for (size_t m = 0; is_wanted(r, k) && m < MODES; m++) {
            add(r, s, k, m, "", true, &s->per_s[k][m]);
            add(r, s, k, m, ", p50", false, &s->p50[k][m]);
            add(r, s, k, m, ", p99", false, &s->p99[k][m]);
        }
    return ERR_OK;
}

enum err bench_reads(struct bench_report *r, struct err_ctx *ec) {
    struct reads *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    bench_contender_init(&s->ours);
    bench_contender_init(&s->peer);
    enum err e = run(r, s, ec);
    bench_contender_stop(&s->ours);
    bench_contender_stop(&s->peer);
    free(s);
    return e;
}
