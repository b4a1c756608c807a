/* wire/writer.h: the notations of the native protocol, appended to a buffer.
 *
 * Errors:  none; a [string] is cut at 65535 bytes, which its callers' limits keep it from reaching.
 * Thread:  one per buffer.
 */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include "base/buffer.h"

static inline void write_string(struct buffer *out, struct bytes string)
{
    size_t size = string.size > UINT16_MAX ? UINT16_MAX : string.size;

    buffer_append_be16(out, (uint16_t)size);
    buffer_append(out, string.data, size);
}

static inline void write_word(struct buffer *out, const char *word)
{
    write_string(out, bytes_of_string(word));
}

#endif
