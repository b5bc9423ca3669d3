/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_node.h"

#include "base/check.h"
#include "node/bench.h"
#include "node/bench_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    TMPFS_MAGIC_NUMBER = 0x01021994,
    LINE_MAX_BYTES = 1024,
    PATH_BYTES = DATADIR_PATH_MAX + 16,
    PEER_WAIT_MS = 60000,
    POLL_MS = 20,
    BLOCK_BYTES = 512, /* of getrusage(2) */
};
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

/* The file system of the longest mount point that `dir` lies under. */
void bench_file_system(char *out, size_t cap, const char *dir) {
    FILE *f = fopen("/proc/mounts", "r");
    char line[LINE_MAX_BYTES], at[512], type[64];
    size_t best = 0;
    snprintf(out, cap, "unknown");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        size_t len = sscanf(line, "%*s %511s %63s", at, type) == 2 ? strlen(at) : 0;
        bool under = len == 1 || (strncmp(at, dir, len) == 0 && (dir[len] == '/' || !dir[len]));
        if (len == 0 || !under || len < best)
            continue;
        best = len;
        snprintf(out, cap, "%s", type);
    }
    if (f != NULL)
        fclose(f);
}

/* --- cores and what a process used --------------------------------------------------------- */
void bench_pin(int core) {
    cpu_set_t set;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 2)
        return;
    CPU_ZERO(&set);
    for (long i = 0; i < cores; i++)
        if (core == BENCH_ALL_CORES || i == core)
            CPU_SET((size_t)i, &set);
    int failed = sched_setaffinity(0, sizeof set, &set);
    if (failed != 0)
        fprintf(stderr, "bench: core %d cannot be chosen: %s\n", core, strerror(errno));
}

double bench_node_cpu_s(const struct bench_node *n) {
    char path[64], line[LINE_MAX_BYTES] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)n->pid);
    FILE *f = fopen(path, "r");
    if (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *after = strrchr(line, ')');
        if (after == NULL ||
            sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &system) != 2)
            user = system = 0;
    }
    if (f != NULL)
        fclose(f);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct bench_memory bench_node_memory(const struct bench_node *n) {
    struct bench_memory m = {0};
    char path[64], line[LINE_MAX_BYTES];
    double kib;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)n->pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "Private_Dirty: %lf kB", &kib) == 1)
            m.dirty = kib * 1024;
        else if (sscanf(line, "Anonymous: %lf kB", &kib) == 1)
            m.anonymous = kib * 1024;
    if (f != NULL)
        fclose(f);
    return m;
}

/* --- processes ----------------------------------------------------------------------------- */
/* Starts argv on that core, its standard output into out_fd, or nowhere if that is negative. */
static enum err spawn(struct bench_node *n, char *const argv[], const char *home, int core,
                      int out_fd, struct err_ctx *ec) {
    pid_t parent = getpid();
    n->pid = fork();
    if (n->pid < 0) {
        n->pid = 0;
        FAIL(ec, ERR_IO, "no process could be started: %s", strerror(errno));
    }
    if (n->pid > 0)
        return ERR_OK;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || null < 0 || dup2(out_fd >= 0 ? out_fd : null, STDOUT_FILENO) < 0 ||
        (home != NULL && (dup2(null, STDERR_FILENO) < 0 || setenv("HOME", home, 1) != 0)))
        _exit(127);
    bench_pin(core);
    execv(argv[0], argv);
    _exit(127);
}

static enum err wait_for_ready(struct bench_node *n, int fd, struct err_ctx *ec) {
    char line[LINE_MAX_BYTES];
    FILE *f = fdopen(fd, "r");
    if (f == NULL) {
        close(fd);
        FAIL(ec, ERR_NOMEM, "out of memory for a pipe");
    }
    while (n->url[0] == '\0' && fgets(line, sizeof line, f) != NULL) {
        char addr[40];
        if (sscanf(line, "ready http=%39s", addr) == 1)
            snprintf(n->url, sizeof n->url, "http://%s", addr);
    }
    fclose(f);
    if (n->url[0] == '\0')
        FAIL(ec, ERR_IO, "the node ended before it served");
    return ERR_OK;
}

/* `run` on folder `data` with these arguments. */
static enum err run_node(struct bench_node *n, const char *data, const char *const *args, int core,
                         struct err_ctx *ec) {
    const char *argv[BENCH_NODE_ARGS_MAX + 10] = {"/proc/self/exe", "run",       "--http",
                                                  "127.0.0.1:0",    "--datadir", data,
                                                  "--log-level",    "error"};
    int pipes[2];
    size_t argc = 8;
    for (; args[0] != NULL; args++) {
        CHECK(argc < BENCH_NODE_ARGS_MAX + 9);
        argv[argc++] = args[0];
    }
    n->url[0] = '\0';
    if (pipe2(pipes, O_CLOEXEC) != 0)
        FAIL(ec, ERR_IO, "no pipe: %s", strerror(errno));
    enum err e = spawn(n, (char *const *)argv, NULL, core, pipes[1], ec);
    close(pipes[1]);
    if (e == ERR_OK)
        return wait_for_ready(n, pipes[0], ec);
    close(pipes[0]);
    return e;
}

