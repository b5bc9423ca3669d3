/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/http.h"

#include "base/check.h"
#include "rpc/commands.h"

#include <http_parser.h>
#include <stdlib.h>
#include <strings.h>

struct field_ref {
    size_t offset, len; /* in head */
    bool present;
};

/* What the next bytes are. The library is lenient about line ends in chunked bodies (Debian's build
 * even takes any two bytes for the CRLF after a chunk), so these parts are checked here and given
 * to it in pieces that end where the part ends. */
enum part {
    PART_HEAD, /* and a body of known length */
    PART_CHUNK_LINE,
    PART_CHUNK_DATA,
    PART_CHUNK_END, /* its CRLF */
    PART_TRAILERS
};

/* The connection's last head that was parsed. Clients send the same one again and again but for the
 * length of the body: a head that is equal to it byte for byte means the same, and is not parsed.
 */
struct known_head {
    uint8_t *raw;
    size_t len;
    size_t length_at, length_len; /* the digits of Content-Length */
    struct buf values;            /* what `request` points into */
    struct http_request request;
    uint32_t number; /* counts the heads that were known before it, from 1 */
};

struct http_reader {
    http_parser parser;
    struct known_head known;
    bool fresh;    /* nothing of the next request has been parsed */
    bool is_same;  /* the complete request has the known head, and was not parsed */
    bool is_known; /* it has the known head */
    bytes view;    /* its body, in the input */
    enum part part;
    uint64_t chunk_left; /* bytes of the present chunk's data still to come */
    char trailer[20];    /* name of the trailer being read, as far as it fits */
    size_t trailer_len;
    bool in_extension; /* of a chunk's line */
    struct http_request request;
    struct buf head; /* target, then names and values one after the other */
    struct buf body;
    size_t body_max;
    size_t target_len;
    struct field_ref fields[HTTP_FIELD_COUNT];
    size_t header_count;
    size_t name_offset, value_offset; /* of the header being read */
    bool in_value;
    bool started, head_reported, head_due, complete;
    bool seen_chunked;
    size_t line_len;   /* of the head's line being read, without line ends */
    size_t line_count; /* lines before it */
    bool head_scanned;
    bool after_cr; /* the last byte of a scanned part was a CR */
    int error_code;
    const char *error_text;
};

static const char *const field_names[HTTP_FIELD_COUNT] = {
    [HTTP_FIELD_HOST] = "host",
    [HTTP_FIELD_ORIGIN] = "origin",
    [HTTP_FIELD_CONTENT_TYPE] = "content-type",
    [HTTP_FIELD_EXPECT] = "expect",
    [HTTP_FIELD_ACR_HEADERS] = "access-control-request-headers",
    [HTTP_FIELD_ACCEPT_ENCODING] = "accept-encoding",
    [HTTP_FIELD_UPGRADE] = "upgrade",
    [HTTP_FIELD_CONNECTION] = "connection",
    [HTTP_FIELD_WS_KEY] = "sec-websocket-key",
    [HTTP_FIELD_WS_VERSION] = "sec-websocket-version",
    [HTTP_FIELD_AUTHORIZATION] = "authorization",
    [HTTP_FIELD_API_KEY] = "x-api-key",
    [HTTP_FIELD_IDEMPOTENCY_KEY] = "idempotency-key",
    [HTTP_FIELD_X_IDEMPOTENCY_KEY] = "x-idempotency-key",
    [HTTP_FIELD_REQUEST_ID] = "x-request-id",
    [HTTP_FIELD_LAST_EVENT_ID] = "last-event-id",
    [HTTP_FIELD_ACCEPT] = "accept",
    [HTTP_FIELD_FORWARDED] = RPC_FORWARDED_HEADER,
    [HTTP_FIELD_ACR_PRIVATE] = "access-control-request-private-network",
};

static struct http_reader *reader_of(http_parser *p) {
    return p->data;
}

