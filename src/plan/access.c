/* The values of a request find partitions, rows, slices and tokens. A plan says how rows are
 * reached (by key, by a range of tokens, by a prefix of the clustering and perhaps a slice);
 * here the bound values make of that the keys and ranges that table/ reads or writes.
 *
 * INs multiply: the keys of all combinations are made, sorted, each once, and bounded by
 * KEYS_MAX, because a client chooses how many there are. Two encodings meet here: a partition
 * key is stored as Cassandra serializes it, a clustering is encoded so that memcmp orders it
 * (types/value.h). */
#include "plan/access.h"

#include "base/debug.h"

#include <assert.h>
#include <stdlib.h>

/* Cassandra tells null from unset in its words. */
static enum status bad_value(const struct column_def *column, struct bytes value, struct error *err)
{
    if (native_is_unset(value))
        return error_set(err, ERR_INVALID, "Invalid unset value for column %.*s", BYTES(column->name));
    return error_set(err, ERR_INVALID, "Invalid null value in condition for column %.*s", BYTES(column->name));
}

/* A null inside of a tuple that several columns are compared with: Cassandra names them all. */
static enum status bad_tuple(const struct key_part *part, const struct column_def *columns, struct arena *arena,
                             struct error *err)
{
    struct buffer names = { 0 };

    assert(part->width > 1);
    for (uint32_t i = 0; i < part->width; i++)
        buffer_printf(&names, "%s%.*s", i ? ", " : "", BYTES(columns[part->first + i].name));
    /* The error copies it; the buffer is ours. */
    struct bytes list = arena_copy(arena, buffer_bytes(&names));
    buffer_fini(&names);
    return error_set(err, ERR_INVALID, "Invalid null value in condition for columns: [%.*s]", BYTES(list));
}

static bool is_bad(struct bytes value)
{
    return bytes_is_null(value) || native_is_unset(value);
}

/* Tuples of clustering columns may be bound with fewer fields than there are columns: they stand for what begins with these. So a
 * field that is not there differs from a null, which is refused. */
static const uint8_t no_field;

static bool is_missing(struct bytes value)
{
    return value.data == &no_field;
}

/* Looks whether a null of a part is a field that a short tuple does not have. The value of a
 * field is null in both cases; only the tuple's own bytes tell whether it ends before it. */
static enum status find_missing(const struct expr *expr, struct eval *eval, struct bytes *value, struct error *err)
{
    struct value_iterator iterator;
    struct bytes tuple, field;
    enum status status;

    if (expr->kind != EXPR_COMPONENT)
        return OK;
    assert(expr->arg_count == 1);
    status = expr_evaluate(expr->args[0], eval, &tuple, err);
    if (status || is_bad(tuple))
        return status;
    value_iterator_init(&iterator, expr->args[0]->type, tuple);
    for (uint32_t i = 0; i < expr->index; i++)
        value_iterator_next(&iterator, &field);
    if (!iterator.rest.size)
        *value = bytes_of(&no_field, 0);
    return OK;
}

/* The part's columns as the name of a marker has them: "(c,d)". */
static struct bytes name_of_part(const struct key_part *part, const struct column_def *columns, struct arena *arena)
{
    struct buffer name = { 0 };

    assert(part->width);
    for (uint32_t i = 0; i < part->width; i++)
        buffer_printf(&name, "%s%.*s", i ? "," : "(", BYTES(columns[part->first + i].name));
    buffer_append_string(&name, ")");
    struct bytes copy = arena_copy(arena, buffer_bytes(&name));
    buffer_fini(&name);
    return copy;
}

/* How many columns of a group have a value, before the first that a short tuple does not
 * have. */
static uint32_t width_of(const struct bytes *values, uint32_t width)
{
    uint32_t reached = 0;

    while (reached < width && !is_missing(values[reached]))
        reached++;
    return reached;
}

/* Evaluates the values of a part that the statement names one by one: value_count groups of
 * `width`. */
