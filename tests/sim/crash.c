/* SPDX-License-Identifier: Apache-2.0 */
/* Power failures. A run of 200 blocks (log, store, unwinds, checkpoints, a restart, pruning) is
 * recorded call by call through a preloaded library; then, for every write and every sync of it,
 * the disk is made as it could be had the power failed there, in four ways (crash_disk.h), and
 * recovery must find every block that had been reported durable, with its hash, a state whose root
 * rebuilt from the tables is the head's, and a node that goes on.
 *
 * Some images are cut a second time, at every step of their recovery.
 *
 * Controls: with the syncs of the log, of LMDB, or all removed from the run, the same test must
 * find fault.
 *
 * SEED=n  JOBS=n  BLOCKS=n. Closes with `N passed, N failed`. */
#include "base/check.h"
#include "tests/sim/crash_disk.h"
#include "tests/sim/crash_node.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MARK_DURABLE = 'D',
    MARK_REWIND = 'R',
    SEEN_SLOTS = 1 << 18,
    CONTROL_STEP = 5,
    DRAWS = 3 /* of each random variant */,
    SECOND_STEP = 61 /* every so many cuts are cut again while recovering */
};

/* What the recorded program tells: blocks up to `block` are durable (hash: of that one), or those
 * above it no longer. */
struct mark {
    uint8_t kind;
    uint8_t zero[7];
    uint64_t block;
    hash32 hash;
};

/* --- the recorded run ----------------------------------------------------------------------- */

static int mark_fd;
static void mark(uint8_t kind, uint64_t block, const hash32 *hash) {
    struct mark m = {.kind = kind, .block = block};
    if (hash != NULL)
        m.hash = *hash;
    CHECK(write(mark_fd, &m, sizeof m) == sizeof m);
}

#define MUST(e)                                                                                    \
    do {                                                                                           \
        if ((e) != ERR_OK) {                                                                       \
            (void)fprintf(stderr, "crash: %s\n", ec.text);                                         \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int run_workload(const char *dir, uint64_t seed, size_t blocks) {
    char data[FIXTURE_PATH_MAX + 8], marks[FIXTURE_PATH_MAX + 16];
    (void)snprintf(data, sizeof data, "%s/data", dir);
    (void)snprintf(marks, sizeof marks, "%s/acks.mark", dir);
    mark_fd = open(marks, O_WRONLY | O_CREAT, 0644);
    CHECK(mark_fd >= 0);
    struct crash_node n;
    struct err_ctx ec = {0};
    struct fixture_rng r = fixture_rng_of(seed);
    MUST(crash_node_open(&n, data, true, &ec));
    uint64_t told = 0; /* blocks told to be durable */
    for (size_t made = 0; made < blocks; made++) {
        MUST(crash_node_block(&n, fixture_rng_next(&r), &ec));
        if (fixture_rng_below(&r, 2) == 0) {
            MUST(crash_node_sync(&n, &ec));
            for (; told < n.h.count; told++)
                mark(MARK_DURABLE, told, &n.h.blocks[told].hash);
        }
        if (made % 16 == 15)
            MUST(crash_node_checkpoint(&n, &ec));
        if (made % 45 == 40) {
            /* Once within the delta, once below the checkpoint. The promise ends before the order
             * is given. */
            uint64_t to = n.h.count - 1 - (made % 2 == 0 ? 3 : 25);
            mark(MARK_REWIND, to, NULL);
            MUST(crash_node_rewind(&n, to, &ec));
            told = told > to + 1 ? to + 1 : told;
        }
        if (made == blocks / 2) {
            MUST(crash_node_sync(&n, &ec));
            crash_node_close(&n);
            MUST(crash_node_open(&n, data, true, &ec));
        }
    }
    MUST(crash_node_sync(&n, &ec));
    for (; told < n.h.count; told++)
        mark(MARK_DURABLE, told, &n.h.blocks[told].hash);
    crash_node_close(&n);
    return 0;
}

/* What a start after a failure does, made durable as it does. */
static int run_recovery(const char *dir) {
    char data[FIXTURE_PATH_MAX + 8];
    (void)snprintf(data, sizeof data, "%s/data", dir);
    struct crash_node n;
    struct err_ctx ec = {0};
    MUST(crash_node_open(&n, data, true, &ec));
    MUST(crash_node_block(&n, 777, &ec));
    MUST(crash_node_sync(&n, &ec));
    MUST(crash_node_checkpoint(&n, &ec));
    crash_node_close(&n);
    return 0;
}

/* --- the trace ------------------------------------------------------------------------------ */

struct trace {
    uint8_t *data;
    size_t len;
    struct crash_step *steps;
    size_t count, writes, syncs, others;
};

static void trace_load(struct trace *t, const char *path) {
    t->data = fixture_file_read(path, &t->len);
    bytes in = bytes_of(t->data, t->len);
    struct crash_step s;
    size_t cap = 0;
    while (crash_step_next(&in, &s)) {
        if (t->count == cap) {
            cap = cap == 0 ? 4096 : 2 * cap;
            t->steps = realloc(t->steps, cap * sizeof *t->steps);
            CHECK(t->steps != NULL);
        }
        t->steps[t->count++] = s;
        if (s.record.op == CRASH_WRITE)
            t->writes++;
        else if (s.record.op == CRASH_SYNC)
            t->syncs++;
        else if (s.record.op != CRASH_MARK)
            t->others++;
    }
}

/* Runs this program under the shim on a folder and loads what it did; `args` ends with NULL. */
static void trace_run(struct trace *t, const char *self, const char *dir, const char *drop,
                      char *const args[]) {
    char path[FIXTURE_PATH_MAX + 16], shim[4096], own[4096];
    (void)snprintf(path, sizeof path, "%s.trace", dir);
    (void)snprintf(own, sizeof own, "%s", self);
    (void)snprintf(shim, sizeof shim, "%s/crash_shim.so", dirname(own));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)setenv("CRASH_ROOT", dir, 1);
        (void)setenv("CRASH_TRACE", path, 1);
        (void)setenv("CRASH_DROP_SYNC", drop == NULL ? "" : drop, 1);
        (void)setenv("LD_PRELOAD", shim, 1);
        (void)execv(self, args);
        _exit(127);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status != 0) {
        (void)fprintf(stderr, "crash: the recorded run failed (status %d)\n", status);
        exit(1);
    }
    memset(t, 0, sizeof *t);
    trace_load(t, path);
    (void)unlink(path);
}

