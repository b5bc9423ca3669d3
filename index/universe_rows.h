/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and values of the universes' read models. Integers are big-endian, amounts and ids 32 bytes
 * unless "trimmed" (no leading zeros, 1 byte at least).
 *
 *   UCON contract 20 -> universe u64 | block u64 | transaction u32 | place u32 | standard u8 |
 * flags UCNL universe u64 | block u64 | place u32 -> contract 20 UEVT universe u64 | block u64 |
 * transaction u32 | log u32 -> contract 20 | first topic 32?, or empty: a mark, with which the last
 * of the events that went with their blocks stands for all of them UCLS contract 20 | class 32 |
 * part u8
 * -> part 0: flags u8 | block u64 | cap 32 | length u16 | metadata; part 1: the metadata that did
 * not fit TBAL holder 20 | universe u64 | contract 20 | id 32 -> amount, trimmed THLD contract 20 |
 * id 32 | ~amount 32 | holder 20 -> empty (ERC-20, ERC-1155) TOWN contract 20 | id 32 -> owner 20
 * (ERC-721) TSUP contract 20 | id 32 (ERC-721: class 32, or nothing: all) -> flags u8 | holders u64
 * | supply 32 | ever minted 32 FORK epoch u64 -> last block that stood u64
 *
 * No amount of 0 has a row in TBAL or THLD, no token without owner one in TOWN. */
#ifndef INDEX_UNIVERSE_ROWS_H
#define INDEX_UNIVERSE_ROWS_H

#include "index/universe.h"

enum {
    ROW_CONTRACT_BYTES = 26,
    ROW_CONTRACT_PLACE_BYTES = 20,
    ROW_EVENT_KEY_BYTES = 24,
    ROW_CLASS_FIXED_BYTES = 43,
    ROW_CLASS_KEY_BYTES = 53,
    ROW_BALANCE_KEY_BYTES = 80,
    ROW_HOLDER_KEY_BYTES = 104,
    ROW_TOKEN_KEY_BYTES = 52,
    ROW_SUPPLY_BYTES = 73,
};
enum { ROW_CONTRACT_LOGGED = 1, ROW_CONTRACT_ODD = 2, ROW_CLASS_TOO_LONG = 1, ROW_BROKEN = 1 };

void row_contract_encode(uint8_t out[ROW_CONTRACT_BYTES], const struct index_contract *c);
/* All but the address. ERR_CORRUPT. */
enum err row_contract_decode(struct index_contract *out, bytes value) MUST_USE;
void row_contract_place_key(uint8_t out[ROW_CONTRACT_PLACE_BYTES], const struct index_contract *c);

/* The cursor's epoch is not in it. */
void row_event_key(uint8_t out[ROW_EVENT_KEY_BYTES], uint64_t universe,
                   const struct index_cursor *at);
void row_class_key(uint8_t out[ROW_CLASS_KEY_BYTES], const addr20 *contract, const u256 *id,
                   uint8_t part);
void row_balance_key(uint8_t out[ROW_BALANCE_KEY_BYTES], const addr20 *holder, uint64_t universe,
                     const addr20 *contract, const u256 *id);
void row_holder_key(uint8_t out[ROW_HOLDER_KEY_BYTES], const addr20 *contract, const u256 *id,
                    const u256 *amount, const addr20 *holder);
void row_token_key(uint8_t out[ROW_TOKEN_KEY_BYTES], const addr20 *contract, const u256 *id);

/* `out` is storage of the result. */
bytes row_amount_encode(uint8_t out[32], const u256 *amount);
/* ERR_CORRUPT. */
enum err row_amount_decode(u256 *out, bytes value) MUST_USE;
void row_supply_encode(uint8_t out[ROW_SUPPLY_BYTES], const struct index_supply *s);
/* ERR_CORRUPT. */
enum err row_supply_decode(struct index_supply *out, bytes value) MUST_USE;

/* --- writing -------------------------------------------------------------------------------- */
/* The events that read models know, and those of the registry that name no universe. */
enum event_topic {
#define EVENT_TOPIC(id, signature, ...) EVENT_##id,
#include "index/event_topics.def"
#undef EVENT_TOPIC
    EVENT_TOPIC_COUNT
};
extern const hash32 event_topics[EVENT_TOPIC_COUNT];
extern const char *const event_signatures[EVENT_TOPIC_COUNT];

/* A dynamic argument of an event's data (ABI): `head` is the place of its offset, its length counts
 * items of item_bytes (1: bytes, 32: a list of words). Points into `data`; false if it reaches
 * beyond. */
bool event_argument(bytes *out, bytes data, size_t head, size_t item_bytes);

/* The universe that a log of the registry is about; 0: none. */
uint64_t event_registry_universe(const struct log_entry *l);

/* Rows of a sealed block whose diff still stands, into the open block. */
void index_put_universes(struct store *s, const struct derived_block *b);

/* What code looks like: a dispatcher on the functions that only one standard has. */
enum index_standard index_code_standard(bytes code);

/* What a log of contract `c` says about tokens, of which it may move *moves_left, counted down. A
 * mark or standard that changes is changed in *c; true if any was. */
bool index_put_tokens(struct store *s, struct index_contract *c, const struct log_entry *l,
                      uint64_t *moves_left);
/* What it says about classes. */
void index_put_class(struct store *s, const struct index_contract *c, const struct log_entry *l,
                     uint64_t block);

#endif
