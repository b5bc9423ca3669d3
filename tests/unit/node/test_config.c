/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: flags win over the environment, the environment over defaults; what does not fit is refused
 * with a sentence that names it. The file of --config comes before both. */
#include "node/config.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static const char *env_name, *env_value;

static char *env(const char *name) {
    return env_name != NULL && strcmp(name, env_name) == 0 ? (char *)(uintptr_t)env_value : NULL;
}

static enum err parse(struct config *c, struct err_ctx *ec, const char *a, const char *b,
                      const char *d) {
    char *argv[5] = {(char *)(uintptr_t) "run"};
    int argc = 1;
    const char *args[] = {a, b, d};
    for (size_t i = 0; i < 3 && args[i] != NULL; i++)
        argv[argc++] = (char *)(uintptr_t)args[i];
    return config_parse(c, argc, argv, env, ec);
}

Test(config, defaults_and_dev) {
    struct config c;
    struct err_ctx ec;
    env_name = NULL;
    cr_assert_eq(parse(&c, &ec, "--dev", NULL, NULL), ERR_OK);
    cr_expect(c.dev);
    cr_expect(c.unbacked_alloc);
    cr_expect_eq(c.block_gap_ms, 1);
    cr_expect_str_eq(c.http, "127.0.0.1:8545");
    cr_expect_eq(c.cache_mib, 512);
    cr_assert_eq(parse(&c, &ec, "--chain=g.json", "--datadir", "d"), ERR_OK);
    cr_expect_eq(c.block_gap_ms, 10);
    cr_expect_str_eq(c.chain, "g.json");
    cr_expect_str_eq(c.datadir, "d");
    cr_expect_not(c.unbacked_alloc);
    cr_assert_eq(parse(&c, &ec, "--dev", "--block-gap-ms", "7"), ERR_OK);
    cr_expect_eq(c.block_gap_ms, 7);
    cr_assert_eq(parse(&c, &ec, "--help", NULL, NULL), ERR_OK);
    cr_expect(c.help);
}

Test(config, environment) {
    struct config c;
    struct err_ctx ec;
    env_name = "CALLIPTER_HTTP_READERS";
    env_value = "5";
    cr_assert_eq(parse(&c, &ec, "--dev", NULL, NULL), ERR_OK);
    cr_expect_eq(c.http_readers, 5);
    cr_assert_eq(parse(&c, &ec, "--dev", "--http-readers=6", NULL), ERR_OK);
    cr_expect_eq(c.http_readers, 6);
    env_value = "many";
    cr_assert_eq(parse(&c, &ec, "--dev", NULL, NULL), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "CALLIPTER_HTTP_READERS"));
    env_name = "CALLIPTER_DEV";
    env_value = "true";
    cr_assert_eq(parse(&c, &ec, NULL, NULL, NULL), ERR_OK);
    cr_expect(c.dev);
    env_value = "perhaps";
    cr_expect_eq(parse(&c, &ec, NULL, NULL, NULL), ERR_CONFIG);
}

Test(config, refusals) {
    static const struct {
        const char *a, *b, *c, *says;
    } cases[] = {
        {"--nope", NULL, NULL, "unknown flag '--nope'"},
        {"--nope=3", NULL, NULL, "unknown flag '--nope'"},
        {"--de", NULL, NULL, "unknown flag '--de'"},
        {"nope", NULL, NULL, "unexpected argument 'nope'"},
        {"--dev", "--cache", NULL, "--cache needs a value: MIB"},
        {"--dev", "--cache", "x", "--cache: 'x' is not a whole number"},
        {"--dev", "--cache", "-1", "--cache: '-1' is not a whole number"},
        {"--dev", "--cache", "63", "--cache: 63 is not between 64 and 1048576"},
        {"--dev", "--cache", "99999999999999999999999", "not a whole number"},
        {NULL, NULL, NULL, "--chain FILE is needed"},
        {"--chain", "g.json", NULL, "--datadir DIR is needed"},
        {"--dev=maybe", NULL, NULL, "neither true nor false"},
        {"--dev", "--forward-urls", "http://a", "--forward-urls is for --role validator"},
        {"--dev", "--recover", "nope", "neither vectorised nor libsecp256k1"},
    };
    env_name = NULL;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config c;
        struct err_ctx ec;
        cr_assert_eq(parse(&c, &ec, cases[i].a, cases[i].b, cases[i].c), ERR_CONFIG, "case %zu", i);
        cr_expect_not_null(strstr(ec.text, cases[i].says), "case %zu: %s", i, ec.text);
    }
}

static char path[64];

