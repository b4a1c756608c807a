/* TLS on a loop, against OpenSSL's own client over loopback: handshakes in pieces, records of all sizes, what is refused and why,
 * tickets, reloads under load, half-open handshakes. Certificates are made here. */
#include "net/certificate.h"
#include "net/listener.h"
#include "net/stream_socket.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static struct error error;

/* ---- certificates ---- */

enum { DAY_S = 86400 };

static char directory[] = "/tmp/helenus-tls-XXXXXX";
static struct certificate *authority, *other_authority;

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void write_text(const char *name, struct bytes text)
{
    FILE *file = fopen(path_of(name), "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.size, file), text.size);
    fclose(file);
}

static void write_pair(const struct certificate *certificate, const char *name)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };
    CLEANUP(buffer_fini) struct buffer key = { 0 };
    char file[64];

    certificate_append(certificate, &text);
    certificate_append_key(certificate, &key);
    snprintf(file, sizeof(file), "%s.crt", name);
    write_text(file, buffer_bytes(&text));
    snprintf(file, sizeof(file), "%s.key", name);
    write_text(file, buffer_bytes(&key));
}

static struct certificate *make(enum certificate_use use, const char *subject, const struct certificate *signer,
                                int64_t from_s, int64_t until_s)
{
    static const char *const names[] = { "localhost", "127.0.0.1", "cassandra.us-east-1.amazonaws.com" };
    struct certificate_options options = { .use = use, .subject = subject, .from_s = from_s, .until_s = until_s };
    struct certificate *certificate;

    if (use == CERTIFICATE_SERVER) {
        options.names = names;
        options.name_count = ARRAY_SIZE(names);
    }
    assert_int_equal(certificate_new(&options, signer, &certificate, &error), OK);
    return certificate;
}

static void make_pair(const char *name, enum certificate_use use, const struct certificate *signer, int64_t from_s,
                      int64_t until_s)
{
    int64_t now_s = time(NULL);
    struct certificate *certificate = make(use, name, signer, now_s + from_s, now_s + until_s);

    write_pair(certificate, name);
    certificate_free(certificate);
}

static int make_certificates(void **state)
{
    int64_t now_s = time(NULL);

    assert_non_null(mkdtemp(directory));
    authority = make(CERTIFICATE_AUTHORITY, "authority", NULL, now_s - DAY_S, now_s + DAY_S);
    other_authority = make(CERTIFICATE_AUTHORITY, "another", NULL, now_s - DAY_S, now_s + DAY_S);
    write_pair(authority, "ca");
    write_pair(other_authority, "other-ca");
    make_pair("server", CERTIFICATE_SERVER, authority, -DAY_S, DAY_S);
    make_pair("expired", CERTIFICATE_SERVER, authority, -2 * DAY_S, -DAY_S);
    make_pair("early", CERTIFICATE_SERVER, authority, DAY_S, 2 * DAY_S);
    make_pair("client", CERTIFICATE_CLIENT, authority, -DAY_S, DAY_S);
    make_pair("client-expired", CERTIFICATE_CLIENT, authority, -2 * DAY_S, -DAY_S);
    make_pair("client-of-another", CERTIFICATE_CLIENT, other_authority, -DAY_S, DAY_S);
    return 0;
}

static int remove_certificates(void **state)
{
    static const char *const names[] = { "ca",    "other-ca", "server",         "expired",
                                         "early", "client",   "client-expired", "client-of-another" };
    char file[64];

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        snprintf(file, sizeof(file), "%s.crt", names[i]);
        unlink(path_of(file));
        snprintf(file, sizeof(file), "%s.key", names[i]);
        unlink(path_of(file));
    }
    unlink(path_of("used.crt"));
    unlink(path_of("used.key"));
    certificate_free(authority);
    certificate_free(other_authority);
    return rmdir(directory);
}

/* ---- a server: it sends back what it is sent, in messages of a length, or long replies ---- */

enum { PEERS_MAX = 1200, TURNS_MAX = 5000 };

struct peer {
    struct stream_socket socket;
    bool is_open;
    enum stream_end end;
    struct side *side;
};

struct side {
    struct tls *tls;
    struct loop *loop;
    struct listener listener;
    struct sockaddr_storage address;
    struct stream_budget budget;
    struct tls_gate gate;
    struct tls_counts counts;
    struct peer *peers[PEERS_MAX];
    unsigned peer_count, secured_count, closed_count;
    size_t reply_bytes; /* for each byte that comes; 0: the byte itself */
    uint64_t received;
    bool saw_plain; /* bytes before a handshake was done */
};

static size_t echo_input(struct stream_socket *socket, struct bytes data)
{
    struct side *side = CONTAINER_OF(socket, struct peer, socket)->side;
    struct buffer *out = stream_socket_output(socket);

    side->saw_plain |= !stream_socket_tls(socket);
    side->received += data.size;
    if (!side->reply_bytes)
        buffer_append_bytes(out, data);
    else
        memset(buffer_extend(out, side->reply_bytes * data.size), 'r', side->reply_bytes * data.size);
    stream_socket_commit(socket);
    return data.size;
}

