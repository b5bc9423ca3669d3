/* SPDX-License-Identifier: Apache-2.0 */
/* A test's own folder. */
#ifndef TESTS_LIB_TEMP_DIR_H
#define TESTS_LIB_TEMP_DIR_H

#include <stddef.h>

/* Makes /tmp/callipter-<name>-<random>; its path must fit into `cap` bytes. */
void temp_dir_make(char *out, size_t cap, const char *name);
/* With all in it. */
void temp_dir_remove(const char *path);

#endif
