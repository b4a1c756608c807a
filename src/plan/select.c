/* SELECT becomes a plan. Source: org.apache.cassandra.cql3.statements.SelectStatement and cql3.selection, release 5.0. */
#include "plan/plan.h"

#include "cql/print.h"
#include "schema/ddl.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

enum { AGGREGATES_MAX = 1024, DEPTH_MAX = 400 };

struct selection {
    struct planner *planner;
    struct select_plan *select;
    bool inside_aggregate;
    uint32_t slot_capacity;
};

static uint32_t slot_of(struct selection *selection, const struct column_def *column)
{
    struct select_plan *select = selection->select;

    for (uint32_t i = 0; i < select->slot_count; i++)
        if (select->slots[i] == column)
            return i;
    select->slots[select->slot_count] = column;
    return select->slot_count++;
}

static struct expr *new_expr(struct planner *planner, enum expr_kind kind, const struct type *type, uint32_t arg_count)
{
    struct expr *expr = arena_new_struct(planner->arena, struct expr);

    expr->kind = kind;
    expr->type = type;
    expr->field = -1;
    expr->arg_count = arg_count;
    expr->args = arena_new_array(planner->arena, const struct expr *, arg_count + 1);
    return expr;
}

/* ---- names of results ---- */

static void print_name(struct planner *planner, struct buffer *out, const struct term *term);

static void print_names(struct planner *planner, struct buffer *out, const struct term *term)
{
    for (uint32_t i = 0; i < term->item_count; i++) {
        if (i)
            buffer_append_string(out, ", ");
        print_name(planner, out, term->items[i]);
    }
}

static void print_name(struct planner *planner, struct buffer *out, const struct term *term)
{
    switch (term->kind) {
    case TERM_COLUMN: buffer_append_bytes(out, term->column); break;
    case TERM_FIELD:
        print_name(planner, out, term->items[0]);
        buffer_printf(out, ".%.*s", BYTES(term->column));
        break;
    case TERM_ELEMENT:
        print_name(planner, out, term->items[0]);
        buffer_append_string(out, "[");
        cql_print_term(out, term->items[1]);
        buffer_append_string(out, "]");
        break;
    case TERM_SLICE:
        print_name(planner, out, term->items[0]);
        buffer_append_string(out, "[");
        if (term->items[1])
            cql_print_term(out, term->items[1]);
        buffer_append_string(out, "..");
        if (term->items[2])
            cql_print_term(out, term->items[2]);
        buffer_append_string(out, "]");
        break;
    case TERM_COUNT_ROWS: buffer_append_string(out, "count"); break;
    case TERM_WRITETIME:
    case TERM_MAXWRITETIME:
    case TERM_TTL:
        buffer_append_string(out, term->kind == TERM_TTL         ? "ttl("
                                  : term->kind == TERM_WRITETIME ? "writetime("
                                                                 : "maxwritetime(");
        print_name(planner, out, term->items[0]);
        buffer_append_string(out, ")");
        break;
    case TERM_FUNCTION: {
        const char *target = function_cast_target(term->function.name);

        if (target)
            buffer_append_string(out, "cast(");
        else
            buffer_printf(out, "system.%.*s(", BYTES(term->function.name));
        print_names(planner, out, term);
        if (target)
            buffer_printf(out, " as %s", target);
        buffer_append_string(out, ")");
        break;
    }
    case TERM_CAST: {
        const struct type *from = term_natural_type(planner, term->items[0]), *to;

        if (from && !term_resolve_type(planner, term->type, planner->table->keyspace, &to) && type_equal(from, to)) {
            print_name(planner, out, term->items[0]); /* nothing to cast */
            break;
        }
        buffer_append_string(out, "cast(");
        print_name(planner, out, term->items[0]);
        buffer_append_string(out, " as ");
        cql_print_type(out, term->type);
        buffer_append_string(out, ")");
        break;
    }
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
    case TERM_LIST:
    case TERM_SET:
        buffer_append_string(out, term->kind == TERM_LIST ? "[" : "{");
        print_names(planner, out, term);
        buffer_append_string(out, term->kind == TERM_LIST ? "]" : "}");
        break;
    default: cql_print_term(out, term); break;
    }
}

static struct bytes name_of(struct planner *planner, const struct term *term)
{
    struct buffer out = { 0 };

    print_name(planner, &out, term);
    return buffer_to_arena(planner->arena, &out);
}

/* ---- selectors ---- */

static enum status compile_selector(struct selection *selection, const struct term *term, const struct type *wanted,
                                    const struct expr **result);

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

/* Compiles a selector that knows its type by itself; *result NULL: its type is what is wanted of it. */
static enum status compile_natural(struct selection *selection, const struct term *term, const struct expr **result)
{
    *result = NULL;
    switch (term->kind) {
    case TERM_LITERAL:
    case TERM_MARKER:
    case TERM_NULL: return OK;
    case TERM_LIST:
    case TERM_SET:
    case TERM_MAP:
    case TERM_UDT: return contains_column(term) ? compile_selector(selection, term, NULL, result) : OK;
    case TERM_TUPLE:
        if (term->item_count == 1)
            return compile_natural(selection, term->items[0], result);
        return contains_column(term) ? compile_selector(selection, term, NULL, result) : OK;
    default: return compile_selector(selection, term, NULL, result);
    }
}

