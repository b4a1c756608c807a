/* The parser at work: the text is copied and checked, lexemes are handed to lemon's
 * parser one by one, and what goes wrong is worded as Cassandra's parser (ANTLR) words
 * it, with the line and column. The generated parser is included here, so that it is
 * static and lives on the stack: parsing takes no memory but the arena. Lexemes and
 * nesting are bounded, because an AST takes far more memory than its text. */
#include "cql/parse.h"

#include "cql/build.h"
#include "cql/grammar.h"
#include "cql/lex.h"
#include "cql/secret.h"
#include "types/text.h"

#include <assert.h>
#include <stdio.h>

/* Lemon asks for these only where the parser lives on the heap or traces. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wsign-compare"
#define cql_lemon_ENGINEALWAYSONSTACK 1
#define cql_lemonNOERRORRECOVERY      1
#ifndef NDEBUG
#define NDEBUG 1
#include "cql/grammar.inc"
#undef NDEBUG
#else
#include "cql/grammar.inc"
#endif
#pragma GCC diagnostic pop

#include <assert.h>

static_assert(sizeof(yyStackEntry) <= 48, "the parser's stack lives on the caller's");

/* The first refusal is the one that is told. */
void parse_fail(struct parse *p, const char *format, ...)
{
    va_list list;

    assert(p->error);
    if (p->status)
        return;
    va_start(list, format);
    p->status = error_set_list(p->error, ERR_SYNTAX, format, list);
    va_end(list);
}

/* Line from 1, and column from 0, of a byte of the text. Columns count characters, not bytes. */
static void locate(const struct parse *p, const uint8_t *at, uint32_t *line, uint32_t *column)
{
    const uint8_t *byte = p->original.data;
    const uint8_t *end = byte + (at - p->copy);

    assert(at >= p->copy && at <= p->copy + p->original.size);
    *line = 1;
    *column = 0;
    for (; byte < end; byte++) {
        if (*byte == '\n') {
            (*line)++;
            *column = 0;
        } else if ((*byte & 0xC0) != 0x80) {
            (*column)++;
        }
    }
}

/* A refusal at a place of the text. */
void parse_fail_where(struct parse *p, const uint8_t *at, const char *format, ...)
{
    char what[512];
    uint32_t line, column;
    va_list list;

    va_start(list, format);
    vsnprintf(what, sizeof(what), format, list);
    va_end(list);
    locate(p, at, &line, &column);
    parse_fail(p, "line %u:%u %s", line, column, what);
}

/* A lexeme that the grammar has no use for here. At the text's end Cassandra says line 0,
 * column -1. */
void parse_fail_at(struct parse *p, struct lexeme lexeme)
{
    struct bytes text;

    if (lexeme.token == 0) {
        parse_fail(p, "line 0:-1 no viable alternative at input '<EOF>'");
        return;
    }
    assert(p->original.data); /* not even empty: there is a lexeme in it */
    /* From the original, as the copy may be folded. Strings and quoted names are shown
     * without their quotes. */
    text = bytes_of(p->original.data + (lexeme.start - p->copy), lexeme.size);
    if (lexeme.token == T_STRING || lexeme.token == T_QNAME) {
        size_t quote = text.data[0] == '$' ? 2 : 1;

        text = bytes_of(text.data + quote, text.size - 2 * quote);
    }
    /* A lexeme may be megabytes; messages are short. And they are logged by others: no password stands in one. */
    if (text.size > 256)
        text.size = 256;
    if ((lexeme.token == T_STRING && cql_has_password(p->original)) ||
        cql_ends_before_password(bytes_of(p->original.data, (size_t)(lexeme.start - p->copy))))
        text = BYTES_LITERAL("*******");
    parse_fail_where(p, lexeme.start, "no viable alternative at input '%.*s'", BYTES(text));
}

/* What no lexeme begins with, and what has no end, as ANTLR words it. A character is shown
 * with all its bytes. */
