/* SPDX-License-Identifier: Apache-2.0 */
#include "genesis/embed.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

bytes embed_code(const char *begin, const char *end, const char *keccak_hex, struct arena *a) {
    size_t len = (size_t)(end - begin);
    while (len > 0 && (begin[len - 1] == '\n' || begin[len - 1] == '\r'))
        len--;
    uint8_t *code = arena_alloc(a, len / 2 + 1);
    size_t code_len = 0;
    enum err e = hex_decode(code, len / 2 + 1, &code_len, begin, len);
    CHECK(e == ERR_OK);
    hash32 want, have;
    e = hex_decode_fixed(want.b, sizeof want.b, keccak_hex);
    CHECK(e == ERR_OK);
    keccak256(&have, code, code_len);
    CHECK(hash32_eq(&have, &want));
    return bytes_of(code, code_len);
}
