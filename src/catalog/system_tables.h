/* catalog/system_tables.h: what the system keyspaces hold: their definitions, and the rows of the computed ones.
 *
 * Source:  system_tables.c: Cassandra 5.0.5's own definitions.
 */
#ifndef CATALOG_SYSTEM_TABLES_H
#define CATALOG_SYSTEM_TABLES_H

#include "table/table.h"

struct catalog;

/* CREATE KEYSPACE and CREATE TABLE statements, NULL at the end. */
extern const char *const system_definitions[];

/* What computes a table's rows: NULL for a table that is stored (system_auth, system_distributed, system_traces). waits: reads of stored
 * tables for it. */
typedef void system_rows_fn(const struct virtual_table *self, struct virtual_emit *emit);
system_rows_fn *system_rows_of(struct bytes keyspace, struct bytes table, bool *waits);

#endif
