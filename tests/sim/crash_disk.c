/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/crash_disk.h"

#include "base/check.h"
#include "base/keccak.h"

#include <stdio.h>
#include <sys/stat.h>

enum { NAMES_MAX = 256, PATH_LEN = 256 };

struct pending {
    uint8_t op; /* CRASH_WRITE, CRASH_TRUNCATE, CRASH_ALLOCATE */
    uint64_t offset, len;
    const uint8_t *data; /* borrowed from the trace */
};

struct inode {
    bool dir;
    struct buf durable, current;
    struct pending *pending; /* since the last sync */
    size_t pending_count, pending_cap;
};

struct name {
    char path[PATH_LEN];
    struct inode *inode;
};
struct names {
    struct name at[NAMES_MAX];
    size_t count;
};

/* A change of names that its folder has not been synced after. */
struct name_change {
    uint8_t op; /* CRASH_CREATE, CRASH_MKDIR, CRASH_RENAME, CRASH_REMOVE */
    char path[PATH_LEN], path2[PATH_LEN];
    struct inode *inode;
};

struct crash_disk {
    struct names current, durable;
    struct name_change *changes;
    size_t change_count, change_cap;
    struct inode **inodes; /* all ever made */
    size_t inode_count, inode_cap;
    /* The image made last. */
    struct names image;
    struct buf *contents; /* beside image.at */
};

bool crash_step_next(bytes *in, struct crash_step *out) {
    if (in->len == 0)
        return false;
    struct crash_record r;
    CHECK(in->len >= sizeof r);
    memcpy(&r, in->ptr, sizeof r);
    uint64_t data = r.op == CRASH_WRITE || r.op == CRASH_MARK ? r.len : 0;
    uint64_t total = sizeof r + r.path_len + r.path2_len + data;
    CHECK(in->len >= total);
    out->record = r;
    out->path = bytes_of(in->ptr + sizeof r, r.path_len);
    out->path2 = bytes_of(out->path.ptr + r.path_len, r.path2_len);
    out->data = bytes_of(out->path2.ptr + r.path2_len, (size_t)data);
    *in = bytes_of(in->ptr + total, in->len - (size_t)total);
    return true;
}

/* --- inodes --------------------------------------------------------------------------------- */

static struct inode *inode_new(struct crash_disk *d, bool dir) {
    struct inode *n = calloc(1, sizeof *n);
    CHECK(n != NULL);
    n->dir = dir;
    buf_init(&n->durable, 1 << 30);
    buf_init(&n->current, 1 << 30);
    if (d->inode_count == d->inode_cap) {
        d->inode_cap = d->inode_cap == 0 ? 64 : 2 * d->inode_cap;
        d->inodes = realloc(d->inodes, d->inode_cap * sizeof(struct inode *));
        CHECK(d->inodes != NULL);
    }
    d->inodes[d->inode_count++] = n;
    return n;
}

static void content_resize(struct buf *b, uint64_t len) {
    if (len <= b->len) {
        b->len = (size_t)len;
        return;
    }
    size_t more = (size_t)len - b->len;
    uint8_t *p = buf_extend(b, more);
    CHECK(p != NULL);
    memset(p, 0, more);
}

static void content_write(struct buf *b, uint64_t offset, const uint8_t *data, size_t len) {
    if (offset + len > b->len)
        content_resize(b, offset + len);
    memcpy(b->ptr + offset, data, len);
}

static void content_apply(struct buf *b, const struct pending *p) {
    if (p->op == CRASH_WRITE)
        content_write(b, p->offset, p->data, (size_t)p->len);
    else if (p->op == CRASH_TRUNCATE || p->len > b->len)
        content_resize(b, p->len);
}

/* Of a write, sectors drawn one by one; the file is as long as if all were there. */
static void content_tear(struct buf *b, const struct pending *p, struct fixture_rng *r) {
    if (p->op != CRASH_WRITE) {
        if (fixture_rng_below(r, 2) == 0)
            content_apply(b, p);
        return;
    }
    if (p->offset + p->len > b->len)
        content_resize(b, p->offset + p->len);
    for (uint64_t at = 0; at < p->len;) {
        uint64_t n = CRASH_SECTOR_BYTES - (p->offset + at) % CRASH_SECTOR_BYTES;
        if (n > p->len - at)
            n = p->len - at;
        if (fixture_rng_below(r, 2) == 0)
            memcpy(b->ptr + p->offset + at, p->data + at, (size_t)n);
        at += n;
    }
}

static void pending_push(struct inode *n, const struct pending *p) {
    if (n->pending_count == n->pending_cap) {
        n->pending_cap = n->pending_cap == 0 ? 64 : 2 * n->pending_cap;
        n->pending = realloc(n->pending, n->pending_cap * sizeof *n->pending);
        CHECK(n->pending != NULL);
    }
    n->pending[n->pending_count++] = *p;
}

