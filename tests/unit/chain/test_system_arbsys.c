/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: messages to the parent have the item hash, the tree and the logs that the parent's real
 * Outbox accepted; what they carry leaves the supply; callers are told who called them. */
#include "base/hex.h"
#include "base/keccak.h"
#include "chain/parent_tx.h"
#include "chain/send_tree.h"
#include "tests/lib/chain/call_rig.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>
#include <jansson.h>

#define WITHDRAW_ETH UINT32_C(0x25e16063)
#define SEND_TX_TO_L1 UINT32_C(0x928c169a)

static const bytes nothing = {NULL, 0};

static hash32 hash_member(const json_t *o, const char *key) {
    hash32 h;
    cr_assert_eq(hex_decode_fixed(h.b, 32, json_string_value(json_object_get(o, key))), ERR_OK);
    return h;
}

static const char *text_at(const json_t *list, size_t i) {
    return json_string_value(json_array_get(list, i));
}

static uint64_t number_at(const json_t *list, size_t i) {
    return strtoull(text_at(list, i), NULL, 10);
}

/* sendTxToL1 of the vector's destination and data, in its block. */
static struct evm_result send(struct call_rig *r, const json_t *args) {
    addr20 to;
    cr_assert_eq(hex_decode_fixed(r->sender.b, 20, text_at(args, 0)), ERR_OK);
    cr_assert_eq(hex_decode_fixed(to.b, 20, text_at(args, 1)), ERR_OK);
    r->block.number = number_at(args, 2);
    r->block.l1_block = number_at(args, 3);
    r->x.block.timestamp = number_at(args, 4);
    r->value = number_at(args, 5);
    uint8_t data[256] = {0};
    size_t len;
    cr_assert_eq(hex_decode(data, sizeof data, &len, text_at(args, 6), strlen(text_at(args, 6))),
                 ERR_OK);
    const u256 words[3] = {u256_from_addr(&to), u256_from_u64(64), u256_from_u64(len)};
    return call_rig_call(r, SYSTEM_ARBSYS, SEND_TX_TO_L1, words, 3,
                         bytes_of(data, (len + 31) / 32 * 32));
}

Test(system_arbsys, send_vectors) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL), *s;
    struct call_rig r;
    call_rig_init(&r);
    size_t n, seen = 0;
    u256 sent = U256_ZERO;
    json_array_foreach(json_object_get(doc, "sends"), n, s) {
        const json_t *args = json_object_get(s, "args"),
                     *updates = json_object_get(s, "merkleUpdates");
        struct evm_result o = send(&r, args);
        cr_assert_eq(o.status, EVM_SUCCESS);
        cr_assert(o.output.len == 32 && be64_load(o.output.ptr + 24) == n);
        u256 value = u256_from_u64(r.value);
        sent = u256_add(&sent, &value);

        size_t count;
        const struct world_log *logs = world_logs(r.w, &count);
        cr_assert_eq(count - seen, json_array_size(updates) + 1);
        for (size_t i = 0; i < json_array_size(updates); i++, seen++) {
            const json_t *u = json_array_get(updates, i);
            hash32 h = hash_member(u, "hash");
            cr_expect(hash32_eq(&logs[seen].topics[0], &SEND_MERKLE_UPDATE) &&
                      hash32_eq(&logs[seen].topics[2], &h));
            const uint8_t *position = logs[seen].topics[3].b;
            uint64_t level = (uint64_t)json_integer_value(json_object_get(u, "level"));
            cr_expect_eq(be64_load(position), level);
            cr_expect_eq(be64_load(position + 24), n);
        }
        hash32 item = hash_member(s, "item");
        const struct world_log *l = &logs[seen++];
        cr_expect(hash32_eq(&l->topics[0], &SEND_L2_TO_L1_TX) && hash32_eq(&l->topics[2], &item));
        cr_expect_eq(be64_load(l->topics[3].b + 24), n);
        cr_expect_eq(be64_load(l->data.ptr + 5 * 32 - 8), r.value);
        cr_expect_eq(l->data.len % 32, 0);

        struct evm_result t;
        addr20 caller = r.sender;
        memset(&r.sender, 0, sizeof r.sender);
        r.value = 0;
        t = call_rig_call(&r, SYSTEM_ARBSYS, 0x7aeecd2a, NULL, 0, nothing);
        r.sender = caller;
        cr_assert_eq(t.status, EVM_SUCCESS);
        hash32 root = hash_member(s, "rootAfter");
        cr_expect_eq(memcmp(t.output.ptr + 32, root.b, 32), 0, "%zu", n);
    }
    cr_assert_eq(n, 9);
    u256 withdrawn = sys_get(r.w, SYS_SUPPLY_WITHDRAWN, NULL);
    cr_expect(u256_eq(&withdrawn, &sent));
    addr20 self = system_address(SYSTEM_ARBSYS);
    u256 kept = world_balance(r.w, &self);
    cr_expect(u256_is_zero(&kept));
    json_decref(doc);
    call_rig_clear(&r);
}

