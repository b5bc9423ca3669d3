/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the commands ask a node as they are told to and by nothing else, end with the status that
 * says what became of it, and keep secrets off the wrong stream. Method: `key` and `universe` in
 * this process, a server with prepared answers in a node's place.
 * Covers: api_command.c cmd_key.c cmd_universe.c */
#include "node/api_command.h"

#include "node/commands.h"
#include "tests/lib/http_answers.h"
#include "tests/lib/temp_dir.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS16 "0123456789abcdef"
#define KEY "sk_" DIGITS16 "_" DIGITS16 DIGITS16 DIGITS16 DIGITS16
#define SECRET "pk_" DIGITS16 "_fedcba9876543210" DIGITS16 DIGITS16 DIGITS16
#define OK_HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
#define NEW_KEY OK_HEAD "{\"key\":{\"id\":\"00aa\"},\"secret\":\"" SECRET "\"}"
#define PROBLEM                                                                                    \
    "HTTP/1.1 403 No\r\nConnection: close\r\n\r\n{\"code\":\"forbidden\",\"detail\":\"you "        \
    "\\u001b "                                                                                     \
    "may not\",\"requestId\":\"r1\"}"

enum { WORDS_MAX = 12, OUTPUT_MAX = 16384 };

static void quiet(void) {
    unsetenv("CALLIPTER_URL");
    unsetenv("CALLIPTER_API_KEY");
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* nothing in the clear goes there */
    cr_redirect_stdout();
    cr_redirect_stderr();
}

static void read_all(FILE *f, char out[OUTPUT_MAX]) {
    size_t n = fread(out, 1, OUTPUT_MAX - 1, f);
    out[n] = '\0';
}

struct said {
    char out[OUTPUT_MAX], err[OUTPUT_MAX];
};
static struct said said;

/* Both streams have ended when this reads them: the last thing that a test does. */
static void listen_to_it(void) {
    fflush(stdout);
    fflush(stderr);
    read_all(cr_get_redirected_stdout(), said.out);
    read_all(cr_get_redirected_stderr(), said.err);
}

static int run(int (*command)(int, char **), const char *const *words) {
    char *argv[WORDS_MAX + 1] = {0};
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        cr_assert_lt(argc, WORDS_MAX);
        argv[argc] = strdup(words[argc]);
    }
    int status = command(argc, argv);
    while (argc > 0)
        free(argv[--argc]);
    return status;
}
#define RUN(command, ...) run(command, (const char *const[]){__VA_ARGS__, NULL})

Test(api_command, wrong_usage, .init = quiet) {
    setenv("CALLIPTER_URL", "127.0.0.1:1", 1); /* nothing of this may ask */
    cr_expect_eq(RUN(cmd_key, "key"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "frob"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "list"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "list", "arena"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "list", "arena", "more"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "list", "arena", "--key", KEY), 2);
    cr_expect_eq(RUN(cmd_key, "key", "list", "arena", "--key-file", "a", "--datadir", "b"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "list", "arena", "--key-file", "/nowhere/at/all"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "list", "arena", "--datadir", "/nowhere/at/all"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "revoke", "arena"), 2);
    cr_expect_eq(RUN(cmd_key, "key", "create", "arena"), 2);
    cr_expect_eq(RUN(cmd_universe, "universe", "show", "ARENA"), 2);
    cr_expect_eq(RUN(cmd_universe, "universe", "show", ""), 2);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", "ftp://x"), 2);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", "http://user:word@127.0.0.1:1"), 2);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--idempotency-key", "x"), 2);
    setenv("CALLIPTER_API_KEY", "sk_no\r\nX-Evil: 1", 1);
    cr_expect_eq(RUN(cmd_universe, "universe", "list"), 2);
    setenv("CALLIPTER_API_KEY", KEY, 1);
    cr_expect_eq(RUN(cmd_universe, "universe", "pause", "a", "--idempotency-key", "x\r\ny"), 2);
    cr_expect_eq(RUN(cmd_universe, "universe", "pause", "a", "--idempotency-key", ""), 2);
    cr_expect_eq(RUN(cmd_universe, "universe", "pause", "a", "--idempotency-key", "  "), 2);
    listen_to_it();
    cr_expect_str_eq(said.out, "");
    cr_expect_null(strstr(said.err, KEY));
    cr_expect_not_null(strstr(said.err, "usage: callipter key revoke SLUG KEY\n"));
    cr_expect_not_null(strstr(said.err, "callipter key list: an API key is needed"));
    cr_expect_not_null(strstr(said.err, "callipter key revoke: KEY is missing"));
    cr_expect_null(strstr(said.err, "no answer"));
}

