/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the choice of variants is described, can be forced, and the self-test notices a broken one.
 * Method: choose both levels; run the self-test as is, and with a permutation that is wrong. */
#include "base/cpu.h"

#include "base/keccak.h"
#include "base/keccak_variants.h"
#include "base/secp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

Test(cpu, choice) {
    cpu_choose(CPU_PORTABLE);
    cr_expect_str_eq(cpu_describe(), "keccak=portable,portable recover=libsecp256k1");
    cr_expect(keccak_variant.f1600 == keccak_f1600);
    cr_expect(keccak_variant.x4 == NULL && keccak_variant.x8 == NULL);
    cpu_choose(CPU_AVX2);
    cr_expect(keccak_variant.x8 == NULL);
    cpu_choose(CPU_BEST);
    cr_expect_eq(strncmp(cpu_describe(), "keccak=", 7), 0);
}

Test(cpu, self_test_passes_and_keeps_the_choice) {
    struct err_ctx ec = {.text = "nothing"};
    cpu_choose(CPU_PORTABLE);
    cr_expect_eq(cpu_self_test(&ec), ERR_OK, "%s", ec.text);
    cr_expect_str_eq(cpu_describe(), "keccak=portable,portable recover=libsecp256k1");
    cpu_choose(CPU_BEST);
    struct keccak_variant best = keccak_variant;
    cr_expect_eq(cpu_self_test(&ec), ERR_OK, "%s", ec.text);
    cr_expect_eq(memcmp(&best, &keccak_variant, sizeof(best)), 0);
    cr_expect_str_eq(ec.text, "nothing");
}

static void broken_f1600(uint64_t lanes[25]) {
    keccak_f1600(lanes);
    lanes[2] ^= 1; /* within the last 20 bytes, which make an address */
}

/* secp256k1 addresses come from the chosen permutation: the self-test's last part sees a broken
 * one. */
Test(cpu, self_test_notices_a_broken_variant) {
    struct err_ctx ec = {0};
    keccak_variant.f1600 = broken_f1600;
    cr_expect_eq(cpu_self_test(&ec), ERR_MISMATCH);
    cr_expect_not_null(strstr(ec.text, "self-test"), "%s", ec.text);
}

/* The environment is read before main: look at a fresh process. */
static void expect_forced(const char *value, const char *expected) {
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        setenv("CALLIPTER_CPU", value, 1);
        setenv("CALLIPTER_TEST_DESCRIBE", "1", 1);
        execl("/proc/self/exe", "unit-base", (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    char text[96] = "";
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) - 1 && (n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_expect_str_eq(text, expected);
}

/* Before Criterion's main, after the choice, whose constructor has the first priority. */
__attribute__((constructor)) static void describe_and_leave(void) {
    if (getenv("CALLIPTER_TEST_DESCRIBE") == NULL)
        return;
    const char *text = cpu_describe();
    ssize_t n = write(STDOUT_FILENO, text, strlen(text));
    _exit(n == (ssize_t)strlen(text) ? 0 : 1);
}

Test(cpu, environment) {
    char best[96], avx2[96];
    unsetenv("CALLIPTER_RECOVER"); /* with which these tests may run */
    cpu_choose(CPU_AVX2);
    snprintf(avx2, sizeof(avx2), "%s", cpu_describe());
    cpu_choose(CPU_BEST);
    snprintf(best, sizeof(best), "%s", cpu_describe());
    expect_forced("portable", "keccak=portable,portable recover=libsecp256k1");
    expect_forced("avx2", avx2);
    expect_forced("anything else", best);
    setenv("CALLIPTER_RECOVER", "libsecp256k1", 1);
    secp_recover_use(SECP_RECOVERY_LIBRARY);
    snprintf(best, sizeof(best), "%s", cpu_describe());
    expect_forced("best", best);
}
