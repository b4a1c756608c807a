/* Are all bounds of a model kept? What is not is told in the words that AWS's services share:
 *
 *     Value 'a b' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]+
 *     Value '[x, y]' at 'names' failed to satisfy constraint: Member must satisfy constraint: [Member ...]
 *     Value '{k=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [...]
 *
 * So a scalar tells each bound that it breaks; scalars of a list or map are told with all their bounds and the
 * whole list, once. Paths begin with small letters, go on with ".1.member" into a list and with ".key.member" into
 * a map. */
#include "wire/aws/tree.h"

#include "base/debug.h"
#include "types/text.h"

#include <ctype.h>
#include <stdio.h>

enum {
    TOLD_MAX = 10,   /* of what is wrong; the rest is only counted */
    SHOWN_MAX = 256, /* bytes of a value in a message */
    PATH_MAX_SIZE = 512,
};

/* A check under way. Nothing is written any more once enough was told. */
struct checker {
    struct buffer path;
    struct buffer told;
    uint64_t count;
};

/* ---- showing values ---- */

/* One byte more than will be shown is enough to know that something is to be cut. */
static bool is_shown_enough(const struct buffer *out, size_t start)
{
    return out->size - start > SHOWN_MAX;
}

/* As Java's services print values in their messages. A blob's bytes are nobody's to read there. */
static void show_scalar(struct buffer *out, const struct tree *tree)
{
    switch (tree->shape->kind) {
    case SHAPE_STRING:
    case SHAPE_DOCUMENT:
        buffer_append(out, tree->bytes.data, tree->bytes.size <= SHOWN_MAX ? tree->bytes.size : SHOWN_MAX + 1);
        break;
    case SHAPE_BLOB: buffer_printf(out, "%zu bytes", tree->bytes.size); break;
    case SHAPE_BOOLEAN: buffer_append_string(out, tree->boolean ? "true" : "false"); break;
    case SHAPE_INTEGER:
    case SHAPE_LONG: buffer_printf(out, "%lld", (long long)tree->integer); break;
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: buffer_printf(out, "%.17g", tree->number); break;
    case SHAPE_TIMESTAMP: buffer_printf(out, "%lld", (long long)(tree->microseconds / 1000000)); break;
    case SHAPE_STRUCTURE:
    case SHAPE_LIST:
    case SHAPE_MAP: assert(false);
    }
}

/* [a, b], {k=v}, Tag(key=a, value=b). Stops when there is enough, so it takes no longer for a longer value. */
static void show(struct buffer *out, const struct tree *tree, size_t start)
{
    const char *separator = "";

    if (!tree) {
        buffer_append_string(out, "null");
        return;
    }
    const struct shape *shape = tree->shape;
    if (shape->kind == SHAPE_STRUCTURE) {
        buffer_printf(out, "%s(", shape->name);
        for (uint32_t i = 0; i < shape->member_count && !is_shown_enough(out, start); i++) {
            if (!tree->members[i])
                continue;
            buffer_printf(out, "%s%s=", separator, shape->members[i].name);
            show(out, tree->members[i], start);
            separator = ", ";
        }
        buffer_append_u8(out, ')');
    } else if (shape->kind == SHAPE_LIST || shape->kind == SHAPE_MAP) {
        buffer_append_u8(out, shape->kind == SHAPE_LIST ? '[' : '{');
        for (uint32_t i = 0; i < tree->count && !is_shown_enough(out, start); i++) {
            buffer_append_string(out, separator);
            if (shape->kind == SHAPE_MAP)
                buffer_printf(
                    out, "%.*s=", (int)(tree->entries[i].key.size < SHOWN_MAX ? tree->entries[i].key.size : SHOWN_MAX),
                    (const char *)tree->entries[i].key.data);
            show(out, tree->entries[i].value, start);
            separator = ", ";
        }
        buffer_append_u8(out, shape->kind == SHAPE_LIST ? ']' : '}');
    } else {
        show_scalar(out, tree);
    }
}

