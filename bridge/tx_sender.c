/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/tx_sender.h"

#include "base/check.h"
#include "base/secp.h"
#include "chain/tx.h"

/* The transaction in flight: copies of one nonce, of which one will be mined. */
struct flight {
    uint64_t nonce;
    hash32 hashes[TX_SENDER_BUMPS_MAX];
    size_t count;
    struct buf raw;   /* of the last copy */
    uint64_t sent_ms; /* monotonic: when that was sent last */
};

/* The most that was bid for a nonce: what a pool may hold, whether or not it is waited for. */
struct bid {
    bool is_set, is_refused; /* refused: the parent wanted more for it */
    uint64_t nonce;
    u256 fee_cap, tip;
    uint64_t since_ms; /* monotonic */
    unsigned raises;
};

struct tx_sender {
    struct parent *parent;
    struct tx_sender_config config;
    addr20 address;
    bool in_flight;
    struct flight flight;
    struct bid bid;
    uint64_t next_nonce; /* at least, by what was seen mined; an endpoint may lag behind it */
};

enum err tx_sender_new(struct tx_sender **out, struct parent *p, const struct tx_sender_config *c,
                       struct err_ctx *ec) {
    addr20 address;
    if (secp_address_of_key(&address, c->key) != ERR_OK)
        FAIL(ec, ERR_INVALID, "the key of the parent chain's account is no key");
    struct tx_sender *s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR_NOMEM;
    s->parent = p;
    s->config = *c;
    s->address = address;
    buf_init(&s->flight.raw, TX_SENDER_RAW_MAX_BYTES);
    *out = s;
    return ERR_OK;
}

enum err tx_sender_connect(struct tx_sender **out, struct parent *p, uint64_t chain_id,
                           uint8_t key[32], struct err_ctx *ec) {
    struct parent_block latest;
    TRY(parent_get_block(p, &latest, parent_tagged(PARENT_LATEST), ec));
    struct tx_sender_config c = {.chain_id = chain_id,
                                 .parent_arbitrum = latest.is_arbitrum,
                                 .tip_wei =
                                     u256_from_u64(latest.is_arbitrum ? 0 : TX_SENDER_TIP_WEI)};
    memcpy(c.key, key, sizeof c.key);
    enum err e = tx_sender_new(out, p, &c, ec);
    explicit_bzero(&c, sizeof c);
    if (e == ERR_OK)
        explicit_bzero(key, sizeof c.key);
    return e;
}

void tx_sender_free(struct tx_sender *s) {
    if (s == NULL)
        return;
    buf_clear(&s->flight.raw);
    explicit_bzero(s, sizeof *s);
    free(s);
}

addr20 tx_sender_address(const struct tx_sender *s) {
    return s->address;
}

bool tx_sender_in_flight(const struct tx_sender *s) {
    return s->in_flight;
}

void tx_sender_forget(struct tx_sender *s) {
    s->in_flight = false;
    s->flight.count = 0;
    s->next_nonce = 0;
}

uint64_t tx_sender_bump_after_s(unsigned bumps) {
    static const uint64_t minutes[] = {5, 10, 20, 30, 60};
    return 60 * (bumps < ARRAY_LEN(minutes) ? minutes[bumps] : 60 * (bumps - 3));
}

/* --- building ----------------------------------------------------------------------------- */

/* a * percent / 100, rounded up. */
static u256 percent(const u256 *a, uint64_t per_cent) {
    u256 factor = u256_from_u64(per_cent), hundred = u256_from_u64(100), more = u256_from_u64(99);
    u256 v = u256_mul(a, &factor);
    v = u256_add(&v, &more);
    return u256_div(&v, &hundred);
}

static bool over_fee_cap(const struct tx_sender *s, const u256 *fee) {
    return !u256_is_zero(&s->config.fee_cap_max_wei) &&
           u256_cmp(fee, &s->config.fee_cap_max_wei) > 0;
}

