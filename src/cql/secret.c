/* Whoever shows a statement's text (traces, messages) asks here first. It is not parsed: a
 * statement with a slip in it has its password all the same. */
#include "cql/secret.h"

#include <strings.h>

/* Where it is in the text, in any case; SIZE_MAX: nowhere. */
static size_t find(struct bytes text, const char *word)
{
    size_t size = strlen(word);

    for (size_t i = 0; i + size <= text.size; i++)
        if (strncasecmp((const char *)text.data + i, word, size) == 0)
            return i;
    return SIZE_MAX;
}

bool cql_has_password(struct bytes text)
{
    if (find(text, "salted_hash") != SIZE_MAX)
        return true;
    return find(text, "password") != SIZE_MAX && (find(text, "role") != SIZE_MAX || find(text, "user") != SIZE_MAX);
}

bool cql_ends_before_password(struct bytes text)
{
    static const char word[] = "password";
    size_t size = sizeof(word) - 1;

    while (text.size && strchr(" \t\r\n=", text.data[text.size - 1]) && text.data[text.size - 1])
        text.size--;
    return text.size >= size && strncasecmp((const char *)text.data + text.size - size, word, size) == 0;
}

/* Where the first text of the statement begins, in either kind of quotes. */
static size_t find_string(struct bytes text)
{
    size_t single = find(text, "'"), dollars = find(text, "$$");

    return single < dollars ? single : dollars;
}

struct bytes cql_hide_password(struct arena *arena, struct bytes text)
{
    static const char word[] = "password", hidden[] = " *******";
    size_t end, string;
    uint8_t *shown;

    if (!cql_has_password(text))
        return text;
    end = find(text, word);
    end = end == SIZE_MAX ? text.size : end + strlen(word);
    /* With a slip in it, it may stand before the word. */
    string = find_string(text);
    if (string < end)
        end = string;
    shown = arena_alloc(arena, end + strlen(hidden));
    memcpy(shown, text.data, end);
    memcpy(shown + end, hidden, strlen(hidden));
    return bytes_of(shown, end + strlen(hidden));
}
