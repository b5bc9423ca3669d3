/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: states, assertions and configurations hash as in the rollup contract; its events are read
 * back; members' signatures are those of EIP-712. Method: the contract's genesis and first
 * assertion; events made of them, then damaged; signatures recovered and tampered with. */
#include "bridge/assertion.h"

#include "base/hex.h"
#include "base/secp.h"
#include "tests/lib/bridge/orbit.h"

#include <criterion/criterion.h>

static struct assertion_config vector_config(const json_t *c) {
    return (struct assertion_config){
        .wasm_module_root = orbit_hash(c, "wasmModuleRoot"),
        .required_stake = orbit_u256(c, "requiredStake"),
        .challenge_manager = orbit_addr(c, "challengeManager"),
        .confirm_period_blocks = orbit_u64(c, "confirmPeriodBlocks"),
        .next_inbox_position = orbit_u64(c, "nextInboxPosition"),
    };
}

static hash32 hash_in(const json_t *array, size_t idx) {
    hash32 h;
    cr_assert_eq(hex_decode_fixed(h.b, 32, json_string_value(json_array_get(array, idx))), ERR_OK);
    return h;
}

struct vectors {
    struct orbit o;
    const json_t *genesis, *first;
    struct assertion_created parent; /* the genesis assertion, as an event would give it */
    struct assertion_state after;
    hash32 inbox_acc, hash;
};

static void load(struct vectors *v) {
    memset(v, 0, sizeof *v);
    orbit_load(&v->o);
    const json_t *all = json_object_get(v->o.doc, "assertions");
    v->genesis = json_object_get(all, "genesis");
    v->first = json_object_get(all, "first");
    v->parent.hash = orbit_hash(v->genesis, "hash");
    v->parent.inputs.after = assertion_genesis_state();
    v->parent.config = vector_config(json_object_get(v->genesis, "config"));
    const json_t *state = json_object_get(v->first, "state");
    const json_t *global = json_object_get(state, "globalState");
    const json_t *words = json_object_get(global, "bytes32Vals");
    const json_t *numbers = json_object_get(global, "u64Vals");
    v->after = (struct assertion_state){
        .block_hash = hash_in(words, 0),
        .send_root = hash_in(words, 1),
        .inbox_position = (uint64_t)json_integer_value(json_array_get(numbers, 0)),
        .position_in_message = (uint64_t)json_integer_value(json_array_get(numbers, 1)),
        .machine_status = (enum machine_status)orbit_u64(state, "machineStatus"),
        .end_history_root = orbit_hash(state, "endHistoryRoot"),
    };
    v->inbox_acc = orbit_hash(v->first, "inboxAcc");
    v->hash = orbit_hash(v->first, "hash");
}

static void expect_hash(hash32 got, const json_t *object, const char *key) {
    hash32 want = orbit_hash(object, key);
    cr_expect(hash32_eq(&got, &want), "%s", key);
}

Test(assertion, reproduces_the_contracts_hashes) {
    struct vectors v;
    load(&v);
    static const hash32 zero;
    struct assertion_state genesis = assertion_genesis_state();
    expect_hash(assertion_state_hash(&genesis), v.genesis, "stateHash");
    expect_hash(assertion_hash(&zero, &genesis, &zero), v.genesis, "hash");
    expect_hash(assertion_config_hash(&v.parent.config), v.genesis, "configHash");
    expect_hash(assertion_state_hash(&v.after), v.first, "stateHash");
    expect_hash(assertion_hash(&v.parent.hash, &v.after, &v.inbox_acc), v.first, "hash");
    struct assertion_config next = v.parent.config;
    next.next_inbox_position = orbit_u64(v.first, "nextInboxPosition");
    expect_hash(assertion_config_hash(&next), v.first, "configHash");
    orbit_clear(&v.o);
}

Test(assertion, confirming_call_is_the_contracts) {
    struct vectors v;
    load(&v);
    struct assertion_inputs in = assertion_child(&v.parent, &v.after);
    struct buf b;
    buf_init(&b, 1 << 12);
    assertion_fast_confirm_calldata(&b, &in, &v.hash);
    bytes want = orbit_bytes(&v.o, v.first, "calldata");
    cr_expect(b.len == want.len && memcmp(b.ptr, want.ptr, b.len) == 0);
    buf_clear(&b);
    orbit_clear(&v.o);
}

