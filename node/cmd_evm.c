/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter evm run`: one piece of code over an otherwise empty world. */
#include "node/commands.h"
#include "node/args.h"

#include "base/check.h"
#include "base/hex.h"
#include "chain/eth_block.h"
#include "chain/exec.h"
#include "evm/opcode.h"
#include "node/bench.h"
#include "node/print_profile.h"
#include "node/trace_eip3155.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    REPEAT_MAX = 1000000,
    FILE_MAX_BYTES = 16 << 20, /* of hexadecimal text */
    CODE_CACHE_BYTES = 64 << 20,
    ARENA_MAX_BYTES = 64 << 20,
};
static const int64_t GAS_DEFAULT = 1000000000;

struct options {
    struct buf code;
    struct buf input;
    int64_t gas;
    enum evm_revision revision;
    enum evm_tier tier;
    bool tier_given;
    unsigned repeat; /* 0: run once, untimed */
    bool trace;
    bool json;
    size_t profile_rows; /* 0: nothing is counted */
};

/* One world with the code at an address of its own, run again and again from the same state. */
struct sandbox {
    struct arena arena;
    struct world *world;
    struct evm_code_cache *cache;
    struct evm_profile *profile;
    struct evm *vm;
    struct exec x;
    addr20 caller, contract;
};

static bool no_account(void *ctx, struct account *out, const hash32 *addr_hash) {
    (void)ctx;
    (void)out;
    (void)addr_hash;
    return false;
}
static void no_storage(void *ctx, u256 *out, uint64_t store_id, const hash32 *slot_hash) {
    (void)ctx;
    (void)store_id;
    (void)slot_hash;
    *out = U256_ZERO;
}
static bool no_code(void *ctx, bytes *out, const hash32 *code_hash) {
    (void)ctx;
    (void)out;
    (void)code_hash;
    return false;
}
static const struct state_reader_ops empty_state = {
    .account = no_account, .storage = no_storage, .code = no_code};

static void sandbox_open(struct sandbox *s, const struct options *o) {
    *s = (struct sandbox){.world = world_new((struct state_reader){.ops = &empty_state}),
                          .cache = evm_code_cache_new(CODE_CACHE_BYTES)};
    CHECK(s->world != NULL);
    CHECK(s->cache != NULL);
    if (o->profile_rows != 0) {
        s->profile = evm_profile_new();
        CHECK(s->profile != NULL);
        evm_code_cache_set_profile(s->cache, s->profile);
    }
    s->vm = evm_new(s->cache);
    CHECK(s->vm != NULL);
    arena_init(&s->arena, 1 << 16, ARENA_MAX_BYTES);
    memset(s->caller.b, 0xca, sizeof s->caller.b);
    memset(s->contract.b, 0xc0, sizeof s->contract.b);

    u256 rich = {{0, 0, 1, 0}};
    struct world_diff diff;
    world_block_begin(s->world, 1);
    world_tx_begin(s->world);
    world_set_balance(s->world, &s->caller, &rich);
    world_create(s->world, &s->contract);
    world_set_code(s->world, &s->contract, buf_bytes(&o->code));
    world_tx_end(s->world);
    world_block_end(s->world, &s->arena, &diff);

    s->x = (struct exec){
        .world = s->world,
        .vm = s->vm,
        .code_cache = s->cache,
        .rules = &eth_tx_rules,
        .revision = o->revision,
        .tier = o->tier,
        .chain_id = 1,
        .tx_gas_cap = UINT64_MAX,
        .block = {.chain_id = 1, .number = 2, .timestamp = 1, .gas_limit = INT64_MAX},
    };
}

static void sandbox_close(struct sandbox *s) {
    evm_free(s->vm);
    evm_code_cache_free(s->cache);
    evm_profile_free(s->profile);
    world_free(s->world);
    arena_clear(&s->arena);
}

/* Nanoseconds; the result's output lives until the next run. */
static double sandbox_run(struct sandbox *s, const struct options *o, struct evm_result *out) {
    struct evm_message msg = {.kind = EVM_CALL,
                              .sender = s->caller,
                              .recipient = s->contract,
                              .input = buf_bytes(&o->input),
                              .gas = o->gas};
    world_block_begin(s->world, 2);
    world_tx_begin(s->world);
    /* EIP-2929: both ends of a transaction are warm. */
    world_warm_account(s->world, &s->caller);
    world_warm_account(s->world, &s->contract);
    double start = bench_now_ns();
    exec_call(&s->x, &msg, &U256_ONE, out);
    double ns = bench_now_ns() - start;
    world_block_abandon(s->world);
    return ns;
}

static void print_text(const struct evm_result *r, int64_t gas_used) {
    const char *why = evm_status_text(r->status);
    printf("status   %s\n", r->status == EVM_SUCCESS ? "success" : why);
    printf("gas used %lld\n", (long long)gas_used);
    if (r->gas_refund != 0)
        printf("refund   %lld\n", (long long)r->gas_refund);
    printf("output   0x");
    for (size_t i = 0; i < r->output.len; i++)
        printf("%02x", r->output.ptr[i]);
    printf("\n");
}

static void print_json(const struct evm_result *r, int64_t gas_used, const double *ns,
                       const struct options *o) {
    printf("{\"success\":%s,\"gasUsed\":%lld,\"refund\":%lld,\"output\":\"0x",
           r->status == EVM_SUCCESS ? "true" : "false", (long long)gas_used,
           (long long)r->gas_refund);
    for (size_t i = 0; i < r->output.len; i++)
        printf("%02x", r->output.ptr[i]);
    printf("\"");
    if (r->status != EVM_SUCCESS)
        printf(",\"error\":\"%s\"", evm_status_text(r->status));
    if (o->repeat != 0)
        printf(",\"runs\":%u,\"bestNs\":%.0f,\"medianNs\":%.0f", o->repeat, ns[0], ns[1]);
    printf("}\n");
}

/* Runs as often as asked; ns[0] becomes the best time and ns[1] the median. */
static void run_all(struct sandbox *s, const struct options *o, struct evm_result *r,
                    double ns[2]) {
    if (o->repeat == 0) {
        (void)sandbox_run(s, o, r);
        return;
    }
    double *times = calloc(o->repeat, sizeof *times);
    CHECK(times != NULL);
    for (unsigned i = 0; i < o->repeat; i++)
        times[i] = sandbox_run(s, o, r);
    ns[1] = bench_median(times, o->repeat); /* sorts */
    ns[0] = times[0];
    free(times);
}

static int run(const struct options *o) {
    struct sandbox s;
    struct evm_result r;
    struct trace_eip3155 trace;
    double ns[2] = {0, 0};
    sandbox_open(&s, o);
    if (o->trace) {
        trace_eip3155_init(&trace, stdout, false);
        s.x.tracer = &trace.tracer;
    }
    run_all(&s, o, &r, ns);
    int64_t gas_used = o->gas - r.gas_left;
    if (o->trace)
        trace_eip3155_summary(&trace, &r, gas_used);
    else if (o->json)
        print_json(&r, gas_used, ns, o);
    else
        print_text(&r, gas_used);
    if (o->repeat != 0 && !o->json)
        printf("best     %.0f ns\nmedian   %.0f ns (%u runs)\n", ns[0], ns[1], o->repeat);
    if (s.profile != NULL)
        print_profile(s.profile, o->profile_rows);
    int status = r.status == EVM_SUCCESS ? 0 : 1;
    sandbox_close(&s);
    return status;
}

/* Drops blanks and line ends, which files of hexadecimal text have. */
static size_t squeeze(char *s, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (strchr(" \t\r\n", s[i]) == NULL)
            s[n++] = s[i];
    return n;
}

static bool read_hex_file(struct buf *out, const char *path) {
    FILE *f = fopen(path, "rb");
    char *text = f == NULL ? NULL : malloc(FILE_MAX_BYTES);
    bool ok = text != NULL;
    if (ok) {
        size_t len = fread(text, 1, FILE_MAX_BYTES, f);
        ok = ferror(f) == 0 && len < FILE_MAX_BYTES &&
             hex_decode_buf(out, text, squeeze(text, len)) == ERR_OK;
    }
    free(text);
    if (f != NULL)
        (void)fclose(f);
    return ok;
}

/* HEX or @FILE. */
static bool read_bytes(struct buf *out, const char *arg) {
    buf_clear(out);
    bool ok = arg[0] == '@' ? read_hex_file(out, arg + 1)
                            : hex_decode_buf(out, arg, strlen(arg)) == ERR_OK;
    if (!ok)
        fprintf(stderr,
                "callipter evm: '%.100s' is not hexadecimal text or a readable file of it\n", arg);
    return ok;
}

static bool read_number(uint64_t *out, const char *arg, uint64_t max) {
    char *end;
    *out = strtoull(arg, &end, 0);
    bool ok = *arg >= '0' && *arg <= '9' && *end == '\0' && *out <= max;
    if (!ok)
        fprintf(stderr, "callipter evm: '%s' is not a number up to %llu\n", arg,
                (unsigned long long)max);
    return ok;
}

static bool read_tier(struct options *o, const char *arg) {
    o->tier_given = true;
    o->tier = strcmp(arg, "reference") == 0 ? EVM_TIER_REFERENCE : EVM_TIER_FAST;
    if (o->tier == EVM_TIER_REFERENCE || strcmp(arg, "fast") == 0)
        return true;
    fprintf(stderr, "callipter evm: --tier is fast or reference, not '%s'\n", arg);
    return false;
}

static void usage(FILE *f) {
    fprintf(f,
            "usage: callipter evm run --code HEX|@FILE [--input HEX|@FILE] [--gas N] [--fork F]\n"
            "                         [--tier fast|reference] [--repeat N] [--trace] [--json]\n"
            "                         [--profile N]\n"
            "Runs code at an address of an otherwise empty world; prints status, gas used and\n"
            "output. No intrinsic gas, refund not applied. --repeat adds nanoseconds per run,\n"
            "--trace prints EIP-3155 lines (reference tier), --profile the N most frequent slots,\n"
            "pairs and triples that the fast tier dispatched. Exit status 1: the code failed.\n"
            "Forks:");
    for (unsigned i = 0; i < EVM_REVISION_COUNT; i++)
        fprintf(f, " %s", evm_revision_name((enum evm_revision)i));
    fprintf(f, "\n");
}

static bool read_option(struct options *o, int c, const char *arg) {
    uint64_t n;
    switch (c) {
    case 'c':
        return read_bytes(&o->code, arg);
    case 'i':
        return read_bytes(&o->input, arg);
    case 'g':
        if (!read_number(&n, arg, INT64_MAX))
            return false;
        o->gas = (int64_t)n;
        return true;
    case 'f':
        if (evm_revision_parse(&o->revision, arg))
            return true;
        fprintf(stderr, "callipter evm: unknown fork '%s'\n", arg);
        return false;
    case 't':
        return read_tier(o, arg);
    case 'r':
        if (!read_number(&n, arg, REPEAT_MAX))
            return false;
        o->repeat = (unsigned)n;
        return true;
    case 'p':
        if (!read_number(&n, arg, PROFILE_ROWS_MAX))
            return false;
        o->profile_rows = (size_t)n;
        return true;
    case 'T':
        o->trace = true;
        return true;
    case 'j':
        o->json = true;
        return true;
    default:
        return false;
    }
}

static bool parse(struct options *o, int argc, char **argv) {
    static const struct option longs[] = {
        {"code", required_argument, NULL, 'c'},    {"input", required_argument, NULL, 'i'},
        {"gas", required_argument, NULL, 'g'},     {"fork", required_argument, NULL, 'f'},
        {"tier", required_argument, NULL, 't'},    {"repeat", required_argument, NULL, 'r'},
        {"trace", no_argument, NULL, 'T'},         {"json", no_argument, NULL, 'j'},
        {"profile", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0},
    };
    bool code_given = false;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        code_given |= c == 'c';
        if (!read_option(o, c, optarg))
            return false;
    }
    if (optind != argc || !code_given) {
        usage(stderr);
        return false;
    }
    if (o->profile_rows != 0 && (o->trace || o->tier == EVM_TIER_REFERENCE)) {
        fprintf(stderr, "callipter evm: --profile counts what the fast tier does\n");
        return false;
    }
    if (o->trace && ((o->tier_given && o->tier == EVM_TIER_FAST) || o->repeat != 0)) {
        fprintf(stderr, "callipter evm: --trace runs once, in the reference tier\n");
        return false;
    }
    if (o->trace)
        o->tier = EVM_TIER_REFERENCE;
    return true;
}

int cmd_evm(int argc, char **argv) {
    if (args_help(argc, argv)) {
        usage(stdout);
        return 0;
    }
    if (argc < 2 || strcmp(argv[1], "run") != 0) {
        usage(stderr);
        return 2;
    }
    struct options o = {.gas = GAS_DEFAULT, .revision = EVM_OSAKA, .tier = EVM_TIER_FAST};
    buf_init(&o.code, FILE_MAX_BYTES);
    buf_init(&o.input, FILE_MAX_BYTES);
    int status = parse(&o, argc - 1, argv + 1) ? run(&o) : 2;
    buf_clear(&o.code);
    buf_clear(&o.input);
    return status;
}
