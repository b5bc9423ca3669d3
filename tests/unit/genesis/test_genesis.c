/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: block 0 is a function of the genesis file alone, every parameter changes its hash, and the
 * development chain's hash never changes. */
#include "genesis/genesis.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "chain/fees.h"
#include "chain/system_state.h"
#include "genesis/predeploys.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct built {
    struct world *w;
    struct state_trie *t;
    struct arena a;
    struct genesis_block b;
};

static void build(struct built *x, const struct genesis *g) {
    arena_init(&x->a, 1 << 20, 1 << 28);
    x->w = world_new((struct state_reader){NULL, NULL});
    x->t = state_trie_new((struct trie_source){NULL, NULL}, SIZE_MAX);
    genesis_build(&x->b, g, x->w, x->t, &x->a);
}

static void built_clear(struct built *x) {
    world_free(x->w);
    state_trie_free(x->t);
    arena_clear(&x->a);
}

static void expect_hash(const hash32 *h, const char *want) {
    char text[65] = {0};
    hex_encode(text, h->b, 32);
    cr_expect_str_eq(text, want);
}

Test(genesis, dev_accounts) {
    static const char *const known[] = {
        "f39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", "90F79bf6EB2c4f870365E785982E1f101E93b906",
        "15d34AAf54267DB7D7c367839AAf71A00a2C6A65", "9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
        "976EA74026E726554dB657fA54763abd0C3a0aa9", "14dC79964da2C08b23698B3D3cc7Ca32193d9955",
        "23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f", "a0Ee7A142d267C1f36714E4a8F75612F20a79720"};
    struct genesis g;
    genesis_dev(&g);
    for (uint32_t i = 0; i < GENESIS_DEV_ACCOUNTS; i++) {
        uint8_t key[32];
        addr20 got, want;
        genesis_dev_account(i, key, &got);
        cr_assert_eq(hex_decode_fixed(want.b, 20, known[i]), ERR_OK);
        cr_expect(addr20_eq(&got, &want), "%u", i);
        bool found = false;
        for (size_t k = 0; k < g.alloc_count; k++) {
            char dec[79];
            if (addr20_eq(&g.alloc[k].addr, &got)) {
                found = true;
                cr_expect_str_eq(u256_to_dec(dec, &g.alloc[k].balance), "10000000000000000000000");
            }
        }
        cr_expect(found);
    }
    uint8_t key[32], want[32];
    addr20 a;
    genesis_dev_account(0, key, &a);
    cr_assert_eq(hex_decode_fixed(
                     want, 32, "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
                 ERR_OK);
    cr_assert_arr_eq(key, want, 32);
    cr_assert(addr20_eq(&g.params.owners[0], &a));
    cr_assert_eq(g.alloc_count, GENESIS_DEV_ACCOUNTS + PREDEPLOY_COUNT);
    cr_assert_eq(genesis_check_backing(&g, false, NULL),
                 ERR_OK); /* no parent that could be cheated */
    genesis_clear(&g);
}

/* Pinned: everyone's development chain starts with this block. */
Test(genesis, dev_block) {
    struct genesis g;
    genesis_dev(&g);
    struct built x;
    build(&x, &g);
    const struct header *h = &x.b.header;
    struct l3_header_info i = l3_header_info_get(h);
    cr_assert(hash32_is_zero(&h->parent_hash) && addr20_is_zero(&h->coinbase));
    cr_assert(h->number == 0 && h->timestamp == 0 && h->gas_limit == 1 << 26 && h->gas_used == 0);
    cr_assert(i.delayed_read == 1 && i.version == 1 && i.l1_block_number == 0 && i.send_count == 0);
    cr_assert(hash32_is_zero(&i.send_root) && h->extra_len == 32 && h->field_count == 16);
    cr_assert(h->base_fee.w[0] == 10000000);
    cr_assert(hash32_eq(&h->tx_root, &KECCAK_EMPTY_TRIE) &&
              hash32_eq(&h->receipt_root, &KECCAK_EMPTY_TRIE));
    expect_hash(&h->state_root, "8f840d608667af83887578bf51da91087e9370f90fa2c72facc74a0b76e43d53");
    expect_hash(&x.b.hash, "f42ea15eb851fc2c768f0b53f939d1f3394293a654ab1db159860cc4ff3d616f");
    /* The flat trie over the same accounts, built from sorted pairs. */
    struct mpt_pair *pairs = arena_alloc(&x.a, x.b.diff.count * sizeof *pairs);
    for (size_t k = 0; k < x.b.diff.count; k++) {
        struct buf b;
        buf_init(&b, 200);
        account_rlp(&b, &x.b.diff.accounts[k].after);
        pairs[k] = (struct mpt_pair){bytes_of(x.b.diff.accounts[k].addr_hash.b, 32),
                                     arena_copy(&x.a, buf_bytes(&b))};
        buf_clear(&b);
    }
    hash32 root;
    mpt_root(&root, pairs, x.b.diff.count);
    cr_assert(hash32_eq(&root, &h->state_root));
    built_clear(&x);
    genesis_clear(&g);
}

Test(genesis, state_of_block_0) {
    struct genesis g;
    genesis_dev(&g);
    struct built x;
    build(&x, &g);
    for (int i = 0; i < SYSTEM_ADDRESS_COUNT; i++) {
        addr20 a = system_address((enum system_address)i);
        cr_expect_eq(world_nonce(x.w, &a), 1);
        bytes code = world_code(x.w, &a);
        cr_expect(code.len == 1 && code.ptr[0] == 0xfe);
    }
    cr_expect_eq(sys_get_u64(x.w, SYS_CHAIN_ID, NULL), 41337);
    cr_expect_eq(sys_get_u64(x.w, SYS_VERSION, NULL), 1);
    cr_expect_eq(sys_get_u64(x.w, SYS_K_DEN, NULL), 40);
    cr_expect_eq(sys_get_u64(x.w, SYS_OWNER_COUNT, NULL), 1);
    cr_expect_eq(sys_get_u64(x.w, SYS_UNIVERSE_CREATION_OPEN, NULL), 1);
    cr_expect_eq(sys_get_u64(x.w, SYS_BLOCK_GAS_LIMIT, NULL), 1 << 26);
    u256 supply = sys_get(x.w, SYS_SUPPLY_GENESIS, NULL), zero = U256_ZERO;
    cr_expect(u256_eq(&supply, &g.supply_wei) && !u256_is_zero(&supply));
    addr20 owner = sys_get_addr(x.w, SYS_OWNER_AT, &zero);
    u256 key = u256_from_addr(&owner);
    cr_expect_eq(sys_get_u64(x.w, SYS_OWNER_INDEX_PLUS_1, &key), 1);
    addr20 deployer = predeploy_address(PREDEPLOY_CREATE2_DEPLOYER);
    key = u256_from_addr(&deployer);
    cr_expect_eq(sys_get_u64(x.w, SYS_UNATTRIBUTABLE_FLAG, &key), 1);
    built_clear(&x);
    genesis_clear(&g);
}

static hash32 hash_of(const char *json) {
    struct genesis g;
    struct err_ctx ec = {0};
    cr_assert_eq(genesis_parse(&g, json, strlen(json), &ec), ERR_OK, "%s", ec.text);
    struct built x;
    build(&x, &g);
    hash32 h = x.b.hash;
    built_clear(&x);
    genesis_clear(&g);
    return h;
}

/* Each of these differs from the first in one thing that consensus knows. */
Test(genesis, every_parameter_is_in_the_hash) {
    static const char *const section[] = {
        "",
        ",\"speedLimit\":7",
        ",\"tolerance\":7",
        ",\"inertia\":7",
        ",\"daSpeedLimit\":7",
        ",\"daTolerance\":7",
        ",\"daInertia\":7",
        ",\"kNum\":7",
        ",\"kDen\":7",
        ",\"minBaseFee\":7",
        ",\"congestionUnit\":7",
        ",\"parentWeiPerByte\":7",
        ",\"surchargeCap\":7",
        ",\"universeBond\":7",
        ",\"evmNumber\":\"parent\"",
        ",\"parentChainId\":7",
        ",\"universeCreation\":\"open\"",
        ",\"creators\":[\"0x0000000000000000000000000000000000000f01\"]",
        ",\"networkFeeAccount\":\"0x0000000000000000000000000000000000000f02\"",
        ",\"predeploys\":[]",
    };
    static const char *const outer[] = {
        ",\"timestamp\":7", ",\"gasLimit\":40000000",
        ",\"alloc\":{\"0000000000000000000000000000000000000f03\":{\"balance\":\"1\"}}"};
    hash32 seen[40];
    size_t n = 0;
    char text[600];
    for (size_t i = 0; i < ARRAY_LEN(section) + ARRAY_LEN(outer) + 2; i++) {
        bool in_section = i < ARRAY_LEN(section);
        size_t k = i - ARRAY_LEN(section);
        (void)snprintf(text, sizeof text,
                       "{\"config\":{\"chainId\":%d},\"callipter\":{\"owners\":[\"0x%040x\"]%s}%s}",
                       i == ARRAY_LEN(section) + 3 ? 8 : 7, i == ARRAY_LEN(section) + 4 ? 2 : 1,
                       in_section ? section[i] : "",
                       !in_section && k < ARRAY_LEN(outer) ? outer[k] : "");
        seen[n] = hash_of(text);
        for (size_t j = 0; j < n; j++)
            cr_expect(!hash32_eq(&seen[n], &seen[j]), "%s", text);
        n++;
    }
    /* And these do not. */
    hash32 h = hash_of("{\"config\":{\"chainId\":7,\"osakaTime\":9},\"nonce\":\"0x42\","
                       "\"extraData\":\"0x11\",\"difficulty\":\"0x20\","
                       "\"baseFeePerGas\":\"0x7\",\"callipter\":{\"kDen\":\"0x28\",\"owners\":["
                       "\"0x0000000000000000000000000000000000000001\"],"
                       "\"timeBounds\":{\"delayBlocks\":9}},\"alloc\":{"
                       "\"0x0000000000000000000000000000000000000f04\":{\"balance\":\"0x0\"}}}");
    cr_expect(hash32_eq(&h, &seen[0]));
}

Test(genesis, base_fee_has_the_data_part) {
    static const char json[] = "{\"config\":{\"chainId\":7},\"callipter\":{\"networkFeeAccount\":"
                               "\"0x0000000000000000000000000000000000000f02\","
                               "\"parentWeiPerByte\":\"4000000000\",\"minBaseFee\":0}}";
    struct genesis g;
    cr_assert_eq(genesis_parse(&g, json, strlen(json), NULL), ERR_OK);
    struct built x;
    build(&x, &g);
    cr_assert_eq(x.b.header.base_fee.w[0], 100000000);
    for (uint64_t i = 0; i < FEE_DATA_SAMPLES; i++) {
        u256 key = u256_from_u64(i);
        cr_assert_eq(sys_get(x.w, SYS_DATA_SAMPLE, &key).w[0], 4000000000);
    }
    built_clear(&x);
    genesis_clear(&g);
}
