/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: bench_check.c. */
#include "base/hex.h"
#include "node/bench_chain.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BODY_MAX = 1 << 20, SENDERS = 2 };

/* A node of one connection, with two transactions in its block 1: a transfer and a mint. What it
 * answers may be wrong in one way. */
enum fault {
    NONE,
    FAILED,       /* the second receipt has status 0 */
    MISSING,      /* there is no second receipt */
    TWICE,        /* the first receipt is there twice */
    STRANGER,     /* a receipt of a transaction that was not sent */
    POORER,       /* a sender has a wei less */
    ITEM_LESS,    /* a minted item is not there */
    COINS_MORE,   /* an account has a coin that it should not have */
    NONCE_BEHIND, /* of a sender */
    FAULTS
};
struct node {
    int fd;
    char url[64];
    enum fault fault;
    const struct bench_chain *chain;
    const struct bench_tx *txs;
    pthread_t thread;
};
static const uint64_t GAS[] = {21000, 50000};
enum { PRICE = 7 };

static void put_receipt(struct buf *b, const struct node *n, size_t i, const hash32 *hash) {
    buf_append_str(b, "{\"transactionHash\":\"");
    hex_put(b, hash->b, 32);
    buf_printf(b, "\",\"status\":\"0x%d\",\"gasUsed\":\"0x%llx\",\"effectiveGasPrice\":\"0x%x\"}",
               !(n->fault == FAILED && i == 1), (unsigned long long)GAS[i], PRICE);
}

static void put_receipts(struct buf *b, const struct node *n) {
    hash32 other = {{1}};
    buf_append_str(b, "[");
    put_receipt(b, n, 0, &n->txs[0].hash);
    if (n->fault != MISSING) {
        buf_append_str(b, ",");
        size_t second = n->fault == TWICE ? 0 : 1;
        put_receipt(b, n, 1, n->fault == STRANGER ? &other : &n->txs[second].hash);
    }
    buf_append_str(b, "]");
}

/* The address in a call's parameters, wherever it is. */
static bool names(const char *params, const addr20 *a) {
    char text[41] = {0};
    hex_encode(text, a->b, 20);
    return strstr(params, text) != NULL;
}

/* 10^6 ether less what sender `i` has spent. */
static void put_balance(struct buf *b, const struct node *n, const char *params) {
    for (size_t i = 0; i < SENDERS; i++) {
        u256 have = u256_from_u64(1), spent = u256_from_u64(GAS[i] * PRICE + (i == 0));
        if (names(params, &n->chain->senders[i].addr)) {
            cr_assert_eq(hex_parse_u256(&have, "0xd3c21bcecceda1000000", 22, false), ERR_OK);
            have = u256_sub(&have, &spent);
        } else if (!names(params, &n->chain->recipients[i].addr)) {
            continue;
        } else if (i == n->txs[0].recipient) {
            have = u256_from_u64(2);
        }
        if (n->fault == POORER && i == 0)
            have = u256_sub(&have, &U256_ONE);
        uint8_t word[32];
        char text[65] = {0};
        u256_to_be32(word, &have);
        hex_encode(text, word, 32);
        buf_printf(b, "\"0x%s\"", text + strspn(text, "0"));
        return;
    }
    cr_assert_fail("%s", params);
}

static void put_call(struct buf *b, const struct node *n, const char *params) {
    bool sender =
        names(params, &n->chain->senders[0].addr) || names(params, &n->chain->senders[1].addr);
    if (strstr(params, BENCH_ITEMS) != NULL)
        buf_printf(b, "\"0x%064x%064x%064x\"", 32, 1, n->fault != ITEM_LESS);
    else
        buf_printf(b, "\"0x%064x\"",
                   (sender ? BENCH_SENDER_COINS : BENCH_RECIPIENT_COINS) +
                       (!sender && n->fault == COINS_MORE));
}

static void put_result(struct buf *b, const struct node *n, const json_t *call) {
    const char *method = json_string_value(json_object_get(call, "method"));
    char *params = json_dumps(json_object_get(call, "params"), JSON_COMPACT);
    if (strcmp(method, "eth_blockNumber") == 0)
        buf_append_str(b, "\"0x1\"");
    else if (strcmp(method, "eth_getBlockReceipts") == 0)
        put_receipts(b, n);
    else if (strcmp(method, "eth_getBalance") == 0)
        put_balance(b, n, params);
    else if (strcmp(method, "eth_getTransactionCount") == 0)
        buf_append_str(b, n->fault == NONCE_BEHIND ? "\"0x0\"" : "\"0x1\"");
    else
        put_call(b, n, params);
    free(params);
}

