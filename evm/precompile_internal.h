/* SPDX-License-Identifier: Apache-2.0 */
/* What evm/precompile.c calls in the precompile_<family>.c files: one run function per contract,
 * and a gas function where the price is more than a constant.
 *
 * A run function takes the call's input, any length, and answers as precompile_run does:
 * EVM_SUCCESS with *out (which lives in `a`), EVM_PRECOMPILE_FAILURE, or EVM_INTERNAL_ERROR when
 * memory is short; *out is written on success only. All are thread-safe. */
#ifndef EVM_PRECOMPILE_INTERNAL_H
#define EVM_PRECOMPILE_INTERNAL_H

#include "base/arena.h"
#include "evm/evm.h"

typedef enum evm_status precompile_fn(struct arena *a, bytes input, bytes *out);

/* Yellow Paper appendix E. An input that is no signature succeeds with an empty output. */
precompile_fn precompile_ecrecover;
precompile_fn precompile_sha256;
precompile_fn precompile_ripemd160;
precompile_fn precompile_identity;

/* EIP-198; price of EIP-2565, from Osaka on that of EIP-7883 with the length limit of EIP-7823. */
uint64_t precompile_modexp_gas(enum evm_revision rev, bytes input);
enum evm_status precompile_modexp(enum evm_revision rev, struct arena *a, bytes input, bytes *out);

/* EIP-152. The price is one gas per round. */
uint64_t precompile_blake2f_gas(bytes input);
precompile_fn precompile_blake2f;

/* EIP-196, EIP-197. */
precompile_fn precompile_bn254_add;
precompile_fn precompile_bn254_mul;
precompile_fn precompile_bn254_pairing;

/* EIP-4844, point evaluation. */
precompile_fn precompile_kzg;

/* EIP-2537. The MSM prices depend on the number of pairs. */
uint64_t precompile_bls12_g1msm_gas(bytes input);
uint64_t precompile_bls12_g2msm_gas(bytes input);
precompile_fn precompile_bls12_g1add;
precompile_fn precompile_bls12_g1msm;
precompile_fn precompile_bls12_g2add;
precompile_fn precompile_bls12_g2msm;
precompile_fn precompile_bls12_pairing;
precompile_fn precompile_bls12_map_fp;
precompile_fn precompile_bls12_map_fp2;

/* EIP-7951. A signature that does not hold succeeds with an empty output. */
precompile_fn precompile_p256verify;

/* Copies `len` bytes from offset `off` of the input to out, zeros where the input has ended: most
 * precompiles read their input as if it went on with zeros for ever. */
static inline void precompile_read(uint8_t *out, bytes input, size_t off, size_t len) {
    size_t have = off < input.len ? input.len - off : 0;
    if (have > len)
        have = len;
    if (have > 0)
        memcpy(out, input.ptr + off, have);
    memset(out + have, 0, len - have);
}

/* An output of `len` bytes in `a`, NULL when memory is short. *out is set then and only then. */
static inline uint8_t *precompile_output(struct arena *a, bytes *out, size_t len) {
    uint8_t *p = arena_try_alloc(a, len > 0 ? len : 1);
    if (p != NULL)
        *out = bytes_of(p, len);
    return p;
}

#endif
