/* cql/lex.h: text to lexemes, with the look-ahead that tells keywords from identifiers. For parse.c and shape.c only.
 *
 * Shapes:  a NUL stands behind the text, at `end`; others are in it only as any character is. Lexemes point into it and it is not changed
 *          ahead of them.
 * Thread:  one lexer per parse.
 */
#ifndef CQL_LEX_H
#define CQL_LEX_H

#include "cql/build.h"

/* What stands where no lexeme can: lexeme.start says where. */
enum { LEX_BAD_CHARACTER = -1, LEX_OPEN_STRING = -2, LEX_OPEN_NAME = -3, LEX_OPEN_COMMENT = -4, LEX_OPEN_LINE = -5 };

struct lexer {
    const uint8_t *cursor;
    const uint8_t *end;
    int before[2];           /* the last two lexemes given to the grammar, last first */
    const uint8_t *last;     /* where the last of them stood */
    const uint8_t *hint_end; /* the ")" of the last type hint */
    bool in_selectors;       /* of a SELECT or GROUP BY, where a name is a column: in terms it is a function */
};

/* The token to give to the grammar; 0 at the end, negative where there is none. */
int lex_next(struct lexer *lexer, struct lexeme *lexeme);

#endif
