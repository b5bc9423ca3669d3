/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench.h"

#include "base/cpu.h"
#include "base/keccak.h"

enum { ROUNDS = 9, DIGESTS = 4096 };

/* Nanoseconds per digest of DIGESTS inputs of 64 bytes, the median of ROUNDS. */
static double time_digests(bool batch, hash32 *out, const bytes *in) {
    double ns[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double start = bench_now_ns();
        if (batch) {
            keccak256_batch(out, in, DIGESTS);
        } else {
            for (size_t i = 0; i < DIGESTS; i++)
                keccak256(&out[i], in[i].ptr, in[i].len);
        }
        ns[round] = (bench_now_ns() - start) / DIGESTS;
    }
    return bench_median(ns, ROUNDS);
}

enum err bench_keccak(struct bench_report *r, struct err_ctx *ec) {
    static uint8_t data[DIGESTS][64];
    static bytes in[DIGESTS];
    static hash32 out[DIGESTS];
    (void)ec;
    for (size_t i = 0; i < DIGESTS; i++) {
        be64_store(data[i], i);
        in[i] = bytes_of(data[i], sizeof data[i]);
    }
    for (int batch = 0; batch < 2; batch++) {
        cpu_choose(CPU_PORTABLE);
        double portable = time_digests(batch, out, in);
        cpu_choose(CPU_BEST);
        bench_add(r, &(struct bench_row){.name = batch ? "64 bytes, batch of 4096"
                                                       : "64 bytes, one at a time",
                                         .value = time_digests(batch, out, in),
                                         .unit = "ns",
                                         .peer = "portable",
                                         .peer_value = portable,
                                         .smaller_is_better = true});
    }
    return ERR_OK;
}
