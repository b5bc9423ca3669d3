/* SPDX-License-Identifier: Apache-2.0 */
/* Queries over contracts, tokens and classes. */
#include "base/check.h"
#include "index/universe_rows.h"

static const char *const standard_names[INDEX_ERC1155 + 1] = {
    [INDEX_UNKNOWN] = "",
    [INDEX_ERC20] = "erc20",
    [INDEX_ERC721] = "erc721",
    [INDEX_ERC1155] = "erc1155",
};

const char *index_standard_name(enum index_standard s) {
    CHECK((unsigned)s < ARRAY_LEN(standard_names));
    return standard_names[s];
}

/* --- pages ---------------------------------------------------------------------------------- */

enum { KEY_BYTES_MAX = ROW_HOLDER_KEY_BYTES };

/* The rows of a table whose keys begin with `prefix`, from a place on. Places are what follows the
 * prefix in the key of the page's last row. */
struct list {
    struct store_cursor *cursor;
    uint8_t prefix[KEY_BYTES_MAX];
    size_t prefix_len;
    size_t key_len; /* of rows of the list; others are stepped over */
    struct index_page *at;
    bool more;
    bytes key, value; /* while more */
};

static void list_skip(struct list *l) {
    while (l->more && l->key.len != l->key_len && l->key.len >= l->prefix_len &&
           memcmp(l->key.ptr, l->prefix, l->prefix_len) == 0)
        l->more = store_cursor_next(l->cursor, &l->key, &l->value);
    l->more =
        l->more && l->key.len == l->key_len && memcmp(l->key.ptr, l->prefix, l->prefix_len) == 0;
}

static enum err list_open(struct list *l, struct store_view *v, enum table_id table, bytes prefix,
                          size_t key_len, struct index_page *at) {
    uint8_t from[KEY_BYTES_MAX];
    CHECK(key_len <= sizeof(from) && prefix.len < key_len);
    if (at->len != 0 && at->len != key_len - prefix.len)
        return ERR_INVALID;
    *l = (struct list){.prefix_len = prefix.len, .key_len = key_len, .at = at};
    memcpy(l->prefix, prefix.ptr, prefix.len);
    memcpy(from, prefix.ptr, prefix.len);
    memcpy(from + prefix.len, at->b, at->len);
    bytes start = bytes_of(from, prefix.len + at->len);
    l->cursor = store_cursor_open(v, table);
    if (l->cursor == NULL)
        return ERR_NOMEM;
    l->more = store_cursor_seek(l->cursor, start, &l->key, &l->value);
    if (l->more && at->len != 0 && l->key.len == start.len &&
        memcmp(l->key.ptr, start.ptr, start.len) == 0)
        l->more = store_cursor_next(l->cursor, &l->key, &l->value);
    list_skip(l);
    return ERR_OK;
}

/* The row was taken into the page. */
static void list_next(struct list *l) {
    size_t n = l->key_len - l->prefix_len;
    CHECK(n <= INDEX_PAGE_AT_MAX_BYTES);
    memcpy(l->at->b, l->key.ptr + l->prefix_len, n);
    l->at->len = (uint8_t)n;
    l->more = store_cursor_next(l->cursor, &l->key, &l->value);
    list_skip(l);
}

static void list_close(struct list *l) {
    if (!l->more)
        l->at->len = 0;
    store_cursor_close(l->cursor);
}

/* --- contracts ------------------------------------------------------------------------------ */

enum err index_contract(struct index_contract *out, struct store_view *v, const addr20 *address) {
    bytes value;
    if (!store_get(v, TABLE_UCON, bytes_of(address->b, 20), &value))
        return ERR_NOT_FOUND;
    struct index_contract c = {.address = *address};
    TRY(row_contract_decode(&c, value));
    *out = c;
    return ERR_OK;
}

enum err index_contracts(struct index_contract *out, size_t *out_count, struct index_page *at,
                         struct store_view *v, uint64_t universe, size_t max) {
    uint8_t prefix[8];
    struct list l;
    enum err e = ERR_OK;
    size_t n = 0;
    be64_store(prefix, universe);
    TRY(list_open(&l, v, TABLE_UCNL, bytes_of(prefix, 8), ROW_CONTRACT_PLACE_BYTES, at));
    for (; e == ERR_OK && l.more && n < max; n++) {
        addr20 address;
        if (l.value.len != 20)
            e = ERR_CORRUPT;
        else
            memcpy(address.b, l.value.ptr, 20);
        if (e == ERR_OK)
            e = index_contract(&out[n], v, &address);
        list_next(&l);
    }
    list_close(&l);
    *out_count = e == ERR_OK ? n : 0;
    return e;
}

/* --- tokens --------------------------------------------------------------------------------- */

