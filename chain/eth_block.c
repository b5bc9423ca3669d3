/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/eth_block.h"

#include "base/check.h"
#include "base/rlp.h"
#include "state/trie.h"

static const addr20 BEACON_ROOTS = {{0x00, 0x0f, 0x3d, 0xf6, 0xd7, 0x32, 0x80, 0x7e, 0xf1, 0x31,
                                     0x9f, 0xb7, 0xb8, 0xbb, 0x85, 0x22, 0xd0, 0xbe, 0xac, 0x02}};
static const addr20 HISTORY_STORAGE = {{0x00, 0x00, 0xf9, 0x08, 0x27, 0xf1, 0xc5,
                                        0x3a, 0x10, 0xcb, 0x7a, 0x02, 0x33, 0x5b,
                                        0x17, 0x53, 0x20, 0x00, 0x29, 0x35}};

const char *eth_fault_name(enum eth_fault f) {
    static const char *const names[] = {
#define FAULT(name, text) #name,
#include "chain/eth_faults.def"
#undef FAULT
    };
    CHECK(f < ARRAY_LEN(names));
    return names[f];
}

const char *eth_fault_text(enum eth_fault f) {
    static const char *const texts[] = {
#define FAULT(name, text) text,
#include "chain/eth_faults.def"
#undef FAULT
    };
    CHECK(f < ARRAY_LEN(texts));
    return texts[f];
}

/* One block on its way: the parts of its RLP, and what execution gives. */
struct job {
    struct exec *x;
    struct arena *a;
    const struct eth_fork *fork;
    struct header h;
    bytes *envelopes; /* one per transaction; a legacy one is its list, header included */
    bytes *withdrawals;
    size_t tx_count, withdrawal_count;
    struct receipt *receipts;
    uint8_t bloom[HEADER_BLOOM_BYTES];
    enum tx_verdict verdict;
    enum err tx_err;
    size_t tx_idx; /* the transaction at fault */
};

/* --- decoding --------------------------------------------------------------------------------- */

/* Items of a list as they stand, in the arena. */
static enum err split(struct arena *a, bytes list, bytes **out, size_t *out_count) {
    size_t count;
    TRY(rlp_count(list, &count));
    bytes *items = arena_try_alloc(a, count == 0 ? 1 : count * sizeof *items);
    if (items == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct rlp_item item;
        TRY(rlp_next(&list, &item));
        items[i] = item.raw;
    }
    *out = items;
    *out_count = count;
    return ERR_OK;
}

/* A typed transaction stands in the list as a byte string that holds its envelope. */
static enum err unwrap_envelopes(struct job *j) {
    for (size_t i = 0; i < j->tx_count; i++) {
        struct rlp_item item;
        bytes raw = j->envelopes[i];
        TRY(rlp_next(&raw, &item));
        if (item.is_list)
            continue;
        if (item.payload.len == 0 || item.payload.ptr[0] >= 0x80)
            return ERR_RLP;
        j->envelopes[i] = item.payload;
    }
    return ERR_OK;
}

static enum eth_fault decode_block(struct job *j, bytes rlp) {
    if (j->fork->revision >= EVM_OSAKA && rlp.len > ETH_BLOCK_RLP_MAX_BYTES)
        return ETH_FAULT_SIZE;
    bytes block, txs, ommers, withdrawals;
    struct rlp_item header;
    if (rlp_next_list(&rlp, &block) != ERR_OK || rlp.len != 0 ||
        rlp_next(&block, &header) != ERR_OK || header_decode(&j->h, header.raw) != ERR_OK ||
        rlp_next_list(&block, &txs) != ERR_OK || rlp_next_list(&block, &ommers) != ERR_OK)
        return ETH_FAULT_RLP;
    if (ommers.len != 0)
        return ETH_FAULT_OMMERS;
    if (rlp_next_list(&block, &withdrawals) != ERR_OK || block.len != 0)
        return ETH_FAULT_RLP;
    if (split(j->a, txs, &j->envelopes, &j->tx_count) != ERR_OK || unwrap_envelopes(j) != ERR_OK ||
        split(j->a, withdrawals, &j->withdrawals, &j->withdrawal_count) != ERR_OK)
        return ETH_FAULT_RLP;
    return ETH_FAULT_OK;
}

