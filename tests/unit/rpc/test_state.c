/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: state, receipts and fees at any block that is kept; proofs that hash from that block's
 * root, also of blocks below the checkpoint. Covers: m_state.c m_fee.c m_block.c */
#include "base/hex.h"
#include "base/keccak.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define Z63 "000000000000000000000000000000000000000000000000000000000000000"
#define W(digit) "0x" Z63 #digit
#define COUNTER "5f54600101805f55"
enum { BLOCKS = 12 };

static hash32 hash_of_first(json_t *proof) {
    const char *text = json_string_value(json_array_get(proof, 0));
    uint8_t raw[2000];
    size_t len = 0;
    hash32 h;
    cr_assert_not_null(text);
    cr_assert_eq(hex_decode(raw, sizeof(raw), &len, text, strlen(text)), ERR_OK);
    keccak256(&h, raw, len);
    return h;
}

/* Proof of the counter at block `number`: slot 0 has the value number - 1. */
static void expect_proof(struct served *s, const addr20 *c, uint64_t number) {
    json_t *r = served_call(s, "eth_getProof", "['%s',['0x0','" W(0) "','0x05'],'0x%llx']",
                            served_addr(c), (unsigned long long)number);
    json_t *v = json_object_get(r, "result"), *storage = json_object_get(v, "storageProof");
    cr_assert_not_null(v, "block %llu: %s", (unsigned long long)number, json_dumps(r, 0));
    struct index_head head;
    struct store_view *view;
    cr_assert_eq(store_view_open(&view, s->store, number), ERR_OK);
    cr_assert_eq(index_head(&head, view, number), ERR_OK);
    store_view_close(view);
    hash32 root = hash_of_first(json_object_get(v, "accountProof"));
    cr_expect(hash32_eq(&root, &head.header.state_root), "block %llu", (unsigned long long)number);
    cr_expect_str_eq(json_string_value(json_object_get(v, "address")), served_addr(c));
    cr_assert_eq(json_array_size(storage), 3);
    json_t *one = json_array_get(storage, 0);
    cr_expect_eq(strtoull(json_string_value(json_object_get(one, "value")), NULL, 16), number - 1);
    /* Keys come back as they were given: whole, or as quantities. */
    cr_expect_str_eq(json_string_value(json_object_get(one, "key")), "0x0");
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(storage, 1), "key")), W(0));
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(storage, 2), "key")), "0x5");
    if (number > 1) {
        root = hash_of_first(json_object_get(one, "proof"));
        cr_expect_str_eq(json_string_value(json_object_get(v, "storageHash")), served_hash(&root));
    }
    json_decref(r);
}

Test(state, proofs_at_every_block) {
    struct served s;
    struct err_ctx ec;
    served_open(&s);
    addr20 c = served_deploy(&s, COUNTER);
    for (int i = 2; i <= BLOCKS; i++)
        (void)served_send(&s, (size_t)i % 3, &c, "");
    for (uint64_t n = 1; n <= BLOCKS; n++)
        expect_proof(&s, &c, n);
    cr_assert_eq(store_checkpoint(s.store, &ec), ERR_OK);
    (void)served_send(&s, 0, &c, "");
    for (uint64_t n = BLOCKS + 1; n >= 1; n--)
        expect_proof(&s, &c, n);
    /* Nobody has this address: the proof shows that. */
    json_t *r = served_call(&s, "eth_getProof",
                            "['0x00000000000000000000000000000000000000ff',['0x1'],'latest']");
    json_t *v = json_object_get(r, "result");
    hash32 root = hash_of_first(json_object_get(v, "accountProof"));
    cr_expect(hash32_eq(&root, &s.head.state_root));
    cr_expect_str_eq(json_string_value(json_object_get(v, "balance")), "0x0");
    cr_expect_str_eq(json_string_value(json_object_get(v, "codeHash")), served_hash(&KECCAK_EMPTY));
    cr_expect_str_eq(json_string_value(json_object_get(v, "storageHash")),
                     served_hash(&KECCAK_EMPTY_TRIE));
    json_decref(r);
    served_expect_error(&s, -32000, "header not found", "eth_getProof", "['%s',[],'0x99']",
                        served_addr(&c));
    served_expect_error(&s, -32602,
                        "storage key too long (want at most 32 bytes): \"0x" Z63 "000\"",
                        "eth_getProof", "['%s',['0x" Z63 "000'],'latest']", served_addr(&c));
    served_close(&s);
}

