/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the tree as bytes of the program. Paths are from the top folder, where the build runs; a
 * row in genesis/rules.mk has the dependency, which the compiler's output does not know. */
#ifndef GENESIS_EMBED_H
#define GENESIS_EMBED_H

#include "base/arena.h"
#include "base/types.h"

/* The file, as it is, between `symbol`_begin and `symbol`_end, and a zero byte. At file scope, with
 * a symbol that is unique in the program. */
#define EMBED_FILE(symbol, path)                                                                   \
    __asm__(".section .rodata\n"                                                                   \
            ".hidden " #symbol "_begin\n"                                                          \
            ".hidden " #symbol "_end\n"                                                            \
            ".globl " #symbol "_begin\n"                                                           \
            ".globl " #symbol "_end\n" #symbol "_begin:\n"                                         \
            ".incbin \"" path "\"\n" #symbol "_end:\n"                                             \
            ".byte 0\n"                                                                            \
            ".previous\n");                                                                        \
    extern const char symbol##_begin[], symbol##_end[];

/* The bytes that a file of hexadecimal digits and a line end stands for, in `a`. CHECKs the file
 * and that their keccak is `keccak_hex`, 64 digits. */
bytes embed_code(const char *begin, const char *end, const char *keccak_hex, struct arena *a);

#endif
