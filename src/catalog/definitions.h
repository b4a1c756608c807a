/* catalog/definitions.h: the definitions on disk: one partition of an internal table, system.helenus_definitions.
 *
 *     kind int, scope text, name text, PRIMARY KEY within the one partition "definitions"; value blob:
 *
 *     (0, '', '')             meta: encoding (1) = 2 | host id (16) | next table id (8) | schema version (8) | uuid of the default account's (16)
 *     (5, '', account)        an account but the default one: encoding (1) = 1 | uuid of its schema (16); account: its digits
 *     (10, account, keyspace) a keyspace        (schema/codec.h)
 *     (20, scope, type)       a type            (schema/codec.h)
 *     (30, scope, table)      a table           (schema/codec.h)
 *     (200, kind, id)         a job             encoding (1) = 1 | done (8) | total (8) | its state; id: 16 hexadecimal digits
 *
 * Of the default account `account` is '' and `scope` the keyspace, so a server that knows no accounts reads a directory without others, and
 * refuses one that has them. Of another account `scope` is account/keyspace: a keyspace's name has no slash.
 *
 * A kind of definition is a line of a table in definitions.c; its number says where its rows stand: behind those of the kinds that it
 * needs. Each value begins with the encoding of its kind; one that is newer than ours, or a kind that we don't know, is refused.
 *
 * A change writes the keyspace's rows that differ, the account's and the meta row, and the job that it leaves (catalog/job.h) with one command to this one
 * partition: after a crash it has happened whole or not at all.
 *
 * The system keyspaces are made anew at each start. Of the replicated ones (system_auth, ...) rows are here once a client changed them:
 * then replication, durable_writes and internal table ids (TRUNCATE) come from here, columns and options from the program.
 *
 * Errors:  ERR_CORRUPT, and those of table_read and table_apply_wait.
 * Thread:  whoever holds catalog->changing.
 */
#ifndef CATALOG_DEFINITIONS_H
#define CATALOG_DEFINITIONS_H

#include "catalog/catalog.h"

struct job;
struct job_work;
struct loading;
struct rows_view;

struct table_def *definitions_own_table(void);
/* system.helenus_identities: catalog_identities_table. */
struct table_def *definitions_identities_table(void);
/* All of them, gathered. Ended only if OK. */
enum status definitions_load(const struct catalog *catalog, struct table_port *port, struct loading *loading,
                             struct error *err);
/* The owner takes writes now: whatever became of those that failed has become of them. */
bool definitions_are_settled(const struct catalog *catalog, const struct table_port *port);
/* One row of it: for definitions_load, and for a check. */
enum status definitions_take(struct loading *loading, const struct rows_view *row, struct error *err);

/* Saves what differs between the account's schema in force and `to` in this keyspace, the account, meta, and jobs that are dirty. */
enum status definitions_save_change(const struct catalog *catalog, struct table_port *port,
                                    const struct catalog_account *account, const struct schema *to,
                                    struct bytes keyspace, struct error *err);
/* Meta, and jobs that are dirty. version: the greatest of all schemas; uuid: of the default account's, 16 bytes. */
enum status definitions_save_meta(const struct catalog *catalog, struct table_port *port, uint64_t version,
                                  const uint8_t *uuid, struct error *err);
/* What a step left of a job: nothing, once all is done. */
enum status definitions_save_job(const struct catalog *catalog, struct table_port *port, const struct job *job,
                                 const struct job_work *work, struct error *err);
/* Saves all that was gathered of the default account, but not meta: in several commands, so it is there only when the meta row says so. */
enum status definitions_save_all(const struct catalog *catalog, struct table_port *port, const struct loading *loading,
                                 struct error *err);

#endif
