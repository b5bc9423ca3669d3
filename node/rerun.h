/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of our own that the parent made void are made again: their transactions, in their order,
 * on the new state. One that became invalid is left out and gets a tombstone: a record of the log
 * and a row of table `tomb`. Sequencer's thread. */
#ifndef NODE_RERUN_H
#define NODE_RERUN_H

#include "node/ledger.h"
#include "node/mirror.h"

enum { RERUN_BLOCKS_MAX = 16 << 20 }; /* positions in RAM, 8 bytes each */

struct sequencer;
struct rerun {
    struct log_pos *blocks; /* BLOCK records, oldest first */
    size_t len, at;
    bool restamp; /* with stamps of now instead of their own */
};

void rerun_init(struct rerun *r);
void rerun_clear(struct rerun *r);
bool rerun_empty(const struct rerun *r);
/* Notes the blocks above `to_block`, before they are undone; what was still to be made again comes
 * after them. The ledger's again_floor sees to it that a crash does not lose them. ERR_NOMEM,
 * ERR_TOO_LARGE, ERR_CORRUPT. */
enum err rerun_collect(struct rerun *r, struct ledger *l, uint64_t to_block,
                       struct err_ctx *ec) MUST_USE;
/* Blocks that are to be made again before those that are noted already; the list is copied.
 * ERR_NOMEM, ERR_TOO_LARGE. */
enum err rerun_prepend(struct rerun *r, const struct log_pos *list, size_t count,
                       struct err_ctx *ec) MUST_USE;
/* Those that recovery found in the log. */
void rerun_adopt(struct rerun *r, struct ledger *l);
/* Makes the next block again: one that was sequenced by us from its transactions; one that held a
 * delayed message if that is the next in turn, final enough or not: it had its place. The stamps
 * are those of now. */
enum err rerun_step(struct rerun *r, struct sequencer *s, struct mirror *m, uint64_t timestamp,
                    uint64_t l1_block, struct err_ctx *ec) MUST_USE;

#endif
