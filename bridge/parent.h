/* SPDX-License-Identifier: Apache-2.0 */
/* The parent chain over JSON-RPC (bridge/http_client.h). A client belongs to one thread and blocks
 * it.
 *
 * Endpoints stand in order of preference. Each has a circuit breaker:
 *   closed     used; PARENT_BREAKER_FAILURES failures in a row open it
 *   open       not used for a pause of breaker_open_ms, doubled at each reopening up to
 *              PARENT_BREAKER_DOUBLINGS times; a reply with Retry-After opens it at once, for that
 * time if it is longer (at most PARENT_RETRY_AFTER_MAX_S) half-open  the next request is its trial:
 * success closes it, failure opens it again A failure is: no connection, a timeout, a reply over
 * its bound, an HTTP status other than 200, a body that is no JSON-RPC reply to the request, or the
 * errors -32005 and -32603. An answer that is an error of another kind is an answer.
 *
 * Reads go to the first usable endpoint; on a failure to the next, and after a round to the first
 * again, with a pause that doubles and has jitter, `retries` rounds in all. What the caller reads
 * in several requests comes from one chain if it pins it by hash: see parent_logs.
 *
 * Errors of all calls: ERR_IO (no endpoint answered), ERR_CLOSED (told to stop), ERR_PARSE (an
 * answer in a wrong form), ERR_TOO_LARGE (an answer over its bound, from each endpoint), ERR_NOMEM;
 * ERR_INVALID (the endpoint refused the request itself; its text is in ec). */
#ifndef BRIDGE_PARENT_H
#define BRIDGE_PARENT_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/types.h"
#include "base/u256.h"
#include "bridge/parent_log.h"

#include <stdatomic.h>

enum {
    PARENT_ENDPOINTS_MAX = 8,
    PARENT_BREAKER_FAILURES = 5,
    PARENT_BREAKER_DOUBLINGS = 5,
    PARENT_RETRY_AFTER_MAX_S = 300,
    /* Default; logs of a range are split when over it. JSON in memory takes up to twenty times its
     * text, so this also bounds what a hostile endpoint makes us allocate: some 160 MiB. */
    PARENT_REPLY_MAX_BYTES = 8 << 20,
    PARENT_LOGS_MAX = 100000, /* of one call of parent_logs */
    PARENT_LOG_ADDRESSES_MAX = 16,
    PARENT_LOG_EVENTS_MAX = 16,
    PARENT_MESSAGE_MAX = 256, /* what endpoints say, with its NUL */
    PARENT_BACKOFF_MIN_MS = 50,
    PARENT_BACKOFF_MAX_MS = 5000,
};

struct parent_config {
    const char *urls[PARENT_ENDPOINTS_MAX]; /* http:// or https://, copied */
    size_t url_count;                       /* >= 1 */
    uint64_t chain_id;           /* expected of every endpoint; one with another is not used */
    uint32_t connect_timeout_ms; /* 0 = 5,000 */
    uint32_t request_timeout_ms; /* 0 = 20,000; of one request */
    uint32_t breaker_open_ms;    /* 0 = 2,000; first pause of an open breaker */
    uint32_t retries;            /* 0 = 4; rounds over the endpoints before a read fails */
    size_t reply_max_bytes;      /* 0 = PARENT_REPLY_MAX_BYTES */
    uint64_t logs_range_max;     /* 0 = 5,000; blocks of one eth_getLogs */
    uint64_t seed;               /* of the jitter */
    struct clock *clock;         /* NULL = clock_posix(); of breakers and pauses */
    const atomic_bool *stop;     /* NULL = none; once true, calls end with ERR_CLOSED soon */
};

struct parent;
/* Does not connect. ERR_CONFIG: no or too many URLs, another scheme. */
enum err parent_new(struct parent **out, const struct parent_config *c,
                    struct err_ctx *ec) MUST_USE;
void parent_free(struct parent *p);

/* --- reads ---------------------------------------------------------------------------------- */