static void echo_closed(struct stream_socket *socket, enum stream_end end)
{
    struct peer *peer = CONTAINER_OF(socket, struct peer, socket);

    peer->is_open = false;
    peer->end = end;
    peer->side->closed_count++;
}

static void echo_secured(struct stream_socket *socket)
{
    CONTAINER_OF(socket, struct peer, socket)->side->secured_count++;
}

static const struct stream_ops echo_ops = { echo_input, echo_closed, NULL, echo_secured };

static void take_peer(struct listener *listener, int fd, const struct sockaddr *address)
{
    struct side *side = CONTAINER_OF(listener, struct side, listener);
    struct stream_options options = { 1 << 20, 10000000, &side->budget, &side->gate };
    struct peer *peer = xcalloc(1, sizeof(*peer));

    assert_true(side->peer_count < PEERS_MAX);
    peer->side = side;
    peer->is_open = true;
    side->peers[side->peer_count++] = peer;
    assert_int_equal(stream_socket_open(&peer->socket, side->loop, fd, &echo_ops, &options, &error), OK);
}

static struct side *open_side(const char *name, enum tls_clients clients)
{
    char certificate[64], key[64];
    struct side *side = xcalloc(1, sizeof(*side));
    struct tls_files files = { .clients = clients };

    snprintf(certificate, sizeof(certificate), "%s.crt", name);
    snprintf(key, sizeof(key), "%s.key", name);
    files.certificate = path_of(certificate);
    files.key = path_of(key);
    files.client_ca = clients ? path_of("ca.crt") : NULL;
    assert_int_equal(tls_new(&files, &side->tls, &error), OK);
    assert_int_equal(loop_open(NULL, &side->loop, &error), OK);
    side->budget.input_bytes_max = 8 << 20;
    tls_gate_init(&side->gate, side->tls, side->loop, 5000000, &side->counts);
    assert_int_equal(listener_parse("127.0.0.1", 0, &side->address, &error), OK);
    assert_int_equal(listener_open(&side->listener, side->loop, &side->address, take_peer, &error), OK);
    return side;
}

static void close_side(struct side *side)
{
    listener_close(&side->listener);
    for (unsigned i = 0; i < side->peer_count; i++) {
        if (side->peers[i]->is_open)
            stream_socket_close(&side->peers[i]->socket);
        assert_null(side->peers[i]->socket.tls);
    }
    assert_int_equal(side->budget.input_bytes, 0);
    assert_int_equal(side->gate.shaking.count, 0);
    assert_int_equal(side->gate.beginning.count + side->gate.going_on.count, 0);
    assert_false(side->saw_plain);
    loop_turn(side->loop, 0);
    loop_close(side->loop);
    for (unsigned i = 0; i < side->peer_count; i++)
        free(side->peers[i]);
    tls_free(side->tls);
    free(side);
}

/* ---- a client ---- */

struct client {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
    bool is_done; /* its handshake */
};

static int dial(struct side *side)
{
    static const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connect(fd, (struct sockaddr *)&side->address, sizeof(struct sockaddr_in));
    return fd;
}

/* NULL name: no certificate of its own. */
static struct client client_of(struct side *side, const char *name)
{
    struct client client = { .context = SSL_CTX_new(TLS_client_method()), .fd = dial(side) };
    char file[64];

    SSL_CTX_set_security_level(client.context, 0);
    SSL_CTX_set_min_proto_version(client.context, TLS1_VERSION);
    assert_int_equal(SSL_CTX_load_verify_file(client.context, path_of("ca.crt")), 1);
    SSL_CTX_set_verify(client.context, SSL_VERIFY_PEER, NULL);
    if (name) {
        snprintf(file, sizeof(file), "%s.crt", name);
        assert_int_equal(SSL_CTX_use_certificate_chain_file(client.context, path_of(file)), 1);
        snprintf(file, sizeof(file), "%s.key", name);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(client.context, path_of(file), SSL_FILETYPE_PEM), 1);
    }
    return client;
}

static void begin(struct client *client)
{
    if (client->ssl)
        return;
    client->ssl = SSL_new(client->context);
    SSL_set_fd(client->ssl, client->fd);
    SSL_set1_host(client->ssl, "localhost");
    SSL_set_connect_state(client->ssl);
}

static void close_client(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
}

/* False: it failed; the last error says why. */
static bool handshake(struct side *side, struct client *client)
{
    begin(client);
    for (int turn_count = 0;; turn_count++) {
        int result, reason;

        assert_true(turn_count < TURNS_MAX);

        ERR_clear_error();
        result = SSL_do_handshake(client->ssl);
        if (result == 1)
            return true;
        reason = SSL_get_error(client->ssl, result);
        if (reason != SSL_ERROR_WANT_READ && reason != SSL_ERROR_WANT_WRITE)
            return false;
        loop_turn(side->loop, 1000);
    }
}

