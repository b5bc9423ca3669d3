/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the universes' API as text for people. Names are those of the API; times (numbers
 * whose name ends with At, in seconds or milliseconds) are printed in UTC; lists of texts with
 * commas; what is nested deeper than one member is JSON. Whatever an answer holds, what is printed
 * has no control characters: a terminal obeys those. */
#ifndef NODE_API_ANSWER_H
#define NODE_API_ANSWER_H

#include "base/buf.h"

#include <jansson.h>

/* One line "name  value" for each member; members of a member as "name.member". */
void api_answer_object(struct buf *out, json_t *object);
/* The members that `columns` names, with spaces between, of each element of a list, under a line of
 * these names. */
void api_answer_table(struct buf *out, json_t *list, const char *columns);
/* A value by its name, as both have it. */
void api_answer_value(struct buf *out, const char *name, json_t *v);

#endif
