/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whatever contracts log, balances, holders, owners and supplies are those of a plain model
 * that is told the same moves; at every block, after unwinds and checkpoints. Covers: tokens.c, and
 * universe_read.c's pages. */
#include "base/keccak.h"
#include "index/universe_rows.h"
#include "tests/lib/index/blocks.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

enum {
    CONTRACTS = 5, /* the last is of no universe */
    OWNED = CONTRACTS - 1,
    HOLDERS = 7, /* the first is the zero address */
    IDS = 4,
    BATCH_MAX = 30,
    BLOCKS = 400,
    BLOCKS_KEPT = BLOCKS + 32
};

/* What the model knows of one contract. */
struct model_contract {
    enum index_standard standard;
    bool has_logged, odd;
    u256 balance[IDS][HOLDERS];
    u256 supply[IDS], minted[IDS];
    bool broken[IDS];
    size_t owner[IDS]; /* ERC-721; 0: none */
    uint64_t tokens, tokens_minted;
    bool any_broken;
};
struct model {
    bool deployed;
    struct model_contract c[CONTRACTS];
};

static struct model models[BLOCKS_KEPT]; /* at the end of each block */
static struct rng rng;
static struct arena arena;

static addr20 contract_at(size_t i) {
    addr20 a;
    memset(a.b, 0xc0 + (int)i, sizeof(a.b));
    return a;
}

static uint64_t universe_at(size_t contract) {
    return contract < 3 ? 1 : 0x123456789abcdef0;
}

static addr20 holder_at(size_t i) {
    addr20 a = {{0}};
    if (i > 0)
        memset(a.b, 0x10 * (int)(HOLDERS - i), sizeof(a.b));
    return a;
}

static u256 id_at(size_t i) {
    const u256 ids[IDS] = {U256_ZERO, U256_ONE, {{5, 9, 0, 0}}, U256_MAX};
    return ids[i];
}

static u256 random_amount(void) {
    u256 v;
    switch (rng_below(&rng, 8)) {
    case 0:
        return U256_ZERO;
    case 1:
        return U256_MAX;
    case 2:
        rng_fill(&rng, &v, sizeof(v));
        return v;
    default:
        return u256_from_u64(rng_below(&rng, 100));
    }
}

/* --- the model ------------------------------------------------------------------------------ */

static void model_add(u256 *to, const u256 *n, bool *broken) {
    u256 sum = u256_add(to, n);
    bool over = u256_cmp(&sum, to) < 0;
    *to = over ? U256_MAX : sum;
    *broken |= over;
}

static void model_take(u256 *from, const u256 *n, bool *broken) {
    bool under = u256_cmp(from, n) < 0;
    *from = under ? U256_ZERO : u256_sub(from, n);
    *broken |= under;
}

static void model_amount(struct model_contract *c, size_t id, size_t from, size_t to,
                         const u256 *n) {
    if (from == 0 && to == 0)
        return;
    if (from == 0) {
        model_add(&c->supply[id], n, &c->broken[id]);
        model_add(&c->minted[id], n, &c->broken[id]);
    } else {
        model_take(&c->balance[id][from], n, &c->broken[id]);
    }
    if (to == 0)
        model_take(&c->supply[id], n, &c->broken[id]);
    else
        model_add(&c->balance[id][to], n, &c->broken[id]);
}

static void model_unique(struct model_contract *c, size_t id, size_t from, size_t to) {
    size_t owner = c->owner[id];
    c->any_broken |= owner != from;
    c->broken[id] |= owner != from;
    c->tokens += (to != 0) - (uint64_t)(owner != 0);
    c->tokens_minted += to != 0 && owner == 0;
    c->owner[id] = to;
    memset(c->balance[id], 0, sizeof(c->balance[id]));
    if (to != 0)
        c->balance[id][to] = U256_ONE;
}

/* --- logs ----------------------------------------------------------------------------------- */

struct move {
    size_t contract, from, to, count;
    enum index_standard standard;
    bool batch, malformed;
    size_t ids[BATCH_MAX];
    u256 amounts[BATCH_MAX];
};

static hash32 address_topic(size_t holder) {
    addr20 a = holder_at(holder);
    hash32 h = {{0}};
    memcpy(h.b + 12, a.b, 20);
    return h;
}

static hash32 signature_topic(enum event_topic t) {
    hash32 h;
    keccak256(&h, event_signatures[t], strlen(event_signatures[t]));
    return h;
}

