/* query/definition.h: CREATE, ALTER and DROP of what catalog/ can define: the change, and what clients are told of it. Waits for the disk.
 */
#ifndef QUERY_DEFINITION_H
#define QUERY_DEFINITION_H

#include "query/execute.h"

enum query_result execute_definition(struct execution *execution);

#endif
