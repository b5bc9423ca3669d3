/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a universe's events from a cursor on are exactly those that looking at every log gives,
 * whatever filters and limits cut them into pieces; cursors sort as text. Covers: events.c, and the
 * event rows of universe_put.c */
#include "chain/system_state.h"
#include "index/digest.h"
#include "index/universe_rows.h"
#include "tests/lib/index/blocks.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

enum { BLOCKS = 120, FOUND_MAX = 4096, OWNED = 4 };

static const uint64_t universes[OWNED] = {1, 1, 2, UINT64_MAX};

struct found {
    struct index_cursor at[FOUND_MAX];
    size_t count;
};

static struct rng rng;

static struct log_entry *random_log(struct blocks *b, struct derived_block *d) {
    if (d->tx_count == 0)
        return NULL;
    struct receipt *r = &d->txs[blocks_random(b, d->tx_count)].receipt;
    return r->log_count > 0 ? &r->logs[blocks_random(b, r->log_count)] : NULL;
}

/* Universes' contracts appear one after the other; some logs are the registry's. */
static void alter(void *ctx, struct derived_block *d) {
    struct blocks *b = ctx;
    uint64_t n = d->header.number;
    if (n % 10 == 3 && n / 10 < OWNED && d->tx_count > 0) {
        d->attributions = arena_zalloc(&b->arena, sizeof(*d->attributions));
        d->attributions[0] = (struct attribution){.contract = blocks_address(n / 10),
                                                  .universe = universes[n / 10],
                                                  .tx_idx = d->tx_count - 1};
        d->attribution_count = 1;
    }
    struct log_entry *l = random_log(b, d);
    if (l == NULL || l->topic_count == 0)
        return;
    l->address = system_address(SYSTEM_REGISTRY);
    l->topics[0] = event_topics[blocks_random(b, EVENT_TOPIC_COUNT)];
    memset(l->topics[1].b, 0, 32);
    l->topics[1].b[31] = (uint8_t)blocks_random(b, 4);
    if (blocks_random(b, 6) == 0)
        memset(l->topics[1].b + 24, 0xff, 8);
    if (blocks_random(b, 6) == 0)
        l->topics[1].b[blocks_random(b, 24)] = 1;
}

/* --- looking at all ------------------------------------------------------------------------- */

/* Universe of a log by what was attributed up to its transaction; 0: none. */
static uint64_t universe_of_log(struct blocks *b, const struct log_entry *l, uint64_t block,
                                size_t tx) {
    const addr20 registry = system_address(SYSTEM_REGISTRY);
    if (addr20_eq(&l->address, &registry)) {
        static const uint8_t zeros[24];
        if (l->topic_count < 2 || memcmp(l->topics[1].b, zeros, sizeof(zeros)) != 0)
            return 0;
        if (hash32_eq(&l->topics[0], &event_topics[EVENT_CREATOR_SET]) ||
            hash32_eq(&l->topics[0], &event_topics[EVENT_UNATTRIBUTABLE_SET]))
            return 0;
        return be64_load(l->topics[1].b + 24);
    }
    for (uint64_t n = 0; n <= block; n++)
        for (size_t i = 0; i < b->made[n].attribution_count; i++) {
            const struct attribution *a = &b->made[n].attributions[i];
            if (addr20_eq(&a->contract, &l->address) && (n < block || a->tx_idx <= tx))
                return a->universe;
        }
    return 0;
}

static bool after(const struct index_cursor *a, const struct index_cursor *b) {
    if (a->block != b->block)
        return a->block > b->block;
    return a->tx_idx != b->tx_idx ? a->tx_idx > b->tx_idx : a->log_idx > b->log_idx;
}

static bool wanted(const struct index_event_query *q, const struct log_entry *l) {
    bool hit = q->contract_count == 0;
    for (size_t i = 0; i < q->contract_count; i++)
        hit |= addr20_eq(&q->contracts[i], &l->address);
    if (q->topic_count == 0)
        return hit;
    bool topic = false;
    for (size_t i = 0; i < q->topic_count && l->topic_count > 0; i++)
        topic |= hash32_eq(&q->topics[i], &l->topics[0]);
    return hit && topic;
}

