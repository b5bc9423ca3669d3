/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    const char *text;
    int rpc_code;
} err_rows[] = {
#define ERR(name, code, text) {"ERR_" #name, text, code},
#include "base/err.def"
#undef ERR
};
_Static_assert(ARRAY_LEN(err_rows) == ERR_COUNT, "one row per error");

/* A number that is no error (a damaged enum) still gets a printable answer. */
static bool is_known(enum err e) {
    return (unsigned)e < ERR_COUNT;
}

const char *err_name(enum err e) {
    return is_known(e) ? err_rows[e].name : "ERR_?";
}

const char *err_text(enum err e) {
    return is_known(e) ? err_rows[e].text : "unknown error";
}

int err_rpc_code(enum err e) {
    return is_known(e) ? err_rows[e].rpc_code : -32603;
}

enum err err_set(struct err_ctx *ec, enum err e, const char *file, int line, const char *fmt, ...) {
    if (ec == NULL)
        return e;
    ec->err = e;
    ec->file = file;
    ec->line = line;
    /* Built aside: an argument may be the text of this very context. */
    char text[ERR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n < 0)
        text[0] = '\0';
    memcpy(ec->text, text, sizeof(text));
    return e;
}