static enum status said_values(const struct key_part *part, const struct column_def *columns, struct eval *eval,
                               struct bytes *list, struct error *err)
{
    debug_assert(!part->in_marker && (part->values || !part->value_count));
    for (size_t i = 0; i < (size_t)part->value_count * part->width; i++) {
        const struct column_def *column = &columns[part->first + i % part->width];
        enum status status = expr_evaluate(part->values[i], eval, &list[i], err);

        if (!status && bytes_is_null(list[i]) && part->width > 1)
            status = find_missing(part->values[i], eval, &list[i], err);
        if (status)
            return status;
        /* Cassandra's words for a tuple's null differ from those for a column's. */
        if (bytes_is_null(list[i]) && part->width > 1)
            return error_set(err, ERR_INVALID, "Invalid null value for column %.*s", BYTES(column->name));
        if (native_is_unset(list[i]) && part->values[i]->kind == EXPR_COMPONENT)
            return error_set(err, ERR_INVALID, "Invalid unset value for tuple %.*s",
                             BYTES(name_of_part(part, columns, eval->arena)));
        if (is_bad(list[i]))
            return bad_value(column, list[i], err);
    }
    return OK;
}

/* Evaluates the marker of IN ?. It fails on a null or unset list, in the words that Cassandra
 * has for a list of values and for a list of tuples. */
static enum status bound_list(const struct key_part *part, const struct column_def *columns, struct eval *eval,
                              struct bytes *marker, struct error *err)
{
    enum status status = expr_evaluate(part->in_marker, eval, marker, err);

    assert(part->in_marker->type->kind == TYPE_LIST);
    if (status)
        return status;
    if (is_bad(*marker) && part->width > 1)
        return native_is_unset(*marker) ? error_set(err, ERR_INVALID, "Invalid unset value for in%.*s",
                                                    BYTES(name_of_part(part, columns, eval->arena)))
                                        : error_set(err, ERR_INVALID, "Invalid null value for IN restriction");
    if (native_is_unset(*marker))
        return bad_value(&columns[part->first], *marker, err);
    if (bytes_is_null(*marker))
        return error_set(err, ERR_INVALID, "Invalid null value for column %.*s", BYTES(columns[part->first].name));
    return OK;
}

/* Puts one element of a bound list into its group: a value for one column, or a tuple's
 * fields for several. An element that is shorter than its columns leaves the rest missing. */
static void spread_element(const struct key_part *part, const struct column_def *columns, struct bytes element,
                           struct bytes *group)
{
    const struct type *type = part->in_marker->type->params[0];

    assert(part->width);
    if (part->width == 1 && type->kind != TYPE_TUPLE) {
        group[0] = value_of_in(type, element);
    } else if (part->width == 1 && (!columns[part->first].type || type_equal(type, columns[part->first].type))) {
        group[0] = element;
    } else {
        struct bytes absent = is_bad(element) || part->width == 1 ? bytes_of(NULL, 0) : bytes_of(&no_field, 0);
        struct value_iterator fields;

        value_iterator_init(&fields, type, element);
        for (uint32_t i = 0; i < part->width; i++) {
            bool is_there = fields.rest.size > 0;

            value_iterator_next(&fields, &group[i]);
            if (!is_there)
                group[i] = absent;
        }
    }
}

/* The values of an EQ or IN part: *count groups of `width`. Whoever takes them may rely on it
 * that none is null or unset; the last of a group may be missing (is_missing). */
static enum status part_values(const struct key_part *part, const struct column_def *columns, struct eval *eval,
                               struct bytes **values, uint32_t *count, struct error *err)
{
    struct value_iterator iterator;
    struct bytes marker, element;
    uint32_t total, at = 0;
    enum status status;

