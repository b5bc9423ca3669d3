/* SPDX-License-Identifier: Apache-2.0 */
/* Tracer vectors ($CORPORA/tracers): each file has a pre-state, a block's context, a signed
 * transaction and what geth's tracer says of it. Those of Shanghai and later must come out equal.
 * Older ones have another gas schedule, and some another meaning of instructions; they run under
 * Shanghai's rules all the same, and the list below says how far each of them still agrees. A
 * vector that agrees better or worse than the list says is a failure, so the list cannot rot.
 *
 *   tracer_vectors [FOLDER]     default: $CORPORA/tracers */
#include "base/check.h"
#include "base/hex.h"
#include "chain/eth_block.h"
#include "rpc/trace.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_BYTES = 1024, FILES_MAX = 256, JSON_MAX_BYTES = 16 << 20 };

/* How far a vector agrees. */
enum agreement {
    AGREES,            /* equal */
    AGREES_BUT_GAS,    /* equal without gas, gasUsed and balances, of which gas was paid */
    AGREES_BUT_NONCES, /* equal without these and nonces: new contracts have 1 since EIP-161 */
    DIFFERS,           /* other prices or rules change what the code does */
    CANNOT_RUN,        /* not a transaction of Shanghai: refused */
    CANNOT_READ,       /* not a transaction at all */
    AGREEMENT_COUNT
};
static const char *const agreement_text[AGREEMENT_COUNT] = {
    "equal",           "equal but for gas", "equal but for gas and nonces",
    "another outcome", "refused",           "malformed"};

/* The vectors of older forks. */
static const struct {
    const char *name;
    enum agreement agrees;
    const char *why;
} older[] = {
    {"call_tracer/create.json", AGREES_BUT_GAS, "gas prices of Byzantium"},
    {"call_tracer/deep_calls.json", AGREES_BUT_GAS, "gas prices of Spurious Dragon"},
    {"call_tracer/inner_create_oog_outer_throw.json", AGREES_BUT_GAS, "gas prices of Byzantium"},
    {"call_tracer/inner_revert_reason.json", AGREES_BUT_GAS, "gas prices of London"},
    {"call_tracer/inner_throw_outer_revert.json", AGREES_BUT_GAS, "gas prices of Byzantium"},
    {"call_tracer/revert_reason.json", AGREES_BUT_GAS, "gas prices of Istanbul"},
    {"call_tracer/selfdestruct.json", AGREES_BUT_GAS, "gas prices of Byzantium"},
    {"call_tracer/simple.json", AGREES_BUT_GAS, "gas prices of Byzantium"},
    {"call_tracer/simple_onlytop.json", AGREES_BUT_GAS, "gas prices of Byzantium"},
    {"call_tracer_withLog/frontier_create_outofstorage.json", DIFFERS,
     "Frontier: a creation that cannot pay for its code succeeds without it"},
    {"call_tracer_withLog/multi_contracts.json", AGREES_BUT_GAS, "gas prices of Homestead"},
    {"call_tracer_withLog/notopic.json", AGREES_BUT_GAS, "gas prices of Homestead"},
    {"call_tracer_withLog/simple.json", AGREES_BUT_GAS, "gas prices of Frontier"},
    {"call_tracer_withLog/tx_failed.json", AGREES_BUT_GAS, "gas prices of Homestead"},
    {"call_tracer_withLog/tx_partial_failed.json", DIFFERS,
     "gas prices of Homestead; the vector's logs have no index yet"},
    {"call_tracer_withLog/with_onlyTopCall.json", AGREES_BUT_GAS, "gas prices of Frontier"},
    {"prestate_tracer_with_diff_mode/create.json", AGREES_BUT_NONCES,
     "gas prices of Frontier; new contracts had nonce 0"},
    {"prestate_tracer_with_diff_mode/create_disable_code.json", AGREES_BUT_NONCES,
     "gas prices of Frontier; new contracts had nonce 0"},
    {"prestate_tracer_with_diff_mode/create_disable_storage.json", AGREES_BUT_NONCES,
     "gas prices of Frontier; new contracts had nonce 0"},
    {"prestate_tracer_with_diff_mode/create_post_eip158.json", AGREES_BUT_GAS,
     "gas prices of London"},
    {"prestate_tracer_with_diff_mode/create_suicide.json", AGREES_BUT_GAS,
     "gas prices of Frontier"},
    {"prestate_tracer_with_diff_mode/inner_create.json", AGREES_BUT_NONCES,
     "gas prices of Frontier; new contracts had nonce 0"},
    {"prestate_tracer_with_diff_mode/inner_create_disable_code_and_storage.json", AGREES_BUT_NONCES,
     "gas prices of Frontier; new contracts had nonce 0"},
    {"prestate_tracer_with_diff_mode/simple.json", AGREES_BUT_GAS, "gas prices of Byzantium"},
    {"prestate_tracer_with_diff_mode/simple_disable_code_and_storage.json", AGREES_BUT_GAS,
     "gas prices of Byzantium"},
    {"prestate_tracer_with_diff_mode/suicide.json", AGREES_BUT_GAS, "gas prices of Frontier"},
};

