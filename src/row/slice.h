/* row/slice.h: a range of a partition's rows.
 *
 * Shapes:  bounds are prefixes of encoded clustering components (types/value.h). A bound of size 0 is open on
 *          that side. Inclusive means: everything that begins with the bound is inside; exclusive: outside.
 * Owns:    nothing.
 */
#ifndef ROW_SLICE_H
#define ROW_SLICE_H

#include "base/bytes.h"

#include <stdbool.h>

struct slice {
    struct bytes start;
    struct bytes end;
    bool start_inclusive;
    bool end_inclusive;
};

#endif
