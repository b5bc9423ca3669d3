/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct disk_file {
    int fd;
};

enum { PATH_LEN_MAX = 4096 /* with the NUL, as the kernel has it */ };

static enum err err_of_errno(int number) {
    switch (number) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOMEM:
        return ERR_NOMEM;
    case EFBIG:
    case ENAMETOOLONG:
        return ERR_TOO_LARGE;
    default:
        return ERR_IO;
    }
}

static enum err posix_open(struct disk *d, struct disk_file **out, const char *path, bool create,
                           struct err_ctx *ec) {
    (void)d;
    struct disk_file *f = malloc(sizeof(*f));
    if (f == NULL)
        FAIL(ec, ERR_NOMEM, "no memory to open %s", path);
    do {
        f->fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
    } while (f->fd < 0 && errno == EINTR);
    if (f->fd < 0) {
        int number = errno;
        free(f);
        FAIL(ec, err_of_errno(number), "cannot open %s: %s", path, strerror(number));
    }
    *out = f;
    return ERR_OK;
}

static void posix_close(struct disk *d, struct disk_file *f) {
    (void)d;
    if (f == NULL)
        return;
    /* What had to last was synced before; Linux closes the descriptor whatever the result. */
    (void)close(f->fd);
    free(f);
}

static bool fits_off_t(uint64_t offset, size_t len) {
    return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static enum err posix_pread(struct disk *d, struct disk_file *f, void *ptr, size_t len,
                            uint64_t offset, size_t *out_len) {
    (void)d;
    if (!fits_off_t(offset, len))
        return ERR_TOO_LARGE;
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(f->fd, (uint8_t *)ptr + done, len - done, (off_t)(offset + done));
        if (n == 0)
            break;
        if (n > 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return err_of_errno(errno);
    }
    *out_len = done;
    return ERR_OK;
}

static enum err posix_pwrite(struct disk *d, struct disk_file *f, const void *ptr, size_t len,
                             uint64_t offset) {
    (void)d;
    if (!fits_off_t(offset, len))
        return ERR_TOO_LARGE;
    size_t done = 0;
    while (done < len) {
        ssize_t n = pwrite(f->fd, (const uint8_t *)ptr + done, len - done, (off_t)(offset + done));
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return n == 0 ? ERR_IO : err_of_errno(errno);
    }
    return ERR_OK;
}

static enum err posix_sync(struct disk *d, struct disk_file *f) {
    (void)d;
    /* After a failed sync the kernel may have dropped the dirty pages: repeating it would report a
     * success that is none, so the error goes up and nothing is retried but an interruption. */
    while (fdatasync(f->fd) != 0) {
        if (errno != EINTR)
            return err_of_errno(errno);
    }
    return ERR_OK;
}

static enum err posix_allocate(struct disk *d, struct disk_file *f, uint64_t len) {
    (void)d;
    if (!fits_off_t(len, 0))
        return ERR_TOO_LARGE;
    if (len == 0)
        return ERR_OK;
    int number;
    do {
        number = posix_fallocate(f->fd, 0, (off_t)len);
    } while (number == EINTR);
    return number == 0 ? ERR_OK : err_of_errno(number);
}

static enum err posix_truncate(struct disk *d, struct disk_file *f, uint64_t len) {
    (void)d;
    if (!fits_off_t(len, 0))
        return ERR_TOO_LARGE;
    while (ftruncate(f->fd, (off_t)len) != 0) {
        if (errno != EINTR)
            return err_of_errno(errno);
    }
    return ERR_OK;
}

static enum err posix_size(struct disk *d, struct disk_file *f, uint64_t *out) {
    (void)d;
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return err_of_errno(errno);
    *out = (uint64_t)st.st_size;
    return ERR_OK;
}

static enum err posix_remove(struct disk *d, const char *path) {
    (void)d;
    return remove(path) == 0 ? ERR_OK : err_of_errno(errno);
}

static enum err posix_rename(struct disk *d, const char *from, const char *to) {
    (void)d;
    return rename(from, to) == 0 ? ERR_OK : err_of_errno(errno);
}

static enum err posix_sync_dir(struct disk *d, const char *path) {
    (void)d;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_of_errno(errno);
    enum err e = fsync(fd) == 0 ? ERR_OK : err_of_errno(errno);
    (void)close(fd);
    return e;
}

/* A new folder lasts only when the one above it is synced: else all that is synced in it would be
 * lost with its name. */
static enum err make_one_dir(const char *path) {
    struct stat st;
    if (mkdir(path, 0755) != 0) {
        int number = errno;
        bool exists = number == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        return exists ? ERR_OK : err_of_errno(number);
    }
    char above[PATH_LEN_MAX];
    size_t len = strlen(path);
    memcpy(above, path, len + 1);
    char *slash = strrchr(above, '/');
    if (slash == NULL)
        memcpy(above, ".", 2);
    else
        slash[slash == above ? 1 : 0] = '\0';
    return posix_sync_dir(NULL, above);
}

static enum err posix_mkdir(struct disk *d, const char *path) {
    (void)d;
    char part[PATH_LEN_MAX];
    size_t len = strlen(path);
    if (len == 0)
        return ERR_INVALID;
    if (len >= sizeof(part))
        return ERR_TOO_LARGE;
    memcpy(part, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        TRY(make_one_dir(part));
        part[i] = '/';
    }
    return make_one_dir(part);
}

/* By bytes: the same order whatever the locale. */
static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct name_list {
    char **names; /* each on the heap */
    size_t count;
    size_t cap;
};

static enum err name_list_add(struct name_list *l, const char *name) {
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        char **names = realloc(l->names, cap * sizeof(*names));
        if (names == NULL)
            return ERR_NOMEM;
        l->names = names;
        l->cap = cap;
    }
    l->names[l->count] = strdup(name);
    if (l->names[l->count] == NULL)
        return ERR_NOMEM;
    l->count++;
    return ERR_OK;
}

static enum err read_names(struct name_list *l, const char *path) {
    DIR *dir = opendir(path);
    if (dir == NULL)
        return err_of_errno(errno);
    enum err e = ERR_OK;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            e = errno != 0 ? err_of_errno(errno) : ERR_OK;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        e = name_list_add(l, entry->d_name);
        if (e != ERR_OK)
            break;
    }
    (void)closedir(dir);
    return e;
}

static enum err posix_list(struct disk *d, const char *path, struct buf *out) {
    (void)d;
    struct name_list l = {0};
    enum err e = read_names(&l, path);
    if (e == ERR_OK) {
        size_t start = out->len;
        if (l.count > 0)
            qsort(l.names, l.count, sizeof(*l.names), compare_names);
        for (size_t i = 0; i < l.count; i++)
            buf_append(out, l.names[i], strlen(l.names[i]) + 1);
        if (out->overflow) {
            out->len = start;
            e = ERR_TOO_LARGE;
        }
    }
    for (size_t i = 0; i < l.count; i++)
        free(l.names[i]);
    free(l.names);
    return e;
}

struct disk *disk_posix(void) {
    static struct disk posix = {
        .open = posix_open,
        .close = posix_close,
        .pread = posix_pread,
        .pwrite = posix_pwrite,
        .sync = posix_sync,
        .allocate = posix_allocate,
        .truncate = posix_truncate,
        .size = posix_size,
        .remove = posix_remove,
        .rename = posix_rename,
        .mkdir = posix_mkdir,
        .sync_dir = posix_sync_dir,
        .list = posix_list,
    };
    return &posix;
}
