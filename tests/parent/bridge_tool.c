/* SPDX-License-Identifier: Apache-2.0 */
/* bridge/ against a parent chain with the real contracts, for suite_bridge.mjs.
 *
 *   bridge-tool follow  URL CHAIN BRIDGE SEQUENCER_INBOX FROM
 *       reads all delayed messages and batches from block FROM on, checks every accumulator against
 *       the contracts', and prints one line each:
 *         delayed INDEX kind K sender A block N data HEX
 *         batch SEQ location L delayed D: ITEM ITEM ...
 *       where an item is `d` and an index, `invalid`, or `m` and timestamp:block:HEX
 *   bridge-tool post    URL CHAIN BRIDGE SEQUENCER_INBOX KEY    < LINES
 *       one message a line: `d`, or `m TIMESTAMP BLOCK HEX`; builds, reads back, posts, waits;
 *       prints the outcome and the gas used, or the reason
 *   bridge-tool confirm URL CHAIN ROLLUP CONFIRMER FROM BLOCK_HASH SEND_ROOT KEY MEMBER_KEY...
 *       confirms the child of the last assertion created that ends in this state
 *
 * Exit status 0 if all of that went well; else 1, with the reason on standard error. */
#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "bridge/assertion.h"
#include "bridge/batch.h"
#include "bridge/inbox.h"
#include "bridge/parent.h"
#include "bridge/tx_sender.h"

enum { LINE_MAX_BYTES = 1 << 18, WAIT_MS = 20000 };

struct tool {
    struct parent *p;
    uint64_t chain_id;
    struct arena a;
    struct err_ctx ec;
};

