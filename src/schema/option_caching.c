/* caching and memtable: what Cassandra keeps in memory. Both are checked and shown;
 * nothing here acts on them. */
#include "schema/option.h"

#include "schema/build.h"
#include "types/number.h"

#include <assert.h>
#include <ctype.h>

/* The names of the map's entries, in the order in which they were written, as the
 * message lists them. */
static void append_names(struct buffer *out, const struct option_map *map, const struct term *written)
{
    bool first = true;

    for (uint32_t i = 0; i < written->item_count; i += 2) {
        struct bytes name = written->items[i]->literal.text;

        assert(written->items[i]->kind == TERM_LITERAL); /* it was read as a map of them */
        if (!option_map_find(map, name))
            continue;
        if (!first)
            buffer_append_string(out, ", ");
        buffer_append_bytes(out, name);
        first = false;
    }
}

/* `keys`: ALL or NONE, in any case of letters; kept in capitals. */
static enum status read_keys(struct bytes value, struct bytes *keys, struct error *err)
{
    if (bytes_is_ignoring_case(value, "ALL")) {
        *keys = BYTES_LITERAL("ALL");
        return OK;
    }
    if (bytes_is_ignoring_case(value, "NONE")) {
        *keys = BYTES_LITERAL("NONE");
        return OK;
    }
    return error_set(err, ERR_CONFIG,
                     "Invalid value '%.*s' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed",
                     BYTES(value));
}

/* `rows_per_partition`: ALL, NONE or a number of rows, which is kept as it is counted, not as it
 * was written ("007" is 7); 0 is the same as NONE. */
static enum status read_rows(struct arena *arena, struct bytes value, struct bytes *rows, struct error *err)
{
    int64_t number;

    if (bytes_is_ignoring_case(value, "ALL")) {
        *rows = BYTES_LITERAL("ALL");
    } else if (bytes_is_ignoring_case(value, "NONE")) {
        *rows = BYTES_LITERAL("NONE");
    } else if (value.size && isdigit(value.data[0]) && integer_parse(value, 0, INT32_MAX, &number)) {
        *rows = number == 0 ? BYTES_LITERAL("NONE") : bytes_of_string(arena_printf(arena, "%lld", (long long)number));
    } else {
        return error_set(err, ERR_CONFIG,
                         "Invalid value '%.*s' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and "
                         "integer values are allowed",
                         BYTES(value));
    }
    return OK;
}

/* Names all sub-options that are not known, as Cassandra does. */
static enum status unknown_names(const struct option_map *unknown, const struct term *written, struct error *err)
{
    struct buffer names = { 0 };
    enum status status;

    assert(unknown->count);
    append_names(&names, unknown, written);
    status = error_set(err, ERR_CONFIG,
                       "Invalid caching sub-options [%.*s]: only 'keys' and 'rows_per_partition' are allowed",
                       BYTES(buffer_bytes(&names)));
    buffer_fini(&names);
    return status;
}

/* `keys` and `rows_per_partition`. What is not given is NONE, not what it was before,
 * as in Cassandra. */
enum status option_set_caching(const struct option_setting *setting, void *at, struct error *err)
{
    const struct cql_option *option = setting->option;
    struct arena *arena = setting->arena;
    struct option_map *result = at;
    struct option_map given, rest = { 0 };
    struct bytes keys = BYTES_LITERAL("NONE"), rows = BYTES_LITERAL("NONE");
    enum status status = options_read_map(arena, option->name, option->value, &given, err);

    assert(result);
    if (status)
        return status;
    /* What is not known is gathered, since the message names all of it. */
    for (uint32_t i = 0; i < given.count && !status; i++) {
        struct bytes name = given.options[i].name, value = given.options[i].value;

        if (bytes_is(name, "keys"))
            status = read_keys(value, &keys, err);
        else if (bytes_is(name, "rows_per_partition"))
            status = read_rows(arena, value, &rows, err);
        else
            option_map_set(arena, &rest, name, value);
    }
    if (status)
        return status;
    if (rest.count)
        return unknown_names(&rest, option->value, err);
    assert(keys.size && rows.size);
    *result = (struct option_map){ 0 };
    option_map_set(arena, result, BYTES_LITERAL("keys"), keys);
    option_map_set(arena, result, BYTES_LITERAL("rows_per_partition"), rows);
    return OK;
}

/* The names that a stock cassandra.yaml defines. What was said is kept; there is one
 * kind of memtable here. */
enum status option_set_memtable(const struct option_setting *setting, void *at, struct error *err)
{
    struct bytes *result = at;
    struct bytes text;
    enum status status = option_read_string(setting->option, &text, err);

    if (status)
        return status;
    static const struct bytes known[] = { { (const uint8_t *)"default", 7 },
                                          { (const uint8_t *)"skiplist", 8 },
                                          { (const uint8_t *)"trie", 4 } };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (bytes_equal(text, known[i])) {
            *result = known[i];
            return OK;
        }
    return error_set(err, ERR_CONFIG, "Memtable configuration \"%.*s\" not found.", BYTES(text));
}
