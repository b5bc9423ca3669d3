/* SPDX-License-Identifier: Apache-2.0 */
/* From bytes to decoded code in one pass and a fix-up: the pass writes slots with the number of
 * their body and, for static jumps, the offset they go to; the fix-up puts addresses there. */
#include "base/check.h"
#include "evm/machine.h"

#include <stdlib.h>

void mark_jumpdests(uint8_t *out, bytes code) {
    memset(out, 0, (code.len + 7) / 8);
    for (size_t i = 0; i < code.len; i++) {
        uint8_t op = code.ptr[i];
        if (op == OP_JUMPDEST)
            out[i / 8] |= (uint8_t)(1U << (i % 8));
        else if (op >= OP_PUSH1 && op <= OP_PUSH32)
            i += (size_t)(op - OP_PUSH1) + 1;
    }
}

/* A slot while decoding: 16 bytes too. */
struct slot {
    uint16_t kind;   /* enum fast_op, or an opcode */
    uint16_t paired; /* what runs this slot and the next, 0: nothing */
    uint32_t word;   /* index into the constants, where there is one */
    union {
        uint64_t imm; /* also: destination of a static jump */
        struct {
            uint32_t gas;
            uint16_t need, slack;
        } blk;
    };
};

struct builder {
    bytes code;
    const struct op_info *table;
    struct slot *slots;
    u256 *words;
    uint32_t *jumps;
    uint32_t slot_count;
    uint32_t word_count;

    /* The block being decoded. */
    bool open;
    uint32_t header;
    uint64_t gas;
    int32_t height; /* relative to the block's start */
    int32_t need;
    int32_t peak;
};

/* A block whose gas would not fit its header is cut; so is nothing that real code has. */
#define BLOCK_GAS_MAX ((uint64_t)UINT32_MAX - 65536)

/* Shorter runs of JUMPDESTs are not worth a jump. */
enum { JUMPDEST_RUN_MIN = 2 };

static void open_block(struct builder *b) {
    b->header = b->slot_count++;
    b->slots[b->header].kind = FAST_BLOCK;
    b->slots[b->header].paired = 0;
    b->open = true;
    b->gas = 0;
    b->height = b->need = b->peak = 0;
}

static void close_block(struct builder *b) {
    if (!b->open)
        return;
    struct slot *h = &b->slots[b->header];
    h->blk.gas = (uint32_t)b->gas;
    int32_t room = EVM_STACK_MAX - b->peak - b->need;
    if (b->need > EVM_STACK_MAX || room < 0) {
        /* Cannot run with any stack: a need that no stack meets. */
        h->blk.need = UINT16_MAX;
        h->blk.slack = 0;
    } else {
        h->blk.need = (uint16_t)b->need;
        h->blk.slack = (uint16_t)room;
    }
    b->open = false;
}

static void count_op(struct builder *b, const struct op_info *info) {
    b->gas += info->gas;
    int32_t missing = (int32_t)info->pops - b->height;
    if (missing > b->need)
        b->need = missing;
    b->height += (int32_t)info->pushes - (int32_t)info->pops;
    if (b->height > b->peak)
        b->peak = b->height;
}

static struct slot *emit(struct builder *b, uint32_t kind, uint64_t imm) {
    struct slot *s = &b->slots[b->slot_count++];
    s->kind = (uint16_t)kind;
    s->paired = 0;
    s->imm = imm;
    return s;
}

/* The slot before the next one if it lies in the open block, else NULL. */
static struct slot *last_slot(const struct builder *b) {
    return b->slot_count - 1 > b->header ? &b->slots[b->slot_count - 1] : NULL;
}

/* What a slot holds before anything is fused with it: PC its offset, DUPn and SWAPn their n. */
static uint64_t slot_operand(uint8_t op, size_t pc) {
    if (op >= OP_DUP1 && op <= OP_DUP16)
        return (uint64_t)(op - OP_DUP1) + 1;
    if (op >= OP_SWAP1 && op <= OP_SWAP16)
        return (uint64_t)(op - OP_SWAP1) + 1;
    return pc;
}

static void emit_constant(struct builder *b, const u256 *v) {
    if (u256_fits_u64(v)) {
        emit(b, FAST_PUSH_SMALL, v->w[0]);
        return;
    }
    b->words[b->word_count] = *v;
    emit(b, FAST_PUSH_WORD, 0)->word = b->word_count++;
}

static void emit_push(struct builder *b, size_t pc, unsigned len) {
    uint8_t raw[32] = {0};
    size_t have = b->code.len - pc - 1;
    memcpy(raw, b->code.ptr + pc + 1, len < have ? len : have); /* code ends in zeros, YP §9.4.1 */
    u256 v = u256_from_be(raw, len);
    emit_constant(b, &v);
}

static bool is_push(const struct slot *s) {
    return s != NULL && (s->kind == FAST_PUSH_SMALL || s->kind == FAST_PUSH_WORD);
}

