/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/rpc/served.h"

#include "base/check.h"
#include "base/hex.h"
#include "chain/system_state.h"
#include "index/record.h"
#include "tests/lib/chain/tx_list.h"
#include "tests/lib/temp_dir.h"
#include "rpc/abi_json.h"
#include "rpc/engine.h"
#include "rpc/scan.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PARAMS_MAX = 1 << 16, TEXT_BYTES = 67 };
#define GWEI UINT64_C(1000000000)

/* --- a node that does nothing --------------------------------------------------------------- */
static uint64_t no_nonce(void *ctx, const addr20 *a) {
    (void)ctx;
    (void)a;
    return 0;
}

static bool not_pooled(void *ctx, const hash32 *hash, struct buf *out, addr20 *out_sender) {
    (void)ctx;
    (void)hash;
    (void)out;
    (void)out_sender;
    return false;
}

static uint64_t fixed_now(void *ctx) {
    (void)ctx;
    return 1700000000;
}

static bool no_value(void *ctx, enum kv_space space, bytes key, struct buf *out) {
    (void)ctx;
    (void)space;
    (void)key;
    (void)out;
    return false;
}

/* --- the chain ------------------------------------------------------------------------------- */
static void commit(struct served *s, struct derived_block *b, const struct index_positions *at,
                   uint64_t seq) {
    store_block_begin(s->store, b->header.number);
    store_put_diff(s->store, &b->diff);
    state_trie_take_rows(s->trie, store_put_trie_row, s->store);
    index_put_block(s->store, b, at);
    struct store_applied applied = {.epoch = 1,
                                    .seq = seq,
                                    .block = b->header.number,
                                    .state_root = b->header.state_root,
                                    .block_hash = b->hash};
    store_block_commit(s->store, &applied);
    store_set_durable(s->store, b->header.number);
    s->head = b->header;
    s->head_hash = b->hash;
}

static void write_genesis(struct served *s) {
    struct genesis_block g;
    genesis_build(&g, &s->genesis, chain_world(s->chain), s->trie, &s->arena);
    struct derived_block b = {.header = g.header, .hash = g.hash, .diff = g.diff};
    struct index_positions none = {0};
    commit(s, &b, &none, 0);
}

static void open_store(struct served *s) {
    struct err_ctx ec = {.text = ""};
    temp_dir_make(s->dir, sizeof(s->dir), "rpc");
    struct store_options so = {.dir = s->dir, .no_sync = true, .map_bytes = UINT64_C(1) << 32};
    CHECK(store_open(&s->store, &so, &ec) == ERR_OK);
    CHECK(store_view_open(&s->newest, s->store, UINT64_MAX) == ERR_OK);
    struct wal_options wo = {
        .disk = disk_posix(), .dir = s->dir, .prefix = "blocks", .segment_bytes = 1 << 20};
    CHECK(wal_open(&s->source.log, &wo, &ec) == ERR_OK);
    wo.prefix = "receipts";
    CHECK(wal_open(&s->source.receipts, &wo, &ec) == ERR_OK);
}

void served_open(struct served *s) {
    *s = (struct served){0};
    arena_init(&s->arena, 1 << 20, 1 << 30);
    open_store(s);
    genesis_dev(&s->genesis);
    struct chain_options co = {
        .config = s->genesis.config,
        .reader = store_state_reader(s->newest),
        .tier = EVM_TIER_FAST,
        .code_cache_bytes = 1 << 22,
        .world_cache_bytes = 1 << 22,
    };
    s->chain = chain_new(&co);
    s->trie = state_trie_new(store_trie_source(s->newest), 1 << 22);
    CHECK(s->chain != NULL && s->trie != NULL);
    for (uint32_t i = 0; i < GENESIS_DEV_ACCOUNTS; i++)
        genesis_dev_account(i, s->accounts[i].key, &s->accounts[i].address);
    write_genesis(s);
    s->node = (struct node_commands){.ctx = s,
                                     .pending_nonce = no_nonce,
                                     .pooled = not_pooled,
                                     .kv_get = no_value,
                                     .now = fixed_now,
                                     .dev_accounts = s->accounts,
                                     .dev_account_count = GENESIS_DEV_ACCOUNTS};
    pthread_mutex_init(&s->dev_nonces.lock, NULL);
    s->cx = (struct rpc_context){.store = s->store,
                                 .source = s->source,
                                 .chain = s->genesis.config,
                                 .node = &s->node,
                                 .client_version = "test/v1",
                                 .call_gas_cap = 50000000,
                                 .call_time_ms = 5000,
                                 .reply_bytes_max = 25 << 20,
                                 .dev = true,
                                 .dev_nonces = &s->dev_nonces};
    s->reader = rpc_reader_new(&s->cx, 1 << 20);
    CHECK(s->reader != NULL);
}

