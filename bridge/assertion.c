/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/assertion.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/secp.h"

struct assertion_state assertion_genesis_state(void) {
    return (struct assertion_state){.machine_status = MACHINE_FINISHED};
}

static void put_state(struct buf *b, const struct assertion_state *s) {
    abi_put_hash(b, &s->block_hash);
    abi_put_hash(b, &s->send_root);
    abi_put_u64(b, s->inbox_position);
    abi_put_u64(b, s->position_in_message);
    abi_put_u64(b, s->machine_status);
    abi_put_hash(b, &s->end_history_root);
}

hash32 assertion_state_hash(const struct assertion_state *s) {
    struct buf b;
    buf_init(&b, ASSERTION_STATE_WORDS * ABI_WORD_BYTES);
    put_state(&b, s);
    CHECK(!b.overflow);
    hash32 h = keccak256_bytes(buf_bytes(&b));
    buf_clear(&b);
    return h;
}

hash32 assertion_hash(const hash32 *parent, const struct assertion_state *s,
                      const hash32 *inbox_acc) {
    hash32 preimage[3] = {*parent, assertion_state_hash(s), *inbox_acc};
    hash32 h;
    keccak256(&h, preimage, sizeof preimage);
    return h;
}

hash32 assertion_config_hash(const struct assertion_config *c) {
    uint8_t preimage[32 + 32 + 20 + 8 + 8];
    memcpy(preimage, c->wasm_module_root.b, 32);
    u256_to_be32(preimage + 32, &c->required_stake);
    memcpy(preimage + 64, c->challenge_manager.b, 20);
    be64_store(preimage + 84, c->confirm_period_blocks);
    be64_store(preimage + 92, c->next_inbox_position);
    hash32 h;
    keccak256(&h, preimage, sizeof preimage);
    return h;
}

void assertion_put_inputs(struct buf *b, const struct assertion_inputs *in) {
    const struct assertion_config *c = &in->config;
    abi_put_hash(b, &in->prev_prev_hash);
    abi_put_hash(b, &in->sequencer_batch_acc);
    abi_put_hash(b, &c->wasm_module_root);
    abi_put_u256(b, &c->required_stake);
    abi_put_addr(b, &c->challenge_manager);
    abi_put_u64(b, c->confirm_period_blocks);
    abi_put_u64(b, c->next_inbox_position);
    put_state(b, &in->before);
    put_state(b, &in->after);
}

void assertion_fast_confirm_calldata(struct buf *b, const struct assertion_inputs *in,
                                     const hash32 *expected) {
    abi_put_selector(b, ABI_FAST_CONFIRM_NEW);
    assertion_put_inputs(b, in);
    abi_put_hash(b, expected);
}

/* --- events -------------------------------------------------------------------------------- */

static enum err get_state(struct assertion_state *out, bytes in, size_t idx) {
    uint8_t status;
    TRY(abi_get_hash(&out->block_hash, in, idx));
    TRY(abi_get_hash(&out->send_root, in, idx + 1));
    TRY(abi_get_u64(&out->inbox_position, in, idx + 2));
    TRY(abi_get_u64(&out->position_in_message, in, idx + 3));
    TRY(abi_get_u8(&status, in, idx + 4));
    if (status > MACHINE_ERRORED)
        return ERR_PARSE;
    out->machine_status = (enum machine_status)status;
    return abi_get_hash(&out->end_history_root, in, idx + 5);
}

static enum err get_inputs(struct assertion_inputs *out, bytes in) {
    struct assertion_config *c = &out->config;
    TRY(abi_get_hash(&out->prev_prev_hash, in, 0));
    TRY(abi_get_hash(&out->sequencer_batch_acc, in, 1));
    TRY(abi_get_hash(&c->wasm_module_root, in, 2));
    TRY(abi_get_u256(&c->required_stake, in, 3));
    TRY(abi_get_addr(&c->challenge_manager, in, 4));
    TRY(abi_get_u64(&c->confirm_period_blocks, in, 5));
    TRY(abi_get_u64(&c->next_inbox_position, in, 6));
    TRY(get_state(&out->before, in, 7));
    return get_state(&out->after, in, 13);
}

enum err assertion_parse_created(struct assertion_created *out, const struct parent_log *l) {
    if (!parent_log_is(l, ABI_EVENT_ASSERTION_CREATED, 3))
        return ERR_PARSE;
    struct assertion_created c = {.hash = l->topics[1],
                                  .parent = l->topics[2],
                                  .block_num = l->block_num,
                                  .tx_hash = l->tx_hash};
    size_t i = ASSERTION_INPUTS_WORDS;
    TRY(get_inputs(&c.inputs, l->data));
    TRY(abi_get_hash(&c.after_inbox_acc, l->data, i));
    TRY(abi_get_u64(&c.config.next_inbox_position, l->data, i + 1));
    TRY(abi_get_hash(&c.config.wasm_module_root, l->data, i + 2));
    TRY(abi_get_u256(&c.config.required_stake, l->data, i + 3));
    TRY(abi_get_addr(&c.config.challenge_manager, l->data, i + 4));
    TRY(abi_get_u64(&c.config.confirm_period_blocks, l->data, i + 5));
    hash32 h = assertion_hash(&c.parent, &c.inputs.after, &c.after_inbox_acc);
    if (!hash32_eq(&h, &c.hash))
        return ERR_MISMATCH;
    *out = c;
    return ERR_OK;
}

