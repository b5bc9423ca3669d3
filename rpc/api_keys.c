/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/api_keys.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/map.h"
#include "rpc/json_writer.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LOADED_MAX = 1 << 30, /* KEYS_MAX is for new ones */
    KEY_VERSION = 1,
    ID_DIGITS = 16,
    SECRET_DIGITS = 2 * KEYS_SECRET_BYTES,
    TEXT_LEN = 3 + ID_DIGITS + 1 + SECRET_DIGITS,
    PACKED_FIXED = 1 + 1 + 4 + 8 + 8 + 8 + 32 + 1,
};

struct kept {
    struct api_key key;
    struct kept *next; /* of the universe */
};
struct api_keys {
    const struct node_commands *node;
    pthread_mutex_t lock;
    struct map by_id;       /* u64 -> struct kept * */
    struct map by_universe; /* slug and zeros -> struct kept *: any of its keys */
    size_t reserved;
    bool bad; /* a row cannot be read */
};

/* --- scopes -------------------------------------------------------------------------------- */
static const struct scope {
    const char *name;
    uint32_t bit;
    bool publishable;
} scopes[] = {
#define SCOPE(id, bit, name, publishable, what) {name, API_SCOPE_##id, publishable},
#include "rpc/api_scopes.def"
#undef SCOPE
};

uint32_t api_scope_find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
        if (strcmp(scopes[i].name, name) == 0)
            return scopes[i].bit;
    return 0;
}

uint32_t api_scopes_of_kind(enum api_key_kind kind) {
    uint32_t all = 0;
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        bool admin = scopes[i].bit == API_SCOPE_ADMIN;
        if (kind == API_KEY_ADMIN || (kind == API_KEY_SECRET && !admin) ||
            (kind == API_KEY_PUBLISHABLE && scopes[i].publishable))
            all |= scopes[i].bit;
    }
    return kind == API_KEY_NONE ? 0 : all;
}

static const char *const kind_names[] = {
    [API_KEY_NONE] = "none",
    [API_KEY_ADMIN] = "admin",
    [API_KEY_SECRET] = "secret",
    [API_KEY_PUBLISHABLE] = "publishable",
};
static const char kind_letters[] = {'?', 'a', 's', 'p'};

const char *api_key_kind_name(enum api_key_kind kind) {
    return kind_names[kind];
}

/* --- texts --------------------------------------------------------------------------------- */
static void hash_secret(const struct api_keys *k, uint8_t out[32], uint64_t id,
                        const uint8_t secret[KEYS_SECRET_BYTES]) {
    uint8_t in[8 + KEYS_SECRET_BYTES];
    unsigned len = 32;
    be64_store(in, id);
    memcpy(in + 8, secret, KEYS_SECRET_BYTES);
    CHECK(HMAC(EVP_sha256(), k->node->api_pepper, 32, in, sizeof(in), out, &len) != NULL);
    CHECK(len == 32);
    OPENSSL_cleanse(in, sizeof(in));
}

static enum api_key_kind kind_of_letter(uint8_t c) {
    for (size_t i = API_KEY_ADMIN; i < ARRAY_LEN(kind_letters); i++)
        if (kind_letters[i] == (char)c)
            return (enum api_key_kind)i;
    return API_KEY_NONE;
}

/* kind, id and secret of a text; false: it is none. */
static bool parse_text(bytes text, enum api_key_kind *out_kind, uint64_t *out_id,
                       uint8_t secret[KEYS_SECRET_BYTES]) {
    uint8_t id[8];
    char digits[SECRET_DIGITS + 1];
    if (text.len != TEXT_LEN || text.ptr[1] != 'k' || text.ptr[2] != '_' ||
        text.ptr[3 + ID_DIGITS] != '_')
        return false;
    *out_kind = kind_of_letter(text.ptr[0]);
    memcpy(digits, text.ptr + 3, ID_DIGITS);
    digits[ID_DIGITS] = '\0';
    bool ok = *out_kind != API_KEY_NONE && hex_decode_fixed(id, 8, digits) == ERR_OK;
    memcpy(digits, text.ptr + 4 + ID_DIGITS, SECRET_DIGITS);
    digits[SECRET_DIGITS] = '\0';
    ok = ok && digits[1] != 'x' && hex_decode_fixed(secret, KEYS_SECRET_BYTES, digits) == ERR_OK;
    OPENSSL_cleanse(digits, sizeof(digits));
    *out_id = ok ? be64_load(id) : 0;
    return ok;
}

