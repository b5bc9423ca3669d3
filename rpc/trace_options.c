/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/trace.h"

#include <stdio.h>
#include <stdlib.h>

static bool refuse(char why[TRACE_TEXT_MAX], const char *text) {
    snprintf(why, TRACE_TEXT_MAX, "%s", text);
    return false;
}

static bool flag(bool *out, const json_t *o, const char *key, char why[TRACE_TEXT_MAX]) {
    const json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v))
        return true;
    if (!json_is_boolean(v)) {
        snprintf(why, TRACE_TEXT_MAX,
                 "json: cannot unmarshal value into Go struct field TraceConfig.%s of type bool",
                 key);
        return false;
    }
    *out = json_is_true(v);
    return true;
}

/* --- Go's durations: "5s", "1m30s", "250ms", "1.5s" ------------------------------------------ */
static const struct {
    const char *name;
    double ms;
} units[] = {{"ns", 1e-6}, {"us", 1e-3}, {"\xc2\xb5s", 1e-3}, {"\xce\xbcs", 1e-3},
             {"ms", 1},    {"s", 1000},  {"m", 60000},        {"h", 3600000}};

/* One number with its unit off *s. */
static bool duration_part(const char **s, double *out_ms) {
    const char *at = *s;
    while ((*at >= '0' && *at <= '9') || *at == '.')
        at++;
    if (at == *s || (at == *s + 1 && **s == '.'))
        return false;
    double v = strtod(*s, NULL);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t len = strlen(units[i].name);
        if (strncmp(at, units[i].name, len) != 0)
            continue;
        if (at[len] == '\0' || at[len] == '.' || (at[len] >= '0' && at[len] <= '9')) {
            *out_ms += v * units[i].ms;
            *s = at + len;
            return true;
        }
    }
    return false;
}

static bool timeout(struct trace_options *out, const json_t *o, char why[TRACE_TEXT_MAX]) {
    const json_t *v = json_object_get(o, "timeout");
    if (v == NULL || json_is_null(v))
        return true;
    const char *s = json_string_value(v), *at = s;
    double ms = 0;
    bool ok = s != NULL && *s != '\0' && strspn(s, "0123456789.") < 20;
    while (ok && *at != '\0' && strcmp(s, "0") != 0)
        ok = duration_part(&at, &ms);
    if (!ok) {
        snprintf(why, TRACE_TEXT_MAX, "time: invalid duration \"%.40s\"", s == NULL ? "" : s);
        return false;
    }
    out->timeout_ms = ms < 1 ? 1 : ms > 3600000 ? 3600000 : (uint32_t)ms;
    return true;
}

/* --- tracers ------------------------------------------------------------------------------- */
static bool struct_log(struct trace_options *t, const json_t *o, char why[TRACE_TEXT_MAX]) {
    const json_t *limit = json_object_get(o, "limit");
    if (limit != NULL && !json_is_null(limit) &&
        (!json_is_integer(limit) || json_integer_value(limit) < 0))
        return refuse(why, "limit must be a number of entries, 0 for all");
    t->limit = (uint64_t)json_integer_value(limit);
    return flag(&t->enable_memory, o, "enableMemory", why) &&
           flag(&t->disable_stack, o, "disableStack", why) &&
           flag(&t->disable_storage, o, "disableStorage", why) &&
           flag(&t->enable_return_data, o, "enableReturnData", why);
}

static bool named(struct trace_options *t, const char *name, char why[TRACE_TEXT_MAX]) {
    static const struct {
        const char *name;
        enum trace_kind kind;
    } names[] = {{"callTracer", TRACE_CALL},
                 {"prestateTracer", TRACE_PRESTATE},
                 {"4byteTracer", TRACE_FOUR_BYTE},
                 {"noopTracer", TRACE_NOOP}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i].name) == 0) {
            t->kind = names[i].kind;
            return true;
        }
    }
    return refuse(why, "tracer not found: there are callTracer, prestateTracer, 4byteTracer and "
                       "noopTracer, and the struct log without a name; JavaScript is not executed");
}

bool trace_options_parse(struct trace_options *out, const json_t *o, char why[TRACE_TEXT_MAX]) {
    struct trace_options t = {.kind = TRACE_STRUCT_LOG};
    if (o != NULL && !json_is_null(o) && !json_is_object(o))
        return refuse(why,
                      "json: cannot unmarshal value into Go value of type tracers.TraceConfig");
    const json_t *tracer = json_object_get(o, "tracer"), *c = json_object_get(o, "tracerConfig");
    if (tracer != NULL && !json_is_null(tracer) && !json_is_string(tracer))
        return refuse(why, "json: cannot unmarshal value into Go struct field TraceConfig.tracer "
                           "of type string");
    if (!timeout(&t, o, why))
        return false;
    const char *name = json_string_value(tracer);
    if (name == NULL || *name == '\0') {
        if (!struct_log(&t, o, why))
            return false;
    } else if (!named(&t, name, why) || !flag(&t.only_top_call, c, "onlyTopCall", why) ||
               !flag(&t.with_log, c, "withLog", why) || !flag(&t.diff_mode, c, "diffMode", why) ||
               !flag(&t.disable_code, c, "disableCode", why) ||
               !flag(&t.disable_storage, c, "disableStorage", why) ||
               !flag(&t.include_empty, c, "includeEmpty", why)) {
        return false;
    }
    if (t.diff_mode && t.include_empty)
        return refuse(why, "cannot use diffMode with includeEmpty");
    *out = t;
    return true;
}
