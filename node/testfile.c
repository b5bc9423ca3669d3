/* SPDX-License-Identifier: Apache-2.0 */
#include "node/testfile.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"

#include <stdio.h>
#include <stdlib.h>

/* --- values ----------------------------------------------------------------------------------- */

enum err testfile_value_u256(u256 *out, const json_t *s) {
    if (!json_is_string(s))
        return s == NULL ? ERR_NOT_FOUND : ERR_PARSE;
    return hex_parse_u256(out, json_string_value(s), json_string_length(s), true);
}

enum err testfile_value_fixed(void *out, size_t len, const json_t *s) {
    if (!json_is_string(s))
        return s == NULL ? ERR_NOT_FOUND : ERR_PARSE;
    return hex_decode_fixed(out, len, json_string_value(s));
}

enum err testfile_value_bytes(bytes *out, struct arena *a, const json_t *s) {
    if (!json_is_string(s))
        return s == NULL ? ERR_NOT_FOUND : ERR_PARSE;
    size_t cap = json_string_length(s) / 2 + 1, len;
    uint8_t *p = arena_try_alloc(a, cap);
    if (p == NULL)
        return ERR_NOMEM;
    TRY(hex_decode(p, cap, &len, json_string_value(s), json_string_length(s)));
    *out = bytes_of(p, len);
    return ERR_OK;
}

enum err testfile_u64(uint64_t *out, const json_t *o, const char *key) {
    u256 wide;
    TRY(testfile_value_u256(&wide, json_object_get(o, key)));
    if (!u256_fits_u64(&wide))
        return ERR_TOO_LARGE;
    *out = wide.w[0];
    return ERR_OK;
}

enum err testfile_u256(u256 *out, const json_t *o, const char *key) {
    return testfile_value_u256(out, json_object_get(o, key));
}

enum err testfile_fixed(void *out, size_t len, const json_t *o, const char *key) {
    return testfile_value_fixed(out, len, json_object_get(o, key));
}

enum err testfile_bytes(bytes *out, struct arena *a, const json_t *o, const char *key) {
    return testfile_value_bytes(out, a, json_object_get(o, key));
}

/* --- allocations ------------------------------------------------------------------------------ */

static int compare_slots(const void *a, const void *b) {
    return memcmp(((const struct test_slot *)a)->slot_hash.b,
                  ((const struct test_slot *)b)->slot_hash.b, 32);
}

static int compare_accounts(const void *a, const void *b) {
    return memcmp(((const struct test_account *)a)->addr_hash.b,
                  ((const struct test_account *)b)->addr_hash.b, 32);
}

static enum err parse_storage(struct test_account *t, struct arena *a, json_t *o) {
    const char *key;
    json_t *value;
    t->slots = arena_alloc(a, (json_object_size(o) + 1) * sizeof *t->slots);
    json_object_foreach(o, key, value) {
        struct test_slot *s = &t->slots[t->slot_count];
        uint8_t word[32];
        TRY(hex_parse_u256(&s->slot, key, strlen(key), true));
        TRY(testfile_value_u256(&s->value, value));
        if (u256_is_zero(&s->value))
            continue;
        u256_to_be32(word, &s->slot);
        keccak256(&s->slot_hash, word, sizeof word);
        t->slot_count++;
    }
    qsort(t->slots, t->slot_count, sizeof *t->slots, compare_slots);
    return ERR_OK;
}

static enum err parse_account(struct test_account *t, struct arena *a, const char *addr,
                              const json_t *o) {
    memset(t, 0, sizeof *t);
    TRY(hex_decode_fixed(t->addr.b, sizeof t->addr.b, addr));
    keccak256(&t->addr_hash, t->addr.b, sizeof t->addr.b);
    TRY(testfile_u64(&t->account.nonce, o, "nonce"));
    TRY(testfile_u256(&t->account.balance, o, "balance"));
    TRY(testfile_bytes(&t->code, a, o, "code"));
    t->account.code_hash = keccak256_bytes(t->code);
    t->account.storage_root = KECCAK_EMPTY_TRIE;
    json_t *storage = json_object_get(o, "storage");
    return storage == NULL ? ERR_OK : parse_storage(t, a, storage);
}

/* Storage ids of an allocation: above all those that the world gives (block number and index). */
static uint64_t store_id_of(size_t idx) {
    return (uint64_t)1 << 63 | (idx + 1);
}

