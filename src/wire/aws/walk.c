/* What readers share. The places are an array, since the depth is limited: the path is only written when something
 * is refused. */
#include "wire/aws/walk.h"

#include "base/debug.h"
#include "types/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { NAME_SHOWN_MAX = 64 };

static_assert(sizeof(struct walk) < 4096, "a walk lies on the stack");

/* Before anything is made of it: a message of many tiny values is refused when it has taken what it
 * may. */
bool walk_count(struct walk *walk)
{
    if (walk->values == TREE_VALUES_MAX)
        return walk_refuse(walk, "More than %d values", TREE_VALUES_MAX);
    walk->values++;
    return true;
}

/* The place is empty until the reader says what comes next: a mistake before that is told with the
 * container's own path. */
bool walk_enter(struct walk *walk)
{
    if (walk->depth == TREE_DEPTH_MAX)
        return walk_refuse(walk, "Nested more than %d deep", TREE_DEPTH_MAX);
    walk->places[walk->depth++] = (struct walk_place){ { NULL, 0 }, 0 };
    return true;
}

/* Each entered container is left once, unless reading fails, after which nobody walks on. */
void walk_leave(struct walk *walk)
{
    debug_assert(walk->depth > 0);
    walk->depth--;
}

/* Borrowed: the name lies in the message or in the arena. */
void walk_member(struct walk *walk, struct bytes name)
{
    debug_assert(walk->depth > 0 && name.data);
    walk->places[walk->depth - 1].name = name;
}

/* Counted from 1, as AWS's validation messages have it. */
void walk_element(struct walk *walk, uint32_t index)
{
    debug_assert(walk->depth > 0);
    walk->places[walk->depth - 1] = (struct walk_place){ { NULL, 0 }, index + 1 };
}

/* "a.2.b", as long as it fits; nothing at the top. */
static void print_path(const struct walk *walk, char *out, size_t size)
{
    size_t used = 0;

    out[0] = 0;
    for (uint32_t i = 0; i < walk->depth && used < size; i++) {
        const struct walk_place *place = &walk->places[i];
        const char *dot = used ? "." : "";
        int more;

        if (place->name.data)
            more = snprintf(out + used, size - used, "%s%.*s", dot, BYTES(text_cut(place->name, NAME_SHOWN_MAX)));
        else if (place->number)
            more = snprintf(out + used, size - used, "%s%u", dot, place->number);
        else
            break;
        assert(more >= 0);
        used += (size_t)more;
    }
}

/* The sentence first, then the path in brackets: what clients compare is the sentence's beginning. */
bool walk_refuse(struct walk *walk, const char *format, ...)
{
    char what[400], path[400];
    va_list list;

    va_start(list, format);
    vsnprintf(what, sizeof(what), format, list);
    va_end(list);
    print_path(walk, path, sizeof(path));
    fault_set(walk->fault, "SerializationException", 400, path[0] ? "%s (at %s)" : "%s", what, path);
    walk->fault->query_code = "MalformedInput";
    return false;
}

/* The names of kinds that AWS's services use, which are Java's. */
static const char *kind_name(enum shape_kind kind)
{
    switch (kind) {
    case SHAPE_STRUCTURE: return "Structure";
    case SHAPE_LIST: return "List";
    case SHAPE_MAP: return "Map";
    case SHAPE_STRING: return "String";
    case SHAPE_BLOB: return "Blob";
    case SHAPE_BOOLEAN: return "Boolean";
    case SHAPE_INTEGER: return "Integer";
    case SHAPE_LONG: return "Long";
    case SHAPE_FLOAT: return "Float";
    case SHAPE_DOUBLE: return "Double";
    case SHAPE_TIMESTAMP: return "Timestamp";
    case SHAPE_DOCUMENT: return "Document";
    }
    return "";
}

/* Java's words: some clients' tests look for them. */
bool walk_refuse_kind(struct walk *walk, const char *found, const struct shape *shape)
{
    if (found[0] == '[')
        return walk_refuse(walk, "Start of list found where not expected");
    if (found[0] == '{')
        return walk_refuse(walk, "Start of structure or map found where not expected");
    return walk_refuse(walk, "%s cannot be converted to %s", found, kind_name(shape->kind));
}

/* Counted at the end, when nulls and what came twice are settled. What the shape does not have does
 * not count. */
bool walk_check_union(struct walk *walk, const struct tree *structure)
{
    uint32_t count = 0;

    for (uint32_t i = 0; structure->shape->is_union && i < structure->shape->member_count; i++)
        count += structure->members[i] != NULL;
    if (structure->shape->is_union && count != 1)
        return walk_refuse(walk, "%s has %u members, not one", structure->shape->name, count);
    return true;
}

/* Never cut: a client that sent more than fits must hear of it. */
bool walk_set_integer(struct walk *walk, struct tree *tree, int64_t value)
{
    debug_assert(tree->shape->kind == SHAPE_INTEGER || tree->shape->kind == SHAPE_LONG);
    if (tree->shape->kind == SHAPE_INTEGER && (value < INT32_MIN || value > INT32_MAX))
        return walk_refuse(walk, "%lld is out of the range of an Integer", (long long)value);
    tree->integer = value;
    return true;
}

/* A float keeps what a float can hold: digits are lost, as they were when the client made one of it, but no number
 * becomes an infinity. */
bool walk_set_number(struct walk *walk, struct tree *tree, double value)
{
    debug_assert(tree->shape->kind == SHAPE_FLOAT || tree->shape->kind == SHAPE_DOUBLE);
    tree->number = tree->shape->kind == SHAPE_FLOAT ? (double)(float)value : value;
    if (isfinite(value) && !isfinite(tree->number))
        return walk_refuse(walk, "%g is out of the range of a Float", value);
    return true;
}
