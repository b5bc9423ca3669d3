/* SPDX-License-Identifier: Apache-2.0 */
#include "node/args.h"
#include "node/bench_contender.h"
#include "node/commands.h"

#include "base/check.h"
#include "base/cpu.h"
#include "node/version.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_COUNT_MAX = 10000000, BENCH_SECONDS_MAX = 86400 };

static const struct bench_entry {
    const char *name;
    enum err (*run)(struct bench_report *r, struct err_ctx *ec);
    const char *help;
    bool asked; /* runs only when it is named */
} benches[] = {
#define BENCH(name, asked, help) {#name, bench_##name, help, asked},
#include "node/benches.def"
#undef BENCH
};

double bench_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t n) {
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double bench_quantile(double *values, size_t n, double q) {
    qsort(values, n, sizeof *values, compare_doubles);
    size_t i = (size_t)((double)n * q);
    return values[i < n ? i : n - 1];
}

void bench_add(struct bench_report *r, const struct bench_row *row) {
    double ratio = row->ratio;
    if (ratio == 0 && row->peer != NULL && row->value > 0 && row->peer_value > 0)
        ratio =
            row->smaller_is_better ? row->peer_value / row->value : row->value / row->peer_value;
    if (r->json) {
        buf_printf(&r->text, "%s{\"bench\":\"%s\",\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"",
                   r->row_count > 0 ? "," : "", r->bench, row->name, row->value, row->unit);
        if (row->peer != NULL)
            buf_printf(&r->text, ",\"peer\":\"%s\",\"peer_value\":%.6g,\"ratio\":%.6g", row->peer,
                       row->peer_value, ratio);
        if (row->runs > 0)
            buf_printf(&r->text, ",\"runs\":%zu,\"%s\":[%.6g,%.6g]", row->runs,
                       row->peer != NULL ? "ratios" : "values", row->least, row->most);
        buf_append_str(&r->text, "}");
    } else {
        printf("%-10s %-66s %12.4g %-6s", r->bench, row->name, row->value, row->unit);
        if (row->peer != NULL)
            printf(" %12.4g %-20s %6.2fx", row->peer_value, row->peer, ratio);
        if (row->runs > 1)
            printf(row->peer != NULL ? " (%.2f-%.2f)" : " (%.4g-%.4g)", row->least, row->most);
        printf("\n");
        fflush(stdout);
    }
    r->row_count++;
}

void bench_note(struct bench_report *r, const char *what, const char *text) {
    if (r->json)
        buf_printf(&r->text, "%s{\"bench\":\"%s\",\"name\":\"%s\",\"text\":\"%s\"}",
                   r->row_count++ > 0 ? "," : "", r->bench, what, text);
    else
        printf("%-10s %s: %s\n", r->bench, what, text);
}

void bench_series_add(struct bench_series *s, double ours, double peers) {
    CHECK(s->runs < BENCH_RUNS_MAX);
    s->ours[s->runs] = ours;
    s->peers[s->runs++] = peers;
}

void bench_add_series(struct bench_report *r, const struct bench_row *row,
                      const struct bench_series *s) {
    double ours[BENCH_RUNS_MAX], peers[BENCH_RUNS_MAX], ratios[BENCH_RUNS_MAX];
    struct bench_row made = *row;
    bool paired = row->peer != NULL;
    CHECK(s->runs > 0);
    for (size_t i = 0; i < s->runs; i++) {
        ours[i] = s->ours[i];
        peers[i] = s->peers[i];
        paired = paired && ours[i] > 0 && peers[i] > 0;
        if (paired)
            ratios[i] = row->smaller_is_better ? peers[i] / ours[i] : ours[i] / peers[i];
    }
    made.value = bench_median(ours, s->runs);
    made.peer = paired ? row->peer : NULL;
    if (paired) {
        made.peer_value = bench_median(peers, s->runs);
        made.ratio = bench_median(ratios, s->runs);
    }
    /* Sorted by now. */
    made.runs = s->runs;
    made.least = paired ? ratios[0] : ours[0];
    made.most = paired ? ratios[s->runs - 1] : ours[s->runs - 1];
    bench_add(r, &made);
}

/* The processor as the kernel names it; "unknown" where it does not. */
static void machine_name(char *out, size_t cap) {
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[256];
    snprintf(out, cap, "unknown");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        colon[strcspn(colon, "\n")] = 0;
        snprintf(out, cap, "%s", colon + 2);
        break;
    }
    if (f != NULL)
        fclose(f);
}

