/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: blocks have the header, the fees and the state that PROTOCOL §1-§3 prescribe. The fixture
 * derives each sequenced block a second time from its message and compares the hash, so every test
 * here tests that too. */
#include "chain/derive.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "chain/l3_rules.h"
#include "chain/system_state.h"
#include "tests/lib/chain/l3_fixture.h"

#include <criterion/criterion.h>
#include <jansson.h>

static const addr20 BOB = {{0xb0, 0xb0}};
static const struct fixture_options plain = {0};
static const bytes nothing = {NULL, 0};

static u256 gwei(uint64_t g) {
    u256 a = u256_from_u64(g), b = u256_from_u64(1000000000);
    return u256_mul(&a, &b);
}

Test(derive, transfer) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct header parent = f.head;
    hash32 parent_hash = f.head_hash;
    u256 before = fixture_balance(&f, &f.addrs[0]);
    struct derived_block b;
    struct tx *tx = fixture_tx(&f, 0, &BOB, 12345, nothing, 21000);
    cr_assert_eq(fixture_block(&f, &b, &tx, 1, 3, NULL), ERR_OK);

    const struct header *h = &b.header;
    struct l3_header_info i = l3_header_info_get(h);
    cr_assert_eq(h->field_count, 16);
    cr_assert_eq(h->number, 1);
    cr_assert(hash32_eq(&h->parent_hash, &parent_hash));
    cr_assert_eq(h->timestamp, parent.timestamp + 3);
    cr_assert_eq(h->gas_limit, FIXTURE_GAS_LIMIT);
    cr_assert_eq(h->gas_used, 21000);
    cr_assert(addr20_eq(&h->coinbase, &SEQUENCER_ADDRESS));
    cr_assert(h->difficulty.w[0] == 1 && hash32_eq(&h->ommers_hash, &KECCAK_EMPTY_LIST));
    cr_assert(i.l1_block_number == 1 && i.version == 1 && i.send_count == 0 && i.delayed_read == 1);
    cr_assert(hash32_is_zero(&i.send_root) && h->extra_len == 32);
    static const uint8_t mix[32] = {[15] = 1, [23] = 1}, nonce[8] = {[7] = 1};
    cr_assert_eq(memcmp(h->mix_hash.b, mix, 32), 0);
    cr_assert_eq(memcmp(h->nonce, nonce, 8), 0);
    cr_assert(h->base_fee.w[0] == 10000000);
    hash32 again = header_hash(h);
    cr_assert(hash32_eq(&again, &b.hash));

    /* One transaction: 04 | envelope; its root from a single pair. */
    cr_assert_eq(b.message.data.len, 1 + tx->raw.len);
    cr_assert(b.message.data.ptr[0] == 4 && b.txs[0].tx.raw.ptr == b.message.data.ptr + 1);
    hash32 root;
    mpt_list_root(&root, &tx->raw, 1);
    cr_assert(hash32_eq(&root, &h->tx_root));
    const struct receipt *r = &b.txs[0].receipt;
    cr_assert(r->success && r->gas_used == 21000 && r->cumulative_gas_used == 21000);
    cr_assert(u256_eq(&r->effective_gas_price, &h->base_fee));

    u256 fee = u256_from_u64(21000 * UINT64_C(10000000)), value = u256_from_u64(12345);
    u256 got = fixture_balance(&f, &BOB);
    cr_assert(u256_eq(&got, &value));
    got = fixture_balance(&f, &FIXTURE_FEE_ACCOUNT);
    cr_assert(u256_eq(&got, &fee));
    got = fixture_balance(&f, &f.addrs[0]);
    before = u256_sub(&before, &fee);
    before = u256_sub(&before, &value);
    cr_assert(u256_eq(&got, &before));
    got = fixture_balance(&f, &SEQUENCER_ADDRESS);
    cr_assert(u256_is_zero(&got));
    fixture_clear(&f);
}

