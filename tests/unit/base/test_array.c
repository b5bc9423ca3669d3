/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: room for what is asked, elements stay, nothing moves while there is room, and sizes that
 * no memory has are a failed CHECK instead of a short array. */
#include "base/array.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

Test(array, grows_and_keeps) {
    uint32_t *a = NULL;
    size_t cap = 0, moves = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        size_t before = cap;
        uint32_t *b = array_grow(a, &cap, sizeof *a, i + 1);
        cr_assert_gt(cap, i);
        cr_assert(cap != before || b == a);
        moves += cap != before;
        a = b;
        a[i] = i * 7;
    }
    cr_expect_leq(moves, 17, "doubles");
    for (uint32_t i = 0; i < 100000; i++)
        cr_assert_eq(a[i], i * 7);
    a = array_grow(a, &cap, sizeof *a, 1000000);
    cr_expect_geq(cap, 1000000);
    a[999999] = 1;
    cr_expect_eq(a[99999], 99999u * 7);
    free(a);
}

Test(array, too_many_elements, .signal = SIGABRT) {
    size_t cap = 0;
    free(array_grow(NULL, &cap, 1, SIZE_MAX));
}

Test(array, too_many_bytes, .signal = SIGABRT) {
    size_t cap = 0;
    free(array_grow(NULL, &cap, SIZE_MAX / 64, 1000));
}
