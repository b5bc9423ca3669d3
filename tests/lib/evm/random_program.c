/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/evm/random_program.h"

#include "base/check.h"
#include "base/keccak.h"
#include "evm/machine.h"
#include "evm/opcode.h"

#include <stdio.h>
#include <stdlib.h>

addr20 program_addr(unsigned i) {
    return fake_addr(0xc0de00 + i);
}

struct writer {
    struct rng *r;
    uint8_t *out;
    size_t len;
    int height; /* rough: what straight-line code would leave */
    uint16_t dests[64];
    unsigned dest_count;
};

static void put(struct writer *w, unsigned byte) {
    w->out[w->len++] = (uint8_t)byte;
}

static void put_push(struct writer *w, uint64_t v) {
    unsigned n = v > 0xffff ? 8 : v > 0xff ? 2 : 1;
    put(w, OP_PUSH1 + n - 1);
    for (unsigned i = n; i > 0; i--)
        put(w, (unsigned)(v >> (8 * (i - 1))) & 0xff);
    w->height++;
}

static void put_random_push(struct writer *w) {
    struct rng *r = w->r;
    switch (rng_below(r, 6)) {
    case 0:
        put(w, OP_PUSH0);
        w->height++;
        return;
    case 1: {
        unsigned n = 1 + (unsigned)rng_below(r, 32);
        put(w, OP_PUSH1 + n - 1);
        for (unsigned i = 0; i < n; i++)
            put(w, rng_below(r, 3) == 0 ? 0xff : (unsigned)rng_next(r) & 0xff);
        w->height++;
        return;
    }
    case 2:
        put_push(w, rng_below(r, 300));
        return;
    default:
        put_push(w, rng_below(r, 33));
        return;
    }
}

/* A memory offset or length. Rarely absurd. */
static void put_small(struct writer *w) {
    if (rng_below(w->r, 500) == 0)
        put_random_push(w);
    else
        put_push(w, rng_below(w->r, 200));
}

static void put_address(struct writer *w) {
    uint64_t k = rng_below(w->r, 10);
    if (k < 6) {
        addr20 a = program_addr((unsigned)rng_below(w->r, PROGRAM_CONTRACTS));
        put_push(w, be64_load(a.b + 12));
    } else if (k < 8) {
        put_push(w, 1 + rng_below(w->r, 5)); /* a precompile, 5 is MODEXP */
    } else {
        put_push(w, 0x1000 + rng_below(w->r, 4));
    }
}

static void put_call(struct writer *w) {
    static const uint8_t kinds[] = {OP_CALL, OP_CALLCODE, OP_DELEGATECALL, OP_STATICCALL};
    uint8_t kind = kinds[rng_below(w->r, 4)];
    for (int i = 0; i < 4; i++)
        put_small(w);
    if (kind == OP_CALL || kind == OP_CALLCODE)
        put_push(w, rng_below(w->r, 4) == 0 ? rng_below(w->r, 3) : 0);
    put_address(w);
    if (rng_below(w->r, 2) == 0)
        put(w, OP_GAS);
    else
        put_push(w, rng_below(w->r, 40000));
    put(w, kind);
    w->height -= kind == OP_CALL || kind == OP_CALLCODE ? 6 : 5;
}

/* Init code of a few bytes goes to memory first, so that some creations succeed. */
static void put_create(struct writer *w) {
    static const uint8_t inits[][12] = {
        {OP_PUSH1, 10, OP_PUSH0, OP_RETURN},
        {OP_PUSH1, 1, OP_PUSH0, OP_SSTORE, OP_STOP},
        {OP_PUSH1, 3, OP_PUSH0, OP_REVERT},
        {OP_PUSH1, 0xef, OP_PUSH0, OP_MSTORE8, OP_PUSH1, 1, OP_PUSH0, OP_RETURN},
        {OP_JUMPDEST, OP_PUSH1, 5, OP_JUMP, 0xfe, OP_JUMPDEST, OP_CALLER, OP_SELFDESTRUCT},
    };
    bool two = rng_below(w->r, 2) == 0;
    put(w, OP_PUSH1 + 11);
    const uint8_t *init = inits[rng_below(w->r, ARRAY_LEN(inits))];
    for (unsigned i = 0; i < 12; i++)
        put(w, init[i]);
    put(w, OP_PUSH0);
    put(w, OP_MSTORE);
    if (two)
        put_push(w, rng_below(w->r, 2));
    put_push(w, rng_below(w->r, 16) == 0 ? 49153 : 12);
    put_push(w, 20);
    put_push(w, rng_below(w->r, 3));
    put(w, two ? OP_CREATE2 : OP_CREATE);
    w->height -= two ? 3 : 2;
}

