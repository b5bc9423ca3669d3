/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a block with a transaction and a withdrawal is accepted, and refused for the right reason
 * when any one thing about it is wrong; a refused block leaves no trace in the world. Method: one
 * block built here from its parts. */
#include "tests/lib/chain/exec_fixture.h"

#include "base/keccak.h"
#include "base/rlp.h"
#include "state/trie.h"

#include <criterion/criterion.h>

static struct exec_fixture f;
static struct header parent, good;
static hash32 parent_hash;
static struct tx tx;
static struct buf withdrawal;
static addr20 receiver;

static void set_up(void) {
    exec_fixture_init(&f, EVM_CANCUN, EVM_TIER_FAST);
    struct world_diff diff;
    world_block_end(f.world, &f.arena, &diff);
    parent = f.header;
    parent.field_count = 20;
    parent.gas_used = parent.gas_limit / 2; /* the base fee stays */
    parent_hash = header_hash(&parent);
    receiver = fixture_addr(30);
    addr20 to = fixture_addr(31);
    uint8_t key[32];
    fixture_key(key, 0);
    tx = exec_fixture_tx(&f, 0, &to, 21000);
    tx.value = U256_ONE;
    cr_assert_eq(tx_sign(&tx, &f.arena, key), ERR_OK);
    buf_init(&withdrawal, 256);
    size_t mark = rlp_list_begin(&withdrawal);
    rlp_put_u64(&withdrawal, 1);
    rlp_put_u64(&withdrawal, 2);
    rlp_put_addr(&withdrawal, &receiver);
    rlp_put_u64(&withdrawal, 3);
    rlp_list_end(&withdrawal, mark);

    memset(&good, 0, sizeof good);
    good.field_count = 20;
    good.parent_hash = parent_hash;
    good.ommers_hash = KECCAK_EMPTY_LIST;
    good.number = 2;
    good.timestamp = parent.timestamp + 12;
    good.gas_limit = parent.gas_limit;
    good.gas_used = 21000;
    good.base_fee = parent.base_fee;
    mpt_list_root(&good.tx_root, &tx.raw, 1);
    bytes w = buf_bytes(&withdrawal);
    mpt_list_root(&good.withdrawals_root, &w, 1);
    struct receipt r = {.type = TX_DYNAMIC_FEE, .success = true, .cumulative_gas_used = 21000};
    struct buf b;
    buf_init(&b, 1024);
    receipt_encode(&b, &r);
    bytes encoded = buf_bytes(&b);
    mpt_list_root(&good.receipt_root, &encoded, 1);
    buf_clear(&b);
}
static void tear_down(void) {
    buf_clear(&withdrawal);
    exec_fixture_clear(&f);
}
TestSuite(eth_block, .init = set_up, .fini = tear_down);

/* The parts that a test may damage. */
struct parts {
    struct header h;
    bytes envelope;
    bool as_list; /* put the envelope in bare, not as a byte string */
    bool with_ommer;
    bytes withdrawal;
    bytes trailer; /* after the last list */
};

static struct parts parts_of_good(void) {
    return (struct parts){.h = good, .envelope = tx.raw, .withdrawal = buf_bytes(&withdrawal)};
}

static enum eth_fault apply(const struct parts *p, struct eth_block_result *out) {
    struct buf b;
    buf_init(&b, 1 << 16);
    size_t block = rlp_list_begin(&b);
    header_encode(&b, &p->h);
    size_t list = rlp_list_begin(&b);
    if (p->as_list)
        buf_append(&b, p->envelope.ptr, p->envelope.len);
    else
        rlp_put_bytes(&b, p->envelope.ptr, p->envelope.len);
    rlp_list_end(&b, list);
    list = rlp_list_begin(&b);
    if (p->with_ommer)
        header_encode(&b, &p->h);
    rlp_list_end(&b, list);
    list = rlp_list_begin(&b);
    buf_append(&b, p->withdrawal.ptr, p->withdrawal.len);
    rlp_list_end(&b, list);
    buf_append(&b, p->trailer.ptr, p->trailer.len);
    rlp_list_end(&b, block);
    struct err_ctx ec = {.err = ERR_OK};
    enum err e =
        eth_block_apply(out, &f.x, &f.arena, &f.fork, &parent, &parent_hash, buf_bytes(&b), &ec);
    cr_assert_eq(e == ERR_OK, out->fault == ETH_FAULT_OK);
    cr_assert(e == ERR_OK || ec.text[0] != '\0');
    buf_clear(&b);
    return out->fault;
}

