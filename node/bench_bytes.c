/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction costs the disk: all tables on, to recipients anywhere in a large state, until
 * the node has stopped and everything is in its checkpoint. Written is what the process gave the
 * kernel (getrusage), less what a start and a stop without load write; kept is what the folder's
 * files hold more afterwards. */
#include "node/bench_contender.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    COUNT_DEFAULT = 40000, /* so that checkpoints come by their rows, as they do under load */
    CONNECTIONS = 16,
    DEPTH = 16,
    TAIL_STEP = 1 << 16,
    NAME_MAX_BYTES = 96,
};
static const uint64_t sizes[] = {100000, 1000000, 10000000};
/* The mix, and with --long each kind by itself. */
static const enum bench_work works[] = {BENCH_TRANSFER, BENCH_ERC20, BENCH_MINT};
enum { MIX = ARRAY_LEN(works), KINDS };

/* Bytes of a file up to its last that is not zero: segments are made in full size beforehand. */
static double used_bytes(const char *path) {
    static uint8_t tail[TAIL_STEP];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd >= 0 && fstat(fd, &st) == 0 ? st.st_size : 0;
    while (end > 0) {
        off_t from = end > TAIL_STEP ? end - TAIL_STEP : 0;
        ssize_t n = pread(fd, tail, (size_t)(end - from), from);
        while (n > 0 && tail[n - 1] == 0)
            n--;
        end = n > 0 ? from + n : from;
        if (n != 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    return (double)end;
}

static enum err folder_bytes(double *out, const struct bench_contender *c, struct err_ctx *ec) {
    static const char *const parts[] = {DATADIR_STORE, DATADIR_LOG};
    *out = 0;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        char dir[DATADIR_PATH_MAX], path[DATADIR_PATH_MAX];
        snprintf(path, sizeof path, "data/%s", parts[i]);
        TRY(datadir_path(dir, c->node.dir, path, ec));
        DIR *d = opendir(dir);
        if (d == NULL)
            FAIL(ec, ERR_IO, "%s: %s", dir, strerror(errno));
        enum err e = ERR_OK;
        for (struct dirent *entry = readdir(d); e == ERR_OK && entry != NULL; entry = readdir(d)) {
            if (entry->d_name[0] == '.')
                continue;
            e = datadir_path(path, dir, entry->d_name, ec);
            *out += e == ERR_OK ? used_bytes(path) : 0;
        }
        closedir(d);
        TRY(e);
    }
    return ERR_OK;
}

/* Starts the node, sends n of one kind, 0 for none, and stops it. */
static enum err run_once(double *out_written, double *out_kept, struct bench_contender *c,
                         const struct bench_report *r, size_t kind, size_t n, struct err_ctx *ec) {
    static const char *const plain[] = {NULL};
    enum bench_work work = works[kind % MIX];
    uint64_t mixed = 0;
    double before, after;
    TRY(folder_bytes(&before, c, ec));
    TRY(bench_contender_serve(c, r, "callipter", plain, ec));
    if (n > 0) {
        struct bench_round_options o = {.url = c->node.url,
                                        .method = "eth_sendRawTransaction",
                                        .count = n,
                                        .connections = CONNECTIONS,
                                        .depth = DEPTH,
                                        .sign = kind == MIX ? bench_sign_mix : bench_sign_work,
                                        .ctx = kind == MIX ? (void *)&mixed : (void *)&work};
        TRY(bench_round_run(NULL, &c->chain, &c->client, &o, ec));
    }
    bench_client_close(&c->client);
    if (!bench_node_end(&c->node))
        FAIL(ec, ERR_IO, "the node did not stop well");
    TRY(folder_bytes(&after, c, ec));
    *out_written = c->node.written;
    *out_kept = after - before;
    return ERR_OK;
}

static void add(struct bench_report *r, uint64_t accounts, size_t kind, const char *what,
                const struct bench_series *s) {
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%llu accounts, %s, %s each", (unsigned long long)accounts,
             kind == MIX ? "the mix" : bench_work_name(works[kind]), what);
    bench_add_series(r, &(struct bench_row){.name = name, .unit = "bytes"}, s);
}

static enum err run_on(struct bench_report *r, struct bench_contender *c, uint64_t accounts,
                       struct err_ctx *ec) {
    struct bench_series written[KINDS] = {0}, kept[KINDS] = {0};
    struct bench_report sized = *r;
    size_t n = r->count != 0 ? r->count : COUNT_DEFAULT;
    size_t first = r->large ? 0 : MIX;
    sized.accounts = accounts;
    enum err e = bench_contender_prepare(c, &sized, BENCH_SENDERS, ec);
    r->folders = sized.folders;
    TRY(e);
    c->chain.far = c->chain.crowd > 0;
    if (!c->chain.far)
        FAIL(ec, ERR_CONFIG, "bench bytes wants more than %d accounts", 2 * BENCH_SENDERS);
    for (size_t run = 0; run < r->runs; run++) {
        double idle, wrote, grew;
        TRY(run_once(&idle, &grew, c, &sized, MIX, 0, ec));
        for (size_t k = first; k < KINDS; k++) {
            TRY(run_once(&wrote, &grew, c, &sized, k, n, ec));
            bench_series_add(&written[k], (wrote - idle) / (double)n, 0);
            bench_series_add(&kept[k], grew / (double)n, 0);
        }
    }
    for (size_t k = first; k < KINDS; k++) {
        add(r, accounts, k, "written", &written[k]);
        add(r, accounts, k, "kept", &kept[k]);
    }
    return ERR_OK;
}

enum err bench_bytes(struct bench_report *r, struct err_ctx *ec) {
    enum err e = ERR_OK;
    size_t n = r->accounts != 0 ? 1 : r->large ? ARRAY_LEN(sizes) : ARRAY_LEN(sizes) - 1;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct bench_contender c;
        bench_contender_init(&c);
        e = run_on(r, &c, r->accounts != 0 ? r->accounts : sizes[i], ec);
        bench_contender_stop(&c);
    }
    bench_pin(BENCH_ALL_CORES);
    return e;
}
