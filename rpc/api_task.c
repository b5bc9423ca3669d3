/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_task.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/limits.h"
#include "base/sha.h"
#include "rpc/json_writer.h"
#include "rpc/simulate.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    REQUEST_VERSION = 1,
    REQUEST_BYTES = 1 + 32 + 8 + 2,
    GAS_SLACK_PERCENT = 30,
    GAS_SLACK = 60000,
    ARENA_CHUNK_BYTES = 64 << 10,
    TASK_ARENA_MAX = 64 << 20,
    PART_KEY_BYTES = 34,
    DROPPED_MARGIN_S = 60, /* by which clocks may differ */
};

/* --- life ---------------------------------------------------------------------------------- */
static void task_free(void *state) {
    struct api_task *t = state;
    if (t->extra_free != NULL)
        t->extra_free(t->extra);
    if (t->claimed)
        t->node->release(t->node->outbox, &t->id);
    if (t->alone)
        t->node->release(t->node->outbox, &t->turn);
    buf_clear(&t->request);
    arena_clear(&t->arena);
    free(t);
}

/* Universe, principal and key name a request; what is asked for is compared. */
static void name_request(struct rpc_call *c, struct api_task *t) {
    char text[512];
    const struct api_origin *o = c->origin;
    const struct api_route *r = api_route_of(c->method);
    const char *slug = strstr(r->path, "{slug}") != NULL ? api_slug(c) : "";
    int n = snprintf(text, sizeof(text), "callipter request 1\n%s\n%016llx\n%s", slug,
                     (unsigned long long)o->who.key_id, o->idempotency_key);
    CHECK(n > 0 && (size_t)n < sizeof(text));
    sha256(t->id.b, text, (size_t)n);
    json_t *whole = json_array();
    (void)json_array_append_new(whole, json_string(c->method->name));
    (void)json_array_append(whole, c->args);
    char *body = json_dumps(whole, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    CHECK(body != NULL);
    sha256(t->body_hash.b, body, strlen(body));
    free(body);
    json_decref(whole);
}

static struct api_task *task_new(struct rpc_call *c) {
    struct api_task *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        api_fail(c, API_INTERNAL, "out of memory");
        return NULL;
    }
    t->node = c->cx->node;
    arena_init(&t->arena, ARENA_CHUNK_BYTES, TASK_ARENA_MAX);
    buf_init(&t->request, REQUEST_BYTES);
    c->state = t;
    c->state_free = task_free;
    t->created_ms = t->node->now(t->node->ctx) * 1000;
    snprintf(t->universe, sizeof(t->universe), "%s", api_slug(c));
    t->has_id = c->origin->idempotency_key[0] != '\0';
    if (!t->has_id)
        return t;
    name_request(c, t);
    t->claimed = t->node->claim(t->node->outbox, &t->id);
    if (!t->claimed) {
        api_fail(c, API_IN_FLIGHT, "a request with this Idempotency-Key is being done: ask again");
        return NULL;
    }
    return t;
}

bool api_task_alone(struct rpc_call *c, const char *what) {
    struct api_task *t = c->state;
    char text[128];
    if (t->alone)
        return true;
    int n = snprintf(text, sizeof(text), "callipter turn 1\n%s\n%s", t->universe, what);
    CHECK(n > 0 && (size_t)n < sizeof(text));
    sha256(t->turn.b, text, (size_t)n);
    t->alone = t->node->claim(t->node->outbox, &t->turn);
    if (!t->alone)
        api_fail(c, API_IN_FLIGHT, "another request changes the universe's %s: ask again", what);
    return t->alone && rpc_renew_head(c);
}

/* --- what is remembered -------------------------------------------------------------------- */
static void part_key(uint8_t out[PART_KEY_BYTES], const hash32 *id, size_t part) {
    memcpy(out, id->b, 32);
    out[32] = (uint8_t)(part >> 8);
    out[33] = (uint8_t)part;
}

static void pack_request(struct api_task *t, size_t parts) {
    uint8_t n[8];
    buf_reset(&t->request);
    buf_append_byte(&t->request, REQUEST_VERSION);
    buf_append(&t->request, t->body_hash.b, 32);
    be64_store(n, t->created_ms);
    buf_append(&t->request, n, 8);
    buf_append_byte(&t->request, (uint8_t)(parts >> 8));
    buf_append_byte(&t->request, (uint8_t)parts);
}

