/* SPDX-License-Identifier: Apache-2.0 */
/* Keys: who asks; making, listing, revoking, rotating. */
#include "rpc/api_handlers.h"

#include "base/check.h"
#include "base/hex.h"
#include "rpc/api_keys.h"
#include "rpc/api_universe.h"
#include "rpc/api_write.h"
#include "rpc/json_writer.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 1024, DAY_MS = 86400000, PACKED_MAX = 256 };

/* Changes of keys under way: a fresh one, and one that changes; ended ones that are dropped. Ops
 * are in this order. */
struct key_change {
    struct api_write write;
    struct api_keys *all;
    struct api_key keys[2];
    struct buf values[2];
    uint8_t ids[API_WRITE_OPS_MAX][8];
    size_t count;
    size_t reserved;
    bool ended; /* the key that changes was revoked meanwhile */
    bool has_text;
    char text[API_KEY_TEXT_MAX];
};

static void change_free(void *state) {
    struct key_change *k = state;
    OPENSSL_cleanse(k->text, sizeof(k->text));
    api_keys_unreserve(k->all, k->reserved);
    buf_clear(&k->values[0]);
    buf_clear(&k->values[1]);
    free(k);
}

static struct key_change *change_new(struct rpc_call *c) {
    struct key_change *k = calloc(1, sizeof(*k));
    CHECK(k != NULL);
    k->all = c->cx->keys;
    buf_init(&k->values[0], PACKED_MAX);
    buf_init(&k->values[1], PACKED_MAX);
    c->state = k;
    c->state_free = change_free;
    return k;
}

static void add_change(struct key_change *k, const struct api_key *key) {
    size_t i = k->count++;
    k->keys[i] = *key;
    be64_store(k->ids[i], key->id);
    api_key_pack(&k->values[i], key);
    k->write.ops[i] = (struct kv_op){
        .space = KV_API_KEY, .key = bytes_of(k->ids[i], 8), .value = buf_bytes(&k->values[i])};
    k->write.count = k->count;
}

static uint64_t now_ms(const struct rpc_call *c) {
    return c->cx->node->now(c->cx->node->ctx) * 1000;
}

/* Ended keys of which there are too many go with the change. */
static void drop_surplus(struct rpc_call *c, struct key_change *k) {
    uint64_t ids[API_WRITE_OPS_MAX];
    size_t n = api_keys_surplus(k->all, k->keys[0].slug, now_ms(c), ids,
                                API_WRITE_OPS_MAX - k->write.count);
    for (size_t i = 0; i < n; i++) {
        uint8_t *id = k->ids[k->write.count];
        be64_store(id, ids[i]);
        k->write.ops[k->write.count++] =
            (struct kv_op){.space = KV_API_KEY, .del = true, .key = bytes_of(id, 8)};
    }
}

/* The keys are durable: they work from now on. */
static bool change_take(struct rpc_call *c, const struct key_change *k) {
    if (k->ended)
        api_fail(c, API_INVALID, "the key has ended already");
    if (rpc_failed(c) || !api_write_done(c, &k->write))
        return false;
    for (size_t i = 0; i < k->count; i++)
        api_keys_put(k->all, &k->keys[i]);
    for (size_t i = k->count; i < k->write.count; i++)
        api_keys_drop(k->all, be64_load(k->ids[i]));
    return true;
}

static void print_new_key(struct rpc_call *c, const struct key_change *k) {
    struct json_writer w;
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_key(&w, "key");
    api_key_print(&w, &k->keys[0]);
    jw_m_text(&w, "secret", k->text);
    jw_object_end(&w);
}

/* --- routes -------------------------------------------------------------------------------- */
void api_whoami(struct rpc_call *c) {
    const struct api_principal *who = &c->origin->who;
    struct api_key key = {.kind = who->kind, .scopes = who->scopes};
    struct json_writer w;
    memcpy(key.slug, who->slug, sizeof(key.slug));
    if (who->key_id != 0)
        (void)api_keys_get(c->cx->keys, who->key_id, &key);
    jw_init(&w, &c->result);
    jw_object(&w);
    jw_key(&w, "key");
    api_key_print(&w, &key);
    jw_object_end(&w);
}