    debug_assert(part->kind == PART_EQ || part->kind == PART_IN);
    if (!part->in_marker) {
        *values = arena_alloc(eval->arena, sizeof(**values) * ((size_t)part->value_count * part->width + 1));
        *count = part->value_count;
        return said_values(part, columns, eval, *values, err);
    }
    status = bound_list(part, columns, eval, &marker, err);
    if (status)
        return status;
    total = marker.size >= 4 ? load_be32(marker.data) : 0;
    /* Before memory is taken for them. */
    if (total > KEYS_MAX)
        return error_set(err, ERR_INVALID, "Too many values in an IN restriction: %u", total);
    *values = arena_alloc(eval->arena, sizeof(**values) * ((size_t)total * part->width + 1));
    value_iterator_init(&iterator, part->in_marker->type, marker);
    while (at < total && value_iterator_next(&iterator, &element))
        spread_element(part, columns, element, *values + (size_t)at++ * part->width);
    for (size_t i = 0; i < (size_t)at * part->width; i++)
        if (is_bad((*values)[i]))
            return part->width > 1 ? bad_tuple(part, columns, eval->arena, err)
                                   : bad_value(&columns[part->first], (*values)[i], err);
    *count = at;
    return OK;
}

/* How many values a part has, cheaply: a bound list tells its count in its first bytes. */
static uint64_t count_values(const struct key_part *part, struct eval *eval)
{
    struct error ignored;
    struct bytes marker;

    if (part->kind != PART_IN)
        return 1;
    if (!part->in_marker)
        return part->value_count;
    if (expr_evaluate(part->in_marker, eval, &marker, &ignored) || native_is_unset(marker) || marker.size < 4)
        return 1; /* whoever evaluates it in earnest has the words */
    return load_be32(marker.data);
}

/* Is the number of combinations past count_max? It stops multiplying there, so it cannot
 * overflow. */
bool access_ins_are_long(const struct access *access, const struct table_def *table, struct eval *eval,
                         uint32_t count_max)
{
    uint64_t count = 1;

    assert(access->partition);
    for (uint32_t i = 0; i < table->partition_key_count && count <= count_max; i++)
        count *= count_values(&access->partition[i], eval);
    for (uint32_t i = 0; i < access->clustering_count && count <= count_max; i++)
        count *= count_values(&access->clustering[i], eval);
    return count > count_max;
}

/* Cassandra keeps lengths of keys in 16 bits. */
static enum status key_too_long(size_t size, struct error *err)
{
    return error_set(err, ERR_INVALID, "Key length of %zu is longer than maximum of 65535", size);
}

/* A key of several columns may have empty ones; a key of one column may not be empty. */
enum status partition_key_check(const struct table_def *table, struct bytes serialized, struct error *err)
{
    if (table->partition_key_count == 1 && serialized.size == 0)
        return error_set(err, ERR_INVALID, "Key may not be empty");
    if (serialized.size > UINT16_MAX)
        return key_too_long(serialized.size, err);
    return OK;
}

/* One column of a key of several: its size, its bytes, and a zero, as Cassandra's
 * CompositeType. */
static uint8_t *append_component(uint8_t *at, struct bytes value)
{
    assert(value.size <= UINT16_MAX);
    store_be16(at, (uint16_t)value.size);
    memcpy(at + 2, value.data, value.size);
    at[2 + value.size] = 0;
    return at + 3 + value.size;
}

/* The bytes of a partition key, over which its token is hashed: so they must be Cassandra's
 * to the letter. */
static enum status serialize_key(const struct table_def *table, struct eval *eval, const struct bytes *components,
                                 struct bytes *key, struct error *err)
{
    size_t size = 0;

    /* A key of one column is its bytes, so nothing is copied. */
    if (table->partition_key_count == 1) {
        *key = components[0];
        return partition_key_check(table, *key, err);
    }
    for (uint32_t i = 0; i < table->partition_key_count; i++)
        size += components[i].size;
    if (size > UINT16_MAX)
        return key_too_long(size, err);
    size += table->partition_key_count * (size_t)3;
    uint8_t *data = arena_alloc(eval->arena, size), *at = data;
    for (uint32_t i = 0; i < table->partition_key_count; i++)
        at = append_component(at, components[i]);
    *key = bytes_of(data, size);
    return partition_key_check(table, *key, err);
}

/* The partition keys that a statement names: the product of the values of its columns. With
 * IN they are sorted by value and each is there once, which is the order in which Cassandra
 * answers them. */
