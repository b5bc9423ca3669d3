/* SPDX-License-Identifier: Apache-2.0 */
/* The Ethereum Virtual Machine: runs one top-level message with all the calls and creations inside
 * it, over a world that it sees only through `struct evm_host`.
 *
 * Source: Yellow Paper §9 and appendix H, and the EIPs of Shanghai, Cancun, Prague and Osaka that
 * evm/opcodes.def and evm/forks.def name row by row.
 *
 * Two tiers run the same op bodies. The fast tier decodes code once per code hash and checks gas
 * and stack once per basic block; the reference tier checks at each instruction and can be traced.
 * They agree on {success, revert, failure}, gas, refund, output, logs and state; the kind of
 * failure may differ.
 *
 * Calls do not recurse on the C stack: frames live in an array, stacks and memories in one reserved
 * mapping. One `struct evm` per thread; it may be reused for any number of messages. */
#ifndef EVM_EVM_H
#define EVM_EVM_H

#include "base/types.h"
#include "base/u256.h"

enum {
    EVM_CALL_DEPTH_MAX = 1024,
    EVM_STACK_MAX = 1024,
    EVM_CODE_BYTES_MAX = 24576,     /* EIP-170 */
    EVM_INITCODE_BYTES_MAX = 49152, /* EIP-3860 */
};

enum evm_revision { EVM_SHANGHAI, EVM_CANCUN, EVM_PRAGUE, EVM_OSAKA, EVM_REVISION_COUNT };

enum evm_tier { EVM_TIER_FAST, EVM_TIER_REFERENCE };

/* 0 success; positive: an outcome that consensus defines; negative: the node failed and the block
 * must be given up, never a receipt. All but SUCCESS and REVERT take all gas of the frame. */
enum evm_status {
    EVM_INTERNAL_ERROR = -1,
    EVM_SUCCESS = 0,
    EVM_REVERT,
    EVM_OUT_OF_GAS,
    EVM_INVALID_OPCODE,
    EVM_STACK_UNDERFLOW,
    EVM_STACK_OVERFLOW,
    EVM_BAD_JUMP,
    EVM_RETURNDATA_OUT_OF_BOUNDS,
    EVM_STATIC_VIOLATION,
    EVM_PRECOMPILE_FAILURE,
    EVM_CONTRACT_COLLISION,  /* EIP-684, EIP-7610 */
    EVM_CODE_DEPOSIT_GAS,    /* too little gas to store what a creation returned (EIP-2) */
    EVM_CODE_TOO_LARGE,      /* EIP-170 */
    EVM_INITCODE_TOO_LARGE,  /* EIP-3860 */
    EVM_INVALID_CODE_PREFIX, /* EIP-3541 */
    EVM_DEPTH_EXCEEDED,      /* soft failures of a call or creation: the caller keeps its gas */
    EVM_INSUFFICIENT_BALANCE,
    EVM_NONCE_OVERFLOW,
};
/* geth's text for a failure ("out of gas", "execution reverted", …). Static string. */
const char *evm_status_text(enum evm_status s);

enum evm_call_kind {
    EVM_CALL,
    EVM_CALLCODE,
    EVM_DELEGATECALL,
    EVM_STATICCALL,
    EVM_CREATE,
    EVM_CREATE2,
    EVM_SELFDESTRUCT, /* only as a kind reported to a tracer */
};

struct evm_block_ctx {
    uint64_t chain_id;
    uint64_t number; /* this block's; BLOCKHASH counts from it, and NUMBER pushes it unless: */
    bool number_is_parent;  /* NUMBER pushes parent_number, as on an Arbitrum chain */
    uint64_t parent_number; /* the parent chain's block number */
    uint64_t timestamp;     /* seconds */
    uint64_t gas_limit;
    addr20 coinbase;
    hash32 prevrandao;
    u256 base_fee;
    u256 blob_base_fee;
};

struct evm_tx_ctx {
    addr20 origin;
    u256 gas_price;            /* effective, what GASPRICE pushes */
    const hash32 *blob_hashes; /* borrowed for the run */
    size_t blob_hash_count;
};

/* A top-level message. For EVM_CREATE `recipient` is the address to create (the caller computed it
 * and has already raised the sender's nonce) and `input` the init code. */
struct evm_message {
    enum evm_call_kind kind; /* EVM_CALL or EVM_CREATE; EVM_STATICCALL for a read-only call */
    addr20 sender;
    addr20 recipient;
    u256 value;
    bytes input;
    int64_t gas; /* >= 0 */
};

