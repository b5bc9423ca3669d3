/* SPDX-License-Identifier: Apache-2.0 */
#include "state/copy.h"

#include "state/store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum err join(char out[STORE_PATH_MAX], const char *dir, const char *name,
                     struct err_ctx *ec) {
    int n = snprintf(out, STORE_PATH_MAX, "%s/%s", dir, name);
    if (n < 0 || n >= STORE_PATH_MAX)
        FAIL(ec, ERR_INVALID, "the path %s is too long", dir);
    return ERR_OK;
}

/* LMDB leaves the syncing of a copy to its caller. */
static enum err sync_file(const char *path, struct err_ctx *ec) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        FAIL(ec, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    int rc = fsync(fd), number = errno;
    (void)close(fd);
    if (rc != 0)
        FAIL(ec, ERR_IO, "cannot sync %s: %s", path, strerror(number));
    return ERR_OK;
}

static int open_source(MDB_env **out, const char *path) {
    MDB_env *env;
    int rc = mdb_env_create(&env);
    if (rc != 0)
        return rc;
    rc = mdb_env_set_maxreaders(env, STORE_VIEWS_MAX + STORE_IDLE_VIEWS + 8);
    if (rc == 0)
        rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS | MDB_RDONLY, 0644);
    if (rc != 0) {
        mdb_env_close(env);
        return rc;
    }
    *out = env;
    return 0;
}

enum err store_copy(const char *dir, const char *to_dir, struct err_ctx *ec) {
    char from[STORE_PATH_MAX], fresh[STORE_PATH_MAX], to[STORE_PATH_MAX];
    MDB_env *env = NULL;
    TRY(join(from, dir, "state.mdb", ec));
    TRY(join(fresh, to_dir, "state.mdb.new", ec));
    TRY(join(to, to_dir, "state.mdb", ec));
    if (access(from, F_OK) != 0)
        FAIL(ec, ERR_NOT_FOUND, "there is no store in %s", dir);
    int rc = open_source(&env, from);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "cannot open %s: %s", from, mdb_strerror(rc));
    rc = mdb_env_copy2(env, fresh, MDB_CP_COMPACT);
    mdb_env_close(env);
    if (rc != 0)
        FAIL(ec, store_lmdb_err(rc), "cannot copy %s to %s: %s", from, fresh, mdb_strerror(rc));
    TRY(sync_file(fresh, ec));
    struct disk *d = disk_posix();
    enum err e = d->rename(d, fresh, to);
    if (e == ERR_OK)
        e = d->sync_dir(d, to_dir);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot rename %s", fresh);
    return ERR_OK;
}
