/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a block: new contracts, events, classes; tokens.c has what tokens' logs change. */
#include "base/check.h"
#include "base/keccak.h"
#include "index/universe_rows.h"

const hash32 event_topics[EVENT_TOPIC_COUNT] = {
#define EVENT_TOPIC(id, signature, ...) [EVENT_##id] = {{__VA_ARGS__}},
#include "index/event_topics.def"
#undef EVENT_TOPIC
};
const char *const event_signatures[EVENT_TOPIC_COUNT] = {
#define EVENT_TOPIC(id, signature, ...) [EVENT_##id] = signature,
#include "index/event_topics.def"
#undef EVENT_TOPIC
};

/* --- standards ------------------------------------------------------------------------------ */

enum { FUNCTIONS_PER_STANDARD = 3, OP_PUSH1 = 0x60, OP_PUSH32 = 0x7f };

/* Functions of each standard that the other two do not have. */
static const uint32_t functions[INDEX_ERC1155 + 1][FUNCTIONS_PER_STANDARD] = {
    [INDEX_ERC20] = {0xa9059cbb,   /* transfer(address,uint256) */
                     0xdd62ed3e,   /* allowance(address,address) */
                     0x70a08231},  /* balanceOf(address), which ERC-721 has too */
    [INDEX_ERC721] = {0x6352211e,  /* ownerOf(uint256) */
                      0x42842e0e,  /* safeTransferFrom(address,address,uint256) */
                      0x081812fc}, /* getApproved(uint256) */
    [INDEX_ERC1155] = {0x00fdd58e, /* balanceOf(address,uint256) */
                       0xf242432a, /* safeTransferFrom(address,address,uint256,uint256,bytes) */
                       0x2eb2c2d6} /* safeBatchTransferFrom(...) */
};

/* Marks the constant, if it is one of the functions. */
static void mark_function(unsigned found[INDEX_ERC1155 + 1], uint32_t constant) {
    for (int s = INDEX_ERC20; s <= INDEX_ERC1155; s++)
        for (unsigned f = 0; f < FUNCTIONS_PER_STANDARD; f++)
            if (functions[s][f] == constant)
                found[s] |= 1U << f;
}

enum index_standard index_code_standard(bytes code) {
    unsigned found[INDEX_ERC1155 + 1] = {0};
    for (size_t i = 0; i < code.len; i++) {
        uint8_t op = code.ptr[i];
        if (op < OP_PUSH1 || op > OP_PUSH32)
            continue;
        size_t width = (size_t)(op - OP_PUSH1) + 1;
        /* Compilers leave leading zero bytes out: 0x00fdd58e is a constant of three bytes. */
        if ((width == 3 || width == 4) && i + width < code.len) {
            uint8_t be[4] = {0};
            memcpy(be + 4 - width, code.ptr + i + 1, width);
            mark_function(found, be32_load(be));
        }
        i += width;
    }
    enum index_standard like = INDEX_UNKNOWN;
    for (int s = INDEX_ERC20; s <= INDEX_ERC1155; s++) {
        if (found[s] != (1U << FUNCTIONS_PER_STANDARD) - 1)
            continue;
        if (like != INDEX_UNKNOWN)
            return INDEX_UNKNOWN; /* two at once: its logs will tell */
        like = (enum index_standard)s;
    }
    return like;
}

/* The code that the block gave an address; empty if none. */
static bytes new_code(const struct world_diff *diff, const addr20 *address) {
    hash32 h;
    keccak256(&h, address->b, sizeof(address->b));
    size_t low = 0, high = diff->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = memcmp(diff->accounts[mid].addr_hash.b, h.b, sizeof(h.b));
        if (order == 0)
            return diff->accounts[mid].new_code;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return bytes_of(NULL, 0);
}

/* --- contracts ------------------------------------------------------------------------------ */

struct writer {
    struct store *store;
    const struct derived_block *block;
    size_t next_attribution;
    addr20 registry;
    /* The address that logged last, and what it is: most logs come in rows. */
    struct index_contract contract;
    bool has_contract, is_contract;
    uint64_t moves_left; /* of tokens, by the transaction */
};