enum status access_partitions(const struct access *access, const struct table_def *table, struct eval *eval,
                              struct partition_list *list, struct error *err)
{
    uint32_t parts = table->partition_key_count;
    struct bytes **values = arena_alloc(eval->arena, sizeof(*values) * parts);
    struct bytes *components = arena_alloc(eval->arena, sizeof(*components) * parts);
    uint32_t *counts = arena_alloc(eval->arena, sizeof(*counts) * parts);
    uint64_t total = 1;

    assert(access->kind == ACCESS_PARTITIONS);
    for (uint32_t i = 0; i < parts; i++) {
        enum status status = part_values(&access->partition[i], table->columns, eval, &values[i], &counts[i], err);

        if (status)
            return status;
        if (counts[i] > 1)
            counts[i] = value_sort(table->columns[i].type, values[i], counts[i]); /* IN: in order, each once */
        total *= counts[i];
        if (total > KEYS_MAX)
            return error_set(err, ERR_INVALID, "The IN restrictions name more than %d partitions", KEYS_MAX);
    }
    list->keys = arena_alloc(eval->arena, sizeof(*list->keys) * (total + 1));
    list->count = (uint32_t)total;
    /* Key number n, as a number whose digits are places in the lists of values: the last
     * column turns fastest. */
    for (uint32_t n = 0; n < total; n++) {
        uint32_t rest = n;

        for (uint32_t i = parts; i-- > 0;) {
            components[i] = values[i][rest % counts[i]];
            rest /= counts[i];
        }
        enum status status = serialize_key(table, eval, components, &list->keys[n], err);
        if (!status)
            status = arena_check(eval->arena, err);
        if (status)
            return status;
    }
    return OK;
}

/* The first columns of a clustering, encoded for comparing. */
struct prefix {
    struct bytes encoded;
    struct bytes written; /* as far as it is needed */
};

/* Appends the encoded values of `width` columns, from column `first`, to a prefix. Where the
 * encoding loses how a number was written (1.0 and 1.00), the values are kept besides as they
 * are. */
static void extend_prefix(const struct table_def *table, struct eval *eval, const struct prefix *from, uint32_t first,
                          const struct bytes *values, uint32_t width, bool keep_written, struct prefix *to)
{
    struct buffer *out = eval->scratch;

    assert(out && first + width <= table->clustering_count);
    buffer_reset(out);
    buffer_append_bytes(out, from->encoded);
    for (uint32_t i = 0; i < width; i++) {
        const struct column_def *column = &table->columns[table->partition_key_count + first + i];

        value_encode_key(out, column->type, values[i], column->descending);
    }
    to->encoded = arena_copy(eval->arena, buffer_bytes(out));
    to->written = bytes_of(NULL, 0);
    if (keep_written) {
        buffer_reset(out);
        buffer_append_bytes(out, from->written);
        for (uint32_t i = 0; i < width; i++) {
            buffer_append_be32(out, (uint32_t)values[i].size);
            buffer_append_bytes(out, values[i]);
        }
        to->written = arena_copy(eval->arena, buffer_bytes(out));
    }
}

static int compare_prefixes(const void *a, const void *b)
{
    return bytes_compare(((const struct prefix *)a)->encoded, ((const struct prefix *)b)->encoded);
}

/* Does the table have a clustering column whose encoding is not injective? */
static bool table_keeps_written(const struct table_def *table)
{
    for (uint32_t i = 0; i < table->clustering_count; i++)
        if (!value_key_is_injective(table->columns[table->partition_key_count + i].type))
            return true;
    return false;
}

/* Sorts prefixes and drops those that begin with another one: a short tuple stands for all
 * that begins with it, so the longer ones are in it already. */
static uint32_t sort_prefixes(struct prefix *prefixes, uint32_t count)
{
    uint32_t kept = 0;

    assert(count);
    qsort(prefixes, count, sizeof(*prefixes), compare_prefixes);
    for (uint32_t i = 0; i < count; i++)
        if (!kept || !bytes_starts_with(prefixes[i].encoded, prefixes[kept - 1].encoded))
            prefixes[kept++] = prefixes[i];
    return kept;
}

