/* SPDX-License-Identifier: Apache-2.0 */
#include "node/api_command.h"

#include "base/check.h"
#include "bridge/http_client.h"
#include "node/api_answer.h"
#include "node/api_request.h"
#include "node/args.h"
#include "node/file.h"
#include "node/secrets.h"
#include "rpc/api_keys.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <strings.h>

enum {
    HEADER_MAX = 512, /* the longest is an idempotency key with its name */
    NAME_MAX_BYTES = 64,
    OPTIONS_MAX = 8,
    USAGE_COLUMNS = 108,
    USAGE_INDENT = 6,
    OUT_MAX_BYTES = 64 << 20,
};
#define DEFAULT_URL "http://127.0.0.1:8545"
#define ENV_URL "CALLIPTER_URL"
#define ENV_KEY "CALLIPTER_API_KEY"

/* One run of a command. */
struct run {
    const struct api_command_set *set;
    const struct api_command *command;
    const struct api_route *route;
    const char *plain[API_PLAIN_MAX];
    size_t plain_count;
    struct api_flag flags[API_FLAGS_MAX];
    size_t flag_count;
    const char *url, *key_file, *datadir, *ca_file, *idempotency_key;
    bool json;
    char key[API_KEY_TEXT_MAX]; /* empty: none */
    struct api_request request;
    struct http_reply reply;
    json_t *answer;
};

/* --- rows ---------------------------------------------------------------------------------- */
/* The next of some names with spaces between. */
static bool next_name(const char **cursor, char out[NAME_MAX_BYTES]) {
    size_t len = strcspn(*cursor, " ");
    CHECK(len < NAME_MAX_BYTES);
    memcpy(out, *cursor, len);
    out[len] = '\0';
    *cursor += len + ((*cursor)[len] == ' ');
    return len > 0;
}

/* Arguments that are no flags: those of the word itself, and the plain ones as in `plain` (NULL: to
 * know their names). */
static json_t *given_args(const struct api_command *c, const char *const *plain) {
    json_t *args = c->fixed != NULL ? json_loads(c->fixed, 0, NULL) : json_object();
    const char *cursor = c->plain;
    char name[NAME_MAX_BYTES];
    CHECK(args != NULL);
    for (size_t i = 0; next_name(&cursor, name); i++) {
        json_t *v = json_string(plain != NULL ? plain[i] : "");
        /* What is no UTF-8 is of no type; the check of all arguments says so. */
        CHECK(json_object_set_new(args, name, v != NULL ? v : json_null()) == 0);
    }
    return args;
}

static const struct api_route *route_of(const struct api_command *c) {
    const struct api_route *r = api_route_find(c->route, strlen(c->route));
    CHECK(r != NULL);
    return r;
}

static size_t flags_of(struct api_flag out[API_FLAGS_MAX], const struct api_command *c) {
    json_t *given = given_args(c, NULL);
    size_t count = api_flags(out, route_of(c), given);
    json_decref(given);
    return count;
}

/* --- usage --------------------------------------------------------------------------------- */
/* One word of a command's form, on the next line when this one is full. */
struct form {
    struct buf *out;
    size_t column;
};

static void put_word(struct form *f, const char *text) {
    bool full = f->column + 1 + strlen(text) > USAGE_COLUMNS;
    if (full)
        buf_printf(f->out, "\n%*s", USAGE_INDENT, "");
    else if (f->column > 0)
        buf_append_byte(f->out, ' ');
    f->column = (full ? (size_t)USAGE_INDENT : f->column + 1) + strlen(text);
    buf_append_str(f->out, text);
}

/* The plain argument at a place: in capitals, out of its parameter's name. False: no more. */
static bool plain_name(const struct api_command *c, size_t idx, char out[NAME_MAX_BYTES]) {
    const char *cursor = c->plain;
    size_t i = 0;
    while (i <= idx && next_name(&cursor, out))
        i++;
    if (i == idx && c->pick != NULL)
        snprintf(out, NAME_MAX_BYTES, "%s", c->pick);
    else if (i <= idx)
        return false;
    for (char *p = out; *p != '\0'; p++)
        *p = (char)toupper((unsigned char)*p);
    return true;
}