struct judge {
    struct arena arena;
    struct world *world;
    struct evm_code_cache *cache;
    struct evm *vm;
    unsigned passed, failed, skipped;
};

/* --- reading ------------------------------------------------------------------------------- */
/* Numbers are JSON numbers, decimal text or hexadecimal text. */
static u256 number(const json_t *v) {
    u256 out = U256_ZERO;
    const char *s = json_string_value(v);
    if (json_is_integer(v))
        return u256_from_u64((uint64_t)json_integer_value(v));
    if (s == NULL)
        return out;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        CHECK(hex_parse_u256(&out, s, strlen(s), true) == ERR_OK);
        return out;
    }
    const u256 ten = u256_from_u64(10);
    for (; *s >= '0' && *s <= '9'; s++) {
        u256 digit = u256_from_u64((uint64_t)(*s - '0'));
        out = u256_mul(&out, &ten);
        out = u256_add(&out, &digit);
    }
    CHECK(*s == '\0');
    return out;
}

static uint64_t number_u64(const json_t *o, const char *key) {
    u256 v = number(json_object_get(o, key));
    CHECK(u256_fits_u64(&v));
    return v.w[0];
}

static bytes data(struct arena *a, const json_t *v) {
    const char *s = json_string_value(v);
    size_t len = s == NULL ? 0 : strlen(s), got = 0;
    uint8_t *p = arena_alloc(a, len / 2 + 1);
    if (len != 0)
        CHECK(hex_decode(p, len / 2 + 1, &got, s, len) == ERR_OK);
    return bytes_of(p, got);
}

static void fill_account(struct judge *j, const char *key, const json_t *acc) {
    struct world *w = j->world;
    addr20 a;
    CHECK(hex_decode_fixed(a.b, 20, key) == ERR_OK);
    u256 balance = number(json_object_get(acc, "balance"));
    world_set_balance(w, &a, &balance);
    world_set_nonce(w, &a, number_u64(acc, "nonce"));
    world_set_code(w, &a, data(&j->arena, json_object_get(acc, "code")));
    const char *slot_key;
    json_t *v;
    json_object_foreach(json_object_get(acc, "storage"), slot_key, v) {
        hash32 slot, value;
        CHECK(hex_decode_fixed(slot.b, 32, slot_key) == ERR_OK);
        CHECK(hex_decode_fixed(value.b, 32, json_string_value(v)) == ERR_OK);
        u256 s = u256_from_be32(slot.b), x = u256_from_be32(value.b);
        world_set_storage(w, &a, &s, &x);
    }
}

static void fill_world(struct judge *j, const json_t *alloc) {
    const char *key;
    json_t *acc;
    world_reset(j->world, (struct state_reader){0});
    world_block_begin(j->world, 1);
    world_tx_begin(j->world);
    json_object_foreach((json_t *)(uintptr_t)alloc, key, acc) fill_account(j, key, acc);
    world_tx_end(j->world);
}

/* --- forks --------------------------------------------------------------------------------- */
static bool since(const json_t *config, const char *key, uint64_t now) {
    const json_t *v = json_object_get(config, key);
    return v != NULL && !json_is_null(v) && number_u64(config, key) <= now;
}

/* *out_old: before Shanghai, whose rules are taken instead. */
static struct eth_fork fork_of(const json_t *genesis, uint64_t timestamp, bool *out_old) {
    const json_t *config = json_object_get(genesis, "config");
    struct eth_fork f = {.revision = EVM_SHANGHAI};
    const char *name = NULL;
    if (since(config, "cancunTime", timestamp)) {
        f = (struct eth_fork){.revision = EVM_CANCUN, .blob = {3, 6, 3338477}};
        name = "cancun";
    }
    if (since(config, "pragueTime", timestamp)) {
        f = (struct eth_fork){.revision = EVM_PRAGUE, .blob = {6, 9, 5007716}};
        name = "prague";
    }
    const json_t *blob = json_object_get(json_object_get(config, "blobSchedule"), name);
    if (blob != NULL)
        f.blob = (struct eth_blob_params){number_u64(blob, "target"), number_u64(blob, "max"),
                                          number_u64(blob, "baseFeeUpdateFraction")};
    *out_old = !since(config, "shanghaiTime", timestamp);
    return f;
}