/* Every prefix that the EQ and IN parts make, in clustering order. may_be_short: short tuples
 * are taken, as prefixes of fewer columns; otherwise, and before another part, they are
 * refused. Where a statement gives all columns a short tuple finds no row, because no row has
 * a clustering of fewer columns. */
static enum status make_prefixes(const struct access *access, const struct table_def *table, struct eval *eval,
                                 bool keep_written, bool may_be_short, struct prefix **result, uint32_t *result_count,
                                 struct error *err)
{
    const struct column_def *columns = table->columns + table->partition_key_count;
    struct prefix *prefixes = arena_alloc(eval->arena, sizeof(*prefixes));
    uint32_t count = 1;

    *result = NULL; /* what fails makes none */
    *result_count = 0;
    prefixes[0] = (struct prefix){ bytes_of("", 0), bytes_of("", 0) };
    for (uint32_t p = 0; p < access->clustering_count && access->clustering[p].kind != PART_SLICE; p++) {
        const struct key_part *part = &access->clustering[p];
        struct bytes *values;
        uint32_t value_count, made = 0;
        enum status status = part_values(part, columns, eval, &values, &value_count, err);

        if (status)
            return status;
        /* Each part multiplies. */
        if ((uint64_t)count * value_count > KEYS_MAX)
            return error_set(err, ERR_INVALID, "The IN restrictions name more than %d rows", KEYS_MAX);
        struct prefix *next = arena_alloc(eval->arena, sizeof(*next) * ((size_t)count * value_count + 1));
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t v = 0; v < value_count; v++) {
                const struct bytes *group = &values[(size_t)v * part->width];
                uint32_t width = part->width > 1 ? width_of(group, part->width) : 1;

                if (width < part->width && (!may_be_short || p + 1 < access->clustering_count))
                    return bad_tuple(part, columns, eval->arena, err);
                if (width == part->width || !access->clustering_is_complete)
                    extend_prefix(table, eval, &prefixes[i], part->first, group, width, keep_written, &next[made++]);
            }
            status = arena_check(eval->arena, err);
            if (status)
                return status;
        }
        debug_assert(made <= count * value_count);
        prefixes = next;
        count = made;
    }
    if (count > 1)
        count = sort_prefixes(prefixes, count);
    assert(count <= KEYS_MAX);
    *result = prefixes;
    *result_count = count;
    return OK;
}

/* The values of a clustering together are bounded as a partition key is. The encoded form is
 * at least as long, except for numbers written with needless bytes, which the row keeps as
 * written: so only a long one must be measured. */
static enum status check_clustering(const struct table_def *table, struct eval *eval, const struct prefix *row,
                                    struct error *err)
{
    struct bytes rest = row->encoded;
    size_t size = 0;

    assert(eval->scratch);
    if (rest.size <= UINT16_MAX && row->written.size <= UINT16_MAX)
        return OK;
    if (row->written.size)
        size = row->written.size - table->clustering_count * (size_t)4;
    for (uint32_t i = 0; i < table->clustering_count && !row->written.size; i++) {
        const struct column_def *column = &table->columns[table->partition_key_count + i];

        buffer_reset(eval->scratch);
        enum status status = value_decode_key(&rest, column->type, column->descending, eval->scratch, err);
        if (status)
            return status;
        size += eval->scratch->size;
    }
    return size > UINT16_MAX ? key_too_long(size, err) : OK;
}

/* The rows that a complete clustering names, in clustering order, each once. */
enum status access_rows(const struct access *access, const struct table_def *table, struct eval *eval,
                        struct clustering_value **rows, uint32_t *count, struct error *err)
{
    static_assert(sizeof(struct prefix) == sizeof(struct clustering_value), "a prefix of all columns is a clustering");
    bool keep = table_keeps_written(table);
    struct prefix *prefixes;
    enum status status = make_prefixes(access, table, eval, keep, false, &prefixes, count, err);

