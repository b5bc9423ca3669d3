/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/omap.h"

#include "base/check.h"

#include <stdlib.h>

enum { LEVELS = 20 };

struct omap_node {
    size_t key_len, value_len;
    uint8_t *data; /* key, then value */
    int levels;
    struct omap_node *next[];
};

static struct omap_node *node_new(int levels, bytes key, bytes value) {
    struct omap_node *n = calloc(1, sizeof *n + (size_t)levels * sizeof n->next[0]);
    CHECK(n != NULL);
    n->levels = levels;
    n->key_len = key.len;
    n->value_len = value.len;
    n->data = malloc(key.len + value.len + 1);
    CHECK(n->data != NULL);
    if (key.len > 0)
        memcpy(n->data, key.ptr, key.len);
    if (value.len > 0)
        memcpy(n->data + key.len, value.ptr, value.len);
    return n;
}

static void node_free(struct omap_node *n) {
    free(n->data);
    free(n);
}

static int key_cmp(bytes a, bytes b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

void omap_init(struct omap *m) {
    *m = (struct omap){.rng = 88172645463325252u};
    m->head = node_new(LEVELS, bytes_of(NULL, 0), bytes_of(NULL, 0));
}

void omap_clear(struct omap *m) {
    for (struct omap_node *n = m->head; n != NULL;) {
        struct omap_node *next = n->next[0];
        node_free(n);
        n = next;
    }
    m->head = NULL;
}

/* The last nodes before `key` on each level. */
static struct omap_node *find(const struct omap *m, bytes key, struct omap_node *before[LEVELS]) {
    struct omap_node *n = m->head;
    for (int l = LEVELS - 1; l >= 0; l--) {
        while (n->next[l] != NULL && key_cmp(omap_key(n->next[l]), key) < 0)
            n = n->next[l];
        before[l] = n;
    }
    return n->next[0];
}

void omap_put(struct omap *m, bytes key, bytes value) {
    omap_del(m, key);
    struct omap_node *before[LEVELS];
    (void)find(m, key, before);
    m->rng ^= m->rng << 13;
    m->rng ^= m->rng >> 7;
    m->rng ^= m->rng << 17;
    int levels = 1;
    for (uint64_t r = m->rng; (r & 3) == 0 && levels < LEVELS; r >>= 2)
        levels++;
    struct omap_node *n = node_new(levels, key, value);
    for (int l = 0; l < levels; l++) {
        n->next[l] = before[l]->next[l];
        before[l]->next[l] = n;
    }
    m->count++;
}

void omap_del(struct omap *m, bytes key) {
    struct omap_node *before[LEVELS];
    struct omap_node *n = find(m, key, before);
    if (n == NULL || key_cmp(omap_key(n), key) != 0)
        return;
    for (int l = 0; l < n->levels; l++)
        before[l]->next[l] = n->next[l];
    node_free(n);
    m->count--;
}

const struct omap_node *omap_seek(const struct omap *m, bytes key) {
    struct omap_node *before[LEVELS];
    return find(m, key, before);
}

const struct omap_node *omap_next(const struct omap_node *n) {
    return n->next[0];
}
bytes omap_key(const struct omap_node *n) {
    return bytes_of(n->data, n->key_len);
}
bytes omap_value(const struct omap_node *n) {
    return bytes_of(n->data + n->key_len, n->value_len);
}

bool omap_get(const struct omap *m, bytes key, bytes *out) {
    const struct omap_node *n = omap_seek(m, key);
    if (n == NULL || key_cmp(omap_key(n), key) != 0)
        return false;
    *out = omap_value(n);
    return true;
}

bool omap_equal(const struct omap *a, const struct omap *b) {
    const struct omap_node *x = a->head->next[0], *y = b->head->next[0];
    for (; x != NULL && y != NULL; x = x->next[0], y = y->next[0])
        if (key_cmp(omap_key(x), omap_key(y)) != 0 || key_cmp(omap_value(x), omap_value(y)) != 0)
            return false;
    return x == y;
}
