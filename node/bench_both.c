/* SPDX-License-Identifier: Apache-2.0 */
/* What a whole machine does, the load included: bench durable's transfers with all cores for
 * everyone. */
#include "node/bench.h"
#include "node/bench_chain.h"

enum err bench_both(struct bench_report *r, struct err_ctx *ec) {
    bool both_cores = r->both_cores;
    const char *only = r->only;
    r->both_cores = true;
    r->only = bench_work_name(BENCH_TRANSFER);
    enum err e = bench_durable(r, ec);
    r->both_cores = both_cores;
    r->only = only;
    return e;
}
