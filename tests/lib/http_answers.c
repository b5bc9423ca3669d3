/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/http_answers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        abort();
    }
}

/* Whether the request is there as a whole. */
static int is_whole(const char *request) {
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    if (end == NULL)
        return 0;
    size_t body = length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return strlen(end + 4) >= body;
}

static void *serve(void *arg) {
    struct http_answers *s = arg;
    for (size_t i = 0; i < s->count; i++) {
        int fd = accept(s->fd, NULL, NULL);
        char *request = s->requests[i];
        size_t len = 0;
        must(fd >= 0, "accept");
        while (!is_whole(request)) {
            ssize_t n = recv(fd, request + len, HTTP_ANSWERS_REQUEST_MAX - 1 - len, 0);
            if (n <= 0)
                break;
            len += (size_t)n;
            request[len] = '\0';
        }
        (void)!send(fd, s->answers[i], strlen(s->answers[i]), MSG_NOSIGNAL);
        close(fd);
    }
    return NULL;
}

void http_answers_start(struct http_answers *s, const char *const *answers) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    memset(s, 0, sizeof *s);
    while (answers[s->count] != NULL) {
        must(s->count < HTTP_ANSWERS_MAX, "answers");
        s->answers[s->count] = answers[s->count];
        s->count++;
    }
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(s->fd >= 0 && bind(s->fd, (struct sockaddr *)&at, sizeof at) == 0 &&
             listen(s->fd, HTTP_ANSWERS_MAX) == 0 &&
             getsockname(s->fd, (struct sockaddr *)&at, &len) == 0,
         "listen");
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    must(pthread_create(&s->thread, NULL, serve, s) == 0, "thread");
}

void http_answers_stop(struct http_answers *s) {
    pthread_join(s->thread, NULL);
    close(s->fd);
}
