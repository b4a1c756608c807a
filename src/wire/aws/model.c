/* Models, parsed: two passes over the text. The first finds the declarations and the names of all shapes, so that
 * the second can look up a shape wherever it is declared, and knows its kind. A model is ours, but long and
 * written by hand or by a script: what is wrong with it is told with its line, and nothing is passed over. */
#include "wire/aws/model.h"

#include <assert.h>
#include <stdlib.h>

/* One declaration: from its keyword to the next one. */
struct declaration {
    const uint8_t *at, *end; /* what follows keyword and name */
    struct bytes keyword, name;
    struct shape *shape; /* NULL: of the service, or an operation */
};

struct parser {
    struct arena *arena;
    struct bytes text;
    struct error *err;
    struct model_service *service;
    struct declaration *declarations;
    uint32_t count, capacity;
    struct shape *shapes;        /* all of them, in the order of the model */
    const struct shape **sorted; /* by name */
    struct model_operation *operations;
    const uint8_t *at, *end; /* in the declaration that is parsed */
};

/* What a shape's declaration can begin with. */
static const struct {
    const char *word;
    enum shape_kind kind;
} kinds[] = {
    { "structure", SHAPE_STRUCTURE },
    { "union", SHAPE_STRUCTURE },
    { "error", SHAPE_STRUCTURE },
    { "list", SHAPE_LIST },
    { "map", SHAPE_MAP },
    { "string", SHAPE_STRING },
    { "enum", SHAPE_STRING },
    { "blob", SHAPE_BLOB },
    { "boolean", SHAPE_BOOLEAN },
    { "integer", SHAPE_INTEGER },
    { "long", SHAPE_LONG },
    { "float", SHAPE_FLOAT },
    { "double", SHAPE_DOUBLE },
    { "timestamp", SHAPE_TIMESTAMP },
    { "document", SHAPE_DOCUMENT },
};
/* Shapes that need no declaration, sorted or not. */
static const struct shape basic_shapes[] = {
    { .name = "String", .kind = SHAPE_STRING },     { .name = "Integer", .kind = SHAPE_INTEGER },
    { .name = "Long", .kind = SHAPE_LONG },         { .name = "Float", .kind = SHAPE_FLOAT },
    { .name = "Double", .kind = SHAPE_DOUBLE },     { .name = "Boolean", .kind = SHAPE_BOOLEAN },
    { .name = "Blob", .kind = SHAPE_BLOB },         { .name = "Timestamp", .kind = SHAPE_TIMESTAMP },
    { .name = "Document", .kind = SHAPE_DOCUMENT },
};
/* An operation without an input has this one. */
static const struct shape no_members = { .name = "", .kind = SHAPE_STRUCTURE };

/* In the order of their enums: a name's index is its value. */
static const char *const protocols[PROTOCOL_COUNT] = { "json-1.0", "json-1.1", "cbor", "query", "rest-json" };
static const char *const timestamps[] = { "", "epoch", "iso8601", "http" };
static const char *const places[] = { "body", "uri", "query", "header", "headers", "status", "payload" };

enum { BASIC_COUNT = sizeof(basic_shapes) / sizeof(basic_shapes[0]), KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

static_assert(sizeof(places) / sizeof(places[0]) == PLACE_PAYLOAD + 1, "a name for each place");
static_assert(sizeof(timestamps) / sizeof(timestamps[0]) == TIMESTAMP_HTTP + 1, "a name for each format");

/* -1: it is none of them. */
static int find_word(const char *const *words, int count, struct bytes token)
{
    for (int i = 0; i < count; i++)
        if (bytes_is(token, words[i]))
            return i;
    return -1;
}

/* A carriage return too: a model may have gone through an editor that writes them. */
static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The line of a place in the text, counted from 1; only counted when something is wrong. */
static enum status fail(struct parser *p, const uint8_t *at, const char *what, struct bytes token)
{
    unsigned line = 1;

