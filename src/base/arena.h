/* base/arena.h: memory that is freed all at once.
 *
 * Shapes:  allocations are aligned to 16 bytes, uninitialised unless said. Chunks double up to 1 MiB;
 *          arena_reset keeps the first chunk, so a reused arena allocates nothing for small requests.
 * Owns:    the arena owns every allocation; nothing is freed one by one. What it has not given out is poisoned (base/poison.h).
 * Errors:  out of memory aborts. A limit on what a client can make grow is its caller's: see arena_used, and arena_check.
 * Thread:  one thread at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdbool.h>

struct arena;

/* Who counts what an arena takes of the heap, and may find it too much. */
struct arena_meter {
    void (*grown)(struct arena_meter *meter, size_t bytes);             /* by a chunk; before it is taken */
    enum status (*check)(struct arena_meter *meter, struct error *err); /* why it is over */
    bool is_over;
};

/* chunk_bytes: the size of the first chunk, at least 256. */
struct arena *arena_new(size_t chunk_bytes);
void arena_free(struct arena *arena);
DEFINE_CLEANUP(struct arena *, arena_free)

/* Forgets every allocation. */
void arena_reset(struct arena *arena);
/* NULL: nobody counts. The first chunk is never counted. */
void arena_set_meter(struct arena *arena, struct arena_meter *meter);
/* Not OK: whoever fills it should end with this error. Nothing was refused: it is asked where a client can make something long. */
enum status arena_check(const struct arena *arena, struct error *err);
/* Memory of its user's, beside it and for as long: counted like a chunk. */
void arena_hold(struct arena *arena, size_t bytes);
/* Bytes handed out since the last reset. */
size_t arena_used(const struct arena *arena);

/* Did this arena hand out what stands there? For asserts on who owns what: it walks the chunks. */
bool arena_owns(const struct arena *arena, const void *memory);

void *arena_alloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
void *arena_zalloc(struct arena *arena, size_t size) __attribute__((malloc, returns_nonnull));
#define arena_new_struct(arena, type)       ((type *)arena_zalloc((arena), sizeof(type)))
#define arena_new_array(arena, type, count) ((type *)arena_zalloc((arena), sizeof(type) * (count)))

/* A growing array, which has no free place left: a copy of twice the capacity, or an array of `first` if there was none.
 * The old one stays until the arena is reset, so what points into it can still be read. */
void *arena_grow(struct arena *arena, const void *items, uint32_t *capacity, uint32_t first, size_t size)
    __attribute__((returns_nonnull));
/* The same array while it has room for one more behind its `count` items. */
static inline void *arena_room(struct arena *arena, void *items, uint32_t count, uint32_t *capacity, uint32_t first,
                               size_t size)
{
    return count < *capacity ? items : arena_grow(arena, items, capacity, first, size);
}

/* A copy of the bytes; size 0 gives a non-NULL pointer. */
struct bytes arena_copy(struct arena *arena, struct bytes from);
/* A NUL-terminated copy. */
char *arena_string(struct arena *arena, struct bytes from);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
