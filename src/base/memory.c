/* malloc that never returns NULL. A server that has no memory left cannot keep a promise by
 * unwinding: each path that does is one that nobody tests. It ends instead, and the log brings back
 * what was acknowledged. What a client can make grow has a limit far below, and an error. */
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* On stderr without the log: that would need a buffer, a time and a level, and this has to work
 * when nothing else does. Checked is also what the compiler relies on: the functions are declared
 * to return no NULL. */
static void *checked(void *memory, size_t size)
{
    if (!memory) {
        fprintf(stderr, "out of memory: %zu bytes\n", size);
        abort();
    }
    return memory;
}

/* malloc(0) may return NULL, which would pass for being out of memory. */
void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1), size);
}

/* calloc itself checks that the product does not overflow; the product here is only for the
 * message. */
void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1), count * size);
}

void *xrealloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1), size);
}

/* Works on bytes that are no string: they have no NUL of their own. */
char *xstrndup(const void *data, size_t size)
{
    char *copy = xmalloc(size + 1);

    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *xstrdup(const char *string)
{
    return xstrndup(string, strlen(string));
}
