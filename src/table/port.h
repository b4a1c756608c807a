/* table/port.h: inside table/: what the space itself asks of its ports; the rest is in table.h.
 *
 * Thread:  the port's.
 */
#ifndef TABLE_PORT_H
#define TABLE_PORT_H

#include "table/table.h"

/* As table_port_open. NULL: more are open than the space was made for, or no descriptor is left. */
struct table_port *port_open(struct table_space *space);
enum status port_submit_to(struct table_port *port, uint32_t shard, struct table_request *request, struct error *err);
/* The command to every shard; waits. *any_applied: one of them said so. */
enum status port_everywhere(struct table_port *port, struct bytes command, bool *any_applied, struct error *err);

#endif
