/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: senders recovered side by side, one by one and known in advance make the same block; items
 * that do not decode and signatures of nobody take their place in the order. */
#include "chain/derive_internal.h"
#include "chain/derive_senders.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>

_Static_assert(FIXTURE_ACCOUNTS > 3, "one that signs nothing");
enum { TXS = 12 };
static const addr20 TO = {{0x42}};

static void put_item(struct buf *out, bytes item) {
    uint8_t len[8];
    be64_store(len, item.len + 1);
    buf_append(out, len, 8);
    buf_append_byte(out, L2_SIGNED_TX);
    buf_append(out, item.ptr, item.len);
}

/* A batch of signed transactions, with garbage and a signature of nobody between them when asked.
 */
static struct message batch(struct fixture *f, bool dirty, addr20 *out_senders) {
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_append_byte(&b, L2_BATCH);
    for (int i = 0; i < TXS; i++) {
        struct tx *tx = fixture_tx(f, i % 3, &TO, 1, bytes_of(NULL, 0), 21000);
        out_senders[i] = f->addrs[i % 3];
        put_item(&b, tx->raw);
        if (!dirty || i % 4 != 1)
            continue;
        put_item(&b, bytes_of("\x02garbage", 8));
        uint8_t *nobody = arena_alloc(&f->arena, tx->raw.len);
        memcpy(nobody, tx->raw.ptr, tx->raw.len);
        memset(nobody + tx->raw.len - 32, 0xff, 32); /* s above the order */
        put_item(&b, bytes_of(nobody, tx->raw.len));
    }
    bytes data = arena_copy(&f->arena, buf_bytes(&b));
    buf_clear(&b);
    return fixture_l2_message(f, data);
}

static size_t txs_in(struct fixture *f, const struct message *m) {
    struct derived_block b;
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(fixture_message(f, &b, m, &ec), ERR_OK, "%s", ec.text);
    return b.tx_count;
}

Test(derive_senders, side_by_side) {
    for (int dirty = 0; dirty < 2; dirty++) {
        struct fixture f;
        addr20 want[TXS];
        fixture_init(&f, &(struct fixture_options){0});
        struct message m = batch(&f, dirty, want);
        struct senders s;
        senders_prepare(&s, &f.arena, &m, NULL, 0);
        cr_assert_eq(s.count, dirty ? TXS + 2 * (TXS / 4) : TXS);
        cr_assert_not_null(s.recovered);
        size_t n = 0;
        for (size_t i = 0; i < s.count; i++)
            if (s.ok[i])
                cr_expect(addr20_eq(&s.recovered[i], &want[n++]));
        cr_expect_eq(n, TXS);
        cr_expect_eq(txs_in(&f, &m), TXS);
        fixture_clear(&f);
    }
}

/* Known senders are used as they are, if there is one for each; then never again. */
Test(derive_senders, known) {
    struct fixture f;
    addr20 known[TXS];
    struct derived_block b;
    struct err_ctx ec = {.text = ""};
    fixture_init(&f, &(struct fixture_options){0});
    struct message m = batch(&f, false, known);
    for (int wrong = 0; wrong < 3; wrong++) {
        addr20 given[TXS + 1] = {0};
        memcpy(given, known, sizeof(known));
        if (wrong == 1)
            given[TXS - 1] = f.addrs[FIXTURE_ACCOUNTS - 1];
        chain_know_senders(f.main.chain, given[0].b, TXS + (wrong == 2));
        cr_assert_eq(chain_derive_block(&b, f.main.chain, &f.arena, &f.head, &m, &ec), ERR_OK);
        cr_expect_null(f.main.chain->known_senders);
        cr_expect_eq(b.tx_count, wrong == 1 ? TXS - 1 : TXS, "case %d", wrong);
        for (size_t i = 0; i < b.tx_count; i++)
            cr_expect(addr20_eq(&b.txs[i].tx.sender, &known[i]));
        chain_drop_block(f.main.chain);
    }
    cr_expect_eq(txs_in(&f, &m), TXS);
    fixture_clear(&f);
}
