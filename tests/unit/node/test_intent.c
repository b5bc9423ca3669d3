/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is written before a batch is sent reads back the same; anything else is refused. */
#include "node/intent.h"

#include <criterion/criterion.h>

Test(intent, reads_back) {
    struct buf b;
    struct intent in = {.batch = 7, .first_block = 100, .last_block = 230, .nonce = 5}, out;
    in.last_hash.b[3] = 1;
    in.tx_hash.b[31] = 2;
    in.raw = bytes_of("signed", 6);
    buf_init(&b, INTENT_MAX_BYTES);
    intent_pack(&b, &in);
    cr_assert_eq(intent_unpack(&out, buf_bytes(&b)), ERR_OK);
    cr_expect_eq(out.batch, 7);
    cr_expect_eq(out.first_block, 100);
    cr_expect_eq(out.last_block, 230);
    cr_expect_eq(out.nonce, 5);
    cr_expect(hash32_eq(&out.last_hash, &in.last_hash));
    cr_expect(hash32_eq(&out.tx_hash, &in.tx_hash));
    cr_expect_eq(out.raw.len, 6);
    cr_expect_eq(memcmp(out.raw.ptr, "signed", 6), 0);
    for (size_t n = 0; n <= b.len - 6; n++)
        cr_expect_eq(intent_unpack(&out, bytes_of(b.ptr, n)), ERR_CORRUPT, "%zu bytes", n);
    b.ptr[0] = 2;
    cr_expect_eq(intent_unpack(&out, buf_bytes(&b)), ERR_VERSION);
    buf_clear(&b);
}
