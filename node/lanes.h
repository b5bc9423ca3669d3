/* SPDX-License-Identifier: Apache-2.0 */
/* Whose turn it is among READY transactions. A lane is a FIFO: one for each universe, one, number
 * 0, for all else (creations included). Lanes take turns by deficit round robin in gas, so a
 * universe that floods makes others wait for a turn, not for its backlog.
 *
 * A turn adds LANES_QUANTUM_GAS to a lane's credit. Its first transaction goes when the credit
 * covers its gas limit, and costs what it then used; what is saved beyond the next one's need and
 * a turn is lost, and so is all when nothing waits.
 *
 * A lane exists while a transaction of it is READY or EXECUTED: outsiders cannot leave any behind.
 * The pool's lock is held. Source: Shreedhar and Varghese, Deficit Round Robin (1995); Choudhury
 * and Hahne, Dynamic Queue Length Thresholds (1998). */
#ifndef NODE_LANES_H
#define NODE_LANES_H

#include "base/map.h"

enum {
    LANES_QUANTUM_GAS = 1 << 18,
    LANES_REFUSED_GAS = 21000, /* what one costs that is refused at its turn */
    /* A lane may have so many times what is still free: four fifths when alone, an equal part with
     * others; something is always free for one that comes. */
    LANES_SHARE = 4,
};

/* Whether a lane that has `own` of the `all` that are taken may take `more`; `max` are there. */
static inline bool lanes_share_fits(size_t own, size_t all, size_t more, size_t max) {
    return all + more <= max && own + more <= LANES_SHARE * (max - all);
}

struct pool_tx;
struct lane {
    uint64_t universe;
    struct lane *prev, *next;     /* around, while any is READY */
    struct pool_tx *first, *last; /* READY, by next_ready */
    size_t count, bytes;          /* of those; bytes of envelopes */
    size_t held, memory;          /* READY and EXECUTED ones, and what they take */
    uint64_t credit;              /* gas */
};
struct lanes {
    struct map by_universe; /* universe -> struct lane *, owned; not number 0 */
    struct lane rest;       /* number 0: always there */
    struct lane *turn;      /* NULL: nothing is READY */
    size_t in_use;          /* lanes with READY ones */
    size_t count, bytes;    /* of all READY ones */
};
void lanes_init(struct lanes *l, struct map_seed seed);
void lanes_clear(struct lanes *l); /* lanes, not transactions */

/* NULL: nothing of it is READY or EXECUTED. */
struct lane *lanes_find(const struct lanes *l, uint64_t universe);
/* To the end of `lane`, or of its universe's (NULL); of number 0 when there is no memory for one.
 */
void lanes_push(struct lanes *l, struct pool_tx *t, struct lane *lane);
/* Takes `old`'s place; that is in no lane then. */
void lanes_replace(struct lanes *l, struct pool_tx *t, struct pool_tx *old);
/* The next one, or NULL; it stays. The same until lanes change. */
struct pool_tx *lanes_first(struct lanes *l);
/* The next one is executed: not READY, still of its lane. */
void lanes_executed(struct lanes *l, struct pool_tx *t, uint64_t gas_used);
/* One that is READY or EXECUTED leaves; `gas`: what it costs its lane. */
void lanes_leave(struct lanes *l, struct pool_tx *t, uint64_t gas);
/* READY ones of the longest lane. O(lanes). */
size_t lanes_longest(const struct lanes *l);

#endif
