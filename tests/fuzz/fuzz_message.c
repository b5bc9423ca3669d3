/* SPDX-License-Identifier: Apache-2.0 */
/* Messages. Properties, for any bytes:
 *  - what message_unpack accepts, message_pack writes again as the same bytes; what it refuses
 * leaves the input where it was;
 *  - message_each_l2 gives the items, and request ids, that a plain recursive reading gives;
 *  - framing the items that it gave and flattening that again gives the same items. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/message.h"

#include <stdlib.h>

enum { ITEMS_MAX = 4096 };

struct items {
    size_t count;
    struct {
        uint8_t kind;
        bytes body;
        hash32 id;
    } at[ITEMS_MAX];
};

static enum err collect(void *ctx, uint8_t kind, bytes body, const hash32 *id) {
    struct items *s = ctx;
    CHECK(id != NULL);
    if (s->count == ITEMS_MAX)
        return ERR_TOO_LARGE;
    s->at[s->count].kind = kind;
    s->at[s->count].body = body;
    s->at[s->count++].id = *id;
    return ERR_OK;
}

/* The same by recursion, which the depth limit bounds. */
static enum err plain(struct items *s, bytes item, const hash32 *id, int depth) {
    if (item.len == 0)
        return ERR_OK;
    bytes body = bytes_of(item.ptr + 1, item.len - 1);
    if (item.ptr[0] != L2_BATCH)
        return collect(s, item.ptr[0], body, id);
    if (depth == MESSAGE_BATCH_DEPTH_MAX)
        return ERR_OK;
    for (uint64_t index = 0; body.len >= 8; index++) {
        uint64_t len = be64_load(body.ptr);
        if (len > body.len - 8)
            return ERR_OK;
        uint8_t pre[64] = {0};
        hash32 nested;
        memcpy(pre, id->b, 32);
        be64_store(pre + 56, index);
        keccak256(&nested, pre, 64);
#ifdef FUZZ_PLANT_BUG
        /* The bug that a search must find: items of some lengths are not seen. */
        if (len < 16 || len >= 32)
#endif
            TRY(plain(s, bytes_of(body.ptr + 8, (size_t)len), &nested, depth + 1));
        body = bytes_of(body.ptr + 8 + len, body.len - 8 - (size_t)len);
    }
    return ERR_OK;
}

static void check_same(const struct items *a, const struct items *b) {
    CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        CHECK(a->at[i].kind == b->at[i].kind);
        CHECK(a->at[i].body.ptr == b->at[i].body.ptr && a->at[i].body.len == b->at[i].body.len);
        CHECK(hash32_eq(&a->at[i].id, &b->at[i].id));
    }
}

static void check_framing(const struct items *s, struct items *again) {
    static const hash32 id;
    struct buf b;
    struct message_framer f;
    size_t n = 0;
    buf_init(&b, SIZE_MAX / 2);
    message_frame_begin(&f, &b);
    for (size_t i = 0; i < s->count; i++)
        if (s->at[i].kind == L2_SIGNED_TX) {
            size_t predicted = message_frame_len_with(&f, s->at[i].body.len);
            message_frame_add(&f, s->at[i].body, NULL);
            CHECK(!b.overflow && b.len == predicted);
            n++;
        }
    again->count = 0;
    enum err e = message_each_l2(buf_bytes(&b), &id, collect, again);
    CHECK(e == ERR_OK);
    CHECK(again->count == n);
    for (size_t i = 0, k = 0; i < s->count; i++)
        if (s->at[i].kind == L2_SIGNED_TX) {
            CHECK(again->at[k].kind == L2_SIGNED_TX && again->at[k].body.len == s->at[i].body.len);
            CHECK(s->at[i].body.len == 0 ||
                  memcmp(again->at[k].body.ptr, s->at[i].body.ptr, s->at[i].body.len) == 0);
            k++;
        }
    buf_clear(&b);
}

static void check_storage_form(bytes in) {
    struct message m;
    bytes rest = in;
    enum err e = message_unpack(&m, &rest);
    if (e != ERR_OK) {
        CHECK(rest.ptr == in.ptr && rest.len == in.len);
        return;
    }
    struct buf b;
    buf_init(&b, SIZE_MAX / 2);
    message_pack(&b, &m);
    CHECK(b.len == in.len - rest.len);
    CHECK(memcmp(b.ptr, in.ptr, b.len) == 0);
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct items got, want, again;
    static const hash32 id;
    bytes in = bytes_of(data, size);
    check_storage_form(in);
    got.count = want.count = 0;
    enum err e = message_each_l2(in, &id, collect, &got);
    enum err p = plain(&want, in, &id, 0);
    CHECK(e == p);
    check_same(&got, &want);
    if (e == ERR_OK)
        check_framing(&got, &again);
    return 0;
}
