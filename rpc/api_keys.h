/* SPDX-License-Identifier: Apache-2.0 */
/* API keys. A key's text is sk_<id>_<secret> (secret: for backends) or pk_<id>_<secret>
 * (publishable: for games in players' hands, reads only), id 16 and secret 64 hexadecimal digits of
 * random bytes. Kept are the public id and HMAC-SHA256(pepper, id | secret), never the secret; the
 * pepper is the node's own and not in the log. The operator's admin key is ak_<id>_<secret>.
 *
 * All keys are in RAM: checking one touches neither store nor disk. Comparisons take the same time
 * wherever texts differ. Thread-safe.
 *
 * Limits: KEYS_MAX of a node; of a universe KEYS_PER_UNIVERSE_MAX that work, and of those that have
 * ended the KEYS_ENDED_MAX newest: further ones are dropped when another is made. */
#ifndef RPC_API_KEYS_H
#define RPC_API_KEYS_H

#include "rpc/api.h"

enum {
    KEYS_MAX = 1 << 18,
    KEYS_PER_UNIVERSE_MAX = 64, /* that are neither revoked nor expired */
    KEYS_ENDED_MAX = 64,        /* of a universe that are */
    KEYS_SECRET_BYTES = 32,
};
#define KEYS_OVERLAP_MAX_MS (30 * UINT64_C(86400000))

struct api_key {
    uint64_t id;
    enum api_key_kind kind;
    char slug[API_SLUG_MAX + 1];
    uint32_t scopes;
    uint64_t created_ms, expires_ms, revoked_ms; /* 0: not */
    uint8_t hash[32];
    char label[API_LABEL_MAX + 1];
    uint64_t used_ms; /* last; not kept over a restart */
};

struct api_keys;
/* Reads all keys from the node's own values. `node` is borrowed. NULL: out of memory, or a key
 * cannot be read, which is logged. */
struct api_keys *api_keys_new(const struct node_commands *node) MUST_USE;
void api_keys_free(struct api_keys *k);

enum api_key_verdict { API_KEY_OK, API_KEY_UNKNOWN, API_KEY_EXPIRED, API_KEY_REVOKED };
/* Who shows this text. A wrong secret is UNKNOWN. */
enum api_key_verdict api_keys_check(struct api_keys *k, bytes text, uint64_t now_ms,
                                    struct api_principal *out);
/* Whether a key still works that was shown before, as when a connection was opened. */
enum api_key_verdict api_keys_recheck(struct api_keys *k, uint64_t id, uint64_t now_ms);
/* A sentence for all but OK. */
const char *api_key_verdict_text(enum api_key_verdict v);

/* A fresh key with random id and secret; the rest is filled in already. `out_text` gets what is
 * shown once. False: no random bytes. */
bool api_key_make(struct api_keys *k, struct api_key *key, char out_text[API_KEY_TEXT_MAX]);
/* Whether a text has the form that keys have. */
bool api_key_text_ok(bytes text);
/* As the node's own values have it. */
void api_key_pack(struct buf *out, const struct api_key *key);
enum err api_key_unpack(struct api_key *out, bytes id, bytes value) MUST_USE;

/* Room for keys that are about to be written, until they are put or given up; false: KEYS_MAX. */
bool api_keys_reserve(struct api_keys *k, size_t count) MUST_USE;
void api_keys_unreserve(struct api_keys *k, size_t count);
/* After the change is durable, in whatever order changes are told: what has been revoked stays so,
 * and a time of expiry is not taken back. */
void api_keys_put(struct api_keys *k, const struct api_key *key);
/* The key ends at once, though its row is still to be written. */
void api_keys_revoke(struct api_keys *k, uint64_t id, uint64_t now_ms);
/* Its row is gone. */
void api_keys_drop(struct api_keys *k, uint64_t id);
/* Ended keys of a universe, those that ended first, which leave KEYS_ENDED_MAX others less one; at
 * most `max`. */
size_t api_keys_surplus(struct api_keys *k, const char *slug, uint64_t now_ms, uint64_t *out_ids,
                        size_t max);
bool api_keys_get(struct api_keys *k, uint64_t id, struct api_key *out);
/* Keys of a universe, at most `max`, by time of creation; how many there are. */
size_t api_keys_list(struct api_keys *k, const char *slug, struct api_key *out, size_t max);
/* Those that work now. */
size_t api_keys_live(struct api_keys *k, const char *slug, uint64_t now_ms);

/* "read", ... to a bit; 0: none. */
uint32_t api_scope_find(const char *name);
/* All that a kind of key may have. */
uint32_t api_scopes_of_kind(enum api_key_kind kind);
const char *api_key_kind_name(enum api_key_kind kind);
struct json_writer;
void api_key_print(struct json_writer *w, const struct api_key *key);

#endif
