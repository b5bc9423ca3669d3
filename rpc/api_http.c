/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_http.h"

#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

bytes api_http_path(const struct http_request *q) {
    size_t len = 0;
    while (len < q->target.len && q->target.ptr[len] != '?')
        len++;
    return bytes_of(q->target.ptr, len);
}

bytes api_http_query(const struct http_request *q) {
    size_t len = api_http_path(q).len;
    return bytes_of(q->target.ptr + len, q->target.len - len);
}

bool api_http_is_api(bytes path) {
    return path.len >= 4 && memcmp(path.ptr, "/v1/", 4) == 0;
}

bool api_http_is_universe(bytes path, char out_slug[API_SLUG_MAX + 1]) {
    if (path.len < 4 || memcmp(path.ptr, "/u/", 3) != 0)
        return false;
    const char *slug = (const char *)path.ptr + 3;
    size_t len = path.len - 3;
    if (!api_slug_ok(slug, len))
        return false;
    memcpy(out_slug, slug, len);
    out_slug[len] = '\0';
    return true;
}

/* --- credentials --------------------------------------------------------------------------- */
static bytes trim(bytes b) {
    while (b.len > 0 && (b.ptr[0] == ' ' || b.ptr[0] == '\t'))
        b = bytes_of(b.ptr + 1, b.len - 1);
    while (b.len > 0 && (b.ptr[b.len - 1] == ' ' || b.ptr[b.len - 1] == '\t'))
        b.len--;
    return b;
}

static bool looks_like_key(bytes b) {
    return b.len > 3 && (b.ptr[0] == 's' || b.ptr[0] == 'p' || b.ptr[0] == 'a') &&
           b.ptr[1] == 'k' && b.ptr[2] == '_';
}

/* The key's text out of Authorization or X-Api-Key; empty when there is none of our kind.
 * *out_other: there are credentials of another kind. */
static bytes find_key(const struct http_request *q, bool *out_other) {
    bytes key = trim(q->fields[HTTP_FIELD_API_KEY]);
    bytes auth = trim(q->fields[HTTP_FIELD_AUTHORIZATION]);
    if (key.len > 0)
        return key;
    if (auth.len > 7 && strncasecmp((const char *)auth.ptr, "bearer ", 7) == 0) {
        key = trim(bytes_of(auth.ptr + 7, auth.len - 7));
        if (looks_like_key(key))
            return key;
    }
    *out_other = auth.len > 0;
    return bytes_of(NULL, 0);
}

static enum api_problem check_key(struct api_origin *out, const struct http_request *q,
                                  struct api_keys *keys, uint64_t now_ms, bool strict,
                                  const char **out_why) {
    bool other = false;
    bytes key = find_key(q, &other);
    if (key.len == 0 && !(other && strict))
        return API_OK;
    enum api_key_verdict v = keys == NULL || key.len == 0
                                 ? API_KEY_UNKNOWN
                                 : api_keys_check(keys, key, now_ms, &out->who);
    if (v == API_KEY_OK)
        return API_OK;
    *out_why = api_key_verdict_text(v);
    return API_UNAUTHENTICATED;
}

/* --- names --------------------------------------------------------------------------------- */
static bool printable(bytes b) {
    for (size_t i = 0; i < b.len; i++)
        if (b.ptr[i] < 0x20 || b.ptr[i] >= 0x7f)
            return false;
    return true;
}

/* Characters that need no care in a header, in JSON and in a log. */
static bool plain(bytes b) {
    for (size_t i = 0; i < b.len; i++) {
        uint8_t c = b.ptr[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && strchr("-_.:/", c) == NULL)
            return false;
    }
    return true;
}

static void take_request_id(struct api_origin *out, const struct http_request *q) {
    bytes id = trim(q->fields[HTTP_FIELD_REQUEST_ID]);
    uint64_t fresh[2] = {0};
    if (id.len > 0 && id.len <= API_REQUEST_ID_MAX && plain(id)) {
        memcpy(out->request_id, id.ptr, id.len);
        out->request_id[id.len] = '\0';
        return;
    }
    (void)RAND_bytes((uint8_t *)fresh, sizeof(fresh)); /* else zeros: only a name */
    snprintf(out->request_id, sizeof(out->request_id), "%016" PRIx64 "%016" PRIx64, fresh[0],
             fresh[1]);
}

enum api_problem api_http_origin(struct api_origin *out, const struct http_request *q,
                                 struct api_keys *keys, uint64_t now_ms, bool strict,
                                 const char **out_why) {
    memset(out, 0, sizeof(*out));
    out->forwarded = q->fields[HTTP_FIELD_FORWARDED].ptr != NULL;
    if (strict || q->fields[HTTP_FIELD_UPGRADE].ptr != NULL)
        take_request_id(out, q); /* answers to plain calls of JSON-RPC do not show it */
    bytes key = trim(q->fields[HTTP_FIELD_IDEMPOTENCY_KEY]);
    if (key.len == 0)
        key = trim(q->fields[HTTP_FIELD_X_IDEMPOTENCY_KEY]);
    if (key.len > API_IDEMPOTENCY_KEY_MAX || !printable(key)) {
        *out_why = "an Idempotency-Key has up to 255 printable ASCII characters";
        return API_INVALID;
    }
    if (key.len > 0)
        memcpy(out->idempotency_key, key.ptr, key.len);
    return check_key(out, q, keys, now_ms, strict, out_why);
}
