/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every operation of base/u256.h equals GMP's, over random operands of every width and the
 * edges. Method: both compute in one loop; the operands' seed is printed and set by SEED. */
#include "base/u256.h"

#include <criterion/criterion.h>
#include <gmp.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 60000 };

static uint64_t seed_state;

static uint64_t next_random(void) { /* splitmix64 */
    uint64_t z = (seed_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void seed_from_env(void) {
    const char *s = getenv("SEED");
    seed_state = s != NULL ? strtoull(s, NULL, 0) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed_state);
}

/* Limbs that trip carries, borrows and quotient estimates more often than even chances would. */
static uint64_t random_limb(void) {
    switch (next_random() % 8) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return 1ull << 63;
    case 3:
        return 1;
    case 4:
        return UINT64_MAX << (next_random() % 64);
    default:
        return next_random();
    }
}

static u256 random_word(void) {
    u256 r = {{random_limb(), random_limb(), random_limb(), random_limb()}};
    unsigned limbs = (unsigned)(next_random() % 6);
    for (unsigned i = limbs; i < 4; i++)
        r.w[i] = 0;
    if (limbs > 0 && limbs <= 4 && next_random() % 2 == 0)
        r.w[limbs - 1] >>= next_random() % 64;
    return r;
}

static void to_mpz(mpz_t out, const uint64_t *w, size_t n) {
    mpz_import(out, n, -1, 8, 0, 0, w);
}

static u256 from_mpz(const mpz_t v) {
    mpz_t t;
    mpz_init(t);
    mpz_fdiv_r_2exp(t, v, 256); /* two's complement for negative numbers */
    u256 r = U256_ZERO;
    mpz_export(r.w, NULL, -1, 8, 0, 0, t);
    mpz_clear(t);
    return r;
}

static void to_signed_mpz(mpz_t out, const u256 *a) {
    to_mpz(out, a->w, 4);
    if (a->w[3] >> 63) {
        mpz_t m;
        mpz_init(m);
        mpz_setbit(m, 256);
        mpz_sub(out, out, m);
        mpz_clear(m);
    }
}

static void expect_eq(const char *op, const u256 *got, const u256 *want, const u256 *a,
                      const u256 *b, const u256 *c) {
    if (u256_eq(got, want))
        return;
    char text[5][79];
    cr_assert_fail("%s(%s, %s, %s) = %s, want %s", op, u256_to_dec(text[0], a),
                   u256_to_dec(text[1], b), u256_to_dec(text[2], c), u256_to_dec(text[3], got),
                   u256_to_dec(text[4], want));
}

static mpz_t x, y, z, t, sx, sy;

static void init_oracle(void) {
    mpz_inits(x, y, z, t, sx, sy, NULL);
}
static void clear_oracle(void) {
    mpz_clears(x, y, z, t, sx, sy, NULL);
}

#define EXPECT(op, got_expr)                                                                       \
    do {                                                                                           \
        u256 got_ = (got_expr), want_ = from_mpz(t);                                               \
        expect_eq(op, &got_, &want_, a, b, c);                                                     \
    } while (0)

static void check_ring(const u256 *a, const u256 *b, const u256 *c) {
    u256 out;
    mpz_add(t, x, y);
    EXPECT("add", u256_add(a, b));
    cr_assert_eq(u256_add_overflow(&out, a, b), mpz_sizeinbase(t, 2) > 256);
    EXPECT("add_overflow", out);
    mpz_sub(t, x, y);
    EXPECT("sub", u256_sub(a, b));
    mpz_mul(t, x, y);
    EXPECT("mul", u256_mul(a, b));
    cr_assert_eq(u256_mul_overflow(&out, a, b), mpz_sizeinbase(t, 2) > 256);
    EXPECT("mul_overflow", out);
    uint64_t wide[8];
    u256_mul_wide(wide, a, b);
    to_mpz(sx, wide, 8);
    cr_assert_eq(mpz_cmp(sx, t), 0, "mul_wide");
}

