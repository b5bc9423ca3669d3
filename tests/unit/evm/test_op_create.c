/* SPDX-License-Identifier: Apache-2.0 */
/* Creations: addresses, gas, code deposit, collisions, nonces, limits; SELFDESTRUCT. */
#include "base/hex.h"
#include "base/keccak.h"
#include "evm/gas.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>
#include <stdio.h>

static addr20 addr_of_hex(const char *hex) {
    addr20 a;
    cr_assert_eq(hex_decode_fixed(a.b, 20, hex), ERR_OK);
    return a;
}

Test(op_create, addresses) {
    addr20 out, want, sender = addr_of_hex("6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0");
    static const char *const by_nonce[] = {
        "cd234a471b72ba2f1ccf0a70fcaba648a5eecd8d", "343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        "f778b86fa74e846c4f0a1fbd1335fe81c00a0c91", "fffd933a0bc612844eaf0c6fe3e5b8e9b6c1d19c"};
    for (uint64_t n = 0; n < ARRAY_LEN(by_nonce); n++) {
        evm_create_address(&out, &sender, n);
        want = addr_of_hex(by_nonce[n]);
        cr_expect(addr20_eq(&out, &want), "nonce %llu", (unsigned long long)n);
    }
    /* EIP-1014's examples 1 and 6. */
    hash32 salt = {{0}}, init_hash;
    sender = fake_addr(0);
    keccak256(&init_hash, "", 1); /* one zero byte */
    evm_create2_address(&out, &sender, &salt, &init_hash);
    want = addr_of_hex("4d1a2e2bb4f88f0250f26ffff098b0b30b26bf38");
    cr_expect(addr20_eq(&out, &want));
    sender = addr_of_hex("00000000000000000000000000000000deadbeef");
    salt.b[28] = 0xca, salt.b[29] = 0xfe, salt.b[30] = 0xba, salt.b[31] = 0xbe;
    static const uint8_t code[] = {0xde, 0xad, 0xbe, 0xef};
    keccak256(&init_hash, code, sizeof code);
    evm_create2_address(&out, &sender, &salt, &init_hash);
    want = addr_of_hex("60f3f640a8508fc6a86d45df051962668e1e8ac7");
    cr_expect(addr20_eq(&out, &want));
}

/* RLP of the nonce has one, two or up to nine bytes: compared with the general encoding. */
Test(op_create, address_nonce_lengths) {
    static const uint64_t nonces[] = {0x7f, 0x80, 0xff, 0x100, 0xffffff, UINT64_MAX};
    addr20 sender = fake_addr(0x1234);
    for (size_t i = 0; i < ARRAY_LEN(nonces); i++) {
        uint8_t rlp[64] = {0, 0x94};
        memcpy(rlp + 2, sender.b, 20);
        u256 v = u256_from_u64(nonces[i]);
        size_t len = u256_to_be_min(rlp + 23, &v), total;
        if (nonces[i] < 0x80) {
            rlp[22] = (uint8_t)nonces[i];
            total = 23;
        } else {
            rlp[22] = (uint8_t)(0x80 + len);
            total = 23 + len;
        }
        rlp[0] = (uint8_t)(0xc0 + total - 1);
        hash32 h;
        keccak256(&h, rlp, total);
        addr20 out;
        evm_create_address(&out, &sender, nonces[i]);
        cr_expect_eq(memcmp(out.b, h.b + 12, 20), 0, "nonce %zu", i);
    }
}

Test(op_create, top_level_deposits_code) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        /* Returns three zero bytes as code: PUSH1 3, PUSH0, RETURN and the deposit. */
        int64_t cost = 3 + 2 + 3 + 3 * 200;
        struct evm_result r = trial_create(&t, "PUSH1 03 PUSH0 RETURN", cost);
        cr_expect_eq(r.status, EVM_SUCCESS);
        cr_expect_eq(r.gas_left, 0);
        cr_expect_eq(fake_account(t.world, &r.created)->code.len, 3);
        cr_expect_eq(fake_account(t.world, &r.created)->nonce, 1);
        r = trial_create(&t, "PUSH1 03 PUSH0 RETURN", cost - 1);
        cr_expect_eq(r.status, EVM_CODE_DEPOSIT_GAS);
        r = trial_create(&t, "PUSH1 ef PUSH0 MSTORE8 PUSH1 01 PUSH0 RETURN", 100000);
        cr_expect_eq(r.status, EVM_INVALID_CODE_PREFIX);
        r = trial_create(&t, "PUSH2 6000 PUSH0 RETURN", 10000000);
        cr_expect_eq(r.status, EVM_SUCCESS);
        r = trial_create(&t, "PUSH2 6001 PUSH0 RETURN", 10000000);
        cr_expect_eq(r.status, EVM_CODE_TOO_LARGE);
        cr_expect_eq(r.gas_left, 0);
        t.cfg.no_code_size_limit = true;
        r = trial_create(&t, "PUSH2 6001 PUSH0 RETURN", 10000000);
        cr_expect_eq(r.status, EVM_SUCCESS);
        t.cfg.no_code_size_limit = false;
        r = trial_create(&t, "PUSH1 20 PUSH0 REVERT", 1000);
        cr_expect_eq(r.status, EVM_REVERT);
        cr_expect_eq(r.output.len, 32);
        r = trial_create(&t, "", 0);
        cr_expect_eq(r.status, EVM_SUCCESS);
    }
    trial_close(&t);
}

