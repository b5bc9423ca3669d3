/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: only the very text of a key that works opens anything; what is kept is not the secret.
 * Covers: api_keys.c, api_http.c */
#include "rpc/api_http.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const uint8_t pepper[32] = {1, 2, 3};
static struct node_commands node = {
    .api_pepper = pepper,
    .admin_key =
        "ak_0123456789abcdef_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};

static bytes text(const char *s) {
    return bytes_of(s, strlen(s));
}

Test(api_keys, checks) {
    struct api_keys *k = api_keys_new(&node);
    struct api_key key = {.kind = API_KEY_SECRET, .slug = "arena", .scopes = API_SCOPE_MINT};
    struct api_principal who;
    char shown[API_KEY_TEXT_MAX], wrong[API_KEY_TEXT_MAX];
    cr_assert(api_key_make(k, &key, shown));
    cr_assert_eq(api_keys_check(k, text(shown), 5, &who), API_KEY_UNKNOWN);
    api_keys_put(k, &key);
    cr_assert_eq(api_keys_check(k, text(shown), 5, &who), API_KEY_OK);
    cr_expect_str_eq(who.slug, "arena");
    cr_expect_eq(who.scopes, API_SCOPE_MINT);
    for (size_t i = 0; i < strlen(shown); i++) { /* each character counts */
        memcpy(wrong, shown, sizeof(wrong));
        wrong[i] = wrong[i] == '1' ? '2' : '1';
        cr_expect_neq(api_keys_check(k, text(wrong), 5, &who), API_KEY_OK, "character %zu", i);
    }
    cr_expect_neq(api_keys_check(k, bytes_of(shown, strlen(shown) - 1), 5, &who), API_KEY_OK);
    wrong[0] = 'p';
    memcpy(wrong + 1, shown + 1, sizeof(wrong) - 1);
    cr_expect_eq(api_keys_check(k, text(wrong), 5, &who), API_KEY_UNKNOWN);

    key.expires_ms = 10;
    api_keys_put(k, &key);
    cr_expect_eq(api_keys_check(k, text(shown), 9, &who), API_KEY_OK);
    cr_expect_eq(api_keys_live(k, "arena", 9), 1);
    cr_expect_eq(api_keys_check(k, text(shown), 10, &who), API_KEY_EXPIRED);
    cr_expect_eq(api_keys_recheck(k, key.id, 9), API_KEY_OK);
    cr_expect_eq(api_keys_recheck(k, key.id, 10), API_KEY_EXPIRED);
    cr_expect_eq(api_keys_recheck(k, key.id + 1, 9), API_KEY_UNKNOWN);
    cr_expect_eq(api_keys_live(k, "arena", 10), 0);
    key.revoked_ms = 11;
    api_keys_put(k, &key);
    cr_expect_eq(api_keys_check(k, text(shown), 9, &who), API_KEY_REVOKED);
    cr_expect_eq(api_keys_recheck(k, key.id, 9), API_KEY_REVOKED);
    wrong[0] = 's';
    wrong[50] = wrong[50] == '1' ? '2' : '1';
    cr_expect_eq(api_keys_check(k, text(wrong), 9, &who), API_KEY_UNKNOWN); /* says no more */
    api_keys_free(k);
}

Test(api_keys, admin) {
    struct api_keys *k = api_keys_new(&node);
    struct api_principal who;
    char wrong[API_KEY_TEXT_MAX];
    cr_assert_eq(api_keys_check(k, text(node.admin_key), 0, &who), API_KEY_OK);
    cr_expect_eq(who.kind, API_KEY_ADMIN);
    strncpy(wrong, node.admin_key, sizeof(wrong) - 1);
    wrong[83] ^= 1;
    wrong[84] = '\0';
    cr_expect_eq(api_keys_check(k, text(wrong), 0, &who), API_KEY_UNKNOWN);
    api_keys_free(k);
}

Test(api_keys, kept) {
    struct api_keys *k = api_keys_new(&node);
    struct api_key key = {.kind = API_KEY_PUBLISHABLE,
                          .slug = "abcdefghijklmn",
                          .scopes = API_SCOPE_READ,
                          .created_ms = 1,
                          .expires_ms = 2,
                          .revoked_ms = 3,
                          .label = "a label"},
                   back;
    char shown[API_KEY_TEXT_MAX];
    uint8_t id[8], secret[32];
    struct buf b;
    buf_init(&b, 4096);
    cr_assert(api_key_make(k, &key, shown));
    api_key_pack(&b, &key);
    be64_store(id, key.id);
    cr_assert_eq(api_key_unpack(&back, bytes_of(id, 8), buf_bytes(&b)), ERR_OK);
    cr_expect_eq(back.id, key.id);
    cr_expect_str_eq(back.slug, key.slug);
    cr_expect_str_eq(back.label, key.label);
    cr_expect_eq(back.revoked_ms, 3);
    for (size_t len = 0; len < 80; len++) { /* up to the label, which may be of any length */
        enum err e = api_key_unpack(&back, bytes_of(id, 8), bytes_of(b.ptr, len));
        cr_expect(e == ERR_CORRUPT || len >= 63 + 14, "%zu bytes", len);
    }
    for (size_t i = 0; i < 32; i++) {
        unsigned v = 0;
        cr_assert_eq(sscanf(shown + 20 + 2 * i, "%2x", &v), 1);
        secret[i] = (uint8_t)v;
    }
    cr_expect_null(memmem(b.ptr, b.len, secret, 32));
    cr_expect_null(memmem(b.ptr, b.len, shown + 20, 64));
    buf_clear(&b);
    api_keys_free(k);
}

/* Changes may be told in another order than they were made in. */
Test(api_keys, stays_revoked) {
    struct api_keys *k = api_keys_new(&node);
    struct api_key key = {.id = 7, .kind = API_KEY_SECRET, .slug = "arena", .expires_ms = 50}, back;
    api_keys_put(k, &key);
    api_keys_revoke(k, 7, 20);
    key.expires_ms = 90;
    api_keys_put(k, &key);
    cr_assert(api_keys_get(k, 7, &back));
    cr_expect_eq(back.revoked_ms, 20);
    cr_expect_eq(back.expires_ms, 50);
    cr_expect_eq(api_keys_recheck(k, 7, 1), API_KEY_REVOKED);
    api_keys_free(k);
}

/* A universe's keys are its own; those that ended first go first, and none that works. */
Test(api_keys, surplus) {
    enum { ENDED = KEYS_ENDED_MAX + 3, LIVE = 5, MAX = 8 };
    struct api_keys *k = api_keys_new(&node);
    struct api_key list[2];
    uint64_t ids[MAX];
    for (uint64_t i = 1; i <= ENDED + LIVE; i++) {
        struct api_key key = {.id = i, .slug = "arena", .created_ms = 1000 - i};
        if (i <= ENDED && i % 2 == 0)
            key.revoked_ms = 100 + i;
        else if (i <= ENDED)
            key.expires_ms = 100 + i;
        api_keys_put(k, &key);
        key.id += 1000;
        memcpy(key.slug, "other", 6);
        api_keys_put(k, &key);
    }
    cr_expect_eq(api_keys_live(k, "arena", 500), LIVE);
    cr_assert_eq(api_keys_surplus(k, "arena", 500, ids, MAX), 4);
    for (uint64_t i = 0; i < 4; i++)
        cr_expect_eq(ids[i], i + 1);
    cr_expect_eq(api_keys_surplus(k, "arena", 500, ids, 2), 2);
    for (size_t i = 0; i < 4; i++)
        api_keys_drop(k, i + 1);
    api_keys_drop(k, 1);
    cr_expect_eq(api_keys_surplus(k, "arena", 500, ids, MAX), 0);
    cr_expect_eq(api_keys_list(k, "arena", list, 2), ENDED + LIVE - 4);
    cr_expect_eq(list[0].id, ENDED + LIVE); /* the first by creation */
    cr_expect_eq(list[1].id, ENDED + LIVE - 1);
    cr_expect_eq(api_keys_list(k, "other", NULL, 0), ENDED + LIVE);
    cr_expect_eq(api_keys_list(k, "nobody", list, 2), 0);
    api_keys_free(k);
}

Test(api_keys, room) {
    struct api_keys *k = api_keys_new(&node);
    struct api_key key = {.id = 1, .slug = "arena"};
    api_keys_put(k, &key);
    cr_expect_not(api_keys_reserve(k, KEYS_MAX));
    cr_expect(api_keys_reserve(k, KEYS_MAX - 1));
    cr_expect_not(api_keys_reserve(k, 1));
    api_keys_unreserve(k, KEYS_MAX - 1);
    cr_expect(api_keys_reserve(k, 1));
    api_keys_free(k);
}

static bool good_row;
static void one_row(void *ctx, enum kv_space space, bytes from, kv_each_fn fn, void *fn_ctx) {
    static const uint8_t id[8] = {1};
    struct api_key key = {.kind = API_KEY_SECRET, .slug = "arena"};
    struct buf b;
    (void)ctx;
    (void)from;
    cr_assert_eq(space, KV_API_KEY);
    buf_init(&b, 4096);
    api_key_pack(&b, &key);
    (void)fn(fn_ctx, bytes_of(id, 8), bytes_of(b.ptr, good_row ? b.len : 10));
    buf_clear(&b);
}

/* A node that cannot read its keys does not go on without them. */
Test(api_keys, unreadable) {
    struct node_commands n = node;
    n.kv_each = one_row;
    cr_expect_null(api_keys_new(&n));
    good_row = true;
    struct api_keys *k = api_keys_new(&n);
    cr_assert_not_null(k);
    cr_expect_eq(api_keys_live(k, "arena", 1), 1);
    api_keys_free(k);
}

Test(api_keys, scopes) {
    cr_expect_eq(api_scope_find("mint"), API_SCOPE_MINT);
    cr_expect_eq(api_scope_find("nothing"), 0);
    cr_expect_eq(api_scopes_of_kind(API_KEY_PUBLISHABLE), API_SCOPE_READ);
    cr_expect_eq(api_scopes_of_kind(API_KEY_SECRET) & API_SCOPE_ADMIN, 0);
    cr_expect_eq(api_scopes_of_kind(API_KEY_NONE), 0);
}

static enum api_problem origin_of(struct api_keys *k, struct api_origin *o, enum http_field f,
                                  const char *value, bool strict) {
    struct http_request q = {.verb = HTTP_VERB_GET, .target = text("/v1/x?y")};
    const char *why = NULL;
    q.fields[f] = text(value);
    enum api_problem p = api_http_origin(o, &q, k, 1, strict, &why);
    cr_expect_eq(p != API_OK, why != NULL);
    return p;
}

Test(api_http, origins) {
    struct api_keys *k = api_keys_new(&node);
    struct api_origin o;
    char bearer[128];
    snprintf(bearer, sizeof(bearer), "bearer  %s ", node.admin_key);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_AUTHORIZATION, bearer, true), API_OK);
    cr_expect_eq(o.who.kind, API_KEY_ADMIN);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_API_KEY, node.admin_key, true), API_OK);
    cr_expect_eq(o.who.kind, API_KEY_ADMIN);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_AUTHORIZATION, "Basic abc", true),
                 API_UNAUTHENTICATED);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_AUTHORIZATION, "Basic abc", false), API_OK);
    cr_expect_eq(o.who.kind, API_KEY_NONE);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_AUTHORIZATION, "Bearer sk_x", false),
                 API_UNAUTHENTICATED);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_IDEMPOTENCY_KEY, " a key ", true), API_OK);
    cr_expect_str_eq(o.idempotency_key, "a key");
    cr_expect_not(o.forwarded);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_FORWARDED, "", false), API_OK);
    cr_expect(o.forwarded);
    char big[300];
    memset(big, 'a', 256);
    big[256] = '\0';
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_IDEMPOTENCY_KEY, big, true), API_INVALID);
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_REQUEST_ID, "a\"b", true), API_OK);
    cr_expect_eq(strlen(o.request_id), 32); /* one of our own */
    cr_expect_eq(origin_of(k, &o, HTTP_FIELD_REQUEST_ID, "trace-1", true), API_OK);
    cr_expect_str_eq(o.request_id, "trace-1");
    api_keys_free(k);
}

Test(api_http, paths) {
    char slug[API_SLUG_MAX + 1];
    cr_expect(api_http_is_universe(text("/u/arena"), slug));
    cr_expect_str_eq(slug, "arena");
    cr_expect_not(api_http_is_universe(text("/u/"), slug));
    cr_expect_not(api_http_is_universe(text("/u/a/b"), slug));
    cr_expect_not(api_http_is_universe(text("/u/abcdefghijklmno"), slug));
    cr_expect(api_http_is_api(text("/v1/x")));
    cr_expect_not(api_http_is_api(text("/v1")));
}