/* What to bid now: TX_SENDER_FEE_MULTIPLE times the base fee and the tip, within the cap. */
static enum err choose_fees(struct tx_sender *s, u256 *out_fee_cap, u256 *out_tip,
                            struct err_ctx *ec) {
    struct parent_block head;
    u256 multiple = u256_from_u64(TX_SENDER_FEE_MULTIPLE);
    TRY(parent_get_block(s->parent, &head, parent_tagged(PARENT_LATEST), ec));
    if (over_fee_cap(s, &head.base_fee))
        FAIL(ec, ERR_TOO_LARGE, "the parent's base fee is over what may be paid");
    *out_tip = s->config.parent_arbitrum ? U256_ZERO : s->config.tip_wei;
    *out_fee_cap = u256_mul(&head.base_fee, &multiple);
    *out_fee_cap = u256_add(out_fee_cap, out_tip);
    if (over_fee_cap(s, out_fee_cap))
        *out_fee_cap = s->config.fee_cap_max_wei;
    if (u256_cmp(out_tip, out_fee_cap) > 0)
        *out_tip = *out_fee_cap;
    return ERR_OK;
}

static uint64_t now_ms(struct tx_sender *s) {
    return clock_monotonic_ns(parent_clock(s->parent)) / 1000000;
}

static u256 greater(const u256 *a, const u256 *b) {
    return u256_cmp(a, b) > 0 ? *a : *b;
}

/* A pool takes a second transaction of a nonce only if both its fees are higher. So what was
 * refused, or did not move in the time that a copy is due after, is outbid. */
static enum err outbid(struct tx_sender *s, uint64_t nonce, u256 *fee_cap, u256 *tip,
                       struct err_ctx *ec) {
    struct bid *b = &s->bid;
    if (s->config.parent_arbitrum || !b->is_set || b->nonce != nonce ||
        b->raises == TX_SENDER_BUMPS_MAX ||
        (!b->is_refused && now_ms(s) - b->since_ms < tx_sender_bump_after_s(b->raises) * 1000))
        return ERR_OK;
    u256 dearer = percent(&b->fee_cap, 100 + TX_SENDER_BUMP_PERCENT);
    u256 dearer_tip = percent(&b->tip, 100 + TX_SENDER_BUMP_PERCENT);
    *fee_cap = greater(&dearer, fee_cap);
    *tip = greater(&dearer_tip, tip);
    if (over_fee_cap(s, fee_cap))
        FAIL(ec, ERR_TOO_LARGE, "outbidding transaction %llu would be over what may be paid",
             (unsigned long long)nonce);
    b->raises++;
    return ERR_OK;
}

static void remember_bid(struct tx_sender *s, const struct tx_signed *tx) {
    struct bid *b = &s->bid;
    if (!b->is_set || b->nonce != tx->nonce)
        *b = (struct bid){.is_set = true, .nonce = tx->nonce, .since_ms = now_ms(s)};
    b->fee_cap = greater(&b->fee_cap, &tx->fee_cap_wei);
    b->tip = greater(&b->tip, &tx->tip_wei);
}

static void tell_reason(char out[PARENT_MESSAGE_MAX], const struct parent_result *r) {
    if (r->data.len > 0)
        abi_revert_text(out, PARENT_MESSAGE_MAX, r->data);
    else
        memcpy(out, r->message, PARENT_MESSAGE_MAX);
}

/* The call as the transaction will make it, price included: the SequencerInbox of an Arbitrum
 * parent divides by the base fee, which a call without a price sees as 0. */
static struct parent_call call_of(const struct tx_sender *s, const struct tx *tx) {
    return (struct parent_call){.to = tx->to,
                                .has_from = true,
                                .from = s->address,
                                .value = tx->value,
                                .data = tx->data,
                                .max_fee = tx->max_fee};
}

static enum err choose_gas(struct tx_sender *s, struct arena *a, uint64_t *out, const struct tx *tx,
                           char *reason, struct err_ctx *ec) {
    struct parent_call c = call_of(s, tx);
    struct parent_result result;
    uint64_t gas;
    TRY(parent_estimate_gas(s->parent, a, &gas, &result, &c, ec));
    if (result.reverted) {
        char why[PARENT_MESSAGE_MAX];
        tell_reason(why, &result);
        if (reason != NULL)
            memcpy(reason, why, sizeof why);
        FAIL(ec, ERR_INVALID, "the transaction would revert: %s", why);
    }
    if (gas > UINT32_MAX)
        FAIL(ec, ERR_PARSE, "the parent estimates %llu gas", (unsigned long long)gas);
    *out = gas + gas * TX_SENDER_GAS_MARGIN_PERCENT / 100 + TX_SENDER_GAS_MARGIN;
    return ERR_OK;
}

