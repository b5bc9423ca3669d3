/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the machine: frames, decoded code, and what the tiers share. Private to evm/ (and its
 * tests).
 *
 * Life of a message: evm_run -> enter_message -> (a frame is pushed, or the message is answered on
 * the spot)
 * -> the driver runs the top frame's tier until it halts or has pushed a frame -> frame_finish
 * delivers the result to the frame below -> … until the bottom frame is done. */
#ifndef EVM_MACHINE_H
#define EVM_MACHINE_H

#include "base/arena.h"
#include "evm/evm.h"
#include "evm/gas.h"
#include "evm/mulmod.h"
#include "evm/opcode.h"
#include "evm/slot_digests.h"

/* --- decoded code
 * ------------------------------------------------------------------------------------ */

/* One decoded instruction. `op` is the address of its body in the fast tier. */
struct insn {
    const void *op;
    union {
        uint64_t imm;              /* PUSH of a small number, PC; the n of a fused DUPn or SWAPn */
        const u256 *word;          /* any other PUSH */
        const struct insn *target; /* static jumps: the target's block header */
        struct {
            uint32_t gas;   /* static gas of the whole block */
            uint16_t need;  /* items that must be on the stack */
            uint16_t slack; /* items that may be there beyond `need` */
        } blk;
    };
};
_Static_assert(sizeof(struct insn) == 16, "two words: what one dispatch loads");

/* What a slot of decoded code does: an opcode's byte, or one of these. */
enum fast_op {
    FAST_FIRST_EXTRA = 255,
#define FUSED(name) FAST_##name,
#include "evm/fused.def"
#undef FUSED
    FAST_OP_COUNT
};
/* What decoded code becomes of two slots that follow each other in a block: their one slot (fuse),
 * the slot of an instruction with its branch (fuse_branch), the body for both (pair_up); 0 if
 * nothing. */
uint32_t fuse(uint32_t first, uint32_t second);
uint32_t fuse_branch(uint32_t first, uint32_t second);
uint32_t pair_up(uint32_t first, uint32_t second);
/* Makes the rules ready; before any of them. */
void fuse_init(void);

/* insns[0] is where every jump to something that is no JUMPDEST leads; the code starts at
 * insns[DECODED_START]. Basic blocks end after JUMP, JUMPI and whatever ends the frame, before
 * JUMPDEST, and after the instructions that can observe gas or leave a trace that outlives a
 * failure: GAS, SSTORE, CALL*, CREATE*. Within a block it cannot be seen that all of its gas is
 * charged at its start: a frame that fails loses all its gas anyway. */
enum { DECODED_START = 2 };
struct decoded {
    /* Aligned so that the insns, which follow, are too: none straddles a cache line. */
    _Alignas(16) const struct insn *insns;
    const uint32_t *jumps; /* per byte of code: index of the block header, 0: not a JUMPDEST */
    size_t code_len;
    uint32_t insn_count;
    size_t size_bytes; /* of the one allocation that holds it all */
};

/* Room to work in, kept from one decode to the next. */
struct decode_scratch {
    void *ptr; /* owned */
    size_t cap;
    const void *const *labels; /* of the loop that shall run the code; NULL: fast_labels */
};
/* Decodes code (shorter than 2^31 bytes) for a revision. NULL when memory runs out. O(len). Free
 * with free(). */
struct decoded *decode(struct decode_scratch *s, enum evm_revision rev, bytes code) MUST_USE;

/* Marks the JUMPDESTs that are not push data: bit i%8 of byte i/8; out has (len + 7) / 8 bytes. */
void mark_jumpdests(uint8_t *out, bytes code);

/* What the cache keeps of a code. */
struct code_entry {
    struct code_entry *next; /* in the bucket */
    hash32 hash;
    const uint8_t *jumpdests; /* as mark_jumpdests; NULL until asked for */
    struct decoded *decoded[EVM_REVISION_COUNT];
    uint64_t heat;      /* gas that was burnt in it without decoding */
    uint64_t last_used; /* trim round */
    size_t size_bytes;
};
/* The entry of a code, made if need be; NULL when memory runs out. Valid until the next trim. */
struct code_entry *code_cache_get(struct evm_code_cache *c,
                                  const struct evm_code_ref *ref) MUST_USE;