/* The event that the contract emits for the first assertion. */
static struct parent_log created_log(struct vectors *v, struct buf *b) {
    struct assertion_inputs in = assertion_child(&v->parent, &v->after);
    const struct assertion_config *c = &v->parent.config;
    assertion_put_inputs(b, &in);
    abi_put_hash(b, &v->inbox_acc);
    abi_put_u64(b, orbit_u64(v->first, "nextInboxPosition"));
    abi_put_hash(b, &c->wasm_module_root);
    abi_put_u256(b, &c->required_stake);
    abi_put_addr(b, &c->challenge_manager);
    abi_put_u64(b, c->confirm_period_blocks);
    return (struct parent_log){
        .topics = {abi_topic(ABI_EVENT_ASSERTION_CREATED), v->hash, v->parent.hash},
        .topic_count = 3,
        .data = buf_bytes(b),
        .block_num = 77};
}

Test(assertion, event_gives_what_the_next_one_needs) {
    struct vectors v;
    load(&v);
    struct buf b;
    buf_init(&b, 1 << 12);
    struct parent_log l = created_log(&v, &b);
    struct assertion_created c;
    cr_assert_eq(assertion_parse_created(&c, &l), ERR_OK);
    cr_expect(hash32_eq(&c.hash, &v.hash) && hash32_eq(&c.parent, &v.parent.hash));
    cr_expect_eq(memcmp(&c.inputs.after.block_hash, &v.after.block_hash, 32), 0);
    cr_expect(c.inputs.after.inbox_position == 1 && c.config.next_inbox_position == 2);
    expect_hash(assertion_config_hash(&c.config), v.first, "configHash");
    cr_expect_eq(c.block_num, 77u);
    struct assertion_state next = v.after;
    next.inbox_position = 2;
    struct assertion_inputs child = assertion_child(&c, &next);
    cr_expect(hash32_eq(&child.prev_prev_hash, &v.parent.hash));
    cr_expect(hash32_eq(&child.sequencer_batch_acc, &v.inbox_acc));
    cr_expect(child.before.inbox_position == 1 && child.after.inbox_position == 2);
    l.topics[1].b[5] ^= 1;
    cr_expect_eq(assertion_parse_created(&c, &l), ERR_MISMATCH);
    l.topics[1].b[5] ^= 1;
    b.ptr[17 * 32 + 31] = 3; /* a machine status that is none */
    cr_expect_eq(assertion_parse_created(&c, &l), ERR_PARSE);
    b.ptr[17 * 32 + 31] = 1;
    l.data.len -= 32;
    cr_expect_eq(assertion_parse_created(&c, &l), ERR_PARSE);
    buf_clear(&b);
    orbit_clear(&v.o);
}

Test(assertion, confirmation_event_and_node) {
    struct buf b;
    buf_init(&b, 1 << 10);
    hash32 block = {{1}}, root = {{2}}, hash = {{3}};
    abi_put_hash(&b, &block);
    abi_put_hash(&b, &root);
    struct parent_log l = {.topics = {abi_topic(ABI_EVENT_ASSERTION_CONFIRMED), hash},
                           .topic_count = 2,
                           .data = buf_bytes(&b)};
    struct assertion_confirmed c;
    cr_assert_eq(assertion_parse_confirmed(&c, &l), ERR_OK);
    cr_expect(hash32_eq(&c.hash, &hash) && hash32_eq(&c.block_hash, &block));
    cr_expect(hash32_eq(&c.send_root, &root));
    l.data.len--;
    cr_expect_eq(assertion_parse_confirmed(&c, &l), ERR_PARSE);

    buf_reset(&b);
    for (uint64_t i = 0; i < 3; i++)
        abi_put_u64(&b, 10 + i);
    abi_put_u64(&b, 1);
    abi_put_u64(&b, ASSERTION_CONFIRMED);
    abi_put_hash(&b, &hash);
    struct assertion_node n;
    cr_assert_eq(assertion_parse_node(&n, buf_bytes(&b)), ERR_OK);
    cr_expect(n.first_child_block == 10 && n.second_child_block == 11 && n.created_at_block == 12 &&
              n.is_first_child && n.status == ASSERTION_CONFIRMED);
    b.ptr[4 * 32 + 31] = 3;
    cr_expect_eq(assertion_parse_node(&n, buf_bytes(&b)), ERR_PARSE);
    buf_clear(&b);
}

