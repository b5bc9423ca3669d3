/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a log counts as an event only with its hash and number of topics.
 * Method: one event, changed in each respect. */
#include "bridge/parent_log.h"

#include <criterion/criterion.h>

Test(parent_log, is_an_event) {
    struct parent_log l = {.topics = {abi_topic(ABI_EVENT_BATCH_DATA)}, .topic_count = 2};
    cr_expect(parent_log_is(&l, ABI_EVENT_BATCH_DATA, 2));
    cr_expect(!parent_log_is(&l, ABI_EVENT_BATCH_DATA, 3));
    cr_expect(!parent_log_is(&l, ABI_EVENT_INBOX_MESSAGE, 2));
    l.topic_count = 0;
    cr_expect(!parent_log_is(&l, ABI_EVENT_BATCH_DATA, 0));
}

Test(parent_log, topic_as_number) {
    struct parent_log l = {.topics = {{{0}}, {{[31] = 9}}}, .topic_count = 2};
    uint64_t v = 0;
    cr_expect(parent_log_topic_u64(&v, &l, 1) == ERR_OK && v == 9);
    cr_expect_eq(parent_log_topic_u64(&v, &l, 2), ERR_PARSE);
    l.topics[1].b[23] = 1;
    cr_expect_eq(parent_log_topic_u64(&v, &l, 1), ERR_PARSE);
}
