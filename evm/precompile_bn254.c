/* SPDX-License-Identifier: Apache-2.0 */
/* alt_bn128: addition and multiplication on G1 (EIP-196) and the pairing check (EIP-197).
 * Coordinates are big-endian numbers below p; (0, 0) is infinity. */
#include "evm/precompile_internal.h"

#include "evm/bn254.h"

enum {
    G1_LEN = 64,
    G2_LEN = 128, /* x and y, each with its imaginary part first */
    PAIR_LEN = G1_LEN + G2_LEN,
};

static bool decode_g1(struct bn254_g1_affine *r, const uint8_t in[G1_LEN]) {
    memset(r, 0, sizeof *r);
    if (!bn254_fp_from_be(&r->x, in) || !bn254_fp_from_be(&r->y, in + 32))
        return false;
    r->inf = bn254_fp_is_zero(&r->x) && bn254_fp_is_zero(&r->y);
    return bn254_g1_on_curve(r);
}

static bool decode_g2(struct bn254_g2_affine *r, const uint8_t in[G2_LEN]) {
    memset(r, 0, sizeof *r);
    if (!bn254_fp_from_be(&r->x.c1, in) || !bn254_fp_from_be(&r->x.c0, in + 32) ||
        !bn254_fp_from_be(&r->y.c1, in + 64) || !bn254_fp_from_be(&r->y.c0, in + 96))
        return false;
    r->inf = bn254_fp2_is_zero(&r->x) && bn254_fp2_is_zero(&r->y);
    return r->inf || (bn254_g2_on_curve(r) && bn254_g2_in_subgroup(r));
}

static enum evm_status output_g1(struct arena *a, bytes *out, const struct bn254_g1 *p) {
    uint8_t *o = precompile_output(a, out, G1_LEN);
    if (o == NULL)
        return EVM_INTERNAL_ERROR;
    struct bn254_g1_affine r;
    bn254_g1_to_affine(&r, p); /* infinity gives zeros */
    bn254_fp_to_be(o, &r.x);
    bn254_fp_to_be(o + 32, &r.y);
    return EVM_SUCCESS;
}

enum evm_status precompile_bn254_add(struct arena *a, bytes input, bytes *out) {
    uint8_t in[2 * G1_LEN];
    precompile_read(in, input, 0, sizeof in);
    struct bn254_g1_affine p, q;
    if (!decode_g1(&p, in) || !decode_g1(&q, in + G1_LEN))
        return EVM_PRECOMPILE_FAILURE;
    struct bn254_g1 r;
    bn254_g1_from_affine(&r, &p);
    bn254_g1_add_affine(&r, &r, &q);
    return output_g1(a, out, &r);
}

enum evm_status precompile_bn254_mul(struct arena *a, bytes input, bytes *out) {
    uint8_t in[G1_LEN + 32];
    precompile_read(in, input, 0, sizeof in);
    struct bn254_g1_affine p;
    if (!decode_g1(&p, in))
        return EVM_PRECOMPILE_FAILURE;
    u256 k = u256_from_be32(in + G1_LEN);
    struct bn254_g1 r;
    bn254_g1_mul_fast(&r, &p, &k);
    return output_g1(a, out, &r);
}

enum evm_status precompile_bn254_pairing(struct arena *a, bytes input, bytes *out) {
    if (input.len % PAIR_LEN != 0)
        return EVM_PRECOMPILE_FAILURE;
    size_t n = input.len / PAIR_LEN;
    bytes result;
    uint8_t *word = precompile_output(a, &result, 32);
    struct arena_mark mark = arena_mark(a);
    struct bn254_pair *pairs = arena_try_alloc(a, (n + 1) * sizeof *pairs);
    if (word == NULL || pairs == NULL)
        return EVM_INTERNAL_ERROR;

    enum evm_status status = EVM_SUCCESS;
    for (size_t i = 0; i < n && status == EVM_SUCCESS; i++) {
        const uint8_t *in = input.ptr + i * PAIR_LEN;
        if (!decode_g1(&pairs[i].p, in) || !decode_g2(&pairs[i].q, in + G1_LEN))
            status = EVM_PRECOMPILE_FAILURE;
    }
    if (status == EVM_SUCCESS) {
        struct bn254_fp12 r;
        bn254_pairing(&r, pairs, n);
        memset(word, 0, 32);
        word[31] = bn254_fp12_eq(&r, &bn254_fp12_one);
        *out = result;
    }
    arena_reset_to(a, mark);
    return status;
}
