/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the parent client: endpoints, attempts over endpoints, JSON values.
 * For parent*.c alone. */
#ifndef BRIDGE_PARENT_INTERNAL_H
#define BRIDGE_PARENT_INTERNAL_H

#include "base/buf.h"
#include "bridge/http_client.h"
#include "bridge/parent.h"

#include <jansson.h>

struct endpoint {
    char *url;
    struct http_client *http;
    enum parent_breaker breaker;
    unsigned failures;  /* in a row, while closed */
    unsigned doublings; /* of the pause, since it was last closed */
    uint64_t open_until_ms;
    bool chain_checked, wrong_chain;
    uint64_t requests, errors;
};

struct parent {
    struct parent_config config; /* urls are not used after parent_new */
    struct endpoint endpoints[PARENT_ENDPOINTS_MAX];
    size_t endpoint_count;
    bool is_arbitrum; /* a block said so: each does */
    uint64_t next_id;
    uint64_t jitter;
    struct buf request;
};

/* --- parent.c: requests --- */
bool parent_stopped(const struct parent *p);
/* An endpoint's answer to one request. */
struct answer {
    json_t *doc;    /* owned: answer_clear */
    json_t *result; /* borrowed from doc; NULL if it is an error; may be JSON null */
    int64_t code;   /* of an error */
    char message[PARENT_MESSAGE_MAX];
    json_t *error_data; /* borrowed from doc; may be NULL */
};
void answer_clear(struct answer *a);

/* What a request does with answers that may or may not be failures of the endpoint. */
struct request {
    const char *method;
    const char *params;       /* JSON array */
    bool too_large_is_answer; /* ERR_TOO_LARGE then, without harm to the breaker */
    bool busy_is_answer;      /* -32005 and -32603 as well */
};
/* One request to one endpoint; its breaker learns the outcome. ERR_OK: *out is an answer, maybe an
 * error. ERR_IO: a failure. ERR_CLOSED, ERR_TOO_LARGE, ERR_NOMEM. */
enum err parent_ask(struct parent *p, struct endpoint *ep, struct answer *out,
                    const struct request *r, struct err_ctx *ec) MUST_USE;

/* Calls `attempt` with one usable endpoint after the other, in rounds, until it gives something
 * final. Not final are ERR_IO (try again) and ERR_MISMATCH, ERR_NOT_FOUND, ERR_PARSE and
 * ERR_TOO_LARGE (the other endpoints may know better; returned after a round without ERR_IO). */
typedef enum err (*attempt_fn)(struct parent *p, struct endpoint *ep, void *ctx,
                               struct err_ctx *ec);
enum err parent_attempt(struct parent *p, attempt_fn attempt, void *ctx,
                        struct err_ctx *ec) MUST_USE;
/* A request whose answer `read` turns into something; it returns as an attempt does. */
typedef enum err (*answer_fn)(const struct answer *a, void *ctx, struct err_ctx *ec);
enum err parent_request(struct parent *p, const struct request *r, answer_fn read, void *ctx,
                        struct err_ctx *ec) MUST_USE;
/* Whether the breaker lets a request through now; may turn open into half-open. */
bool endpoint_usable(struct parent *p, struct endpoint *ep);
enum err endpoint_check_chain(struct parent *p, struct endpoint *ep, struct err_ctx *ec) MUST_USE;

/* --- parent_json.c: values; ERR_PARSE when absent or of another form --- */
enum err json_get_u64(uint64_t *out, const json_t *object, const char *key) MUST_USE;
enum err json_get_u256(u256 *out, const json_t *object, const char *key) MUST_USE;
enum err json_get_hash(hash32 *out, const json_t *object, const char *key) MUST_USE;
enum err json_get_addr(addr20 *out, const json_t *object, const char *key) MUST_USE;
enum err json_get_bytes(bytes *out, struct arena *a, const json_t *object,
                        const char *key) MUST_USE;
/* The same of a value that stands alone. */
enum err json_as_u64(uint64_t *out, const json_t *v) MUST_USE;
enum err json_as_u256(u256 *out, const json_t *v) MUST_USE;
enum err json_as_bytes(bytes *out, struct arena *a, const json_t *v) MUST_USE;
/* Printable ASCII of what an endpoint said, cut to PARENT_MESSAGE_MAX. */
void copy_printable_text(char out[PARENT_MESSAGE_MAX], const char *text);
/* Whether `text` contains `word`, letters of either case. */
bool text_has(const char *text, const char *word);
/* A block as eth_getBlockBy* gives it. */
enum err json_as_block(struct parent_block *out, const json_t *v) MUST_USE;
/* Appends a block reference as a JSON string. */
void put_block_ref(struct buf *b, struct parent_block_ref ref);

#endif
