/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/precompile.h"

#include <criterion/criterion.h>

static addr20 address(uint64_t low, uint8_t first) {
    addr20 a = {{0}};
    be64_store(a.b + 12, low);
    a.b[0] = first;
    return a;
}

static int find(enum evm_revision rev, uint64_t low) {
    addr20 a = address(low, 0);
    return precompile_find(rev, &a);
}

Test(precompile, addresses_by_revision) {
    static const int last[EVM_REVISION_COUNT] = {0x09, 0x0a, 0x11, 0x11};
    for (int rev = 0; rev < EVM_REVISION_COUNT; rev++) {
        for (uint64_t low = 0; low < 0x300; low++) {
            bool want =
                (low >= 1 && low <= (uint64_t)last[rev]) || (low == 0x100 && rev >= EVM_OSAKA);
            cr_assert((find((enum evm_revision)rev, low) >= 0) == want, "revision %d, 0x%x", rev,
                      (unsigned)low);
        }
    }
    cr_expect(find(EVM_OSAKA, 0x100) == PRECOMPILE_P256VERIFY);
    cr_expect(find(EVM_OSAKA, 1) == PRECOMPILE_ECRECOVER);
    cr_expect(find(EVM_OSAKA, 0x11) == PRECOMPILE_BLS12_MAP_FP2_TO_G2);
    cr_expect(find(EVM_OSAKA, 0x101) == -1);
    cr_expect(find(EVM_OSAKA, (uint64_t)1 << 32 | 1) == -1, "all 20 bytes count");
    cr_expect(find(EVM_OSAKA, (uint64_t)1 << 63 | 1) == -1);
    addr20 high = address(1, 0x80);
    cr_expect(precompile_find(EVM_OSAKA, &high) == -1);
}

Test(precompile, table_agrees_with_itself) {
    for (int id = 0; id < PRECOMPILE_COUNT; id++) {
        addr20 a = precompile_addr((enum precompile_id)id);
        cr_expect(precompile_find(EVM_OSAKA, &a) == id);
        cr_expect(precompile_name((enum precompile_id)id)[0] != 0);
        for (int rev = 0; rev < EVM_REVISION_COUNT; rev++)
            cr_expect(precompile_active((enum evm_revision)rev, (enum precompile_id)id) ==
                      (precompile_find((enum evm_revision)rev, &a) == id));
    }
}

static uint64_t gas(enum precompile_id id, size_t len) {
    static const uint8_t zeros[4096];
    return precompile_gas(EVM_OSAKA, id, bytes_of(zeros, len));
}

Test(precompile, prices) {
    cr_expect(gas(PRECOMPILE_ECRECOVER, 0) == 3000);
    cr_expect(gas(PRECOMPILE_SHA256, 0) == 60);
    cr_expect(gas(PRECOMPILE_SHA256, 1) == 72);
    cr_expect(gas(PRECOMPILE_SHA256, 32) == 72);
    cr_expect(gas(PRECOMPILE_SHA256, 33) == 84);
    cr_expect(gas(PRECOMPILE_RIPEMD160, 64) == 840);
    cr_expect(gas(PRECOMPILE_IDENTITY, 65) == 24);
    cr_expect(gas(PRECOMPILE_BN254_ADD, 0) == 150);
    cr_expect(gas(PRECOMPILE_BN254_MUL, 0) == 6000);
    cr_expect(gas(PRECOMPILE_BN254_PAIRING, 0) == 45000);
    cr_expect(gas(PRECOMPILE_BN254_PAIRING, 384) == 113000);
    cr_expect(gas(PRECOMPILE_KZG, 192) == 50000);
    cr_expect(gas(PRECOMPILE_BLS12_PAIRING, 768) == 102900);
    cr_expect(gas(PRECOMPILE_BLS12_G1MSM, 160) == 12000);
    cr_expect(gas(PRECOMPILE_BLS12_G1MSM, 320) == 22776);
    cr_expect(gas(PRECOMPILE_BLS12_G2MSM, 864) == 62302);
    cr_expect(gas(PRECOMPILE_P256VERIFY, 160) == 6900);
}

/* From 128 terms on the discount stays. */
Test(precompile, price_of_long_sums) {
    static uint8_t zeros[300 * 288];
    for (size_t k = 128; k < 300; k += 43) {
        bytes g1 = bytes_of(zeros, k * 160), g2 = bytes_of(zeros, k * 288);
        cr_expect(precompile_gas(EVM_PRAGUE, PRECOMPILE_BLS12_G1MSM, g1) == k * 12000 * 519 / 1000);
        cr_expect(precompile_gas(EVM_PRAGUE, PRECOMPILE_BLS12_G2MSM, g2) == k * 22500 * 524 / 1000);
    }
}

/* Short of memory every contract says so; none crashes or invents an output. */
Test(precompile, memory_is_short) {
    static const uint8_t zeros[384];
    static const size_t lens[PRECOMPILE_COUNT] = {
        [PRECOMPILE_SHA256] = 3,
        [PRECOMPILE_RIPEMD160] = 3,
        [PRECOMPILE_IDENTITY] = 300,
        [PRECOMPILE_BN254_ADD] = 128,
        [PRECOMPILE_BN254_MUL] = 96,
        [PRECOMPILE_BN254_PAIRING] = 192,
        [PRECOMPILE_BLAKE2F] = 213,
        [PRECOMPILE_BLS12_G1ADD] = 256,
        [PRECOMPILE_BLS12_G1MSM] = 160,
        [PRECOMPILE_BLS12_G2MSM] = 288,
        [PRECOMPILE_BLS12_PAIRING] = 384,
        [PRECOMPILE_BLS12_MAP_FP_TO_G1] = 64,
        [PRECOMPILE_BLS12_MAP_FP2_TO_G2] = 128,
    };
    for (int id = 0; id < PRECOMPILE_COUNT; id++) {
        if (lens[id] == 0)
            continue;
        struct arena a;
        bytes out = {0};
        arena_init(&a, 16, 16);
        enum evm_status st =
            precompile_run(EVM_OSAKA, (enum precompile_id)id, &a, bytes_of(zeros, lens[id]), &out);
        cr_expect(st == EVM_INTERNAL_ERROR, "%s", precompile_name((enum precompile_id)id));
        arena_clear(&a);
    }
}