Test(state, values_at_old_blocks) {
    struct served s;
    served_open(&s);
    addr20 c = served_deploy(&s, COUNTER);
    (void)served_send(&s, 0, &c, "");
    (void)served_send(&s, 0, &c, "");
    const char *a = served_addr(&c);
    served_expect(&s, "'" W(2) "'", "eth_getStorageAt", "['%s','0x0']", a);
    served_expect(&s, "'" W(1) "'", "eth_getStorageAt", "['%s','" W(0) "','0x2']", a);
    served_expect(&s, "'" W(0) "'", "eth_getStorageAt", "['%s','0x0',{'blockNumber':'0x0'}]", a);
    served_expect(&s, "'0x'", "eth_getCode", "['%s','0x0']", a);
    served_expect(&s, "'0x" COUNTER "'", "eth_getCode", "['%s','latest']", a);
    served_expect(&s, "'0x1'", "eth_getTransactionCount", "['%s',{'blockHash':'%s'}]", a,
                  served_hash(&s.head_hash));
    served_expect(&s, "'0x21e19e0c9bab2400000'", "eth_getBalance", "['%s','earliest']",
                  served_addr(&s.accounts[0].address));
    served_close(&s);
}

Test(state, receipts_of_blocks) {
    struct served s;
    served_open(&s);
    addr20 c = served_deploy(&s, COUNTER);
    (void)served_send(&s, 0, &c, "");
    served_expect(&s, "[]", "eth_getBlockReceipts", "['0x0']");
    served_expect(&s, "[]", "eth_getBlockReceipts", "['earliest']");
    served_expect(&s, "null", "eth_getBlockReceipts", "['0x99']");
    served_expect(&s, "null", "eth_getBlockReceipts", "['" W(1) "']");
    served_expect(&s, "null", "eth_getBlockReceipts", "[{'blockHash':'" W(1) "'}]");
    served_expect_error(&s, -32000, "pending receipts is not available", "eth_getBlockReceipts",
                        "['pending']");
    json_t *by_number = served_call(&s, "eth_getBlockReceipts", "['0x2']");
    json_t *by_hash = served_call(&s, "eth_getBlockReceipts", "['%s']", served_hash(&s.head_hash));
    cr_expect_eq(json_array_size(json_object_get(by_number, "result")), 1);
    cr_expect(json_equal(by_number, by_hash));
    json_decref(by_number);
    json_decref(by_hash);
    served_close(&s);
}

Test(state, fee_history) {
    struct served s;
    served_open(&s);
    addr20 c = served_deploy(&s, COUNTER);
    (void)served_send(&s, 0, &c, "");
    json_t *r = served_call(&s, "eth_feeHistory", "['0x5','latest',[0,25.5,100]]");
    json_t *v = json_object_get(r, "result");
    cr_expect_str_eq(json_string_value(json_object_get(v, "oldestBlock")), "0x0");
    cr_expect_eq(json_array_size(json_object_get(v, "baseFeePerGas")), 4);
    cr_expect_eq(json_array_size(json_object_get(v, "baseFeePerBlobGas")), 4);
    cr_expect_eq(json_array_size(json_object_get(v, "gasUsedRatio")), 3);
    cr_expect_eq(json_array_size(json_object_get(v, "reward")), 3);
    cr_expect_eq(json_array_size(json_array_get(json_object_get(v, "reward"), 0)), 3);
    json_decref(r);
    r = served_call(&s, "eth_feeHistory", "[1,'0x1']");
    v = json_object_get(r, "result");
    cr_expect_str_eq(json_string_value(json_object_get(v, "oldestBlock")), "0x1");
    cr_expect_null(json_object_get(v, "reward"));
    json_decref(r);
    served_expect(&s, "{'oldestBlock':'0x0','gasUsedRatio':null}", "eth_feeHistory",
                  "['0x0','latest',[300]]");
    served_expect_error(&s, -32000, "request beyond head block: requested 9, head 2",
                        "eth_feeHistory", "['0x1','0x9']");
    served_expect_error(&s, -32000, "invalid reward percentile: 101.000000", "eth_feeHistory",
                        "['0x1','latest',[101]]");
    served_expect_error(&s, -32000, "invalid reward percentile: #0:50.000000 >= #1:50.000000",
                        "eth_feeHistory", "['0x1','latest',[50,50]]");
    served_close(&s);
}