enum parent_tag { PARENT_LATEST, PARENT_SAFE, PARENT_FINALIZED, PARENT_NUMBER };
struct parent_block_ref {
    enum parent_tag tag;
    uint64_t number; /* PARENT_NUMBER */
};
static inline struct parent_block_ref parent_at(uint64_t number) {
    return (struct parent_block_ref){.tag = PARENT_NUMBER, .number = number};
}
static inline struct parent_block_ref parent_tagged(enum parent_tag tag) {
    return (struct parent_block_ref){.tag = tag};
}

struct parent_block {
    uint64_t number;
    hash32 hash, parent_hash;
    uint64_t timestamp;
    uint64_t l1_block; /* the EVM's block.number there: l1BlockNumber of an Arbitrum block, else
                          number */
    bool is_arbitrum;  /* the block has l1BlockNumber */
    u256 base_fee;     /* 0 if the block has none */
};

enum err parent_chain_id(struct parent *p, uint64_t *out, struct err_ctx *ec) MUST_USE;
/* ERR_NOT_FOUND: no such block (yet), or the parent has no such tag. ERR_PARSE: also a block
 * without l1BlockNumber after one with it, as a proxy that strips it gives: its number is none. */
enum err parent_get_block(struct parent *p, struct parent_block *out, struct parent_block_ref ref,
                          struct err_ctx *ec) MUST_USE;
enum err parent_get_block_by_hash(struct parent *p, struct parent_block *out, const hash32 *hash,
                                  struct err_ctx *ec) MUST_USE;

struct parent_log_filter {
    uint64_t from, to; /* blocks, both included, from <= to */
    /* Not NULL: the endpoint must have this block at `to`, asked after its logs; else they are
     * from another fork or one that is behind, and the next endpoint is asked. */
    const hash32 *to_hash;
    const addr20 *addresses;
    size_t address_count; /* 1 .. PARENT_LOG_ADDRESSES_MAX */
    const enum abi_event *events;
    size_t event_count; /* 1 .. PARENT_LOG_EVENTS_MAX; topic 0 is any of them */
};
/* Logs in the chain's order, in `a`. Ranges over logs_range_max, and those that an endpoint refuses
 * as too many or answers over the reply's bound, are asked in halves. ERR_MISMATCH: no endpoint has
 * to_hash at `to`. ERR_TOO_LARGE: over PARENT_LOGS_MAX, or one block's logs over the bound. */
enum err parent_logs(struct parent *p, struct arena *a, struct parent_log **out, size_t *out_count,
                     const struct parent_log_filter *f, struct err_ctx *ec) MUST_USE;

struct parent_tx {
    hash32 hash;
    addr20 from, to;
    bool is_create;
    uint64_t nonce;
    bytes input; /* in the arena */
    bool mined;
    uint64_t block_num; /* if mined */
    hash32 block_hash;
};
/* ERR_NOT_FOUND. */
enum err parent_get_tx(struct parent *p, struct arena *a, struct parent_tx *out, const hash32 *hash,
                       struct err_ctx *ec) MUST_USE;

struct parent_receipt {
    hash32 tx_hash;
    bool ok; /* status 1 */
    uint64_t block_num;
    hash32 block_hash;
    uint64_t gas_used;
    u256 effective_gas_price;
};
/* ERR_NOT_FOUND: none (yet). */
enum err parent_get_receipt(struct parent *p, struct parent_receipt *out, const hash32 *hash,
                            struct err_ctx *ec) MUST_USE;

struct parent_call {
    addr20 to;
    bool has_from;
    addr20 from;
    u256 value;
    bytes data;
    u256 max_fee; /* per gas; 0 = not given, and then the call sees a base fee of 0 */
};
/* What a call gave. reverted: data is the revert data (empty if the endpoint hides it) and
 * `message` the endpoint's text. */
