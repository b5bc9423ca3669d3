/* SPDX-License-Identifier: Apache-2.0 */
/* Measurements: `callipter bench [NAME...] [--json] [--peer PROGRAM] ...`. A bench prints figures,
 * and where it has one the peer or limit that it compares with, taken in the same run, and the
 * ratio. It judges nothing: it is not a test. But what it measured must have come out right: a
 * bench whose receipts, balances or results are wrong ends with an error instead of a figure. */
#ifndef NODE_BENCH_H
#define NODE_BENCH_H

#include "base/buf.h"
#include "base/err.h"

struct bench_report {
    bool json;
    struct buf text;   /* table rows or JSON objects so far */
    const char *bench; /* name of the running bench */
    size_t row_count;
    const char *peer; /* program Anvil, to be started and measured in the same run (bench latency:
                         or its URL); or NULL */
    const char *only; /* part of the name of the kinds of load that are wanted, where a bench has
                         some; or NULL: all */
    size_t count;     /* of what a bench counts; 0: its own choice */
    size_t runs;      /* medians are of so many */
    size_t accounts;  /* in the state that load runs on; 0: the bench's own choice */
    size_t seconds;   /* of the load of bench memory; 0: its own choice */
    bool both_cores;  /* node and load share all cores; else one each */
    bool large;       /* sizes and kinds that take long too */
    struct bench_folders *folders; /* what benches leave for those after them; or NULL */
};
enum { BENCH_RUNS_MAX = 99 };

/* One figure. peer may be NULL: then peer_value is not used. Ratios are written so that more is
 * better for us: smaller_is_better says which way the figure goes. */
struct bench_row {
    const char *name; /* what was measured */
    double value;
    const char *unit; /* "us", "ms", "1/s", "bytes" */
    const char *peer; /* "reference tier", "portable keccak", "fdatasync alone" */
    double peer_value;
    bool smaller_is_better;
    double ratio; /* 0: that of the two values */
    /* Of a median: of how many runs, and the least and the most among their ratios, or among their
     * values where there is no peer. 0 runs: it is none. */
    size_t runs;
    double least, most;
};
void bench_add(struct bench_report *r, const struct bench_row *row);

/* What the figures that follow were taken on, in words. */
void bench_note(struct bench_report *r, const char *what, const char *text);

/* One figure in several runs. What it is compared with is taken in the same run or not at all: the
 * pairs are kept, the ratio printed is the median of the runs' ratios, and there is none when a run
 * lacks one of its two. */
struct bench_series {
    size_t runs;
    double ours[BENCH_RUNS_MAX];
    double peers[BENCH_RUNS_MAX]; /* 0: that run has none */
};
void bench_series_add(struct bench_series *s, double ours, double peers);
/* Adds the row of the medians; value, peer_value and ratio of `row` are filled in. */
void bench_add_series(struct bench_report *r, const struct bench_row *row,
                      const struct bench_series *s);

#define BENCH(name, asked, help)                                                                   \
    enum err bench_##name(struct bench_report *r, struct err_ctx *ec) MUST_USE;
#include "node/benches.def"
#undef BENCH

/* Monotonic time in nanoseconds; the middle of n values, and that below which the part `q` of them
 * lies, 1 for the largest (both sort in place). */
double bench_now_ns(void);
double bench_median(double *values, size_t n);
double bench_quantile(double *values, size_t n, double q);

#endif
