/* OpenSSL reads through a BIO that takes bytes from the socket, at most so many at once as a plain
 * connection may read in a turn, and writes through it into a buffer, which takes everything: so
 * writing never waits, and all records of a turn leave with one system call.
 *
 *     socket --recv--> BIO --> OpenSSL --SSL_read--> the loop's scratch buffer
 *     output --SSL_write--> OpenSSL --> BIO --> sealed buffer --send--> socket
 *
 * Bytes are copied once more than without TLS in each direction, by OpenSSL itself: it decrypts in a
 * buffer of its own, and encrypts into one.
 *
 * A read that brought less than was asked for says that the socket is empty: it is not asked again
 * in this pass, as each look costs a system call. */
#include "net/tls_session.h"

#include "base/memory.h"
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum {
    RECORD_HEAD_BYTES = 5,
    MESSAGE_HEAD_BYTES = 4, /* of a handshake's message */
    PEEK_BYTES = RECORD_HEAD_BYTES + MESSAGE_HEAD_BYTES,
    RECORD_BYTES_MAX = 16 << 10, /* of a first one, which is not sealed */
    PIECE_BYTES_MIN = 256,       /* of a hello that is cut into records */
    MESSAGE_HELLO = 1,
    RECORD_HANDSHAKE = 22,
    RECORD_MAJOR = 3,
    PASS_BYTES = LOOP_SCRATCH_BYTES, /* of what comes, in one pass: as of a plain connection */
    ALERTS_FROM = SSL_AD_REASON_OFFSET,
};

struct tls_session {
    struct tls *tls;            /* borrowed */
    struct loop *loop;          /* borrowed */
    int fd;                     /* borrowed */
    SSL *ssl;                   /* owned; NULL: the client's first record has not come */
    BIO_METHOD *method;         /* owned, with it */
    struct loop_buffer *sealed; /* borrowed from the loop while it holds something */
    uint32_t
        pass_left; /* bytes that this pass may still take from the socket; 0: it has had its part, or there is no more */
    int low_water; /* bytes that must be there before the descriptor is ready */
    bool has_more;
    bool is_broken;
    enum tls_failure failure;
    const char *detail; /* constant */
};

/* ---- the BIO ---- */

/* Fewer bytes than asked for: there are no more. */
static int bio_read(BIO *bio, char *to, int room)
{
    struct tls_session *session = BIO_get_data(bio);
    int wanted = (uint32_t)room < session->pass_left ? room : (int)session->pass_left;
    ssize_t got;

    BIO_clear_retry_flags(bio);
    if (wanted == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    do {
        got = recv(session->fd, to, (size_t)wanted, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        session->pass_left = 0;
        BIO_set_retry_read(bio);
        return -1;
    }
    if (got <= 0)
        return (int)got;
    session->pass_left = got < wanted ? 0 : session->pass_left - (uint32_t)got;
    return (int)got;
}

/* Takes everything, so OpenSSL never has half a record to keep. How much may come together is
 * limited by who seals (SEALED_BYTES in stream_socket.c), and of OpenSSL's own words by what it
 * reads in a pass. */
static int bio_write(BIO *bio, const char *from, int size)
{
    struct tls_session *session = BIO_get_data(bio);

    assert(size >= 0);
    if (!session->sealed)
        session->sealed = loop_borrow(session->loop);
    buffer_append(&session->sealed->buffer, from, (size_t)size);
    return size;
}

/* OpenSSL flushes at the end of each flight: there is nothing to do. */
static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

/* From here on the connection costs tens of kilobytes. What can fail is memory alone. */
static void begin(struct tls_session *session)
{
    BIO *bio;

    assert(!session->ssl && !session->method);
    session->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "loop");
    if (!session->method)
        abort(); /* out of memory */
    BIO_meth_set_read(session->method, bio_read);
    BIO_meth_set_write(session->method, bio_write);
    BIO_meth_set_ctrl(session->method, bio_control);
    bio = BIO_new(session->method);
    if (!bio)
        abort();
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    session->ssl = tls_begin(session->tls);
    SSL_set_bio(session->ssl, bio, bio); /* the SSL's now */
}

/* ---- life ---- */

/* Nothing of OpenSSL's yet: most of those who only connect never send a hello. */
struct tls_session *tls_session_new(struct tls *tls, struct loop *loop, int fd)
{
    struct tls_session *session = xcalloc(1, sizeof(*session));

    assert(tls && loop && fd >= 0);
    session->tls = tls;
    session->loop = loop;
    session->fd = fd;
    session->low_water = 1;
    return session;
}

/* The SSL first: it may still look at its BIO. */
void tls_session_free(struct tls_session *session)
{
    if (!session)
        return;
    SSL_free(session->ssl);
    if (session->method)
        BIO_meth_free(session->method);
    if (session->sealed)
        loop_give_back(session->loop, session->sealed);
    free(session);
}

/* ---- why it failed ---- */

struct reason {
    int number; /* OpenSSL's */
    enum tls_failure failure;
};

static const struct reason reasons[] = {
    { SSL_R_UNSUPPORTED_PROTOCOL, TLS_FAILURE_VERSION },
    { SSL_R_VERSION_TOO_LOW, TLS_FAILURE_VERSION },
    { SSL_R_UNKNOWN_PROTOCOL, TLS_FAILURE_VERSION },
    { SSL_R_WRONG_VERSION_NUMBER, TLS_FAILURE_NOT_TLS },
    { SSL_R_HTTP_REQUEST, TLS_FAILURE_NOT_TLS },
    { SSL_R_NO_SHARED_CIPHER, TLS_FAILURE_CIPHER },
    { SSL_R_NO_SUITABLE_KEY_SHARE, TLS_FAILURE_CIPHER },
    { SSL_R_NO_SUITABLE_GROUPS, TLS_FAILURE_CIPHER },
    { SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_FAILURE_CIPHER },
    { SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_FAILURE_CIPHER },
    { SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, TLS_FAILURE_CLIENT_CERTIFICATE },
    { SSL_R_CERTIFICATE_VERIFY_FAILED, TLS_FAILURE_CLIENT_CERTIFICATE },
    { SSL_R_UNEXPECTED_EOF_WHILE_READING, TLS_FAILURE_GONE },
};

/* An alert that the client sent is a reason from ALERTS_FROM on: whatever it says, it is the
 * client who will not. */
static enum tls_failure failure_of(unsigned long error)
{
    int number = ERR_GET_REASON(error);

    if (error == 0)
        return TLS_FAILURE_GONE;
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return TLS_FAILURE_BROKEN;
    if (number >= ALERTS_FROM)
        return TLS_FAILURE_REFUSED;
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].number == number)
            return reasons[i].failure;
    return TLS_FAILURE_BROKEN;
}

