/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: messages that the parent's real contracts made give the transactions whose hashes the SDK
 * computes; stored envelopes read back field by field; every truncation and every number beyond its
 * type is refused. */
#include "chain/parent_tx.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "chain/retryable.h"

#include <criterion/criterion.h>
#include <jansson.h>

static void member(void *out, size_t len, const json_t *o, const char *key) {
    cr_assert_eq(hex_decode_fixed(out, len, json_string_value(json_object_get(o, key))), ERR_OK,
                 "%s", key);
}

static bytes member_bytes(struct arena *a, const json_t *o, const char *key) {
    const char *text = json_string_value(json_object_get(o, key));
    uint8_t *p = arena_alloc(a, strlen(text));
    size_t len;
    cr_assert_eq(hex_decode(p, strlen(text), &len, text, strlen(text)), ERR_OK);
    return bytes_of(p, len);
}

static struct message message_of(struct arena *a, const json_t *d) {
    struct message m = {.kind = (uint8_t)json_integer_value(json_object_get(d, "kind")),
                        .has_request_id = true,
                        .has_base_fee_l1 = true};
    member(m.sender.b, 20, d, "sender");
    m.request_id.b[31] = (uint8_t)json_integer_value(json_object_get(d, "index"));
    uint64_t fee = strtoull(json_string_value(json_object_get(d, "baseFeeL1")), NULL, 10);
    m.base_fee_l1 = u256_from_u64(fee);
    m.data = member_bytes(a, d, "data");
    return m;
}

/* The transactions of a message, as many as there are; at most 2. */
static size_t read_message(struct tx out[2], struct arena *a, uint64_t id,
                           const struct message *m) {
    struct batch_report report;
    switch (m->kind) {
    case MESSAGE_ETH_DEPOSIT:
        return parent_tx_deposit(&out[0], a, id, m);
    case MESSAGE_SUBMIT_RETRYABLE:
        return parent_tx_submit(&out[0], a, id, m);
    case MESSAGE_L2_FUNDED_BY_L1:
        return parent_tx_funded(&out[0], &out[1], a, id, m) ? 2 : 0;
    case MESSAGE_BATCH_POSTING_REPORT:
        return parent_tx_report(&out[0], &report, a, id, m);
    default:
        return parent_tx_unsigned(&out[0], a, id, m->data.ptr[0],
                                  bytes_of(m->data.ptr + 1, m->data.len - 1), &m->sender,
                                  &m->request_id);
    }
}

static void expect_same(const struct tx *a, const struct tx *b) {
    struct tx x = *a, y = *b;
    cr_expect(x.data.len == y.data.len &&
              (x.data.len == 0 || memcmp(x.data.ptr, y.data.ptr, x.data.len) == 0));
    cr_expect(x.raw.len == y.raw.len && memcmp(x.raw.ptr, y.raw.ptr, x.raw.len) == 0);
    cr_expect(x.type == y.type && x.nonce == y.nonce && x.gas_limit == y.gas_limit &&
              x.is_create == y.is_create && x.has_sender && y.has_sender &&
              x.chain_id == y.chain_id);
    cr_expect(addr20_eq(&x.sender, &y.sender) && addr20_eq(&x.to, &y.to) &&
              u256_eq(&x.value, &y.value) && u256_eq(&x.max_fee, &y.max_fee) &&
              hash32_eq(&x.hash, &y.hash));
    cr_expect_eq(x.parent.gas, y.parent.gas);
    cr_expect(hash32_eq(&x.parent.request_id, &y.parent.request_id) &&
              hash32_eq(&x.parent.ticket, &y.parent.ticket) &&
              addr20_eq(&x.parent.refund_to, &y.parent.refund_to) &&
              addr20_eq(&x.parent.beneficiary, &y.parent.beneficiary));
    cr_expect(u256_eq(&x.parent.max_refund, &y.parent.max_refund) &&
              u256_eq(&x.parent.submission_refund, &y.parent.submission_refund) &&
              u256_eq(&x.parent.l1_base_fee, &y.parent.l1_base_fee) &&
              u256_eq(&x.parent.deposit, &y.parent.deposit) &&
              u256_eq(&x.parent.max_submission, &y.parent.max_submission));
}

