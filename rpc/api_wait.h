/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait for the next durable block (long polls): woken by it, by their time, or by a
 * stop. Limit: API_WAITERS_MAX; who comes then does not wait. Thread-safe. */
#ifndef RPC_API_WAIT_H
#define RPC_API_WAIT_H

#include "rpc/call.h"

enum { API_WAITERS_MAX = 16384, API_WAIT_MAX_MS = 30000 };

struct api_waiters;
struct api_waiters *api_waiters_new(void) MUST_USE;
/* Nobody waits: the engine has ended. */
void api_waiters_free(struct api_waiters *w);
/* Has the call's handler run again when a block above `seen` is durable, or at deadline_ms
 * (monotonic). */
void api_wait_ask(struct rpc_call *c, uint64_t seen, uint64_t deadline_ms);
/* A block is durable; blocks above one were undone, which is now the newest (then all are woken).
 * Any thread. */
void api_waiters_block(struct api_waiters *w, uint64_t block);
void api_waiters_reorg(struct api_waiters *w, uint64_t block);
/* Nobody waits any more: all are woken, and who asks is woken at once. */
void api_waiters_close(struct api_waiters *w);
bool api_waiters_closed(struct api_waiters *w);
/* Time passes. */
void api_waiters_tick(struct api_waiters *w, uint64_t now_ms);

#endif