/* Makes the parser stop; a callback returns this value. */
static int refuse(struct http_reader *r, int code, const char *text) {
    if (r->error_code == 0) {
        r->error_code = code;
        r->error_text = text;
    }
    return 1;
}

static bool equals_ci(bytes a, const char *b) {
    return a.len == strlen(b) && strncasecmp((const char *)a.ptr, b, a.len) == 0;
}

static bytes head_slice(const struct http_reader *r, size_t offset, size_t end) {
    return bytes_of(r->head.ptr + offset, end - offset);
}

/* --- parser callbacks ---------------------------------------------------------------------- */
static int on_begin(http_parser *p) {
    reader_of(p)->started = true;
    return 0;
}

static int append_head(struct http_reader *r, const char *at, size_t len) {
    buf_append(&r->head, at, len);
    return r->head.overflow ? refuse(r, 431, "request header fields too large") : 0;
}

/* The library may have been built without its strict checks (Debian's is): characters are looked at
 * here. A target is visible ASCII (RFC 9112 §3.2); a space in a header's name could hide a length
 * from us that others see (RFC 9112 §5.1). */
static bool is_visible(const char *s, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (s[i] <= 0x20 || s[i] >= 0x7f)
            return false;
    return true;
}

static bool is_token(const char *s, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (strchr("\"(),/:;<=>?@[\\]{}", s[i]) != NULL)
            return false;
    return is_visible(s, len);
}

static int on_url(http_parser *p, const char *at, size_t len) {
    struct http_reader *r = reader_of(p);
    if (!is_visible(at, len))
        return refuse(r, 400, "invalid character in the request target");
    r->target_len += len;
    if (r->target_len > HTTP_TARGET_BYTES_MAX)
        return refuse(r, 414, "request target too long");
    return append_head(r, at, len);
}

/* The header whose value ends here. */
static int finish_header(struct http_reader *r) {
    if (!r->in_value)
        return 0;
    r->in_value = false;
    if (++r->header_count > HTTP_HEADERS_MAX)
        return refuse(r, 431, "too many header fields");
    bytes name = head_slice(r, r->name_offset, r->value_offset);
    bytes value = head_slice(r, r->value_offset, r->head.len);
    if (equals_ci(name, "transfer-encoding")) {
        if (r->seen_chunked || !equals_ci(value, "chunked"))
            return refuse(r, 501, "only the chunked transfer coding is supported");
        r->seen_chunked = true;
    }
    if (equals_ci(name, "content-length") && value.len == 0)
        return refuse(r, 400, "empty Content-Length");
    for (size_t f = 0; f < HTTP_FIELD_COUNT; f++) {
        if (!equals_ci(name, field_names[f]))
            continue;
        if (r->fields[f].present && f == HTTP_FIELD_HOST)
            return refuse(r, 400, "repeated Host header");
        bool once = f == HTTP_FIELD_AUTHORIZATION || f == HTTP_FIELD_API_KEY ||
                    f == HTTP_FIELD_IDEMPOTENCY_KEY || f == HTTP_FIELD_X_IDEMPOTENCY_KEY;
        if (r->fields[f].present && once)
            return refuse(r, 400, "repeated credentials or idempotency key");
        r->fields[f] =
            (struct field_ref){.offset = r->value_offset, .len = value.len, .present = true};
    }
    return 0;
}

/* Trailers are read and dropped (RFC 9110 §6.5.1), so that what on_headers pointed out stays where
 * it is; they count as fields. */
static int on_trailer_name(struct http_reader *r, const char *at, size_t len) {
    if (r->in_value) {
        r->in_value = false;
        r->trailer_len = 0;
    }
    if (r->trailer_len == 0 && ++r->header_count > HTTP_HEADERS_MAX)
        return refuse(r, 431, "too many header fields");
    for (size_t i = 0; i < len; i++, r->trailer_len++)
        if (r->trailer_len < sizeof(r->trailer))
            r->trailer[r->trailer_len] = at[i];
    return 0;
}

