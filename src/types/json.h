/* types/json.h: reading JSON in place.
 *
 * json_check says once whether a text is one JSON value; what follows walks checked text and cannot fail.
 *
 * Shapes:  spans of checked text, without white space around them. Numbers: an integer has neither '.' nor exponent.
 * Owns:    nothing; names and strings are unescaped into the caller's buffer.
 * Errors:  ERR_INVALID: "Error decoding JSON string: ...". Nesting deeper than JSON_DEPTH_MAX is one.
 * Thread:  pure.
 */
#ifndef TYPES_JSON_H
#define TYPES_JSON_H

#include "base/buffer.h"
#include "base/error.h"

enum { JSON_DEPTH_MAX = 500 };

enum json_kind { JSON_NULL, JSON_BOOLEAN, JSON_INTEGER, JSON_FLOAT, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* *trimmed is the value without white space around it; it may be `text`'s own variable. */
enum status json_check(struct bytes text, struct bytes *trimmed, struct error *err);

enum json_kind json_kind_of(struct bytes value);
/* Appends a string's characters. */
void json_unescape(struct buffer *out, struct bytes string);
/* Start with *at = the array or object. Each call gives the next element (or member, its name still a JSON string) and
 * advances; false at the end. */
bool json_next_element(struct bytes *at, struct bytes *element);
bool json_next_member(struct bytes *at, struct bytes *name, struct bytes *value);
/* For who goes deeper, once over the text: the next bracket, string, number or word. Commas and colons are passed over, so behind '{'
 * names and values take turns. *at is the rest; data NULL: there is none. */
struct bytes json_next_token(struct bytes *at);

#endif
