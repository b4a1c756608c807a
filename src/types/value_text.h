/* types/value_text.h: what the printing and parsing of values share; private to types/.
 *
 * Thread:  pure.
 */
#ifndef TYPES_VALUE_TEXT_H
#define TYPES_VALUE_TEXT_H

#include "types/type.h"

/* A value from text, as AbstractType.fromString; may leave part of a value in `out` when it fails. Tuples and UDTs: field:field:...;
 * collections and vectors, which only stand in these: bytes in hexadecimal, which are not looked at. */
enum status value_parse_text(const struct type *type, struct bytes text, struct buffer *out, struct error *err);
/* A quoted JSON string. */
void json_print_string(struct buffer *out, struct bytes text);
/* A udt field's name as JSON has it: in quotes of its own if it is not all lower case. Appended unquoted. */
void json_field_name(struct buffer *out, struct bytes name);

#endif
