/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench.h"
#include "node/commands.h"

#include "base/cpu.h"
#include "node/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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
    fprintf(f, "usage: callipter bench [NAME...] [--json]\n\n");
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

int cmd_bench(int argc, char **argv) {
    struct bench_report r = {0};
    char machine[128];
    int name_count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            r.json = true;
        } else if (known(argv[i])) {
            argv[++name_count] = argv[i];
        } else {
            fprintf(stderr, "callipter bench: no bench '%s'\n", argv[i]);
            usage(stderr);
            return 2;
        }
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
