/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/scan.h"

#include "base/check.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

struct cursor {
    const uint8_t *at, *end;
};

static struct cursor cursor_over(bytes text) {
    return (struct cursor){text.ptr, text.len == 0 ? text.ptr : text.ptr + text.len};
}

static void skip_space(struct cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

static bool take(struct cursor *c, uint8_t ch) {
    skip_space(c);
    if (c->at == c->end || *c->at != ch)
        return false;
    c->at++;
    return true;
}

static void skip_plain(struct cursor *c) {
#if defined(__SSE2__)
    for (; c->end - c->at >= 16; c->at += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)c->at);
        /* As signed numbers the bytes from 0x80 on are below 0x20 too. */
        __m128i bad = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        unsigned mask = (unsigned)_mm_movemask_epi8(bad);
        if (mask != 0) {
            c->at += __builtin_ctz(mask);
            return;
        }
    }
#endif
    while (c->at < c->end && *c->at >= 0x20 && *c->at < 0x7f && *c->at != '"' && *c->at != '\\')
        c->at++;
}

static bool take_string(struct cursor *c, bytes *out) {
    if (!take(c, '"'))
        return false;
    const uint8_t *from = c->at;
    skip_plain(c);
    if (c->at == c->end || *c->at != '"')
        return false;
    *out = bytes_of(from, (size_t)(c->at - from));
    c->at++;
    return true;
}

static bool take_id(struct cursor *c, bytes *out) {
    skip_space(c);
    const uint8_t *from = c->at;
    bytes text;
    if (take_string(c, &text)) {
        *out = bytes_of(from, text.len + 2);
        return text.len <= SCAN_ID_LEN_MAX;
    }
    c->at = from;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    size_t len = (size_t)(c->at - from);
    *out = bytes_of(from, len);
    /* A fraction or an exponent is met by whoever looks for the comma. */
    return len > 0 && len <= SCAN_ID_DIGITS_MAX && (from[0] != '0' || len == 1);
}

static bool take_null(struct cursor *c) {
    if (c->end - c->at < 4 || memcmp(c->at, "null", 4) != 0)
        return false;
    c->at += 4;
    return true;
}

/* Behind the bracket of a list within a list: strings and nulls, up to its end. */
static bool take_inner_list(struct cursor *c, bytes *out) {
    const uint8_t *from = c->at;
    bytes text;
    *out = bytes_of(from, 0);
    if (take(c, ']'))
        return true;
    do {
        if (!take_string(c, &text) && !take_null(c))
            return false;
    } while (take(c, ','));
    if (!take(c, ']'))
        return false;
    *out = bytes_of(from, (size_t)(c->at - 1 - from));
    return true;
}

/* Behind the bracket of a list: strings, nulls and inner lists. */
static bool take_list(struct cursor *c, bytes *out) {
    const uint8_t *from = c->at;
    bytes text;
    *out = bytes_of(from, 0);
    if (take(c, ']'))
        return true;
    do {
        if (take(c, '[') ? !take_inner_list(c, &text) : !take_string(c, &text) && !take_null(c))
            return false;
    } while (take(c, ','));
    if (!take(c, ']'))
        return false;
    *out = bytes_of(from, (size_t)(c->at - 1 - from));
    return true;
}

bool rpc_scan_item(struct rpc_scan_item *out, bytes *list) {
    struct cursor c = cursor_over(*list);
    (void)take(&c, ',');
    skip_space(&c);
    bool any = c.at < c.end, ok = true;
    *out = (struct rpc_scan_item){.kind = RPC_SCAN_NULL};
    if (any && *c.at == '[') {
        c.at++;
        out->kind = RPC_SCAN_LIST;
        ok = take_inner_list(&c, &out->text);
    } else if (any && *c.at == '"') {
        out->kind = RPC_SCAN_TEXT;
        ok = take_string(&c, &out->text);
    } else if (any) {
        ok = take_null(&c);
    }
    CHECK(ok); /* it was scanned */
    *list = bytes_of(c.at, (size_t)(c.end - c.at));
    return any;
}

