/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/engine.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/keccak.h"
#include "chain/exec.h"
#include "rpc/api.h"
#include "rpc/batch.h"
#include "rpc/json_writer.h"
#include "rpc/jsonrpc.h"
#include "rpc/metrics.h"
#include "rpc/reader.h"
#include "rpc/scan.h"
#include "rpc/tag.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A body in work. `calls` belong to the loop's thread, or while `work` is out to one reader. */
struct job {
    struct rpc_engine *engine;
    uint32_t slot, generation;
    uint64_t tag;
    uint64_t begun_ns;
    json_t *root;    /* what the calls borrow from: parsed, or */
    struct buf body; /* scanned */
    bool is_batch;
    bool tried;          /* the loop's budget did not suffice for it */
    bool reading;        /* `work` is with the readers */
    size_t outstanding;  /* calls in phase WAIT */
    size_t receipts_due; /* calls in phase RECEIPT */
    size_t reruns_due;   /* calls in phase RUN again, whose answer has come */
    size_t forwards_due; /* calls in phase WAIT that the node has not been given yet */
    bool counted;        /* against jobs_max */
    bool rest;
    struct api_quota_state quota;
    struct api_origin origin;
    struct rpc_batch batch;
    size_t count, next; /* calls, and the first that has not been started */
    size_t cap;
    struct rpc_call *calls; /* do not move once one has been started */
    struct rpc_work work;
};

/* What other threads tell the loop. */
struct inbox_item {
    struct inbox_item *next;
    struct job *read_done; /* a reader is done with the job's work, or NULL: */
    uint64_t token;        /* the node answered a submission, or */
    bool is_wake;          /* what a call asked for is there */
    struct submit_result result;
};

struct rpc_engine {
    struct rpc_engine_options o;
    rpc_reply_fn reply;
    void *reply_ctx;
    struct rpc_readers *readers;
    struct rpc_reader *here; /* of the loop */
    struct rpc_call quick;   /* of rpc_engine_answer */
    int64_t purse_us;        /* rpc/engine.h; may be below 0 */
    uint64_t purse_ns;       /* when it was last filled */
    struct job **jobs;       /* by slot */
    uint32_t *generations;
    uint32_t *free_slots;
    size_t free_count, pending;
    size_t counted;     /* of `pending` */
    size_t slots_used;  /* above it none ever was */
    size_t timed_waits; /* calls in WAIT that have a deadline */
    int wake_fd;
    struct event *wake, *tick;
    pthread_mutex_t lock; /* of the inbox */
    struct inbox_item *first, **last;
};

enum {
    TICK_MS = 50,
    SCAN_CALLS = 16,
    TOKEN_CALL_BITS = 16,
    TOKEN_SLOT_BITS = 16,
    SLOTS = 1 << TOKEN_SLOT_BITS
};

/* Token of a submission: generation | slot | call. */
static uint64_t token_of(const struct job *j, size_t call) {
    return ((uint64_t)j->generation << (TOKEN_CALL_BITS + TOKEN_SLOT_BITS)) |
           ((uint64_t)j->slot << TOKEN_CALL_BITS) | call;
}

static void advance(struct job *j);

/* --- inbox --------------------------------------------------------------------------------- */
static void post(struct rpc_engine *e, struct inbox_item *m) {
    m->next = NULL;
    pthread_mutex_lock(&e->lock);
    bool was_empty = e->first == NULL;
    *e->last = m;
    e->last = &m->next;
    pthread_mutex_unlock(&e->lock);
    if (was_empty) {
        uint64_t one = 1;
        ssize_t n = write(e->wake_fd, &one, sizeof(one));
        CHECK(n == (ssize_t)sizeof(one) || errno == EAGAIN);
    }
}

static void on_read_done(struct rpc_work *w) {
    struct job *j = w->ctx;
    struct inbox_item *m = malloc(sizeof(*m));
    CHECK(m != NULL);
    m->read_done = j;
    post(j->engine, m);
}

static void on_submit_done(void *ctx, uint64_t token, const struct submit_result *r) {
    struct inbox_item *m = malloc(sizeof(*m));
    CHECK(m != NULL);
    m->read_done = NULL;
    m->token = token;
    m->is_wake = false;
    m->result = *r;
    post(ctx, m);
}

void rpc_wake_up(struct rpc_wake w) {
    struct inbox_item *m = malloc(sizeof(*m));
    CHECK(m != NULL);
    m->read_done = NULL;
    m->token = w.token;
    m->is_wake = true;
    post(w.engine, m);
}

static struct rpc_call *call_of(struct rpc_engine *e, uint64_t token, struct job **out_job) {
    size_t idx = token & ((1u << TOKEN_CALL_BITS) - 1);
    size_t slot = (token >> TOKEN_CALL_BITS) & ((1u << TOKEN_SLOT_BITS) - 1);
    uint32_t generation = (uint32_t)(token >> (TOKEN_CALL_BITS + TOKEN_SLOT_BITS));
    struct job *j = e->jobs[slot];
    if (j == NULL || j->generation != generation)
        return NULL;
    CHECK(idx < j->count);
    *out_job = j;
    return j->calls[idx].phase == RPC_PHASE_WAIT ? &j->calls[idx] : NULL;
}