struct test_context {
    struct selection *selection;
    const struct term *term;
};

static enum assignability test_selector(const void *context, const struct type *receiver)
{
    const struct test_context *test = context;

    return term_test(test->selection->planner, test->term, receiver);
}

static struct function_argument make_argument(struct selection *selection, const struct term *term,
                                              const struct expr *natural)
{
    struct test_context *context = arena_new_struct(selection->planner->arena, struct test_context);

    *context = (struct test_context){ selection, term };
    return (struct function_argument){
        .type = natural ? natural->type : NULL,
        .guess = natural ? natural->type : term_guess_type(selection->planner, term, true),
        .is_list = term->kind == TERM_LIST && !natural,
        .item_count = term->item_count,
        .text = name_of(selection->planner, term),
        .is_marker = term->kind == TERM_MARKER,
        .test = test_selector,
        .context = context,
    };
}

static enum status add_aggregate(struct selection *selection, enum aggregate_kind kind, const struct expr *argument,
                                 const struct type *type, const struct expr **result)
{
    struct select_plan *select = selection->select;
    struct expr *expr = new_expr(selection->planner, EXPR_AGGREGATE, type, 0);

    if (select->aggregate_count == AGGREGATES_MAX)
        return error_set(selection->planner->err, ERR_INVALID, "Too many aggregates");
    if (!select->aggregates)
        select->aggregates = arena_new_array(selection->planner->arena, struct select_aggregate, AGGREGATES_MAX);
    expr->index = select->aggregate_count++;
    select->aggregates[expr->index] = (struct select_aggregate){ kind, argument, type };
    select->is_aggregate = true;
    *result = expr;
    return OK;
}

static bool is_aggregate_name(struct bytes name)
{
    static const char *const names[] = { "count", "countrows", "min", "max", "sum", "avg" };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (bytes_equal(name, bytes_of_string(names[i])))
            return true;
    return false;
}

static enum status compile_call(struct selection *selection, const struct term *term, const struct type *wanted,
                                const struct expr **result)
{
    struct planner *planner = selection->planner;
    struct function_argument *args = arena_new_array(planner->arena, struct function_argument, term->item_count + 1);
    struct function_scope scope = { .arena = planner->arena, .receiver = NULL, .table = planner->table };
    const struct function *function = NULL;
    enum status status;

    if (term->item_count > FUNCTION_ARGUMENTS_MAX)
        return error_set(planner->err, ERR_INVALID, "Too many arguments");
    const struct expr **compiled = arena_new_array(planner->arena, const struct expr *, term->item_count + 1);
    bool inside = selection->inside_aggregate,
         aggregates = term->kind == TERM_FUNCTION && is_aggregate_name(term->function.name);
    if (inside && aggregates)
        return error_set(planner->err, ERR_INVALID,
                         "aggregate functions cannot be used as arguments of aggregate functions");
    selection->inside_aggregate |= aggregates;
    for (uint32_t i = 0; i < term->item_count; i++) {
        status = compile_natural(selection, term->items[i], &compiled[i]);
        if (status)
            return status;
        args[i] = make_argument(selection, term->items[i], compiled[i]);
    }
    selection->inside_aggregate = inside;
    if (term->kind == TERM_OPERATION) {
        status = function_resolve_operator(&scope, term->op, args, &function, planner->err);
    } else if (term->kind == TERM_NEGATE) {
        scope.receiver = wanted;
        status = function_resolve_negation(&scope, &args[0], &function, planner->err);
    } else {
        /* COUNT(1) counts rows. */
        bool literal = term->item_count == 1 && term->items[0]->kind == TERM_LITERAL;

        if (literal && bytes_equal(term->function.name, BYTES_LITERAL("count")))
            return add_aggregate(selection, AGGREGATE_COUNT_ROWS, NULL, type_native(TYPE_BIGINT), result);
        if (!bytes_is_null(term->function.keyspace) && !bytes_equal(term->function.keyspace, BYTES_LITERAL("system")))
            status = OK;
        else
            status = function_resolve(&scope, term->function.name, args, term->item_count, &function, planner->err);
        if (!status && !function)
            return error_set(planner->err, ERR_INVALID, "Unknown function '%.*s'", BYTES(term->function.name));
    }
    if (status)
        return status;
    struct expr *call = new_expr(planner, EXPR_CALL, function->return_type, term->item_count);
    call->function = function;
    for (uint32_t i = 0; i < term->item_count && !status; i++) {
        call->args[i] = compiled[i];
        if (!compiled[i])
            status = compile_selector(selection, term->items[i], function->arg_types[i], &call->args[i]);
    }
    if (status)
        return status;
    if (function->aggregate)
        return add_aggregate(selection, function->aggregate, term->item_count ? call->args[0] : NULL,
                             function->return_type, result);
    *result = call;
    return OK;
}

static enum status find_column(struct selection *selection, struct bytes name, const struct column_def **column)
{
    struct planner *planner = selection->planner;

    *column = table_def_column(planner->table, name);
    if (!*column)
        return term_undefined_column(planner, name);
    return OK;
}

