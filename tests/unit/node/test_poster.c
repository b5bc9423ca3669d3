/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: reverts, which are paid for, come ever more seldom, and never end the posting. */
#include "node/poster.h"

#include <criterion/criterion.h>

Test(poster, reverts_come_ever_more_seldom) {
    cr_expect_eq(poster_retry_ms(0), POSTER_RETRY_MS);
    cr_expect_eq(poster_retry_ms(1), POSTER_RETRY_MS);
    cr_expect_eq(poster_retry_ms(2), 2 * POSTER_RETRY_MS);
    cr_expect_eq(poster_retry_ms(4), 8 * POSTER_RETRY_MS);
    cr_expect_eq(poster_retry_ms(7), POSTER_RETRY_MAX_MS);
    cr_expect_eq(poster_retry_ms(4000000000), POSTER_RETRY_MAX_MS);
}