struct parent_result {
    bool reverted;
    bytes data; /* in the arena */
    char message[PARENT_MESSAGE_MAX];
};
enum err parent_call(struct parent *p, struct arena *a, struct parent_result *out,
                     const struct parent_call *c, struct parent_block_ref at,
                     struct err_ctx *ec) MUST_USE;
/* *out_gas when the result is not a revert. */
enum err parent_estimate_gas(struct parent *p, struct arena *a, uint64_t *out_gas,
                             struct parent_result *out, const struct parent_call *c,
                             struct err_ctx *ec) MUST_USE;
/* A view function without dynamic arguments: calls f(args...) with the words given and returns the
 * answer's first word. ERR_INVALID: it reverted, or there is no contract. */
enum err parent_view(struct parent *p, hash32 *out, const addr20 *to, enum abi_function f,
                     bytes arg_words, struct parent_block_ref at, struct err_ctx *ec) MUST_USE;

enum err parent_get_nonce(struct parent *p, uint64_t *out, const addr20 *a,
                          struct parent_block_ref at, struct err_ctx *ec) MUST_USE;
enum err parent_get_balance(struct parent *p, u256 *out, const addr20 *a,
                            struct parent_block_ref at, struct err_ctx *ec) MUST_USE;
/* In the arena. */
enum err parent_get_code(struct parent *p, struct arena *a, bytes *out, const addr20 *addr,
                         struct parent_block_ref at, struct err_ctx *ec) MUST_USE;

/* --- sending -------------------------------------------------------------------------------- */

enum parent_send {
    PARENT_SENT,             /* taken, or known already */
    PARENT_SEND_NONCE_LOW,   /* another transaction has this nonce, or this one is mined */
    PARENT_SEND_NONCE_HIGH,  /* one before it is missing */
    PARENT_SEND_UNDERPRICED, /* fee below the base fee, or of the one it would replace */
    PARENT_SEND_FUNDS,       /* the account cannot pay */
    PARENT_SEND_REFUSED,     /* another reason: `message` */
};
struct parent_send_result {
    enum parent_send verdict;
    char message[PARENT_MESSAGE_MAX]; /* the endpoint's words, printable; empty when sent */
};
/* Sends a signed transaction. Sending it twice does no harm, so failures of transport go to the
 * next endpoint; then the last error is ERR_IO and it may have been taken nonetheless. */
enum err parent_send_raw(struct parent *p, struct parent_send_result *out, bytes raw,
                         struct err_ctx *ec) MUST_USE;

/* --- health --------------------------------------------------------------------------------- */

/* Asks every endpoint whose breaker lets it for its chain id and head, then for the hash of the
 * block `depth` below the lowest of the heads. agree: all that answered have equal chain ids
 * (config's) and hashes, and at least one answered. Batches are posted only then. ERR_IO: none
 * answered. */
struct parent_agreement {
    bool agree;
    size_t answered;                 /* endpoints that gave chain id, head and hash */
    uint64_t block_num;              /* that was compared */
    hash32 hash;                     /* of the first endpoint that answered */
    char reason[PARENT_MESSAGE_MAX]; /* who differs in what, when not agree */
};
enum err parent_check_agreement(struct parent *p, struct parent_agreement *out, uint64_t depth,
                                struct err_ctx *ec) MUST_USE;

enum parent_breaker { PARENT_BREAKER_CLOSED, PARENT_BREAKER_OPEN, PARENT_BREAKER_HALF_OPEN };
struct parent_endpoint_state {
    enum parent_breaker breaker;
    bool wrong_chain; /* answered with another chain id; not used */
    uint64_t requests, errors;
    uint64_t opens_until_ms; /* monotonic; when open */
};
size_t parent_endpoint_count(const struct parent *p);
struct parent_endpoint_state parent_endpoint_state(const struct parent *p, size_t idx);

/* Blocks for `ms`, or until told to stop: ERR_CLOSED then. */
enum err parent_sleep(struct parent *p, uint64_t ms) MUST_USE;
struct clock *parent_clock(const struct parent *p);

#endif
