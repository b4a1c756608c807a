/* base/memory.h: heap memory that never fails: out of memory aborts the process.
 *
 * Owns:    the caller owns what it gets and gives it back with free().
 * Thread:  any.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *old, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *string) __attribute__((malloc, returns_nonnull));
/* A NUL-terminated copy of size bytes. */
char *xstrndup(const void *data, size_t size) __attribute__((malloc, returns_nonnull));

/* Releases a local variable however its function ends: CLEANUP(arena_free) struct arena *a = ...;
 * The releasing function f takes the pointer and accepts NULL; DEFINE_CLEANUP(type, f) makes it usable. */
#define CLEANUP(f) __attribute__((cleanup(f##_cleanup)))
#define DEFINE_CLEANUP(type, f)                                     \
    static inline __attribute__((unused)) void f##_cleanup(type *p) \
    {                                                               \
        if (*p)                                                     \
            f(*p);                                                  \
    }

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#endif
