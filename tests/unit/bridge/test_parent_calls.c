/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: parent_calls.c parent_json.c
 * Goal: every question is asked in the form that nodes take, every answer read or refused, reverts
 * and refusals told apart. Method: answers as geth, Nitro and Anvil give them, and damaged ones. */
#include "bridge/parent.h"

#include "tests/lib/bridge/fake_parent.h"

#include <criterion/criterion.h>

enum { CHAIN = 412346 };
#define HASH_A "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ADDR_C "0xcccccccccccccccccccccccccccccccccccccccc"

struct setup {
    struct fake_parent *fake, *other;
    struct parent *p;
    struct arena a;
    struct err_ctx ec;
};

static void start(struct setup *t, size_t endpoints) {
    memset(t, 0, sizeof *t);
    t->fake = fake_parent_start(CHAIN);
    t->other = fake_parent_start(CHAIN);
    arena_init(&t->a, 1 << 12, 1 << 20);
    struct parent_config c = {.urls = {fake_parent_url(t->fake), fake_parent_url(t->other)},
                              .url_count = endpoints,
                              .chain_id = CHAIN};
    cr_assert_eq(parent_new(&t->p, &c, NULL), ERR_OK);
}

static void end(struct setup *t) {
    parent_free(t->p);
    arena_clear(&t->a);
    fake_parent_stop(t->fake);
    fake_parent_stop(t->other);
}

Test(parent_calls, blocks) {
    struct setup t;
    struct parent_block b;
    uint64_t id;
    start(&t, 1);
    cr_assert(parent_chain_id(t.p, &id, &t.ec) == ERR_OK && id == CHAIN);
    cr_assert_eq(parent_get_block(t.p, &b, parent_at(57), &t.ec), ERR_OK);
    hash32 want = fake_parent_hash(0, 57), parent = fake_parent_hash(0, 56);
    cr_expect(b.number == 57 && hash32_eq(&b.hash, &want) && hash32_eq(&b.parent_hash, &parent));
    cr_expect(b.timestamp == 1700000057 && b.is_arbitrum && b.l1_block == 5);
    cr_expect_eq(u256_sat_u64(&b.base_fee), 100000000u);
    cr_expect_str_eq(fake_parent_last_params(t.fake), "[\"0x39\",false]");
    cr_expect_eq(parent_get_block(t.p, &b, parent_at(101), &t.ec), ERR_NOT_FOUND);
    cr_expect(parent_get_block(t.p, &b, parent_tagged(PARENT_SAFE), &t.ec) == ERR_OK &&
              b.number == 99);
    cr_expect_eq(parent_get_block(t.p, &b, parent_tagged(PARENT_FINALIZED), &t.ec), ERR_NOT_FOUND);
    end(&t);
    /* Not Arbitrum, before EIP-1559. */
    start(&t, 1);
    fake_parent_answer(t.fake, "eth_getBlockByHash",
                       "\"result\":{\"number\":\"0x5\",\"hash\":\"" HASH_A
                       "\",\"parentHash\":\"" HASH_B "\",\"timestamp\":\"0x9\"}");
    cr_assert_eq(parent_get_block_by_hash(t.p, &b, &want, &t.ec), ERR_OK);
    cr_expect(b.l1_block == 5 && !b.is_arbitrum && u256_is_zero(&b.base_fee));
    end(&t);
}

