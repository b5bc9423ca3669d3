/* SPDX-License-Identifier: Apache-2.0 */
/* A node of this very program as a process of its own, for benches that measure it from outside. */
#ifndef NODE_BENCH_NODE_H
#define NODE_BENCH_NODE_H

#include "base/err.h"
#include "node/datadir.h"

#include <sys/types.h>

struct bench_node {
    pid_t pid;                  /* 0: none */
    char dir[DATADIR_PATH_MAX]; /* its temporary folder; "" before there is one */
    char url[64];
};

/* Starts `run --dev` on a free port with a fresh folder under $TMPDIR or /tmp, and waits until it
 * serves. ERR_CONFIG when that folder is not on a disk, ERR_IO with a sentence. */
enum err bench_node_start(struct bench_node *n, struct err_ctx *ec) MUST_USE;
/* Stops it and removes the folder; also after a failed start. */
void bench_node_stop(struct bench_node *n);

/* ERR_CONFIG when files under `dir` are kept in memory: what is synced there costs nothing. */
enum err bench_need_disk(const char *dir, struct err_ctx *ec) MUST_USE;

#endif
