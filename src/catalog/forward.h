/* catalog/forward.h: brings a data directory of an older format forward.
 *
 * Format 2 had its definitions in another table, system.helenus_catalog, one partition:
 *
 *     keyspace_name text, table_name text, PRIMARY KEY within the one partition "catalog"; value blob:
 *
 *     ('', '')        meta: format (1) = 1 | host id (16) | next table id (8) | schema version (8) | its uuid (16)
 *                           | removals (4) | table id (8)*
 *     (keyspace, '')  a keyspace with its types, of encoding 1   (schema/codec.h)
 *     (keyspace, t)   a table                                    (schema/codec.h)
 *
 * As long as FORMAT says 2 the old table is the truth, and an older server may start: what an interrupted run has written to the new one
 * is removed first. Then all definitions are written, then meta, then FORMAT; only then are the rows of the old table removed, as those
 * of a dropped table. A crash between any two steps leaves a directory of format 2 or 3, each whole.
 *
 * Errors:  ERR_CORRUPT, ERR_IO, ERR_NO_SPACE and those of table_read and table_apply_wait; the directory is still of format 2 then.
 * Thread:  whoever holds catalog->changing.
 */
#ifndef CATALOG_FORWARD_H
#define CATALOG_FORWARD_H

#include "catalog/catalog.h"

struct loading;
struct rows_view;

/* Where format 2 had its definitions. */
struct table_def *forward_old_table(void);
/* A row of it. */
enum status forward_take(struct loading *loading, const struct rows_view *row, struct error *err);

enum status forward_run(struct catalog *catalog, struct table_port *port, struct error *err);

#endif
