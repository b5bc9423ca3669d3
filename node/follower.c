/* SPDX-License-Identifier: Apache-2.0 */
#include "node/follower.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "bridge/batch.h"
#include "bridge/inbox.h"
#include "node/metrics.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    ARENA_CHUNK = 1 << 20,
    ARENA_MAX = 1 << 30,
    INBOXES_MAX = 8, /* contracts that may enqueue: the Bridge's owner allows them */
    RETRY_MS = 500,
};

struct mark {
    uint64_t number;
    hash32 hash;
};
struct follower {
    struct follower_options o;
    struct parent *parent;
    pthread_t thread;
    bool has_thread;
    atomic_bool stopping;
    struct arena arena;
    struct mark marks[FOLLOWER_MARKS]; /* ascending, the last is how far was read */
    size_t mark_count;
    uint64_t next;      /* block to read next */
    hash32 latest_hash; /* of the head that was told last */
    bool began;
    /* What the parent last said of its tags; an error after that is no tag that it does not know.
     */
    struct tag {
        bool known;
        uint64_t number;
    } safe, finalized;
    struct parent_block cached; /* block of the event looked at last */
    bool warned;
};

/* --- marks ----------------------------------------------------------------------------------- */
static void add_mark(struct follower *f, uint64_t number, const hash32 *hash) {
    if (f->mark_count == FOLLOWER_MARKS) {
        memmove(f->marks, f->marks + FOLLOWER_MARKS / 2,
                (FOLLOWER_MARKS - FOLLOWER_MARKS / 2) * sizeof(f->marks[0]));
        f->mark_count -= FOLLOWER_MARKS / 2;
    }
    f->marks[f->mark_count++] = (struct mark){.number = number, .hash = *hash};
}

/* --- where to begin -------------------------------------------------------------------------- */
/* Whether the contract has this accumulator at batch `index`. Only a revert says that it has no
 * such batch: an endpoint may refuse to answer for many reasons. */
static enum err has_batch(struct follower *f, bool *out, uint64_t index, const hash32 *acc,
                          struct err_ctx *ec) {
    uint8_t word[32] = {0};
    hash32 there;
    struct buf data;
    struct parent_result r = {.reverted = false};
    be64_store(word + 24, index);
    buf_init(&data, 4 + ABI_WORD_BYTES);
    abi_put_selector(&data, ABI_INBOX_ACCS);
    buf_append(&data, word, sizeof(word));
    struct parent_call c = {.to = f->o.sequencer_inbox, .data = buf_bytes(&data)};
    struct arena_mark mark = arena_mark(&f->arena);
    enum err e = parent_call(f->parent, &f->arena, &r, &c, parent_tagged(PARENT_LATEST), ec);
    if (e == ERR_OK && !r.reverted && abi_get_hash(&there, r.data, 0) != ERR_OK)
        e = err_set(ec, ERR_INVALID, __FILE__, __LINE__, "no inbox answers");
    *out = e == ERR_OK && !r.reverted && hash32_eq(&there, acc);
    arena_reset_to(&f->arena, mark);
    buf_clear(&data);
    return e;
}

/* The newest batch of ours that the parent has, too, is where following begins; never before one
 * that was final. */
static enum err begin(struct follower *f, struct err_ctx *ec) {
    struct mirror_point at = {.parent_block = f->o.first_block, .scan_from = f->o.first_block};
    struct mirror_heads h;
    uint64_t final = mirror_heads(f->o.mirror, &h) ? batches_up_to(f->o.batches, h.finalized) : 0;
    for (uint64_t k = batches_count(f->o.batches); k > 0; k--) {
        struct batch_row r;
        bool has = false;
        if (!batches_at(f->o.batches, k - 1, &r))
            continue;
        TRY(has_batch(f, &has, k - 1, &r.acc, ec));
        if (!has && k <= final)
            FAIL(ec, ERR_MISMATCH, "the parent does not have batch %llu, which was final",
                 (unsigned long long)(k - 1));
        if (!has)
            continue;
        at = (struct mirror_point){.batch_count = k,
                                   .delayed_count = r.delayed_read,
                                   .batch_acc = r.acc,
                                   .delayed_acc = r.delayed_acc,
                                   .parent_block = r.parent_block,
                                   .scan_from = r.delayed_block};
        break;
    }
    mirror_restart(f->o.mirror, &at);
    f->next = at.scan_from;
    f->mark_count = 0;
    f->began = true;
    log_info("parent", "following", log_u64("from_block", f->next),
             log_u64("batches", at.batch_count), log_u64("delayed", at.delayed_count));
    return ERR_OK;
}

