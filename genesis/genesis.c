/* SPDX-License-Identifier: Apache-2.0 */
#include "genesis/genesis.h"

#include "base/check.h"
#include "base/keccak.h"
#include "chain/fees.h"
#include "chain/l3_rules.h"
#include "chain/system_state.h"
#include "genesis/genesis_internal.h"
#include "genesis/hdwallet.h"
#include "genesis/predeploys.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 64 << 10 };
/* Decoded, an account is larger than its text, but by no more than this. */
#define ARENA_MAX_BYTES ((size_t)GENESIS_FILE_MAX_BYTES * 16)

void genesis_init(struct genesis *g) {
    memset(g, 0, sizeof *g);
    arena_init(&g->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    g->gas_limit = GENESIS_GAS_LIMIT_DEFAULT;
    struct genesis_params *p = &g->params;
#define PARAM_U64(key, member, preset, min, max, meaning) p->member = preset;
#define PARAM_WEI(key, member, preset, max_bits, meaning) p->member = u256_from_u64(preset);
#include "genesis/params.def"
    /* What Orbit chains are deployed with. */
    g->bounds = (struct genesis_time_bounds){
        .delay_blocks = 5760, .future_blocks = 48, .delay_seconds = 86400, .future_seconds = 3600};
}

void genesis_clear(struct genesis *g) {
    arena_clear(&g->arena);
    memset(g, 0, sizeof *g);
}

/* --- the allocation ---------------------------------------------------------------------- */

static int account_cmp(const void *a, const void *b) {
    return memcmp(((const struct genesis_account *)a)->addr.b,
                  ((const struct genesis_account *)b)->addr.b, 20);
}

static struct genesis_account *account_find(struct genesis *g, const addr20 *a) {
    for (size_t i = 0; i < g->alloc_count; i++)
        if (addr20_eq(&g->alloc[i].addr, a))
            return &g->alloc[i];
    return NULL;
}

static void add_slots(struct genesis *g, struct genesis_account *acc, enum predeploy_id id) {
    struct genesis_slot slot;
    size_t n = 0;
    while (predeploy_slot(id, n, &slot.key, &slot.value))
        n++;
    acc->slots = arena_zalloc(&g->arena, n * sizeof *acc->slots + 1);
    for (acc->slot_count = 0; acc->slot_count < n; acc->slot_count++) {
        struct genesis_slot *s = &acc->slots[acc->slot_count];
        (void)predeploy_slot(id, acc->slot_count, &s->key, &s->value);
    }
}

/* Whether each slot of the file is one that the predeploy has. */
static bool slots_agree(const struct genesis_account *acc, enum predeploy_id id) {
    for (size_t i = 0; i < acc->slot_count; i++) {
        u256 key, value;
        size_t n = 0;
        while (predeploy_slot(id, n, &key, &value) && !u256_eq(&key, &acc->slots[i].key))
            n++;
        if (!predeploy_slot(id, n, &key, &value) || !u256_eq(&value, &acc->slots[i].value))
            return false;
    }
    return true;
}

/* An account of the file where a predeploy stands may be the same thing, as files written by other
 * tools have it. */
static enum err add_predeploy(struct genesis *g, enum predeploy_id id, struct err_ctx *ec) {
    addr20 addr = predeploy_address(id);
    bytes code = predeploy_code(id, &g->arena);
    struct genesis_account *acc = account_find(g, &addr);
    if (acc == NULL) {
        acc = &g->alloc[g->alloc_count++];
        *acc = (struct genesis_account){.addr = addr};
    } else if (!slots_agree(acc, id) ||
               (acc->code.len != 0 &&
                (acc->code.len != code.len || memcmp(acc->code.ptr, code.ptr, code.len) != 0))) {
        FAIL(ec, ERR_CONFIG,
             "genesis: alloc has an account of its own at the address of the predeploy %s",
             predeploy_name(id));
    }
    acc->code = code;
    acc->nonce = predeploy_nonce(id);
    add_slots(g, acc, id);
    return ERR_OK;
}

enum err genesis_finish(struct genesis *g, const bool *wanted, struct err_ctx *ec) {
    if (g->alloc == NULL)
        g->alloc = arena_zalloc(&g->arena, PREDEPLOY_COUNT * sizeof *g->alloc);
    for (int id = 0; id < PREDEPLOY_COUNT; id++)
        if (wanted[id])
            TRY(add_predeploy(g, (enum predeploy_id)id, ec));
    qsort(g->alloc, g->alloc_count, sizeof *g->alloc, account_cmp);
    for (size_t i = 0; i < g->alloc_count; i++) {
        const struct genesis_account *acc = &g->alloc[i];
        int system = system_address_find(&acc->addr);
        if (system >= 0)
            FAIL(ec, ERR_CONFIG, "genesis: alloc has the address of %s, which is the chain's own",
                 system_address_name((enum system_address)system));
        if (i > 0 && addr20_eq(&acc->addr, &g->alloc[i - 1].addr))
            FAIL(ec, ERR_CONFIG,
                 "genesis: alloc has an account under two spellings of its address");
        if (u256_add_overflow(&g->supply_wei, &g->supply_wei, &acc->balance))
            FAIL(ec, ERR_CONFIG, "genesis: alloc: the sum of all balances exceeds 256 bits");
    }
    return ERR_OK;
}

enum err genesis_check_backing(const struct genesis *g, bool unbacked_alloc, struct err_ctx *ec) {
    if (g->config.has_parent && !unbacked_alloc && !u256_is_zero(&g->supply_wei))
        FAIL(ec, ERR_CONFIG,
             "genesis: alloc gives out money on a chain with a parent, where only deposits back "
             "it: remove the balances or start with --unbacked-alloc");
    return ERR_OK;
}

/* --- the development chain --------------------------------------------------------------- */

void genesis_dev_account(uint32_t idx, uint8_t out_key[32], addr20 *out_addr) {
    uint8_t seed[HD_SEED_BYTES];
    struct hd_key master, key;
    char path[32];
    (void)snprintf(path, sizeof path, "m/44'/60'/0'/0/%u", idx);
    enum err e = hd_seed(seed, GENESIS_DEV_MNEMONIC, "");
    CHECK(e == ERR_OK);
    e = hd_master(&master, seed, sizeof seed);
    CHECK(e == ERR_OK);
    e = hd_derive_path(&key, &master, path);
    CHECK(e == ERR_OK);
    memcpy(out_key, key.key, 32);
    e = secp_address_of_key(out_addr, key.key);
    CHECK(e == ERR_OK);
}

void genesis_dev(struct genesis *out) {
    struct genesis g;
    genesis_init(&g);
    g.config.chain_id = GENESIS_DEV_CHAIN_ID;
    /* Far above what one machine executes: a load test sees the same price throughout. */
    g.params.speed_limit_gas = UINT64_C(10000000000);
    g.params.universe_creation_open = true;
    g.alloc = arena_zalloc(&g.arena, (GENESIS_DEV_ACCOUNTS + PREDEPLOY_COUNT) * sizeof *g.alloc);
    uint8_t key[32];
    u256 ether = u256_from_u64(UINT64_C(1000000000000000000)), count = u256_from_u64(10000);
    for (uint32_t i = 0; i < GENESIS_DEV_ACCOUNTS; i++) {
        struct genesis_account *acc = &g.alloc[g.alloc_count++];
        genesis_dev_account(i, key, &acc->addr);
        acc->balance = u256_mul(&count, &ether);
    }
    g.params.owners = arena_alloc(&g.arena, sizeof *g.params.owners);
    g.params.owners[0] = g.alloc[0].addr;
    g.params.owner_count = 1;
    genesis_dev_account(GENESIS_DEV_ACCOUNTS, key, &g.params.network_fee_account);
    bool wanted[PREDEPLOY_COUNT];
    for (int id = 0; id < PREDEPLOY_COUNT; id++)
        wanted[id] = true;
    enum err e = genesis_finish(&g, wanted, NULL);
    CHECK(e == ERR_OK);
    *out = g;
}

/* --- block 0 ----------------------------------------------------------------------------- */

static void write_pricing(struct world *w, const struct genesis *g) {
    const struct genesis_params *p = &g->params;
    sys_set(w, SYS_MIN_BASE_FEE, NULL, &p->min_base_fee_wei);
    sys_set(w, SYS_CONGESTION_UNIT, NULL, &p->congestion_unit_wei);
    sys_set_u64(w, SYS_SPEED_LIMIT, NULL, p->speed_limit_gas);
    sys_set_u64(w, SYS_TOLERANCE, NULL, p->tolerance_s);
    sys_set_u64(w, SYS_INERTIA, NULL, p->inertia_s);
    sys_set_u64(w, SYS_DA_SPEED_LIMIT, NULL, p->da_speed_limit_bytes);
    sys_set_u64(w, SYS_DA_TOLERANCE, NULL, p->da_tolerance_s);
    sys_set_u64(w, SYS_DA_INERTIA, NULL, p->da_inertia_s);
    sys_set_u64(w, SYS_K_NUM, NULL, p->k_num);
    sys_set_u64(w, SYS_K_DEN, NULL, p->k_den);
    sys_set(w, SYS_PARENT_WEI_PER_BYTE, NULL, &p->parent_wei_per_byte);
    for (uint64_t i = 0; i < FEE_DATA_SAMPLES; i++) {
        u256 key = u256_from_u64(i);
        sys_set(w, SYS_DATA_SAMPLE, &key, &p->parent_wei_per_byte);
    }
    sys_set_addr(w, SYS_NETWORK_FEE_ACCOUNT, NULL, &p->network_fee_account);
    sys_set_u64(w, SYS_BLOCK_GAS_LIMIT, NULL, g->gas_limit);
    sys_set(w, SYS_SURCHARGE_CAP, NULL, &p->surcharge_cap_wei);
    sys_set(w, SYS_SUPPLY_GENESIS, NULL, &g->supply_wei);
}

static void write_chain(struct world *w, const struct genesis *g) {
    const struct genesis_params *p = &g->params;
    sys_set_u64(w, SYS_CHAIN_ID, NULL, g->config.chain_id);
    sys_set_u64(w, SYS_PARENT_CHAIN_ID, NULL, g->parent_chain_id);
    sys_set_u64(w, SYS_EVM_NUMBER_PARENT, NULL, g->config.evm_number_parent);
    sys_set_u64(w, SYS_VERSION, NULL, p->version);
    sys_set_u64(w, SYS_OWNER_COUNT, NULL, p->owner_count);
    for (size_t i = 0; i < p->owner_count; i++) {
        u256 index = u256_from_u64(i), owner = u256_from_addr(&p->owners[i]);
        sys_set_addr(w, SYS_OWNER_AT, &index, &p->owners[i]);
        sys_set_u64(w, SYS_OWNER_INDEX_PLUS_1, &owner, i + 1);
    }
}

static void write_registry(struct world *w, const struct genesis *g) {
    const struct genesis_params *p = &g->params;
    sys_set_u64(w, SYS_UNIVERSE_CREATION_OPEN, NULL, p->universe_creation_open);
    sys_set(w, SYS_UNIVERSE_BOND, NULL, &p->universe_bond_wei);
    sys_set_u64(w, SYS_CREATOR_COUNT, NULL, p->creator_count);
    for (size_t i = 0; i < p->creator_count; i++) {
        u256 creator = u256_from_addr(&p->creators[i]);
        sys_set_u64(w, SYS_CREATOR_FLAG, &creator, 1);
    }
    addr20 factory = predeploy_address(PREDEPLOY_UNIVERSE_FACTORY);
    sys_set_addr(w, SYS_REGISTRY_FACTORY, NULL, &factory);
    /* What all universes share belongs to none of them. */
    for (int id = 0; id < PREDEPLOY_COUNT; id++) {
        addr20 a = predeploy_address((enum predeploy_id)id);
        u256 key = u256_from_addr(&a);
        sys_set_u64(w, SYS_UNATTRIBUTABLE_FLAG, &key, 1);
    }
}

static void write_account(struct world *w, const struct genesis_account *acc) {
    if (!u256_is_zero(&acc->balance))
        world_set_balance(w, &acc->addr, &acc->balance);
    if (acc->nonce != 0)
        world_set_nonce(w, &acc->addr, acc->nonce);
    if (acc->code.len != 0)
        world_set_code(w, &acc->addr, acc->code);
    for (size_t i = 0; i < acc->slot_count; i++)
        world_set_storage(w, &acc->addr, &acc->slots[i].key, &acc->slots[i].value);
}

static struct header genesis_header(const struct genesis *g, const hash32 *state_root) {
    struct header h;
    memset(&h, 0, sizeof h);
    h.ommers_hash = KECCAK_EMPTY_LIST;
    h.state_root = *state_root;
    h.tx_root = KECCAK_EMPTY_TRIE;
    h.receipt_root = KECCAK_EMPTY_TRIE;
    h.difficulty = U256_ONE;
    h.gas_limit = g->gas_limit;
    h.timestamp = g->timestamp;
    h.field_count = 16;
    /* message 0 */
    const struct l3_header_info info = {.version = g->params.version, .delayed_read = 1};
    l3_header_info_set(&h, &info);
    const struct genesis_params *p = &g->params;
    const struct fee_params fees = {
        .min_base_fee_wei = p->min_base_fee_wei,
        .congestion_unit_wei = p->congestion_unit_wei,
        .gas = {p->speed_limit_gas, p->tolerance_s, p->inertia_s},
        .da = {p->da_speed_limit_bytes, p->da_tolerance_s, p->da_inertia_s},
        .k_num = p->k_num,
        .k_den = p->k_den,
        .parent_wei_per_byte = p->parent_wei_per_byte,
    };
    h.base_fee = fee_price(&fees, 0, 0);
    return h;
}

void genesis_build(struct genesis_block *out, const struct genesis *g, struct world *w,
                   struct state_trie *t, struct arena *a) {
    memset(out, 0, sizeof *out);
    world_block_begin(w, 0);
    world_tx_begin(w);
    system_accounts_create(w);
    write_pricing(w, g);
    write_chain(w, g);
    write_registry(w, g);
    for (size_t i = 0; i < g->alloc_count; i++)
        write_account(w, &g->alloc[i]);
    world_tx_end(w);
    world_block_end(w, a, &out->diff);
    for (size_t i = 0; i < out->diff.count; i++) {
        CHECK(!out->diff.accounts[i].existed);
        out->diff.accounts[i].new_code = arena_copy(a, out->diff.accounts[i].new_code);
    }
    hash32 root;
    state_trie_apply(t, &out->diff, &root);
    world_set_storage_roots(w, &out->diff);
    out->header = genesis_header(g, &root);
    out->hash = header_hash(&out->header);
}
