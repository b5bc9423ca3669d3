/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: words and dynamic bytes are written as Solidity has them, and no offset or length leads the
 * reader out of its input. Method: selectors and topics hashed again from their signatures; the
 * specification's own example; every one-word change and every cut of a valid encoding. */
#include "bridge/abi.h"

#include "base/hex.h"
#include "base/keccak.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>

Test(abi, selectors_and_topics_are_hashes) {
    hash32 h;
    for (int f = 0; f < ABI_FUNCTION_COUNT; f++) {
        const char *s = abi_function_signature((enum abi_function)f);
        keccak256(&h, s, strlen(s));
        cr_expect_eq(abi_selector((enum abi_function)f), be32_load(h.b), "%s", s);
    }
    for (int e = 0; e < ABI_EVENT_COUNT; e++) {
        const char *s = abi_event_signature((enum abi_event)e);
        keccak256(&h, s, strlen(s));
        hash32 topic = abi_topic((enum abi_event)e);
        cr_expect(hash32_eq(&topic, &h), "%s", s);
    }
}

Test(abi, writes_words_and_bytes) {
    struct buf b;
    buf_init(&b, 1 << 10);
    addr20 a = {{0x11, [19] = 0x22}};
    u256 v = U256_MAX;
    abi_put_u64(&b, 0x0102);
    abi_put_addr(&b, &a);
    abi_put_u256(&b, &v);
    abi_put_u64(&b, 128);
    abi_put_bytes(&b, bytes_of("dave", 4));
    cr_assert_eq(b.len, 4 * 32 + abi_bytes_len(4));
    char text[513] = "";
    hex_encode(text, b.ptr, b.len);
    cr_expect_str_eq(text, "0000000000000000000000000000000000000000000000000000000000000102"
                           "0000000000000000000000001100000000000000000000000000000000000022"
                           "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
                           "0000000000000000000000000000000000000000000000000000000000000080"
                           "0000000000000000000000000000000000000000000000000000000000000004"
                           "6461766500000000000000000000000000000000000000000000000000000000");
    cr_expect_eq(abi_bytes_len(0), 32u);
    cr_expect_eq(abi_bytes_len(32), 64u);
    cr_expect_eq(abi_bytes_len(33), 96u);
    bytes in = buf_bytes(&b), d;
    uint64_t n;
    u256 w;
    addr20 got;
    cr_expect_eq(abi_get_u64(&n, in, 0), ERR_OK);
    cr_expect_eq(n, 0x0102u);
    cr_expect_eq(abi_get_addr(&got, in, 1), ERR_OK);
    cr_expect(addr20_eq(&got, &a));
    cr_expect_eq(abi_get_u256(&w, in, 2), ERR_OK);
    cr_expect(u256_eq(&w, &v));
    cr_expect_eq(abi_get_bytes(&d, in, 3), ERR_OK);
    cr_expect(d.len == 4 && memcmp(d.ptr, "dave", 4) == 0);
    buf_clear(&b);
}

Test(abi, refuses_values_out_of_range) {
    uint8_t word[32] = {0};
    bytes in = bytes_of(word, sizeof word);
    uint64_t n;
    uint8_t small;
    bool flag;
    addr20 a;
    hash32 h;
    cr_expect_eq(abi_get_hash(&h, in, 1), ERR_PARSE);
    cr_expect_eq(abi_get_hash(&h, bytes_of(word, 31), 0), ERR_PARSE);
    cr_expect_eq(abi_get_hash(&h, in, SIZE_MAX), ERR_PARSE);
    word[31] = 2;
    cr_expect_eq(abi_get_bool(&flag, in, 0), ERR_PARSE);
    word[31] = 1;
    cr_expect(abi_get_bool(&flag, in, 0) == ERR_OK && flag);
    word[30] = 1;
    cr_expect_eq(abi_get_u8(&small, in, 0), ERR_PARSE);
    cr_expect_eq(abi_get_u64(&n, in, 0), ERR_OK);
    word[23] = 1;
    cr_expect_eq(abi_get_u64(&n, in, 0), ERR_PARSE);
    cr_expect_eq(abi_get_addr(&a, in, 0), ERR_OK);
    word[11] = 1;
    cr_expect_eq(abi_get_addr(&a, in, 0), ERR_PARSE);
}

/* Whatever offset and length say, what comes back lies within the input. */
Test(abi, bytes_stay_within_the_input) {
    struct rng r = {.state = rng_seed(7)};
    enum { WORDS = 6 };
    static const uint64_t edges[] = {0,   1,   31,  32,  33,  63,         64,
                                     127, 128, 160, 191, 192, UINT64_MAX, UINT64_MAX - 31};
    for (int i = 0; i < 20000; i++) {
        uint8_t in[WORDS * 32] = {0};
        for (size_t w = 0; w < WORDS; w++) {
            be64_store(in + w * 32 + 24, edges[rng_below(&r, ARRAY_LEN(edges))]);
            if (rng_below(&r, 20) == 0)
                in[w * 32 + rng_below(&r, 24)] = 1;
        }
        size_t len = rng_below(&r, sizeof in + 1);
        uint8_t *exact = malloc(len + 1); /* so that a sanitizer sees the end */
        memcpy(exact, in, len);
        bytes out;
        if (abi_get_bytes(&out, bytes_of(exact, len), rng_below(&r, WORDS)) == ERR_OK) {
            cr_assert(out.ptr >= exact && out.ptr + out.len <= exact + len, "SEED case %d", i);
        }
        free(exact);
    }
}

Test(abi, call_needs_its_selector) {
    struct buf b;
    buf_init(&b, 64);
    bytes args;
    abi_put_selector(&b, ABI_BATCH_COUNT);
    cr_expect_eq(abi_get_call(&args, buf_bytes(&b), ABI_BATCH_COUNT), ERR_OK);
    cr_expect_eq(args.len, 0u);
    cr_expect_eq(abi_get_call(&args, buf_bytes(&b), ABI_ROLLUP), ERR_PARSE);
    cr_expect_eq(abi_get_call(&args, bytes_of(b.ptr, 3), ABI_BATCH_COUNT), ERR_PARSE);
    buf_clear(&b);
}

static const char *revert_text(const char *hex) {
    static char out[40];
    uint8_t data[256];
    size_t len;
    cr_assert_eq(hex_decode(data, sizeof data, &len, hex, strlen(hex)), ERR_OK);
    abi_revert_text(out, sizeof out, bytes_of(data, len));
    return out;
}

Test(abi, tells_why_a_call_reverted) {
    cr_expect_str_eq(revert_text(""), "no reason");
    cr_expect_str_eq(revert_text("2dd9fc97"), "custom error 0x2dd9fc97");
    cr_expect_str_eq(
        revert_text("4e487b71" /* Panic(0x11) */
                    "0000000000000000000000000000000000000000000000000000000000000011"),
        "panic 0x11");
    cr_expect_str_eq(
        revert_text("08c379a0"
                    "0000000000000000000000000000000000000000000000000000000000000020"
                    "0000000000000000000000000000000000000000000000000000000000000005"
                    "6e6f0a7965000000000000000000000000000000000000000000000000000000"),
        "no?ye");
    /* A length that lies is no text. */
    cr_expect_str_eq(
        revert_text("08c379a0"
                    "0000000000000000000000000000000000000000000000000000000000000020"
                    "0000000000000000000000000000000000000000000000000000000000000500"),
        "custom error 0x08c379a0");
}
