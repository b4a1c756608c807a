/* query/sum.h: v += 1 and v = v + 'text' under a condition: the arithmetic that owners are given. */
#ifndef QUERY_SUM_H
#define QUERY_SUM_H

#include "base/arena.h"
#include "base/error.h"
#include "types/type.h"

/* What owners add with: table_space_options.sum. */
enum status query_sum(struct arena *arena, const struct type *type, struct bytes left, struct bytes right,
                      struct bytes *sum, struct error *err);

#endif