/* A part that no row tells of was refused, or not sent before a crash: it is to be sent anew. */
static void load_part(struct api_task *t, size_t number) {
    struct api_part *p = &t->parts[number];
    uint8_t key[PART_KEY_BYTES];
    struct buf row;
    *p = (struct api_part){.state = API_PART_LOST};
    part_key(key, &t->id, number);
    buf_init(&row, KV_VALUE_MAX_BYTES);
    if (t->node->kv_get(t->node->ctx, KV_SENT, bytes_of(key, sizeof(key)), &row) &&
        row.len >= NODE_SENT_FIXED_BYTES && row.ptr[0] == NODE_SENT_VERSION) {
        memcpy(p->hash.b, row.ptr + 1, 32);
        p->nonce = be64_load(row.ptr + 33);
        memcpy(p->sender.b, row.ptr + 41, 20);
        p->meta = arena_copy(
            &t->arena, bytes_of(row.ptr + NODE_SENT_FIXED_BYTES, row.len - NODE_SENT_FIXED_BYTES));
    }
    buf_clear(&row);
}

static bool load_request(struct rpc_call *c, struct api_task *t) {
    struct buf row;
    buf_init(&row, KV_VALUE_MAX_BYTES);
    bool there = t->node->kv_get(t->node->ctx, KV_REQUEST, bytes_of(t->id.b, 32), &row);
    bool same = there && row.len == REQUEST_BYTES && row.ptr[0] == REQUEST_VERSION &&
                memcmp(row.ptr + 1, t->body_hash.b, 32) == 0;
    size_t parts = 0;
    if (same) {
        t->created_ms = be64_load(row.ptr + 33);
        parts = (size_t)row.ptr[41] << 8 | row.ptr[42];
    }
    buf_clear(&row);
    if (there && !same) {
        api_fail(c, API_MISMATCH, "this Idempotency-Key was used for another request");
        return false;
    }
    t->known = t->replayed = there;
    t->part_count = parts < API_PARTS_MAX ? parts : API_PARTS_MAX;
    for (size_t i = 0; i < t->part_count; i++)
        load_part(t, i);
    return true;
}

/* --- what became of parts ------------------------------------------------------------------ */
static bool has_tombstone(const struct rpc_call *c, const hash32 *tx_hash) {
    const struct node_parent *parent = c->cx->node->parent;
    const char *reason;
    return parent != NULL && parent->tombstone(parent->ctx, tx_hash, &reason);
}

/* A transaction that is not in the chain though it was: blocks were undone. It is lost once its
 * nonce is another's; or the next one's, and it was left out of the blocks that were made again.
 * Until then it may come back, beside what would be sent in its place. */
static bool look_up_lost(struct rpc_call *c, struct api_part *p) {
    struct account a;
    p->state = API_PART_LOST;
    if (!rpc_account(c, rpc_head_number(c), &p->sender, &a))
        return false;
    if (a.nonce > p->nonce || (a.nonce == p->nonce && has_tombstone(c, &p->hash)))
        return true;
    api_fail(c, API_IN_FLIGHT, "blocks were undone and are being made again: ask again");
    return false;
}

/* Whether a block in which a request of that time was done may have gone with its segments: then
 * nobody can tell whether it was, and doing it again might do it twice. Requests are remembered for
 * longer than history may be. */
static bool may_be_dropped(struct rpc_call *c, uint64_t created_ms) {
    uint64_t first = index_first_body(rpc_head_view(c));
    struct index_head h;
    return first > 1 && (index_head(&h, rpc_head_view(c), first) != ERR_OK ||
                         created_ms / 1000 <= h.header.timestamp + DROPPED_MARGIN_S);
}

static bool look_up(struct rpc_call *c, const struct api_task *t, struct api_part *p) {
    uint64_t block = 0;
    uint32_t idx = 0;
    size_t at = 0;
    struct index_block b;
    enum err e = index_find_tx(&block, &idx, rpc_head_view(c), &p->hash);
    if (e == ERR_NOT_FOUND && may_be_dropped(c, t->created_ms)) {
        api_fail(c, API_NOT_FOUND, "what became of a transaction is not kept any more");
        return false;
    }
    if (e == ERR_NOT_FOUND)
        return look_up_lost(c, p);
    struct arena_mark mark = arena_mark(rpc_arena(c));
    if (e != ERR_OK || !rpc_load_tx(c, block, idx, &b, &at)) {
        api_fail(c, API_NOT_FOUND, "the receipt of a transaction is not kept any more");
        return false;
    }
    p->state = b.receipts[at].success ? API_PART_DONE : API_PART_REVERTED;
    p->block = block;
    p->idx = idx;
    p->gas_used = b.receipts[at].gas_used;
    arena_reset_to(rpc_arena(c), mark);
    return true;
}

