/* SPDX-License-Identifier: Apache-2.0 */
#include "node/mirror.h"

#include "base/check.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_CAP = 64 };

enum err mirror_init(struct mirror *b, const char *dir) {
    memset(b, 0, sizeof(*b));
    b->data_max = MIRROR_BYTES_MAX;
    b->fd = -1;
    pthread_mutex_init(&b->lock, NULL);
    if (dir != NULL && (b->dir = strdup(dir)) == NULL)
        return ERR_NOMEM;
    return ERR_OK;
}

/* --- data ------------------------------------------------------------------------------------ */
/* Data in the file has no pointer. */
static void free_data(struct mirror *b, bytes data, uint64_t file_at) {
    if (data.ptr != NULL) {
        CHECK(b->data_bytes >= data.len);
        b->data_bytes -= data.len;
        free((void *)(uintptr_t)data.ptr);
        return;
    }
    CHECK(b->file_bytes >= data.len);
    b->file_bytes -= data.len;
    /* Where holes cannot be made, or the file not be cut, room comes back when it is closed. */
    (void)fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)file_at,
                    (off_t)data.len);
    if (b->file_bytes == 0 && ftruncate(b->fd, 0) == 0)
        b->file_end = 0;
}

/* The file has no name: it goes with the process, however that ends. */
static bool open_file(struct mirror *b) {
    char path[PATH_MAX];
    if (b->fd >= 0)
        return true;
    if (snprintf(path, sizeof(path), "%s/mirror-XXXXXX", b->dir) >= (int)sizeof(path) ||
        (b->fd = mkostemp(path, O_CLOEXEC)) < 0)
        return false;
    (void)unlink(path);
    return true;
}

static enum err write_data(struct mirror *b, bytes *data, uint64_t *file_at) {
    if (!open_file(b))
        return ERR_IO;
    for (size_t done = 0; done < data->len;) {
        ssize_t n = pwrite(b->fd, data->ptr + done, data->len - done, (off_t)(b->file_end + done));
        if (n <= 0)
            return ERR_IO;
        done += (size_t)n;
    }
    *file_at = b->file_end;
    b->file_end += data->len;
    b->file_bytes += data->len;
    *data = bytes_of(NULL, data->len);
    return ERR_OK;
}

static enum err keep_data(struct mirror *b, bytes *data, uint64_t *file_at) {
    if (b->data_bytes >= b->data_max && b->dir != NULL && data->len > 0)
        return write_data(b, data, file_at);
    uint8_t *p = malloc(data->len > 0 ? data->len : 1);
    if (p == NULL)
        return ERR_NOMEM;
    if (data->len > 0)
        memcpy(p, data->ptr, data->len);
    *data = bytes_of(p, data->len);
    b->data_bytes += data->len;
    return ERR_OK;
}

static enum err get_data(struct mirror *b, struct arena *a, bytes *data, uint64_t file_at) {
    if (a == NULL) {
        *data = bytes_of(NULL, 0);
        return ERR_OK;
    }
    if (data->ptr != NULL) {
        *data = arena_copy(a, *data);
        return ERR_OK;
    }
    uint8_t *p = arena_alloc(a, data->len);
    for (size_t done = 0; done < data->len;) {
        ssize_t n = pread(b->fd, p + done, data->len - done, (off_t)(file_at + done));
        if (n <= 0)
            return ERR_IO;
        done += (size_t)n;
    }
    *data = bytes_of(p, data->len);
    return ERR_OK;
}

/* --- entries --------------------------------------------------------------------------------- */

static void drop_delayed_from(struct mirror *b, size_t from) {
    for (size_t i = from; i < b->delayed_len; i++)
        free_data(b, b->delayed[i].message.data, b->delayed[i].file_at);
    b->delayed_len = from < b->delayed_len ? from : b->delayed_len;
}

static void drop_batches_from(struct mirror *b, size_t from) {
    for (size_t i = from; i < b->batch_len; i++)
        free_data(b, b->batches[i].data, b->batches[i].file_at);
    b->batch_len = from < b->batch_len ? from : b->batch_len;
}