/* Sends and reads back, while the loop turns. False: the connection ended. */
static bool exchange(struct side *side, struct client *client, const uint8_t *data, size_t size)
{
    size_t sent = 0, got = 0;
    uint8_t back[16 << 10];

    for (int turn_count = 0; got < size; turn_count++) {
        size_t did = 0;
        int result = 1;

        assert_true(turn_count < 100 * TURNS_MAX);
        ERR_clear_error();
        if (sent < size && SSL_write_ex(client->ssl, data + sent, size - sent > 9000 ? 9000 : size - sent, &did) == 1)
            sent += did;
        loop_turn(side->loop, 0);
        ERR_clear_error();
        while ((result = SSL_read_ex(client->ssl, back, sizeof(back), &did)) == 1) {
            assert_true(got + did <= size);
            assert_memory_equal(back, data + got, did);
            got += did;
        }
        result = SSL_get_error(client->ssl, result);
        if (result != SSL_ERROR_WANT_READ && result != SSL_ERROR_WANT_WRITE)
            return false;
    }
    return true;
}

static uint8_t pattern[300000];

static void fill_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (uint8_t)(i * 31 + (i >> 8));
}

static void turns(struct side *side, int count)
{
    for (int i = 0; i < count; i++)
        loop_turn(side->loop, 0);
}

/* It is an event that is waited for; so many turns without it are a failure, and not for ever. */
#define TURN_UNTIL(side, condition)                        \
    for (int turn_count = 0; !(condition); turn_count++) { \
        assert_true(turn_count < TURNS_MAX);               \
        loop_turn((side)->loop, 1000);                     \
    }

/* What a client is told by an alert comes with its next read. */
static bool is_ended(struct side *side, struct client *client)
{
    uint8_t byte;

    for (;;) {
        int result;

        ERR_clear_error();
        result = SSL_read(client->ssl, &byte, 1);
        if (result > 0)
            return false;
        if (SSL_get_error(client->ssl, result) != SSL_ERROR_WANT_READ)
            return true;
        loop_turn(side->loop, 1000);
    }
}

/* ---- what works ---- */

static void both_versions_carry_messages_of_all_sizes(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    static const size_t sizes[] = { 1, 100, 16384, 16385, 65536, 300000 };

    fill_pattern();
    for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
        struct side *side = open_side("server", TLS_CLIENTS_NONE);
        struct client client = client_of(side, NULL);

        SSL_CTX_set_max_proto_version(client.context, versions[v]);
        assert_true(handshake(side, &client));
        assert_int_equal(SSL_version(client.ssl), versions[v]);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
            assert_true(exchange(side, &client, pattern, sizes[i]));
        assert_int_equal(side->counts.done[v], 1);
        assert_int_equal(side->counts.done[!v], 0);
        assert_int_equal(side->secured_count, 1);
        assert_non_null(stream_socket_tls(&side->peers[0]->socket));
        assert_null(side->peers[0]->socket.input.data);
        close_client(&client);
        close_side(side);
    }
}

static void send_all(struct side *side, int fd, const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size;) {
        size_t now = size - at < piece ? size - at : piece;
        ssize_t sent = send(fd, data + at, now, MSG_NOSIGNAL);

        if (sent > 0)
            at += (size_t)sent;
        loop_turn(side->loop, 0);
    }
}

static void what_comes_in_single_bytes_is_understood(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
        struct side *side = open_side("server", TLS_CLIENTS_REQUIRED);
        struct client client = client_of(side, "client");
        BIO *to = BIO_new(BIO_s_mem()), *from = BIO_new(BIO_s_mem());
        char text[64];
        uint8_t chunk[4096];
        bool is_sent = false;
        int got = 0;

        SSL_CTX_set_max_proto_version(client.context, versions[v]);
        client.ssl = SSL_new(client.context);
        SSL_set1_host(client.ssl, "localhost");
        SSL_set_bio(client.ssl, from, to);
        SSL_set_connect_state(client.ssl);
        BIO_set_mem_eof_return(from, -1);
        while (got <= 0) {
            char *waiting;
            ssize_t came;
            long size;

            if (SSL_do_handshake(client.ssl) == 1) {
                if (!is_sent)
                    SSL_write(client.ssl, "in single bytes", 15);
                is_sent = true;
                got = SSL_read(client.ssl, text, sizeof(text));
            }
            size = BIO_get_mem_data(to, &waiting);
            send_all(side, client.fd, (uint8_t *)waiting, (size_t)size, 1);
            (void)BIO_reset(to);
            loop_turn(side->loop, 1000);
            while ((came = recv(client.fd, chunk, sizeof(chunk), 0)) > 0)
                BIO_write(from, chunk, (int)came);
            assert_true(came < 0);
        }
        assert_int_equal(got, 15);
        assert_memory_equal(text, "in single bytes", 15);
        close_client(&client);
        close_side(side);
    }
}

