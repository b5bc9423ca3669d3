/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter account`: keys of this machine, each in a file under a password. */
#include "node/commands.h"

#include "base/clock.h"
#include "base/hex.h"
#include "node/args.h"
#include "node/file.h"
#include "node/keydir.h"
#include "node/keystore.h"
#include "node/password.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>

static const char usage_text[] =
    "usage: callipter account new    (--datadir DIR | --keystore DIR) [--password-file FILE] "
    "[--light]\n"
    "       callipter account list   (--datadir DIR | --keystore DIR)\n"
    "       callipter account import (--datadir DIR | --keystore DIR) [--password-file FILE] "
    "[--light]\n"
    "                                [--from-password-file FILE] KEYFILE\n"
    "\n"
    "Keys are kept in files as Ethereum's wallets exchange them (keystore, version 3), in the "
    "folder --keystore,\n"
    "or DIR/keystore. KEYFILE holds a private key as hexadecimal digits, or is such a keystore "
    "file: then\n"
    "--from-password-file opens it. A password is the first line of its file, or is asked for on "
    "the terminal.\n"
    "--light derives the file's key in less time and memory, and protects it less.\n";

struct account_args {
    const char *datadir, *keystore, *password_file, *from_password_file, *keyfile;
    bool light, help;
    char dir[DATADIR_PATH_MAX];
};

static enum err parse(struct account_args *a, int argc, char **argv, struct err_ctx *ec) {
    const struct arg args[] = {{"datadir", &a->datadir, NULL},
                               {"keystore", &a->keystore, NULL},
                               {"password-file", &a->password_file, NULL},
                               {"from-password-file", &a->from_password_file, NULL},
                               {"light", NULL, &a->light},
                               {"help", NULL, &a->help}};
    TRY(args_parse(argc, argv, args, ARRAY_LEN(args), &a->keyfile, 1, ec));
    if (a->help)
        return ERR_OK;
    if ((a->datadir == NULL) == (a->keystore == NULL))
        FAIL(ec, ERR_CONFIG, "one of --datadir and --keystore is needed");
    if (a->datadir != NULL)
        return datadir_path(a->dir, a->datadir, DATADIR_KEYSTORE, ec);
    int n = snprintf(a->dir, sizeof(a->dir), "%s", a->keystore);
    if (n < 0 || (size_t)n >= sizeof(a->dir))
        FAIL(ec, ERR_CONFIG, "--keystore: the path is too long");
    return ERR_OK;
}

static void print_address(const addr20 *address, const char *path) {
    char hex[41] = {0};
    hex_encode(hex, address->b, 20);
    printf("0x%s %s\n", hex, path);
}

static enum err fill_random(uint8_t *out, size_t len, struct err_ctx *ec) {
    if (getrandom(out, len, 0) != (ssize_t)len)
        FAIL(ec, ERR_IO, "the system gives no random bytes");
    return ERR_OK;
}

/* Asks for the password and writes the file. */
static enum err keep(const struct account_args *a, const uint8_t key[32], struct err_ctx *ec) {
    char path[DATADIR_PATH_MAX], password[PASSWORD_MAX_BYTES + 1];
    uint8_t random[64];
    uint64_t now_ns = clock_realtime_ms(clock_posix()) * 1000000;
    TRY(fill_random(random, sizeof(random), ec));
    TRY(password_read(password, a->password_file, "Password for the new file", true, ec));
    enum err e = keydir_add(path, a->dir, key, password,
                            a->light ? &KEYSTORE_LIGHT : &KEYSTORE_STANDARD, random, now_ns, ec);
    explicit_bzero(password, sizeof(password));
    addr20 address;
    if (e == ERR_OK && hex_decode_fixed(address.b, 20, path + strlen(path) - 40) == ERR_OK)
        print_address(&address, path);
    return e;
}

static enum err new_account(const struct account_args *a, struct err_ctx *ec) {
    uint8_t key[32];
    TRY(fill_random(key, sizeof(key), ec)); /* beyond the curve's order once in 2^128 */
    enum err e = keep(a, key, ec);
    explicit_bzero(key, sizeof(key));
    return e;
}

/* --- import -------------------------------------------------------------------------------- */
static enum err open_keystore(uint8_t key[32], const struct account_args *a, bytes json,
                              struct err_ctx *ec) {
    char password[PASSWORD_MAX_BYTES + 1];
    uint8_t secret[KEYSTORE_SECRET_MAX_BYTES];
    size_t len = 0;
    TRY(password_read(password, a->from_password_file, "Password of the file", false, ec));
    enum err e = keystore_decrypt(secret, &len, json, password, ec);
    explicit_bzero(password, sizeof(password));
    if (e == ERR_OK && len != 32)
        e = err_set(ec, ERR_INVALID, __FILE__, __LINE__, "%s holds %zu bytes, and no private key",
                    a->keyfile, len);
    if (e == ERR_OK)
        memcpy(key, secret, 32);
    explicit_bzero(secret, sizeof(secret));
    return e;
}

static enum err read_key(uint8_t key[32], const struct account_args *a, bytes text,
                         struct err_ctx *ec) {
    size_t len = 0;
    while (text.len > 0 && isspace(text.ptr[0]))
        text = bytes_of(text.ptr + 1, text.len - 1);
    while (text.len > 0 && isspace(text.ptr[text.len - 1]))
        text.len--;
    if (text.len > 0 && text.ptr[0] == '{')
        return open_keystore(key, a, text, ec);
    if (hex_decode(key, 32, &len, (const char *)text.ptr, text.len) != ERR_OK || len != 32)
        FAIL(ec, ERR_INVALID, "%s holds neither 64 hexadecimal digits nor a keystore file",
             a->keyfile);
    return ERR_OK;
}

static enum err import(const struct account_args *a, struct err_ctx *ec) {
    struct buf b;
    uint8_t key[32];
    buf_init(&b, KEYSTORE_FILE_MAX_BYTES + 4096);
    enum err e = file_read(&b, a->keyfile, KEYSTORE_FILE_MAX_BYTES, ec);
    if (e == ERR_OK)
        e = read_key(key, a, buf_bytes(&b), ec);
    if (b.ptr != NULL)
        explicit_bzero(b.ptr, b.len);
    buf_clear(&b);
    if (e == ERR_OK)
        e = keep(a, key, ec);
    explicit_bzero(key, sizeof(key));
    return e;
}

/* --- list ---------------------------------------------------------------------------------- */
static enum err print_one(void *ctx, const addr20 *address, const char *path) {
    (void)ctx;
    print_address(address, path);
    return ERR_OK;
}

int cmd_account(int argc, char **argv) {
    struct account_args a = {0};
    struct err_ctx ec = {.text = ""};
    const char *what = argc >= 2 ? argv[1] : "";
    bool is_new = strcmp(what, "new") == 0, is_list = strcmp(what, "list") == 0;
    bool is_import = strcmp(what, "import") == 0;
    if (strcmp(what, "--help") == 0 || strcmp(what, "help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    enum err e = is_new || is_list || is_import ? parse(&a, argc - 1, argv + 1, &ec) : ERR_CONFIG;
    if (e == ERR_OK && a.help) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (e != ERR_OK || (a.keyfile != NULL) != is_import) {
        fprintf(stderr, "%s%s%s", ec.text, ec.text[0] != '\0' ? "\n" : "", usage_text);
        return 2;
    }
    e = is_new      ? new_account(&a, &ec)
        : is_import ? import(&a, &ec)
                    : keydir_each(a.dir, print_one, NULL, &ec);
    if (e == ERR_OK)
        return 0;
    fprintf(stderr, "callipter account: %s\n", ec.err == e ? ec.text : err_text(e));
    return 1;
}
