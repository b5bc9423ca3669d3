/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a log's JSON is exact, whatever the numbers and lengths in it, and never longer than the
 * buffer may become.
 * Method: texts that were written by hand for the extremes; buffers of one byte too few. */
#include "rpc/format.h"

#include <criterion/criterion.h>

#define A20 "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
#define B32 "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"
#define C32 "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"
#define D32 "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4"

struct row {
    unsigned topics;
    const char *data;
    uint64_t number, timestamp;
    uint32_t tx_idx, log_idx;
    const char *text;
};

static const struct row rows[] = {
    {0, "", 0, 0, 0, 0,
     "{\"address\":\"0x" A20 "\",\"topics\":[],\"data\":\"0x\",\"blockNumber\":\"0x0\","
     "\"transactionHash\":\"0x" B32 "\",\"transactionIndex\":\"0x0\",\"blockHash\":\"0x" C32
     "\",\"blockTimestamp\":\"0x0\",\"logIndex\":\"0x0\",\"removed\":false}"},
    {1, "\x01", 0x10, 0x65aabbcc, 9, 0xff,
     "{\"address\":\"0x" A20 "\",\"topics\":[\"0x" D32 "\"],\"data\":\"0x01\","
     "\"blockNumber\":\"0x10\",\"transactionHash\":\"0x" B32
     "\",\"transactionIndex\":\"0x9\",\"blockHash\":\"0x" C32
     "\",\"blockTimestamp\":\"0x65aabbcc\",\"logIndex\":\"0xff\",\"removed\":false}"},
    {4, "\x01\x02\x03\x04\x05", UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX,
     "{\"address\":\"0x" A20 "\",\"topics\":[\"0x" D32 "\",\"0x" D32 "\",\"0x" D32 "\",\"0x" D32
     "\"],\"data\":\"0x0102030405\",\"blockNumber\":\"0xffffffffffffffff\","
     "\"transactionHash\":\"0x" B32 "\",\"transactionIndex\":\"0xffffffff\",\"blockHash\":\"0x" C32
     "\",\"blockTimestamp\":\"0xffffffffffffffff\",\"logIndex\":\"0xffffffff\","
     "\"removed\":false}"},
};

static void write_row(struct buf *out, const struct row *r, size_t max, size_t times) {
    struct index_stamp stamp = {.number = r->number, .timestamp = r->timestamp};
    struct log_entry log = {.topic_count = (uint8_t)r->topics,
                            .data = bytes_of(r->data, strlen(r->data))};
    hash32 tx;
    memset(stamp.hash.b, 0xc3, sizeof(stamp.hash.b));
    memset(tx.b, 0xb2, sizeof(tx.b));
    memset(log.address.b, 0xa1, sizeof(log.address.b));
    memset(log.topics, 0xd4, sizeof(log.topics));
    struct index_log l = {&stamp, &tx, r->tx_idx, r->log_idx, &log};
    struct json_writer w;
    buf_init(out, max);
    jw_init(&w, out);
    jw_array(&w);
    for (size_t i = 0; i < times; i++)
        format_log(&w, &l);
    jw_array_end(&w);
}

Test(format_log, text) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b, want;
        buf_init(&want, 1 << 16);
        buf_printf(&want, "[%s,%s]", rows[i].text, rows[i].text);
        write_row(&b, &rows[i], 1 << 16, 2);
        cr_expect_eq(b.len, want.len, "row %zu: %zu bytes", i, b.len);
        cr_expect(b.len == want.len && memcmp(b.ptr, want.ptr, b.len) == 0, "row %zu: %.*s", i,
                  (int)b.len, (const char *)b.ptr);
        buf_clear(&b);
        buf_clear(&want);
    }
}

Test(format_log, fits_exactly) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].text) + 2;
        struct buf b;
        write_row(&b, &rows[i], len, 1);
        cr_expect(!b.overflow && b.len == len, "row %zu", i);
        buf_clear(&b);
        write_row(&b, &rows[i], len - 2, 1);
        cr_expect(b.overflow, "row %zu", i);
        buf_clear(&b);
    }
}
