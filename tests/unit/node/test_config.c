/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: flags win over the environment, the environment over defaults; what does not fit is refused
 * with a sentence that names it. */
#include "node/config.h"

#include <criterion/criterion.h>

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
    };
    env_name = NULL;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config c;
        struct err_ctx ec;
        cr_assert_eq(parse(&c, &ec, cases[i].a, cases[i].b, cases[i].c), ERR_CONFIG, "case %zu", i);
        cr_expect_not_null(strstr(ec.text, cases[i].says), "case %zu: %s", i, ec.text);
    }
}