/* Goal: without a scheme only this machine is asked, since the key would go out readable. Method:
 * what is refused is wrong usage; what is asked finds nobody at port 1. */
Test(api_command, no_scheme_is_this_machine, .init = quiet) {
    static const char *const others[] = {"example.com",
                                         "example.com:8545",
                                         "10.0.0.1:1",
                                         "127.0.0.1.evil.io",
                                         "localhost.evil",
                                         "[::2]:1",
                                         "[::ffff:10.0.0.1]",
                                         "128.0.0.1:1",
                                         ":1",
                                         "[::1]x",
                                         "[::1"};
    static const char *const own[] = {"127.0.0.1:1", "127.9.9.9:1", "localhost:1",
                                      "LocalHost:1", "[::1]:1",     "127.0.0.1:1/"};
    setenv("CALLIPTER_API_KEY", KEY, 1);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", others[i]), 2, "%s", others[i]);
        setenv("CALLIPTER_URL", others[i], 1);
        cr_expect_eq(RUN(cmd_key, "key", "show", "arena", "00"), 2, "%s", others[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", own[i]), 3, "%s", own[i]);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", "http://127.0.0.1:1"), 3);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", "https://127.0.0.1:1"), 3);
    listen_to_it();
    cr_expect_not_null(strstr(said.err, "needs https:// before it"));
    cr_expect_null(strstr(said.err, KEY));
}

Test(api_command, unreached, .init = quiet) {
    static const char *const answers[] = {"",
                                          "HTTP/1.1 404 No\r\nConnection: close\r\n\r\n<html>",
                                          OK_HEAD "<html>",
                                          OK_HEAD "{\"a\":1}",
                                          OK_HEAD "{}",
                                          OK_HEAD "[]",
                                          OK_HEAD "{}",
                                          NULL};
    static struct http_answers s;
    setenv("CALLIPTER_API_KEY", KEY, 1);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", "127.0.0.1:1"), 3);
    http_answers_start(&s, answers);
    cr_expect_eq(RUN(cmd_key, "key", "revoke", "arena", "00", "--url", s.url), 3);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", s.url), 3);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", s.url), 3);
    cr_expect_eq(RUN(cmd_key, "key", "show", "arena", "00", "--url", s.url), 3);
    cr_expect_eq(RUN(cmd_key, "key", "rotate", "arena", "00", "--url", s.url), 3);
    cr_expect_eq(RUN(cmd_universe, "universe", "show", "arena", "--url", s.url), 3);
    cr_expect_eq(RUN(cmd_universe, "universe", "list", "--url", s.url), 3);
    http_answers_stop(&s);
    listen_to_it();
    cr_expect_str_eq(said.out, "");
    cr_expect_not_null(strstr(said.err, "may have done what was asked"));
    cr_expect_not_null(strstr(said.err, "HTTP status 404"));
    cr_expect_not_null(strstr(said.err, "another program"));
    cr_expect_null(strstr(said.err, KEY));
}

Test(api_command, refused, .init = quiet) {
    static const char *const answers[] = {PROBLEM, PROBLEM, OK_HEAD "[]", NULL};
    static struct http_answers s;
    setenv("CALLIPTER_API_KEY", KEY, 1);
    http_answers_start(&s, answers);
    setenv("CALLIPTER_URL", s.url, 1);
    cr_expect_eq(RUN(cmd_universe, "universe", "resume", "arena"), 1);
    cr_expect_eq(RUN(cmd_universe, "universe", "resume", "arena", "--json"), 1);
    cr_expect_eq(RUN(cmd_key, "key", "show", "arena", "00"), 1);
    http_answers_stop(&s);
    listen_to_it();
    cr_expect_str_eq(said.out, "{\"code\":\"forbidden\",\"detail\":\"you \\u001b may not\","
                               "\"requestId\":\"r1\"}\n");
    cr_expect_str_eq(said.err, "callipter universe resume: you ? may not (forbidden, request r1)\n"
                               "callipter universe resume: you ? may not (forbidden, request r1)\n"
                               "callipter key show: there is no such key\n");
}

