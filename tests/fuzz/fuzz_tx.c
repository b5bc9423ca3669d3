/* SPDX-License-Identifier: Apache-2.0 */
/* Transaction envelopes. Properties, for any bytes:
 *  - what decodes encodes to the same bytes, whose digests are the decoded ones;
 *  - the signing digest taken from the wire is that of the fields;
 *  - what is accepted without blob transactions is accepted with them, and else differs in type 3
 * only;
 *  - memory taken is bounded by the input's length;
 *  - the intrinsic gas covers what the lists cost, and the floor no less than the base cost. */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/tx.h"

enum {
    ARENA_CHUNK_BYTES = 1 << 12,
    MEMORY_PER_BYTE =
        16, /* struct tx_authorization holds 27 bytes of the wire in less than 16 times as many */
};

static void check_round_trip(const struct tx *tx, bytes in) {
    struct buf out;
    buf_init(&out, 2 * in.len + 64);
    tx_encode(&out, tx);
    CHECK(!out.overflow);
    CHECK(out.len == in.len);
    CHECK(memcmp(out.ptr, in.ptr, in.len) == 0);
    hash32 digest = keccak256_bytes(buf_bytes(&out)), signing = tx_signing_hash(tx);
    CHECK(hash32_eq(&digest, &tx->hash));
    CHECK(hash32_eq(&signing, &tx->sighash));
    buf_clear(&out);
}

static void check_gas(const struct tx *tx) {
    for (int rev = 0; rev < EVM_REVISION_COUNT; rev++) {
        struct tx_intrinsic gas = tx_intrinsic_gas(tx, (enum evm_revision)rev);
        CHECK(gas.gas >=
              21000 + 4 * tx->data.len + 2400 * tx->access_count + 25000 * tx->auth_count);
        CHECK(rev >= EVM_PRAGUE ? gas.floor_gas >= 21000 + 10 * tx->data.len : gas.floor_gas == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bytes in = bytes_of(data, size);
    struct arena a;
    arena_init(&a, ARENA_CHUNK_BYTES, SIZE_MAX);
    struct tx tx, plain;
    struct err_ctx ec = {.err = ERR_OK};
    enum err e = tx_decode(&tx, &a, in, true, &ec);
    CHECK(a.total_bytes <= MEMORY_PER_BYTE * size + 4 * ARENA_CHUNK_BYTES);
#ifdef FUZZ_PLANT_BUG
    /* The bug that a search must find: an integer too large for its field passes. */
    if (e == ERR_TOO_LARGE)
        e = ERR_OK;
#endif
    CHECK(e == ec.err);
    enum err without_blobs = tx_decode(&plain, &a, in, false, NULL);
    if (e == ERR_OK) {
        CHECK(without_blobs == (tx.type == TX_BLOB ? ERR_UNSUPPORTED : ERR_OK));
        CHECK(tx.raw.ptr == data && tx.raw.len == size);
        check_round_trip(&tx, in);
        check_gas(&tx);
    } else {
        CHECK(without_blobs != ERR_OK);
        CHECK(ec.text[0] != '\0');
    }
    arena_clear(&a);
    return 0;
}