/* 'shown', or null without quotes. What is cut ends in "...". */
static void append_value(struct buffer *out, const struct tree *tree)
{
    if (!tree) {
        buffer_append_string(out, "null");
        return;
    }
    buffer_append_u8(out, '\'');
    size_t start = out->size;
    show(out, tree, start);
    if (is_shown_enough(out, start)) {
        out->size = start + text_cut(bytes_of(out->data + start, out->size - start), SHOWN_MAX).size;
        buffer_append_string(out, "...");
    }
    buffer_append_u8(out, '\'');
}

/* ---- telling ---- */

/* "Value 'x' at 'path' failed to satisfy constraint: "; false: enough was told, it is only counted. */
static bool tell(struct checker *checker, const struct tree *value)
{
    if (++checker->count > TOLD_MAX)
        return false;
    buffer_append_string(&checker->told, checker->count == 1 ? "Value " : "; Value ");
    append_value(&checker->told, value);
    buffer_printf(&checker->told, " at '%.*s' failed to satisfy constraint: ", (int)checker->path.size,
                  (const char *)checker->path.data);
    return true;
}

enum bound { BOUND_PATTERN, BOUND_ENUM, BOUND_MAX, BOUND_MIN, BOUND_COUNT };

/* What the model says of the shape. A pattern and values are a string's alone: the parser gives them
 * to no other. */
static bool has_bound(const struct shape *shape, enum bound bound)
{
    switch (bound) {
    case BOUND_PATTERN: return shape->pattern;
    case BOUND_ENUM: return shape->values;
    case BOUND_MAX: return shape->has_max;
    case BOUND_MIN: return shape->has_min;
    case BOUND_COUNT: break;
    }
    return false;
}

/* "Member must ..." */
static void append_bound(struct buffer *out, const struct shape *shape, enum bound bound)
{
    bool is_number = shape->kind == SHAPE_FLOAT || shape->kind == SHAPE_DOUBLE;
    bool is_value = is_number || shape->kind == SHAPE_INTEGER || shape->kind == SHAPE_LONG;

    switch (bound) {
    case BOUND_PATTERN: buffer_printf(out, "Member must satisfy regular expression pattern: %s", shape->pattern); break;
    case BOUND_ENUM:
        buffer_append_string(out, "Member must satisfy enum value set: [");
        for (uint32_t i = 0; i < shape->value_count; i++)
            buffer_printf(out, "%s%s", i ? ", " : "", shape->values[i]);
        buffer_append_u8(out, ']');
        break;
    case BOUND_MAX:
    case BOUND_MIN:
        buffer_printf(out, "Member must have %s %s than or equal to %lld%s", is_value ? "value" : "length",
                      bound == BOUND_MAX ? "less" : "greater",
                      (long long)(bound == BOUND_MAX ? shape->max : shape->min), is_number ? ".0" : "");
        break;
    case BOUND_COUNT: assert(false);
    }
}

/* ---- bounds ---- */

/* Characters of UTF-8: all bytes but those that go on with one. */
static int64_t count_characters(struct bytes text)
{
    int64_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xC0) != 0x80;
    return count;
}

/* Values are few, and compared with their case. */
static bool is_among(const struct shape *shape, struct bytes text)
{
    for (uint32_t i = 0; i < shape->value_count; i++)
        if (bytes_equal(text, bytes_of_string(shape->values[i])))
            return true;
    return false;
}

/* Is the size or the value within min and max? */
static bool is_within(const struct tree *tree, enum bound bound)
{
    const struct shape *shape = tree->shape;
    int64_t limit = bound == BOUND_MAX ? shape->max : shape->min, size = 0;

    switch (shape->kind) {
    case SHAPE_STRING: size = count_characters(tree->bytes); break;
    case SHAPE_BLOB: size = (int64_t)tree->bytes.size; break;
    case SHAPE_LIST:
    case SHAPE_MAP: size = tree->count; break;
    case SHAPE_INTEGER:
    case SHAPE_LONG: size = tree->integer; break;
    /* So written that a NaN is within nothing. */
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: return bound == BOUND_MAX ? tree->number <= (double)limit : tree->number >= (double)limit;
    case SHAPE_STRUCTURE:
    case SHAPE_BOOLEAN:
    case SHAPE_TIMESTAMP:
    case SHAPE_DOCUMENT: return true;
    }
    return bound == BOUND_MAX ? size <= limit : size >= limit;
}

