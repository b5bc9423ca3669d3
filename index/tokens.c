/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what Transfer, TransferSingle and TransferBatch change (EIP-20, EIP-721, EIP-1155). */
#include "base/check.h"
#include "index/universe_rows.h"

struct token {
    struct store *store;
    const struct index_contract *contract;
    u256 id;
};

/* --- rows ----------------------------------------------------------------------------------- */

static u256 own_balance(const struct token *t, const addr20 *holder) {
    uint8_t key[ROW_BALANCE_KEY_BYTES];
    bytes value;
    u256 amount = U256_ZERO;
    row_balance_key(key, holder, t->contract->universe, &t->contract->address, &t->id);
    if (store_own_get(t->store, TABLE_TBAL, bytes_of(key, sizeof(key)), &value))
        CHECK(row_amount_decode(&amount, value) == ERR_OK);
    return amount;
}

static void set_balance(const struct token *t, const addr20 *holder, const u256 *amount) {
    uint8_t key[ROW_BALANCE_KEY_BYTES], value[32];
    row_balance_key(key, holder, t->contract->universe, &t->contract->address, &t->id);
    if (u256_is_zero(amount))
        store_del(t->store, TABLE_TBAL, bytes_of(key, sizeof(key)));
    else
        store_put(t->store, TABLE_TBAL, bytes_of(key, sizeof(key)),
                  row_amount_encode(value, amount));
}

/* Moves a holder from one place of the order to another. */
static void set_rank(const struct token *t, const addr20 *holder, const u256 *before,
                     const u256 *after) {
    uint8_t key[ROW_HOLDER_KEY_BYTES];
    if (!u256_is_zero(before)) {
        row_holder_key(key, &t->contract->address, &t->id, before, holder);
        store_del(t->store, TABLE_THLD, bytes_of(key, sizeof(key)));
    }
    if (!u256_is_zero(after)) {
        row_holder_key(key, &t->contract->address, &t->id, after, holder);
        store_put(t->store, TABLE_THLD, bytes_of(key, sizeof(key)), bytes_of(NULL, 0));
    }
}

/* Key of TSUP: of an id or class, or with NULL of the whole contract. */
struct supply_key {
    uint8_t b[ROW_TOKEN_KEY_BYTES];
    size_t len;
};

static struct supply_key supply_key(const addr20 *contract, const u256 *id) {
    struct supply_key k = {.len = 20};
    memcpy(k.b, contract->b, 20);
    if (id != NULL) {
        row_token_key(k.b, contract, id);
        k.len = ROW_TOKEN_KEY_BYTES;
    }
    return k;
}

static struct index_supply own_supply(struct store *s, const struct supply_key *k) {
    struct index_supply out = {.supply = U256_ZERO, .minted = U256_ZERO};
    bytes value;
    if (store_own_get(s, TABLE_TSUP, bytes_of(k->b, k->len), &value))
        CHECK(row_supply_decode(&out, value) == ERR_OK);
    return out;
}

static void set_supply(struct store *s, const struct supply_key *k, const struct index_supply *v) {
    uint8_t value[ROW_SUPPLY_BYTES];
    row_supply_encode(value, v);
    store_put(s, TABLE_TSUP, bytes_of(k->b, k->len), bytes_of(value, sizeof(value)));
}

/* --- amounts -------------------------------------------------------------------------------- */

static void add(u256 *to, const u256 *amount, bool *broken) {
    if (u256_add_overflow(to, to, amount)) {
        *to = U256_MAX;
        *broken = true;
    }
}

static void take(u256 *from, const u256 *amount, bool *broken) {
    if (u256_lt(from, amount)) {
        *from = U256_ZERO;
        *broken = true;
    } else {
        *from = u256_sub(from, amount);
    }
}

/* One account's part of a move; keeps the number of holders. */
static void change(const struct token *t, const addr20 *holder, const u256 *amount,
                   void (*how)(u256 *, const u256 *, bool *), struct index_supply *s) {
    const u256 before = own_balance(t, holder);
    u256 after = before;
    how(&after, amount, &s->broken);
    if (u256_eq(&before, &after))
        return;
    set_balance(t, holder, &after);
    set_rank(t, holder, &before, &after);
    if (u256_is_zero(&before))
        s->holders++;
    if (u256_is_zero(&after)) {
        CHECK(s->holders > 0);
        s->holders--;
    }
}

/* ERC-20 and ERC-1155. */
static void move_amount(const struct token *t, const addr20 *from, const addr20 *to,
                        const u256 *amount) {
    bool mints = addr20_is_zero(from), burns = addr20_is_zero(to);
    if (u256_is_zero(amount) || (mints && burns))
        return;
    const struct supply_key key = supply_key(&t->contract->address, &t->id);
    struct index_supply s = own_supply(t->store, &key);
    if (mints) {
        add(&s.supply, amount, &s.broken);
        add(&s.minted, amount, &s.broken);
    } else {
        change(t, from, amount, take, &s);
    }
    if (burns)
        take(&s.supply, amount, &s.broken);
    else
        change(t, to, amount, add, &s);
    set_supply(t->store, &key, &s);
}

/* --- ERC-721 -------------------------------------------------------------------------------- */

