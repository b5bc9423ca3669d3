/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "bridge/parent_internal.h"

#include <strings.h>

static const char *text_of(const json_t *v, size_t *out_len) {
    *out_len = json_string_length(v);
    return json_string_value(v);
}

enum err json_as_u64(uint64_t *out, const json_t *v) {
    size_t len;
    const char *s = text_of(v, &len);
    return s != NULL && hex_parse_u64(out, s, len, true) == ERR_OK ? ERR_OK : ERR_PARSE;
}

enum err json_as_u256(u256 *out, const json_t *v) {
    size_t len;
    const char *s = text_of(v, &len);
    return s != NULL && hex_parse_u256(out, s, len, true) == ERR_OK ? ERR_OK : ERR_PARSE;
}

enum err json_as_bytes(bytes *out, struct arena *a, const json_t *v) {
    size_t len, n;
    const char *s = text_of(v, &len);
    if (s == NULL || len < 2 || s[0] != '0' || s[1] != 'x')
        return ERR_PARSE;
    uint8_t *p = arena_try_alloc(a, len / 2 + 1);
    if (p == NULL)
        return ERR_NOMEM;
    if (hex_decode(p, len / 2, &n, s, len) != ERR_OK)
        return ERR_PARSE;
    *out = bytes_of(p, n);
    return ERR_OK;
}

enum err json_get_u64(uint64_t *out, const json_t *object, const char *key) {
    return json_as_u64(out, json_object_get(object, key));
}

enum err json_get_u256(u256 *out, const json_t *object, const char *key) {
    return json_as_u256(out, json_object_get(object, key));
}

enum err json_get_bytes(bytes *out, struct arena *a, const json_t *object, const char *key) {
    return json_as_bytes(out, a, json_object_get(object, key));
}

/* Exactly len bytes with 0x. */
static enum err get_fixed(uint8_t *out, size_t len, const json_t *object, const char *key) {
    size_t text_len;
    const char *s = text_of(json_object_get(object, key), &text_len);
    if (s == NULL || text_len != 2 + 2 * len || hex_decode_fixed(out, len, s) != ERR_OK)
        return ERR_PARSE;
    return ERR_OK;
}

enum err json_get_hash(hash32 *out, const json_t *object, const char *key) {
    return get_fixed(out->b, sizeof out->b, object, key);
}

enum err json_get_addr(addr20 *out, const json_t *object, const char *key) {
    return get_fixed(out->b, sizeof out->b, object, key);
}

void copy_printable_text(char out[PARENT_MESSAGE_MAX], const char *text) {
    size_t n = 0;
    for (; text[n] != '\0' && n < PARENT_MESSAGE_MAX - 1; n++)
        out[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
    out[n] = '\0';
}

bool text_has(const char *text, const char *word) {
    size_t len = strlen(word);
    for (; *text != '\0'; text++)
        if (strncasecmp(text, word, len) == 0)
            return true;
    return false;
}

enum err json_as_block(struct parent_block *out, const json_t *v) {
    struct parent_block b = {.number = 0};
    if (!json_is_object(v))
        return ERR_PARSE;
    TRY(json_get_u64(&b.number, v, "number"));
    TRY(json_get_hash(&b.hash, v, "hash"));
    TRY(json_get_hash(&b.parent_hash, v, "parentHash"));
    TRY(json_get_u64(&b.timestamp, v, "timestamp"));
    b.l1_block = b.number;
    b.is_arbitrum = json_object_get(v, "l1BlockNumber") != NULL;
    if (b.is_arbitrum)
        TRY(json_get_u64(&b.l1_block, v, "l1BlockNumber"));
    if (json_object_get(v, "baseFeePerGas") != NULL)
        TRY(json_get_u256(&b.base_fee, v, "baseFeePerGas"));
    *out = b;
    return ERR_OK;
}

void put_block_ref(struct buf *b, struct parent_block_ref ref) {
    switch (ref.tag) {
    case PARENT_LATEST:
        buf_append_str(b, "\"latest\"");
        return;
    case PARENT_SAFE:
        buf_append_str(b, "\"safe\"");
        return;
    case PARENT_FINALIZED:
        buf_append_str(b, "\"finalized\"");
        return;
    case PARENT_NUMBER:
        buf_append_byte(b, '"');
        hex_put_u64(b, ref.number);
        buf_append_byte(b, '"');
        return;
    }
}
