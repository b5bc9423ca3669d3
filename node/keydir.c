/* SPDX-License-Identifier: Apache-2.0 */
#include "node/keydir.h"

#include "base/disk.h"
#include "base/hex.h"
#include "base/secp.h"
#include "node/file.h"
#include "node/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- reading ------------------------------------------------------------------------------- */
/* The address that a keystore file says. */
static bool file_address(addr20 *out, const char *path) {
    struct buf b;
    bool ok = false;
    buf_init(&b, KEYSTORE_FILE_MAX_BYTES + 4096);
    if (file_read(&b, path, KEYSTORE_FILE_MAX_BYTES, NULL) == ERR_OK) {
        json_t *o = json_loadb((const char *)b.ptr, b.len, JSON_REJECT_DUPLICATES, NULL);
        const char *address = json_string_value(json_object_get(o, "address"));
        ok = address != NULL && hex_decode_fixed(out->b, 20, address) == ERR_OK &&
             json_object_get(o, "version") != NULL;
        json_decref(o);
    }
    buf_clear(&b);
    return ok;
}

enum err keydir_each(const char *dir, keydir_fn fn, void *ctx, struct err_ctx *ec) {
    struct disk *d = disk_posix();
    struct buf names;
    buf_init(&names, KEYDIR_LIST_MAX_BYTES);
    enum err e = d->list(d, dir, &names);
    if (e != ERR_OK)
        e = err_set(ec, e, __FILE__, __LINE__, "cannot list %s: %s", dir, err_text(e));
    for (size_t at = 0; e == ERR_OK && at < names.len;) {
        const char *name = (const char *)names.ptr + at;
        char path[DATADIR_PATH_MAX];
        struct stat st;
        addr20 address;
        at += strlen(name) + 1;
        if (name[0] == '.' || datadir_path(path, dir, name, NULL) != ERR_OK)
            continue;
        if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && file_address(&address, path))
            e = fn(ctx, &address, path);
    }
    buf_clear(&names);
    return e;
}

/* --- adding -------------------------------------------------------------------------------- */
static enum err refuse_same(void *ctx, const addr20 *address, const char *path) {
    (void)path;
    return memcmp(address->b, ((const addr20 *)ctx)->b, 20) == 0 ? ERR_EXISTS : ERR_OK;
}

/* "UTC--2026-01-31T12-34-56.000000000Z--<address>" */
static void file_name(char out[96], const addr20 *address, uint64_t now_ns) {
    time_t seconds = (time_t)(now_ns / 1000000000);
    struct tm tm;
    char when[32], hex[41] = {0};
    gmtime_r(&seconds, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H-%M-%S", &tm);
    hex_encode(hex, address->b, 20);
    snprintf(out, 96, "UTC--%s.%09uZ--%s", when, (unsigned)(now_ns % 1000000000), hex);
}

static enum err write_all(int fd, bytes content) {
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        content = bytes_of(content.ptr + n, content.len - (size_t)n);
    }
    return fsync(fd) == 0 ? ERR_OK : ERR_IO;
}

static enum err write_file(const char *dir, const char *path, bytes content, struct err_ctx *ec) {
    char fresh[DATADIR_PATH_MAX];
    TRY(datadir_path(fresh, dir, ".new", ec));
    (void)unlink(fresh); /* of a run that was cut off */
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        FAIL(ec, ERR_IO, "cannot write %s: %s", fresh, strerror(errno));
    struct disk *d = disk_posix();
    enum err e = write_all(fd, content);
    (void)close(fd);
    if (e == ERR_OK)
        e = d->rename(d, fresh, path);
    if (e == ERR_OK)
        e = d->sync_dir(d, dir);
    if (e != ERR_OK) {
        (void)unlink(fresh);
        FAIL(ec, e, "cannot write %s: %s", path, err_text(e));
    }
    return ERR_OK;
}

static enum err make_folder(const char *dir, struct err_ctx *ec) {
    struct disk *d = disk_posix();
    bool fresh = access(dir, F_OK) != 0;
    enum err e = d->mkdir(d, dir);
    if (e != ERR_OK || (fresh && chmod(dir, 0700) != 0))
        FAIL(ec, e != ERR_OK ? e : ERR_IO, "cannot make the folder %s", dir);
    return ERR_OK;
}

enum err keydir_add(char out_path[DATADIR_PATH_MAX], const char *dir, const uint8_t key[32],
                    const char *password, const struct scrypt_params *params,
                    const uint8_t random[64], uint64_t now_ns, struct err_ctx *ec) {
    addr20 address;
    char name[96];
    if (secp_address_of_key(&address, key) != ERR_OK)
        FAIL(ec, ERR_INVALID, "the private key is 0 or not below the curve's order");
    TRY(make_folder(dir, ec));
    enum err e = keydir_each(dir, refuse_same, &address, ec);
    if (e == ERR_EXISTS) {
        char hex[41] = {0};
        hex_encode(hex, address.b, 20);
        FAIL(ec, e, "%s has a key of 0x%s already", dir, hex);
    }
    if (e != ERR_OK)
        return e;
    file_name(name, &address, now_ns);
    TRY(datadir_path(out_path, dir, name, ec));
    struct buf b;
    buf_init(&b, KEYSTORE_FILE_MAX_BYTES);
    e = keystore_encrypt(&b, key, password, params, random, ec);
    if (e == ERR_OK)
        e = write_file(dir, out_path, buf_bytes(&b), ec);
    buf_clear(&b);
    return e;
}

/* --- copying --------------------------------------------------------------------------------- */
struct copying {
    const char *to;
    struct err_ctx *ec;
};

static enum err copy_one(void *ctx, const addr20 *address, const char *path) {
    const struct copying *c = ctx;
    char to[DATADIR_PATH_MAX];
    (void)address;
    TRY(datadir_path(to, c->to, strrchr(path, '/') + 1, c->ec));
    struct buf b;
    buf_init(&b, 2 * KEYSTORE_FILE_MAX_BYTES);
    enum err e = file_read(&b, path, KEYSTORE_FILE_MAX_BYTES, c->ec);
    if (e == ERR_OK)
        e = write_file(c->to, to, buf_bytes(&b), c->ec);
    buf_clear(&b);
    return e;
}

enum err keydir_copy(const char *to, const char *from, struct err_ctx *ec) {
    struct copying c = {to, ec};
    TRY(make_folder(to, ec));
    return keydir_each(from, copy_one, &c, ec);
}
