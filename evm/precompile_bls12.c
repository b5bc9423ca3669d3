/* SPDX-License-Identifier: Apache-2.0 */
/* The seven BLS12-381 contracts of EIP-2537. A field element is 64 bytes big-endian below p, so 16
 * zero bytes first; an element of Fp2 is its real part and its imaginary part; a point is x and y;
 * all zeros is infinity. The additions take any points of the curves, the sums and the pairing
 * those of the subgroups only. */
#include "evm/precompile_internal.h"

#include "evm/bls12_map.h"

enum {
    FP_LEN = 64,
    FP_PAD = 16,
    G1_LEN = 2 * FP_LEN,
    G2_LEN = 4 * FP_LEN,
    SCALAR_LEN = 32,
    G1_TERM_LEN = G1_LEN + SCALAR_LEN,
    G2_TERM_LEN = G2_LEN + SCALAR_LEN,
    PAIR_LEN = G1_LEN + G2_LEN,
    DISCOUNTS = 128, /* from so many terms on the discount is the same */
};

static bool decode_fp(struct bls12_fp *r, const uint8_t in[FP_LEN]) {
    uint8_t high = 0;
    for (int i = 0; i < FP_PAD; i++)
        high |= in[i];
    return high == 0 && bls12_fp_from_be(r, in + FP_PAD);
}

static bool decode_fp2(struct bls12_fp2 *r, const uint8_t in[2 * FP_LEN]) {
    return decode_fp(&r->c0, in) && decode_fp(&r->c1, in + FP_LEN);
}

static bool decode_g1(struct bls12_g1_affine *r, const uint8_t in[G1_LEN]) {
    memset(r, 0, sizeof *r);
    if (!decode_fp(&r->x, in) || !decode_fp(&r->y, in + FP_LEN))
        return false;
    r->inf = bls12_fp_is_zero(&r->x) && bls12_fp_is_zero(&r->y);
    return bls12_g1_on_curve(r);
}

static bool decode_g2(struct bls12_g2_affine *r, const uint8_t in[G2_LEN]) {
    memset(r, 0, sizeof *r);
    if (!decode_fp2(&r->x, in) || !decode_fp2(&r->y, in + 2 * FP_LEN))
        return false;
    r->inf = bls12_fp2_is_zero(&r->x) && bls12_fp2_is_zero(&r->y);
    return bls12_g2_on_curve(r);
}

static void encode_fp(uint8_t out[FP_LEN], const struct bls12_fp *a) {
    memset(out, 0, FP_PAD);
    bls12_fp_to_be(out + FP_PAD, a);
}

static enum evm_status output_g1(struct arena *a, bytes *out, const struct bls12_g1_affine *p) {
    uint8_t *o = precompile_output(a, out, G1_LEN);
    if (o == NULL)
        return EVM_INTERNAL_ERROR;
    memset(o, 0, G1_LEN);
    if (!p->inf) {
        encode_fp(o, &p->x);
        encode_fp(o + FP_LEN, &p->y);
    }
    return EVM_SUCCESS;
}

static enum evm_status output_g2(struct arena *a, bytes *out, const struct bls12_g2_affine *p) {
    uint8_t *o = precompile_output(a, out, G2_LEN);
    if (o == NULL)
        return EVM_INTERNAL_ERROR;
    memset(o, 0, G2_LEN);
    if (!p->inf) {
        encode_fp(o, &p->x.c0);
        encode_fp(o + FP_LEN, &p->x.c1);
        encode_fp(o + 2 * FP_LEN, &p->y.c0);
        encode_fp(o + 3 * FP_LEN, &p->y.c1);
    }
    return EVM_SUCCESS;
}

enum evm_status precompile_bls12_g1add(struct arena *a, bytes input, bytes *out) {
    struct bls12_g1_affine p, q;
    if (input.len != 2 * G1_LEN || !decode_g1(&p, input.ptr) || !decode_g1(&q, input.ptr + G1_LEN))
        return EVM_PRECOMPILE_FAILURE;
    struct bls12_g1 r;
    bls12_g1_from_affine(&r, &p);
    bls12_g1_add_affine(&r, &r, &q);
    bls12_g1_to_affine(&p, &r);
    return output_g1(a, out, &p);
}

