/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of chain/system_calls.def share. One file per system address holds them
 * (system_<name>.c); a row of the table names its handler, which chain/system_call.c has looked at
 * already: enough argument words, allowed kind of call, base gas and gas of the input charged.
 *
 * A handler charges what it touches as it goes and need not look at the gas after each step: when
 * `gas` is negative at its end, the call is out of gas and all its changes are undone. Loops whose
 * length a caller chooses ask call_is_spent. */
#ifndef CHAIN_SYSTEM_CALL_INTERNAL_H
#define CHAIN_SYSTEM_CALL_INTERNAL_H

#include "chain/l3_rules.h"
#include "chain/system_call.h"
#include "chain/system_state.h"
#include "evm/gas.h"

/* One call being answered. */
struct call {
    struct exec *x;
    const struct l3_block *block;
    const struct evm_message *msg; /* sender, value and kind; never DELEGATECALL in a handler that
                                      is not PURE */
    addr20 self;                   /* the system address */
    bytes args;                    /* after the selector */
    bool is_static;
    uint32_t depth; /* 0: called by the transaction itself */
    int64_t gas;    /* left; negative: spent more than there was */
    int64_t refund; /* EIP-3529 counter */
    struct buf *out;
    uint32_t selector;
};
typedef enum evm_status (*call_handler)(struct call *c);

/* --- arguments ----------------------------------------------------------------------------- */

/* Word `i`; the row's argument words bound i. */
u256 arg(const struct call *c, size_t i);
hash32 arg_hash(const struct call *c, size_t i);
/* Word `i` as an address, a uint64 or a bool. False when it has bits above (Solidity's decoder
 * reverts then, with empty data). */
bool arg_addr(const struct call *c, size_t i, addr20 *out) MUST_USE;
bool arg_u64(const struct call *c, size_t i, uint64_t *out) MUST_USE;
bool arg_bool(const struct call *c, size_t i, bool *out) MUST_USE;
/* The dynamic `bytes` or `string` whose offset is word `i`, borrowed from the input. False when any
 * of it lies outside of the input. */
bool arg_bytes(const struct call *c, size_t i, bytes *out) MUST_USE;
/* The dynamic array of words whose offset is word `i`: its elements, 32 bytes each, borrowed. */
bool arg_array(const struct call *c, size_t i, bytes *out_words, size_t *out_count) MUST_USE;

/* --- answers ------------------------------------------------------------------------------- */

void put_word(struct call *c, const u256 *v);
void put_u64(struct call *c, uint64_t v);
void put_addr(struct call *c, const addr20 *a);
void put_hash(struct call *c, const hash32 *h);
/* The tail of a dynamic `bytes`: length and padded content. Its offset is a word before it. */
void put_bytes(struct call *c, bytes data);
/* Words alone: SUCCESS. */
enum evm_status answer_u64(struct call *c, uint64_t v);
enum evm_status answer_word(struct call *c, const u256 *v);
enum evm_status answer_addr(struct call *c, const addr20 *a);
enum evm_status answer_hash(struct call *c, const hash32 *h);
/* A custom error's selector; its arguments follow by put_word & co. REVERT. */
enum evm_status custom_error(struct call *c, uint32_t selector);

/* --- gas ----------------------------------------------------------------------------------- */

static inline bool call_is_spent(const struct call *c) {
    return c->gas < 0;
}
/* Charges a read of a slot (EIP-2929) and marks it warm. */
void charge_slot(struct call *c, const addr20 *a, const u256 *slot);
/* Charges what reading an account costs (EIP-2929) and marks it warm. */
void charge_account(struct call *c, const addr20 *a);
/* Charges a change of a balance as a transfer does: the account, and what a new one costs when it
 * gets value. */
void charge_credit(struct call *c, const addr20 *to, const u256 *value);

/* Fields of chain/system_slots.def, charged like SLOAD and SSTORE of their slots (EIP-2200, 2929,
 * 3529), refunds included: each access pays, also of a second field in the same slot. */
u256 call_get(struct call *c, enum system_field f, const u256 *key);
uint64_t call_get_u64(struct call *c, enum system_field f, const u256 *key);
addr20 call_get_addr(struct call *c, enum system_field f, const u256 *key);
void call_set(struct call *c, enum system_field f, const u256 *key, const u256 *v);
void call_set_u64(struct call *c, enum system_field f, const u256 *key, uint64_t v);
void call_set_addr(struct call *c, enum system_field f, const u256 *key, const addr20 *v);

/* A log of the system address, at LOGn's price. */
void emit_log(struct call *c, const hash32 *topics, uint8_t topic_count, bytes data);

/* Moves value; false, and nothing moved, when `from` does not cover it. Charges nothing. */
bool call_transfer(struct call *c, const addr20 *from, const addr20 *to,
                   const u256 *value) MUST_USE;

/* Whether `a` is one of the chain's owners, charged. */
bool call_is_owner(struct call *c, const addr20 *a);

/* --- handlers, by the file that holds them --------------------------------------------------- */

#define SYSTEM_CALL(address, selector, handler, signature, args, base, in, out, mutability)        \
    enum evm_status handler(struct call *c);
#include "chain/system_calls.def"
#undef SYSTEM_CALL

#endif
