/* Selectors, what stands in a SELECT clause and in GROUP BY, become typed expressions over
 * the columns of a row. Unlike a term a selector has no receiver: its type comes from the
 * columns and functions in it. Only where a function or a collection around it asks for a
 * type is there one wanted. A column that is used gets a slot. Aggregates are collected in
 * the plan: the expression refers to their results. Source:
 * org.apache.cassandra.cql3.selection, release 5.0. */
#include "plan/selector.h"

#include "cql/print.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

enum { AGGREGATES_MAX = 1024 };

/* Slots are few, so they are looked through. */
uint32_t selection_slot(struct selection *selection, const struct column_def *column)
{
    struct select_plan *select = selection->select;

    for (uint32_t i = 0; i < select->slot_count; i++)
        if (select->slots[i] == column)
            return i;
    /* There is room for each column of the table once. */
    select->slots[select->slot_count] = column;
    assert(select->slot_count < selection->planner->table->column_count);
    return select->slot_count++;
}

/* An expression with room for its arguments, which its caller fills in. */
static struct expr *new_expr(struct planner *planner, enum expr_kind kind, const struct type *type, uint32_t arg_count)
{
    struct expr *expr = arena_new_struct(planner->arena, struct expr);

    expr->kind = kind;
    assert(type);
    expr->type = type;
    expr->field = -1;
    expr->arg_count = arg_count;
    expr->args = arena_new_array(planner->arena, const struct expr *, arg_count + 1);
    return expr;
}

const struct expr *selection_column_expr(struct selection *selection, const struct column_def *column)
{
    struct expr *expr = new_expr(selection->planner, EXPR_COLUMN, column->type, 0);

    expr->index = selection_slot(selection, column);
    return expr;
}

/* ---- names of results ---- */

static void print_name(struct planner *planner, struct buffer *out, const struct term *term);

/* With a comma between them. */
static void print_names(struct planner *planner, struct buffer *out, const struct term *term)
{
    for (uint32_t i = 0; i < term->item_count; i++) {
        if (i)
            buffer_append_string(out, ", ");
        print_name(planner, out, term->items[i]);
    }
}

/* v[k] and v[a..b], without spaces; an end that was left out is left out here. */
static void print_element(struct planner *planner, struct buffer *out, const struct term *term)
{
    print_name(planner, out, term->items[0]);
    buffer_append_string(out, "[");
    if (term->items[1])
        cql_print_term(out, term->items[1]);
    if (term->kind == TERM_SLICE) {
        buffer_append_string(out, "..");
        if (term->items[2])
            cql_print_term(out, term->items[2]);
    }
    buffer_append_string(out, "]");
}

/* All functions are system's, also where it was not said. cast_as_int(x) is shown as a cast, which
 * is what it is. */
static void print_call(struct planner *planner, struct buffer *out, const struct term *term)
{
    const char *target = function_cast_target(term->function.name);

    if (target)
        buffer_append_string(out, "cast(");
    else
        buffer_printf(out, "system.%.*s(", BYTES(term->function.name));
    print_names(planner, out, term);
    if (target)
        buffer_printf(out, " as %s", target);
    buffer_append_string(out, ")");
}

/* In Cassandra the type of a column that is sorted descending is one of its own. */
static bool is_descending(struct planner *planner, const struct term *term)
{
    const struct column_def *column = term->kind == TERM_COLUMN ? table_def_column(planner->table, term->column) : NULL;

    return column && column->descending;
}

/* A cast to the type that x has is not shown: Cassandra leaves it out when it plans. */
static void print_cast(struct planner *planner, struct buffer *out, const struct term *term)
{
    const struct type *from = term_natural_type(planner, term->items[0]), *to;

    if (from && !is_descending(planner, term->items[0]) &&
        !term_resolve_type(planner, term->type, planner->table->keyspace, &to) && type_equal(from, to)) {
        print_name(planner, out, term->items[0]);
        return;
    }
    buffer_append_string(out, "cast(");
    print_name(planner, out, term->items[0]);
    buffer_append_string(out, " as ");
    cql_print_type(out, term->type);
    buffer_append_string(out, ")");
}

