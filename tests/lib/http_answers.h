/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP server on a free port of this machine that gives prepared answers, one a connection, in a
 * thread of its own, and keeps what it was asked. */
#ifndef TESTS_LIB_HTTP_ANSWERS_H
#define TESTS_LIB_HTTP_ANSWERS_H

#include <pthread.h>
#include <stddef.h>

enum { HTTP_ANSWERS_MAX = 24, HTTP_ANSWERS_REQUEST_MAX = 8192 };

struct http_answers {
    int fd;
    char url[64]; /* "http://127.0.0.1:PORT" */
    const char *answers[HTTP_ANSWERS_MAX];
    size_t count;
    char requests[HTTP_ANSWERS_MAX][HTTP_ANSWERS_REQUEST_MAX]; /* after the stop */
    pthread_t thread;
};

/* Serves `answers`, each a whole answer as bytes ("" closes the connection without one), NULL at
 * the end; borrowed. */
void http_answers_start(struct http_answers *s, const char *const *answers);
/* Waits until all have been given. */
void http_answers_stop(struct http_answers *s);

#endif
