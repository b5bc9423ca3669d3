/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets of the universes' API that the node makes for itself, in <datadir>/secrets (mode 0700,
 * files 0600). They are in backups, never in the log, and never printed.
 *
 *   pepper            32 bytes in hexadecimal: with it API keys are hashed
 *   admin-key         the operator's API key, unless --admin-key-file names another file
 *   signer.json       seed of the accounts that sign for universes: a keystore file
 *   signer.password   its password, unless --signer-password names another file
 */
#ifndef NODE_SECRETS_H
#define NODE_SECRETS_H

#include "base/err.h"
#include "node/datadir.h"
#include "node/signers.h"

enum { SECRETS_ADMIN_KEY_MAX = 96 };
struct secrets {
    uint8_t pepper[32];
    char admin_key[SECRETS_ADMIN_KEY_MAX];
    struct signers signers;
};
struct secrets_options {
    const char *dir;                                             /* the node's folder */
    const char *admin_key_file, *signer_password, *operator_key; /* paths; "": none */
    uint64_t chain_id;
};
/* Reads what is there and makes what is not. ERR_IO, ERR_PARSE, ERR_INVALID (wrong password),
 * ERR_CONFIG. */
enum err secrets_open(struct secrets *s, const struct secrets_options *o,
                      struct err_ctx *ec) MUST_USE;
void secrets_wipe(struct secrets *s);
/* Where the admin key of the node's folder `dir` is, unless --admin-key-file named another file. */
enum err secrets_admin_key_path(char out[DATADIR_PATH_MAX], const char *dir,
                                struct err_ctx *ec) MUST_USE;
/* Copies the folder of `from` to `to`, if there is one. */
enum err secrets_copy(const char *to, const char *from, struct err_ctx *ec) MUST_USE;

#endif