static void write_config(const void *content, size_t len) {
    snprintf(path, sizeof(path), "/tmp/callipter-config-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, len), (ssize_t)len);
    close(fd);
}

Test(config, file) {
    static const char text[] = "# a node\n\n  datadir = /var/lib/some node  \nchain=g.json\r\n"
                               "http-readers = 3\nunbacked-alloc = true\nhttp-cors =\ncache = 100";
    struct config c;
    struct err_ctx ec = {.text = ""};
    write_config(text, sizeof(text) - 1);
    env_name = "CALLIPTER_HTTP_READERS";
    env_value = "5";
    cr_assert_eq(parse(&c, &ec, "--config", path, "--cache=200"), ERR_OK, "%s", ec.text);
    cr_expect_str_eq(c.datadir, "/var/lib/some node");
    cr_expect_str_eq(c.chain, "g.json");
    cr_expect_str_eq(c.http_cors, "");
    cr_expect(c.unbacked_alloc);
    cr_expect_eq(c.http_readers, 5); /* the environment */
    cr_expect_eq(c.cache_mib, 200);  /* the flag */
    cr_expect_eq(c.block_gap_ms, 10);
    cr_expect(c.given[CONFIG_datadir]);
    config_clear(&c);
    env_name = "CALLIPTER_CONFIG";
    env_value = path;
    cr_assert_eq(parse(&c, &ec, NULL, NULL, NULL), ERR_OK, "%s", ec.text);
    cr_expect_eq(c.http_readers, 3);
    config_clear(&c);
    unlink(path);
    cr_expect_eq(parse(&c, &ec, NULL, NULL, NULL), ERR_NOT_FOUND);
}

Test(config, bad_file) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"dev = true\nnope = 1\n", "line 2: unknown key 'nope'"},
        {"dev\n", "line 1: 'dev' is not key = value"},
        {"dev = true\ndev = true\n", "line 2: dev is set twice"},
        {"dev =\n", "line 1: dev is true or false"},
        {"\n\ncache = 1\n", "line 3, cache: 1 is not between 64 and 1048576"},
        {"config = other\n", "unknown key 'config'"},
        {"replay = d\n", "unknown key 'replay'"},
        {"dev = perhaps\n", "neither true nor false"},
        {"= 1\n", "unknown key ''"},
    };
    env_name = NULL;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config c;
        struct err_ctx ec = {.text = ""};
        write_config(cases[i].text, strlen(cases[i].text));
        cr_assert_eq(parse(&c, &ec, "--config", path, NULL), ERR_CONFIG, "case %zu", i);
        cr_expect_not_null(strstr(ec.text, cases[i].says), "case %zu: %s", i, ec.text);
        unlink(path);
    }
    struct config c;
    struct err_ctx ec = {.text = ""};
    write_config("dev = true\0\n", 12);
    cr_expect_eq(parse(&c, &ec, "--config", path, NULL), ERR_CONFIG);
    unlink(path);
}

/* The sample is a file that gives the same configuration, whole or with what is behind #. */
Test(config, sample) {
    struct config c, again;
    struct err_ctx ec = {.text = ""};
    char *text = NULL;
    size_t len = 0;
    env_name = NULL;
    cr_assert_eq(parse(&c, &ec, "--dev", "--cache=99", "--print-config"), ERR_OK, "%s", ec.text);
    cr_expect(c.print_config);
    FILE *f = open_memstream(&text, &len);
    config_print_sample(f, &c);
    fclose(f);
    cr_expect_not_null(strstr(text, "\ndev = true\n"));
    cr_expect_not_null(strstr(text, "\ncache = 99\n"));
    cr_expect_not_null(strstr(text, "\n#http = 127.0.0.1:8545\n"));
    cr_expect_null(strstr(text, "replay ="));
    for (int round = 0; round < 2; round++) {
        write_config(text, len);
        cr_assert_eq(parse(&again, &ec, "--config", path, NULL), ERR_OK, "%s", ec.text);
        cr_expect(again.dev);
        cr_expect_eq(again.cache_mib, 99);
        cr_expect_str_eq(again.http, "127.0.0.1:8545");
        cr_expect_eq(again.block_gap_ms, round == 0 ? 1 : 10);
        config_clear(&again);
        unlink(path);
        for (char *at = text; (at = strstr(at, "\n#")) != NULL; at++)
            if (at[2] != ' ')
                at[1] = ' ';
    }
    free(text);
    config_clear(&c);
}