#define MUST(t, expr)                                                                              \
    do {                                                                                           \
        enum err must_ = (expr);                                                                   \
        if (must_ != ERR_OK) {                                                                     \
            fprintf(stderr, "%s: %s: %s\n", #expr, err_name(must_), (t)->ec.text);                 \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static addr20 addr_of(const char *s) {
    addr20 a;
    CHECK(hex_decode_fixed(a.b, sizeof a.b, s) == ERR_OK);
    return a;
}

static hash32 hash_of(const char *s) {
    hash32 h;
    CHECK(hex_decode_fixed(h.b, sizeof h.b, s) == ERR_OK);
    return h;
}

static void print_hex(bytes v) {
    printf("0x");
    for (size_t i = 0; i < v.len; i++)
        printf("%02x", v.ptr[i]);
}

static hash32 view(struct tool *t, const addr20 *to, enum abi_function f, uint64_t arg, bool has) {
    uint8_t word[ABI_WORD_BYTES] = {0};
    hash32 out;
    be64_store(word + 24, arg);
    MUST(t, parent_view(t->p, &out, to, f, bytes_of(word, has ? sizeof word : 0),
                        parent_tagged(PARENT_LATEST), &t->ec));
    return out;
}

static uint64_t count_of(struct tool *t, const addr20 *to, enum abi_function f) {
    hash32 h = view(t, to, f, 0, false);
    return be64_load(h.b + 24);
}

/* --- follow --------------------------------------------------------------------------------- */

struct chain {
    addr20 bridge, sequencer_inbox;
    struct parent_log *logs;
    size_t log_count;
    hash32 *delayed_accs; /* after each message */
    size_t delayed_count;
};

static void get_logs(struct tool *t, struct chain *c, const addr20 *addresses, size_t n,
                     uint64_t from) {
    static const enum abi_event events[] = {ABI_EVENT_MESSAGE_DELIVERED, ABI_EVENT_INBOX_MESSAGE,
                                            ABI_EVENT_INBOX_MESSAGE_FROM_ORIGIN,
                                            ABI_EVENT_BATCH_DELIVERED, ABI_EVENT_BATCH_DATA};
    struct parent_block head;
    MUST(t, parent_get_block(t->p, &head, parent_tagged(PARENT_LATEST), &t->ec));
    struct parent_log_filter f = {.from = from,
                                  .to = head.number,
                                  .to_hash = &head.hash,
                                  .addresses = addresses,
                                  .address_count = n,
                                  .events = events,
                                  .event_count = ARRAY_LEN(events)};
    MUST(t, parent_logs(t->p, &t->a, &c->logs, &c->log_count, &f, &t->ec));
}

/* The contracts that emit contents: those that the bridge's own events name. */
static size_t add_inboxes(const struct chain *c, addr20 *addresses, size_t n) {
    struct inbox_event e;
    for (size_t i = 0; i < c->log_count; i++) {
        if (inbox_parse_event(&e, &c->logs[i]) != ERR_OK)
            continue;
        size_t k = 0;
        while (k < n && !addr20_eq(&addresses[k], &e.inbox))
            k++;
        if (k == n) {
            CHECK(n < PARENT_LOG_ADDRESSES_MAX);
            addresses[n++] = e.inbox;
        }
    }
    return n;
}

static bytes content_of(struct tool *t, const struct chain *c, const struct inbox_event *e) {
    struct inbox_content content;
    for (size_t i = 0; i < c->log_count; i++) {
        if (!addr20_eq(&c->logs[i].address, &e->inbox) ||
            inbox_parse_content(&content, &c->logs[i]) != ERR_OK || content.index != e->index)
            continue;
        if (!content.from_origin)
            return content.data;
        struct parent_tx tx;
        bytes data;
        MUST(t, parent_get_tx(t->p, &t->a, &tx, &c->logs[i].tx_hash, &t->ec));
        MUST(t, inbox_origin_data(&data, tx.input));
        return data;
    }
    fprintf(stderr, "message %llu has no content\n", (unsigned long long)e->index);
    exit(1);
}

static void read_delayed(struct tool *t, struct chain *c) {
    static const hash32 none;
    c->delayed_accs = arena_alloc(&t->a, (c->log_count + 1) * sizeof *c->delayed_accs);
    for (size_t i = 0; i < c->log_count; i++) {
        struct inbox_event e;
        struct delayed_message m;
        struct parent_block b;
        if (!addr20_eq(&c->logs[i].address, &c->bridge) ||
            inbox_parse_event(&e, &c->logs[i]) != ERR_OK)
            continue;
        size_t n = c->delayed_count;
        const hash32 *before = n == 0 ? &none : &c->delayed_accs[n - 1];
        CHECK(e.index == n && hash32_eq(&e.before_acc, before));
        MUST(t, parent_get_block_by_hash(t->p, &b, &e.block_hash, &t->ec));
        MUST(t, inbox_join(&m, &e, b.l1_block, content_of(t, c, &e)));
        c->delayed_accs[c->delayed_count++] = delayed_acc_next(before, &m);
        printf("delayed %llu kind %u sender ", (unsigned long long)m.index, m.kind);
        print_hex(bytes_of(m.sender.b, 20));
        printf(" block %llu data ", (unsigned long long)m.l1_block);
        print_hex(m.data);
        printf("\n");
    }
    CHECK(c->delayed_count == count_of(t, &c->bridge, ABI_DELAYED_COUNT));
    hash32 last = view(t, &c->bridge, ABI_DELAYED_ACCS, c->delayed_count - 1, true);
    CHECK(hash32_eq(&last, &c->delayed_accs[c->delayed_count - 1]));
}

static bytes payload_of(struct tool *t, const struct chain *c, const struct batch_event *e) {
    bytes payload = {NULL, 0};
    struct parent_tx tx;
    switch (e->location) {
    case BATCH_IN_CALLDATA:
        MUST(t, parent_get_tx(t->p, &t->a, &tx, &e->tx_hash, &t->ec));
        MUST(t, batch_calldata_payload(&payload, tx.input));
        break;
    case BATCH_IN_EVENT:
        for (size_t i = 0; i < c->log_count; i++)
            if (batch_event_payload(&payload, e->seq_num, &c->logs[i]) == ERR_OK)
                break;
        break;
    case BATCH_NO_DATA:
    case BATCH_BLOB:
        break;
    }
    return payload;
}

static void print_items(struct tool *t, const struct batch_event *e, uint64_t before,
                        bytes payload) {
    struct batch_reader *r;
    struct batch_item item;
    MUST(t, batch_reader_new(&r, &e->header, before, payload));
    while (batch_next(r, &item)) {
        const struct message *m = &item.message;
        if (item.kind == BATCH_ITEM_DELAYED) {
            printf(" d%llu", (unsigned long long)item.delayed_idx);
        } else if (m->kind == MESSAGE_INVALID) {
            printf(" invalid");
        } else {
            printf(" m%llu:%llu:", (unsigned long long)m->timestamp,
                   (unsigned long long)m->l1_block);
            print_hex(m->data);
        }
    }
    batch_reader_free(r);
}

static void read_batches(struct tool *t, struct chain *c) {
    static const hash32 none;
    hash32 acc = none;
    uint64_t next = 0, read = 0;
    for (size_t i = 0; i < c->log_count; i++) {
        struct batch_event e;
        if (!addr20_eq(&c->logs[i].address, &c->sequencer_inbox) ||
            batch_parse_event(&e, &c->logs[i]) != ERR_OK)
            continue;
        CHECK(e.seq_num == next++ && e.header.after_delayed <= c->delayed_count);
        const hash32 *delayed =
            e.header.after_delayed == 0 ? &none : &c->delayed_accs[e.header.after_delayed - 1];
        bytes payload = payload_of(t, c, &e);
        MUST(t, batch_verify_event(&e, payload, &acc, delayed, &t->ec));
        printf("batch %llu location %d delayed %llu:", (unsigned long long)e.seq_num,
               (int)e.location, (unsigned long long)e.header.after_delayed);
        print_items(t, &e, read, payload);
        printf("\n");
        acc = e.after_acc;
        read = e.header.after_delayed;
        hash32 stored = view(t, &c->sequencer_inbox, ABI_INBOX_ACCS, e.seq_num, true);
        CHECK(hash32_eq(&stored, &acc));
    }
    CHECK(next == count_of(t, &c->sequencer_inbox, ABI_BATCH_COUNT));
}

static void follow(struct tool *t, char **argv) {
    struct chain c = {.bridge = addr_of(argv[0]), .sequencer_inbox = addr_of(argv[1])};
    addr20 addresses[PARENT_LOG_ADDRESSES_MAX] = {c.bridge, c.sequencer_inbox};
    uint64_t from = strtoull(argv[2], NULL, 10);
    get_logs(t, &c, addresses, 2, from);
    get_logs(t, &c, addresses, add_inboxes(&c, addresses, 2), from);
    read_delayed(t, &c);
    read_batches(t, &c);
}

/* --- post and confirm ----------------------------------------------------------------------- */

static struct tx_sender *sender(struct tool *t, const char *key) {
    struct tx_sender_config c = {.chain_id = t->chain_id, .parent_arbitrum = true};
    struct tx_sender *s;
    CHECK(hex_decode_fixed(c.key, sizeof c.key, key) == ERR_OK);
    MUST(t, tx_sender_new(&s, t->p, &c, &t->ec));
    return s;
}

static void send(struct tool *t, struct tx_sender *s, const addr20 *to, bytes data) {
    struct tx_request r = {.to = *to, .data = data};
    struct tx_signed tx;
    struct tx_flight f;
    char reason[PARENT_MESSAGE_MAX] = "";
    enum err e = tx_sender_prepare(s, &t->a, &tx, &r, reason, &t->ec);
    if (e == ERR_INVALID && reason[0] != '\0') {
        printf("refused: %s\n", reason);
        exit(0);
    }
    MUST(t, e);
    MUST(t, tx_sender_submit(s, &tx, &f, &t->ec));
    if (f.outcome == TX_OUTCOME_PENDING)
        MUST(t, tx_sender_wait(s, WAIT_MS, &f, &t->ec));
    if (f.outcome != TX_OUTCOME_MINED) {
        fprintf(stderr, "outcome %d: %s\n", (int)f.outcome, f.reason);
        exit(1);
    }
    printf("mined gas %llu of %llu\n", (unsigned long long)f.receipt.gas_used,
           (unsigned long long)tx.gas_limit);
    tx_sender_free(s);
}

/* A message of standard input; false at its end. */
static bool read_line(struct tool *t, struct message *m, uint64_t read) {
    static char line[LINE_MAX_BYTES], hex[LINE_MAX_BYTES];
    unsigned long long timestamp, block;
    if (fgets(line, sizeof line, stdin) == NULL)
        return false;
    if (line[0] == 'd') {
        *m = (struct message){.has_request_id = true, .delayed_read = read + 1};
        be64_store(m->request_id.b + 24, read);
        return true;
    }
    CHECK(sscanf(line, "m %llu %llu %262143s", &timestamp, &block, hex) == 3);
    size_t len = strlen(hex);
    uint8_t *data = arena_alloc(&t->a, len + 1);
    CHECK(hex_decode(data, len, &len, hex, len) == ERR_OK);
    *m = (struct message){.kind = MESSAGE_L2,
                          .sender = SEQUENCER_ADDRESS,
                          .timestamp = timestamp,
                          .l1_block = block,
                          .delayed_read = read,
                          .data = bytes_of(data, len)};
    return true;
}

static void post(struct tool *t, char **argv) {
    addr20 bridge = addr_of(argv[0]), sequencer_inbox = addr_of(argv[1]);
    struct batch_post p = {.seq_num = count_of(t, &sequencer_inbox, ABI_BATCH_COUNT),
                           .prev_message_count =
                               count_of(t, &bridge, ABI_SEQUENCER_REPORTED_COUNT)};
    uint64_t before = count_of(t, &sequencer_inbox, ABI_TOTAL_DELAYED_READ);
    struct batch_builder *b;
    struct message m;
    struct buf payload, calldata;
    buf_init(&payload, BATCH_MAX_BYTES);
    buf_init(&calldata, 2 * BATCH_MAX_BYTES);
    MUST(t, batch_builder_new(&b, before, BATCH_MAX_BYTES));
    while (read_line(t, &m, batch_builder_state(b).after_delayed))
        MUST(t, batch_builder_add(b, &m));
    struct batch_builder_state s = batch_builder_state(b);
    MUST(t, batch_builder_finish(b, &payload, BATCH_QUALITY_AGED));
    p.payload = buf_bytes(&payload);
    p.after_delayed = s.after_delayed;
    p.new_message_count = p.prev_message_count + s.message_count;
    batch_post_calldata(&calldata, &p);
    send(t, sender(t, argv[2]), &sequencer_inbox, buf_bytes(&calldata));
    batch_builder_free(b);
    buf_clear(&payload);
    buf_clear(&calldata);
}

static struct assertion_created last_assertion(struct tool *t, const addr20 *rollup,
                                               uint64_t from) {
    static const enum abi_event events[] = {ABI_EVENT_ASSERTION_CREATED};
    struct parent_block head;
    struct parent_log *logs;
    size_t n;
    struct assertion_created c;
    MUST(t, parent_get_block(t->p, &head, parent_tagged(PARENT_LATEST), &t->ec));
    struct parent_log_filter f = {.from = from,
                                  .to = head.number,
                                  .to_hash = &head.hash,
                                  .addresses = rollup,
                                  .address_count = 1,
                                  .events = events,
                                  .event_count = 1};
    MUST(t, parent_logs(t->p, &t->a, &logs, &n, &f, &t->ec));
    CHECK(n > 0);
    MUST(t, assertion_parse_created(&c, &logs[n - 1]));
    return c;
}

static void confirm(struct tool *t, int argc, char **argv) {
    addr20 rollup = addr_of(argv[0]), confirmer = addr_of(argv[1]);
    struct assertion_created prev = last_assertion(t, &rollup, strtoull(argv[2], NULL, 10));
    struct assertion_state after = {.block_hash = hash_of(argv[3]),
                                    .send_root = hash_of(argv[4]),
                                    .inbox_position = prev.config.next_inbox_position,
                                    .machine_status = MACHINE_FINISHED};
    struct assertion_inputs in = assertion_child(&prev, &after);
    hash32 sequencer_inbox = view(t, &rollup, ABI_SEQUENCER_INBOX, 0, false);
    addr20 inbox;
    memcpy(inbox.b, sequencer_inbox.b + 12, 20);
    hash32 acc = view(t, &inbox, ABI_INBOX_ACCS, after.inbox_position - 1, true);
    hash32 expected = assertion_hash(&prev.hash, &after, &acc);
    hash32 digest = confirmer_digest(t->chain_id, &confirmer, &expected);
    struct confirmer_signature sigs[CONFIRMER_MEMBERS_MAX];
    size_t n = 0;
    for (int i = 6; i < argc; i++) {
        hash32 key = hash_of(argv[i]);
        MUST(t, confirmer_sign(&sigs[n++], &digest, key.b));
    }
    struct buf calldata;
    buf_init(&calldata, 1 << 16);
    confirmer_calldata(&calldata, &in, &expected, sigs, n);
    send(t, sender(t, argv[5]), &confirmer, buf_bytes(&calldata));
    buf_clear(&calldata);
    hash32 latest = view(t, &rollup, ABI_LATEST_CONFIRMED, 0, false);
    CHECK(hash32_eq(&latest, &expected));
    printf("confirmed to batch %llu\n", (unsigned long long)after.inbox_position);
}

int main(int argc, char **argv) {
    struct tool t = {.ec = {.text = ""}};
    if (argc < 7) {
        fprintf(stderr, "see the comment at the top of bridge_tool.c\n");
        return 2;
    }
    arena_init(&t.a, 1 << 20, 256 << 20);
    t.chain_id = strtoull(argv[3], NULL, 10);
    struct parent_config c = {
        .urls = {argv[2]}, .url_count = 1, .chain_id = t.chain_id, .logs_range_max = 16};
    MUST(&t, parent_new(&t.p, &c, &t.ec));
    if (strcmp(argv[1], "follow") == 0 && argc == 7)
        follow(&t, argv + 4);
    else if (strcmp(argv[1], "post") == 0 && argc == 7)
        post(&t, argv + 4);
    else if (strcmp(argv[1], "confirm") == 0 && argc > 10)
        confirm(&t, argc - 4, argv + 4);
    else
        return 2;
    parent_free(t.p);
    arena_clear(&t.a);
    return 0;
}