/* One bound of one value; without the bound it is kept. */
static bool keeps(const struct tree *tree, enum bound bound)
{
    const struct shape *shape = tree->shape;

    if (!has_bound(shape, bound))
        return true;
    if (bound == BOUND_PATTERN)
        return pattern_matches(shape->compiled_pattern, tree->bytes);
    if (bound == BOUND_ENUM)
        return is_among(shape, tree->bytes);
    return is_within(tree, bound);
}

/* For elements, of which it only matters whether one of their bounds is broken. */
static bool keeps_all(const struct tree *tree)
{
    for (int bound = 0; bound < BOUND_COUNT; bound++)
        if (!keeps(tree, (enum bound)bound))
            return false;
    return true;
}

/* A value's own bounds, each told by itself. */
static void check_bounds(struct checker *checker, const struct tree *tree)
{
    for (int bound = 0; bound < BOUND_COUNT; bound++)
        if (!keeps(tree, (enum bound)bound) && tell(checker, tree))
            append_bound(&checker->told, tree->shape, (enum bound)bound);
}

/* ---- containers ---- */

/* What is told with its list; structures and lists in a list have paths of their own. */
static bool is_scalar(const struct shape *shape)
{
    return shape->kind != SHAPE_STRUCTURE && shape->kind != SHAPE_LIST && shape->kind != SHAPE_MAP;
}

/* "What must satisfy constraint: [all bounds of the scalar]", for the whole container. */
static void tell_elements(struct checker *checker, const struct tree *container, const char *what,
                          const struct shape *shape, bool with_null)
{
    /* In this order, which is not that of a scalar by itself. */
    static const enum bound order[] = { BOUND_MAX, BOUND_MIN, BOUND_PATTERN, BOUND_ENUM };
    const char *separator = "";

    if (!tell(checker, container))
        return;
    buffer_printf(&checker->told, "%s must satisfy constraint: [", what);
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        if (!has_bound(shape, order[i]))
            continue;
        buffer_append_string(&checker->told, separator);
        append_bound(&checker->told, shape, order[i]);
        separator = ", ";
    }
    if (with_null)
        buffer_printf(&checker->told, "%sMember must not be null", separator);
    buffer_append_u8(&checker->told, ']');
}

/* Values of a list or map that stand for themselves: one that breaks a bound is enough. */
static void check_elements(struct checker *checker, const struct tree *container)
{
    /* Nulls are looked for to the end, since they add a line to what is told. */
    bool is_map = container->shape->kind == SHAPE_MAP, is_null = false, is_wrong = false;

    for (uint32_t i = 0; i < container->count; i++) {
        const struct tree *value = container->entries[i].value;

        is_null = is_null || !value;
        is_wrong = is_wrong || !value || (is_scalar(value->shape) && !keeps_all(value));
        if (is_null && is_wrong)
            break;
    }
    if (is_wrong)
        tell_elements(checker, container, is_map ? "Map value" : "Member", container->shape->element, is_null);
}

/* One wrong key is enough: the message has the whole map and all that a key must be. */
static void check_keys(struct checker *checker, const struct tree *map)
{
    struct tree key = { .shape = map->shape->key };

    for (uint32_t i = 0; i < map->count; i++) {
        key.bytes = map->entries[i].key;
        if (!keeps_all(&key)) {
            tell_elements(checker, map, "Map keys", key.shape, false);
            return;
        }
    }
}

