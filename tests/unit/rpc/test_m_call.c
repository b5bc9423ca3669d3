/* SPDX-License-Identifier: Apache-2.0 */
/* Covers: m_call.c. Which calls the event loop's budget suffices for, and that nobody can tell:
 * every call here, and in the other suites, is compared with one without a budget
 * (tests/lib/rpc). */
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Mirrors what it is called with; how much gas there is; counts down from the word it is given,
 * without end from 0; reverts with 4 bytes; runs into INVALID; calls the address it is given and
 * returns the gas left. */
static const struct {
    const char *name, *code;
} contracts[] = {
    {"mirror", "365f5f37365ff3"},
    {"gas", "5a5f5260205ff3"},
    {"loop", "5f355b600190038060025700"},
    {"revert", "63deadbeef5f526004601cfd"},
    {"invalid", "fe"},
    {"caller", "5f5f5f5f5f5f355af15a60205260"
               "5f5260405ff3"},
};
enum { MIRROR, GAS, LOOP, REVERT, INVALID, CALLER, CONTRACTS };

Test(m_call, the_loop_answers_what_is_short) {
    static struct served s;
    addr20 at[CONTRACTS];
    served_open(&s);
    for (size_t i = 0; i < CONTRACTS; i++)
        at[i] = served_deploy(&s, contracts[i].code);
    const struct {
        int contract;
        const char *more; /* members of the transaction */
        const char *rest; /* arguments after it */
        bool brief, scanned;
    } rows[] = {
        {MIRROR, "'data':'0x1234'", "", true, true},
        {MIRROR, "'input':'0x1234'", ",'latest'", true, true},
        {MIRROR, "'data':'0x1234'", ",'pending'", true, true},
        {MIRROR, "'data':'0x1234'", ",'0x1'", false, false},
        {MIRROR, "'data':'0x1234'", ",'earliest'", false, false},
        {MIRROR, "'data':'0x1234'", ",{'blockNumber':'0x2'}", false, false},
        {MIRROR, "'data':'0x1234'", ",'latest',{}", false, false},
        {MIRROR, "'data':'0x1234','accessList':[]", ",'latest'", false, false},
        {MIRROR, "'data':'0x1234','authorizationList':[]", ",'latest'", false, false},
        {MIRROR, "'gas':'0x5208','data':'0x1234'", "", false, false}, /* intrinsic gas: its text */
        {MIRROR, "'data':'0x123'", "", true, false},                  /* an invalid argument */
        {MIRROR, "'data':'0x1234'", ",'newest'", false, false},
        {GAS, "'value':'0x0'", "", true, true},
        {GAS, "'gas':'0x100000'", "", true, true},
        {GAS, "'gas':'0xffffff'", "", true, true},
        {GAS, "'value':'0x1'", "", false, false}, /* who has no coin cannot pay */
        {REVERT, "'value':'0x0'", "", true, false},
        {INVALID, "'value':'0x0'", "", false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *r = served_call(&s, "eth_call", "[{'to':'%s',%s}%s]",
                                served_addr(&at[rows[i].contract]), rows[i].more, rows[i].rest);
        cr_expect_eq(s.was_brief, rows[i].brief, "%zu", i);
        cr_expect_eq(s.was_scanned, rows[i].scanned, "%zu", i);
        json_decref(r);
    }
    /* 26 gas in a round: 100,000 gas are some 3,800. */
    static const struct {
        unsigned long long rounds;
        bool brief;
    } loops[] = {{1, true}, {1000, true}, {3500, true}, {4200, false}, {100000, false}, {0, false}};
    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
        json_t *r = served_call(&s, "eth_call", "[{'to':'%s','data':'0x%064llx'}]",
                                served_addr(&at[LOOP]), loops[i].rounds);
        cr_expect_eq(s.was_brief, loops[i].brief, "%llu rounds", loops[i].rounds);
        cr_expect_eq(json_object_get(r, "error") != NULL, loops[i].rounds == 0);
        json_decref(r);
    }
    /* Through a call, with the gas left behind it in the answer. */
    for (int i = 0; i < CONTRACTS; i++) {
        json_t *r = served_call(&s, "eth_call", "[{'to':'%s','data':'0x%024x%s'}]",
                                served_addr(&at[CALLER]), 0, served_addr(&at[i]) + 2);
        /* INVALID takes all the gas it is given, and LOOP is called without a number. */
        cr_expect_eq(s.was_brief, i != INVALID && i != LOOP, "%s", contracts[i].name);
        json_decref(r);
    }
    served_close(&s);
}
