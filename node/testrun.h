/* SPDX-License-Identifier: Apache-2.0 */
/* What `callipter statetest` and `callipter blocktest` share: options, the list of files, worker
 * processes, counting and the closing lines. A judge is called once per file and reports case by
 * case.
 *
 *   [--tier fast|reference|both] [--fork F] [--filter S] [--jobs N] [--json] [--trace] [--fill]
 * [--skip-list FILE] PATH...
 *
 * Each file is judged in a worker process, so that a case that brings the machine down is one
 * failure with a name and not the end of the run. With --trace everything runs in one process. */
#ifndef NODE_TESTRUN_H
#define NODE_TESTRUN_H

#include "base/arena.h"
#include "base/err.h"
#include "evm/evm.h"

#include <jansson.h>

enum {
    TESTRUN_FORKS_MAX = 64,
    TESTRUN_FORK_NAME_MAX = 40,
    TESTRUN_CASE_NAME_MAX = 1024,
    TESTRUN_JOBS_MAX = 64,
    TESTRUN_CASE_ARENA_BYTES = 1 << 30, /* memory of one case; beyond it a file is refused */
};

struct testrun {
    /* Options. */
    bool tiers[2]; /* by enum evm_tier: which to run */
    bool json;
    bool trace; /* the judge traces the reference tier to stderr */
    bool fill;  /* the judge writes what it computes into the file's JSON, which then replaces the
                   file */
    /* Scratch of the judge, reset before each file. */
    struct arena arena;
    struct testrun_private *p;
};

/* Opens a case; false: the options leave it out, or it was judged before a crash, or it counts as
 * skipped. Every true is followed by one testrun_end. */
bool testrun_begin(struct testrun *r, const char *name, const char *fork, size_t idx);
/* Closes it: NULL = passed, else why it failed. */
void testrun_end(struct testrun *r, const char *reason);
/* A file that cannot be judged as a whole. */
void testrun_file_failed(struct testrun *r, const char *reason);

typedef void (*testrun_judge)(struct testrun *r, void *ctx, json_t *file);
struct testrun_kind {
    const char *command; /* for the usage text */
    const char *summary;
    void *(*open)(void); /* state of a worker; may be costly */
    void (*close)(void *ctx);
    testrun_judge judge;
    bool can_fill;
};
/* Runs the sub-command; the result is the exit status. */
int testrun_main(const struct testrun_kind *kind, int argc, char **argv);

#endif