    assert(access->clustering_is_complete);
    if (status)
        return status;
    *rows = arena_alloc(eval->arena, sizeof(**rows) * (*count + 1));
    for (uint32_t i = 0; i < *count && !status; i++)
        status = check_clustering(table, eval, &prefixes[i], err);
    if (status)
        return status;
    for (uint32_t i = 0; i < *count; i++)
        (*rows)[i] = (struct clustering_value){ prefixes[i].encoded, keep ? prefixes[i].written : bytes_of(NULL, 0) };
    return OK;
}

/* Evaluates one bound of a slice. *count says how many of its columns the bound's tuple
 * reaches; with none it bounds nothing, and *values is NULL. */
static enum status bound_values(const struct bound *bound, const struct key_part *part, const struct table_def *table,
                                struct eval *eval, struct bytes **values, uint32_t *count, struct error *err)
{
    struct bytes *list = arena_alloc(eval->arena, sizeof(*list) * (bound->count + 1));

    assert(bound->count <= part->width);
    for (uint32_t i = 0; i < bound->count; i++) {
        enum status status = expr_evaluate(bound->values[i], eval, &list[i], err);

        if (!status && bytes_is_null(list[i]) && bound->count > 1)
            status = find_missing(bound->values[i], eval, &list[i], err);
        if (status)
            return status;
        if (is_bad(list[i]))
            return bad_value(&table->columns[table->partition_key_count + part->first + i], list[i], err);
    }
    *count = width_of(list, bound->count);
    *values = *count ? list : NULL;
    return OK;
}

/* One part's bounds with their values, and where the slices go. */
struct slicing {
    const struct table_def *table;
    struct eval *eval;
    const struct key_part *part;
    const struct bytes *start, *end; /* NULL: open */
    uint32_t start_count, end_count; /* columns that they bound */
    struct slice *slices;
    uint32_t count;
};

/* Do all columns of the part go the same way, ASC or DESC? Then their encoded order is the
 * order of values or its reverse, and a range of values is one slice. */
static bool part_has_one_direction(const struct table_def *table, const struct key_part *part)
{
    const struct column_def *columns = &table->columns[table->partition_key_count + part->first];

    assert(part->width);
    for (uint32_t i = 1; i < part->width; i++)
        if (columns[i].descending != columns[0].descending)
            return false;
    return true;
}

/* A part in one direction is one slice. Encoded, DESC columns are inverted: then the bounds
 * change places. */
static void slice_straight(struct slicing *slicing, const struct prefix *prefix)
{
    const struct key_part *part = slicing->part;
    bool descending = slicing->table->columns[slicing->table->partition_key_count + part->first].descending;
    const struct bound *low = descending ? &part->end : &part->start, *high = descending ? &part->start : &part->end;
    const struct bytes *low_values = descending ? slicing->end : slicing->start,
                       *high_values = descending ? slicing->start : slicing->end;
    uint32_t low_count = descending ? slicing->end_count : slicing->start_count,
             high_count = descending ? slicing->start_count : slicing->end_count;
    /* Open on both sides, it is all that begins with the prefix. */
    struct slice slice = { prefix->encoded, prefix->encoded, true, true };
    struct prefix extended;

    assert(low_count <= part->width && high_count <= part->width);
    if (low_values) {
        extend_prefix(slicing->table, slicing->eval, prefix, part->first, low_values, low_count, false, &extended);
        slice.start = extended.encoded;
        slice.start_inclusive = low->inclusive;
    }
    if (high_values) {
        extend_prefix(slicing->table, slicing->eval, prefix, part->first, high_values, high_count, false, &extended);
        slice.end = extended.encoded;
        slice.end_inclusive = high->inclusive;
    }
    /* Bounds that have passed each other hold nothing: then there is no slice. A shorter
     * bound stands for all that begins with it, so where one begins with the other it depends
     * on which are inclusive. */
    size_t shorter = slice.start.size < slice.end.size ? slice.start.size : slice.end.size;
    int order = shorter ? memcmp(slice.start.data, slice.end.data, shorter) : 0;
    bool both = low_values && high_values;
    if (order > 0)
        return;
    if (order == 0 && both && slice.start.size == slice.end.size && !(slice.start_inclusive && slice.end_inclusive))
        return;
    if (order == 0 && both && slice.start.size < slice.end.size && !slice.start_inclusive)
        return;
    if (order == 0 && both && slice.end.size < slice.start.size && !slice.end_inclusive)
        return;
    slicing->slices[slicing->count++] = slice;
}

