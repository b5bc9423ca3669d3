/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every field of a header and of a transaction's outcome that differs is named, and no other.
 * Method: equal pairs, one field changed at a time. */
#include "node/differences.h"

#include "chain/system_state.h"

#include <criterion/criterion.h>

static void expect_text(difference_set set, const char *text) {
    char got[256];
    differences_text(got, sizeof got, set);
    cr_expect_str_eq(got, text);
}

Test(differences, headers) {
    static struct header a, b;
    cr_expect_eq(differences_of_headers(&a, &b), 0);
    b.state_root.b[31] = 1;
    expect_text(differences_of_headers(&a, &b), "stateRoot");
    b.extra_len = 32;
    b.nonce[7] = 1;
    expect_text(differences_of_headers(&a, &b), "stateRoot, sendRoot (extraData), nonce");
    char cut[12];
    differences_text(cut, sizeof cut, differences_of_headers(&a, &b));
    cr_expect_str_eq(cut, "stateRoot, ");
}

Test(differences, each_field_has_a_name) {
    for (size_t d = 0; d < DIFFERENCES; d++)
        for (size_t k = 0; k < d; k++)
            cr_expect_str_neq(difference_name(d), difference_name(k));
}

struct pair {
    struct tx txs[2];
    struct receipt receipts[2];
    struct index_block ours;
    struct peer_receipt theirs[2];
};

static void setup(struct pair *p) {
    memset(p, 0, sizeof *p);
    p->ours.txs = p->txs;
    p->ours.receipts = p->receipts;
    p->ours.tx_count = 2;
    for (size_t i = 0; i < 2; i++) {
        p->txs[i].sender.b[19] = p->theirs[i].from.b[19] = p->theirs[i].gas_payer.b[19] = 7;
        p->receipts[i].success = p->theirs[i].success = true;
        p->receipts[i].gas_used = p->theirs[i].gas_used = 21000;
    }
}

static void expect_tx(struct pair *p, size_t count, const char *text) {
    char got[256] = "";
    size_t idx;
    difference_set set = differences_of_receipts(&idx, &p->ours, p->theirs, count);
    if (set != 0)
        differences_tx_text(got, sizeof got, set, idx, &p->ours, p->theirs);
    cr_expect_str_eq(got, text);
}

Test(differences, receipts) {
    static struct pair p;
    setup(&p);
    expect_tx(&p, 2, "");
    expect_tx(&p, 1, "transaction 1 in being there");
    p.ours.tx_count = 1;
    expect_tx(&p, 2, "transaction 1 in being there");
    p.ours.tx_count = 2;
    p.theirs[1].success = false;
    p.theirs[1].gas_used++;
    expect_tx(&p, 2, "transaction 1 in status, gasUsed");
    p.theirs[0].gas_price_charged = U256_ONE;
    expect_tx(&p, 2, "transaction 0 in gasPriceCharged");
    p.theirs[0].tx_hash.b[0] = 1;
    expect_tx(&p, 2, "transaction 0 in hash");
    p.theirs[0].type = TX_DEPOSIT;
    expect_tx(&p, 2, "transaction 0 in hash, type (0x0 here, 0x64 there)");
}

Test(differences, payer) {
    static struct pair p;
    setup(&p);
    p.receipts[1].sponsored = true;
    expect_tx(&p, 2,
              "transaction 1 in gasPayer (0x0000000000000000000000000000000000007500 here, "
              "0x0000000000000000000000000000000000000007 there)");
    p.theirs[1].gas_payer = system_address(SYSTEM_REGISTRY);
    expect_tx(&p, 2, "");
}
