/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/gzip.h"

#include "base/check.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zlib.h>

enum { GZIP_WINDOW_BITS = 15 + 16 /* zlib's sign for gzip's format */, MEM_LEVEL = 8 };

struct job {
    struct job *next;
    uint64_t tag;
    struct buf body;
    bool gzip;
};

struct list {
    struct job *first, **last;
};

struct rpc_gzip {
    rpc_gzip_fn fn;
    void *ctx;
    z_stream here, there; /* of the loop, of the thread */
    bool has_here, has_there, has_thread;
    size_t pending;
    int wake_fd;
    struct event *wake;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t ready;
    struct list todo, done;
    size_t waiting; /* bytes in todo */
    bool stopping;
};

/* --- the header ---------------------------------------------------------------------------- */
/* Whether the parameters behind a coding's name set its weight to zero (RFC 9110 §12.4.2). */
static bool weight_is_zero(const char *s, const char *end) {
    for (; s + 1 < end; s++)
        if ((s[0] == 'q' || s[0] == 'Q') && s[1] == '=') {
            for (s += 2; s < end; s++)
                if (*s >= '1' && *s <= '9')
                    return false;
            return true;
        }
    return false;
}

bool rpc_gzip_accepted(bytes header) {
    const char *s = (const char *)header.ptr, *end = s + header.len;
    bool any = false;
    if (s == NULL)
        return false;
    while (s < end) {
        const char *comma = memchr(s, ',', (size_t)(end - s)), *stop = comma ? comma : end;
        while (s < stop && (*s == ' ' || *s == '\t'))
            s++;
        const char *name_end = s;
        while (name_end < stop && *name_end != ';' && *name_end != ' ' && *name_end != '\t')
            name_end++;
        size_t len = (size_t)(name_end - s);
        bool wanted = !weight_is_zero(name_end, stop);
        if (len == 4 && strncasecmp(s, "gzip", 4) == 0)
            return wanted; /* by name it counts more than by * */
        if (len == 1 && *s == '*')
            any = wanted;
        s = stop + 1;
    }
    return any;
}

/* --- compressing --------------------------------------------------------------------------- */
/* Puts the compressed body in the place of the plain one. False: it stays as it is. */
static bool compress_body(z_stream *z, struct buf *body) {
    struct buf out;
    if (body->len > UINT_MAX / 2 || deflateReset(z) != Z_OK)
        return false;
    size_t cap = body->len - body->len / 8; /* else it is not worth it */
    buf_init(&out, cap);
    uint8_t *to = buf_extend(&out, cap);
    if (to == NULL)
        return false;
    z->next_in = body->ptr;
    z->avail_in = (uInt)body->len;
    z->next_out = to;
    z->avail_out = (uInt)cap;
    if (deflate(z, Z_FINISH) != Z_STREAM_END) {
        buf_clear(&out);
        return false;
    }
    out.len = cap - z->avail_out;
    buf_clear(body);
    *body = out;
    return true;
}

static void wake_loop(struct rpc_gzip *g) {
    uint64_t one = 1;
    ssize_t n = write(g->wake_fd, &one, sizeof(one));
    CHECK(n == (ssize_t)sizeof(one) || errno == EAGAIN);
}

static void list_init(struct list *l) {
    l->first = NULL;
    l->last = &l->first;
}

static void list_add(struct list *l, struct job *j) {
    j->next = NULL;
    *l->last = j;
    l->last = &j->next;
}

