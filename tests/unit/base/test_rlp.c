/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: encoding follows the Yellow Paper's appendix B, decoding takes exactly what encoding gives.
 * Method: pinned encodings, malformed inputs, random nested values there and back, all inputs of
 * two bytes against the rules written out, and the Ethereum tests' RLP vectors ($CORPORA/rlp). */
#include "base/rlp.h"

#include "base/hex.h"

#include <criterion/criterion.h>
#include <gmp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static struct buf from_hex(const char *s) {
    struct buf b;
    buf_init(&b, 1 << 20);
    cr_assert_eq(hex_decode_buf(&b, s, strlen(s)), ERR_OK, "%s", s);
    return b;
}

static void expect_put(struct buf *b, const char *want_hex) {
    struct buf want = from_hex(want_hex);
    cr_expect_not(b->overflow);
    cr_expect(b->len == want.len && memcmp(b->ptr, want.ptr, want.len) == 0, "%s", want_hex);
    cr_expect_eq(rlp_validate(buf_bytes(b)), ERR_OK);
    buf_clear(&want);
    buf_clear(b);
}

Test(rlp, encodings) {
    struct buf b;
    buf_init(&b, 4096);
    rlp_put_bytes(&b, NULL, 0);
    expect_put(&b, "80");
    rlp_put_bytes(&b, "\0", 1);
    expect_put(&b, "00");
    rlp_put_bytes(&b, "\x7f", 1);
    expect_put(&b, "7f");
    rlp_put_bytes(&b, "\x80", 1);
    expect_put(&b, "8180");
    rlp_put_u64(&b, 0);
    expect_put(&b, "80");
    rlp_put_u64(&b, 127);
    expect_put(&b, "7f");
    rlp_put_u64(&b, 128);
    expect_put(&b, "8180");
    rlp_put_u64(&b, UINT64_MAX);
    expect_put(&b, "88ffffffffffffffff");
    u256 v = {{0, 0, 0, 1}};
    rlp_put_u256(&b, &v);
    expect_put(&b, "9901000000000000000000000000000000000000000000000000");
    size_t mark = rlp_list_begin(&b);
    rlp_list_end(&b, mark);
    expect_put(&b, "c0");
    mark = rlp_list_begin(&b);
    rlp_put_bytes(&b, "cat", 3);
    size_t inner = rlp_list_begin(&b);
    rlp_put_bytes(&b, "dog", 3);
    rlp_list_end(&b, inner);
    buf_append(&b, "\xc1\x05", 2);
    rlp_list_end(&b, mark);
    expect_put(&b, "cb83636174c483646f67c105");
    addr20 a = {{1}};
    hash32 h = {{2}};
    rlp_put_addr(&b, &a);
    expect_put(&b, "940100000000000000000000000000000000000000");
    rlp_put_hash(&b, &h);
    expect_put(&b, "a00200000000000000000000000000000000000000000000000000000000000000");
}

/* Lengths around each change of the header's form. */
Test(rlp, header_lengths) {
    static const struct {
        size_t len, header;
    } rows[] = {{0, 1}, {2, 1}, {55, 1}, {56, 2}, {255, 2}, {256, 3}, {65535, 3}, {65536, 4}};
    static uint8_t data[65536];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b;
        buf_init(&b, 70000);
        cr_expect_eq(rlp_header_len(false, rows[i].len, 0), rows[i].header);
        cr_expect_eq(rlp_header_len(true, rows[i].len, 0), rows[i].header);
        rlp_put_bytes(&b, data, rows[i].len);
        cr_expect_eq(b.len, rows[i].len + rows[i].header);
        bytes in = buf_bytes(&b), payload;
        cr_expect_eq(rlp_next_bytes(&in, &payload), ERR_OK);
        cr_expect(payload.len == rows[i].len && in.len == 0);
        buf_reset(&b);
        size_t mark = rlp_list_begin(&b);
        for (size_t k = 0; k < rows[i].len; k++)
            rlp_put_u64(&b, 1);
        rlp_list_end(&b, mark);
        cr_expect_eq(b.len, rows[i].len + rows[i].header);
        in = buf_bytes(&b);
        cr_expect_eq(rlp_next_list(&in, &payload), ERR_OK);
        size_t count;
        cr_expect_eq(rlp_count(payload, &count), ERR_OK);
        cr_expect_eq(count, rows[i].len);
        cr_expect_eq(rlp_validate(buf_bytes(&b)), ERR_OK);
        buf_clear(&b);
    }
    cr_expect_eq(rlp_header_len(false, 1, 0x7f), 0u);
    cr_expect_eq(rlp_header_len(false, 1, 0x80), 1u);
    cr_expect_eq(rlp_header_len(true, 1, 0x7f), 1u);
    cr_expect_eq(rlp_header_len(false, SIZE_MAX, 0), 9u);
}

