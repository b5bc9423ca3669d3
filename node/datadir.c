/* SPDX-License-Identifier: Apache-2.0 */
#include "node/datadir.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

enum err datadir_path(char out[DATADIR_PATH_MAX], const char *dir, const char *name,
                      struct err_ctx *ec) {
    char path[DATADIR_PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        FAIL(ec, ERR_TOO_LARGE, "the path %s/%s is longer than %d bytes", dir, name,
             DATADIR_PATH_MAX - 1);
    memcpy(out, path, (size_t)n + 1);
    return ERR_OK;
}

enum err datadir_make_temp(char out[DATADIR_PATH_MAX], struct err_ctx *ec) {
    const char *tmp = getenv("TMPDIR");
    TRY(datadir_path(out, tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp", "callipter-XXXXXX", ec));
    if (mkdtemp(out) == NULL)
        FAIL(ec, ERR_IO, "cannot make a temporary folder %s: %s", out, strerror(errno));
    return ERR_OK;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st;
    (void)kind;
    (void)ftw;
    (void)remove(path);
    return 0;
}

void datadir_remove_temp(const char *dir) {
    (void)nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
