/* Literals of WITH as the values that options are made of, refused with Cassandra's
 * words. Cassandra turns every literal into a string first, and then reads the string:
 * so 'true' in quotes is a boolean, and 1.0 is no integer. It is done the same way
 * here. */
#include "schema/option.h"

#include "schema/build.h"
#include "schema/ddl.h"
#include "types/number.h"

#include <assert.h>
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>

/* {} is a set to the grammar. */
bool term_is_map(const struct term *term)
{
    return term->kind == TERM_MAP || (term->kind == TERM_SET && term->item_count == 0);
}

/* Our own limit: definitions are kept in memory. */
enum status option_too_large(struct bytes name, struct error *err)
{
    return error_set(err, ERR_INVALID, "Value of property '%.*s' is too large: the limit is %d bytes", BYTES(name),
                     SCHEMA_OPTIONS_BYTES_MAX);
}

/* The text of any literal; a string needs no quotes to be one here. */
enum status option_read_string(const struct cql_option *option, struct bytes *text, struct error *err)
{
    if (option->value->kind != TERM_LITERAL)
        return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a string",
                         BYTES(option->name));
    assert(option->name.data);
    *text = option->value->literal.text;
    if (text->size > SCHEMA_OPTIONS_BYTES_MAX)
        return option_too_large(option->name, err);
    return OK;
}

/* A map of literals, sorted by name; of two entries with one name the later one counts,
 * though the grammar refuses them. */
enum status options_read_map(struct arena *arena, struct bytes name, const struct term *term, struct option_map *map,
                             struct error *err)
{
    size_t size = 0;

    assert(term && name.size);
    *map = (struct option_map){ 0 };
    if (!term_is_map(term))
        return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.", BYTES(name));
    assert(term->item_count % 2 == 0); /* the grammar makes pairs */
    for (uint32_t i = 0; i < term->item_count; i += 2) {
        const struct term *key = term->items[i], *value = term->items[i + 1];

        if (key->kind != TERM_LITERAL || value->kind != TERM_LITERAL)
            return error_set(err, ERR_SYNTAX, "Invalid value for property '%.*s'. It should be a map.", BYTES(name));
        /* The whole map counts, not only each of its values. */
        size += key->literal.text.size + value->literal.text.size;
        if (size > SCHEMA_OPTIONS_BYTES_MAX)
            return option_too_large(name, err);
        option_map_set(arena, map, key->literal.text, value->literal.text);
    }
    return OK;
}

/* Java's Integer.parseInt. */
enum status option_read_integer(const struct cql_option *option, int32_t *result, struct error *err)
{
    struct bytes text;
    int64_t value;
    enum status status = option_read_string(option, &text, err);

    if (status)
        return status;
    if (!integer_parse(text, INT32_MIN, INT32_MAX, &value))
        return error_set(err, ERR_SYNTAX, "Invalid integer value %.*s for '%.*s'", BYTES(text), BYTES(option->name));
    *result = (int32_t)value;
    return OK;
}

/* Java's Double.parseDouble. */
enum status option_read_double(const struct cql_option *option, double *result, struct error *err)
{
    struct bytes text;
    enum status status = option_read_string(option, &text, err);

    if (status)
        return status;
    if (!double_parse(text, result))
        return error_set(err, ERR_SYNTAX, "Invalid double value %.*s for '%.*s'", BYTES(text), BYTES(option->name));
    return OK;
}

/* Cassandra's words for true and false. */
enum status option_read_boolean(const struct cql_option *option, bool *result, struct error *err)
{
    struct bytes text;
    enum status status = option_read_string(option, &text, err);

    if (status)
        return status;
    if (bytes_is_ignoring_case(text, "1") || bytes_is_ignoring_case(text, "true") ||
        bytes_is_ignoring_case(text, "yes")) {
        *result = true;
        return OK;
    }
    if (bytes_is_ignoring_case(text, "0") || bytes_is_ignoring_case(text, "false") ||
        bytes_is_ignoring_case(text, "no")) {
        *result = false;
        return OK;
    }
    return error_set(err, ERR_SYNTAX,
                     "Invalid boolean value %.*s for '%.*s'. Positive values can be '1', 'true' or 'yes'. "
                     "Negative values can be '0', 'false' or 'no'.",
                     BYTES(text), BYTES(option->name));
}

/* A number as Java prints it; `text` has room for the longest. */
const char *option_shown_double(char text[64], double v)
{
    struct buffer out = { 0 };

    double_print(&out, v);
    assert(out.size > 0 && out.size < 64);
    snprintf(text, 64, "%.*s", (int)out.size, (const char *)out.data);
    buffer_fini(&out);
    return text;
}

/* Digits and points, then a suffix: "99.9p". False: it does not begin with a number. */
bool option_split_number(struct bytes text, double *number, struct bytes *suffix)
{
    size_t i = 0;

    while (i < text.size && (isdigit(text.data[i]) || text.data[i] == '.'))
        i++;
    assert(i <= text.size);
    *suffix = bytes_of(text.data + i, text.size - i);
    return i > 0 && double_parse(bytes_of(text.data, i), number);
}

/* Without space on either side. */
struct bytes option_trim(struct bytes text)
{
    while (text.size && isspace(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && isspace(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* A name with a point in it has its package already. */
struct bytes option_qualified(struct arena *arena, const char *package, struct bytes name)
{
    if (name.size && memchr(name.data, '.', name.size))
        return name;
    return bytes_of_string(arena_printf(arena, "%s%.*s", package, BYTES(name)));
}

/* The number of an option that was checked, or `fallback` if it is not there. */
double option_double(const struct option_map *map, const char *name, double fallback)
{
    const struct option *option = option_map_find(map, bytes_of_string(name));
    double value;

    return option && double_parse(option->value, &value) ? value : fallback;
}