Test(rlp, malformed) {
    static const char *const rows[] = {
        "",                   /* nothing */
        "81",                 /* short of its payload */
        "8100",               /* a byte that stands for itself */
        "817f",               /* the same */
        "83ffff",             /* short */
        "b8",                 /* no length */
        "b800",               /* long form, length 0 */
        "b837",               /* long form for 55 */
        "b90001",             /* leading zero in the length */
        "b90038",             /* the same, with a proper value */
        "b838",               /* short of its payload */
        "bfffffffffffffffff", /* 2^64 - 1 bytes */
        "bf8000000000000000", /* 2^63 bytes */
        "bb7fffffff",         /* 2^31 - 1 bytes */
        "c1",                 /* list short of its payload */
        "c281",               /* the same within */
        "c28100",             /* bad item within */
        "c20080",             /* well-formed; see below */
        "f8",                 /* no length */
        "f80180",             /* long form for a short list */
        "f90000",             /* leading zero */
        "ffffffffffffffffff", /* 2^64 - 1 bytes of list */
        "ff0000000000000038", /* leading zeros */
        "c3c2c1",             /* nested, short */
        "c2c180",             /* well-formed; see below */
        "c1c1",               /* inner list ends after the outer one */
        "c382ffff00",         /* something after the end */
        "8080",               /* two items */
        "c0c0",               /* two lists */
        "c4c1808080",         /* outer list longer than the input is: three items, one byte over */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b = from_hex(rows[i]);
        bool fine = strcmp(rows[i], "c20080") == 0 || strcmp(rows[i], "c2c180") == 0 ||
                    strcmp(rows[i], "c4c1808080") == 0;
        cr_expect_eq(rlp_validate(buf_bytes(&b)), fine ? ERR_OK : ERR_RLP, "%s", rows[i]);
        buf_clear(&b);
    }
}

/* Typed readers refuse other kinds and leave the input where it was. */
static void expect_refused(const char *hex) {
    struct buf b = from_hex(hex);
    bytes in = buf_bytes(&b);
    uint64_t u;
    u256 v;
    uint8_t fixed[2];
    cr_expect_eq(rlp_next_u64(&in, &u), ERR_RLP, "%s", hex);
    cr_expect_eq(rlp_next_u256(&in, &v), ERR_RLP, "%s", hex);
    cr_expect_eq(rlp_next_fixed(&in, fixed, 2), ERR_RLP, "%s", hex);
    cr_expect(in.ptr == b.ptr && in.len == b.len);
    buf_clear(&b);
}