static bool look_up_all(struct rpc_call *c, struct api_task *t) {
    static const hash32 none;
    for (size_t i = 0; i < t->part_count; i++)
        if (!hash32_eq(&t->parts[i].hash, &none) && !look_up(c, t, &t->parts[i]))
            return false;
    if (t->replayed)
        for (size_t i = 0; i < t->part_count; i++)
            t->replayed = t->replayed && t->parts[i].state != API_PART_LOST;
    return true;
}

/* --- rounds -------------------------------------------------------------------------------- */
static enum api_problem problem_of(const struct node_sent *r) {
    if (r->code == RPC_LIMIT_EXCEEDED)
        return API_LIMIT;
    return r->sponsor_rule != NULL ? API_NOT_SPONSORED : API_REFUSED;
}

/* Takes the results of a round into the parts; false: a call was refused, and the request fails. */
static bool take_results(struct rpc_call *c, struct api_task *t) {
    const struct node_sent *refused = NULL;
    for (size_t i = 0; i < t->call_count; i++) {
        const struct node_sent *r = &t->results[i];
        struct api_part *p = &t->parts[t->numbers[i]];
        *p = (struct api_part){.state = API_PART_LOST};
        if (r->status == SUBMIT_REFUSED) {
            refused = refused != NULL ? refused : r;
            continue;
        }
        p->hash = r->hash;
        p->nonce = r->nonce;
        p->sender = r->sender;
        p->meta = t->calls[i].meta;
    }
    t->call_count = 0;
    t->sent = false;
    c->replayed = false;
    if (refused != NULL) {
        api_fail(c, problem_of(refused), "%s", refused->text);
        if (refused->data[0] != '\0') /* whose member "universe" is another one's name here */
            buf_printf(&c->data, "{\"refusal\":%s}", refused->data);
    }
    return refused == NULL;
}

struct api_task *api_task(struct rpc_call *c) {
    struct api_task *t = c->state;
    if (c->cx->node->send == NULL) {
        api_fail(c, API_UNSUPPORTED, "this node does not sign");
        return NULL;
    }
    if (t == NULL) {
        t = task_new(c);
        if (t == NULL || (t->has_id && !load_request(c, t)))
            return NULL;
    }
    if (t->sent && !take_results(c, t))
        return NULL;
    if (!look_up_all(c, t))
        return NULL;
    if (t->rounds == 0)
        c->replayed = t->replayed;
    if (t->rounds > API_TASK_ROUNDS_MAX) {
        api_fail(c, API_UNAVAILABLE, "the request does not come to an end: ask again");
        return NULL;
    }
    return t;
}

static bool any_in_chain(const struct api_task *t) {
    bool any = false;
    for (size_t i = 0; i < t->part_count; i++)
        any = any || t->parts[i].state != API_PART_LOST;
    return any;
}

bool api_task_partly(struct rpc_call *c) {
    struct api_task *t = c->state;
    struct buf text = c->text, data = c->data;
    int code = c->code, problem = c->problem;
    bool lasts = problem == API_REFUSED || problem == API_NOT_SPONSORED || problem == API_REVERTED;
    if (!rpc_failed(c) || t == NULL || t->sent || problem == API_IN_FLIGHT || (t->has_id && !lasts))
        return false;
    buf_init(&c->text, text.max);
    buf_init(&c->data, data.max);
    c->code = c->problem = 0;
    if (look_up_all(c, t) && any_in_chain(t)) {
        buf_clear(&text);
        buf_clear(&data);
        c->try_later = false;
        t->call_count = 0;
        return true;
    }
    buf_clear(&c->text);
    buf_clear(&c->data);
    c->text = text;
    c->data = data;
    c->code = code;
    c->problem = problem;
    return false;
}

