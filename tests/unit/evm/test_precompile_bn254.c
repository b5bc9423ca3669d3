/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/evm/precompile_tests.h"

static const char PRIME[] = "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47";
static const char ORDER[] = "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";
static const char G2[] = "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
                         "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
                         "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
                         "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";

static void generator(uint8_t out[64]) {
    memset(out, 0, 64);
    out[31] = 1;
    out[63] = 2;
}

/* y = p - 2 */
static void minus_generator(uint8_t out[64]) {
    generator(out);
    from_hex(out + 32, 32, PRIME);
    out[63] = (uint8_t)(out[63] - 2);
}

Test(precompile_bn254, addition) {
    uint8_t in[128], two[64];
    generator(in);
    generator(in + 64);
    struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_ADD, in, 128);
    cr_expect(answer_is(&r, "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"
                            "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4"));
    memcpy(two, r.out, 64);
    minus_generator(in + 64);
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_ADD, in, 128);
    cr_expect(r.len == 64);
    for (size_t i = 0; i < 64; i++)
        cr_expect(r.out[i] == 0, "P + (-P) is infinity");
    memcpy(in, two, 64);
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_ADD, in, 128);
    generator(in);
    cr_expect(r.len == 64 && memcmp(r.out, in, 64) == 0, "2 P - P = P");
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_ADD, in, 64);
    cr_expect(r.len == 64 && memcmp(r.out, in, 64) == 0, "a missing point is infinity");
    in[63] = 3;
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_ADD, in, 64);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    from_hex(in, 32, PRIME);
    memset(in + 32, 0, 32);
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_ADD, in, 64);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "(p, 0) is no infinity");
}

Test(precompile_bn254, multiplication) {
    uint8_t in[96], want[64];
    generator(in);
    from_hex(in + 64, 32, ORDER);
    struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_MUL, in, 96);
    memset(want, 0, 64);
    cr_expect(r.len == 64 && memcmp(r.out, want, 64) == 0);
    in[95] = 0; /* n - 1 */
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_MUL, in, 96);
    minus_generator(want);
    cr_expect(r.len == 64 && memcmp(r.out, want, 64) == 0);
}

Test(precompile_bn254, pairing) {
    uint8_t in[384];
    generator(in);
    from_hex(in + 64, 128, G2);
    minus_generator(in + 192);
    from_hex(in + 256, 128, G2);
    struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_PAIRING, in, 384);
    cr_expect(answer_is_word(&r, 1));
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_PAIRING, in, 192);
    cr_expect(answer_is_word(&r, 0));
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_PAIRING, in, 0);
    cr_expect(answer_is_word(&r, 1));
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_PAIRING, in, 383);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    in[383] ^= 1;
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BN254_PAIRING, in, 384);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE, "off the curve");
}
