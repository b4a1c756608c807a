/* Codecs for tests/api/protocols.py: records on stdin, what helenus makes of each on stdout.
 *
 *     in    fields, each a length (4 bytes, big-endian) and that many bytes: what ("read", "write", "fault"), protocol (as in a model),
 *           model, name (of an operation; of an error), data (the message; a value; the details of the error), text (the error's)
 *     out   fields of the same form: "ok" or "refused"; the value, the message, or why it was refused
 *
 * With rest-json the message is fields of the same form. A request: method, target, the number of headers in decimal, a name and a value
 * for each, body. An answer: status and number of headers in decimal, a name and a value for each, content type, body.
 *
 * A value is words with blanks between them, so that no codec is needed to tell it: z (null), t, f, i-5 (integers), n3ff8000000000000 (a
 * double's bits), m1767323045000000 (a time in microseconds), s6162 (strings, blobs, documents, in hexadecimal), [ values ],
 * { k6162 value ... } (structures by their members' names, and maps).
 */
#include "records.h"
#include "wire/aws/codec.h"
#include "wire/aws/percent.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void append_field(struct buffer *out, struct bytes bytes)
{
    buffer_append_be32(out, (uint32_t)bytes.size);
    buffer_append_bytes(out, bytes);
}

/* ---- values ---- */

static void print_hex(struct buffer *out, char kind, struct bytes bytes)
{
    buffer_printf(out, "%c", kind);
    for (size_t i = 0; i < bytes.size; i++)
        buffer_printf(out, "%02x", bytes.data[i]);
    buffer_append_u8(out, ' ');
}

static void print(struct buffer *out, const struct tree *tree)
{
    uint64_t bits;

    if (!tree) {
        buffer_append_string(out, "z ");
        return;
    }
    switch (tree->shape->kind) {
    case SHAPE_STRUCTURE:
        buffer_append_string(out, "{ ");
        for (uint32_t i = 0; i < tree->shape->member_count; i++)
            if (tree->members[i]) {
                print_hex(out, 'k', bytes_of_string(tree->shape->members[i].name));
                print(out, tree->members[i]);
            }
        buffer_append_string(out, "} ");
        break;
    case SHAPE_LIST:
    case SHAPE_MAP:
        buffer_append_string(out, tree->shape->kind == SHAPE_MAP ? "{ " : "[ ");
        for (uint32_t i = 0; i < tree->count; i++) {
            if (tree->shape->kind == SHAPE_MAP)
                print_hex(out, 'k', tree->entries[i].key);
            print(out, tree->entries[i].value);
        }
        buffer_append_string(out, tree->shape->kind == SHAPE_MAP ? "} " : "] ");
        break;
    case SHAPE_STRING:
    case SHAPE_BLOB:
    case SHAPE_DOCUMENT: print_hex(out, 's', tree->bytes); break;
    case SHAPE_BOOLEAN: buffer_append_string(out, tree->boolean ? "t " : "f "); break;
    case SHAPE_INTEGER:
    case SHAPE_LONG: buffer_printf(out, "i%lld ", (long long)tree->integer); break;
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE:
        memcpy(&bits, &tree->number, sizeof(bits));
        buffer_printf(out, "n%016llx ", (unsigned long long)bits);
        break;
    case SHAPE_TIMESTAMP: buffer_printf(out, "m%lld ", (long long)tree->microseconds); break;
    }
}

static struct bytes next_word(struct bytes *text)
{
    while (text->size && text->data[0] == ' ')
        *text = bytes_of(text->data + 1, text->size - 1);
    size_t size = 0;
    while (size < text->size && text->data[size] != ' ')
        size++;
    struct bytes word = bytes_of(text->data, size);
    *text = bytes_of(text->data + size, text->size - size);
    return word;
}

static struct bytes hex_of(struct arena *arena, struct bytes word)
{
    uint8_t *out = arena_alloc(arena, word.size + 1);
    unsigned byte;