enum err bench_node_folder(struct bench_node *n, struct err_ctx *ec) {
    *n = (struct bench_node){0};
    TRY(datadir_make_temp(n->dir, ec));
    return bench_need_disk(n->dir, ec);
}

enum err bench_node_start(struct bench_node *n, struct err_ctx *ec) {
    static const char *const args[] = {"--dev", NULL};
    TRY(bench_node_folder(n, ec));
    return run_node(n, n->dir, args, BENCH_ALL_CORES, ec);
}

enum err bench_node_run(struct bench_node *n, const char *const *args, int core,
                        struct err_ctx *ec) {
    char data[PATH_BYTES];
    snprintf(data, sizeof data, "%s/data", n->dir);
    return run_node(n, data, args, core, ec);
}

/* A port that nobody listens on now. */
static enum err free_port(unsigned *out, struct err_ctx *ec) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &len) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (!ok)
        FAIL(ec, ERR_IO, "no free port: %s", strerror(why));
    *out = ntohs(at.sin_port);
    return ERR_OK;
}

static enum err wait_for_answer(struct bench_node *n, struct err_ctx *ec) {
    for (int waited = 0; waited < PEER_WAIT_MS; waited += POLL_MS) {
        struct bench_client c;
        uint64_t id;
        bool good = bench_client_open(&c, n->url, NULL) == ERR_OK &&
                    bench_client_u64(&c, &id, "eth_chainId", "[]", NULL) == ERR_OK;
        bench_client_close(&c);
        if (good)
            return ERR_OK;
        if (waitpid(n->pid, NULL, WNOHANG) != 0) {
            n->pid = 0;
            FAIL(ec, ERR_IO, "the peer ended before it served");
        }
        usleep(POLL_MS * 1000);
    }
    FAIL(ec, ERR_IO, "the peer does not answer");
}

enum err bench_peer_run(struct bench_node *n, const char *path, const char *const *args, int core,
                        struct err_ctx *ec) {
    char port_text[16];
    unsigned port = 0;
    const char *argv[BENCH_NODE_ARGS_MAX] = {path, "--port", port_text};
    size_t argc = 3;
    TRY(free_port(&port, ec));
    snprintf(port_text, sizeof port_text, "%u", port);
    snprintf(n->url, sizeof n->url, "http://127.0.0.1:%u", port);
    for (; args[0] != NULL; args++) {
        CHECK(argc < BENCH_NODE_ARGS_MAX - 1);
        argv[argc++] = args[0];
    }
    /* It keeps its history under $HOME. */
    TRY(spawn(n, (char *const *)argv, n->dir, core, -1, ec));
    return wait_for_answer(n, ec);
}

bool bench_node_end(struct bench_node *n) {
    int status = 0;
    struct rusage used = {0};
    if (n->pid > 0) {
        kill(n->pid, SIGTERM);
        while (wait4(n->pid, &status, 0, &used) < 0 && errno == EINTR) {
        }
        n->written = BLOCK_BYTES * (double)used.ru_oublock;
    }
    n->pid = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void bench_node_kill(struct bench_node *n) {
    if (n->pid > 0)
        kill(n->pid, SIGKILL);
    (void)bench_node_end(n);
}

void bench_node_stop(struct bench_node *n) {
    (void)bench_node_end(n);
    if (n->dir[0] != '\0')
        datadir_remove_temp(n->dir);
    *n = (struct bench_node){0};
}

enum err bench_node_copy(struct bench_node *to, const struct bench_node *from, struct err_ctx *ec) {
    char source[PATH_BYTES];
    struct bench_node cp = {0};
    int status = 0;
    snprintf(source, sizeof source, "%s/.", from->dir);
    char *const argv[] = {"/bin/cp", "-r", source, to->dir, NULL};
    TRY(spawn(&cp, argv, NULL, BENCH_ALL_CORES, -1, ec));
    while (waitpid(cp.pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        FAIL(ec, ERR_IO, "%s cannot be copied", source);
    /* Else the kernel writes it back while something is measured. */
    int dir = open(to->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = dir < 0 ? -1 : syncfs(dir);
    if (dir >= 0)
        close(dir);
    if (failed != 0)
        FAIL(ec, ERR_IO, "%s cannot be synced", to->dir);
    return ERR_OK;
}
