/* Shapes of statements, made from lexemes alone: it must work for text that does not
 * parse, and must never show what its writer chose. So only reserved words, which can
 * be no name, are shown; all else is a sign, a "?" for a value or a "_" for a word. */
#include "cql/shape.h"

#include "cql/lex.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Sorted, for bsearch. Cassandra's parser takes none of these for a name
 * (tests/vectors/cql_keywords.txt). */
static const char *const reserved[] = {
    "ADD",     "ALLOW",        "ALTER",  "AND",         "APPLY", "ASC",      "AUTHORIZE", "BATCH",    "BEGIN",
    "BY",      "COLUMNFAMILY", "CREATE", "DELETE",      "DESC",  "DESCRIBE", "DROP",      "ENTRIES",  "EXECUTE",
    "FROM",    "FULL",         "GRANT",  "IF",          "IN",    "INDEX",    "INSERT",    "INTO",     "IS",
    "LIMIT",   "MATERIALIZED", "MODIFY", "NORECURSIVE", "NOT",   "OF",       "ON",        "OR",       "ORDER",
    "PRIMARY", "RENAME",       "REVOKE", "SELECT",      "SET",   "TABLE",    "TO",        "TRUNCATE", "UNLOGGED",
    "UPDATE",  "USE",          "USING",  "VIEW",        "WHERE", "WITH",
};

enum { WORD_BYTES_MAX = 16 };

static int compare(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

/* The word in capitals if it is reserved; NULL: it may be a name. No reserved word is as long
 * as WORD_BYTES_MAX. */
static const char *reserved_word(const struct lexeme *lexeme)
{
    char word[WORD_BYTES_MAX];
    const char *const *found;

    assert(lexeme->size);
    if (lexeme->size >= sizeof(word))
        return NULL;
    /* Only ASCII letters are in words. */
    for (uint32_t i = 0; i < lexeme->size; i++)
        word[i] =
            (char)(lexeme->start[i] >= 'a' && lexeme->start[i] <= 'z' ? lexeme->start[i] - 0x20 : lexeme->start[i]);
    word[lexeme->size] = '\0';
    found = bsearch(word, reserved, ARRAY_SIZE(reserved), sizeof(reserved[0]), compare);
    return found ? *found : NULL;
}

enum what { A_VALUE, A_WORD, A_NAME, A_SIGN };

/* By its first byte, mostly: the lexer's token would tell a name from a keyword by rules that
 * depend on what stands around it. */
static enum what what_is(const struct lexeme *lexeme)
{
    uint8_t first = lexeme->start[0];

    assert(lexeme->size);
    /* A quoted name may hold a "-", and "-=" is a sign. */
    if (memchr(lexeme->start, '-', lexeme->size) && lexeme->size > 1) /* a number, a UUID */
        return first == '"' ? A_NAME : first == '-' && lexeme->size == 2 && lexeme->start[1] == '=' ? A_SIGN : A_VALUE;
    if (first == '"')
        return A_NAME;
    if ((first | 0x20) >= 'a' && (first | 0x20) <= 'z')
        return A_WORD;
    if ((first >= '0' && first <= '9') || first == '\'' || first == '$' || first == '?' || first >= 0x80)
        return A_VALUE;
    return A_SIGN;
}

/* One space between any two. */
static void add(struct buffer *out, const void *data, size_t size)
{
    assert(size);
    if (out->size)
        buffer_append_u8(out, ' ');
    buffer_append(out, data, size);
}

/* A value behind "? ,": the comma goes and the "?" stands for both, so that the length of a
 * list makes no other shape. */
static bool joins(struct buffer *out, size_t start)
{
    if (out->size < start + 3 || memcmp(out->data + out->size - 3, "? ,", 3) != 0)
        return false;
    out->size -= 2;
    return true;
}

static void add_value(struct buffer *out, size_t start)
{
    if (!joins(out, start))
        add(out, "?", 1);
}

/* The word in lower case, as names without quotes are. */
static void add_masked_word(struct buffer *masked, const struct lexeme *lexeme)
{
    size_t at;

    assert(lexeme->size);
    add(masked, lexeme->start, lexeme->size);
    at = masked->size - lexeme->size;
    for (; at < masked->size; at++)
        if (masked->data[at] >= 'A' && masked->data[at] <= 'Z')
            masked->data[at] |= 0x20;
}

/* Walks over the lexemes once. A shape that is full is cut; what is masked is not, since its
 * digest tells statements apart. */
void cql_shape(struct arena *arena, struct bytes text, struct buffer *shape, struct buffer *masked)
{
    size_t shape_start = shape->size, masked_start = masked->size;
    char *copy = arena_alloc(arena, text.size + 1);
    struct lexer lexer = { 0 };
    struct lexeme lexeme = { NULL, 0, 0 };
    const char *word;

    if (text.size)
        /* The lexer wants a NUL behind the text. */
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    lexer.cursor = (const uint8_t *)copy;
    lexer.end = lexer.cursor + text.size;
    /* It stops at what is no lexeme: what follows an open string could be anything. */
    while (lex_next(&lexer, &lexeme) > 0 && lexeme.size) {
        /* One more is added past the limit, which tells that it is to be cut. */
        bool is_full = shape->size - shape_start > SHAPE_BYTES_MAX;

        switch (what_is(&lexeme)) {
        case A_VALUE:
            add_value(masked, masked_start);
            if (!is_full)
                add_value(shape, shape_start);
            break;
        case A_WORD:
            word = reserved_word(&lexeme);
            add_masked_word(masked, &lexeme);
            if (!is_full)
                add(shape, word ? word : "_", word ? strlen(word) : 1);
            break;
        case A_NAME:
            add(masked, lexeme.start, lexeme.size);
            if (!is_full)
                add(shape, "_", 1);
            break;
        case A_SIGN:
            add(masked, lexeme.start, lexeme.size);
            if (!is_full)
                add(shape, lexeme.start, lexeme.size);
            break;
        }
    }
    if (shape->size - shape_start > SHAPE_BYTES_MAX) {
        shape->size = shape_start + SHAPE_BYTES_MAX - 3;
        buffer_append(shape, "...", 3);
    }
}
