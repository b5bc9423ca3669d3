/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the password is the first line of its file, exactly; from a terminal it is asked for twice,
 * unseen. */
#include "node/password.h"

#include <criterion/criterion.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static enum err read_file(char out[PASSWORD_MAX_BYTES + 1], const void *content, size_t len,
                          struct err_ctx *ec) {
    char path[] = "/tmp/callipter-password-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, content, len), (ssize_t)len);
    close(fd);
    enum err e = password_read(out, path, "", false, ec);
    unlink(path);
    return e;
}

Test(password, from_a_file) {
    char out[PASSWORD_MAX_BYTES + 1], longest[PASSWORD_MAX_BYTES + 1];
    struct err_ctx ec;
    cr_assert_eq(read_file(out, " a b \r\nsecond\n", 14, &ec), ERR_OK);
    cr_expect_str_eq(out, " a b ");
    cr_assert_eq(read_file(out, "plain", 5, &ec), ERR_OK);
    cr_expect_str_eq(out, "plain");
    memset(longest, 'x', sizeof(longest));
    cr_assert_eq(read_file(out, longest, PASSWORD_MAX_BYTES, &ec), ERR_OK);
    cr_expect_eq(strlen(out), PASSWORD_MAX_BYTES);
    cr_expect_eq(read_file(out, longest, sizeof(longest), &ec), ERR_TOO_LARGE);
    cr_expect_eq(read_file(out, "", 0, &ec), ERR_INVALID);
    cr_expect_eq(read_file(out, "\nx", 2, &ec), ERR_INVALID);
    cr_expect_eq(read_file(out, "a\0b\n", 4, &ec), ERR_INVALID);
    cr_expect_eq(password_read(out, "/nonexistent", "", false, &ec), ERR_NOT_FOUND);
}

/* Types `typed` at a terminal; the child's exit status is 0 for "word", 1 for an error, else 2.
 * What the terminal showed comes back in `shown`. */
static int at_terminal(const char *typed, char shown[256]) {
    int master = -1, status = 0;
    size_t len = 0;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        char out[PASSWORD_MAX_BYTES + 1];
        struct err_ctx ec;
        if (password_read(out, NULL, "Say it", true, &ec) != ERR_OK)
            _exit(1);
        _exit(strcmp(out, "word") == 0 ? 0 : 2);
    }
    bool sent = false;
    for (;;) {
        ssize_t n = read(master, shown + len, 255 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        shown[len] = '\0';
        if (!sent && strstr(shown, "Say it: ") != NULL) {
            cr_assert_eq(write(master, typed, strlen(typed)), (ssize_t)strlen(typed));
            sent = true;
        }
    }
    shown[len] = '\0';
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    close(master);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(password, from_a_terminal, .timeout = 20) {
    char shown[256] = "";
    cr_expect_eq(at_terminal("word\nword\n", shown), 0);
    cr_expect_null(strstr(shown, "word"), "%s", shown);
    cr_expect_eq(at_terminal("word\nwart\n", shown), 1);
    cr_expect_eq(at_terminal("\n\n", shown), 1);
}
