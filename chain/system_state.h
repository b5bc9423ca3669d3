/* SPDX-License-Identifier: Apache-2.0 */
/* Typed access to the chain's own consensus state: the fields of chain/system_slots.def over a
 * world.
 *
 * A field is named by its enum and, if it belongs to a map, by the map's key words. Reads and
 * writes go through the world, so writes are journaled and revert with the frame that made them;
 * they mark nothing warm and cost no gas: a system call charges for itself (chain/system_call.h).
 * Fields narrower than a slot share it with others, which a write keeps. Unwritten fields are 0. */
#ifndef CHAIN_SYSTEM_STATE_H
#define CHAIN_SYSTEM_STATE_H

#include "base/types.h"
#include "base/u256.h"
#include "state/world.h"

enum system_address {
#define SYSTEM_ADDRESS(id, low, name) SYSTEM_##id,
#include "chain/system_slots.def"
    SYSTEM_ADDRESS_COUNT
};
enum system_map {
#define SYSTEM_MAP(id, address, number, key_words, key) SYSTEM_MAP_##id,
#include "chain/system_slots.def"
    SYSTEM_MAP_COUNT
};
enum system_field {
#define SYSTEM_SCALAR(id, address, slot, shift, bits, meaning) SYS_##id,
#define SYSTEM_FIELD(id, map, word, shift, bits, meaning) SYS_##id,
#include "chain/system_slots.def"
    SYSTEM_FIELD_COUNT
};
enum { SYSTEM_KEY_WORDS_MAX = 3 };

struct system_map_info {
    const char *name, *key;
    enum system_address address;
    uint64_t number;
    uint8_t key_words;
};
struct system_field_info {
    const char *name, *meaning;
    enum system_address address;
    int map;       /* enum system_map, or -1 for a scalar */
    uint64_t word; /* slot of a scalar, word of a record */
    uint16_t shift, bits;
};
/* The tables, for listings and tests. Static. */
const struct system_map_info *system_map_info(enum system_map m);
const struct system_field_info *system_field_info(enum system_field f);

addr20 system_address(enum system_address a);
const char *system_address_name(enum system_address a);
/* Which system address `a` is; -1 for any other. Cheap: called for each call of the machine. */
int system_address_find(const addr20 *a);

/* The storage slot that holds a field. `key` has the map's key words; NULL for scalars. */
u256 system_slot(enum system_field f, const u256 *key);

/* A field's value out of the word of its slot, for who reads a record word by word. */
u256 system_part(enum system_field f, const u256 *word);

/* Reads; sys_get_u64 only for fields of at most 64 bits. */
u256 sys_get(struct world *w, enum system_field f, const u256 *key);
uint64_t sys_get_u64(struct world *w, enum system_field f, const u256 *key);
addr20 sys_get_addr(struct world *w, enum system_field f, const u256 *key);
/* Writes; CHECK that the value fits the field. */
void sys_set(struct world *w, enum system_field f, const u256 *key, const u256 *v);
void sys_set_u64(struct world *w, enum system_field f, const u256 *key, uint64_t v);
void sys_set_addr(struct world *w, enum system_field f, const u256 *key, const addr20 *v);
/* v += d, which CHECKs against overflow of the field. */
void sys_add(struct world *w, enum system_field f, const u256 *key, const u256 *d);

/* Gives each system address its code (0xfe, so that Solidity's check for code passes and nothing
 * but the chain answers) and nonce 1 (never empty, EIP-161). In an open world transaction of block
 * 0. */
void system_accounts_create(struct world *w);

#endif
