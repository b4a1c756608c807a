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
    return find(text, "password") != SIZE_MAX && (find(text, "role") != SIZE_MAX || find(text, "user") != SIZE_MAX);
}

struct bytes cql_hide_password(struct arena *arena, struct bytes text)
{
    static const char word[] = "password", hidden[] = " *******";
    size_t end;
    uint8_t *shown;

    if (!cql_has_password(text))
        return text;
    end = find(text, word) + strlen(word);
    shown = arena_alloc(arena, end + strlen(hidden));
    memcpy(shown, text.data, end);
    memcpy(shown + end, hidden, strlen(hidden));
    return bytes_of(shown, end + strlen(hidden));
}