/* keccak("callipter" | 8 bytes), by another implementation. */
Test(assertion, module_root_names_the_version) {
    char text[65] = "";
    hash32 one = assertion_module_root(1), two = assertion_module_root(2);
    hex_encode(text, one.b, 32);
    cr_expect_str_eq(text, "8e0ec49485fa8206fd6b3778582be5297afa3f5087ad75de43b5181f428a45f0");
    cr_expect(!hash32_eq(&one, &two));
}

/* The digest was made by viem's hashTypedData for chain 412346 and this address. */
Test(assertion, members_sign_eip712) {
    addr20 contract = {{0}};
    hash32 expected, digest;
    memset(contract.b, 0x11, sizeof contract.b);
    memset(expected.b, 0x22, sizeof expected.b);
    digest = confirmer_digest(412346, &contract, &expected);
    char text[65] = "";
    hex_encode(text, digest.b, 32);
    cr_expect_str_eq(text, "44faa79fed6206eab9184a78136110f1f06bc8d69d56882b593e67211fa009a5");
    uint8_t key[32] = {[31] = 7};
    struct confirmer_signature s, bad;
    cr_assert_eq(confirmer_sign(&s, &digest, key), ERR_OK);
    cr_expect(confirmer_signature_ok(&s, &digest));
    bad = s;
    bad.signer.b[0] ^= 1;
    cr_expect(!confirmer_signature_ok(&bad, &digest));
    bad = s;
    bad.sig[64] ^= 27 ^ 28;
    cr_expect(!confirmer_signature_ok(&bad, &digest));
    bad = s;
    bad.sig[64] = 0;
    cr_expect(!confirmer_signature_ok(&bad, &digest));
    /* The same signature with high s recovers the same signer, and is refused. */
    bad = s;
    u256 high = u256_from_be32(s.sig + 32);
    high = u256_sub(&SECP_N, &high);
    u256_to_be32(bad.sig + 32, &high);
    bad.sig[64] ^= 27 ^ 28;
    cr_expect(!confirmer_signature_ok(&bad, &digest));
    uint8_t zero[32] = {0};
    cr_expect_eq(confirmer_sign(&s, &digest, zero), ERR_INVALID);
}

Test(assertion, signatures_go_in_ascending_order) {
    struct vectors v;
    load(&v);
    struct assertion_inputs in = assertion_child(&v.parent, &v.after);
    struct confirmer_signature sigs[3] = {{.signer = {{3}}, .sig = {3}},
                                          {.signer = {{1}}, .sig = {1}},
                                          {.signer = {{2}}, .sig = {2}}};
    struct buf b;
    buf_init(&b, 1 << 12);
    confirmer_calldata(&b, &in, &v.hash, sigs, 3);
    bytes args;
    cr_assert_eq(abi_get_call(&args, buf_bytes(&b), ABI_CONFIRMER_CONFIRM), ERR_OK);
    uint64_t offset, count;
    cr_assert_eq(abi_get_u64(&offset, args, ASSERTION_INPUTS_WORDS + 1), ERR_OK);
    bytes array = bytes_of(args.ptr + offset, args.len - offset);
    cr_assert_eq(abi_get_u64(&count, array, 0), ERR_OK);
    cr_assert_eq(count, 3u);
    array = bytes_of(array.ptr + 32, array.len - 32);
    for (size_t i = 0; i < 3; i++) {
        bytes sig;
        cr_assert_eq(abi_get_bytes(&sig, array, i), ERR_OK);
        cr_expect(sig.len == CONFIRMER_SIGNATURE_BYTES && sig.ptr[0] == i + 1);
    }
    cr_expect_eq(array.len, 3 * 32 + 3 * abi_bytes_len(CONFIRMER_SIGNATURE_BYTES));
    buf_clear(&b);
    orbit_clear(&v.o);
}
