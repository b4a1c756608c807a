/* wire/aws/base64.h: blobs in JSON, XML and forms.
 *
 * Formats: RFC 4648, 4: the usual alphabet, padded with '='. Bits that are left over may be anything, as Java's decoder has it.
 * Errors:  base64_decode: false for what is no base64: other characters, blanks, padding that is missing or in the middle.
 * Thread:  pure.
 */
#ifndef WIRE_AWS_BASE64_H
#define WIRE_AWS_BASE64_H

#include "base/arena.h"
#include "base/buffer.h"

bool base64_decode(struct arena *arena, struct bytes text, struct bytes *result);
void base64_encode(struct buffer *out, struct bytes raw);

#endif
