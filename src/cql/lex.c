/* Lexemes, with the look-ahead that the grammar cannot have. re2c's lexer (lexer.re,
 * included below) cuts the text; classify then decides what a word or a "(" is where
 * CQL leaves it open: a keyword that may also be a name, or the parenthesis of a type
 * hint. It looks at the lexemes behind, or at the two before. So the grammar stays
 * LALR(1) without conflicts. Whether each decision is Cassandra's is tested against
 * recordings of its parser (parse_test.c). */
#include "cql/lex.h"

#include "cql/grammar.h"

#include <assert.h>

/* The lexeme ends at `end`, where the next one begins. */
static int lex_end(struct lexer *lexer, struct lexeme *lexeme, const uint8_t *end, int token)
{
    assert(end > lexeme->start && end <= lexer->end);
    lexeme->size = (uint32_t)(end - lexeme->start);
    lexeme->token = (uint32_t)token;
    lexer->cursor = end;
    return token;
}

/* How many bytes of text are left. */
static size_t left_from(const struct lexer *lexer, const uint8_t *at)
{
    assert(at <= lexer->end);
    return (size_t)(lexer->end - at);
}

/* 'a''b' and "a""b": to the closing quote, which no other quote follows. The two are found by
 * memchr, since a string may be megabytes long. */
static int lex_quoted(struct lexer *lexer, struct lexeme *lexeme, char quote, int token, int open)
{
    const uint8_t *at = lexeme->start + 1;

    for (;;) {
        const uint8_t *end = memchr(at, quote, left_from(lexer, at));

        /* Where it is open, Cassandra names the end of the text, not the place where it
         * began. */
        if (!end) {
            lexeme->start += left_from(lexer, lexeme->start);
            return open;
        }
        if (end[1] != quote) /* a NUL, at the end of the text */
            return lex_end(lexer, lexeme, end + 1, token);
        at = end + 2;
    }
}

/* $$...$$, which needs no quoting. */
static int lex_dollars(struct lexer *lexer, struct lexeme *lexeme)
{
    const uint8_t *at = lexeme->start + 2, *end = memmem(at, left_from(lexer, at), "$$", 2);

    /* As an open string. */
    if (!end) {
        lexeme->start += left_from(lexer, lexeme->start);
        return LEX_OPEN_STRING;
    }
    return lex_end(lexer, lexeme, end + 2, T_STRING);
}

/* To the end of the line. As in Cassandra the line must have an end: a comment at the end of
 * the text, without a newline, is an error. */
static bool skip_line(const struct lexer *lexer, const uint8_t **cursor)
{
    while (*cursor < lexer->end && **cursor != '\n' && **cursor != '\r')
        ++*cursor;
    return *cursor < lexer->end;
}

