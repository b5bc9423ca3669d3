/* SPDX-License-Identifier: Apache-2.0 */
/* State tests per second and tier: this program's own runner, one process, on the corpora's
 * execution-spec tests of Cancun to Osaka. The runner parses, signs off and judges each case, so
 * this is the speed of the suite and not of the machine. */
#include "node/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COMMAND_MAX = 1200 };

/* Cases per second of one run; ERR_MISMATCH if any failed. */
static enum err run_suite(double *out, const char *tier, const char *dir, struct err_ctx *ec) {
    char self[512], command[COMMAND_MAX], line[1024];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len <= 0)
        FAIL(ec, ERR_IO, "the path of this program is unknown");
    self[len] = 0;
    snprintf(command, sizeof command, "'%s' statetest --jobs 1 --tier %s '%s'", self, tier, dir);
    double start = bench_now_ns();
    FILE *p = popen(command, "r");
    if (p == NULL)
        FAIL(ec, ERR_IO, "cannot start %s", command);
    unsigned long passed = 0, failed = 0;
    while (fgets(line, sizeof line, p) != NULL)
        if (sscanf(line, "%lu passed, %lu failed", &passed, &failed) == 2)
            break;
    pclose(p);
    if (passed == 0 || failed != 0)
        FAIL(ec, ERR_MISMATCH, "%s: %lu passed, %lu failed", dir, passed, failed);
    *out = (double)passed / ((bench_now_ns() - start) / 1e9);
    return ERR_OK;
}

enum err bench_statetest(struct bench_report *r, struct err_ctx *ec) {
    const char *corpora = getenv("CORPORA");
    char dir[512];
    double fast, reference;
    if (corpora == NULL)
        FAIL(ec, ERR_NOT_FOUND, "the tests are in the corpora: set CORPORA");
    snprintf(dir, sizeof dir, "%s/state_tests/eest", corpora);
    TRY(run_suite(&reference, "reference", dir, ec));
    TRY(run_suite(&fast, "fast", dir, ec));
    bench_add(r, &(struct bench_row){.name = "cases, one process",
                                     .value = fast,
                                     .unit = "1/s",
                                     .peer = "reference tier",
                                     .peer_value = reference});
    return ERR_OK;
}
