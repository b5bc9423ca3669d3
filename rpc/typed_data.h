/* SPDX-License-Identifier: Apache-2.0 */
/* EIP-712: the digest of typed structured data, as eth_signTypedData_v4 takes it:
 *
 *   {types: {Name: [{name, type}]}, primaryType, domain, message}
 *
 * Integers may be JSON numbers or text, decimal or 0x; a struct that is null or missing counts as
 * 32 zero bytes, any other missing value is an error (as eth-sig-util's V4 has it).
 *
 * Limits: values nest TYPED_DATA_DEPTH_MAX deep, a type has TYPED_DATA_FIELDS_MAX fields and refers
 * to TYPED_DATA_TYPES_MAX others, and encodings take TYPED_DATA_BYTES_MAX. Nothing recurses. */
#ifndef RPC_TYPED_DATA_H
#define RPC_TYPED_DATA_H

#include "base/types.h"

#include <jansson.h>

enum {
    TYPED_DATA_DEPTH_MAX = 64,
    TYPED_DATA_FIELDS_MAX = 256,
    TYPED_DATA_TYPES_MAX = 64,
    TYPED_DATA_BYTES_MAX = 8 << 20,
    TYPED_DATA_TEXT_MAX = 200,
};

/* JSON text within the depth limit; NULL if it is not. */
json_t *typed_data_parse(const char *text, size_t len);
/* keccak(0x1901 | hashStruct(domain) | hashStruct(message)). False with a sentence in `why`. */
bool typed_data_digest(hash32 *out, const json_t *typed, char why[TYPED_DATA_TEXT_MAX]);

#endif
