/* SPDX-License-Identifier: Apache-2.0 */
#include "node/backup.h"

#include "base/disk.h"
#include "node/keydir.h"
#include "node/secrets.h"
#include "state/copy.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static enum err make_paths(struct backup *b, const char *to, struct err_ctx *ec) {
    size_t len = strlen(to);
    while (len > 1 && to[len - 1] == '/')
        len--;
    if (len == 0 || len + sizeof(".partial") > sizeof(b->to))
        FAIL(ec, ERR_TOO_LARGE, "the path '%s' is empty or longer than %d bytes", to,
             DATADIR_PATH_MAX - 1);
    memcpy(b->to, to, len);
    b->to[len] = '\0';
    int n = snprintf(b->partial, sizeof(b->partial), "%.*s.partial", (int)len, to);
    if (n < 0 || (size_t)n >= sizeof(b->partial))
        FAIL(ec, ERR_TOO_LARGE, "the path %s is too long", to);
    return ERR_OK;
}

/* rmdir takes an empty folder only: what holds something stays. */
static enum err check_free(const char *to, struct err_ctx *ec) {
    if (access(to, F_OK) == 0 && rmdir(to) != 0)
        FAIL(ec, ERR_EXISTS, "%s exists and is no empty folder", to);
    return ERR_OK;
}

/* Encrypted keys that nothing else could bring back; a node need not have any. */
static enum err copy_keys(const struct backup *b, const char *from, struct err_ctx *ec) {
    char keys[DATADIR_PATH_MAX], to_keys[DATADIR_PATH_MAX];
    TRY(datadir_path(keys, from, DATADIR_KEYSTORE, ec));
    TRY(datadir_path(to_keys, b->partial, DATADIR_KEYSTORE, ec));
    return access(keys, F_OK) == 0 ? keydir_copy(to_keys, keys, ec) : ERR_OK;
}

static enum err copy_parts(const struct backup *b, const char *from, struct err_ctx *ec) {
    struct disk *d = disk_posix();
    char store[DATADIR_PATH_MAX], log[DATADIR_PATH_MAX];
    char to_store[DATADIR_PATH_MAX], to_log[DATADIR_PATH_MAX];
    uint64_t last = 0;
    TRY(datadir_path(store, from, DATADIR_STORE, ec));
    TRY(datadir_path(log, from, DATADIR_LOG, ec));
    TRY(datadir_path(to_store, b->partial, DATADIR_STORE, ec));
    TRY(datadir_path(to_log, b->partial, DATADIR_LOG, ec));
    if (access(store, F_OK) != 0 || access(log, F_OK) != 0)
        FAIL(ec, ERR_NOT_FOUND, "%s is not the data folder of a node", from);
    enum err e = d->mkdir(d, to_store);
    if (e == ERR_OK)
        e = d->mkdir(d, to_log);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot make the folders in %s: %s", b->partial, err_text(e));
    /* In this order: each part refers only to what those after it hold. */
    TRY(store_copy(store, to_store, ec));
    TRY(wal_copy(d, log, DATADIR_RECEIPTS_PREFIX, to_log, &last, ec));
    TRY(wal_copy(d, log, DATADIR_LOG_PREFIX, to_log, &last, ec));
    TRY(secrets_copy(b->partial, from, ec));
    return copy_keys(b, from, ec);
}

enum err backup_begin(struct backup *b, const char *from, const char *to, struct err_ctx *ec) {
    TRY(make_paths(b, to, ec));
    TRY(check_free(b->to, ec));
    datadir_remove_temp(b->partial);
    enum err e = copy_parts(b, from, ec);
    if (e != ERR_OK)
        backup_abandon(b);
    return e;
}

enum err backup_finish(struct backup *b, struct err_ctx *ec) {
    struct disk *d = disk_posix();
    char above[DATADIR_PATH_MAX];
    memcpy(above, b->to, sizeof(above));
    char *slash = strrchr(above, '/');
    if (slash == NULL)
        memcpy(above, ".", 2);
    else
        slash[slash == above ? 1 : 0] = '\0';
    enum err e = d->rename(d, b->partial, b->to);
    if (e == ERR_OK)
        e = d->sync_dir(d, above);
    if (e != ERR_OK)
        FAIL(ec, e, "cannot rename %s to %s: %s", b->partial, b->to, strerror(errno));
    return ERR_OK;
}

void backup_abandon(struct backup *b) {
    datadir_remove_temp(b->partial);
}
