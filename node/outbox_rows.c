/* SPDX-License-Identifier: Apache-2.0 */
/* What the outbox remembers: rows of KV_REQUEST, KV_TIME, KV_SENT and KV_OPEN. */
#include "node/outbox_internal.h"

#include "base/check.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    OPEN_VERSION = 1,
    OPS_PER_ENTRY = 4,
    CLEAN_KEY_BYTES = OUTBOX_PART_BYTES + 1,
    CLEAN_BATCH = 64,
    CLEAN_MAX_BYTES = 1 << 24,
    CLEAN_WAIT_MS = 500,
    FORGET_EVERY_MS = 60000,
    FORGET_BATCH = 256,
    NS_PER_MS = 1000000,
    TIME_BYTES = 40,
    TIME_VERSION = 1,
    TIME_VALUE_BYTES = 1 + OUTBOX_SLUG_BYTES,
    LOAD_ARENA_BYTES = 1 << 20,
};

static bytes part_key(uint8_t out[OUTBOX_PART_BYTES], const hash32 *id, uint16_t part) {
    memcpy(out, id->b, 32);
    out[32] = (uint8_t)(part >> 8);
    out[33] = (uint8_t)part;
    return bytes_of(out, OUTBOX_PART_BYTES);
}

static bytes time_key(uint8_t out[TIME_BYTES], uint64_t ms, const hash32 *id) {
    be64_store(out, ms);
    memcpy(out + 8, id->b, 32);
    return bytes_of(out, TIME_BYTES);
}

/* --- shares -------------------------------------------------------------------------------- */
void outbox_slug_key(char out[OUTBOX_SLUG_BYTES], const char *slug) {
    memset(out, 0, OUTBOX_SLUG_BYTES);
    snprintf(out, OUTBOX_SLUG_BYTES, "%s", slug);
}

bool outbox_share_take(struct outbox *o, const char *universe) {
    char key[OUTBOX_SLUG_BYTES];
    void *value = NULL;
    outbox_slug_key(key, universe);
    const size_t *has = map_get(&o->shares, key);
    size_t max = o->o.requests_max, free_now = max > o->request_count ? max - o->request_count : 0;
    if ((has != NULL ? *has : 0) >= free_now || map_ensure(&o->shares, key, &value, NULL) != ERR_OK)
        return false;
    ++*(size_t *)value;
    o->request_count++;
    return true;
}

void outbox_share_return(struct outbox *o, const char *universe) {
    char key[OUTBOX_SLUG_BYTES];
    outbox_slug_key(key, universe);
    size_t *has = map_get(&o->shares, key);
    if (has == NULL) /* its time has passed while it was under way */
        return;
    o->request_count--;
    if (--*has == 0)
        (void)map_del(&o->shares, key);
}

/* Whose request a row of KV_TIME is of. */
static void universe_of_time(char out[OUTBOX_SLUG_BYTES], bytes value) {
    memset(out, 0, OUTBOX_SLUG_BYTES);
    if (value.len == TIME_VALUE_BYTES && value.ptr[0] == TIME_VERSION)
        memcpy(out, value.ptr + 1, OUTBOX_SLUG_BYTES - 1);
}

/* --- a batch ------------------------------------------------------------------------------- */
static bytes tail_of(struct arena *a, const struct buf *b) {
    return arena_copy(a, buf_bytes(b));
}

static bytes pack_sent(struct arena *a, const struct entry *e) {
    struct buf b;
    uint8_t n[8];
    buf_init(&b, LIMIT_TX_BYTES);
    be64_store(n, e->nonce);
    buf_append_byte(&b, NODE_SENT_VERSION);
    buf_append(&b, e->hash.b, 32);
    buf_append(&b, n, 8);
    buf_append(&b, e->account->address.b, 20);
    buf_append(&b, e->call.meta.ptr, e->call.meta.len);
    CHECK(!b.overflow);
    bytes out = tail_of(a, &b);
    buf_clear(&b);
    return out;
}

/* version u8 | slug, OUTBOX_SLUG_BYTES | envelope */
static bytes pack_open(struct arena *a, const struct entry *e) {
    struct buf b;
    buf_init(&b, 2 * LIMIT_TX_BYTES);
    buf_append_byte(&b, OPEN_VERSION);
    buf_append(&b, e->account->slug, OUTBOX_SLUG_BYTES);
    buf_append(&b, e->envelope.ptr, e->envelope.len);
    bytes out = tail_of(a, &b);
    buf_clear(&b);
    return out;
}

