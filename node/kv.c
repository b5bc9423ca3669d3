/* SPDX-License-Identifier: Apache-2.0 */
#include "node/kv.h"

#include "base/check.h"
#include "base/keccak.h"
#include "state/delta.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    LAYERS_MAX = 256, /* blocks that are not durable are fewer */
    LAYER_TICK = 1,
    TAG_BYTES = 4,    /* first in every row of a value: rows of two values are not taken for one */
    LENGTH_BYTES = 4, /* behind it in the first row */
    PART_BYTES = 2,
    VIEW_TRIES_MAX = 8, /* a block can be unwound between choosing and opening it */
    SEED = 0x6b76,
};

/* Changes between two blocks: values whole, under space | key. */
struct layer {
    struct delta *delta;
    uint64_t block; /* that took its rows; UINT64_MAX: none yet */
    size_t bytes;
};

struct kv {
    struct store *store;
    pthread_mutex_t lock;            /* of all below */
    struct layer layers[LAYERS_MAX]; /* oldest first */
    size_t count;
    size_t bytes;
};

struct full_key {
    uint8_t b[1 + RECORD_KV_KEY_MAX_BYTES];
    size_t len;
};

static bytes full_key(struct full_key *k, uint8_t space, bytes key) {
    CHECK(key.len <= RECORD_KV_KEY_MAX_BYTES);
    k->b[0] = space;
    memcpy(k->b + 1, key.ptr, key.len);
    k->len = key.len + 1;
    return bytes_of(k->b, k->len);
}

struct kv *kv_new(struct store *s) {
    struct kv *kv = calloc(1, sizeof(*kv));
    if (kv == NULL)
        return NULL;
    kv->store = s;
    pthread_mutex_init(&kv->lock, NULL);
    return kv;
}

void kv_free(struct kv *kv) {
    if (kv == NULL)
        return;
    for (size_t i = 0; i < kv->count; i++)
        delta_unref(kv->layers[i].delta);
    pthread_mutex_destroy(&kv->lock);
    free(kv);
}

/* --- layers -------------------------------------------------------------------------------- */
/* Layers whose rows every reader finds in the store go. The lock is held. */
static void drop_settled(struct kv *kv) {
    uint64_t durable = store_durable(kv->store);
    size_t gone = 0;
    if (durable == STORE_NO_BLOCK)
        return;
    while (gone < kv->count && kv->layers[gone].block <= durable) {
        kv->bytes -= kv->layers[gone].bytes;
        delta_unref(kv->layers[gone].delta);
        gone++;
    }
    kv->count -= gone;
    memmove(kv->layers, kv->layers + gone, kv->count * sizeof(kv->layers[0]));
}

static struct layer *open_layer(struct kv *kv) {
    if (kv->count > 0 && kv->layers[kv->count - 1].block == UINT64_MAX)
        return &kv->layers[kv->count - 1];
    drop_settled(kv);
    CHECK(kv->count < LAYERS_MAX);
    kv->layers[kv->count] = (struct layer){.delta = delta_new(SEED, NULL), .block = UINT64_MAX};
    return &kv->layers[kv->count++];
}

static void take_change(void *ctx, const struct record_kv *c) {
    struct kv *kv = ctx;
    struct full_key k;
    struct layer *l = open_layer(kv);
    delta_put(l->delta, full_key(&k, c->space, c->key), true, LAYER_TICK, c->del, c->value);
    size_t len = c->key.len + c->value.len + sizeof(struct delta_node);
    l->bytes += len;
    kv->bytes += len;
}

static void check_change(void *ctx, const struct record_kv *c) {
    bool *ok = ctx;
    if (kv_key_len(c->space) != c->key.len || c->value.len > KV_VALUE_MAX_BYTES)
        *ok = false;
}

enum err kv_take(struct kv *kv, bytes payload) {
    bool ok = true;
    TRY(record_each_kv(payload, check_change, &ok));
    if (!ok)
        return ERR_CORRUPT;
    pthread_mutex_lock(&kv->lock);
    enum err e = record_each_kv(payload, take_change, kv);
    pthread_mutex_unlock(&kv->lock);
    return e;
}

