/* SPDX-License-Identifier: Apache-2.0 */
/* Precompiled contracts 0x01-0x11 and 0x100, listed once in evm/precompiles.def. Each is a pure
 * function of its input. */
#ifndef EVM_PRECOMPILE_H
#define EVM_PRECOMPILE_H

#include "base/arena.h"
#include "evm/evm.h"

enum precompile_id {
#define PRECOMPILE(id, addr, name, since, eip) PRECOMPILE_##id,
#include "evm/precompiles.def"
#undef PRECOMPILE
    PRECOMPILE_COUNT
};

/* Index into the table, or -1 when `a` is no precompile in this revision. */
int precompile_find(enum evm_revision rev, const addr20 *a);
/* Address and name of an id; for warm sets and listings. precompile_active: exists in this
 * revision. */
addr20 precompile_addr(enum precompile_id id);
const char *precompile_name(enum precompile_id id);
bool precompile_active(enum evm_revision rev, enum precompile_id id);

/* Gas price of running on this input; UINT64_MAX when no gas suffices. O(len). */
uint64_t precompile_gas(enum evm_revision rev, enum precompile_id id, bytes input);
/* EVM_SUCCESS with the output in `a`, EVM_PRECOMPILE_FAILURE for input it refuses,
 * EVM_INTERNAL_ERROR when memory runs out. Call only after charging precompile_gas. */
enum evm_status precompile_run(enum evm_revision rev, enum precompile_id id, struct arena *a,
                               bytes input, bytes *out);

#endif