static bytes copy_key(struct arena *a, bytes key) {
    return arena_copy(a, key);
}

/* What is remembered of the request itself: with its call that is written first. */
static size_t request_ops(struct kv_op *ops, struct arena *a, struct sending *s) {
    uint8_t key[TIME_BYTES], value[TIME_VALUE_BYTES] = {TIME_VERSION};
    const struct node_send *send = s->send;
    size_t n = 0;
    if (s->remembered || s->in_batch)
        return 0;
    s->in_batch = true;
    ops[n++] = (struct kv_op){
        .space = KV_REQUEST, .key = bytes_of(send->id.b, 32), .value = send->request};
    if (!s->counts)
        return n;
    outbox_slug_key((char *)value + 1, send->universe);
    ops[n++] = (struct kv_op){.space = KV_TIME,
                              .key = copy_key(a, time_key(key, send->created_ms, &send->id)),
                              .value = arena_copy(a, bytes_of(value, sizeof(value)))};
    return n;
}

static size_t batch_ops(struct outbox *o, struct kv_op *ops, struct arena *a) {
    size_t n = 0;
    uint8_t key[OUTBOX_PART_BYTES];
    for (size_t i = 0; i < o->batch_count; i++) {
        const struct entry *e = o->batch[i];
        if (!e->has_id || e->is_kept)
            continue;
        bytes part = copy_key(a, part_key(key, &e->id, e->part));
        if (e->sending != NULL)
            n += request_ops(ops + n, a, e->sending);
        ops[n++] = (struct kv_op){.space = KV_SENT, .key = part, .value = pack_sent(a, e)};
        ops[n++] = (struct kv_op){.space = KV_OPEN, .key = part, .value = pack_open(a, e)};
    }
    return n;
}

void outbox_batch_written(struct outbox *o, bool ok) {
    for (size_t i = 0; i < o->batch_count; i++) {
        struct sending *s = o->batch[i]->sending;
        if (s == NULL || !s->in_batch)
            continue;
        s->in_batch = false;
        s->remembered = ok;
    }
}

void outbox_write_batch(struct outbox *o, kv_done_fn done) {
    struct kv_op *ops = calloc((size_t)OUTBOX_BATCH_MAX * OPS_PER_ENTRY, sizeof(*ops));
    struct arena a;
    CHECK(ops != NULL);
    arena_init(&a, LOAD_ARENA_BYTES, SIZE_MAX / 2);
    size_t n = batch_ops(o, ops, &a);
    o->o.node->kv_write(o->o.node->ctx, ops, n, done, o, 0);
    arena_clear(&a);
    free(ops);
}

/* --- cleaning ------------------------------------------------------------------------------ */
void outbox_clean_init(struct outbox *o) {
    buf_init(&o->clean, CLEAN_MAX_BYTES);
    buf_init(&o->clean_writing, CLEAN_MAX_BYTES);
    map_init(&o->orphans, 32, sizeof(size_t), CLAIMS_MAX, map_seed_random());
}

void outbox_clean_clear(struct outbox *o) {
    buf_clear(&o->clean);
    buf_clear(&o->clean_writing);
    map_clear(&o->orphans);
}

void outbox_clean(struct outbox *o, const struct entry *e, bool refused) {
    uint8_t key[OUTBOX_PART_BYTES];
    if (o->clean.len == 0)
        o->clean_since_ns = o->now_ns;
    (void)part_key(key, &e->id, e->part);
    buf_append(&o->clean, key, sizeof(key));
    buf_append_byte(&o->clean, refused);
    CHECK(!o->clean.overflow);
    o->clean_urgent = o->clean_urgent || refused;
}

bool outbox_clean_due(const struct outbox *o) {
    bool old = o->now_ns - o->clean_since_ns > (uint64_t)CLEAN_WAIT_MS * NS_PER_MS;
    if (o->clean_busy || (o->now_ns < o->clean_not_before_ns && !o->ending))
        return false;
    return o->cleaning != NULL ||
           (o->clean.len > 0 &&
            (o->clean_urgent || o->ending || old || o->clean.len >= CLEAN_BATCH * CLEAN_KEY_BYTES));
}