/* Removes the last slot, a PUSH, and gives its value; words are in the order of their slots. */
static u256 take_constant(struct builder *b) {
    const struct slot *s = &b->slots[--b->slot_count];
    if (s->kind == FAST_PUSH_SMALL)
        return u256_from_u64(s->imm);
    DCHECK(s->word == b->word_count - 1);
    return b->words[--b->word_count];
}

/* Compilers write masks as 1 << n minus 1 and as complements: what comes of constants alone is one.
 * False when it is not that. */
static bool fold(struct builder *b, uint8_t op) {
    const struct slot *last = last_slot(b);
    if (!is_push(last))
        return false;
    if (op == OP_NOT) {
        u256 v = take_constant(b);
        v = u256_not(&v);
        emit_constant(b, &v);
        return true;
    }
    bool two = (uint32_t)(last - b->slots) - 1 > b->header && is_push(last - 1);
    if (!two || (op != OP_SHL && op != OP_SUB))
        return false;
    u256 top = take_constant(b), below = take_constant(b), v;
    v = op == OP_SHL ? u256_shl(&top, &below) : u256_sub(&top, &below);
    emit_constant(b, &v);
    return true;
}

/* Puts an instruction behind the last one, or into its slot. */
static void emit_fused(struct builder *b, uint8_t op, size_t pc) {
    struct slot *last = last_slot(b);
    uint32_t both = last == NULL ? 0 : fuse(last->kind, op);
    if (both == 0) {
        emit(b, op, slot_operand(op, pc));
        return;
    }
    last->kind = (uint16_t)both;
}

/* Where the PUSH before a jump goes: its value, or something that is never a JUMPDEST. */
static uint64_t push_target(const struct slot *push) {
    return push->kind == FAST_PUSH_SMALL ? push->imm : UINT64_MAX;
}

static void emit_jump(struct builder *b, uint8_t op) {
    struct slot *last = last_slot(b);
    if (!is_push(last)) {
        emit(b, op, 0);
        return;
    }
    last->imm = push_target(last);
    last->kind = op == OP_JUMP ? FAST_JUMP_TO : FAST_JUMPI_TO;
    /* The comparisons in front go into the branch, one after the other. */
    while ((uint32_t)(last - b->slots) - 1 > b->header) {
        struct slot *before = last - 1;
        uint32_t both = fuse_branch(before->kind, last->kind);
        if (both == 0)
            break;
        before->kind = (uint16_t)both;
        before->imm = last->imm;
        last = before;
        b->slot_count--;
    }
}

static bool ends_block(uint8_t op) {
    switch (op) {
    case OP_JUMPI:
    case OP_GAS:
    case OP_SSTORE:
    case OP_CALL:
    case OP_CALLCODE:
    case OP_DELEGATECALL:
    case OP_STATICCALL:
    case OP_CREATE:
    case OP_CREATE2:
        return true;
    default:
        return false;
    }
}

static bool ends_code(uint8_t op) {
    switch (op) {
    case OP_STOP:
    case OP_JUMP:
    case OP_RETURN:
    case OP_REVERT:
    case OP_INVALID:
    case OP_SELFDESTRUCT:
        return true;
    default:
        return false;
    }
}

/* The offset of the next JUMPDEST from pc on, or the code's end. */
static size_t skip_dead(const struct builder *b, size_t pc) {
    while (pc < b->code.len && b->code.ptr[pc] != OP_JUMPDEST) {
        uint8_t op = b->code.ptr[pc];
        pc += 1 + (op >= OP_PUSH1 && op <= OP_PUSH32 ? (size_t)(op - OP_PUSH1) + 1 : 0);
    }
    return pc;
}

/* A run of JUMPDESTs, as some code has thousands of: each but the last pays for all that follow it
 * at once and goes to the last, whose offset is returned. */
static size_t skip_jumpdests(struct builder *b, size_t pc) {
    size_t last = pc;
    while (last + 1 < b->code.len && b->code.ptr[last + 1] == OP_JUMPDEST)
        last++;
    if (last - pc < JUMPDEST_RUN_MIN)
        return pc;
    close_block(b);
    for (; pc < last; pc++) {
        open_block(b);
        b->jumps[pc] = b->header;
        b->gas = (last - pc) * b->table[OP_JUMPDEST].gas;
        emit(b, FAST_JUMP_TO, last);
        close_block(b);
    }
    return last;
}

