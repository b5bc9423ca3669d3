/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_chain.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "base/map.h"
#include "chain/tx.h"
#include "genesis/embed.h"
#include "node/bench_accounts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

EMBED_FILE(bench_coin_hex, "node/bench/coin.hex")
EMBED_FILE(bench_items_hex, "node/bench/items.hex")
static const char COIN_HASH[] = "4064dc2815845eb8888e826adb74bb160f1d06afe57f509245def95c72beb7f7";
static const char ITEMS_HASH[] = "eb1f6c5d3b5184cc95cb1241a332b2231e87165722823f4b16277c66f4043dbb";

const char BENCH_COIN[] = "0x0000000000000000000000000000000000002020";
const char BENCH_ITEMS[] = "0x0000000000000000000000000000000000001155";
const char BENCH_CROWD[] = "0x000000000000000000000000000000000000c40d";
/* for (i = calldata[0]; i < calldata[1]; i++) 1 wei to the address keccak256(i) */
static const char CROWD_CODE[] =
    "5f355b806020351115602257805f525f5f5f5f600160205f205ff15060010160025"
    "65b00";

/* Ether of a sender and wei of the crowd maker at the start; coins of a sender and a recipient. */
#define SENDER_WEI "d3c21bcecceda1000000"
enum {
    CROWD_WEI = 100000000,
    RECIPIENT_WEI = 1,
    SENDER_COINS = 1000000000,
    RECIPIENT_COINS = 1,
    COINS_SENT = 1000,
    CODE_ARENA = 1 << 20,
    CHECK_BATCH = 100,
    PARAMS_MAX = 2048,
    WORD = 32,
    DATA_MAX = 1024,
    DEPLOY_DATA_MAX = 8192,
};
#define MAX_FEE_WEI UINT64_C(20000000000)

static const struct work {
    const char *name, *selector_of;
    uint64_t gas;
} works[BENCH_WORK_COUNT] = {
    [BENCH_TRANSFER] = {"transfer", NULL, 21000},
    [BENCH_ERC20] = {"ERC-20 transfer", "transfer(address,uint256)", 100000},
    [BENCH_MINT] = {"ERC-1155 mint", "mint(address,uint256,uint256,bytes)", 150000},
    [BENCH_MINT_BATCH] = {"ERC-1155 mintBatch of 10",
                          "mintBatch(address,uint256[],uint256[],bytes)", 500000},
    [BENCH_DEPLOY] = {"deployment", NULL, 2000000},
};

const char *bench_work_name(enum bench_work w) {
    return works[w].name;
}

/* --- accounts ------------------------------------------------------------------------------ */
static hash32 hash_of(const char *what, size_t i) {
    char text[64];
    hash32 h;
    int n = snprintf(text, sizeof text, "callipter bench %s %zu", what, i);
    keccak256(&h, text, (size_t)n);
    return h;
}

void bench_chain_new(struct bench_chain *c, size_t count) {
    CHECK(count >= 1 && count <= BENCH_CHAIN_MAX);
    *c = (struct bench_chain){.count = count, .rng = 1};
    c->senders = calloc(count, sizeof *c->senders);
    c->recipients = calloc(count, sizeof *c->recipients);
    CHECK(c->senders != NULL);
    CHECK(c->recipients != NULL);
    for (size_t i = 0; i < count; i++) {
        hash32 key = hash_of("sender", i), to = hash_of("recipient", i);
        memcpy(c->senders[i].key, key.b, 32);
        CHECK(secp_address_of_key(&c->senders[i].addr, key.b) == ERR_OK);
        CHECK(hex_parse_u256(&c->senders[i].balance, "0x" SENDER_WEI, sizeof SENDER_WEI + 1,
                             false) == ERR_OK);
        memcpy(c->recipients[i].addr.b, to.b + 12, 20);
    }
}

void bench_chain_clone(struct bench_chain *out, const struct bench_chain *c) {
    *out = *c;
    out->senders = malloc(c->count * sizeof *c->senders);
    out->recipients = malloc(c->count * sizeof *c->recipients);
    CHECK(out->senders != NULL);
    CHECK(out->recipients != NULL);
    memcpy(out->senders, c->senders, c->count * sizeof *c->senders);
    memcpy(out->recipients, c->recipients, c->count * sizeof *c->recipients);
}

void bench_chain_free(struct bench_chain *c) {
    free(c->senders);
    free(c->recipients);
    *c = (struct bench_chain){0};
}

/* --- block 0 ------------------------------------------------------------------------------- */
static void put_addr(FILE *f, const addr20 *a) {
    char text[41] = {0};
    hex_encode(text, a->b, sizeof a->b);
    fprintf(f, "\"0x%s\"", text);
}