static enum status compile_cell_fact(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct term *of = term->items[0];
    const char *name = term->kind == TERM_TTL ? "ttl" : term->kind == TERM_WRITETIME ? "writetime" : "maxwritetime";
    enum expr_kind kind = term->kind == TERM_TTL         ? EXPR_TTL
                          : term->kind == TERM_WRITETIME ? EXPR_WRITETIME
                                                         : EXPR_MAXWRITETIME;
    const struct type *single = type_native(term->kind == TERM_TTL ? TYPE_INT : TYPE_BIGINT);
    const struct column_def *column;
    enum status status;

    while (of->kind == TERM_FIELD || of->kind == TERM_ELEMENT || of->kind == TERM_SLICE)
        of = of->items[0];
    if (of->kind != TERM_COLUMN)
        return error_set(planner->err, ERR_INVALID, "%s() needs a column", name);
    status = find_column(selection, of->column, &column);
    if (status)
        return status;
    if (column->kind == COLUMN_PARTITION_KEY || column->kind == COLUMN_CLUSTERING)
        return error_set(planner->err, ERR_INVALID, "Cannot use selection function %s on PRIMARY KEY part %.*s", name,
                         BYTES(column->name));
    struct expr *expr = new_expr(planner, kind, single, 0);
    expr->index = slot_of(selection, column);
    of = term->items[0];
    if (of->kind == TERM_SLICE)
        return error_set(planner->err, ERR_INVALID, "%s() of a slice is not supported yet", name);
    if (column->multicell && of->kind == TERM_ELEMENT) {
        if (column->type->kind == TYPE_LIST)
            return error_set(planner->err, ERR_INVALID,
                             "Element selection is only allowed on sets and maps, but %.*s is a list",
                             BYTES(column->name));
        status = compile_selector(selection, of->items[1], column->type->params[0], &expr->element);
    } else if (column->multicell && of->kind == TERM_FIELD) {
        for (uint32_t i = 0; i < column->type->param_count; i++)
            if (column->type->field_names && bytes_equal(column->type->field_names[i], of->column))
                expr->field = (int32_t)i;
        if (expr->field < 0)
            return error_set(planner->err, ERR_INVALID, "%.*s of type %.*s has no field %.*s", BYTES(column->name),
                             BYTES(type_name(planner->arena, column->type)), BYTES(of->column));
    } else if (column->multicell && kind != EXPR_MAXWRITETIME) {
        expr->type = type_list(planner->arena, single, false);
    }
    selection->select->wants_cells = true;
    *result = expr;
    return status;
}

static enum status compile_field(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct expr *udt;
    enum status status = compile_selector(selection, term->items[0], NULL, &udt);

    if (status)
        return status;
    if (udt->type->kind != TYPE_UDT)
        return error_set(planner->err, ERR_INVALID, "Invalid field selection: %.*s of type %.*s is not a user type",
                         BYTES(name_of(planner, term->items[0])), BYTES(type_name(planner->arena, udt->type)));
    for (uint32_t i = 0; i < udt->type->param_count; i++)
        if (bytes_equal(udt->type->field_names[i], term->column)) {
            *result = term_component(planner, udt, i);
            return OK;
        }
    return error_set(planner->err, ERR_INVALID, "%.*s of type %.*s has no field %.*s",
                     BYTES(name_of(planner, term->items[0])), BYTES(type_name(planner->arena, udt->type)),
                     BYTES(term->column));
}

static enum status compile_element(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    bool slice = term->kind == TERM_SLICE;
    const struct expr *collection;
    enum status status = compile_selector(selection, term->items[0], NULL, &collection);

    if (status)
        return status;
    const struct type *type = collection->type;
    if (!type_is_collection(type))
        return error_set(planner->err, ERR_INVALID, "Invalid %s selection: %.*s of type %.*s is not a collection",
                         slice ? "slice" : "element", BYTES(name_of(planner, term->items[0])),
                         BYTES(type_name(planner->arena, type)));
    if (type->kind == TYPE_LIST)
        return error_set(planner->err, ERR_INVALID, "%s selection is only allowed on sets and maps, but %.*s is a list",
                         slice ? "Slice" : "Element", BYTES(name_of(planner, term->items[0])));
    struct expr *expr = new_expr(planner, slice ? EXPR_SLICE : EXPR_ELEMENT,
                                 slice                    ? type
                                 : type->kind == TYPE_MAP ? type->params[1]
                                                          : type->params[0],
                                 slice ? 3 : 2);
    struct bytes name = name_of(planner, term->items[0]);
    struct receiver key = receiver_of(planner->arena, type->kind == TYPE_MAP ? "key" : "value", name, type->params[0]);
    expr->args[0] = collection;
    for (uint32_t i = 1; i < expr->arg_count && !status; i++)
        if (term->items[i])
            status = term_compile(planner, term->items[i], &key, &expr->args[i]);
    *result = expr;
    return status;
}

static enum status cannot_infer(struct selection *selection, const struct term *term)
{
    return error_set(selection->planner->err, ERR_INVALID,
                     "Cannot infer type for term %.*s in selection clause (try using a cast to force a type)",
                     BYTES(name_of(selection->planner, term)));
}

static enum status cannot_assign(struct selection *selection, const struct term *term, const struct type *type)
{
    struct bytes name = name_of(selection->planner, term);

