/* SPDX-License-Identifier: Apache-2.0 */
#include "node/deployment.h"

#include "base/hex.h"
#include "node/file.h"
#include "node/keystore.h"
#include "node/password.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

enum { KEY_FILE_MAX_BYTES = KEYSTORE_FILE_MAX_BYTES };

static enum err get_addr(addr20 *out, const json_t *doc, const char *path, const char *key,
                         struct err_ctx *ec) {
    const json_t *v = json_object_get(doc, key);
    if (!json_is_string(v) || hex_decode_fixed(out->b, 20, json_string_value(v)) != ERR_OK)
        FAIL(ec, ERR_CONFIG, "%s: '%s' is no address", path, key);
    return ERR_OK;
}

static enum err get_u64(uint64_t *out, const json_t *doc, const char *path, const char *key,
                        struct err_ctx *ec) {
    const json_t *v = json_object_get(doc, key);
    if (!json_is_integer(v) || json_integer_value(v) < 0)
        FAIL(ec, ERR_CONFIG, "%s: '%s' is no number", path, key);
    *out = (uint64_t)json_integer_value(v);
    return ERR_OK;
}

static enum err read_all(struct deployment *d, const json_t *doc, const char *path,
                         struct err_ctx *ec) {
    TRY(get_u64(&d->parent_chain_id, doc, path, "parentChainId", ec));
    TRY(get_u64(&d->block, doc, path, "deployedAtBlock", ec));
    TRY(get_addr(&d->rollup, doc, path, "rollup", ec));
    TRY(get_addr(&d->bridge, doc, path, "bridge", ec));
    TRY(get_addr(&d->inbox, doc, path, "inbox", ec));
    TRY(get_addr(&d->sequencer_inbox, doc, path, "sequencerInbox", ec));
    TRY(get_addr(&d->outbox, doc, path, "outbox", ec));
    d->has_confirmer = json_object_get(doc, "confirmer") != NULL;
    return d->has_confirmer ? get_addr(&d->confirmer, doc, path, "confirmer", ec) : ERR_OK;
}

enum err deployment_load(struct deployment *out, const char *path, struct err_ctx *ec) {
    struct buf b;
    struct deployment d = {0};
    json_error_t je;
    buf_init(&b, DEPLOYMENT_FILE_MAX_BYTES + 4096);
    enum err e = file_read(&b, path, DEPLOYMENT_FILE_MAX_BYTES, ec);
    if (e == ERR_OK) {
        json_t *doc = json_loadb((const char *)b.ptr, b.len, JSON_REJECT_DUPLICATES, &je);
        if (doc != NULL) {
            e = read_all(&d, doc, path, ec);
            json_decref(doc);
        } else {
            e = err_set(ec, ERR_CONFIG, __FILE__, __LINE__, "%s: %s", path, je.text);
        }
    }
    buf_clear(&b);
    if (e == ERR_OK)
        *out = d;
    return e;
}

/* --- keys ------------------------------------------------------------------------------------ */
static enum err key_from_keystore(uint8_t out[32], bytes json, const char *path,
                                  const char *password_file, struct err_ctx *ec) {
    char password[PASSWORD_MAX_BYTES + 1];
    uint8_t secret[KEYSTORE_SECRET_MAX_BYTES];
    size_t len = 0;
    if (password_file[0] == '\0')
        FAIL(ec, ERR_CONFIG, "%s is a keystore file: its password's file is needed", path);
    TRY(password_read(password, password_file, "", false, ec));
    enum err e = keystore_decrypt(secret, &len, json, password, ec);
    explicit_bzero(password, sizeof(password));
    if (e == ERR_OK && len != 32)
        e = ERR_INVALID;
    if (e == ERR_OK)
        memcpy(out, secret, 32);
    explicit_bzero(secret, sizeof(secret));
    if (e != ERR_OK && (ec == NULL || ec->err != e))
        FAIL(ec, e, "%s does not hold an account's key", path);
    return e;
}

static enum err key_from_text(uint8_t out[32], struct buf *b, const char *path,
                              struct err_ctx *ec) {
    while (b->len > 0 && isspace(b->ptr[b->len - 1]))
        b->len--;
    buf_append_byte(b, '\0');
    const char *text = (const char *)b->ptr;
    char prefixed[67] = "0x";
    if (b->len == 65)
        memcpy(prefixed + 2, text, 65);
    else if (b->len == 67)
        memcpy(prefixed, text, 67);
    enum err e = hex_decode_fixed(out, 32, prefixed);
    explicit_bzero(prefixed, sizeof(prefixed));
    if (e != ERR_OK)
        FAIL(ec, ERR_CONFIG, "%s holds neither 64 hexadecimal digits nor a keystore", path);
    return ERR_OK;
}

enum err account_key_load(uint8_t out[32], const char *path, const char *password_file,
                          struct err_ctx *ec) {
    struct buf b;
    buf_init(&b, KEY_FILE_MAX_BYTES + 4096);
    enum err e = file_read(&b, path, KEY_FILE_MAX_BYTES, ec);
    if (e == ERR_OK && b.len > 0 && b.ptr[0] == '{')
        e = key_from_keystore(out, buf_bytes(&b), path, password_file, ec);
    else if (e == ERR_OK)
        e = key_from_text(out, &b, path, ec);
    if (b.ptr != NULL)
        explicit_bzero(b.ptr, b.cap);
    buf_clear(&b);
    return e;
}