/* An entry of `mapping(address => uint256)` in slot 0. */
static void put_coins(FILE *f, const addr20 *a, uint64_t coins, bool first) {
    uint8_t key[64] = {0};
    hash32 slot;
    char text[65] = {0};
    memcpy(key + 12, a->b, 20);
    keccak256(&slot, key, sizeof key);
    hex_encode(text, slot.b, 32);
    fprintf(f, "%s\n\"0x%s\":\"0x%064" PRIx64 "\"", first ? "" : ",", text, coins);
}

static void put_code(FILE *f, const char *begin, const char *end, const char *hash) {
    struct arena a;
    arena_init(&a, CODE_ARENA, CODE_ARENA);
    bytes code = embed_code(begin, end, hash, &a); /* which checks it */
    fprintf(f, "\"code\":\"0x%.*s\"", (int)(2 * code.len), begin);
    arena_clear(&a);
}

static void put_alloc(FILE *f, const struct bench_chain *c) {
    for (size_t i = 0; i < c->count; i++) {
        put_addr(f, &c->senders[i].addr);
        fprintf(f, ":{\"balance\":\"0x%s\"},\n", SENDER_WEI);
        put_addr(f, &c->recipients[i].addr);
        fprintf(f, ":{\"balance\":\"0x%x\"},\n", RECIPIENT_WEI);
    }
    fprintf(f, "\"%s\":{\"balance\":\"0x%x\",\"code\":\"0x%s\"},\n", BENCH_CROWD, CROWD_WEI,
            CROWD_CODE);
    fprintf(f, "\"%s\":{\"balance\":\"0x0\",", BENCH_ITEMS);
    put_code(f, bench_items_hex_begin, bench_items_hex_end, ITEMS_HASH);
    fprintf(f, "},\n\"%s\":{\"balance\":\"0x0\",", BENCH_COIN);
    put_code(f, bench_coin_hex_begin, bench_coin_hex_end, COIN_HASH);
    fprintf(f, ",\"storage\":{");
    for (size_t i = 0; i < c->count; i++) {
        put_coins(f, &c->senders[i].addr, SENDER_COINS, i == 0);
        put_coins(f, &c->recipients[i].addr, RECIPIENT_COINS, false);
    }
    fprintf(f, "}}\n");
}

enum err bench_chain_write_genesis(const struct bench_chain *c, const char *path, bool peer,
                                   struct err_ctx *ec) {
    FILE *f = fopen(path, "w");
    if (f == NULL)
        FAIL(ec, ERR_IO, "%s: %s", path, strerror(errno));
    fprintf(f,
            "{\"config\":{\"chainId\":%d,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
            "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0"
            ",\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,"
            "\"terminalTotalDifficulty\":0,\"terminalTotalDifficultyPassed\":true,"
            "\"shanghaiTime\":0,\"cancunTime\":0,\"pragueTime\":0},\n",
            BENCH_CHAIN_ID);
    if (peer)
        fprintf(f, "\"gasLimit\":\"0xb2d05e00\",\"difficulty\":\"0x0\",\"timestamp\":\"0x0\","
                   "\"extraData\":\"0x\",\"nonce\":\"0x0\",\"baseFeePerGas\":\"0x3b9aca00\",\n");
    else /* load does not move the price */
        fprintf(f, "\"callipter\":{\"speedLimit\":100000000000},\n");
    fprintf(f, "\"alloc\":{\n");
    put_alloc(f, c);
    fprintf(f, "}}\n");
    bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad)
        FAIL(ec, ERR_IO, "%s cannot be written", path);
    return ERR_OK;
}

/* --- transactions -------------------------------------------------------------------------- */
static addr20 addr_of(const char *text) {
    addr20 a;
    CHECK(hex_decode_fixed(a.b, sizeof a.b, text + 2) == ERR_OK);
    return a;
}

static void put_word(struct buf *b, uint64_t v) {
    uint8_t w[WORD] = {0};
    be64_store(w + WORD - 8, v);
    buf_append(b, w, WORD);
}

static void put_addr_word(struct buf *b, const addr20 *a) {
    uint8_t w[WORD] = {0};
    memcpy(w + 12, a->b, 20);
    buf_append(b, w, WORD);
}

static void put_selector(struct buf *b, const char *of) {
    hash32 h;
    keccak256(&h, of, strlen(of));
    buf_append(b, h.b, 4);
}

/* A recipient's items have ids of their own: what it must have is known. */
static uint64_t first_id(size_t recipient) {
    return recipient % 100 * BENCH_BATCH_IDS;
}
static uint64_t mint_id(size_t recipient) {
    return 100000 + recipient % 1000;
}