/* writetime(x), maxwritetime(x) or ttl(x). */
static void print_cell_fact(struct planner *planner, struct buffer *out, const struct term *term)
{
    buffer_append_string(out, term->kind == TERM_TTL         ? "ttl("
                              : term->kind == TERM_WRITETIME ? "writetime("
                                                             : "maxwritetime(");
    print_name(planner, out, term->items[0]);
    buffer_append_string(out, ")");
}

/* A result's name as Cassandra gives it to a selector without AS: functions with their
 * keyspace, casts in lower case, literals as printed. Drivers offer these names to programs,
 * so they must be the same. */
static void print_name(struct planner *planner, struct buffer *out, const struct term *term)
{
    switch (term->kind) {
    case TERM_COLUMN: buffer_append_bytes(out, term->column); break;
    case TERM_FIELD:
        print_name(planner, out, term->items[0]);
        buffer_printf(out, ".%.*s", BYTES(term->column));
        break;
    case TERM_ELEMENT:
    case TERM_SLICE: print_element(planner, out, term); break;
    case TERM_COUNT_ROWS: buffer_append_string(out, "count"); break;
    case TERM_WRITETIME:
    case TERM_MAXWRITETIME:
    case TERM_TTL: print_cell_fact(planner, out, term); break;
    case TERM_FUNCTION: print_call(planner, out, term); break;
    case TERM_CAST: print_cast(planner, out, term); break;
    /* Without a space, unlike a term's text. */
    case TERM_HINT:
        term_print_hint(planner, out, term);
        print_name(planner, out, term->items[0]);
        break;
    case TERM_OPERATION:
        print_name(planner, out, term->items[0]);
        buffer_printf(out, " %c ", term->op);
        print_name(planner, out, term->items[1]);
        break;
    case TERM_NEGATE:
        buffer_append_string(out, "-");
        print_name(planner, out, term->items[0]);
        break;
    case TERM_TUPLE:
        buffer_append_string(out, "(");
        print_names(planner, out, term);
        buffer_append_string(out, ")");
        break;
    /* Collections may hold selectors, which have names of their own. */
    case TERM_LIST:
    case TERM_SET:
        buffer_append_string(out, term->kind == TERM_LIST ? "[" : "{");
        print_names(planner, out, term);
        buffer_append_string(out, term->kind == TERM_LIST ? "]" : "}");
        break;
    case TERM_LITERAL:
        /* A quote within a string is shown once, where CQL wants it twice. */
        if (term->literal.kind == LITERAL_STRING)
            buffer_printf(out, "'%.*s'", BYTES(term->literal.text));
        else
            cql_print_term(out, term);
        break;
    default: cql_print_term(out, term); break;
    }
}

struct bytes selector_name(struct planner *planner, const struct term *term)
{
    struct buffer out = { 0 };

    print_name(planner, &out, term);
    return buffer_to_arena(planner->arena, &out);
}

/* ---- selectors ---- */

/* Does the selector depend on a row? What does not is compiled as a term. */
static bool contains_column(const struct term *term)
{
    switch (term->kind) {
    case TERM_COLUMN:
    case TERM_COUNT_ROWS: return true;
    default:
        for (uint32_t i = 0; i < term->item_count; i++)
            if (term->items[i] && contains_column(term->items[i]))
                return true;
        return false;
    }
}

/* Compiles a selector that knows its type by itself. *result NULL: its type is what is wanted
 * of it, so it is compiled when that is known. */
static enum status compile_natural(struct selection *selection, const struct term *term, const struct expr **result)
{
    *result = NULL;
    switch (term->kind) {
    case TERM_LITERAL:
    case TERM_MARKER:
    case TERM_NULL: return OK;
    /* A collection of literals alone has no type; with a column in it, it follows from the
     * column's. */
    case TERM_LIST:
    case TERM_SET:
    case TERM_MAP:
    case TERM_UDT: return contains_column(term) ? selector_compile(selection, term, NULL, result) : OK;
    case TERM_TUPLE:
        if (term->item_count == 1)
            return compile_natural(selection, term->items[0], result);
        return contains_column(term) ? selector_compile(selection, term, NULL, result) : OK;
    default: return selector_compile(selection, term, NULL, result);
    }
}

