/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench_contender.h"

#include "base/check.h"
#include "base/hex.h"
#include "bridge/batch.h"
#include "index/record.h"
#include "state/log.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NODE_CORE = 0,
    LOAD_CORE = 1,
    PATH_BYTES = DATADIR_PATH_MAX + 32,
    CROWD_CONNECTIONS = 4,
    CROWD_DEPTH = 4,
    MINE_MAX = 1000,
    FOLDERS_MAX = 3,
    BROTLI_QUALITY = 6,
};

void bench_contender_init(struct bench_contender *c) {
    *c = (struct bench_contender){.client.fd = -1};
}

void bench_contender_stop(struct bench_contender *c) {
    bench_client_close(&c->client);
    bench_node_stop(&c->node);
    bench_chain_free(&c->chain);
    bench_contender_init(c);
}

void bench_contender_end(struct bench_contender *c) {
    bench_client_close(&c->client);
    (void)bench_node_end(&c->node);
}

/* --- starting ------------------------------------------------------------------------------ */
static void genesis_path(char out[PATH_BYTES], const struct bench_contender *c) {
    snprintf(out, PATH_BYTES, "%s/genesis.json", c->node.dir);
}

static enum err run_on_folder(struct bench_contender *c, const char *const *args, int core,
                              struct err_ctx *ec) {
    char genesis[PATH_BYTES];
    const char *all[BENCH_NODE_ARGS_MAX] = {"--chain", genesis};
    size_t n = 2;
    genesis_path(genesis, c);
    for (; args[0] != NULL; args++) {
        CHECK(n < BENCH_NODE_ARGS_MAX - 1);
        all[n++] = args[0];
    }
    TRY(bench_node_run(&c->node, all, core, ec));
    return bench_client_open(&c->client, c->node.url, ec);
}

struct crowd {
    uint64_t at, end;
};

static enum err sign_crowd(struct bench_tx *out, struct bench_chain *chain, struct arena *a,
                           void *ctx, struct err_ctx *ec) {
    struct crowd *w = ctx;
    uint64_t from = w->at;
    w->at = w->end - from < BENCH_CROWD_STEP ? w->end : from + BENCH_CROWD_STEP;
    return bench_chain_sign_crowd(out, chain, a, from, w->at, ec);
}

static enum err make_crowd(struct bench_contender *c, uint64_t accounts, struct err_ctx *ec) {
    struct crowd w = {.end = accounts};
    struct bench_round_options o = {.url = c->node.url,
                                    .method = "eth_sendRawTransaction",
                                    .count = (accounts + BENCH_CROWD_STEP - 1) / BENCH_CROWD_STEP,
                                    .connections = CROWD_CONNECTIONS,
                                    .depth = CROWD_DEPTH,
                                    .sign = sign_crowd,
                                    .ctx = &w};
    uint64_t made = 0;
    TRY(bench_round_run(NULL, &c->chain, &c->client, &o, ec));
    TRY(bench_chain_crowd(&made, &c->client, ec));
    if (made != accounts)
        FAIL(ec, ERR_MISMATCH, "%llu accounts of %llu were made", (unsigned long long)made,
             (unsigned long long)accounts);
    c->chain.crowd = made;
    return ERR_OK;
}

static enum err make_folder(struct bench_contender *c, uint64_t accounts, struct err_ctx *ec) {
    static const char *const args[] = {"--block-gap-ms", "0", NULL};
    char genesis[PATH_BYTES];
    size_t own = accounts < 2 * BENCH_SENDERS ? (size_t)(accounts + 1) / 2 : BENCH_SENDERS;
    bench_chain_new(&c->chain, own);
    TRY(bench_node_folder(&c->node, ec));
    genesis_path(genesis, c);
    TRY(bench_chain_write_genesis(&c->chain, genesis, false, ec));
    TRY(run_on_folder(c, args, BENCH_ALL_CORES, ec));
    if (accounts > 2 * own)
        TRY(make_crowd(c, accounts - 2 * own, ec));
    TRY(bench_client_u64(&c->client, &c->chain.checked_block, "eth_blockNumber", "[]", ec));
    bench_client_close(&c->client);
    if (!bench_node_end(&c->node))
        FAIL(ec, ERR_IO, "the node did not stop well after its accounts were made");
    return ERR_OK;
}

struct bench_folders {
    struct folder {
        uint64_t accounts; /* 0: none yet */
        struct bench_contender made;
    } all[FOLDERS_MAX];
    size_t next; /* the one that is replaced by a new one */
};

void bench_folders_free(struct bench_folders *f) {
    for (size_t i = 0; f != NULL && i < FOLDERS_MAX; i++)
        if (f->all[i].accounts != 0)
            bench_contender_stop(&f->all[i].made);
    free(f);
}