    assert(at >= p->text.data && at <= p->text.data + p->text.size);
    /* What is missing at a declaration's end is missing in its last line. */
    while (at == p->end && p->end > p->text.data && is_blank(p->end[-1]))
        at = --p->end;
    for (const uint8_t *c = p->text.data; c < at; c++)
        line += *c == '\n';
    return error_set(p->err, ERR_INVALID, "line %u: %s%s%.*s", line, what, token.size ? ": " : "", BYTES(token));
}

/* The next word of the declaration; size 0: there is none. */
static struct bytes next_token(struct parser *p)
{
    for (;;) {
        while (p->at < p->end && is_blank(*p->at))
            p->at++;
        if (p->at == p->end || *p->at != '#')
            break;
        while (p->at < p->end && *p->at != '\n')
            p->at++;
    }
    const uint8_t *start = p->at;
    while (p->at < p->end && !is_blank(*p->at))
        p->at++;
    return bytes_of(start, (size_t)(p->at - start));
}

/* The same, which stays the next one. */
static struct bytes peek_token(struct parser *p)
{
    const uint8_t *at = p->at;
    struct bytes token = next_token(p);

    p->at = at;
    return token;
}

/* The next word if it is this one; else it stays. */
static bool accept_word(struct parser *p, const char *word)
{
    bool is = bytes_is(peek_token(p), word);

    if (is)
        next_token(p);
    return is;
}

/* Nothing is passed over: a word that nobody asked for is a mistake somewhere before it. */
static enum status expect_end(struct parser *p)
{
    struct bytes token = next_token(p);

