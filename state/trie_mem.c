/* SPDX-License-Identifier: Apache-2.0 */
#include "state/trie_mem.h"

#include "base/check.h"

#include <string.h>

void tmem_clear(struct tmem *m) {
    slabs_clear(&m->slabs);
    *m = (struct tmem){.live_bytes = 0};
}

static void put_free(struct tmem *m, void *p, unsigned size_class) {
    memcpy(p, &m->free_list[size_class], sizeof(void *));
    m->free_list[size_class] = p;
}

void *tmem_take(struct tmem *m, unsigned size_class) {
    CHECK(size_class > 0);
    CHECK(size_class < TMEM_CLASSES);
    size_t len = (size_t)size_class * TMEM_STEP;
    m->live_bytes += len;
    void *p = m->free_list[size_class];
    if (p != NULL) {
        memcpy(&m->free_list[size_class], p, sizeof(void *));
        return p;
    }
    /* What is left of the slab, which the slabs would forget, goes to the list of its own class. */
    unsigned rest = (unsigned)(m->slabs.left / TMEM_STEP);
    if (rest > 0 && rest < size_class)
        put_free(m, m->slabs.bump, rest);
    return slabs_take(&m->slabs, len, TMEM_STEP);
}

void tmem_give(struct tmem *m, void *p, unsigned size_class) {
    m->live_bytes -= (size_t)size_class * TMEM_STEP;
    put_free(m, p, size_class);
}
