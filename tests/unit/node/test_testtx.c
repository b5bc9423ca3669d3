/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a transaction built from a test's JSON is the one that the JSON describes, of the right
 * type, and every member that differs is named. */
#include "node/testtx.h"

#include <criterion/criterion.h>

static struct arena arena;

static void set_up(void) {
    arena_init(&arena, 1 << 16, 1 << 24);
}
static void tear_down(void) {
    arena_clear(&arena);
}
TestSuite(testtx, .init = set_up, .fini = tear_down);

/* Members common to all types; `more` begins with a comma. */
static json_t *transaction(const char *more) {
    static const char form[] =
        "{\"nonce\":\"0x1\",\"gasLimit\":[\"0x5208\",\"0x7530\"],\"value\":[\"0x0\",\"0x9\"],"
        "\"data\":[\"0x\",\"0x0102\"],\"to\":\"0x000000000000000000000000000000000000aaaa\","
        "\"secretKey\":\"0x4646464646464646464646464646464646464646464646464646464646464646\","
        "\"sender\":\"0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f\"%s}";
    char text[2048];
    (void)snprintf(text, sizeof text, form, more);
    json_t *o = json_loads(text, 0, NULL);
    cr_assert_not_null(o);
    return o;
}

Test(testtx, types_follow_from_members) {
    static const struct {
        const char *more;
        enum tx_type type;
    } rows[] = {
        {",\"gasPrice\":\"0x7\"", TX_LEGACY},
        {",\"gasPrice\":\"0x7\",\"accessLists\":[null,[]]", TX_ACCESS_LIST},
        {",\"gasPrice\":\"0x7\",\"accessLists\":[[],null]", TX_LEGACY},
        {",\"maxFeePerGas\":\"0x7\",\"maxPriorityFeePerGas\":\"0x2\"", TX_DYNAMIC_FEE},
        {",\"maxFeePerGas\":\"0x7\",\"maxPriorityFeePerGas\":\"0x2\",\"maxFeePerBlobGas\":\"0x1\","
         "\"blobVersionedHashes\":[]",
         TX_BLOB},
        {",\"maxFeePerGas\":\"0x7\",\"maxPriorityFeePerGas\":\"0x2\",\"authorizationList\":[]",
         TX_SET_CODE},
    };
    json_t *indexes = json_loads("{\"data\":1,\"gas\":1,\"value\":1}", 0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        json_t *o = transaction(rows[i].more);
        struct tx tx, back;
        cr_assert_eq(testtx_build(&tx, &arena, o, indexes, 1, NULL), ERR_OK, "row %zu", i);
        cr_assert_eq(tx.type, rows[i].type);
        cr_assert_eq(tx_decode(&back, &arena, tx.raw, true, NULL), ERR_OK);
        cr_assert_eq(tx_recover_sender(&back), ERR_OK);
        const char *member = testtx_differs(&arena, o, indexes, &back);
        cr_assert_null(member, "row %zu: %s", i, member);
        json_decref(o);
    }
    json_decref(indexes);
}

Test(testtx, each_difference_is_named) {
    json_t *o = transaction(",\"gasPrice\":\"0x7\",\"accessLists\":[[],[{\"address\":"
                            "\"0x000000000000000000000000000000000000bbbb\","
                            "\"storageKeys\":[\"0x01\"]}]]");
    json_t *indexes = json_loads("{\"data\":1,\"gas\":1,\"value\":1}", 0, NULL);
    struct tx good, tx;
    cr_assert_eq(testtx_build(&good, &arena, o, indexes, 1, NULL), ERR_OK);
    struct tx_access other = good.access[0];
    other.addr.b[0] ^= 1;
#define EXPECT(change, name)                                                                       \
    do {                                                                                           \
        tx = good;                                                                                 \
        change;                                                                                    \
        cr_assert_str_eq(testtx_differs(&arena, o, indexes, &tx), name);                           \
    } while (0)
    EXPECT(tx.nonce++, "nonce");
    EXPECT(tx.max_fee.w[0]++, "gasPrice");
    EXPECT(tx.gas_limit--, "gasLimit");
    EXPECT(tx.value.w[3]++, "value");
    EXPECT(tx.to.b[3]++, "to");
    EXPECT(tx.is_create = true, "to");
    EXPECT(tx.data.len--, "data");
    EXPECT(tx.access = &other, "accessLists");
    EXPECT(tx.access_count = 0, "accessLists");
    EXPECT(tx.sender.b[0]++, "sender");
    EXPECT(tx.blob_hash_count++, "blobVersionedHashes");
#undef EXPECT
    json_decref(o);
    json_decref(indexes);
}

Test(testtx, authorizations_are_signed_in_place) {
    json_t *o =
        transaction(",\"maxFeePerGas\":\"0x7\",\"maxPriorityFeePerGas\":\"0x2\","
                    "\"authorizationList\":[{\"chainId\":\"0x1\","
                    "\"address\":\"0x000000000000000000000000000000000000bbbb\",\"nonce\":\"0x2\","
                    "\"secretKey\":"
                    "\"0x4646464646464646464646464646464646464646464646464646464646464646\"}]");
    json_t *indexes = json_loads("{\"data\":0,\"gas\":0,\"value\":0}", 0, NULL);
    struct tx tx;
    cr_assert_neq(testtx_build(&tx, &arena, o, indexes, 1, NULL), ERR_OK);
    cr_assert_eq(testtx_sign_authorizations(o, NULL), ERR_OK);
    cr_assert_eq(testtx_build(&tx, &arena, o, indexes, 1, NULL), ERR_OK);
    cr_assert(tx.auths[0].authority_ok);
    cr_assert(addr20_eq(&tx.auths[0].authority, &tx.sender));
    cr_assert_null(testtx_differs(&arena, o, indexes, &tx));
    json_decref(o);
    json_decref(indexes);
}
