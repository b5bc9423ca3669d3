/* SPDX-License-Identifier: Apache-2.0 */
/* Fee arithmetic of the L3 profile (PROTOCOL §3), as pure functions: no state, no floating point,
 * every intermediate saturating at the top of its type, division rounding down. chain/derive.c
 * reads and writes the numbers.
 *
 *   P        = minBaseFee + max(minBaseFee, congestionUnit) * (E(x) - 1) + daPerGas
 *   x        = backlog above its tolerance, in units of inertia * speedLimit
 *   daPerGas = parentWeiPerByte * k * E(y), k bytes of parent data per unit of gas
 * E approximates e^x by four terms. x, y and E are in basis points: 10,000 stands for 1. */
#ifndef CHAIN_FEES_H
#define CHAIN_FEES_H

#include "base/types.h"
#include "base/u256.h"

enum {
    FEE_BPS = 10000,
    FEE_DATA_SAMPLES = 8,             /* reports remembered */
    FEE_DATA_SAMPLE_MIN_BYTES = 1024, /* smaller batches say little about the price of a byte */
};

/* One backlog: how fast it drains, how much of it is free, how slowly it raises the price. */
struct fee_meter {
    uint64_t speed_limit; /* units (gas or bytes) per second; > 0 */
    uint64_t tolerance_s;
    uint64_t inertia_s; /* > 0 */
};

struct fee_params {
    u256 min_base_fee_wei;
    u256 congestion_unit_wei;
    struct fee_meter gas, da;
    uint64_t k_num, k_den; /* k_den > 0 */
    u256 parent_wei_per_byte;
};

/* E(x) >= 10,000; UINT64_MAX where the true value does not fit. */
uint64_t fee_exp_bps(uint64_t x_bps);
/* What is left of a backlog after dt_s seconds, at least 0. */
uint64_t fee_backlog_after(uint64_t backlog, const struct fee_meter *m, uint64_t dt_s);
/* The exponent of a backlog. */
uint64_t fee_backlog_exponent_bps(uint64_t backlog, const struct fee_meter *m);
/* Backlog plus what a block used. */
uint64_t fee_backlog_add(uint64_t backlog, uint64_t used);

u256 fee_da_per_gas(const struct fee_params *p, uint64_t da_backlog);
/* P, from backlogs that were already drained to the block's time. */
u256 fee_price(const struct fee_params *p, uint64_t gas_backlog, uint64_t da_backlog);

/* A universe's toll: min(cap, unit * (E(x) - 1) + base), x from its own backlog. */
struct fee_surcharge {
    struct fee_meter meter;
    u256 unit_wei, base_wei, cap_wei;
};
u256 fee_surcharge_price(const struct fee_surcharge *s, uint64_t backlog);

/* Wei per byte that a batch cost on the parent (message kind 13). `extra_gas` is what the report
 * adds; `nonzeros` counts within `length` (nonzeros > length counts as length). False: the batch
 * gives no sample. */
bool fee_data_sample(u256 *out, const u256 *gas_price, uint64_t length, uint64_t nonzeros,
                     uint64_t extra_gas);
/* The next parentWeiPerByte: the lower median of the samples, moved by at most an eighth of `old`
 * (any distance while old < 8). */
u256 fee_data_price_next(const u256 *old, const u256 samples[FEE_DATA_SAMPLES]);

#endif