/* The parent's `latest` count. One below what was seen already comes from an endpoint that lags,
 * or from a re-org; the first is waited out. */
static enum err choose_nonce(struct tx_sender *s, uint64_t *out, struct err_ctx *ec) {
    for (int i = 0;; i++) {
        TRY(parent_get_nonce(s->parent, out, &s->address, parent_tagged(PARENT_LATEST), ec));
        if (*out >= s->next_nonce || i == TX_SENDER_LAG_POLLS)
            return ERR_OK;
        TRY(parent_sleep(s->parent, TX_SENDER_POLL_MS));
    }
}

static enum err sign(const struct tx_sender *s, struct arena *a, struct tx_signed *out,
                     struct tx *tx, struct err_ctx *ec) {
    TRY(tx_sign(tx, a, s->config.key));
    if (tx->raw.len > TX_SENDER_RAW_MAX_BYTES)
        FAIL(ec, ERR_TOO_LARGE, "a transaction of %zu bytes is over %d", tx->raw.len,
             TX_SENDER_RAW_MAX_BYTES);
    *out = (struct tx_signed){.hash = tx->hash,
                              .nonce = tx->nonce,
                              .gas_limit = tx->gas_limit,
                              .fee_cap_wei = tx->max_fee,
                              .tip_wei = tx->max_priority_fee,
                              .raw = tx->raw};
    return ERR_OK;
}

enum err tx_sender_prepare(struct tx_sender *s, struct arena *a, struct tx_signed *out,
                           const struct tx_request *r, char *reason, struct err_ctx *ec) {
    if (s->in_flight)
        FAIL(ec, ERR_BUSY, "transaction %llu is in flight", (unsigned long long)s->flight.nonce);
    struct tx tx = {.type = TX_DYNAMIC_FEE,
                    .has_chain_id = true,
                    .chain_id = s->config.chain_id,
                    .to = r->to,
                    .value = r->value,
                    .data = r->data};
    TRY(choose_nonce(s, &tx.nonce, ec));
    TRY(choose_fees(s, &tx.max_fee, &tx.max_priority_fee, ec));
    tx.gas_limit = r->gas_limit;
    if (r->gas_limit == 0)
        TRY(choose_gas(s, a, &tx.gas_limit, &tx, reason, ec));
    TRY(outbid(s, tx.nonce, &tx.max_fee, &tx.max_priority_fee, ec));
    return sign(s, a, out, &tx, ec);
}

/* Decodes bytes of ours. */
static enum err decode_own(const struct tx_sender *s, struct arena *a, struct tx *out, bytes raw,
                           struct err_ctx *ec) {
    if (raw.len > TX_SENDER_RAW_MAX_BYTES || tx_decode(out, a, raw, false, ec) != ERR_OK ||
        out->type != TX_DYNAMIC_FEE || out->is_create || tx_recover_sender(out) != ERR_OK ||
        !addr20_eq(&out->sender, &s->address) || out->chain_id != s->config.chain_id)
        FAIL(ec, ERR_INVALID, "%zu bytes are no transaction of this account on chain %llu", raw.len,
             (unsigned long long)s->config.chain_id);
    return ERR_OK;
}

enum err tx_sender_adopt(struct tx_sender *s, struct arena *a, struct tx_signed *out, bytes raw,
                         struct err_ctx *ec) {
    struct tx tx;
    TRY(decode_own(s, a, &tx, raw, ec));
    *out = (struct tx_signed){.hash = tx.hash,
                              .nonce = tx.nonce,
                              .gas_limit = tx.gas_limit,
                              .fee_cap_wei = tx.max_fee,
                              .tip_wei = tx.max_priority_fee,
                              .raw = raw};
    return ERR_OK;
}

