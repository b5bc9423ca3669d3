/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_chain.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "bridge/abi.h"
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

#define SENDER_WEI "d3c21bcecceda1000000"
enum {
    CODE_ARENA = 1 << 20,
    WORD = 32,
    DEPLOY_DATA_MAX = 8192,
    ITEMS_CAP_FIRST = 1024,
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

size_t bench_work_items(enum bench_work w) {
    return w == BENCH_MINT ? 1 : w == BENCH_MINT_BATCH ? BENCH_BATCH_IDS : 0;
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
    out->items = NULL;
    out->item_count = out->item_cap = 0;
    for (size_t i = 0; i < c->item_count; i++)
        bench_chain_note_item(out, c->items[i]);
}

void bench_chain_note_item(struct bench_chain *c, struct bench_item item) {
    if (c->item_count == c->item_cap) {
        c->item_cap = c->item_cap == 0 ? ITEMS_CAP_FIRST : 2 * c->item_cap;
        c->items = realloc(c->items, c->item_cap * sizeof *c->items);
        CHECK(c->items != NULL);
    }
    c->items[c->item_count++] = item;
}

void bench_chain_free(struct bench_chain *c) {
    free(c->senders);
    free(c->recipients);
    free(c->items);
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
        fprintf(f, ":{\"balance\":\"0x%x\"},\n", BENCH_RECIPIENT_WEI);
    }
    fprintf(f, "\"%s\":{\"balance\":\"0x%x\",\"code\":\"0x%s\"},\n", BENCH_CROWD, BENCH_CROWD_WEI,
            CROWD_CODE);
    fprintf(f, "\"%s\":{\"balance\":\"0x0\",", BENCH_ITEMS);
    put_code(f, bench_items_hex_begin, bench_items_hex_end, ITEMS_HASH);
    fprintf(f, "},\n\"%s\":{\"balance\":\"0x0\",", BENCH_COIN);
    put_code(f, bench_coin_hex_begin, bench_coin_hex_end, COIN_HASH);
    fprintf(f, ",\"storage\":{");
    for (size_t i = 0; i < c->count; i++) {
        put_coins(f, &c->senders[i].addr, BENCH_SENDER_COINS, i == 0);
        put_coins(f, &c->recipients[i].addr, BENCH_RECIPIENT_COINS, false);
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

void bench_put_selector(struct buf *b, const char *signature) {
    hash32 h;
    keccak256(&h, signature, strlen(signature));
    buf_append(b, h.b, 4);
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

static void put_data(struct buf *b, enum bench_work w, const addr20 *to, uint64_t item) {
    if (works[w].selector_of != NULL) {
        bench_put_selector(b, works[w].selector_of);
        abi_put_addr(b, to);
    }
    if (w == BENCH_ERC20)
        abi_put_u64(b, BENCH_COINS_SENT);
    if (w == BENCH_MINT) {
        const uint64_t words[] = {item, 1, 4 * WORD, 0};
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            abi_put_u64(b, words[i]);
    }
    if (w == BENCH_MINT_BATCH) {
        const uint64_t array = (BENCH_BATCH_IDS + 1) * WORD;
        abi_put_u64(b, 4 * WORD);
        abi_put_u64(b, 4 * WORD + array);
        abi_put_u64(b, 4 * WORD + 2 * array);
        abi_put_u64(b, BENCH_BATCH_IDS);
        for (uint64_t k = 0; k < BENCH_BATCH_IDS; k++)
            abi_put_u64(b, item + k);
        abi_put_u64(b, BENCH_BATCH_IDS);
        for (uint64_t k = 0; k < BENCH_BATCH_IDS; k++)
            abi_put_u64(b, 1 + k);
        abi_put_u64(b, 0);
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
                             .far = c->far,
                             .item = c->next_item};
    c->next_item += bench_work_items(w);
    addr20 to = c->far ? crowd_addr(recipient) : c->recipients[recipient].addr;
    buf_init(&data, DEPLOY_DATA_MAX);
    put_data(&data, w, &to, out->item);
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
    abi_put_u64(&data, from);
    abi_put_u64(&data, to);
    tx.data = buf_bytes(&data);
    enum err e = sign(out, c, a, &tx, ec);
    buf_clear(&data);
    return e;
}
