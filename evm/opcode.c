/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/opcode.h"

#include "base/check.h"

#include <pthread.h>
#include <strings.h>

struct op_row {
    struct op_info info;
    enum evm_revision since;
    const char *name;
};

static const struct op_row rows[256] = {
#define OP(byte, opname, first, cost, in, out, imm, dyn, source)                                   \
    [byte] = {.info = {.gas = cost,                                                                \
                       .pops = in,                                                                 \
                       .pushes = out,                                                              \
                       .immediate = imm,                                                           \
                       .dynamic = dyn,                                                             \
                       .defined = true},                                                           \
              .since = EVM_##first,                                                                \
              .name = #opname},
#define OP_UNDEF(byte) [byte] = {.name = NULL},
#include "evm/opcodes.def"
#undef OP
#undef OP_UNDEF
};

static const char *const revision_names[] = {
#define FORK(id, text, eips) [EVM_##id] = text,
#include "evm/forks.def"
#undef FORK
};
_Static_assert(ARRAY_LEN(revision_names) == EVM_REVISION_COUNT, "forks.def and enum evm_revision");

struct gas_override {
    enum evm_revision since;
    uint8_t op;
    uint16_t gas;
};

/* The last row only keeps the array from being empty: it names no revision. */
static const struct gas_override gas_overrides[] = {
#define GAS_OVERRIDE(fork, name, cost, source) {EVM_##fork, OP_##name, cost},
#include "evm/forks.def"
#undef GAS_OVERRIDE
    {EVM_REVISION_COUNT, 0, 0},
};

static struct op_info tables[EVM_REVISION_COUNT][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void) {
    for (unsigned rev = 0; rev < EVM_REVISION_COUNT; rev++) {
        for (unsigned op = 0; op < 256; op++) {
            tables[rev][op] = rows[op].info;
            if (rows[op].since > rev)
                tables[rev][op] = (struct op_info){.defined = false};
        }
        for (size_t i = 0; i < ARRAY_LEN(gas_overrides); i++)
            if (gas_overrides[i].since <= rev)
                tables[rev][gas_overrides[i].op].gas = gas_overrides[i].gas;
    }
}

const struct op_info *op_table(enum evm_revision rev) {
    CHECK((unsigned)rev < EVM_REVISION_COUNT);
    CHECK(pthread_once(&tables_once, fill_tables) == 0);
    return tables[rev];
}

const char *op_name(uint8_t op) {
    return rows[op].name;
}

const char *evm_revision_name(enum evm_revision rev) {
    CHECK((unsigned)rev < EVM_REVISION_COUNT);
    return revision_names[rev];
}

bool evm_revision_parse(enum evm_revision *out, const char *name) {
    for (unsigned i = 0; i < EVM_REVISION_COUNT; i++) {
        if (strcasecmp(name, revision_names[i]) == 0) {
            *out = (enum evm_revision)i;
            return true;
        }
    }
    return false;
}
