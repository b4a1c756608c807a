/* row/place.h: operations that look at what is there first: l[i] = v, DELETE l[i], l = l - [..]; v = v + 1
 * under a condition.
 *
 * Who asks does not know the paths of the elements; who looks (an owner, or a reader before a batch over
 * several partitions) does. In between the cell has an *asked path*:
 *
 *     number of the operation in its statement (4) | kind (1) | by kind:
 *         PLACE_SET, PLACE_DELETE: index (4; nothing: null); PLACE_PATH: the path it has; PLACE_SUM: nothing
 *
 * PLACE_DISCARD: the cell is a tombstone and path_value the unwanted values, a packed list. All cells of a
 * column that has an asked one are asked, so that each operation sees what those before it, in its statement,
 * do to the list, as in Cassandra. In a batch no statement sees another's.
 * PLACE_SUM, of a column that has one cell: its value is added to what is there; nothing is added to null.
 *
 * Owns:    nothing; results are in the arena and borrow from both rows.
 * Errors:  ERR_INVALID with Cassandra's words; ERR_STALE: a column is gone; ERR_CORRUPT: a path that nobody asks with.
 * Thread:  pure.
 * Source:  org.apache.cassandra.cql3.Lists and UpdateParameters.getPrefetchedRow, release 5.0.
 */
#ifndef ROW_PLACE_H
#define ROW_PLACE_H

#include "row/row.h"
#include "schema/schema.h"

enum place_kind { PLACE_PATH = 1, PLACE_SET, PLACE_DELETE, PLACE_DISCARD, PLACE_SUM };
/* left + right, both of a numeric or text type and neither null, in the arena. */
typedef enum status (*place_sum)(struct arena *arena, const struct type *type, struct bytes left, struct bytes right,
                                 struct bytes *sum, struct error *err);

enum { PLACE_HEAD_BYTES = 5, PLACES_MAX = 1024 /* asked cells other than PLACE_PATH in one row of one statement */ };

/* The asked path; tail: what stands behind the head. In the arena. */
struct bytes place_path(struct arena *arena, uint32_t number, enum place_kind kind, struct bytes tail);
/* *asked gets the paths that its operations find in `live`, the row as a reader sees it (NULL: there is
 * none). It may become empty. Cells of other columns stay as they are. sum NULL: nobody asks for one. */
enum status place_find(struct arena *arena, const struct table_def *def, struct row *asked, const struct row *live,
                       place_sum sum, struct error *err);

#endif