void served_close(struct served *s) {
    rpc_reader_free(s->reader);
    chain_free(s->chain);
    state_trie_free(s->trie);
    store_view_close(s->newest);
    wal_close(s->source.log);
    wal_close(s->source.receipts);
    store_close(s->store);
    genesis_clear(&s->genesis);
    arena_clear(&s->arena);
    pthread_mutex_destroy(&s->dev_nonces.lock);
    temp_dir_remove(s->dir);
}

struct tx *served_tx(struct served *s, size_t from, const addr20 *to, uint64_t value, bytes data,
                     uint64_t gas) {
    struct tx *tx = arena_zalloc(&s->arena, sizeof(*tx));
    *tx = (struct tx){.type = TX_DYNAMIC_FEE,
                      .has_chain_id = true,
                      .chain_id = s->genesis.config.chain_id,
                      .nonce = s->nonces[from]++,
                      .max_fee = u256_from_u64(GWEI),
                      .gas_limit = gas,
                      .is_create = to == NULL,
                      .value = u256_from_u64(value),
                      .data = data};
    if (to != NULL)
        tx->to = *to;
    CHECK(tx_sign(tx, &s->arena, s->accounts[from].key) == ERR_OK);
    return tx;
}

struct derived_block served_block(struct served *s, struct tx *const *txs, size_t count) {
    struct err_ctx ec = {.text = ""};
    struct tx_list list = {.txs = txs, .count = count};
    struct tx_feed feed = tx_list_feed(&list);
    struct derived_block b;
    uint64_t timestamp = 1700000000 + s->head.number;
    CHECK(chain_sequence_block(&b, s->chain, &s->arena, &s->head, timestamp,
                               timestamp / L3_SECONDS_PER_L1_BLOCK, &feed, &ec) == ERR_OK);
    struct buf payload;
    struct log_record r;
    buf_init(&payload, 1 << 22);
    record_pack_block(&payload, &b, &s->head_hash);
    CHECK(wal_append(s->source.log, LOG_BLOCK, 1, buf_bytes(&payload), &r) == ERR_OK);
    struct index_positions at = {.has_body = true, .body = r.pos, .has_receipts = true};
    uint64_t seq = r.seq;
    chain_seal_block(&b, s->chain, s->trie);
    buf_reset(&payload);
    record_pack_receipts(&payload, &b);
    CHECK(wal_append(s->source.receipts, LOG_RECEIPTS, 1, buf_bytes(&payload), &r) == ERR_OK);
    at.receipts = r.pos;
    at.receipts_payload = buf_bytes(&payload);
    commit(s, &b, &at, seq);
    buf_clear(&payload);
    return b;
}

static bytes from_hex(struct served *s, const char *digits) {
    size_t len = strlen(digits) / 2, got = 0;
    uint8_t *p = arena_alloc(&s->arena, len + 1);
    CHECK(hex_decode(p, len + 1, &got, digits, strlen(digits)) == ERR_OK);
    return bytes_of(p, got);
}

addr20 served_deploy(struct served *s, const char *code) {
    char init[PARAMS_MAX];
    /* PUSH2 length, DUP1, PUSH1 10, PUSH0, CODECOPY, PUSH0, RETURN */
    snprintf(init, sizeof(init), "61%04zx80600a5f395ff3%s", strlen(code) / 2, code);
    struct tx *tx = served_tx(s, 0, NULL, 0, from_hex(s, init), 3000000);
    struct derived_block b = served_block(s, &tx, 1);
    cr_assert(b.txs[0].receipt.success);
    return b.txs[0].result.created;
}

