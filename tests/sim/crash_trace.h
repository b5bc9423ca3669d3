/* SPDX-License-Identifier: Apache-2.0 */
/* What tests/sim/crash_shim.c writes down and tests/sim/crash_disk.c reads: one record per call
 * that changed something. */
#ifndef TESTS_SIM_CRASH_TRACE_H
#define TESTS_SIM_CRASH_TRACE_H

#include <stdint.h>

enum crash_op {
    CRASH_CREATE = 1, /* an empty file under this name */
    CRASH_WRITE,      /* data at offset */
    CRASH_TRUNCATE,   /* to len */
    CRASH_ALLOCATE,   /* zeros up to len, if the file is shorter */
    CRASH_SYNC,       /* of a file: its content; of a folder: the names in it */
    CRASH_RENAME,
    CRASH_REMOVE,
    CRASH_MKDIR,
    CRASH_MARK, /* data: what the program wants to say at this moment */
};
enum { CRASH_DSYNC = 1 /* flag of a write: durable when it returns */ };

struct crash_record {
    uint8_t op, flags;
    uint16_t path_len, path2_len, zero;
    uint64_t offset, len;
};

#endif
