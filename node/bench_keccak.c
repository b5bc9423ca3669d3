/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench.h"

#include "base/cpu.h"
#include "base/keccak.h"

enum { ROUNDS = 9, DIGESTS = 4096 };

/* Nanoseconds per digest of DIGESTS inputs of 64 bytes, `batch` of them at a time, the median of
 * ROUNDS. */
static double time_digests(size_t batch, hash32 *out, const bytes *in) {
    double ns[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double start = bench_now_ns();
        for (size_t i = 0; i < DIGESTS; i += batch) {
            if (batch == 1)
                keccak256(&out[i], in[i].ptr, in[i].len);
            else
                keccak256_batch(out + i, in + i, batch);
        }
        ns[round] = (bench_now_ns() - start) / DIGESTS;
    }
    return bench_median(ns, ROUNDS);
}

enum err bench_keccak(struct bench_report *r, struct err_ctx *ec) {
    static uint8_t data[DIGESTS][64];
    static bytes in[DIGESTS];
    static hash32 out[DIGESTS];
    static const struct {
        const char *name;
        enum cpu_level level;
        size_t batch;
    } rows[] = {
        {"64 bytes, one at a time", CPU_BEST, 1},
        {"64 bytes, batches of 4, AVX2 at most", CPU_AVX2, 4},
        {"64 bytes, batches of 4", CPU_BEST, 4},
        {"64 bytes, batches of 8, AVX2 at most", CPU_AVX2, 8},
        {"64 bytes, batches of 8", CPU_BEST, 8},
        {"64 bytes, batch of 4096", CPU_BEST, DIGESTS},
    };
    (void)ec;
    for (size_t i = 0; i < DIGESTS; i++) {
        be64_store(data[i], i);
        in[i] = bytes_of(data[i], sizeof data[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench_series ns = {0};
        for (size_t run = 0; run < r->runs; run++) {
            cpu_choose(CPU_PORTABLE);
            double portable = time_digests(rows[i].batch, out, in);
            cpu_choose(rows[i].level);
            bench_series_add(&ns, time_digests(rows[i].batch, out, in), portable);
        }
        bench_add_series(
            r,
            &(struct bench_row){
                .name = rows[i].name, .unit = "ns", .peer = "portable", .smaller_is_better = true},
            &ns);
    }
    cpu_choose(CPU_BEST);
    return ERR_OK;
}
