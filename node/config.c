/* SPDX-License-Identifier: Apache-2.0 */
#include "node/config.h"

#include "base/log.h"
#include "node/file.h"
#include "node/prune.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

enum config_type { TYPE_FLAG, TYPE_U64, TYPE_TEXT };

static const struct config_row {
    const char *key;
    enum config_type type;
    bool live;
    size_t offset; /* in struct config */
    uint64_t def, min, max;
    const char *def_text;
    const char *form; /* of the value */
    const char *help;
} rows[CONFIG_COUNT] = {
#define when_live true
#define when_start false
#define CONFIG_FLAG(id, key, when, help)                                                           \
    {key, TYPE_FLAG, when_##when, offsetof(struct config, id), 0, 0, 1, NULL, NULL, help},
#define CONFIG_U64(id, key, when, def, min, max, unit, help)                                       \
    {key, TYPE_U64, when_##when, offsetof(struct config, id), def, min, max, NULL, unit, help},
#define CONFIG_TEXT(id, key, when, def, form, help)                                                \
    {key, TYPE_TEXT, when_##when, offsetof(struct config, id), 0, 0, 0, def, form, help},
#include "node/config.def"
#undef CONFIG_FLAG
#undef CONFIG_U64
#undef CONFIG_TEXT
#undef when_live
#undef when_start
};

enum { DEV_BLOCK_GAP_MS = 1 };

static void *field(struct config *c, const struct config_row *r) {
    return (char *)c + r->offset;
}

static void set_defaults(struct config *c) {
    memset(c, 0, sizeof(*c));
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (rows[i].type == TYPE_U64)
            *(uint64_t *)field(c, &rows[i]) = rows[i].def;
        else if (rows[i].type == TYPE_TEXT)
            *(const char **)field(c, &rows[i]) = rows[i].def_text;
    }
}

static enum err parse_u64(uint64_t *out, const struct config_row *r, const char *name,
                          const char *text, struct err_ctx *ec) {
    char *end = NULL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0)
        FAIL(ec, ERR_CONFIG, "%s: '%s' is not a whole number", name, text);
    if (v < r->min || v > r->max)
        FAIL(ec, ERR_CONFIG, "%s: %llu is not between %" PRIu64 " and %" PRIu64, name, v, r->min,
             r->max);
    *out = v;
    return ERR_OK;
}

/* Sets one value; `name` is how the user called it. A flag's text is NULL, or 0/1, false/true from
 * the environment. */
static enum err set_value(struct config *c, size_t idx, const char *name, const char *text,
                          struct err_ctx *ec) {
    const struct config_row *r = &rows[idx];
    void *at = field(c, r);
    if (r->type == TYPE_TEXT) {
        *(const char **)at = text;
    } else if (r->type == TYPE_U64) {
        uint64_t v = 0;
        TRY(parse_u64(&v, r, name, text, ec));
        *(uint64_t *)at = v;
    } else {
        bool on = text == NULL || strcmp(text, "1") == 0 || strcmp(text, "true") == 0;
        if (!on && strcmp(text, "0") != 0 && strcmp(text, "false") != 0)
            FAIL(ec, ERR_CONFIG, "%s: '%s' is neither true nor false", name, text);
        *(bool *)at = on;
    }
    c->given[idx] = true;
    return ERR_OK;
}

static enum err read_environment(struct config *c, char *(*env)(const char *), struct err_ctx *ec) {
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        char name[64];
        int n = snprintf(name, sizeof(name), "CALLIPTER_%s", rows[i].key);
        for (int k = 0; k < n; k++)
            name[k] = name[k] == '-' ? '_' : (char)toupper((unsigned char)name[k]);
        const char *text = env(name);
        if (text != NULL)
            TRY(set_value(c, i, name, text, ec));
    }
    return ERR_OK;
}

/* --- the file ------------------------------------------------------------------------------ */
/* Keys that ask for something instead of setting it. */
static bool only_flag(size_t idx) {
    return idx == CONFIG_config || idx == CONFIG_print_config || idx == CONFIG_replay;
}

