/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded code: blocks with their gas and stack, jump tables, push data, dead code. */
#include "evm/machine.h"
#include "tests/lib/evm/trial.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct decode_scratch scratch;

static struct decoded *decode_text(const char *text, enum evm_revision rev) {
    uint8_t code[4096];
    struct decoded *d = decode(&scratch, rev, bytes_of(code, assemble(code, sizeof code, text)));
    cr_assert_not_null(d);
    return d;
}

static bool is_op(const struct decoded *d, uint32_t at, unsigned op) {
    cr_assert_lt(at, d->insn_count);
    return d->insns[at].op == fast_labels()[op];
}

Test(analysis, a_block_sums_gas_and_stack) {
    /* Needs two items, is at most three above where it began. */
    struct decoded *d =
        decode_text("ADD PUSH1 01 PUSH1 02 PUSH1 03 PUSH1 04 POP POP POP", EVM_OSAKA);
    const struct insn *h = &d->insns[DECODED_START];
    cr_assert(is_op(d, DECODED_START, FAST_BLOCK));
    cr_expect_eq(h->blk.gas, 3 + 4 * 3 + 3 * 2);
    cr_expect_eq(h->blk.need, 2);
    cr_expect_eq(h->blk.slack, 1024 - 3 - 2);
    free(d);
}

Test(analysis, a_block_that_no_stack_fits_never_runs) {
    static char text[1100 * 6];
    text[0] = '\0';
    char *at = text;
    for (unsigned i = 0; i < 1025; i++)
        at = stpcpy(at, "PUSH0 ");
    struct decoded *d = decode_text(text, EVM_OSAKA);
    const struct insn *h = &d->insns[DECODED_START];
    for (uint32_t height = 0; height <= EVM_STACK_MAX; height++)
        cr_assert_gt(height - h->blk.need, h->blk.slack);
    free(d);
}

Test(analysis, blocks_end_where_gas_shows) {
    static const char *const enders[] = {"GAS",        "SSTORE", "CALL",
                                         "CALLCODE",   "JUMPI",  "DELEGATECALL",
                                         "STATICCALL", "CREATE", "CREATE2"};
    for (size_t i = 0; i < ARRAY_LEN(enders); i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "CALLER %s CALLER", enders[i]);
        struct decoded *d = decode_text(text, EVM_OSAKA);
        cr_expect(is_op(d, DECODED_START + 3, FAST_BLOCK), "%s", enders[i]);
        cr_expect_eq(d->insns[DECODED_START + 3].blk.gas, 2, "%s", enders[i]);
        free(d);
    }
}

Test(analysis, jumps_are_resolved) {
    struct decoded *d = decode_text("PUSH1 05 JUMP INVALID 5b JUMPDEST STOP PUSH1 5b", EVM_OSAKA);
    /* Offset 4 is a JUMPDEST, 5 too; the one at 8 is push data. */
    cr_expect_neq(d->jumps[4], 0);
    cr_expect_neq(d->jumps[5], 0);
    cr_expect_eq(d->jumps[8], 0);
    cr_assert(is_op(d, DECODED_START + 1, FAST_JUMP_TO));
    cr_expect_eq(d->insns[DECODED_START + 1].target, &d->insns[d->jumps[5]]);
    free(d);
    /* To no JUMPDEST, and past the end: the landing place of bad jumps. */
    static const char *const bad[] = {"PUSH1 01 JUMP", "PUSH2 ffff JUMP", "PUSH32 ff JUMP",
                                      "PUSH0 NOT JUMP"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        d = decode_text(bad[i], EVM_OSAKA);
        if (is_op(d, DECODED_START + 1, FAST_JUMP_TO))
            cr_expect_eq(d->insns[DECODED_START + 1].target, d->insns, "%s", bad[i]);
        free(d);
    }
    d = decode_text("CALLER JUMP", EVM_OSAKA);
    cr_expect(is_op(d, 0, FAST_BLOCK) && is_op(d, 1, FAST_BAD_JUMP));
    free(d);
}

Test(analysis, undefined_depends_on_the_revision) {
    struct decoded *d = decode_text("CALLER CLZ", EVM_PRAGUE);
    cr_expect(is_op(d, DECODED_START + 2, FAST_UNDEFINED));
    free(d);
    d = decode_text("CALLER CLZ", EVM_OSAKA);
    cr_expect(is_op(d, DECODED_START + 2, OP_CLZ));
    free(d);
}

Test(analysis, dead_code_is_left_out) {
    struct decoded *d = decode_text("STOP ADD ADD ADD PUSH1 5b ADD JUMPDEST STOP", EVM_OSAKA);
    /* Two at the start, header and STOP, header and STOP, and the end's header and STOP. */
    cr_expect_eq(d->insn_count, 2 + 2 + 2 + 2);
    cr_expect_neq(d->jumps[7], 0);
    free(d);
}

Test(analysis, empty_and_cut_off_code) {
    struct decoded *d = decode_text("", EVM_OSAKA);
    cr_expect(is_op(d, DECODED_START + 1, OP_STOP));
    free(d);
    d = decode_text("PUSH32 01", EVM_OSAKA);
    cr_assert(is_op(d, DECODED_START + 1, FAST_PUSH_WORD));
    cr_expect_eq(d->insns[DECODED_START + 1].word->w[3], UINT64_C(1) << 56);
    free(d);
}

Test(analysis, jumpdest_map) {
    static const uint8_t code[] = {OP_JUMPDEST, OP_PUSH1,    OP_JUMPDEST, OP_JUMPDEST,
                                   OP_PUSH32,   OP_JUMPDEST, OP_JUMPDEST};
    uint8_t map[1];
    mark_jumpdests(map, bytes_of(code, sizeof code));
    cr_expect_eq(map[0], 1 << 0 | 1 << 3);
}

/* Each JUMPDEST of a run costs one gas and can be jumped to, also when gas ends in the middle of
 * the run. */
Test(analysis, runs_of_jumpdests) {
    struct trial t;
    trial_open(&t);
    for (unsigned to = 4; to < 12; to++) {
        char code[128];
        (void)snprintf(code, sizeof code,
                       "PUSH1 %02x JUMP STOP 5b5b5b5b5b5b5b5b PUSH1 01 PUSH0 MSTORE", to);
        trial_code(&t, code);
        int64_t gas = 3 + 8 + (12 - to) + 3 + 2 + 3 + 3;
        BOTH_TIERS(&t) {
            struct evm_result r = trial_call(&t, "", gas);
            cr_expect(r.status == EVM_SUCCESS && r.gas_left == 0, "to %u: %s", to,
                      evm_status_text(r.status));
            for (int64_t less = 1; less < gas; less++)
                cr_expect_eq(trial_call(&t, "", gas - less).status, EVM_OUT_OF_GAS);
        }
    }
    trial_close(&t);
}
