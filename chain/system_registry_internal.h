/* SPDX-License-Identifier: Apache-2.0 */
/* What the registry's handlers share (genesis/contracts/src/IUniverseRegistry.sol is their
 * contract):
 *
 *   system_registry.c         universes, roles, status, metadata, gas accounts
 *   system_registry_policy.c  who is paid for
 *   system_registry_deploy.c  deployers, the factory, tolls, the chain owners' settings
 *   system_registry_views.c   questions
 *
 * Handlers refuse input that is not canonical with an empty revert. */
#ifndef CHAIN_SYSTEM_REGISTRY_INTERNAL_H
#define CHAIN_SYSTEM_REGISTRY_INTERNAL_H

#include "chain/system_call_internal.h"
#include "chain/universe.h"

enum {
    ROLE_DEPLOY = 1,
    ROLE_OPERATE = 2,
    ROLE_POLICY = 4,
    ROLE_PAUSE = 8,
    ROLES_ALL = 15,
    ROLE_NONE = 0, /* the owner alone */
};
enum { REGISTRY_META_MAX_BYTES = 1024, REGISTRY_ROLES_MAX = 256, REGISTRY_SLUG_BYTES = 14 };

/* A custom error by its Solidity signature; its arguments follow by put_word & co. REVERT. */
enum evm_status registry_error(struct call *c, const char *signature);

/* Argument 0 as the id of a universe whose owner, or holder of `role`, the caller is. Else gives
 * the revert to return. Not archived. */
enum evm_status registry_enter(struct call *c, uint64_t role, u256 *out_id) MUST_USE;
/* The same without asking who calls. */
enum evm_status registry_enter_any(struct call *c, u256 *out_id) MUST_USE;
/* Whether `a` is owner of the universe, or holds all of `roles` (not 0) now. */
bool registry_is_allowed(struct call *c, const u256 *id, const addr20 *a, uint64_t roles);
/* NotAuthorized */
enum evm_status registry_refuse(struct call *c, const u256 *id, const addr20 *a, uint64_t role);
/* Header seconds. */
uint64_t registry_now(const struct call *c);
/* Adds to a field; false, and nothing written, when it cannot hold the sum. */
bool registry_add(struct call *c, enum system_field f, const u256 *key, const u256 *d) MUST_USE;
/* Word i as a number of at most `bits` bits; as an address that is not zero. Else false. */
bool registry_arg(const struct call *c, size_t i, unsigned bits, u256 *out) MUST_USE;

/* A log: topics, then data, in the order of the event's declaration. */
struct event {
    hash32 topics[4];
    uint8_t topic_count;
    size_t len;
    uint8_t data[96 + REGISTRY_META_MAX_BYTES];
};
/* topic 0 from the signature, topic 1 is the first indexed word. */
struct event event_of(const char *signature, const u256 *first);
/* The next indexed word. */
void event_topic(struct event *e, const u256 *v);
void event_topic_addr(struct event *e, const addr20 *a);
void event_word(struct event *e, const u256 *v);
void event_u64(struct event *e, uint64_t v);
/* A dynamic value that comes last: its offset, length and padded content. */
void event_bytes(struct event *e, bytes data);
void event_emit(const struct event *e, struct call *c);

#endif