Test(rlp, typed_readers) {
    expect_refused("c0");
    expect_refused("c3820102");
    expect_refused("00");       /* integer zero is the empty string */
    expect_refused("83000102"); /* leading zero */
    expect_refused("a1010203040506070809101112131415161718192021222324252627282930313233");
    struct buf b = from_hex("8704050607080910820102");
    bytes in = buf_bytes(&b);
    uint64_t u;
    uint8_t fixed[2];
    cr_expect_eq(rlp_next_u64(&in, &u), ERR_OK);
    cr_expect_eq(u, 0x04050607080910u);
    cr_expect_eq(rlp_next_fixed(&in, fixed, 2), ERR_OK);
    cr_expect(fixed[0] == 1 && fixed[1] == 2 && in.len == 0);
    buf_clear(&b);

    b = from_hex("89010000000000000000");
    in = buf_bytes(&b);
    u256 v;
    cr_expect_eq(rlp_next_u64(&in, &u), ERR_RLP);
    cr_expect_eq(rlp_next_u256(&in, &v), ERR_OK);
    cr_expect(v.w[1] == 1 && v.w[0] == 0);
    buf_clear(&b);

    b = from_hex("8094000102030405060708091011121314151617181981ff");
    in = buf_bytes(&b);
    addr20 a;
    bool present = true;
    cr_expect_eq(rlp_next_opt_addr(&in, &a, &present), ERR_OK);
    cr_expect(!present && addr20_is_zero(&a));
    cr_expect_eq(rlp_next_opt_addr(&in, &a, &present), ERR_OK);
    cr_expect(present && a.b[19] == 0x19);
    cr_expect_eq(rlp_next_opt_addr(&in, &a, &present), ERR_RLP);
    cr_expect_eq(in.len, 2u);
    bytes list;
    cr_expect_eq(rlp_next_list(&in, &list), ERR_RLP);
    cr_expect_eq(rlp_next_bytes(&in, &list), ERR_OK);
    cr_expect_eq(rlp_next_bytes(&in, &list), ERR_RLP);
    buf_clear(&b);
}

Test(rlp, depth_is_bounded) {
    struct buf b;
    buf_init(&b, 1 << 20);
    size_t marks[RLP_DEPTH_MAX + 1];
    for (size_t depth = RLP_DEPTH_MAX; depth <= RLP_DEPTH_MAX + 1; depth++) {
        buf_reset(&b);
        for (size_t i = 0; i < depth; i++)
            marks[i] = rlp_list_begin(&b);
        for (size_t i = depth; i-- > 0;)
            rlp_list_end(&b, marks[i]);
        cr_expect_eq(rlp_validate(buf_bytes(&b)), depth <= RLP_DEPTH_MAX ? ERR_OK : ERR_RLP);
    }
    buf_clear(&b);
}

/* Every input of two bytes, judged by the rules as the Yellow Paper states them. */
Test(rlp, all_inputs_of_two_bytes) {
    for (unsigned n = 0; n < 65536; n++) {
        uint8_t in[2] = {(uint8_t)(n >> 8), (uint8_t)n};
        bool string = in[0] == 0x81 && in[1] >= 0x80;
        bool list = in[0] == 0xc1 && (in[1] < 0x80 || in[1] == 0x80 || in[1] == 0xc0);
        cr_assert_eq(rlp_validate(bytes_of(in, 2)) == ERR_OK, string || list, "%04x", n);
    }
    for (unsigned n = 0; n < 256; n++) {
        uint8_t in = (uint8_t)n;
        cr_assert_eq(rlp_validate(bytes_of(&in, 1)) == ERR_OK, n <= 0x80 || n == 0xc0, "%02x", n);
    }
}

