/* tests/api/records.h: what the tools of these tests read and write: fields, each a length (4 bytes, big-endian) and that many bytes.
 */
#ifndef TESTS_API_RECORDS_H
#define TESTS_API_RECORDS_H

#include "base/cursor.h"

#include <stdio.h>

static inline struct bytes field(struct cursor *cursor)
{
    return cursor_take(cursor, cursor_be32(cursor));
}

static inline void tell(struct bytes bytes)
{
    uint8_t size[4];

    store_be32(size, (uint32_t)bytes.size);
    fwrite(size, 1, sizeof(size), stdout);
    if (bytes.size)
        fwrite(bytes.data, 1, bytes.size, stdout);
}

#endif