/* Reads the envelope back, whole and cut. */
static void expect_stored(struct arena *a, const struct tx *tx) {
    struct tx back;
    cr_assert_eq(tx_decode_stored(&back, a, tx->raw, NULL, NULL), ERR_OK);
    expect_same(&back, tx);
    cr_expect_eq(tx_decode(&back, a, tx->raw, true, NULL), ERR_UNSUPPORTED); /* not from users */
    for (size_t len = 0; len < tx->raw.len; len++)
        cr_expect_neq(tx_decode_stored(&back, a, bytes_of(tx->raw.ptr, len), NULL, NULL), ERR_OK);
}

Test(parent_tx, vectors) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL), *d, *t;
    uint64_t id = (uint64_t)json_integer_value(json_object_get(doc, "childChainId"));
    struct arena a;
    arena_init(&a, 4096, 1 << 24);
    size_t n, k, checked = 0;
    json_array_foreach(json_object_get(doc, "delayed"), n, d) {
        struct message m = message_of(&a, d);
        json_t *list = json_object_get(d, "tx");
        if (list == NULL)
            continue;
        struct tx txs[2];
        cr_assert_eq(read_message(txs, &a, id, &m), json_array_size(list), "kind %u", m.kind);
        json_array_foreach(list, k, t) {
            hash32 want;
            member(want.b, 32, t, "hash");
            bytes raw = member_bytes(&a, t, "raw");
            cr_expect(hash32_eq(&txs[k].hash, &want), "message %zu", n);
            cr_expect(raw.len == txs[k].raw.len && memcmp(raw.ptr, txs[k].raw.ptr, raw.len) == 0);
            expect_stored(&a, &txs[k]);
            checked++;
        }
        if (json_object_get(d, "escrow") != NULL) {
            addr20 want, got = retryable_escrow(&txs[0].hash);
            member(want.b, 20, d, "escrow");
            cr_expect(addr20_eq(&want, &got));
        }
    }
    cr_assert_eq(checked, 9);
    json_decref(doc);
    arena_clear(&a);
}

/* The report of a batch: the call to ArbosActs, word by word. */
Test(parent_tx, report_vector) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL);
    json_t *d = json_array_get(json_object_get(doc, "delayed"), 11),
           *batch = json_object_get(doc, "batch");
    struct arena a;
    arena_init(&a, 4096, 1 << 20);
    struct message m = message_of(&a, d);
    cr_assert_eq(m.kind, MESSAGE_BATCH_POSTING_REPORT);
    struct tx tx;
    struct batch_report r;
    cr_assert(!parent_tx_report(&tx, &r, &a, 1, &m)); /* no statistics: the batch was not read */
    m.has_batch_stats = true;
    m.batch_length = (uint64_t)json_integer_value(json_object_get(batch, "length"));
    m.batch_nonzeros = (uint64_t)json_integer_value(json_object_get(batch, "nonZeros"));
    cr_assert(parent_tx_report(&tx, &r, &a, 1, &m));
    cr_assert_eq(tx.data.len, 4 + 7 * 32);
    cr_expect_eq(be32_load(tx.data.ptr), 0x9998269e);
    cr_expect_eq(memcmp(tx.data.ptr + 4, m.data.ptr, 32), 0);           /* timestamp */
    cr_expect_eq(memcmp(tx.data.ptr + 4 + 44, m.data.ptr + 32, 20), 0); /* poster */
    cr_expect(be64_load(tx.data.ptr + 4 + 3 * 32 - 8) == 1 && r.batch == 1);
    cr_expect_eq(be64_load(tx.data.ptr + 4 + 4 * 32 - 8), 177);
    cr_expect_eq(be64_load(tx.data.ptr + 4 + 5 * 32 - 8), 128);
    cr_expect_eq(be64_load(tx.data.ptr + 4 + 6 * 32 - 8), r.extra_gas);
    cr_expect_eq(memcmp(tx.data.ptr + 4 + 6 * 32, m.data.ptr + 116, 32), 0); /* gas price */
    cr_expect(addr20_eq(&tx.sender, &TX_INTERNAL_ADDRESS) &&
              addr20_eq(&tx.to, &TX_INTERNAL_ADDRESS));
    expect_stored(&a, &tx);
    /* Without the last number, as before Nitro had it; without more, not at all. */
    m.data.len = 148;
    cr_assert(parent_tx_report(&tx, &r, &a, 1, &m) && r.extra_gas == 0);
    m.data.len = 147;
    cr_assert(!parent_tx_report(&tx, &r, &a, 1, &m));
    json_decref(doc);
    arena_clear(&a);
}