/* Creation code that returns BenchCoin's code. */
static void put_deployment(struct buf *b) {
    struct arena a;
    arena_init(&a, CODE_ARENA, CODE_ARENA);
    bytes code = embed_code(bench_coin_hex_begin, bench_coin_hex_end, COIN_HASH, &a);
    /* PUSH2 length DUP1 PUSH1 11 PUSH0 CODECOPY PUSH0 RETURN STOP */
    uint8_t head[] = {
        0x61, (uint8_t)(code.len >> 8), (uint8_t)code.len, 0x80, 0x60, 11, 0x5f, 0x39, 0x5f, 0xf3,
        0};
    buf_append(b, head, sizeof head);
    buf_append(b, code.ptr, code.len);
    arena_clear(&a);
}

static void put_data(struct buf *b, enum bench_work w, const addr20 *to, size_t recipient) {
    if (works[w].selector_of != NULL) {
        put_selector(b, works[w].selector_of);
        put_addr_word(b, to);
    }
    if (w == BENCH_ERC20)
        put_word(b, COINS_SENT);
    if (w == BENCH_MINT) {
        const uint64_t words[] = {mint_id(recipient), 1, 4 * WORD, 0};
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            put_word(b, words[i]);
    }
    if (w == BENCH_MINT_BATCH) {
        const uint64_t array = (BENCH_BATCH_IDS + 1) * WORD;
        put_word(b, 4 * WORD);
        put_word(b, 4 * WORD + array);
        put_word(b, 4 * WORD + 2 * array);
        put_word(b, BENCH_BATCH_IDS);
        for (uint64_t k = 0; k < BENCH_BATCH_IDS; k++)
            put_word(b, first_id(recipient) + k);
        put_word(b, BENCH_BATCH_IDS);
        for (uint64_t k = 0; k < BENCH_BATCH_IDS; k++)
            put_word(b, 1 + k);
        put_word(b, 0);
    }
    if (w == BENCH_DEPLOY)
        put_deployment(b);
}

static enum err sign(struct bench_tx *out, struct bench_chain *c, struct arena *a, struct tx *tx,
                     struct err_ctx *ec) {
    struct bench_sender *s = &c->senders[out->sender];
    tx->type = TX_DYNAMIC_FEE;
    tx->has_chain_id = true;
    tx->chain_id = BENCH_CHAIN_ID;
    tx->nonce = s->nonce++;
    tx->max_fee = u256_from_u64(MAX_FEE_WEI);
    if (tx_sign(tx, a, s->key) != ERR_OK)
        FAIL(ec, ERR_SIGNATURE, "a transaction could not be signed");
    out->raw = tx->raw;
    out->hash = tx->hash;
    return ERR_OK;
}

/* The address that BENCH_CROWD's code makes of a number. */
static addr20 crowd_addr(uint64_t i) {
    uint8_t word[WORD] = {0};
    hash32 h;
    addr20 a;
    be64_store(word + WORD - 8, i);
    keccak256(&h, word, WORD);
    memcpy(a.b, h.b + 12, sizeof a.b);
    return a;
}

enum err bench_chain_sign(struct bench_tx *out, struct bench_chain *c, struct arena *a,
                          enum bench_work w, struct err_ctx *ec) {
    struct buf data;
    struct tx tx = {.gas_limit = works[w].gas};
    CHECK(!c->far || c->crowd > 0);
    uint64_t recipient = bench_random(&c->rng) % (c->far ? c->crowd : c->count);
    *out = (struct bench_tx){.work = w,
                             .sender = (uint32_t)(c->next++ % c->count),
                             .recipient = (uint32_t)recipient,
                             .far = c->far};
    addr20 to = c->far ? crowd_addr(recipient) : c->recipients[recipient].addr;
    buf_init(&data, DEPLOY_DATA_MAX);
    put_data(&data, w, &to, out->recipient);
    CHECK(!data.overflow);
    tx.data = buf_bytes(&data);
    tx.is_create = w == BENCH_DEPLOY;
    tx.to = w == BENCH_TRANSFER ? to : addr_of(w == BENCH_ERC20 ? BENCH_COIN : BENCH_ITEMS);
    if (w == BENCH_TRANSFER)
        tx.value = U256_ONE;
    enum err e = sign(out, c, a, &tx, ec);
    buf_clear(&data);
    return e;
}