/* --- simulation ---------------------------------------------------------------------------- */
/* False with the error set only where the node fails. */
static bool run(struct rpc_call *c, const struct api_call_spec *s, struct call_result *out) {
    if (rpc_failed(c))
        return false;
    struct index_head head;
    struct block_ref latest = {.kind = BLOCK_REF_LATEST};
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = c->cx->chain.chain_id,
                    .gas_limit = LIMIT_TX_GAS,
                    .to = s->to,
                    .value = s->value,
                    .data = s->data,
                    .sender = s->from,
                    .has_sender = true};
    if (!rpc_need_block(c, &latest, &head))
        return false;
    struct simulation sim = {.tx = &tx, .head = &head};
    if (!rpc_simulate(c, &sim, out))
        return false;
    if (out->verdict != TX_OK) {
        rpc_fail_run(c, &sim, out);
        c->problem = API_REFUSED;
        return false;
    }
    return true;
}

bool api_simulate(struct rpc_call *c, const struct api_call_spec *s, bytes *out_output,
                  uint64_t *out_gas) {
    struct call_result r;
    if (!run(c, s, &r))
        return false;
    if (r.status == EVM_REVERT)
        api_fail_reverted(c, r.output, s->abi);
    else if (r.status != EVM_SUCCESS)
        api_fail(c, API_REVERTED, "the call fails: %s", evm_status_text(r.status));
    if (rpc_failed(c))
        return false;
    *out_output = r.output;
    *out_gas = r.gas_used + r.gas_refund;
    return true;
}

bool api_fits(struct rpc_call *c, const struct api_call_spec *s) {
    struct call_result r;
    return run(c, s, &r) && r.status != EVM_OUT_OF_GAS;
}

/* {"revert":{selector,name,args,data}}; the sentence names the error. */
void api_fail_reverted(struct rpc_call *c, bytes data, const json_t *abi) {
    static const char *const built_in[] = {
        "Error(string)",
        "Panic(uint256)",
        "UnknownUniverse(uint64)",
        "NotAuthorized(uint64,address,uint64)",
        "CreationClosed(address)",
        "InvalidSlug(bytes14)",
        "SlugTaken(bytes14,uint64)",
        "WrongBond(uint256)",
        "UniverseArchived(uint64)",
        "MetadataTooLong(uint256)",
        "GasAccountTooLow(uint64,uint256)",
        "InvalidBudget(uint192,uint64)",
        "ReferenceUsed(bytes32)",
        "UnknownClass(uint256)",
        "ClassExists(uint256)",
        "SupplyExceeded(uint256,uint256)",
    };
    struct abi_entry e;
    json_t *args = NULL;
    bool known = false;
    if (data.len >= 4) {
        known = abi != NULL && abi_find_error(&e, rpc_arena(c), abi, data.ptr) == ERR_OK;
        for (size_t i = 0; i < ARRAY_LEN(built_in) && !known; i++) {
            if (abi_parse_signature(&e, rpc_arena(c), built_in[i], NULL) != ERR_OK)
                continue;
            hash32 h = abi_hash(&e);
            known = memcmp(h.b, data.ptr, 4) == 0;
        }
        if (known && abi_decode(&args, &e.inputs, bytes_of(data.ptr + 4, data.len - 4)) != ERR_OK)
            args = NULL;
    }
    char *text = args != NULL ? json_dumps(args, JSON_COMPACT) : NULL;
    api_fail(c, API_REVERTED, "the contract reverts: %s%.500s",
             known           ? e.name
             : data.len >= 4 ? "an error that the ABI does not name"
                             : "no reason",
             text != NULL ? text : "");
    struct json_writer w;
    buf_reset(&c->data);
    jw_init(&w, &c->data);
    jw_object(&w);
    jw_key(&w, "revert");
    jw_object(&w);
    if (data.len >= 4) {
        jw_key(&w, "selector");
        jw_data(&w, data.ptr, 4);
    }
    if (known)
        jw_m_text(&w, "name", e.name);
    if (text != NULL) {
        jw_key(&w, "args");
        jw_raw(&w, bytes_of(text, strlen(text)));
    }
    jw_m_data(&w, "data", data);
    jw_object_end(&w);
    jw_object_end(&w);
    free(text);
    json_decref(args);
}

