/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/evm/fake_world.h"

#include "base/check.h"
#include "base/keccak.h"

#include <stdlib.h>

enum { BUCKETS = 256, UNDO_BYTES = 96 };

struct undo {
    void *at;
    size_t len;
    uint8_t old[UNDO_BYTES];
};

struct chunk {
    struct chunk *next;
};

struct fake_world {
    struct fake_account *accounts[BUCKETS];
    struct fake_slot *slots[BUCKETS];
    struct undo *undo;
    size_t undo_len, undo_cap;
    size_t log_count;
    hash32 log_digest;
    struct chunk *chunks; /* everything that lives as long as the world */
    bool has_system;
    addr20 system;
    uint8_t *echo;
    struct evm_host_ops ops;
};

static void *keep(struct fake_world *w, size_t len) {
    struct chunk *c = calloc(1, sizeof *c + len);
    CHECK(c != NULL);
    c->next = w->chunks;
    w->chunks = c;
    return c + 1;
}

static void save(struct fake_world *w, void *at, size_t len) {
    CHECK(len <= UNDO_BYTES);
    if (w->undo_len == w->undo_cap) {
        w->undo_cap = w->undo_cap == 0 ? 256 : w->undo_cap * 2;
        w->undo = realloc(w->undo, w->undo_cap * sizeof *w->undo);
        CHECK(w->undo != NULL);
    }
    struct undo *u = &w->undo[w->undo_len++];
    u->at = at;
    u->len = len;
    memcpy(u->old, at, len);
}
#define SAVE(w, field) save(w, &(field), sizeof(field))

static size_t hash_of(const addr20 *a, const u256 *key) {
    uint64_t h = be64_load(a->b + 12) * 0x9e3779b97f4a7c15ULL ^ be64_load(a->b);
    if (key != NULL)
        h = (h ^ key->w[0] ^ key->w[3]) * 0xff51afd7ed558ccdULL;
    return (size_t)(h >> 40) % BUCKETS;
}

struct fake_account *fake_account(struct fake_world *w, const addr20 *a) {
    struct fake_account **b = &w->accounts[hash_of(a, NULL)];
    for (struct fake_account *e = *b; e != NULL; e = e->next)
        if (addr20_eq(&e->addr, a))
            return e;
    struct fake_account *e = keep(w, sizeof *e);
    e->addr = *a;
    e->code_hash = KECCAK_EMPTY;
    e->next = *b;
    *b = e;
    return e;
}

static struct fake_slot *slot_of(struct fake_world *w, const addr20 *a, const u256 *key,
                                 bool transient) {
    struct fake_slot **b = &w->slots[hash_of(a, key)];
    for (struct fake_slot *e = *b; e != NULL; e = e->next)
        if (e->transient == transient && addr20_eq(&e->addr, a) && u256_eq(&e->key, key))
            return e;
    struct fake_slot *e = keep(w, sizeof *e);
    e->addr = *a;
    e->key = *key;
    e->transient = transient;
    e->next = *b;
    *b = e;
    return e;
}

struct fake_slot *fake_slot(struct fake_world *w, const addr20 *a, const u256 *key) {
    return slot_of(w, a, key, false);
}

void fake_set_code(struct fake_world *w, const addr20 *a, bytes code) {
    struct fake_account *e = fake_account(w, a);
    uint8_t *copy = keep(w, code.len);
    if (code.len != 0)
        memcpy(copy, code.ptr, code.len);
    e->exists = true;
    e->code = bytes_of(copy, code.len);
    e->code_hash = keccak256_bytes(code);
    e->handle = (struct evm_code_handle){.decoded = NULL};
}

void fake_set_storage(struct fake_world *w, const addr20 *a, const u256 *key, const u256 *v) {
    struct fake_slot *s = fake_slot(w, a, key);
    s->value = s->original = *v;
}

void fake_set_system_address(struct fake_world *w, const addr20 *a) {
    w->has_system = true;
    w->system = *a;
}

static bool account_is_empty(const struct fake_account *e) {
    return e->nonce == 0 && e->code.len == 0 && u256_is_zero(&e->balance);
}

static bool op_access_account(void *h, const addr20 *a) {
    struct fake_account *e = fake_account(h, a);
    if (e->warm)
        return false;
    SAVE(h, e->warm);
    e->warm = true;
    return true;
}

static bool warm_slot(struct fake_world *w, struct fake_slot *s) {
    if (s->warm)
        return false;
    SAVE(w, s->warm);
    s->warm = true;
    return true;
}

static bool op_access_storage(void *h, const addr20 *a, const u256 *slot) {
    return warm_slot(h, fake_slot(h, a, slot));
}

