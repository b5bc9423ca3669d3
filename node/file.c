/* SPDX-License-Identifier: Apache-2.0 */
#include "node/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum err file_read(struct buf *out, const char *path, size_t max, struct err_ctx *ec) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        FAIL(ec, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot read %s: %s", path,
             strerror(errno));
    buf_reset(out);
    ssize_t n = 0;
    do {
        uint8_t chunk[4096];
        n = read(fd, chunk, sizeof(chunk));
        if (n > 0)
            buf_append(out, chunk, (size_t)n);
        explicit_bzero(chunk, sizeof(chunk)); /* it may be a key or a password */
    } while ((n > 0 && out->len <= max) || (n < 0 && errno == EINTR));
    int number = errno;
    (void)close(fd);
    if (n < 0)
        FAIL(ec, ERR_IO, "cannot read %s: %s", path, strerror(number));
    if (out->overflow || out->len > max)
        FAIL(ec, ERR_TOO_LARGE, "%s is longer than %zu bytes", path, max);
    return ERR_OK;
}
