/* restJson1: a request's path, query, headers and body become a tree.
 *
 * Paths are looked at in the normal form that was signed (wire/aws/percent.h), so what a request does cannot be changed by segments
 * that the signature does not see. Segments are compared before they are decoded: an encoded '/' is a label's own.
 */
#include "wire/aws/codec.h"
#include "wire/aws/percent.h"
#include "wire/aws/scalar.h"
#include "types/text.h"

#include <assert.h>
#include <stdlib.h>

/* What all steps need. */
struct rest_reader {
    struct walk walk;
    const struct rest_message *message;
};

/* ---- paths ---- */

/* A path or a pattern in its segments; "/a/b/" has two. */
struct segments {
    struct bytes items[REST_SEGMENTS_MAX];
    uint32_t count;
    struct bytes whole;
};

/* Empty segments are none, so a '/' at the end makes no difference; in the middle the normal form
 * has no empty ones. False: there are too many, more than any operation's path has. */
static bool split_path(struct bytes path, struct segments *segments)
{
    *segments = (struct segments){ .whole = path };
    for (size_t i = 0; i < path.size;) {
        const uint8_t *at = path.data + i, *slash = memchr(at, '/', path.size - i);
        size_t size = slash ? (size_t)(slash - at) : path.size - i;

        if (size && segments->count == REST_SEGMENTS_MAX)
            return false;
        if (size)
            segments->items[segments->count++] = bytes_of(at, size);
        i += size + 1;
    }
    return true;
}

/* A model's path may have constants of the query behind a '?': clients send them, nobody needs them. */
static void split_pattern(const char *path, struct segments *segments)
{
    struct bytes pattern, constants;
    bool fits;

    target_split(bytes_of_string(path), &pattern, &constants);
    fits = split_path(pattern, segments);
    assert(fits);
}

/* "{Name}" or "{Name+}": a segment of its own, as in all of AWS's models that we have. */
static bool is_label(struct bytes segment)
{
    return segment.size > 2 && segment.data[0] == '{' && segment.data[segment.size - 1] == '}';
}

/* It takes one segment or more. */
static bool is_greedy(struct bytes segment)
{
    return is_label(segment) && segment.data[segment.size - 2] == '+';
}

/* Without the braces and the plus. */
static struct bytes label_name(struct bytes segment)
{
    assert(is_label(segment));
    return bytes_of(segment.data + 1, segment.size - 2 - is_greedy(segment));
}

/* How many segments of the path the pattern's one at `i` takes: all that the ones behind a greedy
 * label do not need. 0: there are not enough. */
static uint32_t span_at(const struct segments *pattern, uint32_t i, uint32_t path_count)
{
    if (!is_greedy(pattern->items[i]))
        return 1;
    return path_count >= pattern->count ? path_count - pattern->count + 1 : 0;
}

/* Greedy labels are one at most in a pattern, so nothing is ever tried twice. */
static bool path_fits(const struct segments *pattern, const struct segments *path)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < pattern->count; i++) {
        uint32_t span = span_at(pattern, i, path->count);

        if (!span || at + span > path->count)
            return false;
        if (!is_label(pattern->items[i]) && !bytes_equal(pattern->items[i], path->items[at]))
            return false;
        at += span;
    }
    return at == path->count;
}

/* Literal, label, greedy label: the more is fixed, the closer. */
static int rank_of(struct bytes segment)
{
    return is_greedy(segment) ? 0 : is_label(segment) ? 1 : 2;
}

/* Of two patterns that fit the same path: is the first one closer? The first segment in which they
 * differ says so. */
static bool is_closer(const struct segments *a, const struct segments *b)
{
    uint32_t count = a->count < b->count ? a->count : b->count;

    for (uint32_t i = 0; i < count; i++) {
        int left = rank_of(a->items[i]), right = rank_of(b->items[i]);

        if (left != right)
            return left > right;
    }
    return a->count > b->count;
}

/* The segments lie in the arena, as a label that needs no decoding becomes a part of the tree. */
static bool split_request(struct arena *arena, struct bytes raw_path, struct segments *segments)
{
    CLEANUP(buffer_fini) struct buffer normal = { 0 };

    path_normalize(&normal, raw_path);
    return split_path(arena_copy(arena, buffer_bytes(&normal)), segments);
}

/* All patterns are looked at: a service has some dozens, and most end at the method or the first
 * segment. */
const struct model_operation *rest_operation_find(struct arena *arena, const struct model_service *service,
                                                  struct bytes method, struct bytes raw_path)
{
    const struct model_operation *best = NULL;
    struct segments path, pattern, best_pattern = { 0 };

