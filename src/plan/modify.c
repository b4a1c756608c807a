/* INSERT, UPDATE and DELETE become plans: which partitions and rows they reach (access), and
 * what they do to columns (operations). INSERT names its row by key columns among its values,
 * the others by WHERE. The order in which a statement is checked is Cassandra's, because a
 * statement may be wrong in two ways and the first error is the one that clients see. Source:
 * org.apache.cassandra.cql3.statements.{Update,Delete,Modification}Statement and
 * cql3.Operation, release 5.0. */
#include "plan/modify.h"

#include "cql/print.h"
#include "plan/number.h"

#include <assert.h>
#include <stdlib.h>

static enum status undefined_column(struct planner *planner, struct bytes name)
{
    return planner_undefined_column(planner, name);
}

/* Key columns find a row; only others are written. */
static bool is_key_column(const struct column_def *column)
{
    return column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING;
}

/* USING TIMESTAMP and TTL. A counter's cells have neither: their time is the owner's. */
static enum status compile_using(struct planner *planner, const struct using_clause *using_clause,
                                 struct modify_plan *modify)
{
    struct receiver timestamp = { BYTES_LITERAL("[timestamp]"), type_native(TYPE_BIGINT) };
    struct receiver ttl = { BYTES_LITERAL("[ttl]"), type_native(TYPE_INT) };
    enum status status = OK;

    assert(!modify->timestamp && !modify->ttl);
    if (planner->table->is_counter && (using_clause->timestamp || using_clause->ttl))
        return error_set(planner->err, ERR_INVALID, "Cannot provide custom %s for counter updates",
                         using_clause->timestamp ? "timestamp" : "TTL");
    if (using_clause->timestamp)
        status = term_compile(planner, using_clause->timestamp, &timestamp, &modify->timestamp);
    if (!status && using_clause->ttl)
        status = term_compile(planner, using_clause->ttl, &ttl, &modify->ttl);
    return status;
}

/* By column id, then as written: cells come out sorted, and of one column later operations
 * see what earlier ones did. */
static int compare_operations(const void *a, const void *b)
{
    const struct operation *left = a, *right = b;

    if (left->column->id != right->column->id)
        return left->column->id < right->column->id ? -1 : 1;
    return (left->number > right->number) - (left->number < right->number);
}

/* Adds an operation and notes what the statement touches. reads_first: the operation needs to
 * know what is in the row, so an owner, or whoever writes a batch, must look. */
static void add_operation(struct modify_plan *modify, const struct operation *operation)
{
    assert(operation->column && !is_key_column(operation->column));
    modify->operations[modify->operation_count] = *operation;
    modify->operations[modify->operation_count].number = modify->operation_count;
    modify->operation_count++;
    if (operation->column->kind == COLUMN_STATIC)
        modify->touches_static = true;
    else
        modify->touches_rows = true;
    /* What cannot be done without looking at the row. */
    switch (operation->kind) {
    case OPERATION_REMOVE: modify->reads_first |= operation->column->type->kind == TYPE_LIST; break;
    case OPERATION_SUM:
    case OPERATION_SET_INDEX:
    case OPERATION_DELETE_INDEX: modify->reads_first = true; break;
    default: break;
    }
}

/* A key column with one value. */
static struct key_part eq_part(const struct planner *planner, uint32_t position)
{
    return (struct key_part){
        .kind = PART_EQ,
        .first = position,
        .width = 1,
        .values = arena_new_array(planner->arena, const struct expr *, 1),
        .value_count = 1,
    };
}

/* ---- INSERT ---- */

/* An error if a column of the partition key, or of the clustering, has no value; it names all
 * of them. */
static enum status missing_keys(struct planner *planner, const struct modify_plan *modify, bool clustering)
{
    const struct table_def *table = planner->table;
    uint32_t first = clustering ? table->partition_key_count : 0,
             count = clustering ? table->clustering_count : table->partition_key_count;
    const struct key_part *parts = clustering ? modify->where.access.clustering : modify->where.access.partition;
    struct buffer names = { 0 };
    uint32_t missing = 0;

    assert(parts);
    for (uint32_t i = 0; i < count; i++)
        if (parts[i].kind == PART_NONE)
            buffer_printf(&names, "%s%.*s", missing++ ? ", " : "", BYTES(table->columns[first + i].name));
    /* All are there. */
    if (!missing) {
        buffer_fini(&names);
        return OK;
    }
    struct bytes shown = buffer_to_arena(planner->arena, &names);
    return error_set(planner->err, ERR_INVALID, "Some %s are missing: %.*s",
                     clustering ? "clustering keys" : "partition key parts", BYTES(shown));
}