/* What resolve.c hands back when it asks about an argument. */
struct test_context {
    struct selection *selection;
    const struct term *term;
};

static enum assignability test_selector(const void *context, const struct type *receiver)
{
    const struct test_context *test = context;

    return term_test(test->selection->planner, test->term, receiver);
}

/* An argument as resolve.c asks for it. natural NULL: it has no type of its own. */
static struct function_argument make_argument(struct selection *selection, const struct term *term,
                                              const struct expr *natural)
{
    /* It lives as long as the plan: resolve.c asks by it while functions are chosen. */
    struct test_context *context = arena_new_struct(selection->planner->arena, struct test_context);

    *context = (struct test_context){ selection, term };
    return (struct function_argument){
        .type = natural ? natural->type : NULL,
        .guess = natural ? natural->type : term_guess_type(selection->planner, term, true),
        .is_list = term->kind == TERM_LIST && !natural,
        .item_count = term->item_count,
        .text = selector_name(selection->planner, term),
        .is_marker = term->kind == TERM_MARKER,
        .test = test_selector,
        .context = context,
    };
}

/* Each aggregate in the clause is an accumulator of its own; AGGREGATES_MAX bounds their
 * memory. */
static enum status add_aggregate(struct selection *selection, enum aggregate_kind kind, const struct expr *argument,
                                 const struct type *type, const struct expr **result)
{
    struct select_plan *select = selection->select;
    struct expr *expr = new_expr(selection->planner, EXPR_AGGREGATE, type, 0);

    if (select->aggregate_count == AGGREGATES_MAX)
        return error_set(selection->planner->err, ERR_INVALID, "Too many aggregates");
    /* For all that there may be, at once: expressions refer to them by number. */
    if (!select->aggregates)
        select->aggregates = arena_new_array(selection->planner->arena, struct select_aggregate, AGGREGATES_MAX);
    expr->index = select->aggregate_count++;
    assert(kind != AGGREGATE_NONE && (argument || kind == AGGREGATE_COUNT_ROWS));
    select->aggregates[expr->index] = (struct select_aggregate){ kind, argument, type };
    select->is_aggregate = true;
    *result = expr;
    return OK;
}