static void put_jump(struct writer *w) {
    bool conditional = rng_below(w->r, 30) != 0;
    /* Backwards, and mostly not taken: GAS, BYTE and ISZERO give a condition that changes from pass
     * to pass. */
    if (conditional && rng_below(w->r, 2) == 0) {
        put(w, OP_PUSH0);
        w->height++;
    } else if (conditional) {
        put(w, OP_GAS);
        put_push(w, 30 + rng_below(w->r, 2));
        put(w, OP_BYTE);
        put_push(w, rng_below(w->r, 256));
        put(w, OP_LT);
        w->height++;
    }
    uint64_t dest = rng_below(w->r, 40) == 0 || w->dest_count == 0
                        ? rng_below(w->r, w->len + 30)
                        : w->dests[rng_below(w->r, w->dest_count)];
    if (conditional && rng_below(w->r, 4) != 0) {
        put(w, OP_PUSH1 + 1);
        put(w, (unsigned)dest >> 8);
        put(w, (unsigned)dest & 0xff);
        put(w, OP_JUMPI);
        w->height -= 1;
        return;
    }
    put_push(w, dest);
    put(w, conditional ? OP_JUMPI : OP_JUMP);
    w->height -= conditional ? 2 : 1;
}

/* A jump over some bytes that must not be mistaken for instructions. */
static void put_skip(struct writer *w) {
    unsigned gap = (unsigned)rng_below(w->r, 6);
    bool conditional = rng_below(w->r, 2) == 0 && w->height > 1;
    if (conditional) {
        static const uint8_t tests[] = {OP_ISZERO, OP_LT, OP_GT, OP_EQ, OP_SLT, OP_SGT, OP_NOT};
        put(w, tests[rng_below(w->r, ARRAY_LEN(tests))]);
        if (rng_below(w->r, 3) == 0)
            put(w, OP_ISZERO);
        w->height -= 2;
    }
    size_t target = w->len + 4 + gap;
    put(w, OP_PUSH1 + 1);
    put(w, (unsigned)(target >> 8));
    put(w, (unsigned)target & 0xff);
    put(w, conditional ? OP_JUMPI : OP_JUMP);
    if (conditional) { /* what stands in the gap is run */
        for (unsigned i = 0; i < gap; i++)
            put(w, OP_PC);
        put(w, OP_JUMPDEST);
        return;
    }
    for (unsigned i = 0; i < gap; i++)
        put(w, (unsigned)rng_next(w->r) & 0x5f);
    put(w, OP_JUMPDEST);
}

static void put_memory_op(struct writer *w) {
    static const uint8_t ops[] = {OP_MLOAD,        OP_MSTORE,      OP_MSTORE8,  OP_KECCAK256,
                                  OP_CALLDATACOPY, OP_CODECOPY,    OP_MCOPY,    OP_RETURNDATACOPY,
                                  OP_EXTCODECOPY,  OP_LOG0,        OP_LOG0 + 1, OP_LOG0 + 3,
                                  OP_LOG0 + 4,     OP_CALLDATALOAD};
    uint8_t op = ops[rng_below(w->r, ARRAY_LEN(ops))];
    unsigned args = op_table(EVM_OSAKA)[op].pops;
    for (unsigned i = 0; i < args; i++) {
        if (op == OP_EXTCODECOPY && i == args - 1)
            put_address(w);
        else if (op == OP_RETURNDATACOPY && rng_below(w->r, 8) != 0)
            put_push(w, 0);
        else
            put_small(w);
    }
    put(w, op);
    w->height += (int)op_table(EVM_OSAKA)[op].pushes - (int)args;
}

static void put_account_op(struct writer *w) {
    static const uint8_t ops[] = {OP_BALANCE, OP_EXTCODESIZE, OP_EXTCODEHASH};
    put_address(w);
    put(w, ops[rng_below(w->r, ARRAY_LEN(ops))]);
}

static void put_storage_op(struct writer *w) {
    static const uint8_t ops[] = {OP_SLOAD, OP_SSTORE, OP_TLOAD, OP_TSTORE};
    uint8_t op = ops[rng_below(w->r, 4)];
    if (op == OP_SSTORE || op == OP_TSTORE)
        put_push(w, rng_below(w->r, 3));
    put_push(w, rng_below(w->r, 4));
    put(w, op);
    w->height += op == OP_SSTORE || op == OP_TSTORE ? -2 : 0;
}

