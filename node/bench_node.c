/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_node.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { TMPFS_MAGIC_NUMBER = 0x01021994, LINE_MAX_BYTES = 512 };
#define RAMFS_MAGIC_NUMBER 0x858458f6u

enum err bench_need_disk(const char *dir, struct err_ctx *ec) {
    struct statfs fs;
    if (statfs(dir, &fs) != 0)
        FAIL(ec, ERR_IO, "%s: %s", dir, strerror(errno));
    if ((uint32_t)fs.f_type == TMPFS_MAGIC_NUMBER || (uint32_t)fs.f_type == RAMFS_MAGIC_NUMBER)
        FAIL(ec, ERR_CONFIG, "%s is on a file system in memory: set TMPDIR to a folder on a disk",
             dir);
    return ERR_OK;
}

/* The child with its standard output in the pipe. */
static enum err spawn_node(struct bench_node *n, int out_fd, struct err_ctx *ec) {
    char self[] = "/proc/self/exe";
    char *argv[] = {"callipter", "run",  "--dev",       "--http", "127.0.0.1:0",
                    "--datadir", n->dir, "--log-level", "error",  NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    int failed = posix_spawn(&n->pid, self, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        n->pid = 0;
        FAIL(ec, ERR_IO, "no node could be started: %s", strerror(failed));
    }
    return ERR_OK;
}

enum err bench_node_start(struct bench_node *n, struct err_ctx *ec) {
    char line[LINE_MAX_BYTES];
    int pipes[2];
    *n = (struct bench_node){0};
    TRY(datadir_make_temp(n->dir, ec));
    TRY(bench_need_disk(n->dir, ec));
    if (pipe2(pipes, O_CLOEXEC) != 0)
        FAIL(ec, ERR_IO, "no pipe: %s", strerror(errno));
    enum err e = spawn_node(n, pipes[1], ec);
    close(pipes[1]);
    FILE *f = fdopen(pipes[0], "r");
    if (f == NULL) {
        close(pipes[0]);
        FAIL(ec, ERR_NOMEM, "out of memory for a pipe");
    }
    while (e == ERR_OK && n->url[0] == '\0' && fgets(line, sizeof line, f) != NULL) {
        char addr[40];
        if (sscanf(line, "ready http=%39s", addr) == 1)
            snprintf(n->url, sizeof n->url, "http://%s", addr);
    }
    fclose(f);
    if (e == ERR_OK && n->url[0] == '\0')
        e = err_set(ec, ERR_IO, __FILE__, __LINE__, "the node ended before it served");
    return e;
}

void bench_node_stop(struct bench_node *n) {
    if (n->pid > 0) {
        kill(n->pid, SIGTERM);
        while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    if (n->dir[0] != '\0')
        datadir_remove_temp(n->dir);
    *n = (struct bench_node){0};
}