/* "create SLUG [--owner ADDRESS] ..." */
static void put_form(struct buf *out, const struct api_command *c) {
    struct api_flag flags[API_FLAGS_MAX];
    struct form f = {.out = out};
    char text[2 * NAME_MAX_BYTES], name[NAME_MAX_BYTES];
    put_word(&f, c->word);
    for (size_t i = 0; plain_name(c, i, name); i++)
        put_word(&f, name);
    size_t count = flags_of(flags, c);
    for (size_t i = 0; i < count; i++) {
        bool needed = flags[i].required && flags[i].member[0] == '\0';
        snprintf(text, sizeof(text), needed ? "--%s %s" : "[--%s %s]", flags[i].name,
                 api_flag_hint(&flags[i]));
        put_word(&f, text);
    }
    if (route_of(c)->idempotent)
        put_word(&f, "[--idempotency-key TEXT]");
}

static const char common_help[] =
    "--url URL        the node; else the variable " ENV_URL ", else " DEFAULT_URL ";\n"
    "                 without a scheme only localhost, 127.0.0.1 or [::1], which is asked by "
    "http://\n"
    "--key-file FILE  holds the API key; else it is secrets/admin-key of --datadir DIR (a node's "
    "folder on this\n"
    "                 machine), else the variable " ENV_KEY "\n"
    "--ca-file FILE   authorities (PEM) that https: is verified by; else the system's\n"
    "--json           prints the node's answer as it came, a refusal too\n"
    "\n"
    "TIME is milliseconds since 1970, 2030-12-31 or 2030-12-31T23:59:59Z; a LIST has commas "
    "between "
    "its elements.\n"
    "A request with --idempotency-key is done once however often it is repeated, and answered the "
    "same.\n"
    "Exit status: 0 done, 1 refused by the node, 2 wrong usage, 3 no node reached,\n"
    "4 answered, but stdout takes no more.\n";

static void put_usage(struct buf *out, const struct api_command_set *set) {
    buf_printf(out,
               "usage: callipter %s COMMAND [ARGUMENTS] [--url URL] [--key-file FILE | --datadir "
               "DIR]\n"
               "                     [--ca-file FILE] [--json]\n\n",
               set->name);
    for (size_t i = 0; i < set->count; i++) {
        const struct api_command *c = &set->commands[i];
        buf_append_str(out, "  ");
        put_form(out, c);
        buf_printf(out, "\n      %s\n",
                   c->summary != NULL ? c->summary : route_of(c)->method.summary);
        if (c->note != NULL)
            buf_printf(out, "      %s\n", c->note);
    }
    buf_printf(out, "\n%s%s", set->about, common_help);
}

static int print_usage(const struct api_command_set *set, FILE *f) {
    struct buf out;
    buf_init(&out, OUT_MAX_BYTES);
    put_usage(&out, set);
    fwrite(out.ptr, 1, out.len, f);
    buf_clear(&out);
    return f == stdout ? API_EXIT_DONE : API_EXIT_USAGE;
}

/* One sentence, and how the command is written. */
static int wrong_usage(const struct run *r, const char *why) {
    struct buf form;
    buf_init(&form, OUT_MAX_BYTES);
    put_form(&form, r->command);
    fprintf(
        stderr, "callipter %s %s: %s\nusage: callipter %s %.*s\n`callipter %s --help` says more.\n",
        r->set->name, r->command->word, why, r->set->name, (int)form.len, form.ptr, r->set->name);
    buf_clear(&form);
    return API_EXIT_USAGE;
}

/* --- arguments ----------------------------------------------------------------------------- */
static enum err parse(struct run *r, int argc, char **argv, struct err_ctx *ec) {
    struct arg args[OPTIONS_MAX + API_FLAGS_MAX] = {
        {"url", &r->url, NULL},         {"key-file", &r->key_file, NULL},
        {"datadir", &r->datadir, NULL}, {"ca-file", &r->ca_file, NULL},
        {"json", NULL, &r->json},
    };
    size_t count = 5;
    char name[NAME_MAX_BYTES];
    if (r->route->idempotent)
        args[count++] = (struct arg){"idempotency-key", &r->idempotency_key, NULL};
    r->flag_count = flags_of(r->flags, r->command);
    for (size_t i = 0; i < r->flag_count; i++)
        args[count++] = (struct arg){r->flags[i].name, &r->flags[i].value, NULL};
    while (plain_name(r->command, r->plain_count, name))
        r->plain_count++;
    CHECK(r->plain_count <= API_PLAIN_MAX);
    TRY(args_parse(argc, argv, args, count, r->plain, r->plain_count, ec));
    for (size_t i = 0; i < r->plain_count; i++)
        if (r->plain[i] == NULL || r->plain[i][0] == '\0') {
            (void)plain_name(r->command, i, name);
            FAIL(ec, ERR_CONFIG, "%s is missing", name);
        }
    if (r->key_file != NULL && r->datadir != NULL)
        FAIL(ec, ERR_CONFIG, "one of --key-file and --datadir is enough");
    return ERR_OK;
}