static void fail_lexeme(struct parse *p, const struct lexeme *lexeme, int token)
{
    const uint8_t *at = lexeme->start; /* nothing here is folded yet, and a NUL stands behind it */
    int size = 1;

    switch (token) {
    case LEX_OPEN_STRING: parse_fail_where(p, lexeme->start, "mismatched character '<EOF>' expecting '''"); break;
    case LEX_OPEN_NAME: parse_fail_where(p, lexeme->start, "mismatched character '<EOF>' expecting '\"'"); break;
    case LEX_OPEN_COMMENT: parse_fail_where(p, lexeme->start, "mismatched character '<EOF>' expecting '*'"); break;
    case LEX_OPEN_LINE: parse_fail_where(p, lexeme->start, "mismatched character '<EOF>' expecting set null"); break;
    default:
        /* The NUL behind the text ends the loop. */
        while (*at >= 0xC0 && (at[size] & 0xC0) == 0x80)
            size++;
        if (*at == 0) {
            parse_fail_where(p, lexeme->start, "no viable alternative at character '\\u0000'");
            break;
        }
        parse_fail_where(p, lexeme->start, "no viable alternative at character '%.*s'", size, (const char *)at);
    }
}

enum { LEXEMES_BETWEEN_CHECKS = 256 }; /* of the memory they take */

/* Hands all lexemes to the parser, until the end, or until something is refused. `first` is a
 * lexeme that tells the grammar what to expect: 0 for a statement. */
static void run(struct parse *p, int first)
{
    struct lexer lexer = { .cursor = p->copy, .end = p->copy + p->original.size };
    yyParser parser;
    uint32_t count = 0;
    int token;

    assert(p->copy && p->copy[p->original.size] == 0);
    cql_lemonInit(&parser);
    if (first)
        cql_lemon(&parser, first, (struct lexeme){ NULL, 0, (uint32_t)first }, p);
    do {
        struct lexeme lexeme = { NULL, 0, 0 };

        token = lex_next(&lexer, &lexeme);
        /* The lexer found no lexeme; it says what it missed. */
        if (token < 0)
            fail_lexeme(p, &lexeme, token);
        else if (++count > CQL_LEXEMES_MAX)
            parse_fail(p, "statement has more than %d words and signs", CQL_LEXEMES_MAX);
        else
            cql_lemon(&parser, token, lexeme, p);
        /* A request may not take more memory than its share; looking each time would cost
         * more than it tells. */
        if (count % LEXEMES_BETWEEN_CHECKS == 0 && p->status == OK)
            p->status = arena_check(p->arena, p->error);
    } while (token > 0 && p->status == OK);
    cql_lemonFinalize(&parser);
}

/* Text that is not UTF-8. Cassandra cannot even decode the message then, so it is a protocol
 * error. */
static enum status refuse_bytes(struct parse *p, struct bytes rest)
{
    enum { SHOWN = 64 };
    char hex[2 * SHOWN + 1];

    assert(rest.data && rest.size);
    /* Only the beginning is shown. */
    for (size_t i = 0; i < rest.size && i < SHOWN; i++)
        snprintf(hex + 2 * i, 3, "%02x", rest.data[i]);
    return p->status = error_set(
               p->error, ERR_PROTOCOL,
               "Cannot decode string as UTF8: '%s'; java.nio.charset.MalformedInputException: Input length = 1", hex);
}

/* Copies the text, because lexemes are folded and unquoted in place and the AST must outlive
 * the frame. The NUL behind it lets the lexer look ahead without asking for the end. */
static enum status parse_text(struct parse *p, struct bytes text, int first)
{
    uint8_t *copy;
    size_t end;

    if (text.size > CQL_BYTES_MAX) {
        parse_fail(p, "statement of %zu bytes is longer than %d", text.size, CQL_BYTES_MAX);
        return p->status;
    }
    assert(text.data || !text.size);
    p->original = text;
    copy = arena_alloc(p->arena, text.size + 1);
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    p->copy = copy;
    /* Checked once, so that nobody behind has to: names, strings and messages are
     * UTF-8. */
    end = text_utf8_size(text);
    if (end != text.size)
        return refuse_bytes(p, bytes_of(text.data + end, text.size - end));
    run(p, first);
    return p->status;
}

/* The text of one statement. Without an error there is a statement: the grammar's last action
 * sets it. */
enum status cql_parse(struct arena *arena, struct bytes text, struct cql_statement **out, struct error *err)
{
    struct parse p = { .arena = arena, .error = err };

    if (parse_text(&p, text, 0))
        return p.status;
    assert(p.statement);
    /* Of a batch the markers of all its statements. */
    VEC_STORE(p.statement, markers, marker_count, p.markers);
    *out = p.statement;
    return OK;
}

/* A type alone, for schema/ when it reads types from text. */
enum status cql_parse_type(struct arena *arena, struct bytes text, const struct cql_type **out, struct error *err)
{
    struct parse p = { .arena = arena, .error = err };

    if (parse_text(&p, text, T_START_TYPE))
        return p.status;
    assert(p.type);
    *out = p.type;
    return OK;
}
