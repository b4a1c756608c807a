/* restJson1: a tree becomes an answer's status, headers and body. */
#include "wire/aws/codec.h"
#include "wire/aws/scalar.h"

#include <assert.h>

/* A line end in a value would begin a header of its own, which whoever stored the value could
 * choose. */
static struct bytes header_value(struct arena *arena, const struct buffer *text)
{
    uint8_t *value = arena_alloc(arena, text->size + 1);

    for (size_t i = 0; i < text->size; i++)
        value[i] = text->data[i] < ' ' || text->data[i] == 127 ? ' ' : text->data[i];
    return bytes_of(value, text->size);
}

/* Headers lie in the arena: they must live until the answer is sent, which is after the tree is
 * gone. */
static void add_header(struct arena *arena, struct rest_answer *answer, struct bytes name, const struct buffer *text)
{
    answer->headers = arena_room(arena, answer->headers, answer->header_count, &answer->header_capacity, 8,
                                 sizeof(struct bytes_pair));
    answer->headers[answer->header_count++] = (struct bytes_pair){ name, header_value(arena, text) };
}

/* An element that has a comma, or quotes, stands in quotes, else a reader would take it for two. */
static void append_element(struct buffer *out, const struct tree *element)
{
    size_t from = out->size;
    bool is_text = element->shape->kind == SHAPE_STRING;

    assert(shape_is_scalar(element->shape));
    if (!is_text || !element->bytes.size ||
        (!memchr(element->bytes.data, ',', element->bytes.size) &&
         !memchr(element->bytes.data, '"', element->bytes.size))) {
        scalar_write(out, element, TIMESTAMP_HTTP);
        assert(out->size >= from);
        return;
    }
    /* In quotes a backslash takes the next character as it is. */
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < element->bytes.size; i++) {
        if (element->bytes.data[i] == '"' || element->bytes.data[i] == '\\')
            buffer_append_u8(out, '\\');
        buffer_append_u8(out, element->bytes.data[i]);
    }
    buffer_append_u8(out, '"');
}

/* A list is one header, so that its order is told; null has no text and is left out. */
static void write_header(struct arena *arena, struct rest_answer *answer, const struct model_member *member,
                         const struct tree *tree)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };
    bool is_list = tree->shape->kind == SHAPE_LIST;

    for (uint32_t i = 0; is_list && i < tree->count; i++) {
        if (!tree->entries[i].value)
            continue;
        if (text.size)
            buffer_append_string(&text, ", ");
        append_element(&text, tree->entries[i].value);
    }
    if (!is_list)
        scalar_write(&text, tree, TIMESTAMP_HTTP);
    add_header(arena, answer, bytes_of_string(member->wire_name), &text);
}

/* A name that cannot be a header's name would break the answer: it is left out. */
static bool is_token(struct bytes name)
{
    bool good = name.size > 0;

    for (size_t i = 0; good && i < name.size; i++)
        good = name.data[i] > ' ' && name.data[i] < 127 && !memchr("\"(),/:;<=>?@[\\]{}", name.data[i], 17);
    return good;
}

/* Keys are a client's, from whatever request stored them. */
static void write_prefixed(struct arena *arena, struct rest_answer *answer, const struct model_member *member,
                           const struct tree *tree)
{
    for (uint32_t i = 0; i < tree->count; i++) {
        CLEANUP(buffer_fini) struct buffer text = { 0 };
        const struct tree_entry *entry = &tree->entries[i];
        struct bytes name = bytes_of_string(arena_printf(arena, "%s%.*s", member->wire_name, BYTES(entry->key)));

        if (!entry->value || !is_token(name))
            continue;
        scalar_write(&text, entry->value, TIMESTAMP_HTTP);
        add_header(arena, answer, name, &text);
    }
}

/* Bytes as they are, or JSON. */
static void write_payload(struct buffer *body, struct rest_answer *answer, const struct tree *tree)
{
    switch (tree->shape->kind) {
    case SHAPE_BLOB:
        answer->content_type = "application/octet-stream";
        buffer_append_bytes(body, tree->bytes);
        break;
    case SHAPE_STRING:
        answer->content_type = "text/plain";
        buffer_append_bytes(body, tree->bytes);
        break;
    default:
        answer->content_type = "application/json";
        json_write(body, tree);
        break;
    }
}

/* Has the shape a member there? */
static bool has_place(const struct shape *shape, enum member_place place)
{
    bool found = false;

    for (uint32_t i = 0; i < shape->member_count; i++)
        found = found || shape->members[i].place == place;
    return found;
}

/* An output that stands in headers alone has no body; any other has one, if only {}. */
static bool has_json(const struct model_operation *operation)
{
    const struct shape *output = operation->output;

    if (!output || operation->http_status == 204 || has_place(output, PLACE_PAYLOAD))
        return false;
    return !output->member_count || has_place(output, PLACE_BODY);
}

/* Members go where the model says. The body is written last, since what is in it is what is left. A
 * status of the operation's own goes before the model's. */
void rest_write(struct arena *arena, struct buffer *body, struct rest_answer *answer,
                const struct model_operation *operation, const struct tree *tree)
{
    *answer = (struct rest_answer){ .status = operation->http_status };
    assert(operation->http_status >= 200 && (!tree || tree->shape == operation->output));
    for (uint32_t i = 0; tree && i < tree->shape->member_count; i++) {
        const struct model_member *member = &tree->shape->members[i];
        const struct tree *value = tree->members[i];

        if (!value)
            continue;
        switch (member->place) {
        case PLACE_HEADER: write_header(arena, answer, member, value); break;
        case PLACE_HEADERS: write_prefixed(arena, answer, member, value); break;
        case PLACE_PAYLOAD: write_payload(body, answer, value); break;
        case PLACE_STATUS: answer->status = (unsigned)value->integer; break;
        case PLACE_BODY: /* JSON's */
        case PLACE_URI:  /* of requests */
        case PLACE_QUERY: break;
        }
    }
    /* Also of no tree: an output without members is {}. */
    if (has_json(operation)) {
        answer->content_type = "application/json";
        json_write(body, tree);
    }
}

/* The name is a header and in the body: clients of different languages look in different places.
 * Members of headers, such as Retry-After, are those of the error's shape. */
void rest_write_fault(struct arena *arena, struct buffer *body, struct rest_answer *answer,
                      const struct model_service *service, const struct api_fault *fault)
{
    CLEANUP(buffer_fini) struct buffer name = { 0 };
    const struct tree *details = fault->details;

    *answer = (struct rest_answer){ .status = fault->http_status, .content_type = "application/json" };
    assert(fault->name && fault->http_status >= 400);
    /* The name alone, without its namespace: clients cut what they know of, not more. */
    buffer_append_string(&name, fault->name);
    add_header(arena, answer, BYTES_LITERAL("x-amzn-errortype"), &name);
    for (uint32_t i = 0; details && i < details->shape->member_count; i++)
        if (details->members[i] && details->shape->members[i].place == PLACE_HEADER)
            write_header(arena, answer, &details->shape->members[i], details->members[i]);
    json_write_fault(body, service, fault);
}
