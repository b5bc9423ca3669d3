/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration of `callipter run`, from flags and environment, by the table node/config.def. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/err.h"

#include <stdio.h>

enum config_id {
#define CONFIG_FLAG(id, key, help) CONFIG_##id,
#define CONFIG_U64(id, key, def, min, max, unit, help) CONFIG_##id,
#define CONFIG_TEXT(id, key, def, form, help) CONFIG_##id,
#include "node/config.def"
#undef CONFIG_FLAG
#undef CONFIG_U64
#undef CONFIG_TEXT
    CONFIG_COUNT
};

struct config {
#define CONFIG_FLAG(id, key, help) bool id;
#define CONFIG_U64(id, key, def, min, max, unit, help) uint64_t id;
#define CONFIG_TEXT(id, key, def, form, help) const char *id;
#include "node/config.def"
#undef CONFIG_FLAG
#undef CONFIG_U64
#undef CONFIG_TEXT
    bool given[CONFIG_COUNT]; /* by a flag or a variable, not by default */
    bool help;                /* --help was among the flags */
};

/* Reads the environment, then argv[1..]: --key value, --key=value, and --key for flags. Texts are
 * borrowed. ERR_CONFIG with a sentence for an unknown flag, a missing or bad value, or values that
 * do not go together. `env` is getenv or a stand-in. */
enum err config_parse(struct config *out, int argc, char **argv, char *(*env)(const char *name),
                      struct err_ctx *ec) MUST_USE;
void config_print_help(FILE *f);

#endif
