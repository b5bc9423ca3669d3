/* SPDX-License-Identifier: Apache-2.0 */
#include "node/testrun.h"

#include "base/check.h"
#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096 /* one write below PIPE_BUF stays one line */ };

struct count {
    char fork[TESTRUN_FORK_NAME_MAX];
    uint64_t passed, failed, skipped;
};

/* One worker's results, in shared memory: read by the parent when the worker has ended, however it
 * did. */
struct slot {
    struct count counts[TESTRUN_FORKS_MAX];
    uint64_t files_failed;
    size_t file_idx; /* being judged */
    bool in_file;
    bool in_case;
    uint64_t ordinal; /* of the case being judged, from 1, within the file */
    char fork[TESTRUN_FORK_NAME_MAX];
    size_t idx;
    char name[TESTRUN_CASE_NAME_MAX];
};
struct shared {
    atomic_size_t next_file;
    struct slot slots[];
};

struct test_path {
    char *path;
    off_t size;
};

struct testrun_private {
    const struct testrun_kind *kind;
    const char *fork, *filter;
    unsigned jobs;
    char **skips;
    size_t skip_count;
    struct test_path *files;
    size_t file_count, file_cap;
    uint64_t unreadable;
    struct shared *shared;
    struct slot *slot;     /* of this process */
    uint64_t resume_after; /* ordinal of the case that ended the worker before */
    const char *path;      /* of the file being judged */
};

/* --- reporting -------------------------------------------------------------------------------- */

static struct count *count_of(struct slot *s, const char *fork) {
    for (size_t i = 0; i < TESTRUN_FORKS_MAX; i++) {
        if (s->counts[i].fork[0] == '\0')
            (void)snprintf(s->counts[i].fork, sizeof s->counts[i].fork, "%s", fork);
        if (strncmp(s->counts[i].fork, fork, sizeof s->counts[i].fork - 1) == 0)
            return &s->counts[i];
    }
    return &s->counts[TESTRUN_FORKS_MAX -
                      1]; /* more networks than any corpus has: the last row takes the rest */
}

static void print_line(const char *line, size_t len) {
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line += n;
        len -= (size_t)n;
    }
}

/* One case, or with name NULL one file, as text or JSON. */
static void report(const struct testrun *r, const char *path, const char *name, const char *fork,
                   size_t idx, const char *reason) {
    char line[LINE_MAX_BYTES];
    int n;
    if (r->json) {
        json_t *o =
            json_pack("{s:s, s:s*, s:s*, s:I, s:b, s:s*}", "file", path, "name", name, "fork", fork,
                      "index", (json_int_t)idx, "pass", reason == NULL, "reason", reason);
        char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
        n = snprintf(line, sizeof line, "%s\n", text == NULL ? "{\"pass\":false}" : text);
        free(text);
        json_decref(o);
    } else if (name == NULL) {
        n = snprintf(line, sizeof line, "FAIL %s: %s\n", path, reason);
    } else {
        n = snprintf(line, sizeof line, "FAIL %s %s %s[%zu]: %s\n", path, name, fork, idx, reason);
    }
    if (n >= (int)sizeof line) {
        n = (int)sizeof line - 1;
        line[n - 1] = '\n';
    }
    if (n > 0)
        print_line(line, (size_t)n);
}

static bool listed(const struct testrun_private *p, const char *name) {
    for (size_t i = 0; i < p->skip_count; i++)
        if (strstr(p->path, p->skips[i]) != NULL || strstr(name, p->skips[i]) != NULL)
            return true;
    return false;
}

bool testrun_begin(struct testrun *r, const char *name, const char *fork, size_t idx) {
    struct testrun_private *p = r->p;
    struct slot *s = p->slot;
    s->ordinal++;
    if (s->ordinal <= p->resume_after)
        return false;
    if (p->fork != NULL && strcmp(p->fork, fork) != 0)
        return false;
    if (p->filter != NULL && strstr(p->path, p->filter) == NULL && strstr(name, p->filter) == NULL)
        return false;
    if (listed(p, name)) {
        count_of(s, fork)->skipped++;
        return false;
    }
    (void)snprintf(s->fork, sizeof s->fork, "%s", fork);
    (void)snprintf(s->name, sizeof s->name, "%s", name);
    s->idx = idx;
    s->in_case = true;
    return true;
}

void testrun_end(struct testrun *r, const char *reason) {
    struct slot *s = r->p->slot;
    CHECK(s->in_case);
    s->in_case = false;
    struct count *c = count_of(s, s->fork);
    if (reason == NULL)
        c->passed++;
    else
        c->failed++;
    if (reason != NULL || r->json)
        report(r, r->p->path, s->name, s->fork, s->idx, reason);
}

