/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that forgets: fed with the operations of a trace, it knows what was synced and what was
 * not, and makes the files that could be there if the power failed now.
 *
 * Strict on purpose: a file's content lasts when the file is synced (or written with O_DSYNC), its
 * name when its folder is; in between, writes may be lost, torn at sectors, or kept in any order,
 * names only in order. */
#ifndef TESTS_SIM_CRASH_DISK_H
#define TESTS_SIM_CRASH_DISK_H

#include "base/buf.h"
#include "tests/lib/state/fixture.h"
#include "tests/sim/crash_trace.h"

enum { CRASH_SECTOR_BYTES = 512 };

enum crash_variant {
    CRASH_LOST,     /* nothing that was not synced */
    CRASH_KEPT,     /* everything */
    CRASH_TORN,     /* of each unsynced write some sectors, of the one in flight too */
    CRASH_SHUFFLED, /* each unsynced write wholly or not at all */
    CRASH_VARIANTS
};

/* One operation of a trace, borrowed from its bytes. */
struct crash_step {
    struct crash_record record;
    bytes path, path2, data;
};
/* Takes the first off *in; false at the end. A cut-off record is a CHECK. */
bool crash_step_next(bytes *in, struct crash_step *out);

struct crash_disk;
struct crash_disk *crash_disk_new(void);
/* A disk on which the image that `d` made last is durable. */
struct crash_disk *crash_disk_of_image(const struct crash_disk *d);
void crash_disk_free(struct crash_disk *d);
void crash_disk_apply(struct crash_disk *d, const struct crash_step *s);

/* Makes the image in memory; `flying` (may be NULL) is the operation that the failure interrupts,
 * seen only by CRASH_TORN. Returns a number that is the same for the same files. */
uint64_t crash_disk_image(struct crash_disk *d, enum crash_variant variant,
                          const struct crash_step *flying, struct fixture_rng *r);
/* Writes the image made last into an empty folder. */
void crash_disk_write(const struct crash_disk *d, const char *dir);

#endif
