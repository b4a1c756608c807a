/* The values of a request find partitions, rows and slices of a WHERE clause; see where.h. */
#include "query/where.h"

#include <assert.h>
#include <stdlib.h>

static enum status bad_value(const struct column_def *column, struct bytes value, struct error *err)
{
    if (native_is_unset(value))
        return error_set(err, ERR_INVALID, "Invalid unset value for column %.*s", BYTES(column->name));
    return error_set(err, ERR_INVALID, "Invalid null value in condition for column %.*s", BYTES(column->name));
}

static enum status bad_tuple(const struct key_part *part, const struct column_def *columns, struct arena *arena,
                             struct error *err)
{
    struct buffer names = { 0 };

    for (uint32_t i = 0; i < part->width; i++)
        buffer_printf(&names, "%s%.*s", i ? ", " : "", BYTES(columns[part->first + i].name));
    struct bytes list = arena_copy(arena, buffer_bytes(&names));
    buffer_fini(&names);
    return error_set(err, ERR_INVALID, "Invalid null value in condition for columns: [%.*s]", BYTES(list));
}

static bool is_bad(struct bytes value)
{
    return bytes_is_null(value) || native_is_unset(value);
}

/* The values of an EQ or IN part: `*count` groups of `width`. */
static enum status part_values(const struct key_part *part, const struct column_def *columns, struct eval *eval,
                               struct bytes **values, uint32_t *count, struct error *err)
{
    uint32_t total = part->value_count;
    struct bytes *list;
    enum status status;

    if (!part->in_marker) {
        list = arena_alloc(eval->arena, sizeof(*list) * ((size_t)total * part->width + 1));
        for (size_t i = 0; i < (size_t)total * part->width; i++) {
            status = expr_evaluate(part->values[i], eval, &list[i], err);
            if (status)
                return status;
            if (bytes_is_null(list[i]) && part->width > 1)
                return error_set(err, ERR_INVALID, "Invalid null value for column %.*s",
                                 BYTES(columns[part->first + i % part->width].name));
            if (is_bad(list[i]))
                return bad_value(&columns[part->first + i % part->width], list[i], err);
        }
    } else {
        struct value_iterator iterator;
        struct bytes marker, element;
        const struct type *type = part->in_marker->type;

        status = expr_evaluate(part->in_marker, eval, &marker, err);
        if (status)
            return status;
        if (native_is_unset(marker))
            return bad_value(&columns[part->first], marker, err);
        if (bytes_is_null(marker))
            return error_set(err, ERR_INVALID, "Invalid null value for column %.*s", BYTES(columns[part->first].name));
        total = marker.size >= 4 ? load_be32(marker.data) : 0;
        if (total > KEYS_MAX)
            return error_set(err, ERR_INVALID, "Too many values in an IN restriction: %u", total);
        list = arena_alloc(eval->arena, sizeof(*list) * ((size_t)total * part->width + 1));
        uint32_t at = 0;
        value_iterator_init(&iterator, type, marker);
        while (at < total && value_iterator_next(&iterator, &element)) {
            if (part->width == 1 && type->params[0]->kind != TYPE_TUPLE) {
                list[at] = value_of_in(type->params[0], element);
            } else if (part->width == 1 && !columns[part->first].type) {
                list[at] = element;
            } else if (type_equal(type->params[0], columns[part->first].type) && part->width == 1) {
                list[at] = element;
            } else {
                struct value_iterator inner;

                value_iterator_init(&inner, type->params[0], element);
                for (uint32_t c = 0; c < part->width; c++)
                    if (!value_iterator_next(&inner, &list[(size_t)at * part->width + c]))
                        list[(size_t)at * part->width + c] = bytes_of(NULL, 0);
            }
            at++;
        }
        total = at;
        for (size_t i = 0; i < (size_t)total * part->width; i++)
            if (is_bad(list[i]))
                return part->width > 1 ? bad_tuple(part, columns, eval->arena, err)
                                       : bad_value(&columns[part->first], list[i], err);
    }
    *values = list;
    *count = total;
    return OK;
}

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

bool where_ins_are_long(const struct where *where, const struct table_def *table, struct eval *eval, uint32_t count_max)
{
    uint64_t count = 1;

    for (uint32_t i = 0; where->partition_has_in && i < table->partition_key_count && count <= count_max; i++)
        count *= count_values(&where->partition[i], eval);
    for (uint32_t i = 0; where->clustering_has_in && i < where->clustering_count && count <= count_max; i++)
        count *= count_values(&where->clustering[i], eval);
    return count > count_max;
}

static enum status key_too_long(size_t size, struct error *err)
{
    return error_set(err, ERR_INVALID, "Key length of %zu is longer than maximum of 65535", size);
}

enum status partition_key_check(const struct table_def *table, struct bytes serialized, struct error *err)
{
    if (table->partition_key_count == 1 && serialized.size == 0)
        return error_set(err, ERR_INVALID, "Key may not be empty");
    if (serialized.size > UINT16_MAX)
        return key_too_long(serialized.size, err);
    return OK;
}

