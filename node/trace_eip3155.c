/* SPDX-License-Identifier: Apache-2.0 */
#include "node/trace_eip3155.h"

#include "base/hex.h"
#include "evm/opcode.h"

static void put_hex(FILE *out, bytes b) {
    fputs("0x", out);
    for (size_t i = 0; i < b.len; i++)
        fprintf(out, "%02x", b.ptr[i]);
}

static void put_u256(FILE *out, const u256 *v) {
    struct buf b;
    buf_init(&b, 128);
    hex_put_u256(&b, v);
    (void)fwrite(b.ptr, 1, b.len, out);
    buf_clear(&b);
}

static void on_step(void *ctx, const struct evm_step *s) {
    const struct trace_eip3155 *t = ctx;
    FILE *out = t->out;
    fprintf(out,
            "{\"pc\":%u,\"op\":%u,\"gas\":\"0x%llx\",\"gasCost\":\"0x%llx\",\"memSize\":%zu,"
            "\"stack\":[",
            s->pc, s->op, (unsigned long long)s->gas, (unsigned long long)s->gas_cost,
            s->memory.len);
    for (uint32_t i = 0; i < s->stack_len; i++) {
        fputs(i == 0 ? "\"" : ",\"", out);
        put_u256(out, &s->stack[i]);
        fputc('"', out);
    }
    fprintf(out, "],\"depth\":%u,\"returnData\":\"", s->depth + 1);
    put_hex(out, s->return_data);
    const char *name = op_name(s->op);
    fprintf(out, "\",\"refund\":\"0x%llx\",\"opName\":\"%s\"", (unsigned long long)s->refund,
            name == NULL ? "INVALID" : name);
    if (t->memory) {
        fputs(",\"memory\":\"", out);
        put_hex(out, s->memory);
        fputc('"', out);
    }
    if (s->error != EVM_SUCCESS)
        fprintf(out, ",\"error\":\"%s\"", evm_status_text(s->error));
    fputs("}\n", out);
}

void trace_eip3155_init(struct trace_eip3155 *t, FILE *out, bool memory) {
    *t = (struct trace_eip3155){
        .tracer = {.ctx = t, .on_step = on_step}, .out = out, .memory = memory};
}

void trace_eip3155_summary(struct trace_eip3155 *t, const struct evm_result *r, int64_t gas_used) {
    fputs("{\"output\":\"", t->out);
    put_hex(t->out, r->output);
    fprintf(t->out, "\",\"gasUsed\":\"0x%llx\"", (unsigned long long)gas_used);
    if (r->status != EVM_SUCCESS)
        fprintf(t->out, ",\"error\":\"%s\"", evm_status_text(r->status));
    fputs("}\n", t->out);
}