    for (size_t i = 1; i + 1 < word.size; i += 2) {
        int found = sscanf((const char *)word.data + i, "%2x", &byte);

        assert(found == 1);
        out[i / 2] = (uint8_t)byte;
    }
    return bytes_of(out, word.size / 2);
}

static struct tree *make(struct arena *arena, struct bytes *text, const struct shape *shape)
{
    struct bytes word = next_word(text);
    struct tree *tree = tree_new(arena, shape);
    const char *rest = arena_string(arena, word) + 1;

    assert(word.size);
    switch (word.data[0]) {
    case 'z': return NULL;
    case 't': tree->boolean = true; break;
    case 'f': break;
    case 'i': tree->integer = strtoll(rest, NULL, 10); break;
    case 'm': tree->microseconds = strtoll(rest, NULL, 10); break;
    case 's': tree->bytes = hex_of(arena, word); break;
    case 'n': {
        uint64_t bits = strtoull(rest, NULL, 16);

        memcpy(&tree->number, &bits, sizeof(bits));
        break;
    }
    case '[':
    case '{':
        for (struct bytes ahead = *text; !bytes_is(word = next_word(&ahead), "]") && !bytes_is(word, "}");
             ahead = *text) {
            struct bytes key = { NULL, 0 };

            assert(word.size);
            if (shape->kind != SHAPE_LIST) {
                key = hex_of(arena, word);
                *text = ahead;
            }
            if (shape->kind == SHAPE_STRUCTURE) {
                const struct model_member *member = shape_member_find(shape, key);

                assert(member);
                tree->members[member - shape->members] = make(arena, text, member->shape);
            } else {
                tree_add(arena, tree, key, make(arena, text, shape->element));
            }
        }
        next_word(text);
        break;
    default: assert(false);
    }
    return tree;
}

/* ---- records ---- */

struct record {
    struct bytes what, protocol, model, name, data, text;
};

static bool read_rest(struct arena *arena, const struct model_service *service, const struct model_operation *operation,
                      struct bytes data, struct tree **tree, struct api_fault *fault)
{
    struct cursor input = cursor_of(data);
    struct rest_message message = { .method = field(&input) };
    struct bytes query, target = field(&input);

    target_split(target, &message.raw_path, &query);
    message.header_count = (uint32_t)strtoul(arena_string(arena, field(&input)), NULL, 10);

    struct bytes_pair *headers = arena_new_array(arena, struct bytes_pair, message.header_count);

    for (uint32_t i = 0; i < message.header_count; i++) {
        headers[i].name = field(&input);
        headers[i].value = field(&input);
    }
    message.headers = headers;
    message.body = field(&input);
    assert(!input.failed);
    if (rest_operation_find(arena, service, message.method, message.raw_path) != operation)
        return fault_set(fault, "UnknownOperationException", 404, "The path is not found");
    return rest_parameters(arena, query, &message.parameters, &message.parameter_count, fault) &&
           rest_read(arena, operation, &message, tree, fault);
}

static void answer_read(struct arena *arena, const struct record *record, const struct model_service *service,
                        struct buffer *out)
{
    const struct model_operation *operation = model_operation_find(service, record->name);
    struct api_fault fault = { 0 };
    struct tree *tree = NULL;
    bool ok;

    assert(operation);
    if (bytes_is(record->protocol, "cbor"))
        ok = cbor_read(arena, operation->input, record->data, &tree, &fault);
    else if (bytes_is(record->protocol, "query"))
        ok = query_read(arena, operation->input, record->data, &tree, &fault);
    else if (bytes_is(record->protocol, "rest-json"))
        ok = read_rest(arena, service, operation, record->data, &tree, &fault);
    else
        ok = json_read(arena, operation->input, record->data, &tree, &fault);
    /* A request that clients are told to send breaks no bound. */
    ok = ok && tree_check(tree, &fault);
    tell(bytes_of_string(ok ? "ok" : "refused"));
    if (ok)
        print(out, tree);
    else
        buffer_append_string(out, fault.message);
}