    return error_set(selection->planner->err, ERR_INVALID, "Cannot assign value %.*s to %.*s of type %.*s", BYTES(name),
                     BYTES(name), BYTES(type_name(selection->planner->arena, type)));
}

/* {a: b} of plain columns may be a map or a udt. */
static bool is_ambiguous_map(const struct term *term)
{
    for (uint32_t i = 0; i < term->item_count; i += 2)
        if (term->items[i]->kind != TERM_COLUMN)
            return false;
    return term->kind == TERM_MAP && term->item_count;
}

/* The same as a value of a user type. */
static const struct term *as_udt(struct planner *planner, const struct term *map)
{
    struct term *term = arena_new_struct(planner->arena, struct term);
    uint32_t count = map->item_count / 2;
    struct bytes *names = arena_new_array(planner->arena, struct bytes, count + 1);
    const struct term **values = arena_new_array(planner->arena, const struct term *, count + 1);

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

static enum status unknown_field(struct planner *planner, const struct type *type, struct bytes name)
{
    return error_set(planner->err, ERR_INVALID, "Unknown field '%.*s' in value of user defined type %.*s", BYTES(name),
                     BYTES(type->name));
}

static enum status check_fields(struct planner *planner, const struct type *type, const struct term *term)
{
    for (uint32_t i = 0; i < term->item_count; i++) {
        uint32_t at = 0;

        while (at < type->param_count && !bytes_equal(type->field_names[at], term->field_names[i]))
            at++;
        if (at == type->param_count)
            return unknown_field(planner, type, term->field_names[i]);
    }
    return OK;
}

/* Frozen or not does not matter for a value. */
static bool is_readable_as(struct planner *planner, const struct type *type, const struct type *wanted)
{
    const struct type *from = type_freeze(planner->arena, type), *to = type_freeze(planner->arena, wanted);

    return type_equal(from, to) || type_is_value_compatible(to, from);
}

/* The same bytes by another type. */
static const struct expr *read_as(struct planner *planner, const struct expr *expr, const struct type *type)
{
    struct expr *copy = arena_new_struct(planner->arena, struct expr);

    *copy = *expr;
    copy->type = type;
    return copy;
}

/* Collections, tuples and udts whose parts are selectors. */
static enum status compile_pack(struct selection *selection, const struct term *term, const struct type *wanted,
                                const struct expr **result)
{
    struct planner *planner = selection->planner;
    enum status status = OK;

    if (term->kind == TERM_TUPLE && term->item_count == 1 && (!wanted || wanted->kind != TYPE_TUPLE))
        return compile_selector(selection, term->items[0], wanted, result);
    if (wanted && wanted->kind == TYPE_UDT && is_ambiguous_map(term))
        term = as_udt(planner, term);
    const struct expr **compiled = arena_new_array(planner->arena, const struct expr *, term->item_count + 1);
    if (!wanted) {
        if (is_ambiguous_map(term))
            return cannot_infer(selection, term);
        const struct type *types[2] = { NULL, NULL };
        uint32_t width = term->kind == TERM_MAP ? 2 : 1;

        for (uint32_t i = 0; i < term->item_count; i++) {
            status = compile_natural(selection, term->items[i], &compiled[i]);
            if (status)
                return status;
        }
        if (term->kind == TERM_TUPLE) {
            const struct type **fields = arena_new_array(planner->arena, const struct type *, term->item_count);

            for (uint32_t i = 0; i < term->item_count; i++) {
                if (!compiled[i])
                    return cannot_infer(selection, term);
                fields[i] = compiled[i]->type;
            }
            wanted = type_tuple(planner->arena, fields, term->item_count);
        } else {
            for (uint32_t i = 0; i < term->item_count; i++)
                if (!types[i % width] && compiled[i])
                    types[i % width] = compiled[i]->type;
            if (!types[0] || (width == 2 && !types[1]) || term->kind == TERM_UDT)
                return cannot_infer(selection, term);
            wanted = term->kind == TERM_LIST  ? type_list(planner->arena, types[0], true)
                     : term->kind == TERM_SET ? type_set(planner->arena, types[0], true)
                                              : type_map(planner->arena, types[0], types[1], true);
        }
    }
    struct receiver receiver = { name_of(planner, term), wanted };
    if (!contains_column(term))
        return term_compile(planner, term, &receiver, result);

    uint32_t count = wanted->kind == TYPE_UDT || wanted->kind == TYPE_TUPLE ? wanted->param_count : term->item_count;
    struct expr *pack = new_expr(planner, EXPR_PACK, wanted, count);
    for (uint32_t i = 0; i < count; i++)
        pack->args[i] = new_expr(planner, EXPR_NULL, wanted, 0);
    for (uint32_t i = 0; i < term->item_count && !status; i++) {
        uint32_t at = i;
        const struct type *element;

        switch (wanted->kind) {
        case TYPE_MAP: element = wanted->params[i % 2]; break;
        case TYPE_TUPLE:
            if (i >= count)
                return cannot_infer(selection, term);
            element = wanted->params[i];
            break;
        case TYPE_UDT:
            for (at = 0;
                 at < count && !(term->kind == TERM_UDT && bytes_equal(wanted->field_names[at], term->field_names[i]));
                 at++)
                ;
            if (at == count && term->kind == TERM_UDT)
                return unknown_field(planner, wanted, term->field_names[i]);
            if (at == count)
                return cannot_infer(selection, term);
            element = wanted->params[at];
            break;
        case TYPE_LIST:
        case TYPE_SET:
        case TYPE_VECTOR: element = wanted->params[0]; break;
        default: return cannot_infer(selection, term);
        }
        if (compiled[i] && type_equal(compiled[i]->type, element))
            pack->args[at] = compiled[i];
        else
            status = compile_selector(selection, term->items[i], element, &pack->args[at]);
        if (!status && !is_readable_as(planner, pack->args[at]->type, element))
            return cannot_assign(selection, term, wanted);
    }
    *result = pack;
    return status;
}

/* What it reads is of the type that stands before it, which is frozen, as whatever is selected by itself. */
static enum status compile_hint(struct selection *selection, const struct term *term, const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct term *value = term->items[0];
    const struct type *type;
    enum status status = term_resolve_type(planner, term->type, planner->table->keyspace, &type);

    if (status)
        return status;
    type = type_freeze(planner->arena, type);
    if (type->kind == TYPE_UDT && is_ambiguous_map(value)) {
        value = as_udt(planner, value);
        status = check_fields(planner, type, value);
        if (status)
            return status;
    }
    if (!contains_column(value) && term_test(planner, value, type) == ASSIGNABLE_NOT)
        return cannot_assign(selection, term, type);
    status = compile_selector(selection, value, type, result);
    if (status || type_equal((*result)->type, type))
        return status;
    if (!type_is_value_compatible(type, (*result)->type))
        return cannot_assign(selection, term, type);
    *result = read_as(planner, *result, type);
    return OK;
}

static enum status compile_selector(struct selection *selection, const struct term *term, const struct type *wanted,
                                    const struct expr **result)
{
    struct planner *planner = selection->planner;
    const struct column_def *column;
    const struct type *type;
    enum status status;

    switch (term->kind) {
    case TERM_COLUMN: {
        status = find_column(selection, term->column, &column);
        if (status)
            return status;
        struct expr *expr = new_expr(planner, EXPR_COLUMN, column->type, 0);
        expr->index = slot_of(selection, column);
        *result = expr;
        return OK;
    }
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
    case TERM_CAST: {
        const struct function *function;
        const struct expr *from;
        struct function_scope scope = { .arena = planner->arena };

        status = term_resolve_type(planner, term->type, planner->table->keyspace, &type);
        if (!status)
            status = compile_selector(selection, term->items[0], NULL, &from);
        if (!status && type_equal(from->type, type)) {
            *result = from;
            return OK;
        }
        if (!status)
            status = function_resolve_cast(&scope, from->type, type, name_of(planner, term->items[0]), &function,
                                           planner->err);
        if (status)
            return status;
        struct expr *expr = new_expr(planner, EXPR_CALL, type, 1);
        expr->function = function;
        expr->args[0] = from;
        *result = expr;
        return OK;
    }
    case TERM_HINT: return compile_hint(selection, term, result);
    case TERM_LIST:
    case TERM_SET:
    case TERM_MAP:
    case TERM_UDT:
    case TERM_TUPLE: return compile_pack(selection, term, wanted, result);
    case TERM_LITERAL:
    case TERM_NULL:
    case TERM_MARKER: {
        struct receiver receiver = { BYTES_LITERAL("[selection]"), wanted };

        if (!wanted)
            return cannot_infer(selection, term);
        return term_compile(planner, term, &receiver, result);
    }
    }
    return cannot_infer(selection, term);
}

/* ---- the clauses ---- */

static void set_result_column(struct plan *plan, const struct table_def *table, uint32_t at, struct bytes name,
                              const struct type *type)
{
    plan->columns[at] = (struct native_column){ table->keyspace, table->name, name, type };
}

static enum status compile_results(struct selection *selection, const struct select_statement *statement,
                                   struct plan *plan)
{
    struct planner *planner = selection->planner;
    const struct table_def *table = planner->table;
    struct select_plan *select = selection->select;
    uint32_t count = statement->selector_count ? statement->selector_count : table->column_count;

    select->results = arena_new_array(planner->arena, const struct expr *, count + table->clustering_count + 1);
    plan->columns = arena_new_array(planner->arena, struct native_column, count + table->clustering_count + 1);
    if (!statement->selector_count) {
        for (uint32_t i = 0; i < table->column_count; i++) {
            struct expr *expr = new_expr(planner, EXPR_COLUMN, table->columns[i].type, 0);

            expr->index = slot_of(selection, &table->columns[i]);
            select->results[i] = expr;
            set_result_column(plan, table, i, table->columns[i].name, table->columns[i].type);
        }
    } else {
        for (uint32_t i = 0; i < count; i++) {
            const struct selector *selector = &statement->selectors[i];
            /* (x) alone may be a tuple of one. */
            bool unclear = selector->term->kind == TERM_TUPLE && selector->term->item_count == 1;
            enum status status = unclear ? cannot_infer(selection, selector->term)
                                         : compile_selector(selection, selector->term, NULL, &select->results[i]);

            if (status)
                return status;
            struct bytes name = bytes_is_null(selector->alias) ? name_of(planner, selector->term) : selector->alias;
            if (selector->term->kind == TERM_FUNCTION && bytes_is_null(selector->alias) &&
                select->results[i]->kind == EXPR_AGGREGATE &&
                select->aggregates[select->results[i]->index].kind == AGGREGATE_COUNT_ROWS)
                name = BYTES_LITERAL("count"); /* COUNT(1) */
            set_result_column(plan, table, i, name, select->results[i]->type);
        }
    }
    select->result_count = plan->column_count = count;
    return OK;
}

/* The columns that results are made of, in the order they are named: as columns, in functions, aggregates or writetime(). */
struct used_columns {
    const struct column_def **list;
    uint32_t count;
};

static bool is_used(const struct used_columns *used, const struct column_def *column)
{
    for (uint32_t i = 0; i < used->count; i++)
        if (used->list[i] == column)
            return true;
    return false;
}

static void add_used(struct used_columns *used, const struct select_plan *select, const struct expr *expr)
{
    const struct column_def *column = NULL;

    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_WRITETIME:
    case EXPR_MAXWRITETIME:
    case EXPR_TTL: column = select->slots[expr->index]; break;
    case EXPR_AGGREGATE:
        if (select->aggregates[expr->index].argument)
            add_used(used, select, select->aggregates[expr->index].argument);
        break;
    default: break;
    }
    if (column && !is_used(used, column))
        used->list[used->count++] = column;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr->args[i])
            add_used(used, select, expr->args[i]);
}