static void put_word(uint8_t *data, size_t *len, const u256 *v) {
    u256_to_be32(data + *len, v);
    *len += 32;
}

static void put_number(uint8_t *data, size_t *len, uint64_t v) {
    u256 w = u256_from_u64(v);
    put_word(data, len, &w);
}

static void encode(struct log_entry *l, const struct move *m) {
    uint8_t data[32 * (4 + 2 * BATCH_MAX)];
    size_t len = 0, topics = 1;
    *l = (struct log_entry){.address = contract_at(m->contract)};
    if (m->standard == INDEX_ERC1155)
        l->topics[topics++] = address_topic(rng_below(&rng, HOLDERS));
    l->topics[topics++] = address_topic(m->from);
    l->topics[topics++] = address_topic(m->to);
    u256 id = id_at(m->ids[0]);
    if (m->standard == INDEX_ERC721)
        u256_to_be32(l->topics[topics++].b, &id);
    if (m->batch) {
        put_number(data, &len, 64);
        put_number(data, &len, 96 + 32 * m->count);
        put_number(data, &len, m->count);
        for (size_t i = 0; i < m->count; i++) {
            id = id_at(m->ids[i]);
            put_word(data, &len, &id);
        }
        put_number(data, &len, m->count);
        for (size_t i = 0; i < m->count; i++)
            put_word(data, &len, &m->amounts[i]);
    } else if (m->standard != INDEX_ERC721) {
        if (m->standard == INDEX_ERC1155)
            put_word(data, &len, &id);
        put_word(data, &len, &m->amounts[0]);
    }
    l->topics[0] = signature_topic(m->standard != INDEX_ERC1155 ? EVENT_TRANSFER
                                   : m->batch                   ? EVENT_TRANSFER_BATCH
                                                                : EVENT_TRANSFER_SINGLE);
    if (m->malformed) {
        switch (rng_below(&rng, m->batch ? 4 : 2)) {
        case 0:
            topics = 1 + rng_below(&rng, 2);
            break;
        case 1:
            l->topics[topics - (m->standard == INDEX_ERC721 ? 2 : 1)].b[rng_below(&rng, 12)] = 1;
            break;
        case 2: /* a list that ends behind the data */
            len -= 1 + rng_below(&rng, 31);
            break;
        default: /* offsets and lengths from anywhere */
            memset(data + 32 * rng_below(&rng, 3), 0xff, 32);
        }
    }
    l->topic_count = (uint8_t)topics;
    l->data = arena_copy(&arena, bytes_of(data, len));
}

static struct move random_move(void) {
    struct move m = {.contract = rng_below(&rng, CONTRACTS),
                     .from = rng_below(&rng, 3) == 0 ? 0 : rng_below(&rng, HOLDERS),
                     .to = rng_below(&rng, HOLDERS),
                     .count = 1,
                     .malformed = rng_below(&rng, 20) == 0};
    uint64_t of_three = rng_below(&rng, 20) != 0 ? m.contract % 3 : rng_below(&rng, 3);
    m.standard = (enum index_standard)(INDEX_ERC20 + of_three);
    if (m.standard == INDEX_ERC1155 && rng_below(&rng, 2) == 0) {
        m.batch = true;
        m.count = rng_below(&rng, 8) == 0 ? rng_below(&rng, BATCH_MAX + 1) : rng_below(&rng, 4);
    }
    for (size_t i = 0; i < BATCH_MAX; i++) {
        m.ids[i] = m.standard == INDEX_ERC20 ? 0 : rng_below(&rng, IDS);
        m.amounts[i] = random_amount();
    }
    return m;
}

static void model_log(struct model *w, const struct move *m, size_t *left) {
    struct model_contract *c = &w->c[m->contract];
    if (m->contract >= OWNED)
        return;
    if (m->malformed || (c->has_logged && c->standard != m->standard)) {
        c->odd = true;
        return;
    }
    c->has_logged = true;
    c->standard = m->standard;
    size_t n = m->count;
    if (n > *left) {
        n = *left;
        c->odd = true;
    }
    *left -= n;
    for (size_t i = 0; i < n; i++)
        if (m->standard == INDEX_ERC721)
            model_unique(c, m->ids[i], m->from, m->to);
        else
            model_amount(c, m->ids[i], m->from, m->to, &m->amounts[i]);
}

