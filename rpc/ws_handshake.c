/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/ws_handshake.h"

#include "base/check.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <strings.h>

enum { KEY_LEN = 24, KEY_BYTES = 16 };

/* Whether a comma-separated list has a token, compared without case. */
static bool has_token(bytes list, const char *token) {
    const char *s = (const char *)list.ptr, *end = s + list.len;
    size_t len = strlen(token);
    if (s == NULL)
        return false;
    while (s < end) {
        const char *comma = memchr(s, ',', (size_t)(end - s)), *stop = comma ? comma : end;
        const char *a = s, *b = stop;
        while (a < b && (*a == ' ' || *a == '\t'))
            a++;
        while (b > a && (b[-1] == ' ' || b[-1] == '\t'))
            b--;
        if ((size_t)(b - a) == len && strncasecmp(a, token, len) == 0)
            return true;
        s = stop + 1;
    }
    return false;
}

bool ws_handshake_asked(const struct http_request *q) {
    return q->verb == HTTP_VERB_GET && has_token(q->fields[HTTP_FIELD_UPGRADE], "websocket") &&
           has_token(q->fields[HTTP_FIELD_CONNECTION], "upgrade");
}

/* 16 bytes in base64 (RFC 6455 §4.2.1). */
static bool key_ok(bytes key) {
    uint8_t raw[KEY_LEN];
    if (key.len != KEY_LEN || memcmp(key.ptr + KEY_LEN - 2, "==", 2) != 0 ||
        memchr(key.ptr, '=', KEY_LEN - 2) != NULL)
        return false;
    return EVP_DecodeBlock(raw, key.ptr, KEY_LEN) == KEY_BYTES + 2; /* padding counts */
}

bool ws_handshake_accept(const struct http_request *q, char out[WS_ACCEPT_LEN + 1], int *out_status,
                         const char **out_why) {
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
    bytes key = q->fields[HTTP_FIELD_WS_KEY], version = q->fields[HTTP_FIELD_WS_VERSION];
    if (version.len != 2 || memcmp(version.ptr, "13", 2) != 0) {
        *out_status = 426;
        *out_why = "only version 13 of the WebSocket protocol is supported\n";
        return false;
    }
    if (!key_ok(key)) {
        *out_status = 400;
        *out_why = "invalid Sec-WebSocket-Key\n";
        return false;
    }
    uint8_t text[KEY_LEN + sizeof(guid) - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(text, key.ptr, KEY_LEN);
    memcpy(text + KEY_LEN, guid, sizeof(guid) - 1);
    SHA1(text, sizeof(text), digest);
    int n = EVP_EncodeBlock((uint8_t *)out, digest, sizeof(digest));
    CHECK(n == WS_ACCEPT_LEN);
    return true;
}
