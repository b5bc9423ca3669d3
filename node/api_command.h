/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that ask a running node through the universes' API, and nothing else: `callipter key`,
 * `callipter universe`. A command is a row that names a route; its flags, its usage and the check
 * of its arguments come from the route (node/api_request.h).
 *
 * The API key never stands on the command line, where every process of the machine can read it: it
 * is in a file, in the data folder of a node of this machine, or in the environment.
 *
 * Exit status: 0 done; 1 the node refuses, with its reason; 2 wrong usage, also a key file that is
 * none; 3 no node can be reached; 4 it has answered, but stdout does not take it. Answers go to
 * stdout, everything else to stderr. */
#ifndef NODE_API_COMMAND_H
#define NODE_API_COMMAND_H

#include "base/buf.h"

#include <jansson.h>

enum api_exit {
    API_EXIT_DONE,
    API_EXIT_REFUSED,
    API_EXIT_USAGE,
    API_EXIT_UNREACHED,
    API_EXIT_UNWRITTEN
};

enum {
    API_PLAIN_MAX = 3,
    API_REPLY_MAX_BYTES = 8 << 20,
    API_KEY_FILE_MAX_BYTES = 4096,
    API_CONNECT_TIMEOUT_MS = 5000,
    API_REQUEST_TIMEOUT_MS = 120000, /* creating a universe waits for several transactions */
};

struct api_command {
    const char *word;  /* "create" */
    const char *route; /* its JSON-RPC name in rpc/api_routes.def */
    const char *plain; /* parameters that are arguments without dashes, in order: "slug key" */
    const char *fixed; /* parameters that the word itself gives, a JSON object; NULL: none */
    const char *pick;  /* one more argument without dashes: of the answer, a list, the element whose
                          id it is; NULL: none */
    const char *columns; /* of an answer that is a list (or has one, `items`); NULL: an object */
    const char *member;  /* that an answer which is an object must have; NULL: any */
    const char *summary; /* one line of help; NULL: the route's */
    const char *note;    /* one more; NULL: none */
    /* Prints the answer instead of lines or a table: to `out` what goes to stdout (unless --json
     * wants it as it came), to `hint` one sentence for stderr, or nothing. NULL: as lines or a
     * table. */
    void (*print)(struct buf *out, struct buf *hint, json_t *answer);
};

struct api_command_set {
    const char *name;  /* "key" */
    const char *about; /* ends the usage text */
    const struct api_command *commands;
    size_t count;
};

/* Runs argv[1], a word of the set; argv[0] is the set's name. The exit status. */
int api_command_run(const struct api_command_set *set, int argc, char **argv);

#endif