/* A reply that the client does not take waits as plain text, and only so much of it sealed. */
static void a_client_that_does_not_read_holds_no_more_than_in_plain_text(void **state)
{
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client client = client_of(side, NULL);
    static const int small = 64 << 10;
    size_t got = 0, total;

    side->reply_bytes = 100000;
    assert_true(handshake(side, &client));
    setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    setsockopt(side->peers[0]->socket.source.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    for (int i = 0; i < 400; i++) {
        SSL_write(client.ssl, "x", 1);
        turns(side, 2);
    }
    assert_true(side->peers[0]->socket.pauses & STREAM_PAUSE_OUTPUT);
    assert_true(side->peers[0]->socket.output_bytes <= (1 << 20) + 400 * 1000 + (256 << 10));
    total = (size_t)side->received * side->reply_bytes;
    while (got < 400 * side->reply_bytes) {
        static uint8_t sink[1 << 16];
        size_t did;

        ERR_clear_error();
        while (SSL_read_ex(client.ssl, sink, sizeof(sink), &did) == 1)
            got += did;
        loop_turn(side->loop, 0);
        assert_true(tls_session_held(stream_socket_tls(&side->peers[0]->socket)) <= 256 << 10);
    }
    assert_true(got >= total);
    assert_int_equal(side->received, 400);
    assert_int_equal(side->peers[0]->socket.pauses, 0);
    assert_null(side->peers[0]->socket.first);
    close_client(&client);
    close_side(side);
}

static void the_end_is_told_in_both_directions(void **state)
{
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client client = client_of(side, NULL);
    char byte;

    assert_true(handshake(side, &client));
    assert_true(exchange(side, &client, pattern, 100));
    stream_socket_close_when_sent(&side->peers[0]->socket);
    turns(side, 2);
    assert_int_equal(side->closed_count, 1);
    assert_int_equal(SSL_read(client.ssl, &byte, 1), 0);
    assert_int_equal(SSL_get_error(client.ssl, 0), SSL_ERROR_ZERO_RETURN); /* and not cut off */
    close_client(&client);

    client = client_of(side, NULL);
    assert_true(handshake(side, &client));
    assert_true(exchange(side, &client, pattern, 100));
    SSL_shutdown(client.ssl);
    TURN_UNTIL(side, side->closed_count == 2)
    assert_int_equal(side->peers[1]->end, STREAM_END_PEER);
    close_client(&client);
    close_side(side);
}

/* ---- who is who ---- */

static void clients_certificates_are_asked_for_as_said(void **state)
{
    static const struct {
        enum tls_clients clients;
        const char *name;
        bool is_taken;
    } cases[] = {
        { TLS_CLIENTS_NONE, NULL, true },
        { TLS_CLIENTS_NONE, "client-of-another", true }, /* nobody looks */
        { TLS_CLIENTS_OPTIONAL, NULL, true },
        { TLS_CLIENTS_OPTIONAL, "client", true },
        { TLS_CLIENTS_OPTIONAL, "client-of-another", false },
        { TLS_CLIENTS_OPTIONAL, "client-expired", false },
        { TLS_CLIENTS_REQUIRED, NULL, false },
        { TLS_CLIENTS_REQUIRED, "client", true },
        { TLS_CLIENTS_REQUIRED, "client-of-another", false },
        { TLS_CLIENTS_REQUIRED, "client-expired", false },
        { TLS_CLIENTS_REQUIRED, "server", false }, /* it is not made for clients */
    };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        struct side *side = open_side("server", cases[i / 2].clients);
        struct client client = client_of(side, cases[i / 2].name);
        bool is_taken;

        SSL_CTX_set_max_proto_version(client.context, versions[i % 2]);
        is_taken = handshake(side, &client) && exchange(side, &client, pattern, 10);
        assert_int_equal(is_taken, cases[i / 2].is_taken);
        TURN_UNTIL(side, is_taken || side->closed_count)
        assert_int_equal(side->counts.failures[TLS_FAILURE_CLIENT_CERTIFICATE], !is_taken);
        assert_int_equal(side->secured_count, is_taken);
        assert_int_equal(side->received, is_taken ? 10 : 0);
        close_client(&client);
        close_side(side);
    }
}

/* A client that does not like our certificate says so, and we count it as its refusal. */
static void clients_refuse_a_wrong_authority_and_a_wrong_name(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct side *side = open_side("server", TLS_CLIENTS_NONE);
        struct client client = client_of(side, NULL);

        if (i == 0) {
            SSL_CTX_free(client.context);
            client.context = SSL_CTX_new(TLS_client_method());
            assert_int_equal(SSL_CTX_load_verify_file(client.context, path_of("other-ca.crt")), 1);
            SSL_CTX_set_verify(client.context, SSL_VERIFY_PEER, NULL);
        }
        begin(&client);
        if (i == 1)
            SSL_set1_host(client.ssl, "elsewhere.example.com");
        assert_false(handshake(side, &client));
        TURN_UNTIL(side, side->closed_count)
        assert_int_equal(side->counts.failures[TLS_FAILURE_REFUSED], 1);
        assert_int_equal(side->peers[0]->end, STREAM_END_TLS);
        close_client(&client);
        close_side(side);
    }
}

/* ---- the policy ---- */

