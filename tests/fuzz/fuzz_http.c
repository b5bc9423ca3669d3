/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from a socket. The first byte chooses how the rest is cut. Properties, for any bytes:
 *  - http_reader_feed gives the same requests, refuses the same and takes as many bytes whether the
 * input comes whole or in pieces (which of several faults it names may differ), and a head is
 * announced at most once per request;
 *  - targets are visible ASCII, heads and bodies keep their limits, a refusal has a code of its
 * list;
 *  - the engine answers each body exactly once and at once, with nothing or with valid JSON whose
 * errors are those of bad requests (bodies that could name a method of the node are left out: what
 * those do needs a chain). */
#include "tests/fuzz/fuzz.h"

#include "base/buf.h"
#include "base/check.h"
#include "rpc/engine.h"
#include "rpc/http.h"

#include <stdlib.h>

enum { BODY_MAX = 1024, REQUESTS_MAX = 256 };

struct outcome {
    struct buf seen; /* all requests, one after the other */
    size_t taken, requests;
    int error;
};

/* --- requests ------------------------------------------------------------------------------ */
static void note(struct buf *b, bytes part) {
    uint32_t len = (uint32_t)part.len;
    buf_append(b, &len, sizeof(len));
    if (part.len > 0)
        buf_append(b, part.ptr, part.len);
}

static void note_request(struct outcome *o, struct http_reader *r) {
    const struct http_request *q = http_reader_request(r);
    struct buf body;
    size_t head = q->target.len;
    for (size_t i = 0; i < q->target.len; i++)
        CHECK(q->target.ptr[i] > 0x20 && q->target.ptr[i] < 0x7f);
    buf_append_byte(&o->seen, (uint8_t)q->verb);
    buf_append_byte(&o->seen, q->keep_alive);
    buf_append_byte(&o->seen, q->expects_continue);
    note(&o->seen, q->target);
    for (size_t f = 0; f < HTTP_FIELD_COUNT; f++) {
        buf_append_byte(&o->seen, q->fields[f].ptr != NULL);
        note(&o->seen, q->fields[f]);
        head += q->fields[f].len;
    }
    http_reader_take_body(r, &body);
    CHECK(q->target.len <= HTTP_TARGET_BYTES_MAX && head <= HTTP_HEAD_BYTES_MAX);
    CHECK(body.len <= BODY_MAX);
    note(&o->seen, buf_bytes(&body));
    buf_clear(&body);
    o->requests++;
}

static void note_error(struct outcome *o, const struct http_reader *r) {
    static const int codes[] = {400, 413, 414, 431, 501, 505};
    bool known = false;
    o->error = http_reader_error_code(r);
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        known = known || codes[i] == o->error;
    CHECK(known && http_reader_error_text(r)[0] != '\0');
}

/* One piece; false when the connection would end. */
static bool feed(struct outcome *o, struct http_reader *r, bytes piece, bool *head_seen) {
    while (piece.len > 0 && o->requests < REQUESTS_MAX) {
        size_t n = 0;
        enum http_progress p = http_reader_feed(r, piece, &n);
        CHECK(n <= piece.len);
        piece = bytes_of(piece.ptr + n, piece.len - n);
        o->taken += n;
        if (p == HTTP_BROKEN) {
            note_error(o, r);
            return false;
        }
        if (p == HTTP_HAS_HEAD) {
            CHECK(!*head_seen);
            *head_seen = true;
        } else if (p == HTTP_HAS_REQUEST) {
            *head_seen = false;
            note_request(o, r);
            http_reader_next(r);
            CHECK(!http_reader_in_request(r));
        } else {
            CHECK(piece.len == 0);
        }
    }
    return o->requests < REQUESTS_MAX;
}

