/* SPDX-License-Identifier: Apache-2.0 */
/* Every arithmetic, comparison, bit and shift opcode in both tiers: against base/u256.h on random
 * and edge words, and against the corpus vectors. */
#include "base/hex.h"
#include "evm/opcode.h"
#include "tests/lib/evm/trial.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

static size_t put_push(uint8_t *out, const u256 *v) {
    out[0] = OP_PUSH32;
    u256_to_be32(out + 1, v);
    return 33;
}

/* Runs `op` on operands given from the top downwards and returns what it leaves on top. */
static u256 run_op(struct trial *t, uint8_t op, const u256 *args, unsigned count) {
    uint8_t code[160];
    size_t n = 0;
    for (unsigned i = count; i > 0; i--)
        n += put_push(code + n, &args[i - 1]);
    code[n++] = op;
    n += assemble(code + n, sizeof code - n, "PUSH0 MSTORE PUSH1 20 PUSH0 RETURN");
    fake_set_code(t->world, &t->contract, bytes_of(code, n));
    struct evm_result r = trial_call(t, "", 1000000);
    cr_assert_eq(r.status, EVM_SUCCESS, "op %02x: %s", op, evm_status_text(r.status));
    return output_word(&r, 0);
}

static u256 from_bool(bool v) {
    return u256_from_u64(v);
}

static u256 expected(uint8_t op, const u256 *a) {
    switch (op) {
    case OP_ADD:
        return u256_add(&a[0], &a[1]);
    case OP_MUL:
        return u256_mul(&a[0], &a[1]);
    case OP_SUB:
        return u256_sub(&a[0], &a[1]);
    case OP_DIV:
        return u256_div(&a[0], &a[1]);
    case OP_SDIV:
        return u256_sdiv(&a[0], &a[1]);
    case OP_MOD:
        return u256_mod(&a[0], &a[1]);
    case OP_SMOD:
        return u256_smod(&a[0], &a[1]);
    case OP_ADDMOD:
        return u256_addmod(&a[0], &a[1], &a[2]);
    case OP_MULMOD:
        return u256_mulmod(&a[0], &a[1], &a[2]);
    case OP_EXP:
        return u256_exp(&a[0], &a[1]);
    case OP_SIGNEXTEND:
        return u256_signextend(&a[0], &a[1]);
    case OP_LT:
        return from_bool(u256_cmp(&a[0], &a[1]) < 0);
    case OP_GT:
        return from_bool(u256_cmp(&a[0], &a[1]) > 0);
    case OP_SLT:
        return from_bool(u256_scmp(&a[0], &a[1]) < 0);
    case OP_SGT:
        return from_bool(u256_scmp(&a[0], &a[1]) > 0);
    case OP_EQ:
        return from_bool(u256_eq(&a[0], &a[1]));
    case OP_ISZERO:
        return from_bool(u256_is_zero(&a[0]));
    case OP_AND:
        return u256_and(&a[0], &a[1]);
    case OP_OR:
        return u256_or(&a[0], &a[1]);
    case OP_XOR:
        return u256_xor(&a[0], &a[1]);
    case OP_NOT:
        return u256_not(&a[0]);
    case OP_BYTE:
        return u256_byte(&a[0], &a[1]);
    case OP_SHL:
        return u256_shl(&a[0], &a[1]);
    case OP_SHR:
        return u256_shr(&a[0], &a[1]);
    case OP_SAR:
        return u256_sar(&a[0], &a[1]);
    case OP_CLZ:
        return u256_from_u64(u256_clz(&a[0]));
    default:
        cr_assert_fail("no such op %02x", op);
        return U256_ZERO;
    }
}

/* Small, near 2^64, near 2^255, near 2^256, or anything. */
static u256 random_word(struct rng *r) {
    u256 v = U256_ZERO;
    uint64_t kind = rng_below(r, 8);
    rng_fill(r, &v, sizeof v);
    if (kind < 3)
        v = u256_from_u64(rng_below(r, 300));
    else if (kind == 3)
        v = u256_from_u64(UINT64_MAX - rng_below(r, 3));
    else if (kind == 4)
        v = (u256){{rng_below(r, 3), 0, 0, UINT64_C(1) << 63}};
    else if (kind == 5)
        v.w[0] = ~rng_below(r, 3), v.w[1] = v.w[2] = v.w[3] = UINT64_MAX;
    else if (kind == 6)
        v.w[2] = v.w[3] = 0;
    return v;
}