static uint32_t random_state = 1;
static uint32_t next_random(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* Random nested lists; then each is taken apart and put together again from its items. */
static void put_random(struct buf *b, int depth) {
    uint8_t data[300];
    uint32_t kind = next_random() % 8;
    if (kind < 5 || depth == 0) {
        size_t len = kind < 3 ? next_random() % 4 : next_random() % sizeof(data);
        for (size_t i = 0; i < len; i++)
            data[i] = (uint8_t)next_random();
        rlp_put_bytes(b, data, len);
        return;
    }
    size_t mark = rlp_list_begin(b);
    for (uint32_t i = next_random() % 6; i > 0; i--)
        put_random(b, depth - 1);
    rlp_list_end(b, mark);
}

static void copy_items(struct buf *out, bytes in, int depth) {
    cr_assert_geq(depth, 0);
    while (in.len > 0) {
        struct rlp_item item;
        cr_assert_eq(rlp_next(&in, &item), ERR_OK);
        if (!item.is_list) {
            rlp_put_bytes(out, item.payload.ptr, item.payload.len);
            continue;
        }
        size_t mark = rlp_list_begin(out);
        copy_items(out, item.payload, depth - 1);
        rlp_list_end(out, mark);
    }
}

Test(rlp, random_round_trips) {
    struct buf a, b;
    buf_init(&a, 1 << 22);
    buf_init(&b, 1 << 22);
    for (int i = 0; i < 3000; i++) {
        buf_reset(&a);
        buf_reset(&b);
        put_random(&a, 6);
        cr_assert_eq(rlp_validate(buf_bytes(&a)), ERR_OK);
        copy_items(&b, buf_bytes(&a), 7);
        cr_assert(a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0);
        /* Cut anywhere, it is malformed. */
        cr_assert_eq(rlp_validate(bytes_of(a.ptr, next_random() % a.len)), ERR_RLP);
    }
    buf_clear(&a);
    buf_clear(&b);
}

Test(rlp, overflow_is_kept) {
    struct buf b;
    buf_init(&b, 10);
    size_t mark = rlp_list_begin(&b);
    rlp_put_bytes(&b, "12345", 5);
    rlp_put_bytes(&b, "12345", 5);
    rlp_list_end(&b, mark);
    cr_expect(b.overflow);
    buf_clear(&b);
}

static void put_json(struct buf *b, const json_t *v) {
    if (json_is_array(v)) {
        size_t mark = rlp_list_begin(b);
        for (size_t i = 0; i < json_array_size(v); i++)
            put_json(b, json_array_get(v, i));
        rlp_list_end(b, mark);
    } else if (json_is_integer(v)) {
        rlp_put_u64(b, (uint64_t)json_integer_value(v));
    } else if (json_string_value(v)[0] == '#') { /* a decimal number of any size */
        mpz_t n;
        mpz_init_set_str(n, json_string_value(v) + 1, 10);
        uint8_t be[64];
        size_t len = 0;
        cr_assert_leq(mpz_sizeinbase(n, 2), 512u);
        mpz_export(be, &len, 1, 1, 1, 0, n);
        rlp_put_bytes(b, be, len);
        if (len <= 32) { /* the same by the integer encoder */
            u256 word = u256_from_be(be, len);
            struct buf other;
            buf_init(&other, 64);
            rlp_put_u256(&other, &word);
            cr_expect_eq(memcmp(other.ptr, b->ptr + b->len - other.len, other.len), 0);
            buf_clear(&other);
        }
        mpz_clear(n);
    } else {
        rlp_put_bytes(b, json_string_value(v), json_string_length(v));
    }
}

static size_t run_vectors(const char *folder, const char *file) {
    char path[1024];
    snprintf(path, sizeof(path), "%s/rlp/%s", folder, file);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    cr_assert_not_null(root, "%s: %s", path, error.text);
    const char *name;
    json_t *row;
    size_t count = 0;
    json_object_foreach(root, name, row) {
        json_t *in = json_object_get(row, "in");
        struct buf out = from_hex(json_string_value(json_object_get(row, "out")));
        const char *verdict = json_string_value(in);
        bool valid = verdict == NULL || strcmp(verdict, "INVALID") != 0;
        cr_expect_eq(rlp_validate(buf_bytes(&out)), valid ? ERR_OK : ERR_RLP, "%s", name);
        if (valid && (verdict == NULL || strcmp(verdict, "VALID") != 0)) {
            struct buf b;
            buf_init(&b, 1 << 20);
            put_json(&b, in);
            cr_expect(b.len == out.len && memcmp(b.ptr, out.ptr, b.len) == 0, "%s", name);
            buf_clear(&b);
        }
        buf_clear(&out);
        count++;
    }
    json_decref(root);
    return count;
}

Test(rlp, ethereum_vectors) {
    const char *folder = getenv("CORPORA");
    if (folder == NULL || folder[0] == '\0') {
        printf("rlp/ethereum_vectors skipped: CORPORA is not set\n");
        return;
    }
    size_t n = run_vectors(folder, "rlptest.json") + run_vectors(folder, "invalidRLPTest.json") +
               run_vectors(folder, "RandomRLPTests/example.json");
    printf("rlp: %zu Ethereum vectors\n", n);
    cr_expect_gt(n, 30u);
}