static int on_trailer_value(struct http_reader *r) {
    bytes name = bytes_of(r->trailer, r->trailer_len);
    if (r->in_value)
        return 0;
    r->in_value = true;
    if (r->trailer_len <= sizeof(r->trailer) &&
        (equals_ci(name, "content-length") || equals_ci(name, "transfer-encoding") ||
         equals_ci(name, "host")))
        return refuse(r, 400, "a trailer that only a head may have");
    return 0;
}

static int on_name(http_parser *p, const char *at, size_t len) {
    struct http_reader *r = reader_of(p);
    if (!is_token(at, len))
        return refuse(r, 400, "invalid character in a header's name");
    if (r->part == PART_TRAILERS)
        return on_trailer_name(r, at, len);
    if (r->in_value) {
        int e = finish_header(r);
        if (e != 0)
            return e;
        r->name_offset = r->head.len;
    } else if (r->header_count == 0 && r->name_offset == 0) {
        r->name_offset = r->head.len;
    }
    return append_head(r, at, len);
}

static int on_value(http_parser *p, const char *at, size_t len) {
    struct http_reader *r = reader_of(p);
    if (r->part == PART_TRAILERS)
        return on_trailer_value(r);
    if (!r->in_value) {
        r->in_value = true;
        r->value_offset = r->head.len;
    }
    for (size_t i = 0; i < len; i++)
        if (at[i] == '\r' || at[i] == '\n' || at[i] == '\0')
            return refuse(r, 400, "control byte in a header");
    return append_head(r, at, len);
}

static enum http_verb verb_of(const http_parser *p) {
    unsigned method = p->method;
    if (method == HTTP_GET)
        return HTTP_VERB_GET;
    if (method == HTTP_HEAD)
        return HTTP_VERB_HEAD;
    if (method == HTTP_POST)
        return HTTP_VERB_POST;
    if (method == HTTP_PUT)
        return HTTP_VERB_PUT;
    if (method == HTTP_DELETE)
        return HTTP_VERB_DELETE;
    return method == HTTP_OPTIONS ? HTTP_VERB_OPTIONS : HTTP_VERB_OTHER;
}

static int check_head(struct http_reader *r, const http_parser *p) {
    if (p->http_major != 1 || p->http_minor > 1)
        return refuse(r, 505, "HTTP version not supported");
    if (p->http_minor == 1 && !r->fields[HTTP_FIELD_HOST].present)
        return refuse(r, 400, "missing Host header");
    bool has_length = (p->flags & F_CONTENTLENGTH) != 0;
    if (has_length && r->seen_chunked)
        return refuse(r, 400, "both Content-Length and Transfer-Encoding");
    if (p->http_minor == 0 && r->seen_chunked) /* RFC 9112 §6.1 */
        return refuse(r, 400, "Transfer-Encoding in HTTP/1.0");
    if (has_length && p->content_length > r->body_max)
        return refuse(r, 413, "request body too large");
    return 0;
}

static int on_headers(http_parser *p) {
    struct http_reader *r = reader_of(p);
    int e = finish_header(r);
    if (e == 0)
        e = check_head(r, p);
    if (e != 0)
        return -1;
    p->upgrade = 0; /* whether to take it up is for the request's receiver */
    struct http_request *q = &r->request;
    q->verb = verb_of(p);
    q->target = bytes_of(r->head.ptr, r->target_len);
    q->keep_alive = http_should_keep_alive(p) != 0;
    for (size_t f = 0; f < HTTP_FIELD_COUNT; f++)
        q->fields[f] = r->fields[f].present
                           ? bytes_of(r->head.ptr + r->fields[f].offset, r->fields[f].len)
                           : bytes_of(NULL, 0);
    q->expects_continue = q->fields[HTTP_FIELD_EXPECT].ptr != NULL &&
                          equals_ci(q->fields[HTTP_FIELD_EXPECT], "100-continue");
    r->head_due = r->seen_chunked || ((p->flags & F_CONTENTLENGTH) != 0 && p->content_length > 0);
    return 0;
}

