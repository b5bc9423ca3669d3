/* SPDX-License-Identifier: Apache-2.0 */
/* Contracts that stand in block 0: the rows of genesis/predeploys.def, their code embedded at
 * build. */
#ifndef GENESIS_PREDEPLOYS_H
#define GENESIS_PREDEPLOYS_H

#include "base/arena.h"
#include "base/types.h"
#include "base/u256.h"

enum predeploy_id {
#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file) PREDEPLOY_##id,
#define PREDEPLOY_SLOT(id, key, value)
#include "genesis/predeploys.def"
#undef PREDEPLOY
#undef PREDEPLOY_SLOT
    PREDEPLOY_COUNT
};

/* Not unique: predeploys that need each other share one. */
const char *predeploy_name(enum predeploy_id id);
addr20 predeploy_address(enum predeploy_id id);
uint64_t predeploy_nonce(enum predeploy_id id);
/* Whether a genesis file may leave it out. */
bool predeploy_optional(enum predeploy_id id);
/* The code, in `a`; CHECKs its hash against the table's. */
bytes predeploy_code(enum predeploy_id id, struct arena *a);

/* The idx-th of its slots that are not 0, false if it has no more. */
bool predeploy_slot(enum predeploy_id id, size_t idx, u256 *out_key, u256 *out_value);

#endif
