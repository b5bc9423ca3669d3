/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: contracts are rows from the transaction on that made them, with the standard that their
 * code looks like; classes are what honest definitions say and what hostile ones cannot spoil.
 * Covers: universe_put.c, universe_rows.c */
#include "base/keccak.h"
#include "index/universe_rows.h"
#include "tests/lib/index/blocks.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(universe_put, topics) {
    for (int i = 0; i < EVENT_TOPIC_COUNT; i++) {
        hash32 h;
        keccak256(&h, event_signatures[i], strlen(event_signatures[i]));
        cr_expect(hash32_eq(&h, &event_topics[i]), "%s", event_signatures[i]);
    }
}

/* --- standards ------------------------------------------------------------------------------ */

static uint32_t selector(const char *signature) {
    hash32 h;
    keccak256(&h, signature, strlen(signature));
    return be32_load(h.b);
}

/* A dispatcher on these functions: PUSH4 (PUSH3 where the first byte is 0) and more code. */
static size_t dispatcher(uint8_t *code, const char *const *functions, size_t count) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t be[4];
        be32_store(be, selector(functions[i]));
        size_t skip = be[0] == 0 ? 1 : 0;
        code[n++] = 0x80; /* DUP1 */
        code[n++] = (uint8_t)(0x63 - skip);
        memcpy(code + n, be + skip, 4 - skip);
        n += 4 - skip;
        code[n++] = 0x14; /* EQ */
    }
    return n;
}

static const char *const erc20[] = {"totalSupply()", "balanceOf(address)",
                                    "transfer(address,uint256)", "allowance(address,address)"};
static const char *const erc721[] = {"balanceOf(address)", "ownerOf(uint256)",
                                     "safeTransferFrom(address,address,uint256)",
                                     "getApproved(uint256)"};
static const char *const erc1155[] = {
    "balanceOf(address,uint256)", "safeTransferFrom(address,address,uint256,uint256,bytes)",
    "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)"};

Test(universe_put, standards_by_code) {
    uint8_t code[256];
    size_t n = dispatcher(code, erc20, ARRAY_LEN(erc20));
    cr_expect_eq(index_code_standard(bytes_of(code, n)), INDEX_ERC20);
    cr_expect_eq(index_code_standard(bytes_of(code, n - 2)), INDEX_UNKNOWN, "one cut short");
    size_t both = n + dispatcher(code + n, erc721, ARRAY_LEN(erc721));
    cr_expect_eq(index_code_standard(bytes_of(code, both)), INDEX_UNKNOWN, "two at once");
    n = dispatcher(code, erc721, ARRAY_LEN(erc721));
    cr_expect_eq(index_code_standard(bytes_of(code, n)), INDEX_ERC721);
    n = dispatcher(code, erc1155, ARRAY_LEN(erc1155));
    cr_expect_eq(index_code_standard(bytes_of(code, n)), INDEX_ERC1155);
    memmove(code + 1, code, n);
    code[0] = 0x7f; /* PUSH32: what follows is a constant, not code */
    cr_expect_eq(index_code_standard(bytes_of(code, n + 1)), INDEX_UNKNOWN);
    cr_expect_eq(index_code_standard(bytes_of(NULL, 0)), INDEX_UNKNOWN);
}

/* Code may be anything: nothing is read behind its end. */
Test(universe_put, any_code) {
    struct rng r = {.state = rng_seed(3)};
    for (int i = 0; i < 5000; i++) {
        size_t len = rng_below(&r, 40);
        uint8_t *code = malloc(len + 1);
        cr_assert_not_null(code);
        rng_fill(&r, code, len);
        if (len > 0)
            code[len - 1] = (uint8_t)(0x60 + rng_below(&r, 32));
        uint8_t *exact = malloc(len > 0 ? len : 1);
        cr_assert_not_null(exact);
        memcpy(exact, code, len);
        cr_expect_eq(index_code_standard(bytes_of(exact, len)), INDEX_UNKNOWN);
        free(exact);
        free(code);
    }
}

/* --- blocks made by hand -------------------------------------------------------------------- */

struct fixture {
    struct blocks b;
    uint64_t head;
};

static void open_chain(struct fixture *f) {
    blocks_open(&f->b, 1);
    const struct store_applied at = {.epoch = 1};
    store_block_begin(f->b.store, 0);
    store_block_commit(f->b.store, &at);
    store_set_durable(f->b.store, 0);
    f->head = 0;
}

