/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: one event is one line of the promised form, whatever its values; floods are bounded and
 * told. Method: log to a pipe under a fake clock; exact text, jansson reads the JSON lines. */
#include "base/log.h"

#include "base/metrics.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <unistd.h>

static int ends[2];
static struct clock_fake fake;
static char text[1 << 20];

static void set_up(enum log_format format, uint32_t rate_per_s) {
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    cr_assert_geq(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20), 0);
    clock_fake_init(&fake, 1735787045678); /* 2025-01-02T03:04:05.678Z */
    log_configure(&(struct log_config){.level = LOG_LEVEL_INFO,
                                       .format = format,
                                       .fd = ends[1],
                                       .rate_per_s = rate_per_s,
                                       .clock = &fake.clock});
}

static const char *written(void) {
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) - 1 && (n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    return text;
}

Test(log, text_lines) {
    set_up(LOG_FORMAT_TEXT, 0);
    log_info("store", "checkpoint done", log_u64("block", 17), log_i64("delta", -3),
             log_bool("clean", true), log_str("path", "/a/b"), log_error_code(ERR_IO));
    cr_expect_str_eq(written(),
                     "2025-01-02T03:04:05.678Z INFO  store: checkpoint done block=17 delta=-3 "
                     "clean=true path=/a/b err=ERR_IO\n");
    hash32 h = {{0xab}};
    addr20 a = {{0xcd}};
    log_error("rpc", "odd %s values", log_str("two", "a b"), log_str("none", NULL),
              log_bytes("bytes", "q\"\n\x01\\\xff=", 7), log_hash("h", &h), log_hex("a", a.b, 20));
    cr_expect_str_eq(written(),
                     "2025-01-02T03:04:05.678Z ERROR rpc: odd %s values two=\"a b\" none=\"\" "
                     "bytes=\"q\\\"\\n\\u0001\\\\?=\" "
                     "h=0xab00000000000000000000000000000000000000000000000000000000000000 "
                     "a=0xcd00000000000000000000000000000000000000\n");
    log_warn("x", "no fields");
    cr_expect_str_eq(written(), "2025-01-02T03:04:05.678Z WARN  x: no fields\n");
}

Test(log, levels) {
    set_up(LOG_FORMAT_TEXT, 0);
    int calls = 0;
    log_debug("x", "hidden", log_i64("n", ++calls));
    cr_expect_str_eq(written(), "");
    cr_expect_eq(calls, 0);
    enum log_level level;
    cr_expect_eq(log_level_parse(&level, "debug"), ERR_OK);
    cr_expect_eq(level, LOG_LEVEL_DEBUG);
    cr_expect_eq(log_level_parse(&level, "error"), ERR_OK);
    cr_expect_eq(level, LOG_LEVEL_ERROR);
    cr_expect_eq(log_level_parse(&level, "loud"), ERR_INVALID);
}

Test(log, json_lines) {
    set_up(LOG_FORMAT_JSON, 0);
    log_info("store", "a \"b\"\n", log_u64("n", UINT64_MAX), log_i64("i", INT64_MIN),
             log_str("s", "x\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc0\x80 \xed\xa0\x80"),
             log_bool("no", false), log_hex("hex", "\x01\x02", 2));
    const char *line = written();
    cr_expect_eq(strchr(line, '\n'), line + strlen(line) - 1);
    cr_expect_not_null(strstr(line, "\"n\":18446744073709551615"));
    cr_expect_not_null(strstr(line, "\"i\":-9223372036854775808"));
    cr_expect_not_null(strstr(line, "\"message\":\"a \\\"b\\\"\\n\""));
    cr_expect_not_null(strstr(line, "\"s\":\"x\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 ?? ???\""));
    cr_expect_not_null(strstr(line, "\"no\":false,\"hex\":\"0x0102\"}"));
    log_info("store", "plain", log_u64("n", 5));
    json_error_t error;
    json_t *v = json_loads(written(), 0, &error);
    cr_assert_not_null(v, "%s", error.text);
    cr_expect_str_eq(json_string_value(json_object_get(v, "ts")), "2025-01-02T03:04:05.678Z");
    cr_expect_str_eq(json_string_value(json_object_get(v, "level")), "info");
    cr_expect_str_eq(json_string_value(json_object_get(v, "component")), "store");
    cr_expect_str_eq(json_string_value(json_object_get(v, "message")), "plain");
    cr_expect_eq(json_integer_value(json_object_get(v, "n")), 5);
    json_decref(v);
}