static void put_contract(struct store *s, const struct index_contract *c) {
    uint8_t value[ROW_CONTRACT_BYTES];
    row_contract_encode(value, c);
    store_put(s, TABLE_UCON, bytes_of(c->address.b, 20), bytes_of(value, sizeof(value)));
}

/* Those that the transactions up to `tx_idx` made. */
static void put_attributions(struct writer *w, size_t tx_idx) {
    const struct derived_block *b = w->block;
    for (; w->next_attribution < b->attribution_count; w->next_attribution++) {
        const struct attribution *a = &b->attributions[w->next_attribution];
        if (a->tx_idx > tx_idx)
            return;
        struct index_contract c = {.address = a->contract,
                                   .universe = a->universe,
                                   .block = b->header.number,
                                   .tx_idx = (uint32_t)a->tx_idx,
                                   .place = (uint32_t)w->next_attribution,
                                   .standard =
                                       index_code_standard(new_code(&b->diff, &a->contract))};
        uint8_t key[ROW_CONTRACT_PLACE_BYTES];
        row_contract_place_key(key, &c);
        put_contract(w->store, &c);
        store_put(w->store, TABLE_UCNL, bytes_of(key, sizeof(key)), bytes_of(c.address.b, 20));
        w->has_contract = false;
    }
}

/* NULL: of no universe. */
static struct index_contract *contract_of(struct writer *w, const addr20 *address) {
    bytes value;
    if (!w->has_contract || !addr20_eq(&w->contract.address, address)) {
        w->contract = (struct index_contract){.address = *address};
        w->has_contract = true;
        w->is_contract = store_own_get(w->store, TABLE_UCON, bytes_of(address->b, 20), &value);
        if (w->is_contract)
            CHECK(row_contract_decode(&w->contract, value) == ERR_OK);
    }
    return w->is_contract ? &w->contract : NULL;
}

/* --- events --------------------------------------------------------------------------------- */

bool event_argument(bytes *out, bytes data, size_t head, size_t item_bytes) {
    if (data.len < head + 32)
        return false;
    u256 offset = u256_from_be32(data.ptr + head);
    uint64_t at = u256_sat_u64(&offset);
    if (at > data.len || data.len - at < 32)
        return false;
    u256 count = u256_from_be32(data.ptr + at);
    uint64_t n = u256_sat_u64(&count);
    if (n > (data.len - at - 32) / item_bytes)
        return false;
    *out = bytes_of(data.ptr + at + 32, n * item_bytes);
    return true;
}

/* --- classes -------------------------------------------------------------------------------- */

/* Metadata parts: what fits beside the fixed fields, and the rest. */
enum { CLASS_PART0_BYTES = STORE_VALUE_MAX_BYTES - ROW_CLASS_FIXED_BYTES };
_Static_assert((int)INDEX_CLASS_METADATA_MAX_BYTES <=
                   (int)CLASS_PART0_BYTES + (int)STORE_VALUE_MAX_BYTES,
               "two parts hold the longest metadata");

static void put_class(struct store *s, const addr20 *contract, const u256 *id, uint64_t block,
                      const u256 *cap, bytes metadata) {
    uint8_t key[ROW_CLASS_KEY_BYTES], value[STORE_VALUE_MAX_BYTES];
    bool too_long = metadata.len > INDEX_CLASS_METADATA_MAX_BYTES;
    size_t len = too_long ? 0 : metadata.len;
    size_t first = len < CLASS_PART0_BYTES ? len : CLASS_PART0_BYTES;
    value[0] = too_long ? ROW_CLASS_TOO_LONG : 0;
    be64_store(value + 1, block);
    u256_to_be32(value + 9, cap);
    value[41] = (uint8_t)(len >> 8);
    value[42] = (uint8_t)len;
    if (first > 0)
        memcpy(value + ROW_CLASS_FIXED_BYTES, metadata.ptr, first);
    row_class_key(key, contract, id, 0);
    store_put(s, TABLE_UCLS, bytes_of(key, sizeof(key)),
              bytes_of(value, ROW_CLASS_FIXED_BYTES + first));
    key[ROW_CLASS_KEY_BYTES - 1] = 1;
    if (len > first)
        store_put(s, TABLE_UCLS, bytes_of(key, sizeof(key)),
                  bytes_of(metadata.ptr + first, len - first));
    else
        store_del(s, TABLE_UCLS, bytes_of(key, sizeof(key)));
}

