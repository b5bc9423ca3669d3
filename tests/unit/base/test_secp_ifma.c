/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: vectorised recovery gives libsecp256k1's verdicts and bytes, for whatever signature.
 * Method: random signatures (SEED, RECOVER_CASES of them), half of whose r name no point; then made
 * ones. From R = k G and any u1, u2 follow r = x(R), s = u2 r and z = -u1 r, so that every step of
 * the calculation can be driven into equal or opposite points, zero or a scalar of choice.
 * Covers: secp_ifma.c secp_scalars.c */
#include "base/secp_ifma.h"

#include "base/keccak.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64 };

static uint64_t seed = 1;

static uint64_t next_u64(void) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static u256 next_word(void) {
    return (u256){{next_u64(), next_u64(), next_u64(), next_u64()}};
}

static u256 next_scalar(void) {
    u256 v = next_word();
    return u256_mod(&v, &SECP_N);
}

static const u256 lambda = {
    {0xdf02967c1b23bd72, 0x122e22ea20816678, 0xa5261c028812645a, 0x5363ad4cc05c30e0}};

/* --- the batch under test ------------------------------------------------------------------------
 */
static hash32 digests[BATCH];
static struct secp_sig sigs[BATCH];
static size_t queued, total, accepted, left_to_library;

static bool can_run(void) {
    const char *text = getenv("SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : 1;
    if (secp_recover_use(SECP_RECOVERY_VECTORISED) == SECP_RECOVERY_VECTORISED) {
        addr20 out[BATCH];
        bool ok[BATCH];
        secp_recover_batch(out, ok, digests, sigs, BATCH); /* makes the table */
        return true;
    }
    printf("secp_ifma: this machine has no AVX-512 IFMA, skipped\n");
    return false;
}

static void flush_batch(void) {
#if SECP_HAS_IFMA
    uint8_t keys[BATCH][64], want[64];
    bool done[BATCH];
    secp_ifma_recover(keys, done, digests, sigs, queued);
    for (size_t i = 0; i < queued; i++) {
        bool good = secp_recover_pubkey(want, &digests[i], &sigs[i]) == ERR_OK;
        cr_assert(!done[i] || good, "case %zu: refused by libsecp256k1", total + i);
        cr_assert(!done[i] || memcmp(keys[i], want, 64) == 0, "case %zu: another key", total + i);
        accepted += good;
        left_to_library += !done[i] && good;
    }
#endif
    total += queued;
    queued = 0;
}

static void put(const hash32 *digest, const struct secp_sig *sig) {
    digests[queued] = *digest;
    sigs[queued++] = *sig;
    if (queued == BATCH)
        flush_batch();
}

static void finish(const char *what) {
    if (queued > 0)
        flush_batch();
    printf("secp_ifma: %s: %zu cases, %zu signers, %zu of them by the library\n", what, total,
           accepted, left_to_library);
}

/* --- made signatures
 * ------------------------------------------------------------------------------ */
struct nonce {
    u256 k, r;
    uint8_t parity;
};

/* R = k G. A signature of digest d by key q with nonce k has s = (d + r q) / k: k itself is not
 * shown, but it follows from s. */
static struct nonce make_nonce(void) {
    hash32 digest, key;
    struct secp_sig sig;
    u256 q = next_scalar(), d = next_scalar();
    u256_to_be32(key.b, &q);
    u256_to_be32(digest.b, &d);
    cr_assert_eq(secp_sign(&sig, &digest, key.b), ERR_OK);
    /* 1 / s by Fermat. */
    u256 two = u256_from_u64(2), e = u256_sub(&SECP_N, &two), inverse = U256_ONE;
    for (int bit = 255; bit >= 0; bit--) {
        inverse = u256_mulmod(&inverse, &inverse, &SECP_N);
        if (e.w[bit / 64] >> (bit % 64) & 1)
            inverse = u256_mulmod(&inverse, &sig.s, &SECP_N);
    }
    struct nonce n = {.r = sig.r, .parity = sig.recid};
    u256 t = u256_mulmod(&sig.r, &q, &SECP_N);
    t = u256_addmod(&t, &d, &SECP_N);
    n.k = u256_mulmod(&t, &inverse, &SECP_N);
    return n;
}

static u256 neg(u256 v) {
    return u256_is_zero(&v) ? v : u256_sub(&SECP_N, &v);
}
static u256 add(u256 a, u256 b) {
    return u256_addmod(&a, &b, &SECP_N);
}
static u256 mul(u256 a, u256 b) {
    return u256_mulmod(&a, &b, &SECP_N);
}
static u256 small(int64_t v) {
    return v < 0 ? neg(u256_from_u64((uint64_t)-v)) : u256_from_u64((uint64_t)v);
}
static u256 power_of_2(int bits) {
    u256 v = U256_ZERO;
    v.w[bits / 64] = (uint64_t)1 << (bits % 64);
    return v;
}

static void put_made(const struct nonce *n, u256 u1, u256 u2) {
    u256 z = neg(mul(u1, n->r));
    struct secp_sig sig = {.r = n->r, .s = mul(u2, n->r), .recid = n->parity};
    hash32 digest;
    u256_to_be32(digest.b, &z);
    put(&digest, &sig);
}

static u256 invert(u256 v) {
    u256 two = u256_from_u64(2), e = u256_sub(&SECP_N, &two), r = U256_ONE;
    for (int bit = 255; bit >= 0; bit--) {
        r = mul(r, r);
        if (e.w[bit / 64] >> (bit % 64) & 1)
            r = mul(r, v);
    }
    return r;
}

Test(secp_ifma, random_signatures, .timeout = 3600) {
    if (!can_run())
        return;
    const char *text = getenv("RECOVER_CASES");
    size_t count = text != NULL ? strtoull(text, NULL, 10) : 40000;
    for (size_t i = 0; i < count; i++) {
        hash32 digest;
        struct secp_sig sig = {
            .r = next_word(), .s = next_word(), .recid = (uint8_t)(next_u64() & 1)};
        u256 z = next_word();
        u256_to_be32(digest.b, &z);
        if (next_u64() % 64 == 0)
            sig.recid = (uint8_t)(next_u64() & 7);
        if (next_u64() % 64 == 0) /* batches of other sizes */
            flush_batch();
        put(&digest, &sig);
    }
    finish("random");
    cr_expect(accepted > total / 3 && accepted < total * 2 / 3);
    cr_expect(left_to_library < total / 50);
}

/* Edges of each field in all combinations. */
Test(secp_ifma, edges, .timeout = 600) {
    if (!can_run())
        return;
    struct nonce n = make_nonce();
    u256 one = U256_ONE, max = U256_MAX, two = u256_from_u64(2);
    const u256 order_minus_1 = u256_sub(&SECP_N, &one), order_plus_1 = u256_add(&SECP_N, &one);
    const u256 p = {{0xfffffffefffffc2f, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    const u256 p_minus_n = u256_sub(&p, &SECP_N), beyond = u256_add(&p_minus_n, &one);
    const u256 r[] = {U256_ZERO, one,          two,        small(3), small(4),
                      small(5),  small(6),     small(7),   n.r,      SECP_N,
                      p,         p_minus_n,    beyond,     max,      order_minus_1,
                      lambda,    order_plus_1, SECP_N_HALF};
    const u256 s[] = {U256_ZERO, one, two, n.r, neg(n.r), SECP_N, order_minus_1, max, lambda};
    const u256 z[] = {U256_ZERO, one, two, n.r, neg(n.r), SECP_N, order_minus_1, order_plus_1, max};
    for (size_t i = 0; i < ARRAY_LEN(r); i++)
        for (size_t j = 0; j < ARRAY_LEN(s); j++)
            for (size_t k = 0; k < ARRAY_LEN(z); k++)
                for (uint8_t recid = 0; recid < 5; recid++) {
                    struct secp_sig sig = {.r = r[i], .s = s[j], .recid = recid};
                    hash32 digest;
                    u256_to_be32(digest.b, &z[k]);
                    put(&digest, &sig);
                }
    finish("edges");
}

/* u2 = a 2^i + b lambda 2^j with small a and b: halves near a vector of the lattice, whose sums
 * meet zero and one another at the end of the main loop. */
Test(secp_ifma, small_halves, .timeout = 600) {
    if (!can_run())
        return;
    struct nonce n = make_nonce();
    for (int a = -66; a <= 66; a++)
        for (int b = -66; b <= 66; b++) {
            u256 u2 = add(small(a), mul(small(b), lambda));
            if (u256_is_zero(&u2))
                continue;
            put_made(&n, small(b), u2);
            put_made(&n, next_scalar(), mul(u2, power_of_2((int)(next_u64() % 128))));
        }
    finish("small halves");
    cr_expect_geq(left_to_library, 1); /* -58 lambda ends with equal points, for one */
}

/* The digits of u1 as the code takes them: of the odd one of u1 and u1 - n. */
static void digits_of(u256 *out, u256 u1) {
    bool flip = !(u1.w[0] & 1);
    u256 v = flip ? u256_sub(&SECP_N, &u1) : u1;
    /* (v + 2^256 - 1) / 2, of which digit i is 2 T - 255 for the byte T. */
    for (int i = 0; i < 32; i++) {
        int low = 8 * i + 1;
        uint64_t t = v.w[low / 64] >> (low % 64);
        if (low / 64 < 3 && low % 64 > 56)
            t |= v.w[low / 64 + 1] << (64 - low % 64);
        t &= 0xff;
        if (i == 31)
            t = (t & 0x7f) | 0x80;
        int64_t d = 2 * (int64_t)t - 255;
        out[i] = mul(small(flip ? -d : d), power_of_2(8 * i));
    }
}

/* u2 R so chosen that the sum so far is the next multiple of G, or its negative: at every window.
 */
Test(secp_ifma, sums_that_meet_multiples_of_g, .timeout = 600) {
    if (!can_run())
        return;
    for (int round = 0; round < 6; round++) {
        struct nonce n = make_nonce();
        u256 inverse = invert(n.k), digit[32], u1 = next_scalar(), sum = U256_ZERO;
        digits_of(digit, u1);
        for (int i = 0; i < 32; i++) {
            put_made(&n, u1, mul(add(digit[i], neg(sum)), inverse));
            put_made(&n, u1, mul(add(neg(digit[i]), neg(sum)), inverse));
            sum = add(sum, digit[i]);
        }
        cr_assert(u256_eq(&sum, &u1), "the digits are not those of u1");
        flush_batch();
    }
    finish("meeting multiples of G");
    /* All went wrong on the way: equal points, and opposite ones, of which the last gives none. */
    cr_expect_eq(accepted, 6 * 63);
    cr_expect_eq(left_to_library, accepted);
}

/* u1 G = +-u2 R, u1 = 0 and digests equal to the order, beside plain ones in the other lanes. */
Test(secp_ifma, coincidences_at_the_end, .timeout = 600) {
    if (!can_run())
        return;
    for (int round = 0; round < 400; round++) {
        struct nonce n = make_nonce();
        u256 u2 = next_scalar(), u2_k = mul(u2, n.k);
        put_made(&n, neg(u2_k), u2); /* the point at infinity */
        put_made(&n, u2_k, u2);
        put_made(&n, U256_ZERO, u2);
        put_made(&n, next_scalar(), u2);
        put_made(&n, U256_ONE, u2);
        put_made(&n, neg(U256_ONE), invert(n.k)); /* u2 R = G */
        put_made(&n, U256_ONE, invert(n.k));
        put_made(&n, mul(small(round), power_of_2(round % 200)), u2);
        struct secp_sig sig = {.r = n.r, .s = u2, .recid = n.parity};
        hash32 digest;
        u256_to_be32(digest.b, &SECP_N);
        put(&digest, &sig);
    }
    finish("coincidences");
    cr_expect_eq(total - accepted, 800);
}

/* Addresses through the public function: all sizes, with bad signatures between. */
Test(secp_ifma, batches_of_every_size, .timeout = 600) {
    if (!can_run())
        return;
    enum { MAX = 140 };
    static hash32 d[MAX];
    static struct secp_sig s[MAX];
    static addr20 want[MAX], out[MAX];
    static bool want_ok[MAX], ok[MAX + 1];
    for (size_t i = 0; i < MAX; i++) {
        hash32 key;
        keccak256(&d[i], &i, sizeof(i));
        keccak256(&key, d[i].b, 32);
        cr_assert_eq(secp_sign(&s[i], &d[i], key.b), ERR_OK);
        if (i % 7 == 3)
            s[i].r.w[1] ^= 5;
        if (i % 11 == 5)
            s[i].recid ^= 2;
        want_ok[i] = secp_recover(&want[i], &d[i], &s[i]) == ERR_OK;
    }
    for (size_t n = 0; n <= MAX; n++) {
        memset(ok, 1, sizeof(ok));
        secp_recover_batch(out, ok, d, s, n);
        for (size_t i = 0; i < n; i++) {
            cr_assert_eq(ok[i], want_ok[i], "%zu of %zu", i, n);
            cr_assert(!ok[i] || addr20_eq(&out[i], &want[i]), "%zu of %zu", i, n);
        }
        cr_assert(ok[n]);
    }
}
