/* Expressions are evaluated. What is frequent (a marker, a constant, a column) stands in the
 * header as an inline function; the rest is here. A value is wire bytes. Null and unset pass
 * through most expressions; where they are errors the words say so. Every result that a
 * client can make large is bounded: a statement of a few kilobytes could else name a large
 * column thousands of times. */
#include "plan/expr.h"

#include <assert.h>
#include <stdio.h>

/* The one way to hand on what was put together in a growing buffer. */
struct bytes buffer_to_arena(struct arena *arena, struct buffer *buffer)
{
    struct bytes result = arena_copy(arena, buffer_bytes(buffer));

    buffer_fini(buffer);
    return result;
}

/* For messages: user types without their keyspace. */
struct bytes type_name(struct arena *arena, const struct type *type)
{
    struct buffer out = { 0 };

    type_print(&out, type, false);
    return buffer_to_arena(arena, &out);
}

/* A collection, tuple, UDT or vector of its elements. Sets and maps come out sorted and
 * without duplicates, as they are compared and stored. One unset element makes the whole
 * collection unset. */
static enum status evaluate_pack(const struct expr *expr, struct eval *eval, struct bytes *result, struct error *err)
{
    const struct type *type = expr->type;
    struct bytes *elements = arena_alloc(eval->arena, sizeof(*elements) * (expr->arg_count + 1));
    uint32_t count = expr->arg_count;
    struct buffer out = { 0 };
    size_t size = 0;

    assert(type->kind >= TYPE_LIST && (type->kind != TYPE_MAP || count % 2 == 0));
    for (uint32_t i = 0; i < count; i++) {
        enum status status = expr_evaluate(expr->args[i], eval, &elements[i], err);

        if (status)
            return status;
        size += elements[i].size;
        status = work_add(eval->functions.work, WORK_CALL + work_of_value(expr->args[i]->type, elements[i]));
        if (status)
            return status;
        if (size > FUNCTION_RESULT_BYTES_MAX) /* a column may be named in it thousands of times */
            return error_set(err, ERR_INVALID, "A value is larger than %d bytes", FUNCTION_RESULT_BYTES_MAX);
        /* A tuple or UDT with an unset field is an error, a collection with an unset element
         * is unset. */
        if (native_is_unset(elements[i])) {
            if (type->kind == TYPE_TUPLE)
                return error_set(err, ERR_INVALID, "Invalid unset value for tuple field number %u", i);
            if (type->kind == TYPE_UDT)
                return error_set(err, ERR_INVALID, "Invalid unset value for field '%.*s' of user defined type %.*s",
                                 BYTES(type->field_names[i]), BYTES(type->name));
            *result = elements[i];
            return OK;
        }
        if (bytes_is_null(elements[i]) && type->kind != TYPE_TUPLE && type->kind != TYPE_UDT)
            return error_set(err, ERR_INVALID, "null is not supported inside %s",
                             type->kind == TYPE_VECTOR ? "vectors" : "collections");
    }
    if (type->kind == TYPE_SET || type->kind == TYPE_MAP)
        count = value_sort_entries(type, elements, count);
    value_pack(&out, type, elements, count);
    *result = buffer_to_arena(eval->arena, &out);
    return function_check_room(eval->arena, result->size, err);
}

/* Cassandra checks what a function returned when it is used in a term, and fails with a
 * RuntimeException: min_timeuuid of a time past 60 bits is no timeuuid. The words are Java's. */
static enum status check_result(const struct function *function, struct bytes result, struct error *err)
{
    struct error ignored;
    char hex[33] = "";

    assert(function->return_type->kind == TYPE_TIMEUUID && function->arg_count == 1);
    if (bytes_is_null(result) || value_validate(function->return_type, result, &ignored) == OK)
        return OK;
    for (size_t i = 0; i < result.size && i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", result.data[i]);
    return error_set(
        err, ERR_SERVER,
        "java.lang.RuntimeException: Return of function system.%.*s : (timestamp) -> timeuuid (%s) is not a valid value for its declared return type timeuuid",
        BYTES(function->name), hex);
}

/* Arguments are evaluated first, all of them, in their order. An argument that is null is the
 * function's business (function_call), an unset one is an error here. */
static enum status evaluate_call(const struct expr *expr, struct eval *eval, struct bytes *result, struct error *err)
{
    struct bytes args[FUNCTION_ARGUMENTS_MAX];

    assert(expr->function && expr->arg_count == expr->function->arg_count && expr->arg_count <= FUNCTION_ARGUMENTS_MAX);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        enum status status = expr_evaluate(expr->args[i], eval, &args[i], err);

        if (status)
            return status;
        if (native_is_unset(args[i]))
            return error_set(err, ERR_INVALID, "Invalid unset value for argument in call to function %.*s",
                             BYTES(expr->function->name));
    }
    enum status status = function_call(expr->function, &eval->functions, args, result, err);
    return status || !expr->is_checked ? status : check_result(expr->function, *result, err);
}