/* The run of `blocks` blocks; `drop` names files whose syncs are removed, NULL for none. */
static void trace_make(struct trace *t, char *self, uint64_t seed, size_t blocks,
                       const char *drop) {
    char dir[FIXTURE_PATH_MAX], numbers[2][32], mode[] = "--workload";
    fixture_dir_make(dir);
    (void)snprintf(numbers[0], sizeof numbers[0], "%" PRIu64, seed);
    (void)snprintf(numbers[1], sizeof numbers[1], "%zu", blocks);
    char *args[] = {self, mode, dir, numbers[0], numbers[1], NULL};
    trace_run(t, self, dir, drop, args);
    fixture_dir_remove(dir);
}

static void trace_free(struct trace *t) {
    free(t->data);
    free(t->steps);
}

/* --- recovery ------------------------------------------------------------------------------- */

/* Blocks promised at a moment: their hashes in order. */
struct promise {
    hash32 hashes[4096];
    size_t count;
};

static void promise_apply(struct promise *p, const struct crash_step *s) {
    struct mark m;
    CHECK(s->data.len == sizeof m);
    memcpy(&m, s->data.ptr, sizeof m);
    if (m.kind == MARK_REWIND) {
        if (p->count > m.block + 1)
            p->count = (size_t)m.block + 1;
        return;
    }
    CHECK(m.kind == MARK_DURABLE && m.block == p->count && m.block < ARRAY_LEN(p->hashes));
    p->hashes[p->count++] = m.hash;
}

static int complain(bool quiet, const char *what, uint64_t block) {
    if (!quiet)
        (void)fprintf(stderr, "recovery: %s (block %" PRIu64 ")\n", what, block);
    return 1;
}

