/* awsQuery's answers: a tree becomes XML.
 *
 * XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF, and a client that gets one throws the answer away and
 * asks again. So each becomes U+FFFD, as what is no UTF-8 does: who stores such a text gets it back whole by JSON and CBOR only.
 */
#include "types/text.h"
#include "wire/aws/codec.h"
#include "wire/aws/scalar.h"

#include <assert.h>

#define REPLACEMENT "\xef\xbf\xbd"

/* How a character must be written; NULL: as it is. A raw carriage return would come out as a line
 * feed. */
static const char *written_as(uint8_t c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\r': return "&#xD;";
    case '\t':
    case '\n': return NULL;
    default: return c < ' ' ? REPLACEMENT : NULL;
    }
}

/* U+FFFE and U+FFFF. */
static bool is_no_character(struct bytes text, size_t i)
{
    return text.size - i >= 3 && text.data[i] == 0xef && text.data[i + 1] == 0xbf && text.data[i + 2] >= 0xbe;
}

/* Of text that is UTF-8. */
/* Plain stretches are copied whole. */
static void append_escaped(struct buffer *out, struct bytes text)
{
    size_t plain = 0;

    for (size_t i = 0; i < text.size; i++) {
        bool is_none = is_no_character(text, i);
        const char *written = is_none ? REPLACEMENT : written_as(text.data[i]);

        if (!written)
            continue;
        buffer_append(out, text.data + plain, i - plain);
        buffer_append_string(out, written);
        i += is_none ? 2 : 0;
        plain = i + 1;
    }
    buffer_append(out, text.data + plain, text.size - plain);
}

/* Each byte that is no UTF-8 becomes one replacement: where a character would end, nobody knows. */
static void append_text(struct buffer *out, struct bytes text)
{
    while (text.size) {
        size_t good = text_utf8_size(text);

        append_escaped(out, bytes_of(text.data, good));
        if (good == text.size)
            return;
        buffer_append_string(out, REPLACEMENT);
        text = bytes_of(text.data + good + 1, text.size - good - 1);
    }
}

/* Names of elements are a model's: letters and digits, which need no escape. */
static void open_tag(struct buffer *out, const char *name)
{
    buffer_append_u8(out, '<');
    buffer_append_string(out, name);
    buffer_append_u8(out, '>');
}

static void close_tag(struct buffer *out, const char *name)
{
    buffer_append_string(out, "</");
    buffer_append_string(out, name);
    buffer_append_u8(out, '>');
}

/* An empty text has both tags as well: some old clients read <a/> as absent. */
static void append_element(struct buffer *out, const char *name, struct bytes text)
{
    open_tag(out, name);
    append_text(out, text);
    close_tag(out, name);
}

static void write_value(struct buffer *out, const char *name, const struct tree *tree);

/* A string needs no copy; of the others each is short but blobs. */
static void write_scalar(struct buffer *out, const char *name, const struct tree *tree)
{
    CLEANUP(buffer_fini) struct buffer text = { 0 };

    if (tree->shape->kind == SHAPE_STRING) {
        append_element(out, name, tree->bytes);
        return;
    }
    scalar_write(&text, tree, TIMESTAMP_ISO8601);
    append_element(out, name, buffer_bytes(&text));
}

/* In the model's order, under their names on the wire; what is absent has no element. */
static void write_members(struct buffer *out, const struct tree *tree)
{
    assert(tree->shape->kind == SHAPE_STRUCTURE);
    for (uint32_t i = 0; i < tree->shape->member_count; i++)
        if (tree->members[i])
            write_value(out, tree->shape->members[i].wire_name, tree->members[i]);
}

/* An entry stands in <entry>, or if the map is flat in an element of the map's own name. Null values
 * are not written. */