/* --- adding and sending -------------------------------------------------------------------- */
bool api_task_add(struct rpc_call *c, const struct api_call_spec *s) {
    struct api_task *t = c->state;
    bytes ignored;
    uint64_t gas = s->gas;
    size_t number = t->part_count + t->call_count;
    CHECK(s->meta.len <= API_META_MAX_BYTES);
    if (rpc_failed(c))
        return false;
    if (!s->trust) {
        if (!api_simulate(c, s, &ignored, &gas))
            return false;
        gas += gas * GAS_SLACK_PERCENT / 100 + GAS_SLACK;
    }
    if (t->call_count == NODE_SEND_CALLS_MAX || number >= API_PARTS_MAX) {
        api_fail(c, API_LIMIT, "the request takes more than %d transactions", NODE_SEND_CALLS_MAX);
        return false;
    }
    t->numbers[t->call_count] = (uint16_t)number;
    t->calls[t->call_count++] = (struct own_call){
        .to = s->to,
        .data = arena_copy(&t->arena, s->data),
        .value = s->value,
        .gas = gas < LIMIT_TX_GAS ? gas : LIMIT_TX_GAS,
        .max_fee = s->max_fee,
        .meta = arena_copy(&t->arena, s->meta),
    };
    return true;
}

static void on_done(void *ctx) {
    struct api_task *t = ctx;
    rpc_wake_up(t->wake);
}

static void ask_send(struct rpc_call *c, struct rpc_wake w) {
    struct api_task *t = c->state;
    t->wake = w;
    t->node->send(t->node->outbox, &t->send);
}

void api_task_send(struct rpc_call *c, const char *slug) {
    struct api_task *t = c->state;
    CHECK(t->call_count > 0);
    size_t first = t->part_count;
    t->part_count += t->call_count;
    pack_request(t, t->part_count);
    t->send = (struct node_send){
        .slug = slug,
        .universe = t->universe,
        .calls = t->calls,
        .count = t->call_count,
        .has_id = t->has_id,
        .id = t->id,
        .first_part = (uint16_t)first,
        .created_ms = t->known ? 0 : t->created_ms,
        .request = buf_bytes(&t->request),
        .results = t->results,
        .done = on_done,
        .done_ctx = t,
    };
    t->known = t->has_id;
    t->rounds++;
    t->sent = true;
    c->ask = ask_send;
}

bytes api_pack(struct rpc_call *c, const char *signature, json_t *args) {
    struct api_task *t = c->state;
    struct arena *a = t != NULL ? &t->arena : rpc_arena(c);
    struct abi_entry e;
    struct err_ctx ec = {.text = ""};
    struct buf b;
    buf_init(&b, ABI_DATA_MAX_BYTES + 4);
    CHECK(abi_parse_signature(&e, a, signature, &ec) == ERR_OK);
    enum err err = args != NULL ? abi_encode_call(&b, &e, args, &ec) : ERR_INVALID;
    if (err != ERR_OK)
        api_fail(c, API_INVALID, "%s", ec.text[0] != '\0' ? ec.text : err_text(err));
    bytes out = err == ERR_OK ? arena_copy(a, buf_bytes(&b)) : bytes_of(NULL, 0);
    buf_clear(&b);
    json_decref(args);
    return out;
}

const struct api_part *api_part_of(const struct api_task *t, bytes meta) {
    for (size_t i = t->part_count; i-- > 0;) {
        const struct api_part *p = &t->parts[i];
        if (p->state != API_PART_LOST && p->meta.len == meta.len &&
            (meta.len == 0 || memcmp(p->meta.ptr, meta.ptr, meta.len) == 0))
            return p;
    }
    return NULL;
}

const struct api_part *api_once(struct rpc_call *c, struct api_task *t,
                                const struct api_call_spec *s, const char *slug) {
    const struct api_part *p = api_part_of(t, s->meta);
    if (p == NULL && api_task_add(c, s))
        api_task_send(c, slug);
    if (p != NULL && p->state == API_PART_REVERTED) {
        /* Why is told by running it again, where it still fails. */
        bytes ignored;
        uint64_t gas = 0;
        if (api_simulate(c, s, &ignored, &gas))
            api_fail(c, API_REVERTED, "the transaction was reverted");
        return NULL;
    }
    return p;
}

void api_print_transactions(struct json_writer *w, const struct api_task *t) {
    jw_key(w, "transactions");
    jw_array(w);
    for (size_t i = 0; i < t->part_count; i++)
        if (t->parts[i].state == API_PART_DONE)
            jw_hash(w, &t->parts[i].hash);
    jw_array_end(w);
}

void api_part_print(struct json_writer *w, const struct api_part *p) {
    jw_object(w);
    jw_m_hash(w, "transaction", &p->hash);
    jw_key(w, "block");
    jw_int(w, (int64_t)p->block);
    jw_m_text(w, "status", p->state == API_PART_DONE ? "success" : "reverted");
    jw_key(w, "gasUsed");
    jw_int(w, (int64_t)p->gas_used);
    jw_object_end(w);
}
