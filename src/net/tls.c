/* A context of OpenSSL is made whole before it is used, and never changed: a reload makes another
 * one. OpenSSL counts who uses a context, so sessions keep the one they began with.
 *
 * The lock is held for a moment at each connection and each reload, never while a file is read or a
 * session made.
 *
 * Nothing is taken from OpenSSL's own configuration but what it finds by itself: each line of the
 * policy is set here. */
#include "net/tls.h"

#include "base/memory.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS     "X25519:P-256:P-384"

enum {
    SECURITY_LEVEL = 2, /* 112 bits: no RSA below 2048, no SHA-1 in signatures */
    CHAIN_MAX = 4,      /* certificates between a client's and its root */
    TICKET_S = 2 * 3600,
};

struct tls {
    pthread_mutex_t lock;
    SSL_CTX *context;                    /* owned, under the lock; never NULL after tls_new */
    int64_t until_s;                     /* under the lock */
    char *certificate, *key, *client_ca; /* owned */
    enum tls_clients clients;
};

/* ---- making a context ---- */

/* What OpenSSL says of its latest error, in its own constant words. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text ? text : "it can't be read";
}

/* The option and the file are the operator's words; what OpenSSL adds is a constant text, never
 * what stands in the file. */
static enum status refuse(struct error *err, const char *option, const char *file)
{
    enum status status = error_set(err, ERR_CONFIG, "%s %s: %s", option, file, reason());

    ERR_clear_error();
    return status;
}

/* Asked for when a key is encrypted: nobody is there to type it in. */
static int no_password(char *to, int size, int is_writing, void *context)
{
    return -1;
}

/* Each line of the policy in docs/tls.md. What OpenSSL would allow besides is not listed anywhere,
 * so it is not there. */
static enum status set_policy(SSL_CTX *context, struct error *err)
{
    static const unsigned char session_context[] = "helenus";

    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    /* Buffers go back while nothing is under way: 10 000 sessions that idle would hold 300 MB. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1); /* a record is one read, not two */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, TICKET_S);
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) &&
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) && SSL_CTX_set_ciphersuites(context, CIPHERS_13) &&
        SSL_CTX_set_cipher_list(context, CIPHERS_12) && SSL_CTX_set1_groups_list(context, GROUPS) &&
        SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context) - 1))
        return OK;
    return error_set(err, ERR_CONFIG, "TLS cannot be set up: %s", reason());
}

/* The key must be the certificate's. */
static enum status load_own(SSL_CTX *context, const struct tls *tls, struct error *err)
{
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate) != 1)
        return refuse(err, "--tls-certificate", tls->certificate);
    /* This compares the two, too: a key of another certificate is an error here. */
    if (SSL_CTX_use_PrivateKey_file(context, tls->key, SSL_FILETYPE_PEM) != 1)
        return refuse(err, "--tls-key", tls->key);
    return OK;
}

/* The names of those who sign are sent to clients, which choose a certificate by them. */
static enum status load_client_ca(SSL_CTX *context, const struct tls *tls, struct error *err)
{
    STACK_OF(X509_NAME) * names;

    assert(tls->client_ca);
    if (SSL_CTX_load_verify_file(context, tls->client_ca) != 1)
        return refuse(err, "--tls-client-ca", tls->client_ca);
    names = SSL_load_client_CA_file(tls->client_ca);
    if (!names)
        return refuse(err, "--tls-client-ca", tls->client_ca);
    SSL_CTX_set_client_CA_list(context, names); /* the context's now */
    SSL_CTX_set_verify_depth(context, CHAIN_MAX);
    SSL_CTX_set_verify(
        context, SSL_VERIFY_PEER | (tls->clients == TLS_CLIENTS_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return OK;
}

/* Seconds since 1970. */
static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm utc;

    return ASN1_TIME_to_tm(time, &utc) == 1 ? (int64_t)timegm(&utc) : 0;
}

/* OpenSSL would serve with a certificate that no client takes. */
static enum status check_dates(SSL_CTX *context, const struct tls *tls, int64_t *until_s, struct error *err)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    int64_t now_s = (int64_t)time(NULL);

    assert(certificate);
    *until_s = seconds_of(X509_get0_notAfter(certificate));
    if (*until_s <= now_s)
        return error_set(err, ERR_CONFIG, "--tls-certificate %s: it has expired", tls->certificate);
    if (seconds_of(X509_get0_notBefore(certificate)) > now_s)
        return error_set(err, ERR_CONFIG, "--tls-certificate %s: it is not valid yet", tls->certificate);
    return OK;
}

/* A whole context or none: what is in use is never changed, so a file that does not fit has
 * nothing to undo. */
static enum status make(const struct tls *tls, SSL_CTX **result, int64_t *until_s, struct error *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    enum status status;

    ERR_clear_error();
    if (!context)
        return error_set(err, ERR_CONFIG, "TLS cannot be set up: %s", reason());
    status = set_policy(context, err);
    if (!status)
        status = load_own(context, tls, err);
    if (!status)
        status = check_dates(context, tls, until_s, err);
    if (!status && tls->clients != TLS_CLIENTS_NONE)
        status = load_client_ca(context, tls, err);
    ERR_clear_error();
    if (status) {
        SSL_CTX_free(context);
        return status;
    }
    *result = context;
    return OK;
}

/* ---- life ---- */

/* The names are kept for reloads: files may be replaced under them at any time. */
enum status tls_new(const struct tls_files *files, struct tls **result, struct error *err)
{
    struct tls *tls = xcalloc(1, sizeof(*tls));
    enum status status;

    assert(files->certificate && files->key);
    assert(files->client_ca || files->clients == TLS_CLIENTS_NONE);
    pthread_mutex_init(&tls->lock, NULL);
    tls->certificate = xstrdup(files->certificate);
    tls->key = xstrdup(files->key);
    tls->client_ca = files->client_ca ? xstrdup(files->client_ca) : NULL;
    tls->clients = files->clients;
    status = make(tls, &tls->context, &tls->until_s, err);
    if (status) {
        tls_free(tls);
        return status;
    }
    *result = tls;
    return OK;
}

/* Also of one whose first context could not be made. */
void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls->certificate);
    free(tls->key);
    free(tls->client_ca);
    free(tls);
}

/* Made outside of the lock, as files are read; the names never change. */
enum status tls_reload(struct tls *tls, struct error *err)
{
    SSL_CTX *fresh, *old;
    int64_t until_s;
    enum status status = make(tls, &fresh, &until_s, err);

    if (status)
        return status;
    pthread_mutex_lock(&tls->lock);
    old = tls->context;
    tls->context = fresh;
    tls->until_s = until_s;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old);
    return OK;
}

/* Under the lock, as a reload may be under way on another thread. */
int64_t tls_until_s(struct tls *tls)
{
    int64_t until_s;

    pthread_mutex_lock(&tls->lock);
    until_s = tls->until_s;
    pthread_mutex_unlock(&tls->lock);
    return until_s;
}

/* The lock is held only while the context is counted: making a session takes longer. */
SSL *tls_begin(struct tls *tls)
{
    SSL_CTX *context;
    SSL *ssl;

    pthread_mutex_lock(&tls->lock);
    context = tls->context;
    SSL_CTX_up_ref(context);
    pthread_mutex_unlock(&tls->lock);
    ssl = SSL_new(context);
    SSL_CTX_free(context);
    if (!ssl)
        abort(); /* out of memory */
    SSL_set_accept_state(ssl);
    return ssl;
}
