/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of the public EVM benchmark set (state-test files) through eth_call, one client,
 * beside the peer: each file's accounts are block 0 of a node and of the peer, on one core, in
 * turns. Both must give the same answer. */
#include "node/bench_client.h"
#include "node/bench_contender.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALLS_MIN = 5, CALLS_MAX = 400, PROGRAMS_MAX = 64, PATH_BYTES = DATADIR_PATH_MAX + 512 };
static const double TIME_PER_RUN_NS = 0.1e9;

struct caller {
    struct bench_node node;
    struct bench_client client;
};

static void caller_close(struct caller *c) {
    bench_client_close(&c->client);
    bench_node_stop(&c->node);
}

/* Block 0 with the test's accounts. */
static enum err write_genesis(char path[PATH_BYTES], const struct caller *c, const json_t *pre,
                              struct err_ctx *ec) {
    snprintf(path, PATH_BYTES, "%s/genesis.json", c->node.dir);
    json_t *root = json_pack(
        "{s:{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:b,s:i,s:i}, s:s, s:s, "
        "s:s, s:s, s:s, s:O}",
        "config", "chainId", BENCH_CHAIN_ID, "homesteadBlock", 0, "eip150Block", 0, "eip155Block",
        0, "eip158Block", 0, "byzantiumBlock", 0, "constantinopleBlock", 0, "petersburgBlock", 0,
        "istanbulBlock", 0, "berlinBlock", 0, "londonBlock", 0, "terminalTotalDifficultyPassed", 1,
        "shanghaiTime", 0, "cancunTime", 0, "gasLimit", "0xb2d05e00", "difficulty", "0x0",
        "timestamp", "0x0", "extraData", "0x", "nonce", "0x0", "alloc", pre);
    int failed = root == NULL || json_dump_file(root, path, JSON_COMPACT) != 0;
    json_decref(root);
    if (failed)
        FAIL(ec, ERR_IO, "%s cannot be written", path);
    return ERR_OK;
}

static enum err open_both(struct caller *ours, struct caller *peer, const struct bench_report *r,
                          const json_t *pre, struct err_ctx *ec) {
    char genesis[PATH_BYTES];
    int core = r->both_cores ? BENCH_ALL_CORES : 0;
    const char *node_args[] = {"--chain",    genesis,      "--unbacked-alloc",
                               "--call-gas", "1000000000", "--call-ms",
                               "60000",      NULL};
    const char *peer_args[] = {"--quiet", "--init", genesis, "--gas-limit", "3000000000", NULL};
    TRY(bench_node_folder(&ours->node, ec));
    TRY(write_genesis(genesis, ours, pre, ec));
    TRY(bench_node_run(&ours->node, node_args, core, ec));
    TRY(bench_client_open(&ours->client, ours->node.url, ec));
    if (r->peer == NULL)
        return ERR_OK;
    TRY(bench_node_folder(&peer->node, ec));
    TRY(bench_peer_run(&peer->node, r->peer, peer_args, core, ec));
    return bench_client_open(&peer->client, peer->node.url, ec);
}

/* One call; nanoseconds, and the answer's result, the caller's to json_decref. */
static enum err call_once(double *ns, json_t **out, struct caller *c, bytes body,
                          struct err_ctx *ec) {
    bytes answer;
    bench_client_prepare(&c->client, body);
    double begun = bench_now_ns();
    TRY(bench_client_exchange(&c->client, &answer, ec));
    *ns = bench_now_ns() - begun;
    return bench_client_result(out, answer, ec);
}

/* Medians of calls by turns. */
static enum err one_run(double us[2], const char *name, struct caller *ours, struct caller *peer,
                        bytes body, struct err_ctx *ec) {
    double ns[2][CALLS_MAX], total = 0;
    size_t n = 0;
    for (; n < CALLS_MAX && (n < CALLS_MIN || total < TIME_PER_RUN_NS); n++) {
        json_t *a = NULL, *b = NULL;
        TRY(call_once(&ns[0][n], &a, ours, body, ec));
        enum err e = peer != NULL ? call_once(&ns[1][n], &b, peer, body, ec) : ERR_OK;
        bool same = peer == NULL || (e == ERR_OK && json_equal(a, b));
        json_decref(a);
        json_decref(b);
        if (e != ERR_OK)
            return e;
        if (!same)
            FAIL(ec, ERR_MISMATCH, "%s: the peer gives another result", name);
        total += ns[0][n];
    }
    us[0] = bench_median(ns[0], n) / 1e3;
    us[1] = peer != NULL ? bench_median(ns[1], n) / 1e3 : 0;
    return ERR_OK;
}