/* --- forks ----------------------------------------------------------------------------------- */
static enum err same_block(struct follower *f, bool *out, const struct mark *m,
                           const struct parent_block *latest, struct err_ctx *ec) {
    struct parent_block b;
    if (m->number == latest->number) {
        *out = hash32_eq(&m->hash, &latest->hash);
        return ERR_OK;
    }
    if (m->number + 1 == latest->number) {
        *out = hash32_eq(&m->hash, &latest->parent_hash);
        return ERR_OK;
    }
    enum err e = parent_get_block(f->parent, &b, parent_at(m->number), ec);
    if (e == ERR_NOT_FOUND) {
        *out = false;
        return ERR_OK;
    }
    *out = e == ERR_OK && hash32_eq(&m->hash, &b.hash);
    return e;
}

/* Cuts back to the newest mark that the parent's chain under `latest` has. A parent that is behind
 * what was read, but on the same fork, changes nothing. */
static enum err follow_fork(struct follower *f, const struct parent_block *latest,
                            struct err_ctx *ec) {
    size_t n = f->mark_count;
    while (n > 0 && f->marks[n - 1].number > latest->number)
        n--;
    if (n == 0)
        return f->mark_count == 0 ? ERR_OK : begin(f, ec);
    bool same = false;
    size_t at = n;
    for (; at > 0; at--) {
        TRY(same_block(f, &same, &f->marks[at - 1], latest, ec));
        if (same)
            break;
    }
    if (at == n)
        return ERR_OK;
    metric_add(&node_parent_reorgs, 1);
    if (at == 0) {
        log_warn("parent", "re-organised below what is remembered",
                 log_u64("latest", latest->number));
        return begin(f, ec);
    }
    const struct mark *m = &f->marks[at - 1];
    log_warn("parent", "re-organised", log_u64("above_block", m->number),
             log_u64("blocks", f->marks[f->mark_count - 1].number - m->number));
    f->mark_count = at;
    f->next = m->number + 1;
    f->cached = (struct parent_block){0};
    return mirror_cut(f->o.mirror, m->number) ? ERR_OK : begin(f, ec);
}

/* --- events ---------------------------------------------------------------------------------- */
/* The block of an event; the one before is remembered. */
static enum err block_of(struct follower *f, struct parent_block *out, const hash32 *hash,
                         struct err_ctx *ec) {
    if (!hash32_eq(&f->cached.hash, hash))
        TRY(parent_get_block_by_hash(f->parent, &f->cached, hash, ec));
    *out = f->cached;
    return ERR_OK;
}

struct range {
    uint64_t from, to;
    hash32 to_hash;
    struct parent_log *logs; /* of Bridge and SequencerInbox */
    size_t log_count;
    struct parent_log *contents;
    size_t content_count;
    struct mirror_batch *batches; /* of this range, not verified yet */
    struct batch_event *batch_events;
    size_t batch_count;
};

