/* SPDX-License-Identifier: Apache-2.0 */
/* What a header must be, given its parent: base fee, blob gas and the rest of `validate_header`. */
#include "chain/eth_block.h"

#include "base/check.h"
#include "base/keccak.h"

enum {
    BLOB_GAS = 1 << 17,
    BLOB_BASE_COST = 1 << 13, /* EIP-7918 */
    BASE_FEE_DENOMINATOR = 8, /* EIP-1559 */
    ELASTICITY = 2,
    GAS_LIMIT_DIVISOR = 1024, /* YP eq. 47 */
    GAS_LIMIT_MIN = 5000,
    FIELDS_SHANGHAI = 17,
    FIELDS_CANCUN = 20,
    FIELDS_PRAGUE = 21,
};

/* EIP-4844 fake_exponential(1, numerator, denominator): a Taylor series in integers. */
u256 eth_blob_base_fee(const struct eth_blob_params *p, uint64_t excess_blob_gas) {
    CHECK(p->base_fee_update_fraction != 0);
    const u256 numerator = u256_from_u64(excess_blob_gas);
    const u256 denominator = u256_from_u64(p->base_fee_update_fraction);
    u256 sum = U256_ZERO, term = denominator;
    for (uint64_t i = 1; !u256_is_zero(&term); i++) {
        u256 divisor = u256_from_u64(i);
        if (u256_add_overflow(&sum, &sum, &term) || u256_mul_overflow(&term, &term, &numerator))
            return U256_MAX;
        divisor = u256_mul(&divisor, &denominator);
        term = u256_div(&term, &divisor);
    }
    return u256_div(&sum, &denominator);
}

uint64_t eth_next_excess_blob_gas(const struct eth_fork *fork, const struct header *parent) {
    if (parent->field_count < FIELDS_CANCUN)
        return 0; /* the first block with blobs */
    const struct eth_blob_params *p = &fork->blob;
    CHECK(p->max != 0);
    unsigned __int128 sum = (unsigned __int128)parent->excess_blob_gas + parent->blob_gas_used;
    uint64_t target = p->target * BLOB_GAS;
    if (sum < target)
        return 0;
    if (fork->revision >= EVM_OSAKA) {
        /* EIP-7918: while blobs cost less than their share of execution, the excess does not fall.
         */
        u256 blob_fee = eth_blob_base_fee(p, parent->excess_blob_gas);
        u256 unit = u256_from_u64(BLOB_BASE_COST), gas = u256_from_u64(BLOB_GAS);
        u256 reserve, price;
        bool price_huge = u256_mul_overflow(&price, &gas, &blob_fee);
        bool reserve_huge = u256_mul_overflow(&reserve, &unit, &parent->base_fee);
        if (!price_huge && (reserve_huge || u256_lt(&price, &reserve)))
            sum = (unsigned __int128)parent->excess_blob_gas +
                  (unsigned __int128)parent->blob_gas_used * (p->max - p->target) / p->max + target;
    }
    sum -= target;
    return sum > UINT64_MAX ? UINT64_MAX : (uint64_t)sum;
}

u256 eth_next_base_fee(const struct header *parent) {
    uint64_t target = parent->gas_limit / ELASTICITY;
    if (parent->gas_used == target || target == 0)
        return parent->base_fee;
    bool up = parent->gas_used > target;
    u256 gas = u256_from_u64(up ? parent->gas_used - target : target - parent->gas_used);
    u256 target_wide = u256_from_u64(target), denominator = u256_from_u64(BASE_FEE_DENOMINATOR);
    u256 delta;
    if (u256_mul_overflow(&delta, &parent->base_fee, &gas))
        return U256_MAX; /* above 2^192 wei a unit: no transaction can pay it, and no header gets
                            there */
    delta = u256_div(&delta, &target_wide);
    delta = u256_div(&delta, &denominator);
    if (!up)
        return u256_sub(&parent->base_fee, &delta);
    if (u256_is_zero(&delta))
        delta = U256_ONE;
    u256 out;
    return u256_add_overflow(&out, &parent->base_fee, &delta) ? U256_MAX : out;
}

static bool gas_limit_ok(uint64_t limit, uint64_t parent_limit) {
    uint64_t bound = parent_limit / GAS_LIMIT_DIVISOR;
    uint64_t distance = limit > parent_limit ? limit - parent_limit : parent_limit - limit;
    return distance < bound && limit >= GAS_LIMIT_MIN && limit <= INT64_MAX;
}

static enum eth_fault check_blob_fields(const struct eth_fork *fork, const struct header *parent,
                                        const struct header *h) {
    if (fork->revision < EVM_CANCUN)
        return ETH_FAULT_OK;
    /* The limit on blob gas used is kept by the transactions' own checks, and the sum is compared
     * after them. */
    return h->excess_blob_gas == eth_next_excess_blob_gas(fork, parent) ? ETH_FAULT_OK
                                                                        : ETH_FAULT_EXCESS_BLOB_GAS;
}

enum eth_fault eth_check_header(const struct eth_fork *fork, const struct header *parent,
                                const hash32 *parent_hash, const struct header *h) {
    static const uint8_t zero_nonce[8];
    uint8_t fields = fork->revision >= EVM_PRAGUE   ? FIELDS_PRAGUE
                     : fork->revision >= EVM_CANCUN ? FIELDS_CANCUN
                                                    : FIELDS_SHANGHAI;
    if (h->field_count != fields)
        return ETH_FAULT_HEADER_FIELDS;
    if (!hash32_eq(&h->parent_hash, parent_hash))
        return ETH_FAULT_PARENT;
    if (h->number != parent->number + 1)
        return ETH_FAULT_NUMBER;
    if (h->timestamp <= parent->timestamp)
        return ETH_FAULT_TIMESTAMP;
    if (h->extra_len > ETH_EXTRA_DATA_MAX_BYTES)
        return ETH_FAULT_EXTRA_DATA;
    if (!u256_is_zero(&h->difficulty))
        return ETH_FAULT_DIFFICULTY;
    if (memcmp(h->nonce, zero_nonce, sizeof zero_nonce) != 0)
        return ETH_FAULT_NONCE;
    if (!hash32_eq(&h->ommers_hash, &KECCAK_EMPTY_LIST))
        return ETH_FAULT_OMMERS;
    if (!gas_limit_ok(h->gas_limit, parent->gas_limit))
        return ETH_FAULT_GAS_LIMIT;
    if (h->gas_used > h->gas_limit)
        return ETH_FAULT_GAS_ABOVE_LIMIT;
    u256 base_fee = eth_next_base_fee(parent);
    if (!u256_eq(&h->base_fee, &base_fee))
        return ETH_FAULT_BASE_FEE;
    return check_blob_fields(fork, parent, h);
}