static struct used_columns find_used(const struct selection *selection)
{
    const struct select_plan *select = selection->select;
    struct arena *arena = selection->planner->arena;
    struct used_columns used = { .list = arena_new_array(arena, const struct column_def *,
                                                         selection->planner->table->column_count + 1) };

    for (uint32_t i = 0; i < select->result_count; i++)
        add_used(&used, select, select->results[i]);
    return used;
}

static enum status refuse_distinct_column(struct planner *planner, const struct column_def *column)
{
    return error_set(planner->err, ERR_INVALID,
                     "SELECT DISTINCT queries must only request partition key columns and/or static columns (not %.*s)",
                     BYTES(column->name));
}

static enum status check_distinct(const struct selection *selection, const struct select_statement *statement)
{
    struct planner *planner = selection->planner;
    const struct select_plan *select = selection->select;
    const struct table_def *table = planner->table;
    struct used_columns used = find_used(selection);

    if (statement->per_partition_limit)
        return error_set(planner->err, ERR_INVALID, "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries");
    if (select->where.has_clustering)
        return error_set(
            planner->err, ERR_INVALID,
            "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.");
    for (uint32_t i = 0; i < select->where.filter_count; i++)
        if (select->where.filters[i].column->kind == COLUMN_REGULAR)
            return error_set(
                planner->err, ERR_INVALID,
                "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns.");
    for (uint32_t i = 0; i < used.count; i++)
        if (used.list[i]->kind == COLUMN_REGULAR || used.list[i]->kind == COLUMN_CLUSTERING)
            return refuse_distinct_column(planner, used.list[i]);
    /* What is sorted by is selected too, where it is sorted after reading. */
    for (uint32_t i = 0; i < statement->ordering_count && select->where.partition_has_in; i++) {
        const struct column_def *column = table_def_column(table, statement->orderings[i].column);

        if (column && column->kind == COLUMN_CLUSTERING)
            return refuse_distinct_column(planner, column);
    }
    /* A whole partition key by EQ need not be selected. */
    for (uint32_t k = 0; k < table->partition_key_count && select->where.access.kind == ACCESS_RANGE; k++)
        if (!is_used(&used, &table->columns[k]))
            return error_set(planner->err, ERR_INVALID,
                             "SELECT DISTINCT queries must request all the partition key columns (missing %.*s)",
                             BYTES(table->columns[k].name));
    return OK;
}

