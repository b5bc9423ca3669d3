/* SPDX-License-Identifier: Apache-2.0 */
/* One transaction at a time on an idle chain, from sending it to having its durable receipt
 * (EIP-7966), on a node of this program started for the purpose; in turns with the disk's own
 * fdatasync on the same file system and with a peer, when there is one: what slows the machine down
 * slows all three. */
#include "node/bench.h"
#include "node/bench_client.h"
#include "node/bench_node.h"

#include "base/check.h"
#include "base/hex.h"
#include "chain/tx.h"
#include "genesis/genesis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    COUNT_DEFAULT = 1000,
    WARM_UP = 100,      /* of each, not counted */
    PAUSE_NS = 2000000, /* twice the development chain's gap between blocks: the node is idle */
    RECORD_BYTES = 4096,
    FILE_BYTES = 16 << 20,
    NAME_MAX_BYTES = 48,
    TX_ARENA_BYTES = 1 << 16,
};

/* A chain that takes transactions of the first development account. */
struct target {
    struct bench_client client;
    char name[NAME_MAX_BYTES];
    uint64_t chain_id, nonce, price;
    uint8_t key[32];
    addr20 to;
    struct arena arena;
    double *us;
};

struct disk {
    int fd;
    off_t at;
    double *us;
};

static void pause_a_little(void) {
    struct timespec left = {.tv_nsec = PAUSE_NS};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

/* --- transactions -------------------------------------------------------------------------- */
/* "callipter/v1/…" or "anvil/v1.7.1": what comes before the second slash, without odd bytes. */
static void short_name(char out[NAME_MAX_BYTES], const char *version) {
    size_t n = 0, slashes = 0;
    for (const char *p = version; *p != '\0' && n < NAME_MAX_BYTES - 1; p++) {
        slashes += *p == '/';
        if (slashes > 1)
            break;
        out[n++] = *p < ' ' || *p > '~' || *p == '"' || *p == '\\' ? '?' : *p;
    }
    out[n] = '\0';
}

static enum err target_open(struct target *t, const char *url, struct err_ctx *ec) {
    char params[80], who[43] = "0x";
    addr20 sender;
    json_t *version = NULL;
    arena_init(&t->arena, TX_ARENA_BYTES, TX_ARENA_BYTES);
    TRY(bench_client_open(&t->client, url, ec));
    genesis_dev_account(0, t->key, &sender);
    genesis_dev_account(1, (uint8_t[32]){0}, &t->to);
    hex_encode(who + 2, sender.b, sizeof sender.b);
    who[42] = '\0';
    snprintf(params, sizeof params, "[\"%s\",\"latest\"]", who);
    TRY(bench_client_u64(&t->client, &t->chain_id, "eth_chainId", "[]", ec));
    TRY(bench_client_u64(&t->client, &t->nonce, "eth_getTransactionCount", params, ec));
    TRY(bench_client_u64(&t->client, &t->price, "eth_gasPrice", "[]", ec));
    TRY(bench_client_call(&t->client, &version, "web3_clientVersion", "[]", ec));
    short_name(t->name, json_is_string(version) ? json_string_value(version) : "peer");
    json_decref(version);
    return ERR_OK;
}

static void target_close(struct target *t) {
    bench_client_close(&t->client);
    arena_clear(&t->arena);
    free(t->us);
}

/* The peer is a program that is started, or runs already where the URL says. */
static enum err peer_open(struct target *t, struct bench_node *process, const char *peer,
                          struct err_ctx *ec) {
    static const char *const quiet[] = {"--quiet", NULL};
    if (strstr(peer, "://") != NULL)
        return target_open(t, peer, ec);
    TRY(bench_node_folder(process, ec));
    TRY(bench_peer_run(process, peer, quiet, BENCH_ALL_CORES, ec));
    return target_open(t, process->url, ec);
}

static enum err prepare(struct target *t, struct err_ctx *ec) {
    struct buf body;
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = t->chain_id,
                    .nonce = t->nonce++,
                    .max_fee = u256_from_u64(2 * t->price),
                    .gas_limit = 21000,
                    .to = t->to,
                    .value = u256_from_u64(1)};
    arena_reset(&t->arena);
    if (tx_sign(&tx, &t->arena, t->key) != ERR_OK)
        FAIL(ec, ERR_SIGNATURE, "a transaction could not be signed");
    buf_init(&body, BENCH_CLIENT_ANSWER_MAX);
    buf_append_str(
        &body,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_sendRawTransactionSync\",\"params\":[\"");
    hex_put(&body, tx.raw.ptr, tx.raw.len);
    buf_append_str(&body, "\"]}");
    bench_client_prepare(&t->client, buf_bytes(&body));
    buf_clear(&body);
    return ERR_OK;
}

/* Sends one; *out_us: until the whole receipt was read, which is then looked at. */
static enum err send_one(struct target *t, double *out_us, struct err_ctx *ec) {
    bytes answer;
    json_t *receipt = NULL;
    TRY(prepare(t, ec));
    double begun = bench_now_ns();
    TRY(bench_client_exchange(&t->client, &answer, ec));
    *out_us = (bench_now_ns() - begun) / 1e3;
    TRY(bench_client_result(&receipt, answer, ec));
    const char *status = json_string_value(json_object_get(receipt, "status"));
    bool good = status != NULL && strcmp(status, "0x1") == 0;
    json_decref(receipt);
    if (!good)
        FAIL(ec, ERR_MISMATCH, "%s answers without a receipt of success", t->name);
    return ERR_OK;
}

