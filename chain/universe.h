/* SPDX-License-Identifier: Apache-2.0 */
/* Universes, the part that is consensus (PROTOCOL §3, §4): which universe a contract and a
 * transaction belong to, who pays, the toll, pausing. All of it is storage of the registry
 * (chain/system_slots.def), read and written without gas; what accounts may change there is
 * chain/system_registry.c.
 *
 * A contract belongs to the universe U if (1) the registry's factory created it for one of U's
 * roles, (2) a contract of U created it, or (3) it came from a creation transaction of one of U's
 * deployers. That is written when the contract gets its nonce and never moves; it reverts with the
 * frame, and goes with a contract that is destroyed in its creating transaction. */
#ifndef CHAIN_UNIVERSE_H
#define CHAIN_UNIVERSE_H

#include "base/buf.h"
#include "chain/exec.h"
#include "chain/fees.h"
#include "chain/system_state.h"

enum universe_status { UNIVERSE_NONE, UNIVERSE_ACTIVE, UNIVERSE_PAUSED, UNIVERSE_ARCHIVED };

enum {
    UNIVERSE_SLUG_BYTES = 14,
    UNIVERSE_MATCH_READS_MAX = 16,        /* slots that a static match may look at */
    UNIVERSE_MAX_DATA_DEFAULT = 4096,     /* bytes, of a policy that nobody set */
    UNIVERSE_UPGRADE_DELAY_MIN_S = 3600,  /* of surcharge parameters; also the first delay */
    UNIVERSE_CREATED_MAX_BYTES = 1 << 16, /* addresses of one transaction's creations: 20 bytes for
                                             each 32,000 gas of at most 2^24 */
};

#define UNIVERSE_UPGRADE_DELAY_MAX_S (UINT64_C(1) << 32)

enum sponsor_rule {
#define SPONSOR_RULE(id, name) SPONSOR_##id,
#include "chain/sponsor_rules.def"
#undef SPONSOR_RULE
    SPONSOR_RULE_COUNT
};
const char *sponsor_rule_name(enum sponsor_rule r);

/* --- questions --------------------------------------------------------------------------- */

/* The universe of a contract; 0 for everything else. */
uint64_t universe_of(struct world *w, const addr20 *contract);
/* universe(tx): that of `to`; for a creation that whose deployer the sender is. */
uint64_t universe_of_tx(struct world *w, const struct tx *tx);
/* The universe with this slug; 0 if there is none, or it cannot be a slug. */
uint64_t universe_by_slug(struct world *w, const char *slug);
/* Whether `to` belongs to a universe that is paused or archived. */
bool universe_is_paused(struct world *w, const addr20 *to);
/* Never attributed, never a deployer: system addresses, zero, and what is flagged so. */
bool universe_unattributable(struct world *w, const addr20 *a);

/* Whether universe `id` would pay for `tx` with gas limit `gas` at price P, or the first rule that
 * says no. Reads at most UNIVERSE_MATCH_READS_MAX slots and runs no code; recovers one authority
 * at most. `now_s` is header time. tx->sender must be known. */
enum sponsor_rule universe_sponsor_rule(struct world *w, uint64_t id, const struct tx *tx,
                                        uint64_t gas, const u256 *price, uint64_t now_s);

/* A target's key word: contract << 40 | short << 32 | the first four bytes of `data`, which are 0
 * and short 1 where there are fewer. */
u256 sponsor_target_key(const addr20 *contract, bytes data);

/* The toll's parameters in force at `now_s`: those that were scheduled, once their time has come.
 */
struct universe_toll {
    struct fee_surcharge fees; /* cap_wei is the chain's, if that is lower; speed limit 0: none */
    uint64_t upgrade_delay_s;
};
struct universe_toll universe_toll(struct world *w, uint64_t id, uint64_t now_s);
/* S, wei per gas; 0 for universe 0. */
u256 universe_surcharge(struct world *w, uint64_t id, uint64_t now_s);
/* Where they are: Solidity's struct Surcharge in its order, then the upgrade delay. */
enum { UNIVERSE_TOLL_DELAY = 6, UNIVERSE_TOLL_FIELDS };
extern const enum system_field UNIVERSE_TOLL_IN_FORCE[UNIVERSE_TOLL_FIELDS];
extern const enum system_field UNIVERSE_TOLL_SCHEDULED[UNIVERSE_TOLL_FIELDS];

/* Wei of the window beside them that count at `now_s`: 0 when that window is over. */
u256 universe_budget_spent(const u256 *spent, uint64_t window, uint64_t seconds, uint64_t now_s);
/* Adds to, or takes from, a gas account, the sum of all and the registry's balance, together.
 * False, and nothing changed: too little there (take), or more than 256 bits hold (add). */
bool universe_gas_add(struct world *w, uint64_t id, const u256 *wei) MUST_USE;
bool universe_gas_take(struct world *w, uint64_t id, const u256 *wei) MUST_USE;

/* --- around a transaction ---------------------------------------------------------------- */

struct attribution {
    addr20 contract;
    uint64_t universe;
    size_t tx_idx;
};

/* The running transaction; one per executor, zeroed at first. */
struct universe_run {
    uint64_t now_s;
    bool sponsored;       /* a universe pays: `redeem` must revert (SponsoredRedeem) */
    uint64_t creates_for; /* universe of the contract that the transaction itself creates, or 0 */
    addr20 creates;
    uint64_t budget_seconds, user_seconds; /* of the windows that were debited; 0: none */
    struct buf created; /* addresses attributed in it, those of reverted frames too */
};
void universe_run_init(struct universe_run *r);
void universe_run_clear(struct universe_run *r);

/* After world_tx_begin, before anything else changes: what a sponsor pays is taken (charge as
 * filled by the rules). */
void universe_tx_begin(struct world *w, struct universe_run *r, const struct tx *tx,
                       const struct tx_charge *c, uint64_t now_s);
/* After the last instruction: gives the sponsor back what was not used, credits S to the universe,
 * feeds its backlog, and forgets what was destroyed. P is not moved here. */
void universe_tx_end(struct world *w, struct universe_run *r, const struct tx *tx,
                     const struct tx_charge *c, uint64_t gas_used);
/* struct tx_rules.on_create. */
void universe_on_create(struct world *w, struct universe_run *r, const addr20 *created,
                        const addr20 *creator);
/* Contracts attributed in the transaction that just ended and still there: each once, in order of
 * their first creation. `fn` gets each. */
void universe_each_created(struct world *w, const struct universe_run *r, void *ctx,
                           void (*fn)(void *ctx, const addr20 *contract, uint64_t universe));

/* The factory's deployment in progress: 0 or a universe. Lives in the registry's transient storage,
 * so it reverts with the frame and ends with the transaction. */
uint64_t universe_deploying(struct world *w);
void universe_set_deploying(struct world *w, uint64_t id);

#endif