/* A field of a tuple or UDT: null if the value is null or has fewer fields, unset if the
 * value is unset. */
static struct bytes component_of(const struct type *type, struct bytes value, uint32_t index)
{
    struct value_iterator iterator;
    struct bytes element = { NULL, 0 };

    if (bytes_is_null(value) || native_is_unset(value) || value.size == 0)
        return bytes_is_null(value) || !native_is_unset(value) ? bytes_of(NULL, 0) : value;
    /* A tuple may have been stored with fewer fields than its type has by now. */
    value_iterator_init(&iterator, type, value);
    for (uint32_t i = 0; i <= index; i++)
        if (!value_iterator_next(&iterator, &element))
            return bytes_of(NULL, 0);
    return element;
}

/* m[k] of a map: the value; s[e] of a set: the element itself, if it is there. By value, not
 * by bytes: the decimal 1.0 finds 1.00. All of it is gone through. */
static struct bytes find_element(const struct type *type, struct bytes collection, struct bytes key)
{
    struct value_iterator iterator;
    struct bytes element, value;

    assert(type->kind == TYPE_MAP || type->kind == TYPE_SET);
    if (bytes_is_null(collection) || bytes_is_null(key))
        return bytes_of(NULL, 0);
    value_iterator_init(&iterator, type, collection);
    while (value_iterator_next(&iterator, &element)) {
        value = element;
        if (type->kind == TYPE_MAP && !value_iterator_next(&iterator, &value))
            break;
        if (value_compare(type->params[0], element, key) == 0)
            return value;
    }
    return bytes_of(NULL, 0);
}

/* m[a..b]: the entries from a to b, both inclusive; a bound that is null is open. */
static struct bytes slice_collection(struct eval *eval, const struct type *type, struct bytes collection,
                                     struct bytes from, struct bytes to)
{
    struct value_iterator iterator;
    struct bytes element, value = { NULL, 0 }, *kept;
    uint32_t count = 0;
    struct buffer out = { 0 };

    assert(type->kind == TYPE_MAP || type->kind == TYPE_SET);
    if (bytes_is_null(collection) || collection.size < 4)
        return bytes_of(NULL, 0);
    kept = arena_alloc(eval->arena, sizeof(*kept) * 2 * ((size_t)load_be32(collection.data) + 1));
    value_iterator_init(&iterator, type, collection);
    while (value_iterator_next(&iterator, &element)) {
        if (type->kind == TYPE_MAP && !value_iterator_next(&iterator, &value))
            break;
        if (!bytes_is_null(from) && value_compare(type->params[0], element, from) < 0)
            continue;
        if (!bytes_is_null(to) && value_compare(type->params[0], element, to) > 0)
            continue;
        kept[count++] = element;
        if (type->kind == TYPE_MAP)
            kept[count++] = value;
    }
    if (!count && !type->frozen) /* cells that are not there; a frozen value is one with nothing in it */
        return bytes_of(NULL, 0);
    value_pack(&out, type, kept, count);
    return buffer_to_arena(eval->arena, &out);
}

/* Evaluates collection and bounds. An unset bound of a slice counts as none, an unset element
 * is an error, as in Cassandra. */
static enum status evaluate_element(const struct expr *expr, struct eval *eval, struct bytes *result, struct error *err)
{
    struct bytes values[3] = { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } };
    const struct type *type = expr->args[0]->type;

    assert(expr->args[0] && expr->arg_count <= 3);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        enum status status = expr->args[i] ? expr_evaluate(expr->args[i], eval, &values[i], err) : OK;

        if (status)
            return status;
        if (native_is_unset(values[i])) {
            if (expr->kind == EXPR_ELEMENT)
                return error_set(err, ERR_INVALID, "Invalid unset value for element selection");
            values[i] = bytes_of(NULL, 0);
        }
    }
    /* All of it is gone through. */
    enum status status = work_add(eval->functions.work, WORK_CALL + work_of_value(type, values[0]));
    if (status)
        return status;
    *result = expr->kind == EXPR_ELEMENT ? find_element(type, values[0], values[1])
                                         : slice_collection(eval, type, values[0], values[1], values[2]);
    return OK;
}

/* The cells that writetime() or ttl() looks at: one element's, one field's, or all of the
 * column. A cell's path is the encoded key. */
static bool cell_is_wanted(const struct expr *expr, const struct type *type, struct bytes element,
                           const struct cell *cell)
{
    if (expr->field >= 0)
        return cell->path.size == 2 && load_be16(cell->path.data) == expr->field;
    if (!expr->element)
        return true;
    struct buffer path = { 0 };
    /* As the writer encoded it. */
    value_encode_key(&path, type->params[0], element, false);
    bool same = bytes_equal(buffer_bytes(&path), cell->path);
    buffer_fini(&path);
    return same;
}

/* The write time in microseconds, or the seconds that are left; null for a cell that does not
 * expire. */
static struct bytes cell_fact(struct eval *eval, const struct expr *expr, const struct cell *cell)
{
    uint8_t *at = arena_alloc(eval->arena, 8);