/* How full the layers may be that take a change of this space. */
static size_t room_of(enum kv_space space) {
    if (space == KV_ABI)
        return KV_WAITING_MAX_BYTES / 2;
    if (space == KV_API_KEY || space == KV_TOKEN)
        return KV_WAITING_MAX_BYTES / 4 * 3;
    return KV_WAITING_MAX_BYTES;
}

enum err kv_check(struct kv *kv, const struct kv_op *ops, size_t count) {
    size_t len = 0, room = KV_WAITING_MAX_BYTES;
    if (count == 0 || count > KV_OPS_MAX)
        return ERR_INVALID;
    for (size_t i = 0; i < count; i++) {
        const struct kv_op *o = &ops[i];
        if (o->key.len == 0 || kv_key_len((uint8_t)o->space) != o->key.len ||
            o->value.len > KV_VALUE_MAX_BYTES || (o->del && o->value.len > 0))
            return ERR_INVALID;
        room = room < room_of(o->space) ? room : room_of(o->space);
        len += o->key.len + o->value.len;
        if (len > KV_WRITE_MAX_BYTES)
            return ERR_INVALID;
        if (o->if_absent && kv_get(kv, o->space, o->key, NULL))
            return ERR_EXISTS;
    }
    pthread_mutex_lock(&kv->lock);
    drop_settled(kv);
    bool full = kv->bytes > room;
    pthread_mutex_unlock(&kv->lock);
    return full ? ERR_BUSY : ERR_OK;
}

void kv_pack(struct buf *out, const struct kv_op *ops, size_t count) {
    struct record_kv *changes = calloc(count, sizeof(*changes));
    CHECK(changes != NULL);
    for (size_t i = 0; i < count; i++)
        changes[i] = (struct record_kv){.space = (uint8_t)ops[i].space,
                                        .del = ops[i].del,
                                        .key = ops[i].key,
                                        .value = ops[i].value};
    record_pack_kv(out, changes, count);
    free(changes);
}

/* --- rows ---------------------------------------------------------------------------------- */
struct row_key {
    uint8_t b[1 + RECORD_KV_KEY_MAX_BYTES + PART_BYTES];
    size_t len;
};

static bytes row_key(struct row_key *k, bytes full, size_t part) {
    memcpy(k->b, full.ptr, full.len);
    k->b[full.len] = (uint8_t)(part >> 8);
    k->b[full.len + 1] = (uint8_t)part;
    k->len = full.len + PART_BYTES;
    return bytes_of(k->b, k->len);
}

/* Rows of a value with `len` bytes. */
static size_t parts_of(size_t len) {
    size_t all = len + LENGTH_BYTES, room = KV_ROW_BYTES - TAG_BYTES;
    return (all + room - 1) / room;
}

static size_t length_in(bytes first_row) {
    CHECK(first_row.len >= TAG_BYTES + LENGTH_BYTES);
    return be32_load(first_row.ptr + TAG_BYTES);
}

static size_t parts_there(struct store_view *v, bytes full) {
    struct row_key k;
    bytes row;
    return store_get(v, TABLE_KV, row_key(&k, full, 0), &row) ? parts_of(length_in(row)) : 0;
}

static void put_value(struct store *s, bytes full, bytes value) {
    uint8_t row[KV_ROW_BYTES];
    struct row_key k;
    hash32 tag;
    size_t at = 0, head = TAG_BYTES + LENGTH_BYTES;
    keccak256(&tag, value.ptr, value.len);
    memcpy(row, tag.b, TAG_BYTES);
    be32_store(row + TAG_BYTES, (uint32_t)value.len);
    for (size_t part = 0; part == 0 || at < value.len; part++, head = TAG_BYTES) {
        size_t n = value.len - at < KV_ROW_BYTES - head ? value.len - at : KV_ROW_BYTES - head;
        if (n > 0)
            memcpy(row + head, value.ptr + at, n);
        at += n;
        store_put(s, TABLE_KV, row_key(&k, full, part), bytes_of(row, head + n));
    }
}

static void put_change(struct kv *kv, struct store_view *newest, bytes full, bool absent,
                       bytes value) {
    struct row_key k;
    size_t before = parts_there(newest, full), after = absent ? 0 : parts_of(value.len);
    if (!absent)
        put_value(kv->store, full, value);
    for (size_t part = after; part < before; part++)
        store_del(kv->store, TABLE_KV, row_key(&k, full, part));
}

