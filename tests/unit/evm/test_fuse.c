/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule of fused.def: the opcodes it stands for are decoded to it, and do the same as in the
 * reference tier, on edge words, with the gas that they need and with too little. */
#include "base/keccak.h"
#include "evm/kinds.h"
#include "tests/lib/evm/trial.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const struct rule {
    const char *name;
    uint16_t result, first, second;
    bool branch;
} rules[] = {
#define FUSE(name, a, b) {#name, KIND_##name, KIND_##a, KIND_##b, false},
#define BRANCH(name, a, b) {#name, KIND_##name, KIND_##a, KIND_##b, true},
#define PAIR(name, a, b) FUSE(name, a, b)
#include "evm/fused.def"
#undef FUSE
#undef BRANCH
#undef PAIR
};

enum { STACK = 17, MARK = 0xdd /* high byte of the branch's destination, put right at the end */ };

struct program {
    uint8_t code[1024];
    size_t len;
    int height;
    size_t dest_at[STACK + 1]; /* of the destination's two bytes, wherever they are pushed */
    size_t dests;
};

static void put(struct program *p, unsigned byte) {
    cr_assert_lt(p->len, sizeof p->code);
    p->code[p->len++] = (uint8_t)byte;
}

static void put_op(struct program *p, unsigned op) {
    const struct op_info *i = &op_table(EVM_OSAKA)[op];
    put(p, op);
    p->height += (int)i->pushes - (int)i->pops;
}

/* Small mostly, since many are offsets; else an edge of 64 or 256 bits. */
static u256 random_word(struct rng *r) {
    switch (rng_below(r, 8)) {
    case 0:
        return U256_MAX;
    case 1:
        return u256_from_u64(UINT64_MAX);
    case 2:
        return (u256){{rng_next(r), rng_next(r), rng_next(r), rng_next(r)}};
    case 3:
        return (u256){{0, 0, 0, UINT64_C(1) << 63}};
    case 4:
        return U256_ZERO;
    default:
        return u256_from_u64(rng_below(r, 70));
    }
}

static void put_word(struct program *p, const u256 *v, unsigned bytes_min) {
    uint8_t be[32];
    u256_to_be32(be, v);
    unsigned n = u256_byte_len(v) > bytes_min ? u256_byte_len(v) : bytes_min;
    put_op(p, OP_PUSH0 + n);
    for (unsigned i = 32 - n; i < 32; i++)
        put(p, be[i]);
}

static void put_dest(struct program *p) {
    cr_assert_lt(p->dests, ARRAY_LEN(p->dest_at));
    put_op(p, OP_PUSH1 + 1);
    p->dest_at[p->dests++] = p->len;
    put(p, MARK);
    put(p, MARK);
}

static const struct rule *rule_of(unsigned kind) {
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (rules[i].result == kind)
            return &rules[i];
    return NULL;
}

/* Writes the opcodes of a kind. The work list is a stack of kinds, since rules nest. */
static void put_kind(struct program *p, struct rng *r, unsigned kind) {
    unsigned todo[16], n = 0;
    todo[n++] = kind;
    while (n > 0) {
        unsigned k = todo[--n];
        const struct rule *rule = rule_of(k);
        u256 word = {{1, 2, 3, 4}}, small = random_word(r);
        small.w[1] = small.w[2] = small.w[3] = 0;
        if (rule != NULL) {
            todo[n++] = rule->second;
            todo[n++] = rule->first;
        } else if (k == FAST_PUSH_SMALL) {
            put_word(p, &small, 1);
        } else if (k == FAST_PUSH_WORD) {
            put_word(p, &word, 32);
        } else if (k == FAST_ANY_DUP) {
            put_op(p, OP_DUP1 + (unsigned)rng_below(r, 16));
        } else if (k == FAST_ANY_SWAP) {
            /* SWAP1 has rules of its own. */
            bool own = n > 0 && fuse(OP_SWAP1, todo[n - 1]) != fuse(OP_SWAP2, todo[n - 1]);
            put_op(p, (own ? OP_SWAP2 : OP_SWAP1) + (unsigned)rng_below(r, 15));
        } else if (k == FAST_JUMPI_TO || k == FAST_JUMP_TO) {
            put_dest(p);
            put_op(p, k == FAST_JUMP_TO ? OP_JUMP : OP_JUMPI);
        } else {
            put_op(p, k);
        }
    }
}

/* The stack goes to memory behind what the rule may have written, and all of it is returned. */
static void put_epilogue(struct program *p) {
    if (p->dests != 0) {
        put_op(p, OP_PC); /* only seen when the branch was not taken */
        put_op(p, OP_PUSH0);
        put_op(p, OP_MSTORE8);
        for (size_t i = 0; i < p->dests; i++) {
            p->code[p->dest_at[i]] = (uint8_t)(p->len >> 8);
            p->code[p->dest_at[i] + 1] = (uint8_t)p->len;
        }
        put_op(p, OP_JUMPDEST);
    }
    while (p->height > 0) {
        put_op(p, OP_MSIZE);
        put_op(p, OP_MSTORE);
    }
    put_op(p, OP_MSIZE);
    put_op(p, OP_PUSH0);
    put_op(p, OP_RETURN);
}

static struct program make_program(const struct rule *rule, struct rng *r) {
    struct program p = {.len = 0};
    for (unsigned i = 0; i < STACK; i++) {
        u256 v = random_word(r);
        /* What ends in a jump to an item of the stack can go only there. */
        if (rule->second == OP_JUMP)
            put_dest(&p);
        else
            put_word(&p, &v, 0);
    }
    /* What stands before the rule must not join it. */
    put_op(&p, OP_GAS);
    put_op(&p, OP_POP);
    put_op(&p, OP_CALLER);
    put_op(&p, OP_BYTE);
    put_kind(&p, r, rule->result);
    put_epilogue(&p);
    return p;
}

