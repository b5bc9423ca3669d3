/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/fees.h"

#include "base/check.h"
#include "base/saturate.h"

static uint64_t sub_floor(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

static u256 wide_add_sat(const u256 *a, const u256 *b) {
    u256 r;
    return u256_add_overflow(&r, a, b) ? U256_MAX : r;
}

static u256 wide_mul_sat(const u256 *a, uint64_t b) {
    u256 r, m = u256_from_u64(b);
    return u256_mul_overflow(&r, a, &m) ? U256_MAX : r;
}

static u256 wide_div(const u256 *a, uint64_t b) {
    u256 d = u256_from_u64(b);
    return u256_div(a, &d);
}

uint64_t fee_exp_bps(uint64_t x_bps) {
    /* Horner's form of 1 + x + x^2/2 + x^3/6 + x^4/24. */
    uint64_t r = u64_add_sat(FEE_BPS, x_bps / 4);
    r = u64_add_sat(FEE_BPS, u64_mul_sat(r, x_bps) / (3 * FEE_BPS));
    r = u64_add_sat(FEE_BPS, u64_mul_sat(r, x_bps) / (2 * FEE_BPS));
    return u64_add_sat(FEE_BPS, u64_mul_sat(r, x_bps) / FEE_BPS);
}

uint64_t fee_backlog_after(uint64_t backlog, const struct fee_meter *m, uint64_t dt_s) {
    return sub_floor(backlog, u64_mul_sat(m->speed_limit, dt_s));
}

uint64_t fee_backlog_exponent_bps(uint64_t backlog, const struct fee_meter *m) {
    CHECK(m->speed_limit > 0);
    CHECK(m->inertia_s > 0);
    uint64_t excess = sub_floor(backlog, u64_mul_sat(m->tolerance_s, m->speed_limit));
    return u64_mul_sat(FEE_BPS, excess) / u64_mul_sat(m->inertia_s, m->speed_limit);
}

uint64_t fee_backlog_add(uint64_t backlog, uint64_t used) {
    return u64_add_sat(backlog, used);
}

u256 fee_da_per_gas(const struct fee_params *p, uint64_t da_backlog) {
    CHECK(p->k_den > 0);
    if (u256_is_zero(&p->parent_wei_per_byte))
        return U256_ZERO;
    u256 v = wide_mul_sat(&p->parent_wei_per_byte, p->k_num);
    v = wide_mul_sat(&v, fee_exp_bps(fee_backlog_exponent_bps(da_backlog, &p->da)));
    u256 den = u256_from_u64(p->k_den);
    den = wide_mul_sat(&den, FEE_BPS);
    return u256_div(&v, &den);
}

/* unit * (E(x) - 1) */
static u256 congestion(const u256 *unit, uint64_t x_bps) {
    u256 v = wide_mul_sat(unit, fee_exp_bps(x_bps) - FEE_BPS);
    return wide_div(&v, FEE_BPS);
}

u256 fee_price(const struct fee_params *p, uint64_t gas_backlog, uint64_t da_backlog) {
    bool unit_is_min = u256_lt(&p->congestion_unit_wei, &p->min_base_fee_wei);
    const u256 *unit = unit_is_min ? &p->min_base_fee_wei : &p->congestion_unit_wei;
    u256 extra = congestion(unit, fee_backlog_exponent_bps(gas_backlog, &p->gas));
    u256 da = fee_da_per_gas(p, da_backlog);
    u256 price = wide_add_sat(&p->min_base_fee_wei, &extra);
    return wide_add_sat(&price, &da);
}

u256 fee_surcharge_price(const struct fee_surcharge *s, uint64_t backlog) {
    u256 v = congestion(&s->unit_wei, fee_backlog_exponent_bps(backlog, &s->meter));
    v = wide_add_sat(&v, &s->base_wei);
    return u256_lt(&s->cap_wei, &v) ? s->cap_wei : v;
}

bool fee_data_sample(u256 *out, const u256 *gas_price, uint64_t length, uint64_t nonzeros,
                     uint64_t extra_gas) {
    if (length < FEE_DATA_SAMPLE_MIN_BYTES)
        return false;
    if (nonzeros > length)
        nonzeros = length;
    /* Calldata gas (EIP-2028) and the parent's hash over the data; the transaction's fixed gas is
     * not the bytes' cost. */
    uint64_t words = length / 32 + (length % 32 != 0);
    uint64_t gas = u64_add_sat(u64_mul_sat(4, length - nonzeros), u64_mul_sat(16, nonzeros));
    gas = u64_add_sat(gas, u64_add_sat(30, u64_mul_sat(6, words)));
    gas = u64_add_sat(gas, extra_gas);
    u256 wei = wide_mul_sat(gas_price, gas);
    *out = wide_div(&wei, length);
    return true;
}

static u256 lower_median(const u256 samples[FEE_DATA_SAMPLES]) {
    u256 v[FEE_DATA_SAMPLES];
    for (size_t i = 0; i < FEE_DATA_SAMPLES; i++) { /* insertion sort */
        size_t at = i;
        for (; at > 0 && u256_lt(&samples[i], &v[at - 1]); at--)
            v[at] = v[at - 1];
        v[at] = samples[i];
    }
    return v[FEE_DATA_SAMPLES / 2 - 1];
}

u256 fee_data_price_next(const u256 *old, const u256 samples[FEE_DATA_SAMPLES]) {
    u256 m = lower_median(samples);
    if (u256_fits_u64(old) && old->w[0] < 8)
        return m;
    u256 step = wide_div(old, 8);
    u256 low = u256_sub(old, &step);
    u256 high = wide_add_sat(old, &step);
    if (u256_lt(&m, &low))
        return low;
    return u256_lt(&high, &m) ? high : m;
}