static void *gzip_main(void *arg) {
    struct rpc_gzip *g = arg;
    pthread_mutex_lock(&g->lock);
    while (!g->stopping) {
        struct job *j = g->todo.first;
        if (j == NULL) {
            pthread_cond_wait(&g->ready, &g->lock);
            continue;
        }
        g->todo.first = j->next;
        if (g->todo.first == NULL)
            g->todo.last = &g->todo.first;
        g->waiting -= j->body.len;
        pthread_mutex_unlock(&g->lock);
        j->gzip = compress_body(&g->there, &j->body);
        pthread_mutex_lock(&g->lock);
        list_add(&g->done, j);
        wake_loop(g);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *ctx) {
    struct rpc_gzip *g = ctx;
    uint64_t count;
    (void)what;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n; /* only to reset it */
    pthread_mutex_lock(&g->lock);
    struct job *j = g->done.first;
    list_init(&g->done);
    pthread_mutex_unlock(&g->lock);
    for (struct job *next; j != NULL; j = next) {
        next = j->next;
        g->pending--;
        g->fn(g->ctx, j->tag, &j->body, j->gzip);
        free(j);
    }
}

/* False: there is no room. */
static bool hand_over(struct rpc_gzip *g, uint64_t tag, struct buf *body) {
    struct job *j = malloc(sizeof(*j));
    if (j == NULL)
        return false;
    *j = (struct job){.tag = tag, .body = *body};
    pthread_mutex_lock(&g->lock);
    bool ok = g->waiting + body->len <= RPC_GZIP_WAITING_BYTES;
    if (ok) {
        g->waiting += body->len;
        list_add(&g->todo, j);
        pthread_cond_signal(&g->ready);
    }
    pthread_mutex_unlock(&g->lock);
    if (ok)
        g->pending++;
    else
        free(j);
    return ok;
}

void rpc_gzip_run(struct rpc_gzip *g, uint64_t tag, struct buf *body) {
    bool gzip = false;
    if (body->len > RPC_GZIP_AT_ONCE_BYTES && hand_over(g, tag, body))
        return;
    if (body->len > RPC_GZIP_MIN_BYTES && body->len <= RPC_GZIP_AT_ONCE_BYTES)
        gzip = compress_body(&g->here, body);
    g->fn(g->ctx, tag, body, gzip);
}

size_t rpc_gzip_pending(const struct rpc_gzip *g) {
    return g->pending;
}

/* --- life ---------------------------------------------------------------------------------- */
static bool stream_init(z_stream *z) {
    return deflateInit2(z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS, MEM_LEVEL,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

static enum err start(struct rpc_gzip *g, struct event_base *base, struct err_ctx *ec) {
    g->has_here = stream_init(&g->here);
    g->has_there = stream_init(&g->there);
    g->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (g->wake_fd >= 0)
        g->wake = event_new(base, g->wake_fd, EV_READ | EV_PERSIST, on_wake, g);
    if (!g->has_here || !g->has_there || g->wake == NULL || event_add(g->wake, NULL) != 0)
        FAIL(ec, ERR_NOMEM, "out of memory for compression");
    if (pthread_create(&g->thread, NULL, gzip_main, g) != 0)
        FAIL(ec, ERR_NOMEM, "cannot start the compression thread");
    g->has_thread = true;
    return ERR_OK;
}

struct rpc_gzip *rpc_gzip_new(struct event_base *base, rpc_gzip_fn fn, void *ctx,
                              struct err_ctx *ec) {
    struct rpc_gzip *g = calloc(1, sizeof(*g));
    if (g == NULL)
        return NULL;
    g->fn = fn;
    g->ctx = ctx;
    g->wake_fd = -1;
    list_init(&g->todo);
    list_init(&g->done);
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->ready, NULL);
    if (start(g, base, ec) != ERR_OK) {
        rpc_gzip_free(g);
        return NULL;
    }
    return g;
}

static void list_clear(struct list *l) {
    for (struct job *j = l->first, *next; j != NULL; j = next) {
        next = j->next;
        buf_clear(&j->body);
        free(j);
    }
}

void rpc_gzip_free(struct rpc_gzip *g) {
    if (g == NULL)
        return;
    pthread_mutex_lock(&g->lock);
    g->stopping = true;
    pthread_cond_signal(&g->ready);
    pthread_mutex_unlock(&g->lock);
    if (g->has_thread)
        pthread_join(g->thread, NULL);
    list_clear(&g->todo);
    list_clear(&g->done);
    if (g->has_here)
        deflateEnd(&g->here);
    if (g->has_there)
        deflateEnd(&g->there);
    if (g->wake != NULL)
        event_free(g->wake);
    if (g->wake_fd >= 0)
        close(g->wake_fd);
    pthread_cond_destroy(&g->ready);
    pthread_mutex_destroy(&g->lock);
    free(g);
}
