/* Maps within maps, as Keyspaces' options are: kept as JSON text whose leaves are
 * strings. ALTER TABLE gives some entries of the outermost map; these replace their
 * like, the others stay. */
#include "schema/option.h"

#include "schema/build.h"
#include "schema/ddl.h"
#include "types/json.h"

#include <assert.h>

/* A JSON string. */
static void append_string(struct buffer *out, struct bytes text)
{
    buffer_append_u8(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c == '"' || c == '\\')
            buffer_append_u8(out, '\\');
        /* JSON has no other way to write control characters. */
        if (c < 0x20)
            buffer_printf(out, "\\u%04x", c);
        else
            buffer_append_u8(out, c);
    }
    buffer_append_u8(out, '"');
}

/* Cassandra's words for any option that should be a map. */
static enum status no_map(struct bytes name, struct error *err)
{
    return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.", BYTES(name));
}

/* A literal or a map, with all that is in it. The size is looked at after each map, so
 * nesting cannot make it grow without end. */
static enum status append_term(struct buffer *out, const struct term *term, struct bytes name, struct error *err)
{
    if (term->kind == TERM_LITERAL) {
        append_string(out, term->literal.text);
        return OK;
    }
    if (!term_is_map(term))
        return no_map(name, err);
    assert(term->item_count % 2 == 0);
    buffer_append_u8(out, '{');
    for (uint32_t i = 0; i < term->item_count; i += 2) {
        enum status status;

        if (term->items[i]->kind != TERM_LITERAL)
            return no_map(name, err);
        if (i)
            buffer_append_string(out, ", ");
        append_string(out, term->items[i]->literal.text);
        buffer_append_string(out, ": ");
        status = append_term(out, term->items[i + 1], name, err);
        if (status)
            return status;
    }
    buffer_append_u8(out, '}');
    return out->size > SCHEMA_OPTIONS_BYTES_MAX ? option_too_large(name, err) : OK;
}

/* Has the object a member of this name? Names are compared as they stand, with quotes
 * and escapes: all were written by append_string. */
static bool object_has(struct bytes object, struct bytes name)
{
    struct bytes found, value;

    while (json_next_member(&object, &found, &value))
        if (bytes_equal(found, name))
            return true;
    return false;
}

/* A comma before all but the first. */
static void append_member(struct buffer *out, struct bytes name, struct bytes value)
{
    assert(out->size > 0);
    if (out->size > 1) /* behind "{" */
        buffer_append_string(out, ", ");
    buffer_append_bytes(out, name);
    buffer_append_string(out, ": ");
    buffer_append_bytes(out, value);
}

/* The members of `old` that `given` does not have, then those of `given`. */
static void merge(struct buffer *out, struct bytes old, struct bytes given)
{
    struct bytes rest = given, name, value;

    buffer_append_u8(out, '{');
    while (old.size && json_next_member(&old, &name, &value))
        if (!object_has(given, name))
            append_member(out, name, value);
    while (json_next_member(&rest, &name, &value))
        append_member(out, name, value);
    buffer_append_u8(out, '}');
}

/* A statement names only what it changes: members that it does not give stay as they
 * were. */
enum status option_read_nested(struct arena *arena, const struct cql_option *option, struct bytes *result,
                               struct error *err)
{
    struct buffer given CLEANUP(buffer_fini) = { 0 };
    struct buffer merged CLEANUP(buffer_fini) = { 0 };
    enum status status;

    if (!term_is_map(option->value))
        return no_map(option->name, err);
    status = append_term(&given, option->value, option->name, err);
    if (status)
        return status;
    /* An option that was not set has no members. */
    merge(&merged, *result, buffer_bytes(&given));
    if (merged.size > SCHEMA_OPTIONS_BYTES_MAX)
        return option_too_large(option->name, err);
    *result = arena_copy(arena, buffer_bytes(&merged));
    return OK;
}