const uint8_t *code_entry_jumpdests(struct evm_code_cache *c, struct code_entry *e,
                                    bytes code) MUST_USE;
const struct decoded *code_entry_decoded(struct evm_code_cache *c, struct code_entry *e,
                                         enum evm_revision rev, bytes code) MUST_USE;
uint64_t code_cache_heat(const struct evm_code_cache *c);

/* Address of each enum fast_op's body, FAST_OP_COUNT entries. */
const void *const *fast_labels(void);
/* The same of the loop that counts (evm/profile.h). */
const void *const *profiled_labels(void);
/* NULL unless the cache's machines count. */
struct evm_profile *code_cache_profile(const struct evm_code_cache *c);

/* --- frames
 * ------------------------------------------------------------------------------------------ */

struct frame {
    /* Machine registers, saved while the frame does not run. */
    u256 *sp;              /* one past the top */
    int64_t gas;           /* without `held`; below 0 while a call is given more than that */
    const struct insn *ip; /* fast tier */
    uint32_t pc;           /* reference tier */

    u256 *stack; /* bottom */
    uint8_t *mem;
    uint64_t mem_size;     /* bytes, a multiple of 32 */
    uint64_t mem_word_end; /* words may be read below this offset: mem_size - 31, or 0 */
    int64_t refund;        /* counter of the transaction as this frame sees it */

    const struct decoded *decoded; /* NULL: runs from its bytes */
    bytes code;
    const uint8_t *jumpdests; /* reference tier; NULL until the first jump */
    uint8_t *jumpdest_room;   /* init code: where to put them, in front of the memory */
    struct code_entry *entry; /* NULL for init code */
    bool heats;               /* fast tier, not decoded yet: */
    int64_t switch_gas; /* decode when gas is below this at a jump; without the gas of calls made */
    int64_t heat_needed; /* burnt gas after which that is so */
    bytes input;
    addr20 self;
    addr20 caller;
    u256 value;

    enum evm_call_kind kind;
    bool is_static;
    uint32_t depth; /* 0: top level */
    uint32_t snapshot;
    int64_t gas_start;
    /* Gas that the frame has and must not use: what a run's budget does not cover. Constant; 0
     * where there is no budget or it covers the frame. Whatever tells gas to code adds it. */
    int64_t held;

    enum evm_status status; /* after a halt */
    bytes output;           /* after a halt: in this frame's memory, or a copy elsewhere */

    /* Where the answer to the call in progress goes. */
    uint64_t ret_off, ret_len;
};

/* A message on its way into a frame. */
struct call {
    enum evm_call_kind kind;
    bool is_static;
    bool delegated; /* EIP-7702: `code` is not that of code_addr, and no precompile answers */
    uint32_t depth; /* of the frame to be */
    int64_t gas;
    addr20 sender;
    addr20 recipient;
    addr20 code_addr;
    u256 value;
    bytes input;
    struct evm_code_ref code;
    int precompile; /* id, or -1 */
    uint64_t ret_off, ret_len;
    int64_t owed; /* part of `gas` that the caller's shown gas did not cover; taken when entering */
};

struct evm {
    const struct evm_config *cfg; /* of the run */
    const struct evm_host_ops *ops;
    void *ctx;
    const struct evm_tracer *tracer;
    const struct op_info *table;
    struct evm_code_cache *cache;
    struct evm_profile *profile; /* NULL: nothing is counted */

    struct frame *frames; /* EVM_CALL_DEPTH_MAX + 1 */
    struct frame *top;    /* running frame; NULL when none */
    struct call call;     /* being charged or entered */

    u256 *stacks;      /* EVM_CALL_DEPTH_MAX + 1 stacks of EVM_STACK_MAX */
    uint8_t *mem_base; /* one mapping for all memories; a child's begins where its parent's ends */
    uint8_t *mem_end;
    uint8_t *mem_dirty; /* bytes from here on were never written */

    uint8_t *ret_base; /* mapping that holds the last return data */
    size_t ret_cap;
    size_t ret_dirty; /* most that a run has put there */
    bytes return_data;

    struct arena scratch; /* precompiles */
    struct mulmod_memory moduli;
    struct slot_digests slot_digests;
    struct evm_result *out;
};

