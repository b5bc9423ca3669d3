/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every predeploy's code is what its hash says, and each does on this chain what tools expect
 * of it. */
#include "genesis/predeploys.h"

#include "base/keccak.h"
#include "chain/l3_rules.h"
#include "evm/evm.h"
#include "genesis/genesis.h"

#include <criterion/criterion.h>

Test(predeploys, table) {
    struct arena a;
    arena_init(&a, 1 << 16, 1 << 24);
    for (int i = 0; i < PREDEPLOY_COUNT; i++) {
        cr_expect(predeploy_code((enum predeploy_id)i, &a).len > 0); /* checks the hash */
        /* Creators of contracts have made one. */
        bool creator = i == PREDEPLOY_ENTRY_POINT_V07 || i == PREDEPLOY_ENTRY_POINT_V08;
        cr_expect_eq(predeploy_nonce((enum predeploy_id)i), creator ? 2 : 1);
        addr20 at = predeploy_address((enum predeploy_id)i);
        for (int k = 0; k < i; k++) {
            addr20 other = predeploy_address((enum predeploy_id)k);
            cr_expect(!addr20_eq(&at, &other));
        }
    }
    addr20 history = predeploy_address(PREDEPLOY_HISTORY);
    cr_assert(addr20_eq(&history, &L3_HISTORY_ADDRESS));
    cr_assert(!predeploy_optional(PREDEPLOY_HISTORY) &&
              predeploy_optional(PREDEPLOY_CREATE2_DEPLOYER));
    arena_clear(&a);
}

struct rig {
    struct genesis g;
    struct genesis_block b;
    struct chain *c;
    struct state_trie *t;
    struct arena a;
    struct header head;
    hash32 hashes[300];
};

static void rig_init(struct rig *r, int blocks) {
    genesis_dev(&r->g);
    arena_init(&r->a, 1 << 20, 1 << 28);
    const struct chain_options o = {
        .config = r->g.config, .code_cache_bytes = 1 << 20, .world_cache_bytes = SIZE_MAX};
    r->c = chain_new(&o);
    r->t = state_trie_new((struct trie_source){NULL, NULL}, SIZE_MAX);
    genesis_build(&r->b, &r->g, chain_world(r->c), r->t, &r->a);
    r->head = r->b.header;
    r->hashes[0] = r->b.hash;
    for (int i = 1; i <= blocks; i++) {
        const struct message m = {.kind = MESSAGE_L2,
                                  .sender = SEQUENCER_ADDRESS,
                                  .timestamp = 1700000000,
                                  .delayed_read = 1};
        struct derived_block b;
        cr_assert_eq(chain_derive_block(&b, r->c, &r->a, &r->head, &m, NULL), ERR_OK);
        chain_seal_block(&b, r->c, r->t);
        r->head = b.header;
        r->hashes[i] = b.hash;
    }
}

static void rig_clear(struct rig *r) {
    chain_free(r->c);
    state_trie_free(r->t);
    genesis_clear(&r->g);
    arena_clear(&r->a);
}

static struct call_result call_with(struct rig *r, enum predeploy_id id, bytes data,
                                    const struct call_overrides *overrides) {
    struct call_request q = {.tx = {.type = TX_LEGACY,
                                    .has_sender = true,
                                    .sender = {{1}},
                                    .to = predeploy_address(id),
                                    .data = data,
                                    .gas_limit = 1000000},
                             .overrides = overrides};
    struct call_result out;
    cr_assert_eq(chain_call(&out, r->c, &r->a, &r->head, &q, NULL), ERR_OK);
    cr_assert_eq(out.verdict, TX_OK);
    return out;
}

static struct call_result call(struct rig *r, enum predeploy_id id, bytes data) {
    return call_with(r, id, data, NULL);
}

/* --- ABI by hand ------------------------------------------------------------------------- */

