/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: message 0 is accepted exactly when it names this chain and this genesis block. */
#include "base/hex.h"
#include "genesis/genesis.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>

static struct message initialize(struct buf *b, uint64_t chain_id, unsigned version,
                                 const char *json) {
    uint8_t word[32] = {0};
    buf_reset(b);
    be64_store(word + 24, chain_id);
    buf_append(b, word, 32);
    buf_append_byte(b, (uint8_t)version);
    if (version != 0)
        buf_append(b, word, 32); /* a price, which does not matter */
    buf_append_str(b, json);
    return (struct message){
        .kind = MESSAGE_INITIALIZE, .has_request_id = true, .data = buf_bytes(b)};
}

static void expect(const struct genesis *g, const hash32 *h, struct message m, enum err want,
                   const char *words) {
    struct err_ctx ec;
    cr_expect_eq(genesis_check_initialize(g, h, &m, &ec), want);
    if (want != ERR_OK)
        cr_expect_not_null(strstr(ec.text, words), "%s", ec.text);
}

Test(initialize, accepted_and_refused) {
    struct genesis g;
    genesis_dev(&g);
    hash32 h = {{0xab, 0xcd}};
    char good[200], hex[65] = {0};
    hex_encode(hex, h.b, 32);
    (void)snprintf(good, sizeof good,
                   "{\"chainId\":41337,\"callipter\":{\"genesisBlockHash\":\"0x%s\"}}", hex);
    struct buf b;
    buf_init(&b, 4096);
    expect(&g, &h, initialize(&b, 41337, 1, good), ERR_OK, "");
    expect(&g, &h, initialize(&b, 41337, 0, good), ERR_OK, "");
    expect(&g, &h, initialize(&b, 41338, 1, good), ERR_MISMATCH, "chain 41338");
    expect(&g, &h, initialize(&b, 41337, 2, good), ERR_MISMATCH, "version 2");
    expect(&g, &h, initialize(&b, 41337, 1, good + 1), ERR_MISMATCH, "not JSON");
    expect(&g, &h, initialize(&b, 41337, 1, "{\"callipter\":{}}"), ERR_MISMATCH,
           "genesisBlockHash");
    expect(&g, &h, initialize(&b, 41337, 1, "{\"callipter\":{\"genesisBlockHash\":\"0x12\"}}"),
           ERR_MISMATCH, "genesisBlockHash");
    h.b[31] = 1;
    expect(&g, &h, initialize(&b, 41337, 1, good), ERR_MISMATCH, "0xabcd");
    struct message m = initialize(&b, 41337, 1, good);
    m.kind = MESSAGE_L2;
    expect(&g, &h, m, ERR_MISMATCH, "kind 3");
    m = initialize(&b, 41337, 1, good);
    m.data.len = 32;
    expect(&g, &h, m, ERR_MISMATCH, "32 bytes");
    m.data.len = 64;
    expect(&g, &h, m, ERR_MISMATCH, "ends before");
    genesis_clear(&g);
    buf_clear(&b);
}

/* A message 0 that the parent's contracts made, for a chain that is not ours. */
Test(initialize, vector) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL);
    const json_t *first = json_array_get(json_object_get(doc, "delayed"), 0);
    const char *text = json_string_value(json_object_get(first, "data"));
    struct buf b;
    buf_init(&b, 4096);
    cr_assert_eq(hex_decode_buf(&b, text, strlen(text)), ERR_OK);
    struct message m = {.kind = MESSAGE_INITIALIZE, .data = buf_bytes(&b)};
    struct genesis g;
    genesis_dev(&g);
    hash32 h = {{0}};
    g.config.chain_id = 333333;
    expect(&g, &h, m, ERR_MISMATCH, "no callipter.genesisBlockHash");
    genesis_clear(&g);
    buf_clear(&b);
    json_decref(doc);
}