static bool op_is_empty(void *h, const addr20 *a) {
    return account_is_empty(fake_account(h, a));
}
static void op_get_balance(void *h, u256 *out, const addr20 *a) {
    *out = fake_account(h, a)->balance;
}
static uint64_t op_get_nonce(void *h, const addr20 *a) {
    return fake_account(h, a)->nonce;
}
static void op_get_code_hash(void *h, hash32 *out, const addr20 *a) {
    const struct fake_account *e = fake_account(h, a);
    *out = account_is_empty(e) ? (hash32){{0}} : e->code_hash;
}
static void op_get_code(void *h, struct evm_code_ref *out, const addr20 *a) {
    struct fake_account *e = fake_account(h, a);
    *out = (struct evm_code_ref){.code = e->code, .code_hash = e->code_hash, .handle = &e->handle};
}

static bool op_sload(void *h, u256 *out, const addr20 *a, const u256 *slot) {
    struct fake_slot *s = fake_slot(h, a, slot);
    *out = s->value;
    return warm_slot(h, s);
}
static bool op_sstore_peek(void *h, u256 *out_original, u256 *out_current, const addr20 *a,
                           const u256 *slot) {
    struct fake_slot *s = fake_slot(h, a, slot);
    *out_original = s->original;
    *out_current = s->value;
    return warm_slot(h, s);
}
static void op_sstore(void *h, const addr20 *a, const u256 *slot, const u256 *value) {
    struct fake_slot *s = fake_slot(h, a, slot);
    SAVE(h, s->value);
    s->value = *value;
}
static void op_tload(void *h, u256 *out, const addr20 *a, const u256 *slot) {
    *out = slot_of(h, a, slot, true)->value;
}
static void op_tstore(void *h, const addr20 *a, const u256 *slot, const u256 *value) {
    struct fake_slot *s = slot_of(h, a, slot, true);
    SAVE(h, s->value);
    s->value = *value;
}

static void op_get_block_hash(void *h, hash32 *out, uint64_t number) {
    (void)h;
    keccak256(out, &number, sizeof number);
}

static uint32_t op_snapshot(void *h) {
    const struct fake_world *w = h;
    return (uint32_t)w->undo_len;
}
static void op_revert(void *h, uint32_t snapshot) {
    struct fake_world *w = h;
    CHECK(snapshot <= w->undo_len);
    while (w->undo_len > snapshot) {
        struct undo *u = &w->undo[--w->undo_len];
        memcpy(u->at, u->old, u->len);
    }
}

static bool op_transfer(void *h, const addr20 *from, const addr20 *to, const u256 *value) {
    struct fake_account *a = fake_account(h, from), *b = fake_account(h, to);
    if (u256_lt(&a->balance, value))
        return false;
    SAVE(h, a->balance);
    a->balance = u256_sub(&a->balance, value);
    SAVE(h, b->balance);
    b->balance = u256_add(&b->balance, value);
    SAVE(h, b->exists);
    b->exists = true;
    return true;
}

static bool op_inc_nonce(void *h, const addr20 *a) {
    struct fake_account *e = fake_account(h, a);
    if (e->nonce == UINT64_MAX)
        return false;
    SAVE(h, e->nonce);
    e->nonce++;
    return true;
}

static bool has_storage(const struct fake_world *w, const addr20 *a) {
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct fake_slot *s = w->slots[i]; s != NULL; s = s->next)
            if (!s->transient && addr20_eq(&s->addr, a) && !u256_is_zero(&s->value))
                return true;
    return false;
}

static bool op_create_account(void *h, const addr20 *a, const addr20 *creator) {
    (void)creator;
    struct fake_account *e = fake_account(h, a);
    if (e->nonce != 0 || e->code.len != 0 || has_storage(h, a))
        return false;
    SAVE(h, e->nonce);
    e->nonce = 1;
    SAVE(h, e->exists);
    e->exists = true;
    SAVE(h, e->created);
    e->created = true;
    return true;
}

static void op_set_code(void *h, const addr20 *a, bytes code) {
    struct fake_account *e = fake_account(h, a);
    SAVE(h, e->code);
    SAVE(h, e->code_hash);
    SAVE(h, e->handle);
    fake_set_code(h, a, code);
}

static void op_selfdestruct(void *h, const addr20 *a, const addr20 *beneficiary) {
    struct fake_account *e = fake_account(h, a);
    u256 balance = e->balance;
    if (!addr20_eq(a, beneficiary)) {
        op_transfer(h, a, beneficiary, &balance);
    } else if (e->created) {
        SAVE(h, e->balance);
        e->balance = U256_ZERO;
    }
    if (e->created) {
        SAVE(h, e->destroyed);
        e->destroyed = true;
    }
}

static void op_emit_log(void *h, const struct evm_log *log) {
    struct fake_world *w = h;
    SAVE(w, w->log_count);
    SAVE(w, w->log_digest);
    w->log_count++;
    struct keccak_ctx k;
    keccak256_begin(&k);
    keccak256_update(&k, w->log_digest.b, 32);
    keccak256_update(&k, log->address.b, 20);
    keccak256_update(&k, &log->topic_count, 1);
    keccak256_update(&k, log->topics, log->topic_count * sizeof(hash32));
    keccak256_update(&k, log->data.ptr, log->data.len);
    keccak256_end(&k, &w->log_digest);
}

