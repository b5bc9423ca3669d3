/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: keys that were added are listed and open with their password; files are private; an address
 * comes once. */
#include "node/keydir.h"

#include "base/disk.h"
#include "base/secp.h"
#include "node/file.h"
#include "node/keystore.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* 2026-01-31 12:34:56.789 UTC */
#define NOW_NS UINT64_C(1769862896789000000)
static const struct scrypt_params weak = {.n = 2, .r = 8, .p = 1};
static char dir[64], keys[80];

static void setup(void) {
    snprintf(dir, sizeof(dir), "/tmp/callipter-keydir-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(keys, sizeof(keys), "%s/keys", dir);
}
static void teardown(void) {
    datadir_remove_temp(dir);
}
TestSuite(keydir, .init = setup, .fini = teardown);

static enum err add(char path[DATADIR_PATH_MAX], uint8_t which, struct err_ctx *ec) {
    uint8_t key[32] = {[31] = which}, random[64] = {which};
    return keydir_add(path, keys, key, "secret", &weak, random, NOW_NS, ec);
}

struct seen {
    size_t count;
    addr20 addresses[4];
};
static enum err see(void *ctx, const addr20 *address, const char *path) {
    struct seen *s = ctx;
    cr_assert_lt(s->count, 4);
    cr_expect_not_null(strstr(path, "UTC--2026-01-31T12-34-56.789000000Z--"), "%s", path);
    s->addresses[s->count++] = *address;
    return ERR_OK;
}

Test(keydir, add_and_list) {
    struct err_ctx ec = {.text = ""};
    struct seen seen = {0};
    char path[DATADIR_PATH_MAX];
    struct stat st;
    cr_expect_neq(keydir_each(keys, see, &seen, &ec), ERR_OK); /* no folder yet */
    for (uint8_t i = 1; i <= 2; i++)
        cr_assert_eq(add(path, i, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(stat(keys, &st), 0);
    cr_expect_eq(st.st_mode & 0777, 0700);
    cr_expect_eq(add(path, 2, &ec), ERR_EXISTS);
    cr_expect_eq(add(path, 0, &ec), ERR_INVALID);

    FILE *f = fopen(strcat(keys, "/notes.txt"), "w");
    cr_assert_not_null(f);
    fputs("{\"address\":\"no\"}", f);
    fclose(f);
    *strrchr(keys, '/') = '\0';
    cr_assert_eq(keydir_each(keys, see, &seen, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(seen.count, 2);
    addr20 want[2];
    for (uint8_t i = 0; i < 2; i++)
        cr_assert_eq(secp_address_of_key(&want[i], (const uint8_t[32]){[31] = i + 1}), ERR_OK);
    bool swapped = memcmp(seen.addresses[0].b, want[0].b, 20) != 0; /* order of names */
    cr_expect_eq(memcmp(seen.addresses[swapped].b, want[0].b, 20), 0);
    cr_expect_eq(memcmp(seen.addresses[!swapped].b, want[1].b, 20), 0);
}

Test(keydir, opens_again) {
    struct err_ctx ec = {.text = ""};
    char path[DATADIR_PATH_MAX];
    struct buf b;
    uint8_t secret[KEYSTORE_SECRET_MAX_BYTES];
    size_t len = 0;
    buf_init(&b, 1 << 20);
    cr_assert_eq(add(path, 7, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(file_read(&b, path, KEYSTORE_FILE_MAX_BYTES, &ec), ERR_OK, "%s", ec.text);
    cr_assert_eq(keystore_decrypt(secret, &len, buf_bytes(&b), "secret", &ec), ERR_OK);
    cr_expect_eq(len, 32);
    cr_expect_eq(secret[31], 7);
    cr_expect_eq(keystore_decrypt(secret, &len, buf_bytes(&b), "other", &ec), ERR_INVALID);
    buf_clear(&b);
}
