/* SPDX-License-Identifier: Apache-2.0 */
/* A log as JSON. Answers to log searches are made of hardly anything else, so the text is put
 * together in one piece, without the writer's steps. */
#include "rpc/format.h"

#include "base/hex.h"

enum {
    QUANTITY_MAX = 18, /* 0x and 16 digits */
    HEAD_MAX = 64 + 42 + 4 * 69,
    TAIL_MAX = 256 + 2 * 66 + 4 * QUANTITY_MAX,
};

struct text {
    char *at;
};

/* A literal, without its NUL. */
#define PUT(t, literal) put((t), (literal), sizeof(literal) - 1)
static void put(struct text *t, const char *s, size_t len) {
    memcpy(t->at, s, len);
    t->at += len;
}

static void put_hex(struct text *t, const uint8_t *p, size_t len) {
    hex_encode(t->at, p, len);
    t->at += 2 * len;
}

static void put_quantity(struct text *t, uint64_t v) {
    uint8_t be[8];
    char digits[16];
    be64_store(be, v);
    hex_encode(digits, be, 8);
    size_t zeros = 0;
    while (zeros < 15 && digits[zeros] == '0')
        zeros++;
    PUT(t, "0x");
    put(t, digits + zeros, 16 - zeros);
}

static size_t head_text(char out[HEAD_MAX], const struct log_entry *log) {
    struct text t = {out};
    PUT(&t, "{\"address\":\"0x");
    put_hex(&t, log->address.b, 20);
    PUT(&t, "\",\"topics\":[");
    for (size_t i = 0; i < log->topic_count; i++) {
        if (i > 0)
            PUT(&t, ",");
        PUT(&t, "\"0x");
        put_hex(&t, log->topics[i].b, 32);
        PUT(&t, "\"");
    }
    PUT(&t, "],\"data\":\"0x");
    return (size_t)(t.at - out);
}

static size_t tail_text(char out[TAIL_MAX], const struct index_log *l) {
    struct text t = {out};
    PUT(&t, "\",\"blockNumber\":\"");
    put_quantity(&t, l->block->number);
    PUT(&t, "\",\"transactionHash\":\"0x");
    put_hex(&t, l->tx_hash->b, 32);
    PUT(&t, "\",\"transactionIndex\":\"");
    put_quantity(&t, l->tx_idx);
    PUT(&t, "\",\"blockHash\":\"0x");
    put_hex(&t, l->block->hash.b, 32);
    PUT(&t, "\",\"blockTimestamp\":\"");
    put_quantity(&t, l->block->timestamp);
    PUT(&t, "\",\"logIndex\":\"");
    put_quantity(&t, l->log_idx);
    PUT(&t, "\",\"removed\":false}");
    return (size_t)(t.at - out);
}

void format_log(struct json_writer *w, const struct index_log *l) {
    char head[HEAD_MAX], tail[TAIL_MAX];
    size_t head_len = head_text(head, l->log), tail_len = tail_text(tail, l);
    char *p = jw_place(w, head_len + 2 * l->log->data.len + tail_len);
    if (p == NULL)
        return;
    memcpy(p, head, head_len);
    hex_encode(p + head_len, l->log->data.ptr, l->log->data.len);
    memcpy(p + head_len + 2 * l->log->data.len, tail, tail_len);
}
