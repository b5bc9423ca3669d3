/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration of `callipter run`, from flags, environment and a file, by the table
 * node/config.def. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>

enum { CONFIG_FILE_MAX_BYTES = 1 << 20 };

enum config_id {
#define CONFIG_FLAG(id, key, when, help) CONFIG_##id,
#define CONFIG_U64(id, key, when, def, min, max, unit, help) CONFIG_##id,
#define CONFIG_TEXT(id, key, when, def, form, help) CONFIG_##id,
#include "node/config.def"
#undef CONFIG_FLAG
#undef CONFIG_U64
#undef CONFIG_TEXT
    CONFIG_COUNT
};

struct config {
#define CONFIG_FLAG(id, key, when, help) bool id;
#define CONFIG_U64(id, key, when, def, min, max, unit, help) uint64_t id;
#define CONFIG_TEXT(id, key, when, def, form, help) const char *id;
#include "node/config.def"
#undef CONFIG_FLAG
#undef CONFIG_U64
#undef CONFIG_TEXT
    bool given[CONFIG_COUNT]; /* by a flag, a variable or the file, not by default */
    bool help;                /* --help was among the flags */
    struct buf file;          /* texts out of the file */
};

/* Reads the file of --config, then the environment, then argv[1..]: --key value, --key=value, and
 * --key for flags. A line of the file is key = value, spaces around both aside; empty lines and
 * those that begin with # are passed over; flags are true or false. Texts are borrowed from
 * environment and arguments. ERR_CONFIG with a sentence for an unknown key, a missing or bad value,
 * or values that do not go together; ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE for the file. `env` is
 * getenv or a stand-in. config_clear ends *out; on error nothing is kept. */
enum err config_parse(struct config *out, int argc, char **argv, char *(*env)(const char *name),
                      struct err_ctx *ec) MUST_USE;
void config_clear(struct config *c);
/* The key as it is written; whether a running node takes up a new value of it; whether two
 * configurations have the same. */
const char *config_key(enum config_id id);
bool config_is_live(enum config_id id);
bool config_same(const struct config *a, const struct config *b, enum config_id id);
void config_print_help(FILE *f);
/* A configuration file with every key: what was given as a line, the rest behind #. */
void config_print_sample(FILE *f, const struct config *c);

#endif