void kv_put_rows(struct kv *kv, struct store_view *newest, uint64_t block) {
    pthread_mutex_lock(&kv->lock);
    drop_settled(kv);
    bool any = kv->count > 0 && kv->layers[kv->count - 1].block == UINT64_MAX;
    struct delta *d = any ? kv->layers[kv->count - 1].delta : NULL;
    if (any)
        kv->layers[kv->count - 1].block = block;
    pthread_mutex_unlock(&kv->lock);
    /* This thread alone adds to layers and ends those that are not durable. */
    static const uint8_t first[1] = {0};
    const struct delta_node *n = any ? delta_seek(d, bytes_of(first, sizeof(first))) : NULL;
    for (; n != NULL; n = delta_next(n)) {
        const struct delta_version *v = delta_at(n, LAYER_TICK);
        put_change(kv, newest, delta_key(n), v->absent, bytes_of(v->data, v->len));
    }
}

bool kv_waiting(const struct kv *kv) {
    return kv->count > 0 && kv->layers[kv->count - 1].block == UINT64_MAX;
}

void kv_rewound(struct kv *kv, uint64_t to_block) {
    pthread_mutex_lock(&kv->lock);
    for (size_t i = 0; i < kv->count; i++)
        if (kv->layers[i].block != UINT64_MAX && kv->layers[i].block > to_block)
            kv->layers[i].block = to_block;
    pthread_mutex_unlock(&kv->lock);
}

/* --- reading ------------------------------------------------------------------------------- */
static struct store_view *open_view(struct kv *kv) {
    struct store_view *v = NULL;
    for (int i = 0; i < VIEW_TRIES_MAX; i++)
        if (store_view_open(&v, kv->store, store_durable(kv->store)) == ERR_OK)
            return v;
    return NULL;
}

/* Appends the value whose first row is `first`; false where the rest is not of the same value: a
 * checkpoint has put a newer one under the view. */
static bool read_value(struct store_view *v, bytes full, bytes first, struct buf *out) {
    struct row_key k;
    uint8_t tag[TAG_BYTES];
    bytes row = first;
    size_t len = length_in(first), parts = parts_of(len), from = out->len;
    memcpy(tag, first.ptr, TAG_BYTES);
    buf_append(out, first.ptr + TAG_BYTES + LENGTH_BYTES, first.len - TAG_BYTES - LENGTH_BYTES);
    for (size_t part = 1; part < parts; part++) {
        if (!store_get(v, TABLE_KV, row_key(&k, full, part), &row) || row.len < TAG_BYTES ||
            memcmp(row.ptr, tag, TAG_BYTES) != 0)
            break;
        buf_append(out, row.ptr + TAG_BYTES, row.len - TAG_BYTES);
    }
    if (out->overflow || out->len - from == len)
        return true;
    out->len = from;
    return false;
}

/* *out_found: whether there is a value. False: ask a newer view. */
static bool get_once(struct kv *kv, bytes full, struct buf *out, bool *out_found) {
    struct row_key k;
    bytes row;
    bool ok = true;
    struct store_view *v = open_view(kv);
    CHECK(v != NULL);
    *out_found = store_get(v, TABLE_KV, row_key(&k, full, 0), &row);
    if (*out_found && out != NULL) {
        uint8_t first[KV_ROW_BYTES]; /* the next look-up ends the row */
        CHECK(row.len <= sizeof(first));
        memcpy(first, row.ptr, row.len);
        ok = read_value(v, full, bytes_of(first, row.len), out);
    }
    store_view_close(v);
    return ok;
}

static bool get_stored(struct kv *kv, bytes full, struct buf *out) {
    bool found = false, ok = false;
    for (int i = 0; i < VIEW_TRIES_MAX && !ok; i++)
        ok = get_once(kv, full, out, &found);
    CHECK(ok);
    return found;
}

