/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "base/check.h"

#include <time.h>

enum { NS_PER_MS = 1000000 };

static struct timespec read_clock(clockid_t id) {
    struct timespec ts;
    CHECK(clock_gettime(id, &ts) == 0);
    return ts;
}

static uint64_t posix_realtime_ms(struct clock *c) {
    (void)c;
    struct timespec ts = read_clock(CLOCK_REALTIME);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MS;
}

static uint64_t posix_monotonic_ns(struct clock *c) {
    (void)c;
    struct timespec ts = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct clock *clock_posix(void) {
    static struct clock posix = {.realtime_ms = posix_realtime_ms,
                                 .monotonic_ns = posix_monotonic_ns};
    return &posix;
}

static struct clock_fake *fake_of(struct clock *c) {
    return (struct clock_fake *)(void *)((char *)c - offsetof(struct clock_fake, clock));
}

static uint64_t fake_realtime_ms(struct clock *c) {
    return fake_of(c)->realtime_ms;
}

static uint64_t fake_monotonic_ns(struct clock *c) {
    return fake_of(c)->monotonic_ns;
}

void clock_fake_init(struct clock_fake *f, uint64_t realtime_ms) {
    *f = (struct clock_fake){
        .clock = {.realtime_ms = fake_realtime_ms, .monotonic_ns = fake_monotonic_ns},
        .realtime_ms = realtime_ms,
    };
}

void clock_fake_advance(struct clock_fake *f, uint64_t ns) {
    CHECK(ns <= UINT64_MAX - f->monotonic_ns);
    f->monotonic_ns += ns;
    f->realtime_ms += ns / NS_PER_MS;
    f->carry_ns += ns % NS_PER_MS;
    f->realtime_ms += f->carry_ns / NS_PER_MS;
    f->carry_ns %= NS_PER_MS;
}

void clock_fake_set_realtime(struct clock_fake *f, uint64_t realtime_ms) {
    f->realtime_ms = realtime_ms;
    f->carry_ns = 0;
}