/* --- answers of the node ------------------------------------------------------------------- */
static void end_wait(struct job *j, struct rpc_call *c, enum rpc_phase phase) {
    CHECK(c->phase == RPC_PHASE_WAIT);
    CHECK(j->outstanding > 0);
    if (c->deadline_ms != 0)
        j->engine->timed_waits--;
    c->deadline_ms = 0;
    c->phase = phase;
    j->outstanding--;
    if (phase == RPC_PHASE_RECEIPT)
        j->receipts_due++;
}

static void forget_dev_nonce(struct rpc_engine *e, const struct rpc_call *c) {
    if (c->dev_account < 0)
        return;
    struct rpc_dev_nonces *nonces = e->o.context->dev_nonces;
    pthread_mutex_lock(&nonces->lock);
    nonces->next[c->dev_account] = 0;
    pthread_mutex_unlock(&nonces->lock);
}

static void answer_hash(struct rpc_call *c, const hash32 *hash) {
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_hash(&w, hash);
}

static void submit_refused(struct rpc_engine *e, struct rpc_call *c,
                           const struct submit_result *r) {
    forget_dev_nonce(e, c);
    if (r->has_expected_nonce && c->wants_receipt) {
        rpc_fail(c, RPC_SYNC_NONCE_GAP, "%s", r->text);
        buf_printf(&c->data, "\"0x%llx\"", (unsigned long long)r->expected_nonce);
        return;
    }
    /* Who comes by a universe's URL wants it to pay, whatever price the wallet put in. */
    bool pinned = r->sponsor_rule != NULL && c->origin->slug[0] != '\0';
    rpc_fail(c, r->code, "%s", pinned ? tx_verdict_text(TX_INSUFFICIENT_FUNDS) : r->text);
    if (r->data[0] != '\0')
        buf_append_str(&c->data, r->data);
    else if (pinned)
        buf_printf(&c->data, "{\"sponsor\":\"policy_mismatch:%s\"}", r->sponsor_rule);
    c->try_later = r->code == RPC_LIMIT_EXCEEDED; /* of a submission: a full queue */
}

static void put_json(struct buf *out, const json_t *v) {
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    CHECK(text != NULL);
    buf_append_str(out, text);
    free(text);
}

/* What another node answered is the answer. */
static void submit_forwarded(struct rpc_call *c, const json_t *reply) {
    const json_t *error = json_object_get(reply, "error"), *data = json_object_get(error, "data");
    if (!json_is_object(error)) {
        put_json(&c->result, json_object_get(reply, "result"));
        if (c->result.overflow)
            rpc_fail(c, RPC_LIMIT_EXCEEDED, "response too large");
        return;
    }
    rpc_fail(c, (int)json_integer_value(json_object_get(error, "code")), "%s",
             json_string_value(json_object_get(error, "message")));
    if (data != NULL)
        put_json(&c->data, data);
    if (c->data.overflow)
        buf_reset(&c->data);
    c->try_later = c->code == RPC_LIMIT_EXCEEDED;
}

static void on_submit_result(struct rpc_engine *e, uint64_t token, const struct submit_result *r) {
    struct job *j = NULL;
    struct rpc_call *c = call_of(e, token, &j);
    if (c == NULL)
        return; /* timed out, or gone with its client */
    c->tx_hash = r->hash;
    if (r->status == SUBMIT_DURABLE && c->wants_receipt) {
        end_wait(j, c, RPC_PHASE_RECEIPT);
    } else {
        if (r->status == SUBMIT_REFUSED)
            submit_refused(e, c, r);
        else if (r->status == SUBMIT_FORWARDED)
            submit_forwarded(c, r->reply);
        else
            answer_hash(c, &r->hash);
        end_wait(j, c, RPC_PHASE_DONE);
    }
    advance(j);
}

static void on_answer(struct rpc_engine *e, uint64_t token) {
    struct job *j = NULL;
    struct rpc_call *c = call_of(e, token, &j);
    CHECK(c != NULL);
    end_wait(j, c, RPC_PHASE_RUN);
    j->reruns_due++;
    advance(j);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_engine *e = ctx;
    (void)what;
    uint64_t count;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n; /* only to reset it */
    pthread_mutex_lock(&e->lock);
    struct inbox_item *m = e->first;
    e->first = NULL;
    e->last = &e->first;
    pthread_mutex_unlock(&e->lock);
    while (m != NULL) {
        struct inbox_item *next = m->next;
        if (m->read_done != NULL) {
            m->read_done->reading = false;
            advance(m->read_done);
        } else if (m->is_wake) {
            on_answer(e, m->token);
        } else {
            on_submit_result(e, m->token, &m->result);
            json_decref(m->result.reply);
        }
        free(m);
        m = next;
    }
}