static int on_body(http_parser *p, const char *at, size_t len) {
    struct http_reader *r = reader_of(p);
    buf_append(&r->body, at, len);
    return r->body.overflow ? refuse(r, 413, "request body too large") : 0;
}

/* The line before a chunk is complete. */
static int on_chunk(http_parser *p) {
    struct http_reader *r = reader_of(p);
    if (p->content_length > r->body_max - r->body.len)
        return refuse(r, 413, "request body too large");
    r->chunk_left = p->content_length;
    r->part = r->chunk_left > 0 ? PART_CHUNK_DATA : PART_TRAILERS;
    r->in_value = false;
    r->trailer_len = 0;
    r->line_len = 0;
    r->line_count = 1; /* there may be no trailer */
    r->head_scanned = false;
    return 0;
}

static int on_complete(http_parser *p) {
    reader_of(p)->complete = true;
    http_parser_pause(p, 1); /* the next request waits in the input */
    return 0;
}

static const http_parser_settings parser_settings = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_headers,
    .on_body = on_body,
    .on_chunk_header = on_chunk,
    .on_message_complete = on_complete,
};

/* --- known heads --------------------------------------------------------------------------- */
enum { KNOWN_HEAD_MAX = 1024, LENGTH_DIGITS_MAX = 9 };

static void forget_head(struct known_head *k) {
    free(k->raw);
    buf_clear(&k->values);
    *k = (struct known_head){.number = k->number};
}

/* The only header line that begins with `name` (with its colon): where its value begins. */
static bool find_value(size_t *out, const uint8_t *raw, size_t len, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i + n + 1 < len; i++)
        if (raw[i] == '\n' && strncasecmp((const char *)raw + i + 1, name, n) == 0) {
            i += 1 + n;
            while (raw[i] == ' ')
                i++;
            *out = i;
            return true;
        }
    return false;
}

/* Remembers the head of the request that `raw` (head and body) was parsed into, if it is a plain
 * one. */
static void remember_head(struct http_reader *r, bytes raw) {
    struct known_head *k = &r->known;
    const struct http_request *q = &r->request;
    size_t at = 0, digits = 0, head_len = raw.len - r->body.len;
    forget_head(k);
    if (q->verb != HTTP_VERB_POST || r->seen_chunked || q->expects_continue || !q->keep_alive ||
        q->fields[HTTP_FIELD_UPGRADE].ptr != NULL || r->body.len == 0 ||
        head_len > KNOWN_HEAD_MAX || !find_value(&at, raw.ptr, head_len, "content-length:"))
        return;
    while (raw.ptr[at + digits] >= '0' && raw.ptr[at + digits] <= '9')
        digits++;
    if (digits == 0 || raw.ptr[at] == '0' || raw.ptr[at + digits] != '\r')
        return;
    k->raw = malloc(head_len);
    buf_init(&k->values, HTTP_HEAD_BYTES_MAX);
    buf_append(&k->values, r->head.ptr, r->head.len);
    if (k->raw == NULL || k->values.overflow) {
        forget_head(k);
        return;
    }
    r->is_known = true;
    k->number++;
    memcpy(k->raw, raw.ptr, head_len);
    k->len = head_len;
    k->length_at = at;
    k->length_len = digits;
    k->request = *q;
    k->request.target = bytes_of(k->values.ptr, q->target.len);
    for (size_t f = 0; f < HTTP_FIELD_COUNT; f++)
        if (q->fields[f].ptr != NULL)
            k->request.fields[f].ptr = k->values.ptr + (q->fields[f].ptr - r->head.ptr);
}