Test(derive, many_transactions_and_verdicts) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct tx *txs[20];
    enum tx_verdict v[20];
    size_t n = 0;
    for (int i = 0; i < 4; i++)
        txs[n++] = fixture_tx(&f, i, &BOB, 1, bytes_of("\1\2\0", 3), 30000);
    f.nonces[0]++;
    txs[n++] = fixture_tx(&f, 0, &BOB, 1, nothing, 21000); /* 4: gap */
    f.nonces[0] = 0;
    txs[n++] = fixture_tx(&f, 0, &BOB, 1, nothing, 21000); /* 5: used */
    txs[n++] = fixture_tx(&f, 0, &BOB, 1, nothing, 20999); /* 6: intrinsic */
    f.nonces[0] = 1;
    txs[n++] = fixture_tx(&f, 0, NULL, 0, bytes_of("\x60\x00", 2), 100000); /* 7: creation */
    struct tx *cheap = fixture_tx(&f, 1, &BOB, 1, nothing, 21000);
    cheap->max_fee = u256_from_u64(9999999);
    fixture_sign(&f, cheap, 1);
    txs[n++] = cheap; /* 8 */
    struct tx *tip = fixture_tx(&f, 2, &BOB, 1, nothing, 21000);
    tip->max_priority_fee = gwei(1001);
    fixture_sign(&f, tip, 2);
    txs[n++] = tip; /* 9 */
    struct tx *big = fixture_tx(&f, 3, &BOB, 1, nothing, L3_TX_GAS_CAP + 1);
    txs[n++] = big; /* 10 */
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, txs, n, 0, v), ERR_OK);
    static const enum tx_verdict want[] = {TX_OK,
                                           TX_OK,
                                           TX_OK,
                                           TX_OK,
                                           TX_NONCE_TOO_HIGH,
                                           TX_NONCE_TOO_LOW,
                                           TX_INTRINSIC_GAS,
                                           TX_OK,
                                           TX_FEE_CAP_TOO_LOW,
                                           TX_TIP_ABOVE_FEE_CAP,
                                           TX_GAS_LIMIT_CAP};
    for (size_t i = 0; i < n; i++)
        cr_expect_eq(v[i], want[i], "%zu: %s", i, tx_verdict_text(v[i]));
    cr_assert_eq(b.tx_count, 5);
    for (size_t i = 0; i < b.tx_count; i++) {
        const struct tx *t = &b.txs[i].tx;
        cr_assert(t->raw.ptr >= b.message.data.ptr &&
                  t->raw.ptr + t->raw.len <= b.message.data.ptr + b.message.data.len);
        hash32 h = keccak256_bytes(t->raw);
        cr_assert(hash32_eq(&h, &t->hash));
    }
    /* A message with all of them gives the same transactions: those with a bad verdict are just not
     * there. */
    struct fixture g;
    fixture_init(&g, &plain);
    struct buf data;
    struct message_framer frame;
    buf_init(&data, 1 << 20);
    message_frame_begin(&frame, &data);
    message_frame_add(&frame, bytes_of("not a transaction", 17), NULL);
    for (size_t i = 0; i < n; i++)
        message_frame_add(&frame, txs[i]->raw, NULL);
    struct message m = fixture_l2_message(&g, buf_bytes(&data));
    struct derived_block d;
    cr_assert_eq(fixture_message(&g, &d, &m, NULL), ERR_OK);
    cr_assert_eq(d.tx_count, 5);
    cr_assert(hash32_eq(&d.header.tx_root, &b.header.tx_root));
    cr_assert(hash32_eq(&d.header.receipt_root, &b.header.receipt_root));
    buf_clear(&data);
    fixture_clear(&f);
    fixture_clear(&g);
}

Test(derive, no_empty_sequenced_block) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct derived_block b;
    f.nonces[0] = 5;
    struct tx *tx = fixture_tx(&f, 0, &BOB, 1, nothing, 21000);
    cr_assert_eq(fixture_block(&f, &b, &tx, 1, 1, NULL), ERR_NOT_FOUND);
    cr_assert_eq(fixture_block(&f, &b, NULL, 0, 1, NULL), ERR_NOT_FOUND);
    f.nonces[0] = 0;
    tx = fixture_tx(&f, 0, &BOB, 1, nothing, 21000);
    cr_assert_eq(fixture_block(&f, &b, &tx, 1, 1, NULL), ERR_OK);
    cr_assert_eq(b.header.number, 1);
    fixture_clear(&f);
}