static void brute(struct blocks *b, const struct index_event_query *q, struct found *out) {
    out->count = 0;
    for (uint64_t n = 0; n < b->count && n <= q->to_block; n++) {
        struct index_cursor at = {.block = n};
        for (size_t i = 0; i < b->made[n].tx_count; i++)
            for (size_t k = 0; k < b->made[n].txs[i].receipt.log_count; k++, at.log_idx++) {
                const struct log_entry *l = &b->made[n].txs[i].receipt.logs[k];
                at.tx_idx = (uint32_t)i;
                if (universe_of_log(b, l, n, i) == q->universe && after(&at, &q->after) &&
                    wanted(q, l))
                    out->at[out->count++] = at;
            }
    }
}

/* --- searching ------------------------------------------------------------------------------ */

struct search {
    struct blocks *b;
    struct found found;
    size_t asked; /* for the time */
    bool hurries;
};

static bool expired(void *ctx) {
    struct search *s = ctx;
    return s->hurries && ++s->asked % 3 == 0;
}

static enum err on_event(void *ctx, const struct index_log *l) {
    struct search *s = ctx;
    const struct derived_block *d = &s->b->made[l->block->number];
    const struct receipt *r = &d->txs[l->tx_idx].receipt;
    struct index_cursor at = {
        .block = d->header.number, .tx_idx = l->tx_idx, .log_idx = l->log_idx};
    size_t first = 0;
    for (size_t i = 0; i < l->tx_idx; i++)
        first += d->txs[i].receipt.log_count;
    const struct log_entry *want = &r->logs[l->log_idx - first];
    cr_assert(addr20_eq(&want->address, &l->log->address));
    cr_assert_eq(want->topic_count, l->log->topic_count);
    cr_assert_eq(want->data.len, l->log->data.len);
    cr_assert_lt(s->found.count, FOUND_MAX);
    s->found.at[s->found.count++] = at;
    return ERR_OK;
}

static struct search got;
static struct found want;

/* Follows the cursors to the end. */
static void follow(struct blocks *b, const struct index_event_query *base, bool hurries) {
    struct index_event_query q = *base;
    struct arena a;
    struct err_ctx ec = {.text = ""};
    bool more = true;
    arena_init(&a, 1 << 16, 1 << 26);
    got = (struct search){.b = b, .hurries = hurries};
    q.fn = on_event;
    q.expired = expired;
    q.ctx = &got;
    for (size_t rounds = 0; more; rounds++) {
        struct index_cursor last;
        size_t before = got.found.count;
        cr_assert_lt(rounds, 10 * FOUND_MAX);
        cr_assert_eq(index_events(&last, &more, &a, &q, &ec), ERR_OK, "%s", ec.text);
        cr_assert_eq(last.epoch, 1);
        cr_assert_leq(got.found.count - before, q.events_max);
        cr_assert(!after(&q.after, &last));
        q.after = last;
    }
    arena_clear(&a);
}

static void expect_equal(struct blocks *b, const struct index_event_query *q, bool hurries) {
    brute(b, q, &want);
    follow(b, q, hurries);
    cr_assert_eq(got.found.count, want.count);
    for (size_t i = 0; i < want.count; i++)
        cr_assert(!after(&want.at[i], &got.found.at[i]) && !after(&got.found.at[i], &want.at[i]));
}

