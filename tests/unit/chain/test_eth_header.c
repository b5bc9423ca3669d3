/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: base fee and blob gas from the parent, and one refusal per header rule. Figures of blob
 * fees are those of EIP-4844's own examples or worked out by its formula in unlimited integers. */
#include "chain/eth_block.h"

#include "base/keccak.h"

#include <criterion/criterion.h>

static const struct eth_fork cancun = {EVM_CANCUN, {3, 6, 3338477}};
static const struct eth_fork osaka = {EVM_OSAKA, {6, 9, 5007716}};

Test(eth_header, blob_base_fee) {
    static const struct {
        uint64_t excess, fee;
    } rows[] = {
        {0, 1}, {2314057, 1}, {2314058, 2}, {10 * 1024 * 1024, 23}, {(uint64_t)40 << 20, 285936}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        u256 fee = eth_blob_base_fee(&cancun.blob, rows[i].excess);
        cr_assert(u256_fits_u64(&fee) && fee.w[0] == rows[i].fee, "excess %llu gives %llu",
                  (unsigned long long)rows[i].excess, (unsigned long long)fee.w[0]);
    }
    u256 huge = eth_blob_base_fee(&cancun.blob, UINT64_MAX);
    cr_assert(u256_eq(&huge, &U256_MAX));
}

static struct header parent_of(uint8_t fields) {
    struct header p;
    memset(&p, 0, sizeof p);
    p.field_count = fields;
    p.number = 10;
    p.timestamp = 1000;
    p.gas_limit = 30000000;
    p.gas_used = 15000000;
    p.base_fee = u256_from_u64(1000);
    p.excess_blob_gas = 5 * 131072;
    p.blob_gas_used = 4 * 131072;
    return p;
}

Test(eth_header, base_fee_follows_the_parents_use) {
    static const struct {
        uint64_t used, base, next;
    } rows[] = {{15000000, 1000, 1000},
                {30000000, 1000, 1125},
                {0, 1000, 875},
                {15000001, 1000, 1001},
                {0, 7, 7},
                {20000000, 1000000000, 1041666666}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct header p = parent_of(20);
        p.gas_used = rows[i].used;
        p.base_fee = u256_from_u64(rows[i].base);
        u256 fee = eth_next_base_fee(&p);
        cr_assert_eq(fee.w[0], rows[i].next, "row %zu: %llu", i, (unsigned long long)fee.w[0]);
    }
}

Test(eth_header, excess_blob_gas) {
    struct header p = parent_of(20);
    cr_assert_eq(eth_next_excess_blob_gas(&cancun, &p), 6 * 131072);
    p.blob_gas_used = 0;
    p.excess_blob_gas = 2 * 131072;
    cr_assert_eq(eth_next_excess_blob_gas(&cancun, &p), 0);
    p = parent_of(17); /* before Cancun */
    cr_assert_eq(eth_next_excess_blob_gas(&cancun, &p), 0);
    p = parent_of(21);
    p.base_fee = u256_from_u64(1); /* blobs pay their share: as before */
    cr_assert_eq(eth_next_excess_blob_gas(&osaka, &p), 3 * 131072);
    p.base_fee = u256_from_u64(
        1000); /* 8192 x 1000 > 131072 x 1 (EIP-7918): used x (max - target) / max is added */
    cr_assert_eq(eth_next_excess_blob_gas(&osaka, &p), 5 * 131072 + (uint64_t)4 * 131072 * 3 / 9);
}

static struct header child_of(const struct header *p, const hash32 *hash) {
    struct header h;
    memset(&h, 0, sizeof h);
    h.field_count = 20;
    h.parent_hash = *hash;
    h.ommers_hash = KECCAK_EMPTY_LIST;
    h.number = p->number + 1;
    h.timestamp = p->timestamp + 1;
    h.gas_limit = p->gas_limit;
    h.base_fee = eth_next_base_fee(p);
    h.excess_blob_gas = eth_next_excess_blob_gas(&cancun, p);
    return h;
}

Test(eth_header, one_fault_per_rule) {
    struct header p = parent_of(20), good, h;
    hash32 hash = {{1, 2, 3}};
    good = child_of(&p, &hash);
    cr_assert_eq(eth_check_header(&cancun, &p, &hash, &good), ETH_FAULT_OK);
#define EXPECT(change, fault_)                                                                     \
    do {                                                                                           \
        h = good;                                                                                  \
        change;                                                                                    \
        enum eth_fault got_ = eth_check_header(&cancun, &p, &hash, &h);                            \
        cr_assert_eq(got_, fault_, #change ": %s", eth_fault_name(got_));                          \
        cr_assert(got_ == ETH_FAULT_OK || eth_fault_text(got_)[0] != 0);                           \
    } while (0)
    EXPECT(h.field_count = 19, ETH_FAULT_HEADER_FIELDS);
    EXPECT(h.field_count = 21, ETH_FAULT_HEADER_FIELDS);
    EXPECT(h.parent_hash.b[5] ^= 1, ETH_FAULT_PARENT);
    EXPECT(h.number++, ETH_FAULT_NUMBER);
    EXPECT(h.timestamp--, ETH_FAULT_TIMESTAMP);
    EXPECT(h.extra_len = 33, ETH_FAULT_EXTRA_DATA);
    EXPECT(h.difficulty = U256_ONE, ETH_FAULT_DIFFICULTY);
    EXPECT(h.nonce[0] = 1, ETH_FAULT_NONCE);
    EXPECT(h.ommers_hash.b[0] ^= 1, ETH_FAULT_OMMERS);
    EXPECT(h.gas_limit += p.gas_limit / 1024, ETH_FAULT_GAS_LIMIT);
    EXPECT(h.gas_limit -= p.gas_limit / 1024, ETH_FAULT_GAS_LIMIT);
    EXPECT(h.gas_limit += p.gas_limit / 1024 - 1, ETH_FAULT_OK);
    EXPECT(h.gas_used = h.gas_limit + 1, ETH_FAULT_GAS_ABOVE_LIMIT);
    EXPECT(h.base_fee.w[0]++, ETH_FAULT_BASE_FEE);
    EXPECT(h.excess_blob_gas++, ETH_FAULT_EXCESS_BLOB_GAS);
#undef EXPECT
}
