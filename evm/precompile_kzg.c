/* SPDX-License-Identifier: Apache-2.0 */
/* Point evaluation (EIP-4844): that the polynomial behind a commitment has the value y at z. */
#include "evm/precompile_internal.h"

#include "base/sha.h"
#include "evm/bls12.h"

enum {
    INPUT_LEN = 192, /* versioned hash 32, z 32, y 32, commitment 48, proof 48 */
    OUTPUT_LEN = 64,
    FIELD_ELEMENTS_PER_BLOB = 4096,
    VERSIONED_HASH_VERSION = 0x01,
};

/* [tau]_2, the second of the 65 G2 powers that the KZG ceremony published. It is all of the trusted
 * setup that a verifier needs. */
static const struct bls12_g2_affine TAU_G2 = {
    .x = {{{0x6120a2099b0379f9, 0xa2df815cb8210e4e, 0xcb57be5577bd3d4f, 0x62da0ea89a0c93f8,
            0x02e0ee16968e150d, 0x171f09aea833acd5}},
          {{0x11a3670749dfd455, 0x04991d7b3abffadc, 0x85446a8e14437f41, 0x27174e7b4e76e3f2,
            0x7bfa6dd397f60a20, 0x02fcc329ac07080f}}},
    .y = {{{0xaa130838793b2317, 0xe236dd220f891637, 0x6502782925760980, 0xd05c25f60557ec89,
            0x6095767a44064474, 0x185693917080d405}},
          {{0x549f9e175b03dc0a, 0x32c0c95a77106cfe, 0x64a74eae5705d080, 0x53deeaf56659ed9e,
            0x09a1d368508afb93, 0x12cf3a4525b5e9bd}}},
};

static bool decode_point(struct bls12_g1_affine *r, const uint8_t in[48]) {
    return bls12_g1_decompress(r, in) && bls12_g1_in_subgroup(r);
}

/* e(C - y G1, G2) = e(proof, [tau]_2 - z G2), with everything that z multiplies moved to the left:
 * e(C - y G1 + z proof, -G2) e(proof, [tau]_2) = 1. False when memory is short. */
static bool verify(bool *holds, struct arena *a, const struct bls12_g1_affine *commitment,
                   const struct bls12_g1_affine *proof, const u256 *z, const u256 *y) {
    struct bls12_g1_affine points[2] = {BLS12_G1_GENERATOR, *proof};
    bls12_fp_neg(&points[0].y, &points[0].y);
    u256 scalars[2] = {*y, *z};
    struct bls12_g1 left;
    if (!bls12_g1_msm_subgroup(&left, a, points, scalars, 2))
        return false;
    bls12_g1_add_affine(&left, &left, commitment);

    struct bls12_pair pairs[2] = {{.q = BLS12_G2_GENERATOR}, {.p = *proof, .q = TAU_G2}};
    bls12_g1_to_affine(&pairs[0].p, &left);
    bls12_fp2_neg(&pairs[0].q.y, &pairs[0].q.y);
    struct bls12_fp12 r;
    bls12_pairing(&r, pairs, 2);
    *holds = bls12_fp12_eq(&r, &bls12_fp12_one);
    return true;
}

enum evm_status precompile_kzg(struct arena *a, bytes input, bytes *out) {
    if (input.len != INPUT_LEN)
        return EVM_PRECOMPILE_FAILURE;
    const uint8_t *in = input.ptr;
    uint8_t hash[32];
    sha256(hash, in + 96, 48);
    hash[0] = VERSIONED_HASH_VERSION;
    if (memcmp(hash, in, 32) != 0)
        return EVM_PRECOMPILE_FAILURE;

    u256 z = u256_from_be32(in + 32), y = u256_from_be32(in + 64);
    struct bls12_g1_affine commitment, proof;
    if (!u256_lt(&z, &BLS12_ORDER) || !u256_lt(&y, &BLS12_ORDER) ||
        !decode_point(&commitment, in + 96) || !decode_point(&proof, in + 144))
        return EVM_PRECOMPILE_FAILURE;
    bool holds;
    if (!verify(&holds, a, &commitment, &proof, &z, &y))
        return EVM_INTERNAL_ERROR;
    if (!holds)
        return EVM_PRECOMPILE_FAILURE;

    uint8_t *o = precompile_output(a, out, OUTPUT_LEN);
    if (o == NULL)
        return EVM_INTERNAL_ERROR;
    memset(o, 0, 32);
    be32_store(o + 28, FIELD_ELEMENTS_PER_BLOB);
    u256_to_be32(o + 32, &BLS12_ORDER);
    return EVM_SUCCESS;
}