static void older_versions_and_weak_ciphers_are_refused(void **state)
{
    static const struct {
        int version;
        const char *ciphers, *groups;
        enum tls_failure failure;
    } cases[] = {
        { TLS1_VERSION, "ALL:@SECLEVEL=0", NULL, TLS_FAILURE_VERSION },
        { TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL, TLS_FAILURE_VERSION },
        { TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0", NULL, TLS_FAILURE_CIPHER }, /* CBC */
        { TLS1_2_VERSION, "AES128-GCM-SHA256:@SECLEVEL=0", NULL, TLS_FAILURE_CIPHER },         /* without ECDHE */
        { TLS1_3_VERSION, NULL, "P-521", TLS_FAILURE_CIPHER },
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct side *side = open_side("server", TLS_CLIENTS_NONE);
        struct client client = client_of(side, NULL);

        SSL_CTX_set_max_proto_version(client.context, cases[i].version);
        if (cases[i].version == TLS1_3_VERSION)
            SSL_CTX_set_min_proto_version(client.context, TLS1_3_VERSION);
        if (cases[i].ciphers)
            assert_int_equal(SSL_CTX_set_cipher_list(client.context, cases[i].ciphers), 1);
        if (cases[i].groups)
            assert_int_equal(SSL_CTX_set1_groups_list(client.context, cases[i].groups), 1);
        assert_false(handshake(side, &client));
        assert_int_equal(side->counts.failures[cases[i].failure], 1);
        assert_int_equal(side->secured_count, 0);
        close_client(&client);
        close_side(side);
    }
}

static void nobody_renegotiates(void **state)
{
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client client = client_of(side, NULL);

    SSL_CTX_set_max_proto_version(client.context, TLS1_2_VERSION);
    assert_true(handshake(side, &client));
    assert_true(exchange(side, &client, pattern, 10));
    assert_int_equal(SSL_renegotiate(client.ssl), 1);
    assert_false(handshake(side, &client) && exchange(side, &client, pattern, 10));
    assert_int_equal(side->counts.done[0], 1);
    close_client(&client);
    close_side(side);
}

/* New keys are fine; new keys without end are not, and hold nothing of ours. */
static void keys_are_changed_only_so_often(void **state)
{
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client client = client_of(side, NULL);

    assert_true(handshake(side, &client));
    assert_int_equal(SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    assert_true(exchange(side, &client, pattern, 10));
    for (int i = 0; i < 20000 && !side->closed_count; i++) {
        ERR_clear_error();
        if (SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(client.ssl) != 1)
            loop_turn(side->loop, 0);
        loop_turn(side->loop, 0);
        assert_true(side->closed_count || side->peers[0]->socket.output_bytes < (2 << 20));
    }
    close_client(&client);
    close_side(side);
}

/* ---- tickets ---- */

static SSL_SESSION *got_session;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    SSL_SESSION_free(got_session);
    got_session = session;
    return 1;
}

static void sessions_are_resumed_by_tickets_of_the_same_certificate(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
        struct side *side = open_side("server", TLS_CLIENTS_REQUIRED);
        struct client client = client_of(side, "client");

        SSL_CTX_set_max_proto_version(client.context, versions[v]);
        SSL_CTX_set_session_cache_mode(client.context, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(client.context, keep_session);
        assert_true(handshake(side, &client));
        assert_true(exchange(side, &client, pattern, 10));
        for (int reloads = 0; reloads < 2; reloads++) {
            SSL_shutdown(client.ssl); /* else OpenSSL takes its session for a bad one */
            SSL_free(client.ssl);
            client.ssl = NULL;
            close(client.fd);
            client.fd = dial(side);
            begin(&client);
            assert_int_equal(SSL_set_session(client.ssl, got_session), 1);
            assert_true(handshake(side, &client));
            assert_true(exchange(side, &client, pattern, 10));
            assert_int_equal(SSL_session_reused(client.ssl), !reloads);
            assert_int_equal(side->counts.resumed, 1);
            assert_int_equal(tls_reload(side->tls, &error), OK);
        }
        SSL_SESSION_free(got_session);
        got_session = NULL;
        close_client(&client);
        close_side(side);
    }
}

/* ---- reload ---- */

static void copy(const char *from, const char *to)
{
    uint8_t bytes[8192];
    FILE *file = fopen(path_of(from), "r");
    size_t size;

    assert_non_null(file);
    size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    write_text(to, bytes_of(bytes, size));
}

/* The serial number of what the server shows. */
static uint64_t serial_of(const struct client *client)
{
    X509 *certificate = SSL_get1_peer_certificate(client->ssl);
    uint64_t serial = 0;
    const ASN1_INTEGER *number = X509_get0_serialNumber(certificate);

    memcpy(&serial, ASN1_STRING_get0_data(number), sizeof(serial));
    X509_free(certificate);
    return serial;
}

static void a_reload_is_for_those_who_come_then(void **state)
{
    struct side *side;
    struct client old, fresh, last;
    int64_t until_s;

    copy("server.crt", "used.crt");
    copy("server.key", "used.key");
    side = open_side("used", TLS_CLIENTS_NONE);
    until_s = tls_until_s(side->tls);
    old = client_of(side, NULL);
    assert_true(handshake(side, &old));
    assert_true(exchange(side, &old, pattern, 1000));
    make_pair("used", CERTIFICATE_SERVER, authority, -DAY_S, DAY_S / 2);
    assert_int_equal(tls_reload(side->tls, &error), OK);
    assert_true(tls_until_s(side->tls) < until_s);
    fresh = client_of(side, NULL);
    assert_true(handshake(side, &fresh));
    assert_true(exchange(side, &fresh, pattern, 1000));
    assert_true(exchange(side, &old, pattern, sizeof(pattern)));
    assert_true(serial_of(&old) != serial_of(&fresh));

    /* What does not fit changes nothing, and says which file it is. */
    copy("server.key", "used.key");
    assert_int_equal(tls_reload(side->tls, &error), ERR_CONFIG);
    assert_non_null(strstr(error.message, "used.key"));
    copy("expired.crt", "used.crt");
    copy("expired.key", "used.key");
    assert_int_equal(tls_reload(side->tls, &error), ERR_CONFIG);
    assert_non_null(strstr(error.message, "has expired"));
    copy("early.crt", "used.crt");
    copy("early.key", "used.key");
    assert_int_equal(tls_reload(side->tls, &error), ERR_CONFIG);
    assert_non_null(strstr(error.message, "not valid yet"));
    write_text("used.crt", BYTES_LITERAL("-----BEGIN CERTIFICATE-----\nMIIB\n"));
    assert_int_equal(tls_reload(side->tls, &error), ERR_CONFIG);
    unlink(path_of("used.crt"));
    assert_int_equal(tls_reload(side->tls, &error), ERR_CONFIG);
    last = client_of(side, NULL);
    assert_true(handshake(side, &last));
    assert_true(serial_of(&last) == serial_of(&fresh));
    close_client(&old);
    close_client(&fresh);
    close_client(&last);
    close_side(side);
}

/* ---- hostile beginnings ---- */

/* What begins otherwise is never served, in whatever pieces it comes, and gets nothing but an alert or an end. */
static void what_is_no_tls_is_closed(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        enum tls_failure failure;
    } cases[] = {
        { "\x04\x00\x00\x00\x05\x00\x00\x00\x00", 9, TLS_FAILURE_NOT_TLS }, /* OPTIONS of CQL */
        { "GET / HTTP/1.1\r\n\r\n", 18, TLS_FAILURE_NOT_TLS },
        { "\x16\x02\x00\x00\x05hello", 10, TLS_FAILURE_NOT_TLS },
        { "\x16\x03\x01\xff\xff\x01\x00\xff\xfb", 9, TLS_FAILURE_BROKEN }, /* a record of 64 KiB */
        { "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, TLS_FAILURE_BROKEN }, /* an empty hello */
        { "\x16\x03\x01\x00\x00\x16\x03\x01\x00", 9, TLS_FAILURE_BROKEN }, /* an empty record */
        { "\x16\x03\x01\x00\x01\x01\x16\x03\x01", 9, TLS_FAILURE_BROKEN }, /* a hello in pieces of a byte */
        { "\x16\x03\x01\x40\x00\x02\x00\x3f\xfc", 9, TLS_FAILURE_BROKEN }, /* another message */
    };

    for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
        struct side *side = open_side("server", TLS_CLIENTS_NONE);
        uint8_t back[4096];
        int fd = dial(side);
        ssize_t got = 0;
        size_t sent = 0;

        TURN_UNTIL(side, side->peer_count)
        for (int n = 0; !side->closed_count; n++) {
            size_t piece = i % 2 ? 1 : cases[i / 2].size;

            if (sent < cases[i / 2].size && send(fd, cases[i / 2].bytes + sent, piece, MSG_NOSIGNAL) > 0)
                sent += piece;
            loop_turn(side->loop, 1000);
            assert_true(n < TURNS_MAX);
        }
        assert_int_equal(side->counts.failures[cases[i / 2].failure], 1);
        got = recv(fd, back, sizeof(back), 0);
        assert_true(got <= 7); /* an alert has seven bytes */
        assert_int_equal(side->received, 0);
        close(fd);
        close_side(side);
    }
}