static void write_entries(struct buffer *out, const char *name, const struct tree *tree)
{
    const char *entry = tree->shape->is_flat ? name : "entry";

    for (uint32_t i = 0; i < tree->count; i++) {
        if (!tree->entries[i].value)
            continue;
        open_tag(out, entry);
        append_element(out, tree->shape->key_name, tree->entries[i].key);
        write_value(out, tree->shape->element_name, tree->entries[i].value);
        close_tag(out, entry);
    }
}

/* Null cannot be told in XML: an element without a text would be an empty string. */
static void write_elements(struct buffer *out, const char *name, const struct tree *tree)
{
    const char *element = tree->shape->is_flat ? name : tree->shape->element_name;

    for (uint32_t i = 0; i < tree->count; i++)
        if (tree->entries[i].value)
            write_value(out, element, tree->entries[i].value);
}

/* A flat container has no element of its own: an empty one is nothing at all. */
static void write_value(struct buffer *out, const char *name, const struct tree *tree)
{
    if (shape_is_scalar(tree->shape)) {
        write_scalar(out, name, tree);
        return;
    }

    bool is_flat = tree->shape->kind != SHAPE_STRUCTURE && tree->shape->is_flat;

    if (!is_flat)
        open_tag(out, name);
    if (tree->shape->kind == SHAPE_STRUCTURE)
        write_members(out, tree);
    else if (tree->shape->kind == SHAPE_MAP)
        write_entries(out, name, tree);
    else
        write_elements(out, name, tree);
    if (!is_flat)
        close_tag(out, name);
}

/* The namespace is a model's, and may have a '&' in it. */
static void open_root(struct buffer *out, const char *name, const char *ending, const struct model_service *service)
{
    buffer_append_u8(out, '<');
    buffer_append_string(out, name);
    buffer_append_string(out, ending);
    if (service && service->xmlns) {
        buffer_append_string(out, " xmlns=\"");
        append_text(out, bytes_of_string(service->xmlns));
        buffer_append_u8(out, '"');
    }
    buffer_append_u8(out, '>');
}

/* Clients look for <NameResult> by its name, so an operation that has an output has it even if that
 * is empty. */
void query_write(struct buffer *out, const struct model_service *service, const struct model_operation *operation,
                 const struct tree *tree, const char *request_id)
{
    open_root(out, operation->name, "Response", service);
    if (operation->output) {
        assert(!tree || tree->shape == operation->output);
        buffer_printf(out, "<%sResult>", operation->name);
        if (tree)
            write_members(out, tree);
        buffer_printf(out, "</%sResult>", operation->name);
    }
    open_tag(out, "ResponseMetadata");
    append_element(out, "RequestId", bytes_of_string(request_id));
    close_tag(out, "ResponseMetadata");
    buffer_printf(out, "</%sResponse>", operation->name);
}

/* The message is a part of the fault, whatever the shape's member for it is called. */
static bool is_message(const char *name)
{
    return !strcmp(name, "message") || !strcmp(name, "Message");
}

/* Clients take the code from here and nowhere else, and an answer without this very form is none to
 * them: they ask again. An empty message is left out, since an empty element is read as nothing. */
void query_write_fault(struct buffer *out, const struct model_service *service, const struct api_fault *fault,
                       const char *request_id)
{
    const struct tree *details = fault->details;

    assert(fault->name);
    open_root(out, "ErrorResponse", "", service);
    open_tag(out, "Error");
    append_element(out, "Type", bytes_of_string(fault->is_receiver ? "Receiver" : "Sender"));
    append_element(out, "Code", bytes_of_string(fault_query_code(fault)));
    if (fault->message[0])
        append_element(out, "Message", bytes_of_string(fault->message));
    for (uint32_t i = 0; details && i < details->shape->member_count; i++)
        if (details->members[i] && !is_message(details->shape->members[i].name))
            write_value(out, details->shape->members[i].wire_name, details->members[i]);
    close_tag(out, "Error");
    append_element(out, "RequestId", bytes_of_string(request_id));
    close_tag(out, "ErrorResponse");
}
