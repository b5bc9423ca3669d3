/* SPDX-License-Identifier: Apache-2.0 */
#include "node/args.h"
#include "node/bench.h"
#include "node/commands.h"

#include "base/cpu.h"
#include "node/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BENCH_COUNT_MAX = 10000000 };

static const struct bench_entry {
    const char *name;
    enum err (*run)(struct bench_report *r, struct err_ctx *ec);
    const char *help;
} benches[] = {
#define BENCH(name, help) {#name, bench_##name, help},
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
    double ratio = 0;
    if (row->peer != NULL && row->value > 0 && row->peer_value > 0)
        ratio =
            row->smaller_is_better ? row->peer_value / row->value : row->value / row->peer_value;
    if (r->json) {
        buf_printf(&r->text, "%s{\"bench\":\"%s\",\"name\":\"%s\",\"value\":%.6g,\"unit\":\"%s\"",
                   r->row_count > 0 ? "," : "", r->bench, row->name, row->value, row->unit);
        if (row->peer != NULL)
            buf_printf(&r->text, ",\"peer\":\"%s\",\"peer_value\":%.6g,\"ratio\":%.4g", row->peer,
                       row->peer_value, ratio);
        buf_append_str(&r->text, "}");
    } else {
        printf("%-10s %-44s %12.4g %-6s", r->bench, row->name, row->value, row->unit);
        if (row->peer != NULL)
            printf(" %12.4g %-20s %6.2fx", row->peer_value, row->peer, ratio);
        printf("\n");
        fflush(stdout);
    }
    r->row_count++;
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
    fprintf(f, "usage: callipter bench [NAME...] [--json] [--peer URL] [--count N]\n\n");
    for (size_t i = 0; i < ARRAY_LEN(benches); i++)
        fprintf(f, "  %-12s %s\n", benches[i].name, benches[i].help);
}

static bool wanted(const char *name, char **names, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
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
        if (!wanted(benches[i].name, names, name_count))
            continue;
        r->bench = benches[i].name;
        if (benches[i].run(r, &ec) != ERR_OK) {
            fprintf(stderr, "bench %s: %s\n", benches[i].name, ec.text);
            failed = 1;
        }
    }
    return failed;
}

/* False after a complaint. Names are gathered at the front of argv. */
static bool parse(struct bench_report *r, int *out_names, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--json") == 0) {
            r->json = true;
        } else if (strcmp(argv[i], "--peer") == 0 && i + 1 < argc) {
            r->peer_url = argv[++i];
        } else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc) {
            r->count = strtoul(argv[++i], &end, 10);
            if (*end != '\0' || r->count == 0 || r->count > BENCH_COUNT_MAX) {
                fprintf(stderr, "callipter bench: --count wants 1 to %d\n", BENCH_COUNT_MAX);
                return false;
            }
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
    struct bench_report r = {0};
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
    machine_name(machine, sizeof machine);
    buf_init(&r.text, 1 << 20);
    if (!r.json)
        printf("machine: %s; %s; commit %s\n", machine, cpu_describe(), callipter_commit());
    int failed = run_all(&r, argv + 1, name_count);
    if (r.json)
        printf("{\"machine\":\"%s\",\"variants\":\"%s\",\"commit\":\"%s\",\"rows\":[%.*s]}\n",
               machine, cpu_describe(), callipter_commit(), (int)r.text.len,
               (const char *)r.text.ptr);
    buf_clear(&r.text);
    return failed;
}
