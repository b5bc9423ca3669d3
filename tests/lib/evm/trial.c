/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/evm/trial.h"

#include "base/check.h"
#include "base/hex.h"
#include "evm/machine.h"
#include "evm/opcode.h"

#include <stdlib.h>

enum { CODE_MAX = 1 << 17 };

void trial_open(struct trial *t) {
    *t = (struct trial){.world = fake_world_new(), .cache = evm_code_cache_new((size_t)1 << 30)};
    CHECK(t->cache != NULL);
    evm_code_cache_set_heat(t->cache, 0);
    t->vm = evm_new(t->cache);
    CHECK(t->vm != NULL);
    t->caller = fake_addr(0xca11e4);
    t->contract = fake_addr(0xc0de);
    t->block = (struct evm_block_ctx){
        .chain_id = 41337,
        .number = 1000,
        .timestamp = 1700000000,
        .gas_limit = 30000000,
        .coinbase = fake_addr(0xc01b),
        .base_fee = u256_from_u64(7),
        .blob_base_fee = u256_from_u64(3),
    };
    memset(t->block.prevrandao.b, 0x5a, 32);
    t->tx = (struct evm_tx_ctx){.origin = t->caller, .gas_price = u256_from_u64(9)};
    t->cfg = (struct evm_config){
        .revision = EVM_OSAKA,
        .tier = EVM_TIER_FAST,
        .block = &t->block,
        .tx = &t->tx,
        .host = fake_world_host(t->world),
    };
    fake_account(t->world, &t->caller)->balance = u256_from_u64(1000000000000000000);
}

void trial_close(struct trial *t) {
    evm_free(t->vm);
    evm_code_cache_free(t->cache);
    fake_world_free(t->world);
}

static int find_op(const char *word, size_t len) {
    for (int op = 0; op < 256; op++) {
        const char *name = op_name((uint8_t)op);
        if (name != NULL && strlen(name) == len && strncmp(name, word, len) == 0)
            return op;
    }
    return -1;
}

size_t assemble(uint8_t *out, size_t cap, const char *text) {
    size_t n = 0;
    while (*text != '\0') {
        size_t len = strcspn(text, " \n");
        int op = find_op(text, len);
        if (op >= 0) {
            CHECK(n < cap);
            out[n++] = (uint8_t)op;
        } else if (len != 0) {
            size_t got;
            enum err e = hex_decode(out + n, cap - n, &got, text, len);
            CHECK(e == ERR_OK);
            n += got;
        }
        text += len;
        text += strspn(text, " \n");
    }
    return n;
}

void trial_code_at(struct trial *t, const addr20 *at, const char *text) {
    static uint8_t code[CODE_MAX];
    fake_set_code(t->world, at, bytes_of(code, assemble(code, sizeof code, text)));
}

void trial_code(struct trial *t, const char *text) {
    trial_code_at(t, &t->contract, text);
}

struct evm_result trial_call(struct trial *t, const char *input_hex, int64_t gas) {
    static uint8_t input[CODE_MAX];
    size_t len = assemble(input, sizeof input, input_hex);
    fake_world_next_tx(t->world);
    fake_account(t->world, &t->caller)->warm = true;
    fake_account(t->world, &t->contract)->warm = true;
    struct evm_message msg = {
        .kind = EVM_CALL,
        .sender = t->caller,
        .recipient = t->contract,
        .input = bytes_of(input, len),
        .gas = gas,
    };
    struct evm_result r;
    evm_run(t->vm, &t->cfg, &msg, &r);
    return r;
}

struct evm_result trial_run(struct trial *t, const char *text) {
    trial_code(t, text);
    return trial_call(t, "", 10000000);
}

struct evm_result trial_create(struct trial *t, const char *text, int64_t gas) {
    static uint8_t code[CODE_MAX];
    size_t len = assemble(code, sizeof code, text);
    fake_world_next_tx(t->world);
    struct evm_message msg = {
        .kind = EVM_CREATE, .sender = t->caller, .input = bytes_of(code, len), .gas = gas};
    evm_create_address(&msg.recipient, &t->caller, fake_account(t->world, &t->caller)->nonce++);
    struct evm_result r;
    evm_run(t->vm, &t->cfg, &msg, &r);
    return r;
}

u256 output_word(const struct evm_result *r, size_t n) {
    CHECK(r->output.len >= 32 * (n + 1));
    return u256_from_be32(r->output.ptr + 32 * n);
}