/* Decodes the instruction at pc, returns where the next one is. */
static size_t step(struct builder *b, size_t pc) {
    uint8_t op = b->code.ptr[pc];
    const struct op_info *info = &b->table[op];
    if (op == OP_JUMPDEST)
        pc = skip_jumpdests(b, pc);
    if (op == OP_JUMPDEST || b->gas > BLOCK_GAS_MAX)
        close_block(b);
    if (!b->open)
        open_block(b);
    if (!info->defined) {
        emit(b, FAST_UNDEFINED, 0);
        close_block(b);
        return skip_dead(b, pc + 1);
    }
    count_op(b, info);
    if (op == OP_JUMPDEST)
        b->jumps[pc] = b->header;
    else if (op >= OP_PUSH0 && op <= OP_PUSH32)
        emit_push(b, pc, info->immediate);
    else if (op == OP_JUMP || op == OP_JUMPI)
        emit_jump(b, op);
    else if (!fold(b, op))
        emit_fused(b, op, pc);
    pc += 1 + (size_t)info->immediate;
    if (ends_code(op)) {
        close_block(b);
        return skip_dead(b, pc);
    }
    if (ends_block(op))
        close_block(b);
    return pc;
}

static void decode_all(struct builder *b) {
    /* insns[0] and [1]: see DECODED_START. */
    b->slot_count = 0;
    open_block(b);
    emit(b, FAST_BAD_JUMP, 0);
    close_block(b);
    DCHECK(b->slot_count == DECODED_START);
    size_t pc = 0;
    while (pc < b->code.len)
        pc = step(b, pc);
    /* Running off the end stops (YP §9.4.1). */
    if (!b->open)
        open_block(b);
    emit(b, OP_STOP, 0);
    close_block(b);
}

static bool has_target(uint32_t kind) {
    switch (kind) {
    case FAST_JUMP_TO:
    case FAST_JUMPI_TO:
#define BRANCH(name, first, second) case FAST_##name:
#include "evm/fused.def"
#undef BRANCH
        return true;
    default:
        return false;
    }
}

static bool has_word(uint32_t kind) {
    return kind == FAST_PUSH_WORD || kind == FAST_AND_WORD;
}

/* Lets the body of one slot run the next ones too, where there is such a body. Those slots stay as
 * they are: they are only not dispatched to. */
static void pair_slots(struct builder *b) {
    for (uint32_t i = DECODED_START, next; i < b->slot_count; i = next) {
        uint32_t kind = b->slots[i].kind, more;
        next = i + 1;
        while (next < b->slot_count && (more = pair_up(kind, b->slots[next].kind)) != 0) {
            kind = more;
            next++;
        }
        if (next > i + 1)
            b->slots[i].paired = (uint16_t)kind;
    }
}

static struct decoded *finish(const struct builder *b, const void *const *labels) {
    size_t insn_bytes = b->slot_count * sizeof(struct insn);
    size_t word_bytes = b->word_count * sizeof(u256);
    size_t jump_bytes = b->code.len * sizeof(uint32_t);
    size_t total = sizeof(struct decoded) + insn_bytes + word_bytes + jump_bytes;
    struct decoded *d = malloc(total);
    if (d == NULL)
        return NULL;
    struct insn *insns = (struct insn *)(d + 1);
    u256 *words = (u256 *)(insns + b->slot_count);
    uint32_t *jumps = (uint32_t *)(words + b->word_count);
    memcpy(words, b->words, word_bytes);
    memcpy(jumps, b->jumps, jump_bytes);
    for (uint32_t i = 0; i < b->slot_count; i++) {
        const struct slot *s = &b->slots[i];
        insns[i].op = labels[s->paired != 0 ? s->paired : s->kind];
        insns[i].imm = s->imm; /* the block header's fields lie alike in both unions */
        if (has_word(s->kind))
            insns[i].word = &words[s->word];
        else if (has_target(s->kind))
            insns[i].target = insns + (s->imm < b->code.len ? jumps[s->imm] : 0);
    }
    *d = (struct decoded){.insns = insns,
                          .jumps = jumps,
                          .code_len = b->code.len,
                          .insn_count = b->slot_count,
                          .size_bytes = total};
    return d;
}

struct decoded *decode(struct decode_scratch *s, enum evm_revision rev, bytes code) {
    CHECK(code.len < ((size_t)1 << 31) / 4);
    /* Most slots: a header and a body for each byte, the two at the start and two for the end. A
     * PUSH9, a PUSH0 and a NOT, or more, stand behind every constant. */
    size_t slots = 2 * code.len + 4;
    size_t words = code.len / 2 + 1;
    size_t need = slots * sizeof(struct slot) + words * sizeof(u256) + code.len * sizeof(uint32_t);
    if (need > s->cap) {
        void *p = realloc(s->ptr, need);
        if (p == NULL)
            return NULL;
        s->ptr = p;
        s->cap = need;
    }
    struct builder b = {.code = code, .table = op_table(rev)};
    fuse_init();
    b.slots = s->ptr;
    b.words = (u256 *)(b.slots + slots);
    b.jumps = (uint32_t *)(b.words + words);
    memset(b.jumps, 0, code.len * sizeof(uint32_t));
    decode_all(&b);
    pair_slots(&b);
    return finish(&b, s->labels != NULL ? s->labels : fast_labels());
}