bool api_key_text_ok(bytes text) {
    enum api_key_kind kind;
    uint64_t id;
    uint8_t secret[KEYS_SECRET_BYTES];
    bool ok = parse_text(text, &kind, &id, secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    return ok;
}

bool api_key_make(struct api_keys *k, struct api_key *key, char out_text[API_KEY_TEXT_MAX]) {
    uint8_t secret[KEYS_SECRET_BYTES], id[8];
    do {
        if (RAND_bytes(id, 8) != 1 || RAND_bytes(secret, sizeof(secret)) != 1)
            return false;
        key->id = be64_load(id);
    } while (key->id == 0 || api_keys_get(k, key->id, NULL));
    hash_secret(k, key->hash, key->id, secret);
    char digits[SECRET_DIGITS + 1] = {0};
    hex_encode(digits, secret, sizeof(secret));
    snprintf(out_text, API_KEY_TEXT_MAX, "%ck_%016" PRIx64 "_%s", kind_letters[key->kind], key->id,
             digits);
    OPENSSL_cleanse(secret, sizeof(secret));
    OPENSSL_cleanse(digits, sizeof(digits));
    return true;
}

/* --- values -------------------------------------------------------------------------------- */
/* version u8 | kind u8 | scopes u32 | created, expires, revoked u64 ms | hash 32 | slug length u8 |
 * slug | label to the end */
void api_key_pack(struct buf *out, const struct api_key *key) {
    uint8_t n[8];
    size_t slug_len = strlen(key->slug);
    buf_append_byte(out, KEY_VERSION);
    buf_append_byte(out, (uint8_t)key->kind);
    be32_store(n, key->scopes);
    buf_append(out, n, 4);
    const uint64_t times[] = {key->created_ms, key->expires_ms, key->revoked_ms};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        be64_store(n, times[i]);
        buf_append(out, n, 8);
    }
    buf_append(out, key->hash, 32);
    buf_append_byte(out, (uint8_t)slug_len);
    buf_append(out, key->slug, slug_len);
    buf_append_str(out, key->label);
}

enum err api_key_unpack(struct api_key *out, bytes id, bytes value) {
    struct api_key k = {0};
    const uint8_t *p = value.ptr;
    if (id.len != 8 || value.len < PACKED_FIXED)
        return ERR_CORRUPT;
    if (p[0] != KEY_VERSION)
        return ERR_VERSION;
    size_t slug_len = p[PACKED_FIXED - 1], label_len = value.len - PACKED_FIXED - slug_len;
    if (p[1] == 0 || p[1] > API_KEY_PUBLISHABLE || slug_len > API_SLUG_MAX ||
        slug_len > value.len - PACKED_FIXED || label_len > API_LABEL_MAX)
        return ERR_CORRUPT;
    k.id = be64_load(id.ptr);
    k.kind = (enum api_key_kind)p[1];
    k.scopes = be32_load(p + 2);
    k.created_ms = be64_load(p + 6);
    k.expires_ms = be64_load(p + 14);
    k.revoked_ms = be64_load(p + 22);
    memcpy(k.hash, p + 30, 32);
    memcpy(k.slug, p + PACKED_FIXED, slug_len);
    memcpy(k.label, p + PACKED_FIXED + slug_len, label_len);
    *out = k;
    return ERR_OK;
}

