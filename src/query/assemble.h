/* query/assemble.h: cells become the values that clients see. */
#ifndef QUERY_ASSEMBLE_H
#define QUERY_ASSEMBLE_H

#include "base/buffer.h"
#include "row/row.h"
#include "types/type.h"

/* Values of one multicell column, assembled to wire bytes appended to `out`. False: no live cell. */
bool assemble_collection(struct buffer *out, const struct type *type, const struct cell *cells, uint32_t count);

#endif
