/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of the small sub-commands: --name VALUE, --name=VALUE, and --name for switches.
 * `callipter run` has its own table, node/config.def. */
#ifndef NODE_ARGS_H
#define NODE_ARGS_H

#include "base/err.h"
#include "base/types.h"

/* One of `value` and `on` is not NULL. Values are borrowed from argv. */
struct arg {
    const char *name; /* without the dashes */
    const char **value;
    bool *on;
};

/* Reads argv[1..]. Arguments without dashes go to plain[0..plain_max), in order; those that are not
 * given stay as they are. ERR_CONFIG with a sentence: unknown or repeated name, missing value, a
 * plain argument too many. */
enum err args_parse(int argc, char **argv, const struct arg *args, size_t count, const char **plain,
                    size_t plain_max, struct err_ctx *ec) MUST_USE;

/* Whether --help is among argv[1..]. */
bool args_help(int argc, char **argv);

#endif
