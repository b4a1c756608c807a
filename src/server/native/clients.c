/* Who is connected, for system_views.clients. A list under a lock: connections come and go on their
 * loops, rows are asked for on any thread. The lock is held while rows are made, so what a client
 * sent is kept short (CLIENT_OPTIONS_BYTES_MAX). */
#include "server/native/clients.h"

#include "net/listener.h"
#include "types/text.h"
#include "wire/reader.h"

#include <assert.h>

/* As Cassandra has it. Drivers and operators select from it; what has no meaning here is null. */
const char clients_create_table[] = "CREATE TABLE system_views.clients (address inet, port int, client_options "
                                    "frozen<map<text, text>>, connection_stage "
                                    "text, driver_name text, driver_version text, hostname text, keyspace_name text, "
                                    "protocol_version int, request_count "
                                    "bigint, ssl_cipher_suite text, ssl_enabled boolean, ssl_protocol text, username "
                                    "text, PRIMARY KEY (address, port)) "
                                    "WITH comment = 'currently connected clients'";

/* In the order of SELECT *: keys, then the others by name. */
enum column {
    ADDRESS,
    PORT,
    CLIENT_OPTIONS,
    CONNECTION_STAGE,
    DRIVER_NAME,
    DRIVER_VERSION,
    HOSTNAME,
    KEYSPACE_NAME,
    PROTOCOL_VERSION,
    REQUEST_COUNT,
    SSL_CIPHER_SUITE,
    SSL_ENABLED,
    SSL_PROTOCOL,
    USERNAME,
    COLUMN_COUNT,
};

/* The value of a packed map<text, text>, which was packed here. */
static struct bytes option_of(struct bytes options, struct bytes name)
{
    struct cursor in = cursor_of(options);
    uint32_t count = cursor_be32(&in);

    for (uint32_t i = 0; i < count && !in.failed; i++) {
        struct bytes key = read_bytes(&in), value = read_bytes(&in);

        /* The first of that name, as a driver sends each once. */
        if (bytes_equal(key, name))
            return value;
    }
    return (struct bytes){ NULL, 0 };
}

/* The host's name is never looked up. */
static void emit_client(struct virtual_emit *emit, const struct client *client)
{
    static const char *const stages[] = { "established", "authenticating", "ready" };
    static const uint8_t yes_no[] = { 0, 1 };
    struct bytes values[COLUMN_COUNT] = { 0 };
    uint8_t port[4], version[4], requests[8];

    store_be32(port, client->port);
    store_be32(version, client->protocol_version);
    store_be64(requests, __atomic_load_n(&client->request_count, __ATOMIC_RELAXED));
    values[ADDRESS] = bytes_of(client->address, client->address_bytes);
    values[PORT] = bytes_of(port, 4);
    values[CLIENT_OPTIONS] = client->options;
    assert((size_t)client->stage < ARRAY_SIZE(stages));
    values[CONNECTION_STAGE] = bytes_of_string(stages[client->stage]);
    values[DRIVER_NAME] = option_of(client->options, BYTES_LITERAL("DRIVER_NAME"));
    values[DRIVER_VERSION] = option_of(client->options, BYTES_LITERAL("DRIVER_VERSION"));
    values[KEYSPACE_NAME] = client->keyspace;
    /* Before STARTUP no version is agreed on. */
    if (client->protocol_version)
        values[PROTOCOL_VERSION] = bytes_of(version, 4);
    values[REQUEST_COUNT] = bytes_of(requests, 8);
    values[SSL_ENABLED] = bytes_of(&yes_no[client->tls_protocol != NULL], 1);
    if (client->tls_protocol) {
        values[SSL_CIPHER_SUITE] = bytes_of_string(client->tls_cipher);
        values[SSL_PROTOCOL] = bytes_of_string(client->tls_protocol);
    }
    values[USERNAME] = client->user.data ? client->user : BYTES_LITERAL("anonymous");
    emit->row(emit, values);
}

static void rows(const struct virtual_table *self, struct virtual_emit *emit)
{
    struct clients *clients = self->context;

    pthread_mutex_lock(&clients->lock);
    for (const struct client *client = clients->first; client; client = client->next)
        /* Others are none of the reader's business, not even their addresses. */
        if (client->account == emit->viewer)
            emit_client(emit, client);
    pthread_mutex_unlock(&clients->lock);
}