/* Init code jumps, over data that looks like a JUMPDEST and to one that is. */
Test(op_create, init_code_jumps) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        struct evm_result r =
            trial_create(&t, "PUSH1 05 JUMP PUSH1 JUMPDEST JUMPDEST PUSH1 02 PUSH0 RETURN", 10000);
        cr_expect_eq(r.status, EVM_SUCCESS);
        r = trial_create(&t, "PUSH1 04 JUMP PUSH1 JUMPDEST JUMPDEST PUSH1 02 PUSH0 RETURN", 10000);
        cr_expect_eq(r.status, EVM_BAD_JUMP);
    }
    trial_close(&t);
}

static const char STORE_AND_RETURN[] =
    " PUSH0 MSTORE RETURNDATASIZE PUSH1 20 MSTORE PUSH1 40 PUSH0 RETURN";

static struct evm_result run_create(struct trial *t, const char *code) {
    char text[1024];
    (void)snprintf(text, sizeof text, "%s%s", code, STORE_AND_RETURN);
    return trial_run(t, text);
}

Test(op_create, opcode_outcomes) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        struct fake_account *self = fake_account(t.world, &t.contract);
        uint64_t first = 5 + 10 * (uint64_t)t.cfg.tier; /* addresses that are free */
        self->nonce = first;
        /* Success: the address, no return data, and the nonce is raised. */
        struct evm_result r = run_create(&t, "PUSH0 PUSH0 PUSH0 CREATE");
        addr20 want;
        evm_create_address(&want, &t.contract, first);
        u256 top = output_word(&r, 0);
        addr20 got = u256_to_addr(&top);
        cr_expect(addr20_eq(&got, &want));
        cr_expect_eq(output_word(&r, 1).w[0], 0);
        cr_expect_eq(self->nonce, first + 1);
        /* The same again collides: nonce raised, gas gone. */
        self->nonce = first;
        r = run_create(&t, "PUSH0 PUSH0 PUSH0 CREATE");
        cr_expect_eq(output_word(&r, 0).w[0], 0);
        cr_expect_eq(self->nonce, first + 1);
        cr_expect_lt(r.gas_left, 10000000 / 64);
        /* Too little balance: nothing happens, gas stays. */
        r = run_create(&t, "PUSH0 PUSH0 PUSH1 01 CREATE");
        cr_expect_eq(output_word(&r, 0).w[0], 0);
        cr_expect_eq(self->nonce, first + 1);
        cr_expect_gt(r.gas_left, 10000000 - 33000);
        /* Nonce at its end. */
        self->nonce = UINT64_MAX;
        r = run_create(&t, "PUSH0 PUSH0 PUSH0 CREATE");
        cr_expect_eq(output_word(&r, 0).w[0], 0);
        cr_expect_gt(r.gas_left, 10000000 - 33000);
        self->nonce = 100 + (uint64_t)t.cfg.tier;
        /* A revert's data comes back: init code PUSH1 7, PUSH0, REVERT in front of zeros. */
        r = run_create(&t,
                       "PUSH5 60075ffd00 PUSH1 d8 SHL PUSH0 MSTORE PUSH1 05 PUSH0 PUSH0 CREATE");
        cr_expect_eq(output_word(&r, 0).w[0], 0);
        cr_expect_eq(output_word(&r, 1).w[0], 7);
    }
    trial_close(&t);
}

