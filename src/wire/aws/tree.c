/* Trees, made and read by the names of members. A name that the shape does not have, or has with another kind, is
 * a fault of ours: it is asserted. What comes from clients enters through the codecs, which look up names
 * themselves. */
#include "wire/aws/tree.h"

#include "base/debug.h"
#include "types/text.h"

#include <stdarg.h>
#include <stdio.h>

static_assert(sizeof(struct tree) == 32 || sizeof(struct tree) == 24, "a value is small: a client can send many");

/* A fault begins anew: nothing of an earlier one stays, neither its shape nor its details. */
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

/* A shape of the model has the service's namespace, if it has one; clients cut it off at '#' either
 * way. */
void fault_print_type(struct buffer *out, const struct model_service *service, const struct api_fault *fault)
{
    const char *space = fault->shape && service ? service->namespace_name : "com.amazon.coral.service";

    assert(fault->name);
    if (space)
        buffer_printf(out, "%s#", space);
    buffer_append_string(out, fault->name);
}

/* Typed clients look for the member as the model has it, all others for either. */
const char *fault_message_name(const struct api_fault *fault)
{
    for (uint32_t i = 0; fault->shape && i < fault->shape->member_count; i++)
        if (strcasecmp(fault->shape->members[i].wire_name, "message") == 0)
            return fault->shape->members[i].wire_name;
    return "message";
}

/* A model's error may have another name there than elsewhere, and common ones have. */
const char *fault_query_code(const struct api_fault *fault)
{
    if (fault->query_code)
        return fault->query_code;
    return fault->shape ? fault->shape->error_code : fault->name;
}

/* ---- making ---- */

/* One place for each member at once, so that a structure never grows, and one more so that an empty
 * one has an address. */
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

/* The member's shape, by the place's index. */
static const struct shape *shape_of(const struct tree *structure, struct tree *const *place)
{
    return structure->shape->members[place - structure->members].shape;
}

/* Made when it is first asked for: a handler fills what it needs, and only that is sent. */
struct tree *tree_member(struct arena *arena, struct tree *structure, const char *name)
{
    struct tree **place = place_of(structure, name);

    if (!*place)
        *place = tree_new(arena, shape_of(structure, place));
    return *place;
}

/* Copied: what a handler has is often on its stack. An empty string is one that is there, and has an
 * address. */
void tree_set_string(struct arena *arena, struct tree *structure, const char *name, struct bytes value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_STRING || member->shape->kind == SHAPE_BLOB ||
           member->shape->kind == SHAPE_DOCUMENT);
    member->bytes = arena_copy(arena, value);
}

/* NULL says nothing, so that what a definition may lack needs no condition at its caller. */
void tree_set_text(struct arena *arena, struct tree *structure, const char *name, const char *text)
{
    if (text)
        tree_set_string(arena, structure, name, bytes_of_string(text));
}

/* An integer of 32 bits that is larger is a fault of ours, since a client would be sent another
 * number. */
void tree_set_integer(struct arena *arena, struct tree *structure, const char *name, int64_t value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_LONG ||
           (member->shape->kind == SHAPE_INTEGER && value >= INT32_MIN && value <= INT32_MAX));
    member->integer = value;
}

/* A float's digits are cut when it is written, not here. */
void tree_set_number(struct arena *arena, struct tree *structure, const char *name, double value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_DOUBLE || member->shape->kind == SHAPE_FLOAT);
    member->number = value;
}

/* False is a value: it is sent. */
void tree_set_boolean(struct arena *arena, struct tree *structure, const char *name, bool value)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_BOOLEAN);
    member->boolean = value;
}

/* Whatever the protocol makes of it: seconds, text or a tag. */
void tree_set_time(struct arena *arena, struct tree *structure, const char *name, int64_t microseconds)
{
    struct tree *member = tree_member(arena, structure, name);

    assert(member->shape->kind == SHAPE_TIMESTAMP);
    member->microseconds = microseconds;
}

/* Values may be NULL here, as readers find them; tree_check says whether they may stay. */
void tree_add(struct arena *arena, struct tree *container, struct bytes key, struct tree *value)
{
    debug_assert(container->shape->kind == SHAPE_LIST || container->shape->kind == SHAPE_MAP);
    debug_assert(!value || value->shape == container->shape->element);
    container->entries =
        arena_room(arena, container->entries, container->count, &container->capacity, 4, sizeof(struct tree_entry));
    container->entries[container->count++] = (struct tree_entry){ key, value };
}

/* An element is made and stands in the list before it is filled. */
struct tree *tree_append(struct arena *arena, struct tree *list)
{
    struct tree *value = tree_new(arena, list->shape->element);

    assert(list->shape->kind == SHAPE_LIST);
    tree_add(arena, list, bytes_of(NULL, 0), value);
    return value;
}

/* A few keys at most, so looking at each is the quickest. Of a key that is there the old value is left
 * to the arena. */
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

/* The one way to a member; all below go through it, so a name that the model lacks is found at the
 * first call. */
const struct tree *tree_get(const struct tree *structure, const char *name)
{
    return *place_of(structure, name);
}

/* Absent and empty are not the same: the data of an empty string is never NULL. */
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

/* For what is to be handed to functions that take names. A NUL within it ends it: patterns and enums
 * have kept it out. */
const char *tree_text(struct arena *arena, const struct tree *structure, const char *name)
{
    struct bytes text = tree_string(structure, name);

    return text.data ? arena_string(arena, text) : NULL;
}

/* Both widths are one here. */
int64_t tree_integer(const struct tree *structure, const char *name, int64_t absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_INTEGER || member->shape->kind == SHAPE_LONG);
    return member ? member->integer : absent;
}

/* Also of a float, which was rounded to one when it was read. */
double tree_number(const struct tree *structure, const char *name, double absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_DOUBLE || member->shape->kind == SHAPE_FLOAT);
    return member ? member->number : absent;
}

/* The caller says what absent means: it is not false everywhere. */
bool tree_boolean(const struct tree *structure, const char *name, bool absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_BOOLEAN);
    return member ? member->boolean : absent;
}

/* Microseconds since 1970, whatever the protocol had. */
int64_t tree_time(const struct tree *structure, const char *name, int64_t absent)
{
    const struct tree *member = tree_get(structure, name);

    assert(!member || member->shape->kind == SHAPE_TIMESTAMP);
    return member ? member->microseconds : absent;
}