Test(system_arbsys, refusals) {
    struct call_rig r;
    call_rig_init(&r);
    u256 dirty = U256_MAX, words[3] = {U256_ONE, u256_from_u64(64), u256_from_u64(33)};
    cr_assert_eq(call_rig_call(&r, SYSTEM_ARBSYS, WITHDRAW_ETH, &dirty, 1, nothing).status,
                 EVM_REVERT);
    uint8_t word[32] = {0};
    cr_assert_eq(
        call_rig_call(&r, SYSTEM_ARBSYS, SEND_TX_TO_L1, words, 3, bytes_of(word, 32)).status,
        EVM_REVERT);
    cr_assert_eq(call_rig_call(&r, SYSTEM_ARBSYS, 0x7aeecd2a, NULL, 0, nothing).status, EVM_REVERT);
    r.is_static = true;
    cr_assert_eq(call_rig_call(&r, SYSTEM_ARBSYS, WITHDRAW_ETH, words, 1, nothing).status,
                 EVM_REVERT);
    r.is_static = false;
    /* More than was ever there, as only a call with made-up balances can try. */
    u256 most = U256_MAX;
    sys_set(r.w, SYS_SUPPLY_WITHDRAWN, NULL, &most);
    r.value = 1;
    cr_assert_eq(call_rig_call(&r, SYSTEM_ARBSYS, WITHDRAW_ETH, words, 1, nothing).status,
                 EVM_REVERT);
    cr_assert_eq(sys_get_u64(r.w, SYS_SEND_COUNT, NULL), 0);
    call_rig_clear(&r);
}

/* The price of a first withdrawal, to the gas: base, input word, slots, log, answer. */
Test(system_arbsys, price) {
    struct call_rig r;
    call_rig_init(&r);
    r.value = 5;
    u256 to = U256_ONE;
    struct evm_result o = call_rig_call(&r, SYSTEM_ARBSYS, WITHDRAW_ETH, &to, 1, nothing);
    cr_assert_eq(o.status, EVM_SUCCESS);
    int64_t slots = 3 * (2100 + 20000); /* withdrawn, partial, count */
    int64_t log = 375 * 5 + 8 * 7 * 32;
    cr_expect_eq(10000000 - r.gas, 100 + 9 + slots + log + 3);
    call_rig_clear(&r);
}

/* A message as long as gas allows: the log is built where the answer goes. One longer than that, in
 * a call with more gas than a transaction has, is out of gas, not a fault. */
Test(system_arbsys, long_messages) {
    static uint8_t data[L3_CALL_OUTPUT_MAX_BYTES];
    struct call_rig r;
    call_rig_init(&r);
    for (int i = 0; i < 2; i++) {
        size_t len = i == 0 ? 1150000 / 32 * 32 : sizeof data;
        const u256 words[3] = {U256_ONE, u256_from_u64(64), u256_from_u64(len)};
        struct evm_result o =
            call_rig_call(&r, SYSTEM_ARBSYS, SEND_TX_TO_L1, words, 3, bytes_of(data, len));
        cr_assert_eq(o.status, i == 0 ? EVM_SUCCESS : EVM_OUT_OF_GAS);
        size_t count;
        const struct world_log *l = world_logs(r.w, &count);
        cr_assert(count == 1 && l->data.len == 7 * 32 + 1150000 / 32 * 32);
    }
    call_rig_clear(&r);
}

