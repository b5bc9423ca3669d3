/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: ArbGasInfo answers from the state that it names. */
#include "base/limits.h"
#include "tests/lib/chain/call_rig.h"

#include <criterion/criterion.h>

static uint64_t ask(struct call_rig *r, uint32_t selector) {
    return call_rig_word(r, SYSTEM_PRICING, selector, 0).w[0];
}

Test(system_gas_info, answers) {
    struct call_rig r;
    call_rig_init(&r);
    u256 v = u256_from_u64(400000000);
    sys_set(r.w, SYS_MIN_BASE_FEE, NULL, &v);
    v = u256_from_u64(320);
    sys_set(r.w, SYS_PARENT_WEI_PER_BYTE, NULL, &v);
    sys_set(r.w, SYS_CONGESTION_UNIT, NULL, &v);
    sys_set_u64(r.w, SYS_SPEED_LIMIT, NULL, 11);
    sys_set_u64(r.w, SYS_TOLERANCE, NULL, 12);
    sys_set_u64(r.w, SYS_INERTIA, NULL, 13);
    sys_set_u64(r.w, SYS_GAS_BACKLOG, NULL, 14);
    sys_set_u64(r.w, SYS_DA_BACKLOG, NULL, 15);
    sys_set_u64(r.w, SYS_BLOCK_GAS_LIMIT, NULL, 16);
    cr_expect_eq(ask(&r, 0xf918379a), 400000000);
    cr_expect_eq(ask(&r, 0xf5d6ded7), 20); /* per unit of 16 to the byte */
    cr_expect_eq(ask(&r, 0x055f362f), 20);
    cr_expect_eq(ask(&r, 0xc6f7de0e), 0);
    cr_expect_eq(ask(&r, 0x1d5b5c20), 14);
    cr_expect_eq(ask(&r, 0x25754f91), 12);
    cr_expect_eq(ask(&r, 0x3dfb45b9), 13);
    cr_expect_eq(ask(&r, 0xaae1cd4c), LIMIT_TX_GAS);
    cr_expect_eq(ask(&r, 0x0371fdb4), 16);
    cr_expect_eq(ask(&r, 0x3dfd61b4), 320);
    cr_expect_eq(ask(&r, 0x80a5a835), 15);
    cr_expect_eq(ask(&r, 0x02df3505), 320);
    struct evm_result o = call_rig_call(&r, SYSTEM_PRICING, 0x41b247a8, NULL, 0, bytes_of(NULL, 0));
    static const uint64_t want[6] = {0,         0,         UINT64_C(20000000000000),
                                     400000000, 600000000, 1000000000};
    cr_assert_eq(o.output.len, 192);
    for (size_t i = 0; i < 6; i++)
        cr_expect_eq(be64_load(o.output.ptr + 32 * i + 24), want[i], "%zu", i);
    r.block.price = u256_from_u64(7); /* a call's own price, below the minimum */
    o = call_rig_call(&r, SYSTEM_PRICING, 0x41b247a8, NULL, 0, bytes_of(NULL, 0));
    cr_expect(be64_load(o.output.ptr + 3 * 32 + 24) == 7 &&
              be64_load(o.output.ptr + 4 * 32 + 24) == 0);
    o = call_rig_call(&r, SYSTEM_PRICING, 0x612af178, NULL, 0, bytes_of(NULL, 0));
    cr_expect(o.output.len == 96 && be64_load(o.output.ptr + 24) == 11 &&
              be64_load(o.output.ptr + 56) == 16 && be64_load(o.output.ptr + 88) == LIMIT_TX_GAS);
    o = call_rig_call(&r, SYSTEM_PRICING, 0x02199f34, NULL, 0, bytes_of(NULL, 0));
    cr_expect(o.output.len == 96 && be64_load(o.output.ptr + 88) == 20000);
    call_rig_clear(&r);
}
