/* wire/aws/scalar.h: single values as text: in forms, paths, queries, headers and XML.
 *
 * Formats: numbers in decimal, "NaN", "Infinity", "-Infinity"; "true", "false"; blobs in base64; times as their shape says, else as
 *          the place has it.
 * Errors:  scalar_read: false and the walk's fault, SerializationException.
 * Thread:  pure.
 */
#ifndef WIRE_AWS_SCALAR_H
#define WIRE_AWS_SCALAR_H

#include "wire/aws/walk.h"

/* Neither a structure nor a list nor a map. */
bool shape_is_scalar(const struct shape *shape);

/* The text must live as long as the tree: a string is the text. */
bool scalar_read(struct walk *walk, const struct shape *shape, struct bytes text, enum timestamp_format usual,
                 struct tree **result);
void scalar_write(struct buffer *out, const struct tree *tree, enum timestamp_format usual);

#endif
