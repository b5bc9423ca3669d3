/* SPDX-License-Identifier: Apache-2.0 */
/* The Ethereum profile: blocks of Shanghai, Cancun, Prague and Osaka as execution-specs define
 * them, for conformance. Withdrawals (EIP-4895), blob gas (EIP-4844, 7691, 7892, 7918), system
 * calls (EIP-4788, 2935), requests (EIP-6110, 7002, 7251, 7685), gas cap of a transaction
 * (EIP-7825), blobs of a transaction (EIP-7594), block size (EIP-7934). */
#ifndef CHAIN_ETH_BLOCK_H
#define CHAIN_ETH_BLOCK_H

#include "base/arena.h"
#include "base/err.h"
#include "chain/exec.h"
#include "chain/header.h"

enum {
    ETH_TX_GAS_CAP = 1 << 24,                         /* EIP-7825 */
    ETH_TX_BLOBS_MAX = 6,                             /* EIP-7594 */
    ETH_BLOCK_RLP_MAX_BYTES = (10 << 20) - (2 << 20), /* EIP-7934: 10 MiB less a margin of 2 MiB */
    ETH_EXTRA_DATA_MAX_BYTES = 32,
};

struct eth_blob_params {
    uint64_t target; /* blobs per block */
    uint64_t max;
    uint64_t base_fee_update_fraction;
};
/* Rules in force at a timestamp. */
struct eth_fork {
    enum evm_revision revision;
    struct eth_blob_params blob; /* all 0 before Cancun */
};
/* UINT256_MAX where the exact value exceeds 256 bits. */
u256 eth_blob_base_fee(const struct eth_blob_params *p, uint64_t excess_blob_gas);
/* Excess blob gas and base fee of the block after `parent`; `fork` is that block's. */
uint64_t eth_next_excess_blob_gas(const struct eth_fork *fork, const struct header *parent);
u256 eth_next_base_fee(const struct header *parent);

extern const struct tx_rules eth_tx_rules;

/* Sets in *x what depends on fork and header: rules, revision, block context, gas and blob
 * counters, limits. The rest (world, machine, tier, chain id, block_hash) is the caller's. */
void eth_exec_begin(struct exec *x, const struct eth_fork *fork, const struct header *h);

enum eth_fault {
#define FAULT(name, text) ETH_FAULT_##name,
#include "chain/eth_faults.def"
#undef FAULT
    ETH_FAULT_COUNT
};
const char *eth_fault_name(enum eth_fault f);
const char *eth_fault_text(enum eth_fault f);

struct eth_block_result {
    struct header header; /* of the block as decoded */
    hash32 hash;
    struct receipt *receipts; /* live in the arena */
    size_t tx_count;
    /* Why it was refused; set in failure too, unlike the rest. */
    enum eth_fault fault;
    enum tx_verdict verdict; /* with TX_INVALID */
    enum err tx_err;         /* with TX_DECODE */
};

/* Validates and executes a block given as RLP on top of `parent` (whose hash is `parent_hash`),
 * over a world at the parent's state. `x` brings world, machine, tier, chain id and block_hash. On
 * success the world is at the block's end with world_block_end not yet called; the state root is
 * the caller's to compute from there and to compare with the header's. ERR_INVALID, ERR_RLP or
 * ERR_SIGNATURE with a sentence naming the broken rule: the world's block was abandoned. */
enum err eth_block_apply(struct eth_block_result *out, struct exec *x, struct arena *a,
                         const struct eth_fork *fork, const struct header *parent,
                         const hash32 *parent_hash, bytes rlp, struct err_ctx *ec) MUST_USE;

/* --- shared by the files of the profile ------------------------------------------------------- */

/* Header rules that need nothing but the parent (execution-specs `validate_header`). */
enum eth_fault eth_check_header(const struct eth_fork *fork, const struct header *parent,
                                const hash32 *parent_hash, const struct header *h) MUST_USE;
/* A system call (EIP-4788, 2935, 7002, 7251): 30M gas from the system address, as a transaction of
 * its own. Output is borrowed from the machine until its next run. */
void eth_system_call(struct exec *x, const addr20 *contract, bytes input, struct evm_result *out);
/* Requests of the block (EIP-6110, 7002, 7251) and their hash (EIP-7685), after the last
 * transaction and withdrawal. */
enum eth_fault eth_collect_requests(struct exec *x, const struct receipt *receipts, size_t count,
                                    hash32 *out_hash) MUST_USE;

#endif