/* Takes a whole request with the known head; 0 when this is none. */
static size_t take_known(struct http_reader *r, bytes in) {
    const struct known_head *k = &r->known;
    size_t digits = 0, len = 0, at = k->length_at;
    if (k->raw == NULL || in.len < k->len || memcmp(in.ptr, k->raw, at) != 0)
        return 0;
    for (; digits <= LENGTH_DIGITS_MAX && at + digits < in.len; digits++) {
        uint8_t c = in.ptr[at + digits];
        if (c < '0' || c > '9')
            break;
        len = len * 10 + (size_t)(c - '0');
    }
    size_t rest = k->len - at - k->length_len, head_len = at + digits + rest;
    if (digits == 0 || digits > LENGTH_DIGITS_MAX || in.ptr[at] == '0' || len > r->body_max ||
        in.len < head_len + len ||
        memcmp(in.ptr + at + digits, k->raw + at + k->length_len, rest) != 0)
        return 0;
    r->is_same = r->is_known = r->complete = true;
    r->view = bytes_of(in.ptr + head_len, len);
    return head_len + len;
}

/* --- interface ----------------------------------------------------------------------------- */
static void reset_request(struct http_reader *r) {
    r->is_known = false;
    if (r->is_same) { /* nothing was parsed */
        r->is_same = r->complete = false;
        return;
    }
    r->fresh = true;
    memset(&r->request, 0, sizeof(r->request));
    memset(r->fields, 0, sizeof(r->fields));
    buf_reset(&r->head);
    buf_clear(&r->body);
    r->target_len = r->header_count = r->name_offset = r->value_offset = 0;
    r->line_len = r->line_count = 0;
    r->head_scanned = r->after_cr = r->in_extension = false;
    r->part = PART_HEAD;
    r->in_value = r->started = r->head_reported = r->head_due = r->complete = r->seen_chunked =
        false;
}

struct http_reader *http_reader_new(size_t body_max) {
    struct http_reader *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    http_parser_init(&r->parser, HTTP_REQUEST);
    r->parser.data = r;
    r->body_max = body_max;
    r->fresh = true;
    buf_init(&r->head, HTTP_HEAD_BYTES_MAX);
    buf_init(&r->body, body_max);
    return r;
}

void http_reader_free(struct http_reader *r) {
    if (r == NULL)
        return;
    forget_head(&r->known);
    buf_clear(&r->head);
    buf_clear(&r->body);
    free(r);
}

/* Lines end in CRLF: some take a lone CR or LF for a line end and some do not. */
static bool line_end_ok(struct http_reader *r, uint8_t c) {
    bool ok = r->after_cr == (c == '\n');
    r->after_cr = c == '\r';
    if (!ok)
        (void)refuse(r, 400, "a line that does not end in CRLF");
    return ok;
}

/* A header line that begins with a space continues the one before it (obsolete since RFC 7230): the
 * library joins them, others do not. Looks at the bytes up to the end of the head or the trailers;
 * gives how many of them belong there, or 0 after an error. */
static size_t scan_head(struct http_reader *r, bytes in) {
    for (size_t i = 0; i < in.len; i++) {
        uint8_t c = in.ptr[i];
        if (!line_end_ok(r, c))
            return 0;
        if (c == '\n') {
            r->head_scanned = r->line_len == 0 && r->line_count > 0;
            if (r->head_scanned)
                return i + 1;
            r->line_count += r->line_len > 0;
            r->line_len = 0;
        } else if (r->line_len == 0 && (c == ' ' || c == '\t')) {
            (void)refuse(r, 400, "folded header line");
            return 0;
        } else if (c != '\r') {
            r->line_len++;
        }
    }
    return in.len;
}

/* One byte of the line before a chunk. The library drops extensions whatever they consist of. */
static size_t scan_chunk_line(struct http_reader *r, uint8_t c) {
    if (!line_end_ok(r, c))
        return 0;
    if (c == '\n' || c == ';')
        r->in_extension = c == ';';
    /* a space after the size: the library takes anything that follows for an extension */
    if ((c == ' ' || c == '\t') && !r->in_extension) {
        (void)refuse(r, 400, "space in a chunk's size");
        return 0;
    }
    if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
        (void)refuse(r, 400, "control byte in a chunk's line");
        return 0;
    }
    return 1;
}