/* In a process of its own: what a damaged image does to it is a finding. */
static int recover(const char *dir, const struct promise *p, bool quiet) {
    char data[FIXTURE_PATH_MAX + 8];
    (void)snprintf(data, sizeof data, "%s/data", dir);
    struct crash_node n;
    struct err_ctx ec = {0};
    if (crash_node_open(&n, data, false, &ec) != ERR_OK)
        return complain(quiet, ec.text, 0);
    for (size_t b = 0; b < p->count; b++)
        if (b >= n.h.count || !hash32_eq(&n.h.blocks[b].hash, &p->hashes[b]))
            return complain(quiet, "a block reported durable is missing or another", b);
    for (int round = 0; round < 2; round++) {
        struct store_view *v;
        hash32 root;
        if (n.h.count > 0) {
            uint64_t head = n.h.count - 1;
            if (store_view_open(&v, n.store, head) != ERR_OK ||
                store_rebuild_root(v, &root, &ec) != ERR_OK)
                return complain(quiet, ec.text, head);
            store_view_close(v);
            if (!hash32_eq(&root, &n.h.blocks[head].root))
                return complain(quiet, "the root rebuilt from the tables is not the head's", head);
        }
        /* And it goes on. */
        if (round == 0 &&
            (crash_node_block(&n, 12345, &ec) != ERR_OK || crash_node_sync(&n, &ec) != ERR_OK ||
             crash_node_checkpoint(&n, &ec) != ERR_OK))
            return complain(quiet, ec.text, n.h.count);
    }
    crash_node_close(&n);
    return 0;
}

/* --- cuts ----------------------------------------------------------------------------------- */

struct tally {
    size_t images, same, bad;
    size_t second; /* of the images, those of failures during recovery */
};

struct worker {
    const struct trace *trace;
    uint64_t seed;
    size_t index, jobs, step;
    bool quiet;
    char *self;
    char dir[FIXTURE_PATH_MAX];
    uint64_t *seen; /* images tested: number, with how much was promised then */
    struct tally tally;
};

static bool seen_before(struct worker *w, uint64_t number) {
    for (size_t i = number % SEEN_SLOTS;; i = (i + 1) % SEEN_SLOTS) {
        if (w->seen[i] == number)
            return true;
        if (w->seen[i] == 0) {
            w->seen[i] = number;
            return false;
        }
    }
}

/* Recovers from the image made last. */
static void judge(struct worker *w, const struct crash_disk *d, enum crash_variant variant,
                  size_t cut, const struct promise *p) {
    CHECK(mkdir(w->dir, 0755) == 0 || errno == EEXIST);
    crash_disk_write(d, w->dir);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        if (w->quiet)
            CHECK(freopen("/dev/null", "w", stderr) != NULL);
        _exit(recover(w->dir, p, w->quiet));
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    w->tally.images++;
    if (status != 0) {
        w->tally.bad++;
        if (!w->quiet)
            (void)fprintf(stderr,
                          "FAILED: step %zu of %zu, variant %d, seed %" PRIu64 ", status %d\n", cut,
                          w->trace->count, (int)variant, w->seed, status);
    }
    fixture_dir_remove(w->dir);
}

/* The power fails again while the node recovers from the image made last: at every step, in every
 * way. */
static void test_second(struct worker *w, const struct crash_disk *d, size_t cut,
                        const struct promise *p) {
    struct trace t;
    char mode[] = "--recover";
    char *args[] = {w->self, mode, w->dir, NULL};
    CHECK(mkdir(w->dir, 0755) == 0 || errno == EEXIST);
    crash_disk_write(d, w->dir);
    trace_run(&t, w->self, w->dir, NULL, args);
    fixture_dir_remove(w->dir);
    struct crash_disk *again = crash_disk_of_image(d);
    for (size_t i = 0; i < t.count; i++) {
        crash_disk_apply(again, &t.steps[i]);
        for (int v = 0; v < CRASH_VARIANTS; v++) {
            struct fixture_rng r = fixture_rng_of(w->seed ^ cut << 24 ^ i << 8 ^ (unsigned)v);
            uint64_t number = crash_disk_image(again, (enum crash_variant)v, NULL, &r);
            uint64_t promised = p->count == 0 ? 0 : be64_load(p->hashes[p->count - 1].b);
            if (seen_before(w, (number ^ promised) | 1)) {
                w->tally.same++;
                continue;
            }
            judge(w, again, (enum crash_variant)v, cut, p);
            w->tally.second++;
        }
    }
    crash_disk_free(again);
    trace_free(&t);
}

static void test_image(struct worker *w, struct crash_disk *d, enum crash_variant variant,
                       size_t draw, size_t cut, const struct promise *p) {
    struct fixture_rng r = fixture_rng_of(w->seed ^ cut << 16 ^ draw << 8 ^ variant);
    const struct crash_step *next = cut + 1 < w->trace->count ? &w->trace->steps[cut + 1] : NULL;
    const struct crash_step *flying = next != NULL && next->record.op == CRASH_WRITE ? next : NULL;
    uint64_t number = crash_disk_image(d, variant, flying, &r);
    uint64_t promised = p->count == 0 ? 0 : be64_load(p->hashes[p->count - 1].b);
    if (seen_before(w, (number ^ promised) | 1)) {
        w->tally.same++;
        return;
    }
    judge(w, d, variant, cut, p);
    if (cut % SECOND_STEP == 7 && variant >= CRASH_TORN && draw == 0 && !w->quiet)
        test_second(w, d, cut, p);
}