/* A derived block can be given up; the next one starts from the same state. */
Test(derive, dropped_block) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct tx *tx = fixture_tx(&f, 0, &BOB, 9, nothing, 21000);
    struct buf data;
    buf_init(&data, 4096);
    buf_append_byte(&data, L2_SIGNED_TX);
    buf_append(&data, tx->raw.ptr, tx->raw.len);
    struct message m = fixture_l2_message(&f, buf_bytes(&data));
    struct derived_block b;
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(chain_derive_block(&b, f.main.chain, &f.arena, &f.head, &m, NULL), ERR_OK);
        cr_assert_eq(b.tx_count, 1);
        chain_drop_block(f.main.chain);
        u256 got = fixture_balance(&f, &BOB);
        cr_assert(u256_is_zero(&got));
    }
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 1);
    buf_clear(&data);
    fixture_clear(&f);
}

/* --- messages of other kinds -------------------------------------------------------------- */

Test(derive, empty_blocks) {
    static const uint8_t kinds[] = {0, 1, 6, 8, 10, 11, 14, 200, 255};
    struct fixture f;
    fixture_init(&f, &plain);
    struct derived_block b;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct message m = fixture_delayed_message(&f, kinds[i], bytes_of("abc", 3));
        cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
        cr_assert_eq(b.tx_count, 0);
        cr_assert_eq(b.header.number, i + 1);
        cr_assert(addr20_eq(&b.header.coinbase, &m.sender));
        cr_assert_eq(l3_header_info_get(&b.header).delayed_read, i + 2);
        cr_assert(hash32_eq(&b.header.tx_root, &KECCAK_EMPTY_TRIE));
    }
    /* Stamps never go back. */
    struct message m = fixture_delayed_message(&f, MESSAGE_L2, bytes_of("\4garbage", 8));
    m.timestamp = 5;
    m.l1_block = 0;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert(b.tx_count == 0 && b.header.timestamp == FIXTURE_START_S);
    /* More than 256 KiB is not read at all. */
    struct tx *tx = fixture_tx(&f, 0, &BOB, 1, nothing, 21000);
    static uint8_t data[MESSAGE_DATA_MAX_BYTES + 1];
    data[0] = L2_BATCH;
    be64_store(data + 1, 1 + tx->raw.len);
    data[9] = L2_SIGNED_TX;
    memcpy(data + 10, tx->raw.ptr, tx->raw.len);
    m = fixture_l2_message(&f, bytes_of(data, sizeof data));
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 0);
    m = fixture_l2_message(&f, bytes_of(data, sizeof data - 1));
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 1);
    fixture_clear(&f);
}

/* Messages of the parent's kinds that cannot be read are empty blocks, never errors. */
Test(derive, unreadable_messages_are_empty_blocks) {
    struct fixture f;
    fixture_init(&f, &plain);
    struct derived_block b;
    for (unsigned kind = 0; kind <= 255; kind++) {
        static uint8_t data[400];
        memset(data, (int)kind, sizeof data);
        struct message m = fixture_delayed_message(&f, (uint8_t)kind, bytes_of(data, kind));
        m.has_request_id = kind % 2 == 0 || kind == MESSAGE_ETH_DEPOSIT;
        if (kind == MESSAGE_ETH_DEPOSIT)
            m.data.len = 51;
        cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
        cr_assert_eq(b.tx_count, 0, "kind %u", kind);
    }
    cr_assert_eq(b.header.number, 256);
    fixture_clear(&f);
}

