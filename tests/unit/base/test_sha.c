/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the digests are the published ones, in any thread. Method: FIPS 180-4's and the RIPEMD-160
 * authors' examples, on the main thread and on two others. */
#include "base/sha.h"

#include "base/hex.h"

#include <criterion/criterion.h>
#include <pthread.h>

static const struct {
    const char *in, *sha256, *ripemd160;
} rows[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "9c1185a5c5e9fc54612808977ee8f548b2258d31"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
     "12a053384a9c0c88e405a06c27dcf49ada62eb2b"},
};

static void *run_rows(void *arg) {
    size_t *good = arg;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint8_t a[32], b[20], want_a[32], want_b[20];
        if (hex_decode_fixed(want_a, 32, rows[i].sha256) != ERR_OK ||
            hex_decode_fixed(want_b, 20, rows[i].ripemd160) != ERR_OK)
            continue;
        sha256(a, rows[i].in, strlen(rows[i].in));
        ripemd160(b, rows[i].in, strlen(rows[i].in));
        *good += memcmp(a, want_a, 32) == 0 && memcmp(b, want_b, 20) == 0;
    }
    return NULL;
}

Test(sha, known_answers_in_threads) {
    size_t good[3] = {0};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run_rows, &good[i]), 0);
    run_rows(&good[2]);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(good[i], ARRAY_LEN(rows));
    uint8_t out[32], zero[32];
    sha256(out, NULL, 0);
    cr_assert_eq(hex_decode_fixed(zero, 32, rows[0].sha256), ERR_OK);
    cr_expect_eq(memcmp(out, zero, 32), 0);
}
