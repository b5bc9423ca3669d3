/* SPDX-License-Identifier: Apache-2.0 */
#include "evm/precompile.h"

#include "base/check.h"
#include "evm/precompile_internal.h"

enum { ADDR_MAX = 0x100 /* highest address of the table */ };

struct row {
    uint16_t addr;
    enum evm_revision since;
    const char *name;
};

static const struct row ROWS[PRECOMPILE_COUNT] = {
#define PRECOMPILE(id, addr, name, since, eip) [PRECOMPILE_##id] = {addr, since, name},
#include "evm/precompiles.def"
#undef PRECOMPILE
};

/* Address to id + 1; 0 where there is none. */
static const uint8_t ID_BY_ADDR[ADDR_MAX + 1] = {
#define PRECOMPILE(id, addr, name, since, eip) [addr] = PRECOMPILE_##id + 1,
#include "evm/precompiles.def"
#undef PRECOMPILE
};

int precompile_find(enum evm_revision rev, const addr20 *a) {
    uint64_t hi, mid;
    memcpy(&hi, a->b, 8);
    memcpy(&mid, a->b + 8, 8);
    uint32_t low = be32_load(a->b + 16);
    if ((hi | mid) != 0 || low > ADDR_MAX)
        return -1;
    int id = (int)ID_BY_ADDR[low] - 1;
    return id >= 0 && rev >= ROWS[id].since ? id : -1;
}

addr20 precompile_addr(enum precompile_id id) {
    CHECK(id < PRECOMPILE_COUNT);
    addr20 a = {{0}};
    be32_store(a.b + 16, ROWS[id].addr);
    return a;
}

const char *precompile_name(enum precompile_id id) {
    CHECK(id < PRECOMPILE_COUNT);
    return ROWS[id].name;
}

bool precompile_active(enum evm_revision rev, enum precompile_id id) {
    CHECK(id < PRECOMPILE_COUNT);
    return rev >= ROWS[id].since;
}

/* base + per_word for each 32 bytes begun. An input length is an object's size, so this never
 * overflows. */
static uint64_t word_gas(uint64_t base, uint64_t per_word, size_t len) {
    uint64_t words = (uint64_t)len / 32 + (len % 32 != 0);
    return base + per_word * words;
}

uint64_t precompile_gas(enum evm_revision rev, enum precompile_id id, bytes input) {
    switch (id) {
    case PRECOMPILE_ECRECOVER:
        return 3000;
    case PRECOMPILE_SHA256:
        return word_gas(60, 12, input.len);
    case PRECOMPILE_RIPEMD160:
        return word_gas(600, 120, input.len);
    case PRECOMPILE_IDENTITY:
        return word_gas(15, 3, input.len);
    case PRECOMPILE_MODEXP:
        return precompile_modexp_gas(rev, input);
    case PRECOMPILE_BN254_ADD: /* the three prices of EIP-1108 */
        return 150;
    case PRECOMPILE_BN254_MUL:
        return 6000;
    case PRECOMPILE_BN254_PAIRING:
        return 45000 + 34000 * (uint64_t)(input.len / 192);
    case PRECOMPILE_BLAKE2F:
        return precompile_blake2f_gas(input);
    case PRECOMPILE_KZG:
        return 50000;
    case PRECOMPILE_BLS12_G1ADD:
        return 375;
    case PRECOMPILE_BLS12_G1MSM:
        return precompile_bls12_g1msm_gas(input);
    case PRECOMPILE_BLS12_G2ADD:
        return 600;
    case PRECOMPILE_BLS12_G2MSM:
        return precompile_bls12_g2msm_gas(input);
    case PRECOMPILE_BLS12_PAIRING:
        return 37700 + 32600 * (uint64_t)(input.len / 384);
    case PRECOMPILE_BLS12_MAP_FP_TO_G1:
        return 5500;
    case PRECOMPILE_BLS12_MAP_FP2_TO_G2:
        return 23800;
    case PRECOMPILE_P256VERIFY:
        return 6900;
    case PRECOMPILE_COUNT:
        break;
    }
    check_fail("id < PRECOMPILE_COUNT", __FILE__, __LINE__);
}

enum evm_status precompile_run(enum evm_revision rev, enum precompile_id id, struct arena *a,
                               bytes input, bytes *out) {
    switch (id) {
    case PRECOMPILE_ECRECOVER:
        return precompile_ecrecover(a, input, out);
    case PRECOMPILE_SHA256:
        return precompile_sha256(a, input, out);
    case PRECOMPILE_RIPEMD160:
        return precompile_ripemd160(a, input, out);
    case PRECOMPILE_IDENTITY:
        return precompile_identity(a, input, out);
    case PRECOMPILE_MODEXP:
        return precompile_modexp(rev, a, input, out);
    case PRECOMPILE_BN254_ADD:
        return precompile_bn254_add(a, input, out);
    case PRECOMPILE_BN254_MUL:
        return precompile_bn254_mul(a, input, out);
    case PRECOMPILE_BN254_PAIRING:
        return precompile_bn254_pairing(a, input, out);
    case PRECOMPILE_BLAKE2F:
        return precompile_blake2f(a, input, out);
    case PRECOMPILE_KZG:
        return precompile_kzg(a, input, out);
    case PRECOMPILE_BLS12_G1ADD:
        return precompile_bls12_g1add(a, input, out);
    case PRECOMPILE_BLS12_G1MSM:
        return precompile_bls12_g1msm(a, input, out);
    case PRECOMPILE_BLS12_G2ADD:
        return precompile_bls12_g2add(a, input, out);
    case PRECOMPILE_BLS12_G2MSM:
        return precompile_bls12_g2msm(a, input, out);
    case PRECOMPILE_BLS12_PAIRING:
        return precompile_bls12_pairing(a, input, out);
    case PRECOMPILE_BLS12_MAP_FP_TO_G1:
        return precompile_bls12_map_fp(a, input, out);
    case PRECOMPILE_BLS12_MAP_FP2_TO_G2:
        return precompile_bls12_map_fp2(a, input, out);
    case PRECOMPILE_P256VERIFY:
        return precompile_p256verify(a, input, out);
    case PRECOMPILE_COUNT:
        break;
    }
    check_fail("id < PRECOMPILE_COUNT", __FILE__, __LINE__);
}