static bool is_eq_restricted(const struct where *where, uint32_t position)
{
    for (uint32_t i = 0; i < where->access.clustering_count; i++) {
        const struct key_part *part = &where->access.clustering[i];

        if (part->kind == PART_EQ && position >= part->first && position < part->first + part->width)
            return true;
    }
    return false;
}

struct ordered { /* a column of an ORDER BY */
    const struct column_def *column;
    bool descending;
};

/* A column stands where it was said first, and goes the way that was said last; as in Cassandra, which keeps a map. */
static enum status unite_orderings(struct selection *selection, const struct select_statement *statement,
                                   struct ordered *ordered, uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < statement->ordering_count; i++) {
        const struct column_def *column;
        enum status status = find_column(selection, statement->orderings[i].column, &column);
        uint32_t k = 0;

        if (status)
            return status;
        while (k < *count && ordered[k].column != column)
            k++;
        ordered[k] = (struct ordered){ column, statement->orderings[i].descending };
        *count += k == *count;
    }
    return OK;
}

static enum status compile_ordering(struct selection *selection, const struct select_statement *statement)
{
    struct planner *planner = selection->planner;
    struct select_plan *select = selection->select;
    uint32_t next = 0, count;
    struct ordered *ordered;
    int reversed = -1;
    enum status status;

