/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: values, switches and plain arguments are found in any order, and what does not fit is
 * named. */
#include "node/args.h"

#include <criterion/criterion.h>

struct parsed {
    const char *a, *b, *plain[2];
    bool on;
};

static enum err parse(struct parsed *p, struct err_ctx *ec, size_t plain_max,
                      const char *const words[4]) {
    char *argv[5] = {(char *)(uintptr_t) "new"};
    int argc = 1;
    *p = (struct parsed){0};
    ec->text[0] = '\0';
    const struct arg args[] = {{"a", &p->a, NULL}, {"long-b", &p->b, NULL}, {"on", NULL, &p->on}};
    for (size_t i = 0; i < 4 && words[i] != NULL; i++)
        argv[argc++] = (char *)(uintptr_t)words[i];
    return args_parse(argc, argv, args, ARRAY_LEN(args), p->plain, plain_max, ec);
}

Test(args, found) {
    struct parsed p;
    struct err_ctx ec;
    cr_assert_eq(parse(&p, &ec, 1, (const char *[4]){"--on", "file", "--long-b=x=y"}), ERR_OK);
    cr_expect(p.on);
    cr_expect_str_eq(p.plain[0], "file");
    cr_expect_str_eq(p.b, "x=y");
    cr_expect_null(p.a);
    cr_assert_eq(parse(&p, &ec, 2, (const char *[4]){"first", "--a=1", "second"}), ERR_OK);
    cr_expect_str_eq(p.plain[0], "first");
    cr_expect_str_eq(p.plain[1], "second");
    cr_assert_eq(parse(&p, &ec, 2, (const char *[4]){"first"}), ERR_OK);
    cr_expect_null(p.plain[1]);
    cr_assert_eq(parse(&p, &ec, 0, (const char *[4]){"--a", "--on"}), ERR_OK);
    cr_expect_str_eq(p.a, "--on");
    cr_expect_not(p.on);
    cr_assert_eq(parse(&p, &ec, 0, (const char *[4]){0}), ERR_OK);
}

Test(args, refused) {
    static const struct {
        const char *words[4];
        const char *says;
    } cases[] = {
        {{"--b"}, "unknown flag '--b'"},         {{"--b=1"}, "unknown flag '--b'"},
        {{"--a"}, "--a needs a value"},          {{"--a="}, "--a needs a value"},
        {{"--a", "1", "--a=2"}, "given twice"},  {{"--on=1"}, "--on takes no value"},
        {{"x", "y"}, "unexpected argument 'y'"}, {{"-a", "-b"}, "unexpected argument '-b'"},
    };
    struct parsed p;
    struct err_ctx ec;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cr_expect_eq(parse(&p, &ec, 1, cases[i].words), ERR_CONFIG, "case %zu", i);
        cr_expect_not_null(strstr(ec.text, cases[i].says), "case %zu: %s", i, ec.text);
    }
    cr_expect_eq(parse(&p, &ec, 0, (const char *[4]){"x"}), ERR_CONFIG);
}

Test(args, help) {
    char *none[] = {(char *)(uintptr_t) "verify", (char *)(uintptr_t) "--helper"};
    char *some[] = {(char *)(uintptr_t) "verify", (char *)(uintptr_t) "--datadir",
                    (char *)(uintptr_t) "--help"};
    cr_expect_not(args_help(2, none));
    cr_expect(args_help(3, some));
    cr_expect_not(args_help(2, some));
}
