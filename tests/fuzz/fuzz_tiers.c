/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's two tiers. Property, for any bytes taken as the code of a small world of contracts:
 * the fast tier and the reference tier agree on {success, revert, failure}, gas, refund, output,
 * created address, logs, state and warm marks, on any revision, whether code is decoded at once, in
 * mid-run or never.
 *
 *   byte  0     bits 0-1 revision, bit 2 run contract 0 as init code, bits 3-4 gas per byte before
 * decoding bytes 1-2   gas, in units of 3 byte  3     share of the rest that is contract 0, in
 * 256ths; the others have a third each of what remains then        code; that of contract 0 comes
 * after eight pushes, so that blind bytes find operands */
#include "tests/fuzz/fuzz.h"

#include "base/check.h"
#include "evm/opcode.h"
#include "tests/lib/evm/random_program.h"

#include <stdio.h>

enum { HEADER = 4, PUSHES = 8, CODE_MAX = 8192 };

static bytes take(bytes *rest, size_t len) {
    if (len > rest->len)
        len = rest->len;
    bytes head = bytes_of(rest->ptr, len);
    *rest = bytes_of(rest->ptr + len, rest->len - len);
    return head;
}

/* Code with values on the stack that are an offset, a length, an address. */
static bytes with_pushes(uint8_t out[CODE_MAX], bytes code) {
    static const uint8_t values[PUSHES] = {0x01, 0x02, 0x20, 0x40, 0x04, 0x00, 0x20, 0x00};
    size_t n = 0;
    for (unsigned i = 0; i < PUSHES; i++) {
        out[n++] = OP_PUSH1;
        out[n++] = values[i];
    }
    if (code.len > CODE_MAX - n)
        code.len = CODE_MAX - n;
    if (code.len != 0)
        memcpy(out + n, code.ptr, code.len);
    return bytes_of(out, n + code.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct tier_pair *pair;
    static const uint32_t heats[4] = {0, 1, 4, 1000};
    static uint8_t code[CODE_MAX];
    if (pair == NULL)
        pair = tier_pair_new();
    if (size < HEADER)
        return 0;
    bytes rest = bytes_of(data + HEADER, size - HEADER);
    struct program_case c = {
        .revision = (enum evm_revision)(data[0] & 3),
        .create = (data[0] & 4) != 0,
        .gas = 3 * ((int64_t)data[1] << 8 | data[2]),
        .input = rest,
    };
    c.code[0] = with_pushes(code, take(&rest, rest.len * data[3] / 256 + 1));
    size_t third = rest.len / 3 + 1;
    for (unsigned i = 1; i < PROGRAM_CONTRACTS; i++)
        c.code[i] = take(&rest, third);
    struct program_verdict fast, ref;
    bool agree = tier_pair_agree(pair, &c, heats[data[0] >> 3 & 3], &fast, &ref);
#ifdef FUZZ_PLANT_BUG
    /* The bug that a search must find: some amounts of gas are compared wrongly. */
    agree = agree && ref.gas_used % 64 != 33;
#endif
    if (!agree)
        fprintf(stderr, "fast      %s\nreference %s\n", fast.text, ref.text);
    CHECK(agree);
    return 0;
}