static void put_end(struct writer *w) {
    static const uint8_t ops[] = {OP_STOP, OP_RETURN, OP_REVERT, OP_INVALID, OP_SELFDESTRUCT};
    uint8_t op = ops[rng_below(w->r, ARRAY_LEN(ops))];
    if (op == OP_SELFDESTRUCT)
        put_address(w);
    put_small(w);
    put_small(w);
    put(w, op);
}

static void put_plain_op(struct writer *w) {
    uint8_t op;
    const struct op_info *info;
    do {
        op = (uint8_t)rng_below(w->r, 0xa0);
        info = &op_table(EVM_OSAKA)[op];
    } while (!info->defined || info->dynamic || op == OP_JUMP || op == OP_JUMPI || op == OP_STOP ||
             (op >= OP_PUSH1 && op <= OP_PUSH32) ||
             (info->pops > w->height && rng_below(w->r, 1000) != 0));
    if (op == OP_JUMPDEST && w->dest_count < ARRAY_LEN(w->dests))
        w->dests[w->dest_count++] = (uint16_t)w->len;
    for (unsigned run = (unsigned)rng_below(w->r, 8); op == OP_JUMPDEST && run > 4; run--)
        put(w, op);
    put(w, op);
    w->height += (int)info->pushes - (int)info->pops;
}

size_t random_program(struct rng *r, uint8_t out[PROGRAM_BYTES_MAX]) {
    struct writer w = {.r = r, .out = out};
    size_t want = 20 + rng_below(r, PROGRAM_BYTES_MAX - 200);
    if (rng_below(r, 3) != 0)
        want = want / 6 + 20;
    for (unsigned i = 0; i < 4; i++)
        put_random_push(&w);
    w.dests[w.dest_count++] = (uint16_t)w.len;
    put(&w, OP_JUMPDEST);
    while (w.len < want) {
        if (w.height < 10 && rng_below(r, 3) != 0)
            put_random_push(&w);
        switch (rng_below(r, 40)) {
        case 0:
        case 1:
            put_call(&w);
            break;
        case 2:
            put_create(&w);
            break;
        case 3:
        case 4:
        case 5:
            put_jump(&w);
            break;
        case 6:
        case 7:
            put_skip(&w);
            break;
        case 8:
        case 9:
        case 10:
        case 11:
            put_memory_op(&w);
            break;
        case 12:
            put_account_op(&w);
            break;
        case 13:
        case 14:
        case 15:
            put_storage_op(&w);
            break;
        case 16:
            if (rng_below(r, 6) == 0)
                put_end(&w);
            break;
        case 17:
            if (w.height > 2) {
                put(&w, OP_EXP);
                w.height--;
            }
            break;
        case 18:
            if (rng_below(r, 40) == 0)
                put(&w, (unsigned)rng_next(r) & 0xff);
            break;
        default:
            put_plain_op(&w);
            break;
        }
    }
    if (rng_below(r, 8) != 0) {
        put_push(&w, 64);
        put_push(&w, 0);
        put(&w, rng_below(r, 6) == 0 ? OP_REVERT : OP_RETURN);
    }
    CHECK(w.len <= PROGRAM_BYTES_MAX);
    return w.len;
}

struct tier_pair {
    struct evm_code_cache *cache;
    struct evm *vm;
};

struct tier_pair *tier_pair_new(void) {
    struct tier_pair *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    p->cache = evm_code_cache_new(4 << 20);
    CHECK(p->cache != NULL);
    p->vm = evm_new(p->cache);
    CHECK(p->vm != NULL);
    return p;
}

void tier_pair_free(struct tier_pair *p) {
    if (p == NULL)
        return;
    evm_free(p->vm);
    evm_code_cache_free(p->cache);
    free(p);
}