/* Keys differ, as the library wants it too. */
static bool take_object(struct cursor *c, struct rpc_scan *out) {
    out->has_object = true;
    if (take(c, '}'))
        return true;
    do {
        if (out->member_count == SCAN_MEMBERS_MAX)
            return false;
        struct rpc_scan_member *m = &out->members[out->member_count];
        if (!take_string(c, &m->key) || !take(c, ':'))
            return false;
        m->is_list = take(c, '[');
        if (m->is_list ? !take_list(c, &m->value) : !take_string(c, &m->value))
            return false;
        for (size_t i = 0; i < out->member_count; i++)
            if (out->members[i].key.len == m->key.len &&
                memcmp(out->members[i].key.ptr, m->key.ptr, m->key.len) == 0)
                return false;
        out->member_count++;
    } while (take(c, ','));
    return take(c, '}');
}

static bool take_args(struct cursor *c, struct rpc_scan *out) {
    if (!take(c, '['))
        return false;
    if (take(c, ']'))
        return true;
    if (take(c, '{')) {
        if (!take_object(c, out))
            return false;
        out->arg_count = 1;
        if (!take(c, ','))
            return take(c, ']');
    }
    do {
        if (out->arg_count == SCAN_ARGS_MAX || !take_string(c, &out->args[out->arg_count++]))
            return false;
    } while (take(c, ','));
    return take(c, ']');
}

static bool text_is(bytes t, const char *s) {
    return t.len == strlen(s) && memcmp(t.ptr, s, t.len) == 0;
}

static bool take_request(struct cursor *c, struct rpc_scan *out) {
    bool has_version = false, has_params = false;
    bytes key, version;
    out->id = out->method = bytes_of(NULL, 0);
    out->args[0] = bytes_of(NULL, 0);
    out->arg_count = out->member_count = 0;
    out->has_object = out->unfit = false;
    if (!take(c, '{'))
        return false;
    do {
        bool ok = take_string(c, &key) && take(c, ':');
        if (!ok)
            return false;
        if (text_is(key, "params") && !has_params) {
            has_params = true;
            ok = take_args(c, out);
        } else if (text_is(key, "method") && out->method.ptr == NULL) {
            ok = take_string(c, &out->method);
        } else if (text_is(key, "id") && out->id.ptr == NULL) {
            ok = take_id(c, &out->id);
        } else if (text_is(key, "jsonrpc") && !has_version) {
            has_version = true;
            ok = take_string(c, &version) && text_is(version, "2.0");
        } else {
            ok = false;
        }
        if (!ok)
            return false;
    } while (take(c, ','));
    return take(c, '}') && out->id.ptr != NULL && out->method.ptr != NULL;
}

bool rpc_scan_request(struct rpc_scan *out, bytes text) {
    struct cursor c = cursor_over(text);
    if (!take_request(&c, out))
        return false;
    skip_space(&c);
    return c.at == c.end;
}

static void move_slice(bytes *b, const uint8_t *from, const uint8_t *to) {
    if (b->ptr != NULL)
        b->ptr = to + (b->ptr - from);
}

void rpc_scan_move(struct rpc_scan *s, const uint8_t *from, const uint8_t *to) {
    move_slice(&s->id, from, to);
    move_slice(&s->method, from, to);
    for (size_t i = 0; i < s->arg_count; i++)
        move_slice(&s->args[i], from, to);
    for (size_t i = 0; i < s->member_count; i++) {
        move_slice(&s->members[i].key, from, to);
        move_slice(&s->members[i].value, from, to);
    }
}

void rpc_scan_begin(struct rpc_scan_body *b, bytes text) {
    struct cursor c = cursor_over(text);
    bool is_batch = take(&c, '[');
    *b = (struct rpc_scan_body){.at = c.at, .end = c.end, .is_batch = is_batch};
}

enum rpc_scan_step rpc_scan_next(struct rpc_scan_body *b, struct rpc_scan *out) {
    struct cursor c = {b->at, b->end};
    bool ends = b->begun && !(b->is_batch && take(&c, ','));
    bool ok = ends ? !b->is_batch || take(&c, ']') : take_request(&c, out);
    if (ends)
        skip_space(&c);
    b->begun = true;
    b->at = c.at;
    if (!ok || (ends && c.at != c.end))
        return RPC_SCAN_UNUSUAL;
    return ends ? RPC_SCAN_END : RPC_SCAN_REQUEST;
}
