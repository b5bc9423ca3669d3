/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_chain.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/map.h"
#include "bridge/abi.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHECK_BATCH = 100,
    ITEMS_ASKED = 50, /* at once */
    PARAMS_MAX = 16384,
    WORD = 32,
    DATA_MAX = 1024,
};

/* --- many calls ---------------------------------------------------------------------------- */
/* A batch of calls, and its answers by id, which is the place in the batch. */
struct checks {
    struct bench_client *client;
    struct buf body;
    size_t n;
    json_t *results[CHECK_BATCH]; /* borrowed from root */
    json_t *root;
};

static void checks_begin(struct checks *k) {
    json_decref(k->root);
    k->root = NULL;
    buf_reset(&k->body);
    k->n = 0;
}

static void checks_end(struct checks *k) {
    json_decref(k->root);
    buf_clear(&k->body);
}

static void checks_add(struct checks *k, const char *method, const char *params) {
    CHECK(k->n < CHECK_BATCH);
    buf_printf(&k->body, "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"%s\",\"params\":%s}",
               k->n == 0 ? "[" : ",", k->n, method, params);
    k->n++;
}

static enum err checks_ask(struct checks *k, struct err_ctx *ec) {
    bytes answer;
    buf_append_str(&k->body, "]");
    bench_client_prepare(k->client, buf_bytes(&k->body));
    TRY(bench_client_exchange(k->client, &answer, ec));
    k->root = json_loadb((const char *)answer.ptr, answer.len, 0, NULL);
    memset(k->results, 0, sizeof k->results);
    for (size_t i = 0; i < json_array_size(k->root); i++) {
        const json_t *one = json_array_get(k->root, i), *id = json_object_get(one, "id");
        if (json_is_integer(id) && json_integer_value(id) >= 0 &&
            (size_t)json_integer_value(id) < k->n)
            k->results[json_integer_value(id)] = json_object_get(one, "result");
    }
    for (size_t i = 0; i < k->n; i++)
        if (k->results[i] == NULL)
            FAIL(ec, ERR_MISMATCH, "%s answers %.*s", k->client->addr,
                 (int)(answer.len < 200 ? answer.len : 200), (const char *)answer.ptr);
    return ERR_OK;
}

/* --- receipts ------------------------------------------------------------------------------ */
static enum err quantity(u256 *out, const json_t *object, const char *key, struct err_ctx *ec) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || hex_parse_u256(out, text, strlen(text), false) != ERR_OK)
        FAIL(ec, ERR_MISMATCH, "a receipt has no %s", key);
    return ERR_OK;
}

/* What the recipient has more, now that the transaction succeeded. */
static void note_received(struct bench_chain *c, const struct bench_tx *t) {
    c->recipients[t->recipient].got[t->work]++;
    for (size_t k = 0; k < bench_work_items(t->work); k++)
        bench_chain_note_item(c, (struct bench_item){.id = (uint32_t)(t->item + k),
                                                     .recipient = t->recipient,
                                                     .units = (uint32_t)k + 1});
}

static enum err take_receipt(struct bench_chain *c, const struct bench_tx *t, const json_t *receipt,
                             uint64_t *gas, struct err_ctx *ec) {
    struct bench_sender *s = &c->senders[t->sender];
    u256 status, used, price;
    TRY(quantity(&status, receipt, "status", ec));
    TRY(quantity(&used, receipt, "gasUsed", ec));
    TRY(quantity(&price, receipt, "effectiveGasPrice", ec));
    if (!u256_eq(&status, &U256_ONE))
        FAIL(ec, ERR_MISMATCH, "%s did not succeed",
             json_string_value(json_object_get(receipt, "transactionHash")));
    u256 fee = u256_mul(&used, &price);
    s->balance = u256_sub(&s->balance, &fee);
    *gas += u256_sat_u64(&used);
    if (t->work == BENCH_TRANSFER)
        s->balance = u256_sub(&s->balance, &U256_ONE);
    if (t->work == BENCH_ERC20)
        s->coins++;
    if (t->work < BENCH_WORK_COUNT && !t->far)
        note_received(c, t);
    return ERR_OK;
}

/* The transactions whose receipts are looked for, by hash. */
struct expected {
    struct map places; /* hash -> place in txs, uint32_t */
    const struct bench_tx *txs;
    size_t n, seen;
};

static void expected_init(struct expected *x, const struct bench_tx *txs, size_t n) {
    *x = (struct expected){.txs = txs, .n = n};
    map_init(&x->places, sizeof(hash32), sizeof(uint32_t), n + 1, (struct map_seed){1, 2});
    for (uint32_t i = 0; i < n; i++)
        CHECK(map_put(&x->places, txs[i].hash.b, &i) == ERR_OK);
}

/* The receipts of one block: each is of a transaction that was sent, and of one that no other was
 * of. */
