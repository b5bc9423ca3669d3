/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON-RPC call, as a method's handler sees it. A handler reads params, and either writes its
 * result into call->result, or calls rpc_fail, or (methods that send) leaves an envelope to submit.
 */
#ifndef RPC_CALL_H
#define RPC_CALL_H

#include "base/buf.h"
#include "base/err.h"
#include "chain/derive.h"
#include "index/index.h"
#include "rpc/commands.h"
#include "state/store.h"

#include <jansson.h>
#include <pthread.h>

/* JSON-RPC codes that stand in more than one place. USERS of them: geth's tables. */
enum {
    RPC_PARSE_ERROR = -32700,
    RPC_INVALID_REQUEST = -32600,
    RPC_METHOD_NOT_FOUND = -32601,
    RPC_INVALID_PARAMS = -32602,
    RPC_SERVER_ERROR = -32000,
    RPC_TIMED_OUT = -32002,
    RPC_TX_REJECTED = -32003,
    RPC_LIMIT_EXCEEDED = -32005,
    RPC_REVERTED = 3,
    RPC_SYNC_TIMEOUT = 4, /* EIP-7966 */
    RPC_SYNC_UNREADY = 5,
    RPC_SYNC_NONCE_GAP = 6,
    RPC_PRUNED = 4444,
};

/* Where a method runs. */
enum rpc_cost {
    RPC_COST_INLINE, /* on the event loop: no store, no EVM */
    RPC_COST_FLAT,  /* point reads of the head and of flat state, no scans, no waiting: on the event
                       loop, which has a view of its own; a reader takes it when the loop has been
                       held up (rpc/engine.h) */
    RPC_COST_BRIEF, /* short as a rule: begun on the event loop with a budget, done again as HEAVY
                       when that does not suffice (rpc_over_budget) */
    RPC_COST_READ,  /* on a reader thread */
    RPC_COST_HEAVY, /* on a reader thread other than the one kept for short reads */
    RPC_COST_SUBMIT, /* on the event loop; then the node's sequencer answers */
};

struct rpc_call;
struct rpc_method {
    const char *name;
    void (*run)(struct rpc_call *c);
    uint8_t min_args, max_args;
    enum rpc_cost cost;
    bool dev_only;
    const char *summary;
};
/* NULL when there is none, or it is for development only and `dev` is false. */
const struct rpc_method *rpc_method_find(const char *name, size_t len, bool dev);
extern const struct rpc_method rpc_methods[];
extern const size_t rpc_method_count;

/* Nonces given out by eth_sendTransaction that the pool may not have seen yet: the next, by
 * development account. */
enum { RPC_DEV_ACCOUNTS_MAX = 32 };
struct rpc_dev_nonces {
    pthread_mutex_t lock;
    uint64_t next[RPC_DEV_ACCOUNTS_MAX];
};

/* What all threads of the server share; constant while it runs, but for the nonces and the limits
 * that are atomic. */
struct rpc_context {
    struct store *store;
    struct index_source source;
    struct chain_config chain;
    const struct node_commands *node;
    const char *client_version;
    size_t reader_count;           /* that keep memory (rpc/reader.h); 0: one */
    _Atomic uint64_t call_gas_cap; /* of eth_call and estimates */
    _Atomic uint32_t call_time_ms; /* of one call's work as far as it can be interrupted */
    _Atomic size_t reply_bytes_max;
    bool dev;
    struct rpc_dev_nonces *dev_nonces;
    struct api_keys *keys;   /* NULL: the universes' API is not served */
    struct api_quota *quota; /* loop's thread; NULL: no limits */
    struct api_waiters *waiters;
    struct rpc_live
        *live; /* filters and subscriptions (rpc/live.h), NULL: their methods must not be called */
};

enum rpc_phase {
    RPC_PHASE_NEW,
    RPC_PHASE_RUN,     /* handed to a reader: the handler is due */
    RPC_PHASE_WAIT,    /* submitted; the node has not answered */
    RPC_PHASE_RECEIPT, /* handed to a reader: the receipt of tx_hash is due */
    RPC_PHASE_DONE,
};