Test(eth_block, good_block_is_accepted) {
    struct parts p = parts_of_good();
    struct eth_block_result r;
    cr_assert_eq(apply(&p, &r), ETH_FAULT_OK);
    hash32 hash = header_hash(&good);
    cr_assert(hash32_eq(&r.hash, &hash));
    cr_assert_eq(r.tx_count, 1);
    cr_assert(r.receipts[0].success);
    u256 got = world_balance(f.world, &receiver);
    cr_assert_eq(got.w[0], 3000000000u); /* gwei */
    world_block_abandon(f.world);
}

static void expect(const struct parts *p, enum eth_fault want) {
    struct eth_block_result r;
    addr20 from = fixture_addr(0);
    u256 before = world_balance(f.world, &from);
    enum eth_fault got = apply(p, &r);
    cr_assert_eq(got, want, "%s instead of %s", eth_fault_name(got), eth_fault_name(want));
    u256 after = world_balance(f.world, &from), received = world_balance(f.world, &receiver);
    cr_assert(u256_eq(&before, &after) && u256_is_zero(&received));
}

Test(eth_block, one_fault_per_part) {
    struct parts p;
#define EXPECT(change, fault)                                                                      \
    do {                                                                                           \
        p = parts_of_good();                                                                       \
        change;                                                                                    \
        expect(&p, fault);                                                                         \
    } while (0)
    EXPECT(p.h.number = 3, ETH_FAULT_NUMBER);
    EXPECT(p.h.tx_root.b[0] ^= 1, ETH_FAULT_TX_ROOT);
    EXPECT(p.h.withdrawals_root.b[0] ^= 1, ETH_FAULT_WITHDRAWALS_ROOT);
    EXPECT(p.h.receipt_root.b[0] ^= 1, ETH_FAULT_RECEIPT_ROOT);
    EXPECT(p.h.bloom[0] ^= 1, ETH_FAULT_BLOOM);
    EXPECT(p.h.gas_used++, ETH_FAULT_GAS_USED);
    EXPECT(p.h.blob_gas_used = 131072, ETH_FAULT_BLOB_GAS_USED);
    EXPECT(p.with_ommer = true, ETH_FAULT_OMMERS);
    EXPECT(p.as_list = true, ETH_FAULT_TX_DECODE);
    EXPECT(p.trailer = bytes_of("\x80", 1), ETH_FAULT_RLP);
    EXPECT(p.withdrawal = bytes_of("\xc3\x01\x02\x03", 4), ETH_FAULT_RLP);
    EXPECT(p.envelope.len--, ETH_FAULT_TX_DECODE);
#undef EXPECT
}

Test(eth_block, bad_verdict_names_the_transaction) {
    uint8_t key[32];
    fixture_key(key, 0);
    tx.nonce = 5;
    cr_assert_eq(tx_sign(&tx, &f.arena, key), ERR_OK);
    struct parts p = parts_of_good();
    struct eth_block_result r;
    cr_assert_eq(apply(&p, &r), ETH_FAULT_TX_INVALID);
    cr_assert_eq(r.verdict, TX_NONCE_TOO_HIGH);
}

Test(eth_block, begin_calls_reach_their_contracts) {
    addr20 beacon_roots = {{0x00, 0x0f, 0x3d, 0xf6, 0xd7, 0x32, 0x80, 0x7e, 0xf1, 0x31,
                            0x9f, 0xb7, 0xb8, 0xbb, 0x85, 0x22, 0xd0, 0xbe, 0xac, 0x02}};
    world_block_begin(f.world, 1);
    exec_fixture_put_code(&f, &beacon_roots, "5f355f5500"); /* slot 0 = input */
    struct world_diff diff;
    world_block_end(f.world, &f.arena, &diff);
    struct parts p = parts_of_good();
    struct eth_block_result r;
    p.h.parent_beacon_root.b[31] = 0x77;
    cr_assert_eq(apply(&p, &r), ETH_FAULT_OK);
    u256 slot = U256_ZERO, value = world_storage(f.world, &beacon_roots, &slot);
    cr_assert_eq(value.w[0], 0x77);
    world_block_abandon(f.world);
}

Test(eth_block, size_limit_from_osaka) {
    f.fork.revision = EVM_OSAKA;
    uint8_t *big = calloc(1, ETH_BLOCK_RLP_MAX_BYTES + 1);
    struct eth_block_result r;
    cr_assert_eq(eth_block_apply(&r, &f.x, &f.arena, &f.fork, &parent, &parent_hash,
                                 bytes_of(big, ETH_BLOCK_RLP_MAX_BYTES + 1), NULL),
                 ERR_INVALID);
    cr_assert_eq(r.fault, ETH_FAULT_SIZE);
    cr_assert_eq(eth_block_apply(&r, &f.x, &f.arena, &f.fork, &parent, &parent_hash,
                                 bytes_of(big, ETH_BLOCK_RLP_MAX_BYTES), NULL),
                 ERR_RLP);
    free(big);
}