Test(op_arith, random_words_in_both_tiers) {
    struct trial t;
    trial_open(&t);
    uint64_t seed = rng_seed(0xa1);
    struct rng r = {seed};
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned op = OP_ADD; op <= OP_CLZ; op++) {
            if (op == 0x0c)
                op = OP_LT;
            u256 a[3] = {random_word(&r), random_word(&r), random_word(&r)};
            unsigned count = op_table(EVM_OSAKA)[op].pops;
            u256 want = expected((uint8_t)op, a);
            BOTH_TIERS(&t) {
                u256 got = run_op(&t, (uint8_t)op, a, count);
                cr_expect(u256_eq(&got, &want), "%s, tier %d, SEED=%llu", op_name((uint8_t)op),
                          t.cfg.tier, (unsigned long long)seed);
            }
        }
    }
    trial_close(&t);
}

Test(op_arith, exp_costs_50_per_exponent_byte) {
    struct trial t;
    trial_open(&t);
    const struct {
        const char *code;
        int64_t gas;
    } cases[] = {
        {"PUSH0 PUSH1 02 EXP", 2 + 3 + 10},
        {"PUSH1 01 PUSH1 02 EXP", 3 + 3 + 60},
        {"PUSH2 0100 PUSH1 02 EXP", 3 + 3 + 110},
        {"PUSH0 NOT PUSH1 02 EXP", 2 + 3 + 3 + 10 + 32 * 50},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BOTH_TIERS(&t) {
            trial_code(&t, cases[i].code);
            cr_expect_eq(trial_call(&t, "", cases[i].gas).status, EVM_SUCCESS);
            cr_expect_eq(trial_call(&t, "", cases[i].gas).gas_left, 0);
            cr_expect_eq(trial_call(&t, "", cases[i].gas - 1).status, EVM_OUT_OF_GAS);
        }
    }
    trial_close(&t);
}

/* Reads the value of the next "key":"hex" member; NULL at the end. */
static const char *next_word(const char *at, const char *key, u256 *out) {
    at = strstr(at, key);
    if (at == NULL)
        return NULL;
    at += strlen(key);
    size_t len = strcspn(at, "\"");
    uint8_t raw[32];
    size_t got;
    cr_assert_eq(hex_decode(raw, sizeof raw, &got, at, len), ERR_OK);
    *out = u256_from_be(raw, got);
    return at + len;
}

static unsigned run_vector_file(struct trial *t, const char *dir, const char *name, uint8_t op) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/opcodes/testcases_%s.json", dir, name);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s", path);
    static char text[1 << 20];
    size_t len = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[len] = '\0';
    unsigned count = 0;
    u256 x, y, want;
    for (const char *at = text; (at = next_word(at, "\"X\":\"", &x)) != NULL; count++) {
        at = next_word(at, "\"Y\":\"", &y);
        cr_assert(at != NULL);
        at = next_word(at, "\"Expected\":\"", &want);
        cr_assert(at != NULL);
        u256 args[2] = {y, x};
        BOTH_TIERS(t) {
            u256 got = run_op(t, op, args, 2);
            cr_expect(u256_eq(&got, &want), "vector %s %u, tier %d", name, count, t->cfg.tier);
        }
    }
    return count;
}

Test(op_arith, corpus_vectors) {
    const char *corpora = getenv("CORPORA");
    if (corpora == NULL) {
        cr_skip_test("CORPORA is not set: the opcode vectors were not run");
        return;
    }
    static const struct {
        const char *name;
        uint8_t op;
    } files[] = {
        {"add", OP_ADD},   {"and", OP_AND}, {"byte", OP_BYTE},
        {"div", OP_DIV},   {"eq", OP_EQ},   {"exp", OP_EXP},
        {"gt", OP_GT},     {"lt", OP_LT},   {"mod", OP_MOD},
        {"mul", OP_MUL},   {"or", OP_OR},   {"sar", OP_SAR},
        {"sdiv", OP_SDIV}, {"sgt", OP_SGT}, {"shl", OP_SHL},
        {"shr", OP_SHR},   {"slt", OP_SLT}, {"smod", OP_SMOD},
        {"sub", OP_SUB},   {"xor", OP_XOR}, {"signext", OP_SIGNEXTEND},
    };
    struct trial t;
    trial_open(&t);
    unsigned count = 0;
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        count += run_vector_file(&t, corpora, files[i].name, files[i].op);
    cr_expect_eq(count, 1241, "%u vectors", count);
    trial_close(&t);
}