    if (!statement->ordering_count)
        return OK;
    if (statement->orderings[0].ann_of)
        return error_set(planner->err, ERR_INVALID, "ANN ordering by vector requires the column to be indexed");
    if (select->where.access.kind == ACCESS_RANGE)
        return error_set(planner->err, ERR_INVALID,
                         "ORDER BY is only supported when the partition key is restricted by an EQ or an IN.");
    ordered = arena_new_array(planner->arena, struct ordered, statement->ordering_count);
    status = unite_orderings(selection, statement, ordered, &count);
    if (status)
        return status;
    select->sort = arena_new_array(planner->arena, struct select_ordering, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct column_def *column = ordered[i].column;

        assert(column);
        if (column->kind != COLUMN_CLUSTERING)
            return error_set(
                planner->err, ERR_INVALID,
                "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got %.*s",
                BYTES(column->name));
        while (next < column->position && is_eq_restricted(&select->where, next))
            next++;
        if (next != column->position)
            return error_set(
                planner->err, ERR_INVALID,
                "Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY");
        next++;
        int this_reversed = ordered[i].descending != column->descending;
        if (reversed >= 0 && reversed != this_reversed)
            return error_set(planner->err, ERR_INVALID, "Unsupported order by relation");
        reversed = this_reversed;
        select->sort[i] = (struct select_ordering){ slot_of(selection, column), column->type, ordered[i].descending };
    }
    select->reversed = reversed == 1;
    select->sort_count = select->where.partition_has_in ? count : 0;
    return OK;
}

static enum status compile_groups(struct selection *selection, const struct select_statement *statement)
{
    struct planner *planner = selection->planner;
    const struct table_def *table = planner->table;
    struct select_plan *select = selection->select;
    uint32_t next = 0, keys = table->partition_key_count + table->clustering_count;

    for (uint32_t i = 0; i < statement->group_count; i++) {
        const struct term *term = statement->groups[i];
        const struct column_def *column;
        enum status status;

        if (select->group_function)
            return error_set(planner->err, ERR_INVALID,
                             "Functions are only supported on the last element of the GROUP BY clause");
        if (term->kind == TERM_FUNCTION) {
            const struct term *of = NULL;

            for (uint32_t k = 0; k < term->item_count; k++)
                if (term->items[k]->kind == TERM_COLUMN)
                    of = term->items[k];
            if (!of)
                return error_set(planner->err, ERR_INVALID,
                                 "GROUP BY functions must have one clustering column name as parameter");
            status = compile_selector(selection, term, NULL, &select->group_function);
            if (!status)
                status = find_column(selection, of->column, &column);
            if (status)
                return status;
            if (select->group_function->kind == EXPR_AGGREGATE)
                return error_set(planner->err, ERR_INVALID,
                                 "Aggregate functions are not supported within the GROUP BY clause, got: %.*s",
                                 BYTES(name_of(planner, term)));
            if (column->kind != COLUMN_CLUSTERING)
                return error_set(planner->err, ERR_INVALID,
                                 "Group by functions are only supported on clustering columns, got %.*s",
                                 BYTES(column->name));
        } else if (term->kind == TERM_COLUMN) {
            status = find_column(selection, term->column, &column);
            if (status)
                return status;
        } else {
            return error_set(planner->err, ERR_INVALID,
                             "Group by is currently only supported on the columns of the PRIMARY KEY, got %.*s",
                             BYTES(name_of(planner, term)));
        }
        if (column->index >= keys)
            return error_set(planner->err, ERR_INVALID,
                             "Group by is currently only supported on the columns of the PRIMARY KEY, got %.*s",
                             BYTES(column->name));
        while (next < column->index) {
            const struct column_def *skipped = &table->columns[next];
            bool eq = skipped->kind == COLUMN_PARTITION_KEY
                          ? select->where.access.kind == ACCESS_PARTITIONS &&
                                select->where.access.partition[skipped->position].kind == PART_EQ
                          : is_eq_restricted(&select->where, skipped->position);
            if (!eq)
                return error_set(
                    planner->err, ERR_INVALID,
                    "Group by currently only support groups of columns following their declared order in the PRIMARY KEY");
            next++;
        }
        if (next != column->index)
            return error_set(
                planner->err, ERR_INVALID,
                "Group by currently only support groups of columns following their declared order in the PRIMARY KEY");
        next++;
    }
    if (statement->group_count) {
        if (next < table->partition_key_count)
            return error_set(planner->err, ERR_INVALID,
                             "Group by is not supported on only a part of the partition key");
        if (statement->distinct && next > table->partition_key_count)
            return error_set(planner->err, ERR_INVALID,
                             "Grouping on clustering columns is not allowed for SELECT DISTINCT queries");
        select->group_count = next;
        select->is_aggregate = true;
    }
    return OK;
}

static bool uses_only_static(const struct selection *selection, const struct select_statement *statement)
{
    struct used_columns used = find_used(selection);
    bool any = false;

    if (!statement->selector_count || !selection->planner->table->clustering_count)
        return false;
    for (uint32_t i = 0; i < used.count; i++) {
        if (used.list[i]->kind == COLUMN_STATIC)
            any = true;
        else if (used.list[i]->kind != COLUMN_PARTITION_KEY)
            return false;
    }
    return any;
}

static int compare_ids(const void *a, const void *b, void *context)
{
    const struct column_def *const *slots = context;
    uint32_t left = slots[*(const uint32_t *)a]->id, right = slots[*(const uint32_t *)b]->id;

    return (left > right) - (left < right);
}

