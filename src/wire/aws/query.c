/* awsQuery: a form becomes a tree.
 *
 *     Action=PutMetricData&MetricData.member.1.Dimensions.member.2.Name=n&Attributes.entry.1.key=k&Attributes.entry.1.value=v
 *
 * The pairs are decoded and sorted once, in an order in which all that begins with the same segments stands together. Then what lies
 * below a value is a range of them, and each pair is looked at once for each of its segments: n log n in the form's size, in whatever
 * order a client sends its keys. Numbers of elements may have holes: they only say what comes before what.
 */
#include "types/number.h"
#include "wire/aws/codec.h"
#include "wire/aws/percent.h"
#include "wire/aws/scalar.h"

#include <assert.h>
#include <stdlib.h>

enum { INDEX_DIGITS = 9 };

struct pair {
    struct bytes name, value; /* decoded */
    uint32_t position;        /* in the form */
};

/* What is read, and how far: the walk knows where, for refusals. */
struct form {
    struct walk walk;
    struct pair *pairs; /* sorted */
    uint32_t count;
};

/* Pairs from `first` to before `end` whose names are the same before the offset `at`. */
struct range {
    uint32_t first, end;
    size_t at;
};

/* ---- the pairs ---- */

/* A '.' is before everything else, so that "A", "A.b" and "A.c" stand together, and "A-b" behind
 * them. */
static int compare_names(struct bytes a, struct bytes b)
{
    size_t size = a.size < b.size ? a.size : b.size;

    for (size_t i = 0; i < size; i++)
        if (a.data[i] != b.data[i])
            return a.data[i] == '.' ? -1 : b.data[i] == '.' ? 1 : a.data[i] < b.data[i] ? -1 : 1;
    return (a.size > b.size) - (a.size < b.size);
}

/* Pairs of one name keep their order, so that the last of them is the last in the form: qsort alone
 * would not keep it. */
static int compare_pairs(const void *left, const void *right)
{
    const struct pair *a = left, *b = right;
    int order = compare_names(a->name, b->name);

    return order ? order : (a->position > b->position) - (a->position < b->position);
}

/* As it came it would be another text to each reader. */
static bool refuse_percent(struct walk *walk)
{
    return walk_refuse(walk, "A '%%' in the form that no two hexadecimal digits follow");
}

/* Cut first, decoded then: an encoded '&' or '=' is a part of its text. A '.' in a name may be
 * encoded, though: clients encode whole names, so that segments are only known when the name is
 * decoded. */
static bool take_pairs(struct form *form, struct bytes text)
{
    struct query_pieces pieces = { .rest = text };
    struct bytes name, value;
    uint32_t capacity = 0;

    if (text.size > QUERY_FORM_MAX)
        return walk_refuse(&form->walk, "A form of more than %d bytes", QUERY_FORM_MAX);
    while (query_piece_next(&pieces, &name, &value)) {
        struct pair pair = { .position = form->count };

        if (!name.size && !value.size)
            continue; /* "a=1&&b=2" */
        if (form->count == QUERY_PAIRS_MAX)
            return walk_refuse(&form->walk, "A form of more than %d pairs", QUERY_PAIRS_MAX);
        if (!percent_decode(form->walk.arena, name, true, &pair.name) ||
            !percent_decode(form->walk.arena, value, true, &pair.value))
            return refuse_percent(&form->walk);
        form->pairs = arena_room(form->walk.arena, form->pairs, form->count, &capacity, 16, sizeof(pair));
        form->pairs[form->count++] = pair;
    }
    if (form->count)
        qsort(form->pairs, form->count, sizeof(struct pair), compare_pairs);
    return true;
}

/* The segment of a name that begins at the offset. */
static struct bytes segment_at(struct bytes name, size_t at)
{
    assert(at <= name.size);

    const uint8_t *from = name.data + at, *dot = name.size > at ? memchr(from, '.', name.size - at) : NULL;

    return bytes_of(from, dot ? (size_t)(dot - from) : name.size - at);
}

/* The next segment in the range, and the pairs that go on with it: they are taken from the range.
 * False: there are no more. */
static bool next_segment(const struct form *form, struct range *range, struct bytes *segment, struct range *below)
{
    if (range->first == range->end)
        return false;
    *segment = segment_at(form->pairs[range->first].name, range->at);
    *below = (struct range){ range->first, range->first, range->at + segment->size };
    while (below->end < range->end && bytes_equal(segment_at(form->pairs[below->end].name, range->at), *segment))
        below->end++;
    range->first = below->end;
    return true;
}

/* Pairs whose name ends here come first: the last of them is the value. They are taken from the
 * range, which then begins behind the '.' */
