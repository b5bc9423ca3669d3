/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of the public EVM benchmark set (state-test files), each run again and again from
 * the same state: one message of the transaction's data, decoded code in the cache, no transaction
 * around it. */
#include "node/bench.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/secp.h"
#include "chain/exec.h"
#include "node/testfile.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PROGRAMS_MAX = 64,
    RUNS_MAX = 400,
    RUNS_MIN = 5,
    ARENA_MAX_BYTES = 64 << 20,
};
static const double TIME_PER_RUN_NS = 0.1e9;

struct program {
    char name[64];
    bytes input;
    uint64_t gas;
    addr20 from, to;
};

/* The machine over one allocation, all of it the caller's. */
struct bench_machine {
    struct arena arena;
    struct test_alloc alloc;
    struct state_trie *trie;
    struct world *world;
    struct evm_code_cache *cache;
    struct evm *vm;
    struct exec x;
};

static enum err machine_open(struct bench_machine *m, const json_t *test, struct err_ctx *ec) {
    hash32 root;
    TRY(test_alloc_parse(&m->alloc, &m->arena, json_object_get(test, "pre"), ec));
    m->trie = state_trie_new((struct trie_source){0}, 64 << 20);
    CHECK(m->trie != NULL);
    test_alloc_root(&m->alloc, m->trie, &m->arena, &root);
    m->world = world_new(test_alloc_reader(&m->alloc));
    m->cache = evm_code_cache_new(64 << 20);
    m->vm = evm_new(m->cache);
    CHECK(m->world != NULL && m->cache != NULL && m->vm != NULL);
    m->x = (struct exec){
        .world = m->world,
        .vm = m->vm,
        .code_cache = m->cache,
        .rules = &eth_tx_rules,
        .revision = EVM_CANCUN,
        .chain_id = 1,
        .tx_gas_cap = UINT64_MAX,
    };
    m->x.block =
        (struct evm_block_ctx){.chain_id = 1, .number = 1, .timestamp = 1, .gas_limit = INT64_MAX};
    return ERR_OK;
}

static void machine_close(struct bench_machine *m) {
    evm_free(m->vm);
    evm_code_cache_free(m->cache);
    world_free(m->world);
    state_trie_free(m->trie);
    arena_clear(&m->arena);
}

/* One run; nanoseconds, or a negative number when the program did not succeed. */
static double run_once(struct bench_machine *m, const struct program *p, enum evm_tier tier,
                       int64_t *out_gas) {
    struct evm_message msg = {.kind = EVM_CALL,
                              .sender = p->from,
                              .recipient = p->to,
                              .input = p->input,
                              .gas = (int64_t)p->gas};
    struct evm_result result;
    u256 price = U256_ONE;
    m->x.tier = tier;
    world_block_begin(m->world, 1);
    world_tx_begin(m->world);
    double start = bench_now_ns();
    exec_call(&m->x, &msg, &price, &result);
    double ns = bench_now_ns() - start;
    *out_gas = msg.gas - result.gas_left;
    bool failed = result.status != EVM_SUCCESS && result.status != EVM_REVERT;
    world_block_abandon(m->world);
    return failed ? -1 : ns;
}

static enum err time_program(double *out_ns, int64_t *out_gas, struct bench_machine *m,
                             const struct program *p, enum evm_tier tier, struct err_ctx *ec) {
    double ns[RUNS_MAX], total = 0;
    size_t n = 0;
    while (n < RUNS_MAX && (n < RUNS_MIN || total < TIME_PER_RUN_NS)) {
        ns[n] = run_once(m, p, tier, out_gas);
        if (ns[n] < 0)
            FAIL(ec, ERR_INVALID, "%s does not run to its end", p->name);
        total += ns[n++];
    }
    *out_ns = bench_median(ns, n);
    return ERR_OK;
}