bool outbox_is_void(const struct sending *s) {
    return s->counts && s->remembered && !s->done;
}

/* Rows of calls; how many operations. What does not fit stays for the next time. */
static size_t clean_calls(struct outbox *o, struct kv_op *ops) {
    size_t n = 0, used = 0;
    struct buf taken = o->clean;
    o->clean = o->clean_writing;
    o->clean_writing = taken;
    buf_reset(&o->clean);
    for (; used < taken.len && n + 2 <= KV_OPS_MAX; used += CLEAN_KEY_BYTES) {
        bytes key = bytes_of(taken.ptr + used, OUTBOX_PART_BYTES);
        ops[n++] = (struct kv_op){.space = KV_OPEN, .del = true, .key = key};
        if (taken.ptr[used + OUTBOX_PART_BYTES] != 0)
            ops[n++] = (struct kv_op){.space = KV_SENT, .del = true, .key = key};
    }
    buf_append(&o->clean, taken.ptr + used, taken.len - used);
    o->clean_taken = used;
    return n;
}

/* Who waits for rows that are all gone now, and the requests of theirs that are void. */
static size_t clean_requests(struct outbox *o, struct kv_op *ops, size_t n,
                             uint8_t (*times)[TIME_BYTES]) {
    struct sending **last = &o->cleaning_now;
    for (size_t i = 0; o->clean.len == 0 && o->cleaning != NULL && n + 2 <= KV_OPS_MAX; i++) {
        struct sending *s = o->cleaning;
        o->cleaning = s->next;
        s->next = NULL;
        *last = s;
        last = &s->next;
        if (!outbox_is_void(s))
            continue;
        ops[n++] = (struct kv_op){
            .space = KV_REQUEST, .del = true, .key = bytes_of(s->send->id.b, OUTBOX_ID_BYTES)};
        ops[n++] = (struct kv_op){.space = KV_TIME,
                                  .del = true,
                                  .key = time_key(times[i], s->send->created_ms, &s->send->id)};
    }
    return n;
}

void outbox_clean_write(struct outbox *o, kv_done_fn done) {
    if (!outbox_clean_due(o))
        return;
    struct kv_op *ops = calloc(KV_OPS_MAX, sizeof(*ops));
    uint8_t(*times)[TIME_BYTES] = calloc(OUTBOX_WAITING_MAX, TIME_BYTES);
    CHECK(ops != NULL && times != NULL);
    size_t n = clean_requests(o, ops, clean_calls(o, ops), times);
    o->clean_urgent = o->clean.len > 0;
    o->clean_busy = true;
    if (n > 0)
        o->o.node->kv_write(o->o.node->ctx, ops, n, done, o, 1);
    else
        done(o, 1, ERR_OK);
    free(times);
    free(ops);
}

/* Told that it was refused, nobody would expect that its call is sent after the next start. */
static void clean_again(struct outbox *o) {
    struct sending **last = &o->cleaning_now;
    while (*last != NULL)
        last = &(*last)->next;
    *last = o->cleaning;
    o->cleaning = o->cleaning_now;
    o->cleaning_now = NULL;
    buf_append(&o->clean, o->clean_writing.ptr, o->clean_taken);
    CHECK(!o->clean.overflow);
    o->clean_not_before_ns = o->now_ns + (uint64_t)CLEAN_WAIT_MS * NS_PER_MS;
}

void outbox_cleaned(struct outbox *o, enum err e,
                    void (*finish)(struct outbox *o, struct sending *s)) {
    o->clean_busy = false;
    if (e == ERR_BUSY && !o->ending) {
        clean_again(o);
        return;
    }
    if (e != ERR_OK) /* after the next start they are looked at again */
        log_warn("outbox", "rows of finished transactions stay", log_error_code(e));
    struct sending *s = o->cleaning_now;
    o->cleaning_now = NULL;
    for (struct sending *next; s != NULL; s = next) {
        next = s->next;
        finish(o, s);
    }
}

/* --- after a crash ------------------------------------------------------------------------- */
struct open_row {
    struct outbox *o;
    struct entry *first; /* by nonce */
};

