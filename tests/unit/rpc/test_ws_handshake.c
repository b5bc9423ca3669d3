/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the handshake of RFC 6455 §4.2, its own example, and what is refused.
 * Covers: ws_handshake.c */
#include "rpc/ws_handshake.h"

#include <criterion/criterion.h>

static bytes text(const char *s) {
    return bytes_of((const uint8_t *)s, strlen(s));
}

static struct http_request good(void) {
    struct http_request q = {.verb = HTTP_VERB_GET};
    q.fields[HTTP_FIELD_UPGRADE] = text("websocket");
    q.fields[HTTP_FIELD_CONNECTION] = text("keep-alive, Upgrade");
    q.fields[HTTP_FIELD_WS_KEY] = text("dGhlIHNhbXBsZSBub25jZQ==");
    q.fields[HTTP_FIELD_WS_VERSION] = text("13");
    return q;
}

Test(ws_handshake, example_of_the_rfc) {
    struct http_request q = good();
    char out[WS_ACCEPT_LEN + 1];
    int status;
    const char *why;
    cr_expect(ws_handshake_asked(&q));
    cr_assert(ws_handshake_accept(&q, out, &status, &why));
    cr_expect_str_eq(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

Test(ws_handshake, asked) {
    static const struct {
        const char *upgrade, *connection;
        enum http_verb verb;
        bool asked;
    } cases[] = {
        {"WebSocket", "upgrade", HTTP_VERB_GET, true},
        {"h2c , websocket", "\tUPGRADE\t", HTTP_VERB_GET, true},
        {"websocket", "close", HTTP_VERB_GET, false},
        {"websocket", "upgraded", HTTP_VERB_GET, false},
        {"websockets", "upgrade", HTTP_VERB_GET, false},
        {"", "upgrade", HTTP_VERB_GET, false},
        {"websocket", NULL, HTTP_VERB_GET, false},
        {"websocket", "upgrade", HTTP_VERB_POST, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request q = good();
        q.verb = cases[i].verb;
        q.fields[HTTP_FIELD_UPGRADE] = text(cases[i].upgrade);
        q.fields[HTTP_FIELD_CONNECTION] =
            cases[i].connection != NULL ? text(cases[i].connection) : bytes_of(NULL, 0);
        cr_expect_eq(ws_handshake_asked(&q), cases[i].asked, "case %zu", i);
    }
}

Test(ws_handshake, refused) {
    static const struct {
        const char *key, *version;
        int status;
    } cases[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "8", 426},
        {"dGhlIHNhbXBsZSBub25jZQ==", "", 426},
        {"dGhlIHNhbXBsZSBub25jZQ==", "130", 426},
        {"", "13", 400},
        {"dGhlIHNhbXBsZSBub25jZQ", "13", 400},
        {"dGhlIHNhbXBsZSBub25jZQA=", "13", 400}, /* 17 bytes */
        {"dGhlIHNhbXBs*SBub25jZQ==", "13", 400},
        {"dGhl=HNhbXBsZSBub25jZQ==", "13", 400},
        {"dGhlIHNhbXBsZSBub25jZQ==AAAA", "13", 400},
    };
    char out[WS_ACCEPT_LEN + 1];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request q = good();
        int status = 0;
        const char *why = NULL;
        q.fields[HTTP_FIELD_WS_KEY] = text(cases[i].key);
        q.fields[HTTP_FIELD_WS_VERSION] = text(cases[i].version);
        cr_expect(!ws_handshake_accept(&q, out, &status, &why), "case %zu", i);
        cr_expect_eq(status, cases[i].status, "case %zu: %d", i, status);
    }
}
