/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/chain/l3_fixture.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/l3_rules.h"
#include "chain/system_state.h"

const addr20 FIXTURE_FEE_ACCOUNT = {{0xfe, 0xe0}};
const addr20 FIXTURE_PARENT_SENDER = {{0xde, 0x1a, 0x7e, 0xd0}};

static struct fee_params default_fees(void) {
    return (struct fee_params){
        .min_base_fee_wei = u256_from_u64(10000000),
        .congestion_unit_wei = u256_from_u64(100000000),
        .gas = {UINT64_C(1) << 40, 10, 102},
        .da = {UINT64_C(1) << 40, 60, 300},
        .k_num = 1,
        .k_den = 40,
    };
}

static void write_fees(struct world *w, const struct fee_params *p) {
    sys_set(w, SYS_MIN_BASE_FEE, NULL, &p->min_base_fee_wei);
    sys_set(w, SYS_CONGESTION_UNIT, NULL, &p->congestion_unit_wei);
    sys_set_u64(w, SYS_SPEED_LIMIT, NULL, p->gas.speed_limit);
    sys_set_u64(w, SYS_TOLERANCE, NULL, p->gas.tolerance_s);
    sys_set_u64(w, SYS_INERTIA, NULL, p->gas.inertia_s);
    sys_set_u64(w, SYS_DA_SPEED_LIMIT, NULL, p->da.speed_limit);
    sys_set_u64(w, SYS_DA_TOLERANCE, NULL, p->da.tolerance_s);
    sys_set_u64(w, SYS_DA_INERTIA, NULL, p->da.inertia_s);
    sys_set_u64(w, SYS_K_NUM, NULL, p->k_num);
    sys_set_u64(w, SYS_K_DEN, NULL, p->k_den);
    sys_set(w, SYS_PARENT_WEI_PER_BYTE, NULL, &p->parent_wei_per_byte);
    sys_set_addr(w, SYS_NETWORK_FEE_ACCOUNT, NULL, &FIXTURE_FEE_ACCOUNT);
    sys_set_u64(w, SYS_BLOCK_GAS_LIMIT, NULL, FIXTURE_GAS_LIMIT);
}

static void build_block_0(struct fixture *f, struct fixture_half *h,
                          const struct fixture_options *o) {
    struct fee_params fees = o->fees.k_den == 0 ? default_fees() : o->fees;
    struct world *w = chain_world(h->chain);
    world_block_begin(w, 0);
    world_tx_begin(w);
    system_accounts_create(w);
    world_set_nonce(w, &L3_HISTORY_ADDRESS, 1);
    write_fees(w, &fees);
    sys_set_u64(w, SYS_VERSION, NULL, 1);
    u256 ether = u256_from_u64(UINT64_C(1000000000000000000)), thousand = u256_from_u64(1000);
    u256 funds = u256_mul(&ether, &thousand);
    for (int i = 0; i < FIXTURE_ACCOUNTS; i++)
        world_set_balance(w, &f->addrs[i], &funds);
    if (o->setup != NULL)
        o->setup(w);
    world_tx_end(w);
    struct world_diff diff;
    world_block_end(w, &f->arena, &diff);
    memset(&f->head, 0, sizeof f->head);
    state_trie_apply(h->trie, &diff, &f->head.state_root);
    world_set_storage_roots(w, &diff);
    f->head.ommers_hash = KECCAK_EMPTY_LIST;
    f->head.tx_root = f->head.receipt_root = KECCAK_EMPTY_TRIE;
    f->head.difficulty = U256_ONE;
    f->head.gas_limit = FIXTURE_GAS_LIMIT;
    f->head.timestamp = FIXTURE_START_S;
    f->head.field_count = 16;
    f->head.base_fee = fee_price(&fees, 0, 0);
    const struct l3_header_info info = {.version = 1, .delayed_read = 1};
    l3_header_info_set(&f->head, &info);
    f->head_hash = header_hash(&f->head);
}