void mirror_clear(struct mirror *b) {
    drop_delayed_from(b, 0);
    drop_batches_from(b, 0);
    free(b->delayed);
    free(b->batches);
    if (b->fd >= 0)
        (void)close(b->fd);
    free(b->dir);
    pthread_mutex_destroy(&b->lock);
}

static void changed(struct mirror *b) {
    atomic_fetch_add_explicit(&b->version, 1, memory_order_release);
}

/* --- the follower's side --------------------------------------------------------------------- */
void mirror_restart(struct mirror *b, const struct mirror_point *at) {
    pthread_mutex_lock(&b->lock);
    drop_delayed_from(b, 0);
    drop_batches_from(b, 0);
    b->base = *at;
    b->cuts++;
    b->synced = false;
    changed(b);
    pthread_mutex_unlock(&b->lock);
}

/* Room for one more entry of `size` bytes. */
static bool grow(void **list, size_t *cap, size_t len, size_t size) {
    if (len < *cap)
        return true;
    size_t more = *cap == 0 ? FIRST_CAP : 2 * *cap;
    void *p = realloc(*list, more * size);
    if (p == NULL)
        return false;
    *list = p;
    *cap = more;
    return true;
}

static enum err add_delayed(struct mirror *b, const struct mirror_delayed *d) {
    if (d->message.delayed_read != b->base.delayed_count + b->delayed_len + 1)
        return ERR_MISMATCH;
    struct mirror_delayed own = *d;
    if (!grow((void **)&b->delayed, &b->delayed_cap, b->delayed_len, sizeof(own)))
        return ERR_NOMEM;
    TRY(keep_data(b, &own.message.data, &own.file_at));
    b->delayed[b->delayed_len++] = own;
    changed(b);
    return ERR_OK;
}

enum err mirror_add_delayed(struct mirror *b, const struct mirror_delayed *d) {
    pthread_mutex_lock(&b->lock);
    enum err e = add_delayed(b, d);
    pthread_mutex_unlock(&b->lock);
    return e;
}

static enum err add_batch(struct mirror *b, uint64_t index, const struct mirror_batch *e) {
    if (index != b->base.batch_count + b->batch_len)
        return ERR_MISMATCH;
    struct mirror_batch own = *e;
    if (!grow((void **)&b->batches, &b->batch_cap, b->batch_len, sizeof(own)))
        return ERR_NOMEM;
    TRY(keep_data(b, &own.data, &own.file_at));
    b->batches[b->batch_len++] = own;
    changed(b);
    return ERR_OK;
}

enum err mirror_add_batch(struct mirror *b, uint64_t index, const struct mirror_batch *e) {
    pthread_mutex_lock(&b->lock);
    enum err r = add_batch(b, index, e);
    pthread_mutex_unlock(&b->lock);
    return r;
}

bool mirror_cut(struct mirror *b, uint64_t parent_block) {
    pthread_mutex_lock(&b->lock);
    bool ok = parent_block >= b->base.parent_block;
    if (ok) {
        size_t d = b->delayed_len, k = b->batch_len;
        while (d > 0 && b->delayed[d - 1].parent_block > parent_block)
            d--;
        while (k > 0 && b->batches[k - 1].parent_block > parent_block)
            k--;
        drop_delayed_from(b, d);
        drop_batches_from(b, k);
        b->cuts++;
        b->synced = false;
        changed(b);
    }
    pthread_mutex_unlock(&b->lock);
    return ok;
}

void mirror_set_heads(struct mirror *b, const struct mirror_heads *h) {
    pthread_mutex_lock(&b->lock);
    struct mirror_heads now = *h;
    bool same = b->has_heads && hash32_eq(&b->heads.latest.hash, &now.latest.hash);
    if (same)
        now.seen_ms = b->heads.seen_ms;
    if (!same || now.safe != b->heads.safe || now.finalized != b->heads.finalized ||
        now.settled != b->heads.settled)
        changed(b);
    b->heads = now;
    b->has_heads = true;
    pthread_mutex_unlock(&b->lock);
}

void mirror_set_synced(struct mirror *b) {
    pthread_mutex_lock(&b->lock);
    if (!b->synced) {
        b->synced = true;
        changed(b);
    }
    pthread_mutex_unlock(&b->lock);
}

