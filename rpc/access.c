/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/access.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

enum err rpc_access_init(struct rpc_access *a, const char *vhosts, const char *origins,
                         struct err_ctx *ec) {
    a->vhosts = strdup(vhosts);
    a->origins = strdup(origins);
    if (a->vhosts == NULL || a->origins == NULL)
        FAIL(ec, ERR_NOMEM, "out of memory");
    return ERR_OK;
}

void rpc_access_clear(struct rpc_access *a) {
    free(a->vhosts);
    free(a->origins);
    *a = (struct rpc_access){0};
}

/* Whether the list has `item` (compared without case) or "*". */
static bool listed(const char *list, const char *item, size_t len) {
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        if (n == 1 && list[0] == '*')
            return true;
        if (n == len && strncasecmp(list, item, n) == 0)
            return true;
        list += n;
        list += *list == ',';
    }
    return false;
}

static bool is_ip(const char *host) {
    uint8_t raw[16];
    return inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1;
}

bool rpc_access_host_ok(const struct rpc_access *a, bytes host) {
    char name[256];
    const char *h = (const char *)host.ptr;
    size_t len = host.len;
    if (h == NULL)
        return true;
    if (len > 0 && h[0] == '[') { /* an IPv6 address in brackets */
        const char *end = memchr(h, ']', len);
        if (end == NULL)
            return false;
        len = (size_t)(end - h) - 1;
        h++;
    } else {
        const char *colon = memchr(h, ':', len);
        if (colon != NULL)
            len = (size_t)(colon - h);
    }
    if (len == 0 || len >= sizeof(name))
        return false;
    memcpy(name, h, len);
    name[len] = '\0';
    return is_ip(name) || strcasecmp(name, "localhost") == 0 || listed(a->vhosts, name, len);
}

void rpc_access_origin(const struct rpc_access *a, bytes origin, char *out, size_t out_cap) {
    out[0] = '\0';
    if (strcmp(a->origins, "*") == 0) {
        out[0] = '*';
        out[1] = '\0';
    } else if (origin.ptr != NULL && origin.len < out_cap &&
               listed(a->origins, (const char *)origin.ptr, origin.len)) {
        memcpy(out, origin.ptr, origin.len);
        out[origin.len] = '\0';
    }
}
