#include "base/arena.h"

#include "base/poison.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALIGNMENT = 16, CHUNK_BYTES_MAX = 1 << 20 };

struct chunk {
    struct chunk *next; /* owned: the chunk that was filled before this one */
    size_t size;        /* of data */
    size_t used;
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

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    chunks_free(arena->current);
    free(arena);
}

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

enum status arena_check(const struct arena *arena, struct error *err)
{
    return arena->meter && arena->meter->is_over ? arena->meter->check(arena->meter, err) : OK;
}

void arena_hold(struct arena *arena, size_t bytes)
{
    if (arena->meter)
        arena->meter->grown(arena->meter, bytes);
}

size_t arena_used(const struct arena *arena)
{
    return arena->used_before + arena->current->used - arena->gaps;
}

bool arena_owns(const struct arena *arena, const void *memory)
{
    uintptr_t at = (uintptr_t)memory;

    for (const struct chunk *chunk = arena->current; chunk; chunk = chunk->next)
        if (at >= (uintptr_t)chunk->data && at - (uintptr_t)chunk->data < chunk->used)
            return true;
    return false;
}

static void *alloc_in_new_chunk(struct arena *arena, size_t size)
{
    size_t chunk_size = arena->current->size * 2;

    if (chunk_size > CHUNK_BYTES_MAX)
        chunk_size = CHUNK_BYTES_MAX;
    if (chunk_size < size)
        chunk_size = size;
    if (arena->meter)
        arena->meter->grown(arena->meter, chunk_size);
    arena->used_before += arena->current->used;
    arena->current = chunk_new(chunk_size, arena->current);
    arena->current->used = size;
    return arena->current->data;
}

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

    assert(size < SIZE_MAX / 2);
    memory = alloc_room(arena, ((size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1)) + POISON_GAP_BYTES);
    arena->gaps += POISON_GAP_BYTES;
    unpoison(memory, size);
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_grow(struct arena *arena, const void *items, uint32_t *capacity, uint32_t first, size_t size)
{
    uint32_t count = *capacity;
    void *grown;

    assert(first && count <= UINT32_MAX / 2);
    *capacity = count ? count * 2 : first;
    grown = arena_alloc(arena, *capacity * size);
    return count ? memcpy(grown, items, count * size) : grown;
}

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

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list list, again;
    char *text;
    int size;

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
