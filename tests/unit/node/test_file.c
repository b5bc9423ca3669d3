/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: files come whole, those beyond the limit not at all. */
#include "node/file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

Test(file, read) {
    char path[] = "/tmp/callipter-file-XXXXXX";
    static uint8_t content[20000];
    struct err_ctx ec;
    struct buf b;
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (uint8_t)(i * 7);
    cr_assert_eq(write(fd, content, sizeof(content)), (ssize_t)sizeof(content));
    close(fd);
    buf_init(&b, sizeof(content) + 4096);
    cr_assert_eq(file_read(&b, path, sizeof(content), &ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(b.len, sizeof(content));
    cr_expect_eq(memcmp(b.ptr, content, b.len), 0);
    cr_expect_eq(file_read(&b, path, sizeof(content) - 1, &ec), ERR_TOO_LARGE);
    cr_expect_not_null(strstr(ec.text, "is longer than 19999 bytes"), "%s", ec.text);
    cr_expect_eq(file_read(&b, "/nonexistent", 10, &ec), ERR_NOT_FOUND);
    cr_expect_eq(file_read(&b, "/", 10, &ec), ERR_IO);
    cr_assert_eq(truncate(path, 0), 0);
    cr_assert_eq(file_read(&b, path, 10, &ec), ERR_OK);
    cr_expect_eq(b.len, 0);
    buf_clear(&b);
    unlink(path);
}