    if (!split_request(arena, raw_path, &path))
        return NULL;
    for (uint32_t i = 0; i < service->operation_count; i++) {
        const struct model_operation *operation = &service->operations[i];

        if (!operation->path || !bytes_equal(bytes_of_string(operation->method), method))
            continue;
        split_pattern(operation->path, &pattern);
        if (!path_fits(&pattern, &path) || (best && !is_closer(&pattern, &best_pattern)))
            continue;
        best = operation;
        best_pattern = pattern;
    }
    return best;
}

/* Decoded once: "%252F" is "%2F", not a slash. */
static bool read_label(struct rest_reader *r, const struct shape *shape, struct bytes raw, struct tree **result)
{
    struct bytes text;

    if (!percent_decode(r->walk.arena, raw, false, &text))
        return walk_refuse(&r->walk, "A '%%' in the path that no two hexadecimal digits follow");
    return scalar_read(&r->walk, shape, text, TIMESTAMP_ISO8601, result);
}

/* A greedy label has the slashes between its segments. */
static bool read_path(struct rest_reader *r, const struct model_operation *operation, struct tree *tree)
{
    struct segments pattern, path;
    uint32_t at = 0;

    split_pattern(operation->path, &pattern);
    if (!split_request(r->walk.arena, r->message->raw_path, &path) || !path_fits(&pattern, &path))
        return walk_refuse(&r->walk, "The path is not that of %s", operation->name);
    for (uint32_t i = 0; i < pattern.count; i++) {
        uint32_t span = span_at(&pattern, i, path.count);
        const uint8_t *from = path.items[at].data;
        struct bytes last = path.items[at + span - 1], raw = bytes_of(from, (size_t)(last.data + last.size - from));

        at += span;
        if (!is_label(pattern.items[i]))
            continue;

        const struct model_member *member = shape_member_find(tree->shape, label_name(pattern.items[i]));

        assert(member && member->place == PLACE_URI);
        walk_member(&r->walk, label_name(pattern.items[i]));
        if (!read_label(r, member->shape, raw, &tree->members[member - tree->shape->members]))
            return false;
    }
    return true;
}

/* ---- the query ---- */

/* A '+' stays a '+', as it was signed; clients of AWS send blanks as "%20". */
bool rest_parameters(struct arena *arena, struct bytes raw_query, const struct bytes_pair **parameters, uint32_t *count,
                     struct api_fault *fault)
{
    struct query_pieces pieces = { .rest = raw_query };
    struct bytes_pair *pairs = NULL, pair;
    uint32_t capacity = 0;

    *count = 0;
    while (query_piece_next(&pieces, &pair.name, &pair.value)) {
        if (!pair.name.size)
            continue;
        if (*count == REST_PARAMETERS_MAX)
            return fault_set(fault, "SerializationException", 400, "More than %d parameters in the query",
                             REST_PARAMETERS_MAX);
        if (!percent_decode(arena, pair.name, false, &pair.name) ||
            !percent_decode(arena, pair.value, false, &pair.value))
            return fault_set(fault, "SerializationException", 400,
                             "A '%%' in the query that no two hexadecimal digits follow");
        pairs = arena_room(arena, pairs, *count, &capacity, 8, sizeof(pair));
        pairs[(*count)++] = pair;
    }
    *parameters = pairs;
    return true;
}

/* One more element of a list whose elements are texts of their own. */
static bool read_element(struct rest_reader *r, struct tree *list, struct bytes text, enum timestamp_format usual)
{
    struct tree *value;

    if (!scalar_read(&r->walk, list->shape->element, text, usual, &value))
        return false;
    tree_add(r->walk.arena, list, bytes_of(NULL, 0), value);
    return true;
}

/* A list has all parameters of its name, another member the last. */
static bool read_parameter(struct rest_reader *r, const struct model_member *member, struct tree **result)
{
    const struct rest_message *message = r->message;
    bool good = true;

    for (uint32_t i = 0; good && i < message->parameter_count; i++) {
        const struct bytes_pair *pair = &message->parameters[i];

        if (!bytes_equal(pair->name, bytes_of_string(member->wire_name)))
            continue;
        if (member->shape->kind != SHAPE_LIST) {
            good = scalar_read(&r->walk, member->shape, pair->value, TIMESTAMP_ISO8601, result);
            continue;
        }
        if (!*result)
            *result = tree_new(r->walk.arena, member->shape);
        good = read_element(r, *result, pair->value, TIMESTAMP_ISO8601);
    }
    return good;
}