static void key_token(struct index_holding *h, const uint8_t *contract_and_id) {
    memcpy(h->contract.b, contract_and_id, 20);
    h->id = u256_from_be32(contract_and_id + 20);
}

/* The standard of the contract that a page's rows are of; asked once per contract. */
static enum err standard_of(struct index_holding *h, struct store_view *v,
                            const struct index_holding *before) {
    if (before != NULL && addr20_eq(&before->contract, &h->contract)) {
        h->standard = before->standard;
        return ERR_OK;
    }
    struct index_contract c;
    TRY(index_contract(&c, v, &h->contract));
    h->standard = c.standard;
    return ERR_OK;
}

enum err index_inventory(struct index_holding *out, size_t *out_count, struct index_page *at,
                         struct store_view *v, uint64_t universe, const addr20 *holder,
                         const addr20 *contract, size_t max) {
    uint8_t prefix[ROW_BALANCE_KEY_BYTES];
    const addr20 none = {{0}};
    const u256 zero = U256_ZERO;
    struct list l;
    enum err e = ERR_OK;
    size_t n = 0;
    row_balance_key(prefix, holder, universe, contract != NULL ? contract : &none, &zero);
    TRY(list_open(&l, v, TABLE_TBAL, bytes_of(prefix, contract != NULL ? 48 : 28),
                  ROW_BALANCE_KEY_BYTES, at));
    for (; e == ERR_OK && l.more && n < max; n++) {
        struct index_holding *h = &out[n];
        h->holder = *holder;
        key_token(h, l.key.ptr + 28);
        e = row_amount_decode(&h->amount, l.value);
        if (e == ERR_OK)
            e = standard_of(h, v, n > 0 ? &out[n - 1] : NULL);
        list_next(&l);
    }
    list_close(&l);
    *out_count = e == ERR_OK ? n : 0;
    return e;
}

/* A row of THLD or TOWN. */
static enum err holder_row(struct index_holding *h, const struct list *l) {
    key_token(h, l->key.ptr);
    if (h->standard == INDEX_ERC721) {
        if (l->value.len != 20)
            return ERR_CORRUPT;
        memcpy(h->holder.b, l->value.ptr, 20);
        h->amount = U256_ONE;
        return ERR_OK;
    }
    const u256 max = U256_MAX, rank = u256_from_be32(l->key.ptr + ROW_TOKEN_KEY_BYTES);
    h->amount = u256_sub(&max, &rank);
    memcpy(h->holder.b, l->key.ptr + ROW_TOKEN_KEY_BYTES + 32, 20);
    return ERR_OK;
}

/* Of one ERC-721 token there is one holder at most. */
static enum err one_owner(struct index_holding *out, size_t *out_count, struct index_page *at,
                          struct store_view *v, const addr20 *contract, const u256 *id,
                          size_t max) {
    *out_count = 0;
    if (at->len != 0)
        return ERR_INVALID;
    addr20 owner;
    enum err e = index_owner(&owner, v, contract, id);
    if (e == ERR_NOT_FOUND || max == 0)
        return ERR_OK;
    TRY(e);
    *out = (struct index_holding){.contract = *contract,
                                  .holder = owner,
                                  .standard = INDEX_ERC721,
                                  .id = *id,
                                  .amount = U256_ONE};
    *out_count = 1;
    return ERR_OK;
}

enum err index_holders(struct index_holding *out, size_t *out_count, struct index_page *at,
                       struct store_view *v, const addr20 *contract, const u256 *id, size_t max) {
    uint8_t prefix[ROW_TOKEN_KEY_BYTES];
    const u256 zero = U256_ZERO;
    struct index_contract c;
    struct list l;
    enum err e = ERR_OK;
    size_t n = 0;
    TRY(index_contract(&c, v, contract));
    bool unique = c.standard == INDEX_ERC721;
    if (unique && id != NULL)
        return one_owner(out, out_count, at, v, contract, id, max);
    row_token_key(prefix, contract, id != NULL ? id : &zero);
    TRY(list_open(&l, v, unique ? TABLE_TOWN : TABLE_THLD,
                  bytes_of(prefix, id != NULL ? ROW_TOKEN_KEY_BYTES : 20),
                  unique ? ROW_TOKEN_KEY_BYTES : ROW_HOLDER_KEY_BYTES, at));
    for (; e == ERR_OK && l.more && n < max; n++) {
        out[n].standard = c.standard;
        e = holder_row(&out[n], &l);
        list_next(&l);
    }
    list_close(&l);
    *out_count = e == ERR_OK ? n : 0;
    return e;
}

