/* net/tls.h: one policy of TLS for whoever serves: a certificate, its key, who may connect.
 *
 *     versions   1.2 and 1.3
 *     1.3        AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305; the first two are ours to choose, the last the client's, if it likes it best
 *     1.2        the same, with ECDHE and the certificate's signature (ECDSA or RSA); no renegotiation, no compression
 *     groups     X25519, P-256, P-384
 *     resuming   by tickets, which are sealed with a key of this process, made anew with each reload; no data before the handshake's end
 *
 * The files are read again by tls_reload: sessions that begin then have the new ones, those that there are go on with the old. Files
 * that do not fit change nothing.
 *
 * Clients' certificates are looked at where `clients` says so: signed by one of `client_ca`, valid now, and made for clients.
 *
 * Errors:  ERR_CONFIG in one line that a person can act on: it names the file, never what is in it.
 * Thread:  any, after tls_new.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/error.h"

#include <stdbool.h>

enum tls_clients {
    TLS_CLIENTS_NONE,     /* they are not asked for a certificate */
    TLS_CLIENTS_OPTIONAL, /* who sends one must have a good one */
    TLS_CLIENTS_REQUIRED,
};

struct tls_files {
    const char *certificate; /* PEM: the server's own first, then those that signed it, without the root */
    const char *key;         /* PEM, not encrypted */
    const char *client_ca;   /* PEM: who signs clients' certificates; NULL only with TLS_CLIENTS_NONE */
    enum tls_clients clients;
};

struct tls;

/* Names are copied. */
enum status tls_new(const struct tls_files *files, struct tls **result, struct error *err);
/* NULL: nothing. Sessions that there are keep what they need. */
void tls_free(struct tls *tls);
enum status tls_reload(struct tls *tls, struct error *err);
/* Until when the certificate in use is valid, in seconds since 1970. */
int64_t tls_until_s(struct tls *tls);

/* ---- for tls_session.c ---- */

struct ssl_st;
/* A new SSL of the context in use, for a server; the caller's. */
struct ssl_st *tls_begin(struct tls *tls);

#endif
