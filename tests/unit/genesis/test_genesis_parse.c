/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the file is read as geth reads it, and every wrong value is refused with a sentence that
 * names it. */
#include "base/hex.h"
#include "chain/system_state.h"
#include "genesis/genesis_internal.h"
#include "genesis/predeploys.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#define OWNER "\"owners\":[\"0x00000000000000000000000000000000000000aa\"]"

Test(genesis_parse, everything) {
    static const char json[] =
        "{\"config\":{\"chainId\":\"0x1234\",\"homesteadBlock\":0},\"timestamp\":\"0x10\","
        "\"gasLimit\":\"0x5000000\","
        "\"alloc\":{"
        "\"0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266\":{\"balance\":\"0xd3c21bcecceda1000000\","
        "\"secretKey\":\"0x1\"},"
        "\"0000000000000000000000000000000000000123\":{\"balance\":\"12\",\"nonce\":\"0x5\","
        "\"code\":\"0x6001\","
        "\"storage\":{\"0x02\":\"0x03\","
        "\"0000000000000000000000000000000000000000000000000000000000000001\":\"0xff\",\"0x09\":"
        "\"0x00\"}}},"
        "\"callipter\":{\"version\":1,\"evmNumber\":\"parent\",\"parentChainId\":421614,"
        "\"speedLimit\":7000000,\"minBaseFee\":\"0x989680\","
        "\"networkFeeAccount\":\"0x00000000000000000000000000000000000000bb\"," OWNER
        ",\"universeCreation\":\"open\",\"timeBounds\":{\"delayBlocks\":10,\"futureSeconds\":20}}}";
    struct genesis g;
    struct err_ctx ec;
    cr_assert_eq(genesis_parse(&g, json, strlen(json), &ec), ERR_OK, "%s", ec.text);
    cr_assert(g.config.chain_id == 0x1234 && g.config.evm_number_parent && g.config.has_parent);
    cr_assert(g.parent_chain_id == 421614 && g.timestamp == 16 && g.gas_limit == 0x5000000);
    cr_assert(g.params.speed_limit_gas == 7000000 && g.params.min_base_fee_wei.w[0] == 10000000);
    cr_assert(g.params.k_num == 1 && g.params.k_den == 40 && g.params.owner_count == 1);
    cr_assert(g.params.network_fee_account.b[19] == 0xbb && g.params.universe_creation_open);
    cr_assert(g.bounds.delay_blocks == 10 && g.bounds.future_blocks == 48 &&
              g.bounds.future_seconds == 20);
    const struct genesis_account *acc = NULL;
    for (size_t i = 0; i < g.alloc_count; i++) {
        cr_assert(i == 0 || memcmp(g.alloc[i - 1].addr.b, g.alloc[i].addr.b, 20) < 0);
        if (g.alloc[i].addr.b[19] == 0x23)
            acc = &g.alloc[i];
    }
    cr_assert_not_null(acc);
    cr_assert(acc->nonce == 5 && acc->balance.w[0] == 12 && acc->code.len == 2 &&
              acc->slot_count == 2);
    cr_assert(acc->slots[0].key.w[0] == 1 && acc->slots[0].value.w[0] == 255 &&
              acc->slots[1].key.w[0] == 2);
    cr_assert_eq(genesis_check_backing(&g, false, &ec), ERR_CONFIG);
    cr_assert_not_null(strstr(ec.text, "--unbacked-alloc"));
    cr_assert_eq(genesis_check_backing(&g, true, NULL), ERR_OK);
    genesis_clear(&g);
}

Test(genesis_parse, fee_account_defaults_to_the_first_owner) {
    static const char json[] = "{\"config\":{\"chainId\":1},\"callipter\":{" OWNER "}}";
    struct genesis g;
    cr_assert_eq(genesis_parse(&g, json, strlen(json), NULL), ERR_OK);
    cr_assert_eq(g.params.network_fee_account.b[19], 0xaa);
    cr_assert_eq(g.gas_limit, 1 << 26);
    genesis_clear(&g);

    static const char bare[] = "{\"config\":{\"chainId\":1}}";
    cr_assert_eq(genesis_parse(&g, bare, strlen(bare), NULL), ERR_OK);
    addr20 pricing = system_address(SYSTEM_PRICING);
    cr_assert(addr20_eq(&g.params.network_fee_account, &pricing));
    genesis_clear(&g);
}