/* Fills a block with moves, and tells the model. */
static void alter(void *ctx, struct derived_block *d) {
    struct blocks *b = ctx;
    uint64_t number = d->header.number;
    if (number == 0)
        return;
    struct model *w = &models[number];
    *w = models[number - 1];
    if (!w->deployed && d->tx_count > 0) {
        d->attributions = arena_zalloc(&b->arena, OWNED * sizeof(*d->attributions));
        for (size_t i = 0; i < OWNED; i++)
            d->attributions[d->attribution_count++] = (struct attribution){
                .contract = contract_at(i), .universe = universe_at(i), .tx_idx = 0};
        w->deployed = true;
    }
    for (size_t i = 0; i < d->tx_count; i++) {
        struct receipt *r = &d->txs[i].receipt;
        size_t left = r->gas_used / INDEX_GAS_PER_MOVE;
        for (size_t k = 0; k < r->log_count; k++) {
            struct move m = random_move();
            encode(&r->logs[k], &m);
            model_log(w, &m, &left);
        }
    }
}

/* --- comparing ------------------------------------------------------------------------------ */

static size_t holder_of(const addr20 *a) {
    for (size_t i = 1; i < HOLDERS; i++) {
        addr20 h = holder_at(i);
        if (addr20_eq(&h, a))
            return i;
    }
    cr_assert_fail("an address that never held anything");
    return 0;
}

static size_t id_of(const u256 *id) {
    for (size_t i = 0; i < IDS; i++) {
        u256 v = id_at(i);
        if (u256_eq(&v, id))
            return i;
    }
    cr_assert_fail("an id that never was");
    return 0;
}

/* All pages of at most `max`. */
static size_t all_holders(struct index_holding *out, struct store_view *v, const addr20 *contract,
                          const u256 *id, size_t max) {
    struct index_page at = {.len = 0};
    size_t n = 0, count;
    do {
        cr_assert_eq(index_holders(out + n, &count, &at, v, contract, id, max), ERR_OK);
        cr_assert(count > 0 || at.len == 0);
        n += count;
    } while (at.len != 0);
    return n;
}

static void expect_holders(struct store_view *v, size_t i, const struct model_contract *c) {
    static struct index_holding got[IDS * HOLDERS + HOLDERS];
    const addr20 contract = contract_at(i);
    size_t total = 0;
    for (size_t id = 0; id < IDS; id++) {
        u256 token = id_at(id);
        size_t n = all_holders(got, v, &contract, &token, 1 + rng_below(&rng, 4)), want = 0;
        for (size_t h = 1; h < HOLDERS; h++)
            want += !u256_is_zero(&c->balance[id][h]);
        cr_assert_eq(n, want);
        for (size_t k = 0; k < n; k++) {
            cr_assert(u256_eq(&got[k].amount, &c->balance[id][holder_of(&got[k].holder)]));
            cr_assert(u256_eq(&got[k].id, &token));
            cr_assert_eq(got[k].standard, c->standard);
            int order = k == 0 ? 1 : u256_cmp(&got[k - 1].amount, &got[k].amount);
            cr_assert(order > 0 ||
                      (order == 0 && memcmp(got[k - 1].holder.b, got[k].holder.b, 20) < 0));
        }
        total += n;
        addr20 owner, expected = holder_at(c->owner[id]);
        enum err e = index_owner(&owner, v, &contract, &token);
        cr_assert_eq(e, c->owner[id] != 0 ? ERR_OK : ERR_NOT_FOUND);
        cr_assert(e != ERR_OK || addr20_eq(&owner, &expected));
    }
    cr_assert_eq(all_holders(got, v, &contract, NULL, 3), total);
}

static void expect_supply(const struct index_supply *s, const u256 *supply, const u256 *minted,
                          uint64_t holders, bool broken) {
    cr_assert(u256_eq(&s->supply, supply));
    cr_assert(u256_eq(&s->minted, minted));
    cr_assert_eq(s->holders, holders);
    cr_assert_eq(s->broken, broken);
}

static void expect_supplies(struct store_view *v, size_t i, const struct model_contract *c) {
    const addr20 contract = contract_at(i);
    if (c->standard == INDEX_ERC721) {
        struct index_supply s = index_supply(v, &contract, NULL);
        u256 supply = u256_from_u64(c->tokens), minted = u256_from_u64(c->tokens_minted);
        expect_supply(&s, &supply, &minted, c->tokens, c->any_broken);
        return;
    }
    for (size_t id = 0; id < IDS; id++) {
        u256 token = id_at(id);
        uint64_t holders = 0;
        for (size_t h = 1; h < HOLDERS; h++)
            holders += !u256_is_zero(&c->balance[id][h]);
        struct index_supply s = index_supply(v, &contract, &token);
        expect_supply(&s, &c->supply[id], &c->minted[id], holders, c->broken[id]);
    }
}

