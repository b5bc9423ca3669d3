/* SPDX-License-Identifier: Apache-2.0 */
/* Plain accounts and seeded numbers, the same in every measurement that changes state. */
#ifndef NODE_BENCH_ACCOUNTS_H
#define NODE_BENCH_ACCOUNTS_H

#include "base/keccak.h"
#include "state/world.h"

/* splitmix64 */
static inline uint64_t bench_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* An account without code and storage. */
static inline struct account bench_account(uint64_t nonce, const u256 *balance) {
    return (struct account){.nonce = nonce,
                            .balance = *balance,
                            .code_hash = KECCAK_EMPTY,
                            .storage_root = KECCAK_EMPTY_TRIE};
}

static inline hash32 bench_account_hash(uint64_t account) {
    hash32 h;
    keccak256(&h, &account, sizeof(account));
    return h;
}

/* Order of struct world_account_change, for qsort. */
static inline int bench_change_cmp(const void *a, const void *b) {
    const struct world_account_change *x = a, *y = b;
    return memcmp(x->addr_hash.b, y->addr_hash.b, 32);
}

#endif