static struct fixture_half half_new(const struct fixture_options *o, enum evm_tier tier) {
    const struct chain_options co = {
        .config = {.chain_id = o->chain_id != 0 ? o->chain_id : FIXTURE_CHAIN_ID,
                   .evm_number_parent = o->evm_number_parent},
        .tier = tier,
        .code_cache_bytes = 1 << 20,
        .world_cache_bytes = SIZE_MAX, /* there is no store to read from again */
    };
    return (struct fixture_half){
        .chain = chain_new(&co),
        .trie = state_trie_new((struct trie_source){NULL, NULL}, SIZE_MAX),
    };
}

void fixture_init(struct fixture *f, const struct fixture_options *o) {
    memset(f, 0, sizeof *f);
    arena_init(&f->arena, 1 << 20, (size_t)1 << 30);
    for (int i = 0; i < FIXTURE_ACCOUNTS; i++) {
        f->keys[i][31] = (uint8_t)(i + 1);
        enum err e = secp_address_of_key(&f->addrs[i], f->keys[i]);
        CHECK(e == ERR_OK);
    }
    bool fast = o->tier == EVM_TIER_FAST;
    f->main = half_new(o, o->tier);
    f->twin = half_new(o, fast ? EVM_TIER_REFERENCE : EVM_TIER_FAST);
    build_block_0(f, &f->main, o);
    hash32 first = f->head_hash;
    build_block_0(f, &f->twin, o);
    CHECK(hash32_eq(&first, &f->head_hash));
}

void fixture_clear(struct fixture *f) {
    chain_free(f->main.chain);
    chain_free(f->twin.chain);
    state_trie_free(f->main.trie);
    state_trie_free(f->twin.trie);
    arena_clear(&f->arena);
}

void fixture_sign(struct fixture *f, struct tx *tx, int from) {
    tx->has_chain_id = true;
    tx->chain_id = FIXTURE_CHAIN_ID;
    enum err e = tx_sign(tx, &f->arena, f->keys[from]);
    CHECK(e == ERR_OK);
}

struct tx *fixture_tx(struct fixture *f, int from, const addr20 *to, uint64_t value, bytes data,
                      uint64_t gas) {
    struct tx *tx = arena_zalloc(&f->arena, sizeof *tx);
    tx->type = TX_DYNAMIC_FEE;
    tx->nonce = f->nonces[from]++;
    tx->max_fee = u256_from_u64(UINT64_C(1000000000000));
    tx->gas_limit = gas;
    tx->is_create = to == NULL;
    if (to != NULL)
        tx->to = *to;
    tx->value = u256_from_u64(value);
    tx->data = arena_copy(&f->arena, data);
    fixture_sign(f, tx, from);
    return tx;
}

/* --- blocks ------------------------------------------------------------------------------- */

struct list_feed {
    struct tx *const *txs;
    size_t count, next, done;
    enum tx_verdict *verdicts;
};

static const struct tx *list_next(void *ctx, uint64_t gas_left, size_t bytes_left) {
    struct list_feed *l = ctx;
    if (l->next == l->count || l->txs[l->next]->raw.len > bytes_left ||
        l->txs[l->next]->gas_limit > gas_left)
        return NULL;
    return l->txs[l->next++];
}

static void list_done(void *ctx, const struct tx *tx, enum tx_verdict v,
                      const struct derived_tx *d) {
    struct list_feed *l = ctx;
    CHECK(tx == l->txs[l->done]);
    CHECK((v == TX_OK) == (d != NULL));
    if (l->verdicts != NULL)
        l->verdicts[l->done] = v;
    l->done++;
}

/* The same block from its message, as a log record would bring it. */
static void derive_on_twin(struct fixture *f, const struct derived_block *b) {
    struct buf packed;
    buf_init(&packed, 1 << 20);
    message_pack(&packed, &b->message);
    bytes in = buf_bytes(&packed);
    struct message m;
    enum err e = message_unpack(&m, &in);
    CHECK(e == ERR_OK);
    CHECK(in.len == 0);
    struct derived_block twin;
    e = chain_derive_block(&twin, f->twin.chain, &f->arena, &f->head, &m, NULL);
    CHECK(e == ERR_OK);
    chain_seal_block(&twin, f->twin.chain, f->twin.trie);
    CHECK(twin.tx_count == b->tx_count);
    CHECK(hash32_eq(&twin.hash, &b->hash));
    CHECK(twin.attribution_count == b->attribution_count);
    CHECK(memcmp(twin.attributions, b->attributions,
                 b->attribution_count * sizeof *b->attributions) == 0);
    buf_clear(&packed);
}

