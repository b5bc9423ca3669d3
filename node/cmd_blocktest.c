/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter blocktest`: chains of the Ethereum profile from a genesis state; every block must be
 * accepted or refused as the file says, and the state at the end must be the expected one. */
#include "node/commands.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/keccak.h"
#include "base/rlp.h"
#include "node/testfile.h"
#include "node/testmachine.h"
#include "node/testrun.h"
#include "node/trace_eip3155.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    REASON_MAX = 1024,
    TRANSITION_TIME = 15000 /* the 15k in ...AtTime15k */
};

/* An accepted block; the first is the genesis block. Blocks form a tree. */
struct node {
    hash32 hash;
    struct header header;
    size_t parent; /* index */
    size_t depth;
    bytes rlp;
};

/* One test in one tier. */
struct chain_run {
    struct testrun *r;
    struct test_machine *m;
    struct arena *a;
    struct test_alloc pre;
    struct eth_fork before,
        after; /* rules before and from the transition on; the same without one */
    uint64_t chain_id;
    enum evm_tier tier;
    struct node *nodes;
    size_t node_count;
    size_t head;  /* node that the world is at */
    size_t *path; /* nodes from genesis to head, by depth */
    char reason[REASON_MAX];
};

/* What was said about each block, to compare the tiers. */
struct verdict {
    enum eth_fault fault;
    enum tx_verdict tx;
    enum err tx_err;
};

static void *machine_open(void) {
    struct test_machine *m = calloc(1, sizeof *m);
    CHECK(m != NULL);
    test_machine_init(m);
    return m;
}

static void machine_close(void *ctx) {
    test_machine_clear(ctx);
    free(ctx);
}

/* --- the chain -------------------------------------------------------------------------------- */

static hash32 block_hash(void *ctx, uint64_t number) {
    const struct chain_run *c = ctx;
    uint64_t first = c->nodes[0].header.number;
    size_t depth = c->nodes[c->head].depth;
    if (number < first || number - first > depth)
        return (hash32){{0}};
    return c->nodes[c->path[number - first]].hash;
}

static const struct eth_fork *fork_at(const struct chain_run *c, uint64_t timestamp) {
    return timestamp >= TRANSITION_TIME ? &c->after : &c->before;
}

static void go_to_genesis(struct chain_run *c) {
    hash32 root;
    evm_code_cache_trim(c->m->code_cache);
    state_trie_reset(c->m->trie);
    struct arena_mark mark = arena_mark(c->a);
    test_alloc_root(&c->pre, c->m->trie, c->a, &root);
    arena_reset_to(c->a, mark);
    world_reset(c->m->world, test_alloc_reader(&c->pre));
    c->head = 0;
}

/* Executes a block on the head; on success the world is at its end, state root proven. After a
 * fault of STATE_ROOT the world is nowhere: go_to before anything else. */
static struct verdict execute(struct chain_run *c, bytes rlp, const struct header *peek,
                              struct header *out_header, hash32 *out_hash) {
    struct trace_eip3155 trace;
    trace_eip3155_init(&trace, stderr, false);
    const struct node *head = &c->nodes[c->head];
    struct exec x = {
        .world = c->m->world,
        .vm = c->m->vm,
        .code_cache = c->m->code_cache,
        .tier = c->tier,
        .tracer = c->r->trace && c->tier == EVM_TIER_REFERENCE ? &trace.tracer : NULL,
        .chain_id = c->chain_id,
        .block_hash = block_hash,
        .block_hash_ctx = c,
    };
    struct eth_block_result result;
    struct arena_mark mark = arena_mark(c->a);
    enum err e = eth_block_apply(&result, &x, c->a, fork_at(c, peek->timestamp), &head->header,
                                 &head->hash, rlp, NULL);
    struct verdict v = {.fault = result.fault, .tx = result.verdict, .tx_err = result.tx_err};
    if (e == ERR_OK) {
        struct world_diff diff;
        hash32 root;
        world_block_end(c->m->world, c->a, &diff);
        state_trie_apply(c->m->trie, &diff, &root);
        world_set_storage_roots(c->m->world, &diff);
        if (!hash32_eq(&root, &result.header.state_root))
            v.fault = ETH_FAULT_STATE_ROOT;
        *out_header = result.header;
        *out_hash = result.hash;
    }
    arena_reset_to(c->a, mark);
    return v;
}

/* Moves the world to an accepted block by executing the branch that leads there. */
static void go_to(struct chain_run *c, size_t target) {
    if (c->head == target)
        return;
    for (size_t n = target, depth = c->nodes[target].depth + 1; depth-- > 0; n = c->nodes[n].parent)
        c->path[depth] = n;
    go_to_genesis(c);
    for (size_t depth = 1; depth <= c->nodes[target].depth; depth++) {
        struct header h;
        hash32 hash;
        const struct node *n = &c->nodes[c->path[depth]];
        struct verdict v = execute(c, n->rlp, &n->header, &h, &hash);
        CHECK(v.fault == ETH_FAULT_OK); /* it was accepted before */
        c->head = c->path[depth];
    }
}

static size_t find_node(const struct chain_run *c, const hash32 *hash) {
    for (size_t i = c->node_count; i-- > 0;)
        if (hash32_eq(&c->nodes[i].hash, hash))
            return i;
    return SIZE_MAX;
}

/* The header of a block's RLP, before any rule is applied; false when there is none to be had. */
static bool peek_header(struct header *out, bytes rlp) {
    bytes block;
    struct rlp_item item;
    return rlp_next_list(&rlp, &block) == ERR_OK && rlp_next(&block, &item) == ERR_OK &&
           header_decode(out, item.raw) == ERR_OK;
}

static struct verdict import(struct chain_run *c, bytes rlp) {
    struct node n;
    memset(&n, 0, sizeof n);
    n.rlp = rlp;
    struct header peek;
    if (!peek_header(&peek, rlp))
        return (struct verdict){.fault = ETH_FAULT_RLP};
    n.parent = find_node(c, &peek.parent_hash);
    if (n.parent == SIZE_MAX)
        return (struct verdict){.fault = ETH_FAULT_PARENT};
    go_to(c, n.parent);
    struct verdict v = execute(c, rlp, &peek, &n.header, &n.hash);
    if (v.fault == ETH_FAULT_STATE_ROOT) {
        size_t back = c->head;
        c->head = SIZE_MAX;
        go_to(c, back);
    }
    if (v.fault != ETH_FAULT_OK)
        return v;
    n.depth = c->nodes[n.parent].depth + 1;
    c->head = c->node_count;
    c->path[n.depth] = c->head;
    c->nodes[c->node_count++] = n;
    return v;
}

/* --- one test --------------------------------------------------------------------------------- */

/* "AToBAtTime15k", or the name of one fork. */
static enum err parse_network(struct chain_run *c, const char *network, const json_t *schedule) {
    char name[TESTRUN_FORK_NAME_MAX];
    if (snprintf(name, sizeof name, "%s", network) >= (int)sizeof name)
        return ERR_UNSUPPORTED;
    char *suffix = strstr(name, "AtTime15k"), *to = strstr(name, "To");
    if (suffix == NULL) {
        TRY(testfile_fork(&c->before, name, schedule));
        c->after = c->before;
        return ERR_OK;
    }
    if (to == NULL || to > suffix)
        return ERR_UNSUPPORTED;
    *suffix = '\0';
    *to = '\0';
    TRY(testfile_fork(&c->before, name, schedule));
    return testfile_fork(&c->after, to + strlen("To"), schedule);
}

static const char *set_up(struct chain_run *c, const json_t *test) {
    const json_t *config = json_object_get(test, "config");
    const char *network = json_string_value(json_object_get(test, "network"));
    struct err_ctx ec = {.err = ERR_OK};
    if (network == NULL ||
        parse_network(c, network, json_object_get(config, "blobSchedule")) != ERR_OK)
        return "unknown network or malformed blob schedule";
    c->chain_id = 1;
    enum err e = testfile_u64(&c->chain_id, config, "chainid");
    if (e != ERR_OK && e != ERR_NOT_FOUND)
        return "config.chainid is malformed";
    if (test_alloc_parse(&c->pre, c->a, json_object_get(test, "pre"), &ec) != ERR_OK) {
        (void)snprintf(c->reason, sizeof c->reason, "pre: %s", ec.text);
        return c->reason;
    }
    bytes genesis;
    size_t blocks = json_array_size(json_object_get(test, "blocks"));
    c->nodes = arena_alloc(c->a, (blocks + 1) * sizeof *c->nodes);
    c->path = arena_alloc(c->a, (blocks + 1) * sizeof *c->path);
    struct node *root = &c->nodes[0];
    memset(root, 0, sizeof *root);
    if (testfile_bytes(&genesis, c->a, test, "genesisRLP") != ERR_OK ||
        !peek_header(&root->header, genesis))
        return "genesisRLP is missing or malformed";
    root->hash = header_hash(&root->header);
    c->node_count = 1;
    c->path[0] = 0;
    go_to_genesis(c);
    hash32 state_root;
    state_trie_root(c->m->trie, &state_root);
    if (!hash32_eq(&state_root, &root->header.state_root))
        return "the genesis state root differs";
    return NULL;
}

static const char *judge_block(struct chain_run *c, size_t idx, const json_t *block,
                               struct verdict *out) {
    const char *expected = json_string_value(json_object_get(block, "expectException"));
    bytes rlp;
    if (testfile_bytes(&rlp, c->a, block, "rlp") != ERR_OK)
        return "a block has no rlp";
    *out = import(c, rlp);
    const char *why = out->fault == ETH_FAULT_TX_INVALID  ? tx_verdict_name(out->tx)
                      : out->fault == ETH_FAULT_TX_DECODE ? err_name(out->tx_err)
                                                          : eth_fault_name(out->fault);
    if (expected == NULL && out->fault == ETH_FAULT_OK)
        return NULL;
    if (expected == NULL) {
        (void)snprintf(c->reason, sizeof c->reason, "block %zu was refused as %s", idx, why);
        return c->reason;
    }
    if (out->fault == ETH_FAULT_OK) {
        (void)snprintf(c->reason, sizeof c->reason, "block %zu was accepted but is %s", idx,
                       expected);
        return c->reason;
    }
    bool named = out->fault == ETH_FAULT_TX_INVALID ? testfile_names_verdict(expected, out->tx)
                 : out->fault == ETH_FAULT_TX_DECODE
                     ? testfile_names_decode_error(expected, out->tx_err)
                     : testfile_names_fault(expected, out->fault);
    if (named)
        return NULL;
    (void)snprintf(c->reason, sizeof c->reason, "block %zu was refused as %s, expected %s", idx,
                   why, expected);
    return c->reason;
}

static const char *judge_end(struct chain_run *c, const json_t *test) {
    hash32 last, root;
    const struct node *newest = &c->nodes[c->node_count - 1];
    if (testfile_fixed(last.b, sizeof last.b, test, "lastblockhash") != ERR_OK)
        return "lastblockhash is missing or malformed";
    if (!hash32_eq(&last, &newest->hash))
        return "the last block's hash differs";
    go_to(c, c->node_count - 1);
    const json_t *state = json_object_get(test, "postState");
    if (state == NULL) {
        if (testfile_fixed(root.b, sizeof root.b, test, "postStateHash") != ERR_OK)
            return "there is no postState and no postStateHash";
        return hash32_eq(&root, &newest->header.state_root) ? NULL : "postStateHash differs";
    }
    struct test_alloc expected;
    struct err_ctx ec = {.err = ERR_OK};
    if (test_alloc_parse(&expected, c->a, state, &ec) != ERR_OK) {
        (void)snprintf(c->reason, sizeof c->reason, "postState: %s", ec.text);
        return c->reason;
    }
    if (test_alloc_differs(c->reason, sizeof c->reason, c->m->world, &expected))
        return c->reason;
    state_trie_reset(c->m->trie);
    test_alloc_root(&expected, c->m->trie, c->a, &root);
    return hash32_eq(&root, &newest->header.state_root)
               ? NULL
               : "postState has another root than the last block";
}

/* NULL: as the file says. `verdicts`: one per block. */
static const char *run_chain(struct chain_run *c, const json_t *test, struct verdict *verdicts) {
    const char *bad = set_up(c, test);
    const json_t *blocks = json_object_get(test, "blocks");
    for (size_t i = 0; i < json_array_size(blocks) && bad == NULL; i++)
        bad = judge_block(c, i, json_array_get(blocks, i), &verdicts[i]);
    return bad != NULL ? bad : judge_end(c, test);
}

static const char *judge_test(char reason[REASON_MAX], struct testrun *r, struct test_machine *m,
                              const json_t *test) {
    size_t blocks = json_array_size(json_object_get(test, "blocks"));
    struct verdict *verdicts[2];
    for (int tier = 0; tier < 2; tier++)
        verdicts[tier] = arena_zalloc(&r->arena, (blocks + 1) * sizeof *verdicts[tier]);
    for (int tier = 0; tier < 2; tier++) {
        if (!r->tiers[tier])
            continue;
        struct arena_mark mark = arena_mark(&r->arena);
        struct chain_run c = {.r = r, .m = m, .a = &r->arena, .tier = (enum evm_tier)tier};
        const char *bad = run_chain(&c, test, verdicts[tier]);
        if (bad != NULL) {
            (void)snprintf(reason, REASON_MAX, "%s: %.980s",
                           tier == EVM_TIER_FAST ? "fast tier" : "reference tier", bad);
            return reason;
        }
        arena_reset_to(&r->arena, mark);
    }
    if (!r->tiers[0] || !r->tiers[1])
        return NULL;
    for (size_t i = 0; i < blocks; i++) {
        const struct verdict *f = &verdicts[EVM_TIER_FAST][i],
                             *s = &verdicts[EVM_TIER_REFERENCE][i];
        if (f->fault != s->fault || f->tx != s->tx || f->tx_err != s->tx_err) {
            (void)snprintf(reason, REASON_MAX,
                           "the tiers differ on block %zu: fast %s, reference %s", i,
                           eth_fault_name(f->fault), eth_fault_name(s->fault));
            return reason;
        }
    }
    return NULL;
}

static void judge_file(struct testrun *r, void *ctx, json_t *file) {
    const char *name;
    json_t *test;
    json_object_foreach(file, name, test) {
        const char *network = json_string_value(json_object_get(test, "network"));
        if (!testrun_begin(r, name, network == NULL ? "?" : network, 0))
            continue;
        char reason[REASON_MAX];
        const char *bad = judge_test(reason, r, ctx, test);
        arena_reset(&r->arena);
        testrun_end(r, bad);
    }
}

int cmd_blocktest(int argc, char **argv) {
    static const struct testrun_kind kind = {
        .command = "blocktest",
        .summary =
            "Runs blockchain tests in the execution-spec format: blocks of the Ethereum profile on "
            "a genesis state,\n"
            "each to be accepted or refused as the file says, with the state expected at the end.",
        .open = machine_open,
        .close = machine_close,
        .judge = judge_file,
    };
    return testrun_main(&kind, argc, argv);
}
