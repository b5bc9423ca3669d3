/* SPDX-License-Identifier: Apache-2.0 */
/* Operating errors: bad input, a missing block, a failing disk. Not EVM outcomes (enum evm_status)
 * and not bugs (CHECK).
 *
 * A function that can fail returns `enum err`. One at a boundary (configuration, files, RPC) also
 * takes `struct err_ctx *ec` last and writes one full sentence with values into it; `ec` may be
 * NULL and is untouched on success. Outputs (`out_...`) are written only on success. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/types.h"

enum err {
#define ERR(name, code, text) ERR_##name,
#include "base/err.def"
#undef ERR
    ERR_COUNT
};

enum { ERR_TEXT_MAX = 512 /* longest sentence kept, in bytes with its NUL */ };

struct err_ctx {
    enum err err;     /* the code that FAIL was given */
    const char *file; /* where FAIL stood */
    int line;
    char text[ERR_TEXT_MAX]; /* one sentence, NUL-terminated */
};

/* Name ("ERR_IO"), short text and JSON-RPC code of an error. Static strings. */
const char *err_name(enum err e);
const char *err_text(enum err e);
int err_rpc_code(enum err e);

/* Fills `ec` (if not NULL) and returns `e`. Use the FAIL macro. */
enum err err_set(struct err_ctx *ec, enum err e, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Returns from the caller when `expr` is not ERR_OK. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        enum err try_err_ = (expr);                                                                \
        if (try_err_ != ERR_OK)                                                                    \
            return try_err_;                                                                       \
    } while (0)

/* Returns from the caller with an error and a sentence. */
#define FAIL(ec, e, ...) return err_set((ec), (e), __FILE__, __LINE__, __VA_ARGS__)

#endif
