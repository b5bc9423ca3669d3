/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: ArbInfo tells balances and code at the price of a look; its small neighbours answer what is
 * so. */
#include "tests/lib/chain/call_rig.h"

#include <criterion/criterion.h>

Test(system_arbinfo, accounts) {
    struct call_rig r;
    call_rig_init(&r);
    addr20 a = {{0}};
    a.b[19] = 0x99;
    u256 v = u256_from_u64(5);
    world_add_balance(r.w, &a, &v);
    world_set_code(r.w, &a, bytes_of("abc", 3));
    cr_expect_eq(call_rig_word(&r, SYSTEM_ARBINFO, 0xf8b2cb4f, 0x99).w[0], 5);
    cr_expect_eq(10000000 - r.gas, 40 + 3 + 2600 + 3);
    u256 word = u256_from_u64(0x99);
    struct evm_result o =
        call_rig_call(&r, SYSTEM_ARBINFO, 0x7e105ce2, &word, 1, bytes_of(NULL, 0));
    cr_expect(o.output.len == 96 && be64_load(o.output.ptr + 56) == 3 &&
              memcmp(o.output.ptr + 64, "abc", 4) == 0);
    cr_expect_eq(10000000 - r.gas, 40 + 3 + 100 + 9);
    cr_expect_eq(call_rig_word(&r, SYSTEM_ADDRTABLE, 0x949d225d, 0).w[0], 0);
    cr_expect_eq(call_rig_word(&r, SYSTEM_ADDRTABLE, 0xa5025222, 3).w[0], 0);
    o = call_rig_call(&r, SYSTEM_STATISTICS, 0xc59d4847, NULL, 0, bytes_of(NULL, 0));
    cr_expect(o.output.len == 192 && be64_load(o.output.ptr + 24) == 500);
    call_rig_clear(&r);
}