/* INSERT must name a row. With static columns only, the clustering may be left out: then it
 * writes the partition's static row. */
static enum status finish_insert(struct planner *planner, struct modify_plan *modify)
{
    const struct table_def *table = planner->table;
    struct where *where = &modify->where;
    uint32_t given = 0;
    enum status status = missing_keys(planner, modify, false);

    if (status)
        return status;
    assert(modify->kind == MODIFY_INSERT);
    for (uint32_t i = 0; i < table->clustering_count; i++)
        given += where->access.clustering[i].kind != PART_NONE;
    /* A part of the clustering finds no row: missing_keys says which columns lack. */
    where->access.kind = ACCESS_PARTITIONS;
    where->has_clustering = given > 0;
    where->access.clustering_count = given == table->clustering_count ? table->clustering_count : 0;
    where->access.clustering_is_complete = given == table->clustering_count;
    if (given != table->clustering_count) {
        /* Only static columns: the partition's static row is written. */
        if (given || modify->touches_rows || !modify->touches_static)
            return missing_keys(planner, modify, true);
        /* Without clustering columns the row is written too, unless only static columns are. */
    } else if (table->clustering_count || !modify->touches_static || modify->touches_rows) {
        modify->touches_rows = true;
    }
    return OK;
}

/* A key column's value finds the row; any other's is written. */
static void insert_value(struct planner *planner, struct modify_plan *modify, const struct column_def *column,
                         const struct expr *value)
{
    if (is_key_column(column)) {
        struct key_part *part = column->kind == COLUMN_PARTITION_KEY
                                    ? &modify->where.access.partition[column->position]
                                    : &modify->where.access.clustering[column->position];

        /* INSERT names its row by values, so each is an equality. */
        *part = eq_part(planner, column->position);
        assert(part->width == 1 && part->first == column->position);
        part->values[0] = value;
        return;
    }
    add_operation(modify, &(struct operation){ .kind = column->multicell ? OPERATION_SET_COMPLEX : OPERATION_SET,
                                               .column = column,
                                               .value = value });
}

