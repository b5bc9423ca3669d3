/* SPDX-License-Identifier: Apache-2.0 */
/* ACCT's packed form: flags u8 | nonce LEB128 | balance length u8 | balance trimmed big-endian |
 * store id u64 BE if flagged | code hash if flagged | storage root if flagged. One form per
 * account: unpacking refuses any other. */
#include "base/check.h"
#include "base/keccak.h"
#include "state/store.h"

enum { HAS_CODE = 1, HAS_ROOT = 2, HAS_STORE_ID = 4, FLAGS_ALL = 7 };

size_t account_pack(uint8_t out[ACCOUNT_PACKED_MAX], const struct account *a) {
    bool code = !hash32_eq(&a->code_hash, &KECCAK_EMPTY);
    bool root = !hash32_eq(&a->storage_root, &KECCAK_EMPTY_TRIE);
    size_t n = 0;
    out[n++] = (uint8_t)((code ? HAS_CODE : 0) | (root ? HAS_ROOT : 0) |
                         (a->store_id != 0 ? HAS_STORE_ID : 0));
    uint64_t nonce = a->nonce;
    for (; nonce >= 0x80; nonce >>= 7)
        out[n++] = (uint8_t)(nonce | 0x80);
    out[n++] = (uint8_t)nonce;
    uint8_t be[32];
    u256_to_be32(be, &a->balance);
    size_t skip = 0;
    while (skip < 32 && be[skip] == 0)
        skip++;
    out[n++] = (uint8_t)(32 - skip);
    memcpy(out + n, be + skip, 32 - skip);
    n += 32 - skip;
    if (a->store_id != 0) {
        be64_store(out + n, a->store_id);
        n += 8;
    }
    if (code) {
        memcpy(out + n, a->code_hash.b, 32);
        n += 32;
    }
    if (root) {
        memcpy(out + n, a->storage_root.b, 32);
        n += 32;
    }
    CHECK(n <= ACCOUNT_PACKED_MAX);
    return n;
}

/* Takes `len` bytes off *in; NULL if there are fewer. */
static const uint8_t *take(bytes *in, size_t len) {
    if (in->len < len)
        return NULL;
    const uint8_t *p = in->ptr;
    *in = bytes_of(p + len, in->len - len);
    return p;
}

static enum err take_nonce(bytes *in, uint64_t *out) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const uint8_t *p = take(in, 1);
        if (p == NULL || (shift == 63 && *p > 1) || (shift > 0 && *p == 0))
            return ERR_CORRUPT;
        v |= (uint64_t)(*p & 0x7f) << shift;
        if ((*p & 0x80) == 0) {
            *out = v;
            return ERR_OK;
        }
    }
    return ERR_CORRUPT;
}

static enum err take_hash(bytes *in, hash32 *out, const hash32 *when_absent) {
    const uint8_t *p = take(in, 32);
    if (p == NULL || memcmp(p, when_absent->b, 32) == 0)
        return ERR_CORRUPT;
    memcpy(out->b, p, 32);
    return ERR_OK;
}

enum err account_unpack(struct account *out, bytes packed) {
    struct account a = {.code_hash = KECCAK_EMPTY, .storage_root = KECCAK_EMPTY_TRIE};
    const uint8_t *flags = take(&packed, 1);
    if (flags == NULL || (*flags & ~FLAGS_ALL) != 0)
        return ERR_CORRUPT;
    TRY(take_nonce(&packed, &a.nonce));
    const uint8_t *len = take(&packed, 1);
    const uint8_t *balance = len == NULL || *len > 32 ? NULL : take(&packed, *len);
    if (balance == NULL || (*len > 0 && balance[0] == 0))
        return ERR_CORRUPT;
    uint8_t be[32] = {0};
    memcpy(be + 32 - *len, balance, *len);
    a.balance = u256_from_be32(be);
    if ((*flags & HAS_STORE_ID) != 0) {
        const uint8_t *id = take(&packed, 8);
        if (id == NULL || be64_load(id) == 0)
            return ERR_CORRUPT;
        a.store_id = be64_load(id);
    }
    if ((*flags & HAS_CODE) != 0)
        TRY(take_hash(&packed, &a.code_hash, &KECCAK_EMPTY));
    if ((*flags & HAS_ROOT) != 0)
        TRY(take_hash(&packed, &a.storage_root, &KECCAK_EMPTY_TRIE));
    if (packed.len != 0)
        return ERR_CORRUPT;
    *out = a;
    return ERR_OK;
}
