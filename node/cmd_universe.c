/* SPDX-License-Identifier: Apache-2.0 */
/* `callipter universe`: universes of a running node, and what their owners decide. */
#include "node/commands.h"

#include "node/api_answer.h"
#include "node/api_command.h"

/* Of a NewUniverse: the universe, then its first keys, which a repeated request is not shown. */
static void print_created(struct buf *out, struct buf *hint, json_t *answer) {
    static const char *const names[] = {"secretKey", "publishableKey"};
    json_t *lines = json_copy(json_object_get(answer, "universe"));
    bool shown = lines != NULL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        shown = shown &&
                json_object_set(lines, names[i],
                                json_object_get(json_object_get(answer, names[i]), "secret")) == 0;
    api_answer_object(out, lines);
    json_decref(lines);
    buf_append_str(hint, shown ? "the secrets of its first two keys are shown this once and kept "
                                 "nowhere: keep them safe"
                               : "its keys were shown when it was made; `callipter key create` "
                                 "makes others");
}

#define SENT_COLUMNS "transaction block status gasUsed"
static const struct api_command commands[] = {
    {.word = "create",
     .route = "universe_create",
     .plain = "slug",
     .member = "universe",
     .print = print_created,
     .note = "SLUG has 1 to 14 of a-z, 0-9 and - (not at an end); the operator's account pays"},
    {.word = "list",
     .route = "universe_list",
     .plain = "",
     .columns = "id slug status owner gasAccount createdAt metadataUri"},
    {.word = "show", .route = "universe_get", .plain = "slug"},
    {.word = "pause",
     .route = "universe_setPaused",
     .plain = "slug",
     .fixed = "{\"paused\":true}",
     .summary = "its contracts take no transactions until it is resumed"},
    {.word = "resume",
     .route = "universe_setPaused",
     .plain = "slug",
     .fixed = "{\"paused\":false}",
     .summary = "ends a pause"},
    {.word = "gas", .route = "universe_gas", .plain = "slug"},
    {.word = "policy",
     .route = "universe_setPolicy",
     .plain = "slug",
     .columns = SENT_COLUMNS,
     .note = "limits and costs in wei, windows in seconds"},
    {.word = "targets",
     .route = "universe_setTargets",
     .plain = "slug",
     .columns = SENT_COLUMNS,
     .note =
         "elements: CONTRACT:FUNCTION, such as 0x...:mint(address,uint256) or 0x...:0x40c10f19"},
    {.word = "deploy", .route = "universe_deploy", .plain = "slug"},
    {.word = "contracts",
     .route = "universe_listContracts",
     .plain = "slug",
     .columns = "address template name symbol standard block"},
};

static const struct api_command_set set = {
    .name = "universe",
    .about = "create takes the key of the node's operator, list, show and contracts none, the rest "
             "a key of the universe\nwith the scope for it, or the operator's.\n\n",
    .commands = commands,
    .count = ARRAY_LEN(commands),
};

int cmd_universe(int argc, char **argv) {
    return api_command_run(&set, argc, argv);
}
