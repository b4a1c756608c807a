/* INSERT JSON: an object's members become the columns' values. Values are types/'s to read;
 * here the object is taken apart, without a tree: each member's text is found by its brackets
 * and strings, and handed to the type of its column, which checks what is inside. So memory
 * is bounded by the text, and nesting costs no stack here. */
#include "query/json.h"

#include "plan/expr.h"

#include <assert.h>

struct scan {
    const uint8_t *at, *end;
};

/* strchr finds the zero byte at the end of its string too, so a zero in the text is excluded. */
static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end && strchr(" \t\r\n", *scan->at) && *scan->at)
        scan->at++;
}

/* At the opening quote; ends behind the closing one. False: there is none. */
static bool skip_string(struct scan *scan)
{
    assert(scan->at < scan->end && *scan->at == '"');
    for (scan->at++; scan->at < scan->end; scan->at++) {
        if (*scan->at == '\\') {
            if (++scan->at == scan->end)
                return false;
        } else if (*scan->at == '"') {
            scan->at++;
            return true;
        }
    }
    return false;
}

/* Skips one value of any kind, by its brackets and strings. It may accept what is no JSON:
 * whoever reads the value refuses that. */
static bool skip_value(struct scan *scan)
{
    size_t depth = 0;
    const uint8_t *start = scan->at;

    while (scan->at < scan->end) {
        switch (*scan->at) {
        case '"':
            if (!skip_string(scan))
                return false;
            continue;
        case '{':
        case '[': depth++; break;
        case '}':
        case ']':
            if (depth == 0)
                return scan->at > start;
            depth--;
            break;
        case ',':
            if (depth == 0)
                return scan->at > start;
            break;
        default: break;
        }
        scan->at++;
    }
    return depth == 0 && scan->at > start;
}

/* A member's key: a JSON string, without quotes and escapes. */
static bool read_key(struct scan *scan, struct arena *arena, struct bytes *key)
{
    const uint8_t *start = scan->at;
    struct buffer out = { 0 };
    struct error err;

    if (scan->at == scan->end || *scan->at != '"' || !skip_string(scan))
        return false;
    bool ok = value_parse_json(type_native(TYPE_TEXT), bytes_of(start, (size_t)(scan->at - start)), &out, &err) == OK;
    *key = arena_copy(arena, buffer_bytes(&out));
    buffer_fini(&out);
    return ok;
}

/* Cassandra's words begin so; what follows them there is Jackson's, and differs. */
static enum status broken(struct bytes json, struct error *err)
{
    size_t shown = json.size < 400 ? json.size : 400;

    return error_set(err, ERR_INVALID,
                     "Could not decode JSON string as a map: Unexpected character. (String was: %.*s)", (int)shown,
                     (const char *)json.data);
}

/* Without the space behind it; the space before it was skipped. */
static struct bytes trim(const uint8_t *start, const uint8_t *end)
{
    assert(start <= end);
    while (end > start && strchr(" \t\r\n", end[-1]) && end[-1])
        end--;
    return bytes_of(start, (size_t)(end - start));
}

/* Column names are lower case unless the key is quoted once more: {"\"Name\"": 1}. That is
 * Cassandra's rule for names in CQL, carried over to JSON. */
static const struct column_def *find_column(const struct table_def *table, struct arena *arena, struct bytes key)
{
    if (key.size >= 2 && key.data[0] == '"' && key.data[key.size - 1] == '"')
        return table_def_column(table, bytes_of(key.data + 1, key.size - 2));
    uint8_t *lower = arena_alloc(arena, key.size + 1);
    for (size_t i = 0; i < key.size; i++)
        lower[i] = key.data[i] >= 'A' && key.data[i] <= 'Z' ? key.data[i] + 32 : key.data[i];
    return table_def_column(table, bytes_of(lower, key.size));
}

/* Binds one member's value to its column. A member that comes twice binds twice; the last one
 * counts. */
static enum status bind_member(const struct table_def *table, struct bytes key, struct bytes text, struct arena *arena,
                               struct bytes *values, struct error *err)
{
    const struct column_def *column = find_column(table, arena, key);
    struct buffer out = { 0 };
    struct error why;

    if (!column)
        return error_set(err, ERR_INVALID, "JSON values map contains unrecognized column: %.*s", BYTES(key));
    assert(column->index < table->column_count);
    if (bytes_equal(text, BYTES_LITERAL("null"))) {
        values[column->index] = bytes_of(NULL, 0);
        return OK;
    }
    if (value_parse_json(column->type, text, &out, &why)) {
        buffer_fini(&out);
        return error_set(err, ERR_INVALID, "Error decoding JSON value for %.*s: %s", BYTES(column->name), why.message);
    }
    values[column->index] = buffer_to_arena(arena, &out);
    return OK;
}

/* Reads the object and sets the value of each column: `values` has one entry for each column
 * of the table. A column that no member names is null, or unset with DEFAULT UNSET; a key
 * column is never unset. */
enum status json_bind(const struct table_def *table, struct bytes json, bool default_unset, struct arena *arena,
                      struct bytes *values, struct error *err)
{
    struct scan scan = { json.data, json.data + json.size };

    if (bytes_is_null(json) || native_is_unset(json))
        return error_set(err, ERR_INVALID, "Got null for INSERT JSON values");
    for (uint32_t i = 0; i < table->column_count; i++)
        values[i] = default_unset && table->columns[i].kind != COLUMN_PARTITION_KEY &&
                            table->columns[i].kind != COLUMN_CLUSTERING
                        ? NATIVE_UNSET
                        : bytes_of(NULL, 0);
    skip_space(&scan);
    if (bytes_equal(trim(scan.at, scan.end), BYTES_LITERAL("null")))
        return error_set(err, ERR_INVALID, "Got null for INSERT JSON values");
    if (scan.at == scan.end || *scan.at++ != '{')
        return broken(json, err);
    skip_space(&scan);
    if (scan.at < scan.end && *scan.at == '}')
        return OK;
    for (;;) {
        struct bytes key;

        skip_space(&scan);
        if (!read_key(&scan, arena, &key))
            return broken(json, err);
        skip_space(&scan);
        if (scan.at == scan.end || *scan.at++ != ':')
            return broken(json, err);
        skip_space(&scan);
        const uint8_t *start = scan.at;
        if (!skip_value(&scan))
            return broken(json, err);
        enum status status = bind_member(table, key, trim(start, scan.at), arena, values, err);
        if (status)
            return status;
        if (scan.at == scan.end)
            return broken(json, err);
        if (*scan.at == '}')
            break;
        if (*scan.at++ != ',')
            return broken(json, err);
    }
    scan.at++;
    skip_space(&scan);
    return scan.at == scan.end ? OK : broken(json, err);
}
