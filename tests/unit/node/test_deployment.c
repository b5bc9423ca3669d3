/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the contracts' file and keys are read whole or refused by name. */
#include "node/deployment.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ADDR "\"0x00000000000000000000000000000000000000%02x\""

static char path[] = "/tmp/callipter-deployment-XXXXXX";

static void write_file(const char *text) {
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

static void make_file(void) {
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void remove_file(void) {
    unlink(path);
}

TestSuite(deployment, .init = make_file, .fini = remove_file);

Test(deployment, whole) {
    char text[1024];
    struct deployment d;
    struct err_ctx ec = {.text = ""};
    snprintf(text, sizeof(text),
             "{\"parentChainId\":42161,\"deployedAtBlock\":7,\"rollup\":" ADDR ",\"bridge\":" ADDR
             ",\"inbox\":" ADDR ",\"sequencerInbox\":" ADDR ",\"outbox\":" ADDR
             ",\"confirmer\":" ADDR ",\"more\":[]}",
             1, 2, 3, 4, 5, 6);
    write_file(text);
    cr_assert_eq(deployment_load(&d, path, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(d.parent_chain_id, 42161);
    cr_expect_eq(d.block, 7);
    cr_expect_eq(d.rollup.b[19], 1);
    cr_expect_eq(d.sequencer_inbox.b[19], 4);
    cr_expect(d.has_confirmer);
    cr_expect_eq(d.confirmer.b[19], 6);
}

Test(deployment, what_is_missing_is_named) {
    struct deployment d;
    struct err_ctx ec = {.text = ""};
    write_file("{\"parentChainId\":1,\"deployedAtBlock\":7,\"rollup\":\"0x12\"}");
    cr_assert_eq(deployment_load(&d, path, &ec), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "'rollup' is no address"), "%s", ec.text);
    write_file("{\"parentChainId\":-1}");
    cr_assert_eq(deployment_load(&d, path, &ec), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "'parentChainId' is no number"), "%s", ec.text);
    write_file("{");
    cr_expect_eq(deployment_load(&d, path, &ec), ERR_CONFIG);
    remove_file();
    cr_expect_eq(deployment_load(&d, path, &ec), ERR_NOT_FOUND);
}

Test(deployment, keys) {
    static const char digits[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char text[128];
    uint8_t key[32] = {0};
    struct err_ctx ec = {.text = ""};
    write_file(digits);
    cr_assert_eq(account_key_load(key, path, "", &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(key[0], 0x01);
    cr_expect_eq(key[31], 0xef);
    snprintf(text, sizeof(text), "0x%s\r\n", digits);
    write_file(text);
    cr_expect_eq(account_key_load(key, path, "", &ec), ERR_OK, "%s", ec.text);
    write_file(digits + 1);
    cr_expect_eq(account_key_load(key, path, "", &ec), ERR_CONFIG);
    cr_expect_null(strstr(ec.text, "123456789abcdef"), "an error must not show the key");
    write_file("{\"version\":3}");
    cr_expect_eq(account_key_load(key, path, "", &ec), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "password"), "%s", ec.text);
}
