/* SPDX-License-Identifier: Apache-2.0 */
/* Private memory of a node through a long load at half of the speed that it was just seen to have,
 * or with --long at all of it: the mix of transfers, tokens and deployments, to recipients anywhere
 * in a large state, so that all of the state is visited and token slots are added all the time.
 * What is sent next is signed meanwhile, by a thread on the load's core. Memory is what the system
 * says: pages that no file has (Anonymous), and all that are dirty (Private_Dirty), those of the
 * store's file included while they are being written. */
#include "node/bench_contender.h"

#include "base/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    SECONDS_DEFAULT = 600,
    SPEED_ROUNDS = 3,
    SPEED_COUNT = 10000,
    ROUND_SECONDS = 2, /* of load, signed at once, */
    HURRY_SECONDS = 1, /* which goes out in no less than this to catch up */
    CONNECTIONS = 16,
    DEPTH = 64,
    CACHE_MIB = 512, /* the node's default */
    BESIDE_MIB = 256,
    SAMPLE_NS = 200000000,
};
#define MIB (1024.0 * 1024.0)

/* A round that another thread signs; *made tells how that ended. */
struct signing {
    pthread_t thread;
    struct bench_round round;
    struct bench_round_options o;
    struct bench_chain *chain;
    struct err_ctx ec;
    enum err made;
};

static void *sign_round(void *arg) {
    struct signing *s = arg;
    s->made = bench_round_make(&s->round, s->chain, &s->o, &s->ec);
    return NULL;
}

static void signing_start(struct signing *s, struct bench_contender *c, size_t count, double rate,
                          uint64_t *rng) {
    *s = (struct signing){.chain = &c->chain,
                          .o = {.url = c->node.url,
                                .method = "eth_sendRawTransaction",
                                .count = count,
                                .connections = CONNECTIONS,
                                .depth = DEPTH,
                                .rate = rate,
                                .sleepy = true,
                                .sign = bench_sign_mix,
                                .ctx = rng}};
    int failed = pthread_create(&s->thread, NULL, sign_round, s);
    CHECK(failed == 0);
}

static enum err signing_end(struct signing *s, struct err_ctx *ec) {
    int failed = pthread_join(s->thread, NULL);
    CHECK(failed == 0);
    if (s->made != ERR_OK && ec != NULL)
        *ec = s->ec;
    return s->made;
}

/* Looks at the memory until it is told to stop. */
struct sampler {
    pthread_t thread;
    const struct bench_node *node;
    atomic_bool stop;
    struct bench_memory most;
};

