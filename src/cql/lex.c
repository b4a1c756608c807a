#include "cql/lex.h"

#include "cql/grammar.h"

static int lex_end(struct lexer *lexer, struct lexeme *lexeme, const uint8_t *end, int token)
{
    lexeme->size = (uint32_t)(end - lexeme->start);
    lexeme->token = (uint32_t)token;
    lexer->cursor = end;
    return token;
}

static size_t left_from(const struct lexer *lexer, const uint8_t *at)
{
    return (size_t)(lexer->end - at);
}

/* 'a''b' and "a""b". */
static int lex_quoted(struct lexer *lexer, struct lexeme *lexeme, char quote, int token, int open)
{
    const uint8_t *at = lexeme->start + 1;

    for (;;) {
        const uint8_t *end = memchr(at, quote, left_from(lexer, at));

        if (!end) {
            lexeme->start += left_from(lexer, lexeme->start);
            return open;
        }
        if (end[1] != quote) /* a NUL, at the end of the text */
            return lex_end(lexer, lexeme, end + 1, token);
        at = end + 2;
    }
}

static int lex_dollars(struct lexer *lexer, struct lexeme *lexeme)
{
    const uint8_t *at = lexeme->start + 2, *end = memmem(at, left_from(lexer, at), "$$", 2);

    if (!end) {
        lexeme->start += left_from(lexer, lexeme->start);
        return LEX_OPEN_STRING;
    }
    return lex_end(lexer, lexeme, end + 2, T_STRING);
}

/* As in Cassandra, a comment to the end of the line needs that end. */
static bool skip_line(const struct lexer *lexer, const uint8_t **cursor)
{
    while (*cursor < lexer->end && **cursor != '\n' && **cursor != '\r')
        ++*cursor;
    return *cursor < lexer->end;
}

