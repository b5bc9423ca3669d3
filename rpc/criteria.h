/* SPDX-License-Identifier: Apache-2.0 */
/* The criteria of a log filter or subscription, kept beyond the call that brought them. All of a
 * node's together stay below RPC_CRITERIA_BYTES_MAX. */
#ifndef RPC_CRITERIA_H
#define RPC_CRITERIA_H

#include "rpc/params.h"

#include <stdatomic.h>

enum { RPC_CRITERIA_BYTES_MAX = 64 << 20 };

struct rpc_criteria {
    struct filter_args args; /* its lists lie behind this struct */
    size_t len;              /* bytes, with the lists */
    atomic_size_t *used;     /* what all together have */
};

/* A copy. NULL: no memory, or it would pass the limit. */
struct rpc_criteria *rpc_criteria_new(const struct filter_args *args, atomic_size_t *used) MUST_USE;
void rpc_criteria_free(struct rpc_criteria *c);

#endif