static void *sample(void *arg) {
    struct sampler *s = arg;
    while (!atomic_load(&s->stop)) {
        struct timespec pause = {.tv_nsec = SAMPLE_NS};
        struct bench_memory now = bench_node_memory(s->node), *most = &s->most;
        most->anonymous = now.anonymous > most->anonymous ? now.anonymous : most->anonymous;
        most->dirty = now.dirty > most->dirty ? now.dirty : most->dirty;
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Transactions of the mix per second, as fast as they are answered. */
static enum err full_speed(double *out, struct bench_contender *c, uint64_t *rng,
                           struct err_ctx *ec) {
    double per_s[SPEED_ROUNDS];
    for (size_t i = 0; i < SPEED_ROUNDS; i++) {
        struct bench_load_result res;
        struct signing s;
        signing_start(&s, c, SPEED_COUNT, 0, rng);
        enum err e = signing_end(&s, ec);
        if (e == ERR_OK)
            e = bench_round_send(&s.round, &res, ec);
        bench_round_free(&s.round);
        TRY(e);
        per_s[i] = (double)SPEED_COUNT / res.seconds;
    }
    *out = bench_median(per_s, SPEED_ROUNDS);
    return ERR_OK;
}

/* The pace of a round that `behind` seconds are missing for, lost between those before. */
static double pace_of(size_t count, double behind) {
    double left = ROUND_SECONDS - behind;
    left = left > ROUND_SECONDS ? ROUND_SECONDS : left;
    return (double)count / (left < HURRY_SECONDS ? HURRY_SECONDS : left);
}

/* *out_sent transactions in *out_seconds, pauses included. */
static enum err keep_sending(size_t *out_sent, double *out_seconds, struct bench_contender *c,
                             double rate, double seconds, uint64_t *rng, struct err_ctx *ec) {
    size_t count = (size_t)(rate * ROUND_SECONDS) + 1;
    struct signing rounds[2];
    size_t at = 0;
    enum err e = ERR_OK;
    *out_sent = 0;
    signing_start(&rounds[0], c, count, rate, rng);
    e = signing_end(&rounds[0], ec);
    double begun = bench_now_ns();
    for (; e == ERR_OK && bench_now_ns() - begun < seconds * 1e9; at ^= 1) {
        struct bench_load_result res;
        double behind = (bench_now_ns() - begun) / 1e9 - (double)*out_sent / rate;
        signing_start(&rounds[at ^ 1], c, count, pace_of(count, behind), rng);
        e = bench_round_send(&rounds[at].round, &res, ec);
        bench_round_free(&rounds[at].round);
        *out_sent += count;
        enum err next = signing_end(&rounds[at ^ 1], e == ERR_OK ? ec : NULL);
        e = e == ERR_OK ? next : e;
    }
    *out_seconds = (bench_now_ns() - begun) / 1e9;
    /* What was signed and is not wanted any more is sent, so that nonces can be compared. */
    struct bench_load_result res;
    if (e == ERR_OK)
        e = bench_round_send(&rounds[at].round, &res, ec);
    bench_round_free(&rounds[at].round);
    return e;
}

static enum err run(struct bench_report *r, struct bench_contender *c, struct err_ctx *ec) {
    char cache[16];
    const char *const args[] = {"--cache", cache, NULL};
    double speed, took, seconds = r->seconds != 0 ? (double)r->seconds : SECONDS_DEFAULT;
    size_t sent;
    uint64_t rng = 11;
    snprintf(cache, sizeof cache, "%d", CACHE_MIB);
    TRY(bench_contender_prepare(c, r, BENCH_SENDERS, ec));
    c->chain.far = c->chain.crowd > 0;
    TRY(bench_contender_serve(c, r, "callipter", args, ec));
    bench_contender_say(r, c);
    double at_start = bench_node_memory(&c->node).anonymous;
    struct sampler s = {.node = &c->node};
    int failed = pthread_create(&s.thread, NULL, sample, &s);
    CHECK(failed == 0);
    enum err e = full_speed(&speed, c, &rng, ec);
    if (e == ERR_OK)
        e = keep_sending(&sent, &took, c, r->large ? 2 * speed : speed / 2, seconds, &rng, ec);
    atomic_store(&s.stop, true);
    failed = pthread_join(s.thread, NULL);
    CHECK(failed == 0);
    TRY(e);
    TRY(bench_chain_check_nonces(&c->chain, &c->client, ec));
    const struct bench_row rows[] = {
        {.name = "the mix at full speed", .value = speed, .unit = "1/s"},
        {.name = "the mix, as it was sent", .value = (double)sent / took, .unit = "1/s"},
        {.name = "seconds of that", .value = took, .unit = "s"},
        {.name = "private memory once it serves", .value = at_start / MIB, .unit = "MiB"},
        {.name = "private memory at most, --cache 512",
         .value = s.most.dirty / MIB,
         .unit = "MiB",
         .peer = "cache and 256 MiB",
         .peer_value = CACHE_MIB + BESIDE_MIB,
         .smaller_is_better = true},
        {.name = "anonymous at most",
         .value = s.most.anonymous / MIB,
         .unit = "MiB",
         .peer = "cache and 256 MiB",
         .peer_value = CACHE_MIB + BESIDE_MIB,
         .smaller_is_better = true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        bench_add(r, &rows[i]);
    return ERR_OK;
}

enum err bench_memory(struct bench_report *r, struct err_ctx *ec) {
    struct bench_contender c;
    bench_contender_init(&c);
    enum err e = run(r, &c, ec);
    bench_contender_stop(&c);
    bench_pin(BENCH_ALL_CORES);
    return e;
}