/* --- the key ------------------------------------------------------------------------------- */
static enum err take_key(struct run *r, bytes text, const char *where, struct err_ctx *ec) {
    while (text.len > 0 && isspace(text.ptr[0]))
        text = bytes_of(text.ptr + 1, text.len - 1);
    while (text.len > 0 && isspace(text.ptr[text.len - 1]))
        text.len--;
    if (text.len >= sizeof(r->key) || !api_key_text_ok(text))
        FAIL(ec, ERR_CONFIG, "%.200s holds no API key (ak_..., sk_... or pk_...)", where);
    memcpy(r->key, text.ptr, text.len);
    r->key[text.len] = '\0';
    return ERR_OK;
}

static enum err read_key_file(struct run *r, const char *path, struct err_ctx *ec) {
    struct buf b;
    buf_init(&b, 2 * API_KEY_FILE_MAX_BYTES + 4096);
    enum err e = file_read(&b, path, API_KEY_FILE_MAX_BYTES, ec);
    if (e == ERR_OK)
        e = take_key(r, buf_bytes(&b), path, ec);
    if (b.ptr != NULL)
        explicit_bzero(b.ptr, b.len);
    buf_clear(&b);
    return e;
}

static enum err read_key(struct run *r, struct err_ctx *ec) {
    const char *text = getenv(ENV_KEY);
    char path[DATADIR_PATH_MAX];
    if (r->key_file != NULL)
        return read_key_file(r, r->key_file, ec);
    if (r->datadir != NULL) {
        TRY(secrets_admin_key_path(path, r->datadir, ec));
        return read_key_file(r, path, ec);
    }
    if (text != NULL && text[0] != '\0')
        return take_key(r, bytes_of(text, strlen(text)), "the variable " ENV_KEY, ec);
    if (r->route->scope != API_SCOPE_PUBLIC)
        FAIL(ec, ERR_CONFIG,
             "an API key is needed: --key-file, --datadir or the variable " ENV_KEY);
    return ERR_OK;
}

