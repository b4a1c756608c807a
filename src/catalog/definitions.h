/* catalog/definitions.h: the definitions on disk: one partition of an internal table, system.helenus_catalog.
 *
 *     keyspace_name text, table_name text, PRIMARY KEY within the one partition "catalog"; value blob:
 *
 *     ('', '')        meta: format (1) = 1 | host id (16) | next table id (8) | schema version (8) | its uuid (16)
 *                           | removals (4) | table id (8)*
 *     (keyspace, '')  a keyspace with its types       (schema/codec.h)
 *     (keyspace, t)   a table                          (schema/codec.h)
 *
 * A change writes the keyspace's rows that differ and the meta row with one command to this one partition: after a crash it has happened
 * whole or not at all. Removals are ids of tables that are no longer defined and whose rows may still be there.
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

struct table_def *definitions_own_table(void);
/* The schema of the system keyspaces in force and those on disk. Sets host id, next table id and removals. is_new: there was nothing. */
enum status definitions_load(struct catalog *catalog, struct table_port *port, struct schema **result, bool *is_new,
                             struct error *err);
/* Saves what differs between `from` and `to` in this keyspace, and meta. */
enum status definitions_save_change(struct catalog *catalog, struct table_port *port, const struct schema *from,
                                    const struct schema *to, struct bytes keyspace, struct error *err);
enum status definitions_save_meta(struct catalog *catalog, struct table_port *port, const struct schema *schema,
                                  struct error *err);

#endif