Test(op_create, prices) {
    struct trial t;
    trial_open(&t);
    BOTH_TIERS(&t) {
        fake_account(t.world, &t.contract)->nonce = 10 + (uint64_t)t.cfg.tier;
        /* Two words of STOP as init code. */
        trial_code(&t, "PUSH1 21 PUSH0 PUSH0 CREATE");
        struct evm_result r = trial_call(&t, "", 1000000);
        cr_expect_eq(1000000 - r.gas_left, 7 + 32000 + 2 * 2 + 2 * 3);
        trial_code(&t, t.cfg.tier == 0 ? "PUSH0 PUSH1 21 PUSH0 PUSH0 CREATE2"
                                       : "PUSH1 01 PUSH1 21 PUSH0 PUSH0 CREATE2");
        r = trial_call(&t, "", 1000000);
        cr_expect_eq(1000000 - r.gas_left, 9 + (int64_t)t.cfg.tier + 32000 + 2 * 8 + 2 * 3);
        trial_code(&t, "PUSH2 c000 PUSH0 PUSH0 CREATE");
        cr_expect_eq(trial_call(&t, "", 1000000).status, EVM_SUCCESS);
        trial_code(&t, "PUSH2 c001 PUSH0 PUSH0 CREATE");
        cr_expect_eq(trial_call(&t, "", 1000000).status, EVM_INITCODE_TOO_LARGE);
    }
    trial_close(&t);
}

Test(op_create, nested_creations_have_their_own_maps) {
    struct trial t;
    trial_open(&t);
    /* Init code copies itself, creates a copy while memory is large, and both jump. Depth by
     * CALLVALUE is not needed: gas runs out at some depth, and no frame may see another's
     * JUMPDESTs. */
    BOTH_TIERS(&t) {
        struct evm_result r = trial_create(
            &t,
            "CODESIZE PUSH0 PUSH0 CODECOPY PUSH0 PUSH2 0400 MSTORE PUSH1 0c JUMP JUMPDEST CODESIZE "
            "PUSH0 PUSH0 CREATE PUSH1 15 JUMP 5b JUMPDEST POP STOP",
            3000000);
        cr_expect_eq(r.status, EVM_SUCCESS, "%s", evm_status_text(r.status));
    }
    trial_close(&t);
}

Test(op_create, selfdestruct_prices_and_moves) {
    struct trial t;
    trial_open(&t);
    struct fake_account *self = fake_account(t.world, &t.contract);
    addr20 heir = fake_addr(0x4e14), other = fake_addr(0x4e15);
    BOTH_TIERS(&t) {
        fake_account(t.world, &heir)->balance = U256_ZERO;
        self->balance = u256_from_u64(9);
        trial_code(&t, "PUSH2 4e14 SELFDESTRUCT");
        struct evm_result r = trial_call(&t, "", 100000);
        cr_expect_eq(r.status, EVM_SUCCESS);
        cr_expect_eq(100000 - r.gas_left, 3 + 5000 + 2600 + 25000);
        cr_expect_eq(fake_account(t.world, &heir)->balance.w[0], 9);
        cr_expect_eq(r.gas_refund, 0);
        /* Nothing to move: no charge for a new account. */
        trial_code(&t, "PUSH2 4e15 SELFDESTRUCT");
        r = trial_call(&t, "", 100000);
        cr_expect_eq(100000 - r.gas_left, 3 + 5000 + 2600);
        /* A warm heir that exists. */
        trial_code(&t, "PUSH2 4e14 BALANCE POP PUSH2 4e14 SELFDESTRUCT");
        r = trial_call(&t, "", 100000);
        cr_expect_eq(100000 - r.gas_left, 3 + 2600 + 2 + 3 + 5000);
    }
    (void)other;
    trial_close(&t);
}
