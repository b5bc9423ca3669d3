/* SPDX-License-Identifier: Apache-2.0 */
#include "node/targets.h"

#include "base/check.h"
#include "bridge/http_client.h"
#include "node/metrics.h"

#include <stdlib.h>
#include <string.h>

static enum err add(struct targets *t, char *url, struct err_ctx *ec) {
    size_t len = strlen(url);
    if (t->count == TARGETS_MAX)
        FAIL(ec, ERR_CONFIG, "--forward-urls: more than %d endpoints", TARGETS_MAX);
    while (len > 0 && url[len - 1] == '/')
        url[--len] = '\0';
    if (!http_client_url_ok(url) || strpbrk(url, "?#") != NULL)
        FAIL(ec, ERR_CONFIG, "--forward-urls: endpoint %zu is no http or https URL without a query",
             t->count);
    t->at[t->count++] = (struct target){.url = url};
    return ERR_OK;
}

enum err targets_init(struct targets *t, const char *urls, struct clock *clock,
                      struct err_ctx *ec) {
    char *rest = NULL;
    *t = (struct targets){.clock = clock, .urls = strdup(urls)};
    if (t->urls == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    enum err e = ERR_OK;
    for (char *u = strtok_r(t->urls, ",", &rest); e == ERR_OK && u != NULL;
         u = strtok_r(NULL, ",", &rest))
        e = add(t, u, ec);
    if (e == ERR_OK && t->count == 0)
        e = err_set(ec, ERR_CONFIG, __FILE__, __LINE__, "--forward-urls: no endpoint");
    if (e != ERR_OK) {
        free(t->urls);
        return e;
    }
    pthread_mutex_init(&t->lock, NULL);
    return ERR_OK;
}

void targets_clear(struct targets *t) {
    for (size_t i = 0; i < t->count; i++)
        metric_move(&node_forward_breakers_open, t->at[i].open ? -1 : 0);
    pthread_mutex_destroy(&t->lock);
    free(t->urls);
}

static uint64_t now_ms(const struct targets *t) {
    return clock_monotonic_ns(t->clock) / 1000000;
}

size_t targets_next(struct targets *t, size_t from) {
    pthread_mutex_lock(&t->lock);
    size_t i = from;
    while (i < t->count && t->at[i].open && (t->at[i].probed || now_ms(t) < t->at[i].open_until_ms))
        i++;
    if (i < t->count)
        t->at[i].probed = t->at[i].open;
    pthread_mutex_unlock(&t->lock);
    return i;
}

void targets_answered(struct targets *t, size_t idx) {
    CHECK(idx < t->count);
    pthread_mutex_lock(&t->lock);
    struct target *at = &t->at[idx];
    metric_move(&node_forward_breakers_open, at->open ? -1 : 0);
    at->failures = 0;
    at->open = at->probed = false;
    at->pause_ms = 0;
    pthread_mutex_unlock(&t->lock);
}

void targets_failed(struct targets *t, size_t idx) {
    CHECK(idx < t->count);
    pthread_mutex_lock(&t->lock);
    struct target *at = &t->at[idx];
    metric_add(&node_forward_errors, 1);
    at->failures++;
    /* Those that began before the breaker opened come late, and count for nothing then. */
    bool opens = at->open ? at->probed : at->failures >= TARGETS_FAILURES;
    if (opens) {
        metric_move(&node_forward_breakers_open, at->open ? 0 : 1);
        at->pause_ms = at->pause_ms == 0 ? TARGETS_OPEN_MS : 2 * at->pause_ms;
        if (at->pause_ms > TARGETS_OPEN_MAX_MS)
            at->pause_ms = TARGETS_OPEN_MAX_MS;
        at->open = true;
        at->probed = false;
        at->open_until_ms = now_ms(t) + at->pause_ms;
    }
    pthread_mutex_unlock(&t->lock);
}
