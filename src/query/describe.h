/* query/describe.h: DESCRIBE: definitions as rows, page by page. A page's state is the index of the next row and the schema's version. */
#ifndef QUERY_DESCRIBE_H
#define QUERY_DESCRIBE_H

#include "query/execute.h"

enum query_result execute_describe(struct execution *execution);

#endif