Test(parent_calls, answers_of_wrong_form) {
    static const char *const bad[] = {
        "\"result\":5",
        "\"result\":{}",
        "\"result\":{\"number\":5,\"hash\":\"" HASH_A "\",\"parentHash\":\"" HASH_B
        "\",\"timestamp\":\"0x9\"}",
        "\"result\":{\"number\":\"0x5\",\"hash\":\"0xaa\",\"parentHash\":\"" HASH_B
        "\",\"timestamp\":\"0x9\"}",
        "\"result\":{\"number\":\"0x5\",\"hash\":\"" HASH_A "\",\"parentHash\":\"" HASH_B
        "\",\"timestamp\":\"0x10000000000000000\"}",
        "\"result\":{\"number\":\"0x5\",\"hash\":\"" HASH_A "\",\"parentHash\":\"" HASH_B
        "\",\"timestamp\":\"0x9\",\"l1BlockNumber\":null}",
    };
    struct setup t;
    struct parent_block b;
    start(&t, 2);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        fake_parent_answer(t.fake, "eth_getBlockByNumber", bad[i]);
        fake_parent_answer(t.other, "eth_getBlockByNumber", bad[i]);
        cr_expect_eq(parent_get_block(t.p, &b, parent_at(5), &t.ec), ERR_PARSE, "%s", bad[i]);
        fake_parent_answer(t.other, "eth_getBlockByNumber", NULL);
        cr_expect_eq(parent_get_block(t.p, &b, parent_at(5), &t.ec), ERR_OK, "%s", bad[i]);
    }
    end(&t);
}

/* Its own number would be taken for that of Ethereum's block, of which there are fewer. */
Test(parent_calls, an_arbitrum_block_has_an_l1_block) {
    static const char stripped[] = "\"result\":{\"number\":\"0x5\",\"hash\":\"" HASH_A
                                   "\",\"parentHash\":\"" HASH_B "\",\"timestamp\":\"0x9\"}";
    struct setup t;
    struct parent_block b;
    start(&t, 2);
    cr_assert_eq(parent_get_block(t.p, &b, parent_at(57), &t.ec), ERR_OK);
    fake_parent_answer(t.fake, "eth_getBlockByNumber", stripped);
    cr_assert_eq(parent_get_block(t.p, &b, parent_at(57), &t.ec), ERR_OK);
    cr_expect(b.is_arbitrum && b.l1_block == 5, "the other endpoint's");
    fake_parent_answer(t.other, "eth_getBlockByNumber", stripped);
    cr_expect_eq(parent_get_block(t.p, &b, parent_at(5), &t.ec), ERR_PARSE);
    cr_expect(b.number == 57 && b.l1_block == 5, "not written");
    end(&t);
}

/* What one endpoint has not, another may have. */
Test(parent_calls, asks_the_others_for_what_is_missing) {
    struct setup t;
    struct parent_block b;
    start(&t, 2);
    fake_parent_chain(t.other, 105, UINT64_MAX, 0);
    cr_expect_eq(parent_get_block(t.p, &b, parent_at(105), &t.ec), ERR_OK);
    cr_expect_eq(parent_get_block(t.p, &b, parent_at(106), &t.ec), ERR_NOT_FOUND);
    cr_expect_eq(fake_parent_calls(t.fake, "eth_getBlockByNumber"), 2u);
    end(&t);
}

Test(parent_calls, transaction_and_receipt) {
    struct setup t;
    struct parent_tx tx;
    struct parent_receipt r;
    hash32 hash;
    memset(hash.b, 0xaa, 32);
    start(&t, 1);
    fake_parent_answer(t.fake, "eth_getTransactionByHash",
                       "\"result\":{\"hash\":\"" HASH_A "\",\"from\":\"" ADDR_C
                       "\",\"to\":null,\"nonce\":\"0x7\",\"input\":\"0xabcd\","
                       "\"blockHash\":null,\"blockNumber\":null}");
    cr_assert_eq(parent_get_tx(t.p, &t.a, &tx, &hash, &t.ec), ERR_OK);
    cr_expect_str_eq(fake_parent_last_params(t.fake), "[\"" HASH_A "\"]");
    cr_expect(tx.is_create && !tx.mined && tx.nonce == 7 && tx.input.len == 2);
    cr_expect_eq(tx.input.ptr[1], 0xcd);
    fake_parent_answer(t.fake, "eth_getTransactionByHash",
                       "\"result\":{\"hash\":\"" HASH_A "\",\"from\":\"" ADDR_C
                       "\",\"to\":\"" ADDR_C "\",\"nonce\":\"0x7\",\"input\":\"0x\","
                       "\"blockHash\":\"" HASH_B "\",\"blockNumber\":\"0x10\"}");
    cr_assert_eq(parent_get_tx(t.p, &t.a, &tx, &hash, &t.ec), ERR_OK);
    cr_expect(!tx.is_create && tx.mined && tx.block_num == 16 && tx.to.b[0] == 0xcc);
    fake_parent_answer(t.fake, "eth_getTransactionByHash", "\"result\":null");
    cr_expect_eq(parent_get_tx(t.p, &t.a, &tx, &hash, &t.ec), ERR_NOT_FOUND);

    fake_parent_answer(t.fake, "eth_getTransactionReceipt",
                       "\"result\":{\"transactionHash\":\"" HASH_A "\",\"status\":\"0x1\","
                       "\"blockNumber\":\"0x10\",\"blockHash\":\"" HASH_B
                       "\",\"gasUsed\":\"0x5208\",\"effectiveGasPrice\":\"0x3\"}");
    cr_assert_eq(parent_get_receipt(t.p, &r, &hash, &t.ec), ERR_OK);
    cr_expect(r.ok && r.block_num == 16 && r.gas_used == 21000);
    cr_expect_eq(u256_sat_u64(&r.effective_gas_price), 3u);
    end(&t);
}

