/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that benches measure from outside: nodes of this very program, and the peer, started
 * for the purpose, each in a temporary folder of its own. A process ends with the one that started
 * it. */
#ifndef NODE_BENCH_NODE_H
#define NODE_BENCH_NODE_H

#include "base/err.h"
#include "node/datadir.h"

#include <sys/types.h>

struct bench_node {
    pid_t pid;                  /* 0: none */
    char dir[DATADIR_PATH_MAX]; /* its temporary folder; "" before there is one */
    char url[64];
    double written; /* bytes that the process that ended last wrote to files */
};
enum { BENCH_NODE_ARGS_MAX = 24, BENCH_ALL_CORES = -1 };

/* Starts `run --dev` on a free port with a fresh folder under $TMPDIR or /tmp, and waits until it
 * serves. ERR_CONFIG when that folder is not on a disk, ERR_IO with a sentence. */
enum err bench_node_start(struct bench_node *n, struct err_ctx *ec) MUST_USE;
/* Makes the folder alone, for what a node is started on. */
enum err bench_node_folder(struct bench_node *n, struct err_ctx *ec) MUST_USE;
/* Starts `run` with these arguments (NULL at the end) on folder "data" in that of
 * bench_node_folder, on one core or BENCH_ALL_CORES. */
enum err bench_node_run(struct bench_node *n, const char *const *args, int core,
                        struct err_ctx *ec) MUST_USE;
/* Starts Anvil, the program at `path`, with these arguments after --port, and waits until it
 * answers. */
enum err bench_peer_run(struct bench_node *n, const char *path, const char *const *args, int core,
                        struct err_ctx *ec) MUST_USE;
/* Kills it, as a failing machine would. */
void bench_node_kill(struct bench_node *n);
/* Ends the process, not its folder. False if it did not end well. */
bool bench_node_end(struct bench_node *n);
/* Ends it and removes the folder; also after a failed start. */
void bench_node_stop(struct bench_node *n);

/* The calling thread, and what it starts, on one core or all of them. Where there is one core only,
 * nothing happens. */
void bench_pin(int core);
/* Processor time of the process so far, in seconds. */
double bench_node_cpu_s(const struct bench_node *n);
/* Its memory in bytes, as the kernel counts it. */
struct bench_memory {
    double anonymous; /* private: nobody can drop it but the process */
    double dirty;     /* with pages of the mapped store that were written and are not on disk yet,
                         which are the page cache's: for a moment after each checkpoint */
};
struct bench_memory bench_node_memory(const struct bench_node *n);
/* Copies the folder of one that does not run, and syncs it. */
enum err bench_node_copy(struct bench_node *to, const struct bench_node *from,
                         struct err_ctx *ec) MUST_USE;

/* ERR_CONFIG when files under `dir` are kept in memory: what is synced there costs nothing. */
enum err bench_need_disk(const char *dir, struct err_ctx *ec) MUST_USE;
/* The type of the file system under `dir`, as the kernel calls it: "ext4". */
void bench_file_system(char *out, size_t cap, const char *dir);

#endif
