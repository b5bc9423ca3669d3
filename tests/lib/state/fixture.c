/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/state/fixture.h"

#include "base/check.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

void fixture_dir_make(char out[FIXTURE_PATH_MAX]) {
    const char *base = getenv("TEST_DIR");
    if (base == NULL) {
        base = "build";
        (void)mkdir(base, 0755);
    }
    int n = snprintf(out, FIXTURE_PATH_MAX, "%s/test-XXXXXX", base);
    CHECK(n > 0 && n < FIXTURE_PATH_MAX);
    CHECK(mkdtemp(out) != NULL);
}

void fixture_dir_remove(const char *path) {
    /* Depth is that of a data folder: two levels and a third for safety. */
    DIR *d = opendir(path);
    if (d == NULL)
        return;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        char name[FIXTURE_PATH_MAX + 300];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (unlink(name) != 0)
            fixture_dir_remove(name);
    }
    (void)closedir(d);
    (void)rmdir(path);
}

uint64_t fixture_seed(uint64_t otherwise) {
    const char *s = getenv("SEED");
    return s == NULL || *s == 0 ? otherwise : strtoull(s, NULL, 0);
}

uint64_t fixture_rng_next(struct fixture_rng *r) {
    if (r->state == 0)
        r->state = 1;
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * 0x2545F4914F6CDD1DULL;
}

void fixture_rng_fill(struct fixture_rng *r, void *ptr, size_t len) {
    uint8_t *p = ptr;
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(fixture_rng_next(r) >> 32);
}

uint8_t *fixture_file_read(const char *path, size_t *out_len) {
    FILE *f = fopen(path, "rb");
    CHECK(f != NULL);
    CHECK(fseek(f, 0, SEEK_END) == 0);
    long len = ftell(f);
    CHECK(len >= 0 && fseek(f, 0, SEEK_SET) == 0);
    uint8_t *p = malloc((size_t)len + 1);
    CHECK(p != NULL);
    CHECK(fread(p, 1, (size_t)len, f) == (size_t)len);
    (void)fclose(f);
    *out_len = (size_t)len;
    return p;
}

void fixture_file_write(const char *path, const void *ptr, size_t len) {
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL);
    CHECK(fwrite(ptr, 1, len, f) == len);
    CHECK(fclose(f) == 0);
}
