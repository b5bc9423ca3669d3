/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that grow by doubling, where something else bounds what is put into them. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include "base/types.h"

/* Room for `need` elements: the array, moved if *cap was less, or new (`p` NULL, *cap 0). What is
 * added is not initialised. CHECKs memory. */
void *array_grow(void *p, size_t *cap, size_t elem_bytes, size_t need) MUST_USE;

#endif