/* Those of one name stay in their order, which is the order in the array. */
static int compare_pointers(const void *left, const void *right)
{
    const struct bytes_pair *a = *(const struct bytes_pair *const *)left, *b = *(const struct bytes_pair *const *)right;
    int order = bytes_compare(a->name, b->name);

    return order ? order : (a > b) - (a < b);
}

/* All parameters as a map of strings or of lists of strings, sorted, so that those of one name are
 * found at once. */
static bool read_all_parameters(struct rest_reader *r, const struct model_member *member, struct tree **result)
{
    struct arena *arena = r->walk.arena;
    uint32_t count = r->message->parameter_count;
    const struct bytes_pair **sorted = (const struct bytes_pair **)arena_alloc(arena, sizeof(*sorted) * (count + 1));
    struct tree *map = tree_new(arena, member->shape), *value = NULL;
    bool is_list = member->shape->element->kind == SHAPE_LIST, good = true;

    for (uint32_t i = 0; i < count; i++)
        sorted[i] = &r->message->parameters[i];
    qsort(sorted, count, sizeof(*sorted), compare_pointers);
    for (uint32_t i = 0; good && i < count; i++) {
        bool is_new = !i || !bytes_equal(sorted[i - 1]->name, sorted[i]->name);

        if (is_new && is_list)
            value = tree_new(arena, member->shape->element);
        good = text_is_utf8(sorted[i]->name) || walk_refuse(&r->walk, "Text that is not UTF-8");
        if (good && is_list)
            good = read_element(r, value, sorted[i]->value, TIMESTAMP_ISO8601);
        else if (good)
            good = scalar_read(&r->walk, member->shape->element, sorted[i]->value, TIMESTAMP_ISO8601, &value);
        if (good && (is_new || !is_list))
            tree_add(arena, map, sorted[i]->name, value);
    }
    if (good && count) {
        tree_settle(arena, map);
        *result = map;
    }
    return good;
}

/* ---- headers ---- */

/* Of the same letters in any case, as names of headers are. */
static bool begins_ignoring_case(struct bytes name, struct bytes beginning)
{
    return name.size >= beginning.size &&
           (!beginning.size || !strncasecmp((const char *)name.data, (const char *)beginning.data, beginning.size));
}

/* "a\"b" in quotes: a backslash takes the next character as it is. False: it does not end. */
static bool take_quoted(struct arena *arena, struct bytes *rest, struct bytes *item)
{
    uint8_t *to = arena_alloc(arena, rest->size);
    size_t size = 0, i = 1;

    assert(rest->size && rest->data[0] == '"');
    for (; i < rest->size && rest->data[i] != '"'; i++) {
        if (rest->data[i] == '\\' && i + 1 < rest->size)
            i++;
        to[size++] = rest->data[i];
    }
    if (i >= rest->size)
        return false;
    *rest = blanks_trim(bytes_of(rest->data + i + 1, rest->size - i - 1));
    *item = bytes_of(to, size);
    return true;
}

/* Up to the next comma; HTTP's dates have a comma of their own. */
static struct bytes take_plain(struct bytes *rest, bool is_date)
{
    const uint8_t *from = rest->data, *end = from + rest->size, *comma = memchr(from, ',', rest->size);

    if (comma && is_date)
        comma = memchr(comma + 1, ',', (size_t)(end - comma - 1));
    if (!comma)
        comma = end;
    *rest = bytes_of(comma, (size_t)(end - comma));
    return blanks_trim(bytes_of(from, (size_t)(comma - from)));
}

/* "a, "b,c", d" */
static bool read_header_list(struct rest_reader *r, struct tree *list, struct bytes value)
{
    const struct shape *element = list->shape->element;
    bool is_date = element->kind == SHAPE_TIMESTAMP &&
                   (element->timestamp == TIMESTAMP_HTTP || element->timestamp == TIMESTAMP_OF_PROTOCOL);
    struct bytes rest = blanks_trim(value), item;

    while (rest.size) {
        if (rest.data[0] != '"')
            item = take_plain(&rest, is_date);
        else if (!take_quoted(r->walk.arena, &rest, &item))
            return walk_refuse(&r->walk, "A quoted value of a header that does not end");
        if (rest.size && rest.data[0] != ',')
            return walk_refuse(&r->walk, "A quoted value of a header with something behind it");
        if (!read_element(r, list, item, TIMESTAMP_HTTP))
            return false;
        if (rest.size)
            rest = blanks_trim(bytes_of(rest.data + 1, rest.size - 1));
    }
    return true;
}

