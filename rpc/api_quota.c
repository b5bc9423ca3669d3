/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_quota.h"

#include "base/check.h"
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES = 16, MILLI = 1000 };

struct bucket {
    uint64_t milli_units; /* units times 1,000 */
    uint64_t at_ms;       /* as of this time */
};
struct api_quota {
    uint64_t rate;
    struct map backends; /* slug -> struct bucket */
    struct map others;   /* likewise, of any names */
};

struct api_quota *api_quota_new(uint64_t rate) {
    struct api_quota *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return NULL;
    q->rate = rate;
    map_init(&q->backends, KEY_BYTES, sizeof(struct bucket), QUOTA_BUCKETS_MAX, map_seed_random());
    map_init(&q->others, KEY_BYTES, sizeof(struct bucket), QUOTA_BUCKETS_MAX, map_seed_random());
    return q;
}

void api_quota_free(struct api_quota *q) {
    if (q == NULL)
        return;
    map_clear(&q->backends);
    map_clear(&q->others);
    free(q);
}

void api_quota_set_rate(struct api_quota *q, uint64_t rate) {
    if (q->rate != rate) {
        map_reset(&q->backends);
        map_reset(&q->others);
    }
    q->rate = rate;
}

uint64_t api_quota_cost(const struct rpc_method *m) {
    bool heavy = m != NULL && (m->cost == RPC_COST_HEAVY || m->cost == RPC_COST_BRIEF);
    return heavy ? QUOTA_HEAVY : 1;
}

static void fill(const struct api_quota *q, struct bucket *b, uint64_t now_ms) {
    uint64_t full = q->rate * QUOTA_SECONDS * MILLI, passed = now_ms - b->at_ms;
    b->at_ms = now_ms;
    if (passed >= QUOTA_SECONDS * MILLI)
        b->milli_units = full;
    else
        b->milli_units += passed * q->rate;
    if (b->milli_units > full)
        b->milli_units = full;
}

static struct bucket *find(struct api_quota *q, const char *slug, bool keyed, uint64_t now_ms) {
    char key[KEY_BYTES] = {0};
    struct map *buckets = keyed ? &q->backends : &q->others;
    void *value = NULL;
    bool fresh = false;
    memcpy(key, slug, strnlen(slug, API_SLUG_MAX));
    if (map_ensure(buckets, key, &value, &fresh) != ERR_OK) {
        map_reset(buckets); /* all are full again: rarer than the names are many */
        CHECK(map_ensure(buckets, key, &value, &fresh) == ERR_OK);
    }
    struct bucket *b = value;
    if (fresh)
        *b = (struct bucket){.milli_units = q->rate * QUOTA_SECONDS * MILLI, .at_ms = now_ms};
    fill(q, b, now_ms);
    return b;
}

bool api_quota_take(struct api_quota *q, const char *slug, bool keyed, uint64_t units,
                    uint64_t now_ms, struct api_quota_state *out) {
    if (q == NULL || q->rate == 0 || slug[0] == '\0')
        return true;
    struct bucket *b = find(q, slug, keyed, now_ms);
    bool ok = b->milli_units >= units * MILLI;
    if (ok)
        b->milli_units -= units * MILLI;
    if (out != NULL) {
        uint64_t full = q->rate * QUOTA_SECONDS * MILLI, missing = full - b->milli_units;
        *out = (struct api_quota_state){.limit = q->rate * QUOTA_SECONDS,
                                        .remaining = b->milli_units / MILLI,
                                        .reset_s =
                                            (missing + q->rate * MILLI - 1) / (q->rate * MILLI)};
    }
    return ok;
}

bool api_quota_take_kept(struct api_quota *q, const char *slug, bool keyed, size_t len,
                         uint64_t now_ms) {
    uint64_t units = len / QUOTA_KEPT_BYTES, most = q != NULL ? q->rate : 0;
    return api_quota_take(q, slug, keyed, units < most ? units : most, now_ms, NULL);
}
