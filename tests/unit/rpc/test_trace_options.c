/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: geth's TraceConfig is read whole, and what is wrong with it is said. */
#include "rpc/trace.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct trace_options parse(const char *text) {
    struct trace_options o = {0};
    char why[TRACE_TEXT_MAX] = "";
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(v, "%s", text);
    cr_assert(trace_options_parse(&o, v, why), "%s: %s", text, why);
    json_decref(v);
    return o;
}

static void refuse(const char *text, const char *want) {
    struct trace_options o = {.limit = 77};
    char why[TRACE_TEXT_MAX] = "";
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    cr_assert_not_null(v, "%s", text);
    cr_assert(!trace_options_parse(&o, v, why), "%s", text);
    cr_expect_str_eq(why, want);
    cr_expect_eq(o.limit, 77);
    json_decref(v);
}

Test(trace_options, struct_log) {
    struct trace_options o;
    char why[TRACE_TEXT_MAX];
    cr_assert(trace_options_parse(&o, NULL, why));
    cr_assert(o.kind == TRACE_STRUCT_LOG && o.limit == 0 && o.timeout_ms == 0);
    o = parse("null");
    cr_assert_eq(o.kind, TRACE_STRUCT_LOG);
    o = parse(
        "{\"tracer\":\"\",\"enableMemory\":true,\"disableStack\":true,\"disableStorage\":true,"
        "\"enableReturnData\":true,\"limit\":5,\"debug\":true,\"overrides\":{}}");
    cr_assert(o.enable_memory && o.disable_stack && o.disable_storage && o.enable_return_data);
    cr_assert_eq(o.limit, 5);
    o = parse("{\"limit\":null,\"enableMemory\":null,\"tracer\":null}");
    cr_assert(o.limit == 0 && !o.enable_memory);
}

Test(trace_options, named) {
    struct trace_options o = parse("{\"tracer\":\"callTracer\",\"enableMemory\":true,"
                                   "\"tracerConfig\":{\"onlyTopCall\":true,\"withLog\":true}}");
    cr_assert(o.kind == TRACE_CALL && o.only_top_call && o.with_log && !o.enable_memory);
    o = parse("{\"tracer\":\"prestateTracer\",\"tracerConfig\":"
              "{\"diffMode\":true,\"disableCode\":true,\"disableStorage\":true}}");
    cr_assert(o.kind == TRACE_PRESTATE && o.diff_mode && o.disable_code && o.disable_storage);
    o = parse("{\"tracer\":\"prestateTracer\",\"tracerConfig\":{\"includeEmpty\":true}}");
    cr_assert(o.include_empty && !o.diff_mode);
    cr_assert_eq(parse("{\"tracer\":\"4byteTracer\",\"tracerConfig\":null}").kind, TRACE_FOUR_BYTE);
    cr_assert_eq(parse("{\"tracer\":\"noopTracer\"}").kind, TRACE_NOOP);
}

Test(trace_options, durations) {
    static const struct {
        const char *text;
        uint32_t ms;
    } rows[] = {{"5s", 5000},          {"300ms", 300},      {"1.5s", 1500},
                {"1m30s", 90000},      {"2h", 3600000},     {"0", 1},
                {"10us", 1},           {"1h0.5s", 3600000}, {"7\\u00b5s", 1},
                {"1000000000ns", 1000}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[80];
        snprintf(text, sizeof(text), "{\"timeout\":\"%s\"}", rows[i].text);
        cr_expect_eq(parse(text).timeout_ms, rows[i].ms, "%s", rows[i].text);
    }
    static const char *const bad[] = {"", "5", "s", "-5s", "5x", "1s2", ".s", "5 s", "1e3s"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[80], want[80];
        snprintf(text, sizeof(text), "{\"timeout\":\"%s\"}", bad[i]);
        snprintf(want, sizeof(want), "time: invalid duration \"%s\"", bad[i]);
        refuse(text, want);
    }
    refuse("{\"timeout\":5}", "time: invalid duration \"\"");
}

Test(trace_options, refusals) {
    refuse("[]", "json: cannot unmarshal value into Go value of type tracers.TraceConfig");
    refuse("{\"tracer\":1}",
           "json: cannot unmarshal value into Go struct field TraceConfig.tracer of type string");
    refuse("{\"limit\":-1}", "limit must be a number of entries, 0 for all");
    refuse("{\"enableMemory\":1}", "json: cannot unmarshal value into Go struct field "
                                   "TraceConfig.enableMemory of type bool");
    refuse("{\"tracer\":\"prestateTracer\",\"tracerConfig\":"
           "{\"diffMode\":true,\"includeEmpty\":true}}",
           "cannot use diffMode with includeEmpty");
    refuse("{\"tracer\":\"{step: function() {}}\"}",
           "tracer not found: there are callTracer, prestateTracer, 4byteTracer and noopTracer, "
           "and the struct log without a name; JavaScript is not executed");
}
