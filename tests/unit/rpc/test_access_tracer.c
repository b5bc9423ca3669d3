/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: eth_createAccessList names what a message touches and nothing that is warm anyway, also
 * when the list itself changes the way, and tells of a failure beside the list. Covers:
 * access_tracer.c m_access_list.c */
#include "rpc/access_tracer.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>

#define Z62 "00000000000000000000000000000000000000000000000000000000000000"
#define SLOT(nn) "'0x" Z62 #nn "'"
#define ADDR(nn) "0x00000000000000000000000000000000000000" #nn

Test(access_tracer, list_is_sorted_and_whole) {
    struct access_tracer t;
    struct arena a;
    struct tx_access *list = NULL;
    size_t count = 0;
    access_tracer_init(&t);
    arena_init(&a, 4096, 1 << 20);
    addr20 me = {{1}}, low = {{2}}, high = {{3}};
    hash32 keys[2] = {{{9}}, {{8}}};
    struct tx_access in[] = {
        {.addr = high, .keys = keys, .key_count = 2}, {.addr = low}, {.addr = me}};
    access_tracer_exclude(&t, &me);
    access_tracer_add(&t, in, 3);
    cr_assert_eq(access_tracer_count(&t), 4);
    access_tracer_add(&t, in, 3);
    cr_assert_eq(access_tracer_count(&t), 4);
    cr_assert(access_tracer_list(&t, &a, &list, &count));
    cr_assert_eq(count, 2);
    cr_assert(addr20_eq(&list[0].addr, &low) && list[0].key_count == 0);
    cr_assert(addr20_eq(&list[1].addr, &high) && list[1].key_count == 2);
    cr_assert(list[1].keys[0].b[0] == 8 && list[1].keys[1].b[0] == 9);
    /* An excluded account is named when slots of its own are touched. */
    in[2].keys = keys;
    in[2].key_count = 1;
    access_tracer_add(&t, in, 3);
    cr_assert(access_tracer_list(&t, &a, &list, &count));
    cr_assert(count == 3 && addr20_eq(&list[0].addr, &me) && list[0].key_count == 1);
    cr_assert(!t.full);
    access_tracer_clear(&t);
    arena_clear(&a);
}

Test(access_tracer, of_calls) {
    struct served s;
    served_open(&s);
    const char *from = served_addr(&s.accounts[0].address);
    served_expect(&s, "{'accessList':[],'gasUsed':'0x5208'}", "eth_createAccessList",
                  "[{'from':'%s','to':'" ADDR(aa) "'}]", from);
    /* SLOAD(1); BALANCE of bb, of the sender and of a precompile; a call to cc. 21,000 + 2,400 for
     * each address + 1,900 for the slot, then all is warm. */
    served_expect(
        &s,
        "{'accessList':[{'address':'" ADDR(aa) "','storageKeys':[" SLOT(
            01) "]},"
                "{'address':'" ADDR(bb) "','storageKeys':[]},"
                                        "{'address':'" ADDR(
                                            cc) "','storageKeys':[]}],'gasUsed':'0x77b1'}",
        "eth_createAccessList",
        "[{'from':'%s','to':'" ADDR(aa) "'},'latest',{'" ADDR(
            aa) "':{'code':"
                "'0x6001545060bb31503331506001315060006000600060006000"
                "60cc5af150'}}]",
        from);
    /* The list changes the way: code that reads slot 1 when reading slot 0 was cheap. */
    served_expect(
        &s,
        "{'accessList':[{'address':'" ADDR(aa) "','storageKeys':[" SLOT(00) "," SLOT(
            01) "]}],'gasUsed':'0x6b2f'}",
        "eth_createAccessList",
        "[{'from':'%s','to':'" ADDR(aa) "'},'latest',{'" ADDR(aa) "':{'code':"
                                                                  "'0x5a5f54505a9003"
                                                                  "6107d011600f57005b60015450'}}]",
        from);
    /* A list that is given is kept. */
    served_expect(&s,
                  "{'accessList':[{'address':'" ADDR(dd) "','storageKeys':[" SLOT(
                      05) "]}],'gasUsed':'0x62d4'}",
                  "eth_createAccessList",
                  "[{'from':'%s','to':'" ADDR(aa) "','accessList':[{'address':'" ADDR(
                      dd) "','storageKeys':[" SLOT(05) "]}]}]",
                  from);
    served_expect(
        &s, "{'accessList':[],'error':'execution reverted','gasUsed':'0x520c'}",
        "eth_createAccessList",
        "[{'from':'%s','to':'" ADDR(aa) "'},'latest',{'" ADDR(aa) "':{'code':'0x5f5ffd'}}]", from);
    served_expect(&s, "{'accessList':[],'error':'invalid opcode: INVALID','gasUsed':'0x186a0'}",
                  "eth_createAccessList",
                  "[{'from':'%s','to':'" ADDR(aa) "','gas':'0x186a0'},'latest',{'" ADDR(
                      aa) "':{'code':'0xfe'}}]",
                  from);
    served_expect_error(&s, -32000,
                        "failed to apply transaction: intrinsic gas too low: gas 1, minimum needed "
                        "21000",
                        "eth_createAccessList", "[{'from':'%s','to':'" ADDR(aa) "','gas':'0x1'}]",
                        from);
    served_close(&s);
}