enum err tx_sender_bump(struct tx_sender *s, struct arena *a, struct tx_signed *out,
                        struct err_ctx *ec) {
    struct tx tx;
    u256 fee_cap, tip;
    if (!s->in_flight)
        FAIL(ec, ERR_INVALID, "no transaction is in flight");
    if (s->config.parent_arbitrum)
        FAIL(ec, ERR_UNSUPPORTED, "an Arbitrum parent has no pool to replace transactions in");
    if (s->flight.count == TX_SENDER_BUMPS_MAX)
        FAIL(ec, ERR_BUSY, "%d copies of transaction %llu are out", TX_SENDER_BUMPS_MAX,
             (unsigned long long)s->flight.nonce);
    TRY(choose_fees(s, &fee_cap, &tip, ec));
    TRY(decode_own(s, a, &tx, arena_copy(a, buf_bytes(&s->flight.raw)), ec));
    u256 dearer = percent(&tx.max_fee, 100 + TX_SENDER_BUMP_PERCENT);
    u256 dearer_tip = percent(&tx.max_priority_fee, 100 + TX_SENDER_BUMP_PERCENT);
    tx.max_fee = greater(&dearer, &fee_cap);
    tx.max_priority_fee = greater(&dearer_tip, &tip);
    if (over_fee_cap(s, &tx.max_fee))
        FAIL(ec, ERR_TOO_LARGE, "a dearer copy would be over what may be paid");
    return sign(s, a, out, &tx, ec);
}

/* --- sending ------------------------------------------------------------------------------ */

static void end_flight(struct tx_sender *s) {
    s->in_flight = false;
    s->flight.count = 0;
}

/* Why a mined transaction failed: the same call on its block's state. */
static void find_reason(struct tx_sender *s, struct tx_flight *out) {
    struct arena a;
    struct tx tx;
    struct parent_result result;
    arena_init(&a, 1 << 16, 4 << 20);
    snprintf(out->reason, sizeof out->reason, "no reason");
    if (decode_own(s, &a, &tx, buf_bytes(&s->flight.raw), NULL) == ERR_OK) {
        struct parent_call c = call_of(s, &tx);
        if (parent_call(s->parent, &a, &result, &c, parent_at(out->receipt.block_num), NULL) ==
                ERR_OK &&
            result.reverted)
            tell_reason(out->reason, &result);
        else if (out->receipt.gas_used >= tx.gas_limit)
            snprintf(out->reason, sizeof out->reason, "out of gas");
    }
    arena_clear(&a);
}

/* Looks for a receipt of any copy. ERR_NOT_FOUND: none. */
static enum err find_receipt(struct tx_sender *s, struct tx_flight *out, struct err_ctx *ec) {
    for (size_t i = s->flight.count; i-- > 0;) {
        enum err e = parent_get_receipt(s->parent, &out->receipt, &s->flight.hashes[i], ec);
        if (e == ERR_NOT_FOUND)
            continue;
        TRY(e);
        out->outcome = out->receipt.ok ? TX_OUTCOME_MINED : TX_OUTCOME_REVERTED;
        if (!out->receipt.ok)
            find_reason(s, out);
        if (s->next_nonce <= s->flight.nonce)
            s->next_nonce = s->flight.nonce + 1;
        end_flight(s);
        return ERR_OK;
    }
    return ERR_NOT_FOUND;
}

/* The nonce is used, and no receipt of ours is there: waits for one that an endpoint has not yet.
 */
static enum err find_receipt_or_replaced(struct tx_sender *s, struct tx_flight *out,
                                         struct err_ctx *ec) {
    for (int i = 0; i < TX_SENDER_LAG_POLLS; i++) {
        uint64_t nonce;
        enum err e = find_receipt(s, out, ec);
        if (e != ERR_NOT_FOUND)
            return e;
        TRY(parent_get_nonce(s->parent, &nonce, &s->address, parent_tagged(PARENT_LATEST), ec));
        if (nonce <= s->flight.nonce) {
            out->outcome = TX_OUTCOME_PENDING;
            return ERR_OK;
        }
        TRY(parent_sleep(s->parent, TX_SENDER_POLL_MS));
    }
    out->outcome = TX_OUTCOME_REPLACED;
    s->next_nonce = s->flight.nonce + 1;
    snprintf(out->reason, sizeof out->reason, "nonce %llu is another transaction's",
             (unsigned long long)s->flight.nonce);
    end_flight(s);
    return ERR_OK;
}

