/* SPDX-License-Identifier: Apache-2.0 */
/* Keys from a mnemonic: BIP-39 (seed only; the words are not checked against a list) and BIP-32
 * private derivation, for development accounts. Sources: BIP-39 §"From mnemonic to seed", BIP-32
 * §"Private parent key -> private child key". */
#ifndef GENESIS_HDWALLET_H
#define GENESIS_HDWALLET_H

#include "base/err.h"
#include "base/types.h"

enum {
    HD_SEED_BYTES = 64,
    HD_PATH_DEPTH_MAX = 10,
    HD_MNEMONIC_MAX_BYTES = 512,
};
#define HD_HARDENED UINT32_C(0x80000000)

struct hd_key {
    uint8_t key[32];
    uint8_t chain_code[32];
};

/* PBKDF2-HMAC-SHA512, 2048 rounds. ERR_INVALID for text that is not ASCII (which would need Unicode
 * normalisation), ERR_TOO_LARGE. */
enum err hd_seed(uint8_t out[HD_SEED_BYTES], const char *mnemonic, const char *passphrase) MUST_USE;
/* ERR_INVALID with probability 2^-127, as BIP-32 has it. */
enum err hd_master(struct hd_key *out, const uint8_t *seed, size_t seed_len) MUST_USE;
/* Child `index`; HD_HARDENED | i for a hardened one. */
enum err hd_child(struct hd_key *out, const struct hd_key *parent, uint32_t index) MUST_USE;
/* Text such as "m/44'/60'/0'/0/3". ERR_PARSE, ERR_TOO_LARGE (too deep). */
enum err hd_derive_path(struct hd_key *out, const struct hd_key *master, const char *path) MUST_USE;

#endif