/* --- execution -------------------------------------------------------------------------------- */

/* Calls of EIP-4788 and 2935, whose outcome does not matter; without the contract nothing happens.
 */
static void begin_calls(struct job *j) {
    struct evm_result ignored;
    if (j->fork->revision >= EVM_CANCUN && world_code(j->x->world, &BEACON_ROOTS).len != 0)
        eth_system_call(j->x, &BEACON_ROOTS, bytes_of(j->h.parent_beacon_root.b, 32), &ignored);
    if (j->fork->revision >= EVM_PRAGUE && world_code(j->x->world, &HISTORY_STORAGE).len != 0)
        eth_system_call(j->x, &HISTORY_STORAGE, bytes_of(j->h.parent_hash.b, 32), &ignored);
}

static enum eth_fault run_txs(struct job *j) {
    j->receipts = arena_zalloc(j->a, (j->tx_count == 0 ? 1 : j->tx_count) * sizeof *j->receipts);
    for (size_t i = 0; i < j->tx_count; i++) {
        j->tx_idx = check_progress.tx_idx = i;
        struct tx tx;
        j->tx_err = tx_decode(&tx, j->a, j->envelopes[i], j->fork->revision >= EVM_CANCUN, NULL);
        if (j->tx_err == ERR_OK)
            j->tx_err = tx_recover_sender(&tx);
        if (j->tx_err != ERR_OK)
            return ETH_FAULT_TX_DECODE;
        struct tx_result result;
        j->verdict = apply_tx(j->x, &tx, j->a, &result, &j->receipts[i]);
        if (j->verdict != TX_OK)
            return ETH_FAULT_TX_INVALID;
        for (size_t k = 0; k < sizeof j->bloom; k++)
            j->bloom[k] |= j->receipts[i].bloom[k];
    }
    return ETH_FAULT_OK;
}

/* [index, validator, address, amount in gwei] (EIP-4895). */
static enum eth_fault run_withdrawals(struct job *j) {
    const u256 gwei = u256_from_u64(1000000000);
    struct world *w = j->x->world;
    world_tx_begin(w);
    enum eth_fault fault = ETH_FAULT_OK;
    for (size_t i = 0; i < j->withdrawal_count && fault == ETH_FAULT_OK; i++) {
        bytes raw = j->withdrawals[i], item;
        uint64_t index, validator, amount_gwei;
        addr20 to;
        if (rlp_next_list(&raw, &item) != ERR_OK || rlp_next_u64(&item, &index) != ERR_OK ||
            rlp_next_u64(&item, &validator) != ERR_OK ||
            rlp_next_fixed(&item, to.b, sizeof to.b) != ERR_OK ||
            rlp_next_u64(&item, &amount_gwei) != ERR_OK || item.len != 0) {
            fault = ETH_FAULT_RLP;
            break;
        }
        u256 amount = u256_from_u64(amount_gwei);
        amount = u256_mul(&amount, &gwei);
        world_add_balance(w, &to, &amount);
    }
    world_tx_end(w);
    return fault;
}

static void receipts_root(const struct job *j, hash32 *out) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    size_t slots = j->tx_count == 0 ? 1 : j->tx_count;
    bytes *values = arena_alloc(j->a, slots * sizeof *values);
    size_t *ends = arena_alloc(j->a, slots * sizeof *ends);
    for (size_t i = 0; i < j->tx_count; i++) {
        receipt_encode(&b, &j->receipts[i]);
        ends[i] = b.len;
    }
    CHECK(!b.overflow);
    for (size_t i = 0; i < j->tx_count; i++) {
        size_t start = i == 0 ? 0 : ends[i - 1];
        values[i] = bytes_of(b.ptr + start, ends[i] - start);
    }
    mpt_list_root(out, values, j->tx_count);
    buf_clear(&b);
}