/* To the end of the comment; comments do not nest. */
static bool skip_comment(const struct lexer *lexer, const uint8_t **cursor)
{
    const uint8_t *end = memmem(*cursor, left_from(lexer, *cursor), "*/", 2);

    /* At the end of the text the error names that place. */
    *cursor = end ? end + 2 : lexer->end;
    return end != NULL;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "cql/lexer.inc"
#pragma GCC diagnostic pop

/* What class of word a lexeme is, which decides where it may be a name. The classes are those
 * of Cassandra's Parser.g: words of its basic_unreserved_keyword may be anything, native
 * types may not name user types, special words may not name functions, all others are
 * reserved. A new keyword is added here, in lexer.re and in the grammar's %fallback. */
enum word word_of(const struct lexeme *lexeme)
{
    switch (lexeme->token) {
    /* The words of Keyspaces are no words of Cassandra: to it they are plain names. */
    case T_IDENT:
    case T_RESTORE:
    case T_TAGS:
    case T_TAGS_FOR_CDC: return WORD_PLAIN;
    case T_QNAME: return WORD_QUOTED;
    /* Cassandra's basic_unreserved_keyword: they may be anything. */
    case T_KEYS:
    case T_AS:
    case T_CLUSTER:
    case T_CLUSTERING:
    case T_COMPACT:
    case T_STORAGE:
    case T_TABLES:
    case T_TYPE:
    case T_TYPES:
    case T_VALUES:
    case T_MAP:
    case T_LIST:
    case T_FILTERING:
    case T_PERMISSION:
    case T_PERMISSIONS:
    case T_KEYSPACES:
    case T_ALL:
    case T_USER:
    case T_USERS:
    case T_ROLE:
    case T_ROLES:
    case T_IDENTITY:
    case T_SUPERUSER:
    case T_NOSUPERUSER:
    case T_LOGIN:
    case T_NOLOGIN:
    case T_OPTIONS:
    case T_PASSWORD:
    case T_HASHED:
    case T_EXISTS:
    case T_CUSTOM:
    case T_TRIGGER:
    case T_CONTAINS:
    case T_INTERNALS:
    case T_ONLY:
    case T_STATIC:
    case T_FROZEN:
    case T_TUPLE:
    case T_FUNCTION:
    case T_FUNCTIONS:
    case T_AGGREGATE:
    case T_AGGREGATES:
    case T_SFUNC:
    case T_STYPE:
    case T_FINALFUNC:
    case T_INITCOND:
    case T_RETURNS:
    case T_LANGUAGE:
    case T_CALLED:
    case T_INPUT:
    case T_LIKE:
    case T_PER:
    case T_PARTITION:
    case T_GROUP:
    case T_DATACENTERS:
    case T_CIDRS:
    case T_ACCESS:
    case T_DEFAULT:
    case T_MBEAN:
    case T_MBEANS:
    case T_REPLACE:
    case T_UNSET:
    case T_MASKED:
    case T_UNMASK:
    case T_SELECT_MASKED:
    case T_VECTOR:
    case T_ANN: return WORD_BASIC;
    /* Its native_type: they may name columns and tables, but no user types. */
    case T_ASCII:
    case T_BIGINT:
    case T_BLOB:
    case T_BOOLEAN:
    case T_COUNTER:
    case T_DECIMAL:
    case T_DOUBLE:
    case T_DURATION:
    case T_FLOAT:
    case T_INET:
    case T_INT:
    case T_SMALLINT:
    case T_TEXT:
    case T_TIMESTAMP:
    case T_TINYINT:
    case T_UUID:
    case T_VARCHAR:
    case T_VARINT:
    case T_TIMEUUID:
    case T_DATE:
    case T_TIME: return WORD_NATIVE;
    /* These have a syntax of their own where a function could stand. */
    case T_TTL:
    case T_COUNT:
    case T_WRITETIME:
    case T_MAXWRITETIME:
    case T_KEY:
    case T_CAST:
    case T_JSON:
    case T_DISTINCT: return WORD_SPECIAL;
    default: return WORD_RESERVED;
    }
}

/* May the lexeme be a name somewhere? */
static bool is_name(const struct lexeme *lexeme)
{
    return word_of(lexeme) != WORD_RESERVED;
}

/* The token behind the cursor, which stays. `behind` is a lexer that goes on from there. */
static int peek(const struct lexer *lexer, struct lexer *behind)
{
    struct lexeme lexeme;

    /* Looking ahead is lexing with a copy: nothing is consumed. */
    *behind = *lexer;
    return lex_raw(behind, &lexeme);
}

static int peek_after(const struct lexer *lexer)
{
    struct lexer behind;

    return peek(lexer, &behind);
}

/* Is the AS behind the cursor followed by a name, and so an alias's? Else it is a column
 * called "as". */
static bool is_alias(const struct lexer *at_as)
{
    struct lexer behind;
    struct lexeme lexeme;
    /* A copy of the lexer goes on: the one at hand stays before AS. */
    int token = lex_raw((behind = *at_as, &behind), &lexeme);

    return token > 0 && is_name(&lexeme);
}

/* SELECT json ..., SELECT distinct ...: it is the keyword, unless what follows shows that it
 * is a column of that name. */
static bool is_select_modifier(const struct lexer *lexer)
{
    struct lexer behind;

    switch (peek(lexer, &behind)) {
    /* An operator, a dot, a comma or FROM goes on with a column. `*` and "(" do not:
     * SELECT json *. */
    case T_FROM:
    case T_COMMA:
    case T_DOT:
    case T_PLUS:
    case T_SLASH:
    case T_PERCENT: return false;
    case T_AS: return !is_alias(&behind);
    default: return true;
    }
}

/* Can a term begin behind the last lexeme? Only then can a "(" be that of a type hint:
 * elsewhere it opens a list, a call or a definition. */
static bool begins_term(const struct lexer *lexer)
{
    switch (lexer->before[0]) {
    /* Behind an operator, an opening sign, a comma or these words comes a term. */
    case T_LP:
    case T_LP_HINT:
    case T_COMMA:
    case T_LS:
    case T_LB:
    case T_COLON:
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
    case T_PLUS:
    case T_MINUS:
    case T_STAR:
    case T_SLASH:
    case T_PERCENT:
    case T_PLUS_EQ:
    case T_MINUS_EQ:
    case T_SELECT:
    case T_DISTINCT:
    case T_RANGE:
    case T_OF:
    case T_BY: return true;
    case T_JSON:
    case T_INITCOND:
    case T_LIKE:
    case T_CONTAINS:
    case T_KEY:
        /* INSERT INTO key (a) VALUES: a table's name */
        return lexer->before[1] != T_INTO && lexer->before[1] != T_DOT;
    /* A hint may stand behind a hint: (int) (bigint) ?. */
    case T_RP: return lexer->hint_end && lexer->hint_end == lexer->last;
    default: return false;
    }
}

/* Is a word behind the ")" of what may be a type the beginning of a term? A column may stand
 * in selectors. Elsewhere the word is a function, with a "(" or its keyspace's dot, or else the
 * next clause: WHERE c = ('a') GROUP BY k. */
static bool is_term_of_name(const struct lexer *lexer, const struct lexer *at_name)
{
    struct lexer behind;
    int next;

    if (lexer->in_selectors)
        return true;
    next = peek(at_name, &behind);
    return next == T_LP || next == T_DOT;
}

/* Can a simple term begin behind the ")" of what may be a type? "(a) + 1" is no hint. `lexer`
 * stands there. */
static bool term_follows(const struct lexer *lexer)
{
    struct lexer behind = *lexer;
    struct lexer further;
    struct lexeme lexeme;
    int token = lex_raw(&behind, &lexeme);

    switch (token) {
    /* All that a simple term begins with. A sign is not among it: "(a) -1" is a
     * subtraction. */
    case T_STRING:
    case T_INTEGER:
    case T_FLOATING:
    case T_TRUTH:
    case T_DURATION_LITERAL:
    case T_UUID_LITERAL:
    case T_HEXNUMBER:
    case T_NAN_:
    case T_INFINITY_:
    case T_NEGATIVE_INFINITY:
    case T_NULL:
    case T_COLON:
    case T_QMARK:
    case T_LP:
    case T_LS:
    case T_LB:
    case T_TOKEN: return true;
    case T_AS: return !is_alias(&behind);
    /* GROUP BY (a) PER PARTITION LIMIT: the next clause. */
    case T_PER: return peek(&behind, &further) != T_PARTITION && is_term_of_name(lexer, &behind);
    default: return token > 0 && is_name(&lexeme) && is_term_of_name(lexer, &behind);
    }
}

/* Goes over what a type begins with: its name, and the "<" of one that has parameters. `token`
 * is the lexeme that was read, `at` stands behind it. *angles counts the "<" that are open, and
 * *type_next says whether a type must follow again, as it must behind a "<". False: this is no
 * type. */
static bool skip_type(struct lexer *at, int token, const struct lexeme *lexeme, uint32_t *angles, bool *type_next)
{
    struct lexeme name;
    struct lexer behind;

    assert(*type_next && token > 0);
    *type_next = false;
    /* The dimension of a vector, or a custom type, which is a string. */
    if ((token == T_INTEGER && *angles) || token == T_STRING)
        return true;
    /* set is reserved: as a type it must go on with <. */
    if (token == T_SET) {
        ++*angles;
        *type_next = true;
        return lex_raw(at, &name) == T_LT;
    }
    if (!is_name(lexeme))
        return false;
    /* These are types only with a "<" behind them, else names. */
    bool parametric = token == T_MAP || token == T_LIST || token == T_TUPLE || token == T_VECTOR || token == T_FROZEN;
    bool special = word_of(lexeme) == WORD_SPECIAL && token != T_KEY;
    int next = peek(at, &behind);

    if (parametric && next == T_LT) {
        *at = behind;
        ++*angles;
        *type_next = true;
        return true;
    }
    /* A user type with its keyspace. */
    if (next == T_DOT) {
        *at = behind;
        return lex_raw(at, &name) > 0 && is_name(&name);
    }
    return !special;
}

/* Does a type stand between this "(" and its ")", and a term behind that? Then it is a hint,
 * else parentheses or a tuple. Types hold no "(", so no text is looked at by two of them: the
 * look-ahead costs each lexeme at most once more. */
static bool is_hint(struct lexer *lexer)
{
    struct lexer at = *lexer;
    struct lexeme lexeme;
    uint32_t angles = 0;
    bool type_next = true;

    for (;;) {
        int token = lex_raw(&at, &lexeme);

        if (token <= 0)
            return false;
        if (type_next) {
            if (!skip_type(&at, token, &lexeme, &angles, &type_next))
                return false;
            /* Behind a type: another one, or the end of one that has parameters, or the
             * ")". */
        } else if (token == T_COMMA && angles) {
            type_next = true;
        } else if (token == T_GT && angles) {
            angles--;
        } else if (token == T_RP && !angles) {
            if (!term_follows(&at))
                return false;
            lexer->hint_end = lexeme.start;
            return true;
        } else {
            return false;
        }
    }
}

/* IF exists = 1: a column called "exists" is followed by an operator. */
static bool is_operator_next(const struct lexer *lexer)
{
    switch (peek_after(lexer)) {
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
    case T_IN:
    case T_CONTAINS:
    case T_LS:
    case T_DOT: return true;
    default: return false;
    }
}

/* IDENT is what a name is. */
static int keyword_if(bool keyword, int token)
{
    return keyword ? token : T_IDENT;
}

/* What the grammar is told. Each rule holds wherever the word stands: a keyword that the
 * grammar has no use for at its place falls back to IDENT anyway. */
static int classify(struct lexer *lexer, int token)
{
    switch (token) {
    case T_LP: return begins_term(lexer) && is_hint(lexer) ? T_LP_HINT : T_LP;
    /* Without "<" these are names of columns, tables or types. */
    case T_MAP: return peek_after(lexer) == T_LT ? T_MAP_OF : T_IDENT;
    case T_LIST: return peek_after(lexer) == T_LT ? T_LIST_OF : T_LIST;
    case T_TUPLE: return peek_after(lexer) == T_LT ? T_TUPLE_OF : T_IDENT;
    case T_VECTOR: return peek_after(lexer) == T_LT ? T_VECTOR_OF : T_IDENT;
    case T_FROZEN: return peek_after(lexer) == T_LT ? T_FROZEN_OF : T_IDENT;
    /* default(x) is a function, DEFAULT UNSET is not. */
    case T_DEFAULT: return keyword_if(peek_after(lexer) != T_LP, token);
    case T_CAST: return peek_after(lexer) == T_LP ? T_CAST_CALL : T_IDENT;
    case T_JSON: return keyword_if(lexer->before[0] != T_SELECT || is_select_modifier(lexer), token);
    case T_DISTINCT:
        return keyword_if(
            (lexer->before[0] == T_SELECT || (lexer->before[0] == T_JSON && lexer->before[1] == T_SELECT)) &&
                is_select_modifier(lexer),
            token);
    /* CREATE INDEX ON t (keys(c)), VALUES (1, 2): keywords with a "(", else names. */
    case T_KEYS:
    case T_VALUES: return keyword_if(peek_after(lexer) == T_LP, token);
    /* Options may have these names: they are keywords only before their second word. */
    case T_COMPACT: return keyword_if(peek_after(lexer) == T_STORAGE, token);
    case T_CLUSTERING: return keyword_if(peek_after(lexer) == T_ORDER, token);
    case T_TAGS:
    case T_TAGS_FOR_CDC: return keyword_if(peek_after(lexer) == T_LB, token);
    case T_EXISTS: return keyword_if(lexer->before[0] != T_IF || !is_operator_next(lexer), token);
    default: return token;
    }
}

/* The next token, as it is told to the grammar; the last two are kept for the next decisions. */
int lex_next(struct lexer *lexer, struct lexeme *lexeme)
{
    int token = lex_raw(lexer, lexeme);

    if (token <= 0)
        return token;
    assert(lexeme->size && lexer->cursor > lexeme->start);
    token = classify(lexer, token);
    /* What the grammar was told counts, not how the word is spelt. */
    lexer->before[1] = lexer->before[0];
    lexer->before[0] = token;
    lexer->last = lexeme->start;
    if (token == T_SELECT || token == T_BY)
        lexer->in_selectors = true;
    else if (token == T_FROM)
        lexer->in_selectors = false;
    return token;
}