void testrun_file_failed(struct testrun *r, const char *reason) {
    r->p->slot->files_failed++;
    report(r, r->p->path, NULL, NULL, 0, reason);
}

/* --- workers ---------------------------------------------------------------------------------- */

/* Writes the filled file beside the old one and moves it there. A file in which a worker crashed
 * stays as it was. */
static void replace_file(struct testrun *r, const json_t *file) {
    struct testrun_private *p = r->p;
    char *path = NULL;
    if (p->resume_after != 0)
        return;
    int n = asprintf(&path, "%s.new", p->path);
    CHECK(n > 0);
    if (json_dump_file(file, path, JSON_COMPACT) != 0 || rename(path, p->path) != 0)
        testrun_file_failed(r, "cannot be written");
    free(path);
}

static void judge_file(struct testrun *r, void *ctx, size_t file_idx) {
    struct testrun_private *p = r->p;
    p->path = p->files[file_idx].path;
    p->slot->file_idx = file_idx;
    p->slot->ordinal = 0;
    p->slot->in_file = true;
    json_error_t error;
    json_t *file = json_load_file(p->path, 0, &error);
    if (file == NULL) {
        char reason[JSON_ERROR_TEXT_LENGTH + 64];
        (void)snprintf(reason, sizeof reason, "unreadable: %s (line %d)", error.text, error.line);
        testrun_file_failed(r, reason);
    } else if (!json_is_object(file)) {
        testrun_file_failed(r, "unreadable: the file is no JSON object");
    } else {
        p->kind->judge(r, ctx, file);
        if (r->fill)
            replace_file(r, file);
    }
    json_decref(file);
    arena_reset(&r->arena);
    p->slot->in_file = false;
    p->resume_after = 0;
}

/* Judges files until none is left. A worker that follows one that crashed first goes on in the file
 * where that was. */
static void work(struct testrun *r, bool resume) {
    struct testrun_private *p = r->p;
    void *ctx = p->kind->open();
    arena_init(&r->arena, 1 << 20, TESTRUN_CASE_ARENA_BYTES);
    if (resume)
        judge_file(r, ctx, p->slot->file_idx);
    for (;;) {
        size_t i = atomic_fetch_add(&p->shared->next_file, 1);
        if (i >= p->file_count)
            break;
        judge_file(r, ctx, i);
    }
    arena_clear(&r->arena);
    p->kind->close(ctx);
}

static pid_t start_worker(struct testrun *r, size_t slot_idx, bool resume) {
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct testrun_private *p = r->p;
    p->slot = &p->shared->slots[slot_idx];
    p->resume_after = resume ? p->slot->ordinal : 0;
    work(r, resume);
    (void)fflush(NULL);
    _exit(0);
}

/* A worker ended other than by finishing: its case, or its file, failed. True if another must go on
 * in its place. */
static bool account_for_crash(struct testrun *r, struct slot *s, int status) {
    char reason[96];
    if (WIFSIGNALED(status))
        (void)snprintf(reason, sizeof reason, "the worker was ended by signal %d (%s)",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        (void)snprintf(reason, sizeof reason, "the worker ended with status %d",
                       WEXITSTATUS(status));
    struct testrun_private *p = r->p;
    if (s->in_case) {
        count_of(s, s->fork)->failed++;
        report(r, p->files[s->file_idx].path, s->name, s->fork, s->idx, reason);
        s->in_case = false;
        return true;
    }
    s->files_failed++;
    report(r, s->in_file ? p->files[s->file_idx].path : "(no file)", NULL, NULL, 0, reason);
    s->in_file = false;
    return atomic_load(&p->shared->next_file) < p->file_count;
}

static void run_workers(struct testrun *r) {
    struct testrun_private *p = r->p;
    pid_t pids[TESTRUN_JOBS_MAX];
    unsigned live = 0;
    for (unsigned i = 0; i < p->jobs; i++) {
        pids[i] = start_worker(r, i, false);
        if (pids[i] > 0)
            live++;
    }
    if (live == 0) {
        p->slot = &p->shared->slots[0];
        p->slot->files_failed++;
        fprintf(stderr, "callipter %s: cannot start a worker: %s\n", p->kind->command,
                strerror(errno));
    }
    while (live > 0) {
        int status;
        pid_t pid = wait(&status);
        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            break;
        live--;
        for (unsigned i = 0; i < p->jobs; i++) {
            if (pids[i] != pid)
                continue;
            struct slot *s = &p->shared->slots[i];
            if (status != 0 && account_for_crash(r, s, status)) {
                pids[i] = start_worker(r, i, s->in_file);
                if (pids[i] > 0)
                    live++;
            }
            break;
        }
    }
}

/* --- files ------------------------------------------------------------------------------------ */

static void unreadable(struct testrun *r, const char *path) {
    r->p->unreadable++;
    char reason[128];
    (void)snprintf(reason, sizeof reason, "unreadable: %s", strerror(errno));
    report(r, path, NULL, NULL, 0, reason);
}

static void add_path(struct testrun_private *p, char *path, off_t size) {
    if (p->file_count == p->file_cap) {
        p->file_cap = p->file_cap == 0 ? 256 : p->file_cap * 2;
        p->files = realloc(p->files, p->file_cap * sizeof *p->files);
        CHECK(p->files != NULL);
    }
    p->files[p->file_count++] = (struct test_path){.path = path, .size = size};
}

static bool ends_with(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcmp(s + n - m, suffix) == 0;
}

/* Adds the .json files of a folder to the files and its folders to the end of `todo`. */
static void list_folder(struct testrun *r, struct testrun_private *todo, const char *folder) {
    DIR *d = opendir(folder);
    if (d == NULL) {
        unreadable(r, folder);
        return;
    }
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        char *path = NULL;
        struct stat st;
        int n = asprintf(&path, "%s/%s", folder, e->d_name);
        CHECK(n > 0);
        if (stat(path, &st) != 0)
            unreadable(r, path);
        else if (S_ISDIR(st.st_mode))
            add_path(todo, path, 0);
        else if (ends_with(path, ".json"))
            add_path(r->p, path, st.st_size);
    }
    (void)closedir(d);
}