static bool skip_comment(const struct lexer *lexer, const uint8_t **cursor)
{
    const uint8_t *end = memmem(*cursor, left_from(lexer, *cursor), "*/", 2);

    *cursor = end ? end + 2 : lexer->end;
    return end != NULL;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "cql/lexer.inc"
#pragma GCC diagnostic pop

enum word word_of(const struct lexeme *lexeme)
{
    switch (lexeme->token) {
    case T_IDENT:
    case T_RESTORE:
    case T_TAGS:
    case T_TAGS_FOR_CDC: return WORD_PLAIN;
    case T_QNAME: return WORD_QUOTED;
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

static bool is_name(const struct lexeme *lexeme)
{
    return word_of(lexeme) != WORD_RESERVED;
}

/* The token behind the cursor, which stays. */
static int peek(const struct lexer *lexer, struct lexer *behind)
{
    struct lexeme lexeme;

    *behind = *lexer;
    return lex_raw(behind, &lexeme);
}

static int peek_after(const struct lexer *lexer)
{
    struct lexer behind;

    return peek(lexer, &behind);
}

/* Is the AS behind the cursor an alias's, rather than a column called "as"? */
static bool is_alias(const struct lexer *at_as)
{
    struct lexer behind;
    struct lexeme lexeme;
    int token = lex_raw((behind = *at_as, &behind), &lexeme);

    return token > 0 && is_name(&lexeme);
}

/* SELECT json ..., SELECT distinct ...: the keyword, unless what follows shows a column of that name. */
static bool is_select_modifier(const struct lexer *lexer)
{
    struct lexer behind;

    switch (peek(lexer, &behind)) {
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

/* Can a term begin behind this lexeme? A "(" there may be a type hint's. */
static bool begins_term(const struct lexer *lexer)
{
    switch (lexer->before[0]) {
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
    case T_RP: return lexer->hint_end && lexer->hint_end == lexer->last;
    default: return false;
    }
}

/* Can a simple term begin with the lexeme behind the ")" of what may be a type? */
static bool term_follows(const struct lexer *lexer)
{
    struct lexer behind = *lexer;
    struct lexer further;
    struct lexeme lexeme;
    int token = lex_raw(&behind, &lexeme);

    switch (token) {
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
    case T_PER: return peek(&behind, &further) != T_PARTITION;
    default: return token > 0 && is_name(&lexeme);
    }
}

/* Does a type stand between this "(" and its ")", and a term behind that? Types hold no "(", so what is read here is
 * read again by no other "(". */
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
            if (token == T_INTEGER && angles) {
                type_next = false;
                continue;
            }
            if (token == T_STRING) {
                type_next = false;
                continue;
            }
            if (token == T_SET) {
                if (lex_raw(&at, &lexeme) != T_LT)
                    return false;
                angles++;
                continue;
            }
            if (!is_name(&lexeme))
                return false;
            type_next = false;
            bool parametric =
                token == T_MAP || token == T_LIST || token == T_TUPLE || token == T_VECTOR || token == T_FROZEN;
            bool special = word_of(&lexeme) == WORD_SPECIAL && token != T_KEY;
            struct lexer behind;
            int next = peek(&at, &behind);
            if (parametric && next == T_LT) {
                at = behind;
                angles++;
                type_next = true;
            } else if (next == T_DOT) {
                at = behind;
                token = lex_raw(&at, &lexeme);
                if (token <= 0 || !is_name(&lexeme))
                    return false;
            } else if (special) {
                return false;
            }
            continue;
        }
        if (token == T_COMMA && angles) {
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

/* After IF, a column called "exists" is followed by an operator. */
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

static int keyword_if(bool keyword, int token)
{
    return keyword ? token : T_IDENT;
}

/* Every rule here holds wherever the word stands: a keyword the grammar has no use for falls back to IDENT. */
static int classify(struct lexer *lexer, int token)
{
    switch (token) {
    case T_LP: return begins_term(lexer) && is_hint(lexer) ? T_LP_HINT : T_LP;
    case T_MAP: return peek_after(lexer) == T_LT ? T_MAP_OF : T_IDENT;
    case T_LIST: return peek_after(lexer) == T_LT ? T_LIST_OF : T_LIST;
    case T_TUPLE: return peek_after(lexer) == T_LT ? T_TUPLE_OF : T_IDENT;
    case T_VECTOR: return peek_after(lexer) == T_LT ? T_VECTOR_OF : T_IDENT;
    case T_FROZEN: return peek_after(lexer) == T_LT ? T_FROZEN_OF : T_IDENT;
    case T_DEFAULT: return keyword_if(peek_after(lexer) != T_LP, token);
    case T_CAST: return peek_after(lexer) == T_LP ? T_CAST_CALL : T_IDENT;
    case T_JSON: return keyword_if(lexer->before[0] != T_SELECT || is_select_modifier(lexer), token);
    case T_DISTINCT:
        return keyword_if(
            (lexer->before[0] == T_SELECT || (lexer->before[0] == T_JSON && lexer->before[1] == T_SELECT)) &&
                is_select_modifier(lexer),
            token);
    case T_KEYS:
    case T_VALUES: return keyword_if(peek_after(lexer) == T_LP, token);
    case T_COMPACT: return keyword_if(peek_after(lexer) == T_STORAGE, token);
    case T_CLUSTERING: return keyword_if(peek_after(lexer) == T_ORDER, token);
    case T_TAGS:
    case T_TAGS_FOR_CDC: return keyword_if(peek_after(lexer) == T_LB, token);
    case T_EXISTS: return keyword_if(lexer->before[0] != T_IF || !is_operator_next(lexer), token);
    default: return token;
    }
}

int lex_next(struct lexer *lexer, struct lexeme *lexeme)
{
    int token = lex_raw(lexer, lexeme);

    if (token <= 0)
        return token;
    token = classify(lexer, token);
    lexer->before[1] = lexer->before[0];
    lexer->before[0] = token;
    lexer->last = lexeme->start;
    return token;
}