/* Known by name before it is resolved, as its arguments may not hold another aggregate. */
static bool is_aggregate_name(struct bytes name)
{
    static const char *const names[] = { "count", "countrows", "min", "max", "sum", "avg" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (bytes_equal(name, bytes_of_string(names[i])))
            return true;
    return false;
}

/* The function that is called with these arguments. Of a keyspace other than system there are none:
 * functions of one's own are not offered. */
static enum status find_function(struct selection *selection, const struct term *term, const struct type *wanted,
                                 struct function_argument *args, const struct function **function)
{
    struct planner *planner = selection->planner;
    struct function_scope scope = { .arena = planner->arena, .receiver = NULL, .table = planner->table };
    enum status status = OK;

    *function = NULL;
    if (term->kind == TERM_OPERATION)
        return function_resolve_operator(&scope, term->op, args, function, planner->err);
    if (term->kind == TERM_NEGATE) {
        /* -1 takes the type that is asked for; for a function and an operator Cassandra does
         * not look at it. */
        scope.receiver = wanted;
        return function_resolve_negation(&scope, &args[0], function, planner->err);
    }
    if (bytes_is_null(term->function.keyspace) || bytes_equal(term->function.keyspace, BYTES_LITERAL("system")))
        status = function_resolve(&scope, term->function.name, args, term->item_count, function, planner->err);
    if (!status && !*function)
        return error_set(planner->err, ERR_INVALID, "Unknown function '%.*s'", BYTES(term->function.name));
    return status;
}

/* count(1), of any literal, counts rows as count(*) does. */
static bool counts_rows(const struct term *term)
{
    return term->kind == TERM_FUNCTION && term->item_count == 1 && term->items[0]->kind == TERM_LITERAL &&
           bytes_equal(term->function.name, BYTES_LITERAL("count"));
}

/* A function, operator or negation. Arguments that know their type are compiled first; with
 * those types the function is found; then the others are compiled against its parameters. */
static enum status compile_call(struct selection *selection, const struct term *term, const struct type *wanted,
                                const struct expr **result)
{
    struct planner *planner = selection->planner;
    struct function_argument *args = arena_new_array(planner->arena, struct function_argument, term->item_count + 1);
    const struct function *function;
    enum status status;

    if (term->item_count > FUNCTION_ARGUMENTS_MAX)
        return error_set(planner->err, ERR_INVALID, "Too many arguments");
    const struct expr **compiled = arena_new_array(planner->arena, const struct expr *, term->item_count + 1);
    bool inside = selection->inside_aggregate,
         aggregates = term->kind == TERM_FUNCTION && is_aggregate_name(term->function.name);
    /* sum(max(v)) has no meaning; the check comes before the arguments, whose errors are less
     * to the point. */
    if (inside && aggregates)
        return error_set(planner->err, ERR_INVALID,
                         "aggregate functions cannot be used as arguments of aggregate functions");
    /* Set while its arguments are compiled. */
    selection->inside_aggregate |= aggregates;
    for (uint32_t i = 0; i < term->item_count; i++) {
        status = compile_natural(selection, term->items[i], &compiled[i]);
        if (status)
            return status;
        args[i] = make_argument(selection, term->items[i], compiled[i]);
    }
    selection->inside_aggregate = inside;
    if (counts_rows(term))
        return add_aggregate(selection, AGGREGATE_COUNT_ROWS, NULL, type_native(TYPE_BIGINT), result);
    status = find_function(selection, term, wanted, args, &function);
    if (status)
        return status;
    assert(function->return_type && function->arg_count == term->item_count);
    struct expr *call = new_expr(planner, EXPR_CALL, function->return_type, term->item_count);
    call->function = function;
    /* What had no type by itself gets that of the parameter. */
    for (uint32_t i = 0; i < term->item_count && !status; i++) {
        call->args[i] = compiled[i];
        if (!compiled[i])
            status = selector_compile(selection, term->items[i], function->arg_types[i], &call->args[i]);
    }
    if (status)
        return status;
    /* An aggregate is not called row by row: it is an accumulator, and here stands its
     * result. */
    if (function->aggregate)
        return add_aggregate(selection, function->aggregate, term->item_count ? call->args[0] : NULL,
                             function->return_type, result);
    *result = call;
    return OK;
}

/* Finds a column by its name. */
enum status selection_column(struct selection *selection, struct bytes name, const struct column_def **column)
{
    struct planner *planner = selection->planner;

    *column = table_def_column(planner->table, name);
    if (!*column)
        return planner_undefined_column(planner, name);
    return OK;
}

/* writetime, maxwritetime and ttl, of a column, of one element or of one field. A collection
 * gives a list, one for each cell. */
static enum status compile_cell_fact(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    /* Below the column again: what of it was asked about. */
    const struct term *of = term->items[0];
    const char *name = term->kind == TERM_TTL ? "ttl" : term->kind == TERM_WRITETIME ? "writetime" : "maxwritetime";
    enum expr_kind kind = term->kind == TERM_TTL         ? EXPR_TTL
                          : term->kind == TERM_WRITETIME ? EXPR_WRITETIME
                                                         : EXPR_MAXWRITETIME;
    const struct type *single = type_native(term->kind == TERM_TTL ? TYPE_INT : TYPE_BIGINT);
    const struct column_def *column;
    enum status status;

    assert(term->item_count == 1);
    while (of->kind == TERM_FIELD || of->kind == TERM_ELEMENT || of->kind == TERM_SLICE)
        of = of->items[0];
    /* Below fields and elements there must be a column: only columns have cells. */
    if (of->kind != TERM_COLUMN)
        return error_set(planner->err, ERR_INVALID, "%s() needs a column", name);
    status = selection_column(selection, of->column, &column);
    if (status)
        return status;
    if (column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING)
        return error_set(planner->err, ERR_INVALID, "Cannot use selection function %s on PRIMARY KEY part %.*s", name,
                         BYTES(column->name));
    /* The slot is of the whole column; element or field say which cells of it. */
    struct expr *expr = new_expr(planner, kind, single, 0);
    expr->index = selection_slot(selection, column);
    of = term->items[0];
    if (of->kind == TERM_SLICE)
        return error_set(planner->err, ERR_INVALID, "%s() of a slice is not supported yet", name);
    /* A frozen column is one cell, of which an element has no time of its own. */
    if (column->multicell && of->kind == TERM_ELEMENT) {
        if (column->type->kind == TYPE_LIST)
            return error_set(planner->err, ERR_INVALID,
                             "Element selection is only allowed on sets and maps, but %.*s is a list",
                             BYTES(column->name));
        status = selector_compile(selection, of->items[1], column->type->params[0], &expr->element);
    } else if (column->multicell && of->kind == TERM_FIELD) {
        for (uint32_t i = 0; i < column->type->param_count; i++)
            if (column->type->field_names && bytes_equal(column->type->field_names[i], of->column))
                expr->field = (int32_t)i;
        if (expr->field < 0)
            return error_set(planner->err, ERR_INVALID, "%.*s of type %.*s has no field %.*s", BYTES(column->name),
                             BYTES(type_name(planner->arena, column->type)), BYTES(of->column));
        /* One time for each cell. */
    } else if (column->multicell && kind != EXPR_MAXWRITETIME) {
        expr->type = type_list(planner->arena, single, false);
    }
    selection->select->wants_cells = true;
    *result = expr;
    return status;
}

/* v.f of a UDT. */
static enum status compile_field(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct expr *udt;
    enum status status = selector_compile(selection, term->items[0], NULL, &udt);

    if (status)
        return status;
    if (udt->type->kind != TYPE_UDT)
        return error_set(planner->err, ERR_INVALID, "Invalid field selection: %.*s of type %.*s is not a user type",
                         BYTES(selector_name(planner, term->items[0])), BYTES(type_name(planner->arena, udt->type)));
    assert(udt->type->field_names);
    /* The field is a component of the UDT's value, read by its number. */
    for (uint32_t i = 0; i < udt->type->param_count; i++)
        if (bytes_equal(udt->type->field_names[i], term->column)) {
            *result = term_component(planner, udt, i);
            return OK;
        }
    return error_set(planner->err, ERR_INVALID, "%.*s of type %.*s has no field %.*s",
                     BYTES(selector_name(planner, term->items[0])), BYTES(type_name(planner->arena, udt->type)),
                     BYTES(term->column));
}

/* v[k] and v[a..b], of sets and maps; lists have neither in Cassandra. */
static enum status compile_element(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    bool slice = term->kind == TERM_SLICE;
    const struct expr *collection;
    enum status status = selector_compile(selection, term->items[0], NULL, &collection);

    if (status)
        return status;
    const struct type *type = collection->type;
    if (!type_is_collection(type))
        return error_set(planner->err, ERR_INVALID, "Invalid %s selection: %.*s %sof type %.*s is not a collection",
                         slice ? "slice" : "element", BYTES(selector_name(planner, term->items[0])), slice ? "" : "is ",
                         BYTES(type_name(planner->arena, type)));
    if (type->kind == TYPE_LIST)
        return error_set(planner->err, ERR_INVALID, "%s selection is only allowed on sets and maps, but %.*s is a list",
                         slice ? "Slice" : "Element", BYTES(selector_name(planner, term->items[0])));
    struct expr *expr = new_expr(planner, slice ? EXPR_SLICE : EXPR_ELEMENT,
                                 slice                    ? type
                                 : type->kind == TYPE_MAP ? type->params[1]
                                                          : type->params[0],
                                 slice ? 3 : 2);
    assert(term->item_count == (slice ? 3 : 2));
    struct bytes name = selector_name(planner, term->items[0]);
    /* The key is a term, not a selector: it may not depend on the row. */
    struct receiver key = receiver_of(planner->arena, type->kind == TYPE_MAP ? "key" : "value", name, type->params[0]);
    expr->args[0] = collection;
    for (uint32_t i = 1; i < expr->arg_count && !status; i++)
        if (term->items[i])
            status = term_compile(planner, term->items[i], &key, &expr->args[i]);
    *result = expr;
    return status;
}

enum status selector_cannot_infer(struct selection *selection, const struct term *term)
{
    return error_set(selection->planner->err, ERR_INVALID,
                     "Cannot infer type for term %.*s in selection clause (try using a cast to force a type)",
                     BYTES(selector_name(selection->planner, term)));
}

/* Cassandra names the selector twice here. */
static enum status cannot_assign(struct selection *selection, const struct term *term, const struct type *type)
{
    struct bytes name = selector_name(selection->planner, term);

    return error_set(selection->planner->err, ERR_INVALID, "Cannot assign value %.*s to %.*s of type %.*s", BYTES(name),
                     BYTES(name), BYTES(type_name(selection->planner->arena, type)));
}

/* {a: b} of plain column names may be a map, or a UDT with a field a. */
static bool is_ambiguous_map(const struct term *term)
{
    /* Every second item is a key. */
    for (uint32_t i = 0; i < term->item_count; i += 2)
        if (term->items[i]->kind != TERM_COLUMN)
            return false;
    return term->kind == TERM_MAP && term->item_count;
}

/* The same literal as a value of a user type: the keys are names of fields. */
static const struct term *as_udt(struct planner *planner, const struct term *map)
{
    struct term *term = arena_new_struct(planner->arena, struct term);
    uint32_t count = map->item_count / 2;
    struct bytes *names = arena_new_array(planner->arena, struct bytes, count + 1);
    const struct term **values = arena_new_array(planner->arena, const struct term *, count + 1);

    assert(map->kind == TERM_MAP && map->item_count % 2 == 0);
    *term = *map;
    term->kind = TERM_UDT;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = map->items[2 * i]->column;
        values[i] = map->items[2 * i + 1];
    }
    term->field_names = names;
    term->items = values;
    term->item_count = count;
    return term;
}

