/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that gets the next segments of log and receipts ready, so that neither the appender
 * nor whoever syncs has to write 64 MiB of zeros. */
#ifndef NODE_PREPARE_H
#define NODE_PREPARE_H

#include "state/log.h"

struct preparer;
/* NULL: out of memory or threads. Both logs outlive it. */
struct preparer *preparer_start(struct wal *log, struct wal *receipts);
/* Both logs may have grown. Any thread; cheap while no step is due. */
void preparer_look(struct preparer *p);
/* NULL is allowed. */
void preparer_stop(struct preparer *p);

#endif
