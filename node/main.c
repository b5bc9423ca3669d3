/* SPDX-License-Identifier: Apache-2.0 */
#include "node/commands.h"

#include "node/version.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
#define COMMAND(name, suffix, help) {name, cmd_##suffix, help},
#include "node/commands.def"
#undef COMMAND
    {NULL, NULL, NULL},
};

static void usage(FILE *f) {
    fprintf(f, "usage: callipter COMMAND [ARGUMENTS]\n\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        fprintf(f, "  %-12s %s\n", c->name, c->help);
    fprintf(f, "\n`callipter COMMAND --help` explains one.\n");
}

int main(int argc, char **argv) {
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("%s\n", callipter_client_version());
        return 0;
    }
    for (const struct command *c = commands; c->name != NULL; c++)
        if (strcmp(argv[1], c->name) == 0)
            return c->run(argc - 1, argv + 1);
    fprintf(stderr, "callipter: unknown command '%s'\n", argv[1]);
    usage(stderr);
    return 2;
}