static const struct {
    const char *json; /* "C" stands for a good config and section around what follows */
    enum err err;
    const char *words;
} wrong[] = {
    {"", ERR_PARSE, "line 1"},
    {"{", ERR_PARSE, "line 1"},
    {"[]", ERR_CONFIG, "an object"},
    {"{}", ERR_CONFIG, "config"},
    {"{\"config\":{}}", ERR_CONFIG, "config.chainId is nothing"},
    {"{\"config\":{\"chainId\":0}}", ERR_CONFIG, "config.chainId is 0"},
    {"{\"config\":{\"chainId\":-1}}", ERR_CONFIG, "config.chainId is -1"},
    {"{\"config\":{\"chainId\":\"zz\"}}", ERR_CONFIG, "config.chainId is \"zz\""},
    {"{\"config\":{\"chainId\":1},\"config\":{\"chainId\":1}}", ERR_PARSE, "duplicate"},
    {"C,\"gasLimit\":33554431", ERR_CONFIG,
     "gasLimit is 33554431, but must be an integer from 33554432"},
    {"C,\"gasLimit\":1.5", ERR_CONFIG, "gasLimit is 1.5"},
    {"C,\"timestamp\":\"0x10000000000000\"", ERR_CONFIG, "timestamp"},
    {"C,\"alloc\":[]", ERR_CONFIG, "alloc is []"},
    {"C,\"alloc\":{\"0x12\":{}}", ERR_CONFIG, "alloc.0x12: the key is not an address"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"balanc\":1}}", ERR_CONFIG,
     "balanc is not a key"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"balance\":"
     "\"0x1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"}}",
     ERR_CONFIG, "balance is"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"nonce\":"
     "\"0xffffffffffffffff\"}}",
     ERR_CONFIG, "nonce is"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"code\":\"0x1\"}}", ERR_CONFIG,
     "code is"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"storage\":{\"0x1\":\"0x2\"}}}",
     ERR_CONFIG, "has storage but neither"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"nonce\":1,\"storage\":{"
     "\"0xzz\":\"0x2\"}}}",
     ERR_CONFIG, "storage.0xzz is not the key"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"nonce\":1,\"storage\":{"
     "\"0x1\":\"0x2\",\"0x01\":\"0x3\"}}}",
     ERR_CONFIG, "two spellings"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{},"
     "\"0000000000000000000000000000000000000123\":{}}",
     ERR_CONFIG, "two spellings"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000064\":{\"balance\":1}}", ERR_CONFIG,
     "ArbSys"},
    {"C,\"alloc\":{\"0x0000F90827F1C53a10cb7A02335B175320002935\":{\"code\":\"0x00\"}}", ERR_CONFIG,
     "block-hashes"},
    {"C,\"alloc\":{\"0x0000000000000000000000000000000000000123\":{\"balance\":"
     "\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"},"
     "\"0x0000000000000000000000000000000000000124\":{\"balance\":1}}",
     ERR_CONFIG, "sum of all balances"},
    {"S\"speedlimit\":1", ERR_CONFIG, "callipter.speedlimit is not a key"},
    {"S\"version\":2", ERR_CONFIG, "callipter.version is 2, but must be an integer from 1 to 1"},
    {"S\"kDen\":0", ERR_CONFIG, "callipter.kDen is 0"},
    {"S\"inertia\":0", ERR_CONFIG, "callipter.inertia is 0"},
    {"S\"speedLimit\":0", ERR_CONFIG, "callipter.speedLimit is 0"},
    {"S\"congestionUnit\":0", ERR_CONFIG, "congestionUnit is 0"},
    {"S\"minBaseFee\":\"79228162514264337593543950336\"", ERR_CONFIG, "below 2^96"},
    {"S\"evmNumber\":\"l2\"", ERR_CONFIG, "\"l3\" or \"parent\""},
    {"S\"universeCreation\":true", ERR_CONFIG, "\"listed\" or \"open\""},
    {"S\"creators\":\"0x1\"", ERR_CONFIG, "a list of at most"},
    {"S\"creators\":[\"0x00000000000000000000000000000000000000aa\","
     "\"0x00000000000000000000000000000000000000AA\"]",
     ERR_CONFIG, "callipter.creators[1] is in the list twice"},
    {"S\"creators\":[\"0x0000000000000000000000000000000000000000\"]", ERR_CONFIG, "zero address"},
    {"S\"predeploys\":[\"multicall\"]", ERR_CONFIG, "callipter.predeploys[0] is \"multicall\""},
    {"S\"timeBounds\":{\"delay\":1}", ERR_CONFIG, "callipter.timeBounds.delay is not a key"},
    {"S\"networkFeeAccount\":\"me\"", ERR_CONFIG, "an address"},
};

