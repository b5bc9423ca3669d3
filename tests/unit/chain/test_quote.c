/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is quoted before a block is what the block charges; asking changes nothing. */
#include "chain/quote.h"

#include "tests/lib/chain/universe_fixture.h"

#include <criterion/criterion.h>

static struct tx_quote quote(struct fixture *f, const struct tx *tx, uint64_t dt_s) {
    struct tx_quote q;
    chain_quote(&q, f->main.chain, &f->head, f->head.timestamp + dt_s, tx, tx->gas_limit);
    return q;
}

Test(quote, is_what_is_charged) {
    static const uint8_t stop[] = {0};
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "u");
    addr20 a = factory_deploy(&f, 1, id, 1, init_code(&f, bytes_of(stop, 1)));
    struct tx *plain = fixture_tx(&f, 2, &f.addrs[3], 0, bytes_of(NULL, 0), 21000);
    struct tx_quote q = quote(&f, plain, 1);
    cr_assert(q.universe == 0 && q.rule == SPONSOR_NO_UNIVERSE && !q.paused);
    struct derived_tx d = fixture_run(&f, plain);
    cr_assert(u256_eq(&q.price, &d.receipt.effective_gas_price));
    make_sponsor(&f, 1, id, &a, 60000 * UINT64_C(10000000));
    struct tx *t = free_tx(&f, 2, &a, bytes_of(NULL, 0), 50000);
    q = quote(&f, t, 1);
    cr_assert(q.universe == id && q.rule == SPONSOR_OK);
    struct universe_quote u;
    chain_universe_quote(&u, f.main.chain, &f.head, f.head.timestamp, id);
    cr_assert(u.sponsors && u256_eq(&u.price, &q.price));
    d = fixture_run(&f, t);
    cr_assert(d.result.charge.sponsored && u256_eq(&q.price, &d.result.charge.sponsor_price));
    q = quote(&f, t, 1);
    cr_assert_eq(q.rule, SPONSOR_BUDGET); /* 29,000 of it were not used, 39,000 are left */
    q = quote(&f, t, 3600);
    cr_assert_eq(q.rule, SPONSOR_OK); /* the next window */
    registry_ok(&f, 1, 0, "setPaused(uint64,bool)", WORDS(W(id), W(1)));
    q = quote(&f, t, 1);
    cr_assert(q.paused && q.rule == SPONSOR_STATUS);
    chain_universe_quote(&u, f.main.chain, &f.head, f.head.timestamp, id);
    cr_assert(!u.sponsors);
    chain_universe_quote(&u, f.main.chain, &f.head, f.head.timestamp, 0);
    cr_assert(!u.sponsors && u256_eq(&u.price, &q.price));
    fixture_clear(&f);
}

Test(quote, slugs) {
    struct fixture f;
    fixture_init(&f, &universe_options);
    uint64_t id = make_universe(&f, 1, "12345678901234");
    struct world *w = chain_world(f.main.chain);
    cr_assert_eq(universe_by_slug(w, "12345678901234"), id);
    cr_assert_eq(universe_by_slug(w, "1234567890123"), 0);
    cr_assert_eq(universe_by_slug(w, "123456789012345"), 0);
    cr_assert_eq(universe_by_slug(w, ""), 0);
    fixture_clear(&f);
}
