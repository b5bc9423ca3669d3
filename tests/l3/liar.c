/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the node with one rule of its own, for tests of those who must find it out. Method: linked
 * into $(B)/liar with --wrap, so that these functions stand before the program's; everything else
 * is the program as it is. What it does is the same on each node that runs it with the same
 * environment:
 *
 *   LIE=stateRoot   block LIE_FROM has another state root than its state
 *   LIE=sendRoot    ... another send root than its messages to the parent
 *   LIE=deposit     from delayed message LIE_FROM on, reports of batches are deposits for LIE_FOR
 *   LIE=sponsor     a universe pays for LIE_FOR's transactions though its targets do not name them
 *   LIE=sender      LIE_FOR pays for what a universe has to pay for
 */
#include "base/check.h"
#include "base/hex.h"
#include "chain/derive.h"
#include "chain/universe.h"
#include "node/mirror.h"

#include <errno.h>
#include <stdlib.h>

enum { DEPOSIT_BYTES = 52 /* address 20 | wei 32 */ };

void __real_chain_seal_block(struct derived_block *b, struct chain *c, struct state_trie *t);
void __wrap_chain_seal_block(struct derived_block *b, struct chain *c, struct state_trie *t);
enum sponsor_rule __real_universe_sponsor_rule(struct world *w, uint64_t id, const struct tx *tx,
                                               uint64_t gas, const u256 *price, uint64_t now_s);
enum sponsor_rule __wrap_universe_sponsor_rule(struct world *w, uint64_t id, const struct tx *tx,
                                               uint64_t gas, const u256 *price, uint64_t now_s);
enum err __real_mirror_delayed_at(struct mirror *m, struct arena *a, uint64_t index,
                                  struct mirror_delayed *out);
enum err __wrap_mirror_delayed_at(struct mirror *m, struct arena *a, uint64_t index,
                                  struct mirror_delayed *out);

static bool lie_is(const char *name) {
    const char *lie = getenv("LIE");
    return lie != NULL && strcmp(lie, name) == 0;
}

static uint64_t lie_from(void) {
    const char *text = getenv("LIE_FROM");
    char *end = NULL;
    errno = 0;
    uint64_t n = text == NULL ? 0 : strtoull(text, &end, 10);
    CHECK(text != NULL && end != text && *end == '\0' && errno == 0);
    return n;
}

static addr20 lie_for(void) {
    const char *text = getenv("LIE_FOR");
    addr20 a;
    CHECK(text != NULL && strncmp(text, "0x", 2) == 0 && strlen(text) == 42);
    CHECK(hex_decode_fixed(a.b, sizeof a.b, text + 2) == ERR_OK);
    return a;
}

void __wrap_chain_seal_block(struct derived_block *b, struct chain *c, struct state_trie *t) {
    __real_chain_seal_block(b, c, t);
    bool state = lie_is("stateRoot"), sends = lie_is("sendRoot");
    if ((!state && !sends) || b->header.number != lie_from())
        return;
    struct l3_header_info info = l3_header_info_get(&b->header);
    if (state)
        b->header.state_root.b[0] ^= 1;
    info.send_root.b[0] ^= sends;
    l3_header_info_set(&b->header, &info);
    b->hash = header_hash(&b->header);
}

enum sponsor_rule __wrap_universe_sponsor_rule(struct world *w, uint64_t id, const struct tx *tx,
                                               uint64_t gas, const u256 *price, uint64_t now_s) {
    enum sponsor_rule r = __real_universe_sponsor_rule(w, id, tx, gas, price, now_s);
    bool sponsor = lie_is("sponsor"), sender = lie_is("sender");
    if (!sponsor && !sender)
        return r;
    addr20 whose = lie_for();
    if (!addr20_eq(&whose, &tx->sender))
        return r;
    if (sponsor && r == SPONSOR_TARGET)
        return SPONSOR_OK;
    return sender && r == SPONSOR_OK ? SPONSOR_TARGET : r;
}

enum err __wrap_mirror_delayed_at(struct mirror *m, struct arena *a, uint64_t index,
                                  struct mirror_delayed *out) {
    TRY(__real_mirror_delayed_at(m, a, index, out));
    if (!lie_is("deposit") || index < lie_from() ||
        out->message.kind != MESSAGE_BATCH_POSTING_REPORT)
        return ERR_OK;
    out->message.kind = MESSAGE_ETH_DEPOSIT;
    out->message.has_batch_stats = false;
    if (a == NULL) /* without data */
        return ERR_OK;
    addr20 whose = lie_for();
    uint8_t *data = arena_alloc(a, DEPOSIT_BYTES);
    memset(data, 0, DEPOSIT_BYTES);
    memcpy(data, whose.b, sizeof whose.b);
    data[DEPOSIT_BYTES - 9] = 1; /* 2^64 wei */
    out->message.data = bytes_of(data, DEPOSIT_BYTES);
    return ERR_OK;
}