static size_t scan_chunk_end(struct http_reader *r, uint8_t c) {
    if (!line_end_ok(r, c))
        return 0;
    if (c != '\r' && c != '\n') {
        (void)refuse(r, 400, "a chunk that does not end where it should");
        return 0;
    }
    if (c == '\n')
        r->part = PART_CHUNK_LINE;
    return 1;
}

/* How many of the bytes (at least one) can be given to the parser at once; 0 after an error. */
static size_t scan(struct http_reader *r, bytes in) {
    switch (r->part) {
    case PART_CHUNK_LINE:
        return scan_chunk_line(r, in.ptr[0]);
    case PART_CHUNK_END:
        return scan_chunk_end(r, in.ptr[0]);
    case PART_CHUNK_DATA: {
        size_t n = r->chunk_left < in.len ? (size_t)r->chunk_left : in.len;
        r->chunk_left -= n;
        if (r->chunk_left == 0)
            r->part = PART_CHUNK_END;
        return n;
    }
    case PART_HEAD:
    case PART_TRAILERS:
        break;
    }
    return r->head_scanned ? in.len : scan_head(r, in);
}

enum http_progress http_reader_feed(struct http_reader *r, bytes in, size_t *consumed) {
    CHECK(!r->complete);
    *consumed = 0;
    if (r->error_code != 0)
        return HTTP_BROKEN;
    bool fresh = r->fresh;
    if (fresh && (*consumed = take_known(r, in)) > 0)
        return HTTP_HAS_REQUEST;
    r->fresh = r->fresh && in.len == 0;
    while (*consumed < in.len) {
        const uint8_t *at = in.ptr + *consumed;
        size_t want = scan(r, bytes_of(at, in.len - *consumed));
        if (want == 0)
            return HTTP_BROKEN;
        size_t n = http_parser_execute(&r->parser, &parser_settings, (const char *)at, want);
        *consumed += n < want ? n : want;
        if (r->complete && fresh)
            remember_head(r, bytes_of(in.ptr, *consumed));
        if (r->complete) {
            r->view = buf_bytes(&r->body);
            return HTTP_HAS_REQUEST;
        }
        enum http_errno e = HTTP_PARSER_ERRNO(&r->parser);
        if (e != HPE_OK) {
            (void)refuse(r, 400, http_errno_description(e));
            return HTTP_BROKEN;
        }
        if (r->part == PART_HEAD && r->head_scanned && r->seen_chunked)
            r->part = PART_CHUNK_LINE;
    }
    if (r->head_due && !r->head_reported) {
        r->head_reported = true;
        return HTTP_HAS_HEAD;
    }
    return HTTP_NEEDS_MORE;
}

const struct http_request *http_reader_request(const struct http_reader *r) {
    return r->is_same ? &r->known.request : &r->request;
}

uint32_t http_reader_head(const struct http_reader *r) {
    return r->is_known ? r->known.number : 0;
}

bytes http_reader_body(const struct http_reader *r) {
    CHECK(r->complete);
    return r->view;
}

void http_reader_take_body(struct http_reader *r, struct buf *out) {
    if (r->is_same)
        buf_append(&r->body, r->view.ptr, r->view.len);
    *out = r->body;
    buf_init(&r->body, r->body_max);
}

size_t http_reader_body_bytes(const struct http_reader *r) {
    return r->body.len;
}

void http_reader_next(struct http_reader *r) {
    CHECK(r->complete);
    if (!r->is_same)
        http_parser_pause(&r->parser, 0);
    reset_request(r);
}

int http_reader_error_code(const struct http_reader *r) {
    return r->error_code;
}

const char *http_reader_error_text(const struct http_reader *r) {
    return r->error_text;
}

bool http_reader_in_request(const struct http_reader *r) {
    return r->started && !r->complete;
}

const char *http_reason(int code) {
    static const struct {
        int code;
        const char *text;
    } reasons[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {200, "OK"},
        {204, "No Content"},
        {201, "Created"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (reasons[i].code == code)
            return reasons[i].text;
    return "Unknown";
}