static void time_out(struct rpc_engine *e, struct job *j, uint64_t now_ms) {
    size_t before = j->outstanding;
    for (size_t i = 0; i < j->count; i++) {
        struct rpc_call *c = &j->calls[i];
        if (c->phase != RPC_PHASE_WAIT || c->deadline_ms == 0 || c->deadline_ms > now_ms)
            continue;
        rpc_fail(c, RPC_SYNC_TIMEOUT,
                 "The transaction was added to the mempool but wasn't processed in %u.%us.",
                 c->timeout_ms / 1000, c->timeout_ms % 1000 / 100);
        hash32 hash = keccak256_bytes(buf_bytes(&c->envelope));
        rpc_fail_data(c, bytes_of(hash.b, 32));
        end_wait(j, c, RPC_PHASE_DONE);
    }
    (void)e;
    if (j->outstanding != before)
        advance(j);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_engine *e = ctx;
    (void)fd;
    (void)what;
    if (e->timed_waits == 0)
        return;
    uint64_t now = rpc_now_ms();
    for (size_t i = 0; i < e->slots_used; i++)
        if (e->jobs[i] != NULL && e->jobs[i]->outstanding > 0)
            time_out(e, e->jobs[i], now);
}

/* --- replies ------------------------------------------------------------------------------- */
/* The whole reply; when it passes the limit, an error in place of the answers that do not fit. */
static void write_replies(struct buf *out, struct job *j) {
    bool any = false;
    size_t left = out->max;
    if (j->is_batch)
        out->max = SIZE_MAX / 2; /* rpc/batch.h */
    for (size_t i = 0; i < j->count; i++) {
        if (j->calls[i].notification)
            continue;
        if (j->is_batch) {
            (void)rpc_batch_fit(&j->calls[i], &left);
            buf_append_byte(out, any ? ',' : '[');
        }
        any = true;
        rpc_write_reply(out, &j->calls[i]);
    }
    if (j->is_batch && any)
        buf_append_byte(out, ']');
    if (out->overflow) {
        buf_reset(out);
        const struct rpc_call *c = &j->calls[0];
        rpc_write_error(out, c->id, c->id_text, RPC_LIMIT_EXCEEDED, "response too large");
    }
}

static bool has_room(const struct rpc_engine *e) {
    return e->counted < e->o.jobs_max && e->free_count > 0;
}

/* The job's place is another's from here. */
static void give_place(struct job *j) {
    if (j->counted)
        j->engine->counted--;
    j->counted = false;
}

static void job_free(struct job *j) {
    struct rpc_engine *e = j->engine;
    give_place(j);
    for (size_t i = 0; i < j->count; i++)
        rpc_call_clear(&j->calls[i]);
    free(j->calls);
    json_decref(j->root);
    buf_clear(&j->body);
    e->jobs[j->slot] = NULL;
    e->free_slots[e->free_count++] = j->slot;
    e->pending--;
    free(j);
}

static void count_results(const struct job *j) {
    for (size_t i = 0; i < j->count; i++)
        metric_add(&rpc_errors, rpc_failed(&j->calls[i]) ? 1 : 0);
    metric_observe(&rpc_request_us, (clock_monotonic_ns(clock_posix()) - j->begun_ns) / 1000);
}

static void finish(struct job *j) {
    struct rpc_engine *e = j->engine;
    count_results(j);
    struct rpc_reply reply = {0};
    buf_init(&reply.body, e->o.context->reply_bytes_max);
    if (j->rest) {
        reply.status = api_print(&reply.body, &j->calls[0]);
        reply.replayed = j->calls[0].replayed;
        reply.in_flight = j->calls[0].problem == API_IN_FLIGHT;
        reply.quota = j->quota;
    } else {
        write_replies(&reply.body, j);
    }
    reply.busy = j->count == 1 && j->calls[0].try_later;
    uint64_t tag = j->tag;
    job_free(j);
    e->reply(e->reply_ctx, tag, &reply);
}

/* An answer without a job. */
static void refuse(struct rpc_engine *e, uint64_t tag, json_t *id, bool in_array, int code,
                   const char *text) {
    struct rpc_reply reply = {.busy = code == RPC_LIMIT_EXCEEDED};
    metric_add(&rpc_errors, 1);
    buf_init(&reply.body, e->o.context->reply_bytes_max);
    if (in_array)
        buf_append_byte(&reply.body, '[');
    rpc_write_error(&reply.body, id, bytes_of(NULL, 0), code, text);
    if (in_array)
        buf_append_byte(&reply.body, ']');
    e->reply(e->reply_ctx, tag, &reply);
}

/* --- running ------------------------------------------------------------------------------- */
static void submit(struct job *j, size_t idx) {
    struct rpc_call *c = &j->calls[idx];
    const struct node_commands *node = c->cx->node;
    c->phase = RPC_PHASE_WAIT;
    j->outstanding++;
    if (node->forward != NULL) { /* forward_due */
        c->forward_due = true;
        j->forwards_due++;
        return;
    }
    if (c->timeout_ms != 0) {
        c->deadline_ms = rpc_now_ms() + c->timeout_ms;
        j->engine->timed_waits++;
    }
    node->submit(node->ctx, buf_bytes(&c->envelope), c->submit_flags, on_submit_done, j->engine,
                 token_of(j, idx));
}

