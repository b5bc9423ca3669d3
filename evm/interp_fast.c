/* SPDX-License-Identifier: Apache-2.0 */
/* The fast tier: threaded code over decoded slots. Gas and stack were summed per basic block by
 * analysis.c, so the bodies check neither. Compiled with the flags that rules.mk gives this file.
 */
#include "evm/interp_common.h"
#include "evm/kinds.h"

#include <pthread.h>

#define LOOP_NAME interp_fast
#define COUNT_SLOT(kind) ((void)0)
static const void *const *label_table;
#include "evm/interp_fast_loop.inc"

static pthread_once_t labels_once = PTHREAD_ONCE_INIT;
static void publish_labels(void) {
    (void)interp_fast(NULL, NULL);
}

const void *const *fast_labels(void) {
    pthread_once(&labels_once, publish_labels);
    return label_table;
}
