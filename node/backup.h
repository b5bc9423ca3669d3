/* SPDX-License-Identifier: Apache-2.0 */
/* A copy of a data folder that a node may be running on: tables as of the last checkpoint, and the
 * log up to a synced record after it, and the keystore. Opened by a node it gives the same blocks,
 * those after the checkpoint by replay. The same function restores: a backup is a data folder. */
#ifndef NODE_BACKUP_H
#define NODE_BACKUP_H

#include "base/err.h"
#include "node/datadir.h"

struct backup {
    char to[DATADIR_PATH_MAX];
    char partial[DATADIR_PATH_MAX]; /* `to` with ".partial": what is there until it is finished */
};

/* Copies `from` to `to`.partial; an unfinished one of before is removed. `to` is absent or an empty
 * folder: else ERR_EXISTS. ERR_NOT_FOUND: no node's data in `from`; ERR_IO, ERR_CORRUPT,
 * ERR_TOO_LARGE (path). On error nothing is left. */
enum err backup_begin(struct backup *b, const char *from, const char *to,
                      struct err_ctx *ec) MUST_USE;
/* Gives the copy its name, durably. */
enum err backup_finish(struct backup *b, struct err_ctx *ec) MUST_USE;
/* Removes it instead. */
void backup_abandon(struct backup *b);

#endif