static enum err read_logs(struct follower *f, struct range *r, struct err_ctx *ec) {
    static const enum abi_event main_events[] = {ABI_EVENT_MESSAGE_DELIVERED,
                                                 ABI_EVENT_BATCH_DELIVERED, ABI_EVENT_BATCH_DATA};
    static const enum abi_event content_events[] = {ABI_EVENT_INBOX_MESSAGE,
                                                    ABI_EVENT_INBOX_MESSAGE_FROM_ORIGIN};
    const addr20 main_contracts[] = {f->o.bridge, f->o.sequencer_inbox};
    struct parent_log_filter filter = {.from = r->from,
                                       .to = r->to,
                                       .to_hash = &r->to_hash,
                                       .addresses = main_contracts,
                                       .address_count = ARRAY_LEN(main_contracts),
                                       .events = main_events,
                                       .event_count = ARRAY_LEN(main_events)};
    TRY(parent_logs(f->parent, &f->arena, &r->logs, &r->log_count, &filter, ec));
    addr20 inboxes[INBOXES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->log_count; i++) {
        struct inbox_event e;
        size_t k = 0;
        if (!parent_log_is(&r->logs[i], ABI_EVENT_MESSAGE_DELIVERED, 3) ||
            inbox_parse_event(&e, &r->logs[i]) != ERR_OK)
            continue;
        while (k < n && memcmp(inboxes[k].b, e.inbox.b, 20) != 0)
            k++;
        if (k < n)
            continue;
        if (n == INBOXES_MAX)
            FAIL(ec, ERR_UNSUPPORTED, "more than %d contracts enqueue delayed messages",
                 INBOXES_MAX);
        inboxes[n++] = e.inbox;
    }
    if (n == 0)
        return ERR_OK;
    filter.addresses = inboxes;
    filter.address_count = n;
    filter.events = content_events;
    filter.event_count = ARRAY_LEN(content_events);
    return parent_logs(f->parent, &f->arena, &r->contents, &r->content_count, &filter, ec);
}

static enum err batch_payload(struct follower *f, bytes *out, const struct range *r,
                              const struct batch_event *e, struct err_ctx *ec) {
    struct parent_tx tx;
    *out = bytes_of(NULL, 0);
    switch (e->location) {
    case BATCH_NO_DATA:
        return ERR_OK;
    case BATCH_IN_CALLDATA:
        TRY(parent_get_tx(f->parent, &f->arena, &tx, &e->tx_hash, ec));
        if (batch_calldata_payload(out, tx.input) != ERR_OK)
            FAIL(ec, ERR_PARSE, "the transaction of batch %llu holds no batch",
                 (unsigned long long)e->seq_num);
        return ERR_OK;
    case BATCH_IN_EVENT:
        for (size_t i = 0; i < r->log_count; i++)
            if (batch_event_payload(out, e->seq_num, &r->logs[i]) == ERR_OK)
                return ERR_OK;
        FAIL(ec, ERR_PARSE, "batch %llu has no event with its data",
             (unsigned long long)e->seq_num);
    case BATCH_BLOB:
    default:
        FAIL(ec, ERR_UNSUPPORTED, "batch %llu lies in a blob, which this chain cannot read",
             (unsigned long long)e->seq_num);
    }
}

static enum err read_batch(struct follower *f, struct range *r, const struct batch_event *e,
                           struct err_ctx *ec) {
    struct mirror_batch *b = &r->batches[r->batch_count];
    struct parent_block block;
    uint8_t header[BATCH_HEADER_BYTES];
    TRY(batch_payload(f, &b->data, r, e, ec));
    TRY(block_of(f, &block, &e->block_hash, ec));
    batch_header_encode(header, &e->header);
    b->parent_block = e->block_num;
    b->l1_block = block.l1_block;
    b->acc = e->after_acc;
    b->delayed_acc = e->delayed_acc;
    b->delayed_read = e->header.after_delayed;
    b->min_timestamp = e->header.min_timestamp;
    b->max_timestamp = e->header.max_timestamp;
    b->min_block = e->header.min_block;
    b->max_block = e->header.max_block;
    b->data_hash = batch_data_hash(&e->header, b->data);
    b->length = sizeof(header) + b->data.len;
    for (size_t i = 0; i < sizeof(header); i++)
        b->nonzeros += header[i] != 0;
    for (size_t i = 0; i < b->data.len; i++)
        b->nonzeros += b->data.ptr[i] != 0;
    r->batch_events[r->batch_count++] = *e;
    return ERR_OK;
}

