/* query/definition.h: CREATE, ALTER and DROP of what catalog/ can define: the change, and what clients are told of it. Waits for the disk.
 */
#ifndef QUERY_DEFINITION_H
#define QUERY_DEFINITION_H

#include "query/execute.h"

enum query_result execute_definition(struct execution *execution);
/* DROP of an index, a view, a trigger, a function or an aggregate: there is none, so it does nothing or says so. */
enum query_result execute_drop_of_nothing(struct execution *execution);

#endif
