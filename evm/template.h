/* SPDX-License-Identifier: Apache-2.0 */
/* Name building for the templates of the curve code (the .inc files): TPL_NAME(bn254, fp_mul) is
 * bn254_fp_mul, both arguments expanded first. */
#ifndef EVM_TEMPLATE_H
#define EVM_TEMPLATE_H

#define TPL_PASTE(a, b) a##_##b
#define TPL_NAME(a, b) TPL_PASTE(a, b)

#endif
