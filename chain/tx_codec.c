/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/tx.h"

#include "base/check.h"
#include "base/keccak.h"
#include "base/rlp.h"

const addr20 TX_INTERNAL_ADDRESS = {
    {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x4b, 0x05}};

enum field_kind {
    KIND_CHAIN_ID,
    KIND_U64,
    KIND_U256,
    KIND_TO,
    KIND_FROM,
    KIND_ADDR,
    KIND_HASH,
    KIND_GAS,
    KIND_BYTES,
    KIND_ACCESS,
    KIND_HASHES,
    KIND_AUTHS,
    KIND_V,
    KIND_PARITY,
    KIND_SIG_R,
    KIND_SIG_S,
};
struct tx_field {
    enum tx_type type;
    enum field_kind kind;
    size_t offset; /* in struct tx */
    const char *name;
};

static const struct tx_field fields[] = {
#define TX_FIELD(type, kind, member, source)                                                       \
    {TX_##type, KIND_##kind, offsetof(struct tx, member), #member},
#include "chain/tx_fields.def"
#undef TX_FIELD
};

/* Rows of one type stand together: the first and one past the last. */
static const struct tx_field *fields_of(enum tx_type type, const struct tx_field **out_end) {
    size_t i = 0;
    while (i < ARRAY_LEN(fields) && fields[i].type != type)
        i++;
    CHECK(i < ARRAY_LEN(fields));
    size_t j = i;
    while (j < ARRAY_LEN(fields) && fields[j].type == type)
        j++;
    *out_end = fields + j;
    return fields + i;
}

static bool is_signature(enum field_kind k) {
    return k == KIND_V || k == KIND_PARITY || k == KIND_SIG_R || k == KIND_SIG_S;
}

/* --- decoding --------------------------------------------------------------------------------- */

/* Shortest encodings of an item of each list: what a list's length allows bounds the allocation for
 * it. */
enum {
    HASH_MIN_BYTES = 33,
    ACCESS_MIN_BYTES = 1 + 21 + 1,
    AUTH_MIN_BYTES = 1 + 1 + 21 + 1 + 1 + 1 + 1
};

static enum err array_alloc(void **out, struct arena *a, bytes list, size_t min_bytes, size_t size,
                            size_t *out_count) {
    size_t count;
    TRY(rlp_count(list, &count));
    if (count > list.len / min_bytes)
        return ERR_RLP;
    void *p = arena_try_alloc(a, count == 0 ? 1 : count * size);
    if (p == NULL)
        return ERR_NOMEM;
    *out = p;
    *out_count = count;
    return ERR_OK;
}

/* Integers: one that is well-formed but longer than its field allows is TOO_LARGE, not malformed.
 */
static enum err next_u256(bytes *in, u256 *out) {
    bytes rest = *in, digits;
    TRY(rlp_next_bytes(&rest, &digits));
    if (digits.len > 32 && digits.ptr[0] != 0)
        return ERR_TOO_LARGE;
    return rlp_next_u256(in, out);
}

static enum err next_u64(bytes *in, uint64_t *out) {
    u256 v;
    TRY(next_u256(in, &v));
    if (!u256_fits_u64(&v))
        return ERR_TOO_LARGE;
    *out = v.w[0];
    return ERR_OK;
}

static enum err decode_hashes(struct arena *a, bytes list, hash32 **out, size_t *out_count) {
    size_t count;
    void *array;
    TRY(array_alloc(&array, a, list, HASH_MIN_BYTES, sizeof(hash32), &count));
    hash32 *h = array;
    for (size_t i = 0; i < count; i++)
        TRY(rlp_next_fixed(&list, h[i].b, sizeof h[i].b));
    *out = h;
    *out_count = count;
    return ERR_OK;
}

static enum err decode_access(struct tx *tx, struct arena *a, bytes list) {
    size_t count;
    void *array;
    TRY(array_alloc(&array, a, list, ACCESS_MIN_BYTES, sizeof(struct tx_access), &count));
    struct tx_access *acc = array;
    for (size_t i = 0; i < count; i++) {
        bytes entry, keys;
        TRY(rlp_next_list(&list, &entry));
        TRY(rlp_next_fixed(&entry, acc[i].addr.b, sizeof acc[i].addr.b));
        TRY(rlp_next_list(&entry, &keys));
        if (entry.len != 0)
            return ERR_RLP;
        TRY(decode_hashes(a, keys, &acc[i].keys, &acc[i].key_count));
    }
    tx->access = acc;
    tx->access_count = count;
    return ERR_OK;
}

static enum err decode_auths(struct tx *tx, struct arena *a, bytes list) {
    size_t count;
    void *array;
    TRY(array_alloc(&array, a, list, AUTH_MIN_BYTES, sizeof(struct tx_authorization), &count));
    struct tx_authorization *auths = array;
    for (size_t i = 0; i < count; i++) {
        struct tx_authorization *u = &auths[i];
        memset(u, 0, sizeof *u);
        bytes entry;
        TRY(rlp_next_list(&list, &entry));
        TRY(next_u256(&entry, &u->chain_id));
        TRY(rlp_next_fixed(&entry, u->address.b, sizeof u->address.b));
        TRY(next_u64(&entry, &u->nonce));
        TRY(next_u256(&entry, &u->y_parity));
        TRY(next_u256(&entry, &u->sig.r));
        TRY(next_u256(&entry, &u->sig.s));
        if (entry.len != 0)
            return ERR_RLP;
        if (u->y_parity.w[0] > UINT8_MAX || !u256_fits_u64(&u->y_parity))
            return ERR_TOO_LARGE; /* EIP-7702 bounds it to 8 bits on the wire */
        u->sig.recid = (uint8_t)(u->y_parity.w[0] & 1);
    }
    tx->auths = auths;
    tx->auth_count = count;
    return ERR_OK;
}

/* Legacy v: 27 and 28, or EIP-155's 35 + 2 x chain id + parity. */
static enum err decode_v(struct tx *tx, bytes *in) {
    u256 v;
    TRY(next_u256(in, &v));
    if (u256_fits_u64(&v) && (v.w[0] == 27 || v.w[0] == 28)) {
        tx->has_chain_id = false;
        tx->sig.recid = (uint8_t)(v.w[0] - 27);
        return ERR_OK;
    }
    const u256 base = u256_from_u64(35);
    if (u256_lt(&v, &base))
        return ERR_SIGNATURE;
    u256 rest = u256_sub(&v, &base);
    tx->sig.recid = (uint8_t)(rest.w[0] & 1);
    u256 id = {{rest.w[0] >> 1 | rest.w[1] << 63, rest.w[1] >> 1 | rest.w[2] << 63,
                rest.w[2] >> 1 | rest.w[3] << 63, rest.w[3] >> 1}};
    if (!u256_fits_u64(&id))
        return ERR_TOO_LARGE;
    tx->chain_id = id.w[0];
    tx->has_chain_id = true;
    return ERR_OK;
}

static enum err decode_parity(struct tx *tx, bytes *in) {
    u256 v;
    TRY(next_u256(in, &v));
    if (!u256_fits_u64(&v) || v.w[0] > 1)
        return ERR_SIGNATURE;
    tx->sig.recid = (uint8_t)v.w[0];
    return ERR_OK;
}

static enum err decode_field(struct tx *tx, struct arena *a, bytes *in, const struct tx_field *f) {
    void *at = (uint8_t *)tx + f->offset;
    bytes list;
    switch (f->kind) {
    case KIND_CHAIN_ID:
        tx->has_chain_id = true;
        return next_u64(in, at);
    case KIND_U64:
        return next_u64(in, at);
    case KIND_U256:
    case KIND_SIG_R:
    case KIND_SIG_S:
        return next_u256(in, at);
    case KIND_TO: {
        bool present;
        TRY(rlp_next_opt_addr(in, at, &present));
        tx->is_create = !present;
        return ERR_OK;
    }
    case KIND_FROM:
        tx->has_sender = true;
        return rlp_next_fixed(in, ((addr20 *)at)->b, sizeof(addr20));
    case KIND_ADDR:
        return rlp_next_fixed(in, ((addr20 *)at)->b, sizeof(addr20));
    case KIND_HASH:
        return rlp_next_fixed(in, ((hash32 *)at)->b, sizeof(hash32));
    case KIND_GAS:
        TRY(next_u64(in, &tx->parent.gas));
        tx->gas_limit = tx->parent.gas < TX_PARENT_GAS_MAX ? tx->parent.gas : TX_PARENT_GAS_MAX;
        return ERR_OK;
    case KIND_BYTES:
        return rlp_next_bytes(in, at);
    case KIND_ACCESS:
        TRY(rlp_next_list(in, &list));
        return decode_access(tx, a, list);
    case KIND_HASHES:
        TRY(rlp_next_list(in, &list));
        return decode_hashes(a, list, &tx->blob_hashes, &tx->blob_hash_count);
    case KIND_AUTHS:
        TRY(rlp_next_list(in, &list));
        return decode_auths(tx, a, list);
    case KIND_V:
        return decode_v(tx, in);
    case KIND_PARITY:
        return decode_parity(tx, in);
    }
    return ERR_UNSUPPORTED;
}

/* r and s in [1, n), s not above n/2 (EIP-2). */
static bool signature_in_range(const struct secp_sig *sig) {
    return !u256_is_zero(&sig->r) && u256_lt(&sig->r, &SECP_N) && !u256_is_zero(&sig->s) &&
           !u256_lt(&SECP_N_HALF, &sig->s);
}

/* The header of an RLP list with `len` bytes of payload. */
static size_t list_header(uint8_t out[9], size_t len) {
    if (len <= 55) {
        out[0] = (uint8_t)(0xc0 + len);
        return 1;
    }
    uint8_t be[8];
    be64_store(be, len);
    size_t zeros = 0;
    while (be[zeros] == 0)
        zeros++;
    out[0] = (uint8_t)(0xf7 + 8 - zeros);
    memcpy(out + 1, be + zeros, 8 - zeros);
    return 9 - zeros;
}

/* Digest of what was signed. `unsigned_part`: the encoded fields before the signature, which are
 * the same bytes in the envelope and in the signing payload. */
static hash32 digest_unsigned(const struct tx *tx, bytes unsigned_part) {
    uint8_t tail[16]; /* chain id, 0, 0 (EIP-155) */
    size_t tail_len = 0;
    if (tx->type == TX_LEGACY && tx->has_chain_id) {
        uint8_t be[8];
        be64_store(be, tx->chain_id);
        size_t zeros = 0;
        while (zeros < 8 && be[zeros] == 0)
            zeros++;
        if (zeros == 8 || be[zeros] >= 0x80 || zeros < 7)
            tail[tail_len++] = (uint8_t)(0x80 + 8 - zeros);
        memcpy(tail + tail_len, be + zeros, 8 - zeros);
        tail_len += 8 - zeros;
        tail[tail_len++] = 0x80;
        tail[tail_len++] = 0x80;
    }
    uint8_t header[9];
    size_t header_len = list_header(header, unsigned_part.len + tail_len);
    struct keccak_ctx k;
    keccak256_begin(&k);
    if (tx->type != TX_LEGACY) {
        uint8_t type = (uint8_t)tx->type;
        keccak256_update(&k, &type, 1);
    }
    keccak256_update(&k, header, header_len);
    keccak256_update(&k, unsigned_part.ptr, unsigned_part.len);
    keccak256_update(&k, tail, tail_len);
    hash32 out;
    keccak256_end(&k, &out);
    return out;
}

/* Which types a reader of envelopes takes. */
enum accept { ACCEPT_SIGNED = 1, ACCEPT_BLOB = 2, ACCEPT_PARENT = 4 };

static bool accepts(unsigned accept, uint8_t type) {
    switch (type) {
    case TX_ACCESS_LIST:
    case TX_DYNAMIC_FEE:
    case TX_SET_CODE:
        return true;
    case TX_BLOB:
        return (accept & ACCEPT_BLOB) != 0;
    case TX_DEPOSIT:
    case TX_UNSIGNED:
    case TX_CONTRACT:
    case TX_RETRY:
    case TX_SUBMIT_RETRYABLE:
    case TX_INTERNAL:
        return (accept & ACCEPT_PARENT) != 0;
    default:
        return false;
    }
}

/* The type of an envelope; *in is moved past the type byte. */
static enum err decode_type(enum tx_type *out, bytes *in, unsigned accept, struct err_ctx *ec) {
    if (in->len == 0)
        FAIL(ec, ERR_RLP, "an empty transaction");
    uint8_t first = in->ptr[0];
    if (first >= 0xc0) {
        *out = TX_LEGACY;
        return ERR_OK;
    }
    if (first >= 0x80)
        FAIL(ec, ERR_RLP, "a transaction that is neither a list nor an EIP-2718 envelope");
    if (!accepts(accept, first))
        FAIL(ec, ERR_UNSUPPORTED, "transaction type 0x%02x is not supported", first);
    *out = (enum tx_type)first;
    *in = bytes_of(in->ptr + 1, in->len - 1);
    return ERR_OK;
}

/* The fields of a list; *out_unsigned is its part before the signature. */
static enum err decode_fields(struct tx *tx, struct arena *a, bytes list, bytes *out_unsigned,
                              struct err_ctx *ec) {
    bytes unsigned_part = {list.ptr, 0};
    const struct tx_field *end, *f = fields_of(tx->type, &end);
    for (; f < end; f++) {
        if (!is_signature(f->kind))
            unsigned_part.len = SIZE_MAX; /* still open */
        else if (unsigned_part.len == SIZE_MAX)
            unsigned_part.len = (size_t)(list.ptr - unsigned_part.ptr);
        enum err e = decode_field(tx, a, &list, f);
        if (e != ERR_OK)
            FAIL(ec, e, "transaction type %d, field %s: %s", (int)tx->type, f->name, err_text(e));
    }
    if (list.len != 0)
        FAIL(ec, ERR_RLP, "transaction type %d has more fields than it should", (int)tx->type);
    *out_unsigned = unsigned_part;
    return ERR_OK;
}

/* The form, without hash and digest. */
static enum err decode(struct tx *out, struct arena *a, bytes in, unsigned accept,
                       bytes *out_unsigned, struct err_ctx *ec) {
    struct tx tx;
    memset(&tx, 0, sizeof tx);
    tx.raw = in;
    bytes rest = in, list;
    TRY(decode_type(&tx.type, &rest, accept, ec));
    if (rlp_next_list(&rest, &list) != ERR_OK)
        FAIL(ec, ERR_RLP, "the transaction's fields are not a well-formed RLP list");
    if (rest.len != 0)
        FAIL(ec, ERR_RLP, "%zu bytes follow the transaction", rest.len);
    TRY(decode_fields(&tx, a, list, out_unsigned, ec));
    if (tx.type == TX_INTERNAL) {
        tx.sender = tx.to = TX_INTERNAL_ADDRESS;
        tx.has_sender = true;
    }
    if (!tx_is_unsigned(tx.type) && !signature_in_range(&tx.sig))
        FAIL(ec, ERR_SIGNATURE, "signature values out of range");
    if (tx.type == TX_LEGACY || tx.type == TX_ACCESS_LIST)
        tx.max_fee = tx.max_priority_fee = tx.gas_price;
    *out = tx;
    return ERR_OK;
}

enum err tx_decode(struct tx *out, struct arena *a, bytes in, bool allow_blob, struct err_ctx *ec) {
    bytes unsigned_part;
    TRY(decode(out, a, in, ACCEPT_SIGNED | (allow_blob ? ACCEPT_BLOB : 0U), &unsigned_part, ec));
    keccak256(&out->hash, in.ptr, in.len);
    out->sighash = digest_unsigned(out, unsigned_part);
    return ERR_OK;
}

enum err tx_decode_stored(struct tx *out, struct arena *a, bytes in, const hash32 *hash,
                          struct err_ctx *ec) {
    bytes unsigned_part;
    TRY(decode(out, a, in, ACCEPT_SIGNED | ACCEPT_PARENT, &unsigned_part, ec));
    if (hash != NULL)
        out->hash = *hash;
    else
        keccak256(&out->hash, in.ptr, in.len);
    return ERR_OK;
}

/* --- encoding --------------------------------------------------------------------------------- */

static void encode_hashes(struct buf *b, const hash32 *h, size_t count) {
    size_t mark = rlp_list_begin(b);
    for (size_t i = 0; i < count; i++)
        rlp_put_hash(b, &h[i]);
    rlp_list_end(b, mark);
}

static void encode_access(struct buf *b, const struct tx *tx) {
    size_t mark = rlp_list_begin(b);
    for (size_t i = 0; i < tx->access_count; i++) {
        size_t entry = rlp_list_begin(b);
        rlp_put_addr(b, &tx->access[i].addr);
        encode_hashes(b, tx->access[i].keys, tx->access[i].key_count);
        rlp_list_end(b, entry);
    }
    rlp_list_end(b, mark);
}

static void encode_auths(struct buf *b, const struct tx *tx) {
    size_t mark = rlp_list_begin(b);
    for (size_t i = 0; i < tx->auth_count; i++) {
        const struct tx_authorization *u = &tx->auths[i];
        size_t entry = rlp_list_begin(b);
        rlp_put_u256(b, &u->chain_id);
        rlp_put_addr(b, &u->address);
        rlp_put_u64(b, u->nonce);
        rlp_put_u256(b, &u->y_parity);
        rlp_put_u256(b, &u->sig.r);
        rlp_put_u256(b, &u->sig.s);
        rlp_list_end(b, entry);
    }
    rlp_list_end(b, mark);
}

static void encode_v(struct buf *b, const struct tx *tx) {
    if (!tx->has_chain_id) {
        rlp_put_u64(b, 27u + tx->sig.recid);
        return;
    }
    u256 id = u256_from_u64(tx->chain_id);
    u256 v = u256_add(&id, &id);
    u256 low = u256_from_u64(35u + tx->sig.recid);
    v = u256_add(&v, &low);
    rlp_put_u256(b, &v);
}

static void encode_field(struct buf *b, const struct tx *tx, const struct tx_field *f) {
    const void *at = (const uint8_t *)tx + f->offset;
    switch (f->kind) {
    case KIND_CHAIN_ID:
    case KIND_U64:
    case KIND_GAS:
        rlp_put_u64(b, *(const uint64_t *)at);
        return;
    case KIND_U256:
    case KIND_SIG_R:
    case KIND_SIG_S:
        rlp_put_u256(b, at);
        return;
    case KIND_TO:
        if (tx->is_create)
            rlp_put_bytes(b, NULL, 0);
        else
            rlp_put_addr(b, at);
        return;
    case KIND_FROM:
    case KIND_ADDR:
        rlp_put_addr(b, at);
        return;
    case KIND_HASH:
        rlp_put_hash(b, at);
        return;
    case KIND_BYTES:
        rlp_put_bytes(b, ((const bytes *)at)->ptr, ((const bytes *)at)->len);
        return;
    case KIND_ACCESS:
        encode_access(b, tx);
        return;
    case KIND_HASHES:
        encode_hashes(b, tx->blob_hashes, tx->blob_hash_count);
        return;
    case KIND_AUTHS:
        encode_auths(b, tx);
        return;
    case KIND_V:
        encode_v(b, tx);
        return;
    case KIND_PARITY:
        rlp_put_u64(b, tx->sig.recid);
        return;
    }
}

void tx_encode(struct buf *b, const struct tx *tx) {
    if (tx->type != TX_LEGACY)
        buf_append_byte(b, (uint8_t)tx->type);
    size_t mark = rlp_list_begin(b);
    const struct tx_field *end, *f = fields_of(tx->type, &end);
    for (; f < end; f++)
        encode_field(b, tx, f);
    rlp_list_end(b, mark);
}

void tx_finish(struct tx *tx, struct arena *a) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    tx_encode(&b, tx);
    CHECK(!b.overflow);
    tx->raw = arena_copy(a, buf_bytes(&b));
    buf_clear(&b);
    tx->hash = keccak256_bytes(tx->raw);
}

void tx_finish_unsigned(struct tx *tx, struct arena *a) {
    CHECK(tx_is_unsigned(tx->type) && tx->has_sender);
    tx_finish(tx, a);
}

hash32 tx_signing_hash(const struct tx *tx) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    const struct tx_field *end, *f = fields_of(tx->type, &end);
    for (; f < end && !is_signature(f->kind); f++)
        encode_field(&b, tx, f);
    CHECK(!b.overflow);
    hash32 digest = digest_unsigned(tx, buf_bytes(&b));
    buf_clear(&b);
    return digest;
}