bool mirror_full(struct mirror *b) {
    pthread_mutex_lock(&b->lock);
    bool full =
        b->data_bytes >= b->data_max && (b->dir == NULL || b->file_bytes >= MIRROR_FILE_BYTES_MAX);
    pthread_mutex_unlock(&b->lock);
    return full;
}

struct mirror_point mirror_end(struct mirror *b) {
    pthread_mutex_lock(&b->lock);
    struct mirror_point p = b->base;
    if (b->batch_len > 0)
        p.batch_acc = b->batches[b->batch_len - 1].acc;
    if (b->delayed_len > 0)
        p.delayed_acc = b->delayed[b->delayed_len - 1].acc;
    p.batch_count += b->batch_len;
    p.delayed_count += b->delayed_len;
    pthread_mutex_unlock(&b->lock);
    return p;
}

/* --- readers' side --------------------------------------------------------------------------- */
bool mirror_heads(struct mirror *b, struct mirror_heads *out) {
    pthread_mutex_lock(&b->lock);
    bool has = b->has_heads;
    *out = b->heads;
    pthread_mutex_unlock(&b->lock);
    return has;
}

struct mirror_state mirror_state(struct mirror *b) {
    pthread_mutex_lock(&b->lock);
    struct mirror_state s = {
        .cuts = b->cuts,
        .batch_count = b->base.batch_count + b->batch_len,
        .delayed_count = b->base.delayed_count + b->delayed_len,
        .batch_first = b->base.batch_count,
        .delayed_first = b->base.delayed_count,
        .synced = b->synced,
    };
    pthread_mutex_unlock(&b->lock);
    return s;
}

enum err mirror_delayed_at(struct mirror *b, struct arena *a, uint64_t index,
                           struct mirror_delayed *out) {
    pthread_mutex_lock(&b->lock);
    uint64_t first = b->base.delayed_count;
    enum err e = ERR_NOT_FOUND;
    if (index >= first && index - first < b->delayed_len) {
        *out = b->delayed[index - first];
        e = get_data(b, a, &out->message.data, out->file_at);
    }
    pthread_mutex_unlock(&b->lock);
    return e;
}

enum err mirror_batch_at(struct mirror *b, struct arena *a, uint64_t index,
                         struct mirror_batch *out) {
    pthread_mutex_lock(&b->lock);
    uint64_t first = b->base.batch_count;
    enum err e = ERR_NOT_FOUND;
    if (index >= first && index - first < b->batch_len) {
        *out = b->batches[index - first];
        e = get_data(b, a, &out->data, out->file_at);
    }
    pthread_mutex_unlock(&b->lock);
    return e;
}

static void forget_delayed(struct mirror *b, uint64_t index) {
    size_t n = index > b->base.delayed_count ? (size_t)(index - b->base.delayed_count) : 0;
    if (n > b->delayed_len)
        n = b->delayed_len;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        free_data(b, b->delayed[i].message.data, b->delayed[i].file_at);
    b->base.delayed_acc = b->delayed[n - 1].acc;
    b->base.delayed_count += n;
    if (b->delayed[n - 1].parent_block > b->base.parent_block)
        b->base.parent_block = b->delayed[n - 1].parent_block;
    memmove(b->delayed, b->delayed + n, (b->delayed_len - n) * sizeof(*b->delayed));
    b->delayed_len -= n;
}

static void forget_batches(struct mirror *b, uint64_t index) {
    size_t n = index > b->base.batch_count ? (size_t)(index - b->base.batch_count) : 0;
    if (n > b->batch_len)
        n = b->batch_len;
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        free_data(b, b->batches[i].data, b->batches[i].file_at);
    b->base.batch_acc = b->batches[n - 1].acc;
    b->base.batch_count += n;
    if (b->batches[n - 1].parent_block > b->base.parent_block)
        b->base.parent_block = b->batches[n - 1].parent_block;
    memmove(b->batches, b->batches + n, (b->batch_len - n) * sizeof(*b->batches));
    b->batch_len -= n;
}

void mirror_forget(struct mirror *b, uint64_t batch_index, uint64_t delayed_index) {
    pthread_mutex_lock(&b->lock);
    forget_delayed(b, delayed_index);
    forget_batches(b, batch_index);
    pthread_mutex_unlock(&b->lock);
}