static void answer(struct buf *out, const struct node *n, const char *body) {
    json_t *calls = json_loads(body, 0, NULL);
    cr_assert_not_null(calls);
    struct buf b;
    buf_init(&b, BODY_MAX);
    size_t count = json_is_array(calls) ? json_array_size(calls) : 1;
    for (size_t i = 0; i < count; i++) {
        const json_t *call = json_is_array(calls) ? json_array_get(calls, i) : calls;
        buf_printf(&b, "%s{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":",
                   i > 0                  ? ","
                   : json_is_array(calls) ? "["
                                          : "",
                   (long long)json_integer_value(json_object_get(call, "id")));
        put_result(&b, n, call);
        buf_append_str(&b, "}");
    }
    buf_append_str(&b, json_is_array(calls) ? "]" : "");
    buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", b.len);
    buf_append(out, b.ptr, b.len);
    buf_clear(&b);
    json_decref(calls);
}

static void *serve(void *arg) {
    struct node *n = arg;
    static char request[BODY_MAX];
    size_t have = 0;
    int fd = accept(n->fd, NULL, NULL);
    for (;;) {
        ssize_t got = recv(fd, request + have, sizeof request - 1 - have, 0);
        if (got <= 0)
            break;
        have += (size_t)got;
        request[have] = '\0';
        const char *body = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "length:");
        if (body == NULL || length == NULL || strlen(body + 4) < strtoul(length + 7, NULL, 10))
            continue;
        struct buf out;
        buf_init(&out, BODY_MAX);
        answer(&out, n, body + 4);
        (void)!send(fd, out.ptr, out.len, MSG_NOSIGNAL);
        buf_clear(&out);
        have = 0;
    }
    close(fd);
    return NULL;
}

static void start(struct node *n) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    n->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(bind(n->fd, (struct sockaddr *)&at, sizeof at) == 0);
    cr_assert(listen(n->fd, 1) == 0);
    cr_assert(getsockname(n->fd, (struct sockaddr *)&at, &len) == 0);
    snprintf(n->url, sizeof n->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    cr_assert(pthread_create(&n->thread, NULL, serve, n) == 0);
}

/* What the checks say of a node that is wrong in this way. */
static enum err check_with(enum fault fault, struct err_ctx *ec) {
    struct bench_chain chain;
    struct bench_client client;
    struct bench_tx txs[2];
    struct arena a;
    uint64_t gas = 0;
    bench_chain_new(&chain, SENDERS);
    arena_init(&a, 1 << 16, 1 << 20);
    cr_assert_eq(bench_chain_sign(&txs[0], &chain, &a, BENCH_TRANSFER, ec), ERR_OK);
    cr_assert_eq(bench_chain_sign(&txs[1], &chain, &a, BENCH_MINT, ec), ERR_OK);
    struct node n = {.fault = fault, .chain = &chain, .txs = txs};
    start(&n);
    cr_assert_eq(bench_client_open(&client, n.url, ec), ERR_OK);
    enum err e = bench_chain_check_receipts(&chain, &client, txs, 2, &gas, ec);
    if (e == ERR_OK)
        cr_assert_eq(gas, GAS[0] + GAS[1]);
    if (e == ERR_OK)
        e = bench_chain_check_nonces(&chain, &client, ec);
    if (e == ERR_OK)
        e = bench_chain_check_balances(&chain, &client, ec);
    bench_client_close(&client);
    pthread_join(n.thread, NULL);
    close(n.fd);
    arena_clear(&a);
    bench_chain_free(&chain);
    return e;
}

/* Goal: what is right passes, and each single fault is found. */
Test(bench_check, finds_each_fault) {
    static const char *const says[FAULTS] = {
        [FAILED] = "did not succeed",    [MISSING] = "1 of 2 transactions have no receipt",
        [TWICE] = "or is in two blocks", [STRANGER] = "was not sent",
        [POORER] = "eth_getBalance",     [ITEM_LESS] = "eth_call",
        [COINS_MORE] = "eth_call",       [NONCE_BEHIND] = "has nonce 0x0, and 0x1 were sent",
    };
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(check_with(NONE, &ec), ERR_OK, "%s", ec.text);
    for (int f = NONE + 1; f < FAULTS; f++) {
        ec = (struct err_ctx){.text = ""};
        cr_assert_eq(check_with((enum fault)f, &ec), ERR_MISMATCH, "fault %d", f);
        cr_assert_not_null(strstr(ec.text, says[f]), "fault %d: %s", f, ec.text);
    }
}