/* A literal names a field that the type does not have. */
static enum status unknown_field(struct planner *planner, const struct type *type, struct bytes name)
{
    return error_set(planner->err, ERR_INVALID, "Unknown field '%.*s' in value of user defined type %.*s", BYTES(name),
                     BYTES(type->name));
}

/* All fields of the literal must be the type's. */
static enum status check_fields(struct planner *planner, const struct type *type, const struct term *term)
{
    assert(type->kind == TYPE_UDT && term->kind == TERM_UDT);
    for (uint32_t i = 0; i < term->item_count; i++) {
        uint32_t at = 0;

        while (at < type->param_count && !bytes_equal(type->field_names[at], term->field_names[i]))
            at++;
        if (at == type->param_count)
            return unknown_field(planner, type, term->field_names[i]);
    }
    return OK;
}

/* May the bytes be read as the wanted type? Frozen or not does not matter for a value. */
static bool is_readable_as(struct planner *planner, const struct type *type, const struct type *wanted)
{
    const struct type *from = type_freeze(planner->arena, type), *to = type_freeze(planner->arena, wanted);

    return type_equal(from, to) || type_is_value_compatible(to, from);
}

/* The same expression with another type: the bytes are the same. */
static const struct expr *read_as(struct planner *planner, const struct expr *expr, const struct type *type)
{
    struct expr *copy = arena_new_struct(planner->arena, struct expr);

    assert(type);
    *copy = *expr;
    copy->type = type;
    return copy;
}

