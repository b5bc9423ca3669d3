/* SPDX-License-Identifier: Apache-2.0 */
#include "node/print_profile.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void print_profile(const struct evm_profile *p, size_t rows) {
    static const char *const titles[] = {"slots", "pairs", "triples"};
    CHECK(rows <= PROFILE_ROWS_MAX);
    struct evm_profile_row *list = calloc(PROFILE_ROWS_MAX, sizeof *list);
    CHECK(list != NULL);
    uint64_t total = evm_profile_total(p);
    printf("dispatched\t%" PRIu64 "\n", total);
    for (unsigned length = 1; length <= EVM_PROFILE_LENGTH_MAX; length++) {
        size_t n = evm_profile_rows(p, list, rows, length);
        printf("%s\n", titles[length - 1]);
        for (size_t i = 0; i < n; i++) {
            printf("%" PRIu64 "\t%.2f%%\t", list[i].count,
                   100.0 * (double)list[i].count / (double)total);
            for (unsigned k = 0; k < length; k++)
                printf("%s%s", k == 0 ? "" : " ", list[i].name[k]);
            printf("\n");
        }
    }
    free(list);
}