struct abi {
    uint8_t b[4096];
    size_t len;
};
static void put_selector(struct abi *d, uint32_t selector) {
    be32_store(d->b + d->len, selector);
    d->len += 4;
}
static void put_word(struct abi *d, uint64_t high, uint64_t low) {
    uint8_t *w = d->b + d->len;
    memset(w, 0, 32);
    be64_store(w + 8, high);
    be64_store(w + 24, low);
    d->len += 32;
}
static void put(struct abi *d, uint64_t v) {
    put_word(d, 0, v);
}
static void put_address(struct abi *d, const addr20 *a) {
    put(d, 0);
    memcpy(d->b + d->len - 20, a->b, 20);
}
/* Length and content of bytes, padded to words. */
static void put_bytes(struct abi *d, const uint8_t *p, size_t len) {
    put(d, len);
    memset(d->b + d->len, 0, (len + 31) / 32 * 32);
    memcpy(d->b + d->len, p, len);
    d->len += (len + 31) / 32 * 32;
}
static bytes abi_bytes(const struct abi *d) {
    return bytes_of(d->b, d->len);
}
static uint64_t word_at(bytes out, size_t idx) {
    cr_assert(out.len >= 32 * (idx + 1));
    for (size_t i = 0; i < 24; i++)
        cr_assert_eq(out.ptr[32 * idx + i], 0);
    return be64_load(out.ptr + 32 * idx + 24);
}
static void expect_address(bytes out, size_t idx, enum predeploy_id id) {
    addr20 want = predeploy_address(id);
    cr_assert(out.len >= 32 * (idx + 1));
    cr_expect_arr_eq(out.ptr + 32 * idx + 12, want.b, 20);
}

struct inner {
    enum predeploy_id to;
    bool allow_failure;
    const struct abi *data;
};
/* aggregate3((address,bool,bytes)[]) */
static void put_aggregate3(struct abi *d, const struct inner *calls, size_t n) {
    put_selector(d, 0x82ad56cb);
    put(d, 32);
    put(d, n);
    size_t at = 32 * n;
    for (size_t i = 0; i < n; i++) {
        put(d, at);
        at += 32 * 4 + (calls[i].data->len + 31) / 32 * 32;
    }
    for (size_t i = 0; i < n; i++) {
        addr20 to = predeploy_address(calls[i].to);
        put_address(d, &to);
        put(d, calls[i].allow_failure);
        put(d, 96);
        put_bytes(d, calls[i].data->b, calls[i].data->len);
    }
}
/* The i-th (bool, bytes) of its answer; false: it failed. */
static bool result_at(bytes out, size_t i, bytes *value) {
    size_t at = 64 + word_at(out, 2 + i);
    cr_assert(at % 32 == 0);
    size_t len = word_at(out, at / 32 + 2);
    cr_assert(out.len >= at + 96 + len);
    *value = bytes_of(out.ptr + at + 96, len);
    return word_at(out, at / 32) == 1;
}

static const addr20 ACCOUNT = {{0xac, [19] = 0x01}};

/* handleOps of one operation of ACCOUNT that does and pays nothing. */
static void put_handle_ops(struct abi *d, uint64_t nonce) {
    const addr20 beneficiary = {{[19] = 0xbe}};
    put_selector(d, 0x765e827f);
    put(d, 64);
    put_address(d, &beneficiary);
    put(d, 1);
    put(d, 32);
    put_address(d, &ACCOUNT);
    put(d, nonce);
    put(d, 9 * 32);             /* initCode */
    put(d, 10 * 32);            /* callData */
    put_word(d, 100000, 20000); /* gas of verification and call */
    put(d, 0);                  /* pre-verification gas */
    put(d, 0);                  /* fees */
    put(d, 11 * 32);            /* paymaster and data */
    put(d, 12 * 32);            /* signature */
    for (int i = 0; i < 4; i++)
        put(d, 0);
}
static void put_get_nonce(struct abi *d) {
    put_selector(d, 0x35567e1a);
    put_address(d, &ACCOUNT);
    put(d, 0);
}

/* Accounts that answer every call, validateUserOp too, with the number 0 or 1. */
static const uint8_t valid_code[] = {0x60, 0, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3},
                     invalid_code[] = {0x60, 1, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3};

Test(predeploys, block_hashes) {
    static struct rig r;
    rig_init(&r, 280);
    uint8_t n[33] = {0};
    static const uint64_t known[] = {0, 1, 20, 278, 279}, unknown[] = {280, 281, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        be64_store(n + 24, known[i]);
        struct call_result o = call(&r, PREDEPLOY_HISTORY, bytes_of(n, 32));
        cr_assert(o.status == EVM_SUCCESS && o.output.len == 32);
        cr_assert_arr_eq(o.output.ptr, r.hashes[known[i]].b, 32);
    }
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        be64_store(n + 24, unknown[i]);
        struct call_result o = call(&r, PREDEPLOY_HISTORY, bytes_of(n, 32));
        cr_assert(o.status == EVM_REVERT && o.output.len == 0);
    }
    be64_store(n + 24, 1);
    cr_assert_eq(call(&r, PREDEPLOY_HISTORY, bytes_of(n, 31)).status, EVM_REVERT);
    cr_assert_eq(call(&r, PREDEPLOY_HISTORY, bytes_of(n, 33)).status, EVM_REVERT);
    n[0] = 0x80; /* far beyond any number */
    cr_assert_eq(call(&r, PREDEPLOY_HISTORY, bytes_of(n, 32)).status, EVM_REVERT);
    rig_clear(&r);
}

