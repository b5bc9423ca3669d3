/* SPDX-License-Identifier: Apache-2.0 */
/* RLP. Properties, for any bytes:
 *  - rlp_validate says yes exactly when a walk with rlp_next over all nested items succeeds;
 *  - a valid input, taken apart and encoded again from its items, is the same bytes (one encoding
 * each);
 *  - each typed reader that accepts an item encodes it back to the bytes it took, and one that
 * refuses leaves the input where it was. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/rlp.h"

struct level {
    bytes rest;  /* items of this list that are still to come */
    size_t mark; /* where its encoding began */
};

static void put_string(struct buf *out, bytes payload) {
#ifdef FUZZ_PLANT_BUG
    /* The bug that a search must find: the longer strings of the short form are written in the long
     * one. */
    if (payload.len >= 8 && payload.len < 56) {
        const uint8_t head[] = {0xb8, (uint8_t)payload.len};
        buf_append(out, head, sizeof(head));
        buf_append(out, payload.ptr, payload.len);
        return;
    }
#endif
    rlp_put_bytes(out, payload.ptr, payload.len);
}

/* Takes exactly one item apart and encodes it again into out. */
static bool walk(struct buf *out, bytes in) {
    static struct level levels[RLP_DEPTH_MAX];
    size_t depth = 0;
    bytes *rest = &in;
    do {
        struct rlp_item item;
        if (rlp_next(rest, &item) != ERR_OK)
            return false;
        CHECK(item.raw.ptr + item.raw.len == item.payload.ptr + item.payload.len);
        if (!item.is_list) {
            put_string(out, item.payload);
        } else {
            if (depth == RLP_DEPTH_MAX)
                return false;
            levels[depth++] = (struct level){.rest = item.payload, .mark = rlp_list_begin(out)};
        }
        while (depth > 0 && levels[depth - 1].rest.len == 0)
            rlp_list_end(out, levels[--depth].mark);
        rest = depth > 0 ? &levels[depth - 1].rest : &in;
    } while (depth > 0);
    return in.len == 0;
}

static void check_took(bytes before, bytes after, const struct buf *again) {
    CHECK(after.ptr == before.ptr + again->len);
    CHECK(after.len == before.len - again->len);
    CHECK(memcmp(before.ptr, again->ptr, again->len) == 0);
}

static void check_integers(bytes in) {
    struct buf b;
    buf_init(&b, 64);
    bytes rest = in;
    uint64_t u;
    u256 v;
    bool fits_u64 = rlp_next_u64(&rest, &u) == ERR_OK;
    if (fits_u64) {
        rlp_put_u64(&b, u);
        check_took(in, rest, &b);
    } else {
        CHECK(rest.ptr == in.ptr && rest.len == in.len);
    }
    rest = in;
    buf_reset(&b);
    if (rlp_next_u256(&rest, &v) == ERR_OK) {
        rlp_put_u256(&b, &v);
        check_took(in, rest, &b);
        CHECK(fits_u64 == u256_fits_u64(&v));
        CHECK(!fits_u64 || v.w[0] == u);
    } else {
        CHECK(!fits_u64);
        CHECK(rest.ptr == in.ptr && rest.len == in.len);
    }
    buf_clear(&b);
}

static void check_fixed(bytes in) {
    struct buf b;
    buf_init(&b, 64);
    bytes rest = in;
    hash32 h;
    addr20 a;
    bool present;
    if (rlp_next_fixed(&rest, h.b, sizeof(h.b)) == ERR_OK) {
        rlp_put_hash(&b, &h);
        check_took(in, rest, &b);
    }
    rest = in;
    buf_reset(&b);
    if (rlp_next_opt_addr(&rest, &a, &present) == ERR_OK) {
        if (present)
            rlp_put_addr(&b, &a);
        else
            rlp_put_bytes(&b, NULL, 0);
        check_took(in, rest, &b);
    } else {
        CHECK(rest.ptr == in.ptr && rest.len == in.len);
    }
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bytes in = bytes_of(data, size);
    struct buf out;
    buf_init(&out, 2 * size + 64);
    bool valid = rlp_validate(in) == ERR_OK;
    CHECK(walk(&out, in) == valid);
    if (valid) {
        CHECK(!out.overflow);
        CHECK(out.len == size);
        CHECK(memcmp(out.ptr, data, size) == 0);
    }
    buf_clear(&out);
    check_integers(in);
    check_fixed(in);
    size_t count;
    if (rlp_count(in, &count) == ERR_OK)
        CHECK(count <= size);
    return 0;
}
