/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/evm/precompile_tests.h"

#include "base/secp.h"
#include "tests/lib/rng.h"

Test(precompile_hash, digests_of_the_standards) {
    struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_SHA256, "abc", 3);
    cr_expect(answer_is(&r, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    r = run_bytes(EVM_OSAKA, PRECOMPILE_SHA256, NULL, 0);
    cr_expect(answer_is(&r, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    r = run_bytes(EVM_OSAKA, PRECOMPILE_RIPEMD160, "abc", 3);
    cr_expect(answer_is(&r, "0000000000000000000000008eb208f7e05d987a9b044a8e98c6b087f15a0bfc"));
    r = run_bytes(EVM_OSAKA, PRECOMPILE_RIPEMD160, NULL, 0);
    cr_expect(answer_is(&r, "0000000000000000000000009c1185a5c5e9fc54612808977ee8f548b2258d31"));
}

Test(precompile_hash, identity) {
    uint8_t in[1000];
    struct rng rng = {rng_seed(1)};
    rng_fill(&rng, in, sizeof in);
    for (size_t len = 0; len <= sizeof in; len += 125) {
        struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_IDENTITY, in, len);
        cr_expect(r.status == EVM_SUCCESS && r.len == len && memcmp(r.out, in, len) == 0);
    }
    struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_IDENTITY, NULL, 0);
    cr_expect(r.status == EVM_SUCCESS && r.len == 0);
}

/* Signs, recovers, and spoils each field in turn. */
Test(precompile_hash, ecrecover) {
    struct rng rng = {rng_seed(1)};
    for (int i = 0; i < 20; i++) {
        uint8_t key[32], in[128] = {0}, want[32] = {0};
        hash32 digest;
        addr20 signer;
        struct secp_sig sig;
        rng_fill(&rng, key, sizeof key);
        key[0] = 1;
        rng_fill(&rng, digest.b, sizeof digest.b);
        cr_assert(secp_sign(&sig, &digest, key) == ERR_OK);
        cr_assert(secp_address_of_key(&signer, key) == ERR_OK);
        memcpy(in, digest.b, 32);
        in[63] = (uint8_t)(27 + sig.recid);
        u256_to_be32(in + 64, &sig.r);
        u256_to_be32(in + 96, &sig.s);
        memcpy(want + 12, signer.b, 20);

        struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_ECRECOVER, in, sizeof in);
        cr_assert(r.len == 32 && memcmp(r.out, want, 32) == 0);
        in[0] ^= 1;
        r = run_bytes(EVM_OSAKA, PRECOMPILE_ECRECOVER, in, sizeof in);
        cr_assert(r.status == EVM_SUCCESS && (r.len == 0 || memcmp(r.out, want, 32) != 0));
        in[0] ^= 1;
        for (int byte = 32; byte < 63; byte += 10) {
            in[byte] = 1;
            r = run_bytes(EVM_OSAKA, PRECOMPILE_ECRECOVER, in, sizeof in);
            cr_assert(r.status == EVM_SUCCESS && r.len == 0, "v has more than one byte");
            in[byte] = 0;
        }
        for (int v = 0; v < 256; v++) {
            in[63] = (uint8_t)v;
            r = run_bytes(EVM_OSAKA, PRECOMPILE_ECRECOVER, in, sizeof in);
            cr_assert(r.status == EVM_SUCCESS);
            cr_assert(v == 27 || v == 28 || r.len == 0);
        }
        /* n - s with the other parity is the same signature: EIP-2 does not bind the contract */
        u256 s = u256_sub(&SECP_N, &sig.s);
        u256_to_be32(in + 96, &s);
        in[63] = (uint8_t)(28 - sig.recid);
        r = run_bytes(EVM_OSAKA, PRECOMPILE_ECRECOVER, in, sizeof in);
        cr_assert(r.len == 32 && memcmp(r.out, want, 32) == 0);
    }
}

/* EIP-152's example: BLAKE2b of "abc". */
Test(precompile_hash, blake2f) {
    uint8_t in[213];
    from_hex(in, sizeof in,
             "0000000c"
             "48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"
             "d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b"
             "6162630000000000000000000000000000000000000000000000000000000000"
             "0000000000000000000000000000000000000000000000000000000000000000"
             "0000000000000000000000000000000000000000000000000000000000000000"
             "0000000000000000000000000000000000000000000000000000000000000000"
             "0300000000000000000000000000000001");
    struct answer r = run_bytes(EVM_OSAKA, PRECOMPILE_BLAKE2F, in, sizeof in);
    cr_expect(answer_is(&r, "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
                            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"));
    cr_expect(precompile_gas(EVM_OSAKA, PRECOMPILE_BLAKE2F, bytes_of(in, sizeof in)) == 12);
    memset(in, 0xff, 4);
    cr_expect(precompile_gas(EVM_OSAKA, PRECOMPILE_BLAKE2F, bytes_of(in, sizeof in)) == UINT32_MAX);
    in[212] = 2;
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BLAKE2F, in, sizeof in);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
    in[212] = 0;
    r = run_bytes(EVM_OSAKA, PRECOMPILE_BLAKE2F, in, 212);
    cr_expect(r.status == EVM_PRECOMPILE_FAILURE);
}
