/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/temp_dir.h"

#include "base/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES_OPEN_MAX = 8 };

void temp_dir_make(char *out, size_t cap, const char *name) {
    int n = snprintf(out, cap, "/tmp/callipter-%s-XXXXXX", name);
    CHECK(n > 0 && (size_t)n < cap);
    CHECK(mkdtemp(out) != NULL);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void temp_dir_remove(const char *path) {
    (void)nftw(path, remove_entry, FILES_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}