/* Counts a token that came to be, or ceased to, with the class or the whole contract. */
static void count_token(struct store *store, const struct supply_key *k, bool was, bool is,
                        bool broken) {
    const u256 one = U256_ONE;
    struct index_supply s = own_supply(store, k);
    s.broken |= broken;
    if (is && !was) {
        add(&s.supply, &one, &s.broken);
        add(&s.minted, &one, &s.broken);
        s.holders++;
    }
    if (was && !is) {
        CHECK(s.holders > 0);
        take(&s.supply, &one, &s.broken);
        s.holders--;
    }
    set_supply(store, k, &s);
}

static void move_unique(const struct token *t, const addr20 *from, const addr20 *to) {
    uint8_t key[ROW_TOKEN_KEY_BYTES];
    addr20 owner = {{0}};
    bytes value;
    row_token_key(key, &t->contract->address, &t->id);
    bool was = store_own_get(t->store, TABLE_TOWN, bytes_of(key, sizeof(key)), &value);
    bool is = !addr20_is_zero(to);
    if (was) {
        CHECK(value.len == 20);
        memcpy(owner.b, value.ptr, 20);
    }
    bool broken = !addr20_eq(&owner, from);
    if (was && !addr20_eq(&owner, to))
        set_balance(t, &owner, &U256_ZERO);
    if (is) {
        const u256 one = U256_ONE;
        set_balance(t, to, &one);
        store_put(t->store, TABLE_TOWN, bytes_of(key, sizeof(key)), bytes_of(to->b, 20));
    } else {
        store_del(t->store, TABLE_TOWN, bytes_of(key, sizeof(key)));
    }
    if (was == is && !broken)
        return;
    const u256 class = index_class_of(INDEX_ERC721, &t->id);
    const struct supply_key all = supply_key(&t->contract->address, NULL),
                            of_class = supply_key(&t->contract->address, &class);
    count_token(t->store, &all, was, is, broken);
    count_token(t->store, &of_class, was, is, broken);
}

/* --- logs ----------------------------------------------------------------------------------- */

/* An indexed address; false if the topic holds more than one. */
static bool topic_address(addr20 *out, const hash32 *topic) {
    static const uint8_t zeros[12];
    memcpy(out->b, topic->b + 12, 20);
    return memcmp(topic->b, zeros, sizeof(zeros)) == 0;
}

/* What a token's log says; lists of `count` words. */
struct transfer {
    enum index_standard standard; /* INDEX_UNKNOWN: not the shape of any */
    addr20 from, to;
    const uint8_t *ids, *amounts; /* NULL: id 0; amount 1 */
    size_t count;
};

static bool transfer_addresses(struct transfer *out, const hash32 *topics) {
    return topic_address(&out->from, &topics[0]) && topic_address(&out->to, &topics[1]);
}

/* False: it is no token's log. */
static bool read_transfer(struct transfer *out, const struct log_entry *l) {
    *out = (struct transfer){.count = 1};
    if (l->topic_count == 0)
        return false;
    if (hash32_eq(&l->topics[0], &event_topics[EVENT_TRANSFER])) {
        if (l->topic_count == 3 && l->data.len == 32 && transfer_addresses(out, &l->topics[1])) {
            out->standard = INDEX_ERC20;
            out->amounts = l->data.ptr;
        } else if (l->topic_count == 4 && l->data.len == 0 &&
                   transfer_addresses(out, &l->topics[1])) {
            out->standard = INDEX_ERC721;
            out->ids = l->topics[3].b;
        }
        return true;
    }
    bool single = hash32_eq(&l->topics[0], &event_topics[EVENT_TRANSFER_SINGLE]);
    if (!single && !hash32_eq(&l->topics[0], &event_topics[EVENT_TRANSFER_BATCH]))
        return false;
    if (l->topic_count != 4 || !transfer_addresses(out, &l->topics[2]))
        return true;
    if (single && l->data.len == 64) {
        out->standard = INDEX_ERC1155;
        out->ids = l->data.ptr;
        out->amounts = l->data.ptr + 32;
    }
    bytes ids, amounts;
    if (!single && event_argument(&ids, l->data, 0, 32) &&
        event_argument(&amounts, l->data, 32, 32) && amounts.len == ids.len) {
        out->standard = INDEX_ERC1155;
        out->count = ids.len / 32;
        out->ids = ids.ptr;
        out->amounts = amounts.ptr;
    }
    return true;
}

bool index_put_tokens(struct store *s, struct index_contract *c, const struct log_entry *l,
                      uint64_t *moves_left) {
    struct transfer m;
    if (!read_transfer(&m, l))
        return false;
    const struct index_contract before = *c;
    if (m.standard == INDEX_UNKNOWN || (c->has_logged && c->standard != m.standard)) {
        c->odd = true;
        return !before.odd;
    }
    if (m.count > *moves_left) {
        m.count = *moves_left;
        c->odd = true;
    }
    *moves_left -= m.count;
    struct token t = {.store = s, .contract = c};
    for (size_t i = 0; i < m.count; i++) {
        t.id = m.ids != NULL ? u256_from_be32(m.ids + 32 * i) : U256_ZERO;
        u256 amount = m.amounts != NULL ? u256_from_be32(m.amounts + 32 * i) : U256_ONE;
        if (m.standard == INDEX_ERC721)
            move_unique(&t, &m.from, &m.to);
        else
            move_amount(&t, &m.from, &m.to, &amount);
    }
    c->has_logged = true;
    c->standard = m.standard;
    return !before.has_logged || before.odd != c->odd;
}
