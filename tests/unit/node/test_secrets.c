/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: secrets are made once, readable by their owner only, the same at the next start and in a
 * copy; a wrong password or a damaged file is refused. Covers: secrets.c */
#include "node/secrets.h"

#include "node/datadir.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[DATADIR_PATH_MAX];

static struct secrets_options options(const char *where) {
    return (struct secrets_options){.dir = where,
                                    .admin_key_file = "",
                                    .signer_password = "",
                                    .operator_key = "",
                                    .chain_id = 41337};
}

static void setup(void) {
    cr_assert_eq(datadir_make_temp(dir, NULL), ERR_OK);
}
static void teardown(void) {
    datadir_remove_temp(dir);
}
TestSuite(secrets, .init = setup, .fini = teardown, .timeout = 60);

static void write_file(const char *name, const char *text) {
    char path[2 * DATADIR_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
}

Test(secrets, made_once) {
    struct secrets first, again;
    struct secrets_options o = options(dir);
    struct err_ctx ec = {.text = ""};
    struct stat st;
    char path[2 * DATADIR_PATH_MAX];
    cr_assert_eq(secrets_open(&first, &o, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(secrets_open(&again, &o, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(memcmp(&first, &again, sizeof(first)), 0);
    cr_expect_eq(strncmp(first.admin_key, "ak_", 3), 0);
    static const char *const files[] = {"pepper", "admin-key", "signer.json", "signer.password"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        snprintf(path, sizeof(path), "%s/secrets/%s", dir, files[i]);
        cr_assert_eq(stat(path, &st), 0, "%s", path);
        cr_expect_eq(st.st_mode & 0777, 0600, "%s", path);
    }
    snprintf(path, sizeof(path), "%s/copy", dir);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(secrets_copy(path, dir, &ec), ERR_OK, "%s", ec.text);
    o.dir = path;
    cr_assert_eq(secrets_open(&again, &o, &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(memcmp(&first, &again, sizeof(first)), 0);
}

Test(secrets, given) {
    struct secrets s;
    struct secrets_options o = options(dir);
    struct err_ctx ec = {.text = ""};
    char admin[2 * DATADIR_PATH_MAX], operator_key[2 * DATADIR_PATH_MAX];
    static const char key[] =
        "ak_0123456789abcdef_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    write_file("admin",
               "ak_0123456789abcdef_00112233445566778899aabbccddeeff00112233445566778899aabb"
               "ccddeeff\n");
    write_file("operator", "0000000000000000000000000000000000000000000000000000000000000001\n");
    snprintf(admin, sizeof(admin), "%s/admin", dir);
    snprintf(operator_key, sizeof(operator_key), "%s/operator", dir);
    o.admin_key_file = admin;
    o.operator_key = operator_key;
    cr_assert_eq(secrets_open(&s, &o, &ec), ERR_OK, "%s", ec.text);
    cr_expect_str_eq(s.admin_key, key);
    cr_expect(s.signers.has_operator);
    write_file("admin", "ak_0123");
    cr_expect_eq(secrets_open(&s, &o, &ec), ERR_CONFIG);
    o.admin_key_file = "";
    write_file("operator", "00");
    cr_expect_eq(secrets_open(&s, &o, &ec), ERR_CONFIG);
    o.operator_key = "";
    write_file("secrets/signer.password", "another");
    cr_expect_eq(secrets_open(&s, &o, &ec), ERR_INVALID);
    write_file("secrets/pepper", "zz");
    cr_expect_eq(secrets_open(&s, &o, &ec), ERR_PARSE);
}
