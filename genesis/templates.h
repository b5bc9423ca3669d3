/* SPDX-License-Identifier: Apache-2.0 */
/* Contracts that universes get from templates: the rows of genesis/templates.def, creation code and
 * ABI embedded at build. genesis/contracts/README.md says what they do. */
#ifndef GENESIS_TEMPLATES_H
#define GENESIS_TEMPLATES_H

#include "base/arena.h"
#include "base/types.h"

enum template_id {
#define TEMPLATE(id, name, standard, code_hash, file) TEMPLATE_##id,
#include "genesis/templates.def"
#undef TEMPLATE
    TEMPLATE_COUNT
};

/* "erc20", "erc721", "items". */
const char *template_name(enum template_id id);
/* "ERC-20", "ERC-721", "ERC-1155". */
const char *template_standard(enum template_id id);
/* The template of that name (not terminated); false if there is none. */
bool template_find(enum template_id *out, const char *name, size_t name_len) MUST_USE;
/* The creation code, in `a`, to which the constructor's arguments are appended; CHECKs its hash
 * against the table's. */
bytes template_init_code(enum template_id id, struct arena *a);
/* The ABI, a JSON array as text; static. */
bytes template_abi(enum template_id id);

#endif
