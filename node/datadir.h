/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a node:
 *
 *   store/   LMDB: the tables, a checkpoint of what the log says
 *   log/     blocks-NNNNNNNN.seg    the log, the source of truth
 *            receipts-NNNNNNNN.seg  receipts, derivable again
 *   keystore/ keys of `callipter account`
 *   secrets/  of the universes' API (node/secrets.h) */
#ifndef NODE_DATADIR_H
#define NODE_DATADIR_H

#include "base/err.h"

#define DATADIR_STORE "store"
#define DATADIR_LOG "log"
#define DATADIR_KEYSTORE "keystore"
#define DATADIR_SECRETS "secrets"
#define DATADIR_LOG_PREFIX "blocks"
#define DATADIR_RECEIPTS_PREFIX "receipts"

enum { DATADIR_PATH_MAX = 4096 };

/* Joins a folder and a name. ERR_TOO_LARGE. */
enum err datadir_path(char out[DATADIR_PATH_MAX], const char *dir, const char *name,
                      struct err_ctx *ec) MUST_USE;
/* Makes a fresh folder under $TMPDIR or /tmp. */
enum err datadir_make_temp(char out[DATADIR_PATH_MAX], struct err_ctx *ec) MUST_USE;
/* Removes a folder that datadir_make_temp made, with all in it. Errors are left alone. */
void datadir_remove_temp(const char *dir);

#endif