Test(parent_calls, account_values) {
    struct setup t;
    u256 balance;
    uint64_t nonce;
    bytes code;
    addr20 a;
    memset(a.b, 0xcc, 20);
    start(&t, 1);
    fake_parent_answer(t.fake, "eth_getBalance", "\"result\":\"0xde0b6b3a7640000\"");
    fake_parent_answer(t.fake, "eth_getTransactionCount", "\"result\":\"0x2a\"");
    fake_parent_answer(t.fake, "eth_getCode", "\"result\":\"0x6001\"");
    cr_assert_eq(parent_get_balance(t.p, &balance, &a, parent_at(3), &t.ec), ERR_OK);
    cr_expect_str_eq(fake_parent_last_params(t.fake), "[\"" ADDR_C "\",\"0x3\"]");
    cr_expect_eq(u256_sat_u64(&balance), UINT64_C(1000000000000000000));
    cr_assert_eq(parent_get_nonce(t.p, &nonce, &a, parent_tagged(PARENT_LATEST), &t.ec), ERR_OK);
    cr_expect_eq(nonce, 42u);
    cr_expect_str_eq(fake_parent_last_params(t.fake), "[\"" ADDR_C "\",\"latest\"]");
    cr_assert_eq(parent_get_code(t.p, &t.a, &code, &a, parent_tagged(PARENT_LATEST), &t.ec),
                 ERR_OK);
    cr_expect(code.len == 2 && code.ptr[0] == 0x60);
    fake_parent_answer(t.fake, "eth_getCode", "\"result\":\"6001\"");
    cr_expect_eq(parent_get_code(t.p, &t.a, &code, &a, parent_tagged(PARENT_LATEST), &t.ec),
                 ERR_PARSE);
    end(&t);
}

/* --- calls -------------------------------------------------------------------------------- */

static struct parent_result call(struct setup *t, const char *answer) {
    struct parent_call c = {.has_from = true,
                            .value = U256_ONE,
                            .data = bytes_of("\xab", 1),
                            .max_fee = u256_from_u64(16)};
    struct parent_result r = {.reverted = false};
    memset(c.to.b, 0xcc, 20);
    memset(c.from.b, 0xcc, 20);
    fake_parent_answer(t->fake, "eth_call", answer);
    cr_assert_eq(parent_call(t->p, &t->a, &r, &c, parent_at(8), &t->ec), ERR_OK, "%s", answer);
    return r;
}