Test(derive, deposit) {
    struct fixture f;
    fixture_init(&f, &plain);
    uint8_t data[52];
    memcpy(data, BOB.b, 20);
    u256 value = gwei(77);
    u256_to_be32(data + 20, &value);
    struct message m = fixture_delayed_message(&f, MESSAGE_ETH_DEPOSIT, bytes_of(data, 52));
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 1);
    cr_assert(b.txs[0].receipt.success && b.header.gas_used == 0 &&
              b.txs[0].receipt.type == TX_DEPOSIT);
    u256 got = fixture_balance(&f, &BOB);
    cr_assert(u256_eq(&got, &value));
    struct world *w = chain_world(f.main.chain);
    got = sys_get(w, SYS_SUPPLY_MINTED, NULL);
    cr_assert(u256_eq(&got, &value));
    cr_assert(!world_exists(w, &m.sender)); /* it only passed through */
    /* Too short: an empty block. More than all money there can be: status 0, nothing moves. */
    m = fixture_delayed_message(&f, MESSAGE_ETH_DEPOSIT, bytes_of(data, 51));
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 0);
    memset(data + 20, 0xff, 32);
    m = fixture_delayed_message(&f, MESSAGE_ETH_DEPOSIT, bytes_of(data, 52));
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert(b.tx_count == 1 && !b.txs[0].receipt.success);
    got = fixture_balance(&f, &BOB);
    cr_assert(u256_eq(&got, &value));
    fixture_clear(&f);
}

/* The parent's own contracts made this message; the transaction's hash is what @arbitrum/sdk looks
 * for. */
Test(derive, deposit_vector) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL);
    const json_t *d = json_array_get(json_object_get(doc, "delayed"), 1),
                 *tx = json_array_get(json_object_get(d, "tx"), 0);
    cr_assert_not_null(tx);
    struct fixture_options o = plain;
    o.chain_id = (uint64_t)json_integer_value(json_object_get(doc, "childChainId"));
    struct fixture f;
    fixture_init(&f, &o);
    uint8_t data[52], raw[256];
    size_t len;
    hash32 hash;
    const char *text = json_string_value(json_object_get(d, "data"));
    cr_assert_eq(hex_decode(data, sizeof data, &len, text, strlen(text)), ERR_OK);
    text = json_string_value(json_object_get(tx, "hash"));
    cr_assert_eq(hex_decode_fixed(hash.b, 32, text), ERR_OK);
    struct message m = fixture_delayed_message(&f, MESSAGE_ETH_DEPOSIT, bytes_of(data, 52));
    text = json_string_value(json_object_get(d, "sender"));
    cr_assert_eq(hex_decode_fixed(m.sender.b, 20, text), ERR_OK);
    m.request_id.b[31] = (uint8_t)json_integer_value(json_object_get(d, "index"));
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert(hash32_eq(&b.txs[0].tx.hash, &hash));
    text = json_string_value(json_object_get(tx, "raw"));
    cr_assert_eq(hex_decode(raw, sizeof raw, &len, text, strlen(text)), ERR_OK);
    cr_assert(b.txs[0].tx.raw.len == len && memcmp(b.txs[0].tx.raw.ptr, raw, len) == 0);
    json_decref(doc);
    fixture_clear(&f);
}

/* --- price -------------------------------------------------------------------------------- */

