/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/node/chain.h"

#include "base/check.h"
#include "tests/lib/chain/tx_list.h"
#include "tests/lib/temp_dir.h"

#define GWEI UINT64_C(1000000000)

static enum err open_ledger(struct node_chain *c, struct err_ctx *ec) {
    struct ledger_options o = {.disk = c->disk != NULL ? c->disk : disk_posix(),
                               .dir = c->dir,
                               .genesis = &c->genesis,
                               .cache_bytes = 64 << 20,
                               .checkpoint_rows = c->checkpoint_rows,
                               .log_segment_bytes = c->segment_bytes};
    return ledger_open(&c->ledger, &o, ec);
}

void node_chain_init(struct node_chain *c) {
    node_chain_init_segments(c, 0);
}

void node_chain_init_segments(struct node_chain *c, uint32_t segment_bytes) {
    struct err_ctx ec = {.text = ""};
    *c = (struct node_chain){.segment_bytes = segment_bytes};
    temp_dir_make(c->dir, sizeof(c->dir), "node");
    genesis_dev(&c->genesis);
    for (uint32_t i = 0; i < GENESIS_DEV_ACCOUNTS; i++)
        genesis_dev_account(i, c->keys[i], &c->addrs[i]);
    arena_init(&c->arena, 65536, 1 << 28);
    CHECK(open_ledger(c, &ec) == ERR_OK);
}

void node_chain_clear(struct node_chain *c) {
    if (c->ledger.store != NULL)
        ledger_close(&c->ledger);
    genesis_clear(&c->genesis);
    arena_clear(&c->arena);
    temp_dir_remove(c->dir);
}

enum err node_chain_reopen(struct node_chain *c, struct err_ctx *ec) {
    if (c->ledger.store != NULL)
        ledger_close(&c->ledger);
    return open_ledger(c, ec);
}

static enum err count_pool(void *ctx, bytes envelope, const addr20 *sender, uint64_t seq) {
    size_t *count = ctx;
    (void)sender;
    CHECK(envelope.len > 0);
    CHECK(seq > 0);
    if (count != NULL)
        ++*count;
    return ERR_OK;
}

enum err node_chain_recover(struct node_chain *c, struct recover_stats *out, size_t *out_pool,
                            struct err_ctx *ec) {
    struct recover_stats ignored;
    return recover_run(&c->ledger, out != NULL ? out : &ignored, count_pool, out_pool, ec);
}

struct tx *node_chain_transfer(struct node_chain *c, size_t from, size_t to, uint64_t nonce,
                               uint64_t max_fee_gwei) {
    struct tx *tx = arena_zalloc(&c->arena, sizeof(*tx));
    *tx = (struct tx){.type = TX_DYNAMIC_FEE,
                      .has_chain_id = true,
                      .chain_id = c->genesis.config.chain_id,
                      .nonce = nonce,
                      .max_fee = u256_from_u64(max_fee_gwei * GWEI),
                      .gas_limit = 21000,
                      .to = c->addrs[to],
                      .value = U256_ONE};
    CHECK(tx_sign(tx, &c->arena, c->keys[from]) == ERR_OK);
    return tx;
}

void node_chain_block(struct node_chain *c, struct tx *const *txs, size_t count) {
    struct ledger *l = &c->ledger;
    struct err_ctx ec = {.text = ""};
    struct tx_list list = {.txs = txs, .count = count};
    struct tx_feed feed = tx_list_feed(&list);
    struct derived_block b;
    struct log_record rec;
    uint64_t timestamp = 1700000000 + l->head.number;
    CHECK(chain_sequence_block(&b, l->chain, &l->arena, &l->head, timestamp,
                               timestamp / L3_SECONDS_PER_L1_BLOCK, &feed, &ec) == ERR_OK);
    CHECK(ledger_append(l, &b, &rec, &ec) == ERR_OK);
    CHECK(ledger_apply(l, &b, &rec, &ec) == ERR_OK);
    CHECK(wal_sync(l->log, NULL, &ec) == ERR_OK);
    store_set_durable(l->store, l->head.number);
    arena_reset(&l->arena);
}