    return token.size ? fail(p, token.data, "unexpected word", token) : OK;
}

/* For qsort, and in the order in which find_shape looks. */
static int compare_shapes(const void *a, const void *b)
{
    return strcmp((*(const struct shape *const *)a)->name, (*(const struct shape *const *)b)->name);
}

/* The same for operations, which lie in their array themselves. */
static int compare_operations(const void *a, const void *b)
{
    return strcmp(((const struct model_operation *)a)->name, ((const struct model_operation *)b)->name);
}

/* NULL-terminated against a span, in strcmp's order. */
static int compare_name(struct bytes name, const char *with)
{
    return bytes_compare(name, bytes_of_string(with));
}

/* By halves: a model of a large service has many hundred shapes, and each member asks for one. */
static const struct shape *find_shape(const struct shape *const *sorted, uint32_t count, struct bytes name)
{
    uint32_t low = 0, high = count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_name(name, sorted[middle]->name);

        if (order == 0)
            return sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* A name that the declaration gives, as a shape that is there. */
static enum status resolve(struct parser *p, struct bytes name, const struct shape **shape)
{
    if (name.size == 0)
        return fail(p, p->at, "a shape is missing", name);
    *shape = find_shape(p->sorted, p->service->shape_count, name);
    return *shape ? OK : fail(p, name.data, "unknown shape", name);
}

/* ---- shapes ---- */

/* One half of a range; empty: there is none. */
static bool read_bound(struct bytes digits, bool *has, int64_t *bound)
{
    char text[24], *end;

    *has = digits.size > 0;
    /* An open half has no digits, and leaves the bound at 0. */
    if (!*has)
        return true;
    /* More digits than 64 bits have is a slip of the pen. */
    if (digits.size >= sizeof(text))
        return false;
    memcpy(text, digits.data, digits.size);
    text[digits.size] = 0;
    *bound = strtoll(text, &end, 10);
    return *end == 0 && end != text;
}

/* "1..48", "1..", "..9"; anything else is no range and stays the next word. */
static enum status parse_range(struct parser *p, struct shape *shape)
{
    struct bytes token = peek_token(p);
    /* Two dots make a range, unless they stand in a pattern or in an enum's value. */
    const uint8_t *dots = token.size ? memmem(token.data, token.size, "..", 2) : NULL;

    if (!dots || token.data[0] == '/' || !strchr("-.0123456789", token.data[0]))
        return OK;
    next_token(p);
    struct bytes min = bytes_of(token.data, (size_t)(dots - token.data));
    struct bytes max = bytes_of(dots + 2, token.size - min.size - 2);
    /* Nothing is shorter than nothing; a number may well be less. */
    bool is_length = shape->kind == SHAPE_STRING || shape->kind == SHAPE_BLOB || shape->kind == SHAPE_LIST ||
                     shape->kind == SHAPE_MAP;
    if (!read_bound(min, &shape->has_min, &shape->min) || !read_bound(max, &shape->has_max, &shape->max) ||
        (!shape->has_min && !shape->has_max) || (shape->has_min && shape->has_max && shape->min > shape->max) ||
        (is_length && (shape->min < 0 || shape->max < 0)))
        return fail(p, token.data, "not a range", token);
    return OK;
}

/* A pattern may have blanks, '#' and '/' in it: it ends with the last '/' of the line. */
static enum status parse_pattern(struct parser *p, struct shape *shape)
{
    struct bytes token = peek_token(p);

    if (token.size == 0 || token.data[0] != '/')
        return OK;
    const uint8_t *line_end = memchr(token.data, '\n', (size_t)(p->end - token.data));
    const uint8_t *last = line_end ? line_end : p->end;
    /* What follows on the line belongs to the pattern as well, so the next word is on another one. */
    p->at = last;
    while (is_blank(last[-1]))
        last--;
    if (last[-1] != '/' || last - token.data < 2)
        return fail(p, token.data, "a pattern has no end", token);
    shape->pattern = arena_string(p->arena, bytes_of(token.data + 1, (size_t)(last - token.data) - 2));
    /* The message of PCRE2 goes behind the line. */
    struct error inner = { 0 };
    if (pattern_new(shape->pattern, &shape->compiled_pattern, &inner))
        return fail(p, token.data, inner.message, bytes_of(NULL, 0));
    return OK;
}

/* enum Name [range] VALUE VALUE */
static enum status parse_values(struct parser *p, struct shape *shape)
{
    const char **values = NULL;
    uint32_t capacity = 0;

    for (;;) {
        struct bytes token = next_token(p);

        if (token.size == 0)
            break;
        /* Few enough to look at all of them; once, at start. */
        assert(values || !shape->value_count);
        for (uint32_t i = 0; i < shape->value_count; i++)
            if (bytes_is(token, values[i]))
                return fail(p, token.data, "the value is there twice", token);
        values = arena_room(p->arena, values, shape->value_count, &capacity, 8, sizeof(*values));
        values[shape->value_count++] = arena_string(p->arena, token);
    }
    shape->values = values;
    return shape->value_count ? OK : fail(p, p->at, "an enum without values", bytes_of(NULL, 0));
}

/* "as NAME", or what the name is without it. */
static const char *parse_as(struct parser *p, const char *usual)
{
    return accept_word(p, "as") ? arena_string(p->arena, next_token(p)) : usual;
}

/* list Name [range] of Shape [as NAME] [flat]; map Name [range] of Key [as NAME] to Value [as NAME] [flat] */
static enum status parse_container(struct parser *p, struct shape *shape)
{
    bool is_map = shape->kind == SHAPE_MAP;
    const struct shape *first = NULL;
    enum status status;

    if (!accept_word(p, "of"))
        return fail(p, p->at, "'of' is missing", bytes_of(NULL, 0));
    /* A map has its keys here, a list its elements. */
    struct bytes name = next_token(p);
    status = resolve(p, name, &first);
    if (status)
        return status;
    assert(first);
    if (is_map) {
        /* JSON and CBOR have no other keys. */
        if (first->kind != SHAPE_STRING)
            return fail(p, name.data, "a map's key is no string", name);
        shape->key = first;
        shape->key_name = parse_as(p, "key");
        if (!accept_word(p, "to"))
            return fail(p, p->at, "'to' is missing", bytes_of(NULL, 0));
        status = resolve(p, next_token(p), &first);
        if (status)
            return status;
    }
    shape->element = first;
    shape->element_name = parse_as(p, is_map ? "value" : "member");
    shape->is_flat = accept_word(p, "flat");
    /* "as" at the end of the line has no word behind it. */
    if (!shape->element_name[0] || (is_map && !shape->key_name[0]))
        return fail(p, p->at, "a name is missing behind 'as'", bytes_of(NULL, 0));
    return OK;
}

/* "@query(Name)", "@status", "(Name)": where a member stands and under which name. */
static enum status parse_place(struct parser *p, struct bytes left, struct model_member *member)
{
    const uint8_t *bracket = left.size ? memchr(left.data, '(', left.size) : NULL;
    size_t before = bracket ? (size_t)(bracket - left.data) : left.size;

    if (before && left.data[0] == '@') {
        int place = find_word(places, PLACE_PAYLOAD + 1, bytes_of(left.data + 1, before - 1));

        /* "body" is no place that can be said: it is what is meant without one. */
        if (place <= PLACE_BODY)
            return fail(p, left.data, "unknown place", left);
        member->place = (enum member_place)place;
        before = 0;
    }
    if (before)
        return fail(p, left.data, "not a member", left);
    if (!bracket)
        return OK;
    /* The name begins behind the bracket and ends before the one that closes the word. */
    const uint8_t *last = left.data + left.size - 1;
    if (*last != ')' || last - bracket < 2)
        return fail(p, left.data, "a name in brackets is missing", left);
    member->wire_name = arena_string(p->arena, bytes_of(bracket + 1, (size_t)(last - bracket) - 1));
    return OK;
}

/* name[!][@place][(wire name)]:Shape */
static enum status parse_member(struct parser *p, struct bytes token, struct model_member *member)
{
    /* The last one: a name on the wire may have a colon in it, a shape has none. */
    const uint8_t *colon = memrchr(token.data, ':', token.size);
    size_t size = 0;

    if (!colon || colon == token.data)
        return fail(p, token.data, "not a member", token);
    struct bytes left = bytes_of(token.data, (size_t)(colon - token.data));
    enum status status = resolve(p, bytes_of(colon + 1, token.size - left.size - 1), &member->shape);
    if (status)
        return status;
    /* The name ends where one of the signs begins that can follow it. */
    while (size < left.size && !strchr("!@(", left.data[size]))
        size++;
    if (size == 0)
        return fail(p, token.data, "not a member", token);
    member->name = member->wire_name = arena_string(p->arena, bytes_of(left.data, size));
    left = bytes_of(left.data + size, left.size - size);
    member->required = left.size && left.data[0] == '!';
    if (member->required)
        left = bytes_of(left.data + 1, left.size - 1);
    return parse_place(p, left, member);
}

/* Two members of one name, here or on the wire, would hide each other. */
static bool is_twice(const struct model_member *members, uint32_t count, const struct model_member *member)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(members[i].name, member->name) == 0 ||
            (members[i].place == member->place &&
             (member->place == PLACE_PAYLOAD || strcmp(members[i].wire_name, member->wire_name) == 0)))
            return true;
    return false;
}