enum err test_alloc_parse(struct test_alloc *out, struct arena *a, const json_t *o,
                          struct err_ctx *ec) {
    if (!json_is_object(o))
        FAIL(ec, ERR_PARSE, "an allocation is missing or no object");
    struct test_alloc alloc = {
        .accounts = arena_alloc(a, (json_object_size(o) + 1) * sizeof *alloc.accounts)};
    const char *addr;
    json_t *value;
    json_object_foreach((json_t *)o, addr, value) {
        enum err e = parse_account(&alloc.accounts[alloc.count], a, addr, value);
        if (e != ERR_OK)
            FAIL(ec, e, "account %s is malformed: %s", addr, err_text(e));
        alloc.count++;
    }
    qsort(alloc.accounts, alloc.count, sizeof *alloc.accounts, compare_accounts);
    for (size_t i = 0; i < alloc.count; i++)
        if (alloc.accounts[i].slot_count != 0)
            alloc.accounts[i].account.store_id = store_id_of(i);
    *out = alloc;
    return ERR_OK;
}

void test_alloc_root(struct test_alloc *alloc, struct state_trie *t, struct arena *a,
                     hash32 *out_root) {
    struct world_diff diff = {.accounts =
                                  arena_zalloc(a, (alloc->count + 1) * sizeof *diff.accounts),
                              .count = alloc->count};
    for (size_t i = 0; i < alloc->count; i++) {
        const struct test_account *acc = &alloc->accounts[i];
        struct world_account_change *c = &diff.accounts[i];
        c->addr = acc->addr;
        c->addr_hash = acc->addr_hash;
        c->exists = true;
        c->after = acc->account;
        c->new_code = acc->code;
        c->slots = arena_zalloc(a, (acc->slot_count + 1) * sizeof *c->slots);
        c->slot_count = acc->slot_count;
        for (size_t k = 0; k < acc->slot_count; k++) {
            c->slots[k].slot = acc->slots[k].slot;
            c->slots[k].slot_hash = acc->slots[k].slot_hash;
            c->slots[k].new_value = acc->slots[k].value;
        }
    }
    state_trie_apply(t, &diff, out_root);
    for (size_t i = 0; i < alloc->count; i++)
        alloc->accounts[i].account.storage_root = diff.accounts[i].after.storage_root;
}

static bool read_account(void *ctx, struct account *out, const hash32 *addr_hash) {
    const struct test_alloc *alloc = ctx;
    struct test_account key;
    key.addr_hash = *addr_hash;
    const struct test_account *t =
        bsearch(&key, alloc->accounts, alloc->count, sizeof *alloc->accounts, compare_accounts);
    if (t != NULL)
        *out = t->account;
    return t != NULL;
}

static void read_storage(void *ctx, u256 *out, uint64_t store_id, const hash32 *slot_hash) {
    const struct test_alloc *alloc = ctx;
    *out = U256_ZERO;
    uint64_t idx = store_id - store_id_of(0);
    if (store_id < store_id_of(0) || idx >= alloc->count)
        return; /* made since: the world holds every slot that was ever set */
    struct test_slot key;
    key.slot_hash = *slot_hash;
    const struct test_account *t = &alloc->accounts[idx];
    const struct test_slot *s =
        bsearch(&key, t->slots, t->slot_count, sizeof *t->slots, compare_slots);
    if (s != NULL)
        *out = s->value;
}

static bool read_code(void *ctx, bytes *out, const hash32 *code_hash) {
    const struct test_alloc *alloc = ctx;
    for (size_t i = 0; i < alloc->count; i++)
        if (hash32_eq(&alloc->accounts[i].account.code_hash, code_hash)) {
            *out = alloc->accounts[i].code;
            return true;
        }
    return false;
}

struct state_reader test_alloc_reader(const struct test_alloc *alloc) {
    static const struct state_reader_ops ops = {
        .account = read_account, .storage = read_storage, .code = read_code};
    return (struct state_reader){.ops = &ops, .ctx = (void *)(uintptr_t)alloc};
}

static bool account_differs(char *text, size_t text_len, struct world *w,
                            const struct test_account *t) {
    char addr[41] = {0};
    hex_encode(addr, t->addr.b, sizeof t->addr.b);
    u256 balance = world_balance(w, &t->addr);
    uint64_t nonce = world_nonce(w, &t->addr);
    hash32 code_hash = world_code_hash(w, &t->addr);
    char want[79], got[79];
    if (!u256_eq(&balance, &t->account.balance)) {
        (void)snprintf(text, text_len, "balance of 0x%s is %s, not %s", addr,
                       u256_to_dec(got, &balance), u256_to_dec(want, &t->account.balance));
        return true;
    }
    if (nonce != t->account.nonce) {
        (void)snprintf(text, text_len, "nonce of 0x%s is %llu, not %llu", addr,
                       (unsigned long long)nonce, (unsigned long long)t->account.nonce);
        return true;
    }
    if (!hash32_eq(&code_hash, &t->account.code_hash)) {
        (void)snprintf(text, text_len, "code of 0x%s differs (%zu bytes, not %zu)", addr,
                       world_code(w, &t->addr).len, t->code.len);
        return true;
    }
    for (size_t i = 0; i < t->slot_count; i++) {
        u256 value = world_storage(w, &t->addr, &t->slots[i].slot);
        if (u256_eq(&value, &t->slots[i].value))
            continue;
        char slot[79];
        (void)snprintf(text, text_len, "slot %s of 0x%s is %s, not %s",
                       u256_to_dec(slot, &t->slots[i].slot), addr, u256_to_dec(got, &value),
                       u256_to_dec(want, &t->slots[i].value));
        return true;
    }
    return false;
}

