/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a peer's header is what its bytes hash to; a member's signature counts only if it is of the
 * claim, and its refusal comes back in its words. */
#include "bridge/peer.h"

#include "base/hex.h"
#include "base/secp.h"
#include "tests/lib/bridge/fake_parent.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct fixture {
    struct fake_parent *server;
    struct parent *peer;
    struct err_ctx ec;
};

static void begin(struct fixture *f) {
    *f = (struct fixture){.server = fake_parent_start(41337)};
    struct parent_config c = {.urls = {fake_parent_url(f->server)},
                              .url_count = 1,
                              .chain_id = 41337,
                              .request_timeout_ms = 2000,
                              .retries = 1};
    cr_assert_eq(parent_new(&f->peer, &c, &f->ec), ERR_OK);
}

static void end(struct fixture *f) {
    parent_free(f->peer);
    fake_parent_stop(f->server);
}

static void answer(struct fixture *f, const char *method, const char *before, bytes data,
                   const char *after) {
    struct buf b;
    buf_init(&b, 1 << 16);
    buf_append_str(&b, before);
    hex_put(&b, data.ptr, data.len);
    buf_append_str(&b, after);
    buf_append_byte(&b, '\0');
    fake_parent_answer(f->server, method, (const char *)b.ptr);
    buf_clear(&b);
}

Test(peer, header) {
    struct fixture f;
    struct header h = {.number = 77, .field_count = 16, .timestamp = 5}, got;
    hash32 hash, want = header_hash(&h);
    struct buf b;
    begin(&f);
    buf_init(&b, HEADER_ENCODED_MAX_BYTES);
    header_encode(&b, &h);
    answer(&f, "debug_getRawHeader", "\"result\":\"", buf_bytes(&b), "\"");
    cr_assert_eq(peer_header(f.peer, &got, &hash, 77, &f.ec), ERR_OK, "%s", f.ec.text);
    cr_expect_eq(got.number, 77);
    cr_expect(hash32_eq(&hash, &want));
    cr_expect_str_eq(fake_parent_last_params(f.server), "[\"0x4d\"]");
    answer(&f, "debug_getRawHeader", "\"result\":\"", bytes_of(b.ptr, b.len - 1), "\"");
    cr_expect_eq(peer_header(f.peer, &got, &hash, 77, &f.ec), ERR_PARSE);
    fake_parent_answer(f.server, "debug_getRawHeader",
                       "\"error\":{\"code\":-32000,\"message\":\"header not found\"}");
    cr_expect_eq(peer_header(f.peer, &got, &hash, 77, &f.ec), ERR_NOT_FOUND);
    buf_clear(&b);
    end(&f);
}

Test(peer, signature) {
    static const uint8_t key[32] = {[31] = 7};
    struct fixture f;
    struct confirmer_signature made, got;
    struct peer_claim claim = {.batch_count = 3};
    addr20 confirmer = {.b = {0xc0}};
    hash32 other = {.b = {9}};
    char after[128], signer[43];
    begin(&f);
    claim.expected.b[0] = 1;
    hash32 digest = confirmer_digest(42161, &confirmer, &claim.expected);
    cr_assert_eq(confirmer_sign(&made, &digest, key), ERR_OK);
    hex_encode(signer, made.signer.b, 20);
    signer[40] = '\0';
    snprintf(after, sizeof(after), "\",\"signer\":\"0x%s\"}", signer);
    answer(&f, "callipter_signAssertion", "\"result\":{\"signature\":\"",
           bytes_of(made.sig, sizeof(made.sig)), after);
    cr_assert_eq(peer_sign(f.peer, &got, &claim, &digest, &f.ec), ERR_OK, "%s", f.ec.text);
    cr_expect_eq(memcmp(&got, &made, sizeof(got)), 0);
    cr_expect_not_null(strstr(fake_parent_last_params(f.server), "\"batchCount\":\"0x3\""));
    digest = confirmer_digest(42161, &confirmer, &other);
    cr_expect_eq(peer_sign(f.peer, &got, &claim, &digest, &f.ec), ERR_MISMATCH);
    fake_parent_answer(f.server, "callipter_signAssertion",
                       "\"error\":{\"code\":-32000,\"message\":\"block 5 differs in stateRoot\"}");
    cr_expect_eq(peer_sign(f.peer, &got, &claim, &digest, &f.ec), ERR_INVALID);
    cr_expect_str_eq(f.ec.text, "block 5 differs in stateRoot");
    end(&f);
}

Test(peer, receipts) {
    static const char one[] =
        "{\"transactionHash\":"
        "\"0x0101010101010101010101010101010101010101010101010101010101010101\","
        "\"type\":\"0x64\",\"from\":\"0x0000000000000000000000000000000000000005\","
        "\"gasPayer\":\"0x0000000000000000000000000000000000007500\",\"status\":\"0x1\","
        "\"gasUsed\":\"0x5208\"";
    struct fixture f;
    struct arena a;
    struct peer_receipt *r = NULL;
    size_t n;
    char text[1024];
    begin(&f);
    arena_init(&a, 4096, 1 << 20);
    snprintf(text, sizeof text, "\"result\":[%s,\"gasPriceCharged\":\"0x7\"}]", one);
    fake_parent_answer(f.server, "eth_getBlockReceipts", text);
    cr_assert_eq(peer_receipts(f.peer, &a, &r, &n, 16, &f.ec), ERR_OK, "%s", f.ec.text);
    cr_expect_str_eq(fake_parent_last_params(f.server), "[\"0x10\"]");
    cr_assert_eq(n, 1);
    cr_expect(r[0].tx_hash.b[31] == 1 && r[0].type == 0x64 && r[0].from.b[19] == 5);
    cr_expect(r[0].gas_payer.b[18] == 0x75 && r[0].success && r[0].gas_used == 21000);
    cr_expect(r[0].gas_price_charged.w[0] == 7);
    snprintf(text, sizeof text, "\"result\":[%s}]", one);
    fake_parent_answer(f.server, "eth_getBlockReceipts", text);
    cr_expect_eq(peer_receipts(f.peer, &a, &r, &n, 16, &f.ec), ERR_PARSE);
    fake_parent_answer(f.server, "eth_getBlockReceipts", "\"result\":{}");
    cr_expect_eq(peer_receipts(f.peer, &a, &r, &n, 16, &f.ec), ERR_PARSE);
    fake_parent_answer(f.server, "eth_getBlockReceipts", "\"result\":null");
    cr_expect_eq(peer_receipts(f.peer, &a, &r, &n, 16, &f.ec), ERR_NOT_FOUND);
    arena_clear(&a);
    end(&f);
}
