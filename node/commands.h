/* SPDX-License-Identifier: Apache-2.0 */
/* The sub-commands, one file each: node/cmd_<name>.c. argv[0] is the sub-command's name; the result
 * is the exit status (0 done, 1 failed, 2 wrong usage; 3 of those that ask a node: it cannot be
 * reached). */
#ifndef NODE_COMMANDS_H
#define NODE_COMMANDS_H

#define COMMAND(name, suffix, help) int cmd_##suffix(int argc, char **argv);
#include "node/commands.def"
#undef COMMAND

#endif