static enum err read_batches(struct follower *f, struct range *r, struct err_ctx *ec) {
    struct mirror_point end = mirror_end(f->o.mirror);
    r->batches = arena_alloc(&f->arena, (r->log_count + 1) * sizeof(*r->batches));
    r->batch_events = arena_alloc(&f->arena, (r->log_count + 1) * sizeof(*r->batch_events));
    memset(r->batches, 0, (r->log_count + 1) * sizeof(*r->batches));
    for (size_t i = 0; i < r->log_count; i++) {
        struct batch_event e;
        if (!parent_log_is(&r->logs[i], ABI_EVENT_BATCH_DELIVERED, 4))
            continue;
        if (batch_parse_event(&e, &r->logs[i]) != ERR_OK)
            FAIL(ec, ERR_PARSE, "a batch's event in parent block %llu cannot be read",
                 (unsigned long long)r->logs[i].block_num);
        if (e.seq_num >= end.batch_count)
            TRY(read_batch(f, r, &e, ec));
    }
    return ERR_OK;
}

/* --- delayed messages ------------------------------------------------------------------------ */
/* Size and density of the batch that a report is about, for which the Inbox gave its hash. A report
 * about a batch that the parent does not have stays without, and makes an empty block. */
static void add_batch_stats(struct follower *f, const struct range *r, struct message *m) {
    struct batch_report report;
    struct batch_row row;
    struct mirror_batch found = {0};
    bool has = false;
    if (inbox_parse_report(&report, m->data) != ERR_OK)
        return;
    for (size_t i = 0; i < r->batch_count && !has; i++)
        if (r->batch_events[i].seq_num == report.batch_num) {
            found = r->batches[i];
            has = true;
        }
    if (!has)
        has = mirror_batch_at(f->o.mirror, NULL, report.batch_num, &found) == ERR_OK;
    if (!has && batches_at(f->o.batches, report.batch_num, &row)) {
        found.data_hash = row.data_hash;
        found.length = row.length;
        found.nonzeros = row.nonzeros;
        has = true;
    }
    if (!has || !hash32_eq(&found.data_hash, &report.data_hash))
        return;
    m->has_batch_stats = true;
    m->batch_length = found.length;
    m->batch_nonzeros = found.nonzeros;
}

static enum err content_of(struct follower *f, bytes *out, const struct range *r,
                           const struct inbox_event *e, struct err_ctx *ec) {
    for (size_t i = 0; i < r->content_count; i++) {
        struct inbox_content c;
        struct parent_tx tx;
        const struct parent_log *l = &r->contents[i];
        if (memcmp(l->address.b, e->inbox.b, 20) != 0 || inbox_parse_content(&c, l) != ERR_OK ||
            c.index != e->index)
            continue;
        *out = c.data;
        if (!c.from_origin)
            return ERR_OK;
        TRY(parent_get_tx(f->parent, &f->arena, &tx, &e->tx_hash, ec));
        if (inbox_origin_data(out, tx.input) != ERR_OK)
            FAIL(ec, ERR_PARSE, "the transaction of delayed message %llu does not hold it",
                 (unsigned long long)e->index);
        return ERR_OK;
    }
    FAIL(ec, ERR_PARSE, "delayed message %llu has no event with its content",
         (unsigned long long)e->index);
}

static enum err take_delayed(struct follower *f, const struct range *r, const struct inbox_event *e,
                             struct err_ctx *ec) {
    struct mirror_point end = mirror_end(f->o.mirror);
    struct delayed_message d;
    struct parent_block block;
    bytes data = {NULL, 0};
    if (e->index < end.delayed_count)
        return ERR_OK;
    if (e->index > end.delayed_count || !hash32_eq(&e->before_acc, &end.delayed_acc))
        FAIL(ec, ERR_MISMATCH, "delayed message %llu does not follow what was read",
             (unsigned long long)e->index);
    TRY(content_of(f, &data, r, e, ec));
    TRY(block_of(f, &block, &e->block_hash, ec));
    if (inbox_join(&d, e, block.l1_block, data) != ERR_OK)
        FAIL(ec, ERR_MISMATCH, "delayed message %llu has another content than its hash says",
             (unsigned long long)e->index);
    struct mirror_delayed m = {.parent_block = e->block_num,
                               .acc = delayed_acc_next(&end.delayed_acc, &d),
                               .message_hash = delayed_message_hash(&d)};
    delayed_to_message(&m.message, &d);
    if (m.message.kind == MESSAGE_BATCH_POSTING_REPORT)
        add_batch_stats(f, r, &m.message);
    metric_add(&node_delayed_read, 1);
    return mirror_add_delayed(f->o.mirror, &m);
}