/* Scopes asked for, which must be of the kind and of the one who asks; all of the kind's without.
 */
static bool take_scopes(struct rpc_call *c, struct api_key *key) {
    uint32_t may = api_scopes_of_kind(key->kind);
    json_t *list = api_arg(c, "scopes");
    if (c->origin->who.kind != API_KEY_ADMIN)
        may &= c->origin->who.scopes;
    key->scopes = list == NULL ? may : 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        uint32_t bit = api_scope_find(name);
        if ((bit & may) == 0) {
            api_fail(c, bit == 0 ? API_INVALID : API_FORBIDDEN, "scope '%.16s': %s", name,
                     bit == 0 ? "there is none of this name" : "this key cannot give it");
            return false;
        }
        key->scopes |= bit;
    }
    return true;
}

/* No key lives longer than the one that asked for it. */
static void cap_expiry(struct rpc_call *c, struct api_key *key) {
    struct api_key who = {0};
    if (c->origin->who.key_id == 0 || !api_keys_get(c->cx->keys, c->origin->who.key_id, &who))
        return;
    if (who.expires_ms != 0 && (key->expires_ms == 0 || key->expires_ms > who.expires_ms))
        key->expires_ms = who.expires_ms;
}

static bool has_room(struct rpc_call *c, const struct api_key *key) {
    if (api_keys_live(c->cx->keys, key->slug, now_ms(c)) < KEYS_PER_UNIVERSE_MAX)
        return true;
    api_fail(c, API_LIMIT, "a universe has at most %d API keys", KEYS_PER_UNIVERSE_MAX);
    return false;
}

static bool take_times(struct rpc_call *c, struct api_key *key) {
    key->created_ms = now_ms(c);
    if (api_arg(c, "expiresAt") != NULL)
        CHECK(api_u64(api_arg(c, "expiresAt"), &key->expires_ms));
    if (key->expires_ms != 0 && key->expires_ms <= key->created_ms) {
        api_fail(c, API_INVALID, "expiresAt: the time (milliseconds since 1970) has passed");
        return false;
    }
    cap_expiry(c, key);
    return has_room(c, key);
}

/* A fresh key, and one that changes with it or NULL. */
static void begin_key(struct rpc_call *c, struct api_key *key, const struct api_key *also) {
    struct api_universe u;
    if (!api_universe_load(c, &u))
        return;
    struct key_change *k = change_new(c);
    if (!api_keys_reserve(k->all, 1)) {
        api_fail(c, API_LIMIT, "this node has no room for more API keys");
        return;
    }
    k->reserved = 1;
    if (!api_key_make(k->all, key, k->text)) {
        api_fail(c, API_INTERNAL, "the system has no random bytes");
        return;
    }
    add_change(k, key);
    if (also != NULL)
        add_change(k, also);
    drop_surplus(c, k);
    api_write_ask(c, &k->write);
}

void api_key_create(struct rpc_call *c) {
    if (c->state != NULL) {
        if (change_take(c, c->state))
            print_new_key(c, c->state);
        return;
    }
    struct api_key key = {0};
    const char *kind = api_arg_text(c, "kind");
    if (strcmp(kind, "secret") == 0)
        key.kind = API_KEY_SECRET;
    else if (strcmp(kind, "publishable") == 0)
        key.kind = API_KEY_PUBLISHABLE;
    else
        api_fail(c, API_INVALID, "kind: want secret or publishable");
    memcpy(key.slug, api_slug(c), strlen(api_slug(c)) + 1);
    memcpy(key.label, api_arg_text(c, "label"), strlen(api_arg_text(c, "label")) + 1);
    if (!rpc_failed(c) && take_scopes(c, &key) && take_times(c, &key))
        begin_key(c, &key, NULL);
}

