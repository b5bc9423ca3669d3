/* SPDX-License-Identifier: Apache-2.0 */
/* Seeded random numbers for tests: splitmix64. The seed comes from the environment variable SEED or
 * from the caller's default, and the test prints it when it fails. */
#ifndef TESTS_LIB_RNG_H
#define TESTS_LIB_RNG_H

#include <stdint.h>
#include <stdlib.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_seed(uint64_t fallback) {
    const char *s = getenv("SEED");
    return s != NULL ? strtoull(s, NULL, 0) : fallback;
}

static inline uint64_t rng_next(struct rng *r) {
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* In [0, n). */
static inline uint64_t rng_below(struct rng *r, uint64_t n) {
    return rng_next(r) % n;
}

static inline void rng_fill(struct rng *r, void *out, size_t len) {
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)rng_next(r);
}

#endif