/* The call of an envelope, with storage of its own. */
static bool restore_call(struct entry *e, bytes envelope, bytes meta) {
    struct arena a;
    struct tx tx;
    arena_init(&a, LOAD_ARENA_BYTES, 16 << 20);
    bool ok = tx_decode(&tx, &a, envelope, false, NULL) == ERR_OK && !tx.is_create;
    if (ok) {
        e->own = malloc(tx.data.len + meta.len + 1);
        CHECK(e->own != NULL);
        if (tx.data.len > 0)
            memcpy(e->own, tx.data.ptr, tx.data.len);
        if (meta.len > 0)
            memcpy(e->own + tx.data.len, meta.ptr, meta.len);
        e->call = (struct own_call){.to = tx.to,
                                    .data = bytes_of(e->own, tx.data.len),
                                    .value = tx.value,
                                    .gas = tx.gas_limit,
                                    .max_fee = tx.max_fee,
                                    .meta = bytes_of(e->own + tx.data.len, meta.len)};
        e->hash = tx.hash;
        e->nonce = tx.nonce;
    }
    arena_clear(&a);
    return ok;
}

static void claim_orphan(struct outbox *o, const hash32 *id) {
    void *value = NULL;
    if (map_ensure(&o->orphans, id->b, &value, NULL) != ERR_OK)
        return;
    if (++*(size_t *)value == 1)
        (void)!map_put(&o->claims, id->b, NULL);
}

static bool load_row(void *ctx, bytes key, bytes value) {
    struct open_row *r = ctx;
    char slug[OUTBOX_SLUG_BYTES];
    struct buf sent;
    if (value.len <= 1 + OUTBOX_SLUG_BYTES || value.ptr[0] != OPEN_VERSION)
        return true;
    memcpy(slug, value.ptr + 1, sizeof(slug));
    slug[sizeof(slug) - 1] = '\0';
    struct entry *e = calloc(1, sizeof(*e));
    CHECK(e != NULL);
    memcpy(e->id.b, key.ptr, 32);
    e->part = (uint16_t)(key.ptr[32] << 8 | key.ptr[33]);
    e->has_id = true;
    e->tries = 1; /* first of all, whether it is in the chain */
    e->account = outbox_account(r->o, slug);
    buf_init(&e->envelope, LIMIT_TX_BYTES);
    buf_init(&sent, KV_VALUE_MAX_BYTES);
    bool there = r->o->o.node->kv_get(r->o->o.node->ctx, KV_SENT, key, &sent) &&
                 sent.len >= NODE_SENT_FIXED_BYTES;
    bytes meta = there
                     ? bytes_of(sent.ptr + NODE_SENT_FIXED_BYTES, sent.len - NODE_SENT_FIXED_BYTES)
                     : bytes_of(NULL, 0);
    bytes envelope = bytes_of(value.ptr + 1 + OUTBOX_SLUG_BYTES, value.len - 1 - OUTBOX_SLUG_BYTES);
    if (!there || !restore_call(e, envelope, meta)) {
        buf_clear(&e->envelope);
        free(e);
        buf_clear(&sent);
        return true;
    }
    buf_clear(&sent);
    struct entry **at = &r->first;
    while (*at != NULL && (*at)->nonce <= e->nonce)
        at = &(*at)->next;
    e->next = *at;
    *at = e;
    claim_orphan(r->o, &e->id);
    return true;
}

void outbox_load_open(struct outbox *o) {
    static const uint8_t first[OUTBOX_PART_BYTES];
    struct open_row r = {.o = o};
    size_t count = 0;
    o->o.node->kv_each(o->o.node->ctx, KV_OPEN, bytes_of(first, sizeof(first)), load_row, &r);
    for (struct entry *e = r.first, *next; e != NULL; e = next) {
        next = e->next;
        e->seq = ++o->seq;
        outbox_wait(o, e);
        count++;
    }
    if (count > 0)
        log_info("outbox", "transactions of before the restart are looked at",
                 log_u64("count", count));
}

void outbox_orphan_done(struct outbox *o, const hash32 *id) {
    size_t *left = map_get(&o->orphans, id->b);
    if (left == NULL || --*left > 0)
        return;
    (void)map_del(&o->orphans, id->b);
    pthread_mutex_lock(&o->claims_lock);
    (void)map_del(&o->claims, id->b);
    pthread_mutex_unlock(&o->claims_lock);
}

