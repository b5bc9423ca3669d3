/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/given.h"

#include "base/check.h"
#include "rpc/json_writer.h"

void rpc_given_init(struct rpc_given *g, atomic_size_t *used) {
    *g = (struct rpc_given){.used = used};
    buf_init(&g->logs, RPC_GIVEN_BYTES);
    buf_init(&g->json, RPC_GIVEN_BYTES);
}

/* Counts anew what is held. */
static void count(struct rpc_given *g) {
    size_t now = g->logs.len + g->json.len;
    atomic_fetch_add_explicit(g->used, now - g->counted, memory_order_relaxed);
    g->counted = now;
}

void rpc_given_clear(struct rpc_given *g) {
    buf_clear(&g->logs);
    buf_clear(&g->json);
    count(g);
}

static const struct rpc_given_log *log_at(const struct rpc_given *g, size_t i) {
    return (const struct rpc_given_log *)(const void *)g->logs.ptr + i;
}

static size_t log_count(const struct rpc_given *g) {
    return g->logs.len / sizeof(struct rpc_given_log);
}

/* Drops the oldest until `len` bytes of JSON more are within the filter's limit. */
static void make_room(struct rpc_given *g, size_t len) {
    size_t n = 0, gone = 0;
    size_t held = g->logs.len + g->json.len + sizeof(struct rpc_given_log) + len;
    while (n < log_count(g) && held > RPC_GIVEN_BYTES) {
        held -= sizeof(struct rpc_given_log) + log_at(g, n)->len;
        gone += log_at(g, n++)->len;
    }
    if (n == 0)
        return;
    size_t head = n * sizeof(struct rpc_given_log);
    memmove(g->logs.ptr, g->logs.ptr + head, g->logs.len - head);
    g->logs.len -= head;
    memmove(g->json.ptr, g->json.ptr + gone, g->json.len - gone);
    g->json.len -= gone;
}

void rpc_given_add(struct rpc_given *g, uint64_t block, bytes json) {
    struct rpc_given_log l = {.block = block, .len = json.len};
    size_t more = sizeof(l) + json.len;
    if (more > RPC_GIVEN_BYTES ||
        atomic_load_explicit(g->used, memory_order_relaxed) + more > RPC_GIVEN_ALL_BYTES)
        return;
    make_room(g, json.len);
    buf_append(&g->logs, &l, sizeof(l));
    buf_append(&g->json, json.ptr, json.len);
    CHECK(!g->logs.overflow);
    CHECK(!g->json.overflow);
    count(g);
}

void rpc_given_append(struct rpc_given *g, const struct rpc_given *from) {
    const uint8_t *at = from->json.ptr;
    for (size_t i = 0; i < log_count(from); i++) {
        rpc_given_add(g, log_at(from, i)->block, bytes_of(at, log_at(from, i)->len));
        at += log_at(from, i)->len;
    }
}

/* format_log writes `removed` last. */
static void write_removed(struct json_writer *w, bytes json) {
    static const char was[] = "false}", is[] = "true}";
    CHECK(json.len > sizeof(was));
    size_t kept = json.len - (sizeof(was) - 1);
    CHECK(memcmp(json.ptr + kept, was, sizeof(was) - 1) == 0);
    char *p = jw_place(w, kept + sizeof(is) - 1);
    if (p == NULL)
        return;
    memcpy(p, json.ptr, kept);
    memcpy(p + kept, is, sizeof(is) - 1);
}

void rpc_given_write_removed(const struct rpc_given *g, struct json_writer *w, uint64_t block) {
    size_t end = g->json.len;
    for (size_t i = log_count(g); i-- > 0 && log_at(g, i)->block > block;) {
        end -= log_at(g, i)->len;
        write_removed(w, bytes_of(g->json.ptr + end, log_at(g, i)->len));
    }
}

void rpc_given_cut(struct rpc_given *g, uint64_t block) {
    while (g->logs.len > 0 && log_at(g, log_count(g) - 1)->block > block) {
        g->json.len -= log_at(g, log_count(g) - 1)->len;
        g->logs.len -= sizeof(struct rpc_given_log);
    }
    count(g);
}