/* Adds a copy to the flight, unless it is in it. ERR_BUSY. */
static enum err take_off(struct tx_sender *s, const struct tx_signed *tx, struct err_ctx *ec) {
    struct flight *f = &s->flight;
    for (size_t i = 0; s->in_flight && i < f->count; i++)
        if (hash32_eq(&f->hashes[i], &tx->hash))
            return ERR_OK;
    if (s->in_flight && (tx->nonce != f->nonce || f->count == TX_SENDER_BUMPS_MAX))
        FAIL(ec, ERR_BUSY, "transaction %llu is in flight", (unsigned long long)f->nonce);
    buf_reset(&f->raw);
    buf_append(&f->raw, tx->raw.ptr, tx->raw.len);
    if (f->raw.overflow)
        FAIL(ec, ERR_TOO_LARGE, "a transaction of %zu bytes is over %d", tx->raw.len,
             TX_SENDER_RAW_MAX_BYTES);
    f->count = s->in_flight ? f->count : 0;
    f->nonce = tx->nonce;
    f->hashes[f->count++] = tx->hash;
    s->in_flight = true;
    remember_bid(s, tx);
    return ERR_OK;
}

/* The copy was refused: those before it, if any, stay. */
static void withdraw(struct tx_sender *s) {
    if (--s->flight.count == 0)
        end_flight(s);
}

enum err tx_sender_submit(struct tx_sender *s, const struct tx_signed *tx, struct tx_flight *out,
                          struct err_ctx *ec) {
    struct parent_send_result sent;
    struct tx_flight r = {.outcome = TX_OUTCOME_PENDING};
    TRY(take_off(s, tx, ec));
    s->flight.sent_ms = now_ms(s);
    TRY(parent_send_raw(s->parent, &sent, tx->raw, ec));
    memcpy(r.reason, sent.message, sizeof r.reason);
    s->bid.is_refused = sent.verdict == PARENT_SEND_UNDERPRICED;
    switch (sent.verdict) {
    case PARENT_SENT:
        break;
    case PARENT_SEND_NONCE_LOW:
        TRY(find_receipt_or_replaced(s, &r, ec));
        break;
    case PARENT_SEND_UNDERPRICED:
        r.outcome = TX_OUTCOME_UNDERPRICED;
        withdraw(s);
        break;
    case PARENT_SEND_FUNDS:
        r.outcome = TX_OUTCOME_NO_FUNDS;
        withdraw(s);
        break;
    case PARENT_SEND_NONCE_HIGH:
    case PARENT_SEND_REFUSED:
        r.outcome = TX_OUTCOME_REFUSED;
        withdraw(s);
        break;
    }
    *out = r;
    return ERR_OK;
}

/* The last copy's bytes once more. */
static enum err send_again(struct tx_sender *s, struct tx_flight *out, struct err_ctx *ec) {
    struct arena a;
    struct tx_signed tx;
    arena_init(&a, 1 << 16, 4 << 20);
    enum err e = tx_sender_adopt(s, &a, &tx, arena_copy(&a, buf_bytes(&s->flight.raw)), ec);
    if (e == ERR_OK)
        e = tx_sender_submit(s, &tx, out, ec);
    arena_clear(&a);
    if (e == ERR_OK && s->in_flight)
        out->outcome = TX_OUTCOME_PENDING; /* refused, but a copy from before it is still out */
    return e;
}

enum err tx_sender_wait(struct tx_sender *s, uint64_t timeout_ms, struct tx_flight *out,
                        struct err_ctx *ec) {
    uint64_t end = now_ms(s) + timeout_ms, nonce;
    if (!s->in_flight)
        FAIL(ec, ERR_INVALID, "no transaction is in flight");
    struct tx_flight r = {.outcome = TX_OUTCOME_PENDING};
    for (;;) {
        enum err e = find_receipt(s, &r, ec);
        if (e == ERR_NOT_FOUND) {
            TRY(parent_get_nonce(s->parent, &nonce, &s->address, parent_tagged(PARENT_LATEST), ec));
            e = nonce > s->flight.nonce ? find_receipt_or_replaced(s, &r, ec) : ERR_OK;
        }
        TRY(e);
        if (r.outcome == TX_OUTCOME_PENDING && now_ms(s) - s->flight.sent_ms >= TX_SENDER_AGAIN_MS)
            TRY(send_again(s, &r, ec));
        if (r.outcome != TX_OUTCOME_PENDING || now_ms(s) >= end)
            break;
        TRY(parent_sleep(s->parent, TX_SENDER_POLL_MS));
    }
    *out = r;
    return ERR_OK;
}