Test(predeploys, create2_deployer) {
    static struct rig r;
    rig_init(&r, 1);
    /* salt 7 | init code that returns nothing */
    uint8_t data[35] = {[31] = 7, [32] = 0x5f, [33] = 0x5f, [34] = 0xf3};
    struct call_result o = call(&r, PREDEPLOY_CREATE2_DEPLOYER, bytes_of(data, sizeof data));
    cr_assert(o.status == EVM_SUCCESS && o.output.len == 20);
    addr20 at = predeploy_address(PREDEPLOY_CREATE2_DEPLOYER), want;
    hash32 salt = {{[31] = 7}}, code;
    keccak256(&code, data + 32, 3);
    evm_create2_address(&want, &at, &salt, &code);
    cr_assert_arr_eq(o.output.ptr, want.b, 20);
    rig_clear(&r);
}

Test(predeploys, multicall3) {
    static struct rig r;
    rig_init(&r, 3);
    struct abi chain_id = {0}, no_method = {0}, fallback = {0}, d = {0};
    put_selector(&chain_id, 0x3408e470); /* getChainId() */
    put_selector(&no_method, 0x12345678);
    put(&fallback, 1); /* the history contract: hash of block 1 */
    const struct inner calls[] = {{PREDEPLOY_MULTICALL3, false, &chain_id},
                                  {PREDEPLOY_MULTICALL3, true, &no_method},
                                  {PREDEPLOY_HISTORY, false, &fallback}};
    put_aggregate3(&d, calls, ARRAY_LEN(calls));
    struct call_result o = call(&r, PREDEPLOY_MULTICALL3, abi_bytes(&d));
    cr_assert_eq(o.status, EVM_SUCCESS);
    bytes v;
    cr_assert_eq(word_at(o.output, 1), 3);
    cr_assert(result_at(o.output, 0, &v));
    cr_assert(v.len == 32 && word_at(v, 0) == GENESIS_DEV_CHAIN_ID);
    cr_assert(!result_at(o.output, 1, &v));
    cr_assert_eq(v.len, 0);
    cr_assert(result_at(o.output, 2, &v));
    cr_assert_eq(v.len, 32);
    cr_assert_arr_eq(v.ptr, r.hashes[1].b, 32);
    /* A failure that is not allowed fails all, by name. */
    const struct inner strict = {PREDEPLOY_MULTICALL3, false, &no_method};
    d.len = 0;
    put_aggregate3(&d, &strict, 1);
    o = call(&r, PREDEPLOY_MULTICALL3, abi_bytes(&d));
    static const char text[] = "Multicall3: call failed";
    cr_assert_eq(o.status, EVM_REVERT);
    cr_assert(o.output.len == 100 && memcmp(o.output.ptr + 68, text, sizeof text - 1) == 0);
    rig_clear(&r);
}

static struct call_overrides account_is(struct account_override *acc, const uint8_t *code,
                                        size_t len) {
    *acc = (struct account_override){.addr = ACCOUNT, .has_code = true, .code = {code, len}};
    return (struct call_overrides){.accounts = acc, .account_count = 1};
}

/* FailedOp(0, text) */
static void expect_failed_op(const struct call_result *o, const char *text) {
    cr_assert_eq(o->status, EVM_REVERT);
    cr_assert_eq(be32_load(o->output.ptr), 0x220266b6);
    size_t len = strlen(text);
    cr_assert(o->output.len >= 4 + 96 + len);
    cr_assert_arr_eq(o->output.ptr + 4 + 96, text, len, "%s", text);
}

static void entry_point(enum predeploy_id id, const char *not_deployed) {
    static struct rig r;
    rig_init(&r, 1);
    struct account_override acc;
    struct abi run = {0}, late = {0}, nonce = {0}, all = {0};
    put_handle_ops(&run, 0);
    put_handle_ops(&late, 1);
    put_get_nonce(&nonce);
    struct call_result o = call(&r, id, abi_bytes(&nonce));
    cr_assert(o.status == EVM_SUCCESS && o.output.len == 32 && word_at(o.output, 0) == 0);

    o = call(&r, id, abi_bytes(&run));
    if (not_deployed != NULL)
        expect_failed_op(&o, not_deployed);
    else
        cr_assert(o.status == EVM_REVERT && o.output.len == 0);
    struct call_overrides is = account_is(&acc, invalid_code, sizeof invalid_code);
    o = call_with(&r, id, abi_bytes(&run), &is);
    expect_failed_op(&o, "AA24 signature error");
    is = account_is(&acc, valid_code, sizeof valid_code);
    o = call_with(&r, id, abi_bytes(&late), &is);
    expect_failed_op(&o, "AA25 invalid account nonce");
    o = call_with(&r, id, abi_bytes(&run), &is);
    cr_assert(o.status == EVM_SUCCESS && o.output.len == 0);

    /* The operation takes the account's nonce. */
    const struct inner calls[] = {{id, false, &run}, {id, false, &nonce}};
    put_aggregate3(&all, calls, 2);
    o = call_with(&r, PREDEPLOY_MULTICALL3, abi_bytes(&all), &is);
    bytes v;
    cr_assert_eq(o.status, EVM_SUCCESS);
    cr_assert(result_at(o.output, 0, &v) && v.len == 0);
    cr_assert(result_at(o.output, 1, &v) && word_at(v, 0) == 1);
    rig_clear(&r);
}

