/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a process, writes down every change it makes to files under $CRASH_ROOT, in order,
 * to $CRASH_TRACE: what tests/sim/crash.c needs to work out what a disk would hold if the power
 * failed at any of them. It sees the C library's calls, whoever makes them: this project's files
 * and LMDB's alike. A write to a file whose name ends in ".mark" is written down as a mark.
 *
 * CRASH_SOCKETS=1: what is written to sockets is written down as marks too, with the path "socket":
 * so a trace of a server says what it had answered when the power failed.
 *
 * CRASH_DROP_SYNC=TEXT: syncs of files whose path contains TEXT are neither done nor written down,
 * and O_DSYNC is ignored for them (control runs, where the test must find fault).
 *
 * Record: type u8 | flags u8 | path length u16 | second path length u16 | zero u16 | offset u64 |
 * length u64 | paths | data. Data of `length` bytes only for writes and marks. Types and flags are
 * in tests/sim/crash_trace.h. */
#include "tests/sim/crash_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS_MAX = 4096, PATH_LEN_MAX = 4096 };

struct tracked {
    char *path; /* relative to the root; NULL: not ours */
    bool dsync, mark;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tracked fds[FDS_MAX];
static char root[PATH_LEN_MAX];
static int trace_fd = -1;
static const char *drop_sync; /* NULL: none */
static bool sockets;          /* are written down */

__attribute__((constructor)) static void begin(void) {
    const char *r = getenv("CRASH_ROOT"), *t = getenv("CRASH_TRACE"),
               *d = getenv("CRASH_DROP_SYNC");
    if (r == NULL || t == NULL || realpath(r, root) == NULL)
        return;
    drop_sync = d != NULL && *d != 0 ? d : NULL;
    const char *s = getenv("CRASH_SOCKETS");
    sockets = s != NULL && *s != 0;
    trace_fd =
        (int)syscall(SYS_openat, AT_FDCWD, t, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

/* Takes the lock with all signals blocked: a handler may write, too. */
static sigset_t hold(void) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_mutex_lock(&lock);
    return before;
}
static void release(const sigset_t *before) {
    pthread_mutex_unlock(&lock);
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
}

static void put(const void *ptr, size_t len) {
    const uint8_t *p = ptr;
    while (len > 0) {
        long n = syscall(SYS_write, trace_fd, p, len);
        if (n <= 0)
            abort();
        p += n;
        len -= (size_t)n;
    }
}

static void record(enum crash_op op, uint8_t flags, const char *path, const char *path2,
                   uint64_t offset, uint64_t len) {
    struct crash_record r = {.op = (uint8_t)op,
                             .flags = flags,
                             .path_len = (uint16_t)strlen(path),
                             .path2_len = (uint16_t)(path2 == NULL ? 0 : strlen(path2)),
                             .offset = offset,
                             .len = len};
    put(&r, sizeof r);
    put(path, r.path_len);
    if (path2 != NULL)
        put(path2, r.path2_len);
}

/* The path below the root, malloc'ed; NULL if it is elsewhere. The file need not exist, its folder
 * must. */
static char *relative(const char *path) {
    if (trace_fd < 0)
        return NULL;
    char dir[PATH_LEN_MAX], full[PATH_LEN_MAX], real_dir[PATH_LEN_MAX];
    if (realpath(path, full) == NULL) {
        (void)snprintf(dir, sizeof dir, "%s", path);
        char *slash = strrchr(dir, '/');
        const char *name = path;
        if (slash == NULL) {
            (void)snprintf(dir, sizeof dir, ".");
        } else {
            name = path + (slash - dir) + 1;
            *(slash == dir ? slash + 1 : slash) = 0;
        }
        if (realpath(dir, real_dir) == NULL)
            return NULL;
        if ((size_t)snprintf(full, sizeof full, "%s/%s", real_dir, name) >= sizeof full)
            return NULL;
    }
    size_t n = strlen(root);
    if (strncmp(full, root, n) != 0 || (full[n] != '/' && full[n] != 0))
        return NULL;
    return strdup(full[n] == '/' ? full + n + 1 : "");
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* --- opening -------------------------------------------------------------------------------- */

static int do_open(int dirfd, const char *path, int flags, mode_t mode) {
    if (trace_fd < 0 || (dirfd != AT_FDCWD && path[0] != '/'))
        return (int)syscall(SYS_openat, dirfd, path, flags, mode);
    sigset_t before = hold();
    struct stat st;
    bool existed = stat(path, &st) == 0;
    bool dropped = drop_sync != NULL && strstr(path, drop_sync) != NULL;
    int fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
    if (fd >= 0 && fd < FDS_MAX) {
        int saved = errno;
        free(fds[fd].path);
        fds[fd] = (struct tracked){.path = relative(path)};
        if (fds[fd].path != NULL) {
            fds[fd].dsync = !dropped && (flags & O_DSYNC) != 0;
            fds[fd].mark = ends_with(fds[fd].path, ".mark");
            if (!existed && (flags & O_CREAT) != 0 && !fds[fd].mark)
                record(CRASH_CREATE, 0, fds[fd].path, NULL, 0, 0);
            if (existed && (flags & O_TRUNC) != 0 && !fds[fd].mark)
                record(CRASH_TRUNCATE, 0, fds[fd].path, NULL, 0, 0);
        }
        errno = saved;
    }
    release(&before);
    return fd;
}

#define OPEN_LIKE(name)                                                                            \
    int name(const char *path, int flags, ...);                                                    \
    int name(const char *path, int flags, ...) {                                                   \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;           \
        va_end(args);                                                                              \
        return do_open(AT_FDCWD, path, flags, mode);                                               \
    }
#define OPENAT_LIKE(name)                                                                          \
    int name(int dirfd, const char *path, int flags, ...);                                         \
    int name(int dirfd, const char *path, int flags, ...) {                                        \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;           \
        va_end(args);                                                                              \
        return do_open(dirfd, path, flags, mode);                                                  \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags) {
    return do_open(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags) {
    return do_open(AT_FDCWD, path, flags, 0);
}

int close(int fd) {
    sigset_t before = hold();
    if (fd >= 0 && fd < FDS_MAX) {
        free(fds[fd].path);
        fds[fd] = (struct tracked){0};
    }
    int rc = (int)syscall(SYS_close, fd);
    release(&before);
    return rc;
}

static struct tracked *tracked(int fd) {
    return fd >= 0 && fd < FDS_MAX && fds[fd].path != NULL ? &fds[fd] : NULL;
}

/* --- writing -------------------------------------------------------------------------------- */

static void put_iov(const struct iovec *iov, int count, size_t left) {
    for (int i = 0; i < count && left > 0; i++) {
        size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;
        put(iov[i].iov_base, n);
        left -= n;
    }
}

static bool is_socket(int fd) {
    struct stat st;
    return sockets && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* offset < 0: at the file's position. */
static ssize_t do_writev(int fd, const struct iovec *iov, int count, off_t offset) {
    if (trace_fd < 0)
        return offset < 0 ? (ssize_t)syscall(SYS_writev, fd, iov, count)
                          : (ssize_t)syscall(SYS_pwritev, fd, iov, count, offset, offset >> 32);
    sigset_t before = hold();
    const struct tracked *t = tracked(fd);
    off_t at = offset >= 0 || t == NULL ? offset : (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
    ssize_t done = offset < 0 ? (ssize_t)syscall(SYS_writev, fd, iov, count)
                              : (ssize_t)syscall(SYS_pwritev, fd, iov, count, offset, offset >> 32);
    if (t != NULL && done > 0) {
        int saved = errno;
        record(t->mark ? CRASH_MARK : CRASH_WRITE, t->dsync ? CRASH_DSYNC : 0, t->path, NULL,
               (uint64_t)at, (uint64_t)done);
        put_iov(iov, count, (size_t)done);
        errno = saved;
    } else if (t == NULL && done > 0 && is_socket(fd)) {
        record(CRASH_MARK, 0, "socket", NULL, (uint64_t)fd, (uint64_t)done);
        put_iov(iov, count, (size_t)done);
    }
    release(&before);
    return done;
}

static ssize_t do_write(int fd, const void *ptr, size_t len, off_t offset) {
    struct iovec iov = {.iov_base = (void *)(uintptr_t)ptr, .iov_len = len};
    return do_writev(fd, &iov, 1, offset);
}

ssize_t write(int fd, const void *ptr, size_t len) {
    return do_write(fd, ptr, len, -1);
}
ssize_t pwrite(int fd, const void *ptr, size_t len, off_t offset) {
    return do_write(fd, ptr, len, offset);
}
ssize_t pwrite64(int fd, const void *ptr, size_t len, off64_t offset) {
    return do_write(fd, ptr, len, offset);
}
ssize_t writev(int fd, const struct iovec *iov, int count) {
    return do_writev(fd, iov, count, -1);
}
ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t offset) {
    return do_writev(fd, iov, count, offset);
}
ssize_t pwritev64(int fd, const struct iovec *iov, int count, off64_t offset) {
    return do_writev(fd, iov, count, offset);
}

/* Sockets are also written with these. */
ssize_t sendmsg(int fd, const struct msghdr *m, int flags) {
    sigset_t before = hold();
    ssize_t done = (ssize_t)syscall(SYS_sendmsg, fd, m, flags);
    if (trace_fd >= 0 && done > 0 && is_socket(fd)) {
        record(CRASH_MARK, 0, "socket", NULL, (uint64_t)fd, (uint64_t)done);
        put_iov(m->msg_iov, (int)m->msg_iovlen, (size_t)done);
    }
    release(&before);
    return done;
}
ssize_t sendto(int fd, const void *ptr, size_t len, int flags, const struct sockaddr *to,
               socklen_t to_len) {
    struct iovec iov = {.iov_base = (void *)(uintptr_t)ptr, .iov_len = len};
    struct msghdr m = {
        .msg_name = (void *)(uintptr_t)to, .msg_namelen = to_len, .msg_iov = &iov, .msg_iovlen = 1};
    return sendmsg(fd, &m, flags);
}
ssize_t send(int fd, const void *ptr, size_t len, int flags) {
    return sendto(fd, ptr, len, flags, NULL, 0);
}

/* A call that changes or syncs the file behind fd; done and written down as one step. */
static int do_fd(enum crash_op op, int fd, uint64_t len, long (*call)(int, uint64_t)) {
    sigset_t before = hold();
    const struct tracked *t = tracked(fd);
    bool dropped =
        op == CRASH_SYNC && drop_sync != NULL && t != NULL && strstr(t->path, drop_sync) != NULL;
    int rc = dropped ? 0 : (int)call(fd, len);
    if (t != NULL && rc == 0 && !t->mark && !dropped) {
        int saved = errno;
        record(op, 0, t->path, NULL, 0, len);
        errno = saved;
    }
    release(&before);
    return rc;
}

static long call_fsync(int fd, uint64_t len) {
    (void)len;
    return syscall(SYS_fsync, fd);
}
static long call_fdatasync(int fd, uint64_t len) {
    (void)len;
    return syscall(SYS_fdatasync, fd);
}
static long call_truncate(int fd, uint64_t len) {
    return syscall(SYS_ftruncate, fd, len);
}
static long call_allocate(int fd, uint64_t len) {
    return syscall(SYS_fallocate, fd, 0, 0, len);
}

int fsync(int fd) {
    return do_fd(CRASH_SYNC, fd, 0, call_fsync);
}
int fdatasync(int fd) {
    return do_fd(CRASH_SYNC, fd, 0, call_fdatasync);
}
int ftruncate(int fd, off_t len) {
    return do_fd(CRASH_TRUNCATE, fd, (uint64_t)len, call_truncate);
}
int ftruncate64(int fd, off64_t len) {
    return do_fd(CRASH_TRUNCATE, fd, (uint64_t)len, call_truncate);
}
int posix_fallocate(int fd, off_t offset, off_t len) {
    return do_fd(CRASH_ALLOCATE, fd, (uint64_t)(offset + len), call_allocate) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t offset, off64_t len) {
    return do_fd(CRASH_ALLOCATE, fd, (uint64_t)(offset + len), call_allocate) == 0 ? 0 : errno;
}

/* --- names ---------------------------------------------------------------------------------- */

int rename(const char *from, const char *to) {
    sigset_t before = hold();
    char *a = relative(from), *b = relative(to);
    int rc = (int)syscall(SYS_rename, from, to), saved = errno;
    if (rc == 0 && a != NULL && b != NULL) {
        record(CRASH_RENAME, 0, a, b, 0, 0);
        for (int i = 0; i < FDS_MAX; i++)
            if (fds[i].path != NULL && strcmp(fds[i].path, a) == 0) {
                free(fds[i].path);
                fds[i].path = strdup(b);
            }
    }
    free(a);
    free(b);
    errno = saved;
    release(&before);
    return rc;
}

static int do_remove(const char *path, long call) {
    sigset_t before = hold();
    char *p = relative(path);
    int rc = (int)syscall(call, path), saved = errno;
    if (rc == 0 && p != NULL)
        record(CRASH_REMOVE, 0, p, NULL, 0, 0);
    free(p);
    errno = saved;
    release(&before);
    return rc;
}

int unlink(const char *path) {
    return do_remove(path, SYS_unlink);
}
int rmdir(const char *path) {
    return do_remove(path, SYS_rmdir);
}
int remove(const char *path) {
    struct stat st;
    return do_remove(path, stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? SYS_rmdir : SYS_unlink);
}

int mkdir(const char *path, mode_t mode) {
    sigset_t before = hold();
    int rc = (int)syscall(SYS_mkdir, path, mode), saved = errno;
    char *p = rc == 0 ? relative(path) : NULL;
    if (p != NULL)
        record(CRASH_MKDIR, 0, p, NULL, 0, 0);
    free(p);
    errno = saved;
    release(&before);
    return rc;
}