enum evm_status precompile_bls12_g2add(struct arena *a, bytes input, bytes *out) {
    struct bls12_g2_affine p, q;
    if (input.len != 2 * G2_LEN || !decode_g2(&p, input.ptr) || !decode_g2(&q, input.ptr + G2_LEN))
        return EVM_PRECOMPILE_FAILURE;
    struct bls12_g2 r;
    bls12_g2_from_affine(&r, &p);
    bls12_g2_add_affine(&r, &r, &q);
    bls12_g2_to_affine(&p, &r);
    return output_g2(a, out, &p);
}

/* Discounts in thousandths for 1, 2, .. DISCOUNTS terms. */
static const uint16_t G1_DISCOUNT[DISCOUNTS] = {
    1000, 949, 848, 797, 764, 750, 738, 728, 719, 712, 705, 698, 692, 687, 682, 677, 673, 669, 665,
    661,  658, 654, 651, 648, 645, 642, 640, 637, 635, 632, 630, 627, 625, 623, 621, 619, 617, 615,
    613,  611, 609, 608, 606, 604, 603, 601, 599, 598, 596, 595, 593, 592, 591, 589, 588, 586, 585,
    584,  582, 581, 580, 579, 577, 576, 575, 574, 573, 572, 570, 569, 568, 567, 566, 565, 564, 563,
    562,  561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 551, 550, 549, 548, 547, 547, 546, 545,
    544,  543, 542, 541, 540, 540, 539, 538, 537, 536, 536, 535, 534, 533, 532, 532, 531, 530, 529,
    528,  528, 527, 526, 525, 525, 524, 523, 522, 522, 521, 520, 520, 519,
};
static const uint16_t G2_DISCOUNT[DISCOUNTS] = {
    1000, 1000, 923, 884, 855, 832, 812, 796, 782, 770, 759, 749, 740, 732, 724, 717, 711, 704, 699,
    693,  688,  683, 679, 674, 670, 666, 663, 659, 655, 652, 649, 646, 643, 640, 637, 634, 632, 629,
    627,  624,  622, 620, 618, 615, 613, 611, 609, 607, 606, 604, 602, 600, 598, 597, 595, 593, 592,
    590,  589,  587, 586, 584, 583, 582, 580, 579, 578, 576, 575, 574, 573, 571, 570, 569, 568, 567,
    566,  565,  563, 562, 561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 552, 551, 550, 549, 548,
    547,  546,  545, 545, 544, 543, 542, 541, 541, 540, 539, 538, 537, 537, 536, 535, 535, 534, 533,
    532,  532,  531, 530, 530, 529, 528, 528, 527, 526, 526, 525, 524, 524,
};

/* terms * mul_gas * discount / 1000. Inputs are below 2^48 bytes, so that nothing overflows. */
static uint64_t msm_gas(size_t terms, uint64_t mul_gas, const uint16_t discount[DISCOUNTS]) {
    if (terms == 0)
        return 0;
    return terms * mul_gas * discount[(terms < DISCOUNTS ? terms : DISCOUNTS) - 1] / 1000;
}

uint64_t precompile_bls12_g1msm_gas(bytes input) {
    return msm_gas(input.len / G1_TERM_LEN, 12000, G1_DISCOUNT);
}

uint64_t precompile_bls12_g2msm_gas(bytes input) {
    return msm_gas(input.len / G2_TERM_LEN, 22500, G2_DISCOUNT);
}

enum evm_status precompile_bls12_g1msm(struct arena *a, bytes input, bytes *out) {
    size_t n = input.len / G1_TERM_LEN;
    if (n == 0 || input.len % G1_TERM_LEN != 0)
        return EVM_PRECOMPILE_FAILURE;
    struct arena_mark mark = arena_mark(a);
    struct bls12_g1_affine *points = arena_try_alloc(a, n * sizeof *points);
    u256 *scalars = arena_try_alloc(a, n * sizeof *scalars);
    enum evm_status status = points == NULL || scalars == NULL ? EVM_INTERNAL_ERROR : EVM_SUCCESS;
    for (size_t i = 0; i < n && status == EVM_SUCCESS; i++) {
        const uint8_t *in = input.ptr + i * G1_TERM_LEN;
        if (!decode_g1(&points[i], in) || !bls12_g1_in_subgroup(&points[i]))
            status = EVM_PRECOMPILE_FAILURE;
        scalars[i] = u256_from_be32(in + G1_LEN);
    }
    struct bls12_g1 sum;
    if (status == EVM_SUCCESS && !bls12_g1_msm_subgroup(&sum, a, points, scalars, n))
        status = EVM_INTERNAL_ERROR;
    arena_reset_to(a, mark);
    if (status != EVM_SUCCESS)
        return status;
    struct bls12_g1_affine r;
    bls12_g1_to_affine(&r, &sum);
    return output_g1(a, out, &r);
}

