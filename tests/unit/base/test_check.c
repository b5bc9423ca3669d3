/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a failing CHECK says what, where and during which block, and ends the process; a passing
 * one evaluates its expression once. Method: fork, read the child's standard error. */
#include "base/check.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int runs;

static int count_and(int v) {
    runs++;
    return v;
}

Test(check, passing) {
    CHECK(count_and(1));
    cr_expect_eq(runs, 1);
}

Test(check, failing_aborts_with_the_place) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        check_progress.block_num = 41;
        check_progress.tx_idx = 3;
        CHECK(1 + 1 == 3);
        _exit(0);
    }
    close(ends[1]);
    char text[1024] = "";
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) - 1 && (n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    cr_expect_not_null(strstr(text, "1 + 1 == 3"), "%s", text);
    cr_expect_not_null(strstr(text, "test_check.c:"));
    cr_expect_not_null(strstr(text, "block 41, transaction 3"));
}

Test(check, debug_checks_only_in_debug_builds) {
#ifdef CALLIPTER_DEBUG
    DCHECK(count_and(1));
    cr_expect_eq(runs, 1);
#else
    DCHECK(count_and(0));
    cr_expect_eq(runs, 0);
#endif
}
