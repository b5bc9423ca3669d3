/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that an operator gives: keys, passwords, configuration. */
#ifndef NODE_FILE_H
#define NODE_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Reads a whole file of at most `max` bytes into `out`, whose own maximum is some 4 KiB higher.
 * ERR_NOT_FOUND, ERR_TOO_LARGE, ERR_IO. */
enum err file_read(struct buf *out, const char *path, size_t max, struct err_ctx *ec) MUST_USE;

#endif
