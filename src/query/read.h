/* query/read.h: runs a SELECT. */
#ifndef QUERY_READ_H
#define QUERY_READ_H

#include "query/execute.h"

/* On a loop QUERY_WAITS when it needs the disk, or would keep the loop too long: a worker runs it again, whole. */
enum query_result execute_select(struct execution *execution);

#endif
