/* SPDX-License-Identifier: Apache-2.0 */
/* Read models of universes: their contracts, what their tokens' logs add up to, asset classes,
 * events. Rows are a pure function of the blocks (attributions, receipts, new code) and enter the
 * store with them; only contracts that belong to a universe have any. universe_rows.h has the
 * encodings.
 *
 * What logs say is believed as far as it adds up. Honest ERC-20, ERC-721 and ERC-1155 contracts log
 * every change, and then all numbers are the contract's own. A contract may log what it likes: an
 * amount above 2^256 - 1 stays there, one below 0 is 0, a token that moves without being its
 * sender's moves all the same, and what is touched is marked `broken` for good. A log that has the
 * signature of a token's event but not its shape, or is of another standard than the contract's
 * first, changes nothing but the contract's mark `odd`.
 *
 * What a contract can make grow it pays for with gas: a log gives one event row, a token that moves
 * changes at most seven rows, and a transaction moves at most one token per INDEX_GAS_PER_MOVE of
 * its gas: real moves cost more, but a TransferBatch log alone costs a fourth of it. Moves beyond
 * that are left out and make the contract `odd`. A class holds at most
 * INDEX_CLASS_METADATA_MAX_BYTES.
 *
 * Queries read through one view, so at its block, whatever goes on. Lists come in pages: `at` says
 * where the page begins (length 0: at the start) and afterwards where the next does (length 0:
 * there is none). A place is opaque, and good for the same list at any block: rows that changed
 * meanwhile are seen as they are now. ERR_INVALID: a place of another list. */
#ifndef INDEX_UNIVERSE_H
#define INDEX_UNIVERSE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/u256.h"
#include "index/index.h"

enum {
    INDEX_CLASS_METADATA_MAX_BYTES = 2048, /* of more, nothing is kept */
    INDEX_GAS_PER_MOVE = 1000,
    INDEX_PAGE_AT_MAX_BYTES = 84,
    INDEX_PAGE_MAX = 1000, /* items of one page */
};

struct index_page {
    uint8_t len;
    uint8_t b[INDEX_PAGE_AT_MAX_BYTES];
};

/* --- contracts ------------------------------------------------------------------------------ */
enum index_standard { INDEX_UNKNOWN, INDEX_ERC20, INDEX_ERC721, INDEX_ERC1155 };
const char *index_standard_name(enum index_standard s); /* "erc20", ...; "" if unknown */

struct index_contract {
    addr20 address;
    uint64_t universe;
    uint64_t block;  /* in which it was created */
    uint32_t tx_idx; /* by this transaction */
    uint32_t place;  /* among the block's new contracts of universes */
    /* That of its first token log; before one, what its code looks like. */
    enum index_standard standard;
    bool has_logged; /* the standard is certain */
    bool odd;
};
/* ERR_NOT_FOUND: belongs to no universe. */
enum err index_contract(struct index_contract *out, struct store_view *v,
                        const addr20 *address) MUST_USE;
/* A universe's contracts in order of creation, up to `max` of them. */
enum err index_contracts(struct index_contract *out, size_t *out_count, struct index_page *at,
                         struct store_view *v, uint64_t universe, size_t max) MUST_USE;

/* --- tokens --------------------------------------------------------------------------------- */
/* What one account has of one token. `id` is 0 for ERC-20; `amount` is 1 for ERC-721, never 0. */
struct index_holding {
    addr20 contract;
    addr20 holder;
    enum index_standard standard;
    u256 id;
    u256 amount;
};
/* Inventory: everything that `holder` has of the universe's contracts, or of `contract` alone if
 * that is not NULL, by contract and id. */
enum err index_inventory(struct index_holding *out, size_t *out_count, struct index_page *at,
                         struct store_view *v, uint64_t universe, const addr20 *holder,
                         const addr20 *contract, size_t max) MUST_USE;
/* Who has it: of token `id` those with most first, of equal ones the lower address; with id NULL of
 * all of the contract's ids, one after the other. ERR_NOT_FOUND: no universe's contract. */
enum err index_holders(struct index_holding *out, size_t *out_count, struct index_page *at,
                       struct store_view *v, const addr20 *contract, const u256 *id,
                       size_t max) MUST_USE;
/* 0 if the account has none. */
u256 index_balance(struct store_view *v, const addr20 *contract, const u256 *id,
                   const addr20 *holder);
/* Of an ERC-721 token. ERR_NOT_FOUND: it does not exist. */
enum err index_owner(addr20 *out, struct store_view *v, const addr20 *contract,
                     const u256 *id) MUST_USE;