static struct header header_of(const json_t *genesis, const json_t *context,
                               const struct eth_fork *fork) {
    struct header parent = {.excess_blob_gas = number_u64(genesis, "excessBlobGas"),
                            .blob_gas_used = number_u64(genesis, "blobGasUsed")};
    struct header h = {
        .number = number_u64(context, "number"),
        .timestamp = number_u64(context, "timestamp"),
        .gas_limit = number_u64(context, "gasLimit"),
        .base_fee = number(json_object_get(context, "baseFeePerGas")),
        .difficulty = number(json_object_get(context, "difficulty")),
    };
    if (fork->revision >= EVM_CANCUN)
        h.excess_blob_gas = eth_next_excess_blob_gas(fork, &parent);
    CHECK(hex_decode_fixed(h.coinbase.b, 20,
                           json_string_value(json_object_get(context, "miner"))) == ERR_OK);
    u256_to_be32(h.mix_hash.b, &h.difficulty); /* as geth's harness has it before the merge */
    return h;
}

/* --- running ------------------------------------------------------------------------------- */
struct run {
    struct trace *trace;
    struct exec x;
};

static const struct evm_tracer *begin(void *ctx, struct exec *x, const struct tx *tx) {
    struct run *r = ctx;
    return trace_begin(r->trace, x, tx, 0, 0);
}

static bool end(void *ctx, struct exec *x, const struct tx *tx, enum tx_verdict v,
                const struct tx_result *r) {
    struct run *run = ctx;
    if (v == TX_OK)
        trace_end(run->trace, x, tx, r);
    return true;
}

/* The trace as JSON, NULL if there is none: then *out says why. */
static json_t *trace_of(struct judge *j, const json_t *file, const char *tracer, bool *out_old,
                        enum agreement *out) {
    const json_t *genesis = json_object_get(file, "genesis"),
                 *context = json_object_get(file, "context");
    struct eth_fork fork = fork_of(genesis, number_u64(context, "timestamp"), out_old);
    struct header h = header_of(genesis, context, &fork);
    struct tx tx;
    *out = CANNOT_READ;
    if (tx_decode(&tx, &j->arena, data(&j->arena, json_object_get(file, "input")), true, NULL) !=
            ERR_OK ||
        tx_recover_sender(&tx) != ERR_OK)
        return NULL;
    fill_world(j, json_object_get(genesis, "alloc"));
    struct run r = {.x = {.world = j->world,
                          .vm = j->vm,
                          .code_cache = j->cache,
                          .tier = EVM_TIER_FAST,
                          .chain_id = tx.has_chain_id ? tx.chain_id : 1}};
    eth_exec_begin(&r.x, &fork, &h);
    json_t *config = json_pack("{s:s, s:O*}", "tracer", tracer, "tracerConfig",
                               json_object_get(file, "tracerConfig"));
    struct trace_options o;
    char why[TRACE_TEXT_MAX];
    CHECK(trace_options_parse(&o, config, why));
    json_decref(config);
    r.trace = trace_new(&o, JSON_MAX_BYTES);
    const struct exec_watch w = {.ctx = &r, .begin = begin, .end = end};
    struct tx_result result;
    struct receipt receipt;
    bool stop;
    json_t *got = NULL;
    *out = CANNOT_RUN;
    if (apply_tx_watched(&r.x, &tx, &j->arena, &result, &receipt, &w, &stop) == TX_OK) {
        CHECK(trace_outcome(r.trace) == TRACE_OK);
        struct buf b;
        struct json_writer jw;
        buf_init(&b, JSON_MAX_BYTES);
        jw_init(&jw, &b);
        trace_write(r.trace, &jw);
        got = json_loadb((const char *)b.ptr, b.len, 0, NULL);
        CHECK(got != NULL);
        buf_clear(&b);
    }
    trace_free(r.trace);
    world_block_abandon(j->world);
    return got;
}

