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

/* `keys` and `rows_per_partition`. What is not given is NONE, not what it was before,
 * as in Cassandra. */
enum status option_set_caching(const struct option_setting *setting, void *at, struct error *err)
{
    const struct cql_option *option = setting->option;
    struct arena *arena = setting->arena;
    struct option_map *result = at;
    struct option_map given, rest;
    struct bytes keys = BYTES_LITERAL("NONE"), rows = BYTES_LITERAL("NONE");
    enum status status = options_read_map(arena, option->name, option->value, &given, err);

    assert(result);
    if (status)
        return status;
    /* What is not known is gathered, since the message names all of it. */
    rest = (struct option_map){ 0 };
    for (uint32_t i = 0; i < given.count; i++) {
        struct bytes name = given.options[i].name, value = given.options[i].value;
        int64_t number;

        if (option_is_name(name, "keys")) {
            if (option_is_word(value, "ALL"))
                keys = BYTES_LITERAL("ALL");
            else if (!option_is_word(value, "NONE"))
                return error_set(
                    err, ERR_CONFIG,
                    "Invalid value '%.*s' for caching sub-option 'keys': only 'ALL' and 'NONE' are allowed",
                    BYTES(value));
        } else if (option_is_name(name, "rows_per_partition")) {
            if (option_is_word(value, "ALL"))
                rows = BYTES_LITERAL("ALL");
            else if (option_is_word(value, "NONE"))
                rows = BYTES_LITERAL("NONE");
            else if (value.size && isdigit(value.data[0]) && integer_parse(value, 0, INT32_MAX, &number))
                /* A number of rows; 0 is the same as NONE. */
                rows = number == 0 ? BYTES_LITERAL("NONE")
                                   : bytes_of_string(arena_printf(arena, "%lld", (long long)number));
            else
                return error_set(
                    err, ERR_CONFIG,
                    "Invalid value '%.*s' for caching sub-option 'rows_per_partition': only 'ALL', 'NONE', and integer "
                    "values are allowed",
                    BYTES(value));
        } else {
            option_map_set(arena, &rest, name, value);
        }
    }
    if (rest.count) {
        struct buffer names = { 0 };

        append_names(&names, &rest, option->value);
        status = error_set(err, ERR_CONFIG,
                           "Invalid caching sub-options [%.*s]: only 'keys' and 'rows_per_partition' are allowed",
                           BYTES(buffer_bytes(&names)));
        buffer_fini(&names);
        return status;
    }
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
