/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a peer's header counts with the hash that its own bytes have, a member's signature only if
 * it is one of the claim. Method: an endpoint that answers what the test sets. */
#include "bridge/peer.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "tests/lib/bridge/fake_parent.h"

#include <criterion/criterion.h>
#include <jansson.h>

enum { CHAIN = 333333 };

struct setup {
    struct fake_parent *fake;
    struct parent *p;
    struct err_ctx ec;
};

static void start(struct setup *t) {
    memset(t, 0, sizeof *t);
    t->fake = fake_parent_start(CHAIN);
    struct parent_config c = {
        .urls = {fake_parent_url(t->fake)}, .url_count = 1, .chain_id = CHAIN};
    cr_assert_eq(parent_new(&t->p, &c, NULL), ERR_OK);
}

static void end(struct setup *t) {
    parent_free(t->p);
    fake_parent_stop(t->fake);
}

static void answer_bytes(struct setup *t, const char *method, const char *before, bytes v,
                         const char *after) {
    struct buf b;
    buf_init(&b, 1 << 14);
    buf_append_str(&b, before);
    hex_put(&b, v.ptr, v.len);
    buf_append_str(&b, after);
    buf_append_byte(&b, '\0');
    fake_parent_answer(t->fake, method, (const char *)b.ptr);
    buf_clear(&b);
}

Test(peer, header_and_the_hash_of_its_bytes) {
    struct setup t;
    struct header h = {.number = 7, .gas_limit = 1 << 26, .field_count = 16}, got;
    hash32 hash;
    struct buf raw;
    start(&t);
    l3_header_info_set(&h, &(struct l3_header_info){.send_count = 3, .version = 1});
    buf_init(&raw, 1 << 12);
    header_encode(&raw, &h);
    answer_bytes(&t, "debug_getRawHeader", "\"result\":\"", buf_bytes(&raw), "\"");
    cr_assert_eq(peer_header(t.p, &got, &hash, 7, &t.ec), ERR_OK);
    cr_expect_str_eq(fake_parent_last_params(t.fake), "[\"0x7\"]");
    hash32 want = keccak256_bytes(buf_bytes(&raw));
    cr_expect(hash32_eq(&hash, &want));
    cr_expect(got.number == 7 && l3_header_info_get(&got).send_count == 3);
    raw.len--;
    answer_bytes(&t, "debug_getRawHeader", "\"result\":\"", buf_bytes(&raw), "\"");
    cr_expect_eq(peer_header(t.p, &got, &hash, 7, &t.ec), ERR_PARSE);
    fake_parent_answer(t.fake, "debug_getRawHeader",
                       "\"error\":{\"code\":-32000,\"message\":\"header not found\"}");
    cr_expect_eq(peer_header(t.p, &got, &hash, 7, &t.ec), ERR_NOT_FOUND);
    fake_parent_answer(t.fake, "debug_getRawHeader",
                       "\"error\":{\"code\":-32601,\"message\":\"no such method\"}");
    cr_expect_eq(peer_header(t.p, &got, &hash, 7, &t.ec), ERR_INVALID);
    buf_clear(&raw);
    end(&t);
}

/* The member's answer with its signature's last byte changed by `flip`. */
static void answer_signature(struct setup *t, struct confirmer_signature s, uint8_t flip,
                             size_t len) {
    char before[128];
    char signer[41] = "";
    hex_encode(signer, s.signer.b, 20);
    s.sig[CONFIRMER_SIGNATURE_BYTES - 1] ^= flip;
    snprintf(before, sizeof before, "\"result\":{\"signer\":\"0x%s\",\"signature\":\"", signer);
    answer_bytes(t, "callipter_signAssertion", before, bytes_of(s.sig, len), "\"}");
}

Test(peer, members_sign_the_claim_or_not) {
    struct setup t;
    struct peer_claim c = {
        .batch_count = 16, .block_hash = {{1}}, .send_root = {{2}}, .expected = {{3}}};
    addr20 confirmer = {{9}};
    uint8_t key[32] = {[31] = 7};
    struct confirmer_signature s, got;
    start(&t);
    hash32 digest = confirmer_digest(412346, &confirmer, &c.expected);
    cr_assert_eq(confirmer_sign(&s, &digest, key), ERR_OK);
    answer_signature(&t, s, 0, CONFIRMER_SIGNATURE_BYTES);
    cr_assert_eq(peer_sign(t.p, &got, &c, &digest, &t.ec), ERR_OK, "%s", t.ec.text);
    cr_expect_eq(memcmp(&got, &s, sizeof s), 0);
    json_t *params = json_loads(fake_parent_last_params(t.fake), 0, NULL);
    const json_t *claim = json_array_get(params, 0);
    cr_expect_str_eq(json_string_value(json_object_get(claim, "batchCount")), "0x10");
    cr_expect_not_null(strstr(json_string_value(json_object_get(claim, "blockHash")), "0x01000"));
    cr_expect_not_null(strstr(json_string_value(json_object_get(claim, "sendRoot")), "0x02000"));
    cr_expect_not_null(
        strstr(json_string_value(json_object_get(claim, "expectedHash")), "0x03000"));
    json_decref(params);

    answer_signature(&t, s, 27 ^ 28, CONFIRMER_SIGNATURE_BYTES);
    cr_expect_eq(peer_sign(t.p, &got, &c, &digest, &t.ec), ERR_MISMATCH);
    answer_signature(&t, s, 0, CONFIRMER_SIGNATURE_BYTES - 1);
    cr_expect_eq(peer_sign(t.p, &got, &c, &digest, &t.ec), ERR_PARSE);
    fake_parent_answer(t.fake, "callipter_signAssertion",
                       "\"error\":{\"code\":-32000,\"message\":\"block 5: state root\"}");
    cr_expect_eq(peer_sign(t.p, &got, &c, &digest, &t.ec), ERR_INVALID);
    cr_expect_str_eq(t.ec.text, "block 5: state root");
    end(&t);
}