/* What is left of a structure, union or error. None at all is fine: many outputs have no members. */
static enum status parse_members(struct parser *p, struct shape *shape)
{
    struct model_member *members = NULL;
    uint32_t capacity = 0;

    for (;;) {
        struct bytes token = next_token(p);
        struct model_member member = { 0 };

        if (token.size == 0)
            break;
        enum status status = parse_member(p, token, &member);
        if (status)
            return status;
        if (is_twice(members, shape->member_count, &member))
            return fail(p, token.data, "the member is there twice", token);
        members = arena_room(p->arena, members, shape->member_count, &capacity, 8, sizeof(*members));
        members[shape->member_count++] = member;
    }
    shape->members = members;
    return OK;
}

/* Between 100 and 599; 0: it is none. */
static uint16_t read_http_status(struct bytes token)
{
    unsigned status = 0;

    for (size_t i = 0; i < token.size; i++)
        status =
            token.size == 3 && token.data[i] >= '0' && token.data[i] <= '9' ? status * 10 + token.data[i] - '0' : 1000;
    return status >= 100 && status < 600 ? (uint16_t)status : 0;
}

/* error Name 404 [code NAME] member:Shape... */
static enum status parse_error(struct parser *p, struct shape *shape)
{
    struct bytes token = next_token(p);