static uint8_t *append_component(uint8_t *at, struct bytes value)
{
    store_be16(at, (uint16_t)value.size);
    memcpy(at + 2, value.data, value.size);
    at[2 + value.size] = 0;
    return at + 3 + value.size;
}

static enum status serialize_key(const struct table_def *table, struct eval *eval, const struct bytes *components,
                                 struct bytes *key, struct error *err)
{
    size_t size = 0;

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

enum status where_partitions(const struct where *where, const struct table_def *table, struct eval *eval,
                             struct partition_list *list, struct error *err)
{
    uint32_t parts = table->partition_key_count;
    struct bytes **values = arena_alloc(eval->arena, sizeof(*values) * parts);
    struct bytes *components = arena_alloc(eval->arena, sizeof(*components) * parts);
    uint32_t *counts = arena_alloc(eval->arena, sizeof(*counts) * parts);
    uint64_t total = 1;

    for (uint32_t i = 0; i < parts; i++) {
        enum status status = part_values(&where->partition[i], table->columns, eval, &values[i], &counts[i], err);

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

struct prefix {
    struct bytes encoded;
    struct bytes written; /* as far as it is needed */
};

static void extend_prefix(const struct table_def *table, struct eval *eval, const struct prefix *from, uint32_t first,
                          const struct bytes *values, uint32_t width, bool keep_written, struct prefix *to)
{
    struct buffer *out = eval->scratch;

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

static bool table_keeps_written(const struct table_def *table)
{
    for (uint32_t i = 0; i < table->clustering_count; i++)
        if (!value_key_is_injective(table->columns[table->partition_key_count + i].type))
            return true;
    return false;
}

/* Every prefix that the EQ and IN parts make, in clustering order. */
static enum status make_prefixes(const struct where *where, const struct table_def *table, struct eval *eval,
                                 bool keep_written, struct prefix **result, uint32_t *result_count, struct error *err)
{
    struct prefix *prefixes = arena_alloc(eval->arena, sizeof(*prefixes));
    uint32_t count = 1;

    prefixes[0] = (struct prefix){ bytes_of("", 0), bytes_of("", 0) };
    for (uint32_t p = 0; p < where->clustering_count && where->clustering[p].kind != PART_SLICE; p++) {
        const struct key_part *part = &where->clustering[p];
        struct bytes *values;
        uint32_t value_count;
        enum status status =
            part_values(part, table->columns + table->partition_key_count, eval, &values, &value_count, err);

        if (status)
            return status;
        if ((uint64_t)count * value_count > KEYS_MAX)
            return error_set(err, ERR_INVALID, "The IN restrictions name more than %d rows", KEYS_MAX);
        struct prefix *next = arena_alloc(eval->arena, sizeof(*next) * ((size_t)count * value_count + 1));
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t v = 0; v < value_count; v++)
                extend_prefix(table, eval, &prefixes[i], part->first, &values[(size_t)v * part->width], part->width,
                              keep_written, &next[i * value_count + v]);
            status = arena_check(eval->arena, err);
            if (status)
                return status;
        }
        prefixes = next;
        count *= value_count;
    }
    if (count > 1) {
        uint32_t kept = 0;

        qsort(prefixes, count, sizeof(*prefixes), compare_prefixes);
        for (uint32_t i = 0; i < count; i++)
            if (!kept || !bytes_equal(prefixes[kept - 1].encoded, prefixes[i].encoded))
                prefixes[kept++] = prefixes[i];
        count = kept;
    }
    *result = prefixes;
    *result_count = count;
    return OK;
}

/* The values of a clustering together are bounded as a partition key is. Encoded they are as long at least, but for numbers written with idle
 * bytes, which the row keeps as they were written. */
static enum status check_clustering(const struct table_def *table, struct eval *eval, const struct prefix *row,
                                    struct error *err)
{
    struct bytes rest = row->encoded;
    size_t size = 0;

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

enum status where_rows(const struct where *where, const struct table_def *table, struct eval *eval,
                       struct clustering_value **rows, uint32_t *count, struct error *err)
{
    static_assert(sizeof(struct prefix) == sizeof(struct clustering_value), "a prefix of all columns is a clustering");
    bool keep = table_keeps_written(table);
    struct prefix *prefixes;
    enum status status = make_prefixes(where, table, eval, keep, &prefixes, count, err);

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

static enum status bound_values(const struct bound *bound, const struct key_part *part, const struct table_def *table,
                                struct eval *eval, struct bytes **values, struct error *err)
{
    *values = arena_alloc(eval->arena, sizeof(**values) * (bound->count + 1));
    for (uint32_t i = 0; i < bound->count; i++) {
        enum status status = expr_evaluate(bound->values[i], eval, &(*values)[i], err);

        if (status)
            return status;
        if (is_bad((*values)[i]))
            return bad_value(&table->columns[table->partition_key_count + part->first + i], (*values)[i], err);
    }
    return OK;
}

/* One part's bounds with their values, and where the slices go. */
struct slicing {
    const struct table_def *table;
    struct eval *eval;
    const struct key_part *part;
    const struct bytes *start, *end; /* NULL: open */
    struct slice *slices;
    uint32_t count;
};

static bool part_has_one_direction(const struct table_def *table, const struct key_part *part)
{
    const struct column_def *columns = &table->columns[table->partition_key_count + part->first];

    for (uint32_t i = 1; i < part->width; i++)
        if (columns[i].descending != columns[0].descending)
            return false;
    return true;
}

/* A whole part in one direction is one slice. */
static void slice_straight(struct slicing *slicing, const struct prefix *prefix)
{
    const struct key_part *part = slicing->part;
    bool descending = slicing->table->columns[slicing->table->partition_key_count + part->first].descending;
    const struct bound *low = descending ? &part->end : &part->start, *high = descending ? &part->start : &part->end;
    const struct bytes *low_values = descending ? slicing->end : slicing->start,
                       *high_values = descending ? slicing->start : slicing->end;
    struct slice slice = { prefix->encoded, prefix->encoded, true, true };
    struct prefix extended;

    if (low_values) {
        extend_prefix(slicing->table, slicing->eval, prefix, part->first, low_values, low->count, false, &extended);
        slice.start = extended.encoded;
        slice.start_inclusive = low->inclusive;
    }
    if (high_values) {
        extend_prefix(slicing->table, slicing->eval, prefix, part->first, high_values, high->count, false, &extended);
        slice.end = extended.encoded;
        slice.end_inclusive = high->inclusive;
    }
    /* Nothing lies between bounds that have passed each other. */
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

/* Columns in different directions: what lies between the bounds in the order of values is several slices. Column by column:
 * strictly between the two bounds everything is inside; at a bound the next column decides. At most 2 * width + 1 slices. */
static void slice_mixed(struct slicing *slicing, const struct prefix *prefix, uint32_t depth, bool at_start,
                        bool at_end)
{
    const struct key_part *part = slicing->part;
    const struct column_def *column =
        &slicing->table->columns[slicing->table->partition_key_count + part->first + depth];

    if (at_start && depth == part->start.count) {
        if (!part->start.inclusive)
            return;
        at_start = false;
    }
    if (at_end && depth == part->end.count) {
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
    int order = low && high ? value_compare(column->type, *low, *high) : -1;

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
    if (column->descending)
        between = (struct slice){ between.end, between.start, between.end_inclusive, between.start_inclusive };
    slicing->slices[slicing->count++] = between;
    if (low)
        slice_mixed(slicing, &low_prefix, depth + 1, true, false);
    if (high)
        slice_mixed(slicing, &high_prefix, depth + 1, false, true);
}

/* An exclusive bound stands behind everything that begins with it. */
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

enum status where_slices(const struct where *where, const struct table_def *table, struct eval *eval,
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
    if (!where->clustering_count)
        return OK;
    status = make_prefixes(where, table, eval, false, &prefixes, &prefix_count, err);
    if (status)
        return status;
    slicing.part = &where->clustering[where->clustering_count - 1];
    if (slicing.part->kind != PART_SLICE) {
        slicing.slices = arena_alloc(eval->arena, sizeof(struct slice) * ((size_t)prefix_count + 1));
        for (uint32_t i = 0; i < prefix_count; i++)
            slicing.slices[slicing.count++] = (struct slice){ prefixes[i].encoded, prefixes[i].encoded, true, true };
    } else {
        bool straight = part_has_one_direction(table, slicing.part);

        if (slicing.part->start.values)
            status = bound_values(&slicing.part->start, slicing.part, table, eval, &start, err);
        if (!status && slicing.part->end.values)
            status = bound_values(&slicing.part->end, slicing.part, table, eval, &end, err);
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
    *slices = slicing.slices;
    *count = slicing.count;
    *nothing = slicing.count == 0;
    return OK;
}

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

enum status where_tokens(const struct where *where, struct eval *eval, int64_t *first, int64_t *last, bool *nothing,
                         struct error *err)
{
    enum status status = OK;

    *first = INT64_MIN;
    *last = INT64_MAX;
    *nothing = false;
    if (where->token_eq) {
        status = token_value(where->token_eq, eval, first, err);
        /* No partition has the least token; from it to itself is the whole ring, as in Cassandra. */
        *last = *first == INT64_MIN ? INT64_MAX : *first;
        return status;
    }
    if (where->token_start) {
        status = token_value(where->token_start, eval, first, err);
        if (status)
            return status;
        if (!where->token_start_inclusive) {
            *nothing = *first == INT64_MAX;
            if (*first != INT64_MAX)
                ++*first;
        }
    }
    if (where->token_end) {
        status = token_value(where->token_end, eval, last, err);
        if (status)
            return status;
        /* The least token, as an end, means the end of the ring: drivers' last range is (t, MIN]. */
        if (*last == INT64_MIN) {
            *last = INT64_MAX;
        } else if (!where->token_end_inclusive) {
            --*last;
        }
    }
    *nothing |= *first > *last;
    return OK;
}
