/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts and storage at a block, and their proofs. */
#include "rpc/handlers.h"

#include "base/keccak.h"
#include "rpc/format.h"
#include "rpc/reader.h"
#include "state/trie.h"

enum {
    PROOF_KEYS_MAX = 1024,
    PROOF_TRIE_BYTES = 8 << 20,
    PROOF_TRIES = 3, /* a checkpoint may move the rows on while a proof is read */
};

/* Number of the block that argument `idx` names (latest without it), which is there. */
static bool state_block(struct rpc_call *c, size_t idx, uint64_t *out, struct block_ref *out_ref) {
    struct index_head h;
    if (!param_block(c, idx, out_ref, true))
        return false;
    if (out_ref->kind == BLOCK_REF_LATEST || out_ref->kind == BLOCK_REF_PENDING) {
        *out = rpc_head_number(c);
        return true;
    }
    if (!rpc_need_block(c, out_ref, &h))
        return false;
    *out = h.header.number;
    return true;
}

static bool account_at(struct rpc_call *c, size_t block_idx, addr20 *out_addr, struct account *out,
                       uint64_t *out_number, struct block_ref *out_ref) {
    return param_addr(c, 0, out_addr) && state_block(c, block_idx, out_number, out_ref) &&
           rpc_account(c, *out_number, out_addr, out);
}

void rpc_eth_get_balance(struct rpc_call *c) {
    addr20 a;
    struct account acc;
    uint64_t number;
    struct block_ref ref;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (account_at(c, 1, &a, &acc, &number, &ref))
        jw_u256(&w, &acc.balance);
}

void rpc_eth_get_tx_count(struct rpc_call *c) {
    addr20 a;
    struct account acc;
    uint64_t number;
    struct block_ref ref;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!account_at(c, 1, &a, &acc, &number, &ref) ||
        (ref.kind == BLOCK_REF_PENDING && !rpc_pending_nonce(c, &a, &acc.nonce)))
        return;
    jw_u64(&w, acc.nonce);
}

void rpc_eth_get_code(struct rpc_call *c) {
    addr20 a;
    struct account acc;
    uint64_t number;
    struct block_ref ref;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!account_at(c, 1, &a, &acc, &number, &ref))
        return;
    bytes code = {0};
    struct state_reader reader = store_state_reader(rpc_state_view(c, number));
    if (!hash32_eq(&acc.code_hash, &KECCAK_EMPTY) &&
        !reader.ops->code(reader.ctx, &code, &acc.code_hash))
        rpc_fail_err(c, ERR_CORRUPT, NULL);
    else
        jw_data(&w, code.ptr, code.len);
}

static u256 storage_value(struct rpc_call *c, uint64_t number, const struct account *acc,
                          const u256 *slot, hash32 *out_slot_hash) {
    uint8_t word[32];
    u256 value = U256_ZERO;
    u256_to_be32(word, slot);
    keccak256(out_slot_hash, word, sizeof(word));
    if (acc->store_id != 0) {
        struct state_reader reader = store_state_reader(rpc_state_view(c, number));
        reader.ops->storage(reader.ctx, &value, acc->store_id, out_slot_hash);
    }
    return value;
}

void rpc_eth_get_storage_at(struct rpc_call *c) {
    addr20 a;
    u256 slot;
    struct account acc;
    uint64_t number;
    struct block_ref ref;
    struct json_writer w;
    jw_init(&w, &c->result);
    if (!param_storage_key(c, 1, &slot) || !account_at(c, 2, &a, &acc, &number, &ref))
        return;
    hash32 slot_hash;
    uint8_t word[32];
    u256 value = storage_value(c, number, &acc, &slot, &slot_hash);
    u256_to_be32(word, &value);
    jw_data(&w, word, sizeof(word));
}

/* --- eth_getProof -------------------------------------------------------------------------- */
struct proof_key {
    u256 slot;
    bool whole; /* given with all 32 bytes */
};
struct proof_request {
    addr20 addr;
    hash32 addr_hash;
    struct account account;
    struct index_head head;
    struct proof_key *keys;
    size_t key_count;
};

static void write_nodes(struct json_writer *w, const char *key, const struct trie_proof *p) {
    jw_key(w, key);
    jw_array(w);
    for (size_t i = 0; i < p->count; i++)
        jw_data(w, p->nodes[i].ptr, p->nodes[i].len);
    jw_array_end(w);
}

/* Whether the nodes begin at this root. */
static bool proves_from(const struct trie_proof *p, const hash32 *root) {
    hash32 h = p->count > 0 ? keccak256_bytes(p->nodes[0]) : KECCAK_EMPTY_TRIE;
    return hash32_eq(&h, root);
}

