/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a refusal says of universes, and when it says nothing. */
#include "rpc/sponsor.h"

#include <criterion/criterion.h>

Test(sponsor_data, refusals) {
    char text[SUBMIT_DATA_MAX];
    struct tx_quote q = {.universe = 0x2a, .rule = SPONSOR_USER_BUDGET};
    rpc_refusal_data(text, TX_FEE_CAP_TOO_LOW, &q);
    cr_assert_str_eq(text, "{\"sponsor\":\"policy_mismatch:user_budget\",\"universe\":\"0x2a\"}");
    rpc_refusal_data(text, TX_INSUFFICIENT_FUNDS, &q);
    cr_assert_str_eq(text, "{\"sponsor\":\"policy_mismatch:user_budget\",\"universe\":\"0x2a\"}");
    rpc_refusal_data(text, TX_UNIVERSE_PAUSED, &q);
    cr_assert_str_eq(text, "{\"reason\":\"universe_paused\",\"universe\":\"0x2a\"}");
    rpc_refusal_data(text, TX_NONCE_TOO_LOW, &q);
    cr_assert_str_empty(text);
    q.rule = SPONSOR_OK;
    rpc_refusal_data(text, TX_INSUFFICIENT_FUNDS, &q);
    cr_assert_str_empty(text);
    q = (struct tx_quote){.rule = SPONSOR_NO_UNIVERSE};
    rpc_refusal_data(text, TX_INSUFFICIENT_FUNDS, &q);
    cr_assert_str_empty(text);
    /* The longest of all. */
    q.universe = UINT64_MAX;
    for (int r = 1; r < SPONSOR_RULE_COUNT; r++) {
        q.rule = (enum sponsor_rule)r;
        rpc_refusal_data(text, TX_FEE_CAP_TOO_LOW, &q);
        cr_assert_eq(text[strlen(text) - 1], '}');
    }
}
