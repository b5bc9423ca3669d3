/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter key`: API keys of universes, on a running node. */
#include "node/commands.h"

#include "node/api_answer.h"
#include "node/api_command.h"

/* Of a NewKey: the secret alone goes to stdout, so that it can be sent into a file or a program. */
static void print_secret(struct buf *out, struct buf *hint, json_t *answer) {
    json_t *key = json_object_get(answer, "key");
    api_answer_value(out, "", json_object_get(answer, "secret"));
    buf_append_byte(out, '\n');
    buf_append_str(hint, "this is the secret of key ");
    api_answer_value(hint, "", json_object_get(key, "id"));
    buf_append_str(hint, "; it is shown this once and kept nowhere: keep it safe");
}

static void print_key(struct buf *out, struct buf *hint, json_t *answer) {
    (void)hint;
    api_answer_object(out, json_object_get(answer, "key"));
}

static const struct api_command commands[] = {
    {.word = "create",
     .route = "universe_createKey",
     .plain = "slug",
     .member = "secret",
     .print = print_secret,
     .note =
         "KIND is secret or publishable (which reads only); SCOPES: all of the kind unless given"},
    {.word = "list",
     .route = "universe_listKeys",
     .plain = "slug",
     .columns = "id kind scopes label createdAt expiresAt revokedAt lastUsedAt"},
    {.word = "show",
     .route = "universe_listKeys",
     .plain = "slug",
     .pick = "key",
     .summary = "one of them, by its id"},
    {.word = "whoami",
     .route = "universe_whoami",
     .plain = "",
     .member = "key",
     .print = print_key},
    {.word = "rotate",
     .route = "universe_rotateKey",
     .plain = "slug key",
     .member = "secret",
     .print = print_secret},
    {.word = "revoke", .route = "universe_revokeKey", .plain = "slug key"},
};

static const struct api_command_set set = {
    .name = "key",
    .about = "SLUG is the universe's name, KEY a key's id. A new secret goes to stdout, alone and "
             "once.\nScopes:"
#define SCOPE(id, bit, name, publishable, what) " " name
#include "rpc/api_scopes.def"
#undef SCOPE
             "\n\n",
    .commands = commands,
    .count = ARRAY_LEN(commands),
};

int cmd_key(int argc, char **argv) {
    return api_command_run(&set, argc, argv);
}