static void list_path(struct testrun *r, const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) {
        unreadable(r, path);
        return;
    }
    char *copy = strdup(path);
    CHECK(copy != NULL);
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    if (!S_ISDIR(st.st_mode)) {
        add_path(r->p, copy, st.st_size);
        return;
    }
    struct testrun_private todo = {
        0}; /* folders still to list; an explicit queue instead of recursion */
    add_path(&todo, copy, 0);
    for (size_t i = 0; i < todo.file_count; i++) {
        list_folder(r, &todo, todo.files[i].path);
        free(todo.files[i].path);
    }
    free(todo.files);
}

/* Largest first, so that the workers end together; then by name, so that runs are alike. */
static int compare_files(const void *a, const void *b) {
    const struct test_path *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return strcmp(x->path, y->path);
}

static bool load_skip_list(struct testrun_private *p, const char *path) {
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    while ((len = getline(&line, &cap, f)) >= 0) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == ' '))
            line[--len] = '\0';
        if (len == 0 || line[0] == '#')
            continue;
        p->skips = realloc(p->skips, (p->skip_count + 1) * sizeof *p->skips);
        CHECK(p->skips != NULL);
        p->skips[p->skip_count] = strdup(line);
        CHECK(p->skips[p->skip_count] != NULL);
        p->skip_count++;
    }
    free(line);
    (void)fclose(f);
    return true;
}

/* --- options and closing lines ---------------------------------------------------------------- */

static void usage(const struct testrun_kind *kind, FILE *f) {
    fprintf(
        f,
        "usage: callipter %s [OPTIONS] PATH...\n\n%s\nFolders are searched for .json files.\n\n"
        "  --tier fast|reference|both  machine to run (default both: run in each, results must "
        "agree)\n"
        "  --fork NAME                 only this fork\n"
        "  --filter TEXT               only cases whose file or name contains TEXT\n"
        "  --skip-list FILE            leave out cases whose file or name contains a line of FILE\n"
        "  --jobs N                    worker processes (default 1)\n"
        "  --json                      a JSON line for each case\n"
        "  --trace                     EIP-3155 trace of the reference tier on stderr, one "
        "process\n",
        kind->command, kind->summary);
}

static bool parse_tier(struct testrun *r, const char *v) {
    bool both = strcmp(v, "both") == 0;
    r->tiers[EVM_TIER_FAST] = both || strcmp(v, "fast") == 0;
    r->tiers[EVM_TIER_REFERENCE] = both || strcmp(v, "reference") == 0;
    return r->tiers[EVM_TIER_FAST] || r->tiers[EVM_TIER_REFERENCE];
}

static bool parse_jobs(struct testrun_private *p, const char *v) {
    char *end;
    unsigned long n = strtoul(v, &end, 10);
    if (*v == '\0' || *end != '\0' || n < 1 || n > TESTRUN_JOBS_MAX)
        return false;
    p->jobs = (unsigned)n;
    return true;
}

/* One option with its value; false with a message when it is none. */
static bool parse_value_option(struct testrun *r, const char *option, const char *value) {
    struct testrun_private *p = r->p;
    if (strcmp(option, "--fork") == 0) {
        p->fork = value;
        return true;
    }
    if (strcmp(option, "--filter") == 0) {
        p->filter = value;
        return true;
    }
    bool ok = false;
    if (strcmp(option, "--tier") == 0)
        ok = parse_tier(r, value);
    else if (strcmp(option, "--jobs") == 0)
        ok = parse_jobs(p, value);
    else if (strcmp(option, "--skip-list") == 0)
        ok = load_skip_list(p, value);
    if (!ok)
        fprintf(stderr, "callipter %s: bad option or value: %s %s\n", p->kind->command, option,
                value);
    return ok;
}

