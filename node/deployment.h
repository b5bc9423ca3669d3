/* SPDX-License-Identifier: Apache-2.0 */
/* The chain's contracts on its parent, as the deployment script writes them: a JSON object with the
 * addresses `rollup`, `bridge`, `inbox`, `sequencerInbox`, `outbox`, and if there is one
 * `confirmer`, and with `parentChainId` and `deployedAtBlock`. Other keys are passed over. */
#ifndef NODE_DEPLOYMENT_H
#define NODE_DEPLOYMENT_H

#include "base/err.h"
#include "base/types.h"

enum { DEPLOYMENT_FILE_MAX_BYTES = 1 << 20 };

struct deployment {
    uint64_t parent_chain_id;
    uint64_t block; /* of the parent: nothing of ours is below */
    addr20 rollup, bridge, inbox, sequencer_inbox, outbox;
    bool has_confirmer;
    addr20 confirmer;
};

/* ERR_CONFIG names file and key; ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE. */
enum err deployment_load(struct deployment *out, const char *path, struct err_ctx *ec) MUST_USE;

/* The secret key of an account: 64 hexadecimal digits, with 0x or not, or a keystore file, whose
 * password is the first line of `password_file`. ERR_CONFIG; those of file_read. Wipe it after
 * use. */
enum err account_key_load(uint8_t out[32], const char *path, const char *password_file,
                          struct err_ctx *ec) MUST_USE;

#endif
