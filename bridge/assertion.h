/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions about the chain in the parent's rollup contract (BoLD), as far as a committee confirms
 * them: structures, hashes, the confirming call, events.
 *
 *   state hash     = keccak(abi.encode(state)), six words
 *   assertion hash = keccak(parent hash | state hash | inbox acc)
 *   config hash    = keccak(wasmModuleRoot 32 | requiredStake 32 | challengeManager 20
 *                           | confirmPeriodBlocks 8 | nextInboxPosition 8)
 *
 * inbox acc is sequencerInboxAccs(position - 1), so an assertion binds the batches it is about.
 *
 * Source: nitro-contracts 3.2.0, RollupLib, AssertionState. */
#ifndef BRIDGE_ASSERTION_H
#define BRIDGE_ASSERTION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"
#include "bridge/parent_log.h"

enum machine_status { MACHINE_RUNNING = 0, MACHINE_FINISHED = 1, MACHINE_ERRORED = 2 };
enum assertion_status { ASSERTION_NONE = 0, ASSERTION_PENDING = 1, ASSERTION_CONFIRMED = 2 };

struct assertion_state {
    hash32 block_hash;
    hash32 send_root;
    uint64_t inbox_position;      /* batches consumed */
    uint64_t position_in_message; /* 0: always whole batches here */
    enum machine_status machine_status;
    hash32 end_history_root;
};

struct assertion_config {
    hash32 wasm_module_root;
    u256 required_stake;
    addr20 challenge_manager;
    uint64_t confirm_period_blocks;
    uint64_t next_inbox_position; /* where a child must end */
};

/* AssertionInputs: what creating a child of an assertion needs. */
struct assertion_inputs {
    hash32 prev_prev_hash;      /* parent of the assertion that the child builds on */
    hash32 sequencer_batch_acc; /* inbox acc of the assertion that the child builds on */
    struct assertion_config config;
    struct assertion_state before; /* state of the assertion that the child builds on */
    struct assertion_state after;
};

/* The rollup's first assertion: everything zero, finished, confirmed from the start. */
struct assertion_state assertion_genesis_state(void);
hash32 assertion_state_hash(const struct assertion_state *s);
hash32 assertion_hash(const hash32 *parent, const struct assertion_state *s,
                      const hash32 *inbox_acc);
hash32 assertion_config_hash(const struct assertion_config *c);

/* The 19 words of AssertionInputs; all static, so the same inside any call. */
enum { ASSERTION_INPUTS_WORDS = 19, ASSERTION_STATE_WORDS = 6 };
void assertion_put_inputs(struct buf *b, const struct assertion_inputs *in);
/* Calldata of Rollup.fastConfirmNewAssertion(inputs, expected hash). */
void assertion_fast_confirm_calldata(struct buf *b, const struct assertion_inputs *in,
                                     const hash32 *expected);

struct assertion_created {
    hash32 hash, parent;
    struct assertion_inputs inputs;
    hash32 after_inbox_acc;         /* inbox acc of the new assertion */
    struct assertion_config config; /* what a child of the new assertion must give */
    uint64_t block_num;
    hash32 tx_hash;
};
/* ERR_PARSE; ERR_MISMATCH: the hash is not that of the contents. */
enum err assertion_parse_created(struct assertion_created *out,
                                 const struct parent_log *l) MUST_USE;
struct assertion_confirmed {
    hash32 hash, block_hash, send_root;
    uint64_t block_num;
    hash32 tx_hash;
};
enum err assertion_parse_confirmed(struct assertion_confirmed *out,
                                   const struct parent_log *l) MUST_USE;

/* The inputs of a child of `prev` that ends in `after`. */
struct assertion_inputs assertion_child(const struct assertion_created *prev,
                                        const struct assertion_state *after);

/* Answer of getAssertion. */
struct assertion_node {
    uint64_t first_child_block, second_child_block, created_at_block;
    bool is_first_child;
    enum assertion_status status;
    hash32 config_hash;
};
enum err assertion_parse_node(struct assertion_node *out, bytes returned) MUST_USE;

/* wasmModuleRoot for a binary whose highest state-transition version is `version`:
 * keccak("callipter" | u64), PROTOCOL §2. */
hash32 assertion_module_root(uint64_t version);

/* --- the m-of-n confirmer (bridge/contracts/src/Confirmer.sol) --- */

/* What a member signs (EIP-712): Confirm(bytes32 expectedAssertionHash) in the domain
 * {name "CallipterConfirmer", version "1", parent's chain id, the contract}. */
hash32 confirmer_digest(uint64_t parent_chain_id, const addr20 *confirmer, const hash32 *expected);
enum { CONFIRMER_SIGNATURE_BYTES = 65 /* r | s | v, v 27 or 28 */, CONFIRMER_MEMBERS_MAX = 64 };
struct confirmer_signature {
    addr20 signer;
    uint8_t sig[CONFIRMER_SIGNATURE_BYTES];
};
enum err confirmer_sign(struct confirmer_signature *out, const hash32 *digest,
                        const uint8_t key[32]) MUST_USE;
/* Whether sig is of signer over digest, with low s. */
bool confirmer_signature_ok(const struct confirmer_signature *s, const hash32 *digest);
/* Calldata of Confirmer.confirm(inputs, expected hash, signatures). The contract wants signers in
 * ascending order, which this sees to; n <= CONFIRMER_MEMBERS_MAX. */
void confirmer_calldata(struct buf *b, const struct assertion_inputs *in, const hash32 *expected,
                        const struct confirmer_signature *sigs, size_t n);

#endif
