/* SPDX-License-Identifier: Apache-2.0 */
/* What happened inside a transaction, in the forms of geth's tracers:
 *
 *   (no name)       struct log: one entry for each instruction
 *   callTracer      the tree of calls; onlyTopCall, withLog
 *   prestateTracer  the accounts and slots that it met, before it, or (diffMode) what it changed;
 *                   disableCode, disableStorage, includeEmpty
 *   4byteTracer     selectors of calls and the size of their arguments, counted
 *   noopTracer      nothing: {}
 *
 * Source: go-ethereum eth/tracers; ethereum/execution-apis src/schemas/{opcode,call}-tracer.yaml.
 * JavaScript is not executed.
 *
 * Limits: a trace keeps at most TRACE_MEMORY_MAX_BYTES while it runs, and its JSON is bounded by
 * what its owner gives it; beyond either it stops recording and says TRACE_TOO_LARGE. When its time
 * is up it stops recording too; the transaction itself, which gas bounds, runs to its end. */
#ifndef RPC_TRACE_H
#define RPC_TRACE_H

#include "base/buf.h"
#include "chain/watch.h"
#include "rpc/json_writer.h"

#include <jansson.h>

enum {
    TRACE_MEMORY_MAX_BYTES = 64 << 20,
    TRACE_TEXT_MAX = 160,
};

enum trace_kind {
    TRACE_STRUCT_LOG,
    TRACE_CALL,
    TRACE_PRESTATE,
    TRACE_FOUR_BYTE,
    TRACE_NOOP,
};
struct trace_options {
    enum trace_kind kind;
    uint32_t timeout_ms; /* asked for; 0: the owner's */
    /* Struct log: */
    bool enable_memory, disable_stack, enable_return_data;
    uint64_t limit; /* entries; 0: any number */
    /* callTracer: */
    bool only_top_call, with_log;
    /* prestateTracer: */
    bool diff_mode, disable_code, include_empty;
    bool disable_storage; /* and struct log */
};
/* Reads geth's TraceConfig (NULL: all defaults). False with a sentence in `why`. */
bool trace_options_parse(struct trace_options *out, const json_t *o, char why[TRACE_TEXT_MAX]);

struct trace;
/* json_max: bytes of a result. NULL when out of memory. */
struct trace *trace_new(const struct trace_options *o, size_t json_max) MUST_USE;
void trace_free(struct trace *t);

/* From an exec_watch's begin: starts over, for this transaction. `first_log` is the index of its
 * first log in the block; deadline_ms of rpc_now_ms's clock, 0 for none. */
const struct evm_tracer *trace_begin(struct trace *t, struct exec *x, const struct tx *tx,
                                     uint64_t first_log, uint64_t deadline_ms);
/* From an exec_watch's end, when the verdict was TX_OK. */
void trace_end(struct trace *t, struct exec *x, const struct tx *tx, const struct tx_result *r);

enum trace_outcome { TRACE_OK, TRACE_TOO_LARGE, TRACE_TIMED_OUT };
enum trace_outcome trace_outcome(const struct trace *t);
/* "response too large", "execution timeout" */
const char *trace_outcome_text(enum trace_outcome o);
/* Writes the result of the transaction traced last, whose outcome was TRACE_OK. */
void trace_write(struct trace *t, struct json_writer *w);

#endif