/* Once a handshake has failed nothing of the connection is heard any more, not as plain text either. */
static void what_follows_a_failed_handshake_is_not_heard(void **state)
{
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    int fd = dial(side);

    TURN_UNTIL(side, side->peer_count)
    assert_int_equal(send(fd, "\x16\x03\x01\x00\x04\x01\x00\x00\x00plain bytes", 20, MSG_NOSIGNAL), 20);
    TURN_UNTIL(side, side->closed_count)
    (void)send(fd, "more plain bytes", 16, MSG_NOSIGNAL);
    turns(side, 5);
    assert_int_equal(side->received, 0);
    assert_int_equal(side->secured_count, 0);
    close(fd);
    close_side(side);
}

static int64_t fake_now_us;

static int64_t fake_time(const struct clock *self)
{
    return fake_now_us;
}

static const struct clock fake_clock = { fake_time, fake_time, NULL };

/* Who sends a byte now and then does not move the end: the time is for the whole handshake. */
static void a_slow_handshake_ends(void **state)
{
    static const uint8_t beginning[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 };
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct loop_options options = { .clock = &fake_clock };
    struct stream_options stream = { 1 << 20, 10000000, &side->budget, &side->gate };
    struct tls_counts counts = { 0 };
    struct peer peer = { .side = side, .is_open = true };
    struct tls_gate gate;
    struct loop *loop;
    int fd = dial(side), accepted;

    fake_now_us = 1;
    assert_int_equal(loop_open(&options, &loop, &error), OK);
    tls_gate_init(&gate, side->tls, loop, 5000000, &counts);
    stream.gate = &gate;
    while ((accepted = accept4(side->listener.source.fd, NULL, NULL, SOCK_NONBLOCK)) < 0)
        continue;
    assert_int_equal(stream_socket_open(&peer.socket, loop, accepted, &echo_ops, &stream, &error), OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(send(fd, beginning + i, 1, MSG_NOSIGNAL), 1);
        fake_now_us += 999999;
        loop_turn(loop, 0);
        assert_true(peer.is_open);
    }
    fake_now_us += 6;
    loop_turn(loop, 0);
    assert_false(peer.is_open);
    assert_int_equal(peer.end, STREAM_END_TLS);
    assert_int_equal(counts.failures[TLS_FAILURE_SLOW], 1);
    loop_turn(loop, 0);
    loop_close(loop);
    close(fd);
    close_side(side);
}

