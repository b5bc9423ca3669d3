/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter statetest`: one transaction over a given state, judged by the state root and the logs
 * after it. */
#include "node/commands.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "node/testfile.h"
#include "node/testmachine.h"
#include "node/testrun.h"
#include "node/testtx.h"
#include "node/trace_eip3155.h"

#include <stdio.h>
#include <stdlib.h>

enum { REASON_MAX = 1024 };

/* One worker's machine. */
struct machine {
    struct test_machine on;
    struct buf logs;
};

/* What all cases of one named test share. */
struct test {
    const char *name;
    struct test_alloc pre;
    hash32 pre_root;
    struct header env;
    uint64_t chain_id;
    const json_t *transaction;
    const json_t *schedule;
};

struct outcome {
    enum err decode_err;
    enum tx_verdict verdict;
    bool success;
    uint64_t gas_used;
    hash32 root;
    hash32 logs;
};

static void *machine_open(void) {
    struct machine *m = calloc(1, sizeof *m);
    CHECK(m != NULL);
    test_machine_init(&m->on);
    /* One transaction seldom makes code hot: decode all of it. Block tests run as the node does. */
    evm_code_cache_set_heat(m->on.code_cache, 0);
    buf_init(&m->logs, SIZE_MAX);
    return m;
}

static void machine_close(void *ctx) {
    struct machine *m = ctx;
    buf_clear(&m->logs);
    test_machine_clear(&m->on);
    free(m);
}

/* BLOCKHASH in these tests: keccak of the number in decimal. */
static hash32 block_hash(void *ctx, uint64_t number) {
    (void)ctx;
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    hash32 h;
    keccak256(&h, text, (size_t)len);
    return h;
}

static enum err parse_env(struct header *out, const json_t *env) {
    struct header h;
    memset(&h, 0, sizeof h);
    TRY(testfile_fixed(h.coinbase.b, sizeof h.coinbase.b, env, "currentCoinbase"));
    TRY(testfile_u64(&h.gas_limit, env, "currentGasLimit"));
    TRY(testfile_u64(&h.number, env, "currentNumber"));
    TRY(testfile_u64(&h.timestamp, env, "currentTimestamp"));
    TRY(testfile_fixed(h.mix_hash.b, sizeof h.mix_hash.b, env, "currentRandom"));
    TRY(testfile_u256(&h.base_fee, env, "currentBaseFee"));
    enum err e = testfile_u64(&h.excess_blob_gas, env, "currentExcessBlobGas");
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return e;
    *out = h;
    return ERR_OK;
}

/* --- one case --------------------------------------------------------------------------------- */

static void run_tier(struct machine *m, struct arena *a, const struct test *t,
                     const struct eth_fork *fork, const struct tx *tx, enum evm_tier tier,
                     const struct evm_tracer *tracer, struct outcome *out) {
    evm_code_cache_trim(m->on.code_cache);
    world_reset(m->on.world, test_alloc_reader(&t->pre));
    struct exec x = {
        .world = m->on.world,
        .vm = m->on.vm,
        .code_cache = m->on.code_cache,
        .tier = tier,
        .tracer = tier == EVM_TIER_REFERENCE ? tracer : NULL,
        .chain_id = t->chain_id,
        .block_hash = block_hash,
    };
    eth_exec_begin(&x, fork, &t->env);
    world_block_begin(m->on.world, t->env.number);
    struct tx_result result;
    struct receipt receipt;
    memset(&receipt, 0, sizeof receipt);
    out->verdict = apply_tx(&x, tx, a, &result, &receipt);
    if (out->verdict == TX_OK) {
        out->success = receipt.success;
        out->gas_used = receipt.gas_used;
        if (tracer != NULL && tier == EVM_TIER_REFERENCE)
            fprintf(stderr, "{\"pass\":%s,\"gasUsed\":\"0x%llx\"}\n",
                    receipt.success ? "true" : "false", (unsigned long long)receipt.gas_used);
    }
    struct world_diff diff;
    world_block_end(m->on.world, a, &diff);
    struct test_alloc pre = t->pre;
    hash32 root;
    state_trie_reset(m->on.trie);
    test_alloc_root(&pre, m->on.trie, a, &root);
    state_trie_apply(m->on.trie, &diff, &out->root);
    buf_reset(&m->logs);
    receipt_encode_logs(&m->logs, receipt.logs, receipt.log_count);
    CHECK(!m->logs.overflow);
    out->logs = keccak256_bytes(buf_bytes(&m->logs));
}

/* NULL when the outcome is the expected one. */
static const char *judge_outcome(char reason[REASON_MAX], struct machine *m, struct arena *a,
                                 const json_t *post, const struct outcome *o) {
    const char *expected = json_string_value(json_object_get(post, "expectException"));
    bool refused = o->decode_err != ERR_OK || o->verdict != TX_OK;
    const char *why =
        o->decode_err != ERR_OK ? err_name(o->decode_err) : tx_verdict_name(o->verdict);
    if (expected != NULL) {
        if (!refused)
            return "the transaction was executed but should have been refused";
        bool named = o->decode_err != ERR_OK ? testfile_names_decode_error(expected, o->decode_err)
                                             : testfile_names_verdict(expected, o->verdict);
        if (!named) {
            (void)snprintf(reason, REASON_MAX, "refused as %s, expected %s", why, expected);
            return reason;
        }
    } else if (refused) {
        (void)snprintf(reason, REASON_MAX, "refused as %s but should have been executed", why);
        return reason;
    }
    hash32 root, logs;
    if (testfile_fixed(root.b, sizeof root.b, post, "hash") != ERR_OK ||
        testfile_fixed(logs.b, sizeof logs.b, post, "logs") != ERR_OK)
        return "malformed: post has no hash or logs";
    if (!hash32_eq(&logs, &o->logs))
        return "the logs hash differs";
    if (hash32_eq(&root, &o->root))
        return NULL;
    struct test_alloc state;
    int used = snprintf(reason, REASON_MAX, "the state root differs");
    if (json_object_get(post, "state") != NULL &&
        test_alloc_parse(&state, a, json_object_get(post, "state"), NULL) == ERR_OK) {
        reason[used++] = ':';
        reason[used++] = ' ';
        if (!test_alloc_differs(reason + used, REASON_MAX - (size_t)used, m->on.world, &state))
            (void)snprintf(reason + used, REASON_MAX - (size_t)used, "an account or slot too many");
    }
    return reason;
}

static bool same_outcome(const struct outcome *a, const struct outcome *b) {
    return a->verdict == b->verdict && a->success == b->success && a->gas_used == b->gas_used &&
           hash32_eq(&a->root, &b->root) && hash32_eq(&a->logs, &b->logs);
}

static void describe(char *text, size_t len, const struct outcome *o) {
    char root[17] = {0}, logs[17] = {0};
    hex_encode(root, o->root.b, 8);
    hex_encode(logs, o->logs.b, 8);
    (void)snprintf(text, len, "%s, %s, gas %llu, root 0x%s.., logs 0x%s..",
                   tx_verdict_name(o->verdict), o->success ? "success" : "failure",
                   (unsigned long long)o->gas_used, root, logs);
}

static const char *tiers_differ(char reason[REASON_MAX], const struct outcome o[2]) {
    if (same_outcome(&o[0], &o[1]))
        return NULL;
    char fast[256], reference[256];
    describe(fast, sizeof fast, &o[EVM_TIER_FAST]);
    describe(reference, sizeof reference, &o[EVM_TIER_REFERENCE]);
    (void)snprintf(reason, REASON_MAX, "the tiers differ: fast {%s}, reference {%s}", fast,
                   reference);
    return reason;
}

/* Runs a decoded transaction in the wanted tiers and judges it. */
static const char *judge_tx(char reason[REASON_MAX], struct testrun *r, struct machine *m,
                            const struct test *t, const struct eth_fork *fork, const json_t *post,
                            const struct tx *tx) {
    struct trace_eip3155 trace;
    trace_eip3155_init(&trace, stderr, false);
    struct outcome o[2];
    memset(o, 0, sizeof o);
    for (int tier = 0; tier < 2; tier++) {
        if (!r->tiers[tier])
            continue;
        run_tier(m, &r->arena, t, fork, tx, (enum evm_tier)tier, r->trace ? &trace.tracer : NULL,
                 &o[tier]);
        const char *bad = judge_outcome(reason, m, &r->arena, post, &o[tier]);
        if (bad == NULL)
            continue;
        const char *name = tier == EVM_TIER_FAST ? "fast tier" : "reference tier";
        char text[REASON_MAX];
        (void)snprintf(text, sizeof text, "%.20s: %.980s", name, bad);
        memcpy(reason, text, sizeof text);
        return reason;
    }
    return r->tiers[0] && r->tiers[1] ? tiers_differ(reason, o) : NULL;
}

static const char *judge_case(char reason[REASON_MAX], struct testrun *r, struct machine *m,
                              const struct test *t, const char *fork_name, const json_t *post) {
    struct eth_fork fork;
    bytes envelope;
    if (testfile_fork(&fork, fork_name, t->schedule) != ERR_OK)
        return "unknown fork or malformed blob schedule";
    if (testfile_bytes(&envelope, &r->arena, post, "txbytes") != ERR_OK)
        return "malformed: no txbytes";
    struct tx tx;
    enum err e = tx_decode(&tx, &r->arena, envelope, fork.revision >= EVM_CANCUN, NULL);
    if (e == ERR_OK)
        e = tx_recover_sender(&tx);
    if (e != ERR_OK) {
        struct outcome o = {.decode_err = e, .root = t->pre_root, .logs = KECCAK_EMPTY_LIST};
        return judge_outcome(reason, m, &r->arena, post, &o);
    }
    const char *member =
        testtx_differs(&r->arena, t->transaction, json_object_get(post, "indexes"), &tx);
    if (member != NULL) {
        (void)snprintf(reason, REASON_MAX, "txbytes and the transaction's %s differ", member);
        return reason;
    }
    return judge_tx(reason, r, m, t, &fork, post, &tx);
}

/* --- filling -----------------------------------------------------------------------------------
 */

static bool set_hex(json_t *o, const char *key, const void *ptr, size_t len) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    hex_put(&b, ptr, len);
    bool ok =
        !b.overflow && json_object_set_new(o, key, json_stringn((const char *)b.ptr, b.len)) == 0;
    buf_clear(&b);
    return ok;
}

static bool set_outcome(json_t *post, const struct tx *tx, const struct outcome *o) {
    char name[128];
    if (o->verdict == TX_OK) {
        (void)json_object_del(post, "expectException");
    } else {
        (void)snprintf(name, sizeof name, "TransactionException.%s",
                       testfile_name_of_verdict(o->verdict));
        if (json_object_set_new(post, "expectException", json_string(name)) != 0)
            return false;
    }
    return set_hex(post, "txbytes", tx->raw.ptr, tx->raw.len) &&
           set_hex(post, "hash", o->root.b, 32) && set_hex(post, "logs", o->logs.b, 32);
}

/* Expects from now on what both tiers give. */
static const char *fill_case(char reason[REASON_MAX], struct testrun *r, struct machine *m,
                             const struct test *t, const char *fork_name, json_t *post) {
    struct eth_fork fork;
    struct tx tx;
    struct err_ctx ec;
    struct outcome o[2];
    memset(o, 0, sizeof o);
    if (testfile_fork(&fork, fork_name, t->schedule) != ERR_OK)
        return "unknown fork or malformed blob schedule";
    if (testtx_build(&tx, &r->arena, t->transaction, json_object_get(post, "indexes"), t->chain_id,
                     &ec) != ERR_OK) {
        (void)snprintf(reason, REASON_MAX, "%s", ec.text);
        return reason;
    }
    for (int tier = 0; tier < 2; tier++)
        run_tier(m, &r->arena, t, &fork, &tx, (enum evm_tier)tier, NULL, &o[tier]);
    const char *bad = tiers_differ(reason, o);
    if (bad == NULL && o[0].verdict != TX_OK && testfile_name_of_verdict(o[0].verdict) == NULL)
        bad = "the verdict has no name";
    if (bad == NULL && !set_outcome(post, &tx, &o[0]))
        bad = "out of memory";
    return bad;
}

/* --- one file --------------------------------------------------------------------------------- */

static enum err parse_test(struct test *t, struct machine *m, struct arena *a, const json_t *o,
                           struct err_ctx *ec) {
    TRY(test_alloc_parse(&t->pre, a, json_object_get(o, "pre"), ec));
    enum err e = parse_env(&t->env, json_object_get(o, "env"));
    if (e != ERR_OK)
        FAIL(ec, e, "env is missing or malformed: %s", err_text(e));
    t->transaction = json_object_get(o, "transaction");
    if (!json_is_object(t->transaction))
        FAIL(ec, ERR_PARSE, "there is no transaction");
    const json_t *config = json_object_get(o, "config");
    t->schedule = json_object_get(config, "blobSchedule");
    t->chain_id = 1;
    e = testfile_u64(&t->chain_id, config, "chainid");
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        FAIL(ec, e, "config.chainid is malformed");
    state_trie_reset(m->on.trie);
    test_alloc_root(&t->pre, m->on.trie, a, &t->pre_root);
    return ERR_OK;
}

static void judge_post(struct testrun *r, struct machine *m, const struct test *t,
                       const struct err_ctx *bad, const char *fork, json_t *posts) {
    size_t i;
    json_t *post;
    json_array_foreach(posts, i, post) {
        if (!testrun_begin(r, t->name, fork, i))
            continue;
        char reason[REASON_MAX];
        struct arena_mark mark = arena_mark(&r->arena);
        const char *result = bad->err != ERR_OK ? bad->text
                             : r->fill          ? fill_case(reason, r, m, t, fork, post)
                                                : judge_case(reason, r, m, t, fork, post);
        arena_reset_to(&r->arena, mark);
        testrun_end(r, result);
    }
}

static void judge_file(struct testrun *r, void *ctx, json_t *file) {
    struct machine *m = ctx;
    const char *name, *fork;
    json_t *o, *posts;
    json_object_foreach(file, name, o) {
        struct test t;
        memset(&t, 0, sizeof t);
        t.name = name;
        struct err_ctx bad = {.err = ERR_OK};
        arena_reset(&r->arena);
        enum err e = parse_test(&t, m, &r->arena, o, &bad);
        if (e == ERR_OK && r->fill)
            e = testtx_sign_authorizations(json_object_get(o, "transaction"), &bad);
        CHECK(e == bad.err);
        json_t *post = json_object_get(o, "post");
        if (!json_is_object(post)) {
            testrun_file_failed(r, "a test has no post");
            continue;
        }
        json_object_foreach(post, fork, posts) judge_post(r, m, &t, &bad, fork, posts);
    }
}

int cmd_statetest(int argc, char **argv) {
    static const struct testrun_kind kind = {
        .command = "statetest",
        .summary = "Runs state tests in the execution-spec format: one transaction over a given "
                   "state, judged by the\n"
                   "state root and the logs after it, or by the reason for its refusal.",
        .open = machine_open,
        .close = machine_close,
        .judge = judge_file,
        .can_fill = true,
    };
    return testrun_main(&kind, argc, argv);
}