u256 index_balance(struct store_view *v, const addr20 *contract, const u256 *id,
                   const addr20 *holder) {
    uint8_t key[ROW_BALANCE_KEY_BYTES];
    struct index_contract c;
    u256 amount;
    bytes value;
    if (index_contract(&c, v, contract) != ERR_OK)
        return U256_ZERO;
    row_balance_key(key, holder, c.universe, contract, id);
    if (!store_get(v, TABLE_TBAL, bytes_of(key, sizeof(key)), &value) ||
        row_amount_decode(&amount, value) != ERR_OK)
        return U256_ZERO;
    return amount;
}

enum err index_owner(addr20 *out, struct store_view *v, const addr20 *contract, const u256 *id) {
    uint8_t key[ROW_TOKEN_KEY_BYTES];
    bytes value;
    row_token_key(key, contract, id);
    if (!store_get(v, TABLE_TOWN, bytes_of(key, sizeof(key)), &value))
        return ERR_NOT_FOUND;
    if (value.len != 20)
        return ERR_CORRUPT;
    memcpy(out->b, value.ptr, 20);
    return ERR_OK;
}

struct index_supply index_supply(struct store_view *v, const addr20 *contract, const u256 *id) {
    uint8_t key[ROW_TOKEN_KEY_BYTES];
    const u256 zero = U256_ZERO;
    struct index_supply s, none = {.supply = U256_ZERO, .minted = U256_ZERO};
    bytes value;
    row_token_key(key, contract, id != NULL ? id : &zero);
    bool found =
        store_get(v, TABLE_TSUP, bytes_of(key, id != NULL ? ROW_TOKEN_KEY_BYTES : 20), &value);
    return found && row_supply_decode(&s, value) == ERR_OK ? s : none;
}

/* --- classes -------------------------------------------------------------------------------- */

/* From part 0, with room for the metadata in the arena; *out_have is how much of it is there. */
static enum err class_begin(struct index_class *out, uint8_t **out_text, size_t *out_have,
                            struct arena *a, bytes row) {
    if (row.len < ROW_CLASS_FIXED_BYTES)
        return ERR_CORRUPT;
    size_t len = (size_t)row.ptr[41] << 8 | row.ptr[42];
    *out_have = row.len - ROW_CLASS_FIXED_BYTES;
    if (len > INDEX_CLASS_METADATA_MAX_BYTES || *out_have > len)
        return ERR_CORRUPT;
    *out_text = arena_try_alloc(a, len + 1);
    if (*out_text == NULL)
        return ERR_NOMEM;
    memcpy(*out_text, row.ptr + ROW_CLASS_FIXED_BYTES, *out_have);
    out->too_long = (row.ptr[0] & ROW_CLASS_TOO_LONG) != 0;
    out->block = be64_load(row.ptr + 1);
    out->max_supply = u256_from_be32(row.ptr + 9);
    out->metadata = bytes_of(*out_text, len);
    return ERR_OK;
}

enum err index_class(struct index_class *out, struct arena *a, struct store_view *v,
                     const addr20 *contract, const u256 *id) {
    uint8_t key[ROW_CLASS_KEY_BYTES], *text;
    struct index_class c = {.id = *id};
    size_t have;
    bytes row;
    row_class_key(key, contract, id, 0);
    if (!store_get(v, TABLE_UCLS, bytes_of(key, sizeof(key)), &row))
        return ERR_NOT_FOUND;
    TRY(class_begin(&c, &text, &have, a, row));
    if (have < c.metadata.len) {
        key[ROW_CLASS_KEY_BYTES - 1] = 1;
        if (!store_get(v, TABLE_UCLS, bytes_of(key, sizeof(key)), &row) ||
            row.len != c.metadata.len - have)
            return ERR_CORRUPT;
        memcpy(text + have, row.ptr, row.len);
    }
    *out = c;
    return ERR_OK;
}

enum err index_classes(struct index_class *out, size_t *out_count, struct index_page *at,
                       struct arena *a, struct store_view *v, const addr20 *contract, size_t max) {
    struct list l;
    enum err e = ERR_OK;
    size_t n = 0;
    TRY(list_open(&l, v, TABLE_UCLS, bytes_of(contract->b, 20), ROW_CLASS_KEY_BYTES, at));
    while (e == ERR_OK && l.more && n < max) {
        u256 id = u256_from_be32(l.key.ptr + 20);
        bool begins = l.key.ptr[ROW_CLASS_KEY_BYTES - 1] == 0;
        list_next(&l);
        if (begins)
            e = index_class(&out[n++], a, v, contract, &id);
    }
    /* The last row may be the second part of the page's last class: no page of its own. */
    if (l.more && l.key.ptr[ROW_CLASS_KEY_BYTES - 1] != 0)
        list_next(&l);
    list_close(&l);
    *out_count = e == ERR_OK ? n : 0;
    return e;
}

u256 index_class_of(enum index_standard standard, const u256 *token_id) {
    if (standard != INDEX_ERC721)
        return *token_id;
    return (u256){{token_id->w[1], token_id->w[2], token_id->w[3], 0}};
}
