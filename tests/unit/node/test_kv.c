/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the node's own values are there after every kind of end and after an unwind, in order, and
 * small and large ones alike. Method: random changes compared with a plain array, while blocks,
 * checkpoints, crashes and unwinds happen. Covers: kv.c */
#include "node/kv.h"

#include "index/record.h"
#include "tests/lib/node/chain.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { KEYS = 40, VALUE_MAX = 20000 };

struct model {
    bool there[KEYS];
    size_t len[KEYS];
    uint8_t fill[KEYS];
};

static void key_of(uint8_t key[8], size_t i) {
    be64_store(key, i * 1000003);
}

static void write_one(struct node_chain *c, struct model *m, size_t i, bool del, size_t len,
                      uint8_t fill) {
    uint8_t key[8], *value = malloc(len + 1);
    struct err_ctx ec = {.text = ""};
    memset(value, fill, len);
    key_of(key, i);
    struct kv_op op = {.space = KV_API_KEY,
                       .del = del,
                       .key = bytes_of(key, 8),
                       .value = bytes_of(value, del ? 0 : len)};
    cr_assert_eq(ledger_write_kv(&c->ledger, &op, 1, NULL, &ec), ERR_OK, "%s", ec.text);
    m->there[i] = !del;
    m->len[i] = len;
    m->fill[i] = fill;
    free(value);
}

struct seen {
    const struct model *m;
    size_t next;
};

static bool check_each(void *ctx, bytes key, bytes value) {
    struct seen *s = ctx;
    while (s->next < KEYS && !s->m->there[s->next])
        s->next++;
    cr_assert(s->next < KEYS);
    cr_assert_eq(key.len, 8);
    cr_assert_eq(be64_load(key.ptr), s->next * 1000003);
    cr_assert_eq(value.len, s->m->len[s->next]);
    s->next++;
    return true;
}

static void expect_model(struct node_chain *c, const struct model *m) {
    struct buf b;
    buf_init(&b, KV_VALUE_MAX_BYTES);
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t key[8];
        key_of(key, i);
        buf_reset(&b);
        bool there = kv_get(c->ledger.kv, KV_API_KEY, bytes_of(key, 8), &b);
        cr_assert_eq(there, m->there[i], "key %zu", i);
        if (!there)
            continue;
        cr_assert_eq(b.len, m->len[i]);
        for (size_t k = 0; k < b.len; k++)
            cr_assert_eq(b.ptr[k], m->fill[i]);
    }
    buf_clear(&b);
    static const uint8_t zero[8];
    struct seen s = {.m = m};
    kv_each(c->ledger.kv, KV_API_KEY, bytes_of(zero, 8), check_each, &s);
    while (s.next < KEYS && !m->there[s.next])
        s.next++;
    cr_assert_eq(s.next, KEYS);
}

static void block(struct node_chain *c, uint64_t *nonce) {
    struct tx *tx = node_chain_transfer(c, 0, 1, (*nonce)++, 10);
    node_chain_block(c, &tx, 1);
}

