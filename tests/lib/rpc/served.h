/* SPDX-License-Identifier: Apache-2.0 */
/* The development chain in a temporary folder, and JSON-RPC methods called on it as a reader thread
 * does, without sockets and without a node behind them. */
#ifndef TESTS_LIB_RPC_SERVED_H
#define TESTS_LIB_RPC_SERVED_H

#include "genesis/genesis.h"
#include "rpc/reader.h"

struct served {
    char dir[64];
    struct genesis genesis;
    struct store *store;
    struct store_view *newest;
    struct index_source source;
    struct chain *chain;
    struct state_trie *trie;
    struct arena arena; /* of blocks and transactions */
    struct header head;
    hash32 head_hash;
    struct dev_account accounts[GENESIS_DEV_ACCOUNTS];
    uint64_t nonces[GENESIS_DEV_ACCOUNTS]; /* next to sign */
    struct node_commands node;
    struct rpc_dev_nonces dev_nonces;
    struct rpc_context cx; /* may be changed between calls */
    struct rpc_reader *reader;
    bool was_brief;   /* the last call was one that the event loop's budget suffices for */
    bool was_scanned; /* and one that the scanner suffices for */
};
void served_open(struct served *s);
void served_close(struct served *s);

/* A signed type-2 transaction of a development account with a fee cap of 1 gwei; `to` NULL creates.
 * In the arena. */
struct tx *served_tx(struct served *s, size_t from, const addr20 *to, uint64_t value, bytes data,
                     uint64_t gas);
/* Makes a block of these, all of which must be valid, one second after the last. */
struct derived_block served_block(struct served *s, struct tx *const *txs, size_t count);
/* A block of one transaction that deploys `code` (hex digits) as it is; the contract's address. */
addr20 served_deploy(struct served *s, const char *code);
/* A block of one call. */
struct derived_tx served_send(struct served *s, size_t from, const addr20 *to, const char *data);

/* A block of one call of the universes' registry, by the first account; args is taken over. */
void served_registry(struct served *s, const char *signature, json_t *args, uint64_t value);
/* The same: a universe of that account. The first is 1. */
void served_universe(struct served *s, const char *slug);

/* Calls a method with params given as JSON text with single quotes for double ones, printf's
 * formats filled in. The whole reply {result} or {error: {code, message, data}}; to be
 * json_decref'd. A method that may begin on the event loop runs with the loop's budget, and scanned
 * parameters, first; if that suffices the reply must be the same without. */
json_t *served_call(struct served *s, const char *method, const char *params, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, and the reply must be this JSON (single quotes too): result, or error's message. */
void served_expect(struct served *s, const char *want, const char *method, const char *params, ...)
    __attribute__((format(printf, 4, 5)));
void served_expect_error(struct served *s, int code, const char *message, const char *method,
                         const char *params, ...) __attribute__((format(printf, 5, 6)));

/* "0x..." of an address or hash, in one of four static buffers. */
const char *served_addr(const addr20 *a);
const char *served_hash(const hash32 *h);

#endif