/* URLs with more than scheme, host and port may hold a provider's key: they are not printed. */
Test(config, keys_in_urls_are_not_printed) {
    static const struct {
        const char *urls;
        bool shown;
    } cases[] = {{"http://127.0.0.1:8549", true},
                 {"https://a.example/", true},
                 {"https://a.example,http://b.example:1/", true},
                 {"https://a.example/v3/canary", false},
                 {"https://a.example,https://b.example/?k=canary", false},
                 {"https://me:canary@a.example", false},
                 {"https://a.example?canary", false},
                 {"https://a.example#canary", false},
                 {"canary@a.example", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int flag = 0; flag < 4; flag++) {
            static const char *const names[] = {"--parent-url", "--member-urls", "--sequencer-url",
                                                "--forward-urls"};
            struct config c;
            struct err_ctx ec = {.text = ""};
            char *text = NULL, arg[128];
            size_t len = 0;
            snprintf(arg, sizeof(arg), "%s=%s", names[flag], cases[i].urls);
            cr_assert_eq(parse(&c, &ec, "--print-config", arg, NULL), ERR_OK, "%s", ec.text);
            FILE *f = open_memstream(&text, &len);
            config_print_sample(f, &c);
            fclose(f);
            cr_expect_eq(strstr(text, cases[i].urls) != NULL, cases[i].shown, "%s", arg);
            cr_expect_eq(strstr(text, "not shown") == NULL, cases[i].shown, "%s", arg);
            cr_expect_null(strstr(text, "canary"), "%s", arg);
            free(text);
            config_clear(&c);
        }
}

/* A secret where its file's name belongs is refused, and told to nobody. */
Test(config, secrets_are_no_file_names) {
    static const char *const names[] = {"tls-key",         "poster-key",   "key-password",
                                        "member-key",      "proposer-key", "admin-key-file",
                                        "signer-password", "operator-key"};
    static const char digits[] = "c0ffee11C0FFEE11c0ffee11c0ffee11c0ffee11c0ffee11c0ffee11c0ffee11";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (int form = 0; form < 5; form++) {
            static const char *const before[] = {"", "0x", "ak_", "./", ""};
            struct config c;
            struct err_ctx ec = {.text = ""};
            char arg[160];
            snprintf(arg, sizeof(arg), "--%s=%s%s%s", names[i], before[form], digits,
                     form == 4 ? "0" : "");
            enum err e = parse(&c, &ec, "--print-config", arg, NULL);
            cr_expect_eq(e, form < 3 ? ERR_CONFIG : ERR_OK, "%s: %s", arg, ec.text);
            cr_expect_null(strstr(ec.text, "c0ffee11"), "%s", ec.text);
            if (form < 3)
                cr_expect_not_null(strstr(ec.text, names[i]), "%s", ec.text);
            if (e == ERR_OK)
                config_clear(&c);
        }
}

/* What may change while a node runs is a matter of the table, and it is told. */
Test(config, live_keys) {
    static const enum config_id live[] = {CONFIG_log_level, CONFIG_http_cors, CONFIG_call_gas,
                                          CONFIG_block_gap_ms},
                                start[] = {CONFIG_datadir, CONFIG_http, CONFIG_tier, CONFIG_dev,
                                           CONFIG_http_readers};
    for (size_t i = 0; i < ARRAY_LEN(live); i++)
        cr_expect(config_is_live(live[i]), "%s", config_key(live[i]));
    for (size_t i = 0; i < ARRAY_LEN(start); i++)
        cr_expect_not(config_is_live(start[i]), "%s", config_key(start[i]));

    struct config a, b;
    struct err_ctx ec;
    env_name = NULL;
    cr_assert_eq(parse(&a, &ec, "--dev", "--call-gas=30000", "--http-cors=x"), ERR_OK);
    cr_assert_eq(parse(&b, &ec, "--dev", "--http-cors=y", NULL), ERR_OK);
    for (int id = 0; id < CONFIG_COUNT; id++)
        cr_expect_eq(config_same(&a, &b, (enum config_id)id),
                     id != CONFIG_call_gas && id != CONFIG_http_cors, "%s",
                     config_key((enum config_id)id));
    cr_assert_eq(parse(&a, &ec, "--chain=g", "--datadir=d", NULL), ERR_OK);
    cr_expect_not(config_same(&a, &b, CONFIG_dev));
    config_clear(&a);
    config_clear(&b);

    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    config_print_help(f);
    fclose(f);
    size_t marked = 0, want = 0;
    for (const char *at = text; (at = strstr(at, " [live]\n")) != NULL; at++)
        marked++;
    for (int id = 0; id < CONFIG_COUNT; id++)
        want += config_is_live((enum config_id)id);
    cr_expect_eq(marked, want);
    free(text);
}

/* A bad level is refused before anything else happens, at a start and when read again. */
Test(config, log_words) {
    struct config c;
    struct err_ctx ec;
    env_name = NULL;
    cr_assert_eq(parse(&c, &ec, "--dev", "--log-level=loud", NULL), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "loud"));
    cr_assert_eq(parse(&c, &ec, "--dev", "--log-format=xml", NULL), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "xml"));
    cr_assert_eq(parse(&c, &ec, "--dev", "--log-level=warn", "--log-format=json"), ERR_OK);
}
