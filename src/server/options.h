/* server/options.h: what `helenus serve` was told, on the command line and in a file of the same names.
 *
 *     helenus serve --data ./data --dev --cql-port 9042
 *
 *     # helenus.conf
 *     data = ./data
 *     dev = true
 *     cql-port = 9042
 *
 * The command line wins. Sizes take k, m and g (powers of 1024). The table in options.c is the one place that knows an option:
 * help, the reference in docs/configuration.md and the packaged file are printed from it.
 *
 * Owns:    the strings it read.
 * Errors:  ERR_CONFIG with one line a person can act on; a mistake in the file is named by file and line.
 * Thread:  one; what others need of the options they are given (struct native_limits).
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "base/error.h"
#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct options {
    char *data;
    bool dev;
    bool dev_remote; /* with dev: other machines may connect */
    char *listen;
    char *rpc_address; /* NULL: as listen */
    uint64_t cql_port;
    uint64_t http_port;                   /* 0: no HTTP */
    uint64_t cql_tls_port, http_tls_port; /* where there is a certificate; http_tls_port 0: no HTTP with TLS */
    bool cql_port_named, http_port_named; /* asked for, and not by default */
    char *tls_certificate, *tls_key;      /* NULL: no TLS */
    char *tls_client_ca;
    char *tls_clients; /* "none", "optional", "required" */
    uint64_t tls_handshake_timeout_s;
    uint64_t shards; /* 0: as the directory is, or the default */
    char *region;
    char *config;
    char *auth;     /* "none", "password", "roles" */
    char *api_auth; /* "none", "iam" */
    char *key_file; /* NULL: with dev, DIR/master.key */
    char *store;    /* "rocksdb", "memory" */
    char *log_level;
    uint64_t loops; /* 0: three for every four cores */
    uint64_t workers;
    uint64_t cache_bytes;        /* 0: an eighth of the memory */
    uint64_t row_cache_percent;  /* of these */
    uint64_t write_buffer_bytes; /* 0: the store's default */
    uint64_t prepared_bytes;
    uint64_t frame_bytes;
    uint64_t connections;
    uint64_t requests_in_flight; /* of one connection */
    uint64_t requests_waiting;   /* of these, at workers */
    uint64_t output_bytes;       /* of one connection */
    uint64_t input_bytes;        /* unfinished requests of all connections; 0: a sixteenth of the memory */
    uint64_t request_bytes;      /* held by requests of all connections; 0: an eighth of the memory */
    uint64_t startup_timeout_s;
    uint64_t stall_timeout_s;
    uint64_t drain_timeout_s;
    uint64_t slow_query_ms;    /* 0: none is logged */
    uint64_t slow_query_lines; /* per second */
    uint64_t tombstone_warn;   /* and these: struct query_thresholds */
    uint64_t tombstone_fail;
    uint64_t batch_warn_bytes;
    uint64_t batch_fail_bytes;
    uint64_t batch_warn_partitions;
    uint64_t page_rows;
    uint64_t page_bytes;
};

/* argv after "serve". Sets the defaults, reads --config, then the rest. */
enum status options_parse(struct options *options, int argc, char *const *argv, struct error *err);
void options_fini(struct options *options);
/* Beside TLS plain text is served only where its port was asked for, or in developer mode. */
bool options_serve_plain_cql(const struct options *options);
bool options_serve_plain_http(const struct options *options);
/* Calls changed for each option that differs, and takes over from fresh those that can change while the server runs. */
typedef void (*options_changed)(void *context, const char *name, bool taken);
void options_take(struct options *options, struct options *fresh, options_changed changed, void *context);
/* The table as help text, as a table in Markdown, and as a file in which every option stands as a comment. */
void options_print_help(FILE *out);
void options_print_reference(FILE *out);
void options_print_file(FILE *out);

#endif
