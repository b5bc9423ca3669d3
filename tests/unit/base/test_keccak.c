/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: one digest for one input, whatever the variant and however the bytes arrive.
 * Method: published digests; then every length from 0 to 500 in each variant, whole, streamed and
 * in batches of mixed lengths, against the portable code. Covers: keccak_avx2.c keccak_avx512.c
 * keccak_bmi2.c */
#include "base/keccak.h"

#include "base/cpu.h"
#include "base/hex.h"
#include "base/keccak_variants.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { LEN_MAX = 500 };

static const enum cpu_level levels[] = {CPU_PORTABLE, CPU_AVX2, CPU_BEST};

static void fill(uint8_t *p, size_t len) {
    uint32_t v = 12345;
    for (size_t i = 0; i < len; i++) {
        v = v * 1664525u + 1013904223u;
        p[i] = (uint8_t)(v >> 24);
    }
}

Test(keccak, known_answers) {
    static const struct {
        const char *in;
        const char *digest;
    } rows[] = {
        {"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"},
        {"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"},
        {"hello", "1c8aff950685c2ed4bc3174f3472287b56d9517b9c948127319a09a7a36deac8"},
        {"Transfer(address,address,uint256)",
         "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"},
        {"The quick brown fox jumps over the lazy dog",
         "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15"},
    };
    for (size_t v = 0; v < ARRAY_LEN(levels); v++) {
        cpu_choose(levels[v]);
        printf("%s\n", cpu_describe());
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
            hash32 want, got;
            cr_assert_eq(hex_decode_fixed(want.b, 32, rows[i].digest), ERR_OK);
            keccak256(&got, rows[i].in, strlen(rows[i].in));
            cr_expect(hash32_eq(&got, &want), "%s", rows[i].in);
        }
    }
}

/* The first lane of the permutation of zeros, from the Keccak team's published values. */
Test(keccak, permutation_of_zeros) {
    uint64_t lanes[25] = {0};
    keccak_f1600(lanes);
    cr_expect_eq(lanes[0], 0xf1258f7940e1dde7u);
    cr_expect_eq(lanes[24], 0xeaf1ff7b5ceca249u);
}

Test(keccak, constants) {
    hash32 h;
    keccak256(&h, NULL, 0);
    cr_expect(hash32_eq(&h, &KECCAK_EMPTY));
    keccak256(&h, "\x80", 1);
    cr_expect(hash32_eq(&h, &KECCAK_EMPTY_TRIE));
    keccak256(&h, "\xc0", 1);
    cr_expect(hash32_eq(&h, &KECCAK_EMPTY_LIST));
}

static void expect_streams_equal(const uint8_t *data, size_t len, const hash32 *want) {
    static const size_t steps[] = {1, 7, 64, 135, 136, 137, 272, 500};
    for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
        struct keccak_ctx k;
        keccak256_begin(&k);
        for (size_t at = 0; at < len; at += steps[s])
            keccak256_update(&k, data + at, len - at < steps[s] ? len - at : steps[s]);
        keccak256_update(&k, NULL, 0);
        hash32 got;
        keccak256_end(&k, &got);
        cr_expect(hash32_eq(&got, want), "length %zu in steps of %zu", len, steps[s]);
    }
}

Test(keccak, every_length_in_every_variant) {
    static uint8_t data[LEN_MAX + 4];
    static hash32 want[LEN_MAX + 1];
    fill(data, sizeof(data));
    cpu_choose(CPU_PORTABLE);
    for (size_t len = 0; len <= LEN_MAX; len++)
        keccak256(&want[len], data, len);
    for (size_t v = 0; v < ARRAY_LEN(levels); v++) {
        cpu_choose(levels[v]);
        static bytes in[LEN_MAX + 1];
        static hash32 got[LEN_MAX + 1];
        for (size_t len = 0; len <= LEN_MAX; len++) {
            hash32 h;
            keccak256(&h, data, len);
            cr_expect(hash32_eq(&h, &want[len]), "%s, length %zu", cpu_describe(), len);
            expect_streams_equal(data, len, &want[len]);
            in[len] = bytes_of(data, len);
        }
        keccak256_batch(got, in, LEN_MAX + 1);
        for (size_t len = 0; len <= LEN_MAX; len++)
            cr_expect(hash32_eq(&got[len], &want[len]), "batch, length %zu", len);
    }
}

/* Runs of every size and changing block counts: the places where a batch is cut. */
Test(keccak, batches_of_mixed_lengths) {
    static uint8_t data[4096];
    fill(data, sizeof(data));
    for (size_t v = 0; v < ARRAY_LEN(levels); v++) {
        cpu_choose(levels[v]);
        for (unsigned n = 0; n <= 40; n++) {
            bytes in[40];
            hash32 got[40];
            unsigned state = n * 7919u + 1;
            for (unsigned i = 0; i < n; i++) {
                state = state * 1103515245u + 12345u;
                in[i] = bytes_of(data + (state >> 16) % 1000, (state >> 8) % 3 * 136 + i % 136);
            }
            keccak256_batch(got, in, n);
            for (unsigned i = 0; i < n; i++) {
                hash32 one;
                keccak256(&one, in[i].ptr, in[i].len);
                cr_expect(hash32_eq(&got[i], &one), "%u of %u", i, n);
            }
        }
    }
}

/* Every count of inputs of one length: the places where a run is padded or handed to a narrower
 * function, and no digest written beyond the last. */
Test(keccak, runs_of_every_size) {
    static uint8_t data[700];
    static const size_t lens[] = {0, 64, 135, 136, 300, 532};
    fill(data, sizeof(data));
    for (size_t v = 0; v < ARRAY_LEN(levels); v++) {
        cpu_choose(levels[v]);
        for (size_t k = 0; k < ARRAY_LEN(lens); k++) {
            for (size_t n = 1; n <= 18; n++) {
                bytes in[18];
                hash32 got[19], one;
                for (size_t i = 0; i < n; i++)
                    in[i] = bytes_of(data + i, lens[k]);
                memset(got, 0xee, sizeof(got));
                keccak256_batch(got, in, n);
                for (size_t i = 0; i < n; i++) {
                    keccak256(&one, in[i].ptr, in[i].len);
                    cr_expect(hash32_eq(&got[i], &one), "%zu of %zu, %zu bytes", i, n, lens[k]);
                }
                memset(one.b, 0xee, sizeof(one.b));
                cr_expect(hash32_eq(&got[n], &one));
            }
        }
    }
}

#if KECCAK_HAS_X86
Test(keccak, scalar_variants_agree) {
    if (!__builtin_cpu_supports("bmi2"))
        return;
    uint64_t a[25], b[25];
    fill((uint8_t *)a, sizeof(a));
    memcpy(b, a, sizeof(a));
    for (int i = 0; i < 100; i++) {
        keccak_f1600(a);
        keccak_f1600_bmi2(b);
        cr_assert_eq(memcmp(a, b, sizeof(a)), 0);
    }
}
#endif