static bool take_value(const struct form *form, struct range *range, struct bytes *value)
{
    bool found = false;

    while (range->first < range->end && form->pairs[range->first].name.size == range->at) {
        *value = form->pairs[range->first].value;
        found = true;
        range->first++;
    }
    range->at++;
    return found;
}

/* ---- values ---- */

static bool read_value(struct form *form, const struct shape *shape, struct range range, struct tree **result);

/* "Name=" alone says that it is there and empty; a text for what has members is none. */
static bool take_empty(struct form *form, const struct shape *shape, struct range *range)
{
    struct bytes value;

    if (!take_value(form, range, &value) || !value.size)
        return true;
    return walk_refuse_kind(&form->walk, "STRING_VALUE", shape);
}

/* Members by their names on the wire, whatever their place: a form has but one place. A structure
 * has few, and each segment is looked up once, however many pairs are below it. */
static const struct model_member *member_of(const struct shape *shape, struct bytes wire_name)
{
    for (uint32_t i = 0; i < shape->member_count; i++)
        if (bytes_equal(bytes_of_string(shape->members[i].wire_name), wire_name))
            return &shape->members[i];
    return NULL;
}

/* What the shape does not have is skipped; it was counted among the pairs. */
static bool read_members(struct form *form, struct range range, struct tree *tree)
{
    struct bytes segment;
    struct range below;

    if (!walk_enter(&form->walk))
        return false;
    while (next_segment(form, &range, &segment, &below)) {
        const struct model_member *member = member_of(tree->shape, segment);

        if (!member)
            continue;
        assert(!tree->members[member - tree->shape->members]); /* its pairs stand together */
        walk_member(&form->walk, segment);
        if (!read_value(form, member->shape, below, &tree->members[member - tree->shape->members]))
            return false;
    }
    walk_leave(&form->walk);
    return walk_check_union(&form->walk, tree);
}

/* An element's number and the pairs below it. */
struct numbered {
    int64_t number;
    struct range below;
};

/* No two are the same: an index is written in one way only, and those of one segment were taken
 * together. */
static int compare_numbers(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;

    return (a->number > b->number) - (a->number < b->number);
}

/* From 1 on, as they are written: "01" would be a second 1. */
static bool read_index(struct form *form, struct bytes segment, int64_t *number)
{
    if (segment.size && segment.size <= INDEX_DIGITS && segment.data[0] >= '1' && segment.data[0] <= '9' &&
        integer_parse(segment, 1, INT32_MAX, number))
        return true;
    return walk_refuse(&form->walk, "The number of an element is a number from 1 to %d digits", INDEX_DIGITS);
}

/* The elements of a list or a map in the order of their numbers: 10 is behind 9, which it is not
 * among the pairs. */
static bool take_elements(struct form *form, struct range range, struct numbered **elements, uint32_t *count)
{
    uint32_t capacity = 0;
    struct bytes segment;
    struct numbered one;

    *elements = NULL;
    *count = 0;
    while (next_segment(form, &range, &segment, &one.below)) {
        if (!read_index(form, segment, &one.number))
            return false;
        *elements = arena_room(form->walk.arena, *elements, *count, &capacity, 8, sizeof(one));
        (*elements)[(*count)++] = one;
    }
    if (*count)
        qsort(*elements, *count, sizeof(one), compare_numbers);
    return true;
}

/* Without "member" or "entry" the numbers follow at once; with it, whatever else is there is
 * skipped, as an unknown member is. */
static bool take_wrapped(struct form *form, const struct shape *shape, const char *wrapper, struct range range,
                         struct numbered **elements, uint32_t *count)
{
    struct bytes segment;
    struct range below;

    if (shape->is_flat)
        return take_elements(form, range, elements, count);
    *elements = NULL;
    *count = 0;
    while (next_segment(form, &range, &segment, &below)) {
        if (!bytes_equal(segment, bytes_of_string(wrapper)))
            continue;
        if (!take_empty(form, shape, &below))
            return false;
        return take_elements(form, below, elements, count);
    }
    return true;
}

