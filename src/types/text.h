/* types/text.h: is this ASCII, is this UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing past U+10FFFF)?
 *
 * Thread:  pure.
 */
#ifndef TYPES_TEXT_H
#define TYPES_TEXT_H

#include "base/bytes.h"

bool text_is_ascii(struct bytes text);
bool text_is_utf8(struct bytes text);
/* The size of the longest beginning that is UTF-8: all of it, or where it stops to be. */
size_t text_utf8_size(struct bytes text);
/* The longest beginning of at most `size` bytes that cuts no character. */
struct bytes text_cut(struct bytes text, size_t size);

#endif