/* Columns in different directions: what lies between the bounds in the order of values is
 * several slices. Column by column: strictly between the two bounds everything is inside; at
 * a bound the next column decides. At most 2 * width + 1 slices, which access_slices makes
 * room for. */
static void slice_mixed(struct slicing *slicing, const struct prefix *prefix, uint32_t depth, bool at_start,
                        bool at_end)
{
    const struct key_part *part = slicing->part;
    const struct column_def *column =
        &slicing->table->columns[slicing->table->partition_key_count + part->first + depth];

    /* All columns of the bound are equal: a row there is inside if the bound is inclusive. */
    if (at_start && depth == slicing->start_count) {
        if (!part->start.inclusive)
            return;
        at_start = false;
    }
    if (at_end && depth == slicing->end_count) {
        if (!part->end.inclusive)
            return;
        at_end = false;
    }
    if (!at_start && !at_end) {
        slicing->slices[slicing->count++] = (struct slice){ prefix->encoded, prefix->encoded, true, true };
        return;
    }
    const struct bytes *low = at_start ? &slicing->start[depth] : NULL, *high = at_end ? &slicing->end[depth] : NULL;
    struct prefix low_prefix = { 0 }, high_prefix = { 0 };
    assert(depth < part->width);
    int order = low && high ? value_compare(column->type, *low, *high) : -1;

    /* The bounds have passed each other at this column. */
    if (order > 0)
        return;
    if (low)
        extend_prefix(slicing->table, slicing->eval, prefix, part->first + depth, low, 1, false, &low_prefix);
    if (high)
        extend_prefix(slicing->table, slicing->eval, prefix, part->first + depth, high, 1, false, &high_prefix);
    if (order == 0) {
        slice_mixed(slicing, &low_prefix, depth + 1, true, true);
        return;
    }
    struct slice between = { low ? low_prefix.encoded : prefix->encoded, high ? high_prefix.encoded : prefix->encoded,
                             !low, !high };
    /* Encoded, a descending column runs the other way. */
    if (column->descending)
        between = (struct slice){ between.end, between.start, between.end_inclusive, between.start_inclusive };
    slicing->slices[slicing->count++] = between;
    if (low)
        slice_mixed(slicing, &low_prefix, depth + 1, true, false);
    if (high)
        slice_mixed(slicing, &high_prefix, depth + 1, false, true);
}

/* By where slices begin. An exclusive start stands behind everything that begins with it. */
static int compare_slices(const void *a, const void *b)
{
    const struct slice *left = a, *right = b;
    size_t shorter = left->start.size < right->start.size ? left->start.size : right->start.size;
    int order = shorter ? memcmp(left->start.data, right->start.data, shorter) : 0;

    if (order)
        return order;
    if (left->start.size == right->start.size)
        return right->start_inclusive - left->start_inclusive;
    if (left->start.size < right->start.size)
        return left->start_inclusive ? -1 : 1;
    return right->start_inclusive ? 1 : -1;
}

/* The slices of a partition that a statement reads or deletes, in clustering order and
 * disjoint: table/ walks over them once. No part: no slices, which means everything;
 * *nothing: no row can be found. */
enum status access_slices(const struct access *access, const struct table_def *table, struct eval *eval,
                          struct slice **slices, uint32_t *count, bool *nothing, struct error *err)
{
    struct slicing slicing = { .table = table, .eval = eval };
    struct bytes *start = NULL, *end = NULL;
    struct prefix *prefixes;
    uint32_t prefix_count;
    enum status status;