static enum err measure(struct bench_report *r, const char *name, struct caller *ours,
                        struct caller *peer, bytes body, struct err_ctx *ec) {
    struct bench_series series = {0};
    for (size_t run = 0; run < r->runs; run++) {
        double us[2] = {0};
        TRY(one_run(us, name, ours, r->peer != NULL ? peer : NULL, body, ec));
        bench_series_add(&series, us[0], us[1]);
    }
    bench_add_series(r,
                     &(struct bench_row){.name = name,
                                         .unit = "us",
                                         .peer = r->peer != NULL ? "Anvil" : NULL,
                                         .smaller_is_better = true},
                     &series);
    return ERR_OK;
}

static enum err run_test(struct bench_report *r, const char *name, const json_t *test,
                         struct err_ctx *ec) {
    struct caller ours = {.client.fd = -1}, peer = {.client.fd = -1};
    const json_t *tx = json_object_get(test, "transaction");
    const json_t *data = json_object_get(tx, "data");
    const char *to = json_string_value(json_object_get(tx, "to"));
    struct buf body;
    buf_init(&body, BENCH_CLIENT_ANSWER_MAX);
    enum err e = open_both(&ours, &peer, r, json_object_get(test, "pre"), ec);
    for (size_t i = 0; e == ERR_OK && i < json_array_size(data); i++) {
        char label[128];
        const char *input = json_string_value(json_array_get(data, i));
        snprintf(label, sizeof label, "%.80s %zu", name, i);
        if (r->only != NULL && strstr(label, r->only) == NULL)
            continue;
        if (to == NULL || input == NULL) {
            e = err_set(ec, ERR_PARSE, __FILE__, __LINE__, "%s is no call", label);
            break;
        }
        buf_reset(&body);
        buf_printf(
            &body,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"eth_call\",\"params\":[{\"to\":\"%s\","
            "\"gas\":\"0x3b9aca00\",\"data\":\"",
            to);
        buf_append_str(&body, input);
        buf_append_str(&body, "\"},\"latest\"]}");
        e = measure(r, label, &ours, &peer, buf_bytes(&body), ec);
    }
    buf_clear(&body);
    caller_close(&ours);
    caller_close(&peer);
    return e;
}

static int is_json(const struct dirent *d) {
    const char *dot = strrchr(d->d_name, '.');
    return dot != NULL && strcmp(dot, ".json") == 0;
}

static enum err run_file(struct bench_report *r, const char *path, struct err_ctx *ec) {
    json_error_t je;
    json_t *root = json_load_file(path, 0, &je), *test;
    const char *name;
    enum err e = ERR_OK;
    if (root == NULL)
        FAIL(ec, ERR_PARSE, "%s: %s", path, je.text);
    json_object_foreach(root, name, test) {
        if (e == ERR_OK)
            e = run_test(r, name, test, ec);
    }
    json_decref(root);
    return e;
}

enum err bench_calls(struct bench_report *r, struct err_ctx *ec) {
    const char *corpora = getenv("CORPORA");
    char dir[PATH_BYTES / 2], path[PATH_BYTES];
    struct dirent **names = NULL;
    enum err e = ERR_OK;
    if (corpora == NULL)
        FAIL(ec, ERR_NOT_FOUND, "the programs are in the corpora: set CORPORA");
    if (!r->both_cores)
        bench_pin(1);
    snprintf(dir, sizeof dir, "%s/bench/evm-benchmarks/main", corpora);
    int n = scandir(dir, &names, is_json, alphasort);
    if (n <= 0 || n > PROGRAMS_MAX)
        FAIL(ec, ERR_NOT_FOUND, "%s holds no programs", dir);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
        if (e == ERR_OK)
            e = run_file(r, path, ec);
        free(names[i]);
    }
    free(names);
    bench_pin(BENCH_ALL_CORES);
    return e;
}
