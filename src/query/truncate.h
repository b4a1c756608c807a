/* query/truncate.h: TRUNCATE: a table becomes another one, which is empty. Waits for the disk. */
#ifndef QUERY_TRUNCATE_H
#define QUERY_TRUNCATE_H

#include "query/execute.h"

enum query_result execute_truncate(struct execution *execution);

#endif