/* Hands on together what waits for it, in order. Its time is the business of who answers. */
static void forward(struct job *j) {
    const struct node_commands *node = j->engine->o.context->node;
    struct forward_txs t = {.slug = j->origin.slug, .forwarded = j->origin.forwarded};
    if (j->forwards_due == 0)
        return;
    struct forward_tx *txs = calloc(j->forwards_due, sizeof(*txs));
    CHECK(txs != NULL);
    for (size_t i = 0; i < j->next; i++) {
        struct rpc_call *c = &j->calls[i];
        if (!c->forward_due)
            continue;
        c->forward_due = false;
        txs[t.count++] = (struct forward_tx){.envelope = buf_bytes(&c->envelope),
                                             .wants_receipt = c->wants_receipt,
                                             .timeout_ms = c->timeout_ms,
                                             .token = token_of(j, i)};
    }
    CHECK(t.count == j->forwards_due);
    j->forwards_due = 0;
    t.txs = txs;
    node->forward(node->forwarder, &t, on_submit_done, j->engine);
    free(txs);
}

static void fail_busy(struct rpc_call *c) {
    rpc_fail(c, RPC_LIMIT_EXCEEDED, "too many requests are waiting, try again in 100ms");
    c->try_later = true;
}

/* Hands the job to the readers. `begun`: calls of it wait for that which the node has done. */
static void read_batch(struct job *j, bool heavy, bool begun) {
    j->work = (struct rpc_work){.calls = j->calls,
                                .count = j->count,
                                .heavy = heavy,
                                .begun = begun || !j->counted,
                                .done = on_read_done,
                                .ctx = j};
    j->reading = true;
    if (rpc_readers_push(j->engine->readers, &j->work))
        return;
    j->reading = false;
    for (size_t i = 0; i < j->count; i++) {
        struct rpc_call *c = &j->calls[i];
        if (c->phase != RPC_PHASE_RUN && c->phase != RPC_PHASE_RECEIPT)
            continue;
        if (c->phase == RPC_PHASE_RECEIPT) /* it is durable, which the hash alone says as well */
            answer_hash(c, &c->tx_hash);
        else
            fail_busy(c);
        c->phase = RPC_PHASE_DONE;
    }
}

/* A submission that was scanned has its envelope already. */
static void run_inline(struct rpc_call *c) {
    if (c->method != NULL && c->envelope.len == 0)
        c->method->run(c);
    if (c->envelope.len == 0 || rpc_failed(c))
        c->phase = RPC_PHASE_DONE;
}

static bool is_read(const struct rpc_call *c) {
    return c->method != NULL && c->method->cost != RPC_COST_INLINE &&
           c->method->cost != RPC_COST_SUBMIT;
}

static bool is_heavy(const struct rpc_call *c) {
    return c->method->cost == RPC_COST_HEAVY || c->method->cost == RPC_COST_BRIEF;
}

static bool is_for_loop(const struct rpc_call *c) {
    return c->method != NULL &&
           (c->method->cost == RPC_COST_FLAT || c->method->cost == RPC_COST_BRIEF);
}

/* Whether the loop may take up a call itself now. */
static bool loop_has_time(struct rpc_engine *e, uint64_t now_ns) {
    uint64_t passed_us = (now_ns - e->purse_ns) / 1000;
    if (passed_us >= 10) {
        e->purse_us +=
            passed_us > 10 * RPC_LOOP_PURSE_US ? RPC_LOOP_PURSE_US : (int64_t)passed_us / 10;
        e->purse_ns = now_ns;
    }
    if (e->purse_us > RPC_LOOP_PURSE_US)
        e->purse_us = RPC_LOOP_PURSE_US;
    return e->purse_us > 0;
}

/* The clock may have gone on because the thread was interrupted. */
static void charge_loop(struct rpc_engine *e, uint64_t us, size_t answer_len) {
    uint64_t free_us = RPC_LOOP_FREE_US + answer_len / 1024;
    uint64_t more_us = us > free_us ? us - free_us : 0;
    e->purse_us -= (int64_t)(more_us < RPC_LOOP_CHARGE_US ? more_us : RPC_LOOP_CHARGE_US);
}

/* Runs what is due of a call on the loop, within its budget. *clock_ns: the time; goes on. False:
 * the loop has no time now, or the call is over its budget: a reader must. */
static bool run_on_loop(struct rpc_engine *e, struct rpc_call *c, uint64_t *clock_ns) {
    uint64_t begun_ns = *clock_ns;
    if (!loop_has_time(e, begun_ns))
        return false;
    c->budget_gas = c->method->cost == RPC_COST_BRIEF ? RPC_LOOP_GAS : 0;
    if (c->method->cost == RPC_COST_INLINE)
        c->method->run(c);
    else
        rpc_reader_run_one(e->here, c, begun_ns);
    c->budget_gas = 0;
    *clock_ns = clock_monotonic_ns(clock_posix());
    charge_loop(e, (*clock_ns - begun_ns) / 1000, c->result.len);
    return !c->over_budget;
}

