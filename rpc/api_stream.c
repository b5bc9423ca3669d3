/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_stream.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool contains(bytes text, const char *what) {
    size_t len = strlen(what);
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp((const char *)text.ptr + i, what, len) == 0)
            return true;
    return false;
}

bool api_stream_asked(const struct api_route *r, bytes accept) {
    return strcmp(r->method.name, "universe_events") == 0 && contains(accept, "text/event-stream");
}

void api_stream_begin(struct api_stream *s, const struct api_route *r, json_t *args,
                      const struct api_origin *origin, bytes last_event_id) {
    *s = (struct api_stream){.on = true, .route = r, .args = args, .origin = *origin};
    if (last_event_id.len > 0 && last_event_id.len < sizeof(s->after))
        memcpy(s->after, last_event_id.ptr, last_event_id.len);
}

void api_stream_end(struct api_stream *s) {
    json_decref(s->args);
    s->args = NULL;
    s->on = false;
}

json_t *api_stream_args(const struct api_stream *s) {
    json_t *args = json_copy(s->args);
    CHECK(args != NULL);
    (void)json_object_set_new(args, "waitMs", json_integer(s->begun ? API_STREAM_WAIT_MS : 0));
    if (s->after[0] != '\0')
        (void)json_object_set_new(args, "after", json_string(s->after));
    return args;
}

static void print_event(struct buf *out, const json_t *event) {
    const char *cursor = json_string_value(json_object_get(event, "cursor"));
    char *text = json_dumps(event, JSON_COMPACT);
    if (cursor != NULL && text != NULL)
        buf_printf(out, "id: %s\ndata: ", cursor);
    if (cursor != NULL && text != NULL) {
        buf_append_str(out, text);
        buf_append_str(out, "\n\n");
    }
    free(text);
}

bool api_stream_items(struct api_stream *s, json_t **out, bytes body) {
    json_t *page = json_loadb((const char *)body.ptr, body.len, 0, NULL);
    json_t *items = json_object_get(page, "items");
    const char *next = json_string_value(json_object_get(page, "next"));
    bool ok = json_is_array(items) && next != NULL && strlen(next) < sizeof(s->after);
    if (ok) {
        snprintf(s->after, sizeof(s->after), "%s", next);
        *out = json_incref(items);
    }
    json_decref(page);
    return ok;
}

bool api_stream_page(struct api_stream *s, struct buf *out, bytes body) {
    json_t *items = NULL;
    bool ok = api_stream_items(s, &items, body);
    for (size_t i = 0; ok && i < json_array_size(items); i++)
        print_event(out, json_array_get(items, i));
    if (ok && json_array_size(items) == 0)
        buf_append_str(out, ": nothing new\n\n");
    json_decref(items);
    return ok && !out->overflow;
}