static bool op_system_call(void *h, struct evm_result *out, const struct evm_message *msg,
                           const addr20 *code_addr, bool is_static, uint32_t depth) {
    struct fake_world *w = h;
    (void)is_static;
    (void)depth;
    if (!w->has_system || !addr20_eq(code_addr, &w->system))
        return false;
    *out = (struct evm_result){.status = EVM_SUCCESS};
    if (msg->gas < 100) {
        out->status = EVM_OUT_OF_GAS;
        return true;
    }
    free(w->echo);
    w->echo = malloc(msg->input.len + 1);
    CHECK(w->echo != NULL);
    if (msg->input.len != 0)
        memcpy(w->echo, msg->input.ptr, msg->input.len);
    out->gas_left = msg->gas - 100;
    out->output = bytes_of(w->echo, msg->input.len);
    return true;
}

struct fake_world *fake_world_new(void) {
    struct fake_world *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->ops = (struct evm_host_ops){
        .access_account = op_access_account,
        .access_storage = op_access_storage,
        .is_empty = op_is_empty,
        .get_balance = op_get_balance,
        .get_nonce = op_get_nonce,
        .get_code_hash = op_get_code_hash,
        .get_code = op_get_code,
        .sload = op_sload,
        .sstore_peek = op_sstore_peek,
        .sstore = op_sstore,
        .tload = op_tload,
        .tstore = op_tstore,
        .get_block_hash = op_get_block_hash,
        .snapshot = op_snapshot,
        .revert = op_revert,
        .transfer = op_transfer,
        .inc_nonce = op_inc_nonce,
        .create_account = op_create_account,
        .set_code = op_set_code,
        .selfdestruct = op_selfdestruct,
        .emit_log = op_emit_log,
        .system_call = op_system_call,
    };
    return w;
}

void fake_world_free(struct fake_world *w) {
    if (w == NULL)
        return;
    for (struct chunk *c = w->chunks, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    free(w->undo);
    free(w->echo);
    free(w);
}

struct evm_host fake_world_host(struct fake_world *w) {
    return (struct evm_host){.ops = &w->ops, .ctx = w};
}

void fake_world_next_tx(struct fake_world *w) {
    w->undo_len = 0;
    w->log_count = 0;
    w->log_digest = (hash32){{0}};
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct fake_account *e = w->accounts[i]; e != NULL; e = e->next) {
            e->warm = e->created = false;
            e->handle = (struct evm_code_handle){.decoded = NULL};
        }
        for (struct fake_slot *s = w->slots[i]; s != NULL; s = s->next) {
            s->warm = false;
            s->original = s->value;
            if (s->transient)
                s->value = U256_ZERO;
        }
    }
}

size_t fake_log_count(const struct fake_world *w) {
    return w->log_count;
}
hash32 fake_log_digest(const struct fake_world *w) {
    return w->log_digest;
}

static void mix(hash32 *sum, struct keccak_ctx *k) {
    hash32 h;
    keccak256_end(k, &h);
    for (unsigned i = 0; i < 32; i++)
        sum->b[i] ^= h.b[i];
}

hash32 fake_state_digest(const struct fake_world *w) {
    hash32 sum = {{0}};
    struct keccak_ctx k;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct fake_account *e = w->accounts[i]; e != NULL; e = e->next) {
            if (account_is_empty(e) && !e->warm && !e->created && !e->destroyed)
                continue;
            uint8_t flags[3] = {e->warm, e->created, e->destroyed};
            keccak256_begin(&k);
            keccak256_update(&k, e->addr.b, 20);
            keccak256_update(&k, &e->nonce, sizeof e->nonce);
            keccak256_update(&k, &e->balance, sizeof e->balance);
            keccak256_update(&k, e->code_hash.b, 32);
            keccak256_update(&k, flags, sizeof flags);
            mix(&sum, &k);
        }
        for (const struct fake_slot *s = w->slots[i]; s != NULL; s = s->next) {
            if (u256_is_zero(&s->value) && !s->warm)
                continue;
            uint8_t flags[2] = {s->warm, s->transient};
            keccak256_begin(&k);
            keccak256_update(&k, s->addr.b, 20);
            keccak256_update(&k, &s->key, sizeof s->key);
            keccak256_update(&k, &s->value, sizeof s->value);
            keccak256_update(&k, flags, sizeof flags);
            mix(&sum, &k);
        }
    }
    return sum;
}

addr20 fake_addr(uint64_t n) {
    addr20 a = {{0}};
    be64_store(a.b + 12, n);
    return a;
}