enum evm_status precompile_bls12_g2msm(struct arena *a, bytes input, bytes *out) {
    size_t n = input.len / G2_TERM_LEN;
    if (n == 0 || input.len % G2_TERM_LEN != 0)
        return EVM_PRECOMPILE_FAILURE;
    struct arena_mark mark = arena_mark(a);
    struct bls12_g2_affine *points = arena_try_alloc(a, n * sizeof *points);
    u256 *scalars = arena_try_alloc(a, n * sizeof *scalars);
    enum evm_status status = points == NULL || scalars == NULL ? EVM_INTERNAL_ERROR : EVM_SUCCESS;
    for (size_t i = 0; i < n && status == EVM_SUCCESS; i++) {
        const uint8_t *in = input.ptr + i * G2_TERM_LEN;
        if (!decode_g2(&points[i], in) || !bls12_g2_in_subgroup(&points[i]))
            status = EVM_PRECOMPILE_FAILURE;
        scalars[i] = u256_from_be32(in + G2_LEN);
    }
    struct bls12_g2 sum;
    if (status == EVM_SUCCESS && !bls12_g2_msm_subgroup(&sum, a, points, scalars, n))
        status = EVM_INTERNAL_ERROR;
    arena_reset_to(a, mark);
    if (status != EVM_SUCCESS)
        return status;
    struct bls12_g2_affine r;
    bls12_g2_to_affine(&r, &sum);
    return output_g2(a, out, &r);
}

enum evm_status precompile_bls12_pairing(struct arena *a, bytes input, bytes *out) {
    size_t n = input.len / PAIR_LEN;
    if (n == 0 || input.len % PAIR_LEN != 0)
        return EVM_PRECOMPILE_FAILURE;
    struct arena_mark mark = arena_mark(a);
    struct bls12_pair *pairs = arena_try_alloc(a, n * sizeof *pairs);
    enum evm_status status = pairs == NULL ? EVM_INTERNAL_ERROR : EVM_SUCCESS;
    for (size_t i = 0; i < n && status == EVM_SUCCESS; i++) {
        const uint8_t *in = input.ptr + i * PAIR_LEN;
        if (!decode_g1(&pairs[i].p, in) || !bls12_g1_in_subgroup(&pairs[i].p) ||
            !decode_g2(&pairs[i].q, in + G1_LEN) || !bls12_g2_in_subgroup(&pairs[i].q))
            status = EVM_PRECOMPILE_FAILURE;
    }
    struct bls12_fp12 r;
    if (status == EVM_SUCCESS)
        bls12_pairing(&r, pairs, n);
    arena_reset_to(a, mark);
    if (status != EVM_SUCCESS)
        return status;
    uint8_t *word = precompile_output(a, out, 32);
    if (word == NULL)
        return EVM_INTERNAL_ERROR;
    memset(word, 0, 32);
    word[31] = bls12_fp12_eq(&r, &bls12_fp12_one);
    return EVM_SUCCESS;
}

enum evm_status precompile_bls12_map_fp(struct arena *a, bytes input, bytes *out) {
    struct bls12_fp u;
    if (input.len != FP_LEN || !decode_fp(&u, input.ptr))
        return EVM_PRECOMPILE_FAILURE;
    struct bls12_g1_affine r;
    bls12_map_to_g1(&r, &u);
    return output_g1(a, out, &r);
}

enum evm_status precompile_bls12_map_fp2(struct arena *a, bytes input, bytes *out) {
    struct bls12_fp2 u;
    if (input.len != 2 * FP_LEN || !decode_fp2(&u, input.ptr))
        return EVM_PRECOMPILE_FAILURE;
    struct bls12_g2_affine r;
    bls12_map_to_g2(&r, &u);
    return output_g2(a, out, &r);
}
