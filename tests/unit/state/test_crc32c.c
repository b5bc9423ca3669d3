/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: crc32c.c crc32c_sse42.c */
#include "state/crc32c.h"
#include "tests/lib/state/fixture.h"

#include <criterion/criterion.h>

typedef uint32_t (*crc_fn)(uint32_t, const void *, size_t);

/* Goal: RFC 3720 B.4's examples and the check value of "123456789" from every variant. */
static void known_answers(crc_fn crc, const char *name) {
    uint8_t b[32];
    memset(b, 0, sizeof b);
    cr_expect_eq(crc(0, b, 32), 0x8A9136AAU, "%s: zeros", name);
    memset(b, 0xff, sizeof b);
    cr_expect_eq(crc(0, b, 32), 0x62A8AB43U, "%s: ones", name);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = i;
    cr_expect_eq(crc(0, b, 32), 0x46DD794EU, "%s: ascending", name);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = (uint8_t)(31 - i);
    cr_expect_eq(crc(0, b, 32), 0x113FDB5CU, "%s: descending", name);
    cr_expect_eq(crc(0, "123456789", 9), 0xE3069283U, "%s: check", name);
    cr_expect_eq(crc(0, NULL, 0), 0U, "%s: nothing", name);
}

Test(crc32c, known_answers) {
    known_answers(crc32c, "chosen");
    known_answers(crc32c_portable, "portable");
    if (crc32c_has_sse42())
        known_answers(crc32c_sse42, "sse4.2");
}

/* Goal: both variants agree at every length and alignment, whole and in two parts. */
Test(crc32c, variants_agree) {
    struct fixture_rng r = fixture_rng_of(1);
    uint8_t b[600];
    fixture_rng_fill(&r, b, sizeof b);
    for (size_t len = 0; len < 512; len++) {
        size_t at = len % 16, cut = len / 3;
        uint32_t want = crc32c_portable(0, b + at, len);
        cr_assert_eq(crc32c_portable(crc32c_portable(0, b + at, cut), b + at + cut, len - cut),
                     want);
        if (crc32c_has_sse42()) {
            cr_assert_eq(crc32c_sse42(0, b + at, len), want, "length %zu", len);
            cr_assert_eq(crc32c_sse42(crc32c_sse42(0, b + at, cut), b + at + cut, len - cut), want);
        }
    }
}
