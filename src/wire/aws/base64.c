/* Base64: three bytes are four characters of six bits each. */
#include "wire/aws/base64.h"

#include <assert.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static_assert(sizeof(alphabet) == 64 + 1, "a character for each six bits");

/* Six bits; -1: not of the alphabet. */
static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters at a time would need a special case for the last four; one at a time needs none. The
 * memory is what the text is worth, at once. */
bool base64_decode(struct arena *arena, struct bytes text, struct bytes *result)
{
    size_t size = text.size, written = 0;
    uint32_t bits = 0;

    if (size % 4)
        return false;
    /* Two at most, and at the end: what they stand in for is taken away below. */
    for (int padding = 0; padding < 2 && size && text.data[size - 1] == '='; padding++)
        size--;
    size_t out_size = size / 4 * 3 + (size % 4 ? size % 4 - 1 : 0);
    uint8_t *out = arena_alloc(arena, out_size + 1);
    for (size_t i = 0; i < size; i++) {
        int value = value_of(text.data[i]);

        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        /* After the second, third and fourth of four there is a whole byte more. */
        if (i % 4)
            out[written++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    assert(written == out_size);
    *result = bytes_of(out, out_size);
    return true;
}

/* The last group may have one or two bytes: what is not there is written as '='. */
void base64_encode(struct buffer *out, struct bytes raw)
{
    for (size_t i = 0; i < raw.size; i += 3) {
        size_t left = raw.size - i;
        uint32_t bits = (uint32_t)raw.data[i] << 16 | (left > 1 ? (uint32_t)raw.data[i + 1] << 8 : 0) |
                        (left > 2 ? raw.data[i + 2] : 0);
        uint8_t *to = buffer_extend(out, 4);

        to[0] = (uint8_t)alphabet[bits >> 18];
        to[1] = (uint8_t)alphabet[bits >> 12 & 63];
        to[2] = left > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
        to[3] = left > 2 ? (uint8_t)alphabet[bits & 63] : '=';
    }
}