/* Elements are counted anew, so a hole is no element. */
static bool read_list(struct form *form, struct range range, struct tree *tree)
{
    struct numbered *elements;
    uint32_t count;

    if (!walk_enter(&form->walk) ||
        !take_wrapped(form, tree->shape, tree->shape->element_name, range, &elements, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct tree *value;

        walk_element(&form->walk, i);
        if (!read_value(form, tree->shape->element, elements[i].below, &value))
            return false;
        tree_add(form->walk.arena, tree, bytes_of(NULL, 0), value);
    }
    walk_leave(&form->walk);
    return true;
}

/* ".key" and ".value" of one entry, in any order, with or without other things beside them. A value
 * that has no pairs of its own is empty, if it can be. */
static bool read_entry(struct form *form, struct range range, struct tree *map)
{
    const struct shape *shape = map->shape;
    struct range key_range = { 0 }, value_range = { 0 }, below;
    struct bytes segment;
    struct tree *key = NULL, *value = NULL;

    while (next_segment(form, &range, &segment, &below))
        if (bytes_equal(segment, bytes_of_string(shape->key_name)))
            key_range = below;
        else if (bytes_equal(segment, bytes_of_string(shape->element_name)))
            value_range = below;
    if (key_range.first == key_range.end)
        return walk_refuse(&form->walk, "An entry without a '%s'", shape->key_name);
    if (!read_value(form, shape->key, key_range, &key))
        return false;
    assert(key);
    walk_member(&form->walk, key->bytes);
    if (value_range.first == value_range.end && shape_is_scalar(shape->element))
        return walk_refuse(&form->walk, "An entry without a '%s'", shape->element_name);
    if (!read_value(form, shape->element, value_range, &value))
        return false;
    tree_add(form->walk.arena, map, key->bytes, value);
    return true;
}

/* "Name.entry.1=x" says nothing that an entry could mean: it is passed over, as an unknown member
 * is. Of a key that comes twice the last counts. */
static bool read_map(struct form *form, struct range range, struct tree *tree)
{
    struct numbered *elements;
    uint32_t count;

    assert(tree->shape->key->kind == SHAPE_STRING);
    if (!walk_enter(&form->walk) || !take_wrapped(form, tree->shape, "entry", range, &elements, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct bytes value;

        walk_element(&form->walk, i);
        take_value(form, &elements[i].below, &value);
        if (!read_entry(form, elements[i].below, tree))
            return false;
    }
    walk_leave(&form->walk);
    tree_settle(form->walk.arena, tree);
    return true;
}

/* Made before it is known to be good: whoever is refused loses the whole arena. */
static bool read_container(struct form *form, const struct shape *shape, struct range range, struct tree **result)
{
    struct tree *tree = tree_new(form->walk.arena, shape);

    *result = tree;
    if (!walk_count(&form->walk) || !take_empty(form, shape, &range))
        return false;
    if (shape->kind == SHAPE_STRUCTURE)
        return read_members(form, range, tree);
    return shape->kind == SHAPE_LIST ? read_list(form, range, tree) : read_map(form, range, tree);
}

/* The range's names go on behind its offset with nothing or a '.'. */
static bool read_value(struct form *form, const struct shape *shape, struct range range, struct tree **result)
{
    struct bytes text;

    if (!shape_is_scalar(shape))
        return read_container(form, shape, range, result);
    if (!take_value(form, &range, &text) || range.first != range.end)
        return walk_refuse_kind(&form->walk, "{", shape);
    return scalar_read(&form->walk, shape, text, TIMESTAMP_ISO8601, result);
}

/* ---- the form ---- */

/* Before it is known which service, and so which shape, a form is for. All of it is looked at: of a
 * name that comes twice the last counts, here as in query_read, so that nobody is asked for one
 * thing and does another. */
struct bytes query_field(struct arena *arena, struct bytes form, const char *name)
{
    struct query_pieces pieces = { .rest = form };
    struct bytes piece, value, decoded, found = { NULL, 0 };

    while (query_piece_next(&pieces, &piece, &value))
        if (percent_decode(arena, piece, true, &decoded) && bytes_equal(decoded, bytes_of_string(name)) &&
            !percent_decode(arena, value, true, &found))
            return bytes_of(NULL, 0);
    return found;
}

/* Nearly all have no '+', and stay where they are. */
struct bytes query_form_of_target(struct arena *arena, struct bytes raw_query)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };

    if (!raw_query.size || !memchr(raw_query.data, '+', raw_query.size))
        return raw_query;
    for (size_t i = 0; i < raw_query.size; i++)
        if (raw_query.data[i] == '+')
            buffer_append_string(&out, "%2B");
        else
            buffer_append_u8(&out, raw_query.data[i]);
    return arena_copy(arena, buffer_bytes(&out));
}

/* The form is a structure without a name of its own: its pairs begin with members. Action, Version
 * and the parameters of a signature are unknown members to it. */
bool query_read(struct arena *arena, const struct shape *shape, struct bytes text, struct tree **result,
                struct api_fault *fault)
{
    struct form form = { .walk = { .arena = arena, .fault = fault } };
    struct tree *tree = tree_new(arena, shape);

    assert(shape->kind == SHAPE_STRUCTURE);
    if (!take_pairs(&form, text) || !walk_count(&form.walk) ||
        !read_members(&form, (struct range){ 0, form.count, 0 }, tree))
        return false;
    *result = tree;
    return true;
}
