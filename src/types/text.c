/* UTF-8, checked strictly: no surrogates, no sequence longer than needed, nothing beyond U+10FFFF
 * (RFC 3629). Each text that a client binds goes through here, and most is ASCII: that is looked at
 * eight bytes at a time. */
#include "types/text.h"

#include <assert.h>

#define HIGH_BITS 0x8080808080808080ULL

/* How many bytes at the start are ASCII; may stop up to 7 short of the first that is not. The bytes
 * are copied to a word, as they may stand anywhere. */
static inline size_t skip_ascii(const uint8_t *at, size_t size)
{
    size_t i = 0;

    for (; i + 8 <= size; i += 8) {
        uint64_t word;

        memcpy(&word, at + i, 8);
        if (word & HIGH_BITS)
            break;
    }
    return i;
}

bool text_is_ascii(struct bytes text)
{
    size_t i = skip_ascii(text.data, text.size);

    assert(text.data || !text.size);
    for (; i < text.size; i++)
        if (text.data[i] & 0x80)
            return false;
    return true;
}

/* Bytes of a character behind its first. */
static inline bool is_tail(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

/* The size of the well-formed sequence at `at`, which starts with a byte over 0x7F; 0 if there is
 * none. C0 and C1 would begin what fits one byte, F5 and above what no character has; E0, ED, F0
 * and F4 limit the byte behind them (Unicode, table 3-7). */
static size_t sequence_size(const uint8_t *at, size_t size)
{
    uint8_t c = at[0];

    assert(size > 0 && at[0] >= 0x80);
    if (c < 0xC2 || c > 0xF4)
        return 0;
    if (c < 0xE0)
        return size >= 2 && is_tail(at[1]) ? 2 : 0;
    if (c < 0xF0) {
        if (size < 3 || !is_tail(at[1]) || !is_tail(at[2]))
            return 0;
        if ((c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F))
            return 0;
        return 3;
    }
    if (size < 4 || !is_tail(at[1]) || !is_tail(at[2]) || !is_tail(at[3]))
        return 0;
    if ((c == 0xF0 && at[1] < 0x90) || (c == 0xF4 && at[1] > 0x8F))
        return 0;
    return 4;
}

/* How much of it, from the start, is well-formed: errors show it up to there. */
size_t text_utf8_size(struct bytes text)
{
    size_t size = 0;

    while (size < text.size) {
        const uint8_t *at = text.data + size;
        size_t step = skip_ascii(at, text.size - size);

        if (step == 0 && at[0] < 0x80)
            step = 1;
        else if (step == 0)
            step = sequence_size(at, text.size - size);
        if (step == 0)
            break;
        size += step;
    }
    return size;
}

bool text_is_utf8(struct bytes text)
{
    return text_utf8_size(text) == text.size;
}

/* Cut between characters, so that what was UTF-8 still is. */
struct bytes text_cut(struct bytes text, size_t size)
{
    if (size >= text.size)
        return text;
    assert(size < text.size);
    while (size && (text.data[size] & 0xC0) == 0x80)
        size--;
    return bytes_of(text.data, size);
}