/* The type of a collection or tuple that nobody asks a type of: of a tuple each part must have one,
 * of a collection that of the first part that has one counts (of a map the first key's and the
 * first value's). NULL: the parts do not say enough. */
static const struct type *inferred_type(struct planner *planner, const struct term *term,
                                        const struct expr *const *compiled)
{
    const struct type *types[2] = { NULL, NULL };
    uint32_t width = term->kind == TERM_MAP ? 2 : 1;

    if (term->kind == TERM_TUPLE) {
        const struct type **fields = arena_new_array(planner->arena, const struct type *, term->item_count);

        for (uint32_t i = 0; i < term->item_count; i++) {
            if (!compiled[i])
                return NULL;
            fields[i] = compiled[i]->type;
        }
        return type_tuple(planner->arena, fields, term->item_count);
    }
    for (uint32_t i = 0; i < term->item_count; i++)
        if (!types[i % width] && compiled[i])
            types[i % width] = compiled[i]->type;
    if (!types[0] || (width == 2 && !types[1]) || term->kind == TERM_UDT)
        return NULL;
    return term->kind == TERM_LIST  ? type_list(planner->arena, types[0], true)
           : term->kind == TERM_SET ? type_set(planner->arena, types[0], true)
                                    : type_map(planner->arena, types[0], types[1], true);
}

