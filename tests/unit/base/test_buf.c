/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a buffer holds what was appended, never more than its maximum, and remembers that it was
 * full. Method: appends of all kinds below, at and beyond the maximum. */
#include "base/buf.h"

#include <criterion/criterion.h>

Test(buf, appends) {
    struct buf b;
    buf_init(&b, 1000);
    cr_expect_eq(buf_bytes(&b).len, 0u);
    buf_append(&b, "abc", 3);
    buf_append(&b, NULL, 0);
    buf_append_byte(&b, 'd');
    buf_append_str(&b, "ef");
    buf_printf(&b, "%d-%s", 42, "g");
    uint8_t *p = buf_extend(&b, 2);
    cr_assert_not_null(p);
    memcpy(p, "hi", 2);
    cr_expect_not(b.overflow);
    cr_assert_eq(b.len, 12u);
    cr_expect_eq(memcmp(b.ptr, "abcdef42-ghi", 12), 0);
    buf_reset(&b);
    cr_expect_eq(b.len, 0u);
    cr_expect_not_null(b.ptr);
    buf_clear(&b);
    cr_expect_null(b.ptr);
    cr_expect_eq(b.max, 1000u);
}

Test(buf, the_maximum_is_exact_and_overflow_sticks) {
    for (size_t max = 0; max < 300; max += 13) {
        struct buf b;
        buf_init(&b, max);
        for (size_t i = 0; i < max; i++)
            buf_append_byte(&b, (uint8_t)i);
        cr_expect_not(b.overflow);
        cr_expect_eq(b.len, max);
        buf_append_byte(&b, 0);
        cr_expect(b.overflow);
        cr_expect_eq(b.len, max);
        cr_expect_null(buf_extend(&b, 0));
        buf_reset(&b);
        cr_expect_not(b.overflow);
        buf_append(&b, NULL, 0);
        cr_expect_eq(b.len, 0u);
        buf_clear(&b);
    }
}

Test(buf, too_long_changes_nothing) {
    struct buf b;
    buf_init(&b, 10);
    buf_append_str(&b, "12345");
    buf_append_str(&b, "123456");
    cr_expect(b.overflow);
    cr_expect_eq(b.len, 5u);
    buf_append_str(&b, "1");
    cr_expect_eq(b.len, 5u);
    cr_expect_null(buf_extend(&b, 1));
    buf_clear(&b);
    buf_init(&b, SIZE_MAX);
    buf_append_str(&b, "x");
    cr_expect_null(buf_extend(&b, SIZE_MAX));
    cr_expect(b.overflow);
    cr_expect_eq(b.len, 1u);
    buf_clear(&b);
}

Test(buf, printf_of_every_length) {
    static char text[1200];
    for (size_t len = 0; len < sizeof(text) - 1; len += 37) {
        memset(text, 'y', len);
        text[len] = '\0';
        struct buf b;
        buf_init(&b, len);
        buf_printf(&b, "%s", text);
        cr_expect_not(b.overflow, "length %zu", len);
        cr_expect_eq(b.len, len);
        cr_expect(len == 0 || memcmp(b.ptr, text, len) == 0);
        buf_printf(&b, "%c", 'z');
        cr_expect(b.overflow);
        buf_clear(&b);
    }
}