struct evm_result {
    enum evm_status status;
    int64_t gas_left;
    int64_t gas_refund; /* EIP-3529 counter, uncapped; 0 unless status is SUCCESS */
    bytes output;       /* return or revert data; borrowed from the evm until its next run */
    addr20 created;     /* kind EVM_CREATE and SUCCESS */
    bool over_budget;   /* stopped by evm_config.budget: nothing else here says anything */
};

/* Code of an account as the host hands it out; `code` stays valid until the transaction ends.
 * `handle` points at a slot beside the code, NULL at first, where the machine may keep its decoded
 * form; the host never touches it. `handle` itself may be NULL. */
struct evm_code_ref {
    bytes code;
    hash32 code_hash;
    struct evm_code_handle *handle;
};
/* Opaque to the host. Valid while `epoch` equals the code cache's. */
struct evm_code_handle {
    const void *decoded;
    uint64_t epoch;
};

struct evm_log {
    addr20 address;
    uint8_t topic_count; /* 0..4 */
    hash32 topics[4];
    bytes data; /* borrowed by the callee for the call only */
};

/* What the machine needs of the world. Reads do not fail: a host whose store breaks aborts the
 * node. All changes are journaled by the host: revert(s) undoes everything since snapshot()
 * returned s. */
struct evm_host_ops {
    /* EIP-2929. Marks the address or slot warm; true if it was cold before. */
    bool (*access_account)(void *h, const addr20 *a);
    bool (*access_storage)(void *h, const addr20 *a, const u256 *slot);

    bool (*is_empty)(void *h, const addr20 *a); /* EIP-161: no nonce, balance or code, or absent */
    void (*get_balance)(void *h, u256 *out, const addr20 *a);
    uint64_t (*get_nonce)(void *h, const addr20 *a);
    /* EIP-1052: zero for an empty account, KECCAK_EMPTY for one without code. */
    void (*get_code_hash)(void *h, hash32 *out, const addr20 *a);
    void (*get_code)(void *h, struct evm_code_ref *out, const addr20 *a);

    /* SLOAD in one look-up: value to *out, marks warm, true if it was cold. */
    bool (*sload)(void *h, u256 *out, const addr20 *a, const u256 *slot);
    /* First half of SSTORE: marks warm, gives the value at the transaction's start and now; true if
     * cold. */
    bool (*sstore_peek)(void *h, u256 *out_original, u256 *out_current, const addr20 *a,
                        const u256 *slot);
    void (*sstore)(void *h, const addr20 *a, const u256 *slot, const u256 *value);
    void (*tload)(void *h, u256 *out, const addr20 *a, const u256 *slot); /* EIP-1153 */
    void (*tstore)(void *h, const addr20 *a, const u256 *slot, const u256 *value);

    /* BLOCKHASH of a number in the last 256 blocks (the machine checks the window); zero if
     * unknown. */
    void (*get_block_hash)(void *h, hash32 *out, uint64_t number);

    uint32_t (*snapshot)(void *h);
    void (*revert)(void *h, uint32_t snapshot);

    /* Moves value; false if the balance is too small (nothing moved). A zero value touches `to`. */
    bool (*transfer)(void *h, const addr20 *from, const addr20 *to, const u256 *value);
    /* Raises the nonce by one; false if it is 2^64 - 1 already. */
    bool (*inc_nonce)(void *h, const addr20 *a);
    /* Makes a contract account with nonce 1 that keeps an existing balance; false on a collision
     * (nonce, code or storage there: EIP-684, EIP-7610). `creator` executed the creation. */
    bool (*create_account)(void *h, const addr20 *a, const addr20 *creator);
    void (*set_code)(void *h, const addr20 *a, bytes code);
    /* SELFDESTRUCT: moves the balance; destroys the account at the transaction's end if it was
     * created in this transaction, or always before Cancun (EIP-6780). A balance sent to itself by
     * a destroyed account is burnt. */
    void (*selfdestruct)(void *h, const addr20 *a, const addr20 *beneficiary);
    void (*emit_log)(void *h, const struct evm_log *log);

    /* A call to an address that the chain itself answers (ArbSys & co.). False: not such an
     * address, run it as usual. True: *out holds status, gas_left and output (output lives until
     * the next call of this op). NULL when the chain has none. `value` has been moved already. */
    bool (*system_call)(void *h, struct evm_result *out, const struct evm_message *msg,
                        const addr20 *code_addr, bool is_static, uint32_t depth);
};

struct evm_host {
    const struct evm_host_ops *ops;
    void *ctx;
};

