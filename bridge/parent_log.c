/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/parent_log.h"

bool parent_log_is(const struct parent_log *l, enum abi_event e, size_t topic_count) {
    hash32 topic = abi_topic(e);
    return l->topic_count == topic_count && topic_count > 0 && hash32_eq(&l->topics[0], &topic);
}

enum err parent_log_topic_u64(uint64_t *out, const struct parent_log *l, size_t idx) {
    if (idx >= l->topic_count)
        return ERR_PARSE;
    return abi_get_u64(out, bytes_of(l->topics[idx].b, sizeof l->topics[idx].b), 0);
}