/* A path longer than a message is of no use: it ends where it is. */
static void path_append(struct buffer *path, struct bytes part)
{
    if (path->size + part.size < PATH_MAX_SIZE)
        buffer_append_bytes(path, part);
}

static void check(struct checker *checker, const struct tree *tree);

/* First what is told with the whole container, then each element that has a path of its own. A null
 * was told with the whole. */
static void check_container(struct checker *checker, const struct tree *tree)
{
    size_t size = checker->path.size;

    if (tree->shape->kind == SHAPE_MAP)
        check_keys(checker, tree);
    check_elements(checker, tree);
    if (is_scalar(tree->shape->element))
        return;
    for (uint32_t i = 0; i < tree->count; i++) {
        char number[32];

        if (!tree->entries[i].value)
            continue;
        snprintf(number, sizeof(number), ".%u", i + 1);
        /* "tags.2.member.key", "nested.some key.member.key" */
        if (tree->shape->kind == SHAPE_LIST) {
            path_append(&checker->path, bytes_of_string(number));
        } else {
            path_append(&checker->path, BYTES_LITERAL("."));
            path_append(&checker->path, tree->entries[i].key);
        }
        path_append(&checker->path, BYTES_LITERAL(".member"));
        check(checker, tree->entries[i].value);
        checker->path.size = size;
    }
}

/* Members are named with a small letter, as AWS does whatever the model says. */
static void check_members(struct checker *checker, const struct tree *tree)
{
    size_t size = checker->path.size;

    for (uint32_t i = 0; i < tree->shape->member_count; i++) {
        const struct model_member *member = &tree->shape->members[i];

        if (!tree->members[i] && !member->required)
            continue;
        /* "keyspaceName" of keyspaceName and KeyspaceName alike. */
        uint8_t first = (uint8_t)tolower((unsigned char)member->name[0]);
        if (size)
            path_append(&checker->path, BYTES_LITERAL("."));
        path_append(&checker->path, bytes_of(&first, 1));
        path_append(&checker->path, bytes_of_string(member->name + 1));
        if (tree->members[i])
            check(checker, tree->members[i]);
        else if (tell(checker, NULL))
            buffer_append_string(&checker->told, "Member must not be null");
        checker->path.size = size;
    }
}

/* As deep as the tree is, which its reader limited. */
static void check(struct checker *checker, const struct tree *tree)
{
    debug_assert(tree->shape);
    switch (tree->shape->kind) {
    case SHAPE_STRUCTURE: check_members(checker, tree); break;
    case SHAPE_LIST:
    case SHAPE_MAP:
        check_bounds(checker, tree);
        check_container(checker, tree);
        break;
    case SHAPE_STRING:
    case SHAPE_BLOB:
    case SHAPE_BOOLEAN:
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE:
    case SHAPE_TIMESTAMP:
    case SHAPE_DOCUMENT: check_bounds(checker, tree); break;
    }
}

/* The number of all that is wrong comes first, so what is told is gathered before the message is made. */
bool tree_check(const struct tree *tree, struct api_fault *fault)
{
    struct checker checker = { 0 };

    if (tree)
        check(&checker, tree);
    if (checker.count) {
        char head[64];
        size_t room = sizeof(fault->message) - 1;
        int length =
            snprintf(head, sizeof(head), "%llu validation error%s detected: ", (unsigned long long)checker.count,
                     checker.count == 1 ? "" : "s");
        /* What does not fit is cut between two characters; "..." says so. */
        bool is_cut = (size_t)length + checker.told.size > room;
        struct bytes told = buffer_bytes(&checker.told);

        assert(length > 0 && (size_t)length < sizeof(head));
        if (is_cut)
            told = text_cut(told, room - (size_t)length - 3);
        fault_set(fault, "ValidationException", 400, "%s%.*s%s", head, BYTES(told), is_cut ? "..." : "");
        fault->query_code = "ValidationError";
    }
    buffer_fini(&checker.told);
    buffer_fini(&checker.path);
    return checker.count == 0;
}