Test(system_arbsys, callers) {
    struct call_rig r;
    call_rig_init(&r);
    u256 v = call_rig_word(&r, SYSTEM_ARBSYS, 0x08bd624c, 0);
    cr_assert_eq(v.w[0], 1);
    r.depth = 2;
    v = call_rig_word(&r, SYSTEM_ARBSYS, 0x08bd624c, 0);
    cr_assert(u256_is_zero(&v));
    r.depth = 0;
    struct tx tx = {.type = TX_CONTRACT, .sender = {{0x11, 0x11, 5}}};
    r.x.tx = &tx;
    v = call_rig_word(&r, SYSTEM_ARBSYS, 0x175a260b, 0);
    cr_assert_eq(v.w[0], 1);
    tx.type = TX_DYNAMIC_FEE;
    v = call_rig_word(&r, SYSTEM_ARBSYS, 0x175a260b, 0);
    cr_assert_eq(v.w[0], 0);
    const u256 words[2] = {u256_from_u64(1), U256_ZERO};
    struct evm_result o = call_rig_call(&r, SYSTEM_ARBSYS, 0x4dbbd506, words, 2, nothing);
    addr20 one = {{0}}, alias;
    one.b[19] = 1;
    alias = parent_alias(&one);
    cr_assert_eq(memcmp(o.output.ptr + 12, alias.b, 20), 0);
    call_rig_clear(&r);
}

/* Over the machine: a contract that asks who called it, called by a user and by the parent. */
Test(system_arbsys, callers_over_the_machine) {
    static const struct fixture_options plain = {0};
    struct fixture f;
    fixture_init(&f, &plain);
    /* storage 0 = myCallersAddressWithoutAliasing(), 1 = wasMyCallersAddressAliased() */
    static const uint8_t code[] = {0x63, 0xd7, 0x45, 0x23, 0xb3, 0x5f, 0x52, 0x60, 0x20, 0x5f,
                                   0x60, 0x04, 0x60, 0x1c, 0x60, 0x64, 0x5a, 0xfa, 0x50, 0x5f,
                                   0x51, 0x5f, 0x55, 0x63, 0x17, 0x5a, 0x26, 0x0b, 0x5f, 0x52,
                                   0x60, 0x20, 0x5f, 0x60, 0x04, 0x60, 0x1c, 0x60, 0x64, 0x5a,
                                   0xfa, 0x50, 0x5f, 0x51, 0x60, 0x01, 0x55};
    uint8_t init[80] = {0x60, sizeof code, 0x60, 10, 0x5f, 0x39, 0x60, sizeof code, 0x5f, 0xf3};
    memcpy(init + 10, code, sizeof code);
    addr20 at =
        fixture_run(&f, fixture_tx(&f, 0, NULL, 0, bytes_of(init, 10 + sizeof code), 300000))
            .result.created;
    struct world *w = chain_world(f.main.chain);
    (void)fixture_run(&f, fixture_tx(&f, 1, &at, 0, nothing, 200000));
    u256 slot = U256_ZERO, one = U256_ONE, want = u256_from_addr(&f.addrs[1]);
    u256 got = world_storage(w, &at, &slot), aliased = world_storage(w, &at, &one);
    cr_expect(u256_eq(&got, &want) && u256_is_zero(&aliased));

    uint8_t body[161] = {L2_UNSIGNED_USER_TX};
    be64_store(body + 1 + 24, 200000);
    be64_store(body + 1 + 56, UINT64_C(10000000));
    memcpy(body + 1 + 96 + 12, at.b, 20);
    struct message m = fixture_delayed_message(&f, MESSAGE_L2, bytes_of(body, sizeof body));
    m.sender = f.addrs[2];
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert(b.tx_count == 1 && b.txs[0].receipt.success);
    addr20 plain_sender = parent_unalias(&f.addrs[2]);
    want = u256_from_addr(&plain_sender);
    got = world_storage(w, &at, &slot), aliased = world_storage(w, &at, &one);
    cr_expect(u256_eq(&got, &want) && u256_eq(&aliased, &one));
    fixture_clear(&f);
}

/* Through blocks: root and count in the header, supply checked by the seal. */
Test(system_arbsys, header_commits_to_sends) {
    static const struct fixture_options plain = {0};
    struct fixture f;
    fixture_init(&f, &plain);
    addr20 at = system_address(SYSTEM_ARBSYS);
    for (uint64_t i = 0; i < 5; i++) {
        uint8_t data[36] = {0x25, 0xe1, 0x60, 0x63};
        data[35] = (uint8_t)i;
        struct derived_tx d =
            fixture_run(&f, fixture_tx(&f, 0, &at, 100, bytes_of(data, 36), 200000));
        cr_assert(d.receipt.success);
        struct l3_header_info info = l3_header_info_get(&f.head);
        cr_assert_eq(info.send_count, i + 1);
        cr_assert(!hash32_eq(&info.send_root, &(hash32){{0}}));
    }
    u256 withdrawn = sys_get(chain_world(f.main.chain), SYS_SUPPLY_WITHDRAWN, NULL);
    cr_assert_eq(withdrawn.w[0], 500);
    fixture_clear(&f);
}