static enum err take_block(struct bench_chain *c, struct expected *x, const json_t *receipts,
                           uint64_t *gas, struct err_ctx *ec) {
    for (size_t i = 0; i < json_array_size(receipts); i++) {
        const json_t *receipt = json_array_get(receipts, i);
        const char *text = json_string_value(json_object_get(receipt, "transactionHash"));
        hash32 hash;
        if (text == NULL || strlen(text) != 66 || hex_decode_fixed(hash.b, 32, text + 2) != ERR_OK)
            FAIL(ec, ERR_MISMATCH, "a receipt has no transactionHash");
        const uint32_t *place = map_get(&x->places, hash.b);
        if (place == NULL)
            FAIL(ec, ERR_MISMATCH, "%s was not sent, or is in two blocks", text);
        TRY(take_receipt(c, &x->txs[*place], receipt, gas, ec));
        CHECK(map_del(&x->places, hash.b));
        x->seen++;
    }
    return ERR_OK;
}

static enum err take_blocks(struct bench_chain *c, struct expected *x, struct bench_client *client,
                            uint64_t *gas, struct err_ctx *ec) {
    uint64_t head;
    TRY(bench_client_u64(client, &head, "eth_blockNumber", "[]", ec));
    while (c->checked_block < head) {
        char params[32];
        json_t *receipts = NULL;
        snprintf(params, sizeof params, "[\"0x%" PRIx64 "\"]", ++c->checked_block);
        TRY(bench_client_call(client, &receipts, "eth_getBlockReceipts", params, ec));
        enum err e = take_block(c, x, receipts, gas, ec);
        json_decref(receipts);
        if (e != ERR_OK)
            return e;
    }
    if (x->seen != x->n)
        FAIL(ec, ERR_MISMATCH, "%zu of %zu transactions have no receipt", x->n - x->seen, x->n);
    return ERR_OK;
}

enum err bench_chain_check_receipts(struct bench_chain *c, struct bench_client *client,
                                    const struct bench_tx *txs, size_t n, uint64_t *out_gas,
                                    struct err_ctx *ec) {
    struct expected x;
    *out_gas = 0;
    expected_init(&x, txs, n);
    enum err e = take_blocks(c, &x, client, out_gas, ec);
    map_clear(&x.places);
    return e;
}

/* --- balances and nonces ------------------------------------------------------------------- */
/* What must be answered to one question. */
struct question {
    const char *method;
    char params[PARAMS_MAX];
    u256 want[ITEMS_ASKED]; /* words of the answer */
    size_t words, skip;     /* those before them are not looked at */
};

static void ask_call(struct question *q, const char *to, const struct buf *data) {
    struct buf text;
    buf_init(&text, PARAMS_MAX);
    buf_printf(&text, "[{\"to\":\"%s\",\"data\":\"", to);
    hex_put(&text, data->ptr, data->len);
    buf_append_str(&text, "\"},\"latest\"]");
    buf_append_byte(&text, 0);
    CHECK(!text.overflow);
    q->method = "eth_call";
    memcpy(q->params, text.ptr, text.len);
    buf_clear(&text);
}

static void ask_balance(struct question *q, const addr20 *a, const u256 *want) {
    struct question made = {.method = "eth_getBalance", .words = 1};
    char text[41] = {0};
    hex_encode(text, a->b, 20);
    snprintf(made.params, sizeof made.params, "[\"0x%s\",\"latest\"]", text);
    made.want[0] = *want;
    *q = made;
}

static void ask_coins(struct question *q, const addr20 *a, uint64_t want) {
    struct buf data;
    *q = (struct question){.words = 1};
    q->want[0] = u256_from_u64(want);
    buf_init(&data, DATA_MAX);
    bench_put_selector(&data, "balanceOf(address)");
    abi_put_addr(&data, a);
    ask_call(q, BENCH_COIN, &data);
    buf_clear(&data);
}

/* Any n of the items that were minted, whoever has them. */
static void ask_items(struct question *q, const struct bench_chain *c, size_t from, size_t n) {
    struct buf data;
    *q = (struct question){.words = n, .skip = 2};
    buf_init(&data, PARAMS_MAX / 2);
    bench_put_selector(&data, "balanceOfBatch(address[],uint256[])");
    abi_put_u64(&data, 2 * WORD);
    abi_put_u64(&data, (3 + n) * WORD);
    abi_put_u64(&data, n);
    for (size_t i = 0; i < n; i++)
        abi_put_addr(&data, &c->recipients[c->items[from + i].recipient].addr);
    abi_put_u64(&data, n);
    for (size_t i = 0; i < n; i++) {
        abi_put_u64(&data, c->items[from + i].id);
        q->want[i] = u256_from_u64(c->items[from + i].units);
    }
    ask_call(q, BENCH_ITEMS, &data);
    buf_clear(&data);
}

