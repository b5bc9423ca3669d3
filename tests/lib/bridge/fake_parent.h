/* SPDX-License-Identifier: Apache-2.0 */
/* A parent chain's endpoint on a free port of this machine, in a thread of its own: a chain whose
 * blocks are a function of (fork, number), logs that the test gives, answers that the test sets,
 * and faults. Change fields only through the functions. */
#ifndef TESTS_LIB_BRIDGE_FAKE_PARENT_H
#define TESTS_LIB_BRIDGE_FAKE_PARENT_H

#include "base/types.h"
#include "bridge/parent.h"

enum fake_fault {
    FAKE_NO_FAULT,
    FAKE_STALL,      /* takes the request and never answers */
    FAKE_GARBAGE,    /* 200 and no JSON */
    FAKE_WRONG_ID,   /* a reply to another request */
    FAKE_STATUS_500, /* HTTP 500 */
    FAKE_TOO_MANY,   /* HTTP 429, Retry-After: 1 */
    FAKE_HUGE,       /* 200 and a body of 8 MiB */
    FAKE_BUSY,       /* JSON-RPC error -32005 */
    FAKE_CUT,        /* closes the connection in the middle */
};

struct fake_parent;
struct fake_parent *fake_parent_start(uint64_t chain_id);
void fake_parent_stop(struct fake_parent *f);
/* "http://127.0.0.1:PORT", owned by f. */
const char *fake_parent_url(const struct fake_parent *f);

/* The next `count` requests meet this fault. */
void fake_parent_fault(struct fake_parent *f, enum fake_fault fault, unsigned count);
/* Head of the chain; blocks from `since` on are those of `fork`. */
void fake_parent_chain(struct fake_parent *f, uint64_t head, uint64_t since, uint8_t fork);
hash32 fake_parent_hash(uint8_t fork, uint64_t number);
/* The block that is final; 0, as at the start: the endpoint has no such tag. */
void fake_parent_final(struct fake_parent *f, uint64_t number);
/* eth_getLogs refuses ranges of more blocks (0 = any). */
void fake_parent_log_span(struct fake_parent *f, uint64_t blocks);
/* One log for each block in [from, to], of event InboxMessage and address 0x11...; data_len bytes.
 */
void fake_parent_logs(struct fake_parent *f, uint64_t from, uint64_t to, size_t data_len);
/* From now on `method` is answered with this text, which is `"result":...` or `"error":{...}`;
 * NULL: as before. */
void fake_parent_answer(struct fake_parent *f, const char *method, const char *text);

unsigned fake_parent_requests(struct fake_parent *f);
/* Of one method. */
unsigned fake_parent_calls(struct fake_parent *f, const char *method);
/* Parameters of the last call of any method, as text; cut. Valid until the next request. */
const char *fake_parent_last_params(struct fake_parent *f);

#endif