/* A block of one transaction per log. */
static void put_block(struct fixture *f, struct log_entry *logs, size_t count,
                      struct attribution *made, size_t made_count, const struct world_diff *diff) {
    struct derived_tx *txs = calloc(count + 1, sizeof(*txs));
    cr_assert_not_null(txs);
    struct derived_block d = {
        .txs = txs, .tx_count = count, .attributions = made, .attribution_count = made_count};
    if (diff != NULL)
        d.diff = *diff;
    d.header.number = ++f->head;
    d.header.field_count = 16;
    d.header.extra_len = 32;
    be64_store(d.hash.b, f->head);
    for (size_t i = 0; i < count; i++) {
        txs[i].tx.raw = bytes_of("\xc0", 1);
        be64_store(txs[i].tx.hash.b, f->head);
        be64_store(txs[i].tx.hash.b + 8, i);
        txs[i].receipt = (struct receipt){.logs = &logs[i], .log_count = 1, .gas_used = 50000};
    }
    const struct index_positions none = {.has_body = false};
    const struct store_applied at = {.epoch = 1, .seq = f->head, .block = f->head};
    store_block_begin(f->b.store, f->head);
    index_put_block(f->b.store, &d, &none);
    store_block_commit(f->b.store, &at);
    store_set_durable(f->b.store, f->head);
    free(txs);
}

static struct store_view *look(struct fixture *f) {
    struct store_view *v;
    cr_assert_eq(store_view_open(&v, f->b.store, f->head), ERR_OK);
    return v;
}

Test(universe_put, contracts_in_order) {
    struct fixture f;
    uint8_t code[256];
    struct log_entry logs[3] = {0};
    for (int i = 0; i < 3; i++)
        logs[i].address = blocks_address(4);
    struct attribution made[] = {{blocks_address(3), 7, 0},
                                 {blocks_address(1), 7, 0},
                                 {blocks_address(0), 8, 1},
                                 {blocks_address(2), 7, 2}};
    struct world_account_change changed = {.addr = blocks_address(1), .exists = true};
    keccak256(&changed.addr_hash, changed.addr.b, 20);
    changed.new_code = bytes_of(code, dispatcher(code, erc721, ARRAY_LEN(erc721)));
    const struct world_diff diff = {.accounts = &changed, .count = 1};
    open_chain(&f);
    put_block(&f, logs, 3, made, ARRAY_LEN(made), &diff);
    struct attribution later = {{{9}}, 7, 0};
    put_block(&f, logs, 1, &later, 1, NULL);
    struct store_view *v = look(&f);
    const addr20 want[] = {blocks_address(3), blocks_address(1), blocks_address(2), {{9}}};
    struct index_contract got;
    struct index_page at = {.len = 0};
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        cr_assert_eq(index_contracts(&got, &n, &at, v, 7, 1), ERR_OK);
        cr_assert_eq(n, 1);
        cr_expect(addr20_eq(&got.address, &want[i]));
        cr_expect_eq(got.universe, 7);
        cr_expect_eq(got.block, i < 3 ? 1 : 2);
        cr_expect_eq(got.tx_idx, i == 2 ? 2 : 0);
        cr_expect_eq(got.standard, i == 1 ? INDEX_ERC721 : INDEX_UNKNOWN);
        cr_expect_not(got.has_logged);
    }
    cr_expect_eq(at.len, 0);
    cr_assert_eq(index_contracts(&got, &n, &at, v, 6, 1), ERR_OK);
    cr_expect_eq(n, 0);
    at.len = 5;
    cr_expect_eq(index_contracts(&got, &n, &at, v, 7, 1), ERR_INVALID);
    store_view_close(v);
    blocks_close(&f.b);
}

/* --- classes -------------------------------------------------------------------------------- */

static uint8_t data[8192];

/* ClassDefined or ClassMetadataChanged of contract 0. */
static struct log_entry class_log(bool defines, uint64_t id, uint64_t cap, const char *text,
                                  size_t len) {
    struct log_entry l = {.address = blocks_address(0), .topic_count = 2};
    size_t head = defines ? 64 : 32;
    u256 words[3] = {u256_from_u64(cap), u256_from_u64(head), u256_from_u64(len)};
    u256 word = u256_from_u64(id);
    l.topics[0] = event_topics[defines ? EVENT_CLASS_DEFINED : EVENT_CLASS_METADATA_CHANGED];
    u256_to_be32(l.topics[1].b, &word);
    memset(data, 0, sizeof(data));
    for (int i = defines ? 0 : 1, at = 0; i < 3; i++, at += 32)
        u256_to_be32(data + at, &words[i]);
    memcpy(data + head + 32, text, len);
    l.data = bytes_of(data, head + 32 + (len + 31) / 32 * 32);
    return l;
}

