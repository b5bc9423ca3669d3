/* SPDX-License-Identifier: Apache-2.0 */
/* tests/vectors/orbit/vectors.json, which the parent's real contracts made, and how to read it. */
#ifndef TESTS_LIB_BRIDGE_ORBIT_H
#define TESTS_LIB_BRIDGE_ORBIT_H

#include "base/arena.h"
#include "base/types.h"
#include "base/u256.h"
#include "bridge/inbox.h"

#include <jansson.h>

/* A vectors file in memory. */
struct orbit {
    json_t *doc;
    struct arena arena; /* owns what the readers below return */
};
void orbit_load(struct orbit *o);
void orbit_clear(struct orbit *o);

/* Members of an object by key; each CHECKs that it is there and well-formed. Numbers may be JSON
 * integers or decimal text. */
bytes orbit_bytes(struct orbit *o, const json_t *object, const char *key);
hash32 orbit_hash(const json_t *object, const char *key);
addr20 orbit_addr(const json_t *object, const char *key);
uint64_t orbit_u64(const json_t *object, const char *key);
u256 orbit_u256(const json_t *object, const char *key);

/* Delayed message idx, and the two logs that the contracts made for it. */
const json_t *orbit_delayed(const struct orbit *o, size_t idx);
size_t orbit_delayed_count(const struct orbit *o);
struct delayed_message orbit_message(struct orbit *o, size_t idx);
struct parent_log orbit_event_log(struct orbit *o, size_t idx);
struct parent_log orbit_content_log(struct orbit *o, size_t idx);

#endif
