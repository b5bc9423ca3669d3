/* SPDX-License-Identifier: Apache-2.0 */
/* debug_tableDigests: what two nodes compare. */
#include "index/digest.h"
#include "rpc/handlers.h"
#include "rpc/json_writer.h"
#include "rpc/params.h"
#include "rpc/reader.h"

static bool expired(void *ctx) {
    return rpc_time_up(ctx);
}

void rpc_debug_table_digests(struct rpc_call *c) {
    struct block_ref ref;
    struct index_head head;
    struct err_ctx ec = {.err = ERR_OK};
    uint64_t from = 0;
    if (!param_block(c, 0, &ref, true) || (param_at(c, 1) != NULL && !param_u64(c, 1, &from)) ||
        !rpc_need_block(c, &ref, &head))
        return;
    struct store_view *v = rpc_state_view(c, head.header.number);
    struct index_digest *d = arena_try_alloc(rpc_arena(c), sizeof(*d));
    if (v == NULL)
        return;
    enum err e = d != NULL ? index_digest(d, v, from, expired, c, &ec) : ERR_NOMEM;
    if (e != ERR_OK) {
        rpc_fail_err(c, e, &ec);
        return;
    }
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_m_u64(&w, "number", d->block);
    jw_m_hash(&w, "hash", &d->block_hash);
    jw_m_u64(&w, "from", d->from);
    jw_m_hash(&w, "all", &d->all);
    jw_key(&w, "tables");
    jw_object(&w);
    for (int t = 0; t < TABLE_COUNT; t++)
        if (d->covered[t])
            jw_m_hash(&w, table_info[t].name, &d->tables[t]);
    jw_object_end(&w);
    jw_object_end(&w);
}
