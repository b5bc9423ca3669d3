/* SPDX-License-Identifier: Apache-2.0 */
/* A world in RAM for tests of the machine alone: accounts, storage, warm marks, logs, and a journal
 * that remembers overwritten bytes. Written for plainness: it is the oracle's other half. */
#ifndef TESTS_LIB_EVM_FAKE_WORLD_H
#define TESTS_LIB_EVM_FAKE_WORLD_H

#include "evm/evm.h"

struct fake_account {
    struct fake_account *next;
    addr20 addr;
    bool exists;
    bool warm;
    bool created; /* in this transaction */
    bool destroyed;
    uint64_t nonce;
    u256 balance;
    bytes code; /* owned by the world until it is freed */
    hash32 code_hash;
    struct evm_code_handle handle;
};

struct fake_slot {
    struct fake_slot *next;
    addr20 addr;
    u256 key;
    bool transient;
    bool warm;
    u256 original;
    u256 value;
};

struct fake_world;

struct fake_world *fake_world_new(void);
void fake_world_free(struct fake_world *w);
struct evm_host fake_world_host(struct fake_world *w);
/* A new transaction: warm marks, transient storage, logs and the journal are dropped. */
void fake_world_next_tx(struct fake_world *w);

/* Setting up, and looking. Absent accounts and slots are made. */
struct fake_account *fake_account(struct fake_world *w, const addr20 *a);
struct fake_slot *fake_slot(struct fake_world *w, const addr20 *a, const u256 *key);
void fake_set_code(struct fake_world *w, const addr20 *a, bytes code);
/* Value and original value. */
void fake_set_storage(struct fake_world *w, const addr20 *a, const u256 *key, const u256 *v);

/* Answers calls to this address itself when set: echoes the input and takes 100 gas. */
void fake_set_system_address(struct fake_world *w, const addr20 *a);

/* Number of logs, and a digest of them in order. */
size_t fake_log_count(const struct fake_world *w);
hash32 fake_log_digest(const struct fake_world *w);
/* A digest of all that a transaction leaves: accounts, storage, marks; independent of order. */
hash32 fake_state_digest(const struct fake_world *w);

/* Address 0x00…00<n>. */
addr20 fake_addr(uint64_t n);

#endif