bool kv_get(struct kv *kv, enum kv_space space, bytes key, struct buf *out) {
    struct full_key k;
    bytes full = full_key(&k, (uint8_t)space, key);
    pthread_mutex_lock(&kv->lock);
    for (size_t i = kv->count; i-- > 0;) {
        const struct delta_node *n = delta_find(kv->layers[i].delta, full, true);
        if (n == NULL)
            continue;
        const struct delta_version *v = delta_at(n, LAYER_TICK);
        bool there = !v->absent;
        if (there && out != NULL)
            buf_append(out, v->data, v->len);
        pthread_mutex_unlock(&kv->lock);
        return there;
    }
    pthread_mutex_unlock(&kv->lock);
    return get_stored(kv, full, out);
}

struct walk {
    struct kv *kv;
    struct delta *layers[LAYERS_MAX]; /* references, newest first */
    size_t count;
    struct store_view *view;
    struct store_cursor *cursor;
    struct full_key at; /* next key to look at */
    struct buf value;
};

/* The next possible key; false at the space's end. */
static bool step(struct walk *w) {
    for (size_t i = w->at.len; i-- > 1;)
        if (++w->at.b[i] != 0)
            return true;
    return false;
}

static bool of_space(const struct walk *w, bytes full, size_t tail) {
    return full.len == w->at.len + tail && full.ptr[0] == w->at.b[0];
}

/* The smallest key not below w->at in all sources becomes w->at; its value goes to w->value and
 * *out_there says whether it is more than a deletion. False: none is left. */
static bool find(struct walk *w, bool *out_there) {
    const struct delta_node *best = NULL;
    struct row_key k;
    bytes at = bytes_of(w->at.b, w->at.len), key, row;
    for (size_t i = 0; i < w->count; i++) {
        const struct delta_node *n = delta_seek(w->layers[i], at);
        if (n != NULL && of_space(w, delta_key(n), 0) &&
            (best == NULL || bytes_cmp(delta_key(n), delta_key(best)) < 0))
            best = n;
    }
    bool stored = store_cursor_seek(w->cursor, row_key(&k, at, 0), &key, &row) &&
                  of_space(w, key, PART_BYTES);
    if (stored && best != NULL && bytes_cmp(bytes_of(key.ptr, w->at.len), delta_key(best)) >= 0)
        stored = false; /* the layer's is newer, or comes before it */
    buf_reset(&w->value);
    if (stored) {
        memcpy(w->at.b, key.ptr, w->at.len);
        uint8_t first[KV_ROW_BYTES];
        size_t len = row.len;
        CHECK(len <= sizeof(first));
        memcpy(first, row.ptr, len);
        *out_there = read_value(w->view, at, bytes_of(first, len), &w->value) ||
                     kv_get(w->kv, (enum kv_space)w->at.b[0], bytes_of(w->at.b + 1, w->at.len - 1),
                            &w->value);
        return true;
    }
    if (best == NULL)
        return false;
    const struct delta_version *v = delta_at(best, LAYER_TICK);
    memcpy(w->at.b, delta_key(best).ptr, w->at.len);
    buf_append(&w->value, v->data, v->len);
    *out_there = !v->absent;
    return true;
}

void kv_each(struct kv *kv, enum kv_space space, bytes from, kv_each_fn fn, void *ctx) {
    struct walk *w = calloc(1, sizeof(*w));
    CHECK(w != NULL);
    CHECK(from.len == kv_key_len((uint8_t)space));
    w->kv = kv;
    (void)full_key(&w->at, (uint8_t)space, from);
    buf_init(&w->value, KV_VALUE_MAX_BYTES);
    pthread_mutex_lock(&kv->lock);
    for (size_t i = kv->count; i-- > 0;)
        w->layers[w->count++] = delta_ref(kv->layers[i].delta);
    pthread_mutex_unlock(&kv->lock);
    w->view = open_view(kv);
    CHECK(w->view != NULL);
    w->cursor = store_cursor_open(w->view, TABLE_KV);
    bool there = false;
    while (find(w, &there)) {
        bytes key = bytes_of(w->at.b + 1, w->at.len - 1);
        if (there && !fn(ctx, key, buf_bytes(&w->value)))
            break;
        if (!step(w))
            break;
    }
    store_cursor_close(w->cursor);
    store_view_close(w->view);
    for (size_t i = 0; i < w->count; i++)
        delta_unref(w->layers[i]);
    buf_clear(&w->value);
    free(w);
}