static enum err take_all_delayed(struct follower *f, const struct range *r, struct err_ctx *ec) {
    for (size_t i = 0; i < r->log_count; i++) {
        struct inbox_event e;
        if (!parent_log_is(&r->logs[i], ABI_EVENT_MESSAGE_DELIVERED, 3))
            continue;
        if (inbox_parse_event(&e, &r->logs[i]) != ERR_OK)
            FAIL(ec, ERR_PARSE, "a delayed message in parent block %llu cannot be read",
                 (unsigned long long)r->logs[i].block_num);
        TRY(take_delayed(f, r, &e, ec));
    }
    return ERR_OK;
}

/* The accumulator that we computed over the first `count` delayed messages. */
static enum err delayed_acc_at(struct follower *f, hash32 *out, uint64_t count) {
    struct mirror_point end = mirror_end(f->o.mirror);
    struct mirror_delayed d;
    *out = (hash32){0};
    if (count == 0)
        return ERR_OK;
    if (count == end.delayed_count) {
        *out = end.delayed_acc;
        return ERR_OK;
    }
    enum err e = mirror_delayed_at(f->o.mirror, NULL, count - 1, &d);
    if (e == ERR_OK)
        *out = d.acc;
    return e;
}

static enum err take_batches(struct follower *f, const struct range *r, struct err_ctx *ec) {
    for (size_t i = 0; i < r->batch_count; i++) {
        const struct batch_event *e = &r->batch_events[i];
        struct mirror_point end = mirror_end(f->o.mirror);
        hash32 delayed_acc;
        if (delayed_acc_at(f, &delayed_acc, e->header.after_delayed) != ERR_OK)
            delayed_acc = e->delayed_acc; /* read by an earlier batch, whose check covered it */
        TRY(batch_verify_event(e, r->batches[i].data, &end.batch_acc, &delayed_acc, ec));
        TRY(mirror_add_batch(f->o.mirror, e->seq_num, &r->batches[i]));
        metric_add(&node_batches_read, 1);
    }
    return ERR_OK;
}

/* --- one step -------------------------------------------------------------------------------- */
static enum err read_range(struct follower *f, uint64_t to, const hash32 *to_hash,
                           struct err_ctx *ec) {
    struct range r = {.from = f->next, .to = to, .to_hash = *to_hash};
    struct mirror_point before = mirror_end(f->o.mirror);
    TRY(read_logs(f, &r, ec));
    TRY(read_batches(f, &r, ec));
    enum err e = take_all_delayed(f, &r, ec);
    if (e == ERR_OK)
        e = take_batches(f, &r, ec);
    if (e == ERR_OK) {
        add_mark(f, to, to_hash);
        f->next = to + 1;
        return ERR_OK;
    }
    /* What was taken of the range may be of a fork that is gone: none of it stays. Where nothing
     * was taken, and what was read before is not put in doubt, the range is asked for again. */
    struct mirror_point end = mirror_end(f->o.mirror);
    struct err_ctx ignored;
    if (e != ERR_MISMATCH && end.batch_count == before.batch_count &&
        end.delayed_count == before.delayed_count)
        return e;
    if (!mirror_cut(f->o.mirror, f->next > 0 ? f->next - 1 : 0) && begin(f, &ignored) != ERR_OK)
        f->began = false;
    return e;
}

static enum err tag_number(struct follower *f, uint64_t *out, enum parent_tag tag,
                           const struct parent_block *latest, struct err_ctx *ec) {
    struct parent_block b;
    struct tag *last = tag == PARENT_SAFE ? &f->safe : &f->finalized;
    enum err e = parent_get_block(f->parent, &b, parent_tagged(tag), ec);
    if (e == ERR_OK)
        *last = (struct tag){.known = true, .number = b.number};
    if (last->known && (e == ERR_OK || e == ERR_NOT_FOUND || e == ERR_INVALID))
        *out = last->number < latest->number ? last->number : latest->number;
    else if (e == ERR_NOT_FOUND || e == ERR_INVALID)
        *out = latest->number > FOLLOWER_TAG_DEPTH ? latest->number - FOLLOWER_TAG_DEPTH : 0;
    else
        return e;
    return ERR_OK;
}

