/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bench.h"

#include "base/keccak.h"
#include "base/secp.h"

#include <stdio.h>

enum { ROUNDS = 9, COUNT = 1024 };

struct recover_work {
    hash32 digests[COUNT];
    struct secp_sig sigs[COUNT];
    addr20 out[COUNT];
    bool ok[COUNT];
};

/* Microseconds per signature of COUNT / 4 of them, `batch` at a time, the median of ROUNDS. */
static double time_batches(struct recover_work *w, size_t batch) {
    double us[ROUNDS];
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t from = round % 4 * (COUNT / 4), end = from + COUNT / 4;
        double start = bench_now_ns();
        for (size_t i = from; i < end; i += batch)
            secp_recover_batch(w->out + i, w->ok + i, w->digests + i, w->sigs + i, batch);
        us[round] = (bench_now_ns() - start) / 1e3 / (COUNT / 4);
    }
    return bench_median(us, ROUNDS);
}

enum err bench_recover(struct bench_report *r, struct err_ctx *ec) {
    static struct recover_work w;
    static const size_t batches[] = {1, 4, 8, 16, 32, 64, 256};
    enum secp_recovery in_force = secp_recovery_in_use();
    for (size_t i = 0; i < COUNT; i++) {
        hash32 key;
        keccak256(&key, &i, sizeof(i));
        keccak256(&w.digests[i], key.b, sizeof(key.b));
        if (secp_sign(&w.sigs[i], &w.digests[i], key.b) != ERR_OK)
            FAIL(ec, ERR_INVALID, "cannot sign with the key of case %zu", i);
    }
    time_batches(&w, 64); /* makes the table */
    for (size_t k = 0; k < ARRAY_LEN(batches); k++) {
        char name[64];
        snprintf(name, sizeof(name), "signatures, batches of %zu", batches[k]);
        struct bench_series us = {0};
        for (size_t run = 0; run < r->runs; run++) {
            secp_recover_use(SECP_RECOVERY_LIBRARY);
            double library = time_batches(&w, batches[k]);
            secp_recover_use(in_force);
            bench_series_add(&us, time_batches(&w, batches[k]), library);
        }
        bench_add_series(
            r,
            &(struct bench_row){
                .name = name, .unit = "us", .peer = "libsecp256k1", .smaller_is_better = true},
            &us);
    }
    return ERR_OK;
}
