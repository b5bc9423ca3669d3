/* SPDX-License-Identifier: Apache-2.0 */
/* Files behind an interface, so that a simulated run can cut, tear and reorder writes. The real one
 * is disk_posix(). LMDB does its own input and output; tests that must see it preload a library. */
#ifndef BASE_DISK_H
#define BASE_DISK_H

#include "base/buf.h"
#include "base/err.h"

struct disk_file; /* of the implementation */

struct disk {
    /* Flags: create makes an absent file. Directories must exist. */
    enum err (*open)(struct disk *d, struct disk_file **out, const char *path, bool create,
                     struct err_ctx *ec);
    void (*close)(struct disk *d, struct disk_file *f);
    /* Whole transfers or an error; a read past the end gives fewer bytes in *out_len. */
    enum err (*pread)(struct disk *d, struct disk_file *f, void *ptr, size_t len, uint64_t offset,
                      size_t *out_len);
    enum err (*pwrite)(struct disk *d, struct disk_file *f, const void *ptr, size_t len,
                       uint64_t offset);
    enum err (*sync)(struct disk *d, struct disk_file *f); /* fdatasync */
    enum err (*allocate)(struct disk *d, struct disk_file *f,
                         uint64_t len); /* zero-filled up to len */
    enum err (*truncate)(struct disk *d, struct disk_file *f, uint64_t len);
    enum err (*size)(struct disk *d, struct disk_file *f, uint64_t *out);
    enum err (*remove)(struct disk *d, const char *path);
    enum err (*rename)(struct disk *d, const char *from, const char *to);
    enum err (*mkdir)(struct disk *d,
                      const char *path); /* and parents, durably; existing is fine */
    enum err (*sync_dir)(struct disk *d, const char *path);
    /* Names in a directory, each appended to out with a NUL, sorted. */
    enum err (*list)(struct disk *d, const char *path, struct buf *out);
};

/* The operating system's files. Static; thread-safe. */
struct disk *disk_posix(void);

#endif
