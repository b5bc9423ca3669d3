/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: bodies come back as they were, on the spot or through the thread; headers are understood.
 * Covers: gzip.c */
#include "rpc/gzip.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdlib.h>
#include <zlib.h>

static bool accepted(const char *s) {
    return rpc_gzip_accepted(bytes_of((const uint8_t *)s, strlen(s)));
}

Test(gzip, header) {
    cr_expect(accepted("gzip") && accepted("deflate, gzip") && accepted("GZIP;q=0.1,br"));
    cr_expect(accepted("*") && accepted(" gzip ; q=1.000 "));
    cr_expect(!accepted("") && !accepted("br") && !accepted("xgzip") && !accepted("gzipx"));
    cr_expect(!accepted("gzip;q=0") && !accepted("gzip; q=0.000") && !accepted("*;q=0"));
    cr_expect(!accepted("*, gzip;q=0") && !accepted("gzip;q=0, *"));
    cr_expect(!rpc_gzip_accepted(bytes_of(NULL, 0)));
}

struct got {
    struct event_base *base;
    struct buf bodies[4];
    bool gzip[4];
    size_t count;
};

static void on_done(void *ctx, uint64_t tag, struct buf *body, bool gzip) {
    struct got *g = ctx;
    g->bodies[tag] = *body;
    g->gzip[tag] = gzip;
    g->count++;
    event_base_loopbreak(g->base);
}

/* A body that repeats itself, or does not. */
static struct buf body_of(size_t len, bool random) {
    struct buf b;
    uint64_t x = 1;
    buf_init(&b, len);
    uint8_t *p = buf_extend(&b, len);
    for (size_t i = 0; i < len; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        p[i] = random ? (uint8_t)(x >> 56) : (uint8_t)("0123456789abcdef"[i % 16]);
    }
    return b;
}

static void expect_unpacks(const struct buf *packed, const struct buf *plain) {
    z_stream z = {.next_in = packed->ptr, .avail_in = (uInt)packed->len};
    uint8_t *out = malloc(plain->len + 1);
    z.next_out = out;
    z.avail_out = (uInt)plain->len + 1;
    cr_assert_eq(inflateInit2(&z, 15 + 16), Z_OK);
    cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    cr_expect_eq(z.total_out, plain->len);
    cr_expect_eq(memcmp(out, plain->ptr, plain->len), 0);
    inflateEnd(&z);
    free(out);
}

Test(gzip, bodies) {
    static const struct {
        size_t len;
        bool random, gzip;
    } cases[] = {{RPC_GZIP_MIN_BYTES, false, false},
                 {RPC_GZIP_MIN_BYTES + 1, false, true},
                 {RPC_GZIP_AT_ONCE_BYTES + 1, false, true},
                 {3 << 20, false, true}};
    struct got g = {.base = event_base_new()};
    struct err_ctx ec;
    struct rpc_gzip *z = rpc_gzip_new(g.base, on_done, &g, &ec);
    cr_assert_not_null(z);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b = body_of(cases[i].len, false);
        rpc_gzip_run(z, i, &b);
    }
    while (g.count < ARRAY_LEN(cases))
        event_base_dispatch(g.base);
    cr_expect_eq(rpc_gzip_pending(z), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf plain = body_of(cases[i].len, false);
        cr_expect_eq(g.gzip[i], cases[i].gzip, "case %zu", i);
        if (g.gzip[i])
            expect_unpacks(&g.bodies[i], &plain);
        else
            cr_expect_eq(g.bodies[i].len, plain.len);
        buf_clear(&plain);
        buf_clear(&g.bodies[i]);
    }
    /* What does not shrink goes out as it is. */
    struct buf noise = body_of(20000, true);
    rpc_gzip_run(z, 0, &noise);
    cr_expect(!g.gzip[0]);
    cr_expect_eq(g.bodies[0].len, 20000);
    buf_clear(&g.bodies[0]);
    /* Work in hand is dropped with the rest. */
    struct buf last = body_of(1 << 20, false);
    rpc_gzip_run(z, 1, &last);
    rpc_gzip_free(z);
    event_base_free(g.base);
}
