/* cql/shape.h: what kind of statement a text is, told without anything that its writer chose.
 *
 *     INSERT INTO shop.orders (customer, total) VALUES ('ada', 1.5) USING TTL 60
 *     shape:   INSERT INTO _ . _ ( _ , _ ) _ ( ? ) _ _ ?          for logs, which carry no names and no values
 *     masked:  insert into shop . orders ( customer , total ) values ( ? ) using ttl ?     to count like with like
 *
 * Only words that can never be a name are shown in a shape: CQL has many keywords that can. A row of literals or markers is one
 * "?", so that a list's length makes no difference.
 *
 * Shapes:  any bytes, also what does not parse; a shape is cut at SHAPE_BYTES_MAX and then ends with "...". What follows a string,
 *          name or comment without an end, or a sign that CQL does not have, is left out.
 * Errors:  none.
 * Thread:  pure.
 */
#ifndef CQL_SHAPE_H
#define CQL_SHAPE_H

#include "base/arena.h"
#include "base/buffer.h"

enum { SHAPE_BYTES_MAX = 240 };

/* Appends to both; neither ends with a NUL. */
void cql_shape(struct arena *arena, struct bytes text, struct buffer *shape, struct buffer *masked);

#endif
