/* SPDX-License-Identifier: Apache-2.0 */
#include "node/batches.h"

#include "base/check.h"

#include <stdlib.h>

static const char count_key[] = "batches";

static void row_encode(uint8_t out[BATCH_ROW_BYTES], const struct batch_row *r) {
    const uint64_t words[] = {r->parent_block, r->l1_block, r->delayed_read, r->delayed_block,
                              r->last_block};
    memcpy(out, r->acc.b, 32);
    memcpy(out + 32, r->delayed_acc.b, 32);
    memcpy(out + 64, r->data_hash.b, 32);
    uint8_t *p = out + 96;
    for (size_t i = 0; i < ARRAY_LEN(words); i++, p += 8)
        be64_store(p, words[i]);
    be32_store(p, (uint32_t)r->length);
    be32_store(p + 4, (uint32_t)r->nonzeros);
}

static bool row_decode(struct batch_row *out, bytes in) {
    if (in.len != BATCH_ROW_BYTES)
        return false;
    uint64_t words[5];
    const uint8_t *p = in.ptr;
    memcpy(out->acc.b, p, 32);
    memcpy(out->delayed_acc.b, p + 32, 32);
    memcpy(out->data_hash.b, p + 64, 32);
    p += 96;
    for (size_t i = 0; i < ARRAY_LEN(words); i++, p += 8)
        words[i] = be64_load(p);
    out->parent_block = words[0];
    out->l1_block = words[1];
    out->delayed_read = words[2];
    out->delayed_block = words[3];
    out->last_block = words[4];
    out->length = be32_load(p);
    out->nonzeros = be32_load(p + 4);
    return true;
}

static bool read_row(struct store_view *v, uint64_t index, struct batch_row *out) {
    uint8_t key[8];
    bytes value;
    be64_store(key, index);
    return store_get(v, TABLE_BATCH, bytes_of(key, sizeof(key)), &value) && row_decode(out, value);
}

enum err batches_open(struct batches *b, struct store *s, struct err_ctx *ec) {
    struct store_view *v;
    bytes value;
    *b = (struct batches){.store = s};
    enum err e = store_view_open(&v, s, store_durable(s));
    if (e != ERR_OK)
        FAIL(ec, e, "the table of batches cannot be read");
    if (store_get(v, TABLE_META, bytes_of(count_key, sizeof(count_key) - 1), &value) &&
        value.len == 8)
        b->first = b->count = be64_load(value.ptr);
    struct batch_row last;
    if (b->count > 0 && !read_row(v, b->count - 1, &last))
        e = ERR_CORRUPT;
    store_view_close(v);
    if (e != ERR_OK)
        FAIL(ec, e, "the table of batches has no row for batch %llu",
             (unsigned long long)(b->count - 1));
    pthread_mutex_init(&b->lock, NULL);
    return ERR_OK;
}

void batches_close(struct batches *b) {
    if (b->store == NULL)
        return;
    free(b->rows);
    pthread_mutex_destroy(&b->lock);
    *b = (struct batches){0};
}

/* --- sequencer's thread --- */
static void put_count(struct batches *b, struct ledger *l) {
    uint8_t value[8];
    be64_store(value, b->count);
    ledger_put_later(l, TABLE_META, bytes_of(count_key, sizeof(count_key) - 1),
                     bytes_of(value, sizeof(value)));
}

/* Room for one more in RAM; the older half goes when there are too many. */
static bool make_room(struct batches *b) {
    size_t len = (size_t)(b->count - b->first);
    if (len < b->cap)
        return true;
    if (len >= BATCHES_IN_RAM_MAX) {
        size_t gone = len / 2;
        memmove(b->rows, b->rows + gone, (len - gone) * sizeof(*b->rows));
        b->first += gone;
        return true;
    }
    size_t cap = b->cap == 0 ? 64 : 2 * b->cap;
    struct batch_row *p = realloc(b->rows, cap * sizeof(*p));
    if (p == NULL)
        return false;
    b->rows = p;
    b->cap = cap;
    return true;
}

enum err batches_add(struct batches *b, struct ledger *l, const struct batch_row *r) {
    uint8_t key[8], value[BATCH_ROW_BYTES];
    pthread_mutex_lock(&b->lock);
    bool ok = make_room(b);
    uint64_t index = b->count;
    if (ok) {
        b->rows[index - b->first] = *r;
        b->count++;
    }
    pthread_mutex_unlock(&b->lock);
    if (!ok)
        return ERR_NOMEM;
    be64_store(key, index);
    row_encode(value, r);
    ledger_put_later(l, TABLE_BATCH, bytes_of(key, sizeof(key)), bytes_of(value, sizeof(value)));
    put_count(b, l);
    return ERR_OK;
}

void batches_cut(struct batches *b, struct ledger *l, uint64_t count) {
    pthread_mutex_lock(&b->lock);
    CHECK(count <= b->count);
    b->count = count;
    if (b->first > count)
        b->first = count;
    pthread_mutex_unlock(&b->lock);
    put_count(b, l); /* rows past it are void, and written over */
}

/* --- any thread --- */
uint64_t batches_count(struct batches *b) {
    pthread_mutex_lock(&b->lock);
    uint64_t n = b->count;
    pthread_mutex_unlock(&b->lock);
    return n;
}

bool batches_at(struct batches *b, uint64_t index, struct batch_row *out) {
    pthread_mutex_lock(&b->lock);
    bool known = index < b->count, here = known && index >= b->first;
    if (here)
        *out = b->rows[index - b->first];
    pthread_mutex_unlock(&b->lock);
    if (!known || here)
        return here;
    struct store_view *v;
    if (store_view_open(&v, b->store, store_durable(b->store)) != ERR_OK)
        return false;
    here = read_row(v, index, out);
    store_view_close(v);
    return here;
}

/* The first batch in [0, count) for which `field` of its row is not below `value`; count if none.
 */
static uint64_t first_not_below(struct batches *b, size_t field_offset, uint64_t value) {
    uint64_t lo = 0, hi = batches_count(b);
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        struct batch_row r;
        uint64_t v = 0;
        if (batches_at(b, mid, &r))
            memcpy(&v, (const uint8_t *)&r + field_offset, sizeof(v));
        if (v < value)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool batches_find(struct batches *b, uint64_t block, uint64_t *out_index, struct batch_row *out) {
    uint64_t at = first_not_below(b, offsetof(struct batch_row, last_block), block);
    if (!batches_at(b, at, out))
        return false;
    *out_index = at;
    return true;
}

uint64_t batches_up_to(struct batches *b, uint64_t parent_block) {
    if (parent_block == UINT64_MAX)
        return batches_count(b);
    return first_not_below(b, offsetof(struct batch_row, parent_block), parent_block + 1);
}
