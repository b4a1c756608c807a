/* Trees, made and read by the names of members. A name that the shape does not have, or has with another kind, is a fault of ours:
 * it is asserted. What comes from clients enters through the codecs, which look up names themselves. */
#include "wire/aws/tree.h"

#include "base/debug.h"
#include "types/text.h"

#include <stdarg.h>
#include <stdio.h>

static_assert(sizeof(struct tree) == 32 || sizeof(struct tree) == 24, "a value is small: a client can send many");

bool fault_set(struct api_fault *fault, const char *name, unsigned http_status, const char *format, ...)
{
    va_list list;

    assert(http_status >= 400 && http_status < 600);
    *fault = (struct api_fault){ .name = name, .http_status = http_status, .is_receiver = http_status >= 500 };
    va_start(list, format);
    vsnprintf(fault->message, sizeof(fault->message), format, list);
    va_end(list);
    /* What was cut, or quoted of a client, may end within a character. */
    size_t size = strlen(fault->message);
    fault->message[text_utf8_size(bytes_of(fault->message, size))] = 0;
    return false;
}

/* ---- making ---- */

struct tree *tree_new(struct arena *arena, const struct shape *shape)
{
    struct tree *tree = arena_new_struct(arena, struct tree);

    tree->shape = shape;
    if (shape->kind == SHAPE_STRUCTURE)
        tree->members = (struct tree **)arena_zalloc(arena, sizeof(struct tree *) * (shape->member_count + 1));
    return tree;
}

/* The place of the member of that name. */
static struct tree **place_of(const struct tree *structure, const char *name)
{
    debug_assert(structure->shape->kind == SHAPE_STRUCTURE);
    const struct model_member *member = shape_member_find(structure->shape, bytes_of_string(name));
    assert(member); /* a name that the model does not have */
    return &structure->members[member - structure->shape->members];
}

static const struct shape *shape_of(const struct tree *structure, struct tree *const *place)
{
    return structure->shape->members[place - structure->members].shape;
}

struct tree *tree_member(struct arena *arena, struct tree *structure, const char *name)
{
    struct tree **place = place_of(structure, name);

    if (!*place)
        *place = tree_new(arena, shape_of(structure, place));
    return *place;
}

void tree_set_string(struct arena *arena, struct tree *structure, const char *name, struct bytes value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_STRING || member->shape->kind == SHAPE_BLOB ||
           member->shape->kind == SHAPE_DOCUMENT);
    member->bytes = arena_copy(arena, value);
}

void tree_set_text(struct arena *arena, struct tree *structure, const char *name, const char *text)
{
    if (text)
        tree_set_string(arena, structure, name, bytes_of_string(text));
}

void tree_set_integer(struct arena *arena, struct tree *structure, const char *name, int64_t value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_LONG ||
           (member->shape->kind == SHAPE_INTEGER && value >= INT32_MIN && value <= INT32_MAX));
    member->integer = value;
}

void tree_set_number(struct arena *arena, struct tree *structure, const char *name, double value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_DOUBLE || member->shape->kind == SHAPE_FLOAT);
    member->number = value;
}

void tree_set_boolean(struct arena *arena, struct tree *structure, const char *name, bool value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_BOOLEAN);
    member->boolean = value;
}

void tree_set_time(struct arena *arena, struct tree *structure, const char *name, int64_t microseconds)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_TIMESTAMP);
    member->microseconds = microseconds;
}

void tree_add(struct arena *arena, struct tree *container, struct bytes key, struct tree *value)
{
    debug_assert(container->shape->kind == SHAPE_LIST || container->shape->kind == SHAPE_MAP);
    debug_assert(!value || value->shape == container->shape->element);
    container->entries =
        arena_room(arena, container->entries, container->count, &container->capacity, 4, sizeof(struct tree_entry));
    container->entries[container->count++] = (struct tree_entry){ key, value };
}

struct tree *tree_append(struct arena *arena, struct tree *list)
{
    struct tree *value = tree_new(arena, list->shape->element);

    assert(list->shape->kind == SHAPE_LIST);
    tree_add(arena, list, bytes_of(NULL, 0), value);
    return value;
}

struct tree *tree_put(struct arena *arena, struct tree *map, struct bytes key)
{
    struct tree *value = tree_new(arena, map->shape->element);

    assert(map->shape->kind == SHAPE_MAP);
    for (uint32_t i = 0; i < map->count; i++)
        if (bytes_equal(map->entries[i].key, key)) {
            map->entries[i].value = value;
            return value;
        }
    tree_add(arena, map, arena_copy(arena, key), value);
    return value;
}

/* By key, and of one key by where it stands. */
static int compare_entries(const void *a, const void *b)
{
    const struct tree_entry *left = *(struct tree_entry *const *)a, *right = *(struct tree_entry *const *)b;
    int order = bytes_compare(left->key, right->key);

    return order ? order : (left > right) - (left < right);
}

/* Sorted, not hashed: a client chooses the keys, and how many. */
void tree_settle(struct arena *arena, struct tree *map)
{
    uint32_t count = 0;

    assert(map->shape->kind == SHAPE_MAP);
    if (map->count < 2)
        return;
    struct tree_entry **sorted = (struct tree_entry **)arena_alloc(arena, sizeof(struct tree_entry *) * map->count);
    for (uint32_t i = 0; i < map->count; i++)
        sorted[i] = &map->entries[i];
    qsort(sorted, map->count, sizeof(*sorted), compare_entries);
    /* The first of each key takes the last's value; the others lose theirs, and are known by a key without data. */
    for (uint32_t i = 0, first = 0; i < map->count; i++) {
        if (i == first || !bytes_equal(sorted[first]->key, sorted[i]->key)) {
            first = i;
            continue;
        }
        sorted[first]->value = sorted[i]->value;
        sorted[i]->key = bytes_of(NULL, SIZE_MAX);
    }
    for (uint32_t i = 0; i < map->count; i++)
        if (map->entries[i].key.size != SIZE_MAX)
            map->entries[count++] = map->entries[i];
    assert(count > 0 && count <= map->count);
    map->count = count;
}

/* ---- reading ---- */

const struct tree *tree_get(const struct tree *structure, const char *name)
{
    return *place_of(structure, name);
}

struct bytes tree_string(const struct tree *structure, const char *name)
{
    const struct tree *member = tree_get(structure, name);

    if (!member)
        return bytes_of(NULL, 0);
    assert(member->shape->kind == SHAPE_STRING || member->shape->kind == SHAPE_BLOB ||
           member->shape->kind == SHAPE_DOCUMENT);
    assert(member->bytes.data); /* data NULL is for what is absent */
    return member->bytes;
}

const char *tree_text(struct arena *arena, const struct tree *structure, const char *name)
{
    struct bytes text = tree_string(structure, name);

    return text.data ? arena_string(arena, text) : NULL;
}

int64_t tree_integer(const struct tree *structure, const char *name, int64_t absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_INTEGER || member->shape->kind == SHAPE_LONG);
    return member ? member->integer : absent;
}

double tree_number(const struct tree *structure, const char *name, double absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_DOUBLE || member->shape->kind == SHAPE_FLOAT);
    return member ? member->number : absent;
}

bool tree_boolean(const struct tree *structure, const char *name, bool absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_BOOLEAN);
    return member ? member->boolean : absent;
}

int64_t tree_time(const struct tree *structure, const char *name, int64_t absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_TIMESTAMP);
    return member ? member->microseconds : absent;
}
