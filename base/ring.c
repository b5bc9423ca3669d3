/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ring.h"

#include "base/check.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Slot i begins at sequence i: "free for position i". A pushed item makes it position + 1, "full";
 * the consumer makes it position + cap, "free for the next round". */
struct ring_slot {
    _Atomic uint64_t seq;
    uint8_t item[];
};

static struct ring_slot *slot_at(const struct ring *r, uint64_t pos) {
    return (struct ring_slot *)(void *)(r->slots + (pos & (r->cap - 1)) * r->slot_len);
}

enum err ring_init(struct ring *r, enum ring_kind kind, size_t cap, uint32_t item_len,
                   bool with_wake) {
    CHECK(cap >= 2 && cap <= (size_t)1 << 24 && (cap & (cap - 1)) == 0);
    CHECK(item_len >= 1 && item_len <= RING_ITEM_BYTES_MAX);
    memset(r, 0, sizeof(*r));
    r->kind = kind;
    r->item_len = item_len;
    r->slot_len = (uint32_t)sizeof(struct ring_slot) + ((item_len + 7) & ~7u);
    r->cap = cap;
    r->wake_fd = -1;
    r->slots = calloc(cap, r->slot_len);
    if (r->slots == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < cap; i++)
        atomic_init(&slot_at(r, i)->seq, i);
    if (with_wake) {
        r->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (r->wake_fd < 0) {
            free(r->slots);
            r->slots = NULL;
            return ERR_IO;
        }
    }
    return ERR_OK;
}

void ring_clear(struct ring *r) {
    if (r->slots == NULL)
        return;
    free(r->slots);
    r->slots = NULL;
    if (r->wake_fd >= 0)
        (void)close(r->wake_fd);
    r->wake_fd = -1;
}

/* Takes a position for one item, or says that the ring is full. */
static bool claim(struct ring *r, uint64_t *out_pos) {
    uint64_t pos = atomic_load_explicit(&r->tail, memory_order_relaxed);
    for (;;) {
        uint64_t seq = atomic_load_explicit(&slot_at(r, pos)->seq, memory_order_acquire);
        if (seq == pos) {
            if (r->kind == RING_SPSC) {
                atomic_store_explicit(&r->tail, pos + 1, memory_order_relaxed);
                break;
            }
            if (atomic_compare_exchange_weak_explicit(&r->tail, &pos, pos + 1, memory_order_relaxed,
                                                      memory_order_relaxed))
                break;
        } else if ((int64_t)(seq - pos) < 0) {
            return false;
        } else {
            pos = atomic_load_explicit(&r->tail, memory_order_relaxed);
        }
    }
    *out_pos = pos;
    return true;
}

bool ring_push(struct ring *r, const void *item) {
    uint64_t pos;
    if (!claim(r, &pos))
        return false;
    struct ring_slot *slot = slot_at(r, pos);
    memcpy(slot->item, item, r->item_len);
    if (r->wake_fd < 0) {
        atomic_store_explicit(&slot->seq, pos + 1, memory_order_release);
        return true;
    }
    /* Sequentially consistent, as are the two accesses of ring_arm in the opposite order: either
     * the consumer sees the item, or this thread sees that it sleeps. */
    atomic_store(&slot->seq, pos + 1);
    if (atomic_load(&r->asleep))
        ring_kick(r);
    return true;
}

size_t ring_pop_many(struct ring *r, void *out_items, size_t max) {
    uint64_t pos = atomic_load_explicit(&r->head, memory_order_relaxed);
    size_t n = 0;
    while (n < max) {
        struct ring_slot *slot = slot_at(r, pos);
        if (atomic_load_explicit(&slot->seq, memory_order_acquire) != pos + 1)
            break;
        memcpy((uint8_t *)out_items + n * r->item_len, slot->item, r->item_len);
        atomic_store_explicit(&slot->seq, pos + r->cap, memory_order_release);
        pos++;
        n++;
    }
    atomic_store_explicit(&r->head, pos, memory_order_relaxed);
    return n;
}

size_t ring_len(const struct ring *r) {
    /* Head first: the tail that is read after it is never behind it. */
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    uint64_t len = tail > head ? tail - head : 0;
    return len < r->cap ? len : r->cap;
}

static bool has_item(struct ring *r) {
    uint64_t pos = atomic_load_explicit(&r->head, memory_order_relaxed);
    return atomic_load(&slot_at(r, pos)->seq) == pos + 1;
}

bool ring_arm(struct ring *r) {
    CHECK(r->wake_fd >= 0);
    atomic_store(&r->asleep, true);
    if (!has_item(r))
        return true;
    atomic_store(&r->asleep, false);
    return false;
}

void ring_disarm(struct ring *r) {
    atomic_store(&r->asleep, false);
    uint64_t count;
    ssize_t n = read(r->wake_fd, &count, sizeof(count));
    CHECK(n == (ssize_t)sizeof(count) || (n < 0 && (errno == EAGAIN || errno == EINTR)));
}

bool ring_wait(struct ring *r, int timeout_ms) {
    if (ring_arm(r)) {
        struct pollfd p = {.fd = r->wake_fd, .events = POLLIN};
        (void)poll(&p, 1, timeout_ms); /* an interruption counts as waking up */
        ring_disarm(r);
    }
    return has_item(r);
}

void ring_kick(struct ring *r) {
    if (r->wake_fd < 0)
        return;
    /* One write wakes the sleeper; further producers need not repeat it until it arms again. */
    atomic_store(&r->asleep, false);
    uint64_t one = 1;
    ssize_t n;
    do {
        n = write(r->wake_fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    CHECK(n == (ssize_t)sizeof(one) || errno == EAGAIN); /* EAGAIN: readable long since */
}
