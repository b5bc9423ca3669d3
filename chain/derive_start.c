/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/derive_internal.h"
#include "chain/retryable.h"
#include "chain/system_state.h"

enum { QUEUE_HEADS_PER_BLOCK = 2 };

/* The version of block `number`, activated if its time has come. ERR_VERSION before anything is
 * written. */
static enum err activate_version(struct chain *c, uint64_t number, struct err_ctx *ec) {
    struct world *w = c->world;
    uint64_t version = sys_get_u64(w, SYS_VERSION, NULL);
    uint64_t scheduled = sys_get_u64(w, SYS_SCHEDULED_VERSION, NULL);
    bool activates = scheduled != 0 && number >= sys_get_u64(w, SYS_SCHEDULED_BLOCK, NULL);
    if (activates)
        version = scheduled;
    if (version == 0 || version > CHAIN_VERSION_MAX)
        FAIL(ec, ERR_VERSION,
             "block %llu needs state-transition version %llu and this program executes versions 1 "
             "to %d: install a newer release",
             (unsigned long long)number, (unsigned long long)version, CHAIN_VERSION_MAX);
    if (activates) {
        sys_set_u64(w, SYS_VERSION, NULL, version);
        sys_set_u64(w, SYS_SCHEDULED_VERSION, NULL, 0);
        sys_set_u64(w, SYS_SCHEDULED_BLOCK, NULL, 0);
    }
    c->l3.version = version;
    return ERR_OK;
}

static struct fee_meter meter_read(struct world *w, enum system_field speed,
                                   enum system_field tolerance, enum system_field inertia) {
    return (struct fee_meter){
        .speed_limit = sys_get_u64(w, speed, NULL),
        .tolerance_s = sys_get_u64(w, tolerance, NULL),
        .inertia_s = sys_get_u64(w, inertia, NULL),
    };
}

struct fee_params fee_params_read(struct world *w) {
    return (struct fee_params){
        .min_base_fee_wei = sys_get(w, SYS_MIN_BASE_FEE, NULL),
        .congestion_unit_wei = sys_get(w, SYS_CONGESTION_UNIT, NULL),
        .gas = meter_read(w, SYS_SPEED_LIMIT, SYS_TOLERANCE, SYS_INERTIA),
        .da = meter_read(w, SYS_DA_SPEED_LIMIT, SYS_DA_TOLERANCE, SYS_DA_INERTIA),
        .k_num = sys_get_u64(w, SYS_K_NUM, NULL),
        .k_den = sys_get_u64(w, SYS_K_DEN, NULL),
        .parent_wei_per_byte = sys_get(w, SYS_PARENT_WEI_PER_BYTE, NULL),
    };
}

/* Both backlogs after dt_s more seconds, and the price that follows. */
static u256 price_after(struct world *w, uint64_t dt_s, uint64_t *out_gas_backlog,
                        uint64_t *out_da_backlog) {
    struct fee_params p = fee_params_read(w);
    *out_gas_backlog = fee_backlog_after(sys_get_u64(w, SYS_GAS_BACKLOG, NULL), &p.gas, dt_s);
    *out_da_backlog = fee_backlog_after(sys_get_u64(w, SYS_DA_BACKLOG, NULL), &p.da, dt_s);
    return fee_price(&p, *out_gas_backlog, *out_da_backlog);
}

u256 chain_next_price(struct chain *c, const struct header *parent, uint64_t timestamp) {
    uint64_t gas_backlog, da_backlog;
    uint64_t dt_s = timestamp > parent->timestamp ? timestamp - parent->timestamp : 0;
    return price_after(c->world, dt_s, &gas_backlog, &da_backlog);
}

enum err block_start(struct chain *c, const struct header *parent, const struct header *h,
                     struct err_ctx *ec) {
    struct world *w = c->world;
    CHECK(h->number == parent->number + 1);
    CHECK(h->timestamp >= parent->timestamp);
    world_tx_begin(w);
    TRY(activate_version(c, h->number, ec));

    u256 slot = u256_from_u64(parent->number % L3_HISTORY_RING);
    u256 value = u256_from_be32(h->parent_hash.b);
    world_set_storage(w, &L3_HISTORY_ADDRESS, &slot, &value);

    for (int i = 0; i < QUEUE_HEADS_PER_BLOCK; i++)
        retryable_reap_head(w, h->timestamp);

    uint64_t gas_backlog, da_backlog;
    c->l3.price = price_after(w, h->timestamp - parent->timestamp, &gas_backlog, &da_backlog);
    sys_set_u64(w, SYS_GAS_BACKLOG, NULL, gas_backlog);
    sys_set_u64(w, SYS_DA_BACKLOG, NULL, da_backlog);
    c->l3.network_fee_account = sys_get_addr(w, SYS_NETWORK_FEE_ACCOUNT, NULL);
    world_tx_end(w);
    return ERR_OK;
}