/* A hello, as OpenSSL's client sends it. */
static size_t hello_of(uint8_t *to, size_t room)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    BIO *out = BIO_new(BIO_s_mem()), *in = BIO_new(BIO_s_mem());
    int size;

    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_do_handshake(ssl);
    size = BIO_read(out, to, (int)room);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return (size_t)size;
}

/* Nothing is begun before the first record is there whole: not for nearly all of it, however long it lasts. */
static void half_a_hello_begins_nothing(void **state)
{
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    uint8_t hello[2048];
    size_t size = hello_of(hello, sizeof(hello));
    int fd = dial(side);

    for (size_t at = 0; at + 1 < size; at += 50) {
        size_t now = size - 1 - at < 50 ? size - 1 - at : 50;

        assert_int_equal(send(fd, hello + at, now, MSG_NOSIGNAL), now);
        turns(side, 3);
        assert_int_equal(side->gate.shaking.count, 0);
        assert_int_equal(side->gate.beginning.count, 0);
    }
    assert_int_equal(send(fd, hello + size - 1, 1, MSG_NOSIGNAL), 1);
    TURN_UNTIL(side, side->gate.shaking.count == 1)
    close(fd);
    TURN_UNTIL(side, side->closed_count)
    assert_int_equal(side->counts.failures[TLS_FAILURE_GONE], 1);

    /* Who ends there is gone at once, and not when the time is over. */
    fd = dial(side);
    assert_int_equal(send(fd, hello, 20, MSG_NOSIGNAL), 20);
    TURN_UNTIL(side, side->peer_count == 2)
    turns(side, 3);
    shutdown(fd, SHUT_WR);
    TURN_UNTIL(side, side->closed_count == 2)
    close(fd);
    close_side(side);
}

/* Hundreds who say hello at once: each turn works at two of them, so that others are served in between; and all are served. */
static void a_turn_works_at_few_handshakes(void **state)
{
    enum { MANY = 100 };
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client polite = client_of(side, NULL);
    uint8_t hello[2048], byte;
    size_t size = hello_of(hello, sizeof(hello));
    int fds[MANY], most = 0;
    uint32_t before;

    assert_true(handshake(side, &polite));
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(side);
        assert_int_equal(send(fds[i], hello, size, MSG_NOSIGNAL), size);
    }
    TURN_UNTIL(side, side->peer_count == MANY + 1)
    do {
        size_t did = 0;
        int n;

        before = side->gate.shaking.count;
        SSL_write(polite.ssl, "p", 1);
        loop_turn(side->loop, 0);
        n = (int)(side->gate.shaking.count - before);
        most = n > most ? n : most;
        loop_turn(side->loop, 0);
        ERR_clear_error();
        assert_int_equal(SSL_read_ex(polite.ssl, &byte, 1, &did), 1);
    } while (side->gate.shaking.count < MANY);
    assert_in_range(most, 1, TLS_STEPS_PER_TURN);
    assert_true(side->counts.waited > 0);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    close_client(&polite);
    close_side(side);
}

/* An honest client that has begun is done in a few turns, however many wait to begin. */
static void who_has_begun_does_not_wait_behind_those_who_come(void **state)
{
    enum { MANY = 400 };
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client polite = client_of(side, NULL);
    uint8_t hello[2048];
    size_t size = hello_of(hello, sizeof(hello));
    static int fds[MANY];

    begin(&polite);
    SSL_do_handshake(polite.ssl);
    TURN_UNTIL(side, side->gate.shaking.count == 1)
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial(side);
        assert_int_equal(send(fds[i], hello, size, MSG_NOSIGNAL), size);
    }
    TURN_UNTIL(side, side->peer_count == MANY + 1)
    SSL_do_handshake(polite.ssl);
    TURN_UNTIL(side, side->secured_count == 1)
    assert_true(side->gate.beginning.count > MANY / 2);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    close_client(&polite);
    close_side(side);
}