/* Outcome of an inner loop. */
enum loop_exit {
    EXIT_HALT, /* status and output are set */
    EXIT_CALL, /* another frame is on top now */
    EXIT_HOT,  /* at a jump's target (pc): worth decoding */
};
enum loop_exit interp_fast(struct evm *vm, struct frame *f);
enum loop_exit interp_profiled(struct evm *vm, struct frame *f); /* the fast tier, counted */
enum loop_exit interp_reference(struct evm *vm, struct frame *f);
enum loop_exit interp_traced(struct evm *vm, struct frame *f);

/* Starts the call in vm->call: pushes a frame (true), or answers it at once (false): then the
 * result has been delivered to the calling frame, or to vm->out at the top level. */
bool enter_call(struct evm *vm);
bool enter_create(struct evm *vm);
/* Ends the top frame and delivers its result. */
void frame_finish(struct evm *vm);
/* Puts the top frame, which stands at a jump's target, on decoded code. */
void frame_heat_up(struct evm *vm);

/* --- long op bodies (op_*.c): what is charged returns the gas left or gas_fail
 * ------------------------ */

/* Charges and makes room for [off, off + len), which need not be in memory yet. len == 0 is free.
 */
int64_t mem_expand(struct evm *vm, struct frame *f, const u256 *off, const u256 *len, int64_t gas);

static inline bool mem_holds(const struct frame *f, const u256 *off, const u256 *len) {
    return u256_fits_u64(off) && u256_fits_u64(len) && len->w[0] <= f->mem_size &&
           off->w[0] <= f->mem_size - len->w[0];
}
static inline int64_t mem_charge(struct evm *vm, struct frame *f, const u256 *off, const u256 *len,
                                 int64_t gas) {
    return __builtin_expect(mem_holds(f, off, len), 1) ? gas : mem_expand(vm, f, off, len, gas);
}
/* As mem_charge, and `per_word` for each word of len. */
int64_t mem_charge_words(struct evm *vm, struct frame *f, const u256 *off, const u256 *len,
                         int64_t per_word, int64_t gas);
/* memory[dst_off, +len) = src[src_off …], zero where src has ended; the range has been charged. */
void copy_padded(struct frame *f, const u256 *dst_off, bytes src, const u256 *src_off,
                 const u256 *len);
/* A charged range. An empty one may have any offset. */
static inline bytes mem_bytes(const struct frame *f, const u256 *off, const u256 *len) {
    return len->w[0] == 0 ? bytes_of(NULL, 0) : bytes_of(f->mem + off->w[0], len->w[0]);
}
/* Whether the word at `off` is in memory already. */
static inline bool mem_holds_word(const struct frame *f, const u256 *off) {
    return (off->w[1] | off->w[2] | off->w[3]) == 0 && off->w[0] < f->mem_word_end;
}

/* First half, before the tracer: fills vm->call; second half, after it: pops the arguments and
 * enters. */
int64_t op_call_charge(struct evm *vm, struct frame *f, enum evm_call_kind kind, const u256 *sp,
                       int64_t gas);
bool op_call_enter(struct evm *vm, struct frame *f);
int64_t op_create_charge(struct evm *vm, struct frame *f, enum evm_call_kind kind, const u256 *sp,
                         int64_t gas);
bool op_create_enter(struct evm *vm, struct frame *f);
int64_t op_selfdestruct_charge(struct evm *vm, struct frame *f, const u256 *sp, int64_t gas);
void op_selfdestruct(struct evm *vm, struct frame *f, const u256 *sp);

/* Charges an SSTORE of sp[-2] to slot sp[-1] and books the refund. */
int64_t op_sstore_charge(struct evm *vm, struct frame *f, const u256 *sp, int64_t gas);
int64_t op_exp_cost(const u256 *exponent);
int64_t op_log_charge(struct evm *vm, struct frame *f, const u256 *sp, int64_t gas);
void op_log(struct evm *vm, struct frame *f, const u256 *sp, unsigned topics);
void op_blockhash(struct evm *vm, u256 *top);
void op_blobhash(struct evm *vm, u256 *top);
void op_keccak(struct evm *vm, const struct frame *f, u256 *sp);
void op_calldataload(const struct frame *f, u256 *top);
void op_extcodecopy(struct evm *vm, struct frame *f, const u256 *sp);

#endif