static char *trim(char *from, char *end) {
    while (from < end && isspace((unsigned char)*from))
        from++;
    while (end > from && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return from;
}

/* One line, NUL-terminated at `end`. */
static enum err read_line(struct config *c, char *line, char *end, unsigned number,
                          struct err_ctx *ec) {
    char name[96];
    line = trim(line, end);
    char *equals = strchr(line, '=');
    if (line[0] == '\0' || line[0] == '#')
        return ERR_OK;
    if (equals == NULL)
        FAIL(ec, ERR_CONFIG, "%s line %u: '%s' is not key = value", c->config, number, line);
    char *value = trim(equals + 1, equals + strlen(equals)), *key = trim(line, equals);
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(rows[i].key, key) != 0 || only_flag(i))
            continue;
        if (c->given[i])
            FAIL(ec, ERR_CONFIG, "%s line %u: %s is set twice", c->config, number, key);
        if (rows[i].type == TYPE_FLAG && value[0] == '\0')
            FAIL(ec, ERR_CONFIG, "%s line %u: %s is true or false", c->config, number, key);
        snprintf(name, sizeof(name), "line %u, %s", number, key);
        return set_value(c, i, name, value, ec);
    }
    FAIL(ec, ERR_CONFIG, "%s line %u: unknown key '%s'", c->config, number, key);
}

static enum err read_file(struct config *c, struct err_ctx *ec) {
    TRY(file_read(&c->file, c->config, CONFIG_FILE_MAX_BYTES, ec));
    if (c->file.len > 0 && memchr(c->file.ptr, 0, c->file.len) != NULL)
        FAIL(ec, ERR_CONFIG, "%s is not a text", c->config);
    buf_append_byte(&c->file, '\n'); /* room for the last line's end */
    char *at = (char *)c->file.ptr, *end = at + c->file.len;
    for (unsigned number = 1; at < end; number++) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        *stop = '\0';
        TRY(read_line(c, at, stop, number, ec));
        at = stop + 1;
    }
    return ERR_OK;
}

/* --- flags --------------------------------------------------------------------------------- */
static enum err read_flag(struct config *c, int argc, char **argv, int *at, struct err_ctx *ec) {
    const char *arg = argv[*at];
    if (strncmp(arg, "--", 2) != 0)
        FAIL(ec, ERR_CONFIG, "unexpected argument '%s'", arg);
    size_t len = strcspn(arg + 2, "=");
    const char *value = arg[2 + len] == '=' ? arg + 3 + len : NULL;
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (strlen(rows[i].key) != len || memcmp(rows[i].key, arg + 2, len) != 0)
            continue;
        if (rows[i].type != TYPE_FLAG && value == NULL) {
            if (*at + 1 >= argc)
                FAIL(ec, ERR_CONFIG, "--%s needs a value: %s", rows[i].key, rows[i].form);
            value = argv[++*at];
        }
        char name[64];
        snprintf(name, sizeof(name), "--%s", rows[i].key);
        return set_value(c, i, name, value, ec);
    }
    FAIL(ec, ERR_CONFIG, "unknown flag '%.*s'", (int)(len + 2), arg);
}

static enum err check_finality(const char *text, const char *name, struct err_ctx *ec) {
    if (strcmp(text, "latest") != 0 && strcmp(text, "safe") != 0 && strcmp(text, "finalized") != 0)
        FAIL(ec, ERR_CONFIG, "%s: '%s' is none of latest, safe, finalized", name, text);
    return ERR_OK;
}

static enum err check_parent(const struct config *c, struct err_ctx *ec) {
    bool follows = c->parent_url[0] != '\0', validates = strcmp(c->role, "validator") == 0;
    if (!validates && strcmp(c->role, "sequencer") != 0)
        FAIL(ec, ERR_CONFIG, "--role: '%s' is neither sequencer nor validator", c->role);
    if (validates && !follows)
        FAIL(ec, ERR_CONFIG, "--role validator: --parent-url is needed");
    if (follows != (c->parent_deployment[0] != '\0'))
        FAIL(ec, ERR_CONFIG, "--parent-url and --parent-deployment go together");
    if (!follows && c->poster_key[0] != '\0')
        FAIL(ec, ERR_CONFIG, "--poster-key: --parent-url is needed");
    if (validates && c->poster_key[0] != '\0')
        FAIL(ec, ERR_CONFIG, "--poster-key: a validator posts nothing");
    if (!follows && (c->member_key[0] != '\0' || c->proposer_key[0] != '\0'))
        FAIL(ec, ERR_CONFIG, "--member-key and --proposer-key: --parent-url is needed");
    if (!validates && c->forward_urls[0] != '\0')
        FAIL(ec, ERR_CONFIG,
             "--forward-urls is for --role validator: a sequencer takes them itself");
    TRY(check_finality(c->delayed_finality, "--delayed-finality", ec));
    return check_finality(c->assertion_finality, "--assertion-finality", ec);
}

