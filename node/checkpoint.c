/* SPDX-License-Identifier: Apache-2.0 */
#include "node/checkpoint.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/metrics.h"
#include "node/prune.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ioprio_set(2) has no header of its own. */
enum { IO_WHO_THREAD = 1, IO_CLASS_IDLE = 3, IO_CLASS_SHIFT = 13, NICE = 10 };
enum { NOTHING_DURABLE_NS = 2000000 };
enum { WORK_NS = 200000, NAP_NS = 150000 };

struct checkpointer {
    struct ledger *ledger;
    void (*failed)(void *ctx, enum err e, const struct err_ctx *ec);
    void *ctx;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    bool due, stopping, broken;
    uint64_t replay_ns; /* execution time of blocks since the last checkpoint began */
    uint64_t woke_ns;   /* from the last nap; the checkpoint thread's */
};

static bool in_no_hurry(struct checkpointer *c) {
    pthread_mutex_lock(&c->lock);
    bool stopping = c->stopping;
    pthread_mutex_unlock(&c->lock);
    return !stopping && !ledger_rows_press(c->ledger);
}

/* A checkpoint that never sleeps keeps the kernel's threads of its processor waiting for whole
 * milliseconds, whatever its priority, and the sync of the log with them (node/bench/README.md). */
static void nap(void *arg) {
    struct checkpointer *c = arg;
    if (clock_monotonic_ns(clock_posix()) - c->woke_ns < WORK_NS)
        return;
    if (in_no_hurry(c))
        (void)nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    c->woke_ns = clock_monotonic_ns(clock_posix());
}

/* `replay_ns`: of the blocks that it is due for; still so when none of them is durable. */
static bool checkpoint_once(struct checkpointer *c, uint64_t replay_ns) {
    struct err_ctx ec;
    size_t rows = store_dirty_rows(c->ledger->store);
    uint64_t before = store_applied(c->ledger->store).block;
    uint64_t begun = clock_monotonic_ns(clock_posix());
    uint64_t limit = UINT64_MAX;
    (void)store_piece(c->ledger->store, &limit);
    enum err e = ledger_checkpoint(c->ledger, limit, &ec);
    if (e != ERR_OK) {
        c->failed(c->ctx, e, &ec);
        return false;
    }
    if (store_applied(c->ledger->store).block == before) {
        /* What is due waits for the log's sync. */
        pthread_mutex_lock(&c->lock);
        c->replay_ns += replay_ns;
        pthread_mutex_unlock(&c->lock);
        (void)nanosleep(&(struct timespec){.tv_nsec = NOTHING_DURABLE_NS}, NULL);
        return true;
    }
    node_observe_since(&node_checkpoint_us, begun, clock_monotonic_ns(clock_posix()));
    log_info("checkpoint", "done", log_u64("rows", rows),
             log_u64("block", store_applied(c->ledger->store).block),
             log_u64("took_ms", (clock_monotonic_ns(clock_posix()) - begun) / 1000000));
    return true;
}

static bool is_due(const struct checkpointer *c) {
    return ledger_checkpoint_due(c->ledger) || c->replay_ns >= LEDGER_REPLAY_NS_MAX;
}

/* Nothing is due: prunes one step, and sleeps when there is nothing left to prune. `lock` is held.
 */
static void prune_or_sleep(struct checkpointer *c) {
    pthread_mutex_unlock(&c->lock);
    bool more = prune_step(c->ledger, clock_realtime_ms(clock_posix()) / 1000);
    pthread_mutex_lock(&c->lock);
    if (more || c->due || c->stopping)
        return;
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PRUNE_EVERY_S;
    (void)pthread_cond_timedwait(&c->wake, &c->lock, &until);
}

/* What answers clients goes first, on the processor and at the disk. Neither is needed for anything
 * but speed, so that a system without them does as well. */
static void stand_back(void) {
    (void)pthread_setname_np(pthread_self(), "checkpoint");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    (void)syscall(SYS_ioprio_set, IO_WHO_THREAD, 0, IO_CLASS_IDLE << IO_CLASS_SHIFT);
}

static void *checkpoint_main(void *arg) {
    struct checkpointer *c = arg;
    stand_back();
    pthread_mutex_lock(&c->lock);
    while (!c->stopping && !c->broken) {
        if (!c->due) {
            prune_or_sleep(c);
            continue;
        }
        uint64_t replay_ns = c->replay_ns;
        c->due = false;
        c->replay_ns = 0;
        pthread_mutex_unlock(&c->lock);
        bool ok = checkpoint_once(c, replay_ns);
        pthread_mutex_lock(&c->lock);
        c->broken = !ok;
        /* Blocks that came meanwhile counted rows which it has moved; another piece may be ready.
         */
        c->due = is_due(c);
        pthread_cond_broadcast(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct checkpointer *
checkpointer_start(struct ledger *l,
                   void (*failed)(void *ctx, enum err e, const struct err_ctx *ec), void *ctx) {
    struct checkpointer *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->ledger = l;
    c->failed = failed;
    c->ctx = ctx;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    pthread_cond_init(&c->done, NULL);
    store_set_rest(l->store, nap, c);
    if (pthread_create(&c->thread, NULL, checkpoint_main, c) != 0) {
        store_set_rest(l->store, NULL, NULL);
        free(c);
        return NULL;
    }
    return c;
}

void checkpointer_after_block(struct checkpointer *c, uint64_t exec_ns,
                              const atomic_bool *given_up) {
    pthread_mutex_lock(&c->lock);
    c->replay_ns += exec_ns;
    if (is_due(c)) {
        c->due = true;
        pthread_cond_signal(&c->wake);
    }
    /* Each round of the thread ends with `done`, whether it could move anything or not. */
    while (ledger_rows_full(c->ledger) && !c->stopping && !c->broken && !atomic_load(given_up)) {
        c->due = true;
        pthread_cond_signal(&c->wake);
        pthread_cond_wait(&c->done, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
}

void checkpointer_stop(struct checkpointer *c) {
    if (c == NULL)
        return;
    pthread_mutex_lock(&c->lock);
    c->stopping = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    store_set_rest(c->ledger->store, NULL, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
