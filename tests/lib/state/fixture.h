/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the state folder share: temporary folders, a seeded generator, files as bytes. */
#ifndef TESTS_LIB_STATE_FIXTURE_H
#define TESTS_LIB_STATE_FIXTURE_H

#include "base/types.h"

#include <stdlib.h>

enum { FIXTURE_PATH_MAX = 512 };

/* A new folder under $TEST_DIR, else under build/ of the current folder; removed with all in it. */
void fixture_dir_make(char out[FIXTURE_PATH_MAX]);
void fixture_dir_remove(const char *path);
/* $SEED, else the value given. */
uint64_t fixture_seed(uint64_t otherwise);

/* xorshift64*: same seed, same numbers. */
struct fixture_rng {
    uint64_t state;
};
static inline struct fixture_rng fixture_rng_of(uint64_t seed) {
    return (struct fixture_rng){seed * 0x9E3779B97F4A7C15ULL + 0x1234567ULL};
}
uint64_t fixture_rng_next(struct fixture_rng *r);
/* [0, n) */
static inline uint64_t fixture_rng_below(struct fixture_rng *r, uint64_t n) {
    return fixture_rng_next(r) % n;
}
void fixture_rng_fill(struct fixture_rng *r, void *ptr, size_t len);

/* Whole files; malloc'ed, abort on failure. */
uint8_t *fixture_file_read(const char *path, size_t *out_len);
void fixture_file_write(const char *path, const void *ptr, size_t len);

#endif