static enum err tell_heads(struct follower *f, const struct parent_block *latest,
                           struct err_ctx *ec) {
    struct mirror_heads h = {.latest = {.number = latest->number,
                                        .hash = latest->hash,
                                        .timestamp = latest->timestamp,
                                        .l1_block = latest->l1_block},
                             .seen_ms = clock_realtime_ms(clock_posix())};
    TRY(tag_number(f, &h.safe, PARENT_SAFE, latest, ec));
    TRY(tag_number(f, &h.finalized, PARENT_FINALIZED, latest, ec));
    h.settled = h.safe;
    if (f->o.finality == FOLLOW_FINALIZED)
        h.settled = h.finalized;
    if (f->o.finality == FOLLOW_LATEST)
        h.settled = latest->number > f->o.depth ? latest->number - f->o.depth : 0;
    mirror_set_heads(f->o.mirror, &h);
    f->latest_hash = latest->hash;
    metric_set(&node_parent_head, (int64_t)latest->number);
    return ERR_OK;
}

static enum err step(struct follower *f, struct err_ctx *ec) {
    struct parent_block latest;
    if (!f->began)
        TRY(begin(f, ec));
    TRY(parent_get_block(f->parent, &latest, parent_tagged(PARENT_LATEST), ec));
    TRY(follow_fork(f, &latest, ec));
    while (f->next <= latest.number && !atomic_load(&f->stopping) && !mirror_full(f->o.mirror)) {
        struct parent_block to = latest;
        arena_reset(&f->arena);
        if (latest.number - f->next >= FOLLOWER_RANGE_MAX)
            TRY(parent_get_block(f->parent, &to, parent_at(f->next + FOLLOWER_RANGE_MAX - 1), ec));
        TRY(read_range(f, to.number, &to.hash, ec));
        f->o.changed(f->o.changed_ctx);
    }
    /* An idle parent's tags may still move. */
    TRY(tell_heads(f, &latest, ec));
    if (f->next > latest.number)
        mirror_set_synced(f->o.mirror);
    f->o.changed(f->o.changed_ctx);
    return ERR_OK;
}

static void *follower_main(void *arg) {
    struct follower *f = arg;
    struct err_ctx ec;
    while (!atomic_load(&f->stopping)) {
        ec.err = ERR_OK;
        enum err e = step(f, &ec);
        if (e == ERR_CLOSED)
            break;
        if (e != ERR_OK) {
            metric_add(&node_parent_errors, 1);
            if (!f->warned)
                log_warn("parent", "cannot be followed", log_error_code(e),
                         log_str("why", ec.err == e ? ec.text : err_text(e)));
        }
        f->warned = e != ERR_OK;
        if (parent_sleep(f->parent, e != ERR_OK ? RETRY_MS : f->o.poll_ms) != ERR_OK)
            break;
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */
enum err follower_start(struct follower **out, const struct follower_options *o,
                        struct err_ctx *ec) {
    struct follower *f = calloc(1, sizeof(*f));
    if (f == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    f->o = *o;
    f->o.parent.stop = &f->stopping;
    arena_init(&f->arena, ARENA_CHUNK, ARENA_MAX);
    enum err e = parent_new(&f->parent, &f->o.parent, ec);
    if (e == ERR_OK && pthread_create(&f->thread, NULL, follower_main, f) != 0)
        e = ERR_NOMEM;
    if (e != ERR_OK) {
        follower_stop(f);
        return e;
    }
    f->has_thread = true;
    *out = f;
    return ERR_OK;
}

void follower_stop(struct follower *f) {
    if (f == NULL)
        return;
    atomic_store(&f->stopping, true);
    if (f->has_thread)
        pthread_join(f->thread, NULL);
    parent_free(f->parent);
    arena_clear(&f->arena);
    free(f);
}