/* One executed instruction, before it runs. Pointers are valid during the callback. */
struct evm_step {
    uint32_t pc;
    uint8_t op;
    uint32_t depth;    /* 0 = top level */
    int64_t gas;       /* before the instruction */
    int64_t gas_cost;  /* total cost of the instruction, dynamic part included */
    int64_t refund;    /* counter of the transaction so far, this instruction's part included */
    const u256 *stack; /* stack[0] is the bottom */
    uint32_t stack_len;
    bytes memory;
    bytes return_data;
    const addr20 *address; /* executing account */
    enum evm_status error; /* SUCCESS, or why the instruction cannot run */
};

/* Tracing; any member may be NULL. Only the reference tier calls them. */
struct evm_tracer {
    void *ctx;
    void (*on_step)(void *ctx, const struct evm_step *s);
    /* A frame begins and ends; precompiles and SELFDESTRUCT included. `from` executes the
     * instruction, `to` is the code's or created address; no value has moved yet. */
    void (*on_enter)(void *ctx, enum evm_call_kind kind, const addr20 *from, const addr20 *to,
                     bytes input, int64_t gas, const u256 *value, uint32_t depth);
    void (*on_exit)(void *ctx, enum evm_status status, bytes output, int64_t gas_used,
                    uint32_t depth);
    void (*on_log)(void *ctx, const struct evm_log *log, uint32_t depth);
};

struct evm;
struct evm_code_cache;

/* Decoded code by code hash, shared by the machines of one thread. Its budget is enforced by
 * evm_code_cache_trim between transactions; trimming raises the epoch, which ends all handles. */
struct evm_code_cache *evm_code_cache_new(size_t budget_bytes) MUST_USE;
void evm_code_cache_free(struct evm_code_cache *c);
void evm_code_cache_trim(struct evm_code_cache *c);
size_t evm_code_cache_bytes(const struct evm_code_cache *c); /* in use now */
/* The fast tier decodes code once this much gas per byte has been burnt in it, and runs it from its
 * bytes until then: decoding costs some 5 ns per byte, so a block full of calls to ever new
 * contracts must not pay for it. 0 decodes at once: for tests, and where the same code will surely
 * run again. */
enum { EVM_CODE_HEAT_DEFAULT = 4 };
void evm_code_cache_set_heat(struct evm_code_cache *c, uint32_t gas_per_byte);

/* Reserves address space (touched lazily); NULL when out of memory. `cache` is borrowed. */
struct evm *evm_new(struct evm_code_cache *cache) MUST_USE;
void evm_free(struct evm *vm);

struct evm_config {
    enum evm_revision revision;
    enum evm_tier tier;
    const struct evm_tracer *tracer; /* NULL, or tier must be REFERENCE */
    const struct evm_block_ctx *block;
    const struct evm_tx_ctx *tx;
    struct evm_host host;
    bool no_code_size_limit; /* eth_call style relaxations stay out of consensus */
    /* Outside of consensus too: asked before each call and creation that code makes, if not NULL.
     * True from then on: the frame that calls fails as if out of gas, and so does each one above it
     * at its next call. Between two calls gas alone bounds the time: precompiles and whatever makes
     * code costly for its gas lie behind calls. */
    bool (*expired)(void *ctx);
    void *expired_ctx;
    /* Outside of consensus too: a run that would use more gas than this is stopped, its changes are
     * undone and its result is void (over_budget). Code cannot see it: what it does within the
     * budget is what it does without one. Precompiles are counted before they run, what the chain
     * itself answers afterwards. 0: none. Not with a tracer. */
    int64_t budget;
};

/* Runs the message: snapshot, value transfer, precompile or code, creation's code deposit; on
 * failure or revert the host is back at the snapshot. Warm marks of EIP-2929/2930/3651 that precede
 * execution are the caller's. `cfg` and all it points to stay unchanged during the run. */
void evm_run(struct evm *vm, const struct evm_config *cfg, const struct evm_message *msg,
             struct evm_result *out);

/* Who called the frame that runs, while a host operation is executing; NULL at the top level. */
const addr20 *evm_running_sender(const struct evm *vm);

/* CREATE and CREATE2 addresses (Yellow Paper eq. 86-90, EIP-1014). */
void evm_create_address(addr20 *out, const addr20 *sender, uint64_t nonce);
void evm_create2_address(addr20 *out, const addr20 *sender, const hash32 *salt,
                         const hash32 *init_code_hash);

/* EIP-7702: whether code is 0xef0100 | address; the address to *out. */
bool evm_parse_delegation(addr20 *out, bytes code);

#endif
