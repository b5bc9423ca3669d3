/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks from messages. The input is kind u8 | flags u8 (bit 0: from the parent; bit 1:
 * with batch statistics, of flags x 64 bytes; bit 2: sent by a funded account) | data.
 * Properties, for any message, on a chain with four funded accounts whose keys are 1 to 4:
 *  - derivation ends with a block, in which the registry of universes has what it holds for others;
 *  - both tiers of the machine make the same block: transactions, status, gas, logs, hash of the
 * header before its roots;
 *  - a block that is dropped leaves nothing behind: deriving the message again gives the same. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/retryable.h"
#include "tests/lib/chain/universe_fixture.h"

static struct fixture fixture;

/* A ticket that transactions may redeem: its id is 0x71 and zeros. */
static void put_ticket(struct world *w) {
    const hash32 id = {{0x71}};
    struct tx submit = {.type = TX_SUBMIT_RETRYABLE, .is_create = true};
    submit.data = bytes_of("\x60\x01\x5f\x53\x60\x01\x5f\xf3", 8);
    submit.sender = FIXTURE_PARENT_SENDER;
    retryable_create(w, &id, &submit, FIXTURE_START_S);
}

/* Universe 1 of the first account pays for calls of 0xcc00…00 without calldata, which creates; of
 * 0xcd00…00, which belongs to it too, it pays for nothing. Its contracts make the registry do what
 * the block says of them: block_close checks what it holds. */
static void put_universe(struct world *w) {
    static const uint8_t maker[] = {0x5f, 0x5f, 0x5f, 0xf0, 0x00};
    /* Passes its calldata on to the registry, with its value. */
    static const uint8_t relay[] = {0x36, 0x5f, 0x5f, 0x37, 0x5f, 0x5f, 0x36, 0x5f,
                                    0x34, 0x61, 0x75, 0x00, 0x5a, 0xf1, 0x00};
    static const addr20 made = {{0xcc}}, relays = {{0xcd}};
    addr20 owner, registry = system_address(SYSTEM_REGISTRY);
    enum err e = secp_address_of_key(&owner, (const uint8_t[32]){[31] = 1});
    CHECK(e == ERR_OK);
    u256 id = W(1), ether = W(ETHER), a = A(made), b = A(relays), of_owner = A(owner);
    world_set_code(w, &made, bytes_of(maker, sizeof maker));
    world_set_code(w, &relays, bytes_of(relay, sizeof relay));
    world_set_balance(w, &registry, &ether);
    sys_set_u64(w, SYS_UNIVERSE_COUNT, NULL, 1);
    sys_set_u64(w, SYS_ATTRIBUTED_UNIVERSE, &a, 1);
    sys_set_u64(w, SYS_ATTRIBUTED_UNIVERSE, &b, 1);
    sys_set_u64(w, SYS_DEPLOYER_UNIVERSE, &of_owner, 1);
    sys_set_addr(w, SYS_UNIVERSE_OWNER, &id, &owner);
    sys_set_u64(w, SYS_UNIVERSE_STATUS, &id, UNIVERSE_ACTIVE);
    sys_set_u64(w, SYS_UNIVERSE_UPGRADE_DELAY, &id, UNIVERSE_UPGRADE_DELAY_MIN_S);
    sys_set(w, SYS_UNIVERSE_GAS_ACCOUNT, &id, &ether);
    sys_set(w, SYS_GAS_ACCOUNTS_TOTAL, NULL, &ether);
    static const enum system_field on[] = {SYS_POLICY_ACTIVE, SYS_POLICY_ALLOW_VALUE,
                                           SYS_POLICY_ALLOW_SET_CODE, SYS_POLICY_ALLOW_CREATE};
    for (size_t i = 0; i < ARRAY_LEN(on); i++)
        sys_set_u64(w, on[i], &id, 1);
    sys_set_u64(w, SYS_POLICY_MAX_DATA, &id, UNIVERSE_MAX_DATA_DEFAULT);
    sys_set_u64(w, SYS_POLICY_EXPIRY, &id, UINT64_MAX);
    sys_set_u64(w, SYS_POLICY_MAX_GAS, &id, 1 << 24);
    sys_set(w, SYS_POLICY_MAX_COST, &id, &ether);
    sys_set(w, SYS_BUDGET_LIMIT, &id, &ether);
    sys_set_u64(w, SYS_BUDGET_SECONDS, &id, 3600);
    u256 target[3] = {id, U256_ZERO, sponsor_target_key(&made, bytes_of(NULL, 0))};
    sys_set_u64(w, SYS_POLICY_TARGET, target, 1);
}

static void setup(struct world *w) {
    universe_options.setup(w);
    put_ticket(w);
    put_universe(w);
}

/* A digest of what the message did. */
static hash32 derive(struct chain *c, const struct message *m, enum err *out_err) {
    struct arena a;
    struct derived_block b;
    struct buf text;
    hash32 digest = {{0}};
    arena_init(&a, 1 << 16, (size_t)1 << 30);
    buf_init(&text, (size_t)1 << 30);
    *out_err = chain_derive_block(&b, c, &a, &fixture.head, m, NULL);
    if (*out_err == ERR_OK) {
        header_encode(&text, &b.header);
        for (size_t i = 0; i < b.tx_count; i++) {
            buf_append(&text, b.txs[i].tx.hash.b, 32);
            receipt_encode(&text, &b.txs[i].receipt);
        }
        CHECK(!text.overflow);
        digest = keccak256_bytes(buf_bytes(&text));
        chain_drop_block(c);
    }
    buf_clear(&text);
    arena_clear(&a);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct fixture_options plain = {.setup = setup};
    if (fixture.main.chain == NULL)
        fixture_init(&fixture, &plain);
    if (size < 2)
        return 0;
    bytes body = bytes_of(data + 2, size - 2);
    struct message m = fixture_l2_message(&fixture, body);
    if ((data[1] & 1) != 0)
        m = fixture_delayed_message(&fixture, data[0], body);
    m.kind = data[0];
    if ((data[1] & 4) != 0)
        m.sender = fixture.addrs[0];
    m.has_base_fee_l1 = true;
    m.base_fee_l1 = u256_from_u64(FIXTURE_L1_BASE_FEE);
    m.has_batch_stats = (data[1] & 2) != 0;
    m.batch_length = m.batch_nonzeros = (uint64_t)data[1] << 6;
    enum err first, second, third;
    hash32 a = derive(fixture.main.chain, &m, &first);
#ifdef FUZZ_PLANT_BUG
    /* The bug that a search must find: one tier sees a large deposit later. */
    if (m.kind == MESSAGE_ETH_DEPOSIT && body.len >= 52 && (body.ptr[20] & 0x80) != 0)
        m.timestamp++;
#endif
    hash32 b = derive(fixture.twin.chain, &m, &second);
    CHECK(first == second);
    CHECK(hash32_eq(&a, &b));
    CHECK(first == ERR_OK);
    hash32 again = derive(fixture.twin.chain, &m, &third);
    CHECK(third == second);
    CHECK(hash32_eq(&b, &again));
    return 0;
}