/* --- the disk ------------------------------------------------------------------------------ */
/* A file of written zeros, like a log segment: a sync does not have to grow it. */
static enum err disk_open(struct disk *d, const char *dir, struct err_ctx *ec) {
    static const uint8_t zeros[1 << 16];
    char path[DATADIR_PATH_MAX];
    TRY(datadir_path(path, dir, "fdatasync", ec));
    d->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (d->fd < 0)
        FAIL(ec, ERR_IO, "%s: %s", path, strerror(errno));
    unlink(path);
    for (off_t at = 0; at < FILE_BYTES; at += (off_t)sizeof zeros)
        if (pwrite(d->fd, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
            FAIL(ec, ERR_IO, "%s: %s", path, strerror(errno));
    if (fsync(d->fd) != 0)
        FAIL(ec, ERR_IO, "%s: %s", path, strerror(errno));
    return ERR_OK;
}

static enum err sync_one(struct disk *d, double *out_us, struct err_ctx *ec) {
    uint8_t record[RECORD_BYTES];
    double begun = bench_now_ns();
    memset(record, (int)(d->at / RECORD_BYTES) | 1, sizeof record);
    if (pwrite(d->fd, record, sizeof record, d->at) != (ssize_t)sizeof record ||
        fdatasync(d->fd) != 0)
        FAIL(ec, ERR_IO, "writing for fdatasync: %s", strerror(errno));
    *out_us = (bench_now_ns() - begun) / 1e3;
    d->at = (d->at + RECORD_BYTES) % FILE_BYTES;
    return ERR_OK;
}

/* --- the run ------------------------------------------------------------------------------- */
static enum err measure(struct target *node, struct target *peer, struct disk *d, size_t warm_up,
                        size_t count, struct err_ctx *ec) {
    for (size_t i = 0; i < warm_up + count; i++) {
        size_t slot = i < warm_up ? 0 : i - warm_up;
        TRY(send_one(node, &node->us[slot], ec));
        pause_a_little();
        TRY(sync_one(d, &d->us[slot], ec));
        pause_a_little();
        if (peer == NULL)
            continue;
        TRY(send_one(peer, &peer->us[slot], ec));
        pause_a_little();
    }
    return ERR_OK;
}

static const double quantiles[] = {0.5, 0.9, 0.99, 1};
struct latencies {
    struct bench_series node[ARRAY_LEN(quantiles)], disk[ARRAY_LEN(quantiles)];
};

/* The node's quantiles beside the peer's, or the disk's where there is no peer. */
static void take(struct latencies *l, struct target *node, struct target *peer, struct disk *d,
                 size_t count) {
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        double disk = bench_quantile(d->us, count, quantiles[i]);
        double beside = peer != NULL ? bench_quantile(peer->us, count, quantiles[i]) : disk;
        bench_series_add(&l->node[i], bench_quantile(node->us, count, quantiles[i]), beside);
        bench_series_add(&l->disk[i], disk, 0);
    }
}

static void report(struct bench_report *r, const struct latencies *l, const char *peer) {
    static const char *const names[][2] = {
        {"transaction to durable receipt, p50", "fdatasync of 4 KiB, p50"},
        {"transaction to durable receipt, p90", "fdatasync of 4 KiB, p90"},
        {"transaction to durable receipt, p99", "fdatasync of 4 KiB, p99"},
        {"transaction to durable receipt, longest", "fdatasync of 4 KiB, longest"},
    };
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
        bench_add_series(
            r,
            &(struct bench_row){
                .name = names[i][0], .unit = "us", .peer = peer, .smaller_is_better = true},
            &l->node[i]);
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++)
        bench_add_series(r, &(struct bench_row){.name = names[i][1], .unit = "us"}, &l->disk[i]);
}

enum err bench_latency(struct bench_report *r, struct err_ctx *ec) {
    struct bench_node process = {0}, peer_process = {0};
    struct target node = {.client.fd = -1}, peer = {.client.fd = -1};
    struct disk d = {.fd = -1};
    struct latencies l = {0};
    size_t count = r->count != 0 ? r->count : COUNT_DEFAULT;
    bool with_peer = r->peer != NULL;
    node.us = calloc(count, sizeof(double));
    peer.us = calloc(count, sizeof(double));
    d.us = calloc(count, sizeof(double));
    CHECK(node.us != NULL);
    CHECK(peer.us != NULL);
    CHECK(d.us != NULL);
    enum err e = bench_node_start(&process, ec);
    if (e == ERR_OK)
        e = target_open(&node, process.url, ec);
    if (e == ERR_OK && with_peer)
        e = peer_open(&peer, &peer_process, r->peer, ec);
    if (e == ERR_OK)
        e = disk_open(&d, process.dir, ec);
    for (size_t run = 0; e == ERR_OK && run < r->runs; run++) {
        e = measure(&node, with_peer ? &peer : NULL, &d, run == 0 ? WARM_UP : 0, count, ec);
        if (e == ERR_OK)
            take(&l, &node, with_peer ? &peer : NULL, &d, count);
    }
    if (e == ERR_OK)
        report(r, &l, with_peer ? peer.name : "fdatasync alone");
    target_close(&node);
    target_close(&peer);
    if (d.fd >= 0)
        close(d.fd);
    free(d.us);
    bench_node_stop(&peer_process);
    bench_node_stop(&process);
    return e;
}