    if (expr->kind != EXPR_TTL) {
        store_be64(at, (uint64_t)cell->timestamp_us);
        return bytes_of(at, 8);
    }
    if (cell->kind != CELL_EXPIRING)
        return bytes_of(NULL, 0);
    store_be32(at, (uint32_t)(cell->local_s - eval->now_s));
    return bytes_of(at, 4);
}

/* writetime, maxwritetime and ttl. Of one cell it is a number; of a collection a list with
 * one for each cell; maxwritetime is the greatest in any case. */
static enum status evaluate_cell_fact(const struct expr *expr, struct eval *eval, struct bytes *result,
                                      struct error *err)
{
    const struct cell *cells = eval->row->cells[expr->index];
    uint32_t count = cells ? eval->row->cell_counts[expr->index] : 0, kept = 0;
    const struct type *type = eval->row->columns[expr->index]->type;
    bool multicell = eval->row->columns[expr->index]->multicell,
         single = !multicell || expr->element || expr->field >= 0;
    struct bytes element = { NULL, 0 };
    struct bytes *facts = arena_alloc(eval->arena, sizeof(*facts) * (count + 1));
    const struct cell *newest = NULL;

    assert(eval->row->columns[expr->index]->kind == COLUMN_REGULAR ||
           eval->row->columns[expr->index]->kind == COLUMN_STATIC);
    if (expr->element) {
        enum status status = expr_evaluate(expr->element, eval, &element, err);

        if (status)
            return status;
        if (bytes_is_null(element) || native_is_unset(element))
            count = 0;
    }
    /* The type of the result is a list; nulls keep the fields apart. */
    if (multicell && type->kind == TYPE_UDT && !single && expr->kind != EXPR_MAXWRITETIME && count) {
        /* Of a UDT one for each field of the type, null for those that are not set. */
        facts = arena_new_array(eval->arena, struct bytes, type->param_count);
        for (uint32_t i = 0; i < count; i++) {
            uint16_t field = cells[i].path.size == 2 ? load_be16(cells[i].path.data) : UINT16_MAX;

            if (field < type->param_count)
                facts[field] = cell_fact(eval, expr, &cells[i]);
        }
        kept = type->param_count;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            if (!cell_is_wanted(expr, type, element, &cells[i]))
                continue;
            facts[kept++] = cell_fact(eval, expr, &cells[i]);
            if (!newest || cells[i].timestamp_us > newest->timestamp_us)
                newest = &cells[i];
        }
    }
    /* The newest cell's time. */
    if (expr->kind == EXPR_MAXWRITETIME) {
        *result = newest ? cell_fact(eval, expr, newest) : bytes_of(NULL, 0);
    } else if (single) {
        *result = kept ? facts[0] : bytes_of(NULL, 0);
    } else if (!kept) {
        *result = bytes_of(NULL, 0);
    } else {
        struct buffer out = { 0 };

        buffer_append_be32(&out, kept);
        for (uint32_t i = 0; i < kept; i++)
            native_append_value(&out, facts[i]);
        *result = buffer_to_arena(eval->arena, &out);
    }
    return OK;
}

/* The row is there wherever a plan has columns: only SELECT's clause has. */
enum status expr_evaluate_slow(const struct expr *expr, struct eval *eval, struct bytes *result, struct error *err)
{
    enum status status;

    assert(eval->arena &&
           (expr->kind < EXPR_COLUMN || eval->row || expr->kind == EXPR_ELEMENT || expr->kind == EXPR_SLICE));
    switch (expr->kind) {
    case EXPR_NULL:
    case EXPR_CONSTANT:
    case EXPR_BIND:
    case EXPR_COLUMN: return expr_evaluate(expr, eval, result, err);
    case EXPR_CALL: return evaluate_call(expr, eval, result, err);
    case EXPR_PACK: return evaluate_pack(expr, eval, result, err);
    case EXPR_COMPONENT: {
        struct bytes tuple;

        status = expr_evaluate(expr->args[0], eval, &tuple, err);
        if (!status)
            status = work_add(eval->functions.work, WORK_CALL + work_of_value(expr->args[0]->type, tuple));
        if (!status)
            *result = component_of(expr->args[0]->type, tuple, expr->index);
        return status;
    }
    case EXPR_ELEMENT:
    case EXPR_SLICE: return evaluate_element(expr, eval, result, err);
    case EXPR_WRITETIME:
    case EXPR_MAXWRITETIME:
    case EXPR_TTL: /* all cells are looked at */
        status = work_add(eval->functions.work, eval->row->cells[expr->index]
                                                    ? WORK_CALL * (uint64_t)eval->row->cell_counts[expr->index]
                                                    : WORK_CALL);
        return status ? status : evaluate_cell_fact(expr, eval, result, err);
    case EXPR_AGGREGATE: *result = eval->row->aggregates[expr->index]; return OK;
    }
    return error_set(err, ERR_SERVER, "Unknown expression");
}