static void index_cell_slots(struct planner *planner, struct select_plan *select)
{
    uint32_t first = select->partition_slots + select->clustering_slots;

    select->cell_slot_count = select->slot_count - first;
    select->slot_of_id_index = arena_new_array(planner->arena, uint32_t, select->cell_slot_count + 1);
    for (uint32_t i = 0; i < select->cell_slot_count; i++)
        select->slot_of_id_index[i] = first + i;
    qsort_r(select->slot_of_id_index, select->cell_slot_count, sizeof(uint32_t), compare_ids, select->slots);
}

static enum status compile_limits(struct planner *planner, const struct select_statement *statement,
                                  struct select_plan *select)
{
    struct receiver limit = { BYTES_LITERAL("[limit]"), type_native(TYPE_INT) };
    struct receiver per_partition = { BYTES_LITERAL("[per_partition_limit]"), type_native(TYPE_INT) };
    enum status status = OK;

    if (statement->per_partition_limit)
        status = term_compile(planner, statement->per_partition_limit, &per_partition, &select->per_partition_limit);
    if (!status && statement->limit)
        status = term_compile(planner, statement->limit, &limit, &select->limit);
    return status;
}

static void make_json(struct planner *planner, struct select_plan *select, struct plan *plan)
{
    select->is_json = true;
    select->json_names = arena_new_array(planner->arena, struct bytes, plan->column_count);
    for (uint32_t i = 0; i < plan->column_count; i++) {
        struct bytes name = plan->columns[i].name;
        struct buffer out = { 0 };
        bool quoted = false;

        for (size_t c = 0; c < name.size; c++)
            quoted |= name.data[c] >= 'A' && name.data[c] <= 'Z';
        if (quoted)
            name = bytes_of_string(arena_printf(planner->arena, "\"%.*s\"", BYTES(name)));
        value_print_json(&out, type_native(TYPE_TEXT), name);
        buffer_append_string(&out, ": ");
        select->json_names[i] = buffer_to_arena(planner->arena, &out);
    }
    set_result_column(plan, planner->table, 0, BYTES_LITERAL("[json]"), type_native(TYPE_TEXT));
    plan->column_count = 1;
}

/* The clauses in the order in which Cassandra finds what is wrong with them. */
static enum status compile_clauses(struct selection *selection, const struct select_statement *statement,
                                   struct plan *plan)
{
    struct planner *planner = selection->planner;
    struct select_plan *select = selection->select;
    const struct table_def *table = planner->table;
    enum status status;

    select->slots = arena_new_array(planner->arena, const struct column_def *, table->column_count + 1);
    select->partition_slots = table->partition_key_count;
    select->clustering_slots = table->clustering_count;
    for (uint32_t i = 0; i < table->partition_key_count + table->clustering_count; i++)
        slot_of(selection, &table->columns[i]);
    select->distinct = statement->distinct;
    select->allow_filtering = statement->allow_filtering;
    status = compile_results(selection, statement, plan);
    if (status)
        return status;
    select->selects_static_only = uses_only_static(selection, statement);
    struct where_options options = {
        .use = WHERE_SELECT,
        .allow_filtering = statement->allow_filtering || ddl_is_virtual_system_keyspace(table->keyspace),
        .only_static = select->selects_static_only,
    };
    status = where_compile(planner, statement->relations, statement->relation_count, &options, &select->where);
    if (!status && statement->distinct)
        status = check_distinct(selection, statement);
    if (!status)
        status = compile_groups(selection, statement);
    if (!status && statement->per_partition_limit && select->is_aggregate && !select->group_count)
        status = error_set(planner->err, ERR_INVALID, "PER PARTITION LIMIT is not allowed with aggregate queries.");
    if (!status)
        status = compile_ordering(selection, statement);
    if (!status)
        status = where_check_filtering(planner, &options, &select->where);
    if (!status)
        status = compile_limits(planner, statement, select);
    return status;
}

enum status plan_select(struct planner *planner, const struct cql_statement *statement, struct plan *plan)
{
    struct select_plan *select = arena_new_struct(planner->arena, struct select_plan);
    struct selection selection = { .planner = planner, .select = select };
    enum status status = plan_use_table(planner, &statement->select->table, plan);

    plan->select = select;
    if (!status)
        status = compile_clauses(&selection, statement->select, plan);
    if (status)
        return status;
    for (uint32_t i = 0; i < select->where.filter_count; i++)
        select->where.filters[i].slot = slot_of(&selection, select->where.filters[i].column);
    select->static_wanted = plan->table->static_count > 0;
    select->rows_wanted = true;
    select->is_plain = !statement->select->json && !select->is_aggregate && !select->sort_count;
    for (uint32_t i = 0; i < select->result_count; i++)
        select->is_plain &= select->results[i]->kind == EXPR_COLUMN;
    if (statement->select->json)
        make_json(planner, select, plan);
    index_cell_slots(planner, select);
    if (select->is_aggregate) {
        if (!select->where.partition_is_restricted)
            planner_warn(planner, "Aggregation query used without partition key");
        else if (select->where.partition_has_in)
            planner_warn(planner, "Aggregation query used on multiple partition keys (IN restriction)");
    }
    return OK;
}