enum err assertion_parse_confirmed(struct assertion_confirmed *out, const struct parent_log *l) {
    if (!parent_log_is(l, ABI_EVENT_ASSERTION_CONFIRMED, 2))
        return ERR_PARSE;
    struct assertion_confirmed c = {
        .hash = l->topics[1], .block_num = l->block_num, .tx_hash = l->tx_hash};
    TRY(abi_get_hash(&c.block_hash, l->data, 0));
    TRY(abi_get_hash(&c.send_root, l->data, 1));
    *out = c;
    return ERR_OK;
}

struct assertion_inputs assertion_child(const struct assertion_created *prev,
                                        const struct assertion_state *after) {
    return (struct assertion_inputs){
        .prev_prev_hash = prev->parent,
        .sequencer_batch_acc = prev->after_inbox_acc,
        .config = prev->config,
        .before = prev->inputs.after,
        .after = *after,
    };
}

enum err assertion_parse_node(struct assertion_node *out, bytes returned) {
    struct assertion_node n;
    uint8_t status;
    TRY(abi_get_u64(&n.first_child_block, returned, 0));
    TRY(abi_get_u64(&n.second_child_block, returned, 1));
    TRY(abi_get_u64(&n.created_at_block, returned, 2));
    TRY(abi_get_bool(&n.is_first_child, returned, 3));
    TRY(abi_get_u8(&status, returned, 4));
    TRY(abi_get_hash(&n.config_hash, returned, 5));
    if (status > ASSERTION_CONFIRMED)
        return ERR_PARSE;
    n.status = (enum assertion_status)status;
    *out = n;
    return ERR_OK;
}

hash32 assertion_module_root(uint64_t version) {
    static const char name[] = {'c', 'a', 'l', 'l', 'i', 'p', 't', 'e', 'r'};
    uint8_t preimage[sizeof name + 8];
    memcpy(preimage, name, sizeof name);
    be64_store(preimage + sizeof name, version);
    hash32 h;
    keccak256(&h, preimage, sizeof preimage);
    return h;
}

/* --- confirmer ------------------------------------------------------------------------------ */

static hash32 hash_of_text(const char *s) {
    hash32 h;
    keccak256(&h, s, strlen(s));
    return h;
}

hash32 confirmer_digest(uint64_t parent_chain_id, const addr20 *confirmer, const hash32 *expected) {
    hash32 domain_type = hash_of_text(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    hash32 name = hash_of_text("CallipterConfirmer"), version = hash_of_text("1");
    struct buf b;
    buf_init(&b, 5 * ABI_WORD_BYTES);
    abi_put_hash(&b, &domain_type);
    abi_put_hash(&b, &name);
    abi_put_hash(&b, &version);
    abi_put_u64(&b, parent_chain_id);
    abi_put_addr(&b, confirmer);
    CHECK(!b.overflow);
    uint8_t preimage[2 + 64] = {0x19, 0x01};
    hash32 domain = keccak256_bytes(buf_bytes(&b));
    buf_clear(&b);
    hash32 message[2] = {hash_of_text("Confirm(bytes32 expectedAssertionHash)"), *expected};
    hash32 body;
    keccak256(&body, message, sizeof message);
    memcpy(preimage + 2, domain.b, 32);
    memcpy(preimage + 34, body.b, 32);
    hash32 digest;
    keccak256(&digest, preimage, sizeof preimage);
    return digest;
}

enum err confirmer_sign(struct confirmer_signature *out, const hash32 *digest,
                        const uint8_t key[32]) {
    struct confirmer_signature s;
    struct secp_sig sig;
    TRY(secp_address_of_key(&s.signer, key));
    TRY(secp_sign(&sig, digest, key));
    u256_to_be32(s.sig, &sig.r);
    u256_to_be32(s.sig + 32, &sig.s);
    s.sig[64] = (uint8_t)(27 + (sig.recid & 1));
    *out = s;
    return ERR_OK;
}

bool confirmer_signature_ok(const struct confirmer_signature *s, const hash32 *digest) {
    struct secp_sig sig = {.r = u256_from_be32(s->sig), .s = u256_from_be32(s->sig + 32)};
    uint8_t v = s->sig[64];
    if ((v != 27 && v != 28) || u256_cmp(&sig.s, &SECP_N_HALF) > 0)
        return false;
    sig.recid = v - 27;
    addr20 signer;
    return secp_recover(&signer, digest, &sig) == ERR_OK && addr20_eq(&signer, &s->signer);
}

void confirmer_calldata(struct buf *b, const struct assertion_inputs *in, const hash32 *expected,
                        const struct confirmer_signature *sigs, size_t n) {
    CHECK(n <= CONFIRMER_MEMBERS_MAX);
    const struct confirmer_signature *sorted[CONFIRMER_MEMBERS_MAX];
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && memcmp(sorted[at - 1]->signer.b, sigs[i].signer.b, 20) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &sigs[i];
    }
    enum { HEAD_WORDS = ASSERTION_INPUTS_WORDS + 2 };
    abi_put_selector(b, ABI_CONFIRMER_CONFIRM);
    assertion_put_inputs(b, in);
    abi_put_hash(b, expected);
    abi_put_u64(b, HEAD_WORDS * ABI_WORD_BYTES);
    abi_put_u64(b, n);
    /* Offsets count from the word after the array's length. */
    for (size_t i = 0; i < n; i++)
        abi_put_u64(b, n * ABI_WORD_BYTES + i * abi_bytes_len(CONFIRMER_SIGNATURE_BYTES));
    for (size_t i = 0; i < n; i++)
        abi_put_bytes(b, bytes_of(sorted[i]->sig, CONFIRMER_SIGNATURE_BYTES));
}