/* --- asking -------------------------------------------------------------------------------- */
/* Whether a URL without a scheme is of this machine, by what it says: no name is looked up. */
static bool is_loopback(const char *url) {
    char host[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct in6_addr v6;
    bool brackets = url[0] == '[';
    const char *from = url + brackets;
    size_t len = strcspn(from, brackets ? "]" : ":/");
    if (len >= sizeof(host))
        return false;
    memcpy(host, from, len);
    host[len] = '\0';
    if (brackets)
        return from[len] == ']' && strchr(":/", from[len + 1]) != NULL &&
               inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(host, "localhost") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
}

/* The node's URL without the slash at its end. Credentials in it would be on the command line. */
static enum err base_url(struct buf *out, const struct run *r, struct err_ctx *ec) {
    const char *env = getenv(ENV_URL);
    const char *url = r->url != NULL ? r->url : env != NULL && env[0] != '\0' ? env : DEFAULT_URL;
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    if (strstr(url, "://") == NULL) {
        if (!is_loopback(url))
            FAIL(ec, ERR_CONFIG,
                 "the node's URL: a host that is not this machine needs https:// before it, or "
                 "http:// where all on the way may read the API key");
        buf_append_str(out, "http://");
    }
    buf_append(out, url, len);
    buf_append_byte(out, 0);
    if (out->overflow || !http_client_url_ok((const char *)out->ptr) ||
        strpbrk(url, "?#@ ") != NULL)
        FAIL(ec, ERR_CONFIG,
             "the node's URL: want http://HOST:PORT or https://HOST:PORT, [::1] in brackets");
    out->len--;
    return ERR_OK;
}

/* ASCII without control characters, as the API wants it and as a header can have it. */
static enum err check_idempotency_key(const struct run *r, struct err_ctx *ec) {
    const char *k = r->idempotency_key;
    size_t len = 0;
    while (k != NULL && (uint8_t)k[len] >= 0x20 && (uint8_t)k[len] < 0x7f)
        len++;
    /* A header of blanks alone would not be sent. */
    if (k != NULL && (k[len] != '\0' || strspn(k, " ") == len || len > API_IDEMPOTENCY_KEY_MAX))
        FAIL(ec, ERR_CONFIG, "--idempotency-key: 1 to %d printable ASCII characters",
             API_IDEMPOTENCY_KEY_MAX);
    return ERR_OK;
}

static enum err exchange(struct run *r, const char *url, struct err_ctx *ec) {
    char key[HEADER_MAX], idempotency[HEADER_MAX];
    const char *headers[5] = {"Content-Type: application/json", "Accept: application/json"};
    size_t count = 2;
    struct http_client *http = NULL;
    if (r->key[0] != '\0') {
        snprintf(key, sizeof(key), "Authorization: Bearer %s", r->key);
        headers[count++] = key;
    }
    if (r->idempotency_key != NULL) {
        snprintf(idempotency, sizeof(idempotency), "Idempotency-Key: %s", r->idempotency_key);
        headers[count++] = idempotency;
    }
    struct http_client_config c = {.connect_timeout_ms = API_CONNECT_TIMEOUT_MS,
                                   .request_timeout_ms = API_REQUEST_TIMEOUT_MS,
                                   .reply_max_bytes = API_REPLY_MAX_BYTES,
                                   .headers = headers,
                                   .ca_file = r->ca_file,
                                   /* A proxy would read the key. */
                                   .direct = strncmp(url, "https://", 8) != 0};
    enum err e = http_client_new(&http, &c, ec);
    explicit_bzero(key, sizeof(key));
    explicit_bzero(r->key, sizeof(r->key));
    if (e == ERR_OK)
        http_client_ask(http, &r->reply, r->request.verb, url,
                        r->request.has_body ? buf_bytes(&r->request.body) : bytes_of(NULL, 0));
    http_client_free(http);
    return e;
}

/* All that can be wrong before the node is asked is ERR_CONFIG or of a file. */
static enum err ask(struct run *r, struct err_ctx *ec) {
    struct buf url;
    json_t *args = given_args(r->command, r->plain);
    enum err e = api_flags_take(args, r->flags, r->flag_count, ec);
    if (e == ERR_OK)
        e = api_request_make(&r->request, r->route, args, ec);
    else
        json_decref(args);
    TRY(e);
    TRY(check_idempotency_key(r, ec));
    buf_init(&url, API_TARGET_MAX_BYTES + 4096);
    e = base_url(&url, r, ec);
    if (e == ERR_OK)
        e = read_key(r, ec);
    if (e == ERR_OK) {
        buf_append(&url, r->request.target.ptr, r->request.target.len + 1);
        CHECK(!url.overflow);
        e = exchange(r, (const char *)url.ptr, ec);
    }
    buf_clear(&url);
    return e;
}

/* --- answers ------------------------------------------------------------------------------- */
static int unreached(const struct run *r, const char *why) {
    fprintf(stderr, "callipter %s %s: no answer of a node: %s%s\n", r->set->name, r->command->word,
            why,
            r->reply.maybe_sent && strcmp(r->request.verb, "GET") != 0
                ? "; it may have done what was asked all the same"
                : "");
    return API_EXIT_UNREACHED;
}

/* To stdout, all of it. What was answered may be a secret that is shown this once. */
static int deliver(const struct run *r, const struct buf *out, int status) {
    bool ok = !out->overflow && fwrite(out->ptr, 1, out->len, stdout) == out->len;
    if (fflush(stdout) == 0 && ok)
        return status;
    fprintf(stderr, "callipter %s %s: the node has answered, but that cannot be written\n",
            r->set->name, r->command->word);
    return API_EXIT_UNWRITTEN;
}

static int raw(const struct run *r, int status) {
    struct buf out;
    buf_init(&out, OUT_MAX_BYTES);
    buf_append(&out, r->reply.body.ptr, r->reply.body.len);
    buf_append_byte(&out, '\n');
    status = deliver(r, &out, status);
    if (out.ptr != NULL)
        explicit_bzero(out.ptr, out.len);
    buf_clear(&out);
    return status;
}

/* A problem as RFC 9457 has it: its sentence, its code, the request's id. */
static int refused(const struct run *r) {
    struct buf text;
    json_t *detail = json_object_get(r->answer, "detail");
    const char *names[] = {"code", "requestId"};
    if (!json_is_string(detail) || json_object_get(r->answer, "code") == NULL) {
        char why[64];
        snprintf(why, sizeof(why), "HTTP status %llu", (unsigned long long)r->reply.status);
        return unreached(r, why);
    }
    buf_init(&text, OUT_MAX_BYTES);
    api_answer_value(&text, "", detail);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_t *v = json_object_get(r->answer, names[i]);
        if (v == NULL)
            continue;
        buf_append_str(&text, i == 0 ? " (" : ", request ");
        api_answer_value(&text, "", v);
    }
    fprintf(stderr, "callipter %s %s: %.*s)\n", r->set->name, r->command->word, (int)text.len,
            text.ptr);
    buf_clear(&text);
    return r->json ? raw(r, API_EXIT_REFUSED) : API_EXIT_REFUSED;
}