/* Compiles the parts that know their types by themselves; from these follows the whole's. */
static enum status infer_pack(struct selection *selection, const struct term *term, const struct expr **compiled,
                              const struct type **type)
{
    if (is_ambiguous_map(term))
        return selector_cannot_infer(selection, term);
    for (uint32_t i = 0; i < term->item_count; i++) {
        enum status status = compile_natural(selection, term->items[i], &compiled[i]);

        if (status)
            return status;
    }
    *type = inferred_type(selection->planner, term, compiled);
    return *type ? OK : selector_cannot_infer(selection, term);
}

/* Where the literal's part i goes in a value of this type, and the type that is wanted of it: *at
 * is its place among the parts, which differs from i only in a UDT. */
static enum status pack_place(struct selection *selection, const struct term *term, const struct type *type, uint32_t i,
                              uint32_t *at, const struct type **element)
{
    *at = i;
    switch (type->kind) {
    case TYPE_MAP: *element = type->params[i % 2]; return OK;
    case TYPE_TUPLE:
        if (i >= type->param_count)
            return selector_cannot_infer(selection, term);
        *element = type->params[i];
        return OK;
    case TYPE_UDT:
        if (term->kind != TERM_UDT)
            return selector_cannot_infer(selection, term);
        /* The field of the type that has this name. */
        for (*at = 0; *at < type->param_count; ++*at)
            if (bytes_equal(type->field_names[*at], term->field_names[i]))
                break;
        if (*at == type->param_count)
            return unknown_field(selection->planner, type, term->field_names[i]);
        *element = type->params[*at];
        return OK;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_VECTOR: *element = type->params[0]; return OK;
    default: return selector_cannot_infer(selection, term);
    }
}

/* Collections, tuples and UDTs whose parts are selectors. Without a wanted type it follows
 * from the parts, if they say enough. */
static enum status compile_pack(struct selection *selection, const struct term *term, const struct type *wanted,
                                const struct expr **result)
{
    struct planner *planner = selection->planner;
    enum status status = OK;

    /* (x) is x, unless a tuple is asked for. */
    if (term->kind == TERM_TUPLE && term->item_count == 1 && (!wanted || wanted->kind != TYPE_TUPLE))
        return selector_compile(selection, term->items[0], wanted, result);
    if (wanted && wanted->kind == TYPE_UDT && is_ambiguous_map(term))
        term = as_udt(planner, term);
    const struct expr **compiled = arena_new_array(planner->arena, const struct expr *, term->item_count + 1);
    if (!wanted) {
        status = infer_pack(selection, term, compiled, &wanted);
        if (status)
            return status;
    }
    /* Markers inside are named after the selector. */
    struct receiver receiver = { selector_name(planner, term), wanted };
    assert(wanted);
    /* Without a column it is a literal: term.c computes it once. */
    if (!contains_column(term))
        return term_compile(planner, term, &receiver, result);

    uint32_t count = wanted->kind == TYPE_UDT || wanted->kind == TYPE_TUPLE ? wanted->param_count : term->item_count;
    struct expr *pack = new_expr(planner, EXPR_PACK, wanted, count);
    /* Fields that are not written are null. */
    for (uint32_t i = 0; i < count; i++)
        pack->args[i] = new_expr(planner, EXPR_NULL, wanted, 0);
    for (uint32_t i = 0; i < term->item_count && !status; i++) {
        uint32_t at;
        const struct type *element = NULL;

        status = pack_place(selection, term, wanted, i, &at, &element);
        if (status)
            return status;
        /* What was compiled to find the type need not be compiled again, unless it is to be
         * another type. */
        if (compiled[i] && type_equal(compiled[i]->type, element))
            pack->args[at] = compiled[i];
        else
            status = selector_compile(selection, term->items[i], element, &pack->args[at]);
        if (!status && !is_readable_as(planner, pack->args[at]->type, element))
            return cannot_assign(selection, term, wanted);
    }
    *result = pack;
    return status;
}

