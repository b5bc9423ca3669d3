/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: deposits are read from exactly laid out events, system contracts must be there and succeed,
 * and the requests hash is that of EIP-7685. */
#include "tests/lib/chain/exec_fixture.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "base/sha.h"

#include <criterion/criterion.h>

static struct exec_fixture f;
static addr20 deposit, withdrawal, consolidation;

static void set_up(void) {
    exec_fixture_init(&f, EVM_PRAGUE, EVM_TIER_REFERENCE);
    cr_assert_eq(hex_decode_fixed(deposit.b, 20, "0x00000000219ab540356cbb839cbe05303d7705fa"),
                 ERR_OK);
    cr_assert_eq(hex_decode_fixed(withdrawal.b, 20, "0x00000961ef480eb55e80d19ad83579a64c007002"),
                 ERR_OK);
    cr_assert_eq(
        hex_decode_fixed(consolidation.b, 20, "0x0000bbddc7ce488642fb579f8b00f3a590007251"),
        ERR_OK);
}
static void tear_down(void) {
    exec_fixture_clear(&f);
}
TestSuite(eth_requests, .init = set_up, .fini = tear_down);

static void word(uint8_t *p, uint64_t v) {
    memset(p, 0, 32);
    be64_store(p + 24, v);
}

/* The data of a DepositEvent; every content byte of field i is i + 1. */
static void deposit_data(uint8_t out[576]) {
    static const uint64_t offsets[5] = {160, 256, 320, 384, 512}, lens[5] = {48, 32, 8, 96, 8};
    memset(out, 0, 576);
    for (size_t i = 0; i < 5; i++) {
        word(out + 32 * i, offsets[i]);
        word(out + offsets[i], lens[i]);
        memset(out + offsets[i] + 32, (int)i + 1, lens[i]);
    }
}

static struct log_entry deposit_log(const uint8_t data[576]) {
    static const char event[] = "DepositEvent(bytes,bytes,bytes,bytes,bytes)";
    struct log_entry l;
    memset(&l, 0, sizeof l);
    l.address = deposit;
    l.topic_count = 1;
    keccak256(&l.topics[0], event, sizeof event - 1);
    l.data = bytes_of(data, 576);
    return l;
}

Test(eth_requests, contracts_must_be_there_and_succeed) {
    hash32 hash, want;
    cr_assert_eq(eth_collect_requests(&f.x, NULL, 0, &hash), ETH_FAULT_SYSTEM_CONTRACT_EMPTY);
    exec_fixture_put_code(&f, &withdrawal, "00");
    cr_assert_eq(eth_collect_requests(&f.x, NULL, 0, &hash), ETH_FAULT_SYSTEM_CONTRACT_EMPTY);
    exec_fixture_put_code(&f, &consolidation, "5f5ffd");
    cr_assert_eq(eth_collect_requests(&f.x, NULL, 0, &hash), ETH_FAULT_SYSTEM_CALL_FAILED);
    exec_fixture_put_code(&f, &consolidation, "00");
    cr_assert_eq(eth_collect_requests(&f.x, NULL, 0, &hash), ETH_FAULT_OK);
    sha256(want.b, "", 0); /* no requests at all */
    cr_assert(hash32_eq(&hash, &want));
}

Test(eth_requests, hash_is_over_the_hashes_of_each_kind) {
    exec_fixture_put_code(&f, &withdrawal, "60aa5f5360015ff3"); /* returns the byte aa */
    exec_fixture_put_code(&f, &consolidation, "00");
    uint8_t data[576], request[1 + 192], digests[64];
    deposit_data(data);
    struct log_entry l = deposit_log(data);
    struct receipt r = {.logs = &l, .log_count = 1};
    hash32 hash, want;
    cr_assert_eq(eth_collect_requests(&f.x, &r, 1, &hash), ETH_FAULT_OK);
    request[0] = 0;
    memset(request + 1, 1, 48);
    memset(request + 49, 2, 32);
    memset(request + 81, 3, 8);
    memset(request + 89, 4, 96);
    memset(request + 185, 5, 8);
    sha256(digests, request, sizeof request);
    sha256(digests + 32, "\x01\xaa", 2);
    sha256(want.b, digests, 64);
    cr_assert(hash32_eq(&hash, &want));
}

Test(eth_requests, every_word_of_the_layout_matters) {
    exec_fixture_put_code(&f, &withdrawal, "00");
    exec_fixture_put_code(&f, &consolidation, "00");
    static const size_t words[] = {0, 32, 64, 96, 128, 160, 256, 320, 384, 512};
    uint8_t data[576];
    hash32 hash;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        for (size_t byte = 0; byte < 32; byte += 31) {
            deposit_data(data);
            data[words[i] + byte] ^= 1;
            struct log_entry l = deposit_log(data);
            struct receipt r = {.logs = &l, .log_count = 1};
            cr_assert_eq(eth_collect_requests(&f.x, &r, 1, &hash), ETH_FAULT_DEPOSIT_LAYOUT,
                         "word at %zu", words[i]);
        }
    }
    deposit_data(data);
    struct log_entry l = deposit_log(data);
    struct receipt r = {.logs = &l, .log_count = 1};
    l.data.len = 575;
    cr_assert_eq(eth_collect_requests(&f.x, &r, 1, &hash), ETH_FAULT_DEPOSIT_LAYOUT);
    l.topics[0].b[0] ^= 1; /* another event of the contract, of any form */
    cr_assert_eq(eth_collect_requests(&f.x, &r, 1, &hash), ETH_FAULT_OK);
    l = deposit_log(data);
    l.address.b[0] ^= 1;
    l.data.len = 3; /* another contract */
    cr_assert_eq(eth_collect_requests(&f.x, &r, 1, &hash), ETH_FAULT_OK);
}

Test(eth_requests, system_call_runs_as_the_system_address_without_fee) {
    exec_fixture_put_code(&f, &withdrawal,
                          "335f525f355f555a60205260405ff3"); /* CALLER; slot 0 = input; GAS */
    struct evm_result r;
    hash32 input = {{0}};
    input.b[31] = 9;
    eth_system_call(&f.x, &withdrawal, bytes_of(input.b, 32), &r);
    cr_assert_eq(r.status, EVM_SUCCESS);
    cr_assert_eq(r.output.len, 64);
    for (size_t i = 12; i < 31; i++)
        cr_assert_eq(r.output.ptr[i], 0xff);
    cr_assert_eq(r.output.ptr[31], 0xfe);
    u256 slot = U256_ZERO, value = world_storage(f.world, &withdrawal, &slot),
         gas = u256_from_be32(r.output.ptr + 32);
    cr_assert_eq(value.w[0], 9);
    cr_assert_gt(gas.w[0], 29000000);
    cr_assert_eq(f.x.gas_used, 0);
}
