/* Memory that a request takes piece by piece and gives back all at once. A request makes hundreds
 * of small objects that live as long as it does: an arena makes each of them an addition, and frees
 * them without knowing them.
 *
 * It is a list of chunks, the newest first; only the newest has room. Chunks double, so that the
 * number of calls of malloc grows with the logarithm of what is used. Between allocations the
 * sanitizers are told what nobody may use (base/poison.h): otherwise an arena would hide from them
 * each access past an object's end. */
#include "base/arena.h"

#include "base/debug.h"
#include "base/poison.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* As malloc aligns: any type fits. A chunk of more than the maximum is made only for one allocation
 * that is longer. */
enum { ALIGNMENT = 16, CHUNK_BYTES_MAX = 1 << 20 };

struct chunk {
    struct chunk *next; /* owned: the chunk that was filled before this one */
    size_t size;        /* of data */
    size_t used;
    /* Makes the head as long as a multiple of ALIGNMENT; nobody reads it. */
    size_t padding;
    uint8_t data[];
};

static_assert(sizeof(struct chunk) % ALIGNMENT == 0, "chunk data must be aligned");

struct arena {
    struct arena_meter *meter; /* borrowed; NULL: nobody counts */
    struct chunk *current;     /* owned */
    size_t used_before;        /* bytes used in the chunks below the current one */
    size_t gaps;               /* of all these, bytes that were given to nobody */
};

/* What stands in a fresh chunk is out of use until arena_alloc gives it out. */
static struct chunk *chunk_new(size_t size, struct chunk *next)
{
    struct chunk *chunk = xmalloc(sizeof(*chunk) + size);

    *chunk = (struct chunk){ .next = next, .size = size };
    poison(chunk->data, size);
    return chunk;
}

struct arena *arena_new(size_t chunk_bytes)
{
    struct arena *arena = xmalloc(sizeof(*arena));

    arena->meter = NULL;
    assert(chunk_bytes >= 256);
    arena->current = chunk_new(chunk_bytes, NULL);
    arena->used_before = 0;
    arena->gaps = 0;
    return arena;
}

static void chunks_free(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

/* NULL is taken, as by free(). */
void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    chunks_free(arena->current);
    free(arena);
}

/* The first chunk stays, whatever came behind it: an arena that serves request after request on a
 * connection asks malloc for nothing as long as they are small. The larger chunks go, or one big
 * request would hold its memory for as long as the connection is open. */
void arena_reset(struct arena *arena)
{
    struct chunk *first = arena->current;

    if (first->next) {
        struct chunk *above = first;

        while (first->next) {
            above = first;
            first = first->next;
        }
        above->next = NULL;
        chunks_free(arena->current);
        arena->current = first;
    }
    /* With the sanitizers the first chunk is made anew: its old memory stays out of use in their
     * quarantine, and who still points into it is caught. */
    if (POISON_IS_SEEN) {
        arena->current = chunk_new(first->size, NULL);
        chunks_free(first);
    } else {
        poison(first->data, first->used);
        first->used = 0;
    }
    arena->used_before = 0;
    arena->gaps = 0;
}

void arena_set_meter(struct arena *arena, struct arena_meter *meter)
{
    arena->meter = meter;
}

/* The meter is told of each chunk and marks itself as over, and refuses nothing: an allocation in
 * the middle of a decoder or planner has no way to fail. So it is asked here, where a client can
 * make something long. */
enum status arena_check(const struct arena *arena, struct error *err)
{
    return arena->meter && arena->meter->is_over ? arena->meter->check(arena->meter, err) : OK;
}

/* Who keeps heap memory of its own for a request (a buffer that grows) reports it here: limits
 * count it as if it were in the arena. */
void arena_hold(struct arena *arena, size_t bytes)
{
    if (arena->meter)
        arena->meter->grown(arena->meter, bytes);
}

/* The gaps that only the sanitizers' build has are taken off: a limit must be reached at the same
 * place in all builds. */
size_t arena_used(const struct arena *arena)
{
    return arena->used_before + arena->current->used - arena->gaps;
}

bool arena_owns(const struct arena *arena, const void *memory)
{
    uintptr_t at = (uintptr_t)memory;

    /* Walks all chunks: for asserts, never to decide. */
    for (const struct chunk *chunk = arena->current; chunk; chunk = chunk->next)
        if (at >= (uintptr_t)chunk->data && at - (uintptr_t)chunk->data < chunk->used)
            return true;
    return false;
}

/* What the old chunk has left is lost. A request that needs more than a doubled chunk gets one of
 * its own size. */
static void *alloc_in_new_chunk(struct arena *arena, size_t size)
{
    size_t chunk_size = arena->current->size * 2;

    if (chunk_size > CHUNK_BYTES_MAX)
        chunk_size = CHUNK_BYTES_MAX;
    if (chunk_size < size)
        chunk_size = size;
    /* Before memory is taken: who counts learns of it even if that is the end of the process. */
    if (arena->meter)
        arena->meter->grown(arena->meter, chunk_size);
    arena->used_before += arena->current->used;
    arena->current = chunk_new(chunk_size, arena->current);
    arena->current->used = size;
    return arena->current->data;
}

/* Rounded sizes come in, so what is given out stays aligned: chunks begin aligned (above). */
static void *alloc_room(struct arena *arena, size_t size)
{
    struct chunk *chunk = arena->current;
    void *memory;

    if (chunk->size - chunk->used < size)
        return alloc_in_new_chunk(arena, size);
    memory = chunk->data + chunk->used;
    chunk->used += size;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *memory;

    /* A size that wrapped around on its way here (a negative number, an overflow) is our mistake. */
    debug_assert(size < SIZE_MAX / 2);
    memory = alloc_room(arena, ((size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1)) + POISON_GAP_BYTES);
    arena->gaps += POISON_GAP_BYTES;
    unpoison(memory, size);
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

/* The old items stay where they are, as an arena frees nothing: doubling loses as much again, and
 * who still points to an old item can read it. */
void *arena_grow(struct arena *arena, const void *items, uint32_t *capacity, uint32_t first, size_t size)
{
    uint32_t count = *capacity;
    void *grown;

    assert(size > 0);
    assert(first && count <= UINT32_MAX / 2);
    *capacity = count ? count * 2 : first;
    grown = arena_alloc(arena, *capacity * size);
    return count ? memcpy(grown, items, count * size) : grown;
}

/* An empty span gets memory as well: NULL data means null in a value, and a copy of an empty value
 * must not become one. */
struct bytes arena_copy(struct arena *arena, struct bytes from)
{
    uint8_t *copy = arena_alloc(arena, from.size ? from.size : 1);

    if (from.size)
        memcpy(copy, from.data, from.size);
    return bytes_of(copy, from.size);
}

char *arena_string(struct arena *arena, struct bytes from)
{
    char *copy = arena_alloc(arena, from.size + 1);

    if (from.size)
        memcpy(copy, from.data, from.size);
    copy[from.size] = '\0';
    return copy;
}

/* Printed twice, once to learn the length: no message has a limit here. */
char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list list, again;
    char *text;
    int size;

    assert(format);
    va_start(list, format);
    va_copy(again, list);
    size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    assert(size >= 0);
    text = arena_alloc(arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}
