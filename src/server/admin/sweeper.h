/* server/admin/sweeper.h: what the sweeper of each shard did: the rows of system_views.helenus_sweeper, and metrics.
 *
 * Thread:  any.
 */
#ifndef SERVER_ADMIN_SWEEPER_H
#define SERVER_ADMIN_SWEEPER_H

#include "table/table.h"

struct buffer;

struct sweeper_view {
    struct table_space *space; /* borrowed; NULL: not open yet, no rows */
    struct virtual_table table;
};

extern const char sweeper_create_table[];

void sweeper_view_init(struct sweeper_view *view);
void sweeper_print_metrics(const struct sweeper_view *view, struct buffer *out);

#endif