static bool run_here(struct rpc_engine *e, struct rpc_call *c) {
    uint64_t clock_ns = clock_monotonic_ns(clock_posix());
    c->phase = RPC_PHASE_RUN;
    bool done = run_on_loop(e, c, &clock_ns);
    if (c->over_budget)
        rpc_call_reset(c);
    return done;
}

/* The receipts that are due, of a few sends; false: a reader must read those that still are. */
static bool read_receipts_here(struct job *j) {
    uint64_t clock_ns = clock_monotonic_ns(clock_posix());
    bool done = j->receipts_due <= RPC_LOOP_RECEIPTS;
    for (size_t i = 0; done && i < j->count; i++)
        if (j->calls[i].phase == RPC_PHASE_RECEIPT && rpc_batch_admits(&j->calls[i])) {
            done = run_on_loop(j->engine, &j->calls[i], &clock_ns);
            rpc_batch_took(&j->calls[i], 0);
        }
    return done;
}

/* Marks the reads from `next` on that can go to a reader together. */
static void start_reads(struct job *j) {
    bool heavy = false;
    while (j->next < j->count) {
        struct rpc_call *c = &j->calls[j->next];
        if (!is_read(c))
            break;
        heavy = heavy || is_heavy(c);
        c->phase = RPC_PHASE_RUN;
        j->next++;
        if (rpc_may_send(c))
            break; /* after a submission the next must wait */
    }
    read_batch(j, heavy, false);
}

static void ask(struct job *j, size_t idx) {
    struct rpc_call *c = &j->calls[idx];
    rpc_ask_fn fn = c->ask;
    c->ask = NULL;
    c->phase = RPC_PHASE_WAIT;
    j->outstanding++;
    fn(c, (struct rpc_wake){.engine = j->engine, .token = token_of(j, idx)});
    if (rpc_failed(c))
        end_wait(j, c, RPC_PHASE_DONE);
    else if (c->waits && j->rest)
        give_place(j); /* counted by rpc/api_wait.h; a REST call that reads keeps no body */
    c->waits = false;
}

/* Submissions and questions that calls run by a reader have left. */
static void submit_prepared(struct job *j) {
    for (size_t i = 0; i < j->next; i++) {
        if (j->calls[i].phase != RPC_PHASE_RUN)
            continue;
        if (j->calls[i].envelope.len > 0)
            submit(j, i);
        else if (j->calls[i].ask != NULL)
            ask(j, i);
    }
}

/* Starts calls one after the other, as far as they may run now. */
static void start_calls(struct job *j) {
    while (!j->reading && j->next < j->count) {
        struct rpc_call *c = &j->calls[j->next];
        if (c->method != NULL && c->method->cost == RPC_COST_SUBMIT) {
            run_inline(c);
            size_t idx = j->next++;
            if (c->phase != RPC_PHASE_DONE)
                submit(j, idx);
        } else if (j->outstanding > 0) {
            return;
        } else if (!rpc_batch_admits(c)) {
            j->next++;
        } else if (is_for_loop(c) && !j->tried && run_here(j->engine, c)) {
            rpc_batch_took(c, 0);
            j->next++;
        } else if (is_read(c)) {
            start_reads(j);
        } else {
            run_inline(c);
            rpc_batch_took(c, 0);
            j->next++;
        }
    }
}

/* Starts whatever can run now. Ends the job when nothing is left. */
static void advance(struct job *j) {
    if (j->reading)
        return;
    submit_prepared(j);
    if (j->reruns_due > 0) {
        j->reruns_due = 0;
        read_batch(j, true, true);
    }
    start_calls(j);
    forward(j);
    if (j->reading || j->outstanding > 0)
        return;
    if (j->receipts_due > 0) {
        bool done = read_receipts_here(j);
        j->receipts_due = 0;
        if (!done)
            read_batch(j, false, false);
        if (j->reading)
            return;
    }
    finish(j);
}

/* --- requests ------------------------------------------------------------------------------ */
/* Takes what the call costs from its universe's share; a call that finds too little has failed. */
static void take_quota(struct job *j, struct rpc_call *c) {
    const struct api_principal *who = &j->origin.who;
    const char *slug = who->slug[0] != '\0' ? who->slug : j->origin.slug;
    if (rpc_failed(c) || who->kind == API_KEY_ADMIN)
        return;
    if (slug[0] == '\0' && c->args != NULL)
        slug = api_slug(c);
    if (api_quota_take(c->cx->quota, slug, who->kind == API_KEY_SECRET, api_quota_cost(c->method),
                       rpc_now_ms(), &j->quota))
        return;
    api_fail(c, API_LIMIT, "the universe '%s' asks for more than its share, try again in a second",
             slug);
    c->try_later = true;
    c->method = NULL;
}

