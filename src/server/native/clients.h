/* server/native/clients.h: who is connected: the rows of system_views.clients, each for those of its own account.
 *
 * Owns:    a struct client lies in its connection; the strings it keeps of the client are its own.
 * Limits:  of STARTUP's options CLIENT_OPTIONS_BYTES_MAX are kept, of a name CLIENT_NAME_BYTES_MAX.
 * Thread:  a client is changed by its loop, through these functions; rows are made on any thread, under the list's
 * lock.
 */
#ifndef SERVER_NATIVE_CLIENTS_H
#define SERVER_NATIVE_CLIENTS_H

#include "table/table.h"
#include "wire/native.h"

#include <pthread.h>
#include <sys/socket.h>

enum { CLIENT_OPTIONS_BYTES_MAX = 2048, CLIENT_NAME_BYTES_MAX = 256 };

/* Cassandra's words for where a connection stands. */
enum client_stage { CLIENT_ESTABLISHED, CLIENT_AUTHENTICATING, CLIENT_READY };

struct catalog_account; /* catalog/catalog.h */

struct client {
    struct client *next, *previous;        /* the list's */
    const struct catalog_account *account; /* borrowed: who sees it */
    uint8_t address[16];
    uint8_t address_bytes;
    uint16_t port;
    enum client_stage stage;
    uint8_t protocol_version;
    struct bytes options;                  /* owned: map<text, text> as a value; NULL data: none yet */
    struct bytes user;                     /* owned; NULL data: anonymous */
    struct bytes keyspace;                 /* owned; NULL data: none */
    const char *tls_protocol, *tls_cipher; /* constant; NULL: plain text */
    uint64_t request_count;                /* written by the loop, relaxed */
};

struct clients {
    pthread_mutex_t lock;
    struct client *first;
    struct virtual_table table; /* body of system_views.clients */
};

extern const char clients_create_table[];

void clients_init(struct clients *clients);
void clients_fini(struct clients *clients);

/* Seen by the default account, until it has said that it is another's. */
void clients_add(struct clients *clients, struct client *client, const struct catalog_account *account,
                 const struct sockaddr *address);
void clients_remove(struct clients *clients, struct client *client);
/* Its TLS handshake is done. */
void clients_secured(struct clients *clients, struct client *client, const char *protocol, const char *cipher);
void clients_started(struct clients *clients, struct client *client, uint8_t version, enum client_stage stage,
                     const struct native_pair *options, uint32_t option_count);
void clients_authenticated(struct clients *clients, struct client *client, const struct catalog_account *account,
                           struct bytes user);
void clients_uses(struct clients *clients, struct client *client, struct bytes keyspace);

#endif