Test(api_command, secrets_go_to_stdout_once, .init = quiet) {
    static const char *const answers[] = {NEW_KEY, NULL};
    static struct http_answers s;
    char dir[128], path[160];
    temp_dir_make(dir, sizeof(dir), "api-command");
    snprintf(path, sizeof(path), "%s/key", dir);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs("\n " KEY " \n\n", f);
    fclose(f);
    http_answers_start(&s, answers);
    cr_expect_eq(RUN(cmd_key, "key", "rotate", "--key-file", path, "--url", s.url, "arena",
                     "--overlap-ms=5", "00aa"),
                 0);
    http_answers_stop(&s);
    listen_to_it();
    cr_expect_str_eq(said.out, SECRET "\n");
    cr_expect_not_null(strstr(said.err, "key 00aa"));
    cr_expect_null(strstr(said.err, SECRET));
    cr_expect_eq(strncmp(s.requests[0], "POST /v1/u/arena/keys/00aa/rotate HTTP/1.1\r\n", 44), 0);
    cr_expect_not_null(strstr(s.requests[0], "\r\nAuthorization: Bearer " KEY "\r\n"));
    cr_expect_not_null(strstr(s.requests[0], "\r\n\r\n{\"overlapMs\":\"5\"}"));
    temp_dir_remove(dir);
}

Test(api_command, answers, .init = quiet) {
    static const char *const answers[] = {
        OK_HEAD "{\"universe\":{\"id\":1,\"slug\":\"arena\"},\"secretKey\":{\"key\":{},\"secret\":"
                "\"s1\"},\"publishableKey\":{\"key\":{},\"secret\":\"p1\"},\"transactions\":[]}",
        OK_HEAD
        "{\"universe\":{\"id\":1},\"secretKey\":{\"key\":{}},\"publishableKey\":{\"key\":{}}"
        ",\"transactions\":[]}",
        OK_HEAD "{\"items\":[{\"address\":\"0x1\"}],\"next\":\"cursor\"}",
        OK_HEAD "[{\"id\":\"aa\",\"kind\":\"secret\"},{\"id\":\"bb\",\"kind\":\"publishable\"}]",
        OK_HEAD "[{\"id\":\"aa\",\"kind\":\"secret\"},{\"id\":\"bb\",\"kind\":\"publishable\"}]",
        OK_HEAD "{ \"as\" : \"it came\" }",
        NULL};
    static struct http_answers s;
    setenv("CALLIPTER_API_KEY", KEY, 1);
    http_answers_start(&s, answers);
    setenv("CALLIPTER_URL", s.url, 1);
    cr_expect_eq(RUN(cmd_universe, "universe", "create", "arena", "--idempotency-key", "k 1"), 0);
    cr_expect_eq(RUN(cmd_universe, "universe", "create", "arena"), 0);
    cr_expect_eq(RUN(cmd_universe, "universe", "contracts", "arena"), 0);
    cr_expect_eq(RUN(cmd_key, "key", "show", "arena", "bb"), 0);
    cr_expect_eq(RUN(cmd_key, "key", "show", "arena", "bb", "--json"), 0);
    cr_expect_eq(RUN(cmd_universe, "universe", "show", "arena", "--json"), 0);
    http_answers_stop(&s);
    listen_to_it();
    cr_expect_str_eq(said.out, "id              1\n"
                               "slug            arena\n"
                               "secretKey       s1\n"
                               "publishableKey  p1\n"
                               "id  1\n"
                               "address  template  name  symbol  standard  block\n"
                               "0x1      -         -     -       -         -\n"
                               "id    bb\n"
                               "kind  publishable\n"
                               "{\"id\":\"bb\",\"kind\":\"publishable\"}\n"
                               "{ \"as\" : \"it came\" }\n");
    cr_expect_not_null(strstr(said.err, "shown this once"));
    cr_expect_not_null(strstr(said.err, "were shown when it was made"));
    cr_expect_not_null(strstr(said.err, "there are more: --after cursor\n"));
    cr_expect_not_null(strstr(s.requests[0], "\r\nIdempotency-Key: k 1\r\n"));
    cr_expect_null(strstr(s.requests[1], "Idempotency-Key"));
    cr_expect_not_null(strstr(s.requests[0], "\r\n\r\n{\"slug\":\"arena\"}"));
}

/* Every word of both commands explains itself, with each of its flags. */
Test(api_command, help, .init = quiet) {
    cr_expect_eq(RUN(cmd_key, "key", "--help"), 0);
    cr_expect_eq(RUN(cmd_universe, "universe", "policy", "--help"), 0);
    listen_to_it();
    static const char *const words[] = {
        "usage: callipter key COMMAND",
        "  create SLUG --kind TEXT [--label TEXT] [--scopes LIST] [--expires-at TIME]\n",
        "  rotate SLUG KEY [--overlap-ms N]\n",
        " read tx mint ",
        "usage: callipter universe COMMAND",
        "[--user-budget-window N] [--idempotency-key TEXT]\n",
        "  create SLUG [--owner ADDRESS] [--metadata-uri TEXT] [--gas N] [--idempotency-key TEXT]"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        cr_expect_not_null(strstr(said.out, words[i]), "%s", words[i]);
    cr_expect_str_eq(said.err, "");
}