static void crash(struct node_chain *c) {
    struct err_ctx ec = {.text = ""};
    cr_assert_eq(node_chain_reopen(c, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(node_chain_recover(c, NULL, NULL, &ec), ERR_OK, "%s", ec.text);
}

static void rewind_to(struct node_chain *c, uint64_t to) {
    struct ledger *l = &c->ledger;
    struct record_rewind w = {.epoch = l->epoch + 1, .to_block = to, .reason = REWIND_PARENT_REORG};
    struct log_record r;
    struct err_ctx ec = {.text = ""};
    buf_reset(&l->record);
    record_pack_rewind(&l->record, &w);
    cr_assert_eq(ledger_append_record(l, LOG_REWIND, &r, &ec), ERR_OK);
    cr_assert_eq(wal_sync(l->log, NULL, &ec), ERR_OK);
    cr_assert_eq(ledger_rewind(l, to, w.epoch, r.seq, &ec), ERR_OK, "%s", ec.text);
    store_set_durable(l->store, to);
}

Test(kv, like_a_plain_array, .timeout = 120) {
    struct node_chain c;
    struct model m = {0};
    struct rng r = {.state = rng_seed(7)};
    uint64_t nonce = 0;
    node_chain_init(&c);
    for (int round = 0; round < 600; round++) {
        size_t len = rng_below(&r, 4) == 0 ? rng_below(&r, VALUE_MAX) : rng_below(&r, 200);
        write_one(&c, &m, rng_below(&r, KEYS), rng_below(&r, 4) == 0, len, (uint8_t)round);
        uint64_t what = rng_below(&r, 24);
        if (what < 6)
            block(&c, &nonce);
        if (what == 7)
            cr_assert_eq(ledger_checkpoint(&c.ledger, UINT64_MAX, NULL), ERR_OK);
        if (what == 8)
            crash(&c);
        if (what == 9 && c.ledger.head.number > 0) {
            uint64_t back = rng_below(&r, 3), head = c.ledger.head.number;
            rewind_to(&c, head > back ? head - back : 0);
            nonce -= head > back ? back : head;
            if (rng_below(&r, 2) == 0)
                crash(&c);
        }
        if (round % 10 == 0)
            expect_model(&c, &m);
    }
    expect_model(&c, &m);
    crash(&c);
    expect_model(&c, &m);
    node_chain_clear(&c);
}

/* Goal: what may not be written is refused with its reason and changes nothing. */
Test(kv, refusals) {
    struct node_chain c;
    struct model m = {0};
    uint8_t key[32] = {0};
    node_chain_init(&c);
    write_one(&c, &m, 0, false, 3, 'a');
    struct kv_op ops[2] = {
        {.space = KV_API_KEY,
         .key = bytes_of(key, 8),
         .value = bytes_of("b", 1),
         .if_absent = true},
        {.space = KV_REQUEST, .key = bytes_of(key, 32), .value = bytes_of("c", 1)}};
    cr_expect_eq(ledger_write_kv(&c.ledger, ops, 2, NULL, NULL), ERR_EXISTS);
    cr_expect_not(kv_get(c.ledger.kv, KV_REQUEST, bytes_of(key, 32), NULL));
    ops[0].if_absent = false;
    ops[1].key.len = 31;
    cr_expect_eq(ledger_write_kv(&c.ledger, ops, 2, NULL, NULL), ERR_INVALID);
    ops[1].key.len = 32;
    cr_expect_eq(ledger_write_kv(&c.ledger, ops, 0, NULL, NULL), ERR_INVALID);
    ops[1].space = KV_SPACE_END;
    cr_expect_eq(ledger_write_kv(&c.ledger, ops, 2, NULL, NULL), ERR_INVALID);
    static uint8_t big[KV_VALUE_MAX_BYTES + 1];
    ops[0].value = bytes_of(big, sizeof(big));
    cr_expect_eq(ledger_write_kv(&c.ledger, ops, 1, NULL, NULL), ERR_INVALID);
    expect_model(&c, &m);
    node_chain_clear(&c);
}

/* Writes values of the space until there is no room. */
static void fill(struct node_chain *c, enum kv_space space) {
    enum { VALUE = 1 << 20, WRITES_MAX = KV_WAITING_MAX_BYTES / VALUE + 2 };
    static uint8_t value[VALUE];
    static uint64_t number;
    uint8_t key[40] = {0};
    struct kv_op op = {.space = space,
                       .key = bytes_of(key, kv_key_len((uint8_t)space)),
                       .value = bytes_of(value, sizeof(value))};
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < WRITES_MAX; i++) {
        be64_store(key, ++number);
        e = ledger_write_kv(&c->ledger, &op, 1, NULL, NULL);
    }
    cr_assert_eq(e, ERR_BUSY);
}

static enum err write_small(struct node_chain *c, enum kv_space space) {
    uint8_t key[40] = {0xff};
    struct kv_op op = {.space = space,
                       .key = bytes_of(key, kv_key_len((uint8_t)space)),
                       .value = bytes_of("a", 1)};
    return ledger_write_kv(&c->ledger, &op, 1, NULL, NULL);
}

/* What may be uploaded on an idle chain leaves room for keys, and these for transactions. */
Test(kv, room, .timeout = 60) {
    struct node_chain c;
    uint64_t nonce = 0;
    node_chain_init(&c);
    fill(&c, KV_ABI);
    cr_expect_eq(write_small(&c, KV_ABI), ERR_BUSY);
    cr_expect_eq(write_small(&c, KV_API_KEY), ERR_OK);
    fill(&c, KV_API_KEY);
    cr_expect_eq(write_small(&c, KV_TOKEN), ERR_BUSY);
    cr_expect_eq(write_small(&c, KV_REQUEST), ERR_OK);
    fill(&c, KV_SENT);
    cr_expect_eq(write_small(&c, KV_REQUEST), ERR_BUSY);
    block(&c, &nonce);
    store_set_durable(c.ledger.store, c.ledger.head.number);
    cr_expect_eq(write_small(&c, KV_ABI), ERR_OK);
    node_chain_clear(&c);
}