static void check_division(const u256 *a, const u256 *b, const u256 *c) {
    bool zero = u256_is_zero(b);
    u256 q, r;
    mpz_set_ui(t, 0);
    if (!zero)
        mpz_tdiv_q(t, x, y);
    u256_divmod(&q, &r, a, b);
    EXPECT("divmod quotient", q);
    EXPECT("div", u256_div(a, b));
    if (!zero)
        mpz_tdiv_r(t, x, y);
    EXPECT("divmod remainder", r);
    EXPECT("mod", u256_mod(a, b));
    to_signed_mpz(sx, a);
    to_signed_mpz(sy, b);
    if (!zero)
        mpz_tdiv_q(t, sx, sy);
    EXPECT("sdiv", u256_sdiv(a, b));
    if (!zero)
        mpz_tdiv_r(t, sx, sy);
    EXPECT("smod", u256_smod(a, b));

    zero = u256_is_zero(c);
    mpz_add(t, x, y);
    if (zero)
        mpz_set_ui(t, 0);
    else
        mpz_tdiv_r(t, t, z);
    EXPECT("addmod", u256_addmod(a, b, c));
    mpz_mul(t, x, y);
    if (zero)
        mpz_set_ui(t, 0);
    else
        mpz_tdiv_r(t, t, z);
    EXPECT("mulmod", u256_mulmod(a, b, c));
}

static void check_bits(const u256 *a, const u256 *b, const u256 *c) {
    unsigned long n = next_random() % 300;
    u256 count = u256_from_u64(n);
    mpz_mul_2exp(t, x, n);
    EXPECT("shl", u256_shl(&count, a));
    mpz_fdiv_q_2exp(t, x, n);
    EXPECT("shr", u256_shr(&count, a));
    to_signed_mpz(sx, a);
    mpz_fdiv_q_2exp(t, sx, n);
    EXPECT("sar", u256_sar(&count, a));
    mpz_and(t, x, y);
    EXPECT("and", u256_and(a, b));
    mpz_ior(t, x, y);
    EXPECT("or", u256_or(a, b));
    mpz_xor(t, x, y);
    EXPECT("xor", u256_xor(a, b));
    mpz_com(t, x);
    EXPECT("not", u256_not(a));
    cr_assert_eq(u256_bit_len(a), u256_is_zero(a) ? 0 : mpz_sizeinbase(x, 2));
    cr_assert_eq(u256_clz(a), 256 - u256_bit_len(a));

    unsigned long idx = next_random() % 40;
    count = u256_from_u64(idx);
    mpz_set_ui(t, 0);
    if (idx < 32) {
        mpz_fdiv_q_2exp(t, x, 8 * (31 - idx));
        mpz_fdiv_r_2exp(t, t, 8);
    }
    EXPECT("byte", u256_byte(&count, a));
    mpz_set(t, x);
    if (idx < 31) {
        mpz_fdiv_r_2exp(t, x, 8 * idx + 8);
        if (mpz_tstbit(t, 8 * idx + 7)) {
            mpz_set_ui(sy, 0);
            mpz_setbit(sy, 8 * idx + 8);
            mpz_sub(t, t, sy);
        }
    }
    EXPECT("signextend", u256_signextend(&count, a));
}

static int sign(int v) {
    return (v > 0) - (v < 0);
}

static void check_order(const u256 *a, const u256 *b) {
    cr_assert_eq(u256_cmp(a, b), sign(mpz_cmp(x, y)));
    cr_assert_eq(u256_lt(a, b), mpz_cmp(x, y) < 0);
    cr_assert_eq(u256_eq(a, b), mpz_cmp(x, y) == 0);
    to_signed_mpz(sx, a);
    to_signed_mpz(sy, b);
    cr_assert_eq(u256_scmp(a, b), sign(mpz_cmp(sx, sy)));
}

static void check_forms(const u256 *a) {
    uint8_t be[32], min[32];
    u256_to_be32(be, a);
    u256 back = u256_from_be32(be);
    cr_assert(u256_eq(a, &back));
    size_t len = u256_to_be_min(min, a);
    cr_assert_eq(len, u256_byte_len(a));
    cr_assert(len == 0 || min[0] != 0);
    back = u256_from_be(min, len);
    cr_assert(u256_eq(a, &back));
    cr_assert_eq(u256_fits_u64(a), mpz_sizeinbase(x, 2) <= 64);
    cr_assert_eq(u256_sat_u64(a), u256_fits_u64(a) ? a->w[0] : UINT64_MAX);
    addr20 addr = u256_to_addr(a);
    u256 low = u256_from_addr(&addr);
    mpz_fdiv_r_2exp(t, x, 160);
    u256 want = from_mpz(t);
    cr_assert(u256_eq(&low, &want));
    cr_assert_eq(memcmp(addr.b, be + 12, 20), 0);
    char dec[79];
    char *gmp_dec = mpz_get_str(NULL, 10, x);
    cr_assert_str_eq(u256_to_dec(dec, a), gmp_dec);
    free(gmp_dec);
}

static void check_all(const u256 *a, const u256 *b, const u256 *c) {
    to_mpz(x, a->w, 4);
    to_mpz(y, b->w, 4);
    to_mpz(z, c->w, 4);
    check_ring(a, b, c);
    check_division(a, b, c);
    check_bits(a, b, c);
    check_order(a, b);
    check_forms(a);
}

