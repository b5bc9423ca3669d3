/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "chain/derive_internal.h"
#include "chain/system_state.h"

/* What a call at the end of `header`'s block must offer, if it offers anything. */
static u256 price_of(struct chain *c, const struct header *header, const struct call_request *req) {
    const u256 *offer = &req->tx.max_fee;
    if (req->timestamp == 0 || u256_is_zero(offer) || !u256_lt(offer, &header->base_fee))
        return header->base_fee;
    u256 next = chain_next_price(c, header, req->timestamp);
    return u256_lt(&next, &header->base_fee) ? next : header->base_fee;
}

/* The block that a call sees: `header`'s own, or the next one with its start already executed. */
static enum err call_context(struct header *out, struct chain *c, const struct header *header,
                             const struct call_request *req, struct err_ctx *ec) {
    if (!req->pending) {
        *out = *header;
        c->l3.price = price_of(c, header, req);
        c->l3.version = l3_header_info_get(header).version;
        c->l3.network_fee_account = sys_get_addr(c->world, SYS_NETWORK_FEE_ACCOUNT, NULL);
        return ERR_OK;
    }
    struct l3_header_info info = l3_header_info_get(header);
    struct header h = *header;
    h.parent_hash = header_hash(header);
    h.number++;
    h.coinbase = SEQUENCER_ADDRESS;
    h.gas_limit = sys_get_u64(c->world, SYS_BLOCK_GAS_LIMIT, NULL);
    if (req->timestamp > h.timestamp)
        h.timestamp = req->timestamp;
    if (!c->opt.config.has_parent && h.timestamp / L3_SECONDS_PER_L1_BLOCK > info.l1_block_number)
        info.l1_block_number = h.timestamp / L3_SECONDS_PER_L1_BLOCK;
    TRY(block_start(c, header, &h, ec));
    h.base_fee = c->l3.price;
    info.version = c->l3.version;
    l3_header_info_set(&h, &info);
    *out = h;
    return ERR_OK;
}

static void override_block(struct chain *c, const struct block_override *b) {
    struct evm_block_ctx *block = &c->x.block;
    if (b->has_number) {
        c->l3.number = b->number;
        block->number = b->number;
        if (block->number_is_parent)
            block->parent_number = b->number;
    }
    if (b->has_time)
        block->timestamp = b->time;
    if (b->has_gas_limit)
        block->gas_limit = b->gas_limit;
    if (b->has_coinbase)
        block->coinbase = b->coinbase;
    if (b->has_prevrandao)
        block->prevrandao = b->prevrandao;
    if (b->has_base_fee)
        block->base_fee = c->l3.price = b->base_fee;
    if (b->has_blob_base_fee)
        block->blob_base_fee = b->blob_base_fee;
}

enum err chain_call(struct call_result *out, struct chain *c, struct arena *a,
                    const struct header *header, const struct call_request *req,
                    struct err_ctx *ec) {
    CHECK(!c->is_open);
    struct header h;
    caches_trim(c);
    world_block_begin(c->world, header->number + 1);
    enum err e = call_context(&h, c, header, req, ec);
    if (e != ERR_OK) {
        world_block_abandon(c->world);
        return e;
    }
    exec_prepare(c, &h, &l3_call_rules);
    struct exec *x = &c->x;
    x->gas_left = UINT64_MAX;
    x->tx_gas_cap = UINT64_MAX;
    x->expired = req->expired;
    x->expired_ctx = req->expired_ctx;
    x->budget = req->budget;
    if (req->overrides != NULL) {
        override_block(c, &req->overrides->block);
        overrides_apply(req->overrides, c->world);
    }
    if (u256_is_zero(&req->tx.max_fee)) /* as geth: a call without a price sees none */
        x->block.base_fee = U256_ZERO;
    struct tx_result r;
    struct receipt receipt;
    bool stop = false;
    struct call_result res = {
        .verdict = apply_tx_watched(x, &req->tx, a, &r, &receipt, req->watch, &stop)};
    x->expired = NULL;
    x->budget = 0;
    res.over_budget = res.verdict == TX_OK && x->last.over_budget;
    if (res.verdict == TX_OK) {
        res.status = r.status;
        res.gas_used = r.gas_used;
        res.gas_refund = r.gas_refund;
        res.output = arena_copy(a, r.output);
    }
    if (req->run_redeems && res.verdict == TX_OK && res.status == EVM_SUCCESS)
        call_run_redeems(c, a, &receipt, &res);
    world_block_abandon(c->world);
    *out = res;
    return ERR_OK;
}