/* A job without calls, and room for some. There must be a slot; it is not counted yet. */
static struct job *job_open(struct rpc_engine *e, json_t *root, size_t cap, uint64_t tag,
                            const struct api_origin *from) {
    struct job *j = calloc(1, sizeof(*j));
    struct rpc_call *calls = malloc(cap * sizeof(*calls));
    if (j == NULL || calls == NULL) {
        free(j);
        free(calls);
        return NULL;
    }
    uint32_t slot = e->free_slots[--e->free_count];
    *j = (struct job){
        .engine = e, .slot = slot, .generation = ++e->generations[slot], .tag = tag, .root = root};
    j->begun_ns = clock_monotonic_ns(clock_posix());
    j->cap = cap;
    j->calls = calls;
    j->origin = from != NULL ? *from : api_nobody;
    e->jobs[slot] = j;
    e->pending++;
    e->slots_used = slot >= e->slots_used ? slot + 1 : e->slots_used;
    return j;
}

/* The same, counted; there must be room. */
static struct job *job_open_counted(struct rpc_engine *e, json_t *root, size_t cap, uint64_t tag,
                                    const struct api_origin *from) {
    struct job *j = job_open(e, root, cap, tag, from);
    if (j != NULL) {
        j->counted = true;
        e->counted++;
    }
    return j;
}

/* The job's next call; NULL: no memory. */
static struct rpc_call *add_call(struct job *j) {
    if (j->count == j->cap) {
        struct rpc_call *calls = realloc(j->calls, 2 * j->cap * sizeof(*calls));
        if (calls == NULL)
            return NULL;
        j->calls = calls;
        j->cap *= 2;
    }
    struct rpc_call *c = &j->calls[j->count++];
    rpc_call_init(c, j->engine->o.context);
    c->tag = j->tag;
    c->origin = &j->origin;
    c->batch = &j->batch;
    return c;
}

static struct job *job_new(struct rpc_engine *e, json_t *root, uint64_t tag,
                           const struct api_origin *from) {
    bool is_batch = json_is_array(root);
    size_t count = is_batch ? json_array_size(root) : 1;
    struct job *j = job_open_counted(e, root, count, tag, from);
    if (j == NULL)
        return NULL;
    j->is_batch = is_batch;
    rpc_batch_init(&j->batch, e->o.context, is_batch);
    for (size_t i = 0; i < count; i++) {
        struct rpc_call *c = add_call(j);
        rpc_read_request(c, is_batch ? json_array_get(root, i) : root);
        take_quota(j, c);
    }
    return j;
}

/* --- submissions of the usual shape -------------------------------------------------------- */
static const struct rpc_method *submission(const struct rpc_engine *e, const struct rpc_scan *s) {
    const struct rpc_method *m =
        rpc_method_find((const char *)s->method.ptr, s->method.len, e->o.context->dev);
    return m != NULL && m->cost == RPC_COST_SUBMIT ? m : NULL;
}

/* Adds the call of a scanned request, with its envelope; false: that was not possible. */
static bool add_submission(struct job *j, struct rpc_scan *s) {
    const struct rpc_method *m = submission(j->engine, s);
    struct rpc_call *c = m != NULL && j->count < RPC_BATCH_MAX ? add_call(j) : NULL;
    if (c == NULL)
        return false;
    c->method = m;
    c->id_text = s->id;
    c->scan = s;
    rpc_check_arity(c);
    if (!rpc_failed(c))
        m->run(c);
    c->scan = NULL;
    return !rpc_failed(c) && !s->unfit && c->envelope.len > 0;
}

/* A request that was scanned where the body lay before is not scanned again. */
static enum rpc_scan_step first_request(struct rpc_scan_body *b, struct rpc_scan *s,
                                        const struct buf *body, const struct rpc_look *look) {
    rpc_scan_begin(b, buf_bytes(body));
    if (look == NULL || !look->is_submission)
        return rpc_scan_next(b, s);
    *s = look->scan;
    rpc_scan_move(s, look->text, body->ptr);
    b->begun = true;
    b->at = b->end;
    return RPC_SCAN_REQUEST;
}

/* The job of a body that holds nothing but submissions of the usual shape (rpc/scan.h) whose
 * arguments are in order; takes the body. NULL: nothing has happened, and it is to be parsed. */
static struct job *job_of_submissions(struct rpc_engine *e, struct buf *body, uint64_t tag,
                                      const struct api_origin *from, const struct rpc_look *look) {
    struct rpc_scan_body b;
    struct rpc_scan s;
    if (!has_room(e) || first_request(&b, &s, body, look) != RPC_SCAN_REQUEST ||
        submission(e, &s) == NULL)
        return NULL;
    struct job *j = job_open_counted(e, NULL, b.is_batch ? SCAN_CALLS : 1, tag, from);
    if (j == NULL)
        return NULL;
    j->is_batch = b.is_batch;
    rpc_batch_init(&j->batch, e->o.context, b.is_batch);
    enum rpc_scan_step step = RPC_SCAN_REQUEST;
    while (step == RPC_SCAN_REQUEST)
        step = add_submission(j, &s) ? rpc_scan_next(&b, &s) : RPC_SCAN_UNUSUAL;
    if (step == RPC_SCAN_UNUSUAL) {
        job_free(j);
        return NULL;
    }
    for (size_t i = 0; i < j->count; i++) {
        rpc_metric_call(j->calls[i].method);
        take_quota(j, &j->calls[i]);
    }
    j->body = *body;
    buf_init(body, body->max);
    return j;
}

