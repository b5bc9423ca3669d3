/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/http_client.h"

#include "base/check.h"

#include <curl/curl.h>
#include <pthread.h>

struct http_client {
    CURL *easy;
    struct curl_slist *headers;
    const atomic_bool *stop;
    size_t reply_max_bytes;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started = CURLE_FAILED_INIT;
static void start_curl(void) {
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool http_client_url_ok(const char *url) {
    return url != NULL && strlen(url) <= HTTP_CLIENT_URL_MAX_BYTES &&
           (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
}

static bool is_stopped(const struct http_client *c) {
    return c->stop != NULL && atomic_load(c->stop);
}

static size_t take_body(char *ptr, size_t size, size_t count, void *ctx) {
    struct buf *body = ctx;
    buf_append(body, ptr, size * count);
    return body->overflow ? 0 : size * count; /* fewer than given: curl ends the transfer */
}

/* curl calls it at least once a second. */
static int check_stop(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                      curl_off_t up) {
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return is_stopped(ctx);
}

static bool add_header(struct http_client *c, const char *line) {
    struct curl_slist *longer = curl_slist_append(c->headers, line);
    if (longer != NULL)
        c->headers = longer;
    return longer != NULL;
}

static bool set_up(struct http_client *c, const struct http_client_config *config) {
    CURL *e = c->easy = curl_easy_init();
    if (e == NULL || !add_header(c, "Expect:")) /* no waiting for 100 Continue */
        return false;
    for (const char *const *h = config->headers; h != NULL && *h != NULL; h++)
        if (!add_header(c, *h))
            return false;
    bool ok = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_USERAGENT, "callipter") == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK;
    /* All that this libcurl can unpack; the bound counts what is unpacked. */
    ok &= curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms) ==
          CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)config->request_timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, check_stop) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_XFERINFODATA, c) == CURLE_OK;
    ok &= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    if (config->direct)
        ok &= curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK;
    if (config->ca_file != NULL)
        ok &= curl_easy_setopt(e, CURLOPT_CAINFO, config->ca_file) == CURLE_OK;
    return ok;
}

enum err http_client_new(struct http_client **out, const struct http_client_config *config,
                         struct err_ctx *ec) {
    (void)pthread_once(&curl_once, start_curl);
    if (curl_started != CURLE_OK)
        FAIL(ec, ERR_NOMEM, "libcurl does not start");
    struct http_client *c = calloc(1, sizeof *c);
    CHECK(c != NULL);
    CHECK(config->connect_timeout_ms > 0);
    CHECK(config->request_timeout_ms > 0);
    c->stop = config->stop;
    c->reply_max_bytes = config->reply_max_bytes;
    if (!set_up(c, config)) {
        http_client_free(c);
        FAIL(ec, ERR_NOMEM, "no memory for an HTTP client");
    }
    *out = c;
    return ERR_OK;
}

void http_client_free(struct http_client *c) {
    if (c == NULL)
        return;
    curl_easy_cleanup(c->easy);
    curl_slist_free_all(c->headers);
    free(c);
}

/* Failures that come before a byte of the request is sent. */
static bool never_sent(CURLcode code) {
    return code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
           code == CURLE_COULDNT_CONNECT || code == CURLE_URL_MALFORMAT ||
           code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_SSL_CONNECT_ERROR ||
           code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_CERTPROBLEM;
}

static void classify(const struct http_client *c, CURLcode code, struct http_reply *out) {
    long status = 0;
    curl_off_t retry_after = 0;
    out->maybe_sent = code != CURLE_OK && !never_sent(code);
    if (is_stopped(c)) {
        out->outcome = HTTP_CLIENT_STOPPED;
        return;
    }
    if (out->body.overflow) {
        out->outcome = HTTP_CLIENT_TOO_LARGE;
        snprintf(out->text, sizeof out->text, "the reply is over %zu bytes", out->body.max);
        return;
    }
    if (code != CURLE_OK) { /* curl's own words for the code; nothing of what was asked */
        snprintf(out->text, sizeof out->text, "%s", curl_easy_strerror(code));
        return;
    }
    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    if (curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
        retry_after > 0)
        out->retry_after_s = (uint64_t)retry_after;
    out->status = status > 0 ? (uint64_t)status : 0;
    out->outcome = HTTP_CLIENT_ANSWERED;
}

/* The method, and with a body POST's way of sending one under that name. */
static bool set_request(CURL *e, const char *verb, const char *url, bytes body) {
    bool ok = curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK;
    if (body.ptr == NULL) {
        ok &= curl_easy_setopt(e, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    } else {
        ok &= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK;
        ok &= curl_easy_setopt(e, CURLOPT_POSTFIELDS, body.ptr) == CURLE_OK;
    }
    return ok && curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, verb) == CURLE_OK;
}

void http_client_set_timeout(struct http_client *c, uint32_t ms) {
    CHECK(ms > 0);
    CURLcode code = curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)ms);
    CHECK(code == CURLE_OK);
}

void http_client_ask(struct http_client *c, struct http_reply *out, const char *verb,
                     const char *url, bytes body) {
    memset(out, 0, sizeof *out);
    out->outcome = HTTP_CLIENT_FAILED;
    buf_init(&out->body, c->reply_max_bytes);
    if (curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, &out->body) != CURLE_OK ||
        !set_request(c->easy, verb, url, body)) {
        snprintf(out->text, sizeof out->text, "libcurl refuses the request");
        return;
    }
    classify(c, curl_easy_perform(c->easy), out);
}
