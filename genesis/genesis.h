/* SPDX-License-Identifier: Apache-2.0 */
/* The genesis file and block 0.
 *
 * The file is geth's genesis format - `config`, `alloc`, `timestamp`, `gasLimit` - with one section
 * "callipter" that holds what only this chain has; genesis/README.md lists every key with its
 * default. Block 0 is a function of the file alone (PROTOCOL §2): every consensus parameter is
 * written into system storage (chain/system_slots.def), so its hash binds them all. Header fields
 * that geth's format has and the L3's block 0 fixes (nonce, difficulty, coinbase, extraData,
 * mixHash, baseFeePerGas, ...) are accepted and have no effect; so have the fork switches of
 * `config`, since the chain runs Osaka's rules from its first block. */
#ifndef GENESIS_GENESIS_H
#define GENESIS_GENESIS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/types.h"
#include "base/u256.h"
#include "chain/derive.h"
#include "chain/header.h"
#include "chain/message.h"
#include "state/trie.h"
#include "state/world.h"

enum {
    GENESIS_FILE_MAX_BYTES = 64 << 20,
    GENESIS_OWNERS_MAX = 64,
    GENESIS_CREATORS_MAX = 256, /* accounts that may create universes from the first day */
};
#define GENESIS_GAS_LIMIT_DEFAULT (UINT64_C(1) << 26)
#define GENESIS_GAS_LIMIT_MIN ((uint64_t)LIMIT_BLOCK_GAS_MIN)
#define GENESIS_GAS_LIMIT_MAX LIMIT_BLOCK_GAS_MAX

struct genesis_slot {
    u256 key, value; /* value is not 0 */
};
struct genesis_account {
    addr20 addr;
    u256 balance;
    uint64_t nonce;
    bytes code; /* lives in the genesis' arena, as slots do */
    struct genesis_slot *slots;
    size_t slot_count;
};

/* The consensus parameters of section "callipter", units as in PROTOCOL §3. */
struct genesis_params {
    uint64_t version; /* state-transition version of block 0 */
    u256 min_base_fee_wei;
    u256 congestion_unit_wei;
    uint64_t speed_limit_gas; /* gas per second */
    uint64_t tolerance_s, inertia_s;
    uint64_t da_speed_limit_bytes; /* bytes per second */
    uint64_t da_tolerance_s, da_inertia_s;
    uint64_t k_num, k_den; /* bytes of parent data that one unit of gas pays for */
    u256 parent_wei_per_byte;
    addr20 network_fee_account;
    addr20 *owners;
    size_t owner_count;
    bool universe_creation_open; /* anyone who pays the bond; else only `creators` and owners */
    u256 universe_bond_wei;
    u256 surcharge_cap_wei; /* bound of every universe's Smax */
    addr20 *creators;
    size_t creator_count;
};

/* The bounds of the parent's inbox contract (PROTOCOL §5): configuration of the chain, not
 * consensus of its blocks. */
struct genesis_time_bounds {
    uint64_t delay_blocks, future_blocks, delay_seconds, future_seconds;
};

struct genesis {
    struct chain_config config;
    uint64_t parent_chain_id; /* valid if config.has_parent */
    uint64_t timestamp;
    uint64_t gas_limit;
    struct genesis_params params;
    struct genesis_time_bounds bounds;
    struct genesis_account *alloc; /* predeploys included, ascending addresses, no duplicates */
    size_t alloc_count;
    u256 supply_wei;    /* sum of all balances */
    struct arena arena; /* owns what the pointers above point to */
};

/* Reads a file, or text of `len` bytes, into *out, which genesis_clear ends. Errors carry the path
 * of the key and its value: ERR_IO, ERR_PARSE (not JSON), ERR_CONFIG (a key or value),
 * ERR_TOO_LARGE, ERR_VERSION. On error nothing is kept. */
enum err genesis_load(struct genesis *out, const char *path, struct err_ctx *ec) MUST_USE;
enum err genesis_parse(struct genesis *out, const char *json, size_t len,
                       struct err_ctx *ec) MUST_USE;
/* The built-in development chain: id 41337, no parent, ten accounts of GENESIS_DEV_MNEMONIC with
 * 10,000 ETH each, owned by the first of them; fees go to the eleventh. */
void genesis_dev(struct genesis *out);
void genesis_clear(struct genesis *g);

#define GENESIS_DEV_CHAIN_ID UINT64_C(41337)
#define GENESIS_DEV_MNEMONIC "test test test test test test test test test test test junk"
enum { GENESIS_DEV_ACCOUNTS = 10 };
/* Key and address of development account `idx` (m/44'/60'/0'/0/idx). About 2 ms. */
void genesis_dev_account(uint32_t idx, uint8_t out_key[32], addr20 *out_addr);

/* A chain with a parent must not create money out of nothing: ERR_CONFIG if it has a parent and
 * funded accounts, unless `unbacked_alloc` (PROTOCOL §3). */
enum err genesis_check_backing(const struct genesis *g, bool unbacked_alloc,
                               struct err_ctx *ec) MUST_USE;

struct genesis_block {
    struct header header;
    hash32 hash;
    struct world_diff diff; /* lives in `a`; storage roots filled in */
};
/* Writes block 0 into an empty world and trie and ends the world's block. */
void genesis_build(struct genesis_block *out, const struct genesis *g, struct world *w,
                   struct state_trie *t, struct arena *a);

/* Message 0 must be kind 11 for this chain: same chain id, and a chainConfig JSON whose
 * callipter.genesisBlockHash is `genesis_hash`; its initial price is ignored. ERR_MISMATCH with the
 * reason. */
enum err genesis_check_initialize(const struct genesis *g, const hash32 *genesis_hash,
                                  const struct message *m, struct err_ctx *ec) MUST_USE;

#endif
