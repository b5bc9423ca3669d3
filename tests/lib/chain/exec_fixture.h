/* SPDX-License-Identifier: Apache-2.0 */
/* A machine over an empty world for tests of chain/: one open block of the Ethereum profile, a few
 * keys, and short ways to put accounts there and to send transactions. */
#ifndef TESTS_LIB_CHAIN_EXEC_FIXTURE_H
#define TESTS_LIB_CHAIN_EXEC_FIXTURE_H

#include "chain/eth_block.h"

enum { FIXTURE_CHAIN_ID = 1, FIXTURE_BASE_FEE = 7 };

struct exec_fixture {
    struct arena arena;
    struct world *world;
    struct evm_code_cache *cache;
    struct evm *vm;
    struct eth_fork fork;
    struct header header; /* of the open block */
    struct exec x;
    struct tx_result result; /* of the last exec_fixture_send */
    struct receipt receipt;
};

/* Key number i; its address. */
void fixture_key(uint8_t out[32], unsigned i);
addr20 fixture_addr(unsigned i);

/* Block 1 of `rev` is open; accounts 0..3 hold 10^18 wei. */
void exec_fixture_init(struct exec_fixture *f, enum evm_revision rev, enum evm_tier tier);
void exec_fixture_clear(struct exec_fixture *f);
/* Code from hex digits without 0x, nonce 1. */
void exec_fixture_put_code(struct exec_fixture *f, const addr20 *a, const char *hex);
void exec_fixture_put_balance(struct exec_fixture *f, const addr20 *a, uint64_t wei);
/* A transaction of type 2 with a fee cap of 100 wei and no tip, from account `from` with its next
 * nonce; unsigned. */
struct tx exec_fixture_tx(struct exec_fixture *f, unsigned from, const addr20 *to,
                          uint64_t gas_limit);
/* Signs with account `from` and applies. */
enum tx_verdict exec_fixture_send(struct exec_fixture *f, struct tx *tx, unsigned from);

/* Bytes from hex digits, in `a`. */
bytes fixture_hex(struct arena *a, const char *digits);

#endif