/* Every cut through the fixed fields, and a bit set above each number of 64 bits. */
Test(parent_tx, refusals) {
    json_t *doc = json_load_file("tests/vectors/orbit/vectors.json", 0, NULL);
    json_t *list = json_object_get(doc, "delayed");
    static const struct {
        size_t at, fixed; /* bytes that must be there */
        size_t words[2];  /* numbers of 64 bits: byte offset of their word; 0 ends */
    } cases[] = {
        {1, 52, {0, 0}},      {2, 288 + 5, {192, 256}}, {4, 1 + 160, {1, 65}},
        {5, 1 + 128, {1, 0}}, {6, 1 + 160, {1, 65}},    {7, 1 + 128, {1, 0}},
    };
    struct arena a;
    arena_init(&a, 4096, 1 << 24);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message m = message_of(&a, json_array_get(list, cases[i].at));
        struct tx txs[2];
        cr_assert(read_message(txs, &a, 1, &m) > 0);
        uint8_t *p = (uint8_t *)(uintptr_t)m.data.ptr;
        for (size_t k = 0; k < 2 && cases[i].words[k] != 0; k++) {
            p[cases[i].words[k] + 23] ^= 1;
            cr_expect_eq(read_message(txs, &a, 1, &m), 0, "case %zu word %zu", i, k);
            p[cases[i].words[k] + 23] ^= 1;
        }
        size_t whole = m.data.len;
        for (m.data.len = 1; m.data.len < cases[i].fixed; m.data.len++)
            cr_expect_eq(read_message(txs, &a, 1, &m), 0, "case %zu cut at %zu", i, m.data.len);
        m.data.len = whole;
        m.has_request_id = false;
        if (m.kind != MESSAGE_L2)
            cr_expect_eq(read_message(txs, &a, 1, &m), 0);
    }
    struct tx tx;
    uint8_t body[160] = {0};
    cr_assert(parent_tx_unsigned(&tx, &a, 1, L2_UNSIGNED_USER_TX, bytes_of(body, 160),
                                 &TX_INTERNAL_ADDRESS, NULL));
    cr_assert(tx.is_create);
    cr_assert(!parent_tx_unsigned(&tx, &a, 1, L2_CONTRACT_TX, bytes_of(body, 160),
                                  &TX_INTERNAL_ADDRESS, NULL));
    cr_assert(!parent_tx_unsigned(&tx, &a, 1, 2, bytes_of(body, 160), &TX_INTERNAL_ADDRESS, NULL));
    json_decref(doc);
    arena_clear(&a);
}

/* The gas field is encoded as it came and counts up to 2^24. */
Test(parent_tx, gas_is_clamped) {
    struct arena a;
    arena_init(&a, 4096, 1 << 20);
    uint8_t body[128] = {0};
    hash32 id = {{1}};
    static const uint64_t gas[] = {0, TX_PARENT_GAS_MAX, TX_PARENT_GAS_MAX + 1, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(gas); i++) {
        be64_store(body + 24, gas[i]);
        struct tx tx;
        cr_assert(parent_tx_unsigned(&tx, &a, 1, L2_CONTRACT_TX, bytes_of(body, sizeof body),
                                     &TX_INTERNAL_ADDRESS, &id));
        cr_expect_eq(tx.parent.gas, gas[i]);
        cr_expect_eq(tx.gas_limit, i == 0 ? 0 : (uint64_t)TX_PARENT_GAS_MAX);
        expect_stored(&a, &tx);
    }
    arena_clear(&a);
}

Test(parent_tx, aliases) {
    addr20 a = {{0}}, low = {{0}}, got;
    memset(a.b, 0xff, sizeof a.b);
    got = parent_alias(&a); /* -1 + offset */
    low = (addr20){{0x11, 0x11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11, 0x10}};
    cr_assert(addr20_eq(&got, &low));
    got = parent_unalias(&got);
    cr_assert(addr20_eq(&got, &a));
}
