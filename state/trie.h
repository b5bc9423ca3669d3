/* SPDX-License-Identifier: Apache-2.0 */
/* Merkle-Patricia tries (Yellow Paper appendix D).
 *
 * `struct state_trie` is the account trie with all storage tries: secure keys of 32 bytes, branch
 * nodes in RAM under a budget, lower subtrees paged from branch records, leaves read from the flat
 * tables (they are not stored twice). A child reference {length, 32 bytes} - a hash or embedded RLP
 * - sits in the parent. Dirty nodes are hashed level by level in batches.
 *
 * mpt_root is the plain builder from sorted pairs of any key length: transaction and receipt roots,
 * rebuild-from-flat, and vectors. */
#ifndef STATE_TRIE_H
#define STATE_TRIE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/crew.h"
#include "base/err.h"
#include "state/account.h"
#include "state/world.h"

/* --- from sorted pairs ---------------------------------------------------------------------- */
struct mpt_pair {
    bytes key;   /* strictly ascending, any length */
    bytes value; /* RLP or raw bytes, not empty */
};
void mpt_root(hash32 *out, const struct mpt_pair *pairs, size_t count);
/* Root over the list index: keys are RLP(i) (transactions, receipts, withdrawals). */
void mpt_list_root(hash32 *out, const bytes *values, size_t count);

/* The same in streaming form, for tries larger than memory: begin, add in strictly ascending order
 * of keys (CHECKed), end. A builder may be begun any number of times. Memory: about 1 MiB, and 600
 * bytes per nibble of shared prefix. */
struct mpt_builder;
struct mpt_builder *mpt_builder_new(void) MUST_USE;
void mpt_builder_free(struct mpt_builder *b); /* NULL is allowed */
void mpt_builder_begin(struct mpt_builder *b);
/* Both are copied; the value is not empty. */
void mpt_builder_add(struct mpt_builder *b, bytes key, bytes value);
void mpt_builder_end(struct mpt_builder *b, hash32 *out_root);

/* --- the state trie ------------------------------------------------------------------------- */
struct state_trie;

enum { TRIE_EXPECT = 32 };
struct trie_branch {
    uint64_t store_id;
    bytes path;
};

/* Where the trie reads rows that are not in RAM. store_id 0 is the account trie, else a storage
 * trie. Paths are nibbles, one per byte. Results are borrowed until the next call. */
struct trie_source_ops {
    /* First branch record whose path starts with `prefix` in lexicographic order of paths (that is
     * the subtree's topmost branch). False: none. */
    bool (*branch)(void *ctx, uint64_t store_id, bytes prefix, bytes *out_path, bytes *out_record);
    /* First leaf whose hashed key starts with `prefix`: key (32 bytes) and RLP value (account body
     * or slot). */
    bool (*leaf)(void *ctx, uint64_t store_id, bytes prefix, hash32 *out_key, bytes *out_value);
    /* The leaf after the one that was found last, with the same arguments. */
    bool (*next_leaf)(void *ctx, uint64_t store_id, bytes prefix, hash32 *out_key,
                      bytes *out_value);
    /* Both may be NULL and change nothing: leaves beside these keys of 32 bytes will be asked for;
     * rows of these branches will be put. At most TRIE_EXPECT at once. */
    void (*expect_leaves)(void *ctx, uint64_t store_id, const uint8_t *const *keys, size_t count);
    void (*expect_rows)(void *ctx, const struct trie_branch *branches, size_t count);
};
struct trie_source {
    const struct trie_source_ops *ops;
    void *ctx;
};

/* source.ops may be NULL for a trie that lives in RAM alone (tests, state tests). budget_bytes
 * bounds RAM for clean nodes. */
struct state_trie *state_trie_new(struct trie_source source, size_t budget_bytes) MUST_USE;
void state_trie_free(struct state_trie *t);
/* Forgets everything cached (after an unwind of the source). */
void state_trie_reset(struct state_trie *t);

/* Applies a block's changes: storage tries first (fills diff accounts' after.storage_root), then
 * accounts; *out_root is the new state root. The source shows the state before this block, with all
 * that earlier calls changed. Of the diff, `existed` and old values are relied on: a changed key
 * that was there is not looked up again. */
void state_trie_apply(struct state_trie *t, struct world_diff *diff, hash32 *out_root);
void state_trie_root(struct state_trie *t, hash32 *out_root);
/* True: nodes in RAM show that the last state_trie_apply left no such key (store_id 0: no such
 * account). False: that is not known. */
bool state_trie_lacks(const struct state_trie *t, uint64_t store_id, const hash32 *key);

/* From now on large updates are hashed with the help of `crew`, which outlives the trie or the next
 * call; NULL: alone. The root is the same. */
void state_trie_share(struct state_trie *t, struct crew *crew);

/* Branch records that changed in the last state_trie_apply, for the store's tables tri_a and tri_s;
 * `record` empty means delete. A trie with a source must be asked after each apply (CHECKed at the
 * next). A branch has a record if more than TRIE_LOW_LEAVES leaves are below it: lower ones are
 * made again from their leaves, which lie side by side in the flat tables. A record sits at its
 * branch's own path and is a function of what is below it alone:
 *   slots present u16 | of these, nodes u16 | of these, embedded u16 | leaves below u32
 *   (big-endian) | for each slot present, the hash of 32 bytes or the embedded RLP
 * where a node is a branch with or without an extension before it, and the rest are leaves. */
enum { TRIE_LOW_LEAVES = 32 };
typedef void (*trie_row_fn)(void *ctx, uint64_t store_id, bytes path, bytes record);
void state_trie_take_rows(struct state_trie *t, trie_row_fn fn, void *ctx);
/* Drops clean nodes over the budget. Between blocks, once rows are in the store. */
void state_trie_trim(struct state_trie *t);
/* Memory of the nodes in RAM now. */
size_t state_trie_bytes(const struct state_trie *t);
/* Memory that it has from the system: more, because freed nodes leave room for nodes alone. */
size_t state_trie_held(const struct state_trie *t);

/* RLP nodes from the root to the key (EIP-1186): proves presence or absence. Nodes live in `a`; an
 * embedded node is inside its parent and not listed. The source shows the state of the last apply.
 * Nothing is proved by no nodes but absence in an empty trie. */
struct trie_proof {
    bytes *nodes;
    size_t count;
};
enum err state_trie_prove_account(struct state_trie *t, struct arena *a, const hash32 *addr_hash,
                                  struct trie_proof *out) MUST_USE;
enum err state_trie_prove_slot(struct state_trie *t, struct arena *a, uint64_t store_id,
                               const hash32 *slot_hash, struct trie_proof *out) MUST_USE;

/* RLP body of an account as the trie has it: [nonce, balance, storageRoot, codeHash]. */
void account_rlp(struct buf *b, const struct account *acc);

#endif
