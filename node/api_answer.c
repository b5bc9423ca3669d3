/* SPDX-License-Identifier: Apache-2.0 */
#include "node/api_answer.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 64, COLUMNS_MAX = 16, GAP = 2 };
/* Numbers from here on are milliseconds: as seconds, the year 5138; as milliseconds, 1973. */
#define FIRST_MS INT64_C(100000000000)

/* --- values -------------------------------------------------------------------------------- */
/* Without C0, DEL and C1 (in UTF-8: c2 80 to c2 9f). */
static void put_clean(struct buf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        bool c1 = c == 0xc2 && i + 1 < len && (uint8_t)text[i + 1] < 0xa0;
        buf_append_byte(out, c < 0x20 || c == 0x7f || c1 ? '?' : c);
        i += c1;
    }
}

static bool is_time(const char *name, json_t *v) {
    size_t len = strlen(name);
    return json_is_integer(v) && len > 2 && strcmp(name + len - 2, "At") == 0;
}

static void put_time(struct buf *out, int64_t at) {
    time_t seconds = (time_t)(at >= FIRST_MS ? at / 1000 : at);
    struct tm tm;
    char text[64];
    if (at == 0)
        buf_append_byte(out, '-'); /* none */
    else if (gmtime_r(&seconds, &tm) != NULL &&
             strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        buf_append_str(out, text);
    else
        buf_printf(out, "%" PRId64, at);
}

static bool is_plain_list(json_t *v) {
    bool plain = json_is_array(v);
    for (size_t i = 0; i < json_array_size(v); i++)
        plain = plain && json_is_string(json_array_get(v, i));
    return plain;
}

void api_answer_value(struct buf *out, const char *name, json_t *v) {
    if (json_is_string(v)) {
        put_clean(out, json_string_value(v), json_string_length(v));
    } else if (is_time(name, v)) {
        put_time(out, json_integer_value(v));
    } else if (is_plain_list(v)) {
        for (size_t i = 0; i < json_array_size(v); i++) {
            json_t *item = json_array_get(v, i);
            if (i > 0)
                buf_append_byte(out, ',');
            put_clean(out, json_string_value(item), json_string_length(item));
        }
    } else {
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        CHECK(text != NULL);
        put_clean(out, text, strlen(text));
        free(text);
    }
}

/* "-" where there is nothing. */
static void put_cell(struct buf *out, const char *name, json_t *v) {
    size_t before = out->len;
    if (v != NULL)
        api_answer_value(out, name, v);
    if (out->len == before)
        buf_append_byte(out, '-');
}

/* --- objects ------------------------------------------------------------------------------- */
static void put_gap(struct buf *out, size_t have, size_t width) {
    for (size_t n = width + GAP - (have < width ? have : width); n > 0; n--)
        buf_append_byte(out, ' ');
}

/* Calls `put` with each line's name and value. */
static void each_line(json_t *object, void (*put)(void *, const char *, json_t *), void *ctx) {
    const char *name, *inner;
    json_t *v, *w;
    json_object_foreach(object, name, v) {
        if (!json_is_object(v)) {
            put(ctx, name, v);
            continue;
        }
        json_object_foreach(v, inner, w) {
            char both[NAME_MAX_BYTES];
            snprintf(both, sizeof(both), "%s.%s", name, inner);
            put(ctx, both, w);
        }
    }
}

struct lines {
    struct buf *out;
    size_t width;
};

static void widen(void *ctx, const char *name, json_t *v) {
    struct lines *l = ctx;
    (void)v;
    if (strlen(name) > l->width)
        l->width = strlen(name);
}

static void put_line(void *ctx, const char *name, json_t *v) {
    struct lines *l = ctx;
    put_clean(l->out, name, strlen(name));
    put_gap(l->out, strlen(name), l->width);
    put_cell(l->out, name, v);
    buf_append_byte(l->out, '\n');
}

void api_answer_object(struct buf *out, json_t *object) {
    struct lines l = {.out = out};
    each_line(object, widen, &l);
    each_line(object, put_line, &l);
}

/* --- tables -------------------------------------------------------------------------------- */
struct column {
    char name[NAME_MAX_BYTES];
    size_t width;
};

static size_t split_columns(struct column out[COLUMNS_MAX], const char *columns) {
    size_t count = 0;
    while (*columns != '\0') {
        size_t len = strcspn(columns, " ");
        CHECK(count < COLUMNS_MAX);
        CHECK(len < NAME_MAX_BYTES);
        memcpy(out[count].name, columns, len);
        out[count].name[len] = '\0';
        out[count++].width = len;
        columns += len + (columns[len] == ' ');
    }
    return count;
}

/* Characters, not bytes: what continues one in UTF-8 is not counted. */
static size_t width_of(const struct buf *text) {
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += (text->ptr[i] & 0xc0) != 0x80;
    return n;
}

static void cell(struct buf *text, const char *name, json_t *item) {
    buf_reset(text);
    put_cell(text, name, json_object_get(item, name));
}

static void put_row(struct buf *out, struct buf *text, const struct column *columns, size_t count,
                    json_t *item) {
    for (size_t i = 0; i < count; i++) {
        cell(text, columns[i].name, item);
        buf_append(out, text->ptr, text->len);
        if (i + 1 < count)
            put_gap(out, width_of(text), columns[i].width);
    }
    buf_append_byte(out, '\n');
}

void api_answer_table(struct buf *out, json_t *list, const char *columns) {
    struct column c[COLUMNS_MAX];
    struct buf text;
    size_t count = split_columns(c, columns), rows = json_array_size(list);
    buf_init(&text, out->max);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < count; i++) {
            cell(&text, c[i].name, json_array_get(list, r));
            if (width_of(&text) > c[i].width)
                c[i].width = width_of(&text);
        }
    for (size_t i = 0; i < count; i++) {
        buf_append_str(out, c[i].name);
        if (i + 1 < count)
            put_gap(out, strlen(c[i].name), c[i].width);
    }
    buf_append_byte(out, '\n');
    for (size_t r = 0; r < rows; r++)
        put_row(out, &text, c, count, json_array_get(list, r));
    buf_clear(&text);
}