    shape->http_status = read_http_status(token);
    if (!shape->http_status)
        return fail(p, token.size ? token.data : p->at, "not an HTTP status", token);
    /* Query clients know an error by its code, all others by its name. */
    shape->error_code = shape->name;
    if (accept_word(p, "code")) {
        shape->error_code = arena_string(p->arena, next_token(p));
        if (!shape->error_code[0])
            return fail(p, p->at, "a code is missing", bytes_of(NULL, 0));
    }
    return parse_members(p, shape);
}

/* Without a format each protocol takes its own. */
static enum status parse_timestamp(struct parser *p, struct shape *shape)
{
    struct bytes token = next_token(p);
    int format = token.size ? find_word(timestamps, TIMESTAMP_HTTP + 1, token) : 0;

    if (format < 0)
        return fail(p, token.data, "unknown format", token);
    shape->timestamp = (enum timestamp_format)format;
    return OK;
}

/* By kind: what may stand before (a range) and what must stand behind. An enum is a string with
 * values. */
static enum status parse_shape(struct parser *p, struct shape *shape, struct bytes keyword)
{
    /* A range before these would say nothing, so it is a word too many. */
    bool has_no_range = shape->kind == SHAPE_STRUCTURE || shape->kind == SHAPE_BOOLEAN ||
                        shape->kind == SHAPE_TIMESTAMP || shape->kind == SHAPE_DOCUMENT;
    enum status status = has_no_range ? OK : parse_range(p, shape);

    if (status)
        return status;
    if (bytes_is(keyword, "enum"))
        return parse_values(p, shape);
    if (shape->is_error)
        return parse_error(p, shape);
    switch (shape->kind) {
    case SHAPE_STRUCTURE: return parse_members(p, shape);
    case SHAPE_LIST:
    case SHAPE_MAP: status = parse_container(p, shape); break;
    case SHAPE_STRING: status = parse_pattern(p, shape); break;
    case SHAPE_TIMESTAMP: status = parse_timestamp(p, shape); break;
    case SHAPE_BLOB:
    case SHAPE_BOOLEAN:
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE:
    case SHAPE_DOCUMENT: break;
    }
    return status ? status : expect_end(p);
}

/* ---- operations ---- */

/* at GET /path 200 */
static enum status parse_at(struct parser *p, struct model_operation *operation)
{
    struct bytes method = next_token(p), path = next_token(p), http_status = next_token(p);

    operation->http_status = read_http_status(http_status);
    if (!method.size || !path.size || path.data[0] != '/' || !operation->http_status)
        return fail(p, p->at, "not a method, a path and a status", method);
    operation->method = arena_string(p->arena, method);
    operation->path = arena_string(p->arena, path);
    return OK;
}

/* What an operation takes or gives. */
static enum status parse_structure(struct parser *p, const struct shape **result)
{
    struct bytes name = next_token(p);
    enum status status = resolve(p, name, result);

    assert(status || *result);
    if (!status && ((*result)->kind != SHAPE_STRUCTURE || (*result)->is_error))
        status = fail(p, name.data, "not a structure", name);
    return status;
}

/* All errors that the operation may have; those common to all operations are not listed in models. */
static enum status parse_errors(struct parser *p, struct model_operation *operation)
{
    const struct shape **errors = NULL;
    uint32_t capacity = 0;

    for (;;) {
        struct bytes name = next_token(p);
        const struct shape *shape;

        if (name.size == 0)
            break;
        enum status status = resolve(p, name, &shape);
        if (status)
            return status;
        if (!shape->is_error)
            return fail(p, name.data, "not an error", name);
        errors = arena_room(p->arena, errors, operation->error_count, &capacity, 8, sizeof(struct shape *));
        errors[operation->error_count++] = shape;
    }
    operation->errors = errors;
    return operation->error_count ? OK : fail(p, p->at, "errors are missing behind '!'", bytes_of(NULL, 0));
}

