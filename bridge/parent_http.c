/* SPDX-License-Identifier: Apache-2.0 */
#include "base/check.h"
#include "bridge/parent_internal.h"

bool parent_stopped(const struct parent *p) {
    return p->config.stop != NULL && atomic_load(p->config.stop);
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
    return parent_stopped(ctx);
}

bool http_prepare(struct parent *p, struct endpoint *ep) {
    CURL *c = curl_easy_init();
    if (c == NULL)
        return false;
    ep->easy = c;
    bool ok = curl_easy_setopt(c, CURLOPT_URL, ep->url) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_USERAGENT, "callipter") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers) == CURLE_OK;
    /* All that this libcurl can unpack; the bound counts what is unpacked. */
    ok &= curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)p->config.connect_timeout_ms) ==
          CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)p->config.request_timeout_ms) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, check_stop) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_XFERINFODATA, p) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
    return ok;
}

static void classify(struct parent *p, CURL *c, CURLcode code, struct http_reply *out) {
    long status = 0;
    curl_off_t retry_after = 0;
    if (parent_stopped(p)) {
        out->outcome = HTTP_STOPPED;
        return;
    }
    if (out->body.overflow) {
        out->outcome = HTTP_TOO_LARGE;
        snprintf(out->text, sizeof out->text, "the reply is over %zu bytes", out->body.max);
        return;
    }
    if (code != CURLE_OK) {
        copy_printable_text(out->text, curl_easy_strerror(code));
        return;
    }
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0)
        out->retry_after_s = (uint64_t)retry_after;
    if (status == 200)
        out->outcome = HTTP_REPLY;
    else
        snprintf(out->text, sizeof out->text, "HTTP status %ld", status);
}

void http_post(struct parent *p, struct endpoint *ep, bytes body, struct http_reply *out) {
    memset(out, 0, sizeof *out);
    out->outcome = HTTP_FAILED;
    buf_init(&out->body, p->config.reply_max_bytes);
    CURL *c = ep->easy;
    if (curl_easy_setopt(c, CURLOPT_WRITEDATA, &out->body) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) != CURLE_OK ||
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.ptr) != CURLE_OK) {
        snprintf(out->text, sizeof out->text, "libcurl refuses the request");
        return;
    }
    classify(p, c, curl_easy_perform(c), out);
}