/* A model of the backlogs beside the chain, over blocks of many sizes and gaps. */
Test(derive, price_follows_backlogs) {
    struct fixture_options o = plain;
    o.fees = (struct fee_params){
        .min_base_fee_wei = u256_from_u64(1000),
        .congestion_unit_wei = u256_from_u64(5000),
        .gas = {100000, 1, 3},
        .da = {100, 2, 3},
        .k_num = 1,
        .k_den = 40,
        .parent_wei_per_byte = u256_from_u64(400000),
    };
    struct fixture f;
    fixture_init(&f, &o);
    cr_assert_eq(f.head.base_fee.w[0], 1000 + 10000);
    uint64_t gas_backlog = 0, da_backlog = 0;
    static const uint64_t gaps[] = {0, 0, 1, 0, 5, 0, 0, 0, 30, 0, 2, 1000};
    bool rose = false;
    for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
        struct tx *txs[12];
        size_t n = 1 + i * 7 % 12;
        for (size_t k = 0; k < n; k++)
            txs[k] = fixture_tx(&f, (int)(k % 4), &BOB, 1, nothing, 21000);
        u256 predicted = chain_next_price(f.main.chain, &f.head, f.head.timestamp + gaps[i]);
        struct derived_block b;
        cr_assert_eq(fixture_block(&f, &b, txs, n, gaps[i], NULL), ERR_OK);
        cr_assert_eq(b.tx_count, n);
        gas_backlog = fee_backlog_after(gas_backlog, &o.fees.gas, gaps[i]);
        da_backlog = fee_backlog_after(da_backlog, &o.fees.da, gaps[i]);
        u256 want = fee_price(&o.fees, gas_backlog, da_backlog);
        cr_assert(u256_eq(&b.header.base_fee, &want), "block %zu", i + 1);
        cr_assert(u256_eq(&predicted, &want));
        rose = rose || want.w[0] > 50000;
        gas_backlog += 21000 * n;
        da_backlog += b.message.data.len;
        struct world *w = chain_world(f.main.chain);
        cr_assert_eq(sys_get_u64(w, SYS_GAS_BACKLOG, NULL), gas_backlog);
        cr_assert_eq(sys_get_u64(w, SYS_DA_BACKLOG, NULL), da_backlog);
    }
    cr_assert(rose);
    /* A delayed message's bytes were paid for on the parent. */
    struct message m = fixture_delayed_message(&f, MESSAGE_INVALID, bytes_of("0123456789", 10));
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(sys_get_u64(chain_world(f.main.chain), SYS_DA_BACKLOG, NULL), da_backlog);
    fixture_clear(&f);
}

/* --- block limits ------------------------------------------------------------------------- */

Test(derive, gas_left_of_the_block) {
    struct fixture f;
    fixture_init(&f, &plain);
    /* An endless loop uses all it gets: four times 2^24 fill the block. */
    static const uint8_t loop[] = {0x5b, 0x5f, 0x56};
    /* init code: returns the three bytes above */
    static const uint8_t init[] = {0x62, 0x5b, 0x5f, 0x56, 0x5f, 0x52,
                                   0x60, 0x03, 0x60, 0x1d, 0xf3};
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 0, NULL, 0, bytes_of(init, sizeof init), 200000));
    cr_assert(d.result.has_created);
    addr20 looper = d.result.created;
    bytes code = world_code(chain_world(f.main.chain), &looper);
    cr_assert(code.len == 3 && memcmp(code.ptr, loop, 3) == 0);
    struct tx *txs[6];
    struct buf data;
    struct message_framer frame;
    buf_init(&data, 1 << 20);
    message_frame_begin(&frame, &data);
    for (int i = 0; i < 6; i++) {
        txs[i] = fixture_tx(&f, i % 4, i == 4 ? &BOB : &looper, 0, nothing,
                            i == 4 ? 21000 : L3_TX_GAS_CAP);
        message_frame_add(&frame, txs[i]->raw, NULL);
    }
    struct message m = fixture_l2_message(&f, buf_bytes(&data));
    struct derived_block b;
    cr_assert_eq(fixture_message(&f, &b, &m, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 4); /* the others do not fit any more */
    cr_assert_eq(b.header.gas_used, FIXTURE_GAS_LIMIT);
    for (size_t i = 0; i < 4; i++)
        cr_assert(!b.txs[i].receipt.success && b.txs[i].result.status == EVM_OUT_OF_GAS);
    buf_clear(&data);
    fixture_clear(&f);
}

Test(derive, message_length_limit) {
    struct fixture f;
    fixture_init(&f, &plain);
    static uint8_t data[40000];
    struct tx *txs[3];
    for (int i = 0; i < 3; i++)
        txs[i] = fixture_tx(&f, 0, &BOB, 0, bytes_of(data, sizeof data), 1000000);
    struct derived_block b;
    cr_assert_eq(fixture_block(&f, &b, txs, 3, 1, NULL), ERR_OK);
    cr_assert_eq(b.tx_count, 2);
    cr_assert(b.message.data.len <= MESSAGE_SEQUENCED_MAX_BYTES);
    cr_assert_eq(fixture_block(&f, &b, txs + 2, 1, 1, NULL), ERR_OK);
    fixture_clear(&f);
}