/* operation Name [Input] [at METHOD PATH STATUS] -> [Output] [! Error...] */
static enum status parse_operation(struct parser *p, struct model_operation *operation)
{
    bool is_rest = p->service->protocols & 1u << PROTOCOL_REST_JSON;
    struct bytes token = peek_token(p);
    enum status status = OK;

    /* What is not said: no members, and that all went well. */
    operation->input = &no_members;
    operation->http_status = 200;
    if (!bytes_is(token, "->") && !bytes_is(token, "at"))
        status = parse_structure(p, &operation->input);
    if (!status && accept_word(p, "at"))
        status = parse_at(p, operation);
    if (status)
        return status;
    if (!accept_word(p, "->"))
        return fail(p, p->at, "'->' is missing", bytes_of(NULL, 0));
    /* Only REST has paths of its own, and then each operation needs one. */
    if (is_rest != (operation->path != NULL))
        return fail(p, p->at, "'at' belongs to rest-json, and to it alone", bytes_of(NULL, 0));
    token = peek_token(p);
    if (token.size && !bytes_is(token, "!"))
        status = parse_structure(p, &operation->output);
    if (!status && accept_word(p, "!"))
        status = parse_errors(p, operation);
    return status ? status : expect_end(p);
}

/* ---- the service ---- */

/* The first one is the service's usual one. A service may speak several, with the same shapes. */
static enum status parse_protocols(struct parser *p, struct bytes first)
{
    struct model_service *service = p->service;

    for (struct bytes token = first; token.size; token = next_token(p)) {
        int protocol = find_word(protocols, PROTOCOL_COUNT, token);

        if (protocol < 0)
            return fail(p, token.data, "unknown protocol", token);
        if (service->protocols & 1u << protocol)
            return fail(p, token.data, "the protocol is there twice", token);
        /* The first of all. */
        if (!service->protocols)
            service->protocol = (enum model_protocol)protocol;
        service->protocols |= 1u << protocol;
    }
    return OK;
}

/* A line about the service itself. *is_one: it was. */
static enum status parse_service(struct parser *p, const struct declaration *declaration, bool *is_one)
{
    struct model_service *service = p->service;
    const struct {
        const char *word;
        const char **value;
    } words[] = {
        { "service", &service->name },    { "id", &service->id },       { "signing", &service->signing },
        { "version", &service->version }, { "xmlns", &service->xmlns }, { "namespace", &service->namespace_name },
    };

    *is_one = true;
    /* Two that are no word and a value: a flag, and a list. */
    if (bytes_is(declaration->keyword, "query-compatible")) {
        service->is_query_compatible = true;
        return declaration->name.size ? fail(p, declaration->name.data, "unexpected word", declaration->name) : OK;
    }
    if (bytes_is(declaration->keyword, "protocols")) {
        if (service->protocols || !declaration->name.size)
            return fail(p, declaration->keyword.data, "protocols once, and at least one", bytes_of(NULL, 0));
        return parse_protocols(p, declaration->name);
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!bytes_is(declaration->keyword, words[i].word))
            continue;
        if (*words[i].value || !declaration->name.size)
            return fail(p, declaration->keyword.data, "once, and with a value", declaration->keyword);
        *words[i].value = arena_string(p->arena, declaration->name);
        return expect_end(p);
    }
    *is_one = false;
    return OK;
}

/* ---- both passes ---- */

/* Finds where declarations begin: at a line whose first byte is neither a blank nor '#'. */
static enum status collect(struct parser *p)
{
    const uint8_t *at = p->text.data, *end = at + p->text.size;

    while (at < end) {
        const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *next = line_end ? line_end + 1 : end;

        if (!is_blank(*at) && *at != '#') {
            if (p->count)
                p->declarations[p->count - 1].end = at;
            p->declarations =
                arena_room(p->arena, p->declarations, p->count, &p->capacity, 64, sizeof(*p->declarations));
            struct declaration *declaration = &p->declarations[p->count++];
            /* Keyword and name stand on one line; the rest may go on. */
            p->at = at;
            p->end = next;
            *declaration = (struct declaration){ .keyword = next_token(p) };
            declaration->name = next_token(p);
            declaration->at = p->at;
        } else if (p->count == 0 && *at != '#' && *at != '\n' && *at != '\r') {
            return fail(p, at, "a line that goes on with nothing", bytes_of(NULL, 0));
        }
        at = next;
    }
    if (p->count)
        p->declarations[p->count - 1].end = end;
    return OK;
}