void index_put_class(struct store *s, const struct index_contract *c, const struct log_entry *l,
                     uint64_t block) {
    if (l->topic_count != 2)
        return;
    bool defines = hash32_eq(&l->topics[0], &event_topics[EVENT_CLASS_DEFINED]);
    bytes metadata, row;
    if (!defines && !hash32_eq(&l->topics[0], &event_topics[EVENT_CLASS_METADATA_CHANGED]))
        return;
    if (!event_argument(&metadata, l->data, defines ? 32 : 0, 1))
        return;
    u256 id = u256_from_be32(l->topics[1].b), cap = U256_ZERO;
    uint8_t key[ROW_CLASS_KEY_BYTES];
    row_class_key(key, &c->address, &id, 0);
    bool known = store_own_get(s, TABLE_UCLS, bytes_of(key, sizeof(key)), &row);
    if (known == defines)
        return;
    if (defines) {
        cap = u256_from_be32(l->data.ptr);
    } else {
        CHECK(row.len >= ROW_CLASS_FIXED_BYTES);
        block = be64_load(row.ptr + 1);
        cap = u256_from_be32(row.ptr + 9);
    }
    put_class(s, &c->address, &id, block, &cap, metadata);
}

/* --- events --------------------------------------------------------------------------------- */

static void put_event(struct writer *w, uint64_t universe, const struct index_cursor *at,
                      const struct log_entry *l) {
    uint8_t key[ROW_EVENT_KEY_BYTES], value[20 + 32];
    size_t len = 20;
    row_event_key(key, universe, at);
    memcpy(value, l->address.b, 20);
    if (l->topic_count > 0) {
        memcpy(value + 20, l->topics[0].b, 32);
        len += 32;
    }
    store_put_new(w->store, TABLE_UEVT, bytes_of(key, sizeof(key)), bytes_of(value, len));
}

uint64_t event_registry_universe(const struct log_entry *l) {
    if (l->topic_count < 2 || hash32_eq(&l->topics[0], &event_topics[EVENT_CREATOR_SET]) ||
        hash32_eq(&l->topics[0], &event_topics[EVENT_UNATTRIBUTABLE_SET]))
        return 0;
    u256 id = u256_from_be32(l->topics[1].b);
    return u256_fits_u64(&id) ? id.w[0] : 0;
}

static void put_log(struct writer *w, const struct index_cursor *at, const struct log_entry *l) {
    if (addr20_eq(&l->address, &w->registry)) {
        uint64_t universe = event_registry_universe(l);
        if (universe != 0)
            put_event(w, universe, at, l);
        return;
    }
    struct index_contract *c = contract_of(w, &l->address);
    if (c == NULL)
        return;
    put_event(w, c->universe, at, l);
    if (index_put_tokens(w->store, c, l, &w->moves_left))
        put_contract(w->store, c);
    index_put_class(w->store, c, l, at->block);
}

void index_put_universes(struct store *s, const struct derived_block *b) {
    struct writer w = {.store = s, .block = b, .registry = system_address(SYSTEM_REGISTRY)};
    struct index_cursor at = {.block = b->header.number};
    for (size_t i = 0; i < b->tx_count; i++) {
        const struct receipt *r = &b->txs[i].receipt;
        put_attributions(&w, i);
        at.tx_idx = (uint32_t)i;
        w.moves_left = r->gas_used / INDEX_GAS_PER_MOVE;
        for (size_t j = 0; j < r->log_count; j++, at.log_idx++)
            put_log(&w, &at, &r->logs[j]);
    }
    CHECK(w.next_attribution == b->attribution_count);
}
