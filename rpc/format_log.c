/* SPDX-License-Identifier: Apache-2.0 */
/* A log as JSON. Answers to log searches are made of hardly anything else, so the text is written
 * where it stays, in room of exactly its length, without the writer's steps. */
#include "rpc/format.h"

#include "base/check.h"
#include "base/hex.h"

#define OPEN "{\"address\":\"0x"
#define TOPICS "\",\"topics\":["
#define TOPIC "\"0x"
#define DATA "],\"data\":\"0x"
#define NUMBER "\",\"blockNumber\":\""
#define TX_HASH "\",\"transactionHash\":\"0x"
#define TX_INDEX "\",\"transactionIndex\":\""
#define BLOCK_HASH "\",\"blockHash\":\"0x"
#define TIMESTAMP "\",\"blockTimestamp\":\""
#define LOG_INDEX "\",\"logIndex\":\""
#define CLOSE "\",\"removed\":false}"

enum {
    TOPIC_LEN = sizeof(TOPIC "\",") - 1 + 64, /* the last one has no comma */
    FIXED_LEN =
        sizeof(OPEN TOPICS DATA NUMBER TX_HASH TX_INDEX BLOCK_HASH TIMESTAMP LOG_INDEX CLOSE) - 1 +
        40 + 2 * 64,
};
/* A quantity is written with zeros behind it, which what follows overwrites. */
_Static_assert(sizeof(CLOSE) - 1 >= HEX_QUANTITY_MAX - sizeof("0x0") + 1, "no room for the zeros");

static size_t text_len(const struct index_log *l) {
    const struct log_entry *log = l->log;
    return FIXED_LEN + log->topic_count * (size_t)TOPIC_LEN - (log->topic_count > 0) +
           2 * log->data.len + hex_quantity_len(l->block->number) + hex_quantity_len(l->tx_idx) +
           hex_quantity_len(l->block->timestamp) + hex_quantity_len(l->log_idx);
}

/* A literal, without its NUL. */
#define PUT(at, literal) put((at), (literal), sizeof(literal) - 1)
static inline char *put(char *at, const char *s, size_t len) {
    memcpy(at, s, len);
    return at + len;
}

static inline char *put_hex(char *at, const uint8_t *p, size_t len) {
    hex_encode(at, p, len);
    return at + 2 * len;
}

static inline char *put_quantity(char *at, uint64_t v) {
    return at + hex_quantity(at, v);
}

static char *put_log(char *at, const struct log_entry *log) {
    at = PUT(at, OPEN);
    at = put_hex(at, log->address.b, sizeof(log->address.b));
    at = PUT(at, TOPICS);
    for (size_t i = 0; i < log->topic_count; i++) {
        if (i > 0)
            *at++ = ',';
        at = PUT(at, TOPIC);
        at = put_hex(at, log->topics[i].b, sizeof(log->topics[i].b));
        *at++ = '"';
    }
    at = PUT(at, DATA);
    return put_hex(at, log->data.ptr, log->data.len);
}

void format_log(struct json_writer *w, const struct index_log *l) {
    size_t len = text_len(l);
    char *from = jw_place(w, len);
    if (from == NULL)
        return;
    char *at = put_log(from, l->log);
    at = PUT(at, NUMBER);
    at = put_quantity(at, l->block->number);
    at = PUT(at, TX_HASH);
    at = put_hex(at, l->tx_hash->b, sizeof(l->tx_hash->b));
    at = PUT(at, TX_INDEX);
    at = put_quantity(at, l->tx_idx);
    at = PUT(at, BLOCK_HASH);
    at = put_hex(at, l->block->hash.b, sizeof(l->block->hash.b));
    at = PUT(at, TIMESTAMP);
    at = put_quantity(at, l->block->timestamp);
    at = PUT(at, LOG_INDEX);
    at = put_quantity(at, l->log_idx);
    at = PUT(at, CLOSE);
    CHECK((size_t)(at - from) == len);
}