/* Where a name is declared last, for a message: names that are there twice are found after sorting. */
static const uint8_t *place_of(const struct parser *p, const char *name)
{
    const uint8_t *at = p->text.data;

    for (uint32_t i = 0; i < p->count; i++)
        if (bytes_is(p->declarations[i].name, name))
            at = p->declarations[i].name.data;
    return at;
}

/* A place for each shape, under its name and with its kind; sorted. */
static enum status name_shapes(struct parser *p)
{
    uint32_t count = 0;

    p->shapes = arena_new_array(p->arena, struct shape, p->count + BASIC_COUNT);
    p->sorted = (const struct shape **)arena_zalloc(p->arena, sizeof(struct shape *) * (p->count + BASIC_COUNT));
    /* Copies, since what is compiled for a pattern is kept in the shape. */
    for (; count < BASIC_COUNT; count++)
        p->shapes[count] = basic_shapes[count];
    for (uint32_t i = 0; i < p->count; i++) {
        struct declaration *declaration = &p->declarations[i];

        for (size_t k = 0; k < KIND_COUNT && !declaration->shape; k++) {
            if (!bytes_is(declaration->keyword, kinds[k].word))
                continue;
            if (!declaration->name.size)
                return fail(p, declaration->keyword.data, "a name is missing", declaration->keyword);
            declaration->shape = &p->shapes[count++];
            declaration->shape->name = arena_string(p->arena, declaration->name);
            declaration->shape->kind = kinds[k].kind;
            declaration->shape->is_union = bytes_is(declaration->keyword, "union");
            declaration->shape->is_error = bytes_is(declaration->keyword, "error");
        }
    }
    for (uint32_t i = 0; i < count; i++)
        p->sorted[i] = &p->shapes[i];
    qsort(p->sorted, count, sizeof(*p->sorted), compare_shapes);
    p->service->shapes = p->sorted;
    p->service->shape_count = count;
    /* Sorted, two of one name are neighbours. */
    for (uint32_t i = 1; i < count; i++)
        if (strcmp(p->sorted[i - 1]->name, p->sorted[i]->name) == 0)
            return fail(p, place_of(p, p->sorted[i]->name), "the shape is there twice",
                        bytes_of_string(p->sorted[i]->name));
    return OK;
}

/* The second pass: shapes are known by name and kind, and an operation's place is the next free one. */
static enum status parse_declaration(struct parser *p, struct declaration *declaration)
{
    struct model_service *service = p->service;
    bool is_of_service;

    p->at = declaration->at;
    p->end = declaration->end;
    if (declaration->shape)
        return parse_shape(p, declaration->shape, declaration->keyword);
    enum status status = parse_service(p, declaration, &is_of_service);
    if (status || is_of_service)
        return status;
    if (!bytes_is(declaration->keyword, "operation"))
        return fail(p, declaration->keyword.data, "unknown declaration", declaration->keyword);
    if (!declaration->name.size)
        return fail(p, declaration->keyword.data, "a name is missing", declaration->keyword);
    struct model_operation *operation = &p->operations[service->operation_count++];
    operation->name = arena_string(p->arena, declaration->name);
    return parse_operation(p, operation);
}

/* NULL is fine: not all shapes have elements. */
static bool is_document(const struct shape *shape)
{
    return shape && shape->kind == SHAPE_DOCUMENT;
}

/* RPC v2 CBOR has no documents: a service that speaks it can have none. */
static enum status refuse_documents(struct parser *p)
{
    for (uint32_t i = 0; i < p->service->shape_count; i++) {
        const struct shape *shape = p->sorted[i];
        bool has_one = is_document(shape->element);

        for (uint32_t k = 0; k < shape->member_count; k++)
            has_one = has_one || is_document(shape->members[k].shape);
        if (has_one)
            return fail(p, place_of(p, shape->name), "a document, and cbor has none", bytes_of_string(shape->name));
    }
    return OK;
}

