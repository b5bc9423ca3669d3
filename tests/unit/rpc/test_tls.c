/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a certificate and its key are taken, anything else is refused with the flag's name.
 * Covers: tls.c */
#include "rpc/tls.h"

#include <criterion/criterion.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Writes a key and a certificate that it has signed for itself. */
static void make_pair(const char *cert_file, const char *key_file) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    cr_assert_gt(X509_sign(x, key, EVP_sha256()), 0);
    FILE *f = fopen(cert_file, "w");
    PEM_write_X509(f, x);
    fclose(f);
    f = fopen(key_file, "w");
    PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
    fclose(f);
    X509_free(x);
    EVP_PKEY_free(key);
}

Test(tls, certificates_and_keys) {
    char dir[] = "/tmp/callipter-tls-XXXXXX", cert[64], key[64], other_cert[64], other_key[64];
    struct err_ctx ec;
    struct rpc_tls *t = NULL;
    cr_assert_not_null(mkdtemp(dir));
    snprintf(cert, sizeof(cert), "%s/a.cert", dir);
    snprintf(key, sizeof(key), "%s/a.key", dir);
    snprintf(other_cert, sizeof(other_cert), "%s/b.cert", dir);
    snprintf(other_key, sizeof(other_key), "%s/b.key", dir);
    make_pair(cert, key);
    make_pair(other_cert, other_key);
    cr_expect_eq(rpc_tls_new(&t, key, key, &ec), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "--tls-cert"));
    cr_expect_eq(rpc_tls_new(&t, "/nonexistent", key, &ec), ERR_CONFIG);
    cr_expect_eq(rpc_tls_new(&t, cert, cert, &ec), ERR_CONFIG);
    cr_expect_not_null(strstr(ec.text, "--tls-key"));
    cr_expect_eq(rpc_tls_new(&t, cert, other_key, &ec), ERR_CONFIG);
    cr_expect_null(t);
    cr_assert_eq(rpc_tls_new(&t, cert, key, &ec), ERR_OK);

    struct event_base *base = event_base_new();
    int fds[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct bufferevent *secret = rpc_tls_accept(t, base, fds[0]),
                       *plain = rpc_tls_accept(NULL, base, fds[1]);
    cr_assert(secret != NULL && plain != NULL);
    cr_expect(!rpc_tls_is_plain(secret));
    cr_expect(rpc_tls_is_plain(plain));
    rpc_tls_finish(secret); /* in the middle of the handshake */
    bufferevent_free(secret);
    bufferevent_free(plain);
    event_base_free(base);
    rpc_tls_free(t);
    rpc_tls_free(NULL);
    unlink(cert), unlink(key), unlink(other_cert), unlink(other_key), rmdir(dir);
}
