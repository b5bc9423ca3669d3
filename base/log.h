/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says about itself: one line an event, as text or as JSON, to a descriptor. (The
 * log of blocks is state/log.h, whose names begin with wal_ and LOG_ plus a record kind.)
 *
 *     log_info("store", "checkpoint done", log_u64("block", n), log_u64("took_ms", ms));
 *
 *     2025-01-02T03:04:05.678Z INFO  store: checkpoint done block=17 took_ms=42
 *     {"ts":"2025-01-02T03:04:05.678Z","level":"info","component":"store",
 *      "message":"checkpoint done","block":17,"took_ms":42}
 *
 * Texts are data, never formats, and are escaped: no value can forge a line. Each place in the code
 * may write a burst of LOG_BURST lines and then rate_per_s a second; what it swallowed is counted
 * and told in its next line as suppressed=N. A line longer than LOG_LINE_BYTES_MAX loses its last
 * fields, and says truncated=true. Thread-safe; a line is one write. */
#ifndef BASE_PROGRAM_LOG_H
#define BASE_PROGRAM_LOG_H

#include "base/clock.h"
#include "base/err.h"
#include "base/types.h"

#include <stdatomic.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

enum {
    LOG_LINE_BYTES_MAX = 4096, /* with its newline; a pipe takes so much in one piece */
    LOG_BURST = 20,            /* lines of one place before its rate counts */
    LOG_RATE_DEFAULT = 10,     /* lines a second of one place */
};

struct log_config {
    enum log_level level; /* less important lines are dropped */
    enum log_format format;
    int fd;              /* borrowed; stays open while the program logs */
    uint32_t rate_per_s; /* of each place; 0 = without bound (tests) */
    struct clock *clock; /* NULL = clock_posix() */
};

/* Until called: level info, text, standard error, LOG_RATE_DEFAULT. At start, or while no other
 * thread logs. */
void log_configure(const struct log_config *c);
/* Any thread, at any time. */
void log_set_level(enum log_level level);
/* "debug", "info", "warn", "error". ERR_INVALID. */
enum err log_level_parse(enum log_level *out, const char *name) MUST_USE;

enum log_field_kind {
    LOG_FIELD_NONE,
    LOG_FIELD_STR,
    LOG_FIELD_U64,
    LOG_FIELD_I64,
    LOG_FIELD_BOOL,
    LOG_FIELD_HEX,
};

/* Key and value, made by the functions below. Keys are identifiers in the source; values are
 * borrowed until the call returns. */
struct log_field {
    const char *key;
    enum log_field_kind kind;
    bytes data;
    uint64_t number;
};

static inline struct log_field log_bytes(const char *key, const void *ptr, size_t len) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_STR, .data = {.ptr = ptr, .len = len}};
}
static inline struct log_field log_str(const char *key, const char *s) {
    return s == NULL ? log_bytes(key, "", 0) : log_bytes(key, s, strlen(s));
}
static inline struct log_field log_u64(const char *key, uint64_t v) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_U64, .number = v};
}
static inline struct log_field log_i64(const char *key, int64_t v) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_I64, .number = (uint64_t)v};
}
static inline struct log_field log_bool(const char *key, bool v) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_BOOL, .number = v};
}
/* 0x and digits. */
static inline struct log_field log_hex(const char *key, const void *ptr, size_t len) {
    return (struct log_field){.key = key, .kind = LOG_FIELD_HEX, .data = {.ptr = ptr, .len = len}};
}
static inline struct log_field log_hash(const char *key, const hash32 *h) {
    return log_hex(key, h->b, sizeof(h->b));
}
/* The error's name under "err". The sentence of an err_ctx goes in as a log_str of its own. */
static inline struct log_field log_error_code(enum err e) {
    return log_str("err", err_name(e));
}

/* One place in the code that logs: its share of the rate. Made by the macros. */
struct log_site {
    _Atomic uint64_t window_s; /* second of the monotonic clock that `left` is for; 0 = none yet */
    _Atomic uint64_t left;     /* lines that may still be written in it */
    _Atomic uint64_t suppressed;
};

/* Whether lines of that level are written at all: to avoid costly arguments. */
bool log_enabled(enum log_level level);
/* Use the macros. `fields` has n elements. */
void log_write(struct log_site *site, enum log_level level, const char *component,
               const char *message, const struct log_field *fields, size_t n);

/* The array begins with an unused element, so that a call without fields is one too. */
#define LOG_AT(level, component, message, ...)                                                     \
    do {                                                                                           \
        static struct log_site log_site_;                                                          \
        if (log_enabled(level)) {                                                                  \
            const struct log_field log_fields_[] = {{.key = NULL}, ##__VA_ARGS__};                 \
            log_write(&log_site_, (level), (component), (message), log_fields_ + 1,                \
                      ARRAY_LEN(log_fields_) - 1);                                                 \
        }                                                                                          \
    } while (0)
#define log_debug(component, ...) LOG_AT(LOG_LEVEL_DEBUG, component, __VA_ARGS__)
#define log_info(component, ...) LOG_AT(LOG_LEVEL_INFO, component, __VA_ARGS__)
#define log_warn(component, ...) LOG_AT(LOG_LEVEL_WARN, component, __VA_ARGS__)
#define log_error(component, ...) LOG_AT(LOG_LEVEL_ERROR, component, __VA_ARGS__)

#endif
