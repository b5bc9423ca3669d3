/* SPDX-License-Identifier: Apache-2.0 */
/* Which accounts and slots a message touches, as an EIP-2930 access list: what it is worth to name
 * in advance. Addresses that are warm anyway are left out unless slots of theirs are touched. */
#ifndef RPC_ACCESS_TRACER_H
#define RPC_ACCESS_TRACER_H

#include "base/map.h"
#include "chain/watch.h"

enum {
    /* A slot or account costs at least 1,900 gas: no message within the call gas cap meets more. */
    ACCESS_ENTRIES_MAX = 1 << 20,
};

struct access_tracer {
    struct exec_watch watch; /* for rpc_simulate */
    struct evm_tracer hooks;
    struct map excluded; /* address */
    struct map accounts; /* address */
    struct map slots;    /* address | slot 32 */
    bool full;           /* out of memory or beyond the limit: the list is not whole */
};
void access_tracer_init(struct access_tracer *t);
void access_tracer_clear(struct access_tracer *t);
void access_tracer_exclude(struct access_tracer *t, const addr20 *a);
/* Entries found so far, from whatever number of runs; a run that adds none has reached the end. */
size_t access_tracer_count(const struct access_tracer *t);
void access_tracer_add(struct access_tracer *t, const struct tx_access *list, size_t count);
/* The list in order of addresses and slots, in `a`. False when the arena is full. */
bool access_tracer_list(const struct access_tracer *t, struct arena *a, struct tx_access **out,
                        size_t *out_count) MUST_USE;

#endif
