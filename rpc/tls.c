/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/tls.h"

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

struct rpc_tls {
    SSL_CTX *ctx;
};

static enum err load(SSL_CTX *ctx, const char *cert_file, const char *key_file,
                     struct err_ctx *ec) {
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        FAIL(ec, ERR_CONFIG, "--tls-cert: no certificate can be read from %s: %s", cert_file,
             ERR_reason_error_string(ERR_peek_last_error()));
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        FAIL(ec, ERR_CONFIG, "--tls-key: no key of the certificate can be read from %s: %s",
             key_file, ERR_reason_error_string(ERR_peek_last_error()));
    if (SSL_CTX_check_private_key(ctx) != 1)
        FAIL(ec, ERR_CONFIG, "--tls-key: %s is not the key of the certificate in %s", key_file,
             cert_file);
    return ERR_OK;
}

enum err rpc_tls_new(struct rpc_tls **out, const char *cert_file, const char *key_file,
                     struct err_ctx *ec) {
    struct rpc_tls *t = calloc(1, sizeof(*t));
    if (t == NULL || (t->ctx = SSL_CTX_new(TLS_server_method())) == NULL) {
        free(t);
        FAIL(ec, ERR_NOMEM, "out of memory for TLS");
    }
    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS); /* idle connections need none */
    ERR_clear_error();
    enum err e = load(t->ctx, cert_file, key_file, ec);
    ERR_clear_error();
    if (e != ERR_OK) {
        rpc_tls_free(t);
        return e;
    }
    *out = t;
    return ERR_OK;
}

void rpc_tls_free(struct rpc_tls *t) {
    if (t == NULL)
        return;
    SSL_CTX_free(t->ctx);
    free(t);
}

struct bufferevent *rpc_tls_accept(struct rpc_tls *t, struct event_base *base, int fd) {
    if (t == NULL)
        return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    SSL *ssl = SSL_new(t->ctx);
    if (ssl == NULL)
        return NULL;
    /* Deferred: else a write could call back while its caller is in the middle of something. */
    struct bufferevent *bev = bufferevent_openssl_socket_new(
        base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (bev == NULL) {
        SSL_free(ssl);
        return NULL;
    }
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1); /* lengths are HTTP's own matter */
    return bev;
}

bool rpc_tls_is_plain(struct bufferevent *bev) {
    return bufferevent_openssl_get_ssl(bev) == NULL;
}

void rpc_tls_finish(struct bufferevent *bev) {
    SSL *ssl = bufferevent_openssl_get_ssl(bev);
    if (ssl != NULL && SSL_is_init_finished(ssl))
        (void)SSL_shutdown(ssl);
    ERR_clear_error();
    shutdown(bufferevent_getfd(bev), SHUT_WR);
}
