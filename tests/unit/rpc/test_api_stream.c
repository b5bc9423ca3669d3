/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a page becomes a stream of events whose ids are its cursors, and the next poll goes on
 * where it ended. Covers: api_stream.c */
#include "rpc/api_stream.h"

#include <criterion/criterion.h>

static bytes text(const char *s) {
    return bytes_of(s, strlen(s));
}

Test(api_stream, pages) {
    const struct api_route *r = api_route_find("universe_events", strlen("universe_events"));
    struct api_stream s;
    struct buf out;
    cr_assert_not_null(r);
    cr_expect(api_stream_asked(r, text("text/html, Text/Event-Stream;q=0.9")));
    cr_expect_not(api_stream_asked(r, text("application/json")));
    cr_expect_not(api_stream_asked(&api_routes[0], text("text/event-stream")));
    buf_init(&out, 4096);
    api_stream_begin(&s, r, json_pack("{s:s,s:s}", "slug", "arena", "after", "old"), &api_nobody,
                     text("newer"));
    json_t *args = api_stream_args(&s);
    cr_expect_str_eq(json_string_value(json_object_get(args, "after")), "newer");
    cr_expect_eq(json_integer_value(json_object_get(args, "waitMs")), 0); /* the first at once */
    json_decref(args);
    s.begun = true;
    cr_assert(api_stream_page(
        &s, &out,
        text("{\"items\":[{\"cursor\":\"a\",\"n\":1},{\"cursor\":\"b\",\"t\":\"x\\ny\"}],"
             "\"next\":\"c\",\"more\":false}")));
    buf_append_byte(&out, 0);
    cr_expect_str_eq((const char *)out.ptr, "id: a\ndata: {\"cursor\":\"a\",\"n\":1}\n\n"
                                            "id: b\ndata: {\"cursor\":\"b\",\"t\":\"x\\ny\"}\n\n");
    args = api_stream_args(&s);
    cr_expect_str_eq(json_string_value(json_object_get(args, "after")), "c");
    cr_expect_eq(json_integer_value(json_object_get(args, "waitMs")), API_STREAM_WAIT_MS);
    json_decref(args);
    buf_reset(&out);
    cr_assert(api_stream_page(&s, &out, text("{\"items\":[],\"next\":\"d\"}")));
    cr_expect_eq(out.ptr[0], ':');
    cr_expect_not(api_stream_page(&s, &out, text("{\"items\":[]}")));
    cr_expect_not(api_stream_page(&s, &out, text("no")));
    api_stream_end(&s);
    buf_clear(&out);
}