Test(events, equal_to_looking_at_all, .timeout = 120) {
    struct blocks b;
    rng.state = rng_seed(5);
    blocks_open(&b, rng.state | 1);
    b.alter = alter;
    b.alter_ctx = &b;
    blocks_add(&b, BLOCKS / 2);
    cr_assert_eq(store_checkpoint(b.store, NULL), ERR_OK);
    blocks_add(&b, BLOCKS / 2);
    blocks_unwind(&b, BLOCKS - 20);
    blocks_add(&b, 10);
    size_t hits = 0;
    for (int i = 0; i < 600; i++) {
        addr20 contracts[2] = {blocks_address(rng_below(&rng, BLOCKS_ADDRESSES)),
                               rng_below(&rng, 2) ? system_address(SYSTEM_REGISTRY)
                                                  : blocks_address(rng_below(&rng, 3))};
        hash32 topics[2] = {blocks_topic(rng_below(&rng, BLOCKS_TOPICS)),
                            event_topics[rng_below(&rng, EVENT_TOPIC_COUNT)]};
        struct index_event_query q = {.source = &b.source,
                                      .view = b.view,
                                      .universe = universes[rng_below(&rng, OWNED)],
                                      .to_block =
                                          rng_below(&rng, 2) ? UINT64_MAX : rng_below(&rng, BLOCKS),
                                      .contracts = contracts,
                                      .contract_count = rng_below(&rng, 3),
                                      .topics = topics,
                                      .topic_count = rng_below(&rng, 3),
                                      .events_max = 1 + rng_below(&rng, 20),
                                      .rows_max = 1 + rng_below(&rng, 40)};
        if (rng_below(&rng, 2))
            q.after = (struct index_cursor){.block = rng_below(&rng, BLOCKS),
                                            .tx_idx = (uint32_t)rng_below(&rng, 3),
                                            .log_idx = (uint32_t)rng_below(&rng, 6)};
        expect_equal(&b, &q, rng_below(&rng, 3) == 0);
        hits += want.count;
    }
    cr_expect_gt(hits, 1000);
    blocks_close(&b);
}

Test(events, missing_receipts) {
    struct blocks b;
    struct err_ctx ec = {.text = ""};
    blocks_open(&b, 5);
    b.alter = alter;
    b.alter_ctx = &b;
    blocks_add(&b, 60);
    struct index_event_query q = {.source = &b.source,
                                  .view = b.view,
                                  .universe = 1,
                                  .to_block = UINT64_MAX,
                                  .events_max = 10000,
                                  .rows_max = 10000};
    brute(&b, &q, &want);
    cr_assert_gt(want.count, 5);
    const uint64_t lost = want.at[want.count / 2].block;
    uint8_t key[8];
    be64_store(key, lost);
    blocks_unwind(&b, lost);
    q.view = b.view;
    /* As if the segment were gone: the block's RCPT row is deleted by the one who made it. */
    blocks_unwind(&b, lost - 1);
    const struct store_applied at = {.epoch = 1, .seq = 9999, .block = lost};
    const struct index_positions none = {.has_body = false};
    store_block_begin(b.store, lost);
    index_put_block(b.store, &b.made[lost], &none);
    store_block_commit(b.store, &at);
    store_set_durable(b.store, lost);
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, b.store, lost), ERR_OK);
    struct arena a;
    struct index_cursor last;
    bool more;
    arena_init(&a, 1 << 16, 1 << 26);
    got = (struct search){.b = &b};
    q.view = v;
    q.fn = on_event;
    q.ctx = &got;
    cr_expect_eq(index_events(&last, &more, &a, &q, &ec), ERR_PRUNED);
    cr_expect_lt(last.block, lost);
    cr_expect_not_null(strstr(ec.text, "those left begin after cursor 0"), "%s", ec.text);
    cr_expect_gt(got.found.count, 0);
    arena_clear(&a);
    store_view_close(v);
    blocks_close(&b);
}

/* --- events of dropped blocks ---------------------------------------------------------------- */

static void expect_gone(struct blocks *b, const struct index_event_query *base) {
    struct index_event_query q = *base;
    struct index_cursor last;
    struct arena a;
    struct err_ctx ec = {.text = ""};
    bool more;
    arena_init(&a, 1 << 16, 1 << 26);
    got = (struct search){.b = b};
    q.fn = on_event;
    q.ctx = &got;
    cr_expect_eq(index_events(&last, &more, &a, &q, &ec), ERR_PRUNED);
    cr_expect_eq(got.found.count, 0);
    cr_expect_not_null(strstr(ec.text, "those left begin after cursor 0"), "%s", ec.text);
    arena_clear(&a);
}

