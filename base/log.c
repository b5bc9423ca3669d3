/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/check.h"
#include "base/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct log_config config = {
    .level = LOG_LEVEL_INFO,
    .format = LOG_FORMAT_TEXT,
    .fd = STDERR_FILENO,
    .rate_per_s = LOG_RATE_DEFAULT,
};
static _Atomic(enum log_level) lowest = LOG_LEVEL_INFO; /* config.level is not read */
static pthread_mutex_t write_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_texts[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
_Static_assert(ARRAY_LEN(level_names) == LOG_LEVEL_ERROR + 1, "one name per level");
_Static_assert(ARRAY_LEN(level_texts) == LOG_LEVEL_ERROR + 1, "one text per level");

void log_configure(const struct log_config *c) {
    config = *c;
    log_set_level(c->level);
}

void log_set_level(enum log_level level) {
    atomic_store_explicit(&lowest, level, memory_order_relaxed);
}

enum err log_level_parse(enum log_level *out, const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

bool log_enabled(enum log_level level) {
    return level >= atomic_load_explicit(&lowest, memory_order_relaxed);
}

static struct clock *get_clock(void) {
    return config.clock != NULL ? config.clock : clock_posix();
}

/* The line under construction. A piece that does not fit is left out whole. */
struct line {
    char text[LOG_LINE_BYTES_MAX];
    size_t len;
    bool full;
};

/* Kept free for the closing of the line: suppressed, truncated, brace, newline. */
enum { LINE_RESERVE = 96 };

static void put(struct line *l, const char *s, size_t len) {
    if (l->full || len > sizeof(l->text) - l->len) {
        l->full = true;
        return;
    }
    memcpy(l->text + l->len, s, len);
    l->len += len;
}

static void put_str(struct line *l, const char *s) {
    put(l, s, strlen(s));
}

static void put_u64(struct line *l, uint64_t v) {
    char text[24];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    put(l, text, (size_t)n);
}

/* The length of the valid UTF-8 sequence at p, or 0. */
static size_t utf8_len(const uint8_t *p, size_t left) {
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : (p[0] & 0xf0) == 0xe0       ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates and numbers past the end of Unicode. */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* Between quotes, escaped as JSON has it; bytes that are not UTF-8 become '?'. */
static void put_quoted(struct line *l, bytes s) {
    put(l, "\"", 1);
    for (size_t i = 0; i < s.len && !l->full;) {
        uint8_t c = s.ptr[i];
        size_t n = utf8_len(s.ptr + i, s.len - i);
        if (n == 0) {
            put(l, "?", 1);
            n = 1;
        } else if (c == '"' || c == '\\') {
            char text[2] = {'\\', (char)c};
            put(l, text, 2);
        } else if (c == '\n') {
            put(l, "\\n", 2);
        } else if (c < 0x20 || c == 0x7f) {
            char text[8];
            int len = snprintf(text, sizeof(text), "\\u%04x", c);
            put(l, text, (size_t)len);
        } else {
            put(l, (const char *)s.ptr + i, n);
        }
        i += n;
    }
    put(l, "\"", 1);
}

/* Text lines leave simple words bare. */
static bool is_bare(bytes s) {
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return true;
}

static void put_text(struct line *l, bytes s) {
    if (config.format == LOG_FORMAT_TEXT && is_bare(s))
        put(l, (const char *)s.ptr, s.len);
    else
        put_quoted(l, s);
}

static void put_hex_value(struct line *l, bytes s) {
    static const char digits[] = "0123456789abcdef";
    bool json = config.format == LOG_FORMAT_JSON;
    put_str(l, json ? "\"0x" : "0x");
    for (size_t i = 0; i < s.len && !l->full; i++) {
        char two[2] = {digits[s.ptr[i] >> 4], digits[s.ptr[i] & 15]};
        put(l, two, 2);
    }
    if (json)
        put(l, "\"", 1);
}

static void put_value(struct line *l, const struct log_field *f) {
    switch (f->kind) {
    case LOG_FIELD_NONE:
        put_str(l, "null");
        break;
    case LOG_FIELD_STR:
        put_text(l, f->data);
        break;
    case LOG_FIELD_U64:
        put_u64(l, f->number);
        break;
    case LOG_FIELD_I64:
        if ((int64_t)f->number < 0)
            put(l, "-", 1);
        put_u64(l, (int64_t)f->number < 0 ? 0 - f->number : f->number);
        break;
    case LOG_FIELD_BOOL:
        put_str(l, f->number != 0 ? "true" : "false");
        break;
    case LOG_FIELD_HEX:
        put_hex_value(l, f->data);
        break;
    }
}

/* A field is written whole or not at all; false when it did not fit. */
static bool put_field(struct line *l, const struct log_field *f, size_t reserve) {
    size_t start = l->len;
    bool json = config.format == LOG_FORMAT_JSON;
    put_str(l, json ? ",\"" : " ");
    put_str(l, f->key);
    put_str(l, json ? "\":" : "=");
    put_value(l, f);
    if (!l->full && l->len <= sizeof(l->text) - reserve)
        return true;
    l->len = start;
    l->full = false;
    return false;
}

static void put_time(struct line *l) {
    uint64_t ms = clock_realtime_ms(get_clock());
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[40];
    if (gmtime_r(&seconds, &tm) == NULL)
        memset(&tm, 0, sizeof(tm));
    size_t n = strftime(text, sizeof(text) - 8, "%Y-%m-%dT%H:%M:%S", &tm);
    int m = snprintf(text + n, sizeof(text) - n, ".%03uZ", (unsigned)(ms % 1000));
    put(l, text, n + (size_t)m);
}

static void build(struct line *l, enum log_level level, const char *component, const char *message,
                  const struct log_field *fields, size_t n, uint64_t suppressed) {
    bool json = config.format == LOG_FORMAT_JSON;
    size_t message_len = strlen(message);
    bool truncated = message_len > LOG_LINE_BYTES_MAX / 8;
    if (truncated) /* escaping makes a byte six at most: the line always has room for it */
        message_len = LOG_LINE_BYTES_MAX / 8;
    if (json)
        put_str(l, "{\"ts\":\"");
    put_time(l);
    put_str(l, json ? "\",\"level\":\"" : " ");
    put_str(l, json ? level_names[level] : level_texts[level]);
    put_str(l, json ? "\",\"component\":" : " ");
    put_text(l, bytes_of(component, strlen(component)));
    put_str(l, json ? ",\"message\":" : ": ");
    if (json || memchr(message, '\n', message_len) != NULL)
        put_quoted(l, bytes_of(message, message_len));
    else
        put(l, message, message_len);
    for (size_t i = 0; i < n && !truncated; i++)
        truncated = !put_field(l, &fields[i], LINE_RESERVE);
    if (suppressed > 0) {
        struct log_field f = log_u64("suppressed", suppressed);
        CHECK(put_field(l, &f, 2));
    }
    if (truncated) {
        struct log_field f = log_bool("truncated", true);
        CHECK(put_field(l, &f, 2));
    }
    put_str(l, json ? "}\n" : "\n");
    CHECK(!l->full);
}

/* Whether the place may write now. Counting by whole seconds is coarse; it needs no lock. */
static bool admit(struct log_site *site, uint64_t *out_suppressed) {
    *out_suppressed = 0;
    if (config.rate_per_s == 0)
        return true;
    /* + 1: never the initial 0, whose first window has the burst. */
    uint64_t now_s = clock_monotonic_ns(get_clock()) / 1000000000 + 1;
    uint64_t window = atomic_load_explicit(&site->window_s, memory_order_relaxed);
    bool fresh = window == 0;
    if (window != now_s && atomic_compare_exchange_strong(&site->window_s, &window, now_s)) {
        /* Seconds of silence earn the burst again. */
        fresh = fresh || now_s - window > LOG_BURST / config.rate_per_s;
        uint64_t allowed = fresh ? LOG_BURST : config.rate_per_s;
        atomic_store(&site->left, allowed);
    }
    uint64_t left = atomic_load(&site->left);
    do {
        if (left == 0) {
            atomic_fetch_add(&site->suppressed, 1);
            metric_add(&base_log_suppressed, 1);
            return false;
        }
    } while (!atomic_compare_exchange_weak(&site->left, &left, left - 1));
    *out_suppressed = atomic_exchange(&site->suppressed, 0);
    return true;
}

static void write_all(const char *text, size_t len) {
    CHECK(pthread_mutex_lock(&write_lock) == 0);
    while (len > 0) {
        ssize_t n = write(config.fd, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break; /* nobody reads it: there is nowhere to say so */
        text += n;
        len -= (size_t)n;
    }
    CHECK(pthread_mutex_unlock(&write_lock) == 0);
}

void log_write(struct log_site *site, enum log_level level, const char *component,
               const char *message, const struct log_field *fields, size_t n) {
    CHECK(level >= LOG_LEVEL_DEBUG && level <= LOG_LEVEL_ERROR);
    CHECK(strlen(component) <= 32);
    uint64_t suppressed;
    int saved_errno = errno; /* callers log what failed, and may still need why */
    if (admit(site, &suppressed)) {
        struct line l;
        l.len = 0;
        l.full = false;
        build(&l, level, component, message, fields, n, suppressed);
        write_all(l.text, l.len);
        metric_add(&base_log_lines, 1);
    }
    errno = saved_errno;
}