struct derived_tx served_send(struct served *s, size_t from, const addr20 *to, const char *data) {
    struct tx *tx = served_tx(s, from, to, 0, from_hex(s, data), 1000000);
    struct derived_block b = served_block(s, &tx, 1);
    return b.txs[0];
}

void served_registry(struct served *s, const char *signature, json_t *args, uint64_t value) {
    struct abi_entry e;
    struct err_ctx ec = {.text = ""};
    struct buf data;
    addr20 to = system_address(SYSTEM_REGISTRY);
    buf_init(&data, PARAMS_MAX);
    cr_assert_eq(abi_parse_signature(&e, &s->arena, signature, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(abi_encode_call(&data, &e, args, &ec), ERR_OK, "%s", ec.text);
    struct tx *tx = served_tx(s, 0, &to, value, buf_bytes(&data), 2000000);
    struct derived_block b = served_block(s, &tx, 1);
    cr_assert(b.txs[0].receipt.success, "%s", signature);
    buf_clear(&data);
    json_decref(args);
}

void served_universe(struct served *s, const char *slug) {
    char word[2 + 2 * API_SLUG_MAX + 1] = "0x";
    uint8_t text[API_SLUG_MAX] = {0};
    u256 bond = s->genesis.params.universe_bond_wei;
    memcpy(text, slug, strlen(slug));
    hex_encode(word + 2, text, sizeof(text));
    word[sizeof(word) - 1] = '\0';
    served_registry(s, "createUniverse(bytes14,address,string)",
                    json_pack("[s,s,s]", word, served_addr(&s->accounts[0].address), ""),
                    u256_sat_u64(&bond));
}

/* --- calls ----------------------------------------------------------------------------------- */
static json_t *parse(const char *text) {
    char *s = strdup(text);
    for (char *c = s; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    json_error_t je;
    json_t *v = json_loads(s, JSON_DECODE_ANY, &je);
    cr_assert_not_null(v, "%s: %s", je.text, s);
    free(s);
    return v;
}

/* The reply of a call that has run. */
static json_t *reply_of(const struct rpc_call *c) {
    json_t *out = json_object();
    json_error_t je;
    if (c->code != 0) {
        json_t *e = json_pack("{s:i, s:s%}", "code", c->code, "message", (const char *)c->text.ptr,
                              c->text.len);
        cr_assert_not_null(e);
        if (c->data.len != 0)
            json_object_set_new(
                e, "data",
                json_loadb((const char *)c->data.ptr, c->data.len, JSON_DECODE_ANY, &je));
        json_object_set_new(out, "error", e);
    } else {
        json_t *r = json_loadb((const char *)c->result.ptr, c->result.len,
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &je);
        cr_assert_not_null(r, "%s: %s: %.*s", c->method->name, je.text, (int)c->result.len,
                           (const char *)c->result.ptr);
        json_object_set_new(out, "result", r);
    }
    return out;
}

/* One run, with parsed or scanned parameters; NULL: over the budget, which is 0 for none, or more
 * than a scan is good for. */
static json_t *run(struct served *s, const struct rpc_method *m, json_t *params,
                   struct rpc_scan *scan, uint64_t budget) {
    struct rpc_call c;
    rpc_call_init(&c, &s->cx);
    c.method = m;
    c.params = params;
    c.scan = scan;
    c.phase = RPC_PHASE_RUN;
    c.budget_gas = budget;
    if (m->cost != RPC_COST_INLINE && m->cost != RPC_COST_SUBMIT)
        rpc_reader_run(s->reader, &c, 1);
    else
        m->run(&c);
    cr_assert(budget > 0 || !c.over_budget);
    bool void_scan = scan != NULL && (scan->unfit || rpc_failed(&c));
    json_t *out = c.over_budget || void_scan ? NULL : reply_of(&c);
    rpc_call_clear(&c);
    return out;
}

/* As the event loop does it first; NULL when that is given up. */
static json_t *run_scanned(struct served *s, const struct rpc_method *m, json_t *params,
                           uint64_t budget) {
    struct rpc_scan scan;
    char *args = json_dumps(params, JSON_COMPACT), *text = NULL;
    int n = asprintf(&text, "{\"id\":1,\"method\":\"%s\",\"params\":%s}", m->name, args);
    cr_assert(n > 0);
    bool ok = rpc_scan_request(&scan, bytes_of(text, (size_t)n));
    json_t *out = ok ? run(s, m, NULL, &scan, budget) : NULL;
    free(text);
    free(args);
    return out;
}

static void expect_same(json_t *got, json_t *want, const char *how, const char *params_text) {
    if (got == NULL)
        return;
    char *shown = json_dumps(got, JSON_ENCODE_ANY);
    cr_expect(json_equal(got, want), "%s, %s: %s", how, params_text, shown);
    free(shown);
    json_decref(got);
}

static json_t *call(struct served *s, const char *name, const char *params_text) {
    const struct rpc_method *m = rpc_method_find(name, strlen(name), true);
    cr_assert_not_null(m, "%s", name);
    json_t *params = parse(params_text), *brief = NULL, *scanned = NULL;
    if (m->cost == RPC_COST_BRIEF) {
        brief = run(s, m, params, NULL, RPC_LOOP_GAS);
        scanned = run_scanned(s, m, params, RPC_LOOP_GAS);
    } else if (m->cost == RPC_COST_FLAT) {
        scanned = run_scanned(s, m, params, 0);
    }
    s->was_brief = brief != NULL;
    s->was_scanned = scanned != NULL;
    json_t *out = run(s, m, params, NULL, 0);
    expect_same(brief, out, "with a budget", params_text);
    expect_same(scanned, out, "scanned", params_text);
    json_decref(params);
    return out;
}

#define FORMAT(text, fmt)                                                                          \
    char text[PARAMS_MAX];                                                                         \
    va_list ap;                                                                                    \
    va_start(ap, fmt);                                                                             \
    CHECK(vsnprintf(text, sizeof(text), fmt, ap) < PARAMS_MAX);                                    \
    va_end(ap)

json_t *served_call(struct served *s, const char *method, const char *params, ...) {
    FORMAT(text, params);
    return call(s, method, text);
}

void served_expect(struct served *s, const char *want, const char *method, const char *params,
                   ...) {
    FORMAT(text, params);
    json_t *got = call(s, method, text), *w = parse(want);
    char *shown = json_dumps(got, JSON_ENCODE_ANY);
    cr_expect(json_equal(json_object_get(got, "result"), w), "%s %s: %s", method, text, shown);
    free(shown);
    json_decref(got);
    json_decref(w);
}

void served_expect_error(struct served *s, int code, const char *message, const char *method,
                         const char *params, ...) {
    FORMAT(text, params);
    json_t *got = call(s, method, text), *e = json_object_get(got, "error");
    char *shown = json_dumps(got, JSON_ENCODE_ANY);
    const char *m = json_string_value(json_object_get(e, "message"));
    cr_expect(json_integer_value(json_object_get(e, "code")) == code && m != NULL &&
                  strcmp(m, message) == 0,
              "%s %s: %s", method, text, shown);
    free(shown);
    json_decref(got);
}

static char *next_text(void) {
    static char texts[4][TEXT_BYTES];
    static unsigned at;
    return texts[at++ % ARRAY_LEN(texts)];
}

static const char *hex_text(const uint8_t *ptr, size_t len) {
    char *t = next_text();
    t[0] = '0';
    t[1] = 'x';
    hex_encode(t + 2, ptr, len);
    t[2 + 2 * len] = '\0';
    return t;
}

const char *served_addr(const addr20 *a) {
    return hex_text(a->b, 20);
}

const char *served_hash(const hash32 *h) {
    return hex_text(h->b, 32);
}