/* What only the whole can show. */
static enum status finish(struct parser *p)
{
    struct model_service *service = p->service;
    const uint8_t *end = p->text.data + p->text.size;

    /* Who signs requests and how they are addressed is asked of every service. */
    if (!service->name || !service->id || !service->signing || !service->protocols)
        return fail(p, end, "service, id, signing and protocols are needed", bytes_of(NULL, 0));
    if (service->protocols & 1u << PROTOCOL_QUERY && !service->version)
        return fail(p, end, "the query protocol needs a version", bytes_of(NULL, 0));
    if (service->protocols & 1u << PROTOCOL_CBOR && refuse_documents(p))
        return ERR_INVALID;
    if (service->operation_count)
        qsort(p->operations, service->operation_count, sizeof(*p->operations), compare_operations);
    for (uint32_t i = 0; i < service->operation_count; i++) {
        p->operations[i].index = i;
        if (i && strcmp(p->operations[i - 1].name, p->operations[i].name) == 0)
            return fail(p, place_of(p, p->operations[i].name), "the operation is there twice",
                        bytes_of_string(p->operations[i].name));
    }
    service->operations = p->operations;
    return OK;
}

/* The service is the caller's only if all went well; what was compiled until a mistake was found is
 * released with it. */
enum status model_parse(struct arena *arena, struct bytes text, struct model_service **result, struct error *err)
{
    struct model_service *service = arena_new_struct(arena, struct model_service);
    struct parser p = { .arena = arena, .text = text, .err = err, .service = service };
    enum status status = collect(&p);

    if (!status)
        status = name_shapes(&p);
    p.operations = arena_new_array(arena, struct model_operation, p.count);
    for (uint32_t i = 0; !status && i < p.count; i++)
        status = parse_declaration(&p, &p.declarations[i]);
    if (!status)
        status = finish(&p);
    if (status)
        model_release(service);
    else
        *result = service;
    return status;
}

/* Also of a model that was parsed half: what has no pattern has NULL. */
void model_release(struct model_service *service)
{
    for (uint32_t i = 0; service && i < service->shape_count; i++) {
        pattern_free(service->shapes[i]->compiled_pattern);
        ((struct shape *)service->shapes[i])->compiled_pattern = NULL;
    }
}

/* ---- looking up ---- */

/* By halves, as shapes: this one is asked by each request, with a name that a client chose. */
const struct model_operation *model_operation_find(const struct model_service *service, struct bytes name)
{
    uint32_t low = 0, high = service->operation_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_name(name, service->operations[middle].name);

        if (order == 0)
            return &service->operations[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* For tests, handlers and faults, which know names at compile time. */
const struct shape *model_shape_find(const struct model_service *service, const char *name)
{
    return find_shape(service->shapes, service->shape_count, bytes_of_string(name));
}

/* Names are asked by clients, and may have any bytes: what is compared is never read past either end. */
static bool is_name(const char *name, struct bytes asked)
{
    return strnlen(name, asked.size + 1) == asked.size && memcmp(name, asked.data, asked.size) == 0;
}

/* Structures have few members, and most of a request's are found at once: a table would cost more than
 * it saves. */
const struct model_member *shape_member_find(const struct shape *shape, struct bytes name)
{
    assert(shape->kind == SHAPE_STRUCTURE);
    for (uint32_t i = 0; i < shape->member_count; i++)
        if (is_name(shape->members[i].name, name))
            return &shape->members[i];
    return NULL;
}

/* Only members of the body: what REST puts into a header must not be set from elsewhere. */
const struct model_member *shape_member_on_wire(const struct shape *shape, struct bytes wire_name)
{
    assert(shape->kind == SHAPE_STRUCTURE);
    for (uint32_t i = 0; i < shape->member_count; i++)
        if (shape->members[i].place == PLACE_BODY && is_name(shape->members[i].wire_name, wire_name))
            return &shape->members[i];
    return NULL;
}
