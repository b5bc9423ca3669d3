/* SPDX-License-Identifier: Apache-2.0 */
/* Polls that wait for an event of their universe: woken by it, by their time, or by a stop. A
 * thread looks where each universe that somebody waits for has its newest event, once for all who
 * wait for it and once for all blocks that became durable meanwhile; that takes it at most a fifth
 * of its time, so that many universes cost latency and not the node. Who follows a universe where
 * nothing happens is left alone.
 *
 * Limits: API_WAITERS_MAX in all and API_WAITERS_UNIVERSE_MAX for one universe, so that the public
 * key of one cannot take the places of the others; who comes then is refused. Thread-safe. */
#ifndef RPC_API_WAIT_H
#define RPC_API_WAIT_H

#include "rpc/call.h"

enum {
    API_WAITERS_MAX = 49152,
    API_WAITERS_UNIVERSE_MAX = 12288,
    API_WAIT_MAX_MS = 30000,
};

struct api_waiters;
/* `store` is borrowed. NULL: no memory, or no thread. */
struct api_waiters *api_waiters_new(struct store *store) MUST_USE;
/* Nobody waits: the engine has ended. */
void api_waiters_free(struct api_waiters *w);
/* Has the call's handler run again when a block above `seen` has an event of the universe, or at
 * deadline_ms (monotonic). It may run without either: it looks itself. Too many wait: the call
 * fails, and may be tried later. */
void api_wait_ask(struct rpc_call *c, uint64_t universe, uint64_t seen, uint64_t deadline_ms);
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