/* --- money -------------------------------------------------------------------------------- */

/* Init code that destroys itself with its endowment: to itself (burnt), or to the caller. */
Test(derive, selfdestruct_burns_are_counted) {
    static const uint8_t to_itself[] = {0x30, 0xff}, to_caller[] = {0x33, 0xff};
    struct fixture f;
    fixture_init(&f, &plain);
    struct world *w = chain_world(f.main.chain);
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 0, NULL, 555, bytes_of(to_itself, 2), 100000));
    cr_assert(d.receipt.success);
    cr_assert_eq(sys_get(w, SYS_SUPPLY_BURNT, NULL).w[0], 555);
    d = fixture_run(&f, fixture_tx(&f, 0, NULL, 777, bytes_of(to_caller, 2), 100000));
    cr_assert(d.receipt.success);
    cr_assert_eq(sys_get(w, SYS_SUPPLY_BURNT, NULL).w[0], 555);
    fixture_clear(&f);
}

/* A contract creates a child that destroys itself, then sends it 9 wei: they go with the child at
 * the end of the transaction. */
Test(derive, late_money_for_the_doomed) {
    static const uint8_t code[] = {
        0x61, 0x33, 0xff, 0x5f, 0x52,             /* memory[30..32) = CALLER SELFDESTRUCT */
        0x60, 0x02, 0x60, 0x1e, 0x5f, 0xf0,       /* CREATE(0, 30, 2) */
        0x5f, 0x5f, 0x5f, 0x5f, 0x60, 0x09, 0x85, /* CALL's arguments, value 9, the child */
        0x5a, 0xf1, 0x00,
    };
    struct fixture f;
    fixture_init(&f, &plain);
    struct derived_tx d =
        fixture_run(&f, fixture_tx(&f, 0, NULL, 20, bytes_of(code, sizeof code), 200000));
    cr_assert(d.receipt.success);
    cr_assert_eq(sys_get(chain_world(f.main.chain), SYS_SUPPLY_BURNT, NULL).w[0], 9);
    u256 left = fixture_balance(&f, &d.result.created);
    cr_assert_eq(left.w[0], 11);
    fixture_clear(&f);
}

/* --- versions ------------------------------------------------------------------------------ */

static void schedule_same(struct world *w) {
    sys_set_u64(w, SYS_SCHEDULED_VERSION, NULL, 1);
    sys_set_u64(w, SYS_SCHEDULED_BLOCK, NULL, 2);
}

static void schedule_unknown(struct world *w) {
    sys_set_u64(w, SYS_SCHEDULED_VERSION, NULL, CHAIN_VERSION_MAX + 1);
    sys_set_u64(w, SYS_SCHEDULED_BLOCK, NULL, 2);
}

Test(derive, scheduled_version) {
    struct fixture_options o = plain;
    o.setup = schedule_same;
    struct fixture f;
    fixture_init(&f, &o);
    struct world *w = chain_world(f.main.chain);
    (void)fixture_run(&f, fixture_tx(&f, 0, &BOB, 1, nothing, 21000));
    cr_assert_eq(sys_get_u64(w, SYS_SCHEDULED_BLOCK, NULL), 2);
    (void)fixture_run(&f, fixture_tx(&f, 0, &BOB, 1, nothing, 21000));
    cr_assert_eq(sys_get_u64(w, SYS_SCHEDULED_BLOCK, NULL), 0);
    cr_assert_eq(sys_get_u64(w, SYS_VERSION, NULL), 1);
    fixture_clear(&f);
}

Test(derive, unknown_version_stops) {
    struct fixture_options o = plain;
    o.setup = schedule_unknown;
    struct fixture f;
    fixture_init(&f, &o);
    struct derived_block b;
    struct err_ctx ec;
    (void)fixture_run(&f, fixture_tx(&f, 0, &BOB, 1, nothing, 21000));
    struct message m = fixture_l2_message(&f, nothing);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(fixture_message(&f, &b, &m, &ec), ERR_VERSION);
        cr_assert_not_null(strstr(ec.text, "version 2"));
    }
    struct tx *tx = fixture_tx(&f, 0, &BOB, 1, nothing, 21000);
    cr_assert_eq(fixture_block(&f, &b, &tx, 1, 1, NULL), ERR_VERSION);
    fixture_clear(&f);
}