/* --- names ---------------------------------------------------------------------------------- */

static size_t names_index(const struct names *s, const char *path) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->at[i].path, path) == 0)
            return i;
    return s->count;
}

static void names_remove(struct names *s, const char *path) {
    size_t i = names_index(s, path);
    if (i < s->count)
        s->at[i] = s->at[--s->count];
}

static void names_apply(struct names *s, const struct name_change *c) {
    if (c->op == CRASH_RENAME || c->op == CRASH_REMOVE)
        names_remove(s, c->path);
    if (c->op == CRASH_REMOVE)
        return;
    const char *path = c->op == CRASH_RENAME ? c->path2 : c->path;
    names_remove(s, path);
    CHECK(s->count < NAMES_MAX);
    s->at[s->count].inode = c->inode;
    memcpy(s->at[s->count].path, path, PATH_LEN);
    s->count++;
}

static bool in_folder(const char *path, const char *folder) {
    size_t n = strlen(folder);
    if (n == 0)
        return strchr(path, '/') == NULL;
    return strncmp(path, folder, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

/* The names of a folder become durable, in the order in which they were changed. */
static void sync_folder(struct crash_disk *d, const char *folder) {
    size_t kept = 0;
    for (size_t i = 0; i < d->change_count; i++)
        if (in_folder(d->changes[i].path, folder))
            names_apply(&d->durable, &d->changes[i]);
        else
            d->changes[kept++] = d->changes[i];
    d->change_count = kept;
}

static void change_name(struct crash_disk *d, const struct name_change *c) {
    names_apply(&d->current, c);
    if (d->change_count == d->change_cap) {
        d->change_cap = d->change_cap == 0 ? 16 : 2 * d->change_cap;
        d->changes = realloc(d->changes, d->change_cap * sizeof *d->changes);
        CHECK(d->changes != NULL);
    }
    d->changes[d->change_count++] = *c;
}

/* --- steps ---------------------------------------------------------------------------------- */

struct crash_disk *crash_disk_new(void) {
    struct crash_disk *d = calloc(1, sizeof *d);
    CHECK(d != NULL);
    d->contents = calloc(NAMES_MAX, sizeof *d->contents);
    CHECK(d->contents != NULL);
    for (size_t i = 0; i < NAMES_MAX; i++)
        buf_init(&d->contents[i], 1 << 30);
    return d;
}

void crash_disk_free(struct crash_disk *d) {
    for (size_t i = 0; i < d->inode_count; i++) {
        buf_clear(&d->inodes[i]->durable);
        buf_clear(&d->inodes[i]->current);
        free(d->inodes[i]->pending);
        free(d->inodes[i]);
    }
    for (size_t i = 0; i < NAMES_MAX; i++)
        buf_clear(&d->contents[i]);
    free(d->contents);
    free(d->inodes);
    free(d->changes);
    free(d);
}

static void path_copy(char out[PATH_LEN], bytes path) {
    CHECK(path.len < PATH_LEN);
    memset(out, 0, PATH_LEN);
    memcpy(out, path.ptr, path.len);
}

static void apply_content(struct inode *n, const struct crash_step *s) {
    struct pending p = {
        .op = s->record.op, .offset = s->record.offset, .len = s->record.len, .data = s->data.ptr};
    content_apply(&n->current, &p);
    if ((s->record.flags & CRASH_DSYNC) != 0)
        content_apply(&n->durable, &p);
    else
        pending_push(n, &p);
}

void crash_disk_apply(struct crash_disk *d, const struct crash_step *s) {
    struct name_change c = {.op = s->record.op};
    path_copy(c.path, s->path);
    path_copy(c.path2, s->path2);
    size_t i = names_index(&d->current, c.path);
    struct inode *n = i < d->current.count ? d->current.at[i].inode : NULL;
    switch ((enum crash_op)s->record.op) {
    case CRASH_CREATE:
    case CRASH_MKDIR:
        c.inode = inode_new(d, s->record.op == CRASH_MKDIR);
        change_name(d, &c);
        break;
    case CRASH_RENAME:
    case CRASH_REMOVE:
        CHECK(n != NULL);
        c.inode = n;
        change_name(d, &c);
        break;
    case CRASH_WRITE:
    case CRASH_TRUNCATE:
    case CRASH_ALLOCATE:
        CHECK(n != NULL);
        apply_content(n, s);
        break;
    case CRASH_SYNC:
        if (n == NULL || n->dir) { /* NULL: the root, which was there before */
            sync_folder(d, c.path);
            break;
        }
        for (size_t k = 0; k < n->pending_count; k++)
            content_apply(&n->durable, &n->pending[k]);
        n->pending_count = 0;
        break;
    case CRASH_MARK:
        break;
    }
}

/* --- images --------------------------------------------------------------------------------- */

static void make_content(struct buf *out, const struct inode *n, enum crash_variant variant,
                         const struct crash_step *flying, struct fixture_rng *r) {
    const struct buf *base = variant == CRASH_KEPT ? &n->current : &n->durable;
    buf_reset(out);
    buf_append(out, base->ptr, base->len);
    if (variant == CRASH_LOST || variant == CRASH_KEPT)
        return;
    for (size_t i = 0; i < n->pending_count; i++)
        if (variant == CRASH_TORN)
            content_tear(out, &n->pending[i], r);
        else if (fixture_rng_below(r, 2) == 0)
            content_apply(out, &n->pending[i]);
    if (flying == NULL || variant != CRASH_TORN)
        return;
    struct pending p = {.op = CRASH_WRITE,
                        .offset = flying->record.offset,
                        .len = flying->record.len,
                        .data = flying->data.ptr};
    content_tear(out, &p, r);
}

/* LMDB's and the store's lock files have no content that counts after a crash. */
static bool is_lock_file(const char *path) {
    size_t n = strlen(path);
    return (n >= 5 && strcmp(path + n - 5, "-lock") == 0) ||
           (n >= 4 && strcmp(path + n - 4, "LOCK") == 0);
}

/* Whether all folders above a path are in the image: a file in a lost folder is lost. */
static bool reachable(const struct names *s, const char *path) {
    char folder[PATH_LEN];
    memcpy(folder, path, PATH_LEN);
    for (char *slash = strrchr(folder, '/'); slash != NULL; slash = strrchr(folder, '/')) {
        *slash = 0;
        if (names_index(s, folder) == s->count)
            return false;
    }
    return true;
}

static int name_order(const void *a, const void *b) {
    return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

uint64_t crash_disk_image(struct crash_disk *d, enum crash_variant variant,
                          const struct crash_step *flying, struct fixture_rng *r) {
    d->image = variant == CRASH_KEPT ? d->current : d->durable;
    if (variant == CRASH_TORN || variant == CRASH_SHUFFLED) {
        size_t keep = fixture_rng_below(r, d->change_count + 1);
        for (size_t i = 0; i < keep; i++)
            names_apply(&d->image, &d->changes[i]);
    }
    qsort(d->image.at, d->image.count, sizeof d->image.at[0], name_order);
    struct inode *target = NULL;
    if (flying != NULL && flying->record.op == CRASH_WRITE) {
        char path[PATH_LEN];
        path_copy(path, flying->path);
        size_t i = names_index(&d->current, path);
        target = i < d->current.count ? d->current.at[i].inode : NULL;
    }
    struct keccak_ctx k;
    keccak256_begin(&k);
    size_t kept = 0;
    struct names all = d->image;
    for (size_t i = 0; i < all.count; i++) {
        const struct name *n = &all.at[i];
        if (is_lock_file(n->path) || !reachable(&all, n->path))
            continue;
        d->image.at[kept] = *n;
        make_content(&d->contents[kept], n->inode, variant, n->inode == target ? flying : NULL, r);
        uint64_t len = d->contents[kept].len;
        keccak256_update(&k, n->path, sizeof n->path);
        keccak256_update(&k, &len, sizeof len);
        keccak256_update(&k, d->contents[kept].ptr, d->contents[kept].len);
        kept++;
    }
    d->image.count = kept;
    hash32 h;
    keccak256_end(&k, &h);
    return be64_load(h.b);
}

struct crash_disk *crash_disk_of_image(const struct crash_disk *d) {
    struct crash_disk *n = crash_disk_new();
    for (size_t i = 0; i < d->image.count; i++) {
        struct inode *inode = inode_new(n, d->image.at[i].inode->dir);
        buf_append(&inode->durable, d->contents[i].ptr, d->contents[i].len);
        buf_append(&inode->current, d->contents[i].ptr, d->contents[i].len);
        n->durable.at[i] = d->image.at[i];
        n->durable.at[i].inode = inode;
    }
    n->durable.count = d->image.count;
    n->current = n->durable;
    return n;
}

void crash_disk_write(const struct crash_disk *d, const char *dir) {
    for (size_t i = 0; i < d->image.count; i++) { /* sorted: folders before what is in them */
        char path[FIXTURE_PATH_MAX + PATH_LEN];
        (void)snprintf(path, sizeof path, "%s/%s", dir, d->image.at[i].path);
        if (d->image.at[i].inode->dir)
            CHECK(mkdir(path, 0755) == 0);
        else
            fixture_file_write(path, d->contents[i].ptr, d->contents[i].len);
    }
}