static enum err bench_program(struct bench_report *r, struct bench_machine *m,
                              const struct program *p, struct err_ctx *ec) {
    struct bench_series us = {0};
    for (size_t run = 0; run < r->runs; run++) {
        double fast, reference;
        int64_t gas_fast, gas_reference;
        TRY(time_program(&fast, &gas_fast, m, p, EVM_TIER_FAST, ec));
        TRY(time_program(&reference, &gas_reference, m, p, EVM_TIER_REFERENCE, ec));
        if (gas_fast != gas_reference)
            FAIL(ec, ERR_MISMATCH, "%s: the tiers used %lld and %lld gas", p->name,
                 (long long)gas_fast, (long long)gas_reference);
        bench_series_add(&us, fast / 1e3, reference / 1e3);
    }
    bench_add_series(
        r,
        &(struct bench_row){
            .name = p->name, .unit = "us", .peer = "reference tier", .smaller_is_better = true},
        &us);
    return ERR_OK;
}

/* By which figures of another machine can be compared with this one's. */
static enum err bench_yardstick(struct bench_report *r) {
    struct bench_series us = {0};
    hash32 key, digest;
    struct secp_sig sig;
    addr20 who;
    keccak256(&key, "key", 3);
    keccak256(&digest, "digest", 6);
    TRY(secp_sign(&sig, &digest, key.b));
    for (size_t run = 0; run < r->runs; run++) {
        double ns[RUNS_MAX];
        for (size_t i = 0; i < RUNS_MAX; i++) {
            double start = bench_now_ns();
            TRY(secp_recover(&who, &digest, &sig));
            ns[i] = bench_now_ns() - start;
        }
        bench_series_add(&us, bench_median(ns, RUNS_MAX) / 1e3, 0);
    }
    bench_add_series(
        r,
        &(struct bench_row){.name = "one recovery by libsecp256k1, to compare machines by",
                            .unit = "us"},
        &us);
    return ERR_OK;
}

static enum err bench_test(struct bench_report *r, const char *name, const json_t *test,
                           struct err_ctx *ec) {
    struct bench_machine m = {0};
    const json_t *tx = json_object_get(test, "transaction");
    const json_t *data = json_object_get(tx, "data");
    struct program p = {0};
    arena_init(&m.arena, 1 << 20, ARENA_MAX_BYTES);
    enum err e = machine_open(&m, test, ec);
    for (size_t i = 0; e == ERR_OK && i < json_array_size(data); i++) {
        snprintf(p.name, sizeof p.name, "%s %zu", name, i);
        if (r->only != NULL && strstr(p.name, r->only) == NULL)
            continue;
        e = testfile_value_bytes(&p.input, &m.arena, json_array_get(data, i));
        if (e == ERR_OK)
            e = testfile_fixed(p.to.b, 20, tx, "to");
        p.gas = 1000000000; /* all of the set's transactions have this limit */
        if (e == ERR_OK)
            e = bench_program(r, &m, &p, ec);
    }
    machine_close(&m);
    return e;
}

static enum err bench_file(struct bench_report *r, const char *path, struct err_ctx *ec) {
    json_error_t je;
    json_t *root = json_load_file(path, 0, &je);
    if (root == NULL)
        FAIL(ec, ERR_PARSE, "%s: %s", path, je.text);
    enum err e = ERR_OK;
    const char *name;
    json_t *test;
    json_object_foreach(root, name, test) {
        if (e == ERR_OK)
            e = bench_test(r, name, test, ec);
    }
    json_decref(root);
    return e;
}

static int is_json(const struct dirent *d) {
    const char *dot = strrchr(d->d_name, '.');
    return dot != NULL && strcmp(dot, ".json") == 0;
}

enum err bench_evm(struct bench_report *r, struct err_ctx *ec) {
    const char *corpora = getenv("CORPORA");
    enum err e = ERR_OK;
    if (corpora == NULL)
        FAIL(ec, ERR_NOT_FOUND, "the programs are in the corpora: set CORPORA");
    TRY(bench_yardstick(r));
    static const char *const folders[] = {"main", "micro"};
    for (size_t f = 0; f < ARRAY_LEN(folders); f++) {
        char dir[512];
        struct dirent **names = NULL;
        snprintf(dir, sizeof dir, "%s/bench/evm-benchmarks/%s", corpora, folders[f]);
        int n = scandir(dir, &names, is_json, alphasort);
        if (n <= 0 || n > PROGRAMS_MAX)
            FAIL(ec, ERR_NOT_FOUND, "%s holds no programs", dir);
        for (int i = 0; i < n; i++) {
            char path[1024];
            snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name);
            if (e == ERR_OK)
                e = bench_file(r, path, ec);
            free(names[i]);
        }
        free(names);
    }
    return e;
}
