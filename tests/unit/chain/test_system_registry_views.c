/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every function of the registry's interface answers or refuses, never stops the node: on
 * zeros, on dirty words, on too little gas, in any kind of call. */
#include "chain/system_call.h"
#include "tests/lib/chain/universe_fixture.h"

#include <criterion/criterion.h>

static struct call_result ask_raw(struct fixture *f, bytes data, uint64_t gas) {
    struct call_request req = {.pending = true, .timestamp = f->head.timestamp};
    req.tx.type = TX_DYNAMIC_FEE;
    req.tx.sender = f->addrs[1];
    req.tx.has_sender = true;
    req.tx.to = system_address(SYSTEM_REGISTRY);
    req.tx.data = data;
    req.tx.gas_limit = gas;
    struct call_result r;
    enum err e = chain_call(&r, f->main.chain, &f->arena, &f->head, &req, NULL);
    cr_assert_eq(e, ERR_OK);
    return r;
}

Test(system_registry_views, every_function_with_any_words) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    make_universe(&f, 1, "u");
    size_t functions = 0;
    const struct system_call_info *row;
    for (size_t i = 0; (row = system_call_info(i)) != NULL; i++) {
        if (row->address != SYSTEM_REGISTRY)
            continue;
        functions++;
        for (int fill = 0; fill < 4; fill++) {
            u256 words[16];
            for (size_t k = 0; k < 16; k++)
                words[k] = fill == 0   ? U256_ZERO
                           : fill == 1 ? U256_MAX
                           : fill == 2 ? W(1)
                                       : W(32 * k);
            bytes data = abi_call(&f, row->signature, words, row->arg_words + 2);
            struct call_result r = ask_raw(&f, data, 3000000);
            cr_expect_eq(r.verdict, TX_OK);
            cr_expect(r.status == EVM_SUCCESS || r.status == EVM_REVERT, "%s %d: %d",
                      row->signature, fill, r.status);
            if (fill == 1 && row->arg_words > 0) /* no id, no address, no flag */
                cr_expect(r.status == EVM_REVERT || row->arg_words == 1, "%s", row->signature);
            (void)ask_raw(&f, data, 25000); /* perhaps too little */
        }
        bytes data = abi_call(&f, row->signature, NULL, 0);
        if (row->arg_words > 0) {
            struct call_result r = ask_raw(&f, data, 100000);
            cr_expect(r.status == EVM_REVERT && r.output.len == 0, "%s", row->signature);
        }
    }
    cr_assert_eq(functions, 63);
    fixture_clear(&f);
}

Test(system_registry_views, nothing_there) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    static const char *const by_id[] = {"universe(uint64)",    "policy(uint64)",
                                        "budget(uint64)",      "userBudget(uint64)",
                                        "surcharge(uint64)",   "pendingSurcharge(uint64)",
                                        "callerCount(uint64)", "roleHolderCount(uint64)"};
    for (size_t i = 0; i < ARRAY_LEN(by_id); i++)
        cr_expect_eq(registry_view_u64(&f, by_id[i], WORDS(W(77))), 0, "%s", by_id[i]);
    cr_expect_eq(registry_view_u64(&f, "hasRole(uint64,address,uint64)", WORDS(W(77), W(0), W(0))),
                 0); /* nobody's universe has no owner */
    u256 factory = registry_view(&f, 0, "factory()", NO_WORDS), want = A(FIXTURE_FACTORY);
    cr_expect(u256_eq(&factory, &want));
    cr_expect_eq(registry_view_u64(&f, "isUnattributable(address)", WORDS(want)), 1);
    cr_expect_eq(registry_view_u64(&f, "isUnattributable(address)", WORDS(W(0x64))), 1);
    cr_expect_eq(registry_view_u64(&f, "isUnattributable(address)", WORDS(W(0x123456))), 0);
    cr_expect_eq(registry_view_u64(&f, "surchargeCap()", NO_WORDS), 1000000000);
    cr_expect_eq(registry_view_u64(&f, "isCreationOpen()", NO_WORDS), 1);
    fixture_clear(&f);
}
