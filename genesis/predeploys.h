/* SPDX-License-Identifier: Apache-2.0 */
/* Contracts that stand in block 0: the rows of genesis/predeploys.def, their code embedded at
 * build. */
#ifndef GENESIS_PREDEPLOYS_H
#define GENESIS_PREDEPLOYS_H

#include "base/arena.h"
#include "base/types.h"

enum predeploy_id {
#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file) PREDEPLOY_##id,
#include "genesis/predeploys.def"
#undef PREDEPLOY
    PREDEPLOY_COUNT
};

const char *predeploy_name(enum predeploy_id id);
addr20 predeploy_address(enum predeploy_id id);
uint64_t predeploy_nonce(enum predeploy_id id);
/* Whether a genesis file may leave it out. */
bool predeploy_optional(enum predeploy_id id);
/* The code, in `a`; CHECKs its hash against the table's. */
bytes predeploy_code(enum predeploy_id id, struct arena *a);

#endif
