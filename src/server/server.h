/* server/server.h: the process: builds everything from the bottom up, serves, and takes it down again.
 *
 * Errors:  server_open: one line a person can act on (ERR_CONFIG, ERR_IO, ERR_CORRUPT, ...); nothing stays behind.
 * Thread:  main's.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

/* In the data directory, as AWS's tools read keys: with --api-auth iam the root's first one. */
#define ROOT_FILE "root-credentials"

#include "server/options.h"

#include <signal.h>

struct server;

/* Answers requests when it returns. Signals that stop the process must be blocked before: threads inherit it. */
enum status server_open(const struct options *options, struct server **result, struct error *err);
/* The options that server_open was given have changed where they may (options_take): puts them in force. */
void server_reload(struct server *server);
/* Once: the password of the first role, if the start has made one. */
void server_show_password(struct server *server, void (*show)(const char *password));
/* The address and ports it listens on: "127.0.0.1", 9042. Of ports 0: none. */
const char *server_host(const struct server *server);
/* In developer mode, where other machines can reach it. */
bool server_is_exposed(const struct server *server);
unsigned server_cql_port(const struct server *server);
unsigned server_http_port(const struct server *server);
unsigned server_cql_tls_port(const struct server *server);
unsigned server_http_tls_port(const struct server *server);
/* Lets requests end, then closes everything. False: some did not end in time, and the process should exit as it is. */
bool server_close(struct server *server);

#endif
