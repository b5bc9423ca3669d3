/* SPDX-License-Identifier: Apache-2.0 */
#include "genesis/predeploys.h"

#include "base/check.h"
#include "base/hex.h"
#include "genesis/embed.h"

#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file)                             \
    EMBED_FILE(predeploy_##id, "genesis/predeploys/" file)
#define PREDEPLOY_SLOT(id, key, value)
#include "genesis/predeploys.def"
#undef PREDEPLOY
#undef PREDEPLOY_SLOT

struct row {
    const char *name, *address, *code_hash;
    const char *begin, *end;
    uint64_t nonce;
    bool optional;
};
static const struct row rows[] = {
#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file)                             \
    {name, address, code_hash, predeploy_##id##_begin, predeploy_##id##_end, nonce, optional},
#define PREDEPLOY_SLOT(id, key, value)
#include "genesis/predeploys.def"
#undef PREDEPLOY
#undef PREDEPLOY_SLOT
};

static const struct {
    enum predeploy_id id;
    uint64_t key, value;
} slots[] = {
#define PREDEPLOY(id, name, address, nonce, optional, code_hash, file)
#define PREDEPLOY_SLOT(id, key, value) {PREDEPLOY_##id, key, value},
#include "genesis/predeploys.def"
#undef PREDEPLOY
#undef PREDEPLOY_SLOT
};

static const struct row *row_of(enum predeploy_id id) {
    CHECK(id < PREDEPLOY_COUNT);
    return &rows[id];
}

const char *predeploy_name(enum predeploy_id id) {
    return row_of(id)->name;
}

addr20 predeploy_address(enum predeploy_id id) {
    addr20 a;
    enum err e = hex_decode_fixed(a.b, sizeof a.b, row_of(id)->address);
    CHECK(e == ERR_OK);
    return a;
}

uint64_t predeploy_nonce(enum predeploy_id id) {
    return row_of(id)->nonce;
}

bool predeploy_optional(enum predeploy_id id) {
    return row_of(id)->optional;
}

bytes predeploy_code(enum predeploy_id id, struct arena *a) {
    const struct row *r = row_of(id);
    return embed_code(r->begin, r->end, r->code_hash, a);
}

bool predeploy_slot(enum predeploy_id id, size_t idx, u256 *out_key, u256 *out_value) {
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        if (slots[i].id != id || idx-- != 0)
            continue;
        *out_key = u256_from_u64(slots[i].key);
        *out_value = u256_from_u64(slots[i].value);
        return true;
    }
    return false;
}
