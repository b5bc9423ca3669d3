/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/derive_senders.h"

#include "base/check.h"
#include "base/secp.h"

static enum err count_item(void *ctx, uint8_t l2_kind, bytes body, const hash32 *request_id) {
    size_t *count = ctx;
    (void)body;
    (void)request_id;
    *count += l2_kind == L2_SIGNED_TX;
    return ERR_OK;
}

struct collect {
    struct arena *arena;
    hash32 *digests;
    struct secp_sig *sigs;
    size_t count;
};

/* An item that does not decode keeps a signature of zeros, which recovers to nobody. */
static enum err collect_item(void *ctx, uint8_t l2_kind, bytes body, const hash32 *request_id) {
    struct collect *c = ctx;
    struct tx tx;
    (void)request_id;
    if (l2_kind != L2_SIGNED_TX)
        return ERR_OK;
    struct arena_mark mark = arena_mark(c->arena);
    if (tx_decode(&tx, c->arena, body, false, NULL) == ERR_OK) {
        c->digests[c->count] = tx.sighash;
        c->sigs[c->count] = tx.sig;
    }
    arena_reset_to(c->arena, mark);
    c->count++;
    return ERR_OK;
}

static const hash32 *id_of(const struct message *m) {
    return m->has_request_id ? &m->request_id : NULL;
}

void senders_prepare(struct senders *s, struct arena *a, const struct message *m,
                     const uint8_t *known, size_t known_count) {
    *s = (struct senders){0};
    CHECK(message_each_l2(m->data, id_of(m), count_item, &s->count) == ERR_OK);
    if (known != NULL && known_count == s->count) {
        s->known = known;
        return;
    }
    if (s->count < 2)
        return;
    addr20 *addrs = arena_zalloc(a, s->count * sizeof(*addrs));
    bool *ok = arena_zalloc(a, s->count * sizeof(*ok));
    struct arena_mark mark = arena_mark(a);
    struct collect c = {.arena = a,
                        .digests = arena_zalloc(a, s->count * sizeof(hash32)),
                        .sigs = arena_zalloc(a, s->count * sizeof(struct secp_sig))};
    CHECK(message_each_l2(m->data, id_of(m), collect_item, &c) == ERR_OK);
    CHECK(c.count == s->count);
    secp_recover_batch(addrs, ok, c.digests, c.sigs, c.count);
    arena_reset_to(a, mark);
    s->recovered = addrs;
    s->ok = ok;
}

bool senders_take(struct senders *s, struct tx *tx) {
    CHECK(s->next < s->count);
    size_t i = s->next++;
    if (s->known == NULL && s->recovered == NULL)
        return tx_recover_sender(tx) == ERR_OK;
    if (s->known == NULL && !s->ok[i])
        return false;
    memcpy(tx->sender.b, s->known != NULL ? s->known + 20 * i : s->recovered[i].b, 20);
    tx->has_sender = true;
    return true;
}

void senders_skip(struct senders *s) {
    CHECK(s->next < s->count);
    s->next++;
}