/* --- keeping ------------------------------------------------------------------------------- */
static bool load_one(void *ctx, bytes id, bytes value) {
    struct api_keys *k = ctx;
    struct api_key key;
    enum err e = api_key_unpack(&key, id, value);
    if (e == ERR_OK) {
        api_keys_put(k, &key);
        return true;
    }
    log_error("rpc", "an API key cannot be read", log_error_code(e));
    k->bad = true;
    return false;
}

struct api_keys *api_keys_new(const struct node_commands *node) {
    static const uint8_t first[8];
    struct api_keys *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return NULL;
    k->node = node;
    pthread_mutex_init(&k->lock, NULL);
    map_init(&k->by_id, 8, sizeof(struct kept *), LOADED_MAX, map_seed_random());
    map_init(&k->by_universe, API_SLUG_MAX + 1, sizeof(struct kept *), LOADED_MAX,
             map_seed_random());
    if (node->kv_each != NULL)
        node->kv_each(node->ctx, KV_API_KEY, bytes_of(first, 8), load_one, k);
    if (k->bad) {
        api_keys_free(k);
        return NULL;
    }
    return k;
}

void api_keys_free(struct api_keys *k) {
    if (k == NULL)
        return;
    void *value;
    const void *id;
    for (size_t it = 0; map_next(&k->by_id, &it, &id, &value);)
        free(*(struct kept **)value);
    map_clear(&k->by_id);
    map_clear(&k->by_universe);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* With the lock held, as all that begins with key_ or first_. */
static struct kept *key_find(const struct api_keys *k, uint64_t id) {
    struct kept **at = map_get(&k->by_id, &id);
    return at != NULL ? *at : NULL;
}

static void universe_key(char out[API_SLUG_MAX + 1], const char *slug) {
    memset(out, 0, API_SLUG_MAX + 1);
    snprintf(out, API_SLUG_MAX + 1, "%s", slug);
}

static struct kept **first_of(const struct api_keys *k, const char *slug) {
    char name[API_SLUG_MAX + 1];
    universe_key(name, slug);
    return map_get(&k->by_universe, name);
}

static struct kept *key_add(struct api_keys *k, const struct api_key *key) {
    char name[API_SLUG_MAX + 1];
    void *first = NULL;
    struct kept *fresh = calloc(1, sizeof(*fresh));
    CHECK(fresh != NULL);
    universe_key(name, key->slug);
    CHECK(map_put(&k->by_id, &key->id, &fresh) == ERR_OK);
    CHECK(map_ensure(&k->by_universe, name, &first, NULL) == ERR_OK);
    fresh->next = *(struct kept **)first;
    *(struct kept **)first = fresh;
    return fresh;
}

/* The earlier of two times, of which 0 is none. */
static uint64_t earlier(uint64_t a, uint64_t b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

bool api_keys_reserve(struct api_keys *k, size_t count) {
    pthread_mutex_lock(&k->lock);
    bool ok = k->by_id.count + k->reserved + count <= KEYS_MAX;
    k->reserved += ok ? count : 0;
    pthread_mutex_unlock(&k->lock);
    return ok;
}

void api_keys_unreserve(struct api_keys *k, size_t count) {
    pthread_mutex_lock(&k->lock);
    CHECK(k->reserved >= count);
    k->reserved -= count;
    pthread_mutex_unlock(&k->lock);
}

void api_keys_put(struct api_keys *k, const struct api_key *key) {
    pthread_mutex_lock(&k->lock);
    struct kept *at = key_find(k, key->id);
    if (at == NULL) {
        at = key_add(k, key);
        at->key = *key;
    } else {
        const struct api_key before = at->key;
        at->key = *key;
        at->key.expires_ms = earlier(before.expires_ms, key->expires_ms);
        at->key.revoked_ms = earlier(before.revoked_ms, key->revoked_ms);
        at->key.used_ms = before.used_ms;
    }
    pthread_mutex_unlock(&k->lock);
}

void api_keys_revoke(struct api_keys *k, uint64_t id, uint64_t now_ms) {
    pthread_mutex_lock(&k->lock);
    struct kept *at = key_find(k, id);
    if (at != NULL && at->key.revoked_ms == 0)
        at->key.revoked_ms = now_ms;
    pthread_mutex_unlock(&k->lock);
}

void api_keys_drop(struct api_keys *k, uint64_t id) {
    pthread_mutex_lock(&k->lock);
    struct kept *gone = key_find(k, id);
    if (gone != NULL) {
        struct kept **at = first_of(k, gone->key.slug);
        while (*at != gone)
            at = &(*at)->next;
        *at = gone->next;
        (void)map_del(&k->by_id, &id);
        free(gone);
    }
    pthread_mutex_unlock(&k->lock);
}

bool api_keys_get(struct api_keys *k, uint64_t id, struct api_key *out) {
    pthread_mutex_lock(&k->lock);
    const struct kept *at = key_find(k, id);
    if (at != NULL && out != NULL)
        *out = at->key;
    pthread_mutex_unlock(&k->lock);
    return at != NULL;
}

static bool is_live(const struct api_key *key, uint64_t now_ms) {
    return key->revoked_ms == 0 && (key->expires_ms == 0 || key->expires_ms > now_ms);
}

static int by_creation(const void *a, const void *b) {
    const struct api_key *x = a, *y = b;
    if (x->created_ms != y->created_ms)
        return x->created_ms < y->created_ms ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int by_end(const void *a, const void *b) {
    const struct api_key *x = a, *y = b;
    uint64_t x_ms = earlier(x->revoked_ms, x->expires_ms);
    uint64_t y_ms = earlier(y->revoked_ms, y->expires_ms);
    return x_ms != y_ms ? (x_ms < y_ms ? -1 : 1) : by_creation(a, b);
}

/* All of a universe, to be freed. */
static struct api_key *copy_all(struct api_keys *k, const char *slug, size_t *out_count) {
    size_t n = 0;
    pthread_mutex_lock(&k->lock);
    struct kept **first = first_of(k, slug);
    for (const struct kept *i = first != NULL ? *first : NULL; i != NULL; i = i->next)
        n++;
    struct api_key *all = calloc(n + 1, sizeof(*all));
    CHECK(all != NULL);
    *out_count = n;
    for (const struct kept *i = n > 0 ? *first : NULL; i != NULL; i = i->next)
        all[--n] = i->key;
    pthread_mutex_unlock(&k->lock);
    return all;
}

size_t api_keys_list(struct api_keys *k, const char *slug, struct api_key *out, size_t max) {
    size_t n = 0;
    struct api_key *all = copy_all(k, slug, &n);
    qsort(all, n, sizeof(*all), by_creation);
    if (max > 0)
        memcpy(out, all, (n < max ? n : max) * sizeof(*all));
    free(all);
    return n;
}

size_t api_keys_live(struct api_keys *k, const char *slug, uint64_t now_ms) {
    size_t live = 0;
    pthread_mutex_lock(&k->lock);
    struct kept **first = first_of(k, slug);
    for (const struct kept *i = first != NULL ? *first : NULL; i != NULL; i = i->next)
        live += is_live(&i->key, now_ms);
    pthread_mutex_unlock(&k->lock);
    return live;
}

size_t api_keys_surplus(struct api_keys *k, const char *slug, uint64_t now_ms, uint64_t *out_ids,
                        size_t max) {
    size_t n = 0, ended = 0;
    struct api_key *all = copy_all(k, slug, &n);
    for (size_t i = 0; i < n; i++)
        if (!is_live(&all[i], now_ms))
            all[ended++] = all[i];
    qsort(all, ended, sizeof(*all), by_end);
    size_t count = ended < KEYS_ENDED_MAX ? 0 : ended - KEYS_ENDED_MAX + 1;
    count = count < max ? count : max;
    for (size_t i = 0; i < count; i++)
        out_ids[i] = all[i].id;
    free(all);
    return count;
}

/* --- checking ------------------------------------------------------------------------------ */
static enum api_key_verdict check_admin(const struct api_keys *k, bytes text,
                                        struct api_principal *out) {
    const char *admin = k->node->admin_key;
    if (admin == NULL || strlen(admin) != text.len || CRYPTO_memcmp(admin, text.ptr, text.len) != 0)
        return API_KEY_UNKNOWN;
    *out =
        (struct api_principal){.kind = API_KEY_ADMIN, .scopes = api_scopes_of_kind(API_KEY_ADMIN)};
    return API_KEY_OK;
}

static enum api_key_verdict verdict_of(const struct api_key *key, uint64_t now_ms) {
    if (key->revoked_ms != 0)
        return API_KEY_REVOKED;
    return is_live(key, now_ms) ? API_KEY_OK : API_KEY_EXPIRED;
}

enum api_key_verdict api_keys_check(struct api_keys *k, bytes text, uint64_t now_ms,
                                    struct api_principal *out) {
    uint8_t secret[KEYS_SECRET_BYTES], hash[32];
    enum api_key_kind kind = API_KEY_NONE;
    uint64_t id = 0;
    enum api_key_verdict v = API_KEY_UNKNOWN;
    if (!parse_text(text, &kind, &id, secret))
        return API_KEY_UNKNOWN;
    if (kind == API_KEY_ADMIN)
        return check_admin(k, text, out);
    hash_secret(k, hash, id, secret);
    OPENSSL_cleanse(secret, sizeof(secret));
    pthread_mutex_lock(&k->lock);
    struct kept *at = key_find(k, id);
    if (at != NULL && at->key.kind == kind && CRYPTO_memcmp(at->key.hash, hash, 32) == 0) {
        struct api_key *key = &at->key;
        v = verdict_of(key, now_ms);
        if (v == API_KEY_OK) {
            key->used_ms = now_ms;
            *out = (struct api_principal){.kind = kind, .key_id = id, .scopes = key->scopes};
            memcpy(out->slug, key->slug, sizeof(out->slug));
        }
    }
    pthread_mutex_unlock(&k->lock);
    return v;
}

enum api_key_verdict api_keys_recheck(struct api_keys *k, uint64_t id, uint64_t now_ms) {
    enum api_key_verdict v = API_KEY_UNKNOWN;
    pthread_mutex_lock(&k->lock);
    struct kept *at = key_find(k, id);
    if (at != NULL)
        v = verdict_of(&at->key, now_ms);
    if (v == API_KEY_OK)
        at->key.used_ms = now_ms;
    pthread_mutex_unlock(&k->lock);
    return v;
}

const char *api_key_verdict_text(enum api_key_verdict v) {
    static const char *const texts[] = {
        [API_KEY_OK] = "",
        [API_KEY_UNKNOWN] = "the API key is not known",
        [API_KEY_EXPIRED] = "the API key has expired",
        [API_KEY_REVOKED] = "the API key was revoked",
    };
    return texts[v];
}

/* --- printing ------------------------------------------------------------------------------ */
static void print_time(struct json_writer *w, const char *name, uint64_t ms) {
    if (ms == 0)
        return;
    jw_key(w, name);
    jw_int(w, (int64_t)ms);
}

void api_key_print(struct json_writer *w, const struct api_key *key) {
    char id[ID_DIGITS + 1];
    snprintf(id, sizeof(id), "%016" PRIx64, key->id);
    jw_object(w);
    jw_m_text(w, "id", id);
    if (key->slug[0] != '\0')
        jw_m_text(w, "universe", key->slug);
    jw_m_text(w, "kind", api_key_kind_name(key->kind));
    jw_key(w, "scopes");
    jw_array(w);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++)
        if ((key->scopes & scopes[i].bit) != 0)
            jw_text(w, scopes[i].name);
    jw_array_end(w);
    jw_m_text(w, "label", key->label);
    jw_key(w, "createdAt");
    jw_int(w, (int64_t)key->created_ms);
    print_time(w, "expiresAt", key->expires_ms);
    print_time(w, "revokedAt", key->revoked_ms);
    print_time(w, "lastUsedAt", key->used_ms);
    jw_object_end(w);
}
