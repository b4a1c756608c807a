/* catalog/system_tables.h: what the system keyspaces hold: their definitions, and the rows of the computed ones.
 *
 * Source:  system_tables.c: Cassandra 5.0.5's own definitions, and those of Amazon Keyspaces.
 */
#ifndef CATALOG_SYSTEM_TABLES_H
#define CATALOG_SYSTEM_TABLES_H

#include "table/table.h"

struct catalog;

/* CREATE KEYSPACE and CREATE TABLE statements, NULL at the end. */
extern const char *const system_definitions[];

typedef void system_rows_fn(const struct virtual_table *self, struct virtual_emit *emit);

struct system_body {
    system_rows_fn *rows;
    bool waits;                   /* reads of stored tables for it */
    const struct table_way *ways; /* in which alone it may be asked; NULL: any */
};
/* What computes a table's rows: NULL for a table that is stored (system_auth, system_distributed, system_traces). */
const struct system_body *system_body_of(struct bytes keyspace, struct bytes table);

/* Of system_mcs_rows.c. */
system_rows_fn mcs_tables_history_rows, mcs_tags_rows, mcs_types_rows;

#endif