void clients_init(struct clients *clients)
{
    pthread_mutex_init(&clients->lock, NULL);
    clients->first = NULL;
    clients->table = (struct virtual_table){ .rows = rows, .context = clients };
}

void clients_fini(struct clients *clients)
{
    pthread_mutex_destroy(&clients->lock);
}

/* Counted from its first byte on, before it has said who it is. */
void clients_add(struct clients *clients, struct client *client, const struct catalog_account *account,
                 const struct sockaddr *address)
{
    *client = (struct client){ .account = account, .stage = CLIENT_ESTABLISHED };
    client->address_bytes = listener_address_bytes(address, client->address);
    client->port = listener_port(address);
    pthread_mutex_lock(&clients->lock);
    client->next = clients->first;
    if (client->next)
        client->next->previous = client;
    clients->first = client;
    pthread_mutex_unlock(&clients->lock);
}

/* The strings go after the client was taken out: nobody makes a row of it then. */
void clients_remove(struct clients *clients, struct client *client)
{
    pthread_mutex_lock(&clients->lock);
    if (client->previous)
        client->previous->next = client->next;
    else
        clients->first = client->next;
    if (client->next)
        client->next->previous = client->previous;
    pthread_mutex_unlock(&clients->lock);
    free((void *)client->options.data);
    free((void *)client->user.data);
    free((void *)client->keyspace.data);
}

/* Copied outside of the lock, and the old one freed outside. */
static void replace(struct clients *clients, struct bytes *member, struct bytes with)
{
    struct bytes old, copy = { NULL, 0 };

    /* NULL stays NULL: none was given. */
    if (with.data)
        copy = bytes_of(xstrndup(with.data, with.size), with.size);
    pthread_mutex_lock(&clients->lock);
    old = *member;
    *member = copy;
    pthread_mutex_unlock(&clients->lock);
    free((void *)old.data);
}

/* The texts are OpenSSL's constants, so nothing is copied. Rows that are made before show the
 * connection in plain text, which it is not: but it has not said anything yet either. */
void clients_secured(struct clients *clients, struct client *client, const char *protocol, const char *cipher)
{
    assert(protocol && cipher);
    pthread_mutex_lock(&clients->lock);
    client->tls_protocol = protocol;
    client->tls_cipher = cipher;
    pthread_mutex_unlock(&clients->lock);
}

/* STARTUP's options, as the client sent them. */
void clients_started(struct clients *clients, struct client *client, uint8_t version, enum client_stage stage,
                     const struct native_pair *options, uint32_t option_count)
{
    CLEANUP(buffer_fini) struct buffer map = { 0 };
    uint32_t count = 0;

    buffer_append_be32(&map, 0);
    for (uint32_t i = 0; i < option_count; i++) {
        struct native_pair option = options[i];

        /* What is shown as text must be text, and what is kept must have an end: the options that
         * do not fit are left out. */
        if (!text_is_utf8(option.name) || !text_is_utf8(option.value) ||
            map.size + option.name.size + option.value.size > CLIENT_OPTIONS_BYTES_MAX)
            continue;
        native_append_value(&map, option.name);
        native_append_value(&map, option.value);
        count++;
    }
    store_be32(map.data, count);
    replace(clients, &client->options, buffer_bytes(&map));
    pthread_mutex_lock(&clients->lock);
    client->protocol_version = version;
    client->stage = stage;
    pthread_mutex_unlock(&clients->lock);
}

void clients_authenticated(struct clients *clients, struct client *client, const struct catalog_account *account,
                           struct bytes user)
{
    pthread_mutex_lock(&clients->lock);
    client->account = account; /* before its name is there to be seen */
    pthread_mutex_unlock(&clients->lock);
    /* A name that is no text is not shown; the connection is ready all the same. */
    if (text_is_utf8(user))
        replace(clients, &client->user, text_cut(user, CLIENT_NAME_BYTES_MAX));
    pthread_mutex_lock(&clients->lock);
    client->stage = CLIENT_READY;
    pthread_mutex_unlock(&clients->lock);
}

/* After USE; NULL data: none. */
void clients_uses(struct clients *clients, struct client *client, struct bytes keyspace)
{
    replace(clients, &client->keyspace, keyspace);
}