Test(log, long_lines_are_cut_and_stay_json) {
    static char big[20000];
    for (size_t len = 3000; len < 5000; len += 7) {
        set_up(LOG_FORMAT_JSON, 0);
        memset(big, len % 2 == 0 ? 'x' : '\x01', len);
        big[len] = '\0';
        log_info("x", "m", log_u64("a", 1), log_str("big", big), log_u64("b", 2));
        const char *line = written();
        cr_assert_leq(strlen(line), (size_t)LOG_LINE_BYTES_MAX);
        json_error_t error;
        json_t *v = json_loads(line, 0, &error);
        cr_assert_not_null(v, "length %zu: %s", len, error.text);
        cr_assert_eq(json_integer_value(json_object_get(v, "a")), 1);
        bool whole = json_object_get(v, "big") != NULL && json_object_get(v, "b") != NULL;
        cr_assert_eq(whole, json_object_get(v, "truncated") == NULL);
        json_decref(v);
        close(ends[0]);
        close(ends[1]);
    }
    set_up(LOG_FORMAT_JSON, 0);
    memset(big, '\x02', sizeof(big) - 1);
    log_info("x", big);
    json_t *v = json_loads(written(), 0, NULL);
    cr_assert_not_null(v);
    cr_expect(json_is_true(json_object_get(v, "truncated")));
    json_decref(v);
}

static size_t lines_in(const char *s) {
    size_t n = 0;
    for (; *s != '\0'; s++)
        n += *s == '\n';
    return n;
}

static void flood(int count) {
    for (int i = 0; i < count; i++)
        log_info("flood", "again", log_i64("i", i));
}

Test(log, floods_are_bounded_and_told) {
    set_up(LOG_FORMAT_TEXT, 10);
    flood(1000);
    cr_expect_eq(lines_in(written()), (size_t)LOG_BURST);
    cr_expect_eq(metric_get(&base_log_suppressed), 980u);
    clock_fake_advance(&fake, 1000000000);
    flood(100);
    const char *out = written();
    cr_expect_eq(lines_in(out), 10u);
    cr_expect_not_null(strstr(out, "i=0 suppressed=980\n"), "%s", out);
    cr_expect_null(strstr(out, "i=1 suppressed"));
    log_info("flood", "elsewhere"); /* another place has its own share */
    cr_expect_eq(lines_in(written()), 1u);
    clock_fake_advance(&fake, 60000000000);
    flood(100);
    out = written();
    cr_expect_eq(lines_in(out), (size_t)LOG_BURST);
    cr_expect_not_null(strstr(out, "i=0 suppressed=90\n"), "%s", out);
    cr_expect_eq(metric_get(&base_log_lines), (uint64_t)LOG_BURST * 2 + 11);
}

static void *log_many(void *arg) {
    const char *name = arg;
    for (int i = 0; i < 500; i++)
        log_info("thread", name, log_i64("i", i));
    return NULL;
}

Test(log, threads_do_not_mix_lines) {
    set_up(LOG_FORMAT_JSON, 0);
    pthread_t threads[2];
    cr_assert_eq(pthread_create(&threads[0], NULL, log_many, "one"), 0);
    cr_assert_eq(pthread_create(&threads[1], NULL, log_many, "two"), 0);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    char *line = (char *)written();
    size_t n = 0;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1, n++) {
        *end = '\0';
        json_t *v = json_loads(line, 0, NULL);
        cr_assert_not_null(v, "%s", line);
        json_decref(v);
    }
    cr_expect_eq(n, 1000u);
}

Test(log, level_moves) {
    set_up(LOG_FORMAT_TEXT, 0);
    log_debug("x", "one");
    log_set_level(LOG_LEVEL_DEBUG);
    cr_expect(log_enabled(LOG_LEVEL_DEBUG));
    log_debug("x", "two");
    log_set_level(LOG_LEVEL_ERROR);
    log_warn("x", "three");
    cr_expect_str_eq(written(), "2025-01-02T03:04:05.678Z DEBUG x: two\n");
}
