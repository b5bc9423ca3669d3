/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/derive_internal.h"

enum err chain_replay_block(struct chain *c, struct arena *a, const struct header *parent,
                            const struct message *m, const struct exec_watch *w,
                            struct err_ctx *ec) {
    CHECK(!c->is_open);
    struct derived_block b;
    struct block_stamps s = block_stamps_of(m);
    TRY(block_open(&b, c, a, parent, &s, ec));
    b.message = *m;
    c->watch = w;
    enum err e = block_run_message(&b, c);
    c->watch = NULL;
    c->watch_stopped = false;
    block_abandon(c);
    return e;
}