static enum err folder_of(const struct bench_contender **out, struct bench_report *r,
                          uint64_t accounts, struct err_ctx *ec) {
    if (r->folders == NULL)
        r->folders = calloc(1, sizeof *r->folders);
    CHECK(r->folders != NULL);
    for (size_t i = 0; i < FOLDERS_MAX; i++) {
        *out = &r->folders->all[i].made;
        if (r->folders->all[i].accounts == accounts)
            return ERR_OK;
    }
    struct folder *f = &r->folders->all[r->folders->next++ % FOLDERS_MAX];
    if (f->accounts != 0)
        bench_contender_stop(&f->made);
    *f = (struct folder){0};
    bench_contender_init(&f->made);
    bench_pin(BENCH_ALL_CORES);
    enum err e = make_folder(&f->made, accounts, ec);
    if (e != ERR_OK) {
        bench_contender_stop(&f->made);
        return e;
    }
    f->accounts = accounts;
    *out = &f->made;
    return ERR_OK;
}

enum err bench_contender_prepare(struct bench_contender *c, struct bench_report *r, size_t senders,
                                 struct err_ctx *ec) {
    const struct bench_contender *made = NULL;
    uint64_t accounts = r->accounts != 0 ? r->accounts : BENCH_ACCOUNTS;
    CHECK(senders <= BENCH_SENDERS);
    TRY(folder_of(&made, r, accounts, ec));
    TRY(bench_contender_fork(c, made, ec));
    c->chain.count = c->chain.count < senders ? c->chain.count : senders;
    return ERR_OK;
}

enum err bench_contender_fork(struct bench_contender *out, const struct bench_contender *c,
                              struct err_ctx *ec) {
    bench_chain_clone(&out->chain, &c->chain);
    TRY(bench_node_folder(&out->node, ec));
    return bench_node_copy(&out->node, &c->node, ec);
}

enum err bench_contender_serve(struct bench_contender *c, const struct bench_report *r,
                               const char *name, const char *const *args, struct err_ctx *ec) {
    snprintf(c->name, sizeof c->name, "%s", name);
    bench_pin(r->both_cores ? BENCH_ALL_CORES : LOAD_CORE);
    return run_on_folder(c, args, r->both_cores ? BENCH_ALL_CORES : NODE_CORE, ec);
}

enum err bench_contender_peer(struct bench_contender *c, const struct bench_report *r,
                              const char *const *args, struct err_ctx *ec) {
    char genesis[PATH_BYTES];
    const char *all[BENCH_NODE_ARGS_MAX] = {
        "--quiet", "--init", genesis, "--no-request-size-limit", "--gas-limit", "3000000000"};
    size_t n = 6;
    for (; args[0] != NULL; args++) {
        CHECK(n < BENCH_NODE_ARGS_MAX - 1);
        all[n++] = args[0];
    }
    snprintf(c->name, sizeof c->name, "Anvil");
    c->is_peer = true;
    bench_chain_new(&c->chain, BENCH_PEER_SENDERS);
    TRY(bench_node_folder(&c->node, ec));
    genesis_path(genesis, c);
    TRY(bench_chain_write_genesis(&c->chain, genesis, true, ec));
    TRY(bench_peer_run(&c->node, r->peer, all, r->both_cores ? BENCH_ALL_CORES : NODE_CORE, ec));
    return bench_client_open(&c->client, c->node.url, ec);
}

enum err bench_contender_mine(struct bench_contender *c, double *out_s, struct err_ctx *ec) {
    *out_s = 0;
    for (size_t i = 0; i < MINE_MAX; i++) {
        json_t *v = NULL;
        double begun = bench_now_ns();
        TRY(bench_client_call(&c->client, &v, "evm_mine", "[]", ec));
        *out_s += (bench_now_ns() - begun) / 1e9;
        json_decref(v);
        TRY(bench_client_call(&c->client, &v, "txpool_status", "[]", ec));
        const char *text = json_string_value(json_object_get(v, "pending"));
        bool empty = text != NULL && strcmp(text, "0x0") == 0;
        json_decref(v);
        if (empty)
            return ERR_OK;
    }
    FAIL(ec, ERR_MISMATCH, "%s does not mine what waits", c->name);
}

void bench_contender_say(struct bench_report *r, const struct bench_contender *c) {
    char text[256], fs[64];
    bench_file_system(fs, sizeof fs, c->node.dir);
    bench_note(r, "file system of the data folder", fs);
    snprintf(text, sizeof text, "%zu of ours, of them %zu senders and as many recipients",
             r->accounts != 0 ? r->accounts : BENCH_ACCOUNTS, c->chain.count);
    bench_note(r, "accounts", text);
    snprintf(text, sizeof text, "%d, half of them senders", 2 * BENCH_PEER_SENDERS);
    if (r->peer != NULL)
        bench_note(r, "accounts of the peer", text);
    bench_note(r, "cores",
               r->both_cores ? "all for the node, the peer and the load"
                             : "node and peer on core 0, load on core 1");
}