static bool answers(const struct question *q, const char *text) {
    size_t len = text != NULL ? strlen(text) : 0;
    u256 have;
    if (q->words == 1 && q->skip == 0)
        return len > 2 && hex_parse_u256(&have, text, len, true) == ERR_OK &&
               u256_eq(&have, &q->want[0]);
    if (len != 2 + 2 * WORD * (q->skip + q->words))
        return false;
    for (size_t i = 0; i < q->words; i++) {
        uint8_t w[WORD];
        char digits[2 * WORD + 1] = {0};
        memcpy(digits, text + 2 + 2 * WORD * (q->skip + i), 2 * WORD);
        if (hex_decode_fixed(w, WORD, digits) != ERR_OK)
            return false;
        have = u256_from_be32(w);
        if (!u256_eq(&have, &q->want[i]))
            return false;
    }
    return true;
}

enum { QUESTIONS = 4 };
/* The i-th question: QUESTIONS about each account, then about ITEMS_ASKED items at a time. */
static void make_question(struct question *q, const struct bench_chain *c, size_t i) {
    if (i >= c->count * QUESTIONS) {
        size_t from = (i - c->count * QUESTIONS) * ITEMS_ASKED, left = c->item_count - from;
        ask_items(q, c, from, left < ITEMS_ASKED ? left : ITEMS_ASKED);
        return;
    }
    const struct bench_sender *s = &c->senders[i / QUESTIONS];
    const struct bench_recipient *r = &c->recipients[i / QUESTIONS];
    u256 wei = u256_from_u64(BENCH_RECIPIENT_WEI + r->got[BENCH_TRANSFER]);
    switch (i % QUESTIONS) {
    case 0:
        ask_balance(q, &s->addr, &s->balance);
        break;
    case 1:
        ask_balance(q, &r->addr, &wei);
        break;
    case 2:
        ask_coins(q, &s->addr, BENCH_SENDER_COINS - BENCH_COINS_SENT * s->coins);
        break;
    default:
        ask_coins(q, &r->addr, BENCH_RECIPIENT_COINS + BENCH_COINS_SENT * r->got[BENCH_ERC20]);
    }
}

enum err bench_chain_check_balances(struct bench_chain *c, struct bench_client *client,
                                    struct err_ctx *ec) {
    struct checks k = {.client = client};
    struct question *asked = calloc(CHECK_BATCH, sizeof *asked);
    size_t n = c->count * QUESTIONS + (c->item_count + ITEMS_ASKED - 1) / ITEMS_ASKED;
    enum err e = ERR_OK;
    CHECK(asked != NULL);
    buf_init(&k.body, BENCH_CLIENT_ANSWER_MAX);
    for (size_t first = 0; e == ERR_OK && first < n; first += CHECK_BATCH) {
        checks_begin(&k);
        for (size_t i = first; i < n && i < first + CHECK_BATCH; i++) {
            make_question(&asked[k.n], c, i);
            checks_add(&k, asked[k.n].method, asked[k.n].params);
        }
        e = checks_ask(&k, ec);
        for (size_t i = 0; e == ERR_OK && i < k.n; i++)
            if (!answers(&asked[i], json_string_value(k.results[i])))
                e = err_set(ec, ERR_MISMATCH, __FILE__, __LINE__, "%s: %s%.200s answers %.200s",
                            client->addr, asked[i].method, asked[i].params,
                            json_string_value(k.results[i]));
    }
    checks_end(&k);
    free(asked);
    return e;
}

enum err bench_chain_check_nonces(const struct bench_chain *c, struct bench_client *client,
                                  struct err_ctx *ec) {
    struct checks k = {.client = client};
    enum err e = ERR_OK;
    buf_init(&k.body, BENCH_CLIENT_ANSWER_MAX);
    for (size_t first = 0; e == ERR_OK && first < c->count; first += CHECK_BATCH) {
        checks_begin(&k);
        for (size_t i = first; i < c->count && i < first + CHECK_BATCH; i++) {
            char who[41] = {0}, params[64];
            hex_encode(who, c->senders[i].addr.b, 20);
            snprintf(params, sizeof params, "[\"0x%s\",\"latest\"]", who);
            checks_add(&k, "eth_getTransactionCount", params);
        }
        e = checks_ask(&k, ec);
        for (size_t i = 0; e == ERR_OK && i < k.n; i++) {
            char want[24];
            const char *have = json_string_value(k.results[i]);
            snprintf(want, sizeof want, "0x%" PRIx64, c->senders[first + i].nonce);
            if (have == NULL || strcmp(have, want) != 0)
                e = err_set(ec, ERR_MISMATCH, __FILE__, __LINE__,
                            "%s: sender %zu has nonce %.20s, and %s were sent", client->addr,
                            first + i, have != NULL ? have : "none", want);
        }
    }
    checks_end(&k);
    return e;
}

enum err bench_chain_crowd(uint64_t *out, struct bench_client *client, struct err_ctx *ec) {
    char params[64];
    uint64_t left;
    snprintf(params, sizeof params, "[\"%s\",\"latest\"]", BENCH_CROWD);
    TRY(bench_client_u64(client, &left, "eth_getBalance", params, ec));
    *out = BENCH_CROWD_WEI - left;
    return ERR_OK;
}
