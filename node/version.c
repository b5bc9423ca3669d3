/* SPDX-License-Identifier: Apache-2.0 */
#include "node/version.h"

#define STR2(x) #x
#define STR(x) STR2(x)
#define VERSION "0.1.0"

#ifdef __clang__
#define COMPILER "clang" STR(__clang_major__)
#else
#define COMPILER "gcc" STR(__GNUC__)
#endif
#ifdef __x86_64__
#define CPU "x86_64"
#else
#define CPU "other"
#endif

const char *callipter_version(void) {
    return VERSION;
}

const char *callipter_commit(void) {
    return CALLIPTER_COMMIT;
}

const char *callipter_client_version(void) {
    return "callipter/v" VERSION "-" CALLIPTER_COMMIT "/linux-" CPU "/" COMPILER;
}
