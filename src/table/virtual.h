/* table/virtual.h: inside table/: reads of computed tables.
 *
 * Thread:  any.
 */
#ifndef TABLE_VIRTUAL_H
#define TABLE_VIRTUAL_H

#include "table/table.h"

enum status virtual_read(const struct table_def *def, const struct read_command *command, struct arena *arena,
                         struct read_result *result, struct error *err);

#endif