static void expect_inventory(struct store_view *v, uint64_t universe, size_t holder,
                             const struct model *w) {
    struct index_page at = {.len = 0};
    struct index_holding got[3];
    const addr20 address = holder_at(holder);
    size_t seen = 0, want = 0, n;
    do {
        cr_assert_eq(index_inventory(got, &n, &at, v, universe, &address, NULL, 3), ERR_OK);
        cr_assert(n > 0 || at.len == 0);
        for (size_t k = 0; k < n; k++) {
            size_t i = (size_t)got[k].contract.b[0] - 0xc0;
            cr_assert(i < OWNED && universe_at(i) == universe);
            cr_assert(u256_eq(&got[k].amount, &w->c[i].balance[id_of(&got[k].id)][holder]));
            cr_assert_eq(got[k].standard, w->c[i].standard);
        }
        seen += n;
    } while (at.len != 0);
    for (size_t i = 0; i < OWNED; i++)
        for (size_t id = 0; id < IDS && universe_at(i) == universe; id++)
            want += !u256_is_zero(&w->c[i].balance[id][holder]);
    cr_assert_eq(seen, want);
}

static void expect_block(struct blocks *b, uint64_t number) {
    const struct model *w = &models[number];
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, b->store, number), ERR_OK);
    for (size_t i = 0; i < CONTRACTS; i++) {
        const struct model_contract *c = &w->c[i];
        const addr20 address = contract_at(i);
        struct index_contract got;
        enum err e = index_contract(&got, v, &address);
        cr_assert_eq(e, w->deployed && i < OWNED ? ERR_OK : ERR_NOT_FOUND);
        if (e != ERR_OK)
            continue;
        cr_assert_eq(got.universe, universe_at(i));
        cr_assert_eq(got.standard, c->standard);
        cr_assert_eq(got.has_logged, c->has_logged);
        cr_assert_eq(got.odd, c->odd);
        expect_holders(v, i, c);
        expect_supplies(v, i, c);
        for (size_t id = 0; id < IDS; id++)
            for (size_t h = 1; h < HOLDERS; h++) {
                u256 token = id_at(id);
                addr20 holder = holder_at(h);
                u256 n = index_balance(v, &address, &token, &holder);
                cr_assert(u256_eq(&n, &c->balance[id][h]));
            }
    }
    for (size_t h = 1; h < HOLDERS; h++) {
        expect_inventory(v, universe_at(0), h, w);
        expect_inventory(v, universe_at(OWNED - 1), h, w);
    }
    cr_assert_not(store_view_stale(v));
    store_view_close(v);
}

Test(tokens, equal_to_a_plain_model, .timeout = 300) {
    const uint64_t seed = rng_seed(20240811);
    struct blocks b;
    rng.state = seed;
    arena_init(&arena, 1 << 20, 1 << 28);
    memset(&models[0], 0, sizeof(models[0]));
    blocks_open(&b, seed | 1);
    b.alter = alter;
    b.alter_ctx = &b;
    blocks_add(&b, 1);
    size_t unwinds = 0;
    while (b.count < BLOCKS) {
        blocks_add(&b, 1 + rng_below(&rng, 8));
        if (rng_below(&rng, 4) == 0) {
            cr_assert_eq(store_checkpoint(b.store, NULL), ERR_OK);
        } else if (rng_below(&rng, 3) == 0) {
            uint64_t back = rng_below(&rng, b.count < 12 ? b.count : 12);
            blocks_unwind(&b, b.count - 1 - back);
            unwinds++;
        }
        expect_block(&b, b.count - 1);
        expect_block(&b, b.count - 1 - rng_below(&rng, b.count < 20 ? b.count : 20));
    }
    cr_expect_gt(unwinds, 5);
    /* The seed reaches what it is about. */
    const struct model *w = &models[b.count - 1];
    size_t broken = 0;
    for (size_t i = 0; i < OWNED; i++) {
        cr_expect(w->c[i].has_logged && w->c[i].odd);
        for (size_t id = 0; id < IDS; id++)
            broken += w->c[i].broken[id];
    }
    cr_expect_gt(broken, 0, "seed %llu", (unsigned long long)seed);
    blocks_close(&b);
    arena_clear(&arena);
}
