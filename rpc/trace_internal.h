/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the tracers: what they share, and one set of functions for each form. */
#ifndef RPC_TRACE_INTERNAL_H
#define RPC_TRACE_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "rpc/trace.h"
#include "rpc/trace_fault.h"

struct trace_ops {
    /* Readies t->hooks; t->arena is empty, t->state zeroed but for what `setup` made. */
    void (*begin)(struct trace *t, const struct tx *tx);
    void (*end)(struct trace *t, const struct tx *tx, const struct tx_result *r);
    void (*write)(struct trace *t, struct json_writer *w);
};
extern const struct trace_ops trace_struct_ops, trace_call_ops, trace_prestate_ops,
    trace_four_byte_ops, trace_noop_ops;

/* --- struct log ---------------------------------------------------------------------------- */
struct struct_slot {
    hash32 slot, value;
};
struct struct_storage {        /* what one contract has read and written so far */
    struct struct_slot *slots; /* ascending; in the trace's arena */
    size_t count, cap;
};
struct struct_trace {
    struct json_writer w; /* over trace.text: the array of entries */
    uint64_t entries;
    enum evm_status status;
    uint64_t gas_used;
    bytes output;
};

/* --- callTracer ---------------------------------------------------------------------------- */
struct call_log {
    struct call_log *next;
    struct evm_log log; /* data in the trace's arena */
    uint64_t index;     /* in the block */
    uint32_t position;  /* calls of the frame before it */
};
struct call_frame {
    struct call_frame *parent, *first, *last, *next;
    struct call_log *first_log, *last_log;
    enum evm_call_kind kind;
    addr20 from, to;
    u256 value;
    uint64_t gas, gas_used;
    bytes input, output;
    const char *error; /* NULL: none */
    bool reverted;     /* reverted by itself: `output` is a revert's data */
    bool failed;       /* it, or one around it: its logs are gone */
    uint32_t child_count;
};
struct call_trace {
    struct call_frame *root, *current;
    struct fault_step last;
    uint64_t logs_alive; /* index of the next log, as reverts leave it */
    uint64_t *logs_at;   /* by depth: logs_alive when the frame began */
};

/* --- prestateTracer ------------------------------------------------------------------------ */
struct pre_slot {
    struct pre_slot *next;
    hash32 slot, before, after;
};
struct pre_account {
    struct pre_account *next;
    addr20 addr;
    u256 balance;
    uint64_t nonce;
    hash32 code_hash;
    bytes code; /* the world's */
    struct pre_slot *slots;
    size_t slot_count;
    bool empty;     /* was so before */
    bool created;   /* a creation went to it */
    bool destroyed; /* by SELFDESTRUCT, for good */
    /* diffMode, after the transaction: */
    bool changed;
    u256 post_balance;
    uint64_t post_nonce;
    hash32 post_code_hash;
    bytes post_code;
};
struct prestate_trace {
    struct pre_account *accounts;
    size_t count;
};

/* --- 4byteTracer --------------------------------------------------------------------------- */
struct four_byte {
    struct four_byte *next;
    uint8_t selector[4];
    size_t args_len;
    uint64_t count;
};
struct four_byte_trace {
    struct four_byte *list;
};

struct trace {
    struct trace_options opt;
    const struct trace_ops *ops;
    struct evm_tracer hooks;
    struct arena arena; /* of the transaction being traced */
    struct buf text;    /* struct log's entries */
    struct map by_key;  /* what a form looks up by key: pointers into the arena */
    struct exec *x;     /* while it runs */
    uint64_t first_log, deadline_ms;
    uint32_t countdown; /* events until the clock is looked at */
    bool full, expired;
    union {
        struct struct_trace log;
        struct call_trace call;
        struct prestate_trace pre;
        struct four_byte_trace four;
    } state;
};

enum {
    TRACE_KEY_BYTES = 53,     /* of by_key: what it is of, and up to 52 bytes */
    TRACE_CLOCK_EVENTS = 256, /* cheap next to 256 entries of any form */
};

struct trace_key {
    uint8_t b[TRACE_KEY_BYTES];
};
static inline struct trace_key trace_key_account(const addr20 *a) {
    struct trace_key k = {{0}};
    memcpy(k.b + 1, a->b, 20);
    return k;
}
static inline struct trace_key trace_key_slot(const addr20 *a, const u256 *slot) {
    struct trace_key k = {{1}};
    memcpy(k.b + 1, a->b, 20);
    u256_to_be32(k.b + 21, slot);
    return k;
}
/* NULL: nothing there. */
void *trace_find(const struct trace *t, const struct trace_key *k);
void trace_put(struct trace *t, const struct trace_key *k, void *p);

/* Whether to go on recording; to be asked at every event. */
bool trace_live(struct trace *t);
/* From the arena; NULL ends the recording. */
void *trace_alloc(struct trace *t, size_t len);
bytes trace_copy(struct trace *t, bytes b);

#endif