/* -1: go on; else the exit status. */
static int parse_args(struct testrun *r, int argc, char **argv, int *out_first_path) {
    int i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            usage(r->p->kind, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--json") == 0) {
            r->json = true;
        } else if (strcmp(argv[i], "--trace") == 0) {
            r->trace = true;
        } else if (strcmp(argv[i], "--fill") == 0 && r->p->kind->can_fill) {
            r->fill = true;
        } else if (i + 1 == argc) {
            usage(r->p->kind, stderr);
            return 2;
        } else {
            if (!parse_value_option(r, argv[i], argv[i + 1]))
                return 2;
            i++;
        }
    }
    if (i == argc) {
        usage(r->p->kind, stderr);
        return 2;
    }
    *out_first_path = i;
    return -1;
}

static int compare_counts(const void *a, const void *b) {
    return strcmp(((const struct count *)a)->fork, ((const struct count *)b)->fork);
}

static int print_totals(const struct testrun *r, double seconds) {
    const struct testrun_private *p = r->p;
    struct slot sum = {0};
    sum.files_failed = p->unreadable;
    for (unsigned i = 0; i < p->jobs; i++) {
        const struct slot *s = &p->shared->slots[i];
        sum.files_failed += s->files_failed;
        for (size_t k = 0; k < TESTRUN_FORKS_MAX && s->counts[k].fork[0] != '\0'; k++) {
            struct count *c = count_of(&sum, s->counts[k].fork);
            c->passed += s->counts[k].passed;
            c->failed += s->counts[k].failed;
            c->skipped += s->counts[k].skipped;
        }
    }
    size_t forks = 0;
    while (forks < TESTRUN_FORKS_MAX && sum.counts[forks].fork[0] != '\0')
        forks++;
    qsort(sum.counts, forks, sizeof sum.counts[0], compare_counts);
    uint64_t passed = 0, failed = sum.files_failed, skipped = 0;
    for (size_t k = 0; k < forks; k++) {
        const struct count *c = &sum.counts[k];
        printf("%s: %llu run, %llu failed, %llu left out\n", c->fork,
               (unsigned long long)(c->passed + c->failed), (unsigned long long)c->failed,
               (unsigned long long)c->skipped);
        passed += c->passed;
        failed += c->failed;
        skipped += c->skipped;
    }
    printf("%zu files, %.1f s, %.0f cases/s\n", p->file_count, seconds,
           (double)(passed + failed) / (seconds > 0 ? seconds : 1));
    if (skipped != 0)
        printf("%llu passed, %llu failed, %llu skipped\n", (unsigned long long)passed,
               (unsigned long long)failed, (unsigned long long)skipped);
    else
        printf("%llu passed, %llu failed\n", (unsigned long long)passed,
               (unsigned long long)failed);
    (void)fflush(stdout);
    return failed == 0 ? 0 : 1;
}

static int run(struct testrun *r) {
    struct testrun_private *p = r->p;
    size_t shared_len = sizeof *p->shared + p->jobs * sizeof p->shared->slots[0];
    p->shared = mmap(NULL, shared_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p->shared == MAP_FAILED) {
        fprintf(stderr, "callipter %s: %s\n", p->kind->command, strerror(errno));
        return 1;
    }
    uint64_t start_ns = clock_monotonic_ns(clock_posix());
    if (r->trace) {
        p->slot = &p->shared->slots[0];
        work(r, false);
    } else {
        run_workers(r);
    }
    int status = print_totals(r, (double)(clock_monotonic_ns(clock_posix()) - start_ns) / 1e9);
    (void)munmap(p->shared, shared_len);
    return status;
}

int testrun_main(const struct testrun_kind *kind, int argc, char **argv) {
    struct testrun_private p = {.kind = kind, .jobs = 1};
    struct testrun r = {.tiers = {true, true}, .p = &p};
    int first_path;
    int status = parse_args(&r, argc, argv, &first_path);
    if (status < 0) {
        if (r.trace)
            p.jobs = 1;
        for (int i = first_path; i < argc; i++)
            list_path(&r, argv[i]);
        qsort(p.files, p.file_count, sizeof *p.files, compare_files);
        status = run(&r);
    }
    for (size_t i = 0; i < p.file_count; i++)
        free(p.files[i].path);
    free(p.files);
    for (size_t i = 0; i < p.skip_count; i++)
        free(p.skips[i]);
    free(p.skips);
    return status;
}
