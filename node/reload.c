/* SPDX-License-Identifier: Apache-2.0 */
#include "node/reload.h"

#include "base/check.h"
#include "base/log.h"

enum { KEYS_TEXT_MAX = 1024, REPLY_UNIT = 1 << 20 };

struct rpc_policy config_rpc_policy(const struct config *c) {
    return (struct rpc_policy){
        .vhosts = c->http_vhosts,
        .cors_origins = c->http_cors,
        .reply_bytes_max = (size_t)c->http_reply_mib * REPLY_UNIT,
        .universe_rate = c->universe_rate,
        .call_gas_cap = c->call_gas,
        .call_time_ms = (uint32_t)c->call_ms,
    };
}

struct sequencer_policy config_sequencer_policy(const struct config *c) {
    return (struct sequencer_policy){.block_gap_ms = c->block_gap_ms,
                                     .tx_fee_cap_milli = c->tx_fee_cap,
                                     .da_backlog_max = c->da_backlog_max};
}

struct pool_limits config_pool_limits(const struct config *c) {
    return (struct pool_limits){.ready_max = (size_t)c->pool_ready,
                                .gapped_max = (size_t)c->pool_queued,
                                .gapped_per_sender = (size_t)c->pool_per_sender};
}

/* Keys of one kind whose values differ, by commas. */
static const char *changed(char out[KEYS_TEXT_MAX], const struct config *from,
                           const struct config *to, bool live) {
    size_t len = 0;
    out[0] = '\0';
    for (int id = 0; id < CONFIG_COUNT; id++) {
        enum config_id key = (enum config_id)id;
        if (config_is_live(key) != live || config_same(from, to, key))
            continue;
        int n =
            snprintf(out + len, KEYS_TEXT_MAX - len, "%s%s", len > 0 ? "," : "", config_key(key));
        CHECK(n > 0 && (size_t)n < KEYS_TEXT_MAX - len);
        len += (size_t)n;
    }
    return out;
}

static enum err take_up(struct reload *r, const struct config *c, struct err_ctx *ec) {
    enum log_level level;
    TRY(log_level_parse(&level, c->log_level));
    /* The one that can fail comes first. */
    const struct rpc_policy rpc = config_rpc_policy(c);
    TRY(rpc_server_set_policy(r->rpc, &rpc, ec));
    const struct sequencer_policy sequencer = config_sequencer_policy(c);
    sequencer_set_policy(r->sequencer, &sequencer);
    pool_set_limits(r->pool, config_pool_limits(c));
    log_set_level(level);
    return ERR_OK;
}

bool reload_config(struct reload *r) {
    char live[KEYS_TEXT_MAX], fixed[KEYS_TEXT_MAX];
    struct err_ctx ec = {0};
    struct config next;
    enum err e = config_parse(&next, r->argc, r->argv, r->env, &ec);
    if (e == ERR_OK) {
        e = take_up(r, &next, &ec);
        if (e != ERR_OK)
            config_clear(&next);
    }
    if (e != ERR_OK) {
        log_error("node", "the configuration stays as it was", log_error_code(e),
                  log_str("why", ec.text));
        return false;
    }
    changed(live, r->has_live ? &r->live : r->started, &next, true);
    changed(fixed, r->started, &next, false);
    reload_clear(r);
    r->live = next;
    r->has_live = true;
    if (fixed[0] != '\0')
        log_warn("node", "these keys take their new values at the next start alone",
                 log_str("keys", fixed));
    log_info("node", "configuration read again", log_str("changed", live));
    return true;
}

void reload_clear(struct reload *r) {
    if (r->has_live)
        config_clear(&r->live);
    r->has_live = false;
}
