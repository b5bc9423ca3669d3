/* SPDX-License-Identifier: Apache-2.0 */
/* Time behind an interface, so that a simulated run owns it. Code that needs time takes a clock;
 * nothing else reads one. Wall time may jump either way; durations come from monotonic_ns alone. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/types.h"

struct clock {
    /* Milliseconds since 1970-01-01 UTC. */
    uint64_t (*realtime_ms)(struct clock *c);
    /* Nanoseconds since some fixed moment; never goes back. */
    uint64_t (*monotonic_ns)(struct clock *c);
};

/* The operating system's clock. Static; thread-safe. */
struct clock *clock_posix(void);

/* A clock that stands still until told. For one thread, or with the caller's own order. */
struct clock_fake {
    struct clock clock; /* hand out &fake.clock */
    uint64_t realtime_ms;
    uint64_t monotonic_ns;
    uint64_t carry_ns; /* advanced, but not yet a whole millisecond of wall time */
};
void clock_fake_init(struct clock_fake *f, uint64_t realtime_ms);
/* Both clocks go on by `ns`. */
void clock_fake_advance(struct clock_fake *f, uint64_t ns);
/* The wall clock alone jumps, as when an operator or NTP sets it. */
void clock_fake_set_realtime(struct clock_fake *f, uint64_t realtime_ms);

static inline uint64_t clock_realtime_ms(struct clock *c) {
    return c->realtime_ms(c);
}
static inline uint64_t clock_monotonic_ns(struct clock *c) {
    return c->monotonic_ns(c);
}

#endif