static struct tally run_worker(struct worker *w) {
    static struct promise p;
    memset(&p, 0, sizeof p);
    w->seen = calloc(SEEN_SLOTS, sizeof *w->seen);
    CHECK(w->seen != NULL);
    struct crash_disk *d = crash_disk_new();
    size_t turn = 0;
    for (size_t i = 0; i < w->trace->count; i++) {
        const struct crash_step *s = &w->trace->steps[i];
        if (s->record.op == CRASH_MARK)
            promise_apply(&p, s);
        else
            crash_disk_apply(d, s);
        if (turn++ % (w->jobs * w->step) != w->index * w->step)
            continue;
        for (int v = 0; v < CRASH_VARIANTS; v++)
            for (size_t k = 0; k < (v == CRASH_LOST || v == CRASH_KEPT ? 1 : DRAWS); k++)
                test_image(w, d, (enum crash_variant)v, k, i, &p);
    }
    crash_disk_free(d);
    free(w->seen);
    return w->tally;
}

/* All cuts of a trace over `jobs` processes. */
static struct tally run_cuts(const struct trace *t, char *self, uint64_t seed, size_t jobs,
                             size_t step, bool quiet) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    for (size_t k = 0; k < jobs; k++) {
        static struct worker w;
        w = (struct worker){.trace = t,
                            .seed = seed,
                            .index = k,
                            .jobs = jobs,
                            .step = step,
                            .quiet = quiet,
                            .self = self};
        fixture_dir_make(w.dir);
        fixture_dir_remove(w.dir);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            struct tally done = run_worker(&w);
            CHECK(write(ends[1], &done, sizeof done) == sizeof done);
            _exit(0);
        }
    }
    (void)close(ends[1]);
    struct tally sum = {0}, one;
    size_t answers = 0;
    for (; read(ends[0], &one, sizeof one) == sizeof one; answers++) {
        sum.images += one.images;
        sum.same += one.same;
        sum.bad += one.bad;
        sum.second += one.second;
    }
    (void)close(ends[0]);
    while (wait(NULL) > 0)
        continue;
    CHECK(answers == jobs);
    return sum;
}

static size_t number_of(const char *name, size_t otherwise) {
    const char *text = getenv(name);
    return text == NULL || *text == 0 ? otherwise : strtoull(text, NULL, 0);
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "--workload") == 0)
        return run_workload(argv[2], strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0));
    if (argc == 3 && strcmp(argv[1], "--recover") == 0)
        return run_recovery(argv[2]);
    uint64_t seed = fixture_seed(20260102);
    size_t jobs = number_of("JOBS", 2), blocks = number_of("BLOCKS", 200), passed = 0, failed = 0;
    (void)printf("crash: SEED=%" PRIu64 " BLOCKS=%zu JOBS=%zu\n", seed, blocks, jobs);
    (void)fflush(stdout);
    struct trace t;
    trace_make(&t, argv[0], seed, blocks, NULL);
    struct tally all = run_cuts(&t, argv[0], seed, jobs, 1, false);
    (void)printf(
        "%zu writes, %zu syncs, %zu other steps: %zu images recovered (%zu of them cut again "
        "while recovering), %zu the same as others, %zu bad\n",
        t.writes, t.syncs, t.others, all.images, all.second, all.same, all.bad);
    passed += all.images - all.bad;
    failed += all.bad;
    trace_free(&t);
    static const char *const drops[] = {"/", "wal", "state.mdb"};
    for (size_t i = 0; i < ARRAY_LEN(drops); i++) {
        trace_make(&t, argv[0], seed, blocks, drops[i]);
        struct tally control = run_cuts(&t, argv[0], seed, jobs, CONTROL_STEP, true);
        bool found = control.bad > 0;
        (void)printf("control without syncs of '%s': %zu of %zu images bad%s\n", drops[i],
                     control.bad, control.images, found ? ", as must be" : ": the test is blind");
        passed += found;
        failed += !found;
        trace_free(&t);
    }
    (void)printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