static enum err check_together(struct config *c, struct err_ctx *ec) {
    if (c->dev && !c->given[CONFIG_block_gap_ms])
        c->block_gap_ms = DEV_BLOCK_GAP_MS;
    if (c->dev)
        c->unbacked_alloc = true;
    if (!c->dev && c->chain[0] == '\0')
        FAIL(ec, ERR_CONFIG, "--chain FILE is needed, or --dev for the built-in development chain");
    if (!c->dev && c->datadir[0] == '\0')
        FAIL(ec, ERR_CONFIG, "--datadir DIR is needed without --dev");
    if ((c->tls_cert[0] == '\0') != (c->tls_key[0] == '\0'))
        FAIL(ec, ERR_CONFIG, "--tls-cert and --tls-key go together");
    enum log_level level;
    if (log_level_parse(&level, c->log_level) != ERR_OK)
        FAIL(ec, ERR_CONFIG, "--log-level: '%s' is none of debug, info, warn, error", c->log_level);
    if (strcmp(c->log_format, "text") != 0 && strcmp(c->log_format, "json") != 0)
        FAIL(ec, ERR_CONFIG, "--log-format: '%s' is neither text nor json", c->log_format);
    uint64_t seconds;
    if (prune_mode(&seconds, c->mode) != ERR_OK)
        FAIL(ec, ERR_CONFIG, "--mode: '%s' is none of archive, full, minimal", c->mode);
    if (strcmp(c->tier, "fast") != 0 && strcmp(c->tier, "reference") != 0)
        FAIL(ec, ERR_CONFIG, "--tier: '%s' is neither fast nor reference", c->tier);
    if (strcmp(c->recover, "vectorised") != 0 && strcmp(c->recover, "libsecp256k1") != 0)
        FAIL(ec, ERR_CONFIG, "--recover: '%s' is neither vectorised nor libsecp256k1", c->recover);
    return check_parent(c, ec);
}

/* Whether a text that should name a file is a secret itself: an API key, or digits of a key. */
static bool is_secret(const char *text) {
    const char *digits = strncmp(text, "0x", 2) == 0 ? text + 2 : text;
    bool api_key =
        text[0] != '\0' && strncmp(text + 1, "k_", 2) == 0 && strchr("aps", text[0]) != NULL;
    return api_key || (strlen(digits) == 64 && strspn(digits, "0123456789abcdefABCDEF") == 64);
}

/* It is refused without being told, and before anything prints it. */
static enum err check_files(const struct config *c, struct err_ctx *ec) {
    static const enum config_id files[] = {
        CONFIG_tls_key,      CONFIG_poster_key,     CONFIG_key_password,    CONFIG_member_key,
        CONFIG_proposer_key, CONFIG_admin_key_file, CONFIG_signer_password, CONFIG_operator_key};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        const struct config_row *r = &rows[files[i]];
        if (is_secret(*(const char *const *)((const char *)c + r->offset)))
            FAIL(ec, ERR_CONFIG, "--%s wants the name of a file with the secret, not the secret",
                 r->key);
    }
    return ERR_OK;
}

static enum err read_outside(struct config *c, int argc, char **argv, char *(*env)(const char *),
                             struct err_ctx *ec) {
    TRY(read_environment(c, env, ec));
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            c->help = true;
        else
            TRY(read_flag(c, argc, argv, &i, ec));
    }
    return ERR_OK;
}

static enum err parse(struct config *c, int argc, char **argv, char *(*env)(const char *),
                      struct err_ctx *ec) {
    TRY(read_outside(c, argc, argv, env, ec));
    if (c->help)
        return ERR_OK;
    if (c->config[0] != '\0') {
        /* What stands outside tells where the file is, and then wins over it. */
        const char *path = c->config;
        set_defaults(c);
        buf_init(&c->file, CONFIG_FILE_MAX_BYTES + 4096);
        c->config = path;
        TRY(read_file(c, ec));
        TRY(read_outside(c, argc, argv, env, ec));
    }
    TRY(check_files(c, ec));
    return c->print_config ? ERR_OK : check_together(c, ec);
}

enum err config_parse(struct config *out, int argc, char **argv, char *(*env)(const char *),
                      struct err_ctx *ec) {
    struct config c;
    set_defaults(&c);
    enum err e = parse(&c, argc, argv, env, ec);
    if (e != ERR_OK)
        config_clear(&c);
    else
        *out = c;
    return e;
}