static bool decodes_to(const struct program *p, unsigned kind) {
    static struct decode_scratch scratch;
    struct decoded *d = decode(&scratch, EVM_OSAKA, bytes_of(p->code, p->len));
    bool found = false;
    for (uint32_t i = 0; i < d->insn_count; i++)
        found |= d->insns[i].op == fast_labels()[kind];
    free(d);
    return found;
}

Test(fuse, each_rule_is_its_opcodes) {
    uint64_t seed = rng_seed(0xf05e);
    struct rng r = {seed};
    struct trial t;
    trial_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        unsigned succeeded = 0;
        for (unsigned round = 0; round < 200; round++) {
            struct program p = make_program(&rules[i], &r);
            int64_t gas = rng_below(&r, 4) == 0 ? (int64_t)rng_below(&r, 400) : 100000;
            hash32 output[2];
            struct evm_result result[2];
            fake_set_code(t.world, &t.contract, bytes_of(p.code, p.len));
            BOTH_TIERS(&t) {
                result[t.cfg.tier] = trial_call(&t, "", gas);
                output[t.cfg.tier] = keccak256_bytes(result[t.cfg.tier].output);
            }
            bool ok = result[0].status == EVM_SUCCESS;
            succeeded += ok;
            cr_assert_eq(ok, result[1].status == EVM_SUCCESS, "%s, round %u, SEED=%llu: %s, %s",
                         rules[i].name, round, (unsigned long long)seed,
                         evm_status_text(result[0].status), evm_status_text(result[1].status));
            cr_assert_eq(result[0].gas_left, result[1].gas_left, "%s", rules[i].name);
            cr_assert(hash32_eq(&output[0], &output[1]), "%s, round %u, SEED=%llu", rules[i].name,
                      round, (unsigned long long)seed);
            cr_assert(decodes_to(&p, rules[i].result), "%s is never made", rules[i].name);
        }
        cr_expect_gt(succeeded, 20, "%s", rules[i].name);
    }
    trial_close(&t);
}

Test(fuse, what_no_rule_names_stays) {
    fuse_init();
    cr_expect_eq(fuse(OP_ADD, OP_ADD), 0);
    cr_expect_eq(fuse(OP_SWAP2, OP_ADD), 0);
    cr_expect_eq(fuse(OP_SWAP1, OP_ADD), FAST_SWAP_ADD);
    cr_expect_eq(fuse(OP_SWAP1, OP_POP), FAST_SWAP_POP);
    cr_expect_eq(fuse(OP_SWAP16, OP_POP), FAST_SWAP_POP);
    cr_expect_eq(pair_up(OP_DUP16, OP_DUP1), FAST_DUP_DUP);
    cr_expect_eq(pair_up(FAST_BLOCK, OP_DUP1), 0);
}

/* What is computed from constants alone is a constant; and is what the reference tier makes of it.
 */
Test(fuse, constants_are_folded) {
    static const struct {
        const char *code;
        unsigned kinds[4]; /* slots behind the first header */
    } cases[] = {
        {"PUSH1 01 PUSH1 01 PUSH1 a0 SHL SUB", {FAST_PUSH_WORD}},
        {"CALLER PUSH1 01 PUSH1 01 PUSH1 a0 SHL SUB AND", {OP_CALLER, FAST_AND_WORD}},
        {"PUSH4 01020304 PUSH1 e0 SHL", {FAST_PUSH_WORD}},
        {"PUSH1 03 PUSH1 05 SHL", {FAST_PUSH_SMALL}},
        {"PUSH1 03 PUSH2 0100 SHL", {FAST_PUSH_SMALL}},
        {"PUSH0 NOT NOT", {FAST_PUSH_SMALL}},
        {"PUSH0 NOT PUSH1 1f NOT", {FAST_PUSH_WORD, FAST_PUSH_WORD}},
        {"PUSH9 010000000000000000 NOT PUSH9 020000000000000000 SUB PUSH0 NOT PUSH1 01 SHL",
         {FAST_PUSH_WORD, FAST_PUSH_WORD}},
        {"CALLER PUSH1 05 SHL", {OP_CALLER, FAST_SHL_SMALL}},
        {"CALLER PUSH1 04 PUSH1 05 SUB SUB", {OP_CALLER, FAST_SUB_SMALL}},
    };
    struct trial t;
    trial_open(&t);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct decode_scratch scratch;
        char text[256];
        uint8_t code[256];
        (void)snprintf(text, sizeof text, "%s PC POP PUSH0 MSTORE MSIZE PUSH0 RETURN",
                       cases[i].code);
        size_t len = assemble(code, sizeof code, text);
        fake_set_code(t.world, &t.contract, bytes_of(code, len));
        struct decoded *d = decode(&scratch, EVM_OSAKA, bytes_of(code, len));
        for (unsigned k = 0; k < 4 && cases[i].kinds[k] != 0; k++)
            cr_expect_eq(d->insns[DECODED_START + 1 + k].op, fast_labels()[cases[i].kinds[k]],
                         "%s: slot %u", cases[i].code, k);
        free(d);
        struct evm_result result[2];
        hash32 output[2];
        BOTH_TIERS(&t) {
            result[t.cfg.tier] = trial_call(&t, "", 100000);
            output[t.cfg.tier] = keccak256_bytes(result[t.cfg.tier].output);
        }
        cr_expect_eq(result[0].status, EVM_SUCCESS, "%s", cases[i].code);
        cr_expect_eq(result[0].gas_left, result[1].gas_left, "%s", cases[i].code);
        cr_expect(hash32_eq(&output[0], &output[1]), "%s", cases[i].code);
    }
    trial_close(&t);
}
