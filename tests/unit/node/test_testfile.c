/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the readers of test files take what the formats have and refuse the rest; an allocation has
 * the root of its accounts and reads back as it was given. */
#include "node/testfile.h"

#include "base/keccak.h"

#include <criterion/criterion.h>

static struct arena arena;

static void set_up(void) {
    arena_init(&arena, 1 << 16, 1 << 24);
}
static void tear_down(void) {
    arena_clear(&arena);
}
TestSuite(testfile, .init = set_up, .fini = tear_down);

Test(testfile, values) {
    json_t *o = json_loads("{\"a\":\"0x0010\",\"b\":\"0x:bigint "
                           "0x1\",\"c\":7,\"d\":\"0x1ffffffffffffffff\",\"e\":\"0x0102\"}",
                           0, NULL);
    uint64_t u;
    u256 v;
    bytes b;
    uint8_t two[2];
    cr_assert_eq(testfile_u64(&u, o, "a"), ERR_OK);
    cr_assert_eq(u, 16);
    cr_assert_neq(testfile_u256(&v, o, "b"), ERR_OK);
    cr_assert_eq(testfile_u64(&u, o, "c"), ERR_PARSE);
    cr_assert_eq(testfile_u64(&u, o, "d"), ERR_TOO_LARGE);
    cr_assert_eq(testfile_u256(&v, o, "d"), ERR_OK);
    cr_assert_eq(testfile_u64(&u, o, "missing"), ERR_NOT_FOUND);
    cr_assert_eq(testfile_u64(&u, NULL, "a"), ERR_NOT_FOUND);
    cr_assert_eq(testfile_bytes(&b, &arena, o, "e"), ERR_OK);
    cr_assert(b.len == 2 && b.ptr[1] == 2);
    cr_assert_eq(testfile_fixed(two, 2, o, "e"), ERR_OK);
    cr_assert_neq(testfile_fixed(two, 1, o, "e"), ERR_OK);
    json_decref(o);
}

static const char two_accounts[] = "{\"0x000000000000000000000000000000000000aaaa\":{\"nonce\":"
                                   "\"0x1\",\"balance\":\"0x05\",\"code\":\"0x6001\","
                                   "\"storage\":{\"0x00\":\"0x00\",\"0x01\":\"0x2a\"}},"
                                   "\"0x000000000000000000000000000000000000bbbb\":{\"nonce\":"
                                   "\"0x0\",\"balance\":\"0x00\",\"code\":\"0x\",\"storage\":{}}}";

Test(testfile, allocation_reads_back) {
    json_t *o = json_loads(two_accounts, 0, NULL);
    struct test_alloc alloc;
    cr_assert_eq(test_alloc_parse(&alloc, &arena, o, NULL), ERR_OK);
    cr_assert_eq(alloc.count, 2);
    struct state_trie *t = state_trie_new((struct trie_source){0}, SIZE_MAX);
    hash32 root;
    test_alloc_root(&alloc, t, &arena, &root);
    cr_assert(!hash32_eq(&root, &KECCAK_EMPTY_TRIE));
    struct world *w = world_new(test_alloc_reader(&alloc));
    addr20 a = {{0}}, absent = {{1}};
    a.b[18] = a.b[19] = 0xaa;
    u256 one = U256_ONE, zero = U256_ZERO, value = world_storage(w, &a, &one);
    cr_assert_eq(value.w[0], 0x2a);
    value = world_storage(w, &a, &zero);
    cr_assert(u256_is_zero(&value));
    cr_assert_eq(world_code(w, &a).len, 2);
    cr_assert(world_has_storage(w, &a));
    cr_assert(!world_exists(w, &absent));
    char text[256];
    cr_assert(!test_alloc_differs(text, sizeof text, w, &alloc));
    world_block_begin(w, 1);
    world_tx_begin(w);
    world_set_storage(w, &a, &one, &one);
    world_tx_end(w);
    cr_assert(test_alloc_differs(text, sizeof text, w, &alloc));
    cr_assert_not_null(strstr(text, "slot 1 "));
    world_free(w);
    state_trie_free(t);
    json_decref(o);
}

Test(testfile, malformed_allocations_say_which_account) {
    static const char *const bad[] = {
        "{\"0xaa\":{\"nonce\":\"0x0\",\"balance\":\"0x0\",\"code\":\"0x\"}}",
        "{\"0x000000000000000000000000000000000000aaaa\":{\"balance\":\"0x0\",\"code\":\"0x\"}}",
        "{\"0x000000000000000000000000000000000000aaaa\":{\"nonce\":\"0x0\",\"balance\":\"zz\","
        "\"code\":\"0x\"}}",
        "{\"0x000000000000000000000000000000000000aaaa\":{\"nonce\":\"0x0\",\"balance\":\"0x0\","
        "\"code\":\"0x1\"}}",
        "[]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        json_t *o = json_loads(bad[i], 0, NULL);
        struct test_alloc alloc;
        struct err_ctx ec = {.err = ERR_OK};
        cr_assert_neq(test_alloc_parse(&alloc, &arena, o, &ec), ERR_OK, "row %zu", i);
        cr_assert(ec.text[0] != '\0');
        json_decref(o);
    }
}

Test(testfile, forks_and_their_schedules) {
    struct eth_fork f;
    cr_assert_eq(testfile_fork(&f, "Prague", NULL), ERR_OK);
    cr_assert(f.revision == EVM_PRAGUE && f.blob.max == 9);
    cr_assert_eq(testfile_fork(&f, "BPO2", NULL), ERR_OK);
    cr_assert(f.revision == EVM_OSAKA && f.blob.target == 14);
    json_t *s = json_loads("{\"Cancun\":{\"target\":\"0x1\",\"max\":\"0x2\","
                           "\"baseFeeUpdateFraction\":\"0x3\"},\"Osaka\":{}}",
                           0, NULL);
    cr_assert_eq(testfile_fork(&f, "Cancun", s), ERR_OK);
    cr_assert(f.blob.target == 1 && f.blob.max == 2 && f.blob.base_fee_update_fraction == 3);
    cr_assert_neq(testfile_fork(&f, "Osaka", s), ERR_OK);
    cr_assert_eq(testfile_fork(&f, "Homestead", NULL), ERR_UNSUPPORTED);
    json_decref(s);
}

Test(testfile, names_of_exceptions) {
    cr_assert(testfile_names_verdict("TransactionException.NONCE_IS_MAX", TX_NONCE_MAX));
    cr_assert(
        testfile_names_verdict("BlockException.X|TransactionException.NONCE_IS_MAX", TX_NONCE_MAX));
    cr_assert(!testfile_names_verdict("TransactionException.NONCE_IS_MAXIMAL", TX_NONCE_MAX));
    cr_assert(!testfile_names_verdict("TransactionException.NONCE_IS", TX_NONCE_MAX));
    cr_assert(!testfile_names_verdict("", TX_NONCE_MAX));
    cr_assert(testfile_names_fault("BlockException.INVALID_STATE_ROOT", ETH_FAULT_STATE_ROOT));
    cr_assert(testfile_names_decode_error("TransactionException.RLP_INVALID_VALUE", ERR_RLP));
    for (int v = TX_OK + 1; v < TX_VERDICT_COUNT; v++) {
        const char *name = testfile_name_of_verdict((enum tx_verdict)v);
        cr_assert(v == TX_UNIVERSE_PAUSED ||
                      (name != NULL && testfile_names_verdict(name, (enum tx_verdict)v)),
                  "verdict %s", tx_verdict_name((enum tx_verdict)v));
    }
}
