/* SPDX-License-Identifier: Apache-2.0 */
/* What a disk could hold had the power failed at a step of a recorded run: for tests in other
 * languages that start a program on it (tests/func/suite_crash.mjs).
 *
 *   sim-crash_image steps TRACE                          one line per write and sync: step, kind
 *   sim-crash_image make TRACE STEP VARIANT SEED DIR     the files after that step under DIR, which
 *                                                        is made; prints what had been answered
 *
 * VARIANT: lost, kept, torn, shuffled (tests/sim/crash_disk.h). Printed are the hashes in answers
 * `"result":"0x<64 digits>"` that the program had written to sockets (CRASH_SOCKETS of the shim),
 * in order, one per line. */
#include "base/check.h"
#include "tests/sim/crash_disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { HASH_DIGITS = 64 };

static bytes load(const char *path) {
    size_t len;
    const uint8_t *data = fixture_file_read(path, &len);
    /* The program was killed: its last record may be cut off. */
    size_t whole = 0;
    while (len - whole >= sizeof(struct crash_record)) {
        struct crash_record r;
        memcpy(&r, data + whole, sizeof r);
        uint64_t body = r.op == CRASH_WRITE || r.op == CRASH_MARK ? r.len : 0;
        uint64_t total = sizeof r + r.path_len + r.path2_len + body;
        if (total > len - whole)
            break;
        whole += (size_t)total;
    }
    return bytes_of(data, whole);
}

static int print_steps(bytes trace) {
    struct crash_step s;
    for (size_t i = 0; crash_step_next(&trace, &s); i++)
        if (s.record.op == CRASH_WRITE || s.record.op == CRASH_SYNC)
            (void)printf("%zu %s\n", i, s.record.op == CRASH_WRITE ? "write" : "sync");
    return 0;
}

static void print_answers(bytes data) {
    static const char before[] = "\"result\":\"0x";
    size_t n = sizeof before - 1;
    for (size_t at = 0; at + n + HASH_DIGITS < data.len; at++) {
        if (memcmp(data.ptr + at, before, n) != 0)
            continue;
        const char *digits = (const char *)data.ptr + at + n;
        if (strspn(digits, "0123456789abcdef") >= HASH_DIGITS && digits[HASH_DIGITS] == '"')
            (void)printf("0x%.*s\n", HASH_DIGITS, digits);
    }
}

static int make_image(bytes trace, uint64_t step, enum crash_variant variant, uint64_t seed,
                      const char *dir) {
    struct crash_disk *d = crash_disk_new();
    struct crash_step s, flying;
    for (uint64_t i = 0; i <= step; i++) {
        CHECK(crash_step_next(&trace, &s));
        if (s.record.op != CRASH_MARK)
            crash_disk_apply(d, &s);
        else
            print_answers(s.data);
    }
    bool has_next = crash_step_next(&trace, &flying) && flying.record.op == CRASH_WRITE;
    struct fixture_rng r = fixture_rng_of(seed ^ step << 8 ^ variant);
    (void)crash_disk_image(d, variant, has_next ? &flying : NULL, &r);
    CHECK(mkdir(dir, 0755) == 0);
    crash_disk_write(d, dir);
    crash_disk_free(d);
    return 0;
}

int main(int argc, char **argv) {
    static const char *const variants[CRASH_VARIANTS] = {"lost", "kept", "torn", "shuffled"};
    if (argc == 3 && strcmp(argv[1], "steps") == 0)
        return print_steps(load(argv[2]));
    if (argc == 7 && strcmp(argv[1], "make") == 0)
        for (int v = 0; v < CRASH_VARIANTS; v++)
            if (strcmp(argv[4], variants[v]) == 0)
                return make_image(load(argv[2]), strtoull(argv[3], NULL, 0), (enum crash_variant)v,
                                  strtoull(argv[5], NULL, 0), argv[6]);
    (void)fprintf(stderr,
                  "usage: sim-crash_image steps TRACE\n"
                  "       sim-crash_image make TRACE STEP lost|kept|torn|shuffled SEED DIR\n");
    return 2;
}
