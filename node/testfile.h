/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the execution-spec test formats have in common: hex values, allocations, forks
 * with their blob schedules, and the names of exceptions. Files are outsiders' input: each reader
 * reports what is wrong in words.
 *
 * Values parsed from JSON live in the arena that the function is given. */
#ifndef NODE_TESTFILE_H
#define NODE_TESTFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "chain/eth_block.h"
#include "state/trie.h"
#include "state/world.h"

#include <jansson.h>

/* --- values: member `key` of object `o`; ERR_NOT_FOUND when absent, ERR_PARSE or ERR_HEX when not
 * what it should be --- */
enum err testfile_u64(uint64_t *out, const json_t *o, const char *key) MUST_USE;
enum err testfile_u256(u256 *out, const json_t *o, const char *key) MUST_USE;
enum err testfile_fixed(void *out, size_t len, const json_t *o, const char *key) MUST_USE;
enum err testfile_bytes(bytes *out, struct arena *a, const json_t *o, const char *key) MUST_USE;
/* The same of a JSON string itself. */
enum err testfile_value_u256(u256 *out, const json_t *s) MUST_USE;
enum err testfile_value_bytes(bytes *out, struct arena *a, const json_t *s) MUST_USE;
enum err testfile_value_fixed(void *out, size_t len, const json_t *s) MUST_USE;

/* --- allocations ------------------------------------------------------------------------------ */
struct test_slot {
    u256 slot;
    hash32 slot_hash;
    u256 value; /* not zero */
};
struct test_account {
    addr20 addr;
    hash32 addr_hash;
    struct account account; /* storage_root is set by test_alloc_root */
    bytes code;
    struct test_slot *slots; /* sorted by slot_hash */
    size_t slot_count;
};
struct test_alloc {
    struct test_account *accounts; /* sorted by addr_hash */
    size_t count;
};
enum err test_alloc_parse(struct test_alloc *out, struct arena *a, const json_t *o,
                          struct err_ctx *ec) MUST_USE;
/* Fills an empty trie with the allocation; *out_root is its root. */
void test_alloc_root(struct test_alloc *alloc, struct state_trie *t, struct arena *a,
                     hash32 *out_root);
/* Flat state of the allocation, valid as long as it. After test_alloc_root. */
struct state_reader test_alloc_reader(const struct test_alloc *alloc);
/* First difference between a world and an expected allocation, as a sentence in `text`; false: none
 * found (accounts that should be absent are not looked for). */
bool test_alloc_differs(char *text, size_t text_len, struct world *w,
                        const struct test_alloc *expected);

/* --- forks ------------------------------------------------------------------------------------ */
/* Rules of a fork by name ("Cancun", "BPO1"): blob parameters from the schedule (member of
 * `config.blobSchedule`, may be NULL), else mainnet's. ERR_UNSUPPORTED: unknown name. */
enum err testfile_fork(struct eth_fork *out, const char *name,
                       const json_t *blob_schedule) MUST_USE;

/* --- names of exceptions ---------------------------------------------------------------------- */
/* Whether `expected` ("TransactionException.A|BlockException.B") names the verdict, decoding error
 * or block fault. */
bool testfile_names_verdict(const char *expected, enum tx_verdict v);
bool testfile_names_decode_error(const char *expected, enum err e);
bool testfile_names_fault(const char *expected, enum eth_fault f);
/* The first name of a verdict, without "TransactionException."; NULL when it has none. Static
 * string. */
const char *testfile_name_of_verdict(enum tx_verdict v);

#endif
