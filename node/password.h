/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords from a file or from the terminal, which does not show them. */
#ifndef NODE_PASSWORD_H
#define NODE_PASSWORD_H

#include "base/err.h"
#include "base/types.h"

enum { PASSWORD_MAX_BYTES = 1024 };

/* From the first line of `file`, else (NULL) asked for on the terminal with `prompt`, twice with
 * `again`. NUL-terminated; wipe it after use. ERR_INVALID: empty, or the two differ; ERR_TOO_LARGE;
 * ERR_NOT_FOUND: no such file, or no terminal; ERR_IO. */
enum err password_read(char out[PASSWORD_MAX_BYTES + 1], const char *file, const char *prompt,
                       bool again, struct err_ctx *ec) MUST_USE;

#endif