/* A call that waits for something else than a transaction: its handler leaves `ask`, which the loop
 * calls once; when the answer is in the call's state, rpc_wake_up (any thread, once) has the
 * handler run again, on a reader. The call stays where it is meanwhile. Or `ask` sets the call's
 * error, which ends it: then nobody wakes it up. */
struct rpc_wake {
    void *engine;
    uint64_t token;
};
struct rpc_call;
typedef void (*rpc_ask_fn)(struct rpc_call *c, struct rpc_wake w);
void rpc_wake_up(struct rpc_wake w);

struct api_origin;
struct rpc_batch;
struct rpc_reader;
struct rpc_scan;
struct rpc_call {
    const struct rpc_method *method; /* NULL: the request was invalid and has failed already */
    const struct rpc_context *cx;
    struct rpc_reader *reader; /* NULL on the event loop */
    json_t *id;                /* borrowed; NULL: a notification, or the id could not be read */
    bytes id_text;             /* or as scanned, borrowed; ptr NULL: `id` counts */
    uint64_t tag;              /* of the request in the transport: who asked */
    bool notification;
    json_t *params;                  /* borrowed array, or NULL for none */
    struct rpc_scan *scan;           /* or the arguments as scanned; borrowed; else NULL */
    const struct api_origin *origin; /* never NULL */
    struct rpc_batch *batch;         /* what it shares with the others of its body; NULL: alone */
    enum rpc_phase phase;

    uint64_t budget_gas; /* of a BRIEF method on the event loop, which may have others beside it
                            (rpc/engine.h); 0: on a reader, without budget */
    bool over_budget;

    struct buf result; /* JSON */
    int code;          /* 0: no error */
    struct buf text;   /* message of the error, UTF-8 */
    struct buf data;   /* JSON, empty for none */
    bool try_later;    /* failed for want of room alone: the same may pass in a moment */

    struct buf envelope; /* to submit, when not empty after the handler */
    unsigned submit_flags;
    bool forward_due;     /* waits to be handed on with those beside it */
    bool wants_receipt;   /* answer with the receipt instead of the hash */
    uint32_t timeout_ms;  /* of the wait; 0 none */
    uint64_t deadline_ms; /* monotonic */
    hash32 tx_hash;       /* once the node has answered, or a handler signed */
    int dev_account;      /* index of the sending development account, or -1 */

    /* Of calls of the universes' API (rpc/api.h): */
    json_t *args;  /* owned object */
    int status;    /* HTTP's, of success */
    int problem;   /* enum api_problem of the error */
    bool replayed; /* the request had been done before */
    rpc_ask_fn ask;
    void *ask_ctx; /* of `ask` */
    bool waits;    /* `ask` is rpc/api_wait.h's: */
    uint64_t wait_universe, wait_seen, wait_until_ms;
    void *state; /* of the handler, between its runs; freed by state_free */
    void (*state_free)(void *state);
};

void rpc_call_init(struct rpc_call *c, const struct rpc_context *cx);
void rpc_call_clear(struct rpc_call *c);
/* Drops what the handler has left (and keeps the buffers' storage), so that it can run anew. */
void rpc_call_reset(struct rpc_call *c);

/* The handler of a BRIEF method, when budget_gas > 0 and the call needs more, or anything that
 * takes long: it calls this and returns. What it has written is dropped, and it runs once more from
 * the beginning on a reader with budget_gas 0; so nothing of the first run may be seen outside the
 * call. The budget bounds work and is not the call's gas limit: an answer is the same either way.
 */
static inline void rpc_over_budget(struct rpc_call *c) {
    c->over_budget = true;
}

/* Sets the error; the first one stands. */
void rpc_fail(struct rpc_call *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* -32602 "invalid argument I: ...". */
void rpc_fail_arg(struct rpc_call *c, size_t idx, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* An operating error with its sentence, under the code of base/err.def. */
void rpc_fail_err(struct rpc_call *c, enum err e, const struct err_ctx *ec);
/* Adds bytes as hex to the error ("data"). */
void rpc_fail_data(struct rpc_call *c, bytes data);
static inline bool rpc_failed(const struct rpc_call *c) {
    return c->code != 0;
}

/* Milliseconds of a clock that never goes back. */
uint64_t rpc_now_ms(void);

#endif
