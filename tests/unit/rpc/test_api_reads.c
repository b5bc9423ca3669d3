/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: pages of events end where they would be too long, and whoever goes on from there is told of
 * every event once. Covers: api_reads.c */
#include "rpc/api_reads.h"

#include "rpc/api.h"
#include "tests/lib/rpc/served.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { EVENTS = 40, URI_BYTES = 1024, REPLY_BYTES = 16 << 10, CURSOR_BYTES = 64 };

/* One page after a cursor; its events, to be json_decref'd. The cursor moves. */
static json_t *page(struct served *s, char after[CURSOR_BYTES], bool *out_more) {
    struct api_origin o = {.who = {.kind = API_KEY_ADMIN}};
    const struct api_route *r = api_route_find("universe_events", strlen("universe_events"));
    struct rpc_call c;
    rpc_call_init(&c, &s->cx);
    c.origin = &o;
    api_begin(&c, r, json_pack("{s:s,s:s,s:i}", "slug", "arena", "after", after, "limit", 1000));
    cr_assert_eq(c.code, 0);
    c.phase = RPC_PHASE_RUN;
    rpc_reader_run(s->reader, &c, 1);
    cr_assert_eq(c.code, 0, "%.*s", (int)c.text.len, (const char *)c.text.ptr);
    json_t *got = json_loadb((const char *)c.result.ptr, c.result.len, 0, NULL);
    cr_assert_not_null(got, "%.*s", (int)c.result.len, (const char *)c.result.ptr);
    snprintf(after, CURSOR_BYTES, "%s", json_string_value(json_object_get(got, "next")));
    *out_more = json_is_true(json_object_get(got, "more"));
    json_t *items = json_incref(json_object_get(got, "items"));
    rpc_call_clear(&c);
    json_decref(got);
    return items;
}

static json_t *all_events(struct served *s, size_t *out_pages) {
    json_t *all = json_array();
    char after[CURSOR_BYTES] = "";
    bool more = true;
    *out_pages = 0;
    while (more) {
        json_t *items = page(s, after, &more);
        cr_assert(!more || json_array_size(items) > 0, "a page without an event ends nothing");
        cr_assert_eq(json_array_extend(all, items), 0);
        json_decref(items);
        ++*out_pages;
    }
    return all;
}

Test(api_reads, pages_of_long_events) {
    struct served s;
    char uri[URI_BYTES + 1] = "";
    size_t pages = 0;
    served_open(&s);
    served_universe(&s, "arena");
    memset(uri, 'x', URI_BYTES);
    for (size_t i = 0; i < EVENTS; i++)
        served_registry(&s, "setMetadataURI(uint64,string)", json_pack("[i,s]", 1, uri), 0);
    json_t *whole = all_events(&s, &pages);
    cr_expect_eq(pages, 1);
    cr_expect_geq(json_array_size(whole), EVENTS);
    s.cx.reply_bytes_max = REPLY_BYTES;
    json_t *parts = all_events(&s, &pages);
    cr_expect_gt(pages, EVENTS * URI_BYTES / REPLY_BYTES);
    cr_expect(json_equal(parts, whole));
    json_decref(parts);
    json_decref(whole);
    served_close(&s);
}
