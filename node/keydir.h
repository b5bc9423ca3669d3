/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of keystore files (node/keystore.h), one key each, named as geth names them:
 * UTC--<time>--<address>. Files are written whole or not at all, readable by their owner only. */
#ifndef NODE_KEYDIR_H
#define NODE_KEYDIR_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"
#include "node/datadir.h"
#include "node/scrypt.h"

enum { KEYDIR_LIST_MAX_BYTES = 64 << 20 /* names of files */ };

/* Calls fn for each key file in order of names, with the address that the file says; what is no
 * keystore file is passed over. Stops at fn's first error and returns it. ERR_NOT_FOUND: no such
 * folder; ERR_IO. */
typedef enum err (*keydir_fn)(void *ctx, const addr20 *address, const char *path);
enum err keydir_each(const char *dir, keydir_fn fn, void *ctx, struct err_ctx *ec) MUST_USE;

/* Encrypts the key and adds its file; makes the folder. `now_ns` is the wall clock, `random` 64
 * bytes that were never used before. ERR_EXISTS: the folder has the address; ERR_INVALID: no valid
 * key; ERR_IO, ERR_TOO_LARGE. */
enum err keydir_add(char out_path[DATADIR_PATH_MAX], const char *dir, const uint8_t key[32],
                    const char *password, const struct scrypt_params *params,
                    const uint8_t random[64], uint64_t now_ns, struct err_ctx *ec) MUST_USE;

/* Copies the key files of `from`, as they are, to the folder `to`, which is made. ERR_NOT_FOUND: no
 * folder `from`; ERR_IO, ERR_TOO_LARGE. */
enum err keydir_copy(const char *to, const char *from, struct err_ctx *ec) MUST_USE;

#endif