static void usage(FILE *f) {
    fprintf(f,
            "usage: callipter bench [NAME...] [--json] [--runs N] [--count N] [--peer PROGRAM]\n"
            "                       [--cores one|both] [--accounts N] [--long]\n"
            "                       [--only TEXT] [--seconds N]\n\n"
            "  --runs N         runs that a median is taken of (1)\n"
            "  --count N        of what a bench counts: transactions, requests\n"
            "  --peer PROGRAM   Anvil's program, measured in the same runs (latency: or its URL)\n"
            "  --cores WHICH    one: node on core 0, load on core 1; both: all of them for both\n"
            "  --accounts N     accounts in the state that load runs on (1000000)\n"
            "  --only TEXT      kinds of load, or programs, that have TEXT in their name\n"
            "  --seconds N      of load (memory: 600)\n"
            "  --long           larger sizes and all transports too\n\n"
            "With --runs 5 a bench takes one to four minutes. Those marked * run only when\n"
            "they are named. node/bench/README.md says how to read the figures.\n\n");
    for (size_t i = 0; i < ARRAY_LEN(benches); i++)
        fprintf(f, "  %-10s %s %s\n", benches[i].name, benches[i].asked ? "*" : " ",
                benches[i].help);
}

static bool wanted(const struct bench_entry *b, char **names, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], b->name) == 0)
            return true;
    return count == 0 && !b->asked;
}

static bool known(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(benches); i++)
        if (strcmp(benches[i].name, name) == 0)
            return true;
    return false;
}

static int run_all(struct bench_report *r, char **names, int name_count) {
    int failed = 0;
    for (size_t i = 0; i < ARRAY_LEN(benches); i++) {
        struct err_ctx ec = {0};
        if (!wanted(&benches[i], names, name_count))
            continue;
        r->bench = benches[i].name;
        if (benches[i].run(r, &ec) != ERR_OK) {
            fprintf(stderr, "bench %s: %s\n", benches[i].name, ec.text);
            failed = 1;
        }
    }
    return failed;
}

static const struct number_option {
    const char *name;
    size_t at, max;
} number_options[] = {
    {"--count", offsetof(struct bench_report, count), BENCH_COUNT_MAX},
    {"--runs", offsetof(struct bench_report, runs), BENCH_RUNS_MAX},
    {"--accounts", offsetof(struct bench_report, accounts), BENCH_COUNT_MAX},
    {"--seconds", offsetof(struct bench_report, seconds), BENCH_SECONDS_MAX},
};

static const struct number_option *number_option(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(number_options); i++)
        if (strcmp(number_options[i].name, name) == 0)
            return &number_options[i];
    return NULL;
}

/* False after a complaint. Names are gathered at the front of argv. */
static bool parse(struct bench_report *r, int *out_names, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--json") == 0) {
            r->json = true;
        } else if (strcmp(argv[i], "--long") == 0) {
            r->large = true;
        } else if (strcmp(argv[i], "--peer") == 0 && i + 1 < argc) {
            r->peer = argv[++i];
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            r->only = argv[++i];
        } else if (strcmp(argv[i], "--cores") == 0 && i + 1 < argc &&
                   (strcmp(argv[i + 1], "one") == 0 || strcmp(argv[i + 1], "both") == 0)) {
            r->both_cores = strcmp(argv[++i], "both") == 0;
        } else if (number_option(argv[i]) != NULL && i + 1 < argc) {
            const struct number_option *o = number_option(argv[i++]);
            size_t n = strtoul(argv[i], &end, 10);
            if (*end != '\0' || n == 0 || n > o->max) {
                fprintf(stderr, "callipter bench: %s wants 1 to %zu\n", o->name, o->max);
                return false;
            }
            memcpy((char *)r + o->at, &n, sizeof n);
        } else if (known(argv[i])) {
            argv[++*out_names] = argv[i];
        } else {
            fprintf(stderr, "callipter bench: no bench '%s'\n", argv[i]);
            return false;
        }
    }
    return true;
}

int cmd_bench(int argc, char **argv) {
    struct bench_report r = {.runs = 1};
    char machine[128];
    int name_count = 0;
    if (args_help(argc, argv)) {
        usage(stdout);
        return 0;
    }
    if (!parse(&r, &name_count, argc, argv)) {
        usage(stderr);
        return 2;
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    machine_name(machine, sizeof machine);
    buf_init(&r.text, 1 << 20);
    if (!r.json)
        printf("machine: %s, %ld cores; %s; commit %s\n", machine, cores, cpu_describe(),
               callipter_commit());
    int failed = run_all(&r, argv + 1, name_count);
    if (r.json)
        printf("{\"machine\":\"%s\",\"cores\":%ld,\"variants\":\"%s\",\"commit\":\"%s\",\"rows\":[%"
               ".*s]}\n",
               machine, cores, cpu_describe(), callipter_commit(), (int)r.text.len,
               (const char *)r.text.ptr);
    bench_folders_free(r.folders);
    buf_clear(&r.text);
    return failed;
}
