/* table/read.h: inside table/: what others ask of table_read's file.
 *
 * Thread:  pure.
 */
#ifndef TABLE_READ_H
#define TABLE_READ_H

#include "row/row.h"
#include "schema/schema.h"

/* Leaves out, in place, the cells of columns that the table no longer has. Before row_hide: they keep no row
 * alive. NULL: none. */
void drop_lost_cells(const struct table_def *def, struct row *row);

#endif