static enum eth_fault check_lists(const struct job *j) {
    hash32 root;
    mpt_list_root(&root, j->envelopes, j->tx_count);
    if (!hash32_eq(&root, &j->h.tx_root))
        return ETH_FAULT_TX_ROOT;
    mpt_list_root(&root, j->withdrawals, j->withdrawal_count);
    return hash32_eq(&root, &j->h.withdrawals_root) ? ETH_FAULT_OK : ETH_FAULT_WITHDRAWALS_ROOT;
}

static enum eth_fault check_results(struct job *j) {
    if (j->x->gas_used != j->h.gas_used)
        return ETH_FAULT_GAS_USED;
    if (j->fork->revision >= EVM_CANCUN && j->x->blob_gas_used != j->h.blob_gas_used)
        return ETH_FAULT_BLOB_GAS_USED;
    hash32 root;
    receipts_root(j, &root);
    if (!hash32_eq(&root, &j->h.receipt_root))
        return ETH_FAULT_RECEIPT_ROOT;
    return memcmp(j->bloom, j->h.bloom, sizeof j->bloom) == 0 ? ETH_FAULT_OK : ETH_FAULT_BLOOM;
}

static enum eth_fault run_block(struct job *j) {
    begin_calls(j);
    enum eth_fault fault = run_txs(j);
    if (fault == ETH_FAULT_OK)
        fault = run_withdrawals(j);
    if (fault == ETH_FAULT_OK)
        fault = check_lists(j);
    if (fault == ETH_FAULT_OK)
        fault = check_results(j);
    if (fault == ETH_FAULT_OK && j->fork->revision >= EVM_PRAGUE) {
        hash32 hash;
        fault = eth_collect_requests(j->x, j->receipts, j->tx_count, &hash);
        if (fault == ETH_FAULT_OK && !hash32_eq(&hash, &j->h.requests_hash))
            fault = ETH_FAULT_REQUESTS_HASH;
    }
    return fault;
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum err refuse(const struct job *j, enum eth_fault fault, struct err_ctx *ec) {
    if (fault == ETH_FAULT_TX_DECODE)
        FAIL(ec, j->tx_err, "block %llu: transaction %zu: %s", (unsigned long long)j->h.number,
             j->tx_idx, err_text(j->tx_err));
    if (fault == ETH_FAULT_TX_INVALID)
        FAIL(ec, ERR_INVALID, "block %llu: transaction %zu: %s", (unsigned long long)j->h.number,
             j->tx_idx, tx_verdict_text(j->verdict));
    FAIL(ec, fault == ETH_FAULT_RLP ? ERR_RLP : ERR_INVALID, "block %llu: %s",
         (unsigned long long)j->h.number, eth_fault_text(fault));
}

enum err eth_block_apply(struct eth_block_result *out, struct exec *x, struct arena *a,
                         const struct eth_fork *fork, const struct header *parent,
                         const hash32 *parent_hash, bytes rlp, struct err_ctx *ec) {
    struct job j;
    memset(&j, 0, sizeof j);
    j.x = x;
    j.a = a;
    j.fork = fork;
    enum eth_fault fault = decode_block(&j, rlp);
    if (fault == ETH_FAULT_OK)
        fault = eth_check_header(fork, parent, parent_hash, &j.h);
    if (fault == ETH_FAULT_OK) {
        check_progress.block_num = j.h.number;
        eth_exec_begin(x, fork, &j.h);
        world_block_begin(x->world, j.h.number);
        fault = run_block(&j);
        if (fault != ETH_FAULT_OK)
            world_block_abandon(x->world);
    }
    out->fault = fault;
    out->verdict = j.verdict;
    out->tx_err = j.tx_err;
    if (fault != ETH_FAULT_OK)
        return refuse(&j, fault, ec);
    out->header = j.h;
    out->hash = header_hash(&j.h);
    out->receipts = j.receipts;
    out->tx_count = j.tx_count;
    return ERR_OK;
}
