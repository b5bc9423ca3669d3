/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a temporary folder with shorthands for rows of small keys. */
#ifndef TESTS_LIB_STATE_STORE_FIXTURE_H
#define TESTS_LIB_STATE_STORE_FIXTURE_H

#include "state/store.h"
#include "tests/lib/state/fixture.h"

extern char fixture_store_dir[FIXTURE_PATH_MAX];

/* For a suite's .init and .fini: the folder. */
void fixture_store_setup(void);
void fixture_store_teardown(void);
/* Opens; aborts with the sentence on failure. */
struct store *fixture_store_open(bool allow_wipe);
/* Opens the next block; commits it and makes it durable. */
void fixture_block_begin(struct store *s);
void fixture_block_end(struct store *s);

/* Rows of TXL under text keys; value NULL deletes. */
void fixture_put(struct store *s, const char *key, const char *value);
/* The text at a key in a view, NULL if absent; until the next call. */
const char *fixture_get(struct store_view *v, const char *key);
/* Of a fresh view at the block. */
const char *fixture_get_at(struct store *s, uint64_t block, const char *key);
/* keccak over all rows of a table at the view's block in order of keys, each as length u32 BE | key
 * | length u32 BE | value. O(rows). */
void fixture_table_digest(struct store_view *v, enum table_id table, hash32 *out);
hash32 fixture_digest(struct store *s, uint64_t block, enum table_id table);

#endif
