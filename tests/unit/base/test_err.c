/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every error has a name, a text and a code; contexts carry one sentence, cut at their end.
 * Method: the table row by row; the macros through small functions. */
#include "base/err.h"

#include <criterion/criterion.h>

Test(err, table) {
    for (int i = 0; i < ERR_COUNT; i++) {
        enum err e = (enum err)i;
        cr_expect_eq(strncmp(err_name(e), "ERR_", 4), 0);
        cr_expect_gt(strlen(err_text(e)), 0u);
        cr_expect(i == 0 ? err_rpc_code(e) == 0 : err_rpc_code(e) < 0);
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(err_name(e), err_name((enum err)j));
    }
    cr_expect_str_eq(err_name(ERR_IO), "ERR_IO");
    cr_expect_str_eq(err_name((enum err)999), "ERR_?");
    cr_expect_eq(err_rpc_code((enum err)999), -32603);
}

static enum err fail_with(struct err_ctx *ec, int value) {
    if (value != 0)
        FAIL(ec, ERR_INVALID, "value %d is not 0", value);
    return ERR_OK;
}

static enum err through_try(struct err_ctx *ec, int value, bool *out_after) {
    TRY(fail_with(ec, value));
    *out_after = true;
    return ERR_OK;
}

Test(err, sentence_and_place) {
    struct err_ctx ec = {.text = "untouched"};
    bool after = false;
    cr_expect_eq(through_try(&ec, 0, &after), ERR_OK);
    cr_expect(after);
    cr_expect_str_eq(ec.text, "untouched");
    after = false;
    cr_expect_eq(through_try(&ec, 7, &after), ERR_INVALID);
    cr_expect_not(after);
    cr_expect_str_eq(ec.text, "value 7 is not 0");
    cr_expect_eq(ec.err, ERR_INVALID);
    cr_expect_gt(ec.line, 0);
    cr_expect_not_null(strstr(ec.file, "test_err.c"));
    cr_expect_eq(fail_with(NULL, 1), ERR_INVALID);
}

Test(err, long_sentences_are_cut) {
    char text[2 * ERR_TEXT_MAX];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct err_ctx ec;
    cr_expect_eq(err_set(&ec, ERR_IO, "f", 1, "%s", text), ERR_IO);
    cr_expect_eq(strlen(ec.text), (size_t)ERR_TEXT_MAX - 1);
}

Test(err, a_sentence_may_quote_the_former_one) {
    struct err_ctx ec;
    (void)err_set(&ec, ERR_IO, "f", 1, "disk full");
    (void)err_set(&ec, ERR_CONFIG, "f", 1, "start failed: %s", ec.text);
    cr_expect_str_eq(ec.text, "start failed: disk full");
}
