/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/criteria.h"

#include "base/check.h"

#include <stdlib.h>

static size_t lists_len(const struct index_filter *f) {
    size_t len = f->address_count * sizeof(addr20);
    for (size_t t = 0; t < f->topic_count; t++)
        len += f->topics[t].count * sizeof(hash32);
    return len;
}

struct rpc_criteria *rpc_criteria_new(const struct filter_args *args, atomic_size_t *used) {
    const struct index_filter *f = &args->filter;
    size_t len = sizeof(struct rpc_criteria) + lists_len(f);
    size_t before = atomic_fetch_add(used, len);
    struct rpc_criteria *c = before + len <= RPC_CRITERIA_BYTES_MAX ? malloc(len) : NULL;
    if (c == NULL) {
        atomic_fetch_sub(used, len);
        return NULL;
    }
    *c = (struct rpc_criteria){.args = *args, .len = len, .used = used};
    /* Both kinds of values are plain bytes: no padding is needed between them. */
    _Static_assert(_Alignof(addr20) == 1 && sizeof(addr20) == 20, "addresses are packed");
    uint8_t *at = (uint8_t *)(c + 1);
    for (size_t t = 0; t < f->topic_count; t++) {
        size_t n = f->topics[t].count * sizeof(hash32);
        c->args.filter.topics[t].values = n > 0 ? (const hash32 *)(void *)at : NULL;
        if (n > 0)
            memcpy(at, f->topics[t].values, n);
        at += n;
    }
    c->args.filter.addresses = f->address_count > 0 ? (const addr20 *)(void *)at : NULL;
    if (f->address_count > 0)
        memcpy(at, f->addresses, f->address_count * sizeof(addr20));
    return c;
}

void rpc_criteria_free(struct rpc_criteria *c) {
    if (c == NULL)
        return;
    size_t before = atomic_fetch_sub(c->used, c->len);
    CHECK(before >= c->len);
    free(c);
}
