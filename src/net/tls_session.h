/* net/tls_session.h: TLS of one connection, the server's side: bytes of a socket in, plain bytes out, and the other way around.
 *
 *     tls_session_hello (until a whole first record has come) -> tls_session_shake (until done) -> read and seal, in any order
 *
 * What is to be sent is never sent here: it is sealed into a buffer of the loop's, which the caller sends (tls_session_sealed,
 * tls_session_sent). Until the client's first record has come whole nothing is kept for it but this struct; the kernel has its bytes.
 *
 * Owns:    its SSL, and a buffer of the loop's while something sealed waits. The descriptor is borrowed.
 * Errors:  whatever breaks a session ends it: enum tls_failure says why, and what is sealed then is the alert.
 * Thread:  the loop's.
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include "net/loop.h"

#include <sys/types.h>

struct tls;
struct tls_session;

enum tls_step { TLS_STEP_WAITS, TLS_STEP_DONE, TLS_STEP_FAILED };

/* Why a handshake did not succeed. */
enum tls_failure {
    TLS_FAILURE_NONE,
    TLS_FAILURE_NOT_TLS,            /* the first bytes are something else */
    TLS_FAILURE_VERSION,            /* the client has none of ours */
    TLS_FAILURE_CIPHER,             /* so, of ciphers, groups and signatures */
    TLS_FAILURE_CLIENT_CERTIFICATE, /* none where one is required, or not a good one */
    TLS_FAILURE_REFUSED,            /* by the client: it does not take our certificate */
    TLS_FAILURE_GONE,               /* the client ended the connection */
    TLS_FAILURE_SLOW,               /* it took too long */
    TLS_FAILURE_CROWDED,            /* too many were under way, and this was the oldest */
    TLS_FAILURE_BROKEN,             /* what came breaks the protocol */
    TLS_FAILURES,
};

struct tls_session *tls_session_new(struct tls *tls, struct loop *loop, int fd);
void tls_session_free(struct tls_session *session);

/* TLS_STEP_DONE: the first record is there. It may change what the descriptor is ready for (SO_RCVLOWAT) while it waits. */
enum tls_step tls_session_hello(struct tls_session *session);
enum tls_step tls_session_shake(struct tls_session *session);

/* As read(2): plain bytes; 0: the end; -1 and EAGAIN: there are none now. -1 and EPROTO: it is broken. */
ssize_t tls_session_read(struct tls_session *session, void *to, size_t room);
/* There may be more to read, of which no descriptor tells. */
bool tls_session_has_more(const struct tls_session *session);
/* After the handshake. False: the session is broken. */
bool tls_session_seal(struct tls_session *session, struct bytes plain);
/* Seals the word that says nothing more will come. */
void tls_session_bye(struct tls_session *session);

/* What is to be sent, and how much of it was. */
struct bytes tls_session_sealed(const struct tls_session *session);
void tls_session_sent(struct tls_session *session, size_t bytes);
/* What the buffer takes of memory. */
size_t tls_session_held(const struct tls_session *session);

enum tls_failure tls_session_failure(const struct tls_session *session);
/* More of it, in constant words; NULL: nothing is known. */
const char *tls_session_detail(const struct tls_session *session);
/* After the handshake: "TLSv1.3", "TLS_AES_128_GCM_SHA256". */
const char *tls_session_protocol(const struct tls_session *session);
const char *tls_session_cipher(const struct tls_session *session);
bool tls_session_is_13(const struct tls_session *session);
bool tls_session_is_resumed(const struct tls_session *session);

#endif
