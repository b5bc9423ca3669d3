/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded queue of fixed-size items between threads: one consumer, and one producer (RING_SPSC)
 * or any number (RING_MPSC). Nothing waits inside push and pop: a full ring says so, and what to do
 * about it is the caller's policy. Items are copied; for pointers use sizeof(void *).
 *
 * Each slot carries a sequence number that tells its turn (D. Vyukov's bounded queue), so producer
 * and consumer share no counter; head and tail lie on cache lines of their own. Per producer, order
 * holds.
 *
 * A consumer that has nothing to do can sleep on an eventfd. It arms the ring, which fails if an
 * item is there already, and waits for the descriptor, alone (ring_wait) or in an event loop: on
 * readable: ring_disarm; pop until empty; repeat that while ring_arm is false. Producers pay for a
 * system call only when the consumer sleeps. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/err.h"
#include "base/types.h"

#include <stdatomic.h>

enum ring_kind { RING_SPSC, RING_MPSC };

enum { RING_CACHE_LINE = 64, RING_ITEM_BYTES_MAX = 4096 };

struct ring {
    /* Set by ring_init, read by all. */
    enum ring_kind kind;
    uint32_t item_len; /* bytes */
    uint32_t slot_len; /* sequence number and item */
    int wake_fd;       /* eventfd, or -1 */
    size_t cap;        /* items; a power of two */
    uint8_t *slots;    /* owned */
    /* The producers' end. */
    _Alignas(RING_CACHE_LINE) _Atomic uint64_t tail;
    /* The consumer's end. */
    _Alignas(RING_CACHE_LINE) _Atomic uint64_t head;
    _Alignas(RING_CACHE_LINE) atomic_bool asleep; /* the consumer armed the ring */
};

/* cap: a power of two in [2, 2^24]. with_wake: make the eventfd. ERR_NOMEM; ERR_IO: no eventfd. */
enum err ring_init(struct ring *r, enum ring_kind kind, size_t cap, uint32_t item_len,
                   bool with_wake) MUST_USE;
/* No thread may use it any more. Items left inside are dropped. A zeroed ring is fine. */
void ring_clear(struct ring *r);

/* False when full. */
bool ring_push(struct ring *r, const void *item) MUST_USE;
/* Up to `max` items to an array; how many. Consumer only. */
size_t ring_pop_many(struct ring *r, void *out_items, size_t max) MUST_USE;
/* How many items are inside; by the time it is read it may be out of date. Any thread. */
size_t ring_len(const struct ring *r);

/* Consumer: announces sleep. False when there is work already: do not wait then. */
bool ring_arm(struct ring *r) MUST_USE;
/* Consumer: awake again; empties the eventfd. */
void ring_disarm(struct ring *r);
/* Consumer: sleeps until there is an item, ring_kick, or timeout_ms has passed (negative: no
 * limit); a late signal of an item already taken may end it early. Whether there is an item. */
bool ring_wait(struct ring *r, int timeout_ms);
/* Wakes the consumer though nothing was pushed: for shutting down. Any thread. */
void ring_kick(struct ring *r);

#endif
