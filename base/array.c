/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"

#include "base/check.h"

#include <stdlib.h>

enum { FIRST_CAP = 64 };

void *array_grow(void *p, size_t *cap, size_t elem_bytes, size_t need) {
    if (need <= *cap)
        return p;
    size_t n = *cap < FIRST_CAP ? FIRST_CAP : *cap, len;
    while (n < need) {
        CHECK(n <= SIZE_MAX / 2);
        n *= 2;
    }
    CHECK(!__builtin_mul_overflow(n, elem_bytes, &len));
    void *q = realloc(p, len);
    CHECK(q != NULL);
    *cap = n;
    return q;
}