/* --- comparing ----------------------------------------------------------------------------- */
/* Removes members by name, at any depth: a trace nests at most 1,025 calls. */
static void drop(json_t *v, const char *const *keys, size_t count) {
    json_t *child;
    size_t i;
    const char *key;
    if (json_is_object(v)) {
        for (size_t k = 0; k < count; k++)
            (void)json_object_del(v, keys[k]);
        json_object_foreach(v, key, child) drop(child, keys, count);
    }
    if (json_is_array(v))
        json_array_foreach(v, i, child) drop(child, keys, count);
}

static void show(const char *what, const json_t *v) {
    char *s = json_dumps(v, JSON_INDENT(1) | JSON_SORT_KEYS);
    printf("  %s %s\n", what, s);
    free(s);
}

static enum agreement compare(json_t *got, const json_t *want) {
    static const char *const keys[] = {"gas", "gasUsed", "balance", "nonce"};
    if (json_equal(got, want))
        return AGREES;
    json_t *w = json_deep_copy(want);
    enum agreement a = DIFFERS;
    for (size_t count = 3; count <= ARRAY_LEN(keys) && a == DIFFERS; count++) {
        drop(got, keys, count);
        drop(w, keys, count);
        if (json_equal(got, w))
            a = count == 3 ? AGREES_BUT_GAS : AGREES_BUT_NONCES;
    }
    json_decref(w);
    return a;
}

static void judge_file(struct judge *j, const char *path, const char *name, const char *tracer) {
    json_error_t je;
    json_t *file = json_load_file(path, 0, &je);
    if (file == NULL) {
        printf("FAIL %s: %s\n", name, je.text);
        j->failed++;
        return;
    }
    bool old = false;
    enum agreement a;
    json_t *got = trace_of(j, file, tracer, &old, &a);
    if (got != NULL) {
        json_t *shown = json_deep_copy(got);
        a = compare(got, json_object_get(file, "result"));
        if (!old && a != AGREES) {
            show("got", shown);
            show("want", json_object_get(file, "result"));
        }
        json_decref(shown);
        json_decref(got);
    }
    size_t i = 0;
    while (i < ARRAY_LEN(older) && strcmp(older[i].name, name) != 0)
        i++;
    bool listed = i < ARRAY_LEN(older);
    if (a != (listed ? older[i].agrees : AGREES)) {
        printf("FAIL %s: %s\n", name, agreement_text[a]);
        j->failed++;
    } else if (a == AGREES) {
        j->passed++;
    } else {
        printf("left out: %s (%s): %s\n", name, agreement_text[a], older[i].why);
        j->skipped++;
    }
    json_decref(file);
    arena_reset(&j->arena);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void judge_folder(struct judge *j, const char *root, const char *folder,
                         const char *tracer) {
    char path[PATH_MAX_BYTES], name[PATH_MAX_BYTES], *names[FILES_MAX];
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", root, folder);
    DIR *d = opendir(path);
    if (d == NULL) {
        printf("FAIL %s: no such folder\n", path);
        j->failed++;
        return;
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (len > 5 && strcmp(e->d_name + len - 5, ".json") == 0) {
            CHECK(count < FILES_MAX);
            names[count++] = strdup(e->d_name);
        }
    }
    closedir(d);
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%s/%s/%s", root, folder, names[i]);
        (void)snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        judge_file(j, path, name, tracer);
        free(names[i]);
    }
}

int main(int argc, char **argv) {
    char root[PATH_MAX_BYTES];
    const char *corpora = getenv("CORPORA");
    if (argc > 1) {
        (void)snprintf(root, sizeof root, "%s", argv[1]);
    } else if (corpora != NULL) {
        (void)snprintf(root, sizeof root, "%s/tracers", corpora);
    } else {
        puts("CORPORA is not set: no tracer vectors to read");
        puts("0 passed, 0 failed, 1 skipped");
        return 0;
    }
    struct judge j = {0};
    arena_init(&j.arena, 1 << 20, 1 << 28);
    j.world = world_new((struct state_reader){0});
    j.cache = evm_code_cache_new(16 << 20);
    j.vm = evm_new(j.cache);
    CHECK(j.world != NULL && j.cache != NULL && j.vm != NULL);
    judge_folder(&j, root, "call_tracer", "callTracer");
    judge_folder(&j, root, "call_tracer_withLog", "callTracer");
    judge_folder(&j, root, "prestate_tracer", "prestateTracer");
    judge_folder(&j, root, "prestate_tracer_with_diff_mode", "prestateTracer");
    evm_free(j.vm);
    evm_code_cache_free(j.cache);
    world_free(j.world);
    arena_clear(&j.arena);
    printf("%u passed, %u failed, %u skipped\n", j.passed, j.failed, j.skipped);
    return j.failed != 0;
}