/* Once only: the first reason is the one that is counted. */
static enum tls_step fail(struct tls_session *session, enum tls_failure failure)
{
    assert(failure != TLS_FAILURE_NONE && !session->failure);
    session->failure = failure;
    session->is_broken = true;
    return TLS_STEP_FAILED;
}

/* Of a handshake. The first error that OpenSSL noted is the reason, later ones say who passed it
 * on. */
static enum tls_step fail_as_told(struct tls_session *session, int result)
{
    unsigned long error = ERR_peek_error();

    if (SSL_get_error(session->ssl, result) == SSL_ERROR_SYSCALL)
        return fail(session, TLS_FAILURE_GONE);
    session->detail = ERR_reason_error_string(error);
    if (ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        session->detail = X509_verify_cert_error_string(SSL_get_verify_result(session->ssl));
    return fail(session, failure_of(error));
}

/* ---- the handshake ---- */

/* The client ended its side: no more will come of a record that is not whole. */
static bool is_half_closed(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_state == TCP_CLOSE_WAIT;
}

/* The kernel wakes us when as much is there, and not for each byte. */
static void set_low_water(struct tls_session *session, int bytes)
{
    if (session->low_water == bytes)
        return;
    /* Where the kernel does not know it we are only told more often. */
    (void)setsockopt(session->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
    session->low_water = bytes;
}

/* How many bytes a hello takes that begins so, at least; 0: it is none. One that is cut into
 * records comes in pieces of some size: else a few bytes would do for a session. */
static int hello_bytes(const uint8_t head[PEEK_BYTES])
{
    int record = load_be16(head + 3);
    int message = MESSAGE_HEAD_BYTES + (head[6] << 16 | load_be16(head + 7));

    if (head[5] != MESSAGE_HELLO || record > RECORD_BYTES_MAX || message > RECORD_BYTES_MAX)
        return 0;
    if (record < message && record < PIECE_BYTES_MIN)
        return 0;
    return RECORD_HEAD_BYTES + (record > message ? record : message);
}

/* The bytes stay with the kernel, which is asked to wake us when there are enough. So a client
 * that says nothing, or a byte now and then, costs no session of OpenSSL's, which takes tens of
 * kilobytes. */
enum tls_step tls_session_hello(struct tls_session *session)
{
    uint8_t head[PEEK_BYTES];
    ssize_t got = recv(session->fd, head, sizeof(head), MSG_PEEK);
    int available = 0, wanted = PEEK_BYTES;

    assert(!session->ssl && !session->is_broken);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return TLS_STEP_WAITS;
    if (got <= 0)
        return fail(session, TLS_FAILURE_GONE);
    if (head[0] != RECORD_HANDSHAKE || (got > 1 && head[1] != RECORD_MAJOR))
        return fail(session, TLS_FAILURE_NOT_TLS);
    if (got == PEEK_BYTES)
        wanted = hello_bytes(head);
    if (!wanted)
        return fail(session, TLS_FAILURE_BROKEN);
    if (ioctl(session->fd, FIONREAD, &available) == 0 && available >= wanted) {
        set_low_water(session, 1);
        return TLS_STEP_DONE;
    }
    if (is_half_closed(session->fd))
        return fail(session, TLS_FAILURE_GONE);
    set_low_water(session, wanted);
    return TLS_STEP_WAITS;
}

/* As far as what has come allows. Flights of ours go into the sealed buffer; an alert, too, if
 * this is the end. */
enum tls_step tls_session_shake(struct tls_session *session)
{
    int result;

    assert(!session->is_broken);
    if (!session->ssl)
        begin(session);
    ERR_clear_error();
    session->pass_left = PASS_BYTES;
    result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        session->has_more = true; /* the first request may have come with the last of the handshake */
        return TLS_STEP_DONE;
    }
    if (SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ)
        return TLS_STEP_WAITS;
    return fail_as_told(session, result);
}

/* ---- records ---- */

/* As many records as there is room for: one call gives one at most. */
ssize_t tls_session_read(struct tls_session *session, void *to, size_t room)
{
    size_t total = 0, got = 0;

    assert(session->ssl && room > 0);
    if (session->is_broken) {
        errno = EPROTO;
        return -1;
    }
    session->pass_left = PASS_BYTES;
    session->has_more = true;
    while (total < room) {
        int result;

        ERR_clear_error();
        result = SSL_read_ex(session->ssl, (uint8_t *)to + total, room - total, &got);
        if (result == 1) {
            total += got;
            session->has_more = session->pass_left || SSL_has_pending(session->ssl);
            if (!session->has_more) /* as a rule: one record is all there was */
                return (ssize_t)total;
            continue;
        }
        session->has_more = false;
        result = SSL_get_error(session->ssl, result);
        if (result == SSL_ERROR_WANT_READ) {
            errno = EAGAIN;
            return total ? (ssize_t)total : -1;
        }
        /* What came before the end is used: the next read tells of it. */
        session->has_more = total > 0;
        if (result == SSL_ERROR_ZERO_RETURN)
            return (ssize_t)total;
        session->is_broken = true;
        errno = EPROTO;
        return total ? (ssize_t)total : -1;
    }
    return (ssize_t)total;
}

/* OpenSSL reads ahead, so records may lie in its buffer while the socket is empty: whoever stopped
 * for want of room asks here. */
bool tls_session_has_more(const struct tls_session *session)
{
    return session->has_more;
}

/* OpenSSL cuts it into records of 16 KiB, each of which goes to bio_write. */
bool tls_session_seal(struct tls_session *session, struct bytes plain)
{
    size_t written;

    assert(session->ssl && plain.size > 0);
    if (session->is_broken)
        return false;
    ERR_clear_error();
    if (SSL_write_ex(session->ssl, plain.data, plain.size, &written) == 1) {
        assert(written == plain.size);
        return true;
    }
    session->is_broken = true;
    return false;
}

/* A session that is broken has said so already. */
void tls_session_bye(struct tls_session *session)
{
    if (!session->ssl || session->is_broken || SSL_in_init(session->ssl))
        return;
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl); /* the client's own word is not waited for */
}