static void expect_class(struct fixture *f, uint64_t id, uint64_t block, uint64_t cap,
                         const char *text, size_t len, bool too_long) {
    struct arena a;
    struct index_class c;
    const addr20 contract = blocks_address(0);
    u256 key = u256_from_u64(id), max = u256_from_u64(cap);
    struct store_view *v = look(f);
    arena_init(&a, 1 << 14, 1 << 20);
    cr_assert_eq(index_class(&c, &a, v, &contract, &key), ERR_OK);
    cr_expect_eq(c.block, block);
    cr_expect(u256_eq(&c.max_supply, &max));
    cr_expect_eq(c.too_long, too_long);
    cr_assert_eq(c.metadata.len, len);
    cr_expect_eq(memcmp(c.metadata.ptr, text, len), 0);
    arena_clear(&a);
    store_view_close(v);
}

static void put_log(struct fixture *f, struct log_entry l) {
    put_block(f, &l, 1, NULL, 0, NULL);
}

static size_t count_classes(struct fixture *f, size_t page) {
    struct index_class got[8];
    struct index_page at = {.len = 0};
    struct arena a;
    const addr20 contract = blocks_address(0);
    struct store_view *v = look(f);
    size_t total = 0, n;
    arena_init(&a, 1 << 14, 1 << 20);
    do {
        cr_assert_eq(index_classes(got, &n, &at, &a, v, &contract, page), ERR_OK);
        cr_assert_gt(n, 0);
        for (size_t i = 1; i < n; i++)
            cr_expect_lt(u256_cmp(&got[i - 1].id, &got[i].id), 0);
        total += n;
    } while (at.len != 0);
    arena_clear(&a);
    store_view_close(v);
    return total;
}

Test(universe_put, classes) {
    static char text[4000];
    struct fixture f;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 23);
    open_chain(&f);
    struct log_entry first = class_log(true, 1, 50, text, 10);
    struct attribution made = {blocks_address(0), 7, 0};
    put_block(&f, &first, 1, &made, 1, NULL);
    expect_class(&f, 1, 1, 50, text, 10, false);
    put_log(&f, class_log(true, 2, 0, text, INDEX_CLASS_METADATA_MAX_BYTES)); /* two parts */
    expect_class(&f, 2, 2, 0, text, INDEX_CLASS_METADATA_MAX_BYTES, false);
    put_log(&f, class_log(true, 3, 9, text, INDEX_CLASS_METADATA_MAX_BYTES + 1));
    expect_class(&f, 3, 3, 9, text, 0, true);
    put_log(&f, class_log(true, 1, 51, text + 1, 10)); /* a second definition */
    expect_class(&f, 1, 1, 50, text, 10, false);
    put_log(&f, class_log(false, 1, 0, text + 2, 2000)); /* grows to two parts, and shrinks */
    expect_class(&f, 1, 1, 50, text + 2, 2000, false);
    put_log(&f, class_log(false, 1, 0, text + 3, 0));
    expect_class(&f, 1, 1, 50, text + 3, 0, false);
    put_log(&f, class_log(false, 4, 0, text, 5)); /* never defined */
    put_log(&f, class_log(true, 5, 0, text, 1900));
    for (size_t page = 1; page <= 8; page++)
        cr_expect_eq(count_classes(&f, page), 4);
    const struct store_applied at = {.epoch = 2, .seq = 100, .block = 5};
    cr_assert_eq(store_unwind(f.b.store, 5, &at, NULL), ERR_OK);
    store_set_durable(f.b.store, 5);
    f.head = 5;
    expect_class(&f, 1, 1, 50, text + 2, 2000, false);
    blocks_close(&f.b);
}

Test(universe_put, malformed_classes) {
    struct fixture f;
    struct rng r = {.state = rng_seed(4)};
    open_chain(&f);
    struct log_entry l = class_log(true, 1, 1, "text", 4);
    struct attribution made = {blocks_address(0), 7, 0};
    put_block(&f, &l, 1, &made, 1, NULL);
    for (int i = 0; i < 300; i++) {
        l = class_log(rng_below(&r, 2) == 0, 2, 1, "text", 4);
        size_t part = l.data.len;
        switch (rng_below(&r, 4)) {
        case 0: /* cut short of its text */
            l.data.len = rng_below(&r, part - 28);
            break;
        case 1: /* an offset or length that leads out */
            data[part - 96 + 32 * rng_below(&r, 2) + rng_below(&r, 31)] = 0xff;
            break;
        case 2:
            l.topic_count = (uint8_t)(1 + 2 * rng_below(&r, 2));
            break;
        default:
            l.address = blocks_address(1);
        }
        put_log(&f, l);
        cr_assert_eq(count_classes(&f, 8), 1);
    }
    blocks_close(&f.b);
}