static void append_answer(struct arena *arena, const struct rest_answer *answer, const struct buffer *body,
                          struct buffer *out)
{
    append_field(out, bytes_of_string(arena_printf(arena, "%u", answer->status)));
    append_field(out, bytes_of_string(arena_printf(arena, "%u", answer->header_count)));
    for (uint32_t i = 0; i < answer->header_count; i++) {
        append_field(out, answer->headers[i].name);
        append_field(out, answer->headers[i].value);
    }
    append_field(out, bytes_of_string(answer->content_type ? answer->content_type : ""));
    append_field(out, buffer_bytes(body));
}

static void answer_write(struct arena *arena, const struct record *record, const struct model_service *service,
                         struct buffer *out)
{
    const struct model_operation *operation = model_operation_find(service, record->name);
    CLEANUP(buffer_fini) struct buffer body = { 0 };
    struct bytes text = record->data;
    struct rest_answer answer;
    const struct tree *tree;

    assert(operation);
    tree = operation->output ? make(arena, &text, operation->output) : NULL;
    if (bytes_is(record->protocol, "cbor"))
        cbor_write(out, tree);
    else if (bytes_is(record->protocol, "query"))
        query_write(out, service, operation, tree, "c6104cbe");
    else if (bytes_is(record->protocol, "rest-json"))
        rest_write(arena, &body, &answer, operation, tree), append_answer(arena, &answer, &body, out);
    else
        json_write(out, tree);
    tell(BYTES_LITERAL("ok"));
}

static void answer_fault(struct arena *arena, const struct record *record, const struct model_service *service,
                         struct buffer *out)
{
    CLEANUP(buffer_fini) struct buffer body = { 0 };
    struct bytes data = record->data;
    struct rest_answer answer;
    struct api_fault fault;

    const struct shape *shape = model_shape_find(service, arena_string(arena, record->name));
    assert(shape && shape->is_error);
    fault_set(&fault, shape->name, shape->http_status, "%.*s", BYTES(record->text));
    fault.shape = shape;
    fault.details = make(arena, &data, shape);
    if (bytes_is(record->protocol, "cbor"))
        cbor_write_fault(out, service, &fault);
    else if (bytes_is(record->protocol, "query"))
        query_write_fault(out, service, &fault, "c6104cbe");
    else if (bytes_is(record->protocol, "rest-json"))
        rest_write_fault(arena, &body, &answer, service, &fault), append_answer(arena, &answer, &body, out);
    else
        json_write_fault(out, service, &fault);
    tell(BYTES_LITERAL("ok"));
}

static void answer(struct arena *arena, struct cursor *input)
{
    CLEANUP(buffer_fini) struct buffer out = { 0 };
    struct record record = {
        .what = field(input), .protocol = field(input), .model = field(input), .name = field(input)
    };
    struct model_service *service = NULL;
    struct error err;

    record.data = field(input);
    record.text = field(input);
    if (input->failed || model_parse(arena, record.model, &service, &err)) {
        fprintf(stderr, "codec_tool: %s\n", input->failed ? "half a record" : err.message);
        exit(1);
    }
    if (bytes_is(record.what, "read"))
        answer_read(arena, &record, service, &out);
    else if (bytes_is(record.what, "write"))
        answer_write(arena, &record, service, &out);
    else
        answer_fault(arena, &record, service, &out);
    tell(buffer_bytes(&out));
    model_release(service);
}

int main(void)
{
    CLEANUP(buffer_fini) struct buffer input = { 0 };
    size_t size;

    do {
        size = fread(buffer_reserve(&input, 65536), 1, 65536, stdin);
        input.size += size;
    } while (size);
    for (struct cursor cursor = cursor_of(buffer_bytes(&input)); cursor.left;) {
        CLEANUP(arena_free) struct arena *arena = arena_new(4096);

        answer(arena, &cursor);
    }
    return 0;
}