    *count = 0;
    *slices = NULL;
    *nothing = false;
    if (!access->clustering_count)
        return OK;
    status = make_prefixes(access, table, eval, false, true, &prefixes, &prefix_count, err);
    if (status)
        return status;
    slicing.part = &access->clustering[access->clustering_count - 1];
    assert(slicing.part->first + slicing.part->width <= table->clustering_count);
    /* All parts are EQ or IN: each prefix is a slice that begins and ends with itself. */
    if (slicing.part->kind != PART_SLICE) {
        slicing.slices = arena_alloc(eval->arena, sizeof(struct slice) * ((size_t)prefix_count + 1));
        for (uint32_t i = 0; i < prefix_count; i++)
            slicing.slices[slicing.count++] = (struct slice){ prefixes[i].encoded, prefixes[i].encoded, true, true };
    } else {
        /* Room for as many slices as there can be. */
        bool straight = part_has_one_direction(table, slicing.part);

        if (slicing.part->start.values)
            status = bound_values(&slicing.part->start, slicing.part, table, eval, &start, &slicing.start_count, err);
        if (!status && slicing.part->end.values)
            status = bound_values(&slicing.part->end, slicing.part, table, eval, &end, &slicing.end_count, err);
        if (status)
            return status;
        slicing.start = start;
        slicing.end = end;
        slicing.slices =
            arena_alloc(eval->arena, sizeof(struct slice) *
                                         ((size_t)prefix_count * (straight ? 1 : 2 * slicing.part->width + 1) + 1));
        for (uint32_t i = 0; i < prefix_count; i++) {
            if (straight)
                slice_straight(&slicing, &prefixes[i]);
            else
                slice_mixed(&slicing, &prefixes[i], 0, start != NULL, end != NULL);
            status = arena_check(eval->arena, err);
            if (status)
                return status;
        }
        if (!straight)
            qsort(slicing.slices, slicing.count, sizeof(struct slice), compare_slices);
    }
    assert(slicing.count <= (size_t)prefix_count * (2 * (size_t)slicing.part->width + 1));
    *slices = slicing.slices;
    *count = slicing.count;
    *nothing = slicing.count == 0;
    return OK;
}

/* A token is a bigint; null and unset have the same words. */
static enum status token_value(const struct expr *expr, struct eval *eval, int64_t *token, struct error *err)
{
    struct bytes value;
    enum status status = expr_evaluate(expr, eval, &value, err);

    if (status)
        return status;
    if (is_bad(value) || value.size != 8)
        return error_set(err, ERR_INVALID, "Invalid null token value");
    *token = (int64_t)load_be64(value.data);
    return OK;
}

/* The range of tokens, both ends inclusive. token() has quirks in Cassandra that drivers and
 * Spark rely on: the least token stands for the whole ring or its end, see below. */
enum status access_tokens(const struct access *access, struct eval *eval, int64_t *first, int64_t *last, bool *nothing,
                          struct error *err)
{
    enum status status = OK;

    assert(!access->tokens.eq || (!access->tokens.start && !access->tokens.end));
    *first = INT64_MIN;
    *last = INT64_MAX;
    *nothing = false;
    if (access->tokens.eq) {
        status = token_value(access->tokens.eq, eval, first, err);
        /* No partition has the least token; from it to itself is the whole ring, as in Cassandra. */
        *last = *first == INT64_MIN ? INT64_MAX : *first;
        return status;
    }
    if (access->tokens.start) {
        status = token_value(access->tokens.start, eval, first, err);
        if (status)
            return status;
        /* Exclusive becomes inclusive of the next token; behind the greatest there is none. */
        if (!access->tokens.start_inclusive) {
            *nothing = *first == INT64_MAX;
            if (*first != INT64_MAX)
                ++*first;
        }
    }
    if (access->tokens.end) {
        status = token_value(access->tokens.end, eval, last, err);
        if (status)
            return status;
        /* The least token, as an end, means the end of the ring: drivers' last range is (t, MIN]. */
        if (*last == INT64_MIN) {
            *last = INT64_MAX;
        } else if (!access->tokens.end_inclusive) {
            --*last;
        }
    }
    *nothing |= *first > *last;
    return OK;
}
