/* SPDX-License-Identifier: Apache-2.0 */
/* A judge that lets everything pass is worse than none: takes 200 state-test cases, spread over the
 * files of a folder, has `callipter statetest` run them as they are and with one bit of the
 * expected root or logs hash flipped, and demands that it reports exactly 200 successes and exactly
 * 200 failures.
 *
 *   runner_judges [FOLDER]     default: tests/vectors/state. The binary is $CALLIPTER, else
 * `callipter` beside this program. */
#include <dirent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CASES = 200, FILES_MAX = 1000, PATH_MAX_BYTES = 4096, HASH_DIGITS = 64 };

static json_t *files[FILES_MAX];
static size_t file_count;

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_folder(const char *folder) {
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX_BYTES];
        if (strstr(entries[i]->d_name, ".json") != NULL && file_count < FILES_MAX &&
            snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name) < (int)sizeof path) {
            json_t *file = json_load_file(path, 0, NULL);
            if (file != NULL)
                files[file_count++] = file;
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

/* Flips one bit of one digit of "0x...", another for each case. */
static void flip(json_t *post, size_t number) {
    const char *key = number % 2 == 0 ? "hash" : "logs";
    char text[HASH_DIGITS + 3] = {0};
    const char *old = json_string_value(json_object_get(post, key));
    if (old == NULL || strlen(old) != HASH_DIGITS + 2)
        return;
    memcpy(text, old, HASH_DIGITS + 2);
    char *digit = text + 2 + number % HASH_DIGITS;
    unsigned value = (unsigned)(*digit <= '9' ? *digit - '0' : (*digit | 0x20) - 'a' + 10);
    *digit = "0123456789abcdef"[(value ^ 1u << (number / 2 % 4)) & 15];
    json_object_set_new(post, key, json_string(text));
}

/* Adds a case as a test of its own: the test's other cases are left out. */
static void add_case(json_t *out, const json_t *test, const char *fork, const json_t *post,
                     size_t number, bool flipped) {
    char name[32];
    (void)snprintf(name, sizeof name, "case %zu", number);
    json_t *copy = json_copy((json_t *)(uintptr_t)test), *only = json_deep_copy(post);
    if (flipped)
        flip(only, number);
    json_object_set_new(copy, "post", json_pack("{s:[o]}", fork, only));
    json_object_set_new(out, name, copy);
}

/* Calls for every case; with stride 0 only counts. */
static size_t each_case(json_t *as_is, json_t *flipped, size_t stride) {
    size_t seen = 0, taken = 0;
    for (size_t f = 0; f < file_count; f++) {
        const char *name, *fork;
        json_t *test, *posts, *post;
        json_object_foreach(files[f], name, test) {
            json_object_foreach(json_object_get(test, "post"), fork, posts) {
                size_t i;
                json_array_foreach(posts, i, post) {
                    if (stride != 0 && seen % stride == 0 && taken < CASES) {
                        add_case(as_is, test, fork, post, taken, false);
                        add_case(flipped, test, fork, post, taken, true);
                        taken++;
                    }
                    seen++;
                }
            }
        }
    }
    return stride == 0 ? seen : taken;
}

/* Runs the binary on one file; the numbers of its last line. */
static bool run(const char *binary, const char *path, unsigned *out_passed, unsigned *out_failed) {
    char command[3 * PATH_MAX_BYTES], line[8192];
    bool found = false;
    if (snprintf(command, sizeof command, "'%s' statetest --tier both '%s'", binary, path) >=
        (int)sizeof command)
        return false;
    FILE *p = popen(command, "r");
    if (p == NULL)
        return false;
    while (fgets(line, sizeof line, p) != NULL)
        found = sscanf(line, "%u passed, %u failed", out_passed, out_failed) == 2;
    int status = pclose(p);
    return found && (status == 0) == (*out_failed == 0);
}

static unsigned judge(const char *binary, const json_t *cases, const char *folder, const char *what,
                      unsigned want_passed, unsigned want_failed) {
    char path[PATH_MAX_BYTES + 32];
    unsigned passed = 0, failed = 0;
    (void)snprintf(path, sizeof path, "%s/cases.json", folder);
    bool ran =
        json_dump_file(cases, path, JSON_COMPACT) == 0 && run(binary, path, &passed, &failed);
    (void)unlink(path);
    printf("%d cases %s: %u reported as passed, %u as failed%s\n", CASES, what, passed, failed,
           ran ? "" : " (no clean end)");
    return ran && passed == want_passed && failed == want_failed ? 1 : 0;
}

int main(int argc, char **argv) {
    const char *binary = getenv("CALLIPTER");
    char beside[PATH_MAX_BYTES], folder[PATH_MAX_BYTES];
    if (binary == NULL) {
        const char *slash = strrchr(argv[0], '/');
        int dir = slash == NULL ? 1 : (int)(slash - argv[0]);
        (void)snprintf(beside, sizeof beside, "%.*s/callipter", dir, slash == NULL ? "." : argv[0]);
        binary = beside;
    }
    load_folder(argc > 1 ? argv[1] : "tests/vectors/state");
    json_t *as_is = json_object(), *flipped = json_object();
    size_t all = each_case(as_is, flipped, 0);
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(folder, sizeof folder, "%s/callipter-judge-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    if (all < CASES || each_case(as_is, flipped, all / CASES) != CASES || mkdtemp(folder) == NULL) {
        printf("runner judges: %zu cases are too few\n0 passed, 1 failed\n", all);
        return 1;
    }
    unsigned good = judge(binary, as_is, folder, "as they are", CASES, 0);
    good += judge(binary, flipped, folder, "with one bit flipped", 0, CASES);
    (void)rmdir(folder);
    json_decref(as_is);
    json_decref(flipped);
    for (size_t i = 0; i < file_count; i++)
        json_decref(files[i]);
    printf("runner judges: %u passed, %u failed\n", good, 2 - good);
    return good == 2 ? 0 : 1;
}
