/* SPDX-License-Identifier: Apache-2.0 */
#include "node/signers.h"

#include "base/check.h"
#include "base/secp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum { SLUG_MAX = 64 };

bool signers_key(const struct signers *s, const char *slug, uint8_t out[32]) {
    static const char label[] = "callipter universe signer 1";
    uint8_t in[sizeof(label) - 1 + 8 + SLUG_MAX + 1];
    size_t len = strlen(slug);
    addr20 ignored;
    CHECK(len <= SLUG_MAX);
    if (len == 0) {
        memcpy(out, s->operator_key, 32);
        return s->has_operator;
    }
    size_t at = sizeof(label) - 1;
    memcpy(in, label, at);
    be64_store(in + at, s->chain_id);
    memcpy(in + at + 8, slug, len);
    at += 8 + len;
    for (int counter = 0; counter < 256; counter++) {
        unsigned n = 32;
        in[at] = (uint8_t)counter;
        CHECK(HMAC(EVP_sha256(), s->seed, sizeof(s->seed), in, at + 1, out, &n) != NULL);
        if (secp_address_of_key(&ignored, out) == ERR_OK)
            return true;
    }
    CHECK(false); /* 2^-127 each */
    return false;
}

bool signers_address(const struct signers *s, const char *slug, addr20 *out) {
    uint8_t key[32];
    bool ok = signers_key(s, slug, key) && secp_address_of_key(out, key) == ERR_OK;
    OPENSSL_cleanse(key, sizeof(key));
    return ok;
}

void signers_wipe(struct signers *s) {
    OPENSSL_cleanse(s, sizeof(*s));
}