void rpc_engine_run(struct rpc_engine *e, struct buf *body, uint64_t tag,
                    const struct api_origin *from, const struct rpc_look *look) {
    int code = 0;
    const char *text = NULL;
    struct job *j = job_of_submissions(e, body, tag, from, look);
    if (j != NULL) {
        advance(j);
        return;
    }
    json_t *root = rpc_parse(body, &code, &text);
    buf_clear(body);
    if (root == NULL) {
        refuse(e, tag, NULL, false, code, text);
        return;
    }
    bool batch = json_is_array(root);
    if (!batch && !json_is_object(root)) {
        refuse(e, tag, NULL, false, RPC_INVALID_REQUEST, "invalid request");
    } else if (batch && json_array_size(root) == 0) {
        refuse(e, tag, NULL, false, RPC_INVALID_REQUEST, "empty batch");
    } else if (batch && json_array_size(root) > RPC_BATCH_MAX) {
        json_t *id = json_object_get(json_array_get(root, 0), "id");
        refuse(e, tag, rpc_id_ok(id) ? id : NULL, true, RPC_INVALID_REQUEST, "batch too large");
    } else if (!has_room(e) || (j = job_new(e, root, tag, from)) == NULL) {
        json_t *id = batch ? NULL : json_object_get(root, "id");
        refuse(e, tag, rpc_id_ok(id) ? id : NULL, false, RPC_LIMIT_EXCEEDED,
               "too many requests are waiting, try again in 100ms");
    }
    if (j == NULL) {
        json_decref(root);
        return;
    }
    j->tried = look != NULL && look->tried;
    advance(j);
}

bool rpc_engine_answer(struct rpc_engine *e, struct rpc_look *look, bytes body) {
    struct rpc_call *c = &e->quick;
    struct rpc_scan *scan = &look->scan;
    look->tried = look->is_submission = false;
    if (!rpc_scan_request(scan, body))
        return false;
    const struct rpc_method *m =
        rpc_method_find((const char *)scan->method.ptr, scan->method.len, e->o.context->dev);
    if (m != NULL && m->cost == RPC_COST_SUBMIT) {
        look->is_submission = true;
        look->text = body.ptr;
        return false;
    }
    bool reads = m != NULL && (m->cost == RPC_COST_FLAT || m->cost == RPC_COST_BRIEF);
    if (m == NULL || (!reads && (m->cost != RPC_COST_INLINE || m->max_args > 0)))
        return false;
    if (look->clock_ns == 0)
        look->clock_ns = clock_monotonic_ns(clock_posix());
    uint64_t begun_ns = look->clock_ns;
    rpc_call_reset(c);
    c->result.max = e->o.context->reply_bytes_max;
    c->method = m;
    c->scan = scan;
    rpc_check_arity(c);
    c->phase = RPC_PHASE_RUN;
    bool done = !rpc_failed(c) && run_on_loop(e, c, &look->clock_ns);
    c->scan = NULL;
    look->tried = c->over_budget;
    look->id = scan->id;
    look->result = buf_bytes(&c->result);
    if (!done || rpc_failed(c) || scan->unfit || c->result.overflow ||
        rpc_answer_len(scan->id, look->result) > e->o.context->reply_bytes_max)
        return false;
    rpc_metric_call(m);
    metric_observe(&rpc_request_us, (look->clock_ns - begun_ns) / 1000);
    return true;
}

/* The arguments of a REST call besides those of its path; NULL with the sentence. */
static json_t *rest_args(const struct api_route *r, json_t *path, bytes query,
                         const struct buf *body, const char **out_text) {
    int code = 0;
    json_t *args = json_object();
    bool has_body = r->verb != HTTP_VERB_GET && body->len > 0;
    if (has_body) {
        json_decref(args);
        args = rpc_parse(body, &code, out_text);
        if (args != NULL && !json_is_object(args)) {
            *out_text = "the body must be a JSON object";
            json_decref(args);
            args = NULL;
        }
    }
    *out_text = args == NULL && !has_body ? "out of memory" : *out_text;
    if (args != NULL && r->verb == HTTP_VERB_GET && !api_add_query(args, query)) {
        *out_text = "the query cannot be read";
        json_decref(args);
        args = NULL;
    }
    const char *name;
    json_t *v;
    /* What the path says stands. */
    if (args != NULL)
        json_object_foreach(path, name, v)(void) json_object_set(args, name, v);
    return args;
}

static void refuse_rest(struct rpc_engine *e, uint64_t tag, const struct api_origin *from) {
    static const char busy[] = "too many requests are waiting, try again in 100ms";
    struct rpc_reply reply = {.busy = true, .status = api_problem_status(API_LIMIT)};
    buf_init(&reply.body, e->o.context->reply_bytes_max);
    api_problem_print(&reply.body, API_LIMIT, busy, sizeof(busy) - 1, NULL, from->request_id,
                      bytes_of(NULL, 0));
    e->reply(e->reply_ctx, tag, &reply);
}

