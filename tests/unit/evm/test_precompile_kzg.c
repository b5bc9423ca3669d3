/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/evm/precompile_tests.h"

#include "base/sha.h"
#include "evm/bls12.h"

static const char OUTPUT[] = "0000000000000000000000000000000000000000000000000000000000001000"
                             "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
/* The generator of G1, compressed. */
static const char GENERATOR[] =
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97"
    "a1aeffb3af00adb22c6bb";

/* The constant polynomial 1: commitment G1, value 1 everywhere, proof infinity. */
static void constant(uint8_t in[192], uint8_t z) {
    memset(in, 0, 192);
    from_hex(in + 96, 48, GENERATOR);
    sha256(in, in + 96, 48);
    in[0] = 1;
    in[63] = z;
    in[95] = 1;
    in[144] = 0xc0;
}

Test(precompile_kzg, constant_polynomial) {
    uint8_t in[193] = {0};
    for (uint8_t z = 0; z < 5; z++) {
        constant(in, z);
        struct answer r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
        cr_expect(answer_is(&r, OUTPUT));
    }
    in[95] = 2;
    struct answer r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "another value");
    constant(in, 1);
    r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 191);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 193);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    in[0] = 0;
    r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "version byte");
    constant(in, 1);
    in[31] ^= 1;
    r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "hash");
}

Test(precompile_kzg, numbers_below_the_order) {
    uint8_t in[192];
    u256 minus_one = u256_sub(&BLS12_ORDER, &U256_ONE);
    constant(in, 0);
    u256_to_be32(in + 32, &minus_one);
    struct answer r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(answer_is(&r, OUTPUT));
    u256_to_be32(in + 32, &BLS12_ORDER);
    r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "z = r");
    constant(in, 0);
    u256 y = u256_add(&BLS12_ORDER, &U256_ONE);
    u256_to_be32(in + 64, &y);
    r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "y = r + 1");
}

/* (0, 2) has order 3. */
Test(precompile_kzg, points_of_the_subgroup) {
    uint8_t in[192];
    constant(in, 0);
    memset(in + 144, 0, 48);
    in[144] = 0x80;
    struct answer r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "proof");
    constant(in, 0);
    memset(in + 96, 0, 48);
    in[96] = 0x80;
    sha256(in, in + 96, 48);
    in[0] = 1;
    r = run_bytes(EVM_CANCUN, PRECOMPILE_KZG, in, 192);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "commitment");
}
