/* SPDX-License-Identifier: Apache-2.0 */
/* An ordered map from bytes to bytes for tests: a skip list with deterministic levels. */
#ifndef TESTS_LIB_STATE_OMAP_H
#define TESTS_LIB_STATE_OMAP_H

#include "base/types.h"

struct omap_node;
struct omap {
    struct omap_node *head;
    size_t count;
    uint64_t rng;
};

void omap_init(struct omap *m);
void omap_clear(struct omap *m);
void omap_put(struct omap *m, bytes key, bytes value); /* copied */
void omap_del(struct omap *m, bytes key);
/* First entry with key >= `key`; what comes after an entry; NULL at the end. */
const struct omap_node *omap_seek(const struct omap *m, bytes key);
const struct omap_node *omap_next(const struct omap_node *n);
bytes omap_key(const struct omap_node *n);
bytes omap_value(const struct omap_node *n);
bool omap_get(const struct omap *m, bytes key, bytes *out);
bool omap_equal(const struct omap *a, const struct omap *b);

#endif