/* --- the send tree in the header ------------------------------------------------------------- */

static void three_sends(struct world *w) {
    u256 zero = U256_ZERO, one = U256_ONE, a = u256_from_u64(0xaa), b = u256_from_u64(0xbb);
    sys_set_u64(w, SYS_SEND_COUNT, NULL, 3);
    sys_set(w, SYS_SEND_PARTIAL, &zero, &a);
    sys_set(w, SYS_SEND_PARTIAL, &one, &b);
}

Test(derive, send_root) {
    struct fixture_options o = plain;
    o.setup = three_sends;
    struct fixture f;
    fixture_init(&f, &o);
    (void)fixture_run(&f, fixture_tx(&f, 0, &BOB, 1, nothing, 21000));
    uint8_t pair[64] = {0};
    hash32 want;
    pair[31] = 0xaa;
    keccak256(&want, pair, 64); /* leaf 2 beside nothing */
    memset(pair, 0, 64);
    pair[31] = 0xbb;
    memcpy(pair + 32, want.b, 32);
    keccak256(&want, pair, 64);
    struct l3_header_info i = l3_header_info_get(&f.head);
    cr_assert(i.send_count == 3 && hash32_eq(&i.send_root, &want));
    (void)fixture_run(&f, fixture_tx(&f, 0, &BOB, 1, nothing, 21000));
    i = l3_header_info_get(&f.head);
    cr_assert(i.send_count == 3 && hash32_eq(&i.send_root, &want));
    fixture_clear(&f);
}

/* --- the header itself ------------------------------------------------------------------------ */

static void hex_member(void *out, size_t len, const json_t *o, const char *key) {
    cr_assert_eq(hex_decode_fixed(out, len, json_string_value(json_object_get(o, key))), ERR_OK,
                 "%s", key);
}

static uint64_t u64_member(const json_t *o, const char *key) {
    return (uint64_t)json_integer_value(json_object_get(o, key));
}

/* Hash and RLP of 16-field headers as @ethereumjs/block computes them under hardfork london. */
Test(derive, header_vectors) {
    json_t *list = json_load_file("tests/vectors/l3_header/headers.json", 0, NULL), *v;
    size_t i;
    cr_assert(json_array_size(list) >= 2);
    json_array_foreach(list, i, v) {
        struct header h;
        memset(&h, 0, sizeof h);
        struct l3_header_info info = {.send_count = u64_member(v, "sendCount"),
                                      .l1_block_number = u64_member(v, "l1BlockNumber"),
                                      .version = u64_member(v, "version"),
                                      .delayed_read = u64_member(v, "delayedRead")};
        hex_member(h.parent_hash.b, 32, v, "parentHash");
        hex_member(h.coinbase.b, 20, v, "coinbase");
        hex_member(h.state_root.b, 32, v, "stateRoot");
        hex_member(h.tx_root.b, 32, v, "transactionsTrie");
        hex_member(h.receipt_root.b, 32, v, "receiptTrie");
        hex_member(h.bloom, 256, v, "logsBloom");
        hex_member(info.send_root.b, 32, v, "sendRoot");
        h.ommers_hash = KECCAK_EMPTY_LIST;
        h.difficulty = U256_ONE;
        h.number = u64_member(v, "number");
        h.gas_limit = u64_member(v, "gasLimit");
        h.gas_used = u64_member(v, "gasUsed");
        h.timestamp = u64_member(v, "timestamp");
        h.base_fee = u256_from_u64(u64_member(v, "baseFeePerGas"));
        h.field_count = 16;
        l3_header_info_set(&h, &info);
        hash32 want, got = header_hash(&h);
        hex_member(want.b, 32, v, "hash");
        cr_expect(hash32_eq(&got, &want), "vector %zu", i);
    }
    json_decref(list);
}