static int print_answer(const struct run *r, json_t *answer) {
    const struct api_command *c = r->command;
    struct buf out, hint;
    json_t *list = json_is_object(answer) ? json_object_get(answer, "items") : answer;
    buf_init(&out, OUT_MAX_BYTES);
    buf_init(&hint, OUT_MAX_BYTES);
    if (c->print != NULL)
        c->print(&out, &hint, answer);
    else if (c->columns != NULL)
        api_answer_table(&out, list, c->columns);
    else
        api_answer_object(&out, answer);
    json_t *next = json_object_get(answer, "next");
    if (c->columns != NULL && next != NULL) {
        buf_append_str(&hint, "there are more: --after ");
        api_answer_value(&hint, "", next);
    }
    int status = r->json ? raw(r, API_EXIT_DONE) : deliver(r, &out, API_EXIT_DONE);
    if (hint.len > 0)
        fprintf(stderr, "callipter %s %s: %.*s\n", r->set->name, c->word, (int)hint.len, hint.ptr);
    if (out.ptr != NULL)
        explicit_bzero(out.ptr, out.len);
    buf_clear(&out);
    buf_clear(&hint);
    return status;
}

/* The element of the list that was asked for. */
static int print_picked(struct run *r) {
    const char *id = r->plain[r->plain_count - 1];
    for (size_t i = 0; i < json_array_size(r->answer); i++) {
        json_t *item = json_array_get(r->answer, i);
        const char *have = json_string_value(json_object_get(item, "id"));
        if (have == NULL || strcmp(have, id) != 0)
            continue;
        char *text = json_dumps(item, JSON_COMPACT);
        CHECK(text != NULL);
        buf_reset(&r->reply.body);
        buf_append_str(&r->reply.body, text);
        free(text);
        return print_answer(r, item);
    }
    fprintf(stderr, "callipter %s %s: there is no such %s\n", r->set->name, r->command->word,
            r->command->pick);
    return API_EXIT_REFUSED;
}

/* Whether the answer has the form that the command prints. */
static bool is_expected(const struct run *r) {
    const struct api_command *c = r->command;
    json_t *list = json_is_object(r->answer) ? json_object_get(r->answer, "items") : r->answer;
    if (c->pick != NULL)
        return json_is_array(r->answer);
    if (c->columns != NULL)
        return json_is_array(list);
    return json_is_object(r->answer) &&
           (c->member == NULL || json_object_get(r->answer, c->member) != NULL);
}

static int conclude(struct run *r) {
    if (r->reply.outcome != HTTP_CLIENT_ANSWERED)
        return unreached(r, r->reply.text);
    r->answer = json_loadb((const char *)r->reply.body.ptr, r->reply.body.len, 0, NULL);
    if (r->reply.status < 200 || r->reply.status >= 300)
        return refused(r);
    if (!is_expected(r))
        return unreached(r, "what answers there is another program");
    return r->command->pick != NULL ? print_picked(r) : print_answer(r, r->answer);
}

static int run_command(struct run *r, int argc, char **argv) {
    struct err_ctx ec = {.text = ""};
    enum err e = parse(r, argc, argv, &ec);
    if (e == ERR_OK)
        e = ask(r, &ec);
    const char *why = ec.err == e ? ec.text : err_text(e);
    int status = e == ERR_OK      ? conclude(r)
                 : e == ERR_NOMEM ? unreached(r, why)
                                  : wrong_usage(r, why);
    explicit_bzero(r->key, sizeof(r->key));
    json_decref(r->answer);
    if (r->reply.body.ptr != NULL)
        explicit_bzero(r->reply.body.ptr, r->reply.body.len);
    buf_clear(&r->reply.body);
    api_request_clear(&r->request);
    return status;
}

int api_command_run(const struct api_command_set *set, int argc, char **argv) {
    const char *word = argc >= 2 ? argv[1] : "";
    if (strcmp(word, "help") == 0 || args_help(argc, argv))
        return print_usage(set, stdout);
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->commands[i].word, word) == 0) {
            struct run r = {.set = set, .command = &set->commands[i]};
            r.route = route_of(r.command);
            return run_command(&r, argc - 1, argv + 1);
        }
    if (word[0] != '\0')
        fprintf(stderr, "callipter %s: unknown command '%.100s'\n", set->name, word);
    return print_usage(set, stderr);
}
