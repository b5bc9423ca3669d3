/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON straight into a buffer: commas, quotes and escapes are its business, well-formedness
 * of the nesting is the caller's. Past the buffer's maximum nothing more is written and
 * buf.overflow says so. */
#ifndef RPC_JSON_WRITER_H
#define RPC_JSON_WRITER_H

#include "base/buf.h"
#include "base/types.h"
#include "base/u256.h"

enum { JSON_WRITER_DEPTH_MAX = 2112 /* a trace of 1,025 nested calls has two levels for each */ };

struct json_writer {
    struct buf *buf;
    unsigned depth;
    /* A bit by depth: a comma goes before the next. */
    uint64_t has_member[(JSON_WRITER_DEPTH_MAX + 63) / 64];
    bool after_key;
};

void jw_init(struct json_writer *w, struct buf *b);

void jw_object(struct json_writer *w);
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w);
void jw_array_end(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key); /* key needs no escapes */

/* Values. Quantities and data have JSON-RPC's hexadecimal forms. */
void jw_null(struct json_writer *w);
void jw_bool(struct json_writer *w, bool v);
void jw_str(struct json_writer *w, const char *s, size_t len); /* bad UTF-8 becomes U+FFFD */
void jw_text(struct json_writer *w, const char *s);            /* NUL-terminated */
void jw_raw(struct json_writer *w, bytes json);                /* a value written already */
/* Room for a value of this length, which the caller writes; NULL: past the buffer's maximum. */
char *jw_place(struct json_writer *w, size_t len);
void jw_int(struct json_writer *w, int64_t v); /* a JSON number */
void jw_double(struct json_writer *w, double v);
void jw_u64(struct json_writer *w, uint64_t v);
void jw_u256(struct json_writer *w, const u256 *v);
void jw_data(struct json_writer *w, const void *ptr, size_t len);
static inline void jw_hash(struct json_writer *w, const hash32 *h) {
    jw_data(w, h->b, 32);
}
static inline void jw_addr(struct json_writer *w, const addr20 *a) {
    jw_data(w, a->b, 20);
}

/* Members: key and value at once. */
static inline void jw_m_u64(struct json_writer *w, const char *key, uint64_t v) {
    jw_key(w, key);
    jw_u64(w, v);
}
static inline void jw_m_u256(struct json_writer *w, const char *key, const u256 *v) {
    jw_key(w, key);
    jw_u256(w, v);
}
static inline void jw_m_hash(struct json_writer *w, const char *key, const hash32 *h) {
    jw_key(w, key);
    jw_hash(w, h);
}
static inline void jw_m_addr(struct json_writer *w, const char *key, const addr20 *a) {
    jw_key(w, key);
    jw_addr(w, a);
}
static inline void jw_m_data(struct json_writer *w, const char *key, bytes d) {
    jw_key(w, key);
    jw_data(w, d.ptr, d.len);
}
static inline void jw_m_text(struct json_writer *w, const char *key, const char *s) {
    jw_key(w, key);
    jw_text(w, s);
}
static inline void jw_m_null(struct json_writer *w, const char *key) {
    jw_key(w, key);
    jw_null(w);
}

#endif
