/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of genesis/: reading JSON values with the path of their key in every error, and what the
 * file parser and the built-in chain share. */
#ifndef GENESIS_GENESIS_INTERNAL_H
#define GENESIS_GENESIS_INTERNAL_H

#include "genesis/genesis.h"

#include <jansson.h>

enum { GENESIS_PATH_MAX_BYTES = 192 };

/* A value in the file: its path ("callipter.kDen", "alloc.0x12..ab.storage") and where errors
 * go. */
struct gvalue {
    const json_t *json; /* NULL: absent */
    struct err_ctx *ec;
    char path[GENESIS_PATH_MAX_BYTES];
};
struct gvalue gvalue_root(const json_t *json, struct err_ctx *ec);
/* Member of an object, element of an array. */
struct gvalue gvalue_member(const struct gvalue *v, const char *key);
struct gvalue gvalue_element(const struct gvalue *v, size_t idx);
/* The value as short text for errors. */
const char *gvalue_text(const struct gvalue *v, char out[64]);

/* Each fails with ERR_CONFIG and a sentence of path and value. Numbers are JSON integers, decimal
 * text or 0x text. */
enum err gvalue_u256(const struct gvalue *v, u256 *out, unsigned max_bits) MUST_USE;
enum err gvalue_u64(const struct gvalue *v, uint64_t *out, uint64_t min, uint64_t max) MUST_USE;
enum err gvalue_addr(const struct gvalue *v, addr20 *out) MUST_USE;
/* Bytes of a 0x text, in `a`. */
enum err gvalue_bytes(const struct gvalue *v, struct arena *a, bytes *out,
                      size_t max_bytes) MUST_USE;
/* A JSON object; ERR_CONFIG if it has a key that is not among `known` (NULL-terminated; NULL:
 * any). */
enum err gvalue_object(const struct gvalue *v, const char *const *known) MUST_USE;
enum err gvalue_array(const struct gvalue *v, size_t max_count) MUST_USE;

/* 20 bytes in hexadecimal, 0x or not, of a key of `alloc`. */
enum err gtext_addr(const char *text, addr20 *out) MUST_USE;
/* 0x text or decimal digits. */
enum err gtext_u256(const char *text, u256 *out) MUST_USE;

/* All members at their defaults, arena ready, nothing allocated to anyone. */
void genesis_init(struct genesis *g);
/* Adds the predeploys of `wanted` (one flag per enum predeploy_id) to the allocation, sorts it,
 * sums it up. ERR_CONFIG if an account of the file stands where only the chain may be. */
enum err genesis_finish(struct genesis *g, const bool *wanted, struct err_ctx *ec) MUST_USE;

#endif
