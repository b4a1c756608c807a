/* types/vint.h: Cassandra's variable-length integers (VIntCoding), as values of duration and of vectors hold them.
 *
 *   The number of leading one bits of the first byte is the number of bytes that follow; its other bits and the
 *   following bytes are the number, big-endian.  0xxxxxxx | 10xxxxxx b1 | ... | 11111111 b1..b8
 *   Signed numbers are zig-zagged first.
 *
 * Errors:  false when the bytes end too early; *in is unchanged then.
 * Thread:  pure.
 */
#ifndef TYPES_VINT_H
#define TYPES_VINT_H

#include "base/buffer.h"

static inline bool vint_read(struct bytes *in, uint64_t *result)
{
    if (in->size == 0)
        return false;
    uint8_t first = in->data[0];
    int extra = first == 0xFF ? 8 : __builtin_clz((uint32_t)(uint8_t)~first) - 24;
    if (in->size < (size_t)extra + 1)
        return false;

    uint64_t v = extra >= 7 ? 0 : first & (0xFFu >> extra);
    for (int i = 1; i <= extra; i++)
        v = v << 8 | in->data[i];
    in->data += extra + 1;
    in->size -= extra + 1;
    *result = v;
    return true;
}

static inline bool vint_read_signed(struct bytes *in, int64_t *result)
{
    uint64_t v;

    if (!vint_read(in, &v))
        return false;
    *result = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    return true;
}

static inline void vint_append(struct buffer *out, uint64_t v)
{
    int bits = v ? 64 - __builtin_clzll(v) : 1;
    int extra = (bits - 1) / 7;

    if (extra > 8)
        extra = 8;
    uint8_t *at = buffer_extend(out, extra + 1);
    for (int i = extra; i > 0; i--, v >>= 8)
        at[i] = (uint8_t)v;
    at[0] = extra == 8 ? 0xFF : (uint8_t)(~(0xFFu >> extra) | v);
}

static inline void vint_append_signed(struct buffer *out, int64_t v)
{
    vint_append(out, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

#endif