/* All of it, in pieces whose sizes the numbers of a small generator give; 0: whole. */
static void read_all(struct outcome *o, bytes in, uint8_t cut) {
    struct http_reader *r = http_reader_new(BODY_MAX);
    uint32_t x = cut;
    bool head_seen = false, open = true;
    CHECK(r != NULL);
    *o = (struct outcome){0};
    buf_init(&o->seen, SIZE_MAX / 2);
    while (in.len > 0 && open) {
        x = x * 1664525u + 1013904223u;
        size_t n = cut == 0 ? in.len : 1 + (x >> 16) % (1 + cut % 16u);
        bytes piece = bytes_of(in.ptr, n < in.len ? n : in.len);
        in = bytes_of(in.ptr + piece.len, in.len - piece.len);
#ifdef FUZZ_PLANT_BUG
        /* The bug that a search must find: a tab behind a T is lost where a piece ends with it. */
        if (cut != 0 && piece.len >= 2 && memcmp(piece.ptr + piece.len - 2, "T\t", 2) == 0)
            piece.len--;
#endif
        open = feed(o, r, piece, &head_seen);
    }
    http_reader_free(r);
}

/* --- bodies -------------------------------------------------------------------------------- */
static size_t replies;

static void check_error(const json_t *e) {
    json_int_t code = json_integer_value(json_object_get(e, "code"));
    CHECK(code == RPC_PARSE_ERROR || code == RPC_INVALID_REQUEST || code == RPC_METHOD_NOT_FOUND ||
          code == RPC_INVALID_PARAMS);
    CHECK(json_is_string(json_object_get(e, "message")));
}

static void on_reply(void *ctx, uint64_t tag, struct rpc_reply *reply) {
    (void)ctx;
    (void)tag;
    replies++;
    if (reply->body.len > 0) {
        json_t *root = json_loadb((const char *)reply->body.ptr, reply->body.len,
                                  JSON_REJECT_DUPLICATES, NULL);
        CHECK(root != NULL);
        size_t n = json_is_array(root) ? json_array_size(root) : 1;
        for (size_t i = 0; i < n; i++) {
            json_t *o = json_is_array(root) ? json_array_get(root, i) : root;
            CHECK(json_object_get(o, "id") != NULL);
            check_error(json_object_get(o, "error"));
        }
        json_decref(root);
    }
    buf_clear(&reply->body);
}

/* Every method's name has an underscore, which an escape could write too. */
static bool names_methods(bytes body) {
    for (size_t i = 0; i < body.len; i++)
        if (body.ptr[i] == '_' || (body.ptr[i] == 'u' && i > 0 && body.ptr[i - 1] == '\\'))
            return true;
    return false;
}

static struct rpc_engine *make_engine(void) {
    static struct rpc_dev_nonces nonces = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static struct node_commands node;
    static struct rpc_context cx;
    cx = (struct rpc_context){.node = &node,
                              .chain = {.chain_id = 1},
                              .client_version = "fuzz/v1",
                              .reply_bytes_max = 1 << 20,
                              .dev_nonces = &nonces};
    struct event_base *base = event_base_new();
    struct err_ctx ec;
    struct rpc_engine_options o = {
        .base = base, .context = &cx, .readers = 1, .read_queue_max = 1, .jobs_max = 1};
    CHECK(base != NULL);
    struct rpc_engine *e = rpc_engine_new(&o, on_reply, NULL, &ec);
    CHECK(e != NULL);
    return e;
}

static void check_body(bytes in) {
    static struct rpc_engine *engine;
    struct buf body;
    if (names_methods(in))
        return;
    if (engine == NULL)
        engine = make_engine();
    buf_init(&body, SIZE_MAX / 2);
    if (in.len > 0)
        buf_append(&body, in.ptr, in.len);
    replies = 0;
    rpc_engine_run(engine, &body, 0, NULL, NULL);
    CHECK(replies == 1);
    CHECK(rpc_engine_pending(engine) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct outcome whole, cut;
    if (size == 0)
        return 0;
    bytes in = bytes_of(data + 1, size - 1);
    read_all(&whole, in, 0);
    read_all(&cut, in, data[0] == 0 ? 1 : data[0]);
    CHECK(whole.requests == cut.requests && (whole.error != 0) == (cut.error != 0));
    CHECK(whole.error != 0 || whole.taken == cut.taken);
    CHECK(whole.seen.len == cut.seen.len);
    CHECK(whole.seen.len == 0 || memcmp(whole.seen.ptr, cut.seen.ptr, whole.seen.len) == 0);
    buf_clear(&whole.seen);
    buf_clear(&cut.seen);
    check_body(in);
    return 0;
}