/* --- what batches cost --------------------------------------------------------------------- */
struct parent_cost {
    const struct bench_made *made;
    struct batch_builder *builder;
    uint64_t bytes, blocks;
    struct err_ctx *ec;
};

static enum err finish_batch(struct parent_cost *p) {
    struct buf out;
    buf_init(&out, 1 << 20);
    enum err e = batch_builder_finish(p->builder, &out, BROTLI_QUALITY);
    p->bytes += out.len;
    buf_clear(&out);
    batch_builder_free(p->builder);
    p->builder = NULL;
    return e;
}

static enum err add_block(void *ctx, const struct log_record *rec) {
    struct parent_cost *p = ctx;
    struct record_block b;
    if (rec->kind != LOG_BLOCK)
        return ERR_OK;
    TRY(record_unpack_block(&b, rec->payload));
    if (b.number < p->made->first_block || b.number > p->made->last_block)
        return ERR_OK;
    for (int tries = 0; tries < 2; tries++) {
        if (p->builder == NULL)
            TRY(batch_builder_new(&p->builder, b.message.delayed_read, BATCH_MAX_BYTES));
        enum err e = batch_builder_add(p->builder, &b.message);
        p->blocks += e == ERR_OK;
        if (e != ERR_TOO_LARGE)
            return e;
        TRY(finish_batch(p));
    }
    return ERR_TOO_LARGE;
}

enum err bench_contender_parent_bytes(struct bench_report *r, struct bench_contender *c,
                                      enum bench_work w, struct err_ctx *ec) {
    char dir[PATH_BYTES], name[96];
    struct parent_cost p = {.made = &c->made[w], .ec = ec};
    struct wal *log = NULL;
    bench_client_close(&c->client);
    if (c->node.pid != 0 && !bench_node_end(&c->node))
        FAIL(ec, ERR_IO, "the node did not stop well");
    snprintf(dir, sizeof dir, "%s/data/%s", c->node.dir, DATADIR_LOG);
    struct wal_options o = {
        .disk = disk_posix(), .dir = dir, .prefix = DATADIR_LOG_PREFIX, .read_only = true};
    TRY(wal_open(&log, &o, ec));
    enum err e = wal_each(log, wal_first_seq(log), add_block, &p, ec);
    if (e == ERR_OK && p.builder != NULL)
        e = finish_batch(&p);
    batch_builder_free(p.builder);
    wal_close(log);
    if (e != ERR_OK)
        FAIL(ec, e, "the blocks of %s do not go into batches: %s", bench_work_name(w), err_text(e));
    if (p.made->txs == 0)
        return ERR_OK;
    snprintf(name, sizeof name, "%s, bytes on the parent chain each", bench_work_name(w));
    bench_add(r, &(struct bench_row){.name = name,
                                     .value = (double)p.bytes / (double)p.made->txs,
                                     .unit = "bytes"});
    return ERR_OK;
}

/* --- metrics ------------------------------------------------------------------------------- */
enum err bench_times_read(struct bench_times *out, struct bench_contender *c, const char *name,
                          struct err_ctx *ec) {
    char bucket[128];
    bytes body;
    int len = snprintf(bucket, sizeof bucket, "callipter_%s_bucket{le=\"", name);
    CHECK(len > 0 && len < (int)sizeof bucket);
    *out = (struct bench_times){0};
    buf_reset(&c->client.out);
    buf_printf(&c->client.out, "GET /metrics HTTP/1.1\r\nHost: %s\r\n\r\n", c->client.addr);
    TRY(bench_client_exchange(&c->client, &body, ec));
    const char *at = (const char *)body.ptr, *end = at + body.len;
    while (at < end && (at = memmem(at, (size_t)(end - at), bucket, (size_t)len)) != NULL) {
        char *rest;
        at += len;
        CHECK(out->buckets < BENCH_TIMES_BUCKETS_MAX);
        double le = strtod(at, &rest); /* "+Inf" too */
        rest = memchr(rest, ' ', (size_t)(end - rest));
        if (rest == NULL)
            break;
        out->le[out->buckets] = le;
        out->upto[out->buckets] = strtoull(rest + 1, NULL, 10);
        out->count = out->upto[out->buckets++];
    }
    if (out->buckets == 0)
        FAIL(ec, ERR_INVALID, "%s does not tell %s", c->client.addr, name);
    return ERR_OK;
}

double bench_times_quantile(const struct bench_times *before, const struct bench_times *after,
                            double q) {
    double want = q * (double)(after->count - before->count);
    if (after->count == before->count)
        return 0;
    for (size_t i = 0; i < after->buckets; i++)
        if ((double)(after->upto[i] - before->upto[i]) >= want && isfinite(after->le[i]))
            return after->le[i];
    return after->buckets > 1 ? after->le[after->buckets - 2] : 0;
}
