/* Looks whether a row passes the conditions that WHERE could not turn into an access: ALLOW
 * FILTERING, and slices that the storage cannot cut. Operands are evaluated once for a
 * request and the values of IN are sorted, because there may be very many rows. The plan has
 * checked the types of both sides. */
#include "query/filter.h"

#include <assert.h>

/* One operand. Null and unset are errors, with other words for key columns than for others,
 * as in Cassandra. */
static enum status filter_operand(const struct expr *expr, struct eval *eval, const struct column_def *column,
                                  struct bytes *value, struct error *err)
{
    enum status status = expr_evaluate(expr, eval, value, err);

    if (status)
        return status;
    bool is_key = column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING;
    if (native_is_unset(*value))
        return error_set(err, ERR_INVALID, "%s unset value for column %.*s", is_key ? "Invalid" : "Unsupported",
                         BYTES(column->name));
    if (bytes_is_null(*value))
        return error_set(err, ERR_INVALID,
                         is_key ? "Invalid null value in condition for column %.*s"
                                : "Unsupported null value for column %.*s",
                         BYTES(column->name));
    return OK;
}

/* The values of IN in order: they are looked up for every row. */
static enum status filter_list(const struct filter *filter, struct eval *eval, struct value_list *list,
                               struct error *err)
{
    uint32_t room = filter->value_count, count = 0;
    struct value_iterator iterator;
    struct bytes marker = { 0 };
    enum status status = OK;

    /* IN ?: one marker brings the whole list. Else each value is an expression of its own. */
    if (filter->value) {
        status = filter_operand(filter->value, eval, filter->column, &marker, err);
        if (status)
            return status;
        room = marker.size >= 4 ? load_be32(marker.data) : 0;
    }
    list->values = arena_alloc(eval->arena, sizeof(*list->values) * ((size_t)room + 1));
    if (filter->value) {
        value_iterator_init(&iterator, filter->value->type, marker);
        while (count < room && value_iterator_next(&iterator, &list->values[count])) {
            list->values[count] = value_of_in(filter->column->type, list->values[count]);
            count += !bytes_is_null(list->values[count]); /* what is null equals nothing */
        }
    }
    for (; !filter->value && count < room && !status; count++)
        status = filter_operand(filter->values[count], eval, filter->column, &list->values[count], err);
    assert(count <= room);
    if (!status)
        list->count = value_sort(filter->column->type, list->values, count);
    return status;
}

/* Evaluates the operands of all filters, before the first row is read: a wrong one is an
 * error even if no row is found. */
enum status filters_evaluate(struct filters *filters, struct eval *eval, struct error *err)
{
    const struct where *where = filters->where;
    enum status status = OK;

    assert(where->filter_count);
    filters->values = arena_new_array(eval->arena, struct bytes, where->filter_count);
    filters->keys = arena_new_array(eval->arena, struct bytes, where->filter_count);
    filters->lists = arena_new_array(eval->arena, struct value_list, where->filter_count);
    for (uint32_t i = 0; i < where->filter_count && !status; i++) {
        const struct filter *filter = &where->filters[i];

        if (filter->key)
            status = filter_operand(filter->key, eval, filter->column, &filters->keys[i], err);
        if (!status && filter->op == OPERATOR_IN)
            status = filter_list(filter, eval, &filters->lists[i], err);
        else if (!status)
            status = filter_operand(filter->value, eval, filter->column, &filters->values[i], err);
    }
    return status;
}

/* Only these operators compare by order; the others are looked up in collections or lists. */
static bool order_satisfies(enum cql_operator op, int order)
{
    switch (op) {
    case OPERATOR_EQ: return order == 0;
    case OPERATOR_LT: return order < 0;
    case OPERATOR_LE: return order <= 0;
    case OPERATOR_GT: return order > 0;
    case OPERATOR_GE: return order >= 0;
    default: return false;
    }
}

/* Does the collection hold the wanted element (CONTAINS), key (CONTAINS KEY), or entry (m[k]
 * = v)? It is searched from its beginning: rows hold small collections, and a map's values
 * are in no order. */
static bool collection_holds(const struct filter *filter, struct bytes collection, struct bytes wanted,
                             struct bytes wanted_key)
{
    const struct type *type = filter->column->type;
    struct value_iterator iterator;
    struct bytes element, value;

    assert(type->param_count);
    if (collection.size == 0)
        return false;
    value_iterator_init(&iterator, type, collection);
    while (value_iterator_next(&iterator, &element)) {
        value = element;
        if (type->kind == TYPE_MAP && !value_iterator_next(&iterator, &value))
            return false;
        if (filter->key) {
            if (value_compare(type->params[0], element, wanted_key) == 0 &&
                value_compare(type->params[1], value, wanted) == 0)
                return true;
        } else if (filter->op == OPERATOR_CONTAINS_KEY) {
            if (value_compare(type->params[0], element, wanted) == 0)
                return true;
        } else if (value_compare(type->kind == TYPE_MAP ? type->params[1] : type->params[0], value, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* A number is compared as a whole, whatever it is compared with. Values of IN are looked up by halves, and most end at their first bytes. */
static uint64_t wanted_work(const struct filter *filter, struct bytes wanted)
{
    return filter->op == OPERATOR_IN || filter->key ? WORK_CALL : work_of_value(filter->value->type, wanted);
}

/* Whether a row passes all filters. A null in a column that is asked about passes none, not
 * even CONTAINS. */
bool filters_look(const struct filters *filters, const struct bytes *slots)
{
    const struct where *where = filters->where;

    assert(filters->values && where->filter_count);
    for (uint32_t i = 0; i < where->filter_count; i++) {
        const struct filter *filter = &where->filters[i];
        struct bytes value = slots[filter->slot], wanted = filters->values[i];
        bool fits;

        if (bytes_is_null(value) ||
            work_add(filters->work, work_of_value(filter->column->type, value) + wanted_work(filter, wanted)))
            return false;
        if (filter->key || filter->op == OPERATOR_CONTAINS || filter->op == OPERATOR_CONTAINS_KEY)
            fits = collection_holds(filter, value, wanted, filters->keys[i]);
        else if (filter->op == OPERATOR_IN)
            fits = value_find(filter->column->type, filters->lists[i].values, filters->lists[i].count, value);
        else
            fits = order_satisfies(filter->op, value_compare(filter->column->type, value, wanted));
        if (!fits)
            return false;
    }
    return true;
}

/* Does WHERE ask about rows? Then a partition of static columns alone is no answer, although
 * its static columns may pass. */
bool filters_ask_rows(const struct where *where)
{
    if (where->has_clustering)
        return true;
    for (uint32_t i = 0; i < where->filter_count; i++)
        if (where->filters[i].column->kind == COLUMN_REGULAR || where->filters[i].column->kind == COLUMN_CLUSTERING)
            return true;
    return false;
}