/* More half-open handshakes than there may be: the oldest makes room, and an honest client gets in. */
static void half_open_handshakes_make_room(void **state)
{
    enum { MORE = TLS_SHAKING_MAX + 20 };
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client polite;
    uint8_t hello[2048];
    size_t size = hello_of(hello, sizeof(hello));
    static int fds[MORE];

    for (int i = 0; i < MORE; i++) {
        fds[i] = dial(side);
        assert_int_equal(send(fds[i], hello, size, MSG_NOSIGNAL), size);
        TURN_UNTIL(side, side->peer_count == (unsigned)i + 1)
    }
    while (side->counts.failures[TLS_FAILURE_CROWDED] < 20) {
        loop_turn(side->loop, 0);
        assert_true(side->gate.shaking.count <= TLS_SHAKING_MAX);
    }
    assert_int_equal(side->closed_count, 20);
    assert_false(side->peers[0]->is_open);
    assert_true(side->peers[20]->is_open);
    polite = client_of(side, NULL);
    assert_true(handshake(side, &polite));
    assert_true(exchange(side, &polite, pattern, 10));
    for (int i = 0; i < MORE; i++)
        close(fds[i]);
    close_client(&polite);
    close_side(side);
}

/* A record that was changed on its way ends the session, and is not heard. */
static void a_changed_record_ends_the_session(void **state)
{
    struct side *side = open_side("server", TLS_CLIENTS_NONE);
    struct client client = client_of(side, NULL);
    uint8_t record[64] = { 23, 3, 3, 0, 40 };

    assert_true(handshake(side, &client));
    assert_true(exchange(side, &client, pattern, 10));
    assert_int_equal(send(client.fd, record, 45, MSG_NOSIGNAL), 45);
    assert_true(is_ended(side, &client));
    assert_int_equal(side->received, 10);
    assert_int_equal(side->closed_count, 1);
    close_client(&client);
    close_side(side);
}

/* ---- names ---- */

static void names_of_certificates_are_hosts_or_addresses(void **state)
{
    static const char *const good[] = { "localhost",         "127.0.0.1",     "::1", "2001:db8::7",
                                        "a.b-c.example.com", "*.example.com", "h1" };
    static const char *const bad[] = { "",   "a b", "a,DNS:b", "-a",        "a-",          "a..b", ".a",
                                       "a.", "*",   "a.*.com", "1.2.3.4.5", "127.0.0.256", "a/b",  "\xc3\xa4" };
    char label[70];

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_true(certificate_is_name(good[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(certificate_is_name(bad[i]));
    memset(label, 'a', sizeof(label));
    label[64] = '\0';
    assert_false(certificate_is_name(label));
    label[63] = '\0';
    assert_true(certificate_is_name(label));
}

static void an_authority_is_read_with_its_own_key_alone(void **state)
{
    struct certificate *certificate;

    assert_int_equal(certificate_open(path_of("ca.crt"), path_of("ca.key"), &certificate, &error), OK);
    certificate_free(certificate);
    assert_int_equal(certificate_open(path_of("ca.crt"), path_of("other-ca.key"), &certificate, &error), ERR_CONFIG);
    assert_int_equal(certificate_open(path_of("server.crt"), path_of("server.key"), &certificate, &error), ERR_CONFIG);
    assert_int_equal(certificate_open(path_of("nothing"), path_of("ca.key"), &certificate, &error), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_versions_carry_messages_of_all_sizes),
        cmocka_unit_test(what_comes_in_single_bytes_is_understood),
        cmocka_unit_test(a_client_that_does_not_read_holds_no_more_than_in_plain_text),
        cmocka_unit_test(the_end_is_told_in_both_directions),
        cmocka_unit_test(clients_certificates_are_asked_for_as_said),
        cmocka_unit_test(clients_refuse_a_wrong_authority_and_a_wrong_name),
        cmocka_unit_test(older_versions_and_weak_ciphers_are_refused),
        cmocka_unit_test(nobody_renegotiates),
        cmocka_unit_test(keys_are_changed_only_so_often),
        cmocka_unit_test(sessions_are_resumed_by_tickets_of_the_same_certificate),
        cmocka_unit_test(a_reload_is_for_those_who_come_then),
        cmocka_unit_test(what_is_no_tls_is_closed),
        cmocka_unit_test(what_follows_a_failed_handshake_is_not_heard),
        cmocka_unit_test(a_slow_handshake_ends),
        cmocka_unit_test(half_a_hello_begins_nothing),
        cmocka_unit_test(a_turn_works_at_few_handshakes),
        cmocka_unit_test(who_has_begun_does_not_wait_behind_those_who_come),
        cmocka_unit_test(half_open_handshakes_make_room),
        cmocka_unit_test(a_changed_record_ends_the_session),
        cmocka_unit_test(names_of_certificates_are_hosts_or_addresses),
        cmocka_unit_test(an_authority_is_read_with_its_own_key_alone),
    };

    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
