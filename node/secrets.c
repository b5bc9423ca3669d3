/* SPDX-License-Identifier: Apache-2.0 */
#include "node/secrets.h"

#include "base/hex.h"
#include "base/secp.h"
#include "node/file.h"
#include "node/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT_MAX_BYTES = 4096 };

static const char *const names[] = {"pepper", "admin-key", "signer.json", "signer.password"};

static enum err path_of(char out[DATADIR_PATH_MAX], const char *dir, const char *name,
                        struct err_ctx *ec) {
    char folder[DATADIR_PATH_MAX];
    TRY(datadir_path(folder, dir, DATADIR_SECRETS, ec));
    return datadir_path(out, folder, name, ec);
}

enum err secrets_admin_key_path(char out[DATADIR_PATH_MAX], const char *dir, struct err_ctx *ec) {
    return path_of(out, dir, "admin-key", ec);
}

/* A new file, whole or not at all. */
static enum err write_new(const char *path, bytes content, struct err_ctx *ec) {
    char partial[DATADIR_PATH_MAX];
    int n = snprintf(partial, sizeof(partial), "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof(partial))
        FAIL(ec, ERR_TOO_LARGE, "the path %s is too long", path);
    int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        FAIL(ec, ERR_IO, "cannot make %s: %s", partial, strerror(errno));
    bool ok = write(fd, content.ptr, content.len) == (ssize_t)content.len && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    if (!ok || rename(partial, path) != 0)
        FAIL(ec, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    return ERR_OK;
}

/* A file's text without the white space at its end. */
static enum err read_text(struct buf *out, const char *path, struct err_ctx *ec) {
    TRY(file_read(out, path, TEXT_MAX_BYTES, ec));
    while (out->len > 0 && (out->ptr[out->len - 1] == '\n' || out->ptr[out->len - 1] == '\r' ||
                            out->ptr[out->len - 1] == ' '))
        out->len--;
    buf_append_byte(out, 0);
    out->len--;
    return out->overflow ? ERR_TOO_LARGE : ERR_OK;
}

static enum err random_bytes(void *out, size_t len, struct err_ctx *ec) {
    if (RAND_bytes(out, (int)len) != 1)
        FAIL(ec, ERR_IO, "the system has no random bytes");
    return ERR_OK;
}

/* `len` random bytes in hexadecimal, made at the first time, behind `prefix`. */
static enum err hex_file(const char *dir, const char *name, const char *prefix, size_t len,
                         struct buf *out, struct err_ctx *ec) {
    char path[DATADIR_PATH_MAX];
    uint8_t raw[64];
    TRY(path_of(path, dir, name, ec));
    if (access(path, F_OK) == 0)
        return read_text(out, path, ec);
    TRY(random_bytes(raw, len, ec));
    buf_append_str(out, prefix);
    uint8_t *digits = buf_extend(out, 2 * len);
    if (digits == NULL)
        return ERR_NOMEM;
    hex_encode((char *)digits, raw, len);
    OPENSSL_cleanse(raw, sizeof(raw));
    TRY(write_new(path, buf_bytes(out), ec));
    buf_append_byte(out, 0);
    out->len--;
    return ERR_OK;
}

static enum err load_pepper(struct secrets *s, const char *dir, struct err_ctx *ec) {
    struct buf text;
    buf_init(&text, TEXT_MAX_BYTES + 8192);
    enum err e = hex_file(dir, "pepper", "", 32, &text, ec);
    if (e == ERR_OK && hex_decode_fixed(s->pepper, 32, (const char *)text.ptr) != ERR_OK)
        e = err_set(ec, ERR_PARSE, __FILE__, __LINE__, "the file pepper of %s/%s is damaged", dir,
                    DATADIR_SECRETS);
    OPENSSL_cleanse(text.ptr, text.len);
    buf_clear(&text);
    return e;
}

/* The form that API keys have: ak_<16 digits>_<64 digits>. */
static bool admin_key_ok(const char *text, size_t len) {
    return len == 84 && strncmp(text, "ak_", 3) == 0 && text[19] == '_' &&
           strspn(text + 3, "0123456789abcdef") == 16 &&
           strspn(text + 20, "0123456789abcdef") == 64;
}

static enum err load_admin_key(struct secrets *s, const struct secrets_options *o,
                               struct err_ctx *ec) {
    struct buf text;
    uint8_t id[8];
    char prefix[32] = "ak_";
    buf_init(&text, TEXT_MAX_BYTES + 8192);
    enum err e = random_bytes(id, sizeof(id), ec);
    hex_encode(prefix + 3, id, sizeof(id));
    prefix[19] = '_';
    prefix[20] = '\0';
    if (e == ERR_OK)
        e = o->admin_key_file[0] != '\0' ? read_text(&text, o->admin_key_file, ec)
                                         : hex_file(o->dir, "admin-key", prefix, 32, &text, ec);
    if (e == ERR_OK && !admin_key_ok((const char *)text.ptr, text.len))
        e = err_set(ec, ERR_CONFIG, __FILE__, __LINE__,
                    "the admin key must be ak_, 16 hexadecimal digits, _ and 64 of them");
    if (e == ERR_OK)
        memcpy(s->admin_key, text.ptr, text.len + 1);
    if (text.ptr != NULL)
        OPENSSL_cleanse(text.ptr, text.len);
    buf_clear(&text);
    return e;
}

/* A random password needs no slow derivation. */
static const struct scrypt_params quick = {.n = 1024, .r = 8, .p = 1};

static enum err make_seed(struct secrets *s, const char *path, const char *password,
                          bool own_password, struct err_ctx *ec) {
    uint8_t random[64];
    struct buf json;
    addr20 ignored;
    do
        TRY(random_bytes(s->signers.seed, 32, ec));
    while (secp_address_of_key(&ignored, s->signers.seed) != ERR_OK);
    TRY(random_bytes(random, sizeof(random), ec));
    buf_init(&json, KEYSTORE_FILE_MAX_BYTES);
    enum err e = keystore_encrypt(&json, s->signers.seed, password,
                                  own_password ? &KEYSTORE_STANDARD : &quick, random, ec);
    if (e == ERR_OK)
        e = write_new(path, buf_bytes(&json), ec);
    buf_clear(&json);
    return e;
}

static enum err read_seed(struct secrets *s, const char *path, const char *password,
                          struct err_ctx *ec) {
    uint8_t secret[KEYSTORE_SECRET_MAX_BYTES];
    size_t len = 0;
    struct buf json;
    buf_init(&json, KEYSTORE_FILE_MAX_BYTES + 8192);
    enum err e = file_read(&json, path, KEYSTORE_FILE_MAX_BYTES, ec);
    if (e == ERR_OK)
        e = keystore_decrypt(secret, &len, buf_bytes(&json), password, ec);
    if (e == ERR_OK && len != 32)
        e = err_set(ec, ERR_INVALID, __FILE__, __LINE__, "%s holds no seed of 32 bytes", path);
    if (e == ERR_OK)
        memcpy(s->signers.seed, secret, 32);
    OPENSSL_cleanse(secret, sizeof(secret));
    buf_clear(&json);
    return e;
}

static enum err load_seed(struct secrets *s, const struct secrets_options *o, struct err_ctx *ec) {
    char path[DATADIR_PATH_MAX];
    struct buf password;
    buf_init(&password, TEXT_MAX_BYTES + 8192);
    TRY(path_of(path, o->dir, "signer.json", ec));
    enum err e = o->signer_password[0] != '\0'
                     ? read_text(&password, o->signer_password, ec)
                     : hex_file(o->dir, "signer.password", "", 32, &password, ec);
    if (e == ERR_OK)
        e = access(path, F_OK) == 0
                ? read_seed(s, path, (const char *)password.ptr, ec)
                : make_seed(s, path, (const char *)password.ptr, o->signer_password[0] != '\0', ec);
    if (password.ptr != NULL)
        OPENSSL_cleanse(password.ptr, password.len);
    buf_clear(&password);
    return e;
}

static enum err load_operator(struct secrets *s, const char *path, struct err_ctx *ec) {
    struct buf text;
    addr20 ignored;
    if (path[0] == '\0')
        return ERR_OK;
    buf_init(&text, TEXT_MAX_BYTES + 8192);
    enum err e = read_text(&text, path, ec);
    if (e == ERR_OK &&
        (hex_decode_fixed(s->signers.operator_key, 32, (const char *)text.ptr) != ERR_OK ||
         secp_address_of_key(&ignored, s->signers.operator_key) != ERR_OK))
        e = err_set(ec, ERR_CONFIG, __FILE__, __LINE__,
                    "--operator-key: %s holds no private key of 64 hexadecimal digits", path);
    s->signers.has_operator = e == ERR_OK;
    if (text.ptr != NULL)
        OPENSSL_cleanse(text.ptr, text.len);
    buf_clear(&text);
    return e;
}

enum err secrets_open(struct secrets *s, const struct secrets_options *o, struct err_ctx *ec) {
    char dir[DATADIR_PATH_MAX];
    memset(s, 0, sizeof(*s));
    s->signers.chain_id = o->chain_id;
    TRY(datadir_path(dir, o->dir, DATADIR_SECRETS, ec));
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        FAIL(ec, ERR_IO, "cannot make %s: %s", dir, strerror(errno));
    TRY(load_pepper(s, o->dir, ec));
    TRY(load_admin_key(s, o, ec));
    TRY(load_seed(s, o, ec));
    return load_operator(s, o->operator_key, ec);
}

void secrets_wipe(struct secrets *s) {
    OPENSSL_cleanse(s, sizeof(*s));
}

enum err secrets_copy(const char *to, const char *from, struct err_ctx *ec) {
    char dir[DATADIR_PATH_MAX], source[DATADIR_PATH_MAX], target[DATADIR_PATH_MAX];
    TRY(datadir_path(dir, from, DATADIR_SECRETS, ec));
    if (access(dir, F_OK) != 0)
        return ERR_OK;
    TRY(datadir_path(dir, to, DATADIR_SECRETS, ec));
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        FAIL(ec, ERR_IO, "cannot make %s: %s", dir, strerror(errno));
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct buf content;
        TRY(path_of(source, from, names[i], ec));
        TRY(path_of(target, to, names[i], ec));
        if (access(source, F_OK) != 0)
            continue;
        buf_init(&content, KEYSTORE_FILE_MAX_BYTES + 8192);
        enum err e = file_read(&content, source, KEYSTORE_FILE_MAX_BYTES, ec);
        if (e == ERR_OK)
            e = write_new(target, buf_bytes(&content), ec);
        if (content.ptr != NULL)
            OPENSSL_cleanse(content.ptr, content.len);
        buf_clear(&content);
        TRY(e);
    }
    return ERR_OK;
}
