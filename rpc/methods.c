/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/handlers.h"

const struct rpc_method rpc_methods[] = {
#define METHOD(name, handler, min, max, cost, dev, summary)                                        \
    {name, rpc_##handler, min, max, RPC_COST_##cost, dev, summary},
#include "rpc/methods.def"
#undef METHOD
};
const size_t rpc_method_count = ARRAY_LEN(rpc_methods);

enum { TABLE_SIZE = 256 /* power of two, several times the number of methods */ };
_Static_assert(ARRAY_LEN(rpc_methods) * 3 < TABLE_SIZE, "the table of methods is too full");

static uint8_t table[TABLE_SIZE]; /* index + 1, by hash of the name; 0: free */
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

/* FNV-1a. The table is fixed, so nobody can fill a chain on purpose. */
static size_t slot_of(const char *name, size_t len) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 16777619u;
    return h & (TABLE_SIZE - 1);
}

static void build_table(void) {
    for (size_t i = 0; i < rpc_method_count; i++) {
        size_t s = slot_of(rpc_methods[i].name, strlen(rpc_methods[i].name));
        while (table[s] != 0)
            s = (s + 1) & (TABLE_SIZE - 1);
        table[s] = (uint8_t)(i + 1);
    }
}

const struct rpc_method *rpc_method_find(const char *name, size_t len, bool dev) {
    pthread_once(&table_once, build_table);
    for (size_t s = slot_of(name, len); table[s] != 0; s = (s + 1) & (TABLE_SIZE - 1)) {
        const struct rpc_method *m = &rpc_methods[table[s] - 1];
        if (strlen(m->name) == len && memcmp(m->name, name, len) == 0)
            return m->dev_only && !dev ? NULL : m;
    }
    return NULL;
}