struct index_supply {
    u256 supply;      /* in existence */
    u256 minted;      /* ever; what was burned is in it */
    uint64_t holders; /* accounts that have some; of ERC-721 tokens that exist */
    bool broken;      /* the logs do not add up */
};
/* Of an ERC-20 (id 0) or of one id of an ERC-1155. Of ERC-721: of a class (UniverseERC721: a
 * token's id without its low 64 bits), with id NULL of the whole contract. Zeros for what never
 * was. */
struct index_supply index_supply(struct store_view *v, const addr20 *contract, const u256 *id);

/* --- asset classes -------------------------------------------------------------------------- */
/* As ClassDefined and ClassMetadataChanged say (genesis/contracts/src/UniverseClasses.sol); the
 * first definition of a class counts, and changes of those that were defined. */
struct index_class {
    u256 id;
    uint64_t block;  /* in which it was defined */
    u256 max_supply; /* 0: no cap */
    bytes metadata;  /* as logged, JSON if the contract is honest; lives in the arena */
    bool too_long;   /* it was too long, and is empty here */
};
enum err index_class(struct index_class *out, struct arena *a, struct store_view *v,
                     const addr20 *contract, const u256 *id) MUST_USE;
/* By id. */
enum err index_classes(struct index_class *out, size_t *out_count, struct index_page *at,
                       struct arena *a, struct store_view *v, const addr20 *contract,
                       size_t max) MUST_USE;
/* The class that a token of a template's contract is of. */
u256 index_class_of(enum index_standard standard, const u256 *token_id);

/* --- events --------------------------------------------------------------------------------- */
/* A universe's events: every log of its contracts, and those of the registry that are about it. */
enum { INDEX_EVENT_ALTERNATIVES_MAX = 100, INDEX_CURSOR_CHARS = 39 };

/* PROTOCOL §5. As text 39 characters of base32hex in lower case, which sort as the cursors do. */
struct index_cursor {
    uint64_t epoch; /* of the node's log when the cursor was given: means nothing on other nodes */
    uint64_t block;
    uint32_t tx_idx;
    uint32_t log_idx; /* within the block */
};
void index_cursor_text(char out[INDEX_CURSOR_CHARS + 1], const struct index_cursor *c);
/* ERR_INVALID. */
enum err index_cursor_parse(struct index_cursor *out, const char *text) MUST_USE;

/* The newest epoch that began with a rewind, 1 if none did: cursors are given with this. */
uint64_t index_epoch(struct store_view *v);
/* Puts into the open block that `epoch` begins with a rewind to `block`. The row stays when the
 * block that it was put in goes. */
void index_put_fork(struct store *s, uint64_t epoch, uint64_t block);
/* Whether something up to the cursor was undone after it was given: then its holder first gets
 * `reorg`, and goes on after *out_block, the last block that stands. Also true when the view has no
 * such block; then that is the view's own. */
bool index_cursor_forked(uint64_t *out_block, struct store_view *v, const struct index_cursor *c);

struct index_event_query {
    const struct index_source *source;
    struct store_view *view;
    uint64_t universe;
    struct index_cursor after; /* exclusive; all 0: from the first. Its epoch is not looked at */
    uint64_t to_block;         /* inclusive; UINT64_MAX: all of the view */
    const addr20 *contracts;   /* any of these; count 0: any at all */
    size_t contract_count;
    const hash32 *topics; /* any of these as first topic; count 0: any at all, or none */
    size_t topic_count;
    size_t events_max; /* to give */
    size_t rows_max;   /* to look at */
    /* Asked once per block opened, and now and then between; true ends the query. NULL: never. */
    bool (*expired)(void *ctx);
    index_log_fn fn; /* called in order; what it points to ends with the call. ERR_BUSY: no more */
    void *ctx;       /* of expired and fn */
};
/* *out_last is the last position looked at, whether it was given or not, or q->after: the cursor to
 * go on from, its epoch the view's. *out_more: a limit ended the query before everything was looked
 * at. Errors: ERR_PRUNED when a block's receipts are gone, and those of fn; then *out_last is
 * before the event in question. `a` is scratch, reset to its mark for each block. */
enum err index_events(struct index_cursor *out_last, bool *out_more, struct arena *a,
                      const struct index_event_query *q, struct err_ctx *ec) MUST_USE;
/* The block of the universe's newest event; 0: it has none (block 0 has no logs). */
uint64_t index_last_event(struct store_view *v, uint64_t universe);

#endif
