/* SPDX-License-Identifier: Apache-2.0 */
/* How much each universe may ask of this node, so that one cannot take the others' share: a bucket
 * of units that fills at a rate and holds two seconds' worth. What came with one of the universe's
 * secret keys and what came without (wallets on /u/<slug>, and publishable keys, which every player
 * has) have buckets of their own, so that strangers cannot empty the backend's. Loop's thread only.
 *
 * Limit: QUOTA_BUCKETS_MAX of each kind; when they are used up, all of the kind are forgotten and
 * full again. Names that nobody has can use up those without a key alone. */
#ifndef RPC_API_QUOTA_H
#define RPC_API_QUOTA_H

#include "rpc/api.h"

enum { QUOTA_BUCKETS_MAX = 1 << 17, QUOTA_SECONDS = 2, QUOTA_HEAVY = 5, QUOTA_KEPT_BYTES = 64 };

struct api_quota;
/* `rate`: units a second; 0: no limit. */
struct api_quota *api_quota_new(uint64_t rate) MUST_USE;
void api_quota_free(struct api_quota *q);
/* From now on; all buckets are full. */
void api_quota_set_rate(struct api_quota *q, uint64_t rate);

/* As clients are told. */
struct api_quota_state {
    uint64_t limit, remaining; /* units; limit 0: there is none */
    uint64_t reset_s;          /* until the bucket is full */
};
/* Units of a method. */
uint64_t api_quota_cost(const struct rpc_method *m);
/* Takes units from a universe's bucket; false when there are too few, and none is taken. `out` may
 * be NULL. */
bool api_quota_take(struct api_quota *q, const char *slug, bool keyed, uint64_t units,
                    uint64_t now_ms, struct api_quota_state *out);
/* For what is kept on disk though no transaction pays for it, beside the units of its method: one
 * for each QUOTA_KEPT_BYTES, at most a second's worth. */
bool api_quota_take_kept(struct api_quota *q, const char *slug, bool keyed, size_t len,
                         uint64_t now_ms);

#endif
