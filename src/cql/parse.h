/* cql/parse.h: CQL text to a statement.
 *
 * The language is Apache Cassandra 5.0's, and what Amazon Keyspaces adds: RESTORE TABLE, ADD and DROP TAGS (TAGS_FOR_CDC),
 * maps within maps as option values.
 *
 * Shapes:  text is UTF-8, without a NUL, one statement, with any number of ';' behind it; at most CQL_BYTES_MAX.
 *          Terms, selectors and types nest at most CQL_DEPTH_MAX deep, so that walks may recurse; a left-deep chain
 *          of operators counts as nesting.
 * Owns:    the statement lies in the arena; the text is copied, not borrowed. No other memory is allocated.
 * Errors:  ERR_SYNTAX, as Cassandra words it: "line 1:14 no viable alternative at input 'x'" (line from 1, column from
 *          0), or a sentence for what the grammar accepts and its actions refuse.
 * Thread:  pure; one arena per thread.
 */
#ifndef CQL_PARSE_H
#define CQL_PARSE_H

#include "base/arena.h"
#include "base/error.h"
#include "cql/ast.h"

/* What one statement may have: bytes, lexemes (an AST takes some 100 bytes for each), levels of nesting. */
enum { CQL_BYTES_MAX = 16 << 20, CQL_LEXEMES_MAX = 1 << 20, CQL_DEPTH_MAX = 400 };

/* *out is written only on success. */
enum status cql_parse(struct arena *arena, struct bytes text, struct cql_statement **out, struct error *err);

/* One CQL type, as in "map<text, frozen<list<int>>>". */
enum status cql_parse_type(struct arena *arena, struct bytes text, const struct cql_type **out, struct error *err);

#endif