static void adopt_head(struct fixture *f, const struct derived_block *b) {
    CHECK(hash32_eq(&b->header.parent_hash, &f->head_hash));
    f->head = b->header;
    f->head_hash = b->hash;
}

enum err fixture_block(struct fixture *f, struct derived_block *out, struct tx *const *txs,
                       size_t count, uint64_t dt_s, enum tx_verdict *out_verdicts) {
    struct list_feed list = {.txs = txs, .count = count, .verdicts = out_verdicts};
    const struct tx_feed feed = {.ctx = &list, .next = list_next, .done = list_done};
    uint64_t l1 = l3_header_info_get(&f->head).l1_block_number;
    TRY(chain_sequence_block(out, f->main.chain, &f->arena, &f->head, f->head.timestamp + dt_s,
                             l1 + 1, &feed, NULL));
    chain_seal_block(out, f->main.chain, f->main.trie);
    derive_on_twin(f, out);
    adopt_head(f, out);
    return ERR_OK;
}

enum err fixture_message(struct fixture *f, struct derived_block *out, const struct message *m,
                         struct err_ctx *ec) {
    TRY(chain_derive_block(out, f->main.chain, &f->arena, &f->head, m, ec));
    chain_seal_block(out, f->main.chain, f->main.trie);
    derive_on_twin(f, out);
    adopt_head(f, out);
    return ERR_OK;
}

struct message fixture_l2_message(const struct fixture *f, bytes data) {
    struct l3_header_info info = l3_header_info_get(&f->head);
    return (struct message){
        .kind = MESSAGE_L2,
        .sender = SEQUENCER_ADDRESS,
        .timestamp = f->head.timestamp,
        .l1_block = info.l1_block_number,
        .delayed_read = info.delayed_read,
        .data = data,
    };
}

struct message fixture_delayed_message(const struct fixture *f, uint8_t kind, bytes data) {
    struct message m = fixture_l2_message(f, data);
    m.kind = kind;
    m.sender = FIXTURE_PARENT_SENDER;
    m.has_request_id = true;
    m.request_id.b[31] = (uint8_t)m.delayed_read;
    m.delayed_read++;
    return m;
}

struct message fixture_submit_message(struct fixture *f, const struct fixture_ticket *t) {
    const u256 words[9] = {
        u256_from_addr(&t->to),
        t->value,
        t->deposit,
        t->max_submission,
        u256_from_addr(&t->refund_to),
        u256_from_addr(&t->beneficiary),
        u256_from_u64(t->gas),
        t->max_fee,
        u256_from_u64(t->data.len),
    };
    uint8_t *data = arena_alloc(&f->arena, sizeof words + t->data.len);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        u256_to_be32(data + 32 * i, &words[i]);
    if (t->data.len != 0)
        memcpy(data + sizeof words, t->data.ptr, t->data.len);
    struct message m = fixture_delayed_message(f, MESSAGE_SUBMIT_RETRYABLE,
                                               bytes_of(data, sizeof words + t->data.len));
    m.has_base_fee_l1 = true;
    m.base_fee_l1 = u256_from_u64(FIXTURE_L1_BASE_FEE);
    return m;
}

u256 fixture_balance(struct fixture *f, const addr20 *a) {
    return world_balance(chain_world(f->main.chain), a);
}

struct derived_tx fixture_run(struct fixture *f, struct tx *tx) {
    struct derived_block b;
    enum tx_verdict v = TX_OK;
    enum err e = fixture_block(f, &b, &tx, 1, 1, &v);
    CHECK(v == TX_OK);
    CHECK(e == ERR_OK);
    CHECK(b.tx_count == 1);
    return b.txs[0];
}