/* A list goes on in each header of its name; of another member the last one counts. One that is
 * empty is absent, unless it can be empty. */
static bool read_header(struct rest_reader *r, const struct model_member *member, struct tree **result)
{
    bool good = true;

    for (uint32_t i = 0; good && i < r->message->header_count; i++) {
        const struct bytes_pair *pair = &r->message->headers[i];
        struct bytes value = blanks_trim(pair->value);

        if (!bytes_is_ignoring_case(pair->name, member->wire_name))
            continue;
        if (member->shape->kind == SHAPE_LIST) {
            if (!*result)
                *result = tree_new(r->walk.arena, member->shape);
            good = read_header_list(r, *result, value);
        } else if (value.size || member->shape->kind == SHAPE_STRING) {
            good = scalar_read(&r->walk, member->shape, value, TIMESTAMP_HTTP, result);
        }
    }
    return good;
}

/* The headers that begin so, by what stands behind it. */
static bool read_prefixed(struct rest_reader *r, const struct model_member *member, struct tree **result)
{
    struct bytes prefix = bytes_of_string(member->wire_name);
    struct tree *map = tree_new(r->walk.arena, member->shape), *value;

    for (uint32_t i = 0; i < r->message->header_count; i++) {
        const struct bytes_pair *pair = &r->message->headers[i];

        if (!begins_ignoring_case(pair->name, prefix))
            continue;
        if (!scalar_read(&r->walk, member->shape->element, blanks_trim(pair->value), TIMESTAMP_HTTP, &value))
            return false;
        tree_add(r->walk.arena, map, bytes_of(pair->name.data + prefix.size, pair->name.size - prefix.size), value);
    }
    if (map->count) {
        tree_settle(r->walk.arena, map);
        *result = map;
    }
    return true;
}

/* ---- the body ---- */

/* Bytes as they are, or JSON. What is not there is absent. */
static bool read_payload(struct rest_reader *r, const struct model_member *member, struct tree **result)
{
    struct bytes body = r->message->body;

    if (!body.size)
        return true;
    if (member->shape->kind != SHAPE_BLOB && member->shape->kind != SHAPE_STRING)
        return json_read(r->walk.arena, member->shape, body, result, r->walk.fault);
    if (member->shape->kind == SHAPE_STRING && !text_is_utf8(body))
        return walk_refuse(&r->walk, "Text that is not UTF-8");
    *result = tree_new(r->walk.arena, member->shape);
    (*result)->bytes = body;
    return true;
}

/* Each member from its place. What does not come leaves the member absent: whether it must be there
 * is tree_check's to say. */
static bool read_member(struct rest_reader *r, const struct model_member *member, struct tree **result)
{
    walk_member(&r->walk, bytes_of_string(member->wire_name));
    switch (member->place) {
    case PLACE_QUERY:
        return member->shape->kind == SHAPE_MAP ? read_all_parameters(r, member, result)
                                                : read_parameter(r, member, result);
    case PLACE_HEADER: return read_header(r, member, result);
    case PLACE_HEADERS: return read_prefixed(r, member, result);
    case PLACE_PAYLOAD: return read_payload(r, member, result);
    case PLACE_BODY: /* JSON's */
    case PLACE_URI:  /* the path's */
    case PLACE_STATUS: /* of answers */ break;
    }
    return true;
}

/* JSON first, since it makes the structure; of a shape that has nothing there, the body is not
 * looked at. */
bool rest_read(struct arena *arena, const struct model_operation *operation, const struct rest_message *message,
               struct tree **result, struct api_fault *fault)
{
    struct rest_reader r = { .walk = { .arena = arena, .fault = fault }, .message = message };
    const struct shape *shape = operation->input;
    struct tree *tree = NULL;
    bool in_body = false;

    assert(operation->path && shape->kind == SHAPE_STRUCTURE);
    for (uint32_t i = 0; i < shape->member_count; i++)
        in_body = in_body || shape->members[i].place == PLACE_BODY;
    if (in_body && !json_read(arena, shape, message->body, &tree, fault))
        return false;
    if (!tree)
        tree = tree_new(arena, shape);
    if (!walk_enter(&r.walk) || !read_path(&r, operation, tree))
        return false;
    for (uint32_t i = 0; i < shape->member_count; i++)
        if (!read_member(&r, &shape->members[i], &tree->members[i]))
            return false;
    walk_leave(&r.walk);
    *result = tree;
    return true;
}