static void judge(struct program_verdict *v, const struct evm_result *r,
                  const struct fake_world *w) {
    enum evm_status class = r->status <= EVM_REVERT ? r->status : EVM_OUT_OF_GAS;
    hash32 state = fake_state_digest(w), logs = fake_log_digest(w);
    hash32 output = keccak256_bytes(r->output);
    struct keccak_ctx k;
    keccak256_begin(&k);
    keccak256_update(&k, &class, sizeof class);
    keccak256_update(&k, &r->gas_left, sizeof r->gas_left);
    keccak256_update(&k, &r->gas_refund, sizeof r->gas_refund);
    keccak256_update(&k, r->created.b, 20);
    keccak256_update(&k, output.b, 32);
    keccak256_update(&k, state.b, 32);
    keccak256_update(&k, logs.b, 32);
    keccak256_end(&k, &v->digest);
    v->output_len = r->output.len;
    (void)snprintf(v->text, sizeof v->text,
                   "%s, gas left %lld, refund %lld, %zu output bytes (%02x%02x), logs %02x%02x, "
                   "state %02x%02x",
                   evm_status_text(r->status), (long long)r->gas_left, (long long)r->gas_refund,
                   r->output.len, output.b[0], output.b[1], logs.b[0], logs.b[1], state.b[0],
                   state.b[1]);
}

static void run_case(struct tier_pair *p, const struct program_case *c, enum evm_tier tier,
                     int64_t budget, struct program_verdict *out) {
    struct fake_world *w = fake_world_new();
    addr20 sender = fake_addr(0x5e4de4);
    fake_account(w, &sender)->balance = u256_from_u64(1000000);
    fake_account(w, &sender)->warm = true;
    for (unsigned i = 0; i < PROGRAM_CONTRACTS; i++) {
        addr20 a = program_addr(i);
        fake_set_code(w, &a, c->code[i]);
        fake_account(w, &a)->nonce = 1;
        fake_account(w, &a)->balance = u256_from_u64(i);
        u256 key = U256_ONE, value = u256_from_u64(i);
        fake_set_storage(w, &a, &key, &value);
    }
    struct evm_block_ctx block = {.chain_id = 1,
                                  .number = 300,
                                  .timestamp = 1000,
                                  .gas_limit = 30000000,
                                  .coinbase = fake_addr(0xc01b)};
    hash32 blob = {{1, 2, 3}};
    struct evm_tx_ctx tx = {.origin = sender, .blob_hashes = &blob, .blob_hash_count = 1};
    struct evm_config cfg = {.revision = c->revision,
                             .tier = tier,
                             .block = &block,
                             .tx = &tx,
                             .host = fake_world_host(w),
                             .budget = budget};
    struct evm_message msg = {.kind = c->create ? EVM_CREATE : EVM_CALL,
                              .sender = sender,
                              .recipient = c->create ? fake_addr(0x77) : program_addr(0),
                              .value = u256_from_u64(1),
                              .input = c->create ? c->code[0] : c->input,
                              .gas = c->gas};
    struct evm_result r;
    evm_run(p->vm, &cfg, &msg, &r);
    judge(out, &r, w);
    out->gas_used = c->gas - r.gas_left;
    out->over_budget = r.over_budget;
    fake_world_free(w);
}

/* A run with a budget is stopped, which it must not be if it uses no more than that; or it is the
 * run without one. `whole` is that. Stipends, of which each comes with a price of three times as
 * much, are used until the call that has them is over. */
static bool budget_is_unseen(struct tier_pair *p, const struct program_case *c, enum evm_tier tier,
                             struct program_verdict *whole, struct program_verdict *out) {
    /* From what is too little for anything to all of it, another one for each case. */
    uint64_t draw = be64_load(whole->digest.b);
    int64_t most = draw % 3 == 0 ? c->gas : whole->gas_used + whole->gas_used / 8;
    int64_t budget = 1 + (int64_t)(draw / 4 % ((uint64_t)most + 1));
    run_case(p, c, tier, budget, out);
    whole->stopped = out->over_budget;
    if (out->over_budget)
        return whole->gas_used + whole->gas_used / 2 + GAS_CALL_STIPEND > budget;
    return hash32_eq(&out->digest, &whole->digest);
}

bool tier_pair_agree(struct tier_pair *p, const struct program_case *c, uint32_t heat,
                     struct program_verdict *fast, struct program_verdict *reference) {
    evm_code_cache_set_heat(p->cache, heat);
    run_case(p, c, EVM_TIER_FAST, 0, fast);
    run_case(p, c, EVM_TIER_REFERENCE, 0, reference);
    bool ok = hash32_eq(&fast->digest, &reference->digest) && !fast->over_budget;
    struct program_verdict within;
    if (ok && !budget_is_unseen(p, c, EVM_TIER_FAST, fast, &within)) {
        *fast = within;
        ok = false;
    }
    if (ok && !budget_is_unseen(p, c, EVM_TIER_REFERENCE, reference, &within)) {
        *reference = within;
        ok = false;
    }
    evm_code_cache_trim(p->cache);
    return ok;
}