bool test_alloc_differs(char *text, size_t text_len, struct world *w,
                        const struct test_alloc *expected) {
    for (size_t i = 0; i < expected->count; i++)
        if (account_differs(text, text_len, w, &expected->accounts[i]))
            return true;
    return false;
}

/* --- forks ------------------------------------------------------------------------------------ */

static const struct fork_row {
    const char *name;
    struct eth_fork fork;
} forks[] = {
    {"Shanghai", {EVM_SHANGHAI, {0, 0, 0}}},
    {"Cancun", {EVM_CANCUN, {3, 6, 3338477}}}, /* EIP-4844 */
    {"Prague", {EVM_PRAGUE, {6, 9, 5007716}}}, /* EIP-7691 */
    {"Osaka", {EVM_OSAKA, {6, 9, 5007716}}},
    {"BPO1", {EVM_OSAKA, {10, 15, 8346193}}}, /* EIP-7892; the tests bring their own schedules */
    {"BPO2", {EVM_OSAKA, {14, 21, 11684671}}},
    {"BPO3", {EVM_OSAKA, {21, 32, 20609697}}},
    {"BPO4", {EVM_OSAKA, {14, 21, 13739630}}},
};

enum err testfile_fork(struct eth_fork *out, const char *name, const json_t *blob_schedule) {
    for (size_t i = 0; i < ARRAY_LEN(forks); i++) {
        if (strcmp(forks[i].name, name) != 0)
            continue;
        struct eth_fork fork = forks[i].fork;
        const json_t *row = json_object_get(blob_schedule, name);
        if (row != NULL) {
            TRY(testfile_u64(&fork.blob.target, row, "target"));
            TRY(testfile_u64(&fork.blob.max, row, "max"));
            TRY(testfile_u64(&fork.blob.base_fee_update_fraction, row, "baseFeeUpdateFraction"));
        }
        *out = fork;
        return ERR_OK;
    }
    return ERR_UNSUPPORTED;
}

/* --- names of exceptions ---------------------------------------------------------------------- */

/* Whether one of the `|`-joined names, without its class, is `name`. */
static bool list_has(const char *list, const char *name) {
    size_t name_len = strlen(name);
    while (*list != '\0') {
        size_t len = strcspn(list, "|");
        const char *dot = memchr(list, '.', len);
        const char *bare = dot == NULL ? list : dot + 1;
        size_t bare_len = len - (size_t)(bare - list);
        if (bare_len == name_len && memcmp(bare, name, name_len) == 0)
            return true;
        list += len;
        if (*list == '|')
            list++;
    }
    return false;
}

static const struct named {
    int reason;
    const char *name;
} verdict_names[] =
    {
#define ON_VERDICT(v, name) {TX_##v, name},
#define ON_ERROR(e, name)
#define ON_FAULT(f, name)
#include "node/exceptions.def"
#undef ON_VERDICT
#undef ON_ERROR
#undef ON_FAULT
},
  error_names[] =
      {
#define ON_VERDICT(v, name)
#define ON_ERROR(e, name) {ERR_##e, name},
#define ON_FAULT(f, name)
#include "node/exceptions.def"
#undef ON_VERDICT
#undef ON_ERROR
#undef ON_FAULT
},
  fault_names[] = {
#define ON_VERDICT(v, name)
#define ON_ERROR(e, name)
#define ON_FAULT(f, name) {ETH_FAULT_##f, name},
#include "node/exceptions.def"
#undef ON_VERDICT
#undef ON_ERROR
#undef ON_FAULT
};

static bool names_reason(const char *expected, const struct named *rows, size_t count, int reason) {
    for (size_t i = 0; i < count; i++)
        if (rows[i].reason == reason && list_has(expected, rows[i].name))
            return true;
    return false;
}

bool testfile_names_verdict(const char *expected, enum tx_verdict v) {
    return names_reason(expected, verdict_names, ARRAY_LEN(verdict_names), (int)v);
}

bool testfile_names_decode_error(const char *expected, enum err e) {
    return names_reason(expected, error_names, ARRAY_LEN(error_names), (int)e);
}

bool testfile_names_fault(const char *expected, enum eth_fault f) {
    return names_reason(expected, fault_names, ARRAY_LEN(fault_names), (int)f);
}

const char *testfile_name_of_verdict(enum tx_verdict v) {
    for (size_t i = 0; i < ARRAY_LEN(verdict_names); i++)
        if (verdict_names[i].reason == (int)v)
            return verdict_names[i].name;
    return NULL;
}
