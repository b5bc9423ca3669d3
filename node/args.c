/* SPDX-License-Identifier: Apache-2.0 */
#include "node/args.h"

static const struct arg *find(const struct arg *args, size_t count, const char *name, size_t len) {
    for (size_t i = 0; i < count; i++)
        if (strlen(args[i].name) == len && memcmp(args[i].name, name, len) == 0)
            return &args[i];
    return NULL;
}

/* The one at argv[*at], which begins with two dashes. */
static enum err parse_named(int argc, char **argv, int *at, const struct arg *args, size_t count,
                            struct err_ctx *ec) {
    const char *name = argv[*at] + 2;
    size_t len = strcspn(name, "=");
    const struct arg *a = find(args, count, name, len);
    if (a == NULL)
        FAIL(ec, ERR_CONFIG, "unknown flag '--%.*s'", (int)len, name);
    if (a->on != NULL) {
        if (name[len] == '=')
            FAIL(ec, ERR_CONFIG, "--%s takes no value", a->name);
        *a->on = true;
        return ERR_OK;
    }
    if (*a->value != NULL)
        FAIL(ec, ERR_CONFIG, "--%s is given twice", a->name);
    if (name[len] == '=')
        *a->value = name + len + 1;
    else if (*at + 1 < argc)
        *a->value = argv[++*at];
    if (*a->value == NULL || **a->value == '\0')
        FAIL(ec, ERR_CONFIG, "--%s needs a value", a->name);
    return ERR_OK;
}

enum err args_parse(int argc, char **argv, const struct arg *args, size_t count, const char **plain,
                    size_t plain_max, struct err_ctx *ec) {
    size_t taken = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            TRY(parse_named(argc, argv, &i, args, count, ec));
            continue;
        }
        if (taken == plain_max)
            FAIL(ec, ERR_CONFIG, "unexpected argument '%s'", argv[i]);
        plain[taken++] = argv[i];
    }
    return ERR_OK;
}

bool args_help(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            return true;
    return false;
}