void api_key_list(struct rpc_call *c) {
    struct api_key *keys = calloc(LIST_MAX, sizeof(*keys));
    struct json_writer w;
    CHECK(keys != NULL);
    size_t n = api_keys_list(c->cx->keys, api_slug(c), keys, LIST_MAX);
    jw_init(&w, &c->result);
    jw_array(&w);
    for (size_t i = 0; i < n && i < LIST_MAX; i++)
        api_key_print(&w, &keys[i]);
    jw_array_end(&w);
    free(keys);
}

/* The key that the path names, of this universe. */
static bool find_key(struct rpc_call *c, struct api_key *out) {
    const char *text = api_arg_text(c, "key");
    uint8_t id[8];
    bool ok = strlen(text) == 16 && hex_decode_fixed(id, 8, text) == ERR_OK &&
              api_keys_get(c->cx->keys, be64_load(id), out) && strcmp(out->slug, api_slug(c)) == 0;
    if (!ok)
        api_fail(c, API_NOT_FOUND, "there is no such key");
    return ok;
}

/* Changes are asked for on the loop, one after the other, and written in that order. What has been
 * revoked by then must not be written as if it had not. */
static void ask_revoke(struct rpc_call *c, struct rpc_wake wake) {
    struct key_change *k = c->state;
    api_keys_revoke(k->all, k->keys[0].id, k->keys[0].revoked_ms);
    api_write_start(&k->write, wake);
}

static void ask_rotate(struct rpc_call *c, struct rpc_wake wake) {
    struct key_change *k = c->state;
    struct api_key old;
    k->ended = !api_keys_get(k->all, k->keys[1].id, &old) || old.revoked_ms != 0;
    if (k->ended)
        rpc_wake_up(wake);
    else
        api_write_start(&k->write, wake);
}

void api_key_revoke(struct rpc_call *c) {
    struct json_writer w;
    struct api_key key;
    if (c->state == NULL) {
        if (!find_key(c, &key))
            return;
        if (key.revoked_ms == 0)
            key.revoked_ms = now_ms(c);
        struct key_change *k = change_new(c);
        add_change(k, &key);
        api_write_ask(c, &k->write);
        c->ask = ask_revoke;
        return;
    }
    const struct key_change *k = c->state;
    if (!change_take(c, k))
        return;
    jw_init(&w, &c->result);
    api_key_print(&w, &k->keys[0]);
}

void api_key_rotate(struct rpc_call *c) {
    struct api_key old, fresh = {0};
    uint64_t overlap = DAY_MS;
    if (c->state != NULL) {
        if (change_take(c, c->state))
            print_new_key(c, c->state);
        return;
    }
    if (api_arg(c, "overlapMs") != NULL)
        CHECK(api_u64(api_arg(c, "overlapMs"), &overlap));
    if (!find_key(c, &old))
        return;
    if (overlap > KEYS_OVERLAP_MAX_MS || old.revoked_ms != 0 ||
        (old.expires_ms != 0 && old.expires_ms <= now_ms(c))) {
        api_fail(c, API_INVALID,
                 overlap > KEYS_OVERLAP_MAX_MS ? "overlapMs: at most thirty days"
                                               : "the key has ended already");
        return;
    }
    if (c->origin->who.kind != API_KEY_ADMIN && (old.scopes & ~c->origin->who.scopes) != 0) {
        api_fail(c, API_FORBIDDEN, "the key may do more than the one that asks");
        return;
    }
    if (!has_room(c, &old))
        return;
    fresh.kind = old.kind;
    fresh.scopes = old.scopes;
    fresh.created_ms = now_ms(c);
    fresh.expires_ms = old.expires_ms; /* what is temporary stays so */
    cap_expiry(c, &fresh);
    memcpy(fresh.slug, old.slug, sizeof(fresh.slug));
    memcpy(fresh.label, old.label, sizeof(fresh.label));
    uint64_t ends = fresh.created_ms + overlap;
    if (old.expires_ms == 0 || ends < old.expires_ms)
        old.expires_ms = ends > fresh.created_ms ? ends : fresh.created_ms;
    begin_key(c, &fresh, &old);
    if (!rpc_failed(c))
        c->ask = ask_rotate;
}
