/* cql/print.h: a statement back to CQL text.
 *
 * Shapes:  canonical: upper case keywords, one space, identifiers quoted only where they must be, strings in single quotes,
 *          markers as written. Parsing the text gives the same statement, and printing that the same text.
 * Owns:    nothing; text is appended to the caller's buffer.
 * Thread:  pure.
 */
#ifndef CQL_PRINT_H
#define CQL_PRINT_H

#include "base/buffer.h"
#include "cql/ast.h"

void cql_print(struct buffer *out, const struct cql_statement *statement);
void cql_print_term(struct buffer *out, const struct term *term);
void cql_print_type(struct buffer *out, const struct cql_type *type);
/* One conjunct of WHERE, for error messages. */
void cql_print_relation(struct buffer *out, const struct relation *relation);
/* 'text', with quotes doubled. */
void cql_print_string(struct buffer *out, struct bytes text);

#endif
