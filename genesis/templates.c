/* SPDX-License-Identifier: Apache-2.0 */
#include "genesis/templates.h"

#include "base/check.h"
#include "genesis/embed.h"

#include <string.h>

#define TEMPLATE(id, name, standard, code_hash, file)                                              \
    EMBED_FILE(template_code_##id, "genesis/templates/" file ".hex")                               \
    EMBED_FILE(template_abi_##id, "genesis/templates/" file ".abi.json")
#include "genesis/templates.def"
#undef TEMPLATE

struct row {
    const char *name, *standard, *code_hash;
    const char *code_begin, *code_end, *abi_begin, *abi_end;
};
static const struct row rows[] = {
#define TEMPLATE(id, name, standard, code_hash, file)                                              \
    {name,                                                                                         \
     standard,                                                                                     \
     code_hash,                                                                                    \
     template_code_##id##_begin,                                                                   \
     template_code_##id##_end,                                                                     \
     template_abi_##id##_begin,                                                                    \
     template_abi_##id##_end},
#include "genesis/templates.def"
#undef TEMPLATE
};

static const struct row *row_of(enum template_id id) {
    CHECK(id < TEMPLATE_COUNT);
    return &rows[id];
}

const char *template_name(enum template_id id) {
    return row_of(id)->name;
}

const char *template_standard(enum template_id id) {
    return row_of(id)->standard;
}

bool template_find(enum template_id *out, const char *name, size_t name_len) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strlen(rows[i].name) != name_len || memcmp(rows[i].name, name, name_len) != 0)
            continue;
        *out = (enum template_id)i;
        return true;
    }
    return false;
}

bytes template_init_code(enum template_id id, struct arena *a) {
    const struct row *r = row_of(id);
    return embed_code(r->code_begin, r->code_end, r->code_hash, a);
}

bytes template_abi(enum template_id id) {
    const struct row *r = row_of(id);
    return bytes_of(r->abi_begin, (size_t)(r->abi_end - r->abi_begin));
}