/* ---- what waits to be sent ---- */

/* From the first byte that was not sent. */
struct bytes tls_session_sealed(const struct tls_session *session)
{
    const struct loop_buffer *sealed = session->sealed;

    if (!sealed)
        return bytes_of(NULL, 0);
    assert(sealed->sent < sealed->buffer.size);
    return bytes_of(sealed->buffer.data + sealed->sent, sealed->buffer.size - sealed->sent);
}

/* The buffer goes back to the loop with its last byte: an idle session holds none. */
void tls_session_sent(struct tls_session *session, size_t bytes)
{
    struct loop_buffer *sealed = session->sealed;

    if (bytes == 0)
        return;
    assert(sealed && bytes <= sealed->buffer.size - sealed->sent);
    sealed->sent += bytes;
    if (sealed->sent < sealed->buffer.size)
        return;
    session->sealed = NULL;
    loop_give_back(session->loop, sealed);
}

/* Counted against the loop's budget by whoever sends it. */
size_t tls_session_held(const struct tls_session *session)
{
    return session->sealed ? session->sealed->buffer.capacity : 0;
}

/* ---- what is known of it ---- */

enum tls_failure tls_session_failure(const struct tls_session *session)
{
    return session->failure;
}

const char *tls_session_detail(const struct tls_session *session)
{
    return session->detail;
}

/* Constant texts of OpenSSL's, which outlive the session. */
const char *tls_session_protocol(const struct tls_session *session)
{
    assert(session->ssl);
    return SSL_get_version(session->ssl);
}

/* The RFC's name, as Java and Cassandra have it. */
const char *tls_session_cipher(const struct tls_session *session)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(session->ssl);

    return cipher ? SSL_CIPHER_standard_name(cipher) : "";
}

/* For metrics: there are two versions. */
bool tls_session_is_13(const struct tls_session *session)
{
    return SSL_version(session->ssl) == TLS1_3_VERSION;
}

/* By a ticket that we sealed since the last reload. */
bool tls_session_is_resumed(const struct tls_session *session)
{
    return SSL_session_reused(session->ssl) == 1;
}