Test(parent_calls, calls_and_reverts) {
    struct setup t;
    start(&t, 1);
    struct parent_result r = call(&t, "\"result\":\"0x1234\"");
    cr_expect(!r.reverted && r.data.len == 2);
    cr_expect_str_eq(fake_parent_last_params(t.fake),
                     "[{\"to\":\"" ADDR_C "\",\"from\":\"" ADDR_C
                     "\",\"value\":\"0x1\",\"maxFeePerGas\":\"0x10\",\"data\":\"0xab\"},\"0x8\"]");
    r = call(&t, "\"error\":{\"code\":3,\"message\":\"execution reverted: no\","
                 "\"data\":\"0x2dd9fc97\"}");
    cr_expect(r.reverted && r.data.len == 4);
    r = call(&t, "\"error\":{\"code\":-32603,\"message\":\"x\",\"data\":{\"data\":\"0x01\"}}");
    cr_expect(r.reverted && r.data.len == 1);
    r = call(&t, "\"error\":{\"code\":-32000,\"message\":\"Execution Reverted\"}");
    cr_expect(r.reverted && r.data.len == 0);
    cr_expect_str_eq(r.message, "Execution Reverted");

    struct parent_call c = {.data = bytes_of("", 0)};
    fake_parent_answer(t.fake, "eth_call",
                       "\"error\":{\"code\":-32000,\"message\":\"header not found\"}");
    cr_expect_eq(parent_call(t.p, &t.a, &r, &c, parent_at(8), &t.ec), ERR_INVALID);
    cr_expect_not_null(strstr(t.ec.text, "header not found"));
    end(&t);
}

Test(parent_calls, estimate) {
    struct setup t;
    struct parent_call c = {.data = bytes_of("", 0)};
    struct parent_result r;
    uint64_t gas = 0;
    start(&t, 1);
    fake_parent_answer(t.fake, "eth_estimateGas", "\"result\":\"0x5208\"");
    cr_assert_eq(parent_estimate_gas(t.p, &t.a, &gas, &r, &c, &t.ec), ERR_OK);
    cr_expect(!r.reverted && gas == 21000);
    fake_parent_answer(t.fake, "eth_estimateGas",
                       "\"error\":{\"code\":3,\"message\":\"execution reverted\"}");
    cr_assert_eq(parent_estimate_gas(t.p, &t.a, &gas, &r, &c, &t.ec), ERR_OK);
    cr_expect(r.reverted);
    end(&t);
}

Test(parent_calls, view) {
    struct setup t;
    hash32 h;
    addr20 to;
    memset(to.b, 0xcc, 20);
    hash32 argument;
    memset(argument.b, 0xaa, 32);
    start(&t, 1);
    fake_parent_answer(t.fake, "eth_call", "\"result\":\"" HASH_B "\"");
    cr_assert_eq(parent_view(t.p, &h, &to, ABI_INBOX_ACCS, bytes_of(argument.b, 32),
                             parent_tagged(PARENT_LATEST), &t.ec),
                 ERR_OK);
    cr_expect_eq(h.b[5], 0xbb);
    cr_expect_not_null(strstr(fake_parent_last_params(t.fake), "\"0xd9dd67abaaaaaaaa"));
    fake_parent_answer(t.fake, "eth_call", "\"result\":\"0x\"");
    cr_expect_eq(parent_view(t.p, &h, &to, ABI_BATCH_COUNT, bytes_of(NULL, 0),
                             parent_tagged(PARENT_LATEST), &t.ec),
                 ERR_INVALID);
    fake_parent_answer(t.fake, "eth_call", "\"error\":{\"code\":3,\"message\":\"reverted\"}");
    cr_expect_eq(parent_view(t.p, &h, &to, ABI_BATCH_COUNT, bytes_of(NULL, 0),
                             parent_tagged(PARENT_LATEST), &t.ec),
                 ERR_INVALID);
    cr_expect_not_null(strstr(t.ec.text, "batchCount()"));
    end(&t);
}

/* --- sending ------------------------------------------------------------------------------ */

