/* SPDX-License-Identifier: Apache-2.0 */
#include "state/wal_internal.h"

#include <criterion/criterion.h>

/* Goal: the layout on disk is the one that state/log.h describes, byte by byte. */
Test(wal_codec, layout) {
    struct wal_segment s = {.number = 7, .bytes = 4096, .first_seq = 5};
    memset(s.chain.b, 0xaa, 32);
    uint8_t h[LOG_SEGMENT_HEADER_BYTES];
    wal_encode_segment(h, &s);
    cr_assert(memcmp(h, "CSEG\x01\0\0\0\x07\0\0\0", 12) == 0);
    cr_assert(memcmp(h + 16, "\x05\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\0", 16) == 0);
    struct wal_segment back;
    cr_assert_null(wal_decode_segment(&back, h));
    cr_assert(back.number == 7 && back.bytes == 4096 && back.first_seq == 5 &&
              hash32_eq(&back.chain, &s.chain));
    for (size_t i = 0; i < sizeof h; i++) {
        h[i] ^= 0x10;
        cr_assert_not_null(wal_decode_segment(&back, h), "byte %zu", i);
        h[i] ^= 0x10;
    }
    struct buf b;
    buf_init(&b, 4096);
    struct log_record r = {.kind = LOG_POOL,
                           .version = LOG_VERSION,
                           .epoch = 3,
                           .seq = 9,
                           .pos = {7, 64},
                           .payload = bytes_of("abc", 3)};
    hash32 prev = {{1}}, chain;
    wal_encode(&b, &s, &r, 8, &prev, &chain);
    cr_assert_eq(b.len, 80);
    cr_assert(memcmp(b.ptr, "CREC\x02\0\x01\0\x03\0\0\0", 12) == 0);
    cr_assert(memcmp(b.ptr + 16, "\x03\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0", 24) ==
              0);
    cr_assert(memcmp(b.ptr + 40, chain.b, 32) == 0 && memcmp(b.ptr + 72, "abc\0\0\0\0\0", 8) == 0);
    struct log_record out;
    uint64_t synced;
    cr_assert_null(wal_decode(&out, &synced, &s, b.ptr, b.len, 64));
    cr_assert(synced == 8 && out.seq == 9 && out.epoch == 3 && out.kind == LOG_POOL &&
              out.payload.len == 3);
    /* Elsewhere the same bytes are no record. */
    cr_assert_not_null(wal_decode(&out, NULL, &s, b.ptr, b.len, 72));
    s.number = 8;
    cr_assert_not_null(wal_decode(&out, NULL, &s, b.ptr, b.len, 64));
    s.number = 7;
    for (size_t i = 0; i < 75; i++) {
        b.ptr[i] ^= 0x10;
        cr_assert_not_null(wal_decode(&out, NULL, &s, b.ptr, b.len, 64), "byte %zu", i);
        b.ptr[i] ^= 0x10;
    }
    for (size_t len = 0; len < 75; len++)
        cr_assert_not_null(wal_decode(&out, NULL, &s, b.ptr, len, 64));
    buf_clear(&b);
}

/* Goal: two nodes that synced at different times have the same chain over the same records. */
Test(wal_codec, chain_is_independent_of_syncs_and_place) {
    struct wal_segment s = {.number = 1, .bytes = 4096}, t = {.number = 2, .bytes = 8192};
    struct log_record r = {.kind = LOG_BLOCK,
                           .version = LOG_VERSION,
                           .seq = 4,
                           .pos = {1, 64},
                           .payload = bytes_of("x", 1)},
                      u = r;
    u.pos.offset = 640;
    struct buf b;
    buf_init(&b, 4096);
    hash32 prev = {{9}}, one, two;
    wal_encode(&b, &s, &r, 3, &prev, &one);
    wal_encode(&b, &t, &u, 1, &prev, &two);
    cr_assert(hash32_eq(&one, &two));
    u.epoch = 1;
    wal_encode(&b, &t, &u, 1, &prev, &two);
    cr_assert(!hash32_eq(&one, &two));
    buf_clear(&b);
}
