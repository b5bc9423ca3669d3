/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/kv.h"

size_t kv_key_len(uint8_t space) {
    switch (space) {
#define SPACE(id, number, key_len, key, value)                                                     \
    case number:                                                                                   \
        return key_len;
#include "rpc/kv_spaces.def"
#undef SPACE
    default: /* what a record of another version may hold */
        return 0;
    }
}
