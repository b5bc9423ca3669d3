/* SPDX-License-Identifier: Apache-2.0 */
/* What the outbox remembers: rows of KV_REQUEST, KV_TIME, KV_SENT and KV_OPEN. */
#include "node/outbox_internal.h"

#include "base/check.h"
#include "base/log.h"

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

static size_t batch_ops(struct outbox *o, struct kv_op *ops, struct arena *a) {
    size_t n = 0;
    uint8_t key[TIME_BYTES];
    for (size_t i = 0; i < o->batch_count; i++) {
        const struct entry *e = o->batch[i];
        if (!e->has_id || e->is_kept)
            continue;
        bytes part = copy_key(a, part_key(key, &e->id, e->part));
        const struct node_send *s = e->sending != NULL ? e->sending->send : NULL;
        if (s != NULL && e->idx == 0 && e->tries == 0)
            ops[n++] = (struct kv_op){
                .space = KV_REQUEST, .key = bytes_of(s->id.b, 32), .value = s->request};
        if (s != NULL && e->idx == 0 && e->tries == 0 && s->created_ms != 0) {
            ops[n++] = (struct kv_op){.space = KV_TIME,
                                      .key = copy_key(a, time_key(key, s->created_ms, &e->id))};
            pthread_mutex_lock(&o->lock);
            o->request_count++;
            pthread_mutex_unlock(&o->lock);
        }
        ops[n++] = (struct kv_op){.space = KV_SENT, .key = part, .value = pack_sent(a, e)};
        ops[n++] = (struct kv_op){.space = KV_OPEN, .key = part, .value = pack_open(a, e)};
    }
    return n;
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
    return o->clean.len > 0 && !o->clean_busy &&
           (o->clean_urgent || o->ending || old || o->clean.len >= CLEAN_BATCH * CLEAN_KEY_BYTES);
}

void outbox_clean_write(struct outbox *o, kv_done_fn done) {
    if (!outbox_clean_due(o))
        return;
    struct kv_op ops[KV_OPS_MAX / 2];
    size_t n = 0, used = 0;
    struct buf taken = o->clean;
    o->clean = o->clean_writing;
    o->clean_writing = taken;
    buf_reset(&o->clean);
    for (; used < taken.len && n + 2 <= ARRAY_LEN(ops); used += CLEAN_KEY_BYTES) {
        bytes key = bytes_of(taken.ptr + used, OUTBOX_PART_BYTES);
        ops[n++] = (struct kv_op){.space = KV_OPEN, .del = true, .key = key};
        if (taken.ptr[used + OUTBOX_PART_BYTES] != 0)
            ops[n++] = (struct kv_op){.space = KV_SENT, .del = true, .key = key};
    }
    buf_append(&o->clean, taken.ptr + used, taken.len - used); /* the next time */
    o->clean_urgent = o->clean.len > 0;
    o->clean_busy = true;
    o->cleaning_now = o->cleaning;
    o->cleaning = NULL;
    o->o.node->kv_write(o->o.node->ctx, ops, n, done, o, 1);
}

void outbox_cleaned(struct outbox *o, enum err e,
                    void (*finish)(struct outbox *o, struct sending *s)) {
    o->clean_busy = false;
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
    (void)key;
    (void)value;
    ++*(size_t *)ctx;
    return true;
}

void outbox_count_requests(struct outbox *o) {
    static const uint8_t first[TIME_BYTES];
    size_t n = 0;
    o->o.node->kv_each(o->o.node->ctx, KV_TIME, bytes_of(first, sizeof(first)), count_row, &n);
    pthread_mutex_lock(&o->lock);
    o->request_count += n;
    pthread_mutex_unlock(&o->lock);
}

struct old_rows {
    struct outbox *o;
    uint64_t before_ms;
    uint8_t keys[FORGET_BATCH][TIME_BYTES];
    size_t count;
};

static bool take_old(void *ctx, bytes key, bytes value) {
    struct old_rows *r = ctx;
    (void)value;
    if (r->count == FORGET_BATCH || be64_load(key.ptr) >= r->before_ms)
        return false;
    memcpy(r->keys[r->count++], key.ptr, TIME_BYTES);
    return true;
}

static void ignore(void *ctx, uint64_t token, enum err e) {
    (void)ctx;
    (void)token;
    (void)e; /* what stays is found again */
}

/* All rows of one request; parts follow each other. */
static void forget(struct outbox *o, const uint8_t key[TIME_BYTES]) {
    struct kv_op ops[NODE_SEND_CALLS_MAX * 8 + 2];
    uint8_t parts[NODE_SEND_CALLS_MAX * 8][OUTBOX_PART_BYTES];
    size_t n = 0;
    hash32 id;
    memcpy(id.b, key + 8, 32);
    ops[n++] = (struct kv_op){.space = KV_TIME, .del = true, .key = bytes_of(key, TIME_BYTES)};
    ops[n++] = (struct kv_op){.space = KV_REQUEST, .del = true, .key = bytes_of(id.b, 32)};
    for (uint16_t part = 0; part < ARRAY_LEN(parts); part++) {
        bytes k = part_key(parts[part], &id, part);
        if (!o->o.node->kv_get(o->o.node->ctx, KV_SENT, k, NULL))
            break;
        ops[n++] = (struct kv_op){.space = KV_SENT, .del = true, .key = k};
    }
    o->o.node->kv_write(o->o.node->ctx, ops, n, ignore, NULL, 0);
}

void outbox_forget_old(struct outbox *o) {
    static const uint8_t first[TIME_BYTES];
    if (o->now_ns < o->forget_ns || o->ending)
        return;
    o->forget_ns = o->now_ns + (uint64_t)FORGET_EVERY_MS * NS_PER_MS;
    uint64_t now_ms = clock_realtime_ms(o->o.clock);
    struct old_rows *r = calloc(1, sizeof(*r));
    CHECK(r != NULL);
    r->o = o;
    r->before_ms = now_ms > OUTBOX_KEEP_MS ? now_ms - OUTBOX_KEEP_MS : 0;
    o->o.node->kv_each(o->o.node->ctx, KV_TIME, bytes_of(first, sizeof(first)), take_old, r);
    for (size_t i = 0; i < r->count; i++)
        forget(o, r->keys[i]);
    pthread_mutex_lock(&o->lock);
    o->request_count -= r->count < o->request_count ? r->count : o->request_count;
    pthread_mutex_unlock(&o->lock);
    if (r->count == FORGET_BATCH)
        o->forget_ns = o->now_ns; /* there is more */
    free(r);
}