/* geth gives a key back as it came: whole, or as a quantity. */
static void write_key(struct json_writer *w, const struct proof_key *k) {
    uint8_t word[32];
    u256_to_be32(word, &k->slot);
    if (k->whole)
        jw_m_data(w, "key", bytes_of(word, sizeof(word)));
    else
        jw_m_u256(w, "key", &k->slot);
}

static enum err write_slots(struct rpc_call *c, struct json_writer *w, struct state_trie *t,
                            const struct proof_request *q) {
    for (size_t i = 0; i < q->key_count; i++) {
        hash32 slot_hash;
        struct trie_proof p = {0};
        u256 value =
            storage_value(c, q->head.header.number, &q->account, &q->keys[i].slot, &slot_hash);
        if (q->account.store_id != 0)
            TRY(state_trie_prove_slot(t, rpc_arena(c), q->account.store_id, &slot_hash, &p));
        if (!proves_from(&p, &q->account.storage_root))
            return ERR_MISMATCH;
        jw_object(w);
        write_key(w, &q->keys[i]);
        jw_m_u256(w, "value", &value);
        write_nodes(w, "proof", &p);
        jw_object_end(w);
    }
    return ERR_OK;
}

static enum err write_proof(struct rpc_call *c, struct state_trie *t,
                            const struct proof_request *q) {
    struct json_writer w;
    struct trie_proof p;
    jw_init(&w, &c->result);
    TRY(state_trie_prove_account(t, rpc_arena(c), &q->addr_hash, &p));
    /* A checkpoint may have moved the rows on meanwhile: what was read must be this block's. */
    if (!proves_from(&p, &q->head.header.state_root))
        return ERR_MISMATCH;
    jw_object(&w);
    jw_m_addr(&w, "address", &q->addr);
    write_nodes(&w, "accountProof", &p);
    jw_m_u256(&w, "balance", &q->account.balance);
    jw_m_hash(&w, "codeHash", &q->account.code_hash);
    jw_m_u64(&w, "nonce", q->account.nonce);
    jw_m_hash(&w, "storageHash", &q->account.storage_root);
    jw_key(&w, "storageProof");
    jw_array(&w);
    TRY(write_slots(c, &w, t, q));
    jw_array_end(&w);
    jw_object_end(&w);
    return ERR_OK;
}

static bool proof_keys(struct rpc_call *c, struct proof_request *q) {
    json_t *keys = param_at(c, 1);
    size_t n = json_array_size(keys);
    if (!json_is_array(keys)) {
        rpc_fail_arg(c, 1, "json: cannot unmarshal value into Go value of type []string");
        return false;
    }
    if (n > PROOF_KEYS_MAX) {
        rpc_fail(c, RPC_INVALID_PARAMS, "too many keys (want at most %d)", PROOF_KEYS_MAX);
        return false;
    }
    q->keys = arena_alloc(rpc_arena(c), n * sizeof(*q->keys) + 1);
    q->key_count = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(keys, i);
        const char *s = json_string_value(v);
        size_t digits = json_string_length(v);
        if (!param_value_storage_key(c, v, &q->keys[i].slot))
            return false;
        if (digits >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
            digits -= 2;
        q->keys[i].whole = digits > 62; /* 32 bytes, also when a leading zero is left out */
    }
    return true;
}

static enum err prove(struct rpc_call *c, const struct proof_request *q) {
    struct store_view *v = rpc_state_view(c, q->head.header.number);
    if (v == NULL)
        return ERR_OK; /* the error is set */
    struct state_trie *t = state_trie_new(store_trie_source(v), PROOF_TRIE_BYTES);
    if (t == NULL)
        return ERR_NOMEM;
    enum err e = write_proof(c, t, q);
    state_trie_free(t);
    return e;
}

void rpc_eth_get_proof(struct rpc_call *c) {
    struct proof_request q = {0};
    struct block_ref ref;
    if (!proof_keys(c, &q) || !param_addr(c, 0, &q.addr) || !param_block(c, 2, &ref, true) ||
        !rpc_need_block(c, &ref, &q.head) ||
        !rpc_account(c, q.head.header.number, &q.addr, &q.account))
        return;
    keccak256(&q.addr_hash, q.addr.b, 20);
    enum err e = ERR_MISMATCH;
    for (int i = 0; i < PROOF_TRIES && e == ERR_MISMATCH; i++) {
        buf_reset(&c->result);
        e = prove(c, &q);
    }
    if (e == ERR_MISMATCH)
        rpc_fail(c, RPC_PRUNED, "proof of historical state at block %llu is not available",
                 (unsigned long long)q.head.header.number);
    else if (e != ERR_OK)
        rpc_fail_err(c, e, NULL);
}
