/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the sequencer did is in the metrics, stage by stage. Method: three transfers and a
 * refusal, then the print-out. */
#include "node/metrics.h"

#include "node/sequencer.h"
#include "tests/lib/node/chain.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <string.h>

static sem_t answered;

static void on_failed(void *ctx) {
    (void)ctx;
    cr_assert_fail("the sequencer failed");
}

static void on_done(void *ctx, uint64_t token, const struct submit_result *r) {
    (void)ctx;
    cr_assert_eq(r->status, token < 3 ? SUBMIT_DURABLE : SUBMIT_REFUSED, "%s", r->text);
    sem_post(&answered);
}

static void send_and_wait(struct node_commands *n, struct node_chain *c, uint64_t nonce,
                          uint64_t token) {
    n->submit(n->ctx, node_chain_transfer(c, 0, 1, nonce, 10)->raw, SUBMIT_NO_QUEUE, on_done, NULL,
              token);
    sem_wait(&answered);
}

static void expect_line(const struct buf *b, const char *line) {
    cr_expect_not_null(strstr((const char *)b->ptr, line), "%s", line);
}

Test(node_metrics, stages, .timeout = 60) {
    struct node_chain c;
    struct pool pool;
    struct sequencer *s = NULL;
    struct node_commands n = {0};
    struct err_ctx ec = {.text = ""};
    struct buf out;
    node_chain_init(&c);
    pool_init(&pool, (struct pool_limits){.gapped_max = 10, .gapped_per_sender = 10});
    struct sequencer_options o = {.ledger = &c.ledger,
                                  .pool = &pool,
                                  .clock = clock_posix(),
                                  .policy = {.block_gap_ms = 0},
                                  .failed = on_failed};
    node_metrics_register();
    sem_init(&answered, 0, 0);
    cr_assert_eq(sequencer_start(&s, &o, &ec), ERR_OK, "%s", ec.text);
    sequencer_commands(s, &n);
    for (uint64_t i = 0; i < 3; i++)
        send_and_wait(&n, &c, i, i);
    send_and_wait(&n, &c, 7, 3);

    buf_init(&out, 1 << 20);
    n.metrics(n.ctx, &out);
    buf_append_byte(&out, 0);
    expect_line(&out, "\ncallipter_node_blocks_total 3\n");
    expect_line(&out, "\ncallipter_node_txs_total 3\n");
    expect_line(&out, "\ncallipter_node_gas_total 63000\n");
    expect_line(&out, "\ncallipter_node_submissions_total 4\n");
    expect_line(&out, "\ncallipter_node_refusals_total 1\n");
    expect_line(&out, "\ncallipter_node_recover_us_count 4\n");
    expect_line(&out, "\ncallipter_node_execute_us_count 3\n");
    expect_line(&out, "\ncallipter_node_seal_us_count 3\n");
    expect_line(&out, "\ncallipter_node_intake_wait_us_count 3\n");
    expect_line(&out, "\ncallipter_node_pool_wait_us_count 3\n");
    expect_line(&out, "\ncallipter_node_executed_to_durable_us_count 3\n");
    expect_line(&out, "\ncallipter_node_send_to_durable_us_count 3\n");
    expect_line(&out, "\ncallipter_node_block_txs_bucket{le=\"1\"} 3\n");
    expect_line(&out, "\ncallipter_state_durable_block 3\n");
    expect_line(&out, "# TYPE callipter_node_log_sync_us histogram\n");
    buf_clear(&out);
    cr_assert(sequencer_stop(s));
    sequencer_free(s);
    pool_clear(&pool);
    node_chain_clear(&c);
}