/* (type) x: the type is frozen, as whatever is selected by itself, and x is read as it. */
static enum status compile_hint(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct term *value = term->items[0];
    const struct type *type;
    enum status status = term_resolve_type(planner, term->type, planner->table->keyspace, &type);

    if (status)
        return status;
    type = type_freeze(planner->arena, type);
    /* The hint says what {a: b} is. */
    if (type->kind == TYPE_UDT && is_ambiguous_map(value)) {
        value = as_udt(planner, value);
        status = check_fields(planner, type, value);
        if (status)
            return status;
    }
    if (!contains_column(value) && term_test(planner, value, type) == ASSIGNABLE_NOT)
        return cannot_assign(selection, term, type);
    status = selector_compile(selection, value, type, result);
    if (status || type_equal((*result)->type, type))
        return status;
    if (!type_is_value_compatible(type, (*result)->type))
        return cannot_assign(selection, term, type);
    *result = read_as(planner, *result, type);
    return OK;
}

/* CAST is resolved as a function from the selector's own type; a hint only names a type. A cast to
 * the type that the selector has does nothing. */
static enum status compile_cast(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct type *type;
    const struct function *function;
    const struct expr *from;
    struct function_scope scope = { .arena = planner->arena };
    enum status status = term_resolve_type(planner, term->type, planner->table->keyspace, &type);

    if (!status)
        status = selector_compile(selection, term->items[0], NULL, &from);
    if (!status && type_equal(from->type, type)) {
        *result = from;
        return OK;
    }
    if (!status)
        status = function_resolve_cast(&scope, from->type, type, selector_name(planner, term->items[0]), &function,
                                       planner->err);
    if (status)
        return status;
    struct expr *expr = new_expr(planner, EXPR_CALL, type, 1);
    expr->function = function;
    assert(function && function->is_cast);
    expr->args[0] = from;
    *result = expr;
    return OK;
}

/* Compiles one selector. How deep selectors may be nested is bounded by the parser. */
enum status selector_compile(struct selection *selection, const struct term *term, const struct type *wanted,
                             const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct column_def *column;
    enum status status;

    switch (term->kind) {
    case TERM_COLUMN:
        assert(planner->table && selection->select->slots);
        status = selection_column(selection, term->column, &column);
        if (!status)
            *result = selection_column_expr(selection, column);
        return status;
    case TERM_COUNT_ROWS:
        if (selection->inside_aggregate)
            return error_set(planner->err, ERR_INVALID,
                             "aggregate functions cannot be used as arguments of aggregate functions");
        return add_aggregate(selection, AGGREGATE_COUNT_ROWS, NULL, type_native(TYPE_BIGINT), result);
    case TERM_FUNCTION:
    case TERM_OPERATION:
    case TERM_NEGATE: return compile_call(selection, term, wanted, result);
    case TERM_WRITETIME:
    case TERM_MAXWRITETIME:
    case TERM_TTL: return compile_cell_fact(selection, term, result);
    case TERM_FIELD: return compile_field(selection, term, result);
    case TERM_ELEMENT:
    case TERM_SLICE: return compile_element(selection, term, result);
    case TERM_CAST: return compile_cast(selection, term, result);
    case TERM_HINT: return compile_hint(selection, term, result);
    case TERM_LIST:
    case TERM_SET:
    case TERM_MAP:
    case TERM_UDT:
    case TERM_TUPLE: return compile_pack(selection, term, wanted, result);
    /* These have no type of their own: only inside of something that asks for one. */
    case TERM_LITERAL:
    case TERM_NULL:
    case TERM_MARKER: {
        struct receiver receiver = { BYTES_LITERAL("[selection]"), wanted };

        if (!wanted)
            return selector_cannot_infer(selection, term);
        return term_compile(planner, term, &receiver, result);
    }
    }
    return selector_cannot_infer(selection, term);
}