void rpc_engine_page(struct rpc_engine *e, const struct api_route *r, json_t *args, uint64_t tag,
                     const struct api_origin *from) {
    struct job *j = e->free_count > 0 ? job_open(e, NULL, 1, tag, from) : NULL;
    if (j == NULL) {
        json_decref(args);
        refuse_rest(e, tag, from);
        return;
    }
    struct rpc_call *c = add_call(j);
    j->rest = true;
    api_begin(c, r, args);
    rpc_metric_call(c->method);
    if (rpc_failed(c))
        c->method = NULL;
    advance(j);
}

void rpc_engine_rest(struct rpc_engine *e, const struct api_route *r, json_t *path, bytes query,
                     struct buf *body, uint64_t tag, const struct api_origin *from) {
    const char *text = NULL;
    struct job *j = has_room(e) ? job_open_counted(e, NULL, 1, tag, from) : NULL;
    if (j == NULL) {
        buf_clear(body);
        json_decref(path);
        refuse_rest(e, tag, from);
        return;
    }
    struct rpc_call *c = add_call(j);
    j->rest = true;
    json_t *args = rest_args(r, path, query, body, &text);
    json_decref(path);
    buf_clear(body);
    if (args == NULL)
        api_fail(c, API_INVALID, "%s", text);
    else
        api_begin(c, r, args);
    rpc_metric_call(c->method);
    take_quota(j, c);
    if (rpc_failed(c))
        c->method = NULL;
    advance(j);
}

void rpc_engine_gone(struct rpc_engine *e, uint64_t tag) {
    for (size_t i = 0; i < e->slots_used; i++) {
        struct job *j = e->jobs[i];
        if (j != NULL && rpc_tag_connection(j->tag) == rpc_tag_connection(tag))
            j->batch.gone = true;
    }
}

size_t rpc_engine_pending(const struct rpc_engine *e) {
    return e->pending;
}

/* --- life ---------------------------------------------------------------------------------- */
static enum err start_events(struct rpc_engine *e, struct err_ctx *ec) {
    e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (e->wake_fd < 0)
        FAIL(ec, ERR_IO, "cannot make an eventfd: %s", strerror(errno));
    e->wake = event_new(e->o.base, e->wake_fd, EV_READ | EV_PERSIST, on_wake, e);
    e->tick = event_new(e->o.base, -1, EV_PERSIST, on_tick, e);
    struct timeval every = {.tv_usec = TICK_MS * 1000};
    if (e->wake == NULL || e->tick == NULL || event_add(e->wake, NULL) != 0 ||
        event_add(e->tick, &every) != 0)
        FAIL(ec, ERR_NOMEM, "cannot register the RPC engine's events");
    return ERR_OK;
}

struct rpc_engine *rpc_engine_new(const struct rpc_engine_options *o, rpc_reply_fn reply, void *ctx,
                                  struct err_ctx *ec) {
    CHECK(o->jobs_max > 0 && o->jobs_max <= (1u << TOKEN_SLOT_BITS));
    struct rpc_engine *e = calloc(1, sizeof(*e));
    if (e == NULL)
        return NULL;
    e->o = *o;
    e->reply = reply;
    e->reply_ctx = ctx;
    e->wake_fd = -1;
    e->last = &e->first;
    pthread_mutex_init(&e->lock, NULL);
    rpc_call_init(&e->quick, o->context);
    e->jobs = calloc(SLOTS, sizeof(struct job *));
    e->generations = calloc(SLOTS, sizeof(uint32_t));
    e->free_slots = calloc(SLOTS, sizeof(uint32_t));
    bool ok = e->jobs != NULL && e->generations != NULL && e->free_slots != NULL &&
              start_events(e, ec) == ERR_OK;
    e->here = rpc_reader_new(o->context, RPC_READERS_LOG_BYTES);
    if (ok && e->here != NULL)
        e->readers = rpc_readers_new(o->context, o->readers, o->read_queue_max, ec);
    if (!ok || e->readers == NULL) {
        rpc_engine_free(e);
        return NULL;
    }
    for (size_t i = 0; i < SLOTS; i++)
        e->free_slots[e->free_count++] = (uint32_t)(SLOTS - 1 - i);
    return e;
}

void rpc_engine_free(struct rpc_engine *e) {
    if (e == NULL)
        return;
    rpc_readers_free(e->readers);
    rpc_reader_free(e->here);
    rpc_call_clear(&e->quick);
    for (size_t i = 0; e->jobs != NULL && i < e->slots_used; i++)
        if (e->jobs[i] != NULL)
            job_free(e->jobs[i]);
    for (struct inbox_item *m = e->first, *next; m != NULL; m = next) {
        next = m->next;
        if (m->read_done == NULL && !m->is_wake)
            json_decref(m->result.reply);
        free(m);
    }
    if (e->wake != NULL)
        event_free(e->wake);
    if (e->tick != NULL)
        event_free(e->tick);
    if (e->wake_fd >= 0)
        close(e->wake_fd);
    pthread_mutex_destroy(&e->lock);
    free(e->jobs);
    free(e->generations);
    free(e->free_slots);
    free(e);
}