/* --- age ----------------------------------------------------------------------------------- */
static bool count_row(void *ctx, bytes key, bytes value) {
    struct outbox *o = ctx;
    char universe[OUTBOX_SLUG_BYTES];
    void *count = NULL;
    (void)key;
    universe_of_time(universe, value);
    pthread_mutex_lock(&o->lock);
    CHECK(map_ensure(&o->shares, universe, &count, NULL) == ERR_OK);
    ++*(size_t *)count;
    o->request_count++;
    pthread_mutex_unlock(&o->lock);
    return true;
}

void outbox_count_requests(struct outbox *o) {
    static const uint8_t first[TIME_BYTES];
    o->o.node->kv_each(o->o.node->ctx, KV_TIME, bytes_of(first, sizeof(first)), count_row, o);
}

/* A request to be forgotten. */
struct old_row {
    struct outbox *o;
    uint8_t key[TIME_BYTES];
    char universe[OUTBOX_SLUG_BYTES];
};
struct old_rows {
    uint64_t before_ms;
    struct old_row *rows[FORGET_BATCH];
    struct outbox *o;
    size_t count;
};

static bool take_old(void *ctx, bytes key, bytes value) {
    struct old_rows *r = ctx;
    if (r->count == FORGET_BATCH || be64_load(key.ptr) >= r->before_ms)
        return false;
    struct old_row *row = calloc(1, sizeof(*row));
    CHECK(row != NULL);
    row->o = r->o;
    memcpy(row->key, key.ptr, TIME_BYTES);
    universe_of_time(row->universe, value);
    r->rows[r->count++] = row;
    return true;
}

/* What could not be forgotten is found again. */
static void on_forgotten(void *ctx, uint64_t token, enum err e) {
    struct old_row *row = ctx;
    struct outbox *o = row->o;
    (void)token;
    pthread_mutex_lock(&o->lock);
    o->forgetting--;
    if (e == ERR_OK)
        outbox_share_return(o, row->universe);
    pthread_cond_signal(&o->cond);
    pthread_mutex_unlock(&o->lock);
    free(row);
}

/* All rows of one request; parts follow each other. */
static void forget(struct outbox *o, struct old_row *row) {
    struct kv_op ops[NODE_SEND_CALLS_MAX * 8 + 2];
    uint8_t parts[NODE_SEND_CALLS_MAX * 8][OUTBOX_PART_BYTES];
    size_t n = 0;
    hash32 id;
    memcpy(id.b, row->key + 8, 32);
    ops[n++] = (struct kv_op){.space = KV_TIME, .del = true, .key = bytes_of(row->key, TIME_BYTES)};
    ops[n++] = (struct kv_op){.space = KV_REQUEST, .del = true, .key = bytes_of(id.b, 32)};
    for (uint16_t part = 0; part < ARRAY_LEN(parts); part++) {
        bytes k = part_key(parts[part], &id, part);
        if (!o->o.node->kv_get(o->o.node->ctx, KV_SENT, k, NULL))
            break;
        ops[n++] = (struct kv_op){.space = KV_SENT, .del = true, .key = k};
    }
    pthread_mutex_lock(&o->lock);
    o->forgetting++;
    pthread_mutex_unlock(&o->lock);
    o->o.node->kv_write(o->o.node->ctx, ops, n, on_forgotten, row, 0);
}

void outbox_forget_old(struct outbox *o) {
    static const uint8_t first[TIME_BYTES];
    pthread_mutex_lock(&o->lock);
    bool busy = o->forgetting > 0; /* rows that go are found until then */
    pthread_mutex_unlock(&o->lock);
    if (o->now_ns < o->forget_ns || o->ending || busy)
        return;
    o->forget_ns = o->now_ns + (uint64_t)FORGET_EVERY_MS * NS_PER_MS;
    uint64_t now_ms = clock_realtime_ms(o->o.clock);
    struct old_rows *r = calloc(1, sizeof(*r));
    CHECK(r != NULL);
    r->o = o;
    r->before_ms = now_ms > OUTBOX_KEEP_MS ? now_ms - OUTBOX_KEEP_MS : 0;
    o->o.node->kv_each(o->o.node->ctx, KV_TIME, bytes_of(first, sizeof(first)), take_old, r);
    for (size_t i = 0; i < r->count; i++)
        forget(o, r->rows[i]);
    if (r->count == FORGET_BATCH)
        o->forget_ns = o->now_ns; /* there is more */
    free(r);
}