void config_clear(struct config *c) {
    buf_clear(&c->file);
}

const char *config_key(enum config_id id) {
    return rows[id].key;
}

bool config_is_live(enum config_id id) {
    return rows[id].live;
}

bool config_same(const struct config *a, const struct config *b, enum config_id id) {
    const struct config_row *r = &rows[id];
    const char *x = (const char *)a + r->offset, *y = (const char *)b + r->offset;
    if (r->type == TYPE_TEXT)
        return strcmp(*(const char *const *)(const void *)x,
                      *(const char *const *)(const void *)y) == 0;
    return memcmp(x, y, r->type == TYPE_U64 ? sizeof(uint64_t) : sizeof(bool)) == 0;
}

void config_print_help(FILE *f) {
    fprintf(f, "usage: callipter run [FLAGS]\n\n"
               "Each flag --some-key can also be given as the environment variable "
               "CALLIPTER_SOME_KEY, or as a\n"
               "line `some-key = value` of the file that --config names. Flags win over variables, "
               "variables over the file.\n"
               "At SIGHUP the node reads the file again and takes up the keys that are marked "
               "[live].\n\n");
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s%s%s", rows[i].key, rows[i].form != NULL ? " " : "",
                 rows[i].form != NULL ? rows[i].form : "");
        fprintf(f, "  %-26s %s", left, rows[i].help);
        if (rows[i].type == TYPE_U64)
            fprintf(f, " (%" PRIu64 ")", rows[i].def);
        else if (rows[i].type == TYPE_TEXT && rows[i].def_text[0] != '\0')
            fprintf(f, " (%s)", rows[i].def_text);
        if (rows[i].live)
            fputs(" [live]", f);
        fputc('\n', f);
    }
}

/* --- the sample ---------------------------------------------------------------------------- */
/* Whether a list of URLs has more than scheme, host and port: that may be a provider's key. */
static bool may_hold_key(const char *urls) {
    for (const char *u = urls; *u != '\0';) {
        size_t len = strcspn(u, ",");
        const char *scheme = strstr(u, "://");
        const char *host = scheme != NULL && scheme < u + len ? scheme + 3 : u;
        size_t plain = strcspn(host, "@/?#,");
        if (host[plain] == '/' && host + plain + 1 == u + len)
            plain++;
        if (host + plain != u + len)
            return true;
        u += len + (u[len] == ',');
    }
    return false;
}

static bool is_hidden(const struct config *c, size_t idx) {
    return (idx == CONFIG_parent_url && may_hold_key(c->parent_url)) ||
           (idx == CONFIG_member_urls && may_hold_key(c->member_urls)) ||
           (idx == CONFIG_forward_urls && may_hold_key(c->forward_urls)) ||
           (idx == CONFIG_sequencer_url && may_hold_key(c->sequencer_url));
}

static void print_row(FILE *f, const struct config *c, size_t idx) {
    const struct config_row *r = &rows[idx];
    const void *at = (const char *)c + r->offset;
    fprintf(f, "# %s", r->help);
    if (r->type == TYPE_U64)
        fprintf(f, "; %s, %" PRIu64 " to %" PRIu64, r->form, r->min, r->max);
    if (r->live)
        fputs(" [live]", f);
    if (is_hidden(c, idx)) {
        fprintf(f, "\n# set, and not shown: it may hold a key\n#%s =\n\n", r->key);
        return;
    }
    fprintf(f, "\n%s%s =", c->given[idx] ? "" : "#", r->key);
    if (r->type == TYPE_FLAG)
        fprintf(f, " %s", *(const bool *)at ? "true" : "false");
    else if (r->type == TYPE_U64)
        fprintf(f, " %" PRIu64, *(const uint64_t *)at);
    else if ((*(const char *const *)at)[0] != '\0')
        fprintf(f, " %s", *(const char *const *)at);
    fprintf(f, "\n\n");
}

void config_print_sample(FILE *f, const struct config *c) {
    fprintf(f,
            "# Configuration of callipter run: callipter run --config FILE.\n"
            "# Lines behind # show what is in force without them. [live]: taken up at SIGHUP.\n\n");
    for (size_t i = 0; i < CONFIG_COUNT; i++)
        if (!only_flag(i))
            print_row(f, c, i);
}