Test(parent_calls, refusals_have_kinds) {
    static const struct {
        const char *message;
        enum parent_send verdict;
    } cases[] = {
        {"already known", PARENT_SENT},
        {"transaction already imported", PARENT_SENT},
        {"Known transaction: 0x12", PARENT_SENT},
        {"nonce too low: next nonce 5, tx nonce 4", PARENT_SEND_NONCE_LOW},
        {"Nonce too high", PARENT_SEND_NONCE_HIGH},
        {"replacement transaction underpriced", PARENT_SEND_UNDERPRICED},
        {"max fee per gas less than block base fee: address 0x, maxFeePerGas: 1",
         PARENT_SEND_UNDERPRICED},
        {"insufficient funds for gas * price + value", PARENT_SEND_FUNDS},
        {"Insufficient funds", PARENT_SEND_FUNDS},
        {"intrinsic gas too low", PARENT_SEND_REFUSED},
        {"\\u001b[31m red", PARENT_SEND_REFUSED},
    };
    struct setup t;
    struct parent_send_result r;
    char answer[256];
    start(&t, 1);
    fake_parent_answer(t.fake, "eth_sendRawTransaction", "\"result\":\"" HASH_A "\"");
    cr_assert_eq(parent_send_raw(t.p, &r, bytes_of("\x02\x03", 2), &t.ec), ERR_OK);
    cr_expect(r.verdict == PARENT_SENT && r.message[0] == '\0');
    cr_expect_str_eq(fake_parent_last_params(t.fake), "[\"0x0203\"]");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(answer, sizeof answer, "\"error\":{\"code\":-32000,\"message\":\"%s\"}",
                 cases[i].message);
        fake_parent_answer(t.fake, "eth_sendRawTransaction", answer);
        cr_assert_eq(parent_send_raw(t.p, &r, bytes_of("\x02", 1), &t.ec), ERR_OK);
        cr_expect_eq(r.verdict, cases[i].verdict, "%s", cases[i].message);
        cr_expect_null(strchr(r.message, '\x1b'));
    }
    end(&t);
}

/* --- agreement ---------------------------------------------------------------------------- */

Test(parent_calls, endpoints_agree_or_not) {
    struct setup t;
    struct parent_agreement g;
    start(&t, 2);
    cr_assert_eq(parent_check_agreement(t.p, &g, 3, &t.ec), ERR_OK);
    hash32 want = fake_parent_hash(0, 97);
    cr_expect(g.agree && g.answered == 2 && g.block_num == 97 && hash32_eq(&g.hash, &want));
    fake_parent_chain(t.other, 90, UINT64_MAX, 0); /* behind, on the same chain */
    cr_assert_eq(parent_check_agreement(t.p, &g, 3, &t.ec), ERR_OK);
    cr_expect(g.agree && g.block_num == 87);
    fake_parent_chain(t.other, 100, 95, 1); /* another fork */
    cr_assert_eq(parent_check_agreement(t.p, &g, 3, &t.ec), ERR_OK);
    cr_expect(!g.agree);
    cr_expect_not_null(strstr(g.reason, "endpoint 1"));
    fake_parent_fault(t.other, FAKE_STATUS_500, 1); /* who does not answer does not disagree */
    cr_assert_eq(parent_check_agreement(t.p, &g, 3, &t.ec), ERR_OK);
    cr_expect(g.agree && g.answered == 1);
    fake_parent_fault(t.fake, FAKE_STATUS_500, 1);
    fake_parent_fault(t.other, FAKE_STATUS_500, 1);
    cr_expect_eq(parent_check_agreement(t.p, &g, 3, &t.ec), ERR_IO);
    end(&t);
}

Test(parent_calls, another_chain_disagrees) {
    struct setup t;
    struct parent_agreement g;
    start(&t, 2);
    fake_parent_answer(t.other, "eth_chainId", "\"result\":\"0x1\"");
    for (int i = 0; i < 2; i++) { /* and keeps doing so while its breaker is open */
        cr_assert_eq(parent_check_agreement(t.p, &g, 3, &t.ec), ERR_OK);
        cr_expect(!g.agree && g.answered == 1);
        cr_expect_not_null(strstr(g.reason, "another chain"));
    }
    end(&t);
}
