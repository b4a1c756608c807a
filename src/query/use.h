/* query/use.h: USE: the keyspace of names that have none, from now on, on this connection. */
#ifndef QUERY_USE_H
#define QUERY_USE_H

#include "query/execute.h"

enum query_result execute_use(struct execution *execution);

#endif