Test(genesis_parse, refusals) {
    char text[1200];
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        const char *j = wrong[i].json;
        if (j[0] == 'C')
            (void)snprintf(text, sizeof text,
                           "{\"config\":{\"chainId\":1},\"callipter\":{" OWNER "}%s}", j + 1);
        else if (j[0] == 'S')
            (void)snprintf(text, sizeof text,
                           "{\"config\":{\"chainId\":1},\"callipter\":{" OWNER ",%s}}", j + 1);
        else
            (void)snprintf(text, sizeof text, "%s", j);
        struct genesis g;
        struct err_ctx ec = {0};
        enum err e = genesis_parse(&g, text, strlen(text), &ec);
        cr_expect_eq(e, wrong[i].err, "%s: %s %s", text, err_name(e), ec.text);
        cr_expect_not_null(strstr(ec.text, wrong[i].words), "%s: %s", text, ec.text);
    }
}

static const struct genesis_account *account_of(const struct genesis *g, enum predeploy_id id) {
    addr20 a = predeploy_address(id);
    for (size_t i = 0; i < g->alloc_count; i++)
        if (addr20_eq(&g->alloc[i].addr, &a))
            return &g->alloc[i];
    return NULL;
}

/* A name brings every contract that carries it, with its storage; what is not optional comes
 * anyway. An account of the file with the same storage is the same account. */
Test(genesis_parse, predeploys) {
    static const char *const alloc[] = {
        "", ",\"alloc\":{\"0x0000000071727De22E5E9d8BAf0edAc6f37da032\":{\"balance\":\"7\","
            "\"storage\":{\"0x2\":\"0x1\"}}}"};
    for (size_t i = 0; i < ARRAY_LEN(alloc); i++) {
        char text[600];
        (void)snprintf(text, sizeof text,
                       "{\"config\":{\"chainId\":1},\"callipter\":{" OWNER
                       ",\"predeploys\":[\"entry-point-0.7\"]}%s}",
                       alloc[i]);
        struct genesis g;
        struct err_ctx ec = {0};
        cr_assert_eq(genesis_parse(&g, text, strlen(text), &ec), ERR_OK, "%s", ec.text);
        cr_assert_eq(g.alloc_count, 4);
        cr_assert_not_null(account_of(&g, PREDEPLOY_HISTORY));
        cr_assert_not_null(account_of(&g, PREDEPLOY_UNIVERSE_FACTORY));
        cr_assert_not_null(account_of(&g, PREDEPLOY_SENDER_CREATOR_V07));
        const struct genesis_account *e = account_of(&g, PREDEPLOY_ENTRY_POINT_V07);
        cr_assert(e != NULL && e->nonce == 2 && e->slot_count == 1 && e->balance.w[0] == 7 * i);
        cr_assert(e->slots[0].key.w[0] == 2 && e->slots[0].value.w[0] == 1);
        genesis_clear(&g);
    }
}

Test(genesis_parse, files) {
    struct genesis g;
    struct err_ctx ec;
    cr_assert_eq(genesis_load(&g, "/nonexistent/genesis.json", &ec), ERR_IO);
    cr_assert_not_null(strstr(ec.text, "/nonexistent/genesis.json"));
    char path[] = "/tmp/genesis-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    static const char json[] = "{\"config\":{\"chainId\":1},\"callipter\":{" OWNER "}}\n";
    cr_assert_eq(write(fd, json, strlen(json)), (ssize_t)strlen(json));
    cr_assert_eq(genesis_load(&g, path, &ec), ERR_OK);
    genesis_clear(&g);
    (void)close(fd);
    (void)unlink(path);
}
