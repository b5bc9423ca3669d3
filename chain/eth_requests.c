/* SPDX-License-Identifier: Apache-2.0 */
/* System calls, and the requests that they and deposit events leave (EIP-6110, 7002, 7251, 7685).
 */
#include "chain/eth_block.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/sha.h"

enum {
    SYSTEM_CALL_GAS = 30000000,
    REQUEST_DEPOSIT = 0, /* EIP-7685 request types */
    REQUEST_WITHDRAWAL = 1,
    REQUEST_CONSOLIDATION = 2,
};

static const addr20 SYSTEM_ADDRESS = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}};
static const addr20 DEPOSIT_CONTRACT = {{0x00, 0x00, 0x00, 0x00, 0x21, 0x9a, 0xb5,
                                         0x40, 0x35, 0x6c, 0xbb, 0x83, 0x9c, 0xbe,
                                         0x05, 0x30, 0x3d, 0x77, 0x05, 0xfa}};
static const addr20 WITHDRAWAL_CONTRACT = {{0x00, 0x00, 0x09, 0x61, 0xef, 0x48, 0x0e,
                                            0xb5, 0x5e, 0x80, 0xd1, 0x9a, 0xd8, 0x35,
                                            0x79, 0xa6, 0x4c, 0x00, 0x70, 0x02}};
static const addr20 CONSOLIDATION_CONTRACT = {{0x00, 0x00, 0xbb, 0xdd, 0xc7, 0xce, 0x48,
                                               0x86, 0x42, 0xfb, 0x57, 0x9f, 0x8b, 0x00,
                                               0xf3, 0xa5, 0x90, 0x00, 0x72, 0x51}};

void eth_system_call(struct exec *x, const addr20 *contract, bytes input, struct evm_result *out) {
    const struct evm_message msg = {
        .kind = EVM_CALL,
        .sender = SYSTEM_ADDRESS,
        .recipient = *contract,
        .input = input,
        .gas = SYSTEM_CALL_GAS,
    };
    world_tx_begin(x->world);
    exec_call(x, &msg, &U256_ZERO, out);
    world_tx_end(x->world);
}

/* The five byte strings of a DepositEvent and where each must lie in the data: offset word, then
 * length word and content padded to whole words. */
static const struct deposit_field {
    size_t offset; /* of the length word */
    size_t len;
} deposit_fields[] = {{160, 48}, {256, 32}, {320, 8}, {384, 96}, {512, 8}};
enum { DEPOSIT_DATA_BYTES = 576, DEPOSIT_REQUEST_BYTES = 48 + 32 + 8 + 96 + 8 };

static bool word_is(const uint8_t *p, size_t v) {
    u256 word = u256_from_be32(p);
    return u256_fits_u64(&word) && word.w[0] == v;
}

static bool parse_deposit(uint8_t out[DEPOSIT_REQUEST_BYTES], bytes data) {
    if (data.len != DEPOSIT_DATA_BYTES)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(deposit_fields); i++) {
        const struct deposit_field *f = &deposit_fields[i];
        if (!word_is(data.ptr + 32 * i, f->offset) || !word_is(data.ptr + f->offset, f->len))
            return false;
        memcpy(out, data.ptr + f->offset + 32, f->len);
        out += f->len;
    }
    return true;
}

/* Appends the deposits of one receipt. */
static bool collect_deposits(struct buf *b, const struct receipt *r) {
    static const char event[] = "DepositEvent(bytes,bytes,bytes,bytes,bytes)";
    hash32 signature;
    keccak256(&signature, event, sizeof event - 1);
    for (size_t i = 0; i < r->log_count; i++) {
        const struct log_entry *l = &r->logs[i];
        if (!addr20_eq(&l->address, &DEPOSIT_CONTRACT) || l->topic_count == 0 ||
            !hash32_eq(&l->topics[0], &signature))
            continue;
        uint8_t request[DEPOSIT_REQUEST_BYTES];
        if (!parse_deposit(request, l->data))
            return false;
        buf_append(b, request, sizeof request);
    }
    return true;
}

/* sha256(type | data) of each request so far, in order of types. */
struct request_digests {
    uint8_t digests[3 * 32];
    size_t len;
};

/* Requests without data do not count. */
static void hash_request(struct request_digests *sum, uint8_t type, bytes data) {
    if (data.len == 0)
        return;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_append_byte(&b, type);
    buf_append(&b, data.ptr, data.len);
    CHECK(!b.overflow);
    CHECK(sum->len + 32 <= sizeof sum->digests);
    sha256(sum->digests + sum->len, b.ptr, b.len);
    sum->len += 32;
    buf_clear(&b);
}

static enum eth_fault call_for_requests(struct exec *x, const addr20 *contract, bytes *out) {
    if (world_code(x->world, contract).len == 0)
        return ETH_FAULT_SYSTEM_CONTRACT_EMPTY;
    struct evm_result r;
    eth_system_call(x, contract, bytes_of(NULL, 0), &r);
    if (r.status != EVM_SUCCESS)
        return ETH_FAULT_SYSTEM_CALL_FAILED;
    *out = r.output;
    return ETH_FAULT_OK;
}

static enum eth_fault collect(struct exec *x, const struct receipt *receipts, size_t count,
                              struct buf *deposits, hash32 *out_hash) {
    struct request_digests sum = {.len = 0};
    for (size_t i = 0; i < count; i++)
        if (!collect_deposits(deposits, &receipts[i]))
            return ETH_FAULT_DEPOSIT_LAYOUT;
    CHECK(!deposits->overflow);
    hash_request(&sum, REQUEST_DEPOSIT, buf_bytes(deposits));
    bytes data;
    enum eth_fault fault = call_for_requests(x, &WITHDRAWAL_CONTRACT, &data);
    if (fault != ETH_FAULT_OK)
        return fault;
    hash_request(&sum, REQUEST_WITHDRAWAL, data);
    fault = call_for_requests(x, &CONSOLIDATION_CONTRACT, &data);
    if (fault != ETH_FAULT_OK)
        return fault;
    hash_request(&sum, REQUEST_CONSOLIDATION, data);
    sha256(out_hash->b, sum.digests, sum.len);
    return ETH_FAULT_OK;
}

enum eth_fault eth_collect_requests(struct exec *x, const struct receipt *receipts, size_t count,
                                    hash32 *out_hash) {
    struct buf deposits;
    buf_init(&deposits, SIZE_MAX);
    enum eth_fault fault = collect(x, receipts, count, &deposits, out_hash);
    buf_clear(&deposits);
    return fault;
}