/* For qsort. */
static int compare_names(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* Sorted first, since a statement may name far more columns than the table has: comparing
 * each pair would let a client keep us busy. */
static bool has_duplicates(struct arena *arena, const struct bytes *names, uint32_t count)
{
    struct bytes *sorted = arena_new_array(arena, struct bytes, count);

    memcpy(sorted, names, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_names);
    for (uint32_t i = 1; i < count; i++)
        if (bytes_equal(sorted[i - 1], sorted[i]))
            return true;
    return false;
}

/* INSERT ... VALUES. */
static enum status plan_insert_values(struct planner *planner, const struct insert_statement *insert,
                                      struct modify_plan *modify)
{
    const struct table_def *table = planner->table;

    assert(!insert->json);
    if (insert->column_count == 0)
        return error_set(planner->err, ERR_INVALID, "Column names for INSERT must be provided when using VALUES");
    if (insert->column_count != insert->value_count)
        return error_set(planner->err, ERR_INVALID, "Unmatched column names/values");
    if (has_duplicates(planner->arena, insert->columns, insert->column_count))
        return error_set(planner->err, ERR_INVALID, "The column names contains duplicates");
    for (uint32_t i = 0; i < insert->column_count; i++) {
        const struct column_def *column = table_def_column(table, insert->columns[i]);
        const struct expr *value;

        if (!column)
            return undefined_column(planner, insert->columns[i]);
        /* A value is typed by its column, and a marker is named after it. */
        struct receiver receiver = { column->name, column->type };
        enum status status = term_compile(planner, insert->values[i], &receiver, &value);
        if (status)
            return status;
        insert_value(planner, modify, column, value);
    }
    return OK;
}

/* INSERT JSON: the members are not known until it is executed. So each column's value is a
 * bind behind the statement's own markers, which json_bind (query/json.c) fills in from the
 * text. */
static enum status plan_insert_json(struct planner *planner, const struct insert_statement *insert,
                                    struct modify_plan *modify)
{
    const struct table_def *table = planner->table;
    struct receiver receiver = { BYTES_LITERAL("[json]"), type_native(TYPE_TEXT) };
    enum status status = term_compile(planner, insert->json, &receiver, &modify->json);

    modify->json_default_unset = insert->default_unset;
    for (uint32_t i = 0; i < table->column_count && !status; i++) {
        const struct column_def *column = &table->columns[i];
        struct expr *value = arena_new_struct(planner->arena, struct expr);

        /* A bind without a marker: its value is put behind the request's own. */
        *value = (struct expr){
            .kind = EXPR_BIND, .type = column->type, .index = planner->statement->marker_count + i, .field = -1
        };
        insert_value(planner, modify, column, value);
    }
    return status;
}

/* Every key column must come among the values. */
static enum status plan_insert(struct planner *planner, const struct cql_statement *statement,
                               struct modify_plan *modify)
{
    const struct insert_statement *insert = statement->insert;
    const struct table_def *table = planner->table;
    enum status status;

    assert(statement->kind == STATEMENT_INSERT);
    modify->kind = MODIFY_INSERT;
    if (table->is_counter)
        return error_set(planner->err, ERR_INVALID,
                         "INSERT statements are not allowed on counter tables, use UPDATE instead");
    modify->operations = arena_new_array(planner->arena, struct operation, table->column_count + 1);
    modify->where.access.partition = arena_new_array(planner->arena, struct key_part, table->partition_key_count);
    modify->where.access.clustering = arena_new_array(planner->arena, struct key_part, table->clustering_count + 1);
    modify->if_not_exists = insert->if_not_exists;
    status = insert->json ? plan_insert_json(planner, insert, modify) : plan_insert_values(planner, insert, modify);
    if (!status)
        status = compile_using(planner, &insert->using_clause, modify);
    if (!status)
        status = finish_insert(planner, modify);
    return status;
}

/* ---- UPDATE ---- */

/* The assignment as Cassandra prints it in errors; it prints "v = x - v" for a prepended x. */
static const char *assignment_text(struct planner *planner, const struct assignment *assignment)
{
    struct arena *arena = planner->arena;
    struct bytes value = assignment->value ? term_text(planner, assignment->value) : BYTES_LITERAL("null"),
                 column = assignment->column;

    switch (assignment->kind) {
    case ASSIGN_SET: return arena_printf(arena, "%.*s = %.*s", BYTES(column), BYTES(value));
    case ASSIGN_ADD: return arena_printf(arena, "%.*s = %.*s + %.*s", BYTES(column), BYTES(column), BYTES(value));
    case ASSIGN_SUBTRACT: return arena_printf(arena, "%.*s = %.*s - %.*s", BYTES(column), BYTES(column), BYTES(value));
    case ASSIGN_PREPEND: return arena_printf(arena, "%.*s = %.*s - %.*s", BYTES(column), BYTES(value), BYTES(column));
    case ASSIGN_ELEMENT:
        return arena_printf(arena, "%.*s[%.*s] = %.*s", BYTES(column), BYTES(term_text(planner, assignment->key)),
                            BYTES(value));
    case ASSIGN_FIELD:
        return arena_printf(arena, "%.*s.%.*s = %.*s", BYTES(column), BYTES(assignment->field), BYTES(value));
    }
    return "";
}

/* The words of UPDATE ... SET that the column's type does not allow. */
static enum status invalid_operation(struct planner *planner, const struct assignment *assignment, const char *why,
                                     struct bytes what)
{
    return error_set(planner->err, ERR_INVALID, "Invalid operation (%s) for %s %.*s",
                     assignment_text(planner, assignment), why, BYTES(what));
}

/* The number of a UDT's field. */
static enum status find_field(struct planner *planner, const struct column_def *column, struct bytes name,
                              uint32_t *field)
{
    assert(column->type->kind == TYPE_UDT && column->type->field_names);
    for (uint32_t i = 0; i < column->type->param_count; i++)
        if (bytes_equal(column->type->field_names[i], name)) {
            *field = i;
            return OK;
        }
    return error_set(planner->err, ERR_INVALID, "UDT column %.*s does not have a field named %.*s", BYTES(column->name),
                     BYTES(name));
}

/* v = v + x, v += x, v = v - x. What it means depends on the column: a counter counts, a
 * collection gets or loses elements, and a number or text is added to, but only under a
 * condition: then the row is read anyhow (`reads`), which Cassandra asks for. */
static enum status plan_add_or_subtract(struct planner *planner, const struct assignment *assignment, bool reads,
                                        const struct column_def *column, struct operation *operation)
{
    const struct type *type = column->type;
    bool add = assignment->kind == ASSIGN_ADD;
    struct receiver receiver = { column->name, type };

    /* Counters, numbers and texts. */
    if (!type_is_collection(type)) {
        /* A literal null is refused now, a bound one when it is executed. */
        if (type->kind == TYPE_COUNTER) {
            if (assignment->value->kind == TERM_NULL)
                return error_set(planner->err, ERR_INVALID, "Invalid null value for counter increment/decrement");
            operation->kind = add ? OPERATION_COUNT : OPERATION_COUNT_DOWN;
            return term_compile(planner, assignment->value, &receiver, &operation->value);
        }
        if (type->kind == TYPE_TUPLE && add)
            return invalid_operation(planner, assignment, "tuple column", column->name);
        if (!add || !reads)
            return invalid_operation(planner, assignment, "non counter column", column->name);
        if (!number_kind_is_numeric(type->kind) && type->kind != TYPE_TEXT && type->kind != TYPE_ASCII)
            return invalid_operation(planner, assignment, "non-numeric and non-text type", column->name);
        operation->kind = OPERATION_SUM;
        return term_compile(planner, assignment->value, &receiver, &operation->value);
    }
    /* A frozen collection is one value: nothing can be added to it without reading it. */
    if (!column->multicell)
        return invalid_operation(planner, assignment, "frozen collection column", column->name);
    operation->kind = add ? OPERATION_ADD : OPERATION_REMOVE;
    if (type->kind == TYPE_MAP) {
        if (add && assignment->value->kind != TERM_MAP && assignment->value->kind != TERM_MARKER &&
            term_test(planner, assignment->value, type) == ASSIGNABLE_NOT)
            return error_set(planner->err, ERR_INVALID, "Value for a map addition has to be a map, but was: '%.*s'",
                             BYTES(term_text(planner, assignment->value)));
        /* Keys are taken away from a map: what receives the term is a set of its keys. */
        if (!add) {
            receiver.type = type_set(planner->arena, type->params[0], false);
            if (term_test(planner, assignment->value, receiver.type) == ASSIGNABLE_NOT)
                return error_set(planner->err, ERR_INVALID,
                                 "Value for a map substraction has to be a set, but was: '%.*s'",
                                 BYTES(term_text(planner, assignment->value)));
        }
    }
    return term_compile(planner, assignment->value, &receiver, &operation->value);
}

/* v[k] = x, of a list or a map. */
static enum status plan_element(struct planner *planner, const struct assignment *assignment,
                                const struct column_def *column, struct operation *operation)
{
    const struct type *type = column->type;
    enum status status;

    if (!type_is_collection(type))
        return invalid_operation(planner, assignment, "non collection column", column->name);
    if (!column->multicell)
        return invalid_operation(planner, assignment, "frozen collection column", column->name);
    /* A set has no elements to be set by key. */
    if (type->kind == TYPE_SET)
        return invalid_operation(planner, assignment, "set column", column->name);
    bool list = type->kind == TYPE_LIST;
    struct receiver key = list ? receiver_of(planner->arena, "idx", column->name, type_native(TYPE_INT))
                               : receiver_of(planner->arena, "key", column->name, type->params[0]);
    struct receiver value =
        receiver_of(planner->arena, "value", column->name, list ? type->params[0] : type->params[1]);
    assert(list || type->kind == TYPE_MAP);
    operation->kind = list ? OPERATION_SET_INDEX : OPERATION_SET_KEY;
    status = term_compile(planner, assignment->key, &key, &operation->key);
    return status ? status : term_compile(planner, assignment->value, &value, &operation->value);
}

/* One assignment of UPDATE ... SET. */
static enum status plan_assignment(struct planner *planner, const struct assignment *assignment, bool reads,
                                   const struct column_def *column, struct operation *operation)
{
    const struct type *type = column->type;
    struct receiver receiver = { column->name, type };
    enum status status;

    assert(!is_key_column(column));
    operation->column = column;
    switch (assignment->kind) {
    case ASSIGN_SET:
        if (type->kind == TYPE_COUNTER)
            return error_set(
                planner->err, ERR_INVALID,
                "Cannot set the value of counter column %.*s (counters can only be incremented/decremented, not set)",
                BYTES(column->name));
        operation->kind = column->multicell ? OPERATION_SET_COMPLEX : OPERATION_SET;
        return term_compile(planner, assignment->value, &receiver, &operation->value);
    case ASSIGN_ADD:
    case ASSIGN_SUBTRACT: return plan_add_or_subtract(planner, assignment, reads, column, operation);
    /* v = x + v. */
    case ASSIGN_PREPEND:
        if (type->kind != TYPE_LIST)
            return invalid_operation(planner, assignment, "non list column", column->name);
        if (!column->multicell)
            return invalid_operation(planner, assignment, "frozen list column", column->name);
        operation->kind = OPERATION_PREPEND;
        return term_compile(planner, assignment->value, &receiver, &operation->value);
    case ASSIGN_ELEMENT: return plan_element(planner, assignment, column, operation);
    case ASSIGN_FIELD:
        if (type->kind != TYPE_UDT)
            return invalid_operation(planner, assignment, "non-UDT column", column->name);
        if (!column->multicell)
            return invalid_operation(planner, assignment, "frozen UDT column", column->name);
        operation->kind = OPERATION_SET_FIELD;
        status = find_field(planner, column, assignment->field, &operation->field);
        if (status)
            return status;
        /* A field's marker is named column.field. */
        receiver.name =
            bytes_of_string(arena_printf(planner->arena, "%.*s.%.*s", BYTES(column->name), BYTES(assignment->field)));
        receiver.type = type->params[operation->field];
        return term_compile(planner, assignment->value, &receiver, &operation->value);
    }
    return OK;
}

/* ---- IF ---- */

/* IF v[k] = x: k is a place in a list or a key of a map, and x is an element. */
static enum status plan_condition_element(struct planner *planner, const struct cql_condition *from,
                                          struct plan_condition *to, struct receiver *receiver)
{
    const struct column_def *column = to->column;
    const struct type *type = column->type;

    if (!type_is_collection(type))
        return error_set(planner->err, ERR_INVALID, "Invalid element access syntax for non-collection column %.*s",
                         BYTES(column->name));
    if (type->kind == TYPE_SET)
        return error_set(planner->err, ERR_INVALID, "Invalid element access syntax for set column %.*s",
                         BYTES(column->name));
    bool list = type->kind == TYPE_LIST;
    struct receiver key = list ? receiver_of(planner->arena, "idx", column->name, type_native(TYPE_INT))
                               : receiver_of(planner->arena, "key", column->name, type->params[0]);
    *receiver = receiver_of(planner->arena, "value", column->name, list ? type->params[0] : type->params[1]);
    return term_compile(planner, from->element, &key, &to->element);
}

/* IF v.f = x: x is compared with one field, and its marker is named column.field. */
static enum status plan_condition_field(struct planner *planner, const struct cql_condition *from,
                                        struct plan_condition *to, struct receiver *receiver)
{
    const struct column_def *column = to->column;
    const struct type *type = column->type;
    uint32_t field = 0;

    if (type->kind != TYPE_UDT)
        return error_set(planner->err, ERR_INVALID, "Invalid field access syntax for non-UDT column %.*s",
                         BYTES(column->name));
    while (field < type->param_count && !bytes_equal(type->field_names[field], from->field))
        field++;
    if (field == type->param_count)
        return error_set(planner->err, ERR_INVALID, "Unknown field %.*s for column %.*s", BYTES(from->field),
                         BYTES(column->name));
    to->field = (int32_t)field;
    receiver->name =
        bytes_of_string(arena_printf(planner->arena, "%.*s.%.*s", BYTES(column->name), BYTES(from->field)));
    receiver->type = type->params[field];
    return OK;
}

/* IF v CONTAINS x and IF m CONTAINS KEY k: what is asked for is an element or a key, not a whole
 * collection. Other operators leave the receiver as it is: the column. */
static enum status plan_condition_contains(struct planner *planner, enum cql_operator op,
                                           const struct column_def *column, struct receiver *receiver)
{
    const struct type *type = column->type;

    if (op == OPERATOR_CONTAINS) {
        if (!type_is_collection(type))
            return error_set(planner->err, ERR_INVALID, "Cannot use CONTAINS on non-collection column %.*s",
                             BYTES(column->name));
        *receiver = receiver_of(planner->arena, "value", column->name,
                                type->kind == TYPE_MAP ? type->params[1] : type->params[0]);
    } else if (op == OPERATOR_CONTAINS_KEY) {
        if (type->kind != TYPE_MAP)
            return error_set(planner->err, ERR_INVALID, "Cannot use CONTAINS KEY on non-map column %.*s",
                             BYTES(column->name));
        *receiver = receiver_of(planner->arena, "key", column->name, type->params[0]);
    }
    return OK;
}

/* Also inside of what is stored cell by cell. How deep types are nested is bounded. */
static bool has_duration(const struct type *type)
{
    bool has = type->kind == TYPE_DURATION;

    for (uint32_t i = 0; i < type->param_count && !has; i++)
        has = has_duration(type->params[i]);
    return has;
}

/* Durations have no order, neither alone nor in what holds some: they are equal or not. */
static enum status check_condition_durations(struct planner *planner, enum cql_operator op, const struct type *type)
{
    const char *what = type_is_collection(type)   ? "collections"
                       : type->kind == TYPE_UDT   ? "UDTs"
                       : type->kind == TYPE_TUPLE ? "tuples"
                                                  : NULL;

    if (!operator_is_slice(op) || !has_duration(type))
        return OK;
    if (what)
        return error_set(planner->err, ERR_INVALID, "Slice conditions are not supported on %s containing durations",
                         what);
    return error_set(planner->err, ERR_INVALID, "Slice conditions ( %s ) are not supported on durations",
                     operator_text(op));
}

/* The right side: one term, or those of IN (..). */
static enum status plan_condition_values(struct planner *planner, const struct cql_condition *from,
                                         const struct receiver *receiver, struct plan_condition *to)
{
    enum status status = OK;

    /* IN ?: a list of what the left side is. */
    if (from->op == OPERATOR_IN && from->value) {
        struct receiver in = receiver_of_in(planner->arena, receiver->name, receiver->type);

        return term_compile(planner, from->value, &in, &to->value);
    }
    if (from->value)
        return term_compile(planner, from->value, receiver, &to->value);
    to->value_count = from->value_count;
    to->values = arena_new_array(planner->arena, const struct expr *, from->value_count + 1);
    for (uint32_t i = 0; i < from->value_count && !status; i++)
        status = term_compile(planner, from->values[i], receiver, &to->values[i]);
    return status;
}

/* One condition of IF. What it is compared with depends on what stands on its left: a column,
 * an element, a field, or what a collection contains. */
static enum status plan_one_condition(struct planner *planner, const struct cql_condition *from,
                                      struct plan_condition *to)
{
    const struct column_def *column = table_def_column(planner->table, from->column);
    enum status status;

    if (!column)
        return undefined_column(planner, from->column);
    if (column->type->kind == TYPE_COUNTER)
        return error_set(planner->err, ERR_INVALID, "Conditions on counters are not supported");
    if (is_key_column(column))
        return error_set(planner->err, ERR_INVALID, "PRIMARY KEY column '%.*s' cannot have IF conditions",
                         BYTES(column->name));
    *to = (struct plan_condition){ .column = column, .field = -1 };
    /* The left side decides what receives the right one. */
    struct receiver receiver = { column->name, column->type };
    to->op = from->op;
    if (from->op == OPERATOR_LIKE || from->op == OPERATOR_IS_NOT_NULL)
        return error_set(planner->err, ERR_INVALID, "Unsupported operator in a condition on %.*s", BYTES(column->name));
    if (from->element)
        status = plan_condition_element(planner, from, to, &receiver);
    else if (!bytes_is_null(from->field))
        status = plan_condition_field(planner, from, to, &receiver);
    else
        status = plan_condition_contains(planner, from->op, column, &receiver);
    if (!status)
        status = check_condition_durations(planner, from->op, receiver.type);
    return status ? status : plan_condition_values(planner, from, &receiver, to);
}

/* The conditions in the order in which they were written, in which a refusal shows their
 * columns. */
static enum status plan_conditions(struct planner *planner, const struct cql_condition *conditions, uint32_t count,
                                   struct modify_plan *modify)
{
    modify->conditions = arena_new_array(planner->arena, struct plan_condition, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        enum status status = plan_one_condition(planner, &conditions[i], &modify->conditions[i]);

        if (status)
            return status;
    }
    modify->condition_count = count;
    return OK;
}

/* Does a condition look at a regular column? Then the statement needs one row. */
static bool conditions_touch_rows(const struct modify_plan *modify)
{
    for (uint32_t i = 0; i < modify->condition_count; i++)
        if (modify->conditions[i].column->kind == COLUMN_REGULAR)
            return true;
    return false;
}

/* UPDATE. Without regular columns, also in conditions, it is about the partition's static
 * row, and WHERE may leave the clustering out. */
static enum status plan_update(struct planner *planner, const struct cql_statement *statement,
                               struct modify_plan *modify)
{
    const struct update_statement *update = statement->update;
    const struct table_def *table = planner->table;
    enum status status = OK;

    assert(statement->kind == STATEMENT_UPDATE);
    modify->kind = MODIFY_UPDATE;
    modify->if_exists = update->if_exists;
    modify->operations = arena_new_array(planner->arena, struct operation, update->assignment_count + 1);
    status = compile_using(planner, &update->using_clause, modify);
    for (uint32_t i = 0; i < update->assignment_count && !status; i++) {
        const struct assignment *assignment = &update->assignments[i];
        const struct column_def *column = table_def_column(table, assignment->column);
        struct operation operation = { 0 };

        if (!column)
            return undefined_column(planner, assignment->column);
        /* A key cannot be set: it would be another row. */
        if (is_key_column(column))
            return error_set(planner->err, ERR_INVALID, "PRIMARY KEY part %.*s found in SET part", BYTES(column->name));
        status = plan_assignment(planner, assignment, update->if_exists || update->condition_count, column, &operation);
        if (!status)
            add_operation(modify, &operation);
    }
    if (!status)
        status = plan_conditions(planner, update->conditions, update->condition_count, modify);
    if (status)
        return status;

    /* What must be in WHERE depends on which columns are written and asked about. */
    bool only_static = !modify->touches_rows && !conditions_touch_rows(modify);
    struct where_options options = { .use = WHERE_UPDATE, .only_static = only_static };
    return where_compile(planner, update->relations, update->relation_count, &options, &modify->where);
}

/* ---- DELETE ---- */

/* DELETE v, DELETE v[k], DELETE v.f. */
static enum status plan_deletion(struct planner *planner, const struct cql_deletion *deletion,
                                 const struct column_def *column, struct operation *operation)
{
    const struct type *type = column->type;

    assert(!is_key_column(column));
    operation->column = column;
    if (deletion->element) {
        if (!type_is_collection(type))
            return error_set(planner->err, ERR_INVALID, "Invalid deletion operation for non collection column %.*s",
                             BYTES(column->name));
        if (!column->multicell)
            return error_set(planner->err, ERR_INVALID, "Invalid deletion operation for frozen collection column %.*s",
                             BYTES(column->name));
        bool list = type->kind == TYPE_LIST;
        /* An element of a set is deleted by itself, of a list by its index, of a map by its
         * key. */
        struct receiver key = list ? receiver_of(planner->arena, "idx", column->name, type_native(TYPE_INT))
                              : type->kind == TYPE_SET
                                  ? receiver_of(planner->arena, "value", column->name, type->params[0])
                                  : receiver_of(planner->arena, "key", column->name, type->params[0]);
        operation->kind = list ? OPERATION_DELETE_INDEX : OPERATION_DELETE_ELEMENT;
        return term_compile(planner, deletion->element, &key, &operation->key);
    }
    if (!bytes_is_null(deletion->field)) {
        if (type->kind != TYPE_UDT)
            return error_set(planner->err, ERR_INVALID, "Invalid field deletion operation for non-UDT column %.*s",
                             BYTES(column->name));
        if (!column->multicell)
            return error_set(planner->err, ERR_INVALID, "Frozen UDT column %.*s does not support field deletions",
                             BYTES(column->name));
        operation->kind = OPERATION_DELETE_FIELD;
        return find_field(planner, column, deletion->field, &operation->field);
    }
    operation->kind = OPERATION_DELETE;
    return OK;
}

/* What DELETE deletes: partitions, ranges of rows, rows, or columns of rows. Columns need
 * whole rows named. */
static enum status finish_delete(struct planner *planner, struct modify_plan *modify)
{
    const struct table_def *table = planner->table;
    const struct where *where = &modify->where;

    /* Conditions need one row, unless all is about static columns. */
    if ((modify->condition_count || modify->if_exists) && !where->access.clustering_is_complete) {
        if (modify->touches_rows || !modify->operation_count)
            return error_set(
                planner->err, ERR_INVALID,
                "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to delete non static columns");
        if (conditions_touch_rows(modify))
            return error_set(
                planner->err, ERR_INVALID,
                "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to use IF condition on non static columns");
    }
    assert(modify->kind == MODIFY_DELETE);
    /* DELETE FROM: how much of the primary key WHERE names says what goes. */
    if (modify->operation_count == 0) {
        modify->deletes_partitions = !where->has_clustering;
        modify->deletes_ranges = where->has_clustering && !where->access.clustering_is_complete;
        if (table->clustering_count == 0)
            modify->deletes_partitions = true;
        modify->touches_rows = true;
    } else if (modify->touches_rows && !where->access.clustering_is_complete) {
        return error_set(planner->err, ERR_INVALID, "Range deletions are not supported for specific columns");
    }
    return OK;
}

/* DELETE. */
static enum status plan_delete(struct planner *planner, const struct cql_statement *statement,
                               struct modify_plan *modify)
{
    const struct delete_statement *delete_ = statement->delete_;
    enum status status = OK;

    assert(statement->kind == STATEMENT_DELETE);
    modify->kind = MODIFY_DELETE;
    modify->if_exists = delete_->if_exists;
    modify->operations = arena_new_array(planner->arena, struct operation, delete_->deletion_count + 1);
    for (uint32_t i = 0; i < delete_->deletion_count && !status; i++) {
        const struct column_def *column = table_def_column(planner->table, delete_->deletions[i].column);
        struct operation operation = { 0 };

        if (!column)
            return undefined_column(planner, delete_->deletions[i].column);
        if (is_key_column(column))
            return error_set(planner->err, ERR_INVALID,
                             "Invalid identifier %.*s for deletion (should not be a PRIMARY KEY part)",
                             BYTES(column->name));
        status = plan_deletion(planner, &delete_->deletions[i], column, &operation);
        if (!status)
            add_operation(modify, &operation);
    }
    if (!status)
        status = compile_using(planner, &delete_->using_clause, modify);
    if (!status)
        status = plan_conditions(planner, delete_->conditions, delete_->condition_count, modify);
    if (status)
        return status;
    bool only_static = modify->operation_count && !modify->touches_rows && !conditions_touch_rows(modify);
    struct where_options options = { .use = WHERE_DELETE, .only_static = only_static };
    status = where_compile(planner, delete_->relations, delete_->relation_count, &options, &modify->where);
    return status ? status : finish_delete(planner, modify);
}

/* What Cassandra refuses together with IF: it decides on one partition, with a time of its
 * own. */
static enum status check_conditional(struct planner *planner, const struct modify_plan *modify)
{
    const char *name = modify->kind == MODIFY_DELETE ? "deletions" : "updates";

    if (planner->table->is_counter)
        return error_set(planner->err, ERR_INVALID, "Conditional updates are not supported on counter tables");
    /* The owner's time is what orders conditional writes. */
    if (modify->timestamp)
        return error_set(planner->err, ERR_INVALID, "Cannot provide custom timestamp for conditional updates");
    /* Only one owner can decide. */
    if (modify->where.partition_has_in)
        return error_set(planner->err, ERR_INVALID, "IN on the partition key is not supported with conditional %s",
                         name);
    if (modify->where.clustering_has_in)
        return error_set(planner->err, ERR_INVALID,
                         "IN on the clustering key columns is not supported with conditional %s", name);
    return OK;
}

/* ---- the three ---- */

/* Where each kind of statement names its table. */
static const struct qualified_name *insert_table(const struct cql_statement *statement)
{
    return &statement->insert->table;
}

static const struct qualified_name *update_table(const struct cql_statement *statement)
{
    return &statement->update->table;
}

static const struct qualified_name *delete_table(const struct cql_statement *statement)
{
    return &statement->delete_->table;
}

/* What each of the three has of its own; all else they share. */
static const struct modify_form {
    const struct qualified_name *(*table)(const struct cql_statement *statement);
    enum status (*plan)(struct planner *planner, const struct cql_statement *statement, struct modify_plan *modify);
} forms[] = {
    [STATEMENT_INSERT] = { insert_table, plan_insert },
    [STATEMENT_UPDATE] = { update_table, plan_update },
    [STATEMENT_DELETE] = { delete_table, plan_delete },
};

/* Plans one of the three. The table is looked up first, then the clauses in the order of
 * each. */
enum status plan_modify(struct planner *planner, const struct cql_statement *statement, struct plan *plan)
{
    struct modify_plan *modify = arena_new_struct(planner->arena, struct modify_plan);
    const struct modify_form *form;
    enum status status;

    assert(statement->kind < sizeof(forms) / sizeof(*forms) && forms[statement->kind].plan);
    form = &forms[statement->kind];
    status = plan_use_table(planner, form->table(statement), plan);
    if (status)
        return status;
    /* Set before it is complete: what follows a failure drops the plan as a whole. */
    plan->modify = modify;
    if (planner->table->virtual_table)
        return error_set(planner->err, ERR_INVALID, "Modification is not supported by table %.*s.%.*s",
                         BYTES(planner->table->keyspace), BYTES(planner->table->name));
    status = form->plan(planner, statement, modify);
    if (status)
        return status;
    /* Cells of a row lie by column id. */
    qsort(modify->operations, modify->operation_count, sizeof(*modify->operations), compare_operations);
    assert(modify->where.access.kind == ACCESS_PARTITIONS && modify->where.access.partition);
    assert(!modify->deletes_partitions || !modify->deletes_ranges);
    if (modify->if_not_exists || modify->if_exists || modify->condition_count)
        status = check_conditional(planner, modify);
    return status;
}