Test(predeploys, entry_point_v07) {
    entry_point(PREDEPLOY_ENTRY_POINT_V07, NULL);
}

Test(predeploys, entry_point_v08) {
    entry_point(PREDEPLOY_ENTRY_POINT_V08, "AA20 account not deployed");
}

/* Each entry point knows its creator of accounts, and the newer creator knows its entry point. */
Test(predeploys, sender_creators) {
    static struct rig r;
    rig_init(&r, 1);
    struct abi d = {0};
    put_selector(&d, 0x09ccb880); /* senderCreator() */
    struct call_result o = call(&r, PREDEPLOY_ENTRY_POINT_V08, abi_bytes(&d));
    cr_assert_eq(o.status, EVM_SUCCESS);
    expect_address(o.output, 0, PREDEPLOY_SENDER_CREATOR_V08);
    /* The older has no such method: the address is in its code. */
    bytes code = predeploy_code(PREDEPLOY_ENTRY_POINT_V07, &r.a);
    addr20 creator = predeploy_address(PREDEPLOY_SENDER_CREATOR_V07);
    cr_assert_not_null(memmem(code.ptr, code.len, creator.b, 20));

    /* createSender(factory | its input): the factory is a contract that answers 0. */
    struct account_override acc;
    struct call_overrides is = account_is(&acc, valid_code, sizeof valid_code);
    d.len = 0;
    put_selector(&d, 0x570e1a36);
    put(&d, 32);
    put_bytes(&d, ACCOUNT.b, 20);
    o = call_with(&r, PREDEPLOY_SENDER_CREATOR_V07, abi_bytes(&d), &is);
    cr_assert(o.status == EVM_SUCCESS && o.output.len == 32);
    o = call_with(&r, PREDEPLOY_SENDER_CREATOR_V08, abi_bytes(&d), &is);
    static const char text[] = "AA97 should call from EntryPoint";
    cr_assert_eq(o.status, EVM_REVERT);
    cr_assert(o.output.len == 100 && memcmp(o.output.ptr + 68, text, sizeof text - 1) == 0);
    rig_clear(&r);
}

/* Permit2's and the newer entry point's domain separators are those of this chain, not of the one
 * that their code was made on. */
Test(predeploys, domain_separators) {
    static struct rig r;
    rig_init(&r, 1);
    static const struct {
        enum predeploy_id id;
        uint32_t selector;
        const char *type, *name, *version;
    } rows[] = {
        {PREDEPLOY_PERMIT2, 0x3644e515,
         "EIP712Domain(string name,uint256 chainId,address verifyingContract)", "Permit2", NULL},
        {PREDEPLOY_ENTRY_POINT_V08, 0x13c65a6e,
         "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
         "ERC4337", "1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct abi d = {0}, domain = {0};
        put_selector(&d, rows[i].selector);
        struct call_result o = call(&r, rows[i].id, abi_bytes(&d));
        cr_assert(o.status == EVM_SUCCESS && o.output.len == 32);
        const char *const parts[] = {rows[i].type, rows[i].name, rows[i].version};
        hash32 h;
        for (size_t k = 0; k < ARRAY_LEN(parts) && parts[k] != NULL; k++) {
            keccak256(&h, (const uint8_t *)parts[k], strlen(parts[k]));
            memcpy(domain.b + domain.len, h.b, 32);
            domain.len += 32;
        }
        put(&domain, GENESIS_DEV_CHAIN_ID);
        addr20 at = predeploy_address(rows[i].id);
        put_address(&domain, &at);
        keccak256(&h, domain.b, domain.len);
        cr_expect_arr_eq(o.output.ptr, h.b, 32, "%s", rows[i].name);
    }
    rig_clear(&r);
}
