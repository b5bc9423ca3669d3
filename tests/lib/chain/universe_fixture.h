/* SPDX-License-Identifier: Apache-2.0 */
/* Universes on the fixture's chain (tests/lib/chain/l3_fixture.h): the factory stands in block 0,
 * creation is open, account 0 owns the chain; calls of the registry by signature; small contracts.
 */
#ifndef TESTS_LIB_CHAIN_UNIVERSE_FIXTURE_H
#define TESTS_LIB_CHAIN_UNIVERSE_FIXTURE_H

#include "chain/system_state.h"
#include "chain/universe.h"
#include "tests/lib/chain/l3_fixture.h"

#define ETHER UINT64_C(1000000000000000000)
extern const addr20 FIXTURE_FACTORY; /* 0x…7501 */

/* Words of calldata. */
#define W(x) u256_from_u64(x)
#define A(a) u256_from_addr(&(a))
#define WORDS(...) (const u256[]){__VA_ARGS__}, sizeof((const u256[]){__VA_ARGS__}) / sizeof(u256)
#define NO_WORDS NULL, 0

extern const struct fixture_options universe_options;

/* Selector of the signature and the words, in f's arena. */
bytes abi_call(struct fixture *f, const char *signature, const u256 *words, size_t count);
/* A transaction of account `from` to the registry, in a block of its own. */
struct derived_tx registry_run(struct fixture *f, int from, uint64_t value, const char *signature,
                               const u256 *words, size_t count);
/* The same, which must succeed. */
void registry_ok(struct fixture *f, int from, uint64_t value, const char *signature,
                 const u256 *words, size_t count);
/* The same by eth_call: what a revert says. Success: no words. */
struct call_result registry_ask(struct fixture *f, int from, uint64_t value, const char *signature,
                                const u256 *words, size_t count);
/* Word `i` of a view's answer, which must succeed. */
u256 registry_view(struct fixture *f, size_t i, const char *signature, const u256 *words,
                   size_t count);
uint64_t registry_view_u64(struct fixture *f, const char *signature, const u256 *words,
                           size_t count);
/* Whether an answer reverts with this custom error. */
bool reverts_with(const struct call_result *r, const char *signature);

/* A universe of account `owner` with slug `slug`. */
uint64_t make_universe(struct fixture *f, int owner, const char *slug);
u256 slug_word(const char *slug);
/* Init code that leaves `runtime` behind, in f's arena. */
bytes init_code(struct fixture *f, bytes runtime);
/* Deploys `init` for `from` through the factory; gives where. Must succeed. */
addr20 factory_deploy(struct fixture *f, int from, uint64_t id, uint64_t salt, bytes init);
/* Makes universe `id` pay for calls of `target` with less than four bytes of calldata: budgets of
 * `limit` wei an hour, 1 ether in the gas account, everything else wide open. */
void make_sponsor(struct fixture *f, int owner, uint64_t id, const addr20 *target, uint64_t limit);
/* Makes it pay for calls of `target` with this call's function. */
void add_target(struct fixture *f, int owner, uint64_t id, const addr20 *target, bytes call);
/* Universe *out_id, "u", of account `owner`, with one contract that runs `runtime`: where it is. */
addr20 make_contract(struct fixture *f, int owner, uint64_t *out_id, bytes runtime);
/* The same, and it pays for calls of the contract as make_sponsor has it. */
addr20 make_sponsored(struct fixture *f, int owner, uint64_t *out_id, bytes runtime,
                      uint64_t limit);
/* As fixture_tx, with a fee cap of 0. */
struct tx *free_tx(struct fixture *f, int from, const addr20 *to, bytes data, uint64_t gas);
/* What applies to a transaction in a block of its own: its verdict. */
enum tx_verdict verdict_of(struct fixture *f, struct tx *tx);

uint64_t attribution_of(struct fixture *f, const addr20 *a);
u256 gas_account(struct fixture *f, uint64_t id);

#endif