enum err bench_chain_sign_crowd(struct bench_tx *out, struct bench_chain *c, struct arena *a,
                                uint64_t from, uint64_t to, struct err_ctx *ec) {
    struct buf data;
    struct tx tx = {.gas_limit = LIMIT_TX_GAS, .to = addr_of(BENCH_CROWD)};
    CHECK(from < to && to - from <= BENCH_CROWD_STEP);
    *out = (struct bench_tx){.work = BENCH_WORK_COUNT, .sender = (uint32_t)(c->next++ % c->count)};
    buf_init(&data, 2 * WORD);
    put_word(&data, from);
    put_word(&data, to);
    tx.data = buf_bytes(&data);
    enum err e = sign(out, c, a, &tx, ec);
    buf_clear(&data);
    return e;
}

/* --- afterwards ---------------------------------------------------------------------------- */
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

static enum err quantity(u256 *out, const json_t *object, const char *key, struct err_ctx *ec) {
    const char *text = json_string_value(json_object_get(object, key));
    if (text == NULL || hex_parse_u256(out, text, strlen(text), false) != ERR_OK)
        FAIL(ec, ERR_MISMATCH, "a receipt has no %s", key);
    return ERR_OK;
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
        c->recipients[t->recipient].got[t->work]++;
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

/* What one account must answer to one question. */
struct question {
    const char *method;
    char params[PARAMS_MAX];
    u256 want[BENCH_BATCH_IDS]; /* words of the answer */
    size_t words, skip;         /* those before them are not looked at */
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
    put_selector(&data, "balanceOf(address)");
    put_addr_word(&data, a);
    ask_call(q, BENCH_COIN, &data);
    buf_clear(&data);
}

static void ask_item(struct question *q, const struct bench_recipient *r, size_t number) {
    struct buf data;
    *q = (struct question){.words = 1};
    q->want[0] = u256_from_u64(r->got[BENCH_MINT]);
    buf_init(&data, DATA_MAX);
    put_selector(&data, "balanceOf(address,uint256)");
    put_addr_word(&data, &r->addr);
    put_word(&data, mint_id(number));
    ask_call(q, BENCH_ITEMS, &data);
    buf_clear(&data);
}

/* Other recipients share the ids, not the balances. */
static void ask_items(struct question *q, const struct bench_recipient *r, size_t number) {
    struct buf data;
    *q = (struct question){.words = BENCH_BATCH_IDS, .skip = 2};
    buf_init(&data, DATA_MAX);
    put_selector(&data, "balanceOfBatch(address[],uint256[])");
    put_word(&data, 2 * WORD);
    put_word(&data, (3 + BENCH_BATCH_IDS) * WORD);
    put_word(&data, BENCH_BATCH_IDS);
    for (uint64_t i = 0; i < BENCH_BATCH_IDS; i++)
        put_addr_word(&data, &r->addr);
    put_word(&data, BENCH_BATCH_IDS);
    for (uint64_t i = 0; i < BENCH_BATCH_IDS; i++) {
        put_word(&data, first_id(number) + i);
        q->want[i] = u256_from_u64(r->got[BENCH_MINT_BATCH] * (1 + i));
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

enum { QUESTIONS = 6 };
static void make_question(struct question *q, const struct bench_chain *c, size_t i) {
    const struct bench_sender *s = &c->senders[i / QUESTIONS];
    const struct bench_recipient *r = &c->recipients[i / QUESTIONS];
    u256 wei = u256_from_u64(RECIPIENT_WEI + r->got[BENCH_TRANSFER]);
    switch (i % QUESTIONS) {
    case 0:
        ask_balance(q, &s->addr, &s->balance);
        break;
    case 1:
        ask_balance(q, &r->addr, &wei);
        break;
    case 2:
        ask_coins(q, &s->addr, SENDER_COINS - COINS_SENT * s->coins);
        break;
    case 3:
        ask_coins(q, &r->addr, RECIPIENT_COINS + COINS_SENT * r->got[BENCH_ERC20]);
        break;
    case 4:
        ask_item(q, r, i / QUESTIONS);
        break;
    default:
        ask_items(q, r, i / QUESTIONS);
    }
}

enum err bench_chain_check_balances(struct bench_chain *c, struct bench_client *client,
                                    struct err_ctx *ec) {
    struct checks k = {.client = client};
    struct question *asked = calloc(CHECK_BATCH, sizeof *asked);
    size_t n = c->count * QUESTIONS;
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
                e = err_set(ec, ERR_MISMATCH, __FILE__, __LINE__,
                            "%s: account %zu: %s%.200s answers %.200s", client->addr,
                            (first + i) / QUESTIONS, asked[i].method, asked[i].params,
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
    *out = CROWD_WEI - left;
    return ERR_OK;
}
