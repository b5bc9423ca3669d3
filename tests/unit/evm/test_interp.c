/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: interp_fast.c interp_ref.c. Every opcode runs in both tiers with a full enough stack, gas
 * ends to the unit inside a block, and what the tracer is told. */
#include "evm/opcode.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>

/* Each defined opcode on a stack of small numbers, with the gas it took and one less. */
Test(interp, every_opcode_to_the_unit_of_gas) {
    struct trial t;
    trial_open(&t);
    for (unsigned op = 0; op < 256; op++) {
        const struct op_info *info = &op_table(EVM_OSAKA)[op];
        if (!info->defined || op == OP_INVALID || op == OP_JUMP || op == OP_REVERT)
            continue;
        uint8_t code[128];
        size_t n = 0;
        for (unsigned i = 0; i < 17; i++)
            code[n++] = OP_PUSH0;
        code[n++] = (uint8_t)op;
        n += info->immediate;
        memset(code + 18, 0, sizeof code - 18);
        fake_set_code(t.world, &t.contract, bytes_of(code, n));
        int64_t used[2];
        BOTH_TIERS(&t) {
            if (op == OP_CREATE || op == OP_CREATE2) /* at addresses that are free */
                fake_account(t.world, &t.contract)->nonce = 50 + op + (unsigned)t.cfg.tier;
            struct evm_result r = trial_call(&t, "", 1000000);
            if (op == OP_CREATE2 && t.cfg.tier == 1)
                continue; /* the address is taken now */
            cr_assert_eq(r.status, EVM_SUCCESS, "%s: %s", op_name((uint8_t)op),
                         evm_status_text(r.status));
            used[t.cfg.tier] = 1000000 - r.gas_left;
            cr_expect_geq(used[t.cfg.tier], 34 + info->gas, "%s", op_name((uint8_t)op));
            bool needs_more = op == OP_SSTORE || op == OP_GAS; /* the sentry */
            if (!needs_more)
                cr_expect_eq(trial_call(&t, "", used[t.cfg.tier] - 1).gas_left, 0, "%s",
                             op_name((uint8_t)op));
        }
        if (op != OP_CREATE2)
            cr_expect_eq(used[0], used[1], "%s", op_name((uint8_t)op));
    }
    trial_close(&t);
}

Test(interp, every_opcode_underflows) {
    struct trial t;
    trial_open(&t);
    for (unsigned op = 0; op < 256; op++) {
        const struct op_info *info = &op_table(EVM_OSAKA)[op];
        if (!info->defined || info->pops == 0)
            continue;
        uint8_t code[32];
        size_t n = 0;
        for (unsigned i = 0; i + 1 < info->pops; i++)
            code[n++] = OP_PUSH0;
        code[n++] = (uint8_t)op;
        fake_set_code(t.world, &t.contract, bytes_of(code, n));
        BOTH_TIERS(&t) {
            struct evm_result r = trial_call(&t, "", 1000000);
            cr_expect_eq(r.status, EVM_STACK_UNDERFLOW, "%s: %s", op_name((uint8_t)op),
                         evm_status_text(r.status));
        }
    }
    trial_close(&t);
}

Test(interp, the_stack_holds_1024) {
    struct trial t;
    trial_open(&t);
    static uint8_t code[1100];
    memset(code, OP_PUSH0, sizeof code);
    BOTH_TIERS(&t) {
        fake_set_code(t.world, &t.contract, bytes_of(code, 1024));
        cr_expect_eq(trial_call(&t, "", 100000).status, EVM_SUCCESS);
        fake_set_code(t.world, &t.contract, bytes_of(code, 1025));
        cr_expect_eq(trial_call(&t, "", 100000).status, EVM_STACK_OVERFLOW);
        code[1024] = OP_DUP1;
        fake_set_code(t.world, &t.contract, bytes_of(code, 1025));
        cr_expect_eq(trial_call(&t, "", 100000).status, EVM_STACK_OVERFLOW);
        code[1024] = OP_SWAP16;
        fake_set_code(t.world, &t.contract, bytes_of(code, 1025));
        cr_expect_eq(trial_call(&t, "", 100000).status, EVM_SUCCESS);
        code[1024] = OP_PUSH0;
    }
    trial_close(&t);
}

