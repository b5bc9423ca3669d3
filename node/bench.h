/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: `callipter bench [NAME...] [--json] [--peer URL] [--count N]`. A bench prints
 * figures, and where it has one the peer or limit that it compares with, taken in the same run, and
 * the ratio. It judges nothing: it is not a test. */
#ifndef NODE_BENCH_H
#define NODE_BENCH_H

#include "base/buf.h"
#include "base/err.h"

struct bench_report {
    bool json;
    struct buf text;   /* table rows or JSON objects so far */
    const char *bench; /* name of the running bench */
    size_t row_count;
    const char *peer_url; /* of a node to measure in the same run, where a bench does; or NULL */
    size_t count;         /* of what a bench counts; 0: its own choice */
};

/* One figure. peer may be NULL: then peer_value is not used. Ratios are written so that more is
 * better for us: smaller_is_better says which way the figure goes. */
struct bench_row {
    const char *name; /* what was measured */
    double value;
    const char *unit; /* "us", "ms", "1/s", "bytes" */
    const char *peer; /* "reference tier", "portable keccak", "fdatasync alone" */
    double peer_value;
    bool smaller_is_better;
};
void bench_add(struct bench_report *r, const struct bench_row *row);

#define BENCH(name, help)                                                                          \
    enum err bench_##name(struct bench_report *r, struct err_ctx *ec) MUST_USE;
#include "node/benches.def"
#undef BENCH

/* Monotonic time in nanoseconds; the middle of n values, and that below which the part `q` of them
 * lies, 1 for the largest (both sort in place). */
double bench_now_ns(void);
double bench_median(double *values, size_t n);
double bench_quantile(double *values, size_t n, double q);

#endif
