/* SPDX-License-Identifier: Apache-2.0 */
#include "node/lanes.h"

#include "base/check.h"
#include "node/pool.h"

#include <stdlib.h>

enum { LANES_MAX = 1 << 24 }; /* each holds one of the pool's transactions */

void lanes_init(struct lanes *l, struct map_seed seed) {
    *l = (struct lanes){0};
    map_init(&l->by_universe, sizeof(uint64_t), sizeof(struct lane *), LANES_MAX, seed);
}

void lanes_clear(struct lanes *l) {
    const void *key;
    void *value;
    for (size_t it = 0; map_next(&l->by_universe, &it, &key, &value);)
        free(*(struct lane **)value);
    map_clear(&l->by_universe);
}

struct lane *lanes_find(const struct lanes *l, uint64_t universe) {
    if (universe == 0)
        return l->rest.held != 0 ? (struct lane *)(uintptr_t)&l->rest : NULL;
    struct lane *const *v = map_get(&l->by_universe, &universe);
    return v != NULL ? *v : NULL;
}

static struct lane *make_lane(struct lanes *l, uint64_t universe) {
    if (universe == 0)
        return &l->rest;
    struct lane *lane = calloc(1, sizeof(*lane));
    if (lane == NULL)
        return &l->rest;
    lane->universe = universe;
    if (map_put(&l->by_universe, &universe, &lane) == ERR_OK)
        return lane;
    free(lane);
    return &l->rest;
}

static void begin_turn(struct lanes *l, struct lane *lane) {
    l->turn = lane;
    lane->credit += LANES_QUANTUM_GAS;
}

/* Behind all others. */
static void enter_round(struct lanes *l, struct lane *lane) {
    l->in_use++;
    if (l->turn == NULL) {
        lane->prev = lane->next = lane;
        begin_turn(l, lane);
        return;
    }
    lane->next = l->turn;
    lane->prev = l->turn->prev;
    lane->prev->next = lane;
    lane->next->prev = lane;
}

static void leave_round(struct lanes *l, struct lane *lane) {
    struct lane *next = lane->next != lane ? lane->next : NULL;
    l->in_use--;
    lane->prev->next = lane->next;
    lane->next->prev = lane->prev;
    lane->prev = lane->next = NULL;
    lane->credit = 0;
    if (l->turn != lane)
        return;
    l->turn = next;
    if (next != NULL)
        begin_turn(l, next);
}

static void hold(struct lane *lane, struct pool_tx *t) {
    t->lane = lane;
    lane->held++;
    lane->memory += t->counted;
}

static void count_ready(struct lanes *l, struct lane *lane, const struct pool_tx *t) {
    lane->count++;
    lane->bytes += t->tx.raw.len;
    l->count++;
    l->bytes += t->tx.raw.len;
}

/* Puts `t` between two neighbours of the queue. */
static void link_between(struct lane *lane, struct pool_tx *t, struct pool_tx *prev,
                         struct pool_tx *next) {
    t->prev_ready = prev;
    t->next_ready = next;
    *(prev != NULL ? &prev->next_ready : &lane->first) = t;
    *(next != NULL ? &next->prev_ready : &lane->last) = t;
}

void lanes_push(struct lanes *l, struct pool_tx *t, struct lane *lane) {
    if (lane == NULL)
        lane = lanes_find(l, t->universe);
    if (lane == NULL)
        lane = make_lane(l, t->universe);
    hold(lane, t);
    if (lane->count == 0)
        enter_round(l, lane);
    link_between(lane, t, lane->last, NULL);
    count_ready(l, lane, t);
}

/* Out of the queue; the lane keeps it. */
static void unlink_ready(struct lanes *l, struct pool_tx *t) {
    struct lane *lane = t->lane;
    struct pool_tx *prev = t->prev_ready, *next = t->next_ready;
    *(prev != NULL ? &prev->next_ready : &lane->first) = next;
    *(next != NULL ? &next->prev_ready : &lane->last) = prev;
    t->prev_ready = t->next_ready = NULL;
    lane->count--;
    lane->bytes -= t->tx.raw.len;
    l->count--;
    l->bytes -= t->tx.raw.len;
    if (lane->count == 0)
        leave_round(l, lane);
}

static void let_go(struct lanes *l, struct pool_tx *t) {
    struct lane *lane = t->lane;
    t->lane = NULL;
    lane->memory -= t->counted;
    if (--lane->held != 0 || lane == &l->rest)
        return;
    map_del(&l->by_universe, &lane->universe);
    free(lane);
}

void lanes_replace(struct lanes *l, struct pool_tx *t, struct pool_tx *old) {
    struct lane *lane = old->lane;
    struct pool_tx *next = old->next_ready;
    CHECK(old->state == POOL_READY);
    hold(lane, t); /* before the other leaves: so the lane stays, and its turn and credit */
    link_between(lane, t, old, next);
    count_ready(l, lane, t);
    unlink_ready(l, old);
    let_go(l, old);
}

static uint64_t need_of(const struct lane *lane) {
    return lane->first->tx.gas_limit;
}

struct pool_tx *lanes_first(struct lanes *l) {
    if (l->turn == NULL)
        return NULL;
    while (l->turn->credit < need_of(l->turn))
        begin_turn(l, l->turn->next);
    return l->turn->first;
}

/* `lane` has used gas. What it saves is for the next one, and a turn more. */
static void charge(struct lane *lane, uint64_t gas) {
    if (lane->count == 0)
        return; /* it has nothing to save for */
    uint64_t most = need_of(lane) + LANES_QUANTUM_GAS;
    lane->credit -= gas < lane->credit ? gas : lane->credit;
    if (lane->credit > most)
        lane->credit = most;
}

void lanes_executed(struct lanes *l, struct pool_tx *t, uint64_t gas_used) {
    struct lane *lane = t->lane;
    CHECK(t->state == POOL_READY);
    unlink_ready(l, t);
    charge(lane, gas_used);
}

void lanes_leave(struct lanes *l, struct pool_tx *t, uint64_t gas) {
    if (t->state == POOL_READY) {
        unlink_ready(l, t);
        charge(t->lane, gas);
    }
    let_go(l, t);
}

size_t lanes_longest(const struct lanes *l) {
    size_t longest = 0;
    const struct lane *lane = l->turn;
    for (size_t i = 0; i < l->in_use; i++, lane = lane->next)
        longest = lane->count > longest ? lane->count : longest;
    return longest;
}