struct journal {
    unsigned steps, enters, exits, logs, faults;
    int64_t cost;
    int64_t gas_expected; /* after the last step, unless a frame began or ended */
    uint32_t depth_max;
    struct evm_step last;
};

static void on_step(void *ctx, const struct evm_step *s) {
    struct journal *j = ctx;
    if (j->gas_expected >= 0)
        cr_expect_eq(s->gas, j->gas_expected, "before %s", op_name(s->op));
    j->steps++;
    j->cost += s->gas_cost;
    j->gas_expected = s->gas - s->gas_cost;
    j->faults += s->error != EVM_SUCCESS;
    if (s->depth > j->depth_max)
        j->depth_max = s->depth;
    j->last = *s;
}
static void on_enter(void *ctx, enum evm_call_kind kind, const addr20 *from, const addr20 *to,
                     bytes input, int64_t gas, const u256 *value, uint32_t depth) {
    struct journal *j = ctx;
    (void)kind, (void)from, (void)to, (void)input, (void)gas, (void)value, (void)depth;
    j->enters++;
    j->gas_expected = -1;
}
static void on_exit_hook(void *ctx, enum evm_status status, bytes output, int64_t gas_used,
                         uint32_t depth) {
    struct journal *j = ctx;
    (void)status, (void)output, (void)gas_used, (void)depth;
    j->exits++;
    j->gas_expected = -1;
}
static void on_log(void *ctx, const struct evm_log *log, uint32_t depth) {
    struct journal *j = ctx;
    (void)log, (void)depth;
    j->logs++;
}

Test(interp, the_tracer_sees_every_step_and_its_cost) {
    struct trial t;
    trial_open(&t);
    struct journal j = {.gas_expected = -1};
    struct evm_tracer tracer = {&j, on_step, on_enter, on_exit_hook, on_log};
    t.cfg.tier = EVM_TIER_REFERENCE;
    t.cfg.tracer = &tracer;
    struct evm_result r =
        trial_run(&t, "PUSH1 01 PUSH1 40 MSTORE PUSH1 40 PUSH0 KECCAK256 PUSH0 SSTORE PUSH0 SLOAD "
                      "PUSH1 20 PUSH0 LOG1 PUSH1 20 PUSH0 RETURN");
    cr_expect_eq(r.status, EVM_SUCCESS);
    cr_expect_eq(j.steps, 16);
    cr_expect_eq(j.cost, 10000000 - r.gas_left);
    cr_expect(j.enters == 1 && j.exits == 1 && j.logs == 1 && j.faults == 0);

    /* A call, a precompile, a self-destruct: each enters and exits. */
    addr20 child = fake_addr(0xbeef);
    trial_code_at(&t, &child, "CALLER SELFDESTRUCT");
    j = (struct journal){.gas_expected = -1};
    r = trial_run(&t, "PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH2 beef GAS CALL "
                      "PUSH0 PUSH0 PUSH0 PUSH0 PUSH1 04 GAS STATICCALL");
    cr_expect_eq(r.status, EVM_SUCCESS);
    cr_expect_eq(j.enters, 4);
    cr_expect_eq(j.exits, 4);
    cr_expect_eq(j.depth_max, 1);

    /* An instruction that cannot run is told with its reason. */
    j = (struct journal){.gas_expected = -1};
    r = trial_run(&t, "PUSH0 ADD");
    cr_expect_eq(r.status, EVM_STACK_UNDERFLOW);
    cr_expect_eq(j.steps, 2);
    cr_expect_eq(j.faults, 1);
    cr_expect_eq(j.last.error, EVM_STACK_UNDERFLOW);
    cr_expect_eq(j.last.stack_len, 1);
    trial_close(&t);
}
