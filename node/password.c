/* SPDX-License-Identifier: Apache-2.0 */
#include "node/password.h"

#include "base/buf.h"
#include "node/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 65536 };

static enum err take_line(char out[PASSWORD_MAX_BYTES + 1], bytes text, struct err_ctx *ec) {
    size_t len = 0;
    while (len < text.len && text.ptr[len] != '\n')
        len++;
    if (len > 0 && text.ptr[len - 1] == '\r')
        len--;
    if (len == 0)
        FAIL(ec, ERR_INVALID, "the password is empty");
    if (len > PASSWORD_MAX_BYTES)
        FAIL(ec, ERR_TOO_LARGE, "the password is longer than %d bytes", PASSWORD_MAX_BYTES);
    if (memchr(text.ptr, 0, len) != NULL)
        FAIL(ec, ERR_INVALID, "the password has a zero byte");
    memcpy(out, text.ptr, len);
    out[len] = '\0';
    return ERR_OK;
}

static enum err from_file(char out[PASSWORD_MAX_BYTES + 1], const char *file, struct err_ctx *ec) {
    struct buf b;
    buf_init(&b, FILE_MAX_BYTES + 4096);
    enum err e = file_read(&b, file, FILE_MAX_BYTES, ec);
    if (e == ERR_OK)
        e = take_line(out, buf_bytes(&b), ec);
    if (b.ptr != NULL)
        explicit_bzero(b.ptr, b.len);
    buf_clear(&b);
    return e;
}

/* One line from the terminal, whose echo is off. */
static enum err ask(char out[PASSWORD_MAX_BYTES + 1], int tty, const char *prompt,
                    struct err_ctx *ec) {
    uint8_t line[PASSWORD_MAX_BYTES + 2];
    size_t len = 0;
    dprintf(tty, "%s: ", prompt);
    while (len < sizeof(line)) {
        ssize_t n = read(tty, line + len, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || line[len++] == '\n')
            break;
    }
    dprintf(tty, "\n");
    enum err e = take_line(out, bytes_of(line, len), ec);
    explicit_bzero(line, sizeof(line));
    return e;
}

static enum err ask_all(char out[PASSWORD_MAX_BYTES + 1], int tty, const char *prompt, bool again,
                        struct err_ctx *ec) {
    char second[PASSWORD_MAX_BYTES + 1];
    TRY(ask(out, tty, prompt, ec));
    if (!again)
        return ERR_OK;
    enum err e = ask(second, tty, "Repeat it", ec);
    bool same = e == ERR_OK && strcmp(out, second) == 0;
    explicit_bzero(second, sizeof(second));
    if (e == ERR_OK && !same)
        FAIL(ec, ERR_INVALID, "the two passwords differ");
    return e;
}

enum err password_read(char out[PASSWORD_MAX_BYTES + 1], const char *file, const char *prompt,
                       bool again, struct err_ctx *ec) {
    struct termios shown, hidden;
    if (file != NULL)
        return from_file(out, file, ec);
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0 || tcgetattr(tty, &shown) != 0) {
        if (tty >= 0)
            (void)close(tty);
        FAIL(ec, ERR_NOT_FOUND, "there is no terminal to ask for a password: use --password-file");
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    enum err e = ERR_IO;
    if (tcsetattr(tty, TCSAFLUSH, &hidden) == 0) {
        e = ask_all(out, tty, prompt, again, ec);
        (void)tcsetattr(tty, TCSAFLUSH, &shown);
    } else {
        e = err_set(ec, ERR_IO, __FILE__, __LINE__, "the terminal cannot hide the password");
    }
    (void)close(tty);
    return e;
}