Test(u256, edges_against_gmp, .timeout = 120) {
    init_oracle();
    u256 edges[64];
    size_t n = 0;
    edges[n++] = U256_ZERO;
    edges[n++] = U256_ONE;
    edges[n++] = U256_MAX;
    edges[n++] = u256_from_u64(2);
    edges[n++] = u256_from_u64(10);
    for (unsigned bit = 63; bit < 256; bit += 64) {
        u256 one = U256_ONE, count = u256_from_u64(bit), next = u256_from_u64(bit + 1);
        u256 low = u256_shl(&count, &one), high = u256_shl(&next, &one);
        edges[n++] = low;
        edges[n++] = u256_sub(&low, &one);
        edges[n++] = u256_add(&low, &one);
        edges[n++] = high;
        edges[n++] = u256_sub(&high, &one);
        edges[n++] = u256_add(&high, &one);
    }
    /* A divisor and dividend whose first quotient estimate is too large twice over. */
    edges[n++] = (u256){{0, 0, 0x8000000000000000, 0x7fffffffffffffff}};
    edges[n++] = (u256){{1, 0, 0x8000000000000000, 0}};
    edges[n++] = (u256){{UINT64_MAX, UINT64_MAX, 0, 0x8000000000000000}};
    edges[n++] = (u256){{0, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX}};
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < n; k++)
                check_all(&edges[i], &edges[j], &edges[k]);
    clear_oracle();
}

Test(u256, random_against_gmp, .timeout = 120) {
    seed_from_env();
    init_oracle();
    for (int i = 0; i < ROUNDS; i++) {
        u256 a = random_word(), b = random_word(), c = random_word();
        check_all(&a, &b, &c);
    }
    clear_oracle();
}

/* Products plus remainders: dividends that hit the corrections of the quotient digits. */
Test(u256, division_of_products, .timeout = 120) {
    seed_from_env();
    init_oracle();
    for (int i = 0; i < ROUNDS; i++) {
        u256 q = random_word(), d = random_word();
        u256 a = u256_mul(&q, &d), one = U256_ONE;
        switch (next_random() % 3) {
        case 0:
            a = u256_sub(&a, &one);
            break;
        case 1:
            a = u256_add(&a, &one);
            break;
        default:
            break;
        }
        check_all(&a, &d, &q);
    }
    clear_oracle();
}

Test(u256, exp_against_gmp) {
    seed_from_env();
    init_oracle();
    mpz_t m;
    mpz_init(m);
    mpz_setbit(m, 256);
    for (int i = 0; i < 2000; i++) {
        u256 av = random_word(), bv = random_word(), cv = U256_ZERO;
        u256 *a = &av, *b = &bv, *c = &cv;
        if (i % 8 == 0)
            av = u256_from_u64((uint64_t)i / 8 % 4); /* 0, 1, 2 (a shift inside), 3 */
        if (i % 16 < 2)
            bv = u256_from_u64(next_random() % 300);
        to_mpz(x, a->w, 4);
        to_mpz(y, b->w, 4);
        mpz_powm(t, x, y, m);
        EXPECT("exp", u256_exp(a, b));
    }
    mpz_clear(m);
    clear_oracle();
}

Test(u256, counts_beyond_64_bits) {
    u256 huge = {{0, 1, 0, 0}}, all = U256_MAX, zero = U256_ZERO, r;
    u256 limit = u256_from_u64(256);
    r = u256_shl(&huge, &all);
    cr_expect(u256_is_zero(&r));
    r = u256_shr(&huge, &all);
    cr_expect(u256_is_zero(&r));
    r = u256_sar(&huge, &all);
    cr_expect(u256_eq(&r, &all));
    r = u256_sar(&limit, &all);
    cr_expect(u256_eq(&r, &all));
    r = u256_shl(&limit, &all);
    cr_expect(u256_is_zero(&r));
    r = u256_byte(&huge, &all);
    cr_expect(u256_is_zero(&r));
    r = u256_signextend(&huge, &zero);
    cr_expect(u256_is_zero(&r));
}

Test(u256, outputs_may_alias_inputs) {
    u256 a = {{5, 6, 7, 8}}, b = {{9, 10, 0, 0}};
    u256 q = u256_div(&a, &b), r = u256_mod(&a, &b);
    u256 x1 = a, y1 = b;
    u256_divmod(&x1, &y1, &x1, &y1);
    cr_expect(u256_eq(&x1, &q) && u256_eq(&y1, &r));
}