/* What is left of a universe whose old events are gone; returns how many rows that takes. */
static size_t check_after_drop(struct blocks *b, uint64_t universe, uint64_t first) {
    static struct found all;
    const addr20 quiet = {{0x77}}; /* logs nothing */
    struct index_event_query q = {.source = &b->source,
                                  .view = b->view,
                                  .universe = universe,
                                  .to_block = UINT64_MAX,
                                  .events_max = 10000,
                                  .rows_max = 10000};
    size_t gone = 0;
    brute(b, &q, &all);
    while (gone < all.count && all.at[gone].block < first)
        gone++;
    if (gone > 0) {
        expect_gone(b, &q);
        q.contracts = &quiet;
        q.contract_count = 1;
        expect_gone(b, &q); /* nobody knows any more whose they were */
        q.contract_count = 0;
        if (gone > 1)
            q.after = all.at[gone - 2];
        expect_gone(b, &q);
        q.after = all.at[gone - 1];
    }
    expect_equal(b, &q, false);
    q.after =
        (struct index_cursor){.block = first - 1, .tx_idx = UINT32_MAX, .log_idx = UINT32_MAX};
    expect_equal(b, &q, true);
    return all.count - gone + (gone > 0);
}

Test(events, go_with_their_blocks, .timeout = 120) {
    static const uint64_t ids[] = {1, 2, 3, UINT64_MAX};
    struct blocks b;
    struct index_digest before, after;
    struct store_stats st;
    rng.state = rng_seed(8);
    blocks_open(&b, rng.state | 1);
    b.alter = alter;
    b.alter_ctx = &b;
    blocks_add(&b, BLOCKS);
    for (uint64_t first = BLOCKS / 3; first < BLOCKS; first += BLOCKS / 3) {
        size_t rows = 0;
        cr_assert_eq(index_digest(&before, b.view, first, NULL, NULL, NULL), ERR_OK);
        blocks_checkpoint(&b);
        blocks_drop(&b, first);
        for (size_t i = 0; i < ARRAY_LEN(ids); i++)
            rows += check_after_drop(&b, ids[i], first);
        cr_assert_eq(store_stat(b.store, &st), ERR_OK);
        cr_expect_eq(st.rows[TABLE_UEVT], rows);
        cr_assert_eq(index_digest(&after, b.view, first, NULL, NULL, NULL), ERR_OK);
        cr_expect(hash32_eq(&after.tables[TABLE_UEVT], &before.tables[TABLE_UEVT]));
        cr_expect_eq(after.rows[TABLE_UEVT], before.rows[TABLE_UEVT]);
    }
    blocks_close(&b);
}

Test(events, cursors_as_text) {
    char text[INDEX_CURSOR_CHARS + 1], before[INDEX_CURSOR_CHARS + 1] = "";
    struct index_cursor c, back, low = {0};
    rng.state = rng_seed(6);
    for (int i = 0; i < 2000; i++) {
        rng_fill(&rng, &c, sizeof(c));
        if (i == 0)
            c = low;
        if (i % 3 == 1)
            c.epoch = low.epoch;
        index_cursor_text(text, &c);
        cr_assert_eq(strlen(text), INDEX_CURSOR_CHARS);
        cr_assert_eq(index_cursor_parse(&back, text), ERR_OK);
        cr_assert(back.epoch == c.epoch && back.block == c.block && back.tx_idx == c.tx_idx &&
                  back.log_idx == c.log_idx);
        bool higher = c.epoch != low.epoch ? c.epoch > low.epoch : after(&c, &low);
        cr_assert_eq(i == 0 || strcmp(text, before) > 0, i == 0 || higher);
        memcpy(before, text, sizeof(text));
        low = c;
        char bad = text[rng_below(&rng, INDEX_CURSOR_CHARS)];
        text[rng_below(&rng, INDEX_CURSOR_CHARS)] = (char)(bad - '0' + 'w');
        cr_expect_eq(index_cursor_parse(&back, text), ERR_INVALID);
    }
    cr_expect_eq(index_cursor_parse(&back, ""), ERR_INVALID);
    cr_expect_eq(index_cursor_parse(&back, "00000000000000000000000000000000000000"), ERR_INVALID);
    cr_expect_eq(index_cursor_parse(&back, "000000000000000000000000000000000000000"), ERR_OK);
    cr_expect_eq(index_cursor_parse(&back, "000000000000000000000000000000000000001"), ERR_INVALID,
                 "bits that no cursor has");
    cr_expect_eq(index_cursor_parse(&back, "00000000000000000000000000000000000000V"), ERR_INVALID);
}
